//! What the targets share: a bound on memory, and changing inputs of `ops` by whole operations.
//!
//! Always: a target that asks for more than [`MAX_MEMORY_BYTES`] fails, however short its input.
//! An allocation whose size comes unchecked from a file would not be seen otherwise, as long as
//! its pages are not touched.

use std::alloc::System;

use arbitrary::{Arbitrary, Result, Unstructured};
use cap::Cap;
use hexxladb::fuzzing::{OP_BYTES, OP_KINDS};

/// Most bytes that the Rust side of a target may hold at once.
pub const MAX_MEMORY_BYTES: usize = 64 << 20;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, MAX_MEMORY_BYTES);

/// Bytes of an input of `ops` before its operations.
const CHOICE_BYTES: usize = 1;

/// An operation of the target `ops`: every kind as likely as any other, few keys, lengths near the
/// bounds where the engine changes its mind.
struct Operation([u8; OP_BYTES]);

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let mut bytes: [u8; OP_BYTES] = input.arbitrary()?;
        bytes[0] = input.int_in_range(0..=OP_KINDS - 1)?;
        if input.ratio(1, 2)? {
            bytes[1] %= 24;
        }
        let len: u16 = *input.choose(&[0, 1, 40, 120, 128, 448, 900, 4095, 4096, 4097])?;
        if input.ratio(1, 2)? {
            bytes[2..4].copy_from_slice(&len.to_le_bytes());
        }
        Ok(Self(bytes))
    }
}

/// What is done to a list of operations.
#[derive(Arbitrary)]
enum Change {
    Insert,
    Replace,
    Remove,
    Repeat,
    Swap,
}

/// Changes an input of `ops` of `size` bytes by one operation; returns its new size.
///
/// `random` decides what is done; where it is used up nothing is.
pub fn mutate_ops(data: &mut [u8], size: usize, random: &[u8]) -> usize {
    let mut input = Unstructured::new(random);
    try_mutate(data, size, &mut input).unwrap_or(size)
}

fn try_mutate(data: &mut [u8], size: usize, input: &mut Unstructured<'_>) -> Result<usize> {
    let count = size.saturating_sub(CHOICE_BYTES) / OP_BYTES;
    let place = |index: usize| CHOICE_BYTES + index * OP_BYTES;
    if size < CHOICE_BYTES || place(count + 1) > data.len() {
        return Ok(size);
    }
    let at = place(input.int_in_range(0..=count)?);
    let other = place(input.int_in_range(0..=count)?);
    let end = place(count);
    let is_there = at < end && other < end;
    let Operation(operation) = input.arbitrary()?;
    match input.arbitrary()? {
        Change::Replace if is_there => data[at..at + OP_BYTES].copy_from_slice(&operation),
        Change::Remove if is_there => {
            data.copy_within(at + OP_BYTES..end, at);
            return Ok(end - OP_BYTES);
        }
        Change::Swap if is_there => {
            for byte in 0..OP_BYTES {
                data.swap(at + byte, other + byte);
            }
        }
        change => {
            let mut inserted = operation;
            if matches!(change, Change::Repeat) && is_there {
                inserted.copy_from_slice(&data[other..other + OP_BYTES]);
            }
            data.copy_within(at..end, at + OP_BYTES);
            data[at..at + OP_BYTES].copy_from_slice(&inserted);
            return Ok(end + OP_BYTES);
        }
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random; the same in every run.
    fn random(seed: u64) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..64).map(next).collect()
    }

    #[test]
    fn an_input_stays_whole_operations_and_changes_by_one_at_most() {
        let mut data = vec![0; CHOICE_BYTES + 20 * OP_BYTES];
        let mut size = CHOICE_BYTES;
        let mut sizes = std::collections::BTreeSet::new();
        for seed in 0..2000 {
            let before = data[..size].to_vec();
            let new = mutate_ops(&mut data, size, &random(seed));
            assert!(new <= data.len() && (new - CHOICE_BYTES).is_multiple_of(OP_BYTES));
            assert!(new.abs_diff(size) <= OP_BYTES);
            assert_eq!(data[0], before[0]);
            sizes.insert(new);
            size = new;
        }
        assert!(sizes.len() > 10, "{sizes:?}");
    }

    #[test]
    fn without_random_bytes_nothing_is_done_beyond_the_buffer() {
        let mut data = [1, 2, 3];
        assert_eq!(mutate_ops(&mut data, 3, &[]), 3);
        assert_eq!(data, [1, 2, 3]);
    }
}
