//! Writes that fail: what their caller is told, what the handle still does, what is there after
//! reopening.

use hexxladb::vfs::ErrorKind;
use hexxladb::vfs::sim::{CutProfile, Effect, Fault, SimVfs, Target};
use hexxladb::{Cell, Db, Durability, Error, Options, Result, WriteTx};

use crate::support::{
    LOG, Rows, both_formats, both_light, check_clean, coord, get, light, next, open, put, refused,
    rows, try_open,
};

/// A database with one commit, so that the next one is just a write and a sync of the log.
fn with_one_commit(seed: u64, options: &Options) -> (SimVfs, Db) {
    let vfs = SimVfs::new(seed);
    let db = open(&vfs, options.clone());
    put(&db, "first", "1").unwrap();
    (vfs, db)
}

fn row(key: &str, value: &str) -> (Vec<u8>, Vec<u8>) {
    (key.as_bytes().to_vec(), value.as_bytes().to_vec())
}

/// Every call that writes is `Poisoned`, reads go on with what was published.
fn check_poisoned(db: &Db, seen: &Rows) {
    for _ in 0..2 {
        refused!(put(db, "later", ""), Error::Poisoned { .. });
        refused!(db.begin_write(), Error::Poisoned { .. });
        refused!(db.checkpoint(), Error::Poisoned { .. });
        refused!(db.sync(), Error::Poisoned { .. });
        assert_eq!(rows(db), *seen);
        assert_eq!(db.head().unwrap(), 1);
    }
}

// spec: TXN-19, TXN-20, DUR-08
#[test]
fn after_a_failed_sync_the_commit_is_unknown_and_the_handle_writes_no_more() {
    let effects = [
        Effect::Eio,
        Effect::EioKeep { seed: 0 },
        Effect::EioKeep { seed: 9 },
        Effect::EioRevert { seed: 9 },
    ];
    for (options, effect) in
        both_light().into_iter().flat_map(|o| effects.clone().map(|e| (o.clone(), e)))
    {
        for seed in 0..4 {
            let (vfs, db) = with_one_commit(seed, &options);
            let snapshot = db.snapshot().unwrap();
            let seen = rows(&db);
            next(&vfs, Target::Sync, effect.clone());
            match put(&db, "second", "2") {
                Err(Error::CommitUnknown { seq: 2, cause }) => {
                    assert!(cause.contains("sync"), "{cause}");
                }
                other => panic!("{other:?}"),
            }
            vfs.set_trace(true);
            check_poisoned(&db, &seen);
            assert_eq!(snapshot.get("first").unwrap().unwrap(), b"1");
            refused!(db.close(), Error::Poisoned { .. });
            // Nothing was tried again.
            let touched = vfs.take_trace().into_iter().filter(|line| {
                ["Write", "Sync", "SetLen", "Allocate"].iter().any(|op| line.contains(op))
            });
            assert_eq!(touched.collect::<Vec<_>>(), Vec::<String>::new());
            drop((db, snapshot));
            vfs.heal();
            if seed % 2 == 1 {
                vfs.power_cut(CutProfile::Plain);
            }
            let db = open(&vfs, options.clone());
            // Reopening tells: the commit is there, or it is not.
            let there = db.commits(2..).unwrap().count();
            let rest = (there > 0).then(|| row("second", "2"));
            let expected: Rows = [row("first", "1")].into_iter().chain(rest).collect();
            assert_eq!(rows(&db), expected);
            assert_eq!(put(&db, "third", "").unwrap(), 2 + there as u64);
            check_clean(&db);
        }
    }
}

// spec: TXN-20, DUR-08
#[test]
fn a_failed_write_of_the_log_is_no_better() {
    for options in both_light() {
        let (vfs, db) = with_one_commit(1, &options);
        let seen = rows(&db);
        next(&vfs, Target::Write, Effect::Eio);
        refused!(put(&db, "second", "2"), Error::CommitUnknown { seq: 2, .. });
        check_poisoned(&db, &seen);
        drop(db);
        let db = open(&vfs, options);
        assert_eq!(rows(&db), seen);
        assert_eq!(put(&db, "second", "").unwrap(), 2);
    }
}

