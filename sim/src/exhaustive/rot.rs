//! Every byte of a small database flipped in turn: the right answer, or an error that says where.

use std::sync::atomic::AtomicBool;

use super::{Counts, Effort, Found, Halt, Watch, try_each};
use crate::op::{Damage, Op, Plan};
use crate::oracle::{Failure, Stop};
use crate::runner::{Patient, World, caught, panic_failure};

/// Scripts whose files rot at their end: in use, closed, with large values, format v1.
pub const ROTTEN: [&str; 7] =
    ["commit", "split", "overflow", "close", "version_one", "changelog", "changelog_turned_off"];

/// Bytes that are looked at together.
const GRAIN_BYTES: usize = 8;

/// Flips a bit of each byte of the files that a script leaves.
///
/// # Errors
/// When a promise is broken.
pub fn rot(
    plan: &Plan,
    effort: Effort,
    counts: &Counts,
    watches: &[Watch],
    stop: &AtomicBool,
) -> Result<(), Box<Found>> {
    let mut world = World::new(plan.setup);
    for op in &plan.ops {
        world.step(op, None).map_err(|failure| Box::new(Found { plan: plan.clone(), failure }))?;
    }
    let Some(patient) = world.files_at_rest() else { return Ok(()) };
    let halt = Halt { stop, deadline: effort.deadline };
    // First the bytes that mean something: most of a file is zero.
    for places in places(&patient) {
        try_each(places.len(), effort, halt, counts, watches, |index, watch| {
            let mut plan = plan.clone();
            plan.ops.push(Op::Damage(places[index]));
            watch.start(|| plan.clone());
            flip(&patient, places[index], counts)
                .map_err(|failure| Box::new(Found { plan, failure }))
        })?;
    }
    Ok(())
}

/// A flip for each byte, another bit for each: of those near to bytes that are not zero, and of the
/// others.
fn places(patient: &Patient) -> [Vec<Damage>; 2] {
    let mut places = [Vec::new(), Vec::new()];
    for (bytes, file) in patient.contents().iter().zip(0_u8..) {
        for (grain, offset) in bytes.chunks(GRAIN_BYTES).zip((0_u64..).step_by(GRAIN_BYTES)) {
            let zero = usize::from(grain.iter().all(|byte| *byte == 0));
            places[zero].extend((offset..).take(grain.len()).map(|offset| {
                let mask = 1 << (offset % 8);
                match file {
                    0 => Damage::RotPrimary { offset, mask },
                    1 => Damage::RotLog { offset, mask },
                    _ => Damage::RotSegment { file: file - 2, offset, mask },
                }
            }));
        }
    }
    places
}

fn flip(patient: &Patient, damage: Damage, counts: &Counts) -> Result<(), Failure> {
    Counts::add(&counts.flips);
    match caught(|| patient.suffer(damage)) {
        Ok(Ok(trial)) => {
            if trial.is_some_and(|trial| trial.fell_back) {
                Counts::add(&counts.exceptions);
            }
            Ok(())
        }
        Ok(Err(Stop::Failed(failure))) => Err(*failure),
        Ok(Err(Stop::Excused)) => Ok(()),
        Err(message) => Err(panic_failure(&message)),
    }
}
