//! Opening: the time from nothing to the first record read, in a fresh process, after a clean
//! close and after the writing process was killed.
//!
//! Each step is a process of its own; a small file beside the database says how many records it
//! holds, so that each opening can check that all of them are there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Figures, Plan, check_contents, figures, preload};
use crate::Result;
use crate::data::{Key, RECORD_BYTES, Tally, record};
use crate::engines::Engine;
use crate::store::Config;

/// Records of each commit before the kill.
const BATCH_RECORDS: u64 = 100;

/// Fills the database and closes it.
pub(super) fn fill(engine: Engine, dir: &Path, plan: &Plan) -> Result<Figures> {
    let store = engine.open(&engine_dir(dir)?, Config::roomy())?;
    preload(store.session()?.as_mut(), plan.records)?;
    store.close()?;
    set_count(dir, plan.records)?;
    Ok(Figures::new())
}

/// Opens it and reads one record, timed; checks the rest afterwards and closes.
pub(super) fn open_and_read(engine: Engine, dir: &Path) -> Result<Figures> {
    let count = count(dir)?;
    let path = engine_dir(dir)?;
    let last = count - 1;
    let start = Instant::now();
    let store = engine.open(&path, Config::roomy())?;
    let mut found = Tally::default();
    store.session()?.read(&mut std::iter::once(Key::of(last)), &mut found)?;
    let elapsed = start.elapsed();

    let mut due = Tally::default();
    due.expect(last, 0);
    found.check(due, "the first read")?;
    check_contents(store.as_ref(), 0..count)?;
    store.close()?;
    Ok(figures([("open_ms", elapsed.as_secs_f64() * 1e3)]))
}

/// Opens it, commits `mib` MiB of records, and is killed with the database open.
pub(super) fn commit_and_die(engine: Engine, dir: &Path, plan: &Plan, mib: u64) -> Result<Figures> {
    let base = count(dir)?;
    let wanted = (mib << 20) / RECORD_BYTES;
    // A smoke test must not turn a small database into a large one.
    let end = base + wanted.min(plan.records);
    let store = engine.open(&engine_dir(dir)?, Config::roomy())?;
    let mut session = store.session()?;
    for from in (base..end).step_by(BATCH_RECORDS as usize) {
        session.commit(&mut (from..end.min(from + BATCH_RECORDS)).map(record))?;
    }
    set_count(dir, end)?;
    Command::new("kill").args(["-9", &std::process::id().to_string()]).status()?;
    std::thread::sleep(Duration::from_secs(10));
    Err("nothing killed this process".into())
}

fn engine_dir(dir: &Path) -> Result<PathBuf> {
    let path = dir.join("database");
    std::fs::create_dir_all(&path)?;
    Ok(path)
}

fn set_count(dir: &Path, count: u64) -> Result<()> {
    Ok(std::fs::write(dir.join("records"), count.to_string())?)
}

fn count(dir: &Path) -> Result<u64> {
    Ok(std::fs::read_to_string(dir.join("records"))?.parse()?)
}
