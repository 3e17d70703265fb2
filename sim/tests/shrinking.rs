//! The minimiser, against runners that fail for a known reason: it must keep just that.

use hexxladb_sim::op::{CrashKind, Op, Plan, Survivors};
use hexxladb_sim::oracle::{Failure, Kind};
use hexxladb_sim::runner::Outcome;
use hexxladb_sim::shrink::shrink;

/// Runs a plan by looking at it: fails where `broken` says so.
fn outcome(broken: Option<(usize, Failure)>) -> Outcome {
    Outcome { failure: broken, ..Outcome::default() }
}

fn check_shrinks(plan: &str, broken: impl Fn(&Plan) -> Option<usize>, expected: &str) {
    let plan: Plan = plan.parse().unwrap();
    let failure = Failure::new(Kind::Wrong, "a known reason", "");
    let mut run = |plan: &Plan| outcome(broken(plan).map(|at| (at, failure.clone())));
    let (smaller, _) = shrink(&plan, 2_000, &mut run).expect("the plan fails");
    let text = smaller.to_string();
    let ops: Vec<&str> = text.lines().filter(|line| !line.starts_with("setup")).collect();
    assert_eq!(ops.join("\n"), expected);
}

const NOISE: &str = "setup page=2048 sector=4096 seed=77
open cache=16384
update ok: put a 1x30; put b 2x40; delete c
clock step 50
begin
put k 9x400
note 30
fill bulk_ 7 90 3x80
commit
fault 3 write short 100
crash hostile at 3 keep f0:1=1 f0:2=1 f1:len=512 f0:9=?5
heal
open
read all
close";

fn find(plan: &Plan, wanted: impl Fn(&Op) -> bool) -> Option<usize> {
    plan.ops.iter().position(wanted)
}

#[test]
fn operations_that_do_not_matter_go() {
    let needs = |plan: &Plan| {
        let put = find(plan, |op| op.to_string().starts_with("put k "))?;
        let heal = find(plan, |op| matches!(op, Op::Heal))?;
        (put < heal).then_some(heal)
    };
    check_shrinks(NOISE, needs, "put k 9x0\nheal");
}

#[test]
fn edits_records_and_values_shrink() {
    let needs = |plan: &Plan| {
        find(plan, |op| match op.to_string().split_once("fill bulk_ 7 ") {
            Some((_, rest)) => {
                let (count, value) = rest.split_once(' ').unwrap();
                let (_, len) = value.split_once('x').unwrap();
                count.parse::<u32>().unwrap() >= 12 && len.parse::<u32>().unwrap() >= 33
            }
            None => false,
        })
    };
    check_shrinks(NOISE, needs, "fill bulk_ 7 12 3x33");
    let deletes = |plan: &Plan| find(plan, |op| op.to_string().contains("delete c"));
    check_shrinks(NOISE, deletes, "update ok: delete c");
}

#[test]
fn survivors_and_kinds_of_crashes_shrink() {
    let needs = |plan: &Plan| {
        find(plan, |op| match op {
            Op::Crash(crash) => {
                crash.kind != CrashKind::Kill
                    && matches!(&crash.survivors, Survivors::These(choice) if choice.to_string().contains("f0:2=1"))
            }
            _ => false,
        })
    };
    check_shrinks(NOISE, needs, "crash cut keep f0:2=1");
}

#[test]
fn another_failure_is_not_taken_for_the_same() {
    let plan: Plan = NOISE.parse().unwrap();
    let mut run = |plan: &Plan| {
        let at = find(plan, |op| matches!(op, Op::Close));
        let label = if plan.ops.len() == 14 { "the first" } else { "another" };
        outcome(at.map(|at| (at, Failure::new(Kind::Wrong, label, ""))))
    };
    let (smaller, failure) = shrink(&plan, 500, &mut run).expect("the plan fails");
    assert_eq!((smaller.ops.len(), failure.label), (14, "the first"));
}

#[test]
fn a_plan_that_passes_has_nothing_to_shrink() {
    let plan: Plan = NOISE.parse().unwrap();
    assert!(shrink(&plan, 100, &mut |_| outcome(None)).is_none());
}
