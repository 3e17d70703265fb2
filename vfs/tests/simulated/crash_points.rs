//! Crashes at chosen operations, and the end of a process.

use std::path::Path;

use hexxladb_vfs::sim::{Applied, CrashAt, FaultKind, Fired, SimVfs, is_injected, is_stopped};
use hexxladb_vfs::{FileExt, OpenMode, Result, Vfs};

use super::{A, B, durable_file, in_cache, on_disk, open};

/// A script with every operation that changes the disk, ten in all.
fn script(vfs: &SimVfs) -> Result<()> {
    let (a, b, dir) = (Path::new(A), Path::new(B), Path::new("/dir"));
    let file = vfs.open(b, OpenMode::CreateNew)?;
    file.write_at(0, &[1; 1000])?;
    file.allocate(4000)?;
    file.sync_all()?;
    file.write_at(100, &[2; 600])?;
    file.sync_data()?;
    file.set_len(2000)?;
    vfs.rename(b, a)?;
    vfs.sync_dir(dir)?;
    vfs.remove(a)?;
    vfs.exists(a).map(drop)
}

#[test]
fn the_script_has_ten_changing_operations() {
    let vfs = SimVfs::new(1);
    script(&vfs).unwrap();
    assert_eq!((vfs.mutating_ops(), vfs.ops()), (10, 11));
}

#[test]
fn every_operation_can_be_the_last() {
    let everywhere = [Applied::Nothing, Applied::Bytes(1), Applied::Widest, Applied::Everything];
    for op in 0..10 {
        for applied in everywhere {
            let vfs = SimVfs::new(1);
            vfs.set_crash_at(Some(CrashAt { op, applied }));
            let error = script(&vfs).unwrap_err();
            assert!(is_stopped(&error) && !is_injected(&error));
            assert_eq!(vfs.crashed(), Some(op));
            let (ops, view) = (vfs.ops(), vfs.view_hash());
            let error = vfs.open(Path::new(A), OpenMode::Create).unwrap_err();
            assert!(is_stopped(&error));
            assert!(is_stopped(&vfs.entropy().fill(&mut [0]).unwrap_err()));
            assert_eq!((vfs.ops(), vfs.view_hash()), (ops, view), "the dead do nothing");
            vfs.kill();
            assert_eq!(vfs.crashed(), None);
            open(&vfs, A);
        }
    }
}

/// The state after each crash is the one the script had there, exactly.
#[test]
fn a_crash_leaves_what_the_operations_before_it_did() {
    let states: Vec<_> = (0..=10)
        .map(|op| {
            let vfs = SimVfs::new(1);
            vfs.set_crash_at(Some(CrashAt { op, applied: Applied::Nothing }));
            let ended = script(&vfs);
            assert_eq!(ended.is_ok(), op == 10);
            (vfs.view_hash(), vfs.image_hash())
        })
        .collect();
    for op in 0..10 {
        let vfs = SimVfs::new(1);
        vfs.set_crash_at(Some(CrashAt { op, applied: Applied::Everything }));
        script(&vfs).unwrap_err();
        assert_eq!((vfs.view_hash(), vfs.image_hash()), states[op as usize + 1], "{op}");
        let vfs = SimVfs::new(1);
        vfs.set_crash_at(Some(CrashAt { op, applied: Applied::Widest }));
        script(&vfs).unwrap_err();
        let image = states[op as usize].1;
        assert_eq!((vfs.view_hash(), vfs.image_hash()), (states[op as usize + 1].0, image));
    }
}

#[test]
fn a_write_can_be_cut_short_by_a_crash() {
    let vfs = SimVfs::new(1);
    vfs.set_crash_at(Some(CrashAt { op: 1, applied: Applied::Bytes(700) }));
    script(&vfs).unwrap_err();
    vfs.kill();
    assert_eq!(in_cache(&*open(&vfs, B)), [1; 700]);
}

#[test]
fn a_taken_back_crash_does_not_happen() {
    let vfs = SimVfs::new(1);
    vfs.set_crash_at(Some(CrashAt { op: 3, applied: Applied::default() }));
    vfs.set_crash_at(None);
    script(&vfs).unwrap();
}

#[test]
fn handles_of_a_dead_process_cannot_touch_the_disk() {
    for cut in [false, true] {
        let vfs = SimVfs::new(1);
        let file = durable_file(&vfs, A, b"good");
        if cut {
            vfs.power_cut_with(&vfs.pending().all());
        } else {
            vfs.kill();
        }
        assert_eq!(vfs.process(), 1);
        let before = (vfs.view_hash(), vfs.image_hash(), vfs.ops());
        let errors = [
            file.write_at(0, b"evil").unwrap_err(),
            file.set_len(0).unwrap_err(),
            file.allocate(10).unwrap_err(),
            file.sync_data().unwrap_err(),
            file.sync_all().unwrap_err(),
            file.len().unwrap_err(),
            file.read_at(0, &mut [0; 4]).unwrap_err(),
            file.try_lock(hexxladb_vfs::LockKind::Exclusive).unwrap_err(),
        ];
        assert!(errors.iter().all(|error| is_stopped(error)));
        drop(file);
        assert_eq!((vfs.view_hash(), vfs.image_hash(), vfs.ops()), before);
        open(&vfs, A).write_all_at(0, b"next").unwrap();
    }
}

