//! The simulated world behind the handles: the disk, and what decides how each operation ends.
//!
//! Every operation goes through [`State::run`]: it is counted, may hit the crash point, may
//! suffer a fault, and ends in the trace. A process that has stopped does nothing at all.

use std::io::{ErrorKind, Result};
use std::path::Path;

use super::clock::SimTime;
use super::disk::Disk;
use super::fault::{Damage, Effect, Fault, FaultKind, FaultPlan, Fired, Target};
use super::random::{Random, Stream};
use super::stop::Simulated;
use super::swarm::{Dice, Scene, draw};
use super::trace::{Answer, Call, Trace};

/// How far the operation at a crash point gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Applied {
    /// Not at all.
    Nothing,
    /// A write: so many bytes. Anything else: as [`Applied::Widest`].
    Bytes(u64),
    /// As far as leaves the most crash states: writes and changes of names and lengths are
    /// pending in full, a sync has done nothing.
    #[default]
    Widest,
    /// To its end; only the answer is lost.
    Everything,
}

/// Where a process crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashAt {
    /// Index of the operation among those that change the disk, as
    /// [`SimVfs::mutating_ops`](super::SimVfs::mutating_ops) counts, from 0.
    pub op: u64,
    /// How far that operation gets.
    pub applied: Applied,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) disk: Disk,
    pub(super) time: SimTime,
    /// Number of the running process; handles of an earlier one are dead.
    pub(super) process: u64,
    pub(super) ops: u64,
    pub(super) mutating_ops: u64,
    pub(super) crash_at: Option<CrashAt>,
    pub(super) crashed: Option<u64>,
    /// Operations that may still run, if there is a limit.
    pub(super) ops_left: Option<u64>,
    /// Whether the world is kept before each operation that changes the disk.
    pub(super) capturing: bool,
    pub(super) captures: Vec<(u64, Self)>,
    /// What was pending when a process was last killed has at most this order.
    pub(super) killed_at_order: u64,
    pub(super) plan: Vec<Fault>,
    pub(super) dice: Option<Dice>,
    /// Bits of the targets that fail from now on.
    pub(super) broken: u32,
    pub(super) recorded: FaultPlan,
    pub(super) fired: Fired,
    pub(super) damages: Vec<Damage>,
    pub(super) trace: Trace,
    pub(super) entropy: Random,
    pub(super) crash_random: Random,
    swarm_random: Random,
    next_handle: u64,
}

impl State {
    pub(super) fn new(seed: u64, sector_bytes: u32) -> Self {
        Self {
            disk: Disk::new(sector_bytes),
            time: SimTime::new(),
            process: 0,
            ops: 0,
            mutating_ops: 0,
            crash_at: None,
            crashed: None,
            ops_left: None,
            capturing: false,
            captures: Vec::new(),
            killed_at_order: 0,
            plan: Vec::new(),
            dice: None,
            broken: 0,
            recorded: FaultPlan::default(),
            fired: Fired::default(),
            damages: Vec::new(),
            trace: Trace::default(),
            entropy: Random::new(seed, Stream::Entropy),
            crash_random: Random::new(seed, Stream::Crash),
            swarm_random: Random::new(seed, Stream::Swarm),
            next_handle: 0,
        }
    }

    /// The world as a new process finds it: no handle, no lock, no crash point.
    pub(super) fn fork(&self) -> Self {
        Self {
            disk: self.disk.fork(),
            time: self.time.clone(),
            crash_at: None,
            crashed: None,
            ops_left: None,
            capturing: false,
            captures: Vec::new(),
            plan: self.plan.clone(),
            dice: self.dice.clone(),
            recorded: self.recorded.clone(),
            fired: Fired::default(),
            damages: self.damages.clone(),
            trace: self.trace.fork(),
            entropy: self.entropy.clone(),
            crash_random: self.crash_random.clone(),
            swarm_random: self.swarm_random.clone(),
            ..*self
        }
    }

    pub(super) fn next_handle(&mut self) -> u64 {
        self.next_handle += 1;
        self.next_handle
    }

