//! A sync that fails once is not made good by one that succeeds.

use hexxladb_vfs::sim::{Effect, FaultKind, SimVfs, Target, is_injected, is_stopped};
use hexxladb_vfs::{FileExt, Op};

use super::{A, after_cut, durable_file, in_cache, on_disk, plan};

/// A file `old` with `new` written over it, and a sync that failed.
fn failed(effect: Effect) -> (SimVfs, std::sync::Arc<dyn hexxladb_vfs::File>) {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"old");
    file.write_all_at(0, b"new").unwrap();
    plan(&vfs, Target::Sync, effect);
    let error = file.sync_data().unwrap_err();
    assert_eq!((error.op(), error.path()), (Op::SyncData, A.as_ref()));
    assert!(is_injected(&error) && !is_stopped(&error));
    (vfs, file)
}

#[test]
fn the_next_sync_says_ok_and_covers_nothing_before_it() {
    let effects = [Effect::Eio, Effect::EioKeep { seed: 0 }, Effect::EioRevert { seed: 0 }];
    for effect in effects {
        let (vfs, file) = failed(effect);
        file.sync_data().unwrap();
        file.sync_all().unwrap();
        assert!(vfs.pending().is_empty());
        assert_eq!(after_cut(&vfs, "-", A).unwrap(), b"old");
        vfs.power_cut_with(&vfs.pending().all());
        assert_eq!(on_disk(&vfs, A).unwrap(), b"old");
    }
}

#[test]
fn one_profile_keeps_the_bytes_in_the_cache_and_one_reverts() {
    let (vfs, file) = failed(Effect::EioKeep { seed: 0 });
    assert_eq!(in_cache(&*file), b"new");
    assert_eq!(vfs.fired().count(FaultKind::SyncKeep), 1);
    vfs.kill();
    assert_eq!(in_cache(&*super::open(&vfs, A)), b"new", "and a new process believes them");
    let (vfs, file) = failed(Effect::EioRevert { seed: 0 });
    assert_eq!(in_cache(&*file), b"old");
    assert_eq!(vfs.fired().count(FaultKind::SyncRevert), 1);
}

#[test]
fn what_a_failed_sync_left_in_the_cache_is_not_pending() {
    let (vfs, file) = failed(Effect::EioKeep { seed: 0 });
    assert!(vfs.pending().is_empty());
    vfs.power_cut_with(&"f0:0=1".parse().unwrap());
    drop(file);
    assert_eq!(in_cache(&*super::open(&vfs, A)), b"old");
}

#[test]
fn writing_again_makes_it_good() {
    let (vfs, file) = failed(Effect::EioKeep { seed: 0 });
    file.write_all_at(0, b"new").unwrap();
    file.sync_data().unwrap();
    assert_eq!(after_cut(&vfs, "-", A).unwrap(), b"new");
}

#[test]
fn other_sectors_written_later_do_not_bring_the_lost_ones_back() {
    let (vfs, file) = failed(Effect::EioKeep { seed: 0 });
    file.write_all_at(5000, b"later").unwrap();
    file.sync_data().unwrap();
    let bytes = after_cut(&vfs, "-", A).unwrap();
    assert_eq!((&bytes[..3], &bytes[5000..]), (&b"old"[..], &b"later"[..]));
    assert_eq!(&in_cache(&*file)[..3], b"new");
}

#[test]
fn some_sectors_may_have_been_written_all_the_same() {
    let mut written = std::collections::BTreeSet::new();
    for seed in 1..60 {
        let vfs = SimVfs::new(1);
        let file = durable_file(&vfs, A, &[0; 1024]);
        file.write_all_at(0, &[1; 1024]).unwrap();
        plan(&vfs, Target::Sync, Effect::EioRevert { seed });
        file.sync_data().unwrap_err();
        let bytes = on_disk(&vfs, A).unwrap();
        assert_eq!(in_cache(&*file), bytes);
        written.insert((bytes[0], bytes[512]));
    }
    assert_eq!(written.len(), 4);
}

#[test]
fn a_length_that_a_failed_sync_left_behind_stays_open() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"");
    file.write_all_at(0, &[1; 600]).unwrap();
    plan(&vfs, Target::Sync, Effect::EioKeep { seed: 0 });
    file.sync_data().unwrap_err();
    assert_eq!(in_cache(&*file), [1; 600]);
    file.sync_data().unwrap();
    assert_eq!(after_cut(&vfs, "-", A).unwrap(), b"", "there were no bytes to make readable");
    file.sync_all().unwrap();
    assert_eq!(after_cut(&vfs, "-", A).unwrap(), [0; 600], "the length is, the bytes are not");
}

#[test]
fn a_reverting_sync_keeps_a_cut() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, &[1; 2048]);
    file.set_len(100).unwrap();
    file.write_all_at(1024, &[2; 512]).unwrap();
    plan(&vfs, Target::Sync, Effect::EioRevert { seed: 0 });
    file.sync_data().unwrap_err();
    let bytes = in_cache(&*file);
    assert_eq!(bytes.len(), 1536);
    assert_eq!(bytes[..100], [1; 100]);
    assert!(bytes[100..].iter().all(|&byte| byte == 0), "what was cut off does not come back");
}
