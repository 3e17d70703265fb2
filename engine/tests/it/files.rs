//! Primary and log as files: which belong together, which are refused, what a copy is worth.

use hexxladb::vfs::{MemoryVfs, Vfs};
use hexxladb::{Db, Error, Options};

use crate::support::{
    DB, LOG, Rows, all_snapshots, check_clean, files, open, options, put, read_file, refused, rows,
    try_open, write_file,
};

/// A world with these files.
fn world(primary: Option<&[u8]>, log: Option<&[u8]>) -> MemoryVfs {
    let vfs = MemoryVfs::new();
    for (path, bytes) in [(DB, primary), (LOG, log)] {
        if let Some(bytes) = bytes {
            write_file(&vfs, path, bytes);
        }
    }
    vfs
}

/// Primary and log, where both exist.
fn pair(vfs: &MemoryVfs) -> (Vec<u8>, Vec<u8>) {
    let [primary, log] = files(vfs);
    (primary.unwrap(), log.unwrap())
}

fn commit(db: &Db, numbers: std::ops::Range<u32>) {
    numbers.for_each(|number| {
        put(db, number.to_be_bytes(), format!("{number:0>300}")).unwrap();
    });
}

/// A database with `commits` commits; closed, or left as a killed process leaves it.
fn made(commits: u32, close: bool) -> (Vec<u8>, Vec<u8>) {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    commit(&db, 0..commits);
    if close {
        db.close().unwrap();
    }
    pair(&vfs)
}

fn check_opens(primary: &[u8], log: Option<&[u8]>, records: usize) {
    let vfs = world(Some(primary), log);
    let reader = open(&vfs, options().read_only(true));
    assert_eq!(rows(&reader).len(), records);
    drop(reader);
    assert_eq!(files(&vfs), [Some(primary.to_vec()), log.map(<[u8]>::to_vec)]);
    let db = open(&vfs, options());
    assert_eq!(rows(&db).len(), records);
    commit(&db, 1000..1003);
    drop(db);
    let db = open(&vfs, options());
    assert_eq!(rows(&db).len(), records + 3);
    check_clean(&db);
}

fn check_mismatch(primary: &[u8], log: &[u8], why: &str) {
    for read_only in [true, false] {
        let vfs = world(Some(primary), Some(log));
        match try_open(&vfs, options().read_only(read_only)).map(|db| db.recovery_report().clone())
        {
            Err(Error::WalMismatch { path, what }) => {
                assert!(path.to_str() == Some(LOG) && what.contains(why), "{what}, not {why}");
            }
            other => panic!("{why}: {other:?}"),
        }
        // What is refused is left as it is.
        assert_eq!(files(&vfs), [Some(primary.to_vec()), Some(log.to_vec())]);
    }
}

// spec: FILE-01
#[test]
fn a_database_is_two_files_side_by_side() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    put(&db, "key", "").unwrap();
    let names = vfs.list("/".as_ref()).unwrap();
    assert_eq!(names, ["db".as_ref(), "db-wal".as_ref() as &std::path::Path]);
    assert_eq!((db.path().to_str(), db.wal_path().to_str()), (Some(DB), Some(LOG)));
    let vfs = MemoryVfs::new();
    let other = Db::open_with(std::sync::Arc::new(vfs.clone()), "/a.b/c.hexx", options()).unwrap();
    put(&other, "key", "").unwrap();
    assert_eq!(vfs.list("/a.b".as_ref()).unwrap().len(), 2);
    assert_eq!(other.wal_path().to_str(), Some("/a.b/c.hexx-wal"));
}

// spec: FILE-09, BAK-01
#[test]
fn a_cleanly_closed_primary_opens_beside_no_log_an_empty_one_or_a_retired_one() {
    let (primary, log) = made(40, true);
    let (_, log_of_other) = made(3, true);
    check_opens(&primary, None, 40);
    check_opens(&primary, Some(&[]), 40);
    check_opens(&primary, Some(&vec![0; 1 << 20]), 40);
    check_opens(&primary, Some(&log), 40);
    check_opens(&primary, Some(&log_of_other), 40);
    // An empty database too, which never had a log.
    let vfs = MemoryVfs::new();
    open(&vfs, options()).close().unwrap();
    assert_eq!(read_file(&vfs, LOG), None);
    check_opens(&read_file(&vfs, DB).unwrap(), None, 0);
    check_opens(&read_file(&vfs, DB).unwrap(), Some(&log_of_other), 0);
}

// spec: BAK-01
#[test]
fn a_copy_of_a_closed_database_reads_the_same() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    commit(&db, 0..30);
    let expected = all_snapshots(&db);
    db.close().unwrap();
    let (primary, log) = pair(&vfs);
    for log in [None, Some(&log[..])] {
        let copy = open(&world(Some(&primary), log), options());
        assert!(copy.recovery_report().clean);
        assert_eq!(all_snapshots(&copy), expected);
        check_clean(&copy);
    }
}

