//! Followers of the changelog that are held while the database goes on.

use std::time::Duration;

use hexxladb::{ChangelogCursor, ChangelogFollow, Error, Follow};

use super::World;
use crate::model::Told;
use crate::op::{Changelog, Slot, Spot};
use crate::oracle::{
    Check, Kind, Next, Stop, brief, changelog_filter, fail, next_told, same, same_entry,
};

/// Somebody who follows the changelog.
pub(super) struct HeldFollow {
    pub(super) follow: ChangelogFollow,
    /// Where that began.
    spot: Spot,
    /// What was told so far.
    told: usize,
}

impl World {
    pub(super) fn hold_follow(&mut self, slot: Slot, spot: Spot) -> Check {
        let excuses = self.excuses();
        let least = self.bounds.durable.head;
        let Some(session) = &mut self.session else { return Ok(()) };
        if session.changelog == Changelog::Off || session.read_only {
            return Ok(());
        }
        let filter = changelog_filter(spot.filter).0;
        let cursor = ChangelogCursor::at(spot.seq, spot.index);
        let how = Follow::new().filter(filter).timeout(Duration::ZERO);
        match session.db.follow(cursor, how) {
            Err(Error::ReadSeqFuture { .. }) if spot.seq > least => Ok(()),
            result => {
                let follow = excuses.take("follow", result)?;
                session.follows.insert(slot, HeldFollow { follow, spot, told: 0 });
                Ok(())
            }
        }
    }

    pub(super) fn read_follow(&mut self, slot: Slot, count: u32) -> Check {
        for _ in 0..count {
            match self.follow_on(slot) {
                Ok(true) => {}
                ended => {
                    if let (Err(Stop::Excused), Some(session)) = (&ended, &mut self.session) {
                        session.follows.remove(&slot);
                    }
                    return ended.map(drop);
                }
            }
        }
        Ok(())
    }

    /// Takes what comes next; whether there was something, and there may be more.
    fn follow_on(&mut self, slot: Slot) -> Check<bool> {
        let label = "a follower";
        let excuses = self.excuses();
        let (model, least) = (&self.model, self.bounds.durable.head);
        let Some(session) = &mut self.session else { return Ok(false) };
        let Some(held) = session.follows.get_mut(&slot) else { return Ok(false) };
        let next = held.follow.next();
        let known = (model, model.story().starts());
        let expected = next_told(known, held.spot, held.told, model.head());
        if excuses.damaged() {
            return Ok(false);
        }
        match (next, expected) {
            (_, Next::Unknown) | (None, Next::End) => Ok(false),
            (Some(Ok(entry)), Next::Is(wanted)) => {
                self.bounds.show(entry.seq, true);
                same_entry(label, entry, &wanted, &self.model)?;
                held.told += 1;
                Ok(true)
            }
            (Some(Err(Error::ChangelogGap { first, last })), Next::Is(wanted)) => {
                same("gap that a follower is told", &Told::Gap(first, last), &wanted)?;
                self.drop_follow(slot);
                Ok(false)
            }
            (Some(Err(Error::ChangelogTruncated { oldest })), Next::Truncated(wanted)) => {
                same("oldest entry that a follower is told", &oldest, &wanted)?;
                self.drop_follow(slot);
                Ok(false)
            }
            (Some(Err(error)), _) => Err(excuses.stop(label, &error)),
            (Some(Ok(entry)), wanted) => {
                fail(Kind::Wrong, label, format!("{}, expected {}", brief(&entry), brief(&wanted)))
            }
            // A commit is told whole.
            (None, Next::Is(Told::Entry(entry)))
                if entry.seq > least
                    && (entry.index == 0 || held.told == 0 || held.spot.filter > 0) =>
            {
                Ok(false)
            }
            (None, wanted) => {
                fail(Kind::Lost, label, format!("nothing, expected {}", brief(&wanted)))
            }
        }
    }

    pub(super) fn drop_follow(&mut self, slot: Slot) {
        if let Some(session) = &mut self.session {
            drop(session.follows.remove(&slot));
        }
    }
}
