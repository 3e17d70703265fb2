//! All randomness of the simulated world: `ChaCha8` streams of one seed.
//!
//! Each purpose has its own stream, so that drawing for one never shifts another.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// What a stream is drawn for.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Entropy = 1,
    Swarm = 2,
    Crash = 3,
    States = 4,
}

#[derive(Clone, Debug)]
pub(super) struct Random(ChaCha8Rng);

impl Random {
    pub(super) fn new(seed: u64, stream: Stream) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8] = stream as u8;
        Self(ChaCha8Rng::from_seed(key))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0..bound` (0 for a bound of 0), up to a bias of `bound` / 2^64.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    pub(super) fn below_u32(&mut self, bound: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    pub(super) fn fill(&mut self, buf: &mut [u8]) {
        self.0.fill_bytes(buf);
    }
}

/// One pseudo-random word that depends on its arguments alone.
pub(super) fn mix(a: u64, b: u64, c: u64) -> u64 {
    let mut words = [0; 24];
    words[..8].copy_from_slice(&a.to_le_bytes());
    words[8..16].copy_from_slice(&b.to_le_bytes());
    words[16..].copy_from_slice(&c.to_le_bytes());
    xxhash_rust::xxh3::xxh3_64(&words)
}
