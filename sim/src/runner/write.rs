//! Write transactions from begin to end, and what their ends mean.

use hexxladb::{Cell, Coord, Error, PutCells, WriteTx};

use super::edit::{Base, perform};
use super::{OpenTx, Session, Waiting, World, panics};
use crate::model::{Delta, Draft};
use crate::op::{Edit, End, Pos, Slot, Value};
use crate::oracle::{Check, Kind, Stop, fail, point, same};

/// Commits after each of which the changelog is read beside the handle.
const BESIDE_EACH: u64 = 8;

/// How an `update` closure of a plan ends when not well.
enum Ended {
    Db(Error),
    OwnError,
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Db(error)
    }
}

impl World {
    /// The session if it can write.
    fn writer(&mut self) -> Option<&mut Session> {
        self.session.as_mut().filter(|session| !session.read_only)
    }

    pub(super) fn begin(&mut self) -> Check {
        let excuses = self.excuses();
        let Some(session) = &mut self.session else { return Ok(()) };
        let result = session.db.begin_write();
        if session.tx.is_some() {
            return match result {
                Err(Error::NestedWrite) => Ok(()),
                Err(error) => Err(excuses.stop("nested begin_write", &error)),
                Ok(_) => fail(Kind::Accepted, "nested begin_write", "a second transaction"),
            };
        }
        if session.read_only {
            return match result {
                Err(Error::ReadOnly) => Ok(()),
                Err(error) => Err(excuses.stop("begin_write on a reader", &error)),
                Ok(_) => fail(Kind::Accepted, "begin_write on a reader", "a transaction"),
            };
        }
        let tx = excuses.take("begin_write", result)?;
        same("commit_seq", &tx.commit_seq(), &(self.model.head() + 1))?;
        session.tx = Some(OpenTx { tx, draft: Draft::default(), broken: false });
        Ok(())
    }

    pub(super) fn edit(&mut self, edit: &Edit) -> Check {
        let (excuses, now) = (self.excuses(), self.clock_nanos());
        let Some(session) = &mut self.session else { return Ok(()) };
        let Some(open) = session.tx.as_mut().filter(|open| !open.broken) else { return Ok(()) };
        let before = Base { model: &self.model, setup: &self.setup, excuses: &excuses, now };
        let result = perform(&mut open.tx, &mut open.draft, before, edit);
        if let Err(Stop::Excused) = result {
            open.broken = true;
        }
        result
    }

    /// The open transaction, taken out; dropped if an error left it half done.
    fn take_tx(&mut self) -> Option<OpenTx> {
        let open = self.session.as_mut()?.tx.take()?;
        if open.broken { None } else { Some(open) }
    }

    pub(super) fn commit(&mut self) -> Check {
        let Some(open) = self.take_tx() else { return Ok(()) };
        let now = self.clock_nanos();
        let result = open.tx.commit();
        self.committed("commit", result, &open.draft, now)
    }

    /// What the end of a commit means.
    fn committed(
        &mut self,
        call: &'static str,
        result: Result<u64, Error>,
        draft: &Draft,
        now: i64,
    ) -> Check {
        let base = self.model.head();
        if self.disk.crashed().is_some() {
            if !draft.is_empty() {
                self.model.push(draft, now);
            }
            return Err(Stop::Excused);
        }
        let refuse = self.must_not_acknowledge();
        let seq = match result {
            Ok(seq) => seq,
            Err(error) => return self.not_committed(call, &error, draft, now),
        };
        self.note(&format!("committed {seq}"));
        let expected = if draft.is_empty() { base } else { self.model.push(draft, now) };
        same("sequence of a commit", &seq, &expected)?;
        if refuse && seq > self.bounds.shown.head {
            return fail(Kind::Accepted, "commit after a failed sync", format!("Ok({seq})"));
        }
        let Some(session) = self.writer() else { return Ok(()) };
        let durable = !session.buffered;
        self.bounds.show(seq, durable);
        self.touched_reads(seq)?;
        // All of it is read; of many commits not after each.
        if seq < BESIDE_EACH || seq.is_multiple_of(4) { self.beside_writer() } else { Ok(()) }
    }

