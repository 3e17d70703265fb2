//! Half of ten million versions pruned: what it takes of memory, and what a reader and a writer
//! beside it feel of it.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hexxladb::{Coord, Db, Durability};

use super::cells::{self, expect, options};
use super::{Bound, Figure, Plan};
use crate::Result;
use crate::data::Random;
use crate::usage::{self, RaiseOnDrop};

const CELLS: u64 = 1_000_000;
const VERSIONS: u64 = 10;
const BATCH_ROWS: u64 = 2_048;
/// Reads of one view.
const READS: u64 = 100;
const MIB: f64 = (1 << 20) as f64;

pub(super) fn run(plan: &Plan<'_>) -> Result<Vec<Figure>> {
    fill_in_child(plan)?;
    let coords = cells::coords(plan.size(CELLS))?;
    let db = Db::open(plan.dir.join("db"), options())?;
    let rows = db.stats_mvcc()?.versioned_row_count;
    // The first half of the versions of each cell goes: every version took as many commits.
    let before = db.head()? / VERSIONS * (VERSIONS / 2 + 1);
    let stretch = Duration::from_millis(plan.size(3_000).max(200));

    let (alone_before, at_start) =
        usage::with_peak_memory(|| reads(&db, &coords, &Until::Time(stretch)))?;
    let file_before = usage::disk_bytes(plan.dir)?;
    let (first, first_peak) = usage::with_peak_memory(|| {
        let beside = Beside { db: &db, before };
        beside.prune_with(rows / 4, |until| reads(&db, &coords, until))
    })?;
    let (second, second_peak) = usage::with_peak_memory(|| {
        let beside = Beside { db: &db, before };
        beside.prune_with(u64::MAX, |until| longest_commit(&db, &coords, until))
    })?;
    let alone_after = reads(&db, &coords, &Until::Time(stretch))?;
    let removed = first.rows + second.rows;
    let expected = coords.len() as u64 * VERSIONS / 2;
    if removed != expected {
        return Err(format!("{removed} rows removed, {expected} expected").into());
    }
    let left = db.stats_mvcc()?.versioned_row_count;
    db.close()?;
    let alone = alone_before.min(alone_after);
    let peak = first_peak.max(second_peak).unwrap_or_default() as f64 / MIB;
    let budget = 64.0 + 64.0;
    let seconds = first.seconds + second.seconds;
    Ok(vec![
        Figure { name: "rows before", value: rows as f64, unit: "rows", bound: Bound::None },
        Figure { name: "rows after", value: left as f64, unit: "rows", bound: Bound::None },
        Figure {
            name: "rows pruned a second",
            value: removed as f64 / seconds,
            unit: "rows/s",
            bound: Bound::None,
        },
        Figure { name: "peak memory", value: peak, unit: "MiB", bound: Bound::AtMost(budget) },
        Figure {
            name: "memory of reads alone",
            value: at_start.unwrap_or_default() as f64 / MIB,
            unit: "MiB",
            bound: Bound::None,
        },
        Figure { name: "reads alone", value: alone, unit: "reads/s", bound: Bound::None },
        Figure { name: "reads beside", value: first.beside, unit: "reads/s", bound: Bound::None },
        Figure {
            name: "reads kept",
            value: first.beside / alone,
            unit: "x",
            bound: Bound::AtLeast(0.8),
        },
        Figure {
            name: "longest commit beside",
            value: second.beside,
            unit: "ms",
            bound: Bound::AtMost(50.0),
        },
        Figure { name: "files", value: file_before as f64 / MIB, unit: "MiB", bound: Bound::None },
    ])
}

/// Ten versions of each cell.
pub(super) fn fill(plan: &Plan<'_>) -> Result<()> {
    let coords = cells::coords(plan.size(CELLS))?;
    let db = Db::open(plan.dir.join("db"), options().durability(Durability::Buffered))?;
    for version in 0..VERSIONS {
        cells::fill(&db, &coords, version, |_, cell| cell)?;
    }
    Ok(db.close()?)
}

/// The same in a process of its own, so that the memory measured is that of the pruning.
fn fill_in_child(plan: &Plan<'_>) -> Result<()> {
    let percent = plan.percent.to_string();
    let status = Command::new(std::env::current_exe()?)
        .args(["prune", "--percent", &percent, "--fill"])
        .arg(plan.dir)
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("filling the database: {status}").into()) }
}

/// How long something runs beside the pruning.
enum Until<'a> {
    Time(Duration),
    Raised(&'a AtomicBool),
}

impl Until<'_> {
    fn is_over(&self, start: Instant) -> bool {
        match self {
            Self::Time(stretch) => start.elapsed() >= *stretch,
            Self::Raised(flag) => flag.load(Ordering::Relaxed),
        }
    }
}

/// Pruning with something else beside it.
struct Beside<'a> {
    db: &'a Db,
    before: u64,
}

struct Done {
    rows: u64,
    seconds: f64,
    beside: f64,
}

impl Beside<'_> {
    /// Prunes about `max_rows` rows while `work` runs on another thread.
    fn prune_with(
        &self,
        max_rows: u64,
        work: impl FnOnce(&Until<'_>) -> Result<f64> + Send,
    ) -> Result<Done> {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let beside = scope.spawn(|| work(&Until::Raised(&over)));
            let (mut rows, start) = (0, Instant::now());
            {
                let _raise = RaiseOnDrop(&over);
                loop {
                    let removed = self.db.prune_cell_versions(self.before, BATCH_ROWS)?;
                    rows += removed;
                    if removed == 0 || rows >= max_rows {
                        break;
                    }
                }
            }
            let seconds = start.elapsed().as_secs_f64();
            let beside = beside.join().map_err(|_| "the work beside panicked")??;
            Ok(Done { rows, seconds, beside })
        })
    }
}

/// Random reads of cells at head; reads a second.
fn reads(db: &Db, coords: &[Coord], until: &Until<'_>) -> Result<f64> {
    let mut random = Random::new(11);
    let (mut count, start) = (0, Instant::now());
    while !until.is_over(start) {
        db.view(|tx| {
            for _ in 0..READS {
                let coord = coords[random.below(coords.len() as u64) as usize];
                std::hint::black_box(expect(tx.get_cell(coord)?, coord)?);
            }
            Ok::<(), crate::Error>(())
        })?;
        count += READS;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

/// Commits of one cell each, one after the other; the longest in milliseconds.
fn longest_commit(db: &Db, coords: &[Coord], until: &Until<'_>) -> Result<f64> {
    let mut random = Random::new(13);
    let (mut longest, start) = (Duration::ZERO, Instant::now());
    while !until.is_over(start) {
        let coord = coords[random.below(coords.len() as u64) as usize];
        let begun = Instant::now();
        db.update(|tx| tx.put_cell(coord, &cells::cell(coord, VERSIONS)))?;
        longest = longest.max(begun.elapsed());
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(longest.as_secs_f64() * 1e3)
}
