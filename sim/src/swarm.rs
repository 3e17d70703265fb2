//! What exists in a run, drawn from its seed: operations and their weights, faults and their
//! rates, limits.
//!
//! A run that has everything in it seldom goes far in any direction. So each draws a few kinds
//! of operations and faults and leaves the others out altogether, with limits so small that
//! splits, recycling and eviction happen within dozens of operations.

use crate::faults::Rates;
use crate::op::{Changelog, Plan, Setup};
use crate::oracle::{Failure, Kind};
use crate::random::Random;
use crate::runner::{Outcome, World, run};
use crate::workload::{Activity, Generator};

/// Everything that a seed decides before the first operation.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Database and disk.
    pub setup: Setup,
    /// Operations to draw.
    pub steps: u32,
    /// Weight of each activity, in the order of [`Activity::ALL`]; 0 for those left out.
    pub weights: Vec<u32>,
    /// How many different keys there are.
    pub keys: u32,
    /// Faults and crashes.
    pub rates: Rates,
}

impl Profile {
    /// The profile of a seed, with or without faults and crashes.
    #[must_use]
    pub fn new(random: &mut Random, faults: bool) -> Self {
        let setup = Setup { cut: faults, ..setup(random) };
        let weights = Activity::ALL
            .iter()
            .map(|activity| {
                let (chance, weight) = activity.odds();
                if random.percent(chance) { weight * (1 + random.small(3)) } else { 0 }
            })
            .collect();
        let rates = if faults { Rates::draw(random) } else { Rates::none() };
        Self {
            setup,
            steps: 15 + random.small(60),
            weights,
            keys: *random.pick(&[3, 8, 20, 60]),
            rates,
        }
    }
}

/// What a changelog keeps of values.
pub(crate) fn values(random: &mut Random) -> Changelog {
    let all = [Changelog::Full, Changelog::Full, Changelog::Full, Changelog::Hash, Changelog::Bare];
    *random.pick(&all)
}

fn setup(random: &mut Random) -> Setup {
    let page_bytes = *random.pick(&[512, 512, 512, 512, 1024, 1024, 2048, 4096, 8192]);
    // A page must be of whole sectors: nothing protects its neighbours in the same one.
    let sector_bytes = *random.pick(&[512, 512, 512, 1024, 4096]);
    let segment_bytes = *random.pick(&[16 << 10, 16 << 10, 16 << 10, 32 << 10]);
    Setup {
        page_bytes,
        segment_bytes,
        cache_bytes: *random.pick(&[16 << 10, 16 << 10, 32 << 10, 128 << 10]),
        checkpoint_bytes: *random.pick(&[16 << 10, 16 << 10, 32 << 10, 64 << 10]),
        max_value_bytes: *random.pick(&[512, 2048, 8192, 16 << 10]),
        mvcc: random.percent(85),
        buffered: random.percent(25),
        sector_bytes: sector_bytes.min(page_bytes),
        disk_seed: random.word() >> 1,
        cut: true,
        changelog: if random.percent(60) { values(random) } else { Changelog::Off },
        changelog_bytes: *random.pick(&[16 << 10, 16 << 10, 16 << 10, 64 << 10]),
    }
}

/// Runs one seed; returns the plan that it came to and how it ended.
#[must_use]
pub fn run_seed(seed: u64, faults: bool, mut watch: impl FnMut(&Plan)) -> (Plan, Outcome) {
    let mut random = Random::new(seed);
    let profile = Profile::new(&mut random, faults);
    let mut plan = Plan { comment: Vec::new(), setup: profile.setup, ops: Vec::new() };
    let steps = profile.steps as usize;
    let mut generator = Generator::new(random, profile);
    let mut world = World::new(plan.setup);
    let mut failure = None;
    while plan.ops.len() < steps && !world.is_dead() && failure.is_none() {
        let (op, crash) = generator.next(&world.view());
        plan.ops.push(op.clone());
        plan.ops.extend(crash.clone().map(crate::op::Op::Crash));
        watch(&plan);
        let at = plan.ops.len() - 1 - usize::from(crash.is_some());
        failure = world.step(&op, crash.as_ref()).err().map(|broken| (at, broken));
    }
    if failure.is_none() {
        failure = world.settle().err().map(|broken| (plan.ops.len(), broken));
    }
    (plan, world.outcome(failure))
}

/// Runs the plan of a seed once more, from its operations instead of its seed: the hash of all
/// that happened must be the same.
#[must_use]
pub fn same_again(plan: &Plan, first: &Outcome) -> Option<Failure> {
    let second = run(plan, false);
    let described = |outcome: &Outcome| {
        let failure = outcome.failure.as_ref().map(|(at, broken)| format!("{at}: {broken}"));
        format!("{:032x} {}", outcome.hash, failure.unwrap_or_default())
    };
    let (first, second) = (described(first), described(&second));
    (first != second).then(|| {
        Failure::new(Kind::Different, "the same plan twice", format!("{first}, then {second}"))
    })
}
