//! Whole runs: plans kept from failures that were found, seeds that must run the same way twice,
//! scripts whose every crash state must recover.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use hexxladb_sim::exhaustive::{Counts, Effort, Watch, run_script, scripts};
use hexxladb_sim::op::Plan;
use hexxladb_sim::runner::run;
use hexxladb_sim::swarm::{run_seed, same_again};

/// Each file tells in its first lines what it once found.
#[test]
fn plans_that_once_failed_pass() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/plans");
    let mut files: Vec<_> =
        std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "plan"));
    files.sort();
    assert!(!files.is_empty(), "{} holds no plan", dir.display());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let plan: Plan = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(!plan.comment.is_empty(), "{} does not say what it found", file.display());
        let outcome = run(&plan, false);
        if let Some((at, failure)) = outcome.failure {
            panic!("{}: operation {at}: {failure}", file.display());
        }
    }
}

#[test]
fn seeds_run_the_same_way_from_their_text() {
    for seed in 0..24 {
        let (plan, outcome) = run_seed(seed, true, |_| {});
        if let Some((at, failure)) = &outcome.failure {
            panic!("seed {seed}: operation {at}: {failure}\n{plan}");
        }
        let read: Plan = plan.to_string().parse().unwrap();
        if let Some(different) = same_again(&read, &outcome) {
            panic!("seed {seed}: {different}");
        }
    }
}

#[test]
fn seeds_run_without_faults() {
    for seed in 0..24 {
        let (plan, outcome) = run_seed(seed, false, |_| {});
        if let Some((at, failure)) = &outcome.failure {
            panic!("seed {seed}: operation {at}: {failure}\n{plan}");
        }
    }
}

#[test]
fn every_crash_state_of_a_commit_recovers() {
    let scripts = scripts();
    let (_, plan) = scripts.iter().find(|(name, _)| *name == "commit").expect("a script");
    let counts = Counts::default();
    let effort = Effort { threads: 1, deadline: None, nested: true };
    let result = run_script(plan, effort, &counts, &[Watch::default()], &AtomicBool::new(false));
    if let Err(found) = result {
        panic!("{}\n{}", found.failure, found.plan);
    }
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    assert!(count(&counts.points) > 10 && count(&counts.nested_images) > 10, "{counts:?}");
}
