//! Ten changed cells among a million: how long the difference takes, and how many pages it looks
//! at when none is in memory.

use std::time::Instant;

use hexxladb::{ChangeKind, Db};

use super::cells::{cell, coords, filled, options};
use super::{Bound, Figure, Plan, median};
use crate::Result;

const CHANGED: usize = 10;
const ROUNDS: usize = 21;

pub(super) fn run(plan: &Plan<'_>) -> Result<Vec<Figure>> {
    let coords = coords(plan.size(1_000_000))?;
    let db = filled(plan.dir, &coords, |_, cell| cell)?;
    let before = db.head()?;
    let step = coords.len() / CHANGED;
    for &coord in coords.iter().skip(step / 2).step_by(step).take(CHANGED) {
        db.update(|tx| tx.put_cell(coord, &cell(coord, 1)))?;
    }
    let head = db.head()?;
    db.close()?;

    let db = Db::open(plan.dir.join("db"), options())?;
    let pages = db.stats_mvcc()?.file_pages - db.stats_mvcc()?.reclaimable_pages;
    let at_start = db.stats_mvcc()?.page_reads;
    let cold_ms = time_diff(&db, before, head)?;
    let looked_at = db.stats_mvcc()?.page_reads - at_start;
    let warm: Result<Vec<f64>> = (0..ROUNDS).map(|_| time_diff(&db, before, head)).collect();
    let back: Result<Vec<f64>> = (0..ROUNDS).map(|_| time_diff(&db, head, before)).collect();
    db.close()?;
    Ok(vec![
        Figure { name: "diff", value: median(warm?), unit: "ms", bound: Bound::AtMost(1.0) },
        Figure {
            name: "diff backwards",
            value: median(back?),
            unit: "ms",
            bound: Bound::AtMost(1.0),
        },
        Figure { name: "diff, nothing in memory", value: cold_ms, unit: "ms", bound: Bound::None },
        Figure {
            name: "pages looked at",
            value: looked_at as f64,
            unit: "pages",
            bound: Bound::None,
        },
        Figure { name: "pages in use", value: pages as f64, unit: "pages", bound: Bound::None },
        Figure {
            name: "share of the pages looked at",
            value: 100.0 * looked_at as f64 / pages as f64,
            unit: "%",
            bound: Bound::AtMost(0.1),
        },
    ])
}

/// Milliseconds of one difference, which must be the ten changes.
fn time_diff(db: &Db, a: u64, b: u64) -> Result<f64> {
    let start = Instant::now();
    let changes: Result<Vec<_>, _> = db.snapshot_diff(a, b)?.collect();
    let ms = start.elapsed().as_secs_f64() * 1e3;
    let changes = changes?;
    let modified = changes.iter().filter(|change| change.kind() == ChangeKind::Modified).count();
    if (modified, changes.len()) != (CHANGED, CHANGED) {
        return Err(format!("{modified} of {} changes are modifications", changes.len()).into());
    }
    Ok(ms)
}
