//! The end of a process or of a machine, and the faults that are armed from a plan.

use hexxladb::vfs::sim::{CutProfile, Effect, Fault};

use super::{World, panics};
use crate::op::{Crash, CrashKind, Survivors};
use crate::oracle::Failure;

impl World {
    /// The process or the machine stops; what hung on the handle goes with it.
    pub(super) fn crash(&mut self, crash: &Crash) -> Result<(), Failure> {
        // Whoever read beside the handle may have seen this much.
        self.at_rest()?;
        match (&crash.survivors, crash.kind) {
            (_, CrashKind::Kill) => self.disk.kill(),
            (Survivors::These(choice), _) => self.disk.power_cut_with(choice),
            (Survivors::Random, CrashKind::Cut) => {
                self.cuts.push(self.disk.power_cut(CutProfile::Plain));
            }
            (Survivors::Random, CrashKind::Hostile) => {
                self.cuts.push(self.disk.power_cut(CutProfile::Hostile));
            }
        }
        if crash.kind != CrashKind::Kill {
            self.bounds.cut();
        }
        self.tally.crashes += 1;
        self.crashed = true;
        self.at_rest()?;
        let session = self.session.take();
        // The dead process's memory goes; whatever it still tries finds no disk.
        panics::caught(move || drop(session)).map_err(|message| panics::failure(&message))
    }

    /// Arms a fault; its operation is counted from here.
    pub(super) fn arm(&mut self, fault: &Fault) {
        self.armed = true;
        self.failing |= fault.effect == Effect::EioForever;
        self.disk.arm(Fault { at: self.disk.ops() + fault.at, ..fault.clone() });
    }

    pub(super) fn heal(&mut self) {
        self.free(None);
        self.disk.heal();
        if let Some(session) = &mut self.session {
            session.hurt |= self.failing;
        }
        self.failing = false;
        self.armed = false;
        self.stopped_clock = false;
    }

    pub(super) fn free(&mut self, sectors: Option<u64>) {
        if sectors.is_none() && self.disk.free_sectors().is_some() {
            self.tally.fault("space limit lifted");
        }
        self.disk.set_free_sectors(sectors);
    }
}
