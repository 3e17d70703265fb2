//! A page of any type: what is accepted behaves, reads back, and stays sound under changes.

#![no_main]

use hexxladb_fuzz as _;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| hexxladb::fuzzing::page(data));
