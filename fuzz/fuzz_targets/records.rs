//! What rows hold: cells, keys and their order, rows of the timeline.

#![no_main]

use hexxladb_fuzz as _;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| hexxladb::fuzzing::records(data));
