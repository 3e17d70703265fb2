//! A header slot: what is decoded is encoded to the same bytes, and any flip is found.

#![no_main]

use hexxladb_fuzz as _;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| hexxladb::fuzzing::header(data));
