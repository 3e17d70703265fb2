//! Every byte of a small database flipped in turn: the right answer, or an error that says where.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{Counts, Effort, Found, Halt, Watch, spread};
use crate::op::{Damage, Op, Plan};
use crate::oracle::{Failure, Stop};
use crate::runner::{Patient, World, caught, panic_failure};

/// Scripts whose files rot at their end: in use, closed, with large values, format v1.
pub const ROTTEN: [&str; 5] = ["commit", "split", "overflow", "close", "version_one"];

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
    let places = places(&patient);
    let halt = Halt { stop, deadline: effort.deadline };
    let order = spread(places.len());
    let next = AtomicUsize::new(0);
    let found = Mutex::new(None);
    std::thread::scope(|scope| {
        for watch in watches.iter().take(effort.threads) {
            scope.spawn(|| {
                while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if halt.now() {
                        break;
                    }
                    let mut plan = plan.clone();
                    plan.ops.push(Op::Damage(places[index]));
                    watch.start(|| plan.clone());
                    if let Err(failure) = flip(&patient, places[index], counts) {
                        halt.found();
                        if let Ok(mut found) = found.lock() {
                            found.get_or_insert(Box::new(Found { plan, failure }));
                        }
                    }
                }
                watch.rest();
                counts.take_probes();
            });
        }
    });
    match found.into_inner() {
        Ok(Some(broken)) => Err(broken),
        _ => Ok(()),
    }
}

/// A flip for each byte, another bit for each.
fn places(patient: &Patient) -> Vec<Damage> {
    let [primary, log] = patient.lengths();
    let mask = |offset: u64| 1 << (offset % 8);
    let in_primary = (0..primary).map(|offset| Damage::RotPrimary { offset, mask: mask(offset) });
    let in_log = (0..log).map(|offset| Damage::RotLog { offset, mask: mask(offset) });
    in_primary.chain(in_log).collect()
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
