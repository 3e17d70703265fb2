//! The child slots of a branch, in chunks that copies of the branch share: whoever changes one
//! child copies its chunk and leaves the others alone.
//!
//! Always: every chunk but the last holds [`CHUNK`] slots, and no chunk is empty.

use std::ops::{Index, IndexMut};
use std::sync::Arc;

use super::slot::Slot;

/// Slots of a chunk: few enough to copy for one change, enough to keep the list of chunks short.
const CHUNK: usize = 16;

/// The child slots of a branch; none in a leaf.
#[derive(Clone, Debug, Default)]
pub(crate) struct Children {
    chunks: Vec<Arc<[Slot]>>,
    len: usize,
}

impl Children {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// Slots from `index` on.
    pub(crate) fn iter_from(&self, index: usize) -> impl Iterator<Item = &Slot> {
        (index..self.len).map(|at| &self[at])
    }

    pub(crate) fn insert(&mut self, index: usize, slot: Slot) {
        let mut tail = self.take_from(index);
        tail.insert(0, slot);
        self.append(tail);
    }

    pub(crate) fn remove(&mut self, index: usize) -> Slot {
        let mut tail = self.take_from(index);
        let removed = tail.remove(0);
        self.append(tail);
        removed
    }

    /// Cuts off the slots from `index` on.
    pub(crate) fn split_off(&mut self, index: usize) -> Self {
        self.take_from(index).into_iter().collect()
    }

    fn take_from(&mut self, index: usize) -> Vec<Slot> {
        let first = index / CHUNK;
        let mut slots: Vec<Slot> =
            self.chunks.drain(first..).flat_map(|chunk| chunk.to_vec()).collect();
        self.len = self.len.min(first * CHUNK);
        let tail = slots.split_off(index - self.len);
        self.append(slots);
        tail
    }

    /// Appends slots after whole chunks, or where the last one is not full, after its slots.
    fn append(&mut self, slots: Vec<Slot>) {
        let mut rest = Vec::new();
        if !self.len.is_multiple_of(CHUNK)
            && let Some(last) = self.chunks.pop()
        {
            self.len -= last.len();
            rest.extend_from_slice(&last);
        }
        rest.extend(slots);
        self.len += rest.len();
        while !rest.is_empty() {
            let after = rest.split_off(rest.len().min(CHUNK));
            self.chunks.push(rest.into());
            rest = after;
        }
    }
}

impl FromIterator<Slot> for Children {
    fn from_iter<I: IntoIterator<Item = Slot>>(slots: I) -> Self {
        let mut children = Self::default();
        children.append(slots.into_iter().collect());
        children
    }
}

impl Index<usize> for Children {
    type Output = Slot;

    #[inline]
    fn index(&self, index: usize) -> &Slot {
        &self.chunks[index / CHUNK][index % CHUNK]
    }
}

impl IndexMut<usize> for Children {
    fn index_mut(&mut self, index: usize) -> &mut Slot {
        &mut Arc::make_mut(&mut self.chunks[index / CHUNK])[index % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slot(mark: u64) -> Slot {
        let mut slot = Slot::default();
        slot.max_seq = mark;
        slot
    }

    fn marks(children: &Children) -> Vec<u64> {
        children.iter().map(|slot| slot.max_seq).collect()
    }

    proptest! {
        #[test]
        fn behaves_like_a_vector(ops in prop::collection::vec((0u8..4, any::<usize>()), 0..200)) {
            let (mut children, mut model) = (Children::default(), Vec::new());
            for (mark, (op, place)) in (0u64..).zip(ops) {
                let index = place % (model.len() + 1);
                match op {
                    0 if index < model.len() => {
                        prop_assert_eq!(children.remove(index).max_seq, model.remove(index));
                    }
                    1 if index < model.len() => {
                        let before = children.clone();
                        children[index].max_seq = mark;
                        prop_assert_eq!(marks(&before), &model[..]);
                        model[index] = mark;
                    }
                    2 if place % 16 == 0 => {
                        let tail = children.split_off(index);
                        prop_assert_eq!(marks(&tail), model.split_off(index));
                    }
                    _ => {
                        children.insert(index, slot(mark));
                        model.insert(index, mark);
                    }
                }
                prop_assert_eq!(marks(&children), &model[..]);
                prop_assert_eq!(children.len(), model.len());
                let full = |chunk: &Arc<[Slot]>| chunk.len() == CHUNK;
                prop_assert!(children.chunks.iter().rev().skip(1).all(full));
                let from = index.min(model.len());
                let tail: Vec<u64> = children.iter_from(from).map(|slot| slot.max_seq).collect();
                prop_assert_eq!(tail, &model[from..]);
            }
        }
    }
}
