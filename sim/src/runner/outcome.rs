//! Running a whole plan, what it did and how it ended.

use std::collections::BTreeMap;

use hexxladb::vfs::sim::{CrashChoice, FaultKind};

use super::World;
use crate::op::{Op, Plan};
use crate::oracle::Failure;

/// What a run did, for coverage.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How often each operation was performed, by the first word of its text.
    pub ops: BTreeMap<String, u64>,
    /// How often each kind of fault fired.
    pub faults: BTreeMap<&'static str, u64>,
    /// Crashes.
    pub crashes: u64,
    /// Recoveries that followed a crash.
    pub recoveries: u64,
    /// Recoveries that fell back as the one exception for damaged media allows.
    pub exceptions: u64,
}

impl Tally {
    pub(super) fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Adds another run's.
    pub fn merge(&mut self, other: &Self) {
        for (op, count) in &other.ops {
            *self.ops.entry(op.clone()).or_default() += count;
        }
        for (kind, count) in &other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        self.crashes += other.crashes;
        self.recoveries += other.recoveries;
        self.exceptions += other.exceptions;
    }
}

/// How a run ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was broken, and at which operation of the plan (its count at the end).
    pub failure: Option<(usize, Failure)>,
    /// Hash of all that happened.
    pub hash: u128,
    /// What was done.
    pub tally: Tally,
    /// What each power cut left that drew it at random, in order.
    pub cuts: Vec<CrashChoice>,
    /// Operations, file operations and faults side by side, when asked for.
    pub trace: Vec<String>,
}

/// Runs a plan to its end or its first failure, then lets the world settle.
#[must_use]
pub fn run(plan: &Plan, trace: bool) -> Outcome {
    let mut world = World::new(plan.setup);
    world.disk.set_trace(trace);
    let mut lines = Vec::new();
    let mut failure = None;
    let mut index = 0;
    while index < plan.ops.len() {
        let op = &plan.ops[index];
        let crash = match plan.ops.get(index + 1) {
            Some(Op::Crash(crash)) if crash.at.is_some() => Some(crash),
            _ => None,
        };
        let result = world.step(op, crash);
        if trace {
            lines.push(format!("{op}"));
            lines.extend(world.disk.take_trace().into_iter().map(|line| format!("    {line}")));
            if let Some(crash) = crash {
                lines.push(format!("{}", Op::Crash(crash.clone())));
            }
        }
        if let Err(broken) = result {
            failure = Some((index, broken));
            break;
        }
        index += 1 + usize::from(crash.is_some());
    }
    if failure.is_none() {
        failure = world.settle().err().map(|broken| (plan.ops.len(), broken));
        if trace {
            lines.push("(settle)".to_owned());
            lines.extend(world.disk.take_trace().into_iter().map(|line| format!("    {line}")));
        }
    }
    Outcome { trace: lines, ..world.outcome(failure) }
}

impl World {
    /// Ends the run.
    #[must_use]
    pub fn outcome(&self, failure: Option<(usize, Failure)>) -> Outcome {
        let mut tally = self.tally.clone();
        for (kind, count) in self.disk.fired().iter() {
            if let Some(name) = fault_name(kind) {
                *tally.faults.entry(name).or_default() += count;
            }
        }
        Outcome { failure, hash: self.hash(), tally, cuts: self.cuts.clone(), trace: Vec::new() }
    }
}

/// What reports call a kind of fault; nothing where the runner counts it itself, by what it is for.
fn fault_name(kind: FaultKind) -> Option<&'static str> {
    Some(match kind {
        FaultKind::Eio => "input/output error",
        FaultKind::EioForever => "input/output error for good",
        FaultKind::SyncKeep => "failed sync, cache kept",
        FaultKind::SyncRevert => "failed sync, cache reverted",
        FaultKind::Short => "short read or write",
        FaultKind::Interrupted => "interruption",
        FaultKind::SpaceOut => "space limit",
        FaultKind::SpaceBack => "space limit lifted",
        FaultKind::Rot => "rot",
        FaultKind::Lost => "lost write",
        FaultKind::Misdirected => "misdirected write",
        FaultKind::Stale => "stale read",
        FaultKind::NoSpace => "no space",
        FaultKind::LockRefused => "lock refused",
        FaultKind::Kill => "process kill",
        FaultKind::PowerCut => "power cut",
        FaultKind::Garbage => "power cut with garbage",
        FaultKind::KillThenCut => "kill, then power cut",
        FaultKind::ClockStop | FaultKind::ClockRun | FaultKind::ClockStep | FaultKind::Edit => {
            return None;
        }
    })
}
