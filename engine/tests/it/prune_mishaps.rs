//! Pruning that an error, a crash between two frames or a hostile file interrupts or misleads.

use hexxladb::vfs::MemoryVfs;
use hexxladb::vfs::sim::{Effect, SimVfs, Target};
use hexxladb::{Db, Error, FindingKind, Options, PruneProfile, Retention};

use crate::image::{Image, put_u64};
use crate::support::{
    DB, LOG, check_clean, get, light, next, open, options, put, read_file, refused, try_open,
    write_file,
};
use crate::support_records::{dumped, prune_all};

/// Two versions of each of many records, some leaves of them.
fn two_versions(vfs: &SimVfs, options: Options) -> Db {
    let db = open(vfs, options);
    for value in ["first", "second"] {
        for chunk in 0..10u32 {
            db.update(|tx| {
                (0..300u32).try_for_each(|key| tx.put((chunk * 300 + key).to_be_bytes(), value))
            })
            .unwrap();
        }
    }
    db
}

// spec: PRUNE-12, PRUNE-09
#[test]
fn what_an_error_has_kept_from_being_removed_goes_with_the_next_call() {
    for failing in 0..6 {
        let vfs = SimVfs::new(1);
        two_versions(&vfs, light()).close().unwrap();
        // With nothing in memory every leaf is read.
        let db = open(&vfs, light());
        let head = db.head().unwrap();
        let mut removed = db.prune_cell_versions(head, 300).unwrap();
        for _ in 0..=failing {
            next(&vfs, Target::Read, Effect::Eio);
            match db.prune_cell_versions(head, 400) {
                Ok(rows) => removed += rows,
                Err(error) => assert!(matches!(error, Error::Io(_)), "{error}"),
            }
            vfs.heal();
        }
        removed += prune_all(&db, head, 1000);
        let left = db.stats_mvcc().unwrap().versioned_row_count;
        assert_eq!((removed, left), (3000, 3000), "{failing}");
        check_clean(&db);
    }
}

/// The two rows of a commit in the timeline went in frames of their own: a crash between them
/// left one of them for ever.
// spec: PRUNE-09, PRUNE-05
#[cfg(feature = "sim")]
#[test]
fn a_commit_leaves_the_timeline_whole() {
    // Of several lengths, so that frames end at different rows.
    (40..46).for_each(cut_between_frames);
}

#[cfg(feature = "sim")]
fn cut_between_frames(key_bytes: usize) {
    // With a large cache nothing is checkpointed meanwhile.
    let small = || options().small_limits(16 << 10).cache_bytes(64 << 20);
    let vfs = MemoryVfs::new();
    let db = open(&vfs, small());
    for number in 0..600 {
        put(&db, format!("{:key_bytes$}", number % 7), "value").unwrap();
    }
    db.checkpoint().unwrap();
    assert!(db.prune_cell_versions(500, 100_000).unwrap() > 400);
    let (primary, log) = (read_file(&vfs, DB).unwrap(), read_file(&vfs, LOG).unwrap());
    let mut lengths = std::collections::BTreeSet::new();
    for cut in 0..log.len() / 4096 {
        let image = MemoryVfs::new();
        let mut log = log.clone();
        log[cut * 4096..][..4096].fill(0);
        write_file(&image, DB, &primary);
        write_file(&image, LOG, &log);
        let Ok(db) = try_open(&image, small()) else { continue };
        check_clean(&db);
        lengths.insert(dumped(&db, "").len());
        prune_all(&db, 500, 10_000);
        check_clean(&db);
    }
    assert!(lengths.len() > 1, "cuts fell between the frames: {lengths:?}");
}

// spec: PRUNE-08
#[test]
fn a_plan_of_another_database_does_not_raise_the_floor_above_head() {
    let keep = || options().retention(Retention::Commits(10));
    let fill = |count: u32| {
        let db = open(&MemoryVfs::new(), keep());
        (0..count).for_each(|number| drop(put(&db, "key", number.to_be_bytes())));
        db
    };
    let (long, short) = (fill(100), fill(15));
    let plan = long.plan_prune_by_profile(PruneProfile::LowLatency).unwrap();
    assert_eq!(plan.before, 90);
    assert_eq!(short.prune_cell_versions_by_profile(&plan).unwrap().floor, 5);
    assert_eq!(get(&short, "key").unwrap(), 14u32.to_be_bytes());
}

// spec: DUR-06, PRUNE-05
#[test]
fn a_floor_above_head_is_damage() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    (0..3).for_each(|_| drop(put(&db, "key", "value")));
    db.close().unwrap();
    // Floor, then the floor to which everything is pruned.
    for (floor, pruned) in [(4, 0), (u64::MAX >> 1, 0), (2, 3), (0, 1)] {
        let mut image = Image::of(&vfs);
        image.edit(image.catalog(), |bytes| {
            put_u64(bytes, 68, floor);
            put_u64(bytes, 76, pruned);
        });
        let copy = MemoryVfs::new();
        image.write_to(&copy);
        refused!(try_open(&copy, options()), Error::CorruptDatabase { .. });
    }
}

// spec: IDX-03
#[test]
fn check_tells_where_an_index_and_its_records_disagree() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    let at = crate::support::coord(0, 0);
    for tags in [&["a", "b"][..], &["b"], &["a"]] {
        let cell = hexxladb::Cell::new("text").with_tags(tags.iter().copied());
        db.update(|tx| tx.put_cell(at, &cell)).unwrap();
    }
    db.update(|tx| tx.delete_cell(at)).unwrap();
    check_clean(&db);
    db.close().unwrap();
    let image = Image::of(&vfs);
    let leaf = image.leaves(0x30)[0];
    let entries = image.entries(leaf);
    let rows = entries.iter().filter(|entry| entry.key[0] == 0x80);
    let mut told = 0;
    // Each row of the index says the opposite.
    for entry in rows {
        let mut image = Image::of(&vfs);
        let row = entry.value_at;
        image.edit(leaf, |bytes| bytes[row] ^= 1);
        let copy = MemoryVfs::new();
        image.write_to(&copy);
        let report = open(&copy, options()).check().unwrap();
        assert!(report.findings.iter().any(|found| found.kind == FindingKind::Index), "{report:?}");
        told += 1;
    }
    assert_eq!(told, 6, "a shown, hidden, shown, hidden; b shown, hidden");
}
