//! Snapshot tags: names for sequences, which last.

use hexxladb::vfs::sim::{CutProfile, SimVfs};
use hexxladb::{Db, Error, ReadTx};

use crate::support::{check_clean, get, light, open, put, refused, rows_at};
use crate::support_records::{TEXTS, prune_all, reopened};

#[expect(clippy::unnecessary_wraps, reason = "as a view wants it")]
fn seq(tx: &ReadTx) -> hexxladb::Result<u64> {
    Ok(tx.seq())
}

fn tags(db: &Db) -> Vec<(String, u64)> {
    db.snapshot_tags().unwrap().into_iter().map(|tag| (tag.name, tag.seq)).collect()
}

/// A database of this many commits.
fn with_commits(vfs: &SimVfs, count: u64) -> Db {
    let db = open(vfs, light());
    for number in 1..=count {
        put(&db, "key", number.to_string()).unwrap();
    }
    db
}

// spec: SNAP-12
#[test]
fn tags_name_commits_and_take_none() {
    let db = with_commits(&SimVfs::new(1), 5);
    assert_eq!(tags(&db), []);
    assert_eq!(db.tag_snapshot("now").unwrap(), 5);
    assert_eq!(db.tag_snapshot_at("then", 2).unwrap(), 2);
    assert_eq!(db.tag_snapshot_at("empty", 0).unwrap(), 0);
    assert_eq!((db.head().unwrap(), db.stats_mvcc().unwrap().versioned_row_count), (5, 5));
    put(&db, "key", "6").unwrap();
    for (name, expected) in [("now", Some("5")), ("then", Some("2")), ("empty", None)] {
        let read = db.view_at_tag(name, |tx| tx.get("key")).unwrap();
        assert_eq!(read.map(|value| value.to_vec()), expected.map(|text| text.as_bytes().to_vec()));
    }
    let expected =
        [("empty", 0), ("now", 5), ("then", 2)].map(|(name, seq)| (name.to_owned(), seq));
    assert_eq!(tags(&db), expected);
    assert!(db.delete_snapshot_tag("now").unwrap());
    assert!(!db.delete_snapshot_tag("now").unwrap());
    refused!(db.view_at_tag("now", seq), Error::SnapshotTagNotFound { name } if name == "now");
    assert_eq!(db.tag_snapshot("now").unwrap(), 6);
    check_clean(&db);
}

// spec: SNAP-12, SNAP-03
#[test]
fn a_tag_stays_where_it_is() {
    let db = with_commits(&SimVfs::new(1), 5);
    db.tag_snapshot_at("tag", 3).unwrap();
    assert_eq!(db.tag_snapshot_at("tag", 3).unwrap(), 3, "the same again is no move");
    for other in [0, 2, 4, 5] {
        let moved = db.tag_snapshot_at("tag", other);
        refused!(moved, Error::SnapshotTagExists { name, seq: 3 } if name == "tag");
    }
    refused!(db.tag_snapshot("tag"), Error::SnapshotTagExists { seq: 3, .. });
    for future in [6, u64::MAX] {
        let tagged = db.tag_snapshot_at("future", future);
        refused!(tagged, Error::ReadSeqFuture { seq, head: 5 } if seq == future);
    }
    prune_all(&db, 3, 10);
    for pruned in [1, 2] {
        let tagged = db.tag_snapshot_at("past", pruned);
        refused!(tagged, Error::SnapshotPruned { seq, oldest: 3 } if seq == pruned);
    }
    assert_eq!(db.tag_snapshot_at("floor", 3).unwrap(), 3);
    assert_eq!(db.tag_snapshot_at("empty", 0).unwrap(), 0, "0 stays readable");
    refused!(db.view_at_tag("none", seq), Error::SnapshotTagNotFound { .. });
    assert_eq!(tags(&db).len(), 3);
}

// spec: SNAP-12, KEY-03
#[test]
fn names_have_bounds_and_any_text_will_do() {
    let vfs = SimVfs::new(1);
    let mut db = with_commits(&vfs, 20);
    for name in ["x".repeat(256), "\0".repeat(128), "ä".repeat(128)] {
        refused!(db.tag_snapshot(&name), Error::KeyTooLarge { len: 256, max: 255, .. });
        refused!(db.delete_snapshot_tag(&name), Error::KeyTooLarge { .. });
        refused!(db.view_at_tag(&name, seq), Error::SnapshotTagNotFound { .. });
    }
    refused!(db.tag_snapshot(""), Error::InvalidArgument { .. });
    let longest = ["x".repeat(255), "\0".repeat(127)];
    let names: Vec<&str> =
        TEXTS.into_iter().skip(1).chain(longest.iter().map(String::as_str)).collect();
    for (number, name) in (1..).zip(&names) {
        assert_eq!(db.tag_snapshot_at(name, number).unwrap(), number);
    }
    let mut expected: Vec<(String, u64)> =
        names.iter().map(|name| (*name).to_owned()).zip(1..).collect();
    expected.sort();
    for how in 0..3 {
        assert_eq!(tags(&db), expected);
        for (name, at) in &expected {
            assert_eq!(db.view_at_tag(name, seq).unwrap(), *at);
        }
        db = reopened(&vfs, db, &light(), how);
    }
    for (name, _) in &expected {
        assert!(db.delete_snapshot_tag(name).unwrap());
    }
    assert_eq!(tags(&db), []);
    check_clean(&db);
}

// spec: SNAP-12, DUR-01, DUR-15
#[test]
fn tags_and_floor_survive_what_commits_survive() {
    for profile in [CutProfile::Plain, CutProfile::Hostile] {
        for close in [false, true] {
            let vfs = SimVfs::new(1);
            let db = with_commits(&vfs, 9);
            db.tag_snapshot_at("kept", 6).unwrap();
            db.tag_snapshot("deleted").unwrap();
            assert_eq!(db.prune_cell_versions(9, 2).unwrap(), 2);
            assert!(db.delete_snapshot_tag("deleted").unwrap());
            if close {
                db.close().unwrap();
            }
            vfs.power_cut(profile);
            drop(db);
            // Once from the log, once more after a recovery that was cut short too.
            for _ in 0..2 {
                let db = open(&vfs, light());
                assert_eq!(tags(&db), [("kept".to_owned(), 6)]);
                assert_eq!(db.stats_mvcc().unwrap().oldest_readable_seq, 6);
                refused!(db.view_at(5, seq), Error::SnapshotPruned { seq: 5, oldest: 6 });
                let old = rows_at(&db, 6);
                assert_eq!(old[&b"key"[..]], b"6");
                assert_eq!(get(&db, "key").unwrap(), b"9");
                check_clean(&db);
                vfs.power_cut(profile);
                drop(db);
            }
        }
    }
}

// spec: SNAP-12, TXN-14
#[test]
fn tagging_is_refused_inside_a_write_transaction_and_fine_inside_a_view() {
    let db = with_commits(&SimVfs::new(1), 3);
    db.update(|tx| {
        refused!(db.tag_snapshot("t"), Error::NestedWrite);
        refused!(db.delete_snapshot_tag("t"), Error::NestedWrite);
        assert_eq!(tags(&db), []);
        tx.put("key", "4")
    })
    .unwrap();
    db.view(|tx| {
        put(&db, "key", "5")?;
        db.tag_snapshot_at("seen", tx.seq())?;
        assert_eq!(db.tag_snapshot("newer")?, 5);
        Ok::<_, Error>(())
    })
    .unwrap();
    assert_eq!(tags(&db), [("newer".to_owned(), 5), ("seen".to_owned(), 4)]);
}
