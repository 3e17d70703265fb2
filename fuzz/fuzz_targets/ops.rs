//! A database in use, through closes, kills and power cuts, beside plain maps.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|data: &[u8]| hexxladb::fuzzing::ops(data));

// Half of the changes are libFuzzer's own; the other half keeps operations whole.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed & 1 == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    let mut state = seed;
    let random: [u8; 64] = std::array::from_fn(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    hexxladb_fuzz::mutate_ops(&mut data[..max_size], size, &random)
});
