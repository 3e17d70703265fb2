//! The cells up to three steps away, against point reads of the same 37 coordinates, turn by
//! turn.

use std::hint::black_box;
use std::time::Instant;

use hexxladb::{Coord, Error};

use super::cells::{coords, expect, filled};
use super::{Bound, Figure, Plan, median};
use crate::Result;
use crate::data::Random;

const RADIUS: u32 = 3;
const AREA: usize = 37;
const ROUNDS: usize = 31;
/// Centers of one round.
const CENTERS: u64 = 2_000;

pub(super) fn run(plan: &Plan<'_>) -> Result<Vec<Figure>> {
    let coords = coords(plan.size(1_000_000))?;
    let db = filled(plan.dir, &coords, |_, cell| cell)?;
    let mut random = Random::new(7);
    // A little inside of the border, so that every coordinate has a cell.
    let reach = (coords.len() as f64 / 3.0).sqrt() as i32 / 2 - 4;
    let within = |random: &mut Random| random.below(2 * reach as u64) as i32 - reach;
    let (mut rings, mut points, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let centers: Result<Vec<Coord>, Error> = (0..plan.size(CENTERS))
            .map(|_| Coord::new(within(&mut random), within(&mut random)))
            .collect();
        let centers = centers?;
        let (ring, point) = db.view(|tx| {
            let start = Instant::now();
            for &center in &centers {
                let mut found = 0;
                for item in tx.walk_ring(center, RADIUS) {
                    black_box(item?);
                    found += 1;
                }
                if found != AREA {
                    return Err(format!("{found} cells around {center}").into());
                }
            }
            let ring = start.elapsed().as_secs_f64();
            let start = Instant::now();
            for &center in &centers {
                for coord in center.spiral(RADIUS) {
                    black_box(expect(tx.get_cell(coord)?, coord)?);
                }
            }
            Ok::<_, crate::Error>((ring, start.elapsed().as_secs_f64()))
        })?;
        let each_us = 1e6 / centers.len() as f64;
        rings.push(ring * each_us);
        points.push(point * each_us);
        ratios.push(ring / point);
    }
    db.close()?;
    Ok(vec![
        Figure { name: "ring of radius 3", value: median(rings), unit: "us", bound: Bound::None },
        Figure { name: "37 point reads", value: median(points), unit: "us", bound: Bound::None },
        Figure {
            name: "ring to point reads",
            value: median(ratios),
            unit: "x",
            bound: Bound::AtMost(1.0),
        },
    ])
}
