//! The same seed and the same operations give the same run, in every build and process.

use std::path::Path;

use hexxladb_vfs::sim::{CutProfile, FaultKind, SimVfs, Swarm};
use hexxladb_vfs::{FileExt, LockKind, OpenMode, Vfs};

use super::{A, B};

/// A run with faults, crashes and a little of everything. Errors are part of it.
fn run(seed: u64) -> SimVfs {
    let vfs = SimVfs::new(seed);
    let per_million = FaultKind::ALL.into_iter().map(|kind| (kind, 8_000)).collect();
    vfs.set_swarm(Some(&Swarm { per_million, max_faults: 40 }));
    for turn in 0..60_u64 {
        let mut random = [0; 4];
        let _ = vfs.entropy().fill(&mut random);
        let Ok(file) = vfs.open(Path::new(A), OpenMode::Create) else { continue };
        let _ = file.try_lock(LockKind::Exclusive);
        let _ = file.write_at(u64::from(random[0]) * 37, &random.repeat(300));
        let _ = file.read_at(turn * 100, &mut [0; 700]);
        let _ = file.sync_data();
        if turn % 7 == 0 {
            let _ = file.set_len(turn * 77);
            let _ = vfs.rename(Path::new(A), Path::new(B));
            let _ = vfs.sync_dir(Path::new("/dir"));
        }
        match turn % 20 {
            13 => vfs.kill(),
            19 => drop(vfs.power_cut(CutProfile::Hostile)),
            _ => {}
        }
        let _ = vfs.list(Path::new("/dir"));
    }
    vfs
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_does_not() {
    for seed in 0..20 {
        let (one, two) = (run(seed), run(seed));
        assert_eq!(one.trace_hash(), two.trace_hash());
        assert_eq!(one.image_hash(), two.image_hash());
        assert_eq!(one.recorded(), two.recorded());
        assert_ne!(one.trace_hash(), run(seed + 100).trace_hash());
    }
}

/// Written down once: debug, release and every later build must agree. It changes only with the
/// simulator itself, and then on purpose.
#[test]
fn the_run_of_seed_1_is_known() {
    let vfs = run(1);
    assert_eq!(format!("{:032x}", vfs.trace_hash()), TRACE_OF_SEED_1);
    assert_eq!(format!("{:032x}", vfs.image_hash()), IMAGE_OF_SEED_1);
}

const TRACE_OF_SEED_1: &str = "9b7eb2d8a2a5912c88f1fe96a28247aa";
const IMAGE_OF_SEED_1: &str = "8923995a6a2c704b91990c2fb6a5c825";

#[test]
fn what_is_recorded_replays_the_run_without_the_swarm() {
    let path = Path::new(A);
    let drive = |vfs: &SimVfs| {
        for turn in 0..200_u8 {
            let Ok(file) = vfs.open(path, OpenMode::Create) else { continue };
            let _ = file.write_all_at(u64::from(turn) * 30, &[turn; 900]);
            let _ = file.sync_data();
            let _ = file.read_up_to(0, &mut [0; 100]);
        }
    };
    let mut fired = 0;
    for seed in 0..30 {
        let original = SimVfs::new(seed);
        let per_million = FaultKind::ALL.into_iter().map(|kind| (kind, 2_000)).collect();
        original.set_swarm(Some(&Swarm { per_million, max_faults: 10 }));
        drive(&original);
        let recorded = original.recorded();
        fired += recorded.0.len();
        assert!(recorded.0.len() <= 10);
        // Through its text, as a reproduction file would.
        let replayed = SimVfs::new(seed);
        replayed.set_plan(recorded.to_string().parse().unwrap());
        drive(&replayed);
        assert_eq!(replayed.recorded(), recorded);
        assert_eq!(replayed.image_hash(), original.image_hash());
        assert_eq!(replayed.trace_hash(), original.trace_hash());
    }
    assert!(fired > 200, "{fired}");
}

#[test]
fn every_difference_shows_in_the_trace_hash() {
    type Step = fn(&SimVfs);
    let steps: [Step; 9] = [
        |_| {},
        |vfs| drop(vfs.exists(Path::new(A))),
        |vfs| drop(vfs.exists(Path::new(B))),
        |vfs| drop(vfs.list(Path::new(A))),
        |vfs| drop(super::open(vfs, A).write_at(0, b"x")),
        |vfs| drop(super::open(vfs, A).write_at(0, b"y")),
        |vfs| drop(super::open(vfs, A).write_at(1, b"x")),
        |vfs| vfs.kill(),
        |vfs| drop(vfs.power_cut(CutProfile::Plain)),
    ];
    let hashes: std::collections::BTreeSet<_> = steps
        .iter()
        .map(|step| {
            let vfs = SimVfs::new(1);
            step(&vfs);
            vfs.trace_hash()
        })
        .collect();
    assert_eq!(hashes.len(), steps.len());
}

/// Reads of other bytes are another run, even if nothing else differs.
#[test]
fn what_was_read_shows_in_the_trace_hash() {
    let hash = |byte| {
        let vfs = SimVfs::new(1);
        vfs.write_file(Path::new(A), &[byte; 10]);
        let before = vfs.trace_hash();
        super::in_cache(&*super::open(&vfs, A));
        (before, vfs.trace_hash())
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn the_text_of_the_trace_tells_what_happened() {
    let vfs = SimVfs::new(1);
    vfs.set_trace(true);
    vfs.set_plan("fault 2 write short 3".parse().unwrap());
    let file = super::open(&vfs, A);
    file.write_all_at(10, b"abcdef").unwrap();
    file.sync_data().unwrap();
    vfs.remove(Path::new(B)).unwrap_err();
    vfs.kill();
    let expected = [
        "0 Open /dir/a 0+2 -> 0",
        "1 Write /dir/a 10+6 -> 6",
        "2 SyncData /dir/a -> 0",
        "3 Remove /dir/b -> entity not found",
        "! kill",
    ];
    assert_eq!(vfs.take_trace(), expected);
    assert!(vfs.take_trace().is_empty());
    super::open(&vfs, A).write_at(0, b"abcdef").unwrap();
    let expected = ["4 Open /dir/a 0+2 -> 0", "! fault 5 write short 3", "5 Write /dir/a 0+6 -> 3"];
    assert_eq!(vfs.take_trace(), expected);
    vfs.set_trace(false);
    vfs.kill();
    assert!(vfs.take_trace().is_empty());
}
