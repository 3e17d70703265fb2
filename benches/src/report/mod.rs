//! The results as a table in Markdown, as JSON, and as a chart.

mod chart;
mod json;
mod table;

use std::path::Path;

use crate::engines::Engine;
use crate::machine;
use crate::runner::Run;
use crate::summary::Measured;

pub use chart::svg;
pub use json::json;
pub use table::markdown;

/// Everything a report speaks of.
#[derive(Debug)]
pub struct Report<'a> {
    /// What was run.
    pub run: &'a Run,
    /// What was found.
    pub measured: &'a Measured,
    /// Where it ran.
    pub machine: Vec<(&'static str, String)>,
}

impl<'a> Report<'a> {
    /// With this machine's description.
    pub fn new(run: &'a Run, measured: &'a Measured, dir: &Path) -> Self {
        Self { run, measured, machine: machine::describe(dir) }
    }

    /// What each figure is, in a sentence.
    fn how_measured(&self) -> String {
        let (rounds, records) = (self.run.rounds, self.run.plan.records);
        let medians = if rounds == 1 {
            "One round".to_owned()
        } else {
            format!("Medians of {rounds} rounds")
        };
        format!("{medians}; {records} records of 24 + 150 bytes.")
    }

    /// The engines that took part, in the order of the columns.
    fn engines(&self) -> impl Iterator<Item = Engine> {
        Engine::ALL.into_iter().filter(|engine| self.run.engines.contains(engine))
    }
}
