//! The records that every engine stores: 24-byte keys, 150-byte values, made from a number.
//!
//! A key's first eight bytes are a bijection of its number, so keys are unique and counting up
//! gives them in random order. Values are pseudo-random bytes, which no engine can compress. The
//! [`Tally`] of what was read equals that of what was written only if every record came back with
//! the value it was given.

/// Bytes of a key.
pub const KEY_BYTES: usize = 24;
/// Bytes of a value.
pub const VALUE_BYTES: usize = 150;
/// Bytes of a record: what the application stores, without any engine's overhead.
pub const RECORD_BYTES: u64 = (KEY_BYTES + VALUE_BYTES) as u64;

/// A value.
pub type Value = [u8; VALUE_BYTES];

/// A key: 24 bytes, or 32 where a version's number was appended by hand.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    bytes: [u8; KEY_BYTES + 8],
    len: u8,
}

impl Key {
    /// The key of record `number`.
    pub fn of(number: u64) -> Self {
        let mut bytes = [0; KEY_BYTES + 8];
        let first = mix(number);
        let second = mix(first ^ 0x5bd1_e995_9e37_79b9);
        bytes[..8].copy_from_slice(&first.to_be_bytes());
        bytes[8..16].copy_from_slice(&second.to_be_bytes());
        bytes[16..24].copy_from_slice(&mix(second).to_be_bytes());
        Self { bytes, len: KEY_BYTES as u8 }
    }

    /// The key of zeros, which sorts before that of any record.
    pub fn zero() -> Self {
        Self { bytes: [0; KEY_BYTES + 8], len: KEY_BYTES as u8 }
    }

    /// This key with `version` appended so that newer versions sort first: what an application
    /// does by hand over a store without versions. The first key at or after it is the newest
    /// version at or below `version`.
    #[must_use]
    pub fn at_version(mut self, version: u64) -> Self {
        self.bytes[KEY_BYTES..].copy_from_slice(&(!version).to_be_bytes());
        self.len = (KEY_BYTES + 8) as u8;
        self
    }

    /// The first 24 bytes alone.
    pub fn plain(&self) -> [u8; KEY_BYTES] {
        let mut plain = [0; KEY_BYTES];
        plain.copy_from_slice(&self.bytes[..KEY_BYTES]);
        plain
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// The value of record `number` in its version `version` (0 where there is only one).
pub fn value(number: u64, version: u64) -> Value {
    let mut value = [0; VALUE_BYTES];
    let mut random = Random::new(mix(number) ^ version.wrapping_mul(0xd6e8_feb8_6659_fd93));
    for chunk in value.chunks_mut(8) {
        chunk.copy_from_slice(&random.next_u64().to_le_bytes()[..chunk.len()]);
    }
    value
}

/// Record `number` with its only version.
pub fn record(number: u64) -> (Key, Value) {
    (Key::of(number), value(number, 0))
}

/// The numbers below `count` in the order of their keys.
pub fn sorted_numbers(count: u64) -> Vec<u64> {
    let mut numbers: Vec<u64> = (0..count).collect();
    numbers.sort_unstable_by_key(|&number| mix(number));
    numbers
}

/// How many records were seen, and a sum over their keys and values in which order does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records.
    pub count: u64,
    sum: u64,
}

impl Tally {
    /// Adds a record.
    pub fn see(&mut self, key: &[u8], value: &[u8]) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(fingerprint(key, value));
    }

    /// Adds what `number` in `version` should have been.
    pub fn expect(&mut self, number: u64, version: u64) {
        self.see(Key::of(number).as_ref(), &value(number, version));
    }

    /// Adds another tally.
    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// Takes another tally away again.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self { count: self.count - other.count, sum: self.sum.wrapping_sub(other.sum) }
    }

    /// Fails unless both tallies agree.
    pub fn check(self, expected: Self, what: &str) -> crate::Result<()> {
        if self == expected {
            return Ok(());
        }
        let how = if self.count == expected.count { "other values" } else { "other records" };
        Err(format!(
            "wrong answers from {what}: {} records where {} were due ({how})",
            self.count, expected.count
        )
        .into())
    }
}

/// Ties a key to its value: the key's first and the value's first and last eight bytes.
fn fingerprint(key: &[u8], value: &[u8]) -> u64 {
    let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
    let key = key.get(..8).map_or(0, word);
    let first = value.get(..8).map_or(0, word);
    let last = value.len().checked_sub(8).map_or(0, |at| word(&value[at..]));
    let tied =
        (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ first).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    tied ^ last.wrapping_add(value.len() as u64)
}

/// A bijection of 64-bit numbers that looks random (the finalizer of `SplitMix64`).
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A small fast source of repeatable random numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        let number = mix(self.0);
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        number
    }

    /// The next number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_numbers_give_keys_in_order() {
        let numbers = sorted_numbers(5_000);
        let keys: Vec<_> = numbers.iter().map(|&n| Key::of(n).plain()).collect();
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn newer_versions_sort_first() {
        let key = Key::of(7);
        assert!(key.at_version(9).as_ref() < key.at_version(8).as_ref());
        assert!(key.as_ref() < key.at_version(u64::MAX).as_ref());
    }

    #[test]
    fn a_tally_notices_swapped_missing_and_stale_values() {
        let tally = |records: &[(u64, u64, u64)]| {
            let mut tally = Tally::default();
            for &(key, number, version) in records {
                tally.see(Key::of(key).as_ref(), &value(number, version));
            }
            tally
        };
        let right = tally(&[(1, 1, 0), (2, 2, 0)]);
        assert_eq!(right, tally(&[(2, 2, 0), (1, 1, 0)]));
        assert_ne!(right, tally(&[(1, 2, 0), (2, 1, 0)]), "swapped");
        assert_ne!(right, tally(&[(1, 1, 0)]), "missing");
        assert_ne!(right, tally(&[(1, 1, 0), (2, 2, 1)]), "stale");
        assert!(right.check(tally(&[(1, 1, 0)]), "a test").is_err());
    }
}
