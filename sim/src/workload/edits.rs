//! Draws edits and the data in them.

use super::{Activity, Generator};
use crate::op::{Edit, Key, Pos, Value};
use crate::random::Random;

impl Generator {
    pub(super) fn edits(&mut self) -> Vec<Edit> {
        let count = *self.random.pick(&[1, 1, 1, 2, 3, 6]);
        (0..count).map(|_| self.edit()).collect()
    }

    pub(super) fn edit(&mut self) -> Edit {
        let kinds = [
            Activity::Raw,
            Activity::Cells,
            Activity::Facets,
            Activity::Edges,
            Activity::Seams,
            Activity::Deletes,
            Activity::Overflow,
            Activity::Bulk,
            Activity::Notes,
            Activity::Refused,
        ];
        let weights = self.profile.weights[..kinds.len()].to_vec();
        let kind = self.random.weighted(weights.into_iter()).map_or(Activity::Raw, |n| kinds[n]);
        match kind {
            Activity::Cells if self.random.percent(25) => Edit::Retag(self.pos(), self.value()),
            Activity::Cells => Edit::PutCell(self.pos(), self.value()),
            Activity::Facets => self.facet(),
            Activity::Edges => self.edge(),
            Activity::Seams => self.seam(),
            Activity::Deletes => self.delete(),
            Activity::Overflow => {
                let max = self.profile.setup.max_value_bytes;
                let value = Value { len: self.random.small(max + 1), ..self.value() };
                Edit::Put(self.key(), value)
            }
            Activity::Bulk => self.bulk(),
            Activity::Notes if self.random.percent(50) => Edit::Note(self.random.small(60)),
            Activity::Notes => {
                Edit::Time(1_704_067_200_000_000_000 + self.random.below(1 << 42).cast_signed())
            }
            Activity::Refused => self.too_large(),
            _ => Edit::Put(self.key(), self.value()),
        }
    }

    fn delete(&mut self) -> Edit {
        let families = [Activity::Raw, Activity::Cells, Activity::Facets, Activity::Edges];
        let there: Vec<_> = families.into_iter().filter(|family| self.has(*family)).collect();
        match there.get(self.random.small(4) as usize) {
            Some(Activity::Cells) => Edit::DeleteCell(self.pos()),
            Some(Activity::Facets) => Edit::DeleteFacet(self.pos(), self.facet_id()),
            Some(Activity::Edges) => Edit::DeleteEdge(self.pos(), self.pos(), self.relation()),
            _ => Edit::Delete(self.key()),
        }
    }

    fn facet_id(&mut self) -> u8 {
        *self.random.pick(&[0, 0, 1, 1, 2, 5])
    }

    fn facet(&mut self) -> Edit {
        let (pos, id) = (self.pos(), self.facet_id());
        if self.random.percent(40) {
            return Edit::UpdateFacet(pos, id, self.value());
        }
        Edit::PutFacet(pos, id, self.value())
    }

    /// One of a few relation types: empty, short, long.
    fn relation(&mut self) -> Key {
        let long = "x".repeat(40);
        Key::from(*self.random.pick(&["", "a", "a", "ab", "b", &long]))
    }

    fn edge(&mut self) -> Edit {
        let (from, to, relation) = (self.pos(), self.pos(), self.relation());
        if self.random.percent(35) {
            return Edit::Link(from, to, relation, self.value());
        }
        Edit::PutEdge(from, to, relation, self.value())
    }

    fn seam(&mut self) -> Edit {
        let (a, b, value) = (self.pos(), self.pos(), self.value());
        match self.random.small(10) {
            0..=2 => Edit::PutSeam(self.random.small(8), a, b, value),
            3 | 4 => Edit::Conflict(a, b, value),
            5..=7 => Edit::Supersede(a, b, value),
            _ => Edit::Resolve(self.random.small(20), value),
        }
    }

    fn bulk(&mut self) -> Edit {
        let stem = Key::from(*self.random.pick(&["k", "bulk_", "z"]));
        let (from, count) = (self.random.small(40), 5 + self.random.small(120));
        if self.has(Activity::Deletes) && self.random.percent(40) {
            return Edit::Clear { stem, from, count };
        }
        let len = self.random.small(*self.random.clone().pick(&[30, 200]));
        Edit::Fill { stem, from, count, value: Value { len, ..self.value() } }
    }

    fn too_large(&mut self) -> Edit {
        let max = self.profile.setup.max_value_bytes;
        let value = Value { len: max + 1 + self.random.small(100), ..self.value() };
        match self.random.small(7) {
            4 => Edit::PutEdge(self.pos(), self.pos(), Key(vec![b'r'; 256]), self.value()),
            5 => Edit::PutFacet(self.pos(), 0, value),
            6 => Edit::PutSeam(self.random.small(8), self.pos(), self.pos(), value),
            0 => Edit::Put(Key(vec![b'k'; 1025 + self.random.small(9) as usize]), self.value()),
            1 => Edit::PutCell(self.pos(), value),
            2 => Edit::Note(4097),
            _ => Edit::Put(self.key(), value),
        }
    }

    /// Keys of several shapes: short, with a long common prefix, prefixes of one another, with
    /// zeros and high bytes, empty.
    pub(super) fn key(&mut self) -> Key {
        let number = self.random.small(self.profile.keys);
        let longest = (self.profile.setup.page_bytes / 8).min(900) as usize;
        match number % 16 {
            13 => {
                let mut bytes = vec![b'p'; longest.saturating_sub(8)];
                bytes.extend(format!("{number}").bytes());
                Key(bytes)
            }
            14 => Key([0, 255, 0].repeat(1 + number as usize % 5)),
            15 => Key(b"kkkkkkkk"[..number as usize / 16 % 8].to_vec()),
            _ => Key(format!("k{number}").into_bytes()),
        }
    }

    pub(super) fn pos(&mut self) -> Pos {
        let reach = 1 + self.profile.keys / 4;
        let near =
            |random: &mut Random| random.small(2 * reach).cast_signed() - reach.cast_signed();
        let mut pos = Pos { q: near(&mut self.random), r: near(&mut self.random) };
        if self.random.percent(5) {
            pos.q *= 3_000;
        }
        pos
    }

    /// A value that fits a leaf; each has its own seed.
    pub(super) fn value(&mut self) -> Value {
        self.values += 1;
        let page = self.profile.setup.page_bytes;
        let quarter = (page / 4).min(self.profile.setup.max_value_bytes - 200);
        let bound = *self.random.pick(&[1, 12, 40, 40, 100, quarter]);
        Value { seed: self.values, len: self.random.small(bound + 1) }
    }
}