// spec: DUR-08
#[test]
fn no_failed_operation_of_a_checkpoint_or_close_loses_anything() {
    for (target, close) in [Target::Write, Target::Sync, Target::Allocate]
        .into_iter()
        .flat_map(|target| [(target, false), (target, true)])
    {
        for skip in [0, 1, 2, 3, 5, 8] {
            let (vfs, db) = with_one_commit(skip, &light());
            db.update(|tx| (0..60u8).try_for_each(|key| tx.put([key], [key; 900]))).unwrap();
            let expected = rows(&db);
            vfs.arm(Fault { at: vfs.ops() + skip, on: target, effect: Effect::Eio });
            let done = if close { db.close() } else { db.checkpoint() };
            if let Err(error) = &done {
                assert!(matches!(error, Error::Poisoned { .. } | Error::Io(_)), "{error}");
            }
            if !close {
                assert_eq!(rows(&db), expected);
                // Either the handle goes on writing, or it says that it does not.
                match put(&db, "after", "") {
                    Ok(seq) => assert!(seq == 3 && get(&db, "after").is_some()),
                    Err(error) => assert!(matches!(error, Error::Poisoned { .. }), "{error}"),
                }
            }
            drop(db);
            vfs.heal();
            vfs.power_cut(CutProfile::Plain);
            let db = open(&vfs, light());
            let mut found = rows(&db);
            found.remove(&b"after"[..]);
            assert_eq!(found, expected, "{target:?} {skip}");
            check_clean(&db);
        }
    }
}

// spec: TXN-21
#[test]
fn a_full_disk_refuses_the_transaction_that_does_not_fit_and_no_other() {
    for options in both_formats() {
        let (vfs, db) = with_one_commit(2, &options);
        vfs.set_free_sectors(Some(0));
        let mut expected = rows(&db);
        let mut refused = 0;
        for round in 0..60u8 {
            // Values large and small; the log cannot grow, nor the primary.
            let key = format!("key{round}").into_bytes();
            let value = vec![round; if round % 3 == 0 { 90_000 } else { 50 }];
            let head = db.head().unwrap();
            match put(&db, &key, &value) {
                Ok(seq) => {
                    assert_eq!(seq, head + 1);
                    expected.insert(key, value);
                }
                Err(Error::Io(error)) if error.kind() == ErrorKind::StorageFull => {
                    refused += 1;
                    assert_eq!(db.head().unwrap(), head);
                }
                Err(other) => panic!("{other:?}"),
            }
            assert_eq!(rows(&db), expected);
        }
        assert!(refused >= 3 && expected.len() > 10, "{refused} refused, {} there", expected.len());
        // With space again everything goes on, on the same handle.
        vfs.set_free_sectors(None);
        let head = db.head().unwrap();
        assert_eq!(put(&db, "more", vec![1; 90_000]).unwrap(), head + 1);
        expected.insert(b"more".to_vec(), vec![1; 90_000]);
        db.checkpoint().unwrap();
        check_clean(&db);
        drop(db);
        vfs.power_cut(CutProfile::Plain);
        assert_eq!(rows(&open(&vfs, options)), expected);
    }
}

