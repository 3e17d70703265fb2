//! What a power cut leaves of bytes and lengths.

use std::collections::BTreeSet;

use hexxladb_vfs::sim::{CutProfile, FaultKind, Kept, SimVfs, Survival, Unit};
use hexxladb_vfs::{FileExt, Vfs};

use super::{A, B, after_cut, durable_file, in_cache, on_disk, open};

/// Every content that an exhaustive search finds for a file.
fn reachable(vfs: &SimVfs, path: &str) -> BTreeSet<Option<Vec<u8>>> {
    vfs.pending()
        .states(0, 0)
        .map(|choice| {
            let fork = vfs.fork();
            fork.power_cut_with(&choice);
            on_disk(&fork, path)
        })
        .collect()
}

#[test]
fn what_is_not_synced_can_be_lost_and_can_survive() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"old");
    file.write_all_at(0, b"new").unwrap();
    let both = [b"old".to_vec(), b"new".to_vec()].map(Some);
    assert_eq!(reachable(&vfs, A), BTreeSet::from(both));
    file.sync_data().unwrap();
    assert!(vfs.pending().is_empty());
    assert_eq!(reachable(&vfs, A), BTreeSet::from([Some(b"new".to_vec())]));
}

/// Three sectors and a versatile one: 2 × 2 × 3 outcomes, each of them reached.
#[test]
fn every_subset_of_sectors_and_every_version_is_reached() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, &[0; 1536]);
    file.write_all_at(0, &[1; 1024]).unwrap();
    file.write_all_at(1024, &[1; 512]).unwrap();
    file.write_all_at(1100, &[2; 10]).unwrap();
    assert_eq!(vfs.pending().sectors(), 3);
    let mut expected = BTreeSet::new();
    for first in [0, 1] {
        for second in [0, 1] {
            for third in 0..3 {
                let mut bytes = vec![0; 1536];
                bytes[..512].fill(first);
                bytes[512..1024].fill(second);
                if third > 0 {
                    bytes[1024..].fill(1);
                }
                if third > 1 {
                    bytes[1100..1110].fill(2);
                }
                expected.insert(Some(bytes));
            }
        }
    }
    assert_eq!(reachable(&vfs, A), expected);
}

#[test]
fn a_sector_is_never_torn_within() {
    for sector_bytes in [512, 4096] {
        let mut torn = 0;
        for seed in 0..100 {
            let vfs = SimVfs::with_sector_bytes(seed, sector_bytes);
            let file = durable_file(&vfs, A, &[0; 16_384]);
            file.write_all_at(0, &[1; 16_384]).unwrap();
            vfs.power_cut(CutProfile::Plain);
            let bytes = on_disk(&vfs, A).unwrap();
            let whole = |s: &[u8]| s.iter().all(|&b| b == s[0]);
            assert!(bytes.chunks(sector_bytes as usize).all(whole));
            torn += u32::from(!whole(&bytes));
        }
        assert!(torn > 0);
    }
}

#[test]
fn a_sector_keeps_bytes_of_earlier_writes_to_it() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"......");
    file.write_all_at(0, b"ab").unwrap();
    file.write_all_at(4, b"cd").unwrap();
    assert_eq!(after_cut(&vfs, "-", A).unwrap(), b"......");
    assert_eq!(after_cut(&vfs, "f0:0=1", A).unwrap(), b"ab....");
    assert_eq!(after_cut(&vfs, "f0:0=2", A).unwrap(), b"ab..cd");
}

#[test]
fn a_growing_file_may_have_any_length_between_and_holes_are_zeros() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, &[7; 100]);
    file.write_all_at(0, &[8; 2000]).unwrap();
    for len in [100, 101, 511, 512, 1_300, 1_999, 2_000] {
        let bytes = after_cut(&vfs, &format!("f0:2=1 f0:len={len}"), A).unwrap();
        assert_eq!(bytes.len(), len);
        let expected = |at| match at {
            0..100 => 7,
            1024..1536 => 8,
            _ => 0,
        };
        assert!((0..len).all(|at| bytes[at] == expected(at)), "{len}");
    }
    assert_eq!(after_cut(&vfs, "f0:len=5000", A).unwrap().len(), 2000, "not beyond");
    assert_eq!(after_cut(&vfs, "f0:len=5", A).unwrap().len(), 100, "nor before");
    let lengths: BTreeSet<_> = reachable(&vfs, A).into_iter().map(|b| b.unwrap().len()).collect();
    assert!([100, 512, 1024, 1536, 2000].iter().all(|len| lengths.contains(len)), "{lengths:?}");
    assert!(lengths.iter().any(|len| len % 512 != 0 && (101..2000).contains(len)));
}