    /// Runs one operation of `process` through counting, crash point, faults and trace.
    pub(super) fn run(
        &mut self,
        process: u64,
        call: &Call<'_>,
        act: impl FnOnce(&mut Self, Option<&Effect>) -> Result<Answer>,
    ) -> Result<Answer> {
        if process != self.process || self.crashed.is_some() {
            return Err(Simulated::Stopped.into());
        }
        self.spend_budget()?;
        self.capture(call);
        let number = self.ops;
        self.ops += 1;
        self.time.tick();
        let crash = self.reach_crash_point(call);
        let result = match crash {
            Some(applied) => self.run_into_crash(call, applied, act),
            None => match self.suffer(number, call) {
                Ok(effect) => act(self, effect.as_ref()),
                Err(error) => Err(error),
            },
        };
        match &result {
            Ok(answer) => self.trace.operation(number, call, Ok(*answer)),
            Err(error) => self.trace.operation(number, call, Err(&error.to_string())),
        }
        if let Err(error) = &result
            && error.kind() == ErrorKind::StorageFull
        {
            self.fired.add(FaultKind::NoSpace);
        }
        result
    }

    /// The operation after the last one allowed ends the process.
    fn spend_budget(&mut self) -> Result<()> {
        match self.ops_left {
            None => Ok(()),
            Some(0) => {
                self.ops_left = None;
                self.crashed = Some(self.mutating_ops);
                Err(Simulated::Budget.into())
            }
            Some(left) => {
                self.ops_left = Some(left - 1);
                Ok(())
            }
        }
    }

    fn capture(&mut self, call: &Call<'_>) {
        if call.mutating && self.capturing {
            let capture = (self.mutating_ops, self.fork());
            self.captures.push(capture);
        }
    }

    /// Counts an operation that changes the disk; tells if it is the one to crash at.
    fn reach_crash_point(&mut self, call: &Call<'_>) -> Option<Applied> {
        if !call.mutating {
            return None;
        }
        let index = self.mutating_ops;
        self.mutating_ops += 1;
        let crash = self.crash_at.filter(|crash| crash.op == index)?;
        self.crashed = Some(index);
        Some(crash.applied)
    }

    fn run_into_crash(
        &mut self,
        call: &Call<'_>,
        applied: Applied,
        act: impl FnOnce(&mut Self, Option<&Effect>) -> Result<Answer>,
    ) -> Result<Answer> {
        let target = Target::from(call.op);
        let syncs = matches!(target, Target::Sync | Target::SyncDir);
        // Nobody learns how the operation ended: the process is gone.
        match applied {
            Applied::Nothing | Applied::Bytes(0) => {}
            Applied::Bytes(bytes) if target == Target::Write => {
                let _ = act(self, Some(&Effect::Short(bytes)));
            }
            Applied::Bytes(_) | Applied::Widest if syncs => {}
            Applied::Bytes(_) | Applied::Widest | Applied::Everything => {
                let _ = act(self, None);
            }
        }
        Err(Simulated::Stopped.into())
    }

    /// Lets the faults that are due happen: those of the world at once, one of the operation by
    /// returning it, or an error if it never gets anywhere.
    fn suffer(&mut self, number: u64, call: &Call<'_>) -> Result<Option<Effect>> {
        let target = Target::from(call.op);
        if self.broken & (target.bit() | Target::Any.bit()) != 0 {
            return Err(Simulated::Eio.into());
        }
        let mut shaping = None;
        let mut index = 0;
        while index < self.plan.len() {
            let fault = &self.plan[index];
            let ambient = fault.effect.is_ambient();
            let due = fault.at <= number
                && fault.on.is(target)
                && fault.effect.applies_to(target)
                && (ambient || shaping.is_none());
            if !due {
                index += 1;
                continue;
            }
            let fault = self.plan.remove(index);
            let fired = self.fire(Fault { at: number, on: fault.on, effect: fault.effect }, call);
            if !ambient {
                shaping = fired;
            }
        }
        if shaping.is_none() {
            shaping = self.roll(number, target, call);
        }
        match shaping {
            Some(Effect::Interrupted) => Err(ErrorKind::Interrupted.into()),
            Some(Effect::EioForever) => Err(Simulated::Eio.into()),
            Some(Effect::Eio) if target != Target::Sync => Err(Simulated::Eio.into()),
            other => Ok(other),
        }
    }

