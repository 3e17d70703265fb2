//! The command line of `compare`, and what it makes of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;

use crate::Result;
use crate::engines::Engine;
use crate::report::{self, Report};
use crate::runner::{self, Run};
use crate::workloads::{Plan, Step, Workload};
use crate::{machine, sync_check};

/// Records of the larger databases, unless told otherwise.
const RECORDS: u64 = 1_000_000;

/// What `compare` was asked to do.
#[derive(Debug, Parser)]
#[command(name = "compare", about = "Measures HexxlaDB side by side with other embedded stores")]
pub struct Arguments {
    /// Only these workloads, by name, separated by commas: commit-1, commit-16, latency, batch,
    /// memory, load, read, as-of, mixed, open.
    #[arg(long, value_delimiter = ',', value_parser = workload, value_name = "WORKLOAD")]
    only: Vec<Workload>,

    /// Only these engines, by name, separated by commas: hexxladb, redb, lmdb, fjall, sqlite,
    /// canopydb, surrealkv, and for reference disk and btreemap. All but the first need a build
    /// with `--features rivals`, the references do not.
    #[arg(long, value_delimiter = ',', value_parser = engine, value_name = "ENGINE")]
    engines: Vec<Engine>,

    /// Records of the larger databases [default: 1000000].
    #[arg(long)]
    records: Option<u64>,

    /// How often each workload runs with each engine.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,

    /// Small sizes, to see that everything works; the figures mean nothing.
    #[arg(long)]
    quick: bool,

    /// Where to put the databases: it decides which disk is measured
    /// [default: beside this program].
    #[arg(long)]
    dir: Option<PathBuf>,

    /// Also write the results as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Also draw the results.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Seconds that one engine may take for one workload before it is stopped.
    #[arg(long, default_value_t = 600)]
    timeout: u64,

    /// Measure nothing; count each engine's syncs per commit under strace.
    #[arg(long)]
    verify_sync: bool,

    /// What a child process of this program does.
    #[arg(long, hide = true, value_parser = step)]
    child: Option<Step>,

    /// Which round the child is in.
    #[arg(long, hide = true, default_value_t = 1)]
    round: u64,
}

fn workload(name: &str) -> Result<Workload, String> {
    Workload::from_name(name).ok_or_else(|| "no such workload".to_owned())
}

fn engine(name: &str) -> Result<Engine, String> {
    let engine = Engine::from_name(name).ok_or("no such engine")?;
    if engine.is_built() {
        Ok(engine)
    } else {
        Err("needs a build with --features rivals".to_owned())
    }
}

fn step(name: &str) -> Result<Step, String> {
    Step::from_name(name).ok_or_else(|| "no such step".to_owned())
}

impl Arguments {
    /// Does what was asked; whether everything succeeded.
    pub fn run(&self) -> Result<bool> {
        if let Some(step) = self.child {
            return self.be_child(step);
        }
        let dir = self.directory()?;
        std::fs::create_dir_all(&dir)?;
        if machine::is_in_memory(&dir) {
            eprintln!("warning: {} is in memory, where a sync costs nothing", dir.display());
        }
        let run = self.plan_run(dir);
        if self.verify_sync {
            return verify_sync(&run);
        }
        let measured = run.run(|what| eprintln!("{what}"))?;
        let report = Report::new(&run, &measured, &run.dir);
        print!("{}", report::markdown(&report));
        if let Some(path) = &self.json {
            let json = serde_json::to_string_pretty(&report::json(&report))?;
            std::fs::write(path, json + "\n")?;
        }
        if let Some(path) = &self.svg {
            std::fs::write(path, report::svg(&report))?;
        }
        Ok(measured.failures.is_empty())
    }

    fn be_child(&self, step: Step) -> Result<bool> {
        let (&[engine], Some(dir)) = (self.engines.as_slice(), &self.dir) else {
            return Err("a child needs one engine and a directory".into());
        };
        let result = step.run(engine, dir, &self.plan());
        println!("{}", runner::print(&result));
        Ok(result.is_ok())
    }

    fn plan(&self) -> Plan {
        let mut plan = if self.quick { Plan::quick() } else { Plan::full(RECORDS) };
        if let Some(records) = self.records {
            let sized = Plan::full(records);
            plan = Plan { records: sized.records, reads: sized.reads, ..plan };
        }
        plan.seed = self.round;
        plan
    }

    fn plan_run(&self, dir: PathBuf) -> Run {
        let or_all = |chosen: &[Engine]| match chosen {
            [] => Engine::ALL.into_iter().filter(|engine| engine.is_built()).collect(),
            some => some.to_vec(),
        };
        let mut child_arguments = Vec::new();
        if self.quick {
            child_arguments.push("--quick".to_owned());
        }
        child_arguments.extend(self.records.map(|records| format!("--records={records}")));
        Run {
            workloads: if self.only.is_empty() {
                Workload::ALL.to_vec()
            } else {
                self.only.clone()
            },
            engines: or_all(&self.engines),
            rounds: self.rounds,
            plan: self.plan(),
            dir,
            limit: Duration::from_secs(self.timeout),
            child_arguments,
        }
    }

    /// Beside this program, because the usual directory for temporary files is often in memory.
    fn directory(&self) -> Result<PathBuf> {
        if let Some(dir) = &self.dir {
            return Ok(dir.clone());
        }
        let program = std::env::current_exe()?;
        Ok(program.parent().unwrap_or(Path::new(".")).join("compare-data"))
    }
}

fn verify_sync(run: &Run) -> Result<bool> {
    if !sync_check::is_possible() {
        return Err("counting syncs needs strace, which is not here".into());
    }
    let counted = sync_check::count(run, |what| eprintln!("{what}"))?;
    print!("{}", sync_check::table(&counted));
    Ok(counted.iter().all(|it| it.one_writer >= 1.0))
}
