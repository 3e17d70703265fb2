//! Every crash state at every file operation of short scripts, and again within the recovery.
//!
//! A script runs once; a copy of the disk is kept before each modifying file operation. Each
//! copy yields crash states, each crash state an image of the disk, each image a recovery that
//! the oracle judges. The recovery's own file operations yield crash states in turn. Images that
//! hash equal run once; what was found of them is judged anew against the bounds of each place
//! they appear at.
//!
//! Beside it, the files that some scripts leave rot, byte by byte.

mod changelog_scripts;
mod image;
mod rot;
mod scripts;
mod seen;
mod watch;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use hexxladb::vfs::sim::SimVfs;

use crate::model::Model;
use crate::op::{Crash, Op, Open, Plan, Read};
use crate::oracle::{Bounds, Failure};
use crate::runner::World;

pub use image::Images;
pub use rot::{ROTTEN, rot};
pub use scripts::scripts;
pub use watch::{Halt, Watch};

/// A moment at which the script may be interrupted.
pub struct Point {
    /// Index of the operation.
    pub step: usize,
    /// Modifying file operations of it that were done; `None` after the last operation.
    pub at: Option<u64>,
    /// The disk.
    pub disk: SimVfs,
    /// What was begun.
    pub model: Arc<Model>,
    /// What must be there.
    pub bounds: Bounds,
}

/// How much was tried.
#[derive(Debug, Default)]
pub struct Counts {
    /// Places to crash at in the scripts.
    pub points: AtomicU64,
    /// Crash states of them.
    pub states: AtomicU64,
    /// Different images of them that were recovered.
    pub images: AtomicU64,
    /// Crash states within recoveries.
    pub nested_states: AtomicU64,
    /// Different images of them that were recovered.
    pub nested_images: AtomicU64,
    /// Crashes that were followed by a recovery and its judgement.
    pub cycles: AtomicU64,
    /// Bytes flipped.
    pub flips: AtomicU64,
    /// Flips after which the database fell back, as the one exception allows, and said so.
    pub exceptions: AtomicU64,
    /// How often each probe was reached.
    pub probes: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counts {
    /// Takes over what this thread reached: probes count by thread.
    fn take_probes(&self) {
        if let Ok(mut probes) = self.probes.lock() {
            for (probe, count) in hexxladb::probe::take() {
                *probes.entry(probe).or_default() += count;
            }
        }
    }

    /// Counts one more.
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the exhaustive mode found wrong.
#[derive(Debug)]
pub struct Found {
    /// A plan that leads there.
    pub plan: Plan,
    /// What is wrong.
    pub failure: Failure,
}

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Worker threads.
    pub threads: usize,
    /// When to end although points are left; they are visited in an order that spreads.
    pub deadline: Option<Instant>,
    /// Crash at the file operations of recoveries, too.
    pub nested: bool,
}

/// The points of a script, or the failure of running it without any crash.
///
/// # Errors
/// When the script fails as it stands.
pub fn points(plan: &Plan) -> Result<Vec<Point>, Box<Found>> {
    let found = |failure| Box::new(Found { plan: plan.clone(), failure });
    let mut world = World::new(plan.setup);
    let mut points = Vec::new();
    for (step, op) in plan.ops.iter().enumerate() {
        let bounds = world.bounds();
        let before = Arc::new(world.model().clone());
        let start = world.disk().mutating_ops();
        world.disk().set_capture(true);
        let result = world.step(op, None);
        world.disk().set_capture(false);
        result.map_err(found)?;
        // An open forgets what it did not find; during it, all of that may still come to be.
        let model = match op {
            Op::Open(open) => {
                let mut model = (*before).clone();
                let changelog = open.changelog.unwrap_or(plan.setup.changelog);
                if !open.read_only {
                    let heads = bounds.durable.head..=model.head();
                    model.story_mut().attempt(heads, changelog);
                }
                Arc::new(model)
            }
            _ => Arc::new(world.model().clone()),
        };
        for (index, disk) in world.disk().take_captures() {
            // Faults end with the crash: recoveries are to succeed.
            disk.heal();
            let (at, model) = (Some(index - start), Arc::clone(&model));
            points.push(Point { step, at, disk, model, bounds });
        }
    }
    let disk = world.disk().fork();
    disk.heal();
    points.push(Point {
        step: plan.ops.len().saturating_sub(1),
        at: None,
        disk,
        model: Arc::new(world.model().clone()),
        bounds: world.bounds(),
    });
    world.settle().map_err(found)?;
    Ok(points)
}

/// Tries a script; stops at the first failure, or when `stop` says so.
///
/// # Errors
/// When a promise is broken.
pub fn run_script(
    plan: &Plan,
    effort: Effort,
    counts: &Counts,
    watches: &[Watch],
    stop: &AtomicBool,
) -> Result<(), Box<Found>> {
    let points = points(plan)?;
    let images = Images::new(plan, effort.nested, counts);
    let halt = Halt { stop, deadline: effort.deadline };
    try_each(points.len(), effort, halt, counts, watches, |index, watch| {
        Counts::add(&counts.points);
        images.crash_at(&points[index], index as u64, watch, halt)
    })
}

/// Tries the places below `count` on several threads, until one fails or it is time to halt.
fn try_each(
    count: usize,
    effort: Effort,
    halt: Halt<'_>,
    counts: &Counts,
    watches: &[Watch],
    attempt: impl Fn(usize, &Watch) -> Result<(), Box<Found>> + Sync,
) -> Result<(), Box<Found>> {
    let order = spread(count);
    let next = AtomicUsize::new(0);
    let found = Mutex::new(None);
    std::thread::scope(|scope| {
        for watch in watches.iter().take(effort.threads) {
            scope.spawn(|| {
                while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if halt.now() {
                        break;
                    }
                    if let Err(broken) = attempt(index, watch) {
                        halt.found();
                        if let Ok(mut found) = found.lock() {
                            found.get_or_insert(broken);
                        }
                        break;
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

/// Indices below `count`, far ones after one another: an early end has seen something of each
/// part.
fn spread(count: usize) -> Vec<usize> {
    let bits = usize::BITS - count.leading_zeros();
    let reversed = |index: usize| index.reverse_bits().wrapping_shr(usize::BITS - bits.max(1));
    (0..1_usize << bits).map(reversed).filter(|index| *index < count).collect()
}

/// The plan that leads to a crash, and to another one while what `open` opens is open.
#[must_use]
pub fn plan_to(plan: &Plan, step: usize, crash: &Crash, again: Option<(Open, &Crash)>) -> Plan {
    let mut ops = plan.ops[..=step].to_vec();
    ops.push(Op::Crash(crash.clone()));
    if ops.iter().any(|op| matches!(op, Op::Fault(_) | Op::Free(_))) {
        ops.push(Op::Heal);
    }
    if let Some((open, crash)) = again {
        ops.extend([Op::Open(open), Op::Crash(crash.clone())]);
    }
    ops.extend([Op::Open(Open::default()), Op::Read(Read::All)]);
    Plan { comment: Vec::new(), setup: plan.setup, ops }
}
