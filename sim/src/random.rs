//! Random choices of a campaign: one `ChaCha8` stream for each seed.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A stream of choices.
#[derive(Clone, Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut key = *b"hexxladb simulator: plan by seed";
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Any number.
    pub fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(bound)) >> 64) as u64
    }

    /// Uniform below a bound that fits 32 bits.
    pub fn small(&mut self, bound: u32) -> u32 {
        self.below(u64::from(bound)) as u32
    }

    /// True so many times of 100.
    pub fn percent(&mut self, chance: u32) -> bool {
        self.small(100) < chance
    }

    /// One of several.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// The index of a weight, in proportion to the weights; `None` when all are 0.
    pub fn weighted(&mut self, weights: impl Iterator<Item = u32> + Clone) -> Option<usize> {
        let total: u64 = weights.clone().map(u64::from).sum();
        let mut left = self.below(total);
        weights.enumerate().find_map(|(index, weight)| {
            let weight = u64::from(weight);
            if left < weight {
                return Some(index);
            }
            left -= weight;
            None
        })
    }
}