#[test]
fn a_cut_file_may_come_back_whole() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, &[7; 1500]);
    file.set_len(600).unwrap();
    file.sync_data().unwrap();
    assert_eq!(after_cut(&vfs, "-", A).unwrap(), [7; 1500], "only sync_all covers a cut");
    assert_eq!(after_cut(&vfs, "f0:len=600", A).unwrap(), [7; 600]);
    file.sync_all().unwrap();
    assert_eq!(reachable(&vfs, A), BTreeSet::from([Some(vec![7; 600])]));
}

#[test]
fn synced_data_brings_the_length_to_read_it_and_no_more() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"");
    file.set_len(10_000).unwrap();
    file.write_all_at(1000, &[5; 100]).unwrap();
    file.sync_data().unwrap();
    let mut expected = vec![0; 1000];
    expected.extend([5; 100]);
    assert_eq!(after_cut(&vfs, "-", A).unwrap(), expected);
    assert_eq!(after_cut(&vfs, "f0:len=10000", A).unwrap().len(), 10_000);
    file.sync_all().unwrap();
    assert_eq!(after_cut(&vfs, "-", A).unwrap().len(), 10_000);
}

/// `sync_data` after a cut: the cut may be undone, the synced bytes may not.
#[test]
fn a_pending_cut_does_not_take_synced_bytes_with_it() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, &[1; 4096]);
    file.set_len(0).unwrap();
    file.write_all_at(1024, &[2; 700]).unwrap();
    file.sync_data().unwrap();
    let outcomes = reachable(&vfs, A);
    assert!(outcomes.len() > 4, "the rest of the cut is still open");
    for bytes in outcomes.into_iter().flatten() {
        assert_eq!(bytes[1024..1724], [2; 700]);
    }
}

#[test]
fn allocated_space_is_not_durable_before_sync_all() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"x");
    file.allocate(2048).unwrap();
    file.sync_data().unwrap();
    assert_eq!(after_cut(&vfs, "-", A).unwrap(), b"x");
    file.sync_all().unwrap();
    assert_eq!(after_cut(&vfs, "-", A).unwrap().len(), 2048);
}

#[test]
fn syncing_one_file_leaves_the_others_pending() {
    let vfs = SimVfs::new(1);
    let (a, b) = (durable_file(&vfs, A, b"a"), durable_file(&vfs, B, b"b"));
    a.write_all_at(0, b"A").unwrap();
    b.write_all_at(0, b"B").unwrap();
    b.sync_data().unwrap();
    assert_eq!(after_cut(&vfs, "-", A).unwrap(), b"a");
    assert_eq!(after_cut(&vfs, "-", B).unwrap(), b"B");
}

#[test]
fn a_kill_loses_nothing_and_a_later_cut_does() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"old");
    file.write_all_at(0, b"new").unwrap();
    vfs.kill();
    let again = open(&vfs, A);
    assert_eq!(in_cache(&*again), b"new");
    assert_eq!(vfs.fired().count(FaultKind::KillThenCut), 0);
    vfs.power_cut_with(&"-".parse().unwrap());
    assert_eq!(in_cache(&*open(&vfs, A)), b"old");
    assert_eq!(vfs.fired().count(FaultKind::KillThenCut), 1);
    assert_eq!(vfs.fired().count(FaultKind::Kill), 1);
    assert_eq!(vfs.fired().count(FaultKind::PowerCut), 1);
}

#[test]
fn after_a_cut_the_cache_shows_what_the_disk_holds() {
    let vfs = SimVfs::new(9);
    for turn in 0..50 {
        let file = open(&vfs, A);
        vfs.sync_dir("/dir".as_ref()).unwrap();
        file.write_all_at(turn * 100, &[turn as u8; 3000]).unwrap();
        vfs.power_cut(CutProfile::Hostile);
        assert!(vfs.pending().is_empty());
        assert_eq!(vfs.image_hash(), vfs.view_hash());
        assert_eq!(Some(in_cache(&*open(&vfs, A))), on_disk(&vfs, A));
    }
}

