//! Durable single-put commits: how many a second by one writer and by sixteen, how many bytes each
//! sends to the disk, and how long each takes.
//!
//! The database already holds a tenth of the plan's records; each commit adds one under a random
//! key. Afterwards everything is read and must be there.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Figures, Plan, check_contents, figures, join};
use crate::Result;
use crate::data::{record, sorted_numbers};
use crate::engines::Engine;
use crate::store::{Config, Store};
use crate::usage;

/// The latency row ends here even where an engine has not finished its commits.
const LATENCY_LIMIT: Duration = Duration::from_mins(1);

/// Commits by `threads` threads for the plan's stretch.
pub(super) fn timed(engine: Engine, dir: &Path, plan: &Plan, threads: u64) -> Result<Figures> {
    let store = engine.open(dir, Config::roomy())?;
    let base = preload(store.as_ref(), plan)?;
    let written_before = usage::disk_written_bytes(dir);
    let start = Instant::now();
    let until = Until { deadline: Some(start + plan.stretch), commits: u64::MAX };
    let commits = commit_until(store.as_ref(), base, threads, until)?;
    let seconds = start.elapsed().as_secs_f64();
    let written =
        usage::disk_written_bytes(dir).zip(written_before).map(|(after, before)| after - before);
    check_contents(store.as_ref(), 0..base + commits)?;
    store.close()?;

    let mut figures = figures([("commits_per_s", commits as f64 / seconds)]);
    if let Some(bytes) = written {
        figures.insert("bytes_per_commit".to_owned(), bytes as f64 / commits as f64);
    }
    Ok(figures)
}

/// Puts a tenth of the plan's records, in key order, which leaves every engine in good order.
/// Returns how many.
fn preload(store: &dyn Store, plan: &Plan) -> Result<u64> {
    let numbers = sorted_numbers(plan.records / 10);
    store.load_sorted(&mut numbers.iter().copied().map(record))?;
    Ok(numbers.len() as u64)
}

/// `commits` commits by `threads` threads into an empty database.
pub(super) fn counted(engine: Engine, dir: &Path, threads: u64, commits: u64) -> Result<Figures> {
    let store = engine.open(dir, Config::roomy())?;
    let made = commit_until(store.as_ref(), 0, threads, Until { deadline: None, commits })?;
    check_contents(store.as_ref(), 0..made)?;
    store.close()?;
    Ok(figures([("commits", made as f64)]))
}

/// When commits end: at a time, or after so many.
#[derive(Clone, Copy)]
struct Until {
    deadline: Option<Instant>,
    commits: u64,
}

/// Commits the records from number `base` on, one a commit, each thread taking the next number
/// that nobody has. A number that was taken is committed, so there are no holes. Returns how many.
fn commit_until(store: &dyn Store, base: u64, threads: u64, until: Until) -> Result<u64> {
    let next = AtomicU64::new(0);
    let writer = || -> Result<u64> {
        let mut session = store.session()?;
        let mut made = 0;
        while until.deadline.is_none_or(|deadline| Instant::now() < deadline) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= until.commits {
                break;
            }
            session.commit(&mut std::iter::once(record(base + number)))?;
            made += 1;
        }
        Ok(made)
    };
    if threads == 1 {
        return writer();
    }
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..threads).map(|_| scope.spawn(writer)).collect();
        writers.into_iter().map(join).sum()
    })
}

/// The time of each of many commits of one writer.
pub(super) fn latency(engine: Engine, dir: &Path, plan: &Plan) -> Result<Figures> {
    let store = engine.open(dir, Config::roomy())?;
    let base = preload(store.as_ref(), plan)?;
    let mut session = store.session()?;
    let mut latencies = Vec::with_capacity(plan.latency_commits as usize);
    let start = Instant::now();
    let mut last = start;
    while (latencies.len() as u64) < plan.latency_commits && start.elapsed() < LATENCY_LIMIT {
        session.commit(&mut std::iter::once(record(base + latencies.len() as u64)))?;
        let now = Instant::now();
        latencies.push((now - last).as_secs_f64() * 1e6);
        last = now;
    }
    drop(session);
    check_contents(store.as_ref(), 0..base + latencies.len() as u64)?;
    store.close()?;

    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share).round() as usize];
    Ok(figures([
        ("commits", latencies.len() as f64),
        ("p50_us", at(0.5)),
        ("p99_us", at(0.99)),
        ("p99.9_us", at(0.999)),
        ("max_us", at(1.0)),
    ]))
}