    fn not_committed(
        &mut self,
        call: &'static str,
        error: &Error,
        draft: &Draft,
        now: i64,
    ) -> Check {
        let excuses = self.excuses();
        self.note("not committed");
        if let Error::CommitUnknown { seq, .. } = error {
            if !draft.is_empty() {
                let expected = self.model.push(draft, now);
                same("sequence of an unknown commit", seq, &expected)?;
            }
            if let Some(session) = self.writer() {
                session.unknown = true;
            }
        }
        Err(excuses.stop(call, error))
    }

    /// Reads the records of a commit back.
    fn touched_reads(&mut self, seq: u64) -> Check {
        let excuses = self.excuses();
        let Some(session) = &self.session else { return Ok(()) };
        let mut verdict = Ok(());
        let model = &self.model;
        let read: Result<(), Error> = session.db.view(|view| {
            let newest = view.seq();
            let touched = model.touched(seq);
            for id in touched.iter().step_by(touched.len().div_ceil(8).max(1)) {
                verdict = point(view, id, model.get(id, newest), &excuses);
                if verdict.is_err() {
                    break;
                }
            }
            Ok(())
        });
        excuses.take("view after a commit", read)?;
        verdict
    }

    pub(super) fn pipeline(&mut self, slot: Slot) -> Check {
        let Some(open) = self.take_tx() else { return Ok(()) };
        let now = self.clock_nanos();
        let base = self.model.head();
        let result = open.tx.commit_pipelined();
        if self.disk.crashed().is_some() {
            if !open.draft.is_empty() {
                self.model.push(&open.draft, now);
            }
            return Err(Stop::Excused);
        }
        let commit = match result {
            Ok(commit) => commit,
            Err(error) => {
                return self.not_committed("commit_pipelined", &error, &open.draft, now);
            }
        };
        let seq = if open.draft.is_empty() { base } else { self.model.push(&open.draft, now) };
        same("sequence of a pipelined commit", &commit.seq(), &seq)?;
        if let Some(session) = self.writer() {
            session.waiting.insert(slot, Waiting { commit, seq });
        }
        Ok(())
    }

    pub(super) fn wait(&mut self, slot: Slot) -> Check {
        let Some(session) = self.writer() else { return Ok(()) };
        let Some(waiting) = session.waiting.remove(&slot) else { return Ok(()) };
        let durable = !session.buffered;
        let result = waiting.commit.wait();
        if self.disk.crashed().is_some() {
            return Err(Stop::Excused);
        }
        let refuse = self.must_not_acknowledge();
        match result {
            Ok(seq) => {
                same("sequence of a wait", &seq, &waiting.seq)?;
                if refuse && durable && seq > self.bounds.shown.head {
                    let what = format!("Ok({seq})");
                    return fail(Kind::Accepted, "wait after a failed sync", what);
                }
                self.bounds.show(seq, durable);
                Ok(())
            }
            Err(error) => {
                if let Error::CommitUnknown { .. } = error
                    && let Some(session) = self.writer()
                {
                    session.unknown = true;
                }
                Err(self.excuses().stop("wait", &error))
            }
        }
    }

    pub(super) fn forget(&mut self, slot: Slot) {
        if let Some(session) = &mut self.session {
            drop(session.waiting.remove(&slot));
        }
    }

    pub(super) fn rollback(&mut self) -> Check {
        let Some(open) = self.take_tx() else { return Ok(()) };
        let result = open.tx.rollback();
        self.nothing_committed("rollback", result)
    }

    /// The end of a transaction without a commit: its base is durable now, for the caller may
    /// have read it.
    fn nothing_committed(&mut self, call: &'static str, result: Result<(), Error>) -> Check {
        if self.disk.crashed().is_some() {
            return Err(Stop::Excused);
        }
        let refuse = self.must_not_acknowledge();
        if let Err(error) = result {
            if let Error::CommitUnknown { .. } = error
                && let Some(session) = self.writer()
            {
                session.unknown = true;
            }
            return Err(self.excuses().stop(call, &error));
        }
        let base = self.model.head();
        let Some(session) = self.writer() else { return Ok(()) };
        let durable = !session.buffered;
        if refuse && durable && base > self.bounds.shown.head {
            let what = format!("Ok, having read {base}");
            return fail(Kind::Accepted, "read of what is not durable", what);
        }
        self.bounds.show(base, durable);
        Ok(())
    }

