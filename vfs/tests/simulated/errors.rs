//! Operations that fail, are interrupted or serve less than was asked.

use std::path::Path;

use hexxladb_vfs::sim::{Effect, FaultKind, SimVfs, Target, is_injected};
use hexxladb_vfs::{ErrorKind, File, FileExt, LockKind, LockOutcome, OpenMode, Result, Vfs};

use super::{A, B, durable_file, in_cache, on_disk, plan};

type Call<'a> = Box<dyn Fn() -> Result<()> + 'a>;

/// One call of each kind that can fail.
fn calls<'a>(vfs: &'a SimVfs, file: &'a dyn File) -> Vec<(Target, Call<'a>)> {
    let (a, b, dir) = (Path::new(A), Path::new(B), Path::new("/dir"));
    vec![
        (Target::Open, Box::new(move || vfs.open(a, OpenMode::Read).map(drop))),
        (Target::Exists, Box::new(move || vfs.exists(a).map(drop))),
        (Target::Rename, Box::new(move || vfs.rename(a, b).and_then(|()| vfs.rename(b, a)))),
        (Target::Remove, Box::new(move || vfs.remove(b))),
        (Target::List, Box::new(move || vfs.list(dir).map(drop))),
        (Target::SyncDir, Box::new(move || vfs.sync_dir(dir))),
        (Target::FreeSpace, Box::new(move || vfs.free_space(dir).map(drop))),
        (Target::Read, Box::new(move || file.read_at(0, &mut [0; 4]).map(drop))),
        (Target::Write, Box::new(move || file.write_at(0, b"good").map(drop))),
        (Target::Len, Box::new(move || file.len().map(drop))),
        (Target::SetLen, Box::new(move || file.set_len(4))),
        (Target::Allocate, Box::new(move || file.allocate(4))),
        (Target::Sync, Box::new(move || file.sync_data())),
        (Target::Sync, Box::new(move || file.sync_all())),
        (Target::Lock, Box::new(move || file.try_lock(LockKind::Shared).map(drop))),
        (Target::Entropy, Box::new(move || vfs.entropy().fill(&mut [0; 4]))),
    ]
}

#[test]
fn each_operation_fails_once_or_for_ever_and_leaves_all_as_it_was() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"good");
    let count = calls(&vfs, &*file).len();
    for index in 0..count {
        for for_ever in [false, true] {
            vfs.open(Path::new(B), OpenMode::Create).unwrap();
            let calls = calls(&vfs, &*file);
            let (target, call) = &calls[index];
            plan(&vfs, *target, if for_ever { Effect::EioForever } else { Effect::Eio });
            let before = vfs.view_hash();
            assert!(is_injected(&call().unwrap_err()), "{target}");
            assert_eq!(vfs.view_hash(), before, "{target}");
            if for_ever {
                assert!(is_injected(&call().unwrap_err()), "{target}");
                vfs.heal();
            }
            call().unwrap();
        }
    }
    assert_eq!(in_cache(&*file), b"good");
    let fired = vfs.fired();
    assert_eq!(fired.count(FaultKind::Eio), count as u64);
    assert_eq!(fired.count(FaultKind::EioForever), count as u64);
}

#[test]
fn a_target_that_fails_for_ever_leaves_the_others_alone() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"good");
    plan(&vfs, Target::Write, Effect::EioForever);
    for _ in 0..5 {
        file.write_at(0, b"x").unwrap_err();
        file.sync_data().unwrap();
        file.read_at(0, &mut [0; 4]).unwrap();
    }
}

#[test]
fn short_counts_serve_the_first_bytes() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"");
    plan(&vfs, Target::Write, Effect::Short(3));
    assert_eq!(file.write_at(0, b"abcdef").unwrap(), 3);
    assert_eq!(in_cache(&*file), b"abc");
    plan(&vfs, Target::Read, Effect::Short(2));
    let mut buf = [b'.'; 4];
    assert_eq!(file.read_at(0, &mut buf).unwrap(), 2);
    assert_eq!(&buf, b"ab..");
    plan(&vfs, Target::Read, Effect::Short(0));
    assert_eq!(file.read_at(0, &mut buf).unwrap(), 1, "0 would mean the end of the file");
    assert_eq!(vfs.fired().count(FaultKind::Short), 3);
}

#[test]
fn whole_reads_and_writes_survive_short_counts_and_interruptions() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"");
    let faults = "fault 0 write short 1\nfault 0 write eintr\nfault 0 write short 2\n\
                  fault 0 read eintr\nfault 0 read short 1\nfault 0 read eintr\n";
    vfs.set_plan(faults.parse().unwrap());
    file.write_all_at(0, b"abcdef").unwrap();
    let mut bytes = [0; 6];
    file.read_exact_at(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"abcdef");
    assert_eq!(vfs.fired().count(FaultKind::Interrupted), 3);
    assert_eq!(vfs.fired().count(FaultKind::Short), 3);
}

#[test]
fn an_interrupted_write_writes_nothing() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"old");
    plan(&vfs, Target::Write, Effect::Interrupted);
    assert_eq!(file.write_at(0, b"new").unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(in_cache(&*file), b"old");
}

#[test]
fn a_second_opener_is_refused_until_the_first_is_killed() {
    let vfs = SimVfs::new(1);
    let first = durable_file(&vfs, A, b"");
    assert_eq!(first.try_lock(LockKind::Exclusive).unwrap(), LockOutcome::Acquired);
    let second = super::open(&vfs, A);
    let held = LockOutcome::Held { holder: Some(1) };
    assert_eq!(second.try_lock(LockKind::Exclusive).unwrap(), held);
    assert_eq!(vfs.fired().count(FaultKind::LockRefused), 1);
    vfs.kill();
    let third = super::open(&vfs, A);
    assert_eq!(third.try_lock(LockKind::Exclusive).unwrap(), LockOutcome::Acquired);
    drop(first);
    let fourth = super::open(&vfs, A);
    let held = LockOutcome::Held { holder: Some(2) };
    assert_eq!(fourth.try_lock(LockKind::Shared).unwrap(), held, "a dead handle frees nothing");
    assert_eq!(on_disk(&vfs, A).unwrap(), b"");
}
