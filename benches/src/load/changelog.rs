//! What the changelog costs a writer, how fast it is read, and how soon a follower sees a commit.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hexxladb::{
    ChangelogCursor, ChangelogEntry, ChangelogOptions, ChangelogReader, Db, Durability, Error,
    Follow,
};

use super::cells::{cell, coords, fill, options};
use super::counting::Counting;
use super::{Bound, Figure, Plan, median};
use crate::Result;

/// Rounds of commits, each without and with the changelog.
const ROUNDS: u64 = 7;
/// Commits of one cell in one round.
const COMMITS: u64 = 5_000;
/// Transactions of a thousand cells in one round.
const BATCHES: u64 = 20;
const BATCH_CELLS: u64 = 1_000;
/// Entries that are read.
const ENTRIES: u64 = 1_000_000;
/// Commits that are followed.
const FOLLOWED: u64 = 100_000;

pub(super) fn run(plan: &Plan<'_>) -> Result<Vec<Figure>> {
    let mut figures = writing(plan)?;
    figures.push(reading(plan)?);
    figures.extend(following(plan)?);
    Ok(figures)
}

/// One database without the changelog and one with it, and what their commits took.
struct Side {
    db: Db,
    vfs: Arc<Counting>,
    commits_s: Vec<f64>,
    batches_s: Vec<f64>,
}

impl Side {
    fn open(dir: &Path, name: &str, changelog: bool) -> Result<Self> {
        let vfs = Arc::<Counting>::default();
        let options =
            if changelog { options().changelog(ChangelogOptions::new()) } else { options() };
        let db = Db::open_with(Arc::clone(&vfs) as Arc<_>, dir.join(name), options)?;
        Ok(Self { db, vfs, commits_s: Vec::new(), batches_s: Vec::new() })
    }

    /// Commits of one cell each; the syncs that they took.
    fn commits(&mut self, round: u64, count: u64) -> Result<u64> {
        let coords = coords(count)?;
        let (before, start) = (self.vfs.syncs(), Instant::now());
        for &coord in &coords {
            self.db.update(|tx| tx.put_cell(coord, &cell(coord, round)))?;
        }
        self.commits_s.push(start.elapsed().as_secs_f64());
        Ok(self.vfs.syncs() - before)
    }

    /// Transactions of many cells each.
    fn batches(&mut self, round: u64, count: u64) -> Result<()> {
        let coords = coords(count * BATCH_CELLS)?;
        let start = Instant::now();
        for coords in coords.chunks(BATCH_CELLS as usize) {
            self.db.update(|tx| {
                coords.iter().try_for_each(|&coord| tx.put_cell(coord, &cell(coord, round)))
            })?;
        }
        self.batches_s.push(start.elapsed().as_secs_f64());
        Ok(())
    }
}

fn writing(plan: &Plan<'_>) -> Result<Vec<Figure>> {
    let (commits, batches) = (plan.size(COMMITS).max(50), plan.size(BATCHES).max(1));
    let mut off = Side::open(plan.dir, "off", false)?;
    let mut on = Side::open(plan.dir, "on", true)?;
    let (mut syncs_off, mut syncs_on) = (0, 0);
    for round in 0..ROUNDS {
        // Turn by turn, and not always the same one first.
        let mut sides = [(&mut off, &mut syncs_off), (&mut on, &mut syncs_on)];
        if round % 2 == 1 {
            sides.reverse();
        }
        for (side, syncs) in sides {
            *syncs += side.commits(round, commits)?;
            side.batches(round, batches)?;
        }
    }
    off.db.close()?;
    on.db.close()?;
    let all = (ROUNDS * commits) as f64;
    let kept = |off: &[f64], on: &[f64]| median(off.iter().zip(on).map(|(a, b)| a / b).collect());
    let syncs = |name, syncs: u64, bound| Figure {
        name,
        value: syncs as f64 / all,
        unit: "per commit",
        bound,
    };
    let most = syncs_off as f64 / all * 1.01;
    Ok(vec![
        syncs("syncs without the changelog", syncs_off, Bound::None),
        syncs("syncs with it", syncs_on, Bound::AtMost(most)),
        Figure {
            name: "commits without it",
            value: commits as f64 / median(off.commits_s.clone()),
            unit: "commits/s",
            bound: Bound::None,
        },
        Figure {
            name: "throughput of commits kept",
            value: kept(&off.commits_s, &on.commits_s),
            unit: "x",
            bound: Bound::AtLeast(0.85),
        },
        Figure {
            name: "throughput of large commits kept",
            value: kept(&off.batches_s, &on.batches_s),
            unit: "x",
            bound: Bound::AtLeast(0.85),
        },
    ])
}

