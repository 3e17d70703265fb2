//! Files of any bytes, or a small database with some bytes changed: opened, read, written.

#![no_main]

use hexxladb_fuzz as _;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| hexxladb::fuzzing::open(data));
