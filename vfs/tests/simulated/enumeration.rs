//! Which crash states an exhaustive search tries.

use std::collections::BTreeSet;

use hexxladb_vfs::FileExt;
use hexxladb_vfs::sim::{CrashChoice, FileId, Kept, Pending, SimVfs, Survival};

use super::{A, B, durable_file, on_disk, open};

/// A file of `sectors` durable sectors, each overwritten by a write of its own.
fn overwritten(sectors: u64) -> SimVfs {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, &vec![0; sectors as usize * 512]);
    for sector in 0..sectors {
        file.write_all_at(sector * 512, &[1; 512]).unwrap();
    }
    vfs
}

fn states(pending: &Pending, random: usize) -> Vec<CrashChoice> {
    pending.states(random, 7).collect()
}

fn sectors(kept: impl IntoIterator<Item = u64>) -> CrashChoice {
    let survival = Survival::Version(1);
    CrashChoice(
        kept.into_iter().map(|sector| Kept::Sector { file: FileId(0), sector, survival }).collect(),
    )
}

#[test]
fn up_to_twelve_sectors_every_subset_is_tried_once() {
    for count in [0, 1, 5, 12] {
        let pending = overwritten(count).pending();
        let all: Vec<_> = states(&pending, 0).iter().map(ToString::to_string).collect();
        assert_eq!(all.len(), 1 << count);
        assert_eq!(BTreeSet::from_iter(all).len(), 1 << count);
    }
}

#[test]
fn above_that_the_telling_ones_are_tried() {
    const COUNT: u64 = 40;
    let pending = overwritten(COUNT).pending();
    let tried = states(&pending, 25);
    assert!(tried.contains(&pending.none()) && tried.contains(&pending.all()));
    for one in 0..COUNT {
        assert!(tried.contains(&sectors([one])), "{one} alone");
        assert!(tried.contains(&sectors((0..COUNT).filter(|&s| s != one))), "all but {one}");
        assert!(tried.contains(&sectors(0..one)), "the first {one}");
    }
    assert_eq!(tried.len() as u64, 2 + COUNT + COUNT + (COUNT - 1) + 25);
    assert_eq!(states(&pending, 25), tried, "the same seed, the same states");
}

#[test]
fn the_last_write_is_torn_everywhere() {
    let vfs = overwritten(20);
    let file = open(&vfs, A);
    file.sync_data().unwrap();
    file.write_all_at(512, &[2; 512]).unwrap();
    file.write_all_at(5 * 512, &[2; 4 * 512]).unwrap();
    let few: Vec<_> = vfs.pending().few_states().collect();
    for tear in 1..4_u64 {
        assert!(few.contains(&sectors(std::iter::once(1).chain(5..5 + tear))), "head {tear}");
        assert!(few.contains(&sectors(std::iter::once(1).chain(5 + tear..9))), "tail {tear}");
    }
}

#[test]
fn a_sector_is_left_behind_at_each_of_its_versions() {
    let vfs = overwritten(2);
    let file = open(&vfs, A);
    file.write_all_at(0, &[2; 512]).unwrap();
    let few: Vec<_> = vfs.pending().few_states().map(|choice| choice.to_string()).collect();
    for state in ["f0:1=1", "f0:1=1 f0:0=1", "f0:0=2", "f0:0=1"] {
        assert!(few.iter().any(|text| text == state), "{state} in {few:?}");
    }
}

/// A log's new segment filled with zeros would otherwise drown everything else.
#[test]
fn what_makes_no_difference_is_not_pending() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, &[7; 1024]);
    file.write_all_at(0, &[7; 600]).unwrap();
    assert!(vfs.pending().is_empty(), "the same bytes again");
    file.write_all_at(1024, &[0; 16_384]).unwrap();
    let pending = vfs.pending();
    assert_eq!((pending.units.len(), pending.sectors()), (1, 0), "only the length");
    file.write_all_at(512, &[8; 10]).unwrap();
    file.write_all_at(512, &[7; 10]).unwrap();
    assert_eq!(vfs.pending().sectors(), 1, "and back: there was something in between");
    assert_eq!(super::after_cut(&vfs, "f0:1=2", A).unwrap()[512], 8, "versions keep their number");
    vfs.power_cut_with(&vfs.pending().all());
    assert_eq!(on_disk(&vfs, A).unwrap(), [vec![7; 1024], vec![0; 16_384]].concat());
}

/// A sector past the durable end is invisible without a length that reaches it.
#[test]
fn an_appended_sector_kept_alone_is_seen() {
    let vfs = SimVfs::new(1);
    let file = durable_file(&vfs, A, b"");
    file.write_all_at(0, &[1; 20 * 512]).unwrap();
    let alone = vfs.pending().few_states().any(|choice| {
        let fork = vfs.fork();
        fork.power_cut_with(&choice);
        let bytes = on_disk(&fork, A).unwrap();
        bytes.len() == 10 * 512 && bytes[..9 * 512].iter().all(|&b| b == 0) && bytes[9 * 512] == 1
    });
    assert!(alone);
}

#[test]
fn prefixes_follow_the_order_of_writing_over_all_files() {
    let vfs = SimVfs::new(1);
    let (a, b) = (durable_file(&vfs, A, &[0; 16 * 512]), durable_file(&vfs, B, &[0; 16 * 512]));
    for sector in 0..8 {
        b.write_all_at(sector * 512, &[1; 512]).unwrap();
        a.write_all_at(sector * 512, &[1; 512]).unwrap();
    }
    let texts: Vec<_> = states(&vfs.pending(), 0).iter().map(ToString::to_string).collect();
    for prefix in ["f1:0=1", "f0:0=1 f1:0=1", "f0:0=1 f1:0=1 f1:1=1"] {
        assert!(texts.iter().any(|text| text == prefix), "{prefix}");
    }
}

#[test]
fn a_state_without_anything_pending_is_tried_once() {
    let vfs = SimVfs::new(1);
    assert_eq!(states(&vfs.pending(), 9), [CrashChoice::default()]);
    assert_eq!(vfs.pending().few_states().count(), 1);
}

#[test]
fn the_choice_of_all_is_what_a_kill_leaves() {
    let vfs = overwritten(3);
    open(&vfs, B).write_all_at(700, b"grown").unwrap();
    open(&vfs, A).set_len(600).unwrap();
    let fork = vfs.fork();
    fork.power_cut_with(&vfs.pending().all());
    assert_eq!(fork.image_hash(), vfs.view_hash());
}

#[test]
fn equal_images_hash_equal_and_others_do_not() {
    let vfs = overwritten(3);
    let hash = |choice: &str| {
        let fork = vfs.fork();
        fork.power_cut_with(&choice.parse().unwrap());
        fork.image_hash()
    };
    assert_eq!(hash("f0:0=1"), hash("f0:0=1 f0:9=1"));
    let all: BTreeSet<_> =
        ["-", "f0:0=1", "f0:1=1", "f0:2=1", "f0:0=1 f0:1=1"].map(hash).into_iter().collect();
    assert_eq!(all.len(), 5);
    assert_eq!(vfs.image_hash(), hash("-"));
}

#[test]
fn choices_read_back() {
    let vfs = overwritten(4);
    open(&vfs, B).write_all_at(0, &[1; 600]).unwrap();
    for choice in vfs.pending().states(0, 0) {
        assert_eq!(choice.to_string().parse(), Ok(choice));
    }
    for text in ["f0", "f0:", "f0:1", "f0:x=1", "f0:1=", "fx:1=1", "n", "0:1=1", "f0:1=?"] {
        assert!(text.parse::<CrashChoice>().is_err(), "{text}");
    }
}
