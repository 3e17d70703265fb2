//! Files of the changelog: reading is in order and true, damage is told, a repair leaves what reads.

#![no_main]

use hexxladb_fuzz as _;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| hexxladb::fuzzing::changelog(data));
