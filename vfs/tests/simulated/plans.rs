//! Plans and chances: when faults strike, and that they are counted.

use std::path::Path;

use hexxladb_vfs::sim::{FaultKind, Fired, SimVfs, Swarm};
use hexxladb_vfs::{ErrorKind, FileExt, OpenMode, Vfs};

use super::{A, durable_file};

#[test]
fn a_fault_waits_for_its_operation() {
    let vfs = SimVfs::new(1);
    vfs.set_plan("fault 3 read eio\nfault 9 any eio".parse().unwrap());
    let file = super::open(&vfs, A);
    file.read_at(0, &mut [0; 4]).unwrap();
    file.write_all_at(0, b"good").unwrap();
    file.write_all_at(0, b"good").unwrap();
    file.sync_data().unwrap();
    file.read_at(0, &mut [0; 4]).unwrap_err();
    file.read_at(0, &mut [0; 4]).unwrap();
    while vfs.ops() < 9 {
        file.len().unwrap();
    }
    file.len().unwrap_err();
    file.len().unwrap();
    assert_eq!(vfs.recorded().to_string(), "fault 5 read eio\nfault 9 any eio\n");
}

#[test]
fn faults_are_added_one_by_one_and_replaced_together() {
    let vfs = SimVfs::new(1);
    let file = super::open(&vfs, A);
    vfs.set_plan("fault 0 len eio".parse().unwrap());
    vfs.set_plan("fault 2 read eio".parse().unwrap());
    vfs.arm("fault 1 write eio".parse().unwrap());
    vfs.arm("fault 3 sync eio".parse().unwrap());
    file.len().unwrap();
    file.write_at(0, b"x").unwrap_err();
    file.sync_data().unwrap_err();
    file.read_at(0, &mut [0]).unwrap_err();
    let fired = "fault 2 write eio\nfault 3 sync eio\nfault 4 read eio\n";
    assert_eq!(vfs.recorded().to_string(), fired);
    file.write_all_at(0, b"x").unwrap();
    file.sync_data().unwrap();
}

#[test]
fn faults_of_the_world_strike_beside_those_of_the_operation() {
    let vfs = SimVfs::new(1);
    vfs.set_plan(
        "fault 1 write free 1\nfault 1 write short 700\nfault 1 write eintr".parse().unwrap(),
    );
    let file = super::open(&vfs, A);
    assert_eq!(file.write_at(0, &[1; 2000]).unwrap(), 512, "700, of which one sector fits");
    assert_eq!(file.write_at(0, b"x").unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(vfs.recorded().0.len(), 3);
}

#[test]
fn healing_ends_all_that_was_to_come() {
    let vfs = SimVfs::new(1);
    vfs.set_plan("fault 0 write eio-forever\nfault 5 sync eio\n".parse().unwrap());
    let per_million = [(FaultKind::Eio, 1_000_000)].into();
    let file = super::open(&vfs, A);
    file.write_at(0, b"x").unwrap_err();
    vfs.set_swarm(Some(&Swarm { per_million, max_faults: 1_000 }));
    vfs.set_free_sectors(Some(0));
    file.len().unwrap_err();
    vfs.heal();
    for _ in 0..10 {
        file.write_all_at(0, b"x").unwrap();
        file.sync_data().unwrap();
    }
}

/// What a campaign relies on: each kind can be drawn, and is counted as often as recorded.
#[test]
fn every_kind_of_fault_is_drawn() {
    let mut total = Fired::default();
    for seed in 0..40 {
        let vfs = SimVfs::new(seed);
        durable_file(&vfs, A, &[1; 3000]);
        let per_million = FaultKind::ALL.into_iter().map(|kind| (kind, 5_000)).collect();
        vfs.set_swarm(Some(&Swarm { per_million, max_faults: 30 }));
        for turn in 0..200_u8 {
            if let Ok(file) = vfs.open(Path::new(A), OpenMode::Create) {
                let _ = file.write_at(u64::from(turn) * 20, &[turn; 100]);
                let _ = file.sync_data();
                let _ = file.read_at(0, &mut [0; 100]);
            }
        }
        let fired = vfs.fired();
        let drawn: u64 = fired.iter().filter(|(kind, _)| kind.is_drawn()).map(|(_, n)| n).sum();
        assert_eq!(drawn, vfs.recorded().0.len() as u64);
        total.merge(&fired);
    }
    for (kind, count) in total.iter().filter(|(kind, _)| kind.is_drawn()) {
        assert!(count >= 10, "{kind}: {count}");
    }
}

#[test]
fn without_chances_nothing_is_drawn() {
    let vfs = SimVfs::new(1);
    vfs.set_swarm(Some(&Swarm { max_faults: 100, ..Swarm::default() }));
    let per_million = [(FaultKind::Kill, 1_000_000), (FaultKind::PowerCut, 1_000_000)].into();
    vfs.set_swarm(Some(&Swarm { per_million, max_faults: 100 }));
    for _ in 0..50 {
        super::open(&vfs, A).write_all_at(0, b"x").unwrap();
    }
    assert_eq!(vfs.fired(), Fired::default());
}
