//! The workloads, and the steps of which they consist: one step is what one child process does.
//!
//! A step opens the engine in its directory, does its work, checks every answer, and returns its
//! figures by name. [`crate::rows`] says which figure stands in which row of the table.

mod as_of;
mod commits;
mod disk;
mod loads;
mod mixed;
mod reads;
mod reopen;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::data::{Key, Tally, record};
use crate::engines::Engine;
use crate::store::{Session, Store};
use crate::{Error, Result};

/// Figures by name.
pub type Figures = BTreeMap<String, f64>;

/// Lookups that share a read transaction, for every engine.
pub const READS_PER_TRANSACTION: u64 = 1_000;
/// Records of a commit while a database is filled for another purpose than timing that.
const PRELOAD_BATCH_RECORDS: u64 = 10_000;

/// A part of the comparison that can be chosen by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Workload {
    /// Durable single-put commits, one writer.
    Commit1,
    /// The same by 16 writers.
    Commit16,
    /// The latency of single-put commits over a longer time.
    Latency,
    /// Batches of 1,000 random puts, and the size of the files afterwards.
    Batch,
    /// The same with a small cache: peak memory.
    Memory,
    /// Sorted bulk load.
    Load,
    /// Point reads and scans.
    Read,
    /// Reads of old versions.
    AsOf,
    /// One reader beside one writer.
    Mixed,
    /// Opening after a clean close and after a kill.
    Open,
}

impl Workload {
    /// All, in the order in which they run.
    pub const ALL: [Self; 10] = [
        Self::Commit1,
        Self::Commit16,
        Self::Latency,
        Self::Batch,
        Self::Memory,
        Self::Load,
        Self::Read,
        Self::AsOf,
        Self::Mixed,
        Self::Open,
    ];

    /// Name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Commit1 => "commit-1",
            Self::Commit16 => "commit-16",
            Self::Latency => "latency",
            Self::Batch => "batch",
            Self::Memory => "memory",
            Self::Load => "load",
            Self::Read => "read",
            Self::AsOf => "as-of",
            Self::Mixed => "mixed",
            Self::Open => "open",
        }
    }

    /// The workload of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|workload| workload.name() == name)
    }

    /// Whether `engine` takes part.
    pub fn includes(self, engine: Engine) -> bool {
        match engine {
            Engine::Disk => self == Self::Commit1,
            Engine::OrderedMap => self == Self::Read,
            _ => true,
        }
    }
}

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Records of the larger databases.
    pub records: u64,
    /// How long each timed stretch of commits runs.
    pub stretch: Duration,
    /// Point reads per thread.
    pub reads: u64,
    /// Commits of the latency row.
    pub latency_commits: u64,
    /// Makes rounds differ in which records they pick.
    pub seed: u64,
}

impl Plan {
    /// The real thing over `records` records.
    pub fn full(records: u64) -> Self {
        Self {
            records,
            stretch: Duration::from_secs(3),
            reads: records.max(READS_PER_TRANSACTION),
            latency_commits: 30_000,
            seed: 0,
        }
    }

    /// Just enough to see everything work.
    pub fn quick() -> Self {
        Self { stretch: Duration::from_millis(50), latency_commits: 200, ..Self::full(2_000) }
    }
}

/// What one child process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// All of a workload that needs only one process.
    Whole(Workload),
    /// Fills the database whose opening is timed, and closes it.
    OpenFill,
    /// Opens it and reads a record.
    OpenRead,
    /// Opens it, commits this many MiB of records, and is killed.
    OpenKill(u64),
    /// Opens an empty database, commits single puts from this many threads, this many in all, and
    /// closes it: what the tracer looks at.
    Commits(u64, u64),
}

