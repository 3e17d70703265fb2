//! Which images of the disk were recovered, and what was found of them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::Point;
use crate::oracle::Bounds;

/// Tables, so that two threads seldom meet.
const SHARDS: usize = 64;

/// What a recovery found: the head, and the history hash at it.
type Recovered = (u64, [u8; 16]);

/// Images by their hash.
#[derive(Debug)]
pub(super) struct Seen([Mutex<BTreeMap<u128, Recovered>>; SHARDS]);

impl Seen {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(BTreeMap::new())))
    }

    /// Enters what was found of an image.
    pub(super) fn enter(&self, hash: u128, point: &Point, head: u64) {
        if let Ok(mut table) = self.0[hash as usize % SHARDS].lock() {
            table.insert(hash, (head, point.model.hash_at(head)));
        }
    }

    /// Whether an equal image was recovered and what was found is right here, too.
    pub(super) fn covers(
        &self,
        hash: u128,
        point: &Point,
        bounds: Bounds,
        exactly: Option<u64>,
    ) -> bool {
        let Ok(table) = self.0[hash as usize % SHARDS].lock() else { return false };
        table.get(&hash).is_some_and(|&(head, history)| {
            (bounds.shown..=point.model.head()).contains(&head)
                && exactly.is_none_or(|exactly| exactly == head)
                && point.model.hash_at(head) == history
        })
    }
}
