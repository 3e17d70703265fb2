//! Draws reads.

use super::{Generator, free_slot};
use crate::op::{Act, Index, Key, Op, Read, Spot, Way};
use crate::runner::View;

impl Generator {
    pub(super) fn read_newest(&mut self) -> Read {
        let limit = 1 + self.random.small(5);
        match self.random.small(15) {
            8 => Read::Facets(self.pos()),
            9 => Read::Edges(self.pos()),
            10 => Read::Seams(self.pos()),
            11 | 12 => self.read_index(limit),
            13 => Read::Ring {
                center: self.pos(),
                radius: self.random.small(4),
                valid_at: self.random.percent(50).then(|| self.instant()),
                facet: self.random.percent(30).then(|| self.random.small(6) as u8),
            },
            14 => {
                let filter = self.random.percent(60).then(|| self.random.small(256));
                Read::FindSeams(self.pos(), self.random.small(4), filter.unwrap_or(0))
            }
            0 => Read::All,
            1 => Read::GetCell(self.pos()),
            2 | 3 => Read::Range { from: self.key(), to: self.key(), limit },
            4 => Read::Prefix(Key(b"k".to_vec())),
            5 => Read::Cells { from: self.pos(), to: self.pos(), limit },
            _ => Read::Get(self.key()),
        }
    }

    pub(super) fn read_past(&mut self, view: &View) -> Read {
        let seq = self.random.below(view.head + 2);
        match self.random.small(11) {
            7 | 8 => Read::HistoryNth(self.random.small(1000)),
            9 => Read::Diff(seq, self.random.below(view.head + 1)),
            10 => Read::Tag(self.tag_name()),
            0 => Read::Time(view.clock_nanos - self.random.below(2_000_000_000).cast_signed()),
            1 => Read::History(self.key()),
            2 => Read::HistoryCell(self.pos()),
            3 => Read::Commits(seq, seq + self.random.below(4)),
            4 => Read::Stats,
            _ => Read::At(seq),
        }
    }

    fn read_index(&mut self, limit: u32) -> Read {
        let (index, _) = *self.random.pick(&Index::ALL);
        let ends: &[&str] = match index {
            Index::CellTag => &["-", "tag0", "tag1", "tag2", "tag3"],
            Index::CellSource | Index::SeamSource => &["-", "source", "source-1", "source-2", "t"],
            Index::CellWeek | Index::SeamWeek => &["0", "1", "2", "3", "4"],
        };
        let end = |generator: &mut Self| {
            let end = *generator.random.pick(ends);
            if end == "-" { Key::default() } else { Key::from(end) }
        };
        if self.random.percent(30) {
            return Read::IndexPrefix(index, end(self));
        }
        Read::Index { index, from: end(self), to: end(self), limit }
    }

    /// Mostly near to the end of the changelog, so that what is new is read.
    fn spot(&mut self, view: &View) -> Spot {
        let seq = match self.random.small(8) {
            0 | 1 => 0,
            2..=4 => self.random.below(view.head + 3),
            _ => (view.head + 2).saturating_sub(self.random.below(5)),
        };
        let filter = if self.random.percent(50) { self.random.small(512) } else { 0 };
        let index = if self.random.percent(70) { 0 } else { self.random.small(4) };
        Spot { seq, index, filter }
    }

    /// Reads of the changelog, and followers that are held.
    pub(super) fn changelog(&mut self, view: &View) -> Op {
        if !view.follows.is_empty() && self.random.percent(65) {
            let slot = *self.random.pick(&view.follows);
            if self.random.percent(95) {
                return Op::ReadFollow(slot, 1 + self.random.small(20));
            }
            return Op::DropFollow(slot);
        }
        if self.random.percent(35) {
            return Op::HoldFollow(free_slot(&view.follows) % 3, self.spot(view));
        }
        if self.random.percent(35) {
            let act = match self.random.small(8) {
                0 | 1 => Act::Register,
                2..=4 => Act::Advance(self.random.below(view.head + 2)),
                5 => Act::Hold(true),
                6 => Act::Hold(false),
                _ => Act::Remove,
            };
            return Op::Consumer(Key::from(*self.random.pick(&["c", "c", "d"])), act);
        }
        if self.random.percent(30) {
            let cut = self.random.percent(50).then(|| self.random.below(30));
            return Op::Replicate(cut);
        }
        let (way, _) = *self.random.pick(&Way::ALL);
        Op::Read(Read::Changelog(way, self.spot(view)))
    }

    /// An instant around those that validities begin and end at.
    fn instant(&mut self) -> i64 {
        (self.random.below(6).cast_signed() - 1) * 7 * 86_400_000_000_000
    }
}