    /// Draws a fault by chance.
    fn roll(&mut self, number: u64, target: Target, call: &Call<'_>) -> Option<Effect> {
        let kind = self.dice.as_mut()?.roll(target, &mut self.swarm_random)?;
        let scene = Scene {
            offset: call.offset,
            bytes: call.bytes,
            sector_bytes: self.disk.sector_bytes(),
            files: self.disk.non_empty(),
        };
        let effect = draw(kind, &scene, &mut self.swarm_random)?;
        let ambient = effect.is_ambient();
        self.dice.as_mut()?.spend();
        let fired = self.fire(Fault { at: number, on: target, effect }, call);
        if ambient { None } else { fired }
    }

    /// Records and counts a fault, and does what concerns the world rather than the operation.
    /// `None` if there is nothing for it to hit.
    fn fire(&mut self, fault: Fault, call: &Call<'_>) -> Option<Effect> {
        let effect = fault.effect.clone();
        match &effect {
            Effect::Free(sectors) => self.disk.set_free_sectors(*sectors),
            Effect::ClockStop => self.time.stopped = true,
            Effect::ClockRun => self.time.stopped = false,
            Effect::ClockStep(nanos) => {
                self.time.wall_nanos = self.time.wall_nanos.saturating_add(*nanos);
            }
            Effect::EioForever => {
                let target = if fault.on == Target::Any { call.op.into() } else { fault.on };
                self.broken |= target.bit();
            }
            Effect::Rot { path, offset, mask } => {
                if !self.disk.rot(path, *offset, *mask) {
                    return None;
                }
                self.damage(FaultKind::Rot, path, *offset, 1);
            }
            Effect::Stale { .. } => {
                self.damage(FaultKind::Stale, call.path, call.offset, call.bytes);
            }
            Effect::Lost { .. } => {
                self.damage_sectors(FaultKind::Lost, call.path, call.offset, call.bytes);
            }
            Effect::Misdirected { offset, path, .. } => {
                let kind = FaultKind::Misdirected;
                self.damage_sectors(kind, call.path, call.offset, call.bytes);
                let victim = path.as_deref().unwrap_or(call.path);
                let sector = self.disk.sector_bytes();
                let shift = call.offset % sector;
                self.damage_sectors(kind, victim, offset / sector * sector + shift, call.bytes);
            }
            _ => {}
        }
        self.trace.event(|| fault.to_string());
        self.fired.add(effect.kind());
        self.recorded.0.push(fault);
        Some(effect)
    }

    fn damage(&mut self, kind: FaultKind, path: &Path, offset: u64, bytes: u64) {
        let op = self.ops.saturating_sub(1);
        self.damages.push(Damage { op, kind, path: path.into(), offset, bytes });
    }

    /// As [`State::damage`], widened to whole sectors.
    fn damage_sectors(&mut self, kind: FaultKind, path: &Path, offset: u64, bytes: u64) {
        let sector = self.disk.sector_bytes();
        let start = offset / sector * sector;
        let end = offset.saturating_add(bytes).div_ceil(sector).saturating_mul(sector);
        self.damage(kind, path, start, end - start);
    }

    /// Adds to the plan, which is kept by number, so that the due faults come first.
    pub(super) fn arm(&mut self, fault: Fault) {
        if matches!(fault.effect, Effect::Stale { .. }) {
            self.disk.keep_history();
        }
        let place = self.plan.partition_point(|other| other.at <= fault.at);
        self.plan.insert(place, fault);
    }

    /// Ends everything that would go on failing.
    pub(super) fn heal(&mut self) {
        self.plan.clear();
        self.dice = None;
        self.broken = 0;
        self.disk.set_free_sectors(None);
        self.time.stopped = false;
    }

    /// The process ends; what it wrote stays in the cache.
    pub(super) fn end_process(&mut self) {
        self.disk.close_all();
        self.process += 1;
        self.crashed = None;
        self.crash_at = None;
        self.ops_left = None;
    }
}
