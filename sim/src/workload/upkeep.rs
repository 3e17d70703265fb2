//! Draws tags, pruning and what holds the floor.

use hexxladb::PruneProfile;

use super::{Generator, free_slot};
use crate::op::{Before, Key, Op, Open};
use crate::runner::View;

impl Generator {
    /// One of a few names.
    pub(super) fn tag_name(&mut self) -> Key {
        Key::from(*self.random.pick(&["t", "t", "tag", "u", "a_long_name_of_a_tag"]))
    }

    pub(super) fn tags(&mut self, view: &View) -> Op {
        if !view.tags.is_empty() && self.random.percent(40) {
            return Op::Untag(self.random.pick(&view.tags).clone());
        }
        let seq = match self.random.small(10) {
            0..=4 => None,
            5 => Some(self.random.below(view.head + 2)),
            6 => Some(view.floor.saturating_sub(self.random.below(2))),
            _ => Some(view.floor + self.random.below(view.head + 1 - view.floor.min(view.head))),
        };
        let name = if self.random.percent(3) { Key::default() } else { self.tag_name() };
        Op::Tag(name, seq)
    }

    pub(super) fn prune(&mut self, view: &View) -> Op {
        // Mostly near to where the floor is, so that there is something left to prune later on.
        let above = view.head.saturating_sub(view.floor);
        let seq = match self.random.small(12) {
            0 => view.head + self.random.below(2),
            1 => self.random.below(view.head + 2),
            2..=4 => view.floor,
            5 => view.head,
            _ => view.floor + self.random.below(above / 2 + 2).min(above),
        };
        let rows = *self.random.pick(&[1, 1, 2, 3, 7, 30, 1000, 1000]);
        match self.random.small(20) {
            0 => Op::Prune(Before::Seq(seq), 0),
            1..=3 => {
                let back = self.random.below(*self.random.clone().pick(&[10, 2_000_000_000]));
                Op::Prune(Before::Time(view.clock_nanos - back.cast_signed()), rows)
            }
            4..=7 => {
                let profiles =
                    [PruneProfile::LowLatency, PruneProfile::Balanced, PruneProfile::LongHistory];
                Op::PruneBy(*self.random.pick(&profiles), self.random.percent(50))
            }
            _ => Op::Prune(Before::Seq(seq), rows),
        }
    }

    /// A retention policy.
    pub(super) fn policy(&mut self, open: &mut Open) {
        if self.random.percent(70) {
            open.keep_commits = Some(*self.random.pick(&[0, 1, 2, 5, 20]));
        }
        if self.random.percent(40) {
            open.keep_nanos = Some(*self.random.pick(&[0, 1, 1_000, 1_000_000_000, u64::MAX]));
        }
    }

    pub(super) fn differences(&mut self, view: &View) -> Op {
        if view.diffs.is_empty() || self.random.percent(25) {
            let seq = |generator: &mut Self| {
                let above = view.head.saturating_sub(view.floor) + 1;
                match generator.random.small(8) {
                    0 => 0,
                    1 => generator.random.below(view.head + 2),
                    _ => view.floor + generator.random.below(above),
                }
            };
            return Op::HoldDiff(free_slot(&view.diffs) % 3, seq(self), seq(self));
        }
        let slot = *self.random.pick(&view.diffs);
        if self.random.percent(75) {
            return Op::ReadDiff(slot, 1 + self.random.small(4));
        }
        Op::DropDiff(slot)
    }
}