// spec: FILE-09
#[test]
fn a_clean_copy_may_be_renamed_over_the_original() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    commit(&db, 0..20);
    db.close().unwrap();
    let copy = read_file(&vfs, DB).unwrap();
    // The copy goes its own way elsewhere, and comes back over the original.
    let elsewhere = world(Some(&copy), None);
    let db = open(&elsewhere, options());
    commit(&db, 20..25);
    db.close().unwrap();
    write_file(&vfs, "/db.new", &read_file(&elsewhere, DB).unwrap());
    vfs.rename("/db.new".as_ref(), DB.as_ref()).unwrap();
    let db = open(&vfs, options());
    assert_eq!(rows(&db).len(), 25);
    commit(&db, 25..30);
    drop(db);
    assert_eq!(rows(&open(&vfs, options())).len(), 30);
}

// spec: FILE-10
#[test]
fn a_primary_that_counts_on_its_log_is_nothing_without_it() {
    for commits in [1, 40] {
        let (primary, log) = made(commits, false);
        for log in [None, Some(&[][..]), Some(&vec![0; log.len()][..])] {
            for read_only in [true, false] {
                let vfs = world(Some(&primary), log);
                let missing = try_open(&vfs, options().read_only(read_only));
                refused!(missing, Error::WalMissing { path } if path.to_str() == Some(LOG));
                assert_eq!(files(&vfs), [Some(primary.clone()), log.map(<[u8]>::to_vec)]);
            }
        }
        check_opens(&primary, Some(&log), commits as usize);
    }
}

// spec: FILE-11, FILE-13
#[test]
fn a_log_with_frames_of_another_file_is_refused() {
    let (in_use, _) = made(10, false);
    let (clean, _) = made(10, true);
    let (_, foreign) = made(10, false);
    check_mismatch(&clean, &foreign, "belong to another file");
    check_mismatch(&in_use, &foreign, "belong to another file");
    let (_, foreign_and_retired) = made(10, true);
    check_mismatch(&in_use, &foreign_and_retired, "belong to another file");
}

/// Where a newer log still leads from an older primary to its own state, all of it is there.
fn check_nothing_lost(primary: &[u8], log: &[u8]) {
    match try_open(&world(Some(primary), Some(log)), options()) {
        Ok(db) => assert_eq!(rows(&db).len(), 12),
        Err(error) => assert!(matches!(error, Error::WalMismatch { .. }), "{error}"),
    }
}

// spec: FILE-12
#[test]
fn an_old_primary_beside_a_newer_log_is_refused() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    commit(&db, 0..5);
    let in_use_5 = read_file(&vfs, DB).unwrap();
    db.close().unwrap();
    let clean_5 = read_file(&vfs, DB).unwrap();
    let db = open(&vfs, options());
    commit(&db, 5..10);
    let (in_use_10, log_10) = pair(&vfs);
    check_mismatch(&clean_5, &log_10, "newer state");
    check_mismatch(&in_use_5, &log_10, "newer state");
    // A checkpoint makes the log newer than the primary that it was made from.
    db.checkpoint().unwrap();
    commit(&db, 10..12);
    let log_12 = read_file(&vfs, LOG).unwrap();
    check_mismatch(&clean_5, &log_12, "newer state");
    check_nothing_lost(&in_use_10, &log_12);
    // A retired log says how far its history went.
    db.close().unwrap();
    let (clean_12, retired_12) = pair(&vfs);
    check_mismatch(&clean_5, &retired_12, "retired at commit 12");
    check_nothing_lost(&in_use_10, &retired_12);
    check_opens(&clean_12, Some(&retired_12), 12);
}

/// Damage to the beginning of a segment hid that its frames are newer than a clean primary.
// spec: FILE-12
#[test]
fn a_newer_log_with_damaged_beginnings_is_refused_all_the_same() {
    const BLOCK: usize = 4096;
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    commit(&db, 0..5);
    db.close().unwrap();
    let clean_5 = read_file(&vfs, DB).unwrap();
    let db = open(&vfs, options());
    commit(&db, 5..10);
    let log_10 = read_file(&vfs, LOG).unwrap();
    drop(db);
    // The header of its only segment; then its first group, too.
    let mut damaged = log_10.clone();
    damaged[..BLOCK].fill(0xE7);
    check_mismatch(&clean_5, &damaged, "newer state");
    damaged[BLOCK..2 * BLOCK].fill(0xE7);
    check_mismatch(&clean_5, &damaged, "newer state");
    // What is not newer does no harm, damaged or not.
    let vfs = world(Some(&clean_5), Some(&log_10[..0]));
    let db = open(&vfs, options());
    commit(&db, 5..8);
    db.close().unwrap();
    let (clean_8, retired_8) = pair(&vfs);
    for end in [0, BLOCK, 2 * BLOCK] {
        let mut damaged = retired_8.clone();
        damaged[..end].fill(0xE7);
        check_opens(&clean_8, Some(&damaged), 8);
    }
}