fn reading(plan: &Plan<'_>) -> Result<Figure> {
    let coords = coords(plan.size(ENTRIES))?;
    let options = options().durability(Durability::Buffered).changelog(ChangelogOptions::new());
    let db = Db::open(plan.dir.join("read"), options)?;
    fill(&db, &coords, 0, |_, cell| cell)?;
    db.sync()?;
    let mut rates = Vec::new();
    for _ in 0..5 {
        let (mut count, start) = (0, Instant::now());
        for entry in db.read_changelog_since(0)? {
            black_box(entry?);
            count += 1;
        }
        rates.push(count as f64 / start.elapsed().as_secs_f64());
        if count != coords.len() {
            return Err(format!("{count} entries of {}", coords.len()).into());
        }
    }
    db.close()?;
    let (name, unit) = ("entries read", "entries/s");
    Ok(Figure { name, value: median(rates), unit, bound: Bound::AtLeast(500_000.0) })
}

/// When each commit returned, in nanoseconds since the start plus one; 0 before.
type Returned = Vec<AtomicU64>;

fn following(plan: &Plan<'_>) -> Result<Vec<Figure>> {
    let count = plan.size(FOLLOWED).max(100);
    let path = plan.dir.join("live");
    let db = Db::open(&path, options().changelog(ChangelogOptions::new()))?;
    let returned: Returned = (0..=count).map(|_| AtomicU64::new(0)).collect();
    let start = Instant::now();
    let follow = || Follow::new().timeout(Duration::from_secs(30));
    let handle = db.follow(ChangelogCursor::START, follow())?;
    let files = ChangelogReader::open(&path)?.follow(ChangelogCursor::START, follow())?;
    let (handle_ms, files_ms) = std::thread::scope(|scope| -> Result<_> {
        let handle = scope.spawn(|| seen(handle, &returned, start));
        let files = scope.spawn(|| seen(files, &returned, start));
        for seq in 1..=count {
            db.update(|tx| tx.put("k", seq.to_le_bytes()))?;
            let now = start.elapsed().as_nanos() as u64 + 1;
            returned[seq as usize].store(now, Ordering::Release);
        }
        let joined = |result: std::thread::Result<Result<Vec<f64>>>| {
            result.map_err(|_| crate::Error::from("a follower panicked"))?
        };
        Ok((joined(handle.join())?, joined(files.join())?))
    })?;
    db.close()?;
    let p99 = |mut ms: Vec<f64>| {
        ms.sort_by(f64::total_cmp);
        ms[ms.len() * 99 / 100]
    };
    let figure = |name, value| Figure { name, value, unit: "ms", bound: Bound::AtMost(50.0) };
    Ok(vec![
        figure("follower's delay, p99", p99(handle_ms)),
        figure("reader's of the files, p99", p99(files_ms)),
    ])
}

/// Milliseconds after which each commit was seen, from when it returned; a commit may be seen
/// before its writer hears of it.
fn seen(
    follow: impl Iterator<Item = Result<ChangelogEntry, Error>>,
    returned: &Returned,
    start: Instant,
) -> Result<Vec<f64>> {
    let mut ms = Vec::new();
    for entry in follow.take(returned.len() - 1) {
        let seq = entry?.seq as usize;
        if seq != ms.len() + 1 {
            return Err(format!("commit {seq} after {}", ms.len()).into());
        }
        let now = start.elapsed().as_nanos() as u64;
        let at = match returned[seq].load(Ordering::Acquire) {
            0 => now,
            at => at - 1,
        };
        ms.push(now.saturating_sub(at) as f64 / 1e6);
    }
    if ms.len() + 1 != returned.len() {
        return Err(format!("{} commits seen of {}", ms.len(), returned.len() - 1).into());
    }
    Ok(ms)
}
