//! The end of every run: faults stop, and then work completes, is kept, and the database closes.

use hexxladb::vfs::sim::CrashChoice;

use super::World;
use crate::op::{Before, Crash, CrashKind, Edit, End, Key, Op, Open, Read, Survivors, Value};
use crate::oracle::{Failure, Kind};

impl World {
    /// Stops all faults, then opens, reads, commits, loses power, opens, closes and opens again.
    ///
    /// # Errors
    /// When a promise is broken; a damaged medium may end it early.
    pub fn settle(&mut self) -> Result<(), Failure> {
        self.step(&Op::Heal, None)?;
        self.step(&Op::Free(None), None)?;
        let leave = if self.setup.cut { Op::Drop } else { Op::Close };
        self.step(&Op::Rollback, None)?;
        self.step(&leave, None)?;
        let media = self.excuses().damaged();
        let open = Op::Open(Open::default());
        let edits = vec![Edit::Put(Key::from("settled"), Value { seed: 1, len: 9 })];
        let update = Op::Update(End::Ok, edits);
        let cut = Crash {
            kind: CrashKind::Cut,
            at: None,
            survivors: Survivors::These(CrashChoice::default()),
        };
        let rounds: [&[Op]; 3] = [
            // Reopened at once: the same state again.
            &[open.clone(), leave.clone(), open.clone(), update.clone()],
            // What was acknowledged is there after the power is cut.
            &[if self.setup.cut { Op::Crash(cut) } else { leave }, open.clone(), Op::Close],
            // A closed database opens clean, and works.
            &[
                open,
                Op::Read(Read::Stats),
                update,
                Op::Replicate(None),
                Op::Prune(Before::Seq(self.model.head()), u64::MAX),
                Op::Read(Read::Stats),
                Op::Checkpoint,
                Op::Check,
                Op::Close,
            ],
        ];
        for round in rounds {
            for op in round {
                let head = self.model.head();
                self.step(op, None)?;
                if media {
                    continue;
                }
                match op {
                    Op::Open(_) if self.session.is_none() => return Err(stuck("open")),
                    Op::Update(..)
                        if self.bounds.durable.head != head + 1 && !self.setup.buffered =>
                    {
                        return Err(stuck("update"));
                    }
                    Op::Close if !self.closed => return Err(stuck("close")),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn stuck(call: &'static str) -> Failure {
    Failure::new(Kind::Error, call, "does not complete after the faults stopped")
}
