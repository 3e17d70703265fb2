//! What the records must reach at size: each workload fills a database, measures, checks what it
//! read, and says of each figure whether it holds.

mod cells;
mod changelog;
mod counting;
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

    /// Share of the full size in percent. Below 100 the figures mean little, and none is missed.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100))]
    percent: u64,

    /// Where to put the databases [default: beside this program].
    #[arg(long)]
    dir: Option<PathBuf>,

    /// Print one JSON object for each figure.
    #[arg(long)]
    json: bool,

    /// What a child process of this program does: fill this directory, in a heap of its own.
    #[arg(long, hide = true)]
    fill: Option<PathBuf>,
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
    /// Commits without and with the changelog, reading it, and following it live.
    Changelog,
}

/// Sizes of a run, and where it takes place.
#[derive(Clone, Copy, Debug)]
struct Plan<'a> {
    dir: &'a Path,
    percent: u64,
}

impl Plan<'_> {
    /// The share of `full` that was asked for.
    fn size(&self, full: u64) -> u64 {
        full * self.percent / 100
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
        if let Some(dir) = &self.fill {
            prune::fill(&Plan { dir, percent: self.percent })?;
            return Ok(true);
        }
        let mut hold = true;
        for name in &self.names {
            let label = name.to_possible_value().map_or(String::new(), |v| v.get_name().to_owned());
            let dir = self.directory(&label)?;
            let plan = Plan { dir: &dir, percent: self.percent };
            let figures = match name {
                Name::Diff => diff::run(&plan),
                Name::Prune => prune::run(&plan),
                Name::TagScan => tag_scan::run(&plan),
                Name::Ring => ring::run(&plan),
                Name::Changelog => changelog::run(&plan),
            };
            std::fs::remove_dir_all(&dir)?;
            let figures = figures?;
            if !self.json {
                println!("{label}");
            }
            for figure in &figures {
                hold &= self.percent < 100 || figure.holds();
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
