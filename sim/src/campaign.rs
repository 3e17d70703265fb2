//! Campaigns: many seeds on several threads, with what they covered.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::exhaustive::Watch;
use crate::op::Plan;
use crate::oracle::Failure;
use crate::runner::Tally;
use crate::swarm::{run_seed, same_again};

/// How a campaign runs.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Which seeds.
    pub seeds: Range<u64>,
    /// Worker threads.
    pub threads: usize,
    /// With faults and crashes.
    pub faults: bool,
    /// Run each seed's plan a second time and compare.
    pub twice: bool,
    /// Go on after a failure.
    pub keep_going: bool,
    /// When to end although seeds are left.
    pub until: Option<Instant>,
}

/// A seed that failed.
#[derive(Debug)]
pub struct Failed {
    /// The seed.
    pub seed: u64,
    /// The plan it came to.
    pub plan: Plan,
    /// What was broken.
    pub failure: Failure,
}

/// What a campaign did.
#[derive(Debug, Default)]
pub struct Results {
    /// Seeds run.
    pub seeds: u64,
    /// What the runs did.
    pub tally: Tally,
    /// How often each probe was reached.
    pub probes: BTreeMap<&'static str, u64>,
    /// Failures, by seed.
    pub failed: Vec<Failed>,
    /// Hash of each seed's run.
    pub hashes: BTreeMap<u64, u128>,
}

/// Runs a campaign. `done` counts seeds, `cycles` recoveries; `stop` ends it early.
pub fn run(
    campaign: &Campaign,
    watches: &[Watch],
    (done, cycles): (&AtomicU64, &AtomicU64),
    stop: &AtomicBool,
) -> Results {
    let results = Mutex::new(Results::default());
    let next = AtomicU64::new(campaign.seeds.start);
    std::thread::scope(|scope| {
        for watch in watches.iter().take(campaign.threads) {
            scope.spawn(|| {
                let late = || campaign.until.is_some_and(|until| Instant::now() > until);
                while !stop.load(Ordering::Relaxed) && !late() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= campaign.seeds.end {
                        break;
                    }
                    one(campaign, seed, watch, &results, cycles, stop);
                    done.fetch_add(1, Ordering::Relaxed);
                }
                watch.rest();
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.failed.sort_by_key(|failed| failed.seed);
    results
}

fn one(
    campaign: &Campaign,
    seed: u64,
    watch: &Watch,
    results: &Mutex<Results>,
    cycles: &AtomicU64,
    stop: &AtomicBool,
) {
    let (plan, outcome) = run_seed(seed, campaign.faults, |plan| watch.start(|| plan.clone()));
    let mut failure = outcome.failure.as_ref().map(|(_, failure)| failure.clone());
    if campaign.twice && failure.is_none() {
        failure = same_again(&plan, &outcome);
    }
    cycles.fetch_add(outcome.tally.recoveries, Ordering::Relaxed);
    if failure.is_some() && !campaign.keep_going {
        stop.store(true, Ordering::Relaxed);
    }
    // Probes count by thread.
    let probes = hexxladb::probe::take();
    let Ok(mut results) = results.lock() else { return };
    for (probe, count) in probes {
        *results.probes.entry(probe).or_default() += count;
    }
    results.seeds += 1;
    results.tally.merge(&outcome.tally);
    results.hashes.insert(seed, outcome.hash);
    results.failed.extend(failure.map(|failure| Failed { seed, plan, failure }));
}