// spec: TXN-21, TXN-16
#[test]
fn a_large_transaction_that_does_not_fit_gives_its_space_back() {
    let (vfs, db) = with_one_commit(3, &light());
    vfs.set_free_sectors(Some(3000));
    let expected = rows(&db);
    for _ in 0..3 {
        let large =
            db.update(|tx| (0..4000u32).try_for_each(|key| tx.put(key.to_be_bytes(), [7; 900])));
        match large {
            Err(Error::Io(error)) if error.kind() == ErrorKind::StorageFull => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(rows(&db), expected);
    }
    vfs.set_free_sectors(None);
    assert_eq!(put(&db, "small", "").unwrap(), 2);
    check_clean(&db);
    drop(db);
    let db = open(&vfs, light());
    assert_eq!(rows(&db).len(), 2);
    check_clean(&db);
}

// spec: DUR-08
#[test]
fn an_operation_that_fails_spoils_its_transaction_alone() {
    let vfs = SimVfs::new(4);
    let db = open(&vfs, light());
    db.update(|tx| (0..3000u32).try_for_each(|key| tx.put(key.to_be_bytes(), [1; 300]))).unwrap();
    db.close().unwrap();
    let db = open(&vfs, light());
    let expected = rows(&db);
    // Read everything once more: the cache is too small for it.
    let mut tx = db.begin_write().unwrap();
    tx.put("kept?", "").unwrap();
    next(&vfs, Target::Read, Effect::EioForever);
    let failed = (0..3000u32).find_map(|key| tx.put(key.to_be_bytes(), "new").err());
    refused!(Err::<(), _>(failed.unwrap()), Error::Io(_));
    vfs.heal();
    refused!(tx.put("later", ""), Error::InvalidArgument { what: "transaction", .. });
    refused!(tx.commit(), Error::InvalidArgument { what: "transaction", .. });
    assert_eq!(rows(&db), expected);
    assert_eq!(put(&db, "next", "").unwrap(), 2);
    check_clean(&db);
}

// spec: ERR-03, DUR-10
#[test]
fn an_open_that_fails_at_any_operation_can_be_tried_again() {
    let vfs = SimVfs::new(5);
    let db = open(&vfs, light());
    for key in 0..8u8 {
        put(&db, [key], [key; 500]).unwrap();
    }
    let expected = rows(&db);
    drop(db);
    vfs.power_cut(CutProfile::Plain);
    for read_only in [false, true] {
        let options = light().read_only(read_only);
        for skip in 0.. {
            let world = vfs.fork();
            world.arm(Fault { at: world.ops() + skip, on: Target::Any, effect: Effect::Eio });
            let opened = try_open(&world, options.clone());
            let done = world.recorded().0.is_empty();
            if let Err(error) = &opened {
                assert!(matches!(error, Error::Io(_) | Error::Poisoned { .. }), "{error}");
            }
            drop(opened);
            world.heal();
            if skip % 2 == 0 {
                world.power_cut(CutProfile::Plain);
            }
            let db = open(&world, light());
            assert_eq!(rows(&db), expected, "after a failure of operation {skip}");
            if done {
                assert!(skip > 5);
                break;
            }
        }
    }
}

// spec: OPT-09, TXN-13
#[test]
fn a_commit_is_one_append_and_one_sync_of_the_log_whatever_it_touches() {
    for options in both_formats() {
        let (vfs, db) = with_one_commit(6, &options.clone().durability(Durability::Sync));
        let one = |tx: &mut WriteTx| tx.put("key", "");
        let note = |tx: &mut WriteTx| tx.set_note("only");
        let many = |tx: &mut WriteTx| {
            tx.put_cell(coord(1, 1), &Cell::new("cell"))?;
            tx.delete("first")?;
            (0..300u32).try_for_each(|key| tx.put(key.to_be_bytes(), [1; 40]))
        };
        let writes: [fn(&mut WriteTx) -> Result<()>; 4] = [one, note, many, one];
        let syncs = |db: &Db| db.stats_mvcc().map_or(0, |stats| stats.wal_syncs);
        vfs.set_trace(true);
        for write in writes {
            vfs.take_trace();
            let before = syncs(&db);
            db.update(write).unwrap();
            let trace = vfs.take_trace();
            let of = |op: &str| trace.iter().filter(|line| line.contains(op)).count();
            assert_eq!((trace.len(), of("Write"), of("SyncData")), (2, 1, 1), "{trace:?}");
            assert!(trace.iter().all(|line| line.contains(LOG)), "{trace:?}");
            if db.format_version() == 2 {
                assert_eq!(syncs(&db) - before, 1);
            }
        }
        db.update(|tx| tx.get("key").map(|_| ())).unwrap();
        assert_eq!(vfs.take_trace(), Vec::<String>::new(), "nothing written, nothing done");
        // What was acknowledged is on stable storage.
        let expected = rows(&db);
        drop(db);
        vfs.power_cut_with(&vfs.pending().none());
        assert_eq!(rows(&open(&vfs, options)), expected);
    }
}

// spec: TXN-22
#[test]
fn a_checkpoint_brings_the_primary_up_to_head_and_retires_the_log() {
    for options in both_light() {
        let (vfs, db) = with_one_commit(7, &options);
        for key in 0..50u8 {
            put(&db, [key], [key; 3000]).unwrap();
        }
        db.checkpoint().unwrap();
        let expected = rows(&db);
        // The log from there on is all that an open replays.
        put(&db, "after", "").unwrap();
        drop(db);
        let db = open(&vfs, options.clone());
        assert_eq!(db.recovery_report().commits_replayed, 1);
        assert_eq!(rows(&db).len(), expected.len() + 1);
        check_clean(&db);
    }
}
