//! What the records must reach at size: each workload fills a database, measures, checks what it
//! read, and says of each figure whether it holds.

mod cells;
mod diff;
mod prune;
mod ring;
mod tag_scan;

use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

use crate::Result;

/// What `load` was asked to do.
#[derive(Debug, Parser)]
#[command(
    name = "load",
    about = "Measures what HexxlaDB's records must reach at size; exits with 1 where a figure is missed"
)]
pub struct Arguments {
    /// Which workloads.
    #[arg(required = true, value_enum)]
    names: Vec<Name>,

    /// Small sizes, to see that everything works; the figures mean nothing and none is missed.
    #[arg(long)]
    quick: bool,

    /// Where to put the databases [default: beside this program].
    #[arg(long)]
    dir: Option<PathBuf>,

    /// Print one JSON object for each figure.
    #[arg(long)]
    json: bool,
}

/// A workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Ten changed cells among a million: the difference of two snapshots.
    Diff,
    /// Half of ten million versions pruned, beside a reader and a writer.
    Prune,
    /// The thousand cells of one tag among a million.
    TagScan,
    /// The cells up to three steps away, against as many point reads.
    Ring,
}

/// Sizes of a run, and where it takes place.
#[derive(Clone, Copy, Debug)]
struct Plan<'a> {
    dir: &'a Path,
    quick: bool,
}

impl Plan<'_> {
    /// `full`, or a hundredth of it.
    fn size(&self, full: u64) -> u64 {
        if self.quick { full / 100 } else { full }
    }
}

/// A figure and the bound that it must keep.
#[derive(Clone, Debug)]
struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    bound: Bound,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
    /// For information.
    None,
}

impl Figure {
    fn holds(&self) -> bool {
        match self.bound {
            Bound::AtMost(most) => self.value <= most,
            Bound::AtLeast(least) => self.value >= least,
            Bound::None => true,
        }
    }

    fn line(&self) -> String {
        let bound = match self.bound {
            Bound::AtMost(most) => format!("at most {most}"),
            Bound::AtLeast(least) => format!("at least {least}"),
            Bound::None => {
                return format!("  {:<38} {:>12.3} {}", self.name, self.value, self.unit);
            }
        };
        let verdict = if self.holds() { "holds" } else { "MISSED" };
        format!("  {:<38} {:>12.3} {:<10} {bound}: {verdict}", self.name, self.value, self.unit)
    }

    fn json(&self, workload: &str) -> serde_json::Value {
        let (most, least) = match self.bound {
            Bound::AtMost(most) => (Some(most), None),
            Bound::AtLeast(least) => (None, Some(least)),
            Bound::None => (None, None),
        };
        serde_json::json!({
            "workload": workload, "figure": self.name, "value": self.value, "unit": self.unit,
            "at_most": most, "at_least": least, "holds": self.holds(),
        })
    }
}

impl Arguments {
    /// Runs the workloads; says whether every figure holds.
    pub fn run(&self) -> Result<bool> {
        let mut hold = true;
        for name in &self.names {
            let label = name.to_possible_value().map_or(String::new(), |v| v.get_name().to_owned());
            let dir = self.directory(&label)?;
            let plan = Plan { dir: &dir, quick: self.quick };
            let figures = match name {
                Name::Diff => diff::run(&plan),
                Name::Prune => prune::run(&plan),
                Name::TagScan => tag_scan::run(&plan),
                Name::Ring => ring::run(&plan),
            };
            std::fs::remove_dir_all(&dir)?;
            let figures = figures?;
            if !self.json {
                println!("{label}");
            }
            for figure in &figures {
                hold &= self.quick || figure.holds();
                if self.json {
                    println!("{}", figure.json(&label));
                } else {
                    println!("{}", figure.line());
                }
            }
        }
        Ok(hold)
    }

    /// An empty directory of its own for a workload.
    fn directory(&self, label: &str) -> Result<PathBuf> {
        let base = match &self.dir {
            Some(dir) => dir.clone(),
            None => std::env::current_exe()?.parent().map(Path::to_path_buf).unwrap_or_default(),
        };
        let dir = base.join(format!("load-{label}-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        Ok(dir)
    }
}

/// The value in the middle of an odd number of them.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
