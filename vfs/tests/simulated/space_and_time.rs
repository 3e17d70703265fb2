//! A disk that fills up, and clocks that do not go right.

use std::path::Path;

use hexxladb_vfs::sim::{Effect, FaultKind, SimVfs, Target};
use hexxladb_vfs::{ErrorKind, FileExt, Vfs};

use super::{A, B, durable_file, in_cache, open, plan};

fn free_sectors(vfs: &SimVfs) -> u64 {
    vfs.free_sectors().unwrap()
}

#[test]
fn a_write_takes_what_fits_and_then_fails() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, &[1; 700]);
    vfs.set_free_sectors(Some(2));
    assert_eq!(vfs.free_space(Path::new("/dir")).unwrap(), Some(1024));
    assert_eq!(file.write_at(600, &[2; 5000]).unwrap(), 2048 - 600);
    let error = file.write_at(2048, &[2; 10]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(vfs.fired().count(FaultKind::NoSpace), 1);
    assert_eq!(in_cache(&*file).len(), 2048);
    file.write_all_at(0, &[3; 2048]).unwrap();
    plan(&vfs, Target::Any, Effect::Free(None));
    file.write_all_at(2048, &[4; 10_000]).unwrap();
    assert_eq!(vfs.free_space(Path::new("/dir")).unwrap(), None);
}

#[test]
fn space_runs_out_at_a_planned_operation() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"");
    vfs.set_plan(format!("fault {} write free 1", vfs.ops() + 1).parse().unwrap());
    file.write_all_at(0, &[1; 1024]).unwrap();
    let error = file.write_all_at(1024, &[1; 1024]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(in_cache(&*file).len(), 1536, "the first half of the frame is there");
}

#[test]
fn space_is_given_back_by_cuts_removals_and_replacements() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, &[1; 10 * 512]);
    vfs.set_free_sectors(Some(0));
    file.set_len(3 * 512 + 1).unwrap();
    assert_eq!(free_sectors(&vfs), 6);
    let other = open(&vfs, B);
    other.write_all_at(0, &[2; 6 * 512]).unwrap();
    assert_eq!(free_sectors(&vfs), 0);
    let again = open(&vfs, A);
    vfs.rename(Path::new(B), Path::new(A)).unwrap();
    assert_eq!(free_sectors(&vfs), 0, "the replaced file is still open");
    drop(file);
    assert_eq!(free_sectors(&vfs), 0, "and once more");
    drop(again);
    assert_eq!(free_sectors(&vfs), 4);
    vfs.remove(Path::new(A)).unwrap();
    drop(other);
    assert_eq!(free_sectors(&vfs), 10);
}

#[test]
fn allocating_is_all_or_nothing_and_promises_the_space() {
    let vfs = SimVfs::new(1);
    let (file, other) = (durable_file(&vfs, A, b""), durable_file(&vfs, B, b""));
    vfs.set_free_sectors(Some(4));
    assert_eq!(file.allocate(5 * 512).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!((file.len().unwrap(), free_sectors(&vfs)), (0, 4));
    file.allocate(3 * 512).unwrap();
    other.write_all_at(0, &[1; 512]).unwrap();
    assert_eq!(free_sectors(&vfs), 0);
    file.write_all_at(0, &[1; 3 * 512]).unwrap();
    other.write_at(512, b"x").unwrap_err();
}

#[test]
fn a_hole_takes_no_space() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"");
    vfs.set_free_sectors(Some(1));
    file.set_len(100_000).unwrap();
    file.write_all_at(51_200, &[1; 512]).unwrap();
    assert_eq!(file.write_at(0, b"x").unwrap_err().kind(), ErrorKind::StorageFull);
}

#[test]
fn a_power_cut_gives_back_what_did_not_survive() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, &[1; 512]);
    vfs.set_free_sectors(Some(10));
    file.write_all_at(512, &[1; 4 * 512]).unwrap();
    open(&vfs, B).write_all_at(0, &[1; 512]).unwrap();
    assert_eq!(free_sectors(&vfs), 5);
    vfs.power_cut_with(&"-".parse().unwrap());
    assert_eq!(free_sectors(&vfs), 10);
    drop(file);
    drop(open(&vfs, A));
    vfs.remove(Path::new(A)).unwrap();
    assert_eq!(free_sectors(&vfs), 11);
    vfs.power_cut_with(&"-".parse().unwrap());
    assert_eq!(free_sectors(&vfs), 10, "the removal did not survive");
}

#[test]
fn time_passes_with_operations_and_by_command() {
    let vfs = SimVfs::new(1);
    let (wall, monotonic) = (vfs.clock().wall_nanos(), vfs.clock().monotonic_nanos());
    open(&vfs, A);
    assert_eq!(vfs.clock().wall_nanos(), wall + 1_000);
    vfs.set_tick_nanos(7);
    open(&vfs, A);
    vfs.advance(100);
    assert_eq!(vfs.clock().wall_nanos(), wall + 1_107);
    assert_eq!(vfs.clock().monotonic_nanos(), monotonic + 1_107);
    vfs.set_wall_nanos(-5);
    assert_eq!(vfs.clock().wall_nanos(), -5);
}

#[test]
fn the_wall_clock_stops_jumps_and_steps_back_and_the_other_never() {
    let vfs = SimVfs::new(1);
    vfs.set_tick_nanos(10);
    vfs.set_wall_nanos(1_000_000);
    let faults = "fault 0 any clock stop\nfault 2 any clock step -500\n\
                  fault 3 any clock run\nfault 4 any clock step 9000\n";
    vfs.set_plan(faults.parse().unwrap());
    let mut seen = Vec::new();
    for _ in 0..6 {
        vfs.exists(Path::new(A)).unwrap();
        seen.push((vfs.clock().wall_nanos(), vfs.clock().monotonic_nanos()));
    }
    // A fault strikes within the operation, after the time it takes.
    let walls = [1_000_010, 1_000_010, 999_510, 999_510, 1_008_520, 1_008_530];
    let expected: Vec<_> = walls.into_iter().zip((10..).step_by(10)).collect();
    assert_eq!(seen, expected);
    for kind in [FaultKind::ClockStop, FaultKind::ClockRun] {
        assert_eq!(vfs.fired().count(kind), 1);
    }
    assert_eq!(vfs.fired().count(FaultKind::ClockStep), 2);
    vfs.stop_clock();
    vfs.heal();
    vfs.advance(1);
    assert_eq!(vfs.clock().wall_nanos(), 1_008_531);
}