#[test]
fn garbage_is_only_where_something_was_being_written() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, &[7; 2048]);
    file.write_all_at(512, &[8; 512]).unwrap();
    let bytes = after_cut(&vfs, "f0:0=?1 f0:1=?5 f0:3=?9", A).unwrap();
    assert_eq!(bytes[..512], [7; 512]);
    assert_eq!(bytes[1024..], [7; 1024]);
    assert!(bytes[512..1024].iter().filter(|&&b| b == 7 || b == 8).count() < 64);
    assert_eq!(after_cut(&vfs, "f0:1=?5", A).unwrap(), bytes, "the same seed, the same garbage");
    assert_ne!(after_cut(&vfs, "f0:1=?6", A).unwrap(), bytes);
}

#[test]
fn the_hostile_profile_leaves_garbage_and_the_plain_one_does_not() {
    let (mut hostile, mut plain) = (0, 0);
    for seed in 0..50 {
        let vfs = SimVfs::new(seed);
        let file = durable_file(&vfs, A, &[7; 4096]);
        file.write_all_at(0, &[8; 4096]).unwrap();
        let garbage = |vfs: &SimVfs, profile| {
            let choice = vfs.power_cut(profile);
            choice
                .0
                .iter()
                .any(|kept| matches!(kept, Kept::Sector { survival: Survival::Garbage(_), .. }))
        };
        plain += u32::from(garbage(&vfs.fork(), CutProfile::Plain));
        hostile += u32::from(garbage(&vfs, CutProfile::Hostile));
        assert_eq!(vfs.fired().count(FaultKind::Garbage), 1);
    }
    assert_eq!((hostile, plain), (50, 0));
}

#[test]
fn random_cuts_reach_the_ends_and_much_between() {
    let (mut seen, mut kept) = (BTreeSet::new(), BTreeSet::new());
    for seed in 0..400 {
        let vfs = SimVfs::new(seed);
        let file = durable_file(&vfs, A, &[0; 4096]);
        file.write_all_at(0, &[1; 4096]).unwrap();
        vfs.power_cut(CutProfile::Plain);
        let bytes = on_disk(&vfs, A).unwrap();
        let sectors: Vec<u8> = bytes.chunks(512).map(|sector| sector[0]).collect();
        kept.insert(sectors.iter().map(|&sector| usize::from(sector)).sum::<usize>());
        seen.insert(sectors);
    }
    assert_eq!(kept, (0..=8).collect());
    assert!(seen.len() > 80, "{}", seen.len());
}

#[test]
fn what_a_cut_took_from_the_end_does_not_come_back_when_the_file_grows() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, &[1; 700]);
    file.write_all_at(0, &[2; 6000]).unwrap();
    vfs.power_cut_with(&"f0:1=1 f0:2=1 f0:11=1 f0:len=800".parse().unwrap());
    let file = open(&vfs, A);
    file.set_len(6000).unwrap();
    file.sync_all().unwrap();
    let bytes = on_disk(&vfs, A).unwrap();
    assert_eq!(bytes[512..800], [2; 288]);
    assert!(bytes[800..].iter().all(|&byte| byte == 0));
}

#[test]
fn a_choice_means_the_same_in_any_order() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, &[0; 2048]);
    for sector in 0..4 {
        file.write_all_at(sector * 512, &[1; 512]).unwrap();
    }
    let sorted = after_cut(&vfs, "f0:0=1 f0:2=1 f0:3=1", A);
    assert_eq!(after_cut(&vfs, "f0:3=1 f0:0=1 f0:2=1", A), sorted);
}

#[test]
fn a_choice_that_names_what_is_not_there_is_harmless() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"old");
    file.write_all_at(0, b"new").unwrap();
    let choice = "f0:0=9 f0:77=1 f9:0=1 f9:len=4 n5";
    assert_eq!(after_cut(&vfs, choice, A).unwrap(), b"old");
}

#[test]
fn what_is_pending_is_described() {
    let vfs = SimVfs::new(1);
    let file = open(&vfs, A);
    file.write_all_at(0, &[1; 600]).unwrap();
    file.write_all_at(0, b"x").unwrap();
    let pending = vfs.pending();
    let versions: Vec<_> = pending
        .units
        .iter()
        .filter_map(|unit| match unit {
            Unit::Sector { sector, versions, .. } => Some((*sector, *versions)),
            _ => None,
        })
        .collect();
    assert_eq!(versions, [(0, 2), (1, 1)]);
    assert_eq!(
        pending.to_string(),
        "f0:0 /dir/a, versions: 2\n\
         f0:1 /dir/a, versions: 1\n\
         f0:len /dir/a, durable 0, now 600, [301, 512, 600]\n\
         n0 create f0 /dir/a\n"
    );
    assert_eq!(pending.all().to_string(), "f0:0=2 f0:1=1 f0:len=600 n0");
}
