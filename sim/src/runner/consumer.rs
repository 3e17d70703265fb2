//! Consumers of the changelog: positions that are as durable as tags.

use hexxladb::{ChangelogCursor, Error};

use super::World;
use super::upkeep::may_write;
use crate::model::{Change, Upkeep};
use crate::op::{Act, Changelog, Key};
use crate::oracle::{Check, Kind, brief, consumers, fail, same};

impl World {
    pub(super) fn consumer(&mut self, name: &Key, act: Act) -> Check {
        let Some(session) = &self.session else { return Ok(()) };
        let (db, name, head) = (session.db.clone(), name.text(), self.model.head());
        if session.read_only || !self.model.mvcc() || name.is_empty() {
            return Ok(());
        }
        if session.changelog == Changelog::Off {
            return match db.changelog_consumer(&name) {
                Err(Error::ChangelogDisabled) => Ok(()),
                other => fail(Kind::Accepted, "consumer of no changelog", brief(&other)),
            };
        }
        let Upkeep { consumers: known, removed, .. } = session.upkeep.clone();
        let old = known.get(&name).copied();
        let call = "changelog consumer";
        let (result, change) = match (act, old) {
            (Act::Register, None) => {
                let change = Change::Consumer(name.clone(), (0, false));
                (db.changelog_consumer(&name).map(drop), Some(change))
            }
            (Act::Remove, _) => {
                let change = old.map(|_| Change::Dismiss(name.clone()));
                let there = old.is_some();
                let removed = db.remove_changelog_consumer(&name);
                if let Ok(found) = &removed {
                    same("answer of remove_changelog_consumer", found, &there)?;
                }
                (removed.map(drop), change)
            }
            (_, None) => return Ok(()),
            (Act::Register, Some(_)) => (db.changelog_consumer(&name).map(drop), None),
            (Act::Advance(seq), Some((next, holds))) => {
                let to = ChangelogCursor::after(seq);
                let result = db.changelog_consumer(&name).and_then(|found| found.advance(to));
                let wrong = match &result {
                    Err(Error::InvalidArgument { .. }) => to.seq < next,
                    Err(Error::ReadSeqFuture { .. }) => to.seq >= next && seq > head,
                    _ => false,
                };
                if wrong {
                    return Ok(());
                }
                let legal = to.seq >= next && seq <= head;
                if !legal && result.is_ok() {
                    return fail(Kind::Accepted, "advance of a consumer", format!("{to}"));
                }
                let moved = legal && to.seq != next;
                let change = moved.then(|| Change::Consumer(name.clone(), (to.seq, holds)));
                (result, change)
            }
            (Act::Hold(hold), Some((next, holds))) => {
                let result = db.changelog_consumer(&name).and_then(|found| found.hold_floor(hold));
                let changed = hold != holds;
                let change = changed.then(|| Change::Consumer(name.clone(), (next, hold)));
                (result, change)
            }
        };
        let Some(session) = &self.session else { return Ok(()) };
        let writes = !matches!((act, old), (Act::Register, Some(_)));
        if let Err(verdict) = may_write(session, call, &result, writes) {
            return verdict;
        }
        match result {
            _ if self.disk.crashed().is_some() => self.begun(change, removed),
            Ok(()) => {
                self.changed(call, change, 0)?;
                let excuses = self.excuses();
                let Some(session) = &self.session else { return Ok(()) };
                same("consumers", &consumers(&db, &excuses)?, &session.upkeep.consumers)
            }
            Err(error) => self.not_changed(call, &error, change, removed),
        }
    }
}
