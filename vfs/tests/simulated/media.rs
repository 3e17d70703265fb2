//! A medium that rots, loses, misplaces and forgets; and says afterwards where.

use std::path::Path;

use hexxladb_vfs::FileExt;
use hexxladb_vfs::sim::{Effect, FaultKind, SimVfs, Target};

use super::{A, B, durable_file, in_cache, on_disk, open, plan};

/// The damages as (kind, path, offset, bytes).
fn damages(vfs: &SimVfs) -> Vec<(FaultKind, String, u64, u64)> {
    let damages = vfs.damages().into_iter();
    damages.map(|d| (d.kind, d.path.display().to_string(), d.offset, d.bytes)).collect()
}

fn cut(vfs: &SimVfs) {
    vfs.power_cut_with(&"-".parse().unwrap());
}

#[test]
fn rot_flips_bits_on_the_disk_and_in_what_is_read() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, &[1; 2000]);
    let rot = Effect::Rot { path: Path::new(A).into(), offset: 1234, mask: 0x84 };
    plan(&vfs, Target::Read, rot);
    assert_eq!(in_cache(&*file)[1234], 0x85);
    let mut expected = vec![1; 2000];
    expected[1234] = 0x85;
    assert_eq!(on_disk(&vfs, A).unwrap(), expected);
    assert_eq!(damages(&vfs), [(FaultKind::Rot, A.to_owned(), 1234, 1)]);
    file.write_all_at(1234, &[1]).unwrap();
    file.sync_data().unwrap();
    assert_eq!(on_disk(&vfs, A).unwrap(), [1; 2000], "written anew, it is good again");
}

#[test]
fn rot_under_a_newer_cached_sector_is_not_seen() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, &[1; 512]);
    file.write_all_at(0, &[2; 10]).unwrap();
    let rot = Effect::Rot { path: Path::new(A).into(), offset: 100, mask: 1 };
    plan(&vfs, Target::Read, rot);
    assert_eq!(in_cache(&*file)[100], 1);
    assert_eq!(on_disk(&vfs, A).unwrap()[100], 0);
}

#[test]
fn rot_of_a_byte_that_is_not_there_does_not_count() {
    let vfs = SimVfs::new(1);
    durable_file(&vfs, A, b"x");
    for (path, offset) in [(A, 1), (B, 0)] {
        let path = Path::new(path).into();
        plan(&vfs, Target::Any, Effect::Rot { path, offset, mask: 1 });
        open(&vfs, A);
    }
    assert_eq!(vfs.fired().count(FaultKind::Rot), 0);
    assert!(vfs.damages().is_empty() && vfs.recorded().0.is_empty());
}

#[test]
fn a_lost_write_is_seen_after_a_cut_or_at_once_after_its_sync() {
    for evict in [false, true] {
        let vfs = SimVfs::new(1);
        let file = durable_file(&vfs, A, &[1; 1024]);
        plan(&vfs, Target::Write, Effect::Lost { evict });
        file.write_all_at(500, &[2; 20]).unwrap();
        assert_eq!(in_cache(&*file)[500..520], [2; 20]);
        file.sync_data().unwrap();
        assert_eq!(on_disk(&vfs, A).unwrap(), [1; 1024]);
        assert_eq!(in_cache(&*file)[500..520], if evict { [1; 20] } else { [2; 20] });
        cut(&vfs);
        assert_eq!(in_cache(&*open(&vfs, A)), [1; 1024]);
        assert_eq!(damages(&vfs), [(FaultKind::Lost, A.to_owned(), 0, 1024)], "whole sectors");
    }
}

#[test]
fn a_lost_write_never_survives_and_the_next_one_does() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, &[1; 512]);
    plan(&vfs, Target::Write, Effect::Lost { evict: false });
    file.write_all_at(0, &[2; 512]).unwrap();
    assert_eq!(vfs.pending().sectors(), 0, "no version of it can be chosen");
    file.write_all_at(0, &[3; 512]).unwrap();
    assert_eq!(super::after_cut(&vfs, "f0:0=1", A).unwrap(), [3; 512]);
    file.sync_data().unwrap();
    cut(&vfs);
    assert_eq!(on_disk(&vfs, A).unwrap(), [3; 512]);
}

#[test]
fn a_misdirected_write_spoils_another_place() {
    for evict in [false, true] {
        let vfs = SimVfs::new(1);
        let file = durable_file(&vfs, A, &[1; 2048]);
        plan(&vfs, Target::Write, Effect::Misdirected { offset: 1100, path: None, evict });
        file.write_all_at(0, &[2; 512]).unwrap();
        file.sync_data().unwrap();
        let mut expected = vec![1; 2048];
        expected[1024..1536].fill(2);
        assert_eq!(on_disk(&vfs, A).unwrap(), expected);
        let mut believed = vec![1; 2048];
        believed[..512].fill(2);
        assert_eq!(in_cache(&*file), if evict { expected } else { believed });
        let kind = FaultKind::Misdirected;
        let hit = [(kind, A.to_owned(), 0, 512), (kind, A.to_owned(), 1024, 512)];
        assert_eq!(damages(&vfs), hit);
    }
}

#[test]
fn a_write_can_be_misdirected_into_another_file() {
    let vfs = SimVfs::new(1);
    let (a, b) = (durable_file(&vfs, A, &[1; 512]), durable_file(&vfs, B, &[5; 600]));
    let path = Some(Path::new(B).into());
    plan(&vfs, Target::Write, Effect::Misdirected { offset: 512, path, evict: true });
    a.write_all_at(0, &[2; 512]).unwrap();
    a.sync_data().unwrap();
    assert_eq!(on_disk(&vfs, A).unwrap(), [1; 512]);
    let mut spoiled = vec![5; 512];
    spoiled.extend([2; 88]);
    assert_eq!(on_disk(&vfs, B).unwrap(), spoiled, "no further than the file goes");
    assert_eq!(in_cache(&*b), spoiled);
}

#[test]
fn a_stale_read_sees_what_was_there_some_syncs_ago() {
    let vfs = SimVfs::new(1);
    vfs.set_plan(
        "fault 100 read stale 1\nfault 101 read stale 2\nfault 102 read stale 99".parse().unwrap(),
    );
    let file = durable_file(&vfs, A, b"");
    for version in 1..=9 {
        file.write_all_at(0, &[version; 600]).unwrap();
        file.sync_data().unwrap();
    }
    while vfs.ops() < 100 {
        assert_eq!(file.len().unwrap(), 600);
    }
    let mut seen = Vec::new();
    for _ in 0..4 {
        let mut bytes = [0; 5];
        assert_eq!(file.read_at(520, &mut bytes).unwrap(), 5);
        seen.push(bytes[0]);
    }
    assert_eq!(seen, [8, 7, 5, 9], "four syncs back at most");
    let damage = (FaultKind::Stale, A.to_owned(), 520, 5);
    assert_eq!(damages(&vfs), vec![damage; 3]);
}
