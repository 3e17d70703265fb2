//! Reads: of the newest state, of the past, of snapshots that are held.

use hexxladb::{Db, Error, ReadTx, Timestamp};

use super::World;
use crate::model::Id;
use crate::op::{Read, Slot};
use crate::oracle::{
    Check, Excuses, Kind, brief, cell_range, commits, counters, everything, fail, histories, point,
    prefix, raw_range, same, snapshot, version_one,
};

/// Runs `look` on what the call reads.
fn viewed(
    call: &'static str,
    excuses: &Excuses,
    read: impl FnOnce(&mut dyn FnMut(&ReadTx)) -> Result<(), Error>,
    look: impl FnOnce(&ReadTx) -> Check,
) -> Check {
    let mut verdict = Ok(());
    let mut look = Some(look);
    let result = read(&mut |view| {
        if let Some(look) = look.take() {
            verdict = look(view);
        }
    });
    excuses.take(call, result)?;
    verdict
}

impl World {
    /// The handle and the newest commit that it shows.
    fn shown(&mut self) -> Check<Option<(Db, u64)>> {
        let excuses = self.excuses();
        let Some(session) = &self.session else { return Ok(None) };
        if session.read_only {
            return Ok(Some((session.db.clone(), session.opened_at)));
        }
        let db = session.db.clone();
        let head = excuses.take("head", db.head())?;
        if let Err(failure) = self.observe() {
            return Err(failure.into());
        }
        Ok(Some((db, head)))
    }

    pub(super) fn read(&mut self, read: &Read) -> Check {
        let Some((db, head)) = self.shown()? else { return Ok(()) };
        let excuses = self.excuses();
        let model = &self.model;
        let newest = |look: &dyn Fn(&ReadTx) -> Check| {
            viewed(
                "view",
                &excuses,
                |see| {
                    db.view(|view| {
                        see(view);
                        Ok(())
                    })
                },
                |view| {
                    same("sequence of a view", &view.seq(), &head)?;
                    look(view)
                },
            )
        };
        let one = |id: &Id| newest(&|view| point(view, id, model.get(id, head), &excuses));
        match read {
            Read::All => everything(&db, model, head, &excuses),
            Read::Get(key) => one(&Id::Raw(key.0.clone())),
            Read::GetCell(pos) => one(&Id::cell(*pos)),
            Read::Range { from, to, limit } => {
                newest(&|view| raw_range(view, model, (from, to), *limit, &excuses))
            }
            Read::Prefix(stem) => newest(&|view| prefix(view, model, stem, &excuses)),
            Read::Cells { from, to, limit } => {
                newest(&|view| cell_range(view, model, (*from, *to), *limit, &excuses))
            }
            Read::Commits(from, to) => commits(&db, model, (*from, *to), head, &excuses),
            _ if !model.mvcc() => version_one(&db),
            Read::At(seq) => self.read_at(&db, *seq, head, &excuses),
            Read::Time(nanos) => self.read_time(&db, *nanos, head, &excuses),
            Read::History(key) => histories(&db, model, &Id::Raw(key.0.clone()), head, &excuses),
            Read::HistoryCell(pos) => histories(&db, model, &Id::cell(*pos), head, &excuses),
            Read::Stats => counters(&db, model, head, &excuses),
        }
    }

    fn read_at(&self, db: &Db, seq: u64, head: u64, excuses: &Excuses) -> Check {
        if seq <= head {
            let read = |see: &mut dyn FnMut(&ReadTx)| {
                db.view_at(seq, |view| {
                    see(view);
                    Ok(())
                })
            };
            return viewed("view_at", excuses, read, |view| {
                snapshot(view, &self.model, seq, excuses)
            });
        }
        match db.view_at(seq, |_| Ok::<_, Error>(())) {
            Err(Error::ReadSeqFuture { seq: asked, head: newest }) => {
                same("error of a future read", &(asked, newest), &(seq, head))
            }
            Err(error) => Err(excuses.stop("view_at in the future", &error)),
            Ok(()) => fail(Kind::Accepted, "view_at in the future", format!("{seq} > {head}")),
        }
    }

    fn read_time(&self, db: &Db, nanos: i64, head: u64, excuses: &Excuses) -> Check {
        let time = Timestamp::from_nanos(nanos);
        let seq = self.model.seq_at_time(nanos, head);
        same("sequence at a time", &excuses.take("seq_at_time", db.seq_at_time(time))?, &seq)?;
        let read = |see: &mut dyn FnMut(&ReadTx)| {
            db.view_at_time(time, |view| {
                see(view);
                Ok(())
            })
        };
        viewed("view_at_time", excuses, read, |view| snapshot(view, &self.model, seq, excuses))
    }

    pub(super) fn snap(&mut self, slot: Slot, seq: Option<u64>) -> Check {
        let Some((db, head)) = self.shown()? else { return Ok(()) };
        let excuses = self.excuses();
        let result = match seq {
            None => db.snapshot(),
            Some(seq) => db.snapshot_at(seq),
        };
        let expected = seq.unwrap_or(head);
        if seq.is_some() && !self.model.mvcc() {
            return match result {
                Err(Error::MvccRequired { .. }) => Ok(()),
                Err(error) => Err(excuses.stop("snapshot_at", &error)),
                Ok(_) => fail(Kind::Accepted, "snapshot_at", "on format v1"),
            };
        }
        if expected > head {
            return match result {
                Err(Error::ReadSeqFuture { .. }) => Ok(()),
                Err(error) => Err(excuses.stop("snapshot_at", &error)),
                Ok(_) => fail(Kind::Accepted, "snapshot_at in the future", brief(&expected)),
            };
        }
        let snapshot = excuses.take("snapshot", result)?;
        same("sequence of a snapshot", &snapshot.seq(), &expected)?;
        if let Some(session) = &mut self.session {
            session.snapshots.insert(slot, (expected, snapshot));
        }
        Ok(())
    }

    pub(super) fn read_snap(&mut self, slot: Slot) -> Check {
        let excuses = self.excuses();
        let Some(session) = &self.session else { return Ok(()) };
        let Some((seq, held)) = session.snapshots.get(&slot) else { return Ok(()) };
        snapshot(held, &self.model, *seq, &excuses)
    }

    pub(super) fn drop_snap(&mut self, slot: Slot) {
        if let Some(session) = &mut self.session {
            drop(session.snapshots.remove(&slot));
        }
    }
}
