//! A commit's payload: its prefix and its stream of changes.

#![no_main]

use hexxladb_fuzz as _;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| hexxladb::fuzzing::redo(data));
