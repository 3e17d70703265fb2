//! Runs the steps: each in a child process of this same program, in a fresh directory, engine
//! after engine in an order that turns from round to round, so that no engine always follows the
//! same other one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::engines::Engine;
use crate::process::{self, Ending};
use crate::summary::{Failure, Measured};
use crate::workloads::{Figures, Plan, Step, Workload};
use crate::{Error, Result};

/// How often each opening is timed in a round.
const CLEAN_OPENINGS: u64 = 5;
const KILLED_OPENINGS: u64 = 3;

/// What to run and where.
#[derive(Clone, Debug)]
pub struct Run {
    /// Workloads, in order.
    pub workloads: Vec<Workload>,
    /// Engines, in the order of the first round.
    pub engines: Vec<Engine>,
    /// Rounds.
    pub rounds: u64,
    /// How much of everything.
    pub plan: Plan,
    /// Where the databases go. Everything the run makes there, it removes.
    pub dir: PathBuf,
    /// What one child may take.
    pub limit: Duration,
    /// Arguments that give a child the same plan.
    pub child_arguments: Vec<String>,
}

impl Run {
    /// Runs everything; `progress` hears of each cell.
    pub fn run(&self, mut progress: impl FnMut(&str)) -> Result<Measured> {
        let mut measured = Measured::default();
        for round in 1..=self.rounds {
            for &workload in &self.workloads {
                for engine in self.turn(round, workload) {
                    progress(&format!("round {round}: {} {}", workload.name(), engine.name()));
                    match self.cell(workload, engine, round) {
                        Ok(figures) => measured.add(workload, engine, figures),
                        Err(what) => {
                            let what = what.to_string();
                            progress(&format!("  failed: {what}"));
                            measured.failures.push(Failure { workload, engine, round, what });
                        }
                    }
                }
            }
        }
        Ok(measured)
    }

    /// The engines that take part, in this round's order.
    fn turn(&self, round: u64, workload: Workload) -> Vec<Engine> {
        let mut engines = self.engines.clone();
        engines.retain(|&engine| workload.includes(engine));
        if !engines.is_empty() {
            let by = (round - 1) % engines.len() as u64;
            engines.rotate_left(by as usize);
        }
        engines
    }

    /// One workload with one engine.
    fn cell(&self, workload: Workload, engine: Engine, round: u64) -> Result<Figures> {
        let dir = self.fresh_dir()?;
        let cell = Cell { run: self, engine, round, dir: &dir };
        let figures = match workload {
            Workload::Open => cell.openings(),
            _ => cell.step(Step::Whole(workload)),
        };
        std::fs::remove_dir_all(&dir)?;
        figures
    }

    fn fresh_dir(&self) -> Result<PathBuf> {
        let dir = self.dir.join(format!("run-{}", std::process::id()));
        if dir.exists() {
            std::fs::remove_dir_all(&dir)?;
        }
        std::fs::create_dir_all(dir.join("data"))?;
        Ok(dir)
    }

    /// A child's command line for `step` in `dir`.
    pub fn child(&self, step: Step, engine: Engine, round: u64, dir: &Path) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(&self.child_arguments);
        command.args(["--engines", engine.name(), "--child", &step.name()]);
        command.args(["--round", &round.to_string()]).arg("--dir").arg(dir.join("data"));
        Ok(command)
    }

    /// Runs `command` as a child in a fresh directory, whatever it prints, and returns that.
    pub fn in_fresh_dir(
        &self,
        command: impl FnOnce(&Path) -> Result<Command>,
    ) -> Result<process::Outcome> {
        let dir = self.fresh_dir()?;
        let outcome = process::run(command(&dir)?, &dir, self.limit);
        std::fs::remove_dir_all(&dir)?;
        outcome
    }
}

struct Cell<'a> {
    run: &'a Run,
    engine: Engine,
    round: u64,
    dir: &'a Path,
}