impl Step {
    /// Name on the child's command line.
    pub fn name(self) -> String {
        match self {
            Self::Whole(workload) => workload.name().to_owned(),
            Self::OpenFill => "open:fill".to_owned(),
            Self::OpenRead => "open:read".to_owned(),
            Self::OpenKill(mib) => format!("open:kill:{mib}"),
            Self::Commits(threads, commits) => format!("commits:{threads}:{commits}"),
        }
    }

    /// The step of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        let parts: Vec<&str> = name.split(':').collect();
        match parts.as_slice() {
            ["open", "fill"] => Some(Self::OpenFill),
            ["open", "read"] => Some(Self::OpenRead),
            ["open", "kill", mib] => Some(Self::OpenKill(mib.parse().ok()?)),
            ["commits", threads, commits] => {
                Some(Self::Commits(threads.parse().ok()?, commits.parse().ok()?))
            }
            [name] => Workload::from_name(name).map(Self::Whole),
            _ => None,
        }
    }

    /// Does it.
    pub fn run(self, engine: Engine, dir: &Path, plan: &Plan) -> Result<Figures> {
        match self {
            Self::Whole(Workload::Commit1) if engine == Engine::Disk => disk::limit(dir, plan),
            Self::Whole(Workload::Commit1) => commits::timed(engine, dir, plan, 1),
            Self::Whole(Workload::Commit16) => commits::timed(engine, dir, plan, 16),
            Self::Whole(Workload::Latency) => commits::latency(engine, dir, plan),
            Self::Whole(Workload::Batch) => loads::batches(engine, dir, plan),
            Self::Whole(Workload::Memory) => loads::memory(engine, dir, plan),
            Self::Whole(Workload::Load) => loads::sorted(engine, dir, plan),
            Self::Whole(Workload::Read) => reads::run(engine, dir, plan),
            Self::Whole(Workload::AsOf) => as_of::run(engine, dir, plan),
            Self::Whole(Workload::Mixed) => mixed::run(engine, dir, plan),
            Self::Whole(Workload::Open) => Err("opening takes several steps".into()),
            Self::OpenFill => reopen::fill(engine, dir, plan),
            Self::OpenRead => reopen::open_and_read(engine, dir),
            Self::OpenKill(mib) => reopen::commit_and_die(engine, dir, plan, mib),
            Self::Commits(threads, commits) => commits::counted(engine, dir, threads, commits),
        }
    }
}

/// Fills a database with the records `0..count` in random order.
fn preload(session: &mut dyn Session, count: u64) -> Result<()> {
    for from in (0..count).step_by(PRELOAD_BATCH_RECORDS as usize) {
        let to = count.min(from + PRELOAD_BATCH_RECORDS);
        session.commit(&mut (from..to).map(record))?;
    }
    Ok(())
}

/// Reads everything and fails unless it is exactly the records `expected`.
fn check_contents(store: &dyn Store, expected: impl Iterator<Item = u64>) -> Result<()> {
    let mut due = Tally::default();
    for number in expected {
        due.expect(number, 0);
    }
    let mut found = Tally::default();
    store.session()?.scan(&mut std::iter::once(Key::zero()), usize::MAX, &mut found)?;
    found.check(due, "a scan of everything")
}

/// Runs `work` and returns how long it took, in seconds.
fn time(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

/// What a thread of the harness returned, with a panic of the engine as an error.
fn join<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().map_err(|_| Error::from("a thread panicked"))?
}

fn figures<const N: usize>(figures: [(&str, f64); N]) -> Figures {
    figures.map(|(name, figure)| (name.to_owned(), figure)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_workloads_are_found_by_their_names() {
        for workload in Workload::ALL {
            assert_eq!(Workload::from_name(workload.name()), Some(workload));
        }
        let steps = [Step::OpenFill, Step::OpenRead, Step::OpenKill(4), Step::Commits(16, 100)];
        for step in steps.into_iter().chain(Workload::ALL.map(Step::Whole)) {
            assert_eq!(Step::from_name(&step.name()), Some(step));
        }
        assert_eq!(Step::from_name("open:kill:many"), None);
    }
}
