//! The simulated disk is as unkind as the contract allows, and always in the same way.

mod crash_points;
mod cuts;
mod determinism;
mod edits;
mod enumeration;
mod errors;
mod media;
mod model;
mod names;
mod plans;
mod space_and_time;
mod sync_failures;

use std::path::Path;
use std::sync::Arc;

use hexxladb_vfs::sim::{Effect, Fault, FaultPlan, SimVfs, Target};
use hexxladb_vfs::{File, FileExt, OpenMode, Vfs};

const A: &str = "/dir/a";
const B: &str = "/dir/b";

fn open(vfs: &SimVfs, path: &str) -> Arc<dyn File> {
    vfs.open(Path::new(path), OpenMode::Create).unwrap()
}

/// A file that is wholly durable, name and bytes.
fn durable_file(vfs: &SimVfs, path: &str, bytes: &[u8]) -> Arc<dyn File> {
    let file = open(vfs, path);
    file.write_all_at(0, bytes).unwrap();
    file.sync_all().unwrap();
    vfs.sync_dir(Path::new("/dir")).unwrap();
    file
}

fn on_disk(vfs: &SimVfs, path: &str) -> Option<Vec<u8>> {
    vfs.read_file(Path::new(path))
}

/// What a read finds now.
fn in_cache(file: &dyn File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_exact_at(0, &mut bytes).unwrap();
    bytes
}

/// What the disk holds of a file after a power cut that leaves `choice`.
fn after_cut(vfs: &SimVfs, choice: &str, path: &str) -> Option<Vec<u8>> {
    let fork = vfs.fork();
    fork.power_cut_with(&choice.parse().unwrap());
    on_disk(&fork, path)
}

/// Lets one fault happen at the next operation of its target.
fn plan(vfs: &SimVfs, on: Target, effect: Effect) {
    vfs.set_plan(FaultPlan(vec![Fault { at: vfs.ops(), on, effect }]));
}