impl Cell<'_> {
    fn step(&self, step: Step) -> Result<Figures> {
        parse(&self.outcome(step)?)
    }

    fn outcome(&self, step: Step) -> Result<process::Outcome> {
        let command = self.run.child(step, self.engine, self.round, self.dir)?;
        process::run(command, self.dir, self.run.limit)
    }

    /// Fills a database, times its openings, and once more after kills.
    fn openings(&self) -> Result<Figures> {
        self.step(Step::OpenFill)?;
        let mut figures = Figures::new();
        let clean = self.timed(CLEAN_OPENINGS, None)?;
        figures.insert("clean_ms".to_owned(), clean);
        for mib in [4, 16] {
            let killed = self.timed(KILLED_OPENINGS, Some(mib))?;
            figures.insert(format!("killed_{mib}_mib_ms"), killed);
        }
        Ok(figures)
    }

    /// The median time of `count` openings, each after a kill if `mib` says so.
    fn timed(&self, count: u64, mib: Option<u64>) -> Result<f64> {
        let mut times = Vec::new();
        for _ in 0..count {
            if let Some(mib) = mib {
                self.kill(mib)?;
            }
            let figures = self.step(Step::OpenRead)?;
            times.push(*figures.get("open_ms").ok_or("an opening without a time")?);
        }
        times.sort_by(f64::total_cmp);
        Ok(times[times.len() / 2])
    }

    fn kill(&self, mib: u64) -> Result<()> {
        let outcome = self.outcome(Step::OpenKill(mib))?;
        match outcome.ending {
            // Without a code: ended by a signal, as it should be.
            Ending::Exited(status) if status.code().is_none() => Ok(()),
            _ => Err(parse(&outcome).err().unwrap_or_else(|| "it was not killed".into())),
        }
    }
}

/// What a child prints when it has ended well.
pub fn print(result: &Result<Figures>) -> String {
    match result {
        Ok(figures) => serde_json::json!({ "figures": figures }).to_string(),
        Err(error) => serde_json::json!({ "error": error.to_string() }).to_string(),
    }
}

/// A child's figures from what it printed, or why there are none.
pub fn parse(outcome: &process::Outcome) -> Result<Figures> {
    let status = match outcome.ending {
        Ending::TimedOut => return Err("took too long".into()),
        Ending::Exited(status) => status,
    };
    let broken = || -> Error { format!("ended with {status}: {}", outcome.last_words()).into() };
    let line = outcome.stdout.lines().last().ok_or_else(broken)?;
    let value: Value = serde_json::from_str(line).map_err(|_| broken())?;
    if let Some(error) = value["error"].as_str() {
        return Err(error.into());
    }
    let figures = value["figures"].as_object().filter(|_| status.success()).ok_or_else(broken)?;
    let figure = |(name, figure): (&String, &Value)| {
        let number = figure.as_f64().filter(|number| number.is_finite());
        Ok((name.clone(), number.ok_or_else(|| format!("{name} is not a number"))?))
    };
    figures.iter().map(figure).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn outcome(status: i32, stdout: &str) -> process::Outcome {
        let ending = Ending::Exited(ExitStatus::from_raw(status));
        process::Outcome { ending, stdout: stdout.to_owned(), stderr: "it broke".to_owned() }
    }

    #[test]
    fn figures_come_through_and_nothing_else_counts_as_figures() {
        let figures = Figures::from([("puts_per_s".to_owned(), 12.5)]);
        let printed = print(&Ok(figures.clone()));
        assert_eq!(parse(&outcome(0, &printed)).unwrap(), figures);
        assert!(parse(&outcome(256, &printed)).is_err(), "an exit code");
        assert!(parse(&outcome(9, "")).unwrap_err().to_string().contains("it broke"));
        assert!(parse(&outcome(0, "nonsense")).is_err());
        let failed = print(&Err("wrong answers".into()));
        assert_eq!(parse(&outcome(256, &failed)).unwrap_err().to_string(), "wrong answers");
        let endless = r#"{"figures":{"puts_per_s":null}}"#;
        assert!(parse(&outcome(0, endless)).is_err());
    }

    #[test]
    fn the_order_of_engines_turns() {
        let run = Run {
            workloads: vec![Workload::Read],
            engines: vec![Engine::Hexxladb, Engine::Redb, Engine::Disk, Engine::OrderedMap],
            rounds: 3,
            plan: Plan::quick(),
            dir: PathBuf::new(),
            limit: Duration::ZERO,
            child_arguments: Vec::new(),
        };
        let (us, redb, map) = (Engine::Hexxladb, Engine::Redb, Engine::OrderedMap);
        assert_eq!(run.turn(1, Workload::Read), [us, redb, map]);
        assert_eq!(run.turn(2, Workload::Read), [redb, map, us]);
        assert_eq!(run.turn(4, Workload::Read), [us, redb, map]);
    }
}
