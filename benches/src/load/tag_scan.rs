//! The thousand cells of one tag among a million: tag, coordinate and cell of each.

use std::time::Instant;

use hexxladb::{Db, Error};

use super::cells::{coords, filled};
use super::{Bound, Figure, Plan, median};
use crate::Result;

const TAGGED: usize = 1_000;
const ROUNDS: usize = 21;

pub(super) fn run(plan: &Plan<'_>) -> Result<Vec<Figure>> {
    let coords = coords(plan.size(1_000_000))?;
    let step = (coords.len() / TAGGED).max(1);
    let db = filled(plan.dir, &coords, |index, mut cell| {
        if index % step == step / 2 {
            cell.tags.push("rare".to_owned());
        }
        cell
    })?;
    let tagged = (0..coords.len()).filter(|index| index % step == step / 2).count();
    let cold_ms = time_scan(&db, tagged)?;
    let warm: Result<Vec<f64>> = (0..ROUNDS).map(|_| time_scan(&db, tagged)).collect();
    let names: Result<Vec<f64>> = (0..ROUNDS).map(|_| time_names(&db, tagged)).collect();
    db.close()?;
    Ok(vec![
        Figure {
            name: "cells of the tag",
            value: tagged as f64,
            unit: "cells",
            bound: Bound::None,
        },
        Figure { name: "scan", value: median(warm?), unit: "ms", bound: Bound::AtMost(1.0) },
        Figure { name: "scan, nothing in memory", value: cold_ms, unit: "ms", bound: Bound::None },
        Figure {
            name: "scan of coordinates",
            value: median(names?),
            unit: "ms",
            bound: Bound::None,
        },
    ])
}

fn time_scan(db: &Db, tagged: usize) -> Result<f64> {
    let start = Instant::now();
    let found: Vec<_> = db.view(|tx| tx.cells_with_tag("rare").collect::<Result<_, Error>>())?;
    let ms = start.elapsed().as_secs_f64() * 1e3;
    let right = found.iter().all(|(tag, _, cell)| tag == "rare" && cell.tags.contains(tag));
    check(right && found.len() == tagged)?;
    Ok(ms)
}

fn time_names(db: &Db, tagged: usize) -> Result<f64> {
    let start = Instant::now();
    let found = db.view(|tx| {
        tx.cells_with_tag("rare").coords().map(|item| item.map(|_| 1)).sum::<Result<usize, Error>>()
    })?;
    let ms = start.elapsed().as_secs_f64() * 1e3;
    check(found == tagged)?;
    Ok(ms)
}

fn check(right: bool) -> Result<()> {
    if right { Ok(()) } else { Err("the scan did not find the cells of the tag".into()) }
}
