//! Which images of the disk were recovered, and what was found of them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::Point;
use crate::oracle::{Bounds, Shown, judge};

/// Tables, so that two threads seldom meet.
const SHARDS: usize = 64;

/// What a recovery found, and the history hash at its head.
type Recovered = (Shown, [u8; 16]);

/// Images by their hash.
#[derive(Debug)]
pub(super) struct Seen([Mutex<BTreeMap<u128, Recovered>>; SHARDS]);

impl Seen {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(BTreeMap::new())))
    }

    /// Enters what was found of an image.
    pub(super) fn enter(&self, hash: u128, point: &Point, found: &Shown) {
        if let Ok(mut table) = self.0[hash as usize % SHARDS].lock() {
            table.insert(hash, (found.clone(), point.model.hash_at(found.head)));
        }
    }

    /// Whether an equal image was recovered and what was found is right here, too.
    pub(super) fn covers(
        &self,
        hash: u128,
        point: &Point,
        bounds: Bounds,
        exactly: Option<&Shown>,
    ) -> bool {
        let Ok(table) = self.0[hash as usize % SHARDS].lock() else { return false };
        table.get(&hash).is_some_and(|(found, history)| {
            judge(found, &point.model, bounds.shown, "an image seen before").is_ok()
                && exactly.is_none_or(|exactly| exactly == found)
                && point.model.hash_at(found.head) == *history
        })
    }
}
