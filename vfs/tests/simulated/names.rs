//! What a power cut leaves of directory entries.

use std::path::{Path, PathBuf};

use hexxladb_vfs::sim::SimVfs;
use hexxladb_vfs::{FileExt, Vfs};

use super::{A, B, after_cut, durable_file, in_cache, on_disk, open};

fn rename(vfs: &SimVfs, from: &str, to: &str) {
    vfs.rename(Path::new(from), Path::new(to)).unwrap();
}

#[test]
fn a_new_file_vanishes_unless_its_directory_is_synced() {
    let vfs = SimVfs::new(1);
    let file = open(&vfs, A);
    file.write_all_at(0, b"synced").unwrap();
    file.sync_all().unwrap();
    assert_eq!(after_cut(&vfs, "-", A), None, "syncing a file does not sync its name");
    assert_eq!(after_cut(&vfs, "n0", A).unwrap(), b"synced");
    vfs.sync_dir(Path::new("/")).unwrap();
    assert_eq!(after_cut(&vfs, "-", A), None, "another directory");
    vfs.sync_dir(Path::new("/dir")).unwrap();
    assert_eq!(after_cut(&vfs, "-", A).unwrap(), b"synced");
}

#[test]
fn a_removed_file_may_come_back_with_its_bytes() {
    let vfs = SimVfs::new(1);
    drop(durable_file(&vfs, A, b"bytes"));
    vfs.remove(Path::new(A)).unwrap();
    assert_eq!(after_cut(&vfs, "-", A).unwrap(), b"bytes");
    assert_eq!(after_cut(&vfs, "n0", A), None);
    vfs.sync_dir(Path::new("/dir")).unwrap();
    assert_eq!(after_cut(&vfs, "-", A), None);
}

/// The usual way to replace a file: write another, sync it, rename it over, sync the directory.
#[test]
fn a_replacement_is_old_or_new_and_never_neither() {
    let vfs = SimVfs::new(1);
    durable_file(&vfs, A, b"old");
    let temporary = open(&vfs, B);
    temporary.write_all_at(0, b"new").unwrap();
    temporary.sync_all().unwrap();
    rename(&vfs, B, A);
    let mut found = Vec::new();
    for choice in vfs.pending().states(0, 0) {
        let fork = vfs.fork();
        fork.power_cut_with(&choice);
        found.push(on_disk(&fork, A).unwrap());
        assert!(fork.files().len() <= 2);
    }
    found.sort();
    assert_eq!(found, [&b"new"[..], b"new", b"old", b"old"]);
    vfs.sync_dir(Path::new("/dir")).unwrap();
    assert_eq!(after_cut(&vfs, "-", A).unwrap(), b"new");
    assert_eq!(after_cut(&vfs, "-", B), None);
}

/// The bug of many programs: the rename survives, the bytes do not.
#[test]
fn a_rename_may_be_durable_before_the_bytes_of_its_file() {
    let vfs = SimVfs::new(1);
    durable_file(&vfs, A, b"old");
    let temporary = open(&vfs, B);
    temporary.write_all_at(0, b"new").unwrap();
    rename(&vfs, B, A);
    vfs.sync_dir(Path::new("/dir")).unwrap();
    assert_eq!(after_cut(&vfs, "-", A).unwrap(), b"");
    assert_eq!(after_cut(&vfs, "f1:len=3", A).unwrap(), b"\0\0\0");
}

#[test]
fn changes_survive_out_of_order() {
    let vfs = SimVfs::new(1);
    open(&vfs, A);
    open(&vfs, B);
    let fork = vfs.fork();
    fork.power_cut_with(&"n1".parse().unwrap());
    assert_eq!(fork.files(), [PathBuf::from(B)]);
}

#[test]
fn a_chain_of_renames_leaves_the_file_with_one_name() {
    let vfs = SimVfs::new(1);
    durable_file(&vfs, A, b"bytes");
    rename(&vfs, A, B);
    rename(&vfs, B, "/dir/c");
    for (choice, name) in [("-", A), ("n0", B), ("n1", "/dir/c"), ("n0 n1", "/dir/c")] {
        let fork = vfs.fork();
        fork.power_cut_with(&choice.parse().unwrap());
        assert_eq!(fork.files(), [PathBuf::from(name)], "{choice}");
    }
}

#[test]
fn a_file_made_again_under_its_name_is_another_file() {
    let vfs = SimVfs::new(1);
    durable_file(&vfs, A, b"old");
    vfs.remove(Path::new(A)).unwrap();
    let new = open(&vfs, A);
    new.write_all_at(0, b"new").unwrap();
    new.sync_all().unwrap();
    assert_eq!(after_cut(&vfs, "-", A).unwrap(), b"old");
    assert_eq!(after_cut(&vfs, "n1", A).unwrap(), b"new");
    assert_eq!(after_cut(&vfs, "n0", A), None);
    assert_eq!(after_cut(&vfs, "n0 n1", A).unwrap(), b"new");
    assert_eq!(in_cache(&*new), b"new");
}