#[test]
fn a_fork_is_a_world_of_its_own_without_the_handles() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"both");
    file.try_lock(hexxladb_vfs::LockKind::Exclusive).unwrap();
    file.write_all_at(4, b" pending").unwrap();
    vfs.set_crash_at(Some(CrashAt { op: vfs.mutating_ops(), applied: Applied::Nothing }));
    let fork = vfs.fork();
    assert_eq!(fork.pending().units, vfs.pending().units);
    let forked = open(&fork, A);
    let acquired = hexxladb_vfs::LockOutcome::Acquired;
    assert_eq!(forked.try_lock(hexxladb_vfs::LockKind::Exclusive).unwrap(), acquired);
    forked.write_all_at(0, b"fork").unwrap();
    forked.sync_data().unwrap();
    assert_eq!(in_cache(&*file), b"both pending");
    assert_eq!(on_disk(&vfs, A).unwrap(), b"both");
    assert_eq!(on_disk(&fork, A).unwrap(), b"fork pending");
    file.write_at(0, b"x").unwrap_err();
    assert_eq!(vfs.crashed(), Some(vfs.mutating_ops() - 1));
    assert_eq!(vfs.fork().crashed(), None);
    vfs.kill();
    assert_eq!(vfs.fired().count(FaultKind::Kill), 1);
    assert_eq!(vfs.fork().fired(), Fired::default(), "so that sums count each fault once");
}

#[test]
fn one_run_gives_the_world_before_each_of_its_operations() {
    let vfs = SimVfs::new(1);
    vfs.set_capture(true);
    script(&vfs).unwrap();
    vfs.set_capture(false);
    script(&vfs).unwrap();
    let captures = vfs.take_captures();
    assert_eq!(
        captures.iter().map(|(index, _)| *index).collect::<Vec<_>>(),
        (0..10).collect::<Vec<_>>()
    );
    for (op, world) in captures {
        let other = SimVfs::new(1);
        other.set_crash_at(Some(CrashAt { op, applied: Applied::Nothing }));
        script(&other).unwrap_err();
        other.kill();
        assert_eq!(
            (world.view_hash(), world.image_hash()),
            (other.view_hash(), other.image_hash())
        );
        assert_eq!(world.pending().units, other.pending().units);
        open(&world, A);
        assert!(world.take_captures().is_empty(), "it does not capture by itself");
    }
    assert!(vfs.take_captures().is_empty());
}

#[test]
fn a_loop_without_end_is_ended_by_a_panic_that_leaves_the_world_usable() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"good");
    vfs.set_op_limit(Some(25));
    let ops = vfs.ops();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        loop {
            let _ = file.read_at(0, &mut [0; 4]);
        }
    }))
    .unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.starts_with("operation budget"), "{message}");
    assert_eq!(vfs.ops(), ops + 25);
    assert!(is_stopped(&file.write_at(0, b"evil").unwrap_err()), "whatever unwinding tries");
    assert!(vfs.crashed().is_some());
    vfs.kill();
    assert_eq!(in_cache(&*open(&vfs, A)), b"good");
}

#[test]
fn an_operation_limit_can_be_lifted_and_ends_with_the_process() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"good");
    for lift in [false, true] {
        vfs.set_op_limit(Some(2));
        file.len().ok();
        if lift {
            vfs.set_op_limit(None);
        } else {
            vfs.kill();
        }
        for _ in 0..10 {
            vfs.exists(Path::new(A)).unwrap();
        }
    }
}

/// While a panic unwinds, one more must not end the program.
#[test]
fn a_drop_over_the_limit_gets_an_error() {
    struct Writer(std::sync::Arc<dyn hexxladb_vfs::File>);
    impl Drop for Writer {
        fn drop(&mut self) {
            assert!(self.0.write_at(0, b"evil").is_err());
        }
    }
    let vfs = SimVfs::new(1);
    let writer = Writer(durable_file(&vfs, A, b"good"));
    vfs.set_op_limit(Some(0));
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _writer = writer;
        panic!("of another cause");
    }));
    let cause = unwound.unwrap_err();
    assert_eq!(cause.downcast_ref::<&str>(), Some(&"of another cause"));
    vfs.kill();
    assert_eq!(on_disk(&vfs, A).unwrap(), b"good");
}

#[test]
fn a_world_can_be_given_to_another_thread() {
    fn check<T: Send + Sync>() {}
    check::<SimVfs>();
}