/// An epoch that nothing can follow, in a retired log of another file, made the next one overflow.
#[test]
fn a_log_that_counts_to_the_last_number_does_no_harm() {
    let (primary, _) = made(3, true);
    let (_, foreign) = made(3, true);
    for numbers in [[24, 24], [16, 16], [64, 72]] {
        let mut log = foreign.clone();
        for at in numbers {
            log[at..at + 8].fill(0xFF);
        }
        let crc = crc32fast::hash(&log[..80]);
        log[80..84].copy_from_slice(&crc.to_le_bytes());
        check_opens(&primary, Some(&log), 3);
    }
}

// spec: FILE-12, FILE-13
#[test]
fn a_recovered_database_refuses_its_past() {
    let (primary, log) = made(6, false);
    let vfs = world(Some(&primary), Some(&log));
    let db = open(&vfs, options());
    commit(&db, 6..8);
    let (_, newer_log) = pair(&vfs);
    check_mismatch(&primary, &newer_log, "newer state");
}

// spec: FILE-15
#[test]
fn a_copy_of_an_open_database_is_a_prefix_or_an_error() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    let (mut taken, mut states) = (vec![files(&vfs)], vec![Rows::new()]);
    for round in 0..24u32 {
        let keys = (0..100u32).map(|key| (key * 40 + round).to_be_bytes());
        db.update(|tx| keys.clone().try_for_each(|key| tx.put(key, vec![round as u8; 900])))
            .unwrap();
        states.push(rows(&db));
        if round % 6 == 5 {
            taken.push(files(&vfs));
        }
    }
    assert!(db.stats_mvcc().unwrap().checkpoints > 2, "the primary moved under the copies");
    let mut opened = 0;
    // As `cp` would: the one file at one time, the other at another.
    for primary in &taken {
        for log in &taken {
            let copy = world(primary[0].as_deref(), log[1].as_deref());
            match try_open(&copy, options()) {
                Ok(db) => {
                    opened += 1;
                    let head = db.head().unwrap() as usize;
                    assert!(rows(&db) == states[head], "not the state after commit {head}");
                    check_clean(&db);
                }
                Err(
                    Error::WalMissing { .. }
                    | Error::WalMismatch { .. }
                    | Error::CorruptDatabase { .. },
                ) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
    }
    assert!(opened >= taken.len() - 1, "files of one moment open: {opened}");
}

// spec: FILE-16, DUR-07
#[test]
fn the_report_says_what_was_replayed_and_what_was_discarded() {
    let (primary, log) = made(3, false);
    let report = |log: &[u8]| {
        let db = open(&world(Some(&primary), Some(log)), options());
        (rows(&db).len(), db.recovery_report().clone())
    };
    let (records, whole) = report(&log);
    assert_eq!((records, whole.clean, whole.commits_replayed), (3, false, 3));
    assert!(whole.frames_replayed >= 3 && whole.bytes_replayed >= 3 * 300);
    assert_eq!((whole.frames_discarded, whole.bytes_discarded, &whole.reason), (0, 0, &None));
    // The last commit, torn: in both of its copies.
    let mut torn = log.clone();
    let needle = format!("{:0>300}", 2).into_bytes();
    let mut places: Vec<usize> = Vec::new();
    while let Some(at) = torn.windows(300).position(|window| window == needle) {
        torn[at] ^= 1;
        places.push(at);
    }
    assert!(!places.is_empty());
    let (records, report) = report(&torn);
    assert_eq!((records, report.commits_replayed), (2, 2));
    assert!(report.frames_discarded >= 1 && report.bytes_discarded >= 300, "{report:?}");
    assert!(report.reason.is_some_and(|reason| reason.contains("torn")));
    let clean = open(&world(Some(&made(3, true).0), None), options());
    assert!(clean.recovery_report().clean);
}

// spec: FILE-20
#[test]
fn an_empty_primary_beside_a_log_with_commits_is_no_new_database() {
    for close in [false, true] {
        let (primary, log) = made(4, close);
        for empty in [None, Some(&[][..])] {
            let vfs = world(empty, Some(&log));
            let refused = try_open(&vfs, options());
            refused!(refused, Error::WalMismatch { path, .. } if path.to_str() == Some(LOG));
            assert_eq!(read_file(&vfs, LOG).unwrap(), log);
            assert!(read_file(&vfs, DB).unwrap_or_default().is_empty());
        }
        // Nor one that holds nothing but zeros.
        let vfs = world(Some(&vec![0; primary.len()]), Some(&log));
        let before = files(&vfs);
        let refused = try_open(&vfs, options());
        refused!(refused, Error::WalMismatch { .. } | Error::NotADatabase { .. });
        assert!(files(&vfs) == before);
    }
    let vfs = world(Some(&[]), Some(&[]));
    put(&open(&vfs, Options::new()), "key", "").unwrap();
}