    pub(super) fn abandon(&mut self) {
        drop(self.take_tx());
    }

    pub(super) fn update(&mut self, end: End, edits: &[Edit]) -> Check {
        let excuses = self.excuses();
        let now = self.clock_nanos();
        let Some(session) = &self.session else { return Ok(()) };
        let mut draft = Draft::default();
        let mut inner = Ok(());
        let before = Base { model: &self.model, setup: &self.setup, excuses: &excuses, now };
        let closure = |tx: &mut WriteTx| {
            for edit in edits {
                inner = perform(tx, &mut draft, before, edit);
                if inner.is_err() {
                    return Err(Ended::OwnError);
                }
            }
            match end {
                End::Ok => Ok(tx.commit_seq()),
                End::Fail => Err(Ended::OwnError),
                End::Panic => std::panic::panic_any(panics::Planned),
            }
        };
        let result = panics::planned(|| session.db.update(closure));
        if session.read_only || session.tx.is_some() {
            return match result {
                Some(Err(Ended::Db(Error::ReadOnly))) if session.read_only => Ok(()),
                Some(Err(Ended::Db(Error::NestedWrite))) if session.tx.is_some() => Ok(()),
                Some(Err(Ended::Db(error))) => Err(excuses.stop("update", &error)),
                _ => fail(Kind::Accepted, "update", "on a reader, or inside a transaction"),
            };
        }
        let inner_failed = matches!(inner, Err(Stop::Failed(_)));
        if inner_failed {
            return inner;
        }
        match result {
            Some(Ok(_)) if end == End::Ok => {
                let seq = self.model.head() + u64::from(!draft.is_empty());
                self.committed("update", Ok(seq), &draft, now)
            }
            Some(Err(Ended::Db(error))) => {
                if inner.is_ok() && end == End::Ok {
                    return self.committed("update", Err(error), &draft, now);
                }
                self.nothing_committed("update", Err(error))
            }
            // A panic or an error of one's own; the base may not be durable after a panic.
            None => Ok(()),
            Some(_) if inner.is_err() => Err(Stop::Excused),
            Some(_) => self.nothing_committed("update", Ok(())),
        }
    }

    pub(super) fn put_cells(&mut self, from: Pos, count: u32, batch: u32, value: Value) -> Check {
        let Some(session) = self.writer().filter(|session| session.tx.is_none()) else {
            return Ok(());
        };
        let db = session.db.clone();
        let batch = batch.max(1);
        let how = PutCells { batch_cells: batch as usize, ..PutCells::default() };
        let cells: Vec<(Coord, Cell)> =
            (0..count).map(|n| (from.along(n).coord(), value.offset(n).cell())).collect();
        let now = self.clock_nanos();
        let refuse = self.must_not_acknowledge();
        let base = self.model.head();
        let result = db.put_cells(cells, &how);
        for start in (0..count).step_by(batch as usize) {
            let mut draft = Draft::default();
            for n in start..count.min(start + batch) {
                let delta = Delta::PutCell(from.along(n), value.offset(n));
                draft.apply(&self.model, &delta);
            }
            self.model.push(&draft, now);
        }
        if self.disk.crashed().is_some() {
            return Err(Stop::Excused);
        }
        match result {
            Ok(written) => {
                same("answer of put_cells", &written, &u64::from(count))?;
                if refuse && count > 0 {
                    return fail(Kind::Accepted, "put_cells after a failed sync", "Ok");
                }
                let head = self.model.head();
                let durable = self.writer().is_some_and(|session| !session.buffered);
                self.bounds.show(head, durable);
                Ok(())
            }
            Err(error) => {
                let newest = match &error {
                    Error::CommitUnknown { seq, .. } => *seq,
                    _ => self.excuses().take("head", db.head())?,
                };
                self.model.truncate(newest.max(base));
                if let (Error::CommitUnknown { .. }, Some(session)) = (&error, self.writer()) {
                    session.unknown = true;
                }
                Err(self.excuses().stop("put_cells", &error))
            }
        }
    }
}
