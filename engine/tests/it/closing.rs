//! Handles: what closing does, what it waits for, what a dropped handle leaves.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use hexxladb::vfs::MemoryVfs;
use hexxladb::{
    CancelToken, Cell, CheckReport, Commits, Db, Dump, Error, History, Options, PutCells, Result,
    Snapshot, Timestamp,
};

use crate::support::{
    DB, LOG, both_formats, check_clean, coord, in_memory, open, options, put, read_file, refused,
    rows,
};

// spec: API-01
#[test]
fn handles_are_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    fn handle<T: Clone + Send + Sync + 'static>() {}
    handle::<Db>();
    handle::<CancelToken>();
    handle::<Options>();
    shared::<Snapshot>();
    shared::<(Commits, History, Dump, CheckReport, Error)>();
    // All clones are one handle.
    let db = in_memory();
    put(&db.clone(), "key", "").unwrap();
    assert_eq!(rows(&db).len(), 1);
    db.clone().close().unwrap();
    refused!(db.head(), Error::DatabaseClosed);
}

// spec: API-06, DUR-12, FILE-14
#[test]
fn close_leaves_a_complete_primary_and_an_empty_log() {
    for options in both_formats() {
        let vfs = MemoryVfs::new();
        let db = open(&vfs, options.clone());
        for round in 0..20u8 {
            db.update(|tx| {
                (0..50u8).try_for_each(|key| tx.put([key], vec![round; 100 * usize::from(key)]))
            })
            .unwrap();
            db.update(|tx| (0..50u8).step_by(3).try_for_each(|key| tx.delete([key]).map(|_| ())))
                .unwrap();
        }
        let expected = rows(&db);
        db.close().unwrap();
        db.close().unwrap();
        // The log has nothing to replay, whatever its length.
        assert!(read_file(&vfs, LOG).is_some_and(|log| !log.is_empty()));
        let again = open(&vfs, options.clone());
        let report = again.recovery_report();
        assert!(report.clean);
        assert_eq!(
            (report.frames_replayed, report.commits_replayed, report.bytes_replayed),
            (0, 0, 0)
        );
        assert_eq!((report.frames_discarded, &report.reason), (0, &None));
        check_clean(&again);
        assert_eq!(rows(&again), expected);
        drop(again);
        // The primary alone is the whole database.
        let alone = MemoryVfs::new();
        crate::support::write_file(&alone, DB, &read_file(&vfs, DB).unwrap());
        let alone = open(&alone, options);
        assert_eq!(rows(&alone), expected);
        check_clean(&alone);
    }
}

#[expect(clippy::disallowed_methods, reason = "tests may start threads and wait")]
fn beside<T: Send>(first: impl FnOnce() -> T + Send, then: impl FnOnce() + Send) -> T {
    std::thread::scope(|scope| {
        let first = scope.spawn(first);
        then();
        first.join().unwrap()
    })
}

#[expect(clippy::disallowed_methods, reason = "gives a call that does not wait time to go wrong")]
fn pause() {
    std::thread::sleep(Duration::from_millis(30));
}

// spec: API-06
#[test]
fn close_waits_for_transactions_that_run() {
    for write in [true, false] {
        let db = in_memory();
        let (begun, over) = (Barrier::new(2), AtomicBool::new(false));
        let transaction = || {
            if write {
                let mut tx = db.begin_write().unwrap();
                begun.wait();
                pause();
                tx.put("key", "").unwrap();
                over.store(true, Ordering::SeqCst);
                tx.commit().unwrap()
            } else {
                db.view(|tx| {
                    begun.wait();
                    pause();
                    // Still readable while close waits.
                    assert!(tx.get("key")?.is_none());
                    over.store(true, Ordering::SeqCst);
                    Ok::<_, Error>(1)
                })
                .unwrap()
            }
        };
        let seq = beside(transaction, || {
            begun.wait();
            db.close().unwrap();
            assert!(over.load(Ordering::SeqCst), "closed while a transaction ran");
        });
        assert_eq!(seq, 1);
        refused!(db.head(), Error::DatabaseClosed);
    }
}

// spec: API-07
#[test]
fn close_inside_a_transaction_is_refused() {
    let db = in_memory();
    put(&db, "key", "").unwrap();
    db.view(|_| {
        refused!(db.close(), Error::CloseInTransaction);
        Ok::<_, Error>(())
    })
    .unwrap();
    db.view_at(0, |_| {
        refused!(db.close(), Error::CloseInTransaction);
        Ok::<_, Error>(())
    })
    .unwrap();
    db.update(|tx| {
        refused!(db.close(), Error::CloseInTransaction);
        tx.put("key", "2")
    })
    .unwrap();
    let tx = db.begin_write().unwrap();
    refused!(db.close(), Error::CloseInTransaction);
    drop(tx);
    // Nothing is closed yet; and an owned snapshot is no transaction.
    put(&db, "key", "3").unwrap();
    let snapshot = db.snapshot().unwrap();
    db.close().unwrap();
    refused!(snapshot.get("key"), Error::DatabaseClosed);
}

// spec: API-08
#[test]
fn after_close_every_call_says_so() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    put(&db, "key", "").unwrap();
    let held = (db.snapshot().unwrap(), db.snapshot_at(0).unwrap());
    let (mut commits, mut history) = (db.commits(..).unwrap(), db.history(&b"key"[..]).unwrap());
    let mut dump = db.dump().unwrap();
    db.close().unwrap();
    let cells = || [(coord(0, 0), Cell::new("x"))];
    let calls: Vec<(&str, Result<()>)> = vec![
        ("view", db.view(|_| Ok(()))),
        ("view_at", db.view_at(0, |_| Ok(()))),
        ("view_at_time", db.view_at_time(Timestamp::MAX, |_| Ok(()))),
        ("seq_at_time", db.seq_at_time(Timestamp::MAX).map(|_| ())),
        ("snapshot", db.snapshot().map(|_| ())),
        ("snapshot_at", db.snapshot_at(1).map(|_| ())),
        ("update", db.update(|_| Ok(()))),
        ("begin_write", db.begin_write().map(|_| ())),
        ("head", db.head().map(|_| ())),
        ("commits", db.commits(..).map(|_| ())),
        ("history", db.history(coord(0, 0)).map(|_| ())),
        ("put_cells", db.put_cells(cells(), &PutCells::default()).map(|_| ())),
        ("sync", db.sync()),
        ("checkpoint", db.checkpoint()),
        ("stats_mvcc", db.stats_mvcc().map(|_| ())),
        ("check", db.check().map(|_| ())),
        ("dump", db.dump().map(|_| ())),
        ("snapshot get", held.0.get("key").map(|_| ())),
        ("snapshot get_cell", held.0.get_cell(coord(0, 0)).map(|_| ())),
        ("snapshot scan", held.0.scan::<&[u8]>(..).next().unwrap().map(|_| ())),
        ("snapshot cells", held.0.cells(..).next_back().unwrap().map(|_| ())),
        ("snapshot commit", held.0.commit(1).map(|_| ())),
        ("snapshot at 0 get", held.1.get("key").map(|_| ())),
        ("commits step", commits.next().unwrap().map(|_| ())),
        ("history step", history.next().unwrap().map(|_| ())),
        ("dump step", dump.next().unwrap().map(|_| ())),
    ];
    for (name, result) in calls {
        assert!(matches!(result, Err(Error::DatabaseClosed)), "{name}: {result:?}");
    }
    db.close().unwrap();
    // What tells nothing of the content still answers, and the file is free for others.
    assert_eq!((db.path().to_str(), db.format_version()), (Some(DB), 2));
    drop(held);
    assert_eq!(rows(&open(&vfs, options())).len(), 1);
}

// spec: API-09
#[test]
fn dropping_the_last_handle_releases_the_file_and_loses_nothing() {
    for options in both_formats() {
        let vfs = MemoryVfs::new();
        let db = open(&vfs, options.clone());
        let clone = db.clone();
        for key in 0..25u8 {
            put(&db, [key], "value").unwrap();
        }
        let expected = rows(&db);
        drop(db);
        let still = crate::support::try_open(&vfs, options.clone());
        refused!(still, Error::DatabaseLocked { .. });
        let snapshot = clone.snapshot().unwrap();
        let primary = read_file(&vfs, DB);
        drop((clone, snapshot));
        assert!(read_file(&vfs, DB) == primary, "there is no checkpoint");
        let again = open(&vfs, options);
        let report = again.recovery_report();
        assert!(!report.clean);
        assert_eq!((report.commits_replayed, report.frames_discarded), (25, 0));
        assert_eq!(rows(&again), expected);
    }
}

// spec: API-06
#[test]
fn close_from_many_threads_is_one_close() {
    let vfs = MemoryVfs::new();
    let db = Arc::new(open(&vfs, options()));
    put(&db, "key", "").unwrap();
    let closed = AtomicUsize::new(0);
    let close = || {
        db.close().unwrap();
        closed.fetch_add(1, Ordering::SeqCst);
    };
    beside(|| beside(close, close), || beside(close, close));
    assert_eq!(closed.load(Ordering::SeqCst), 4);
    assert!(open(&vfs, options()).recovery_report().clean);
}

#[test]
fn a_handle_prints_its_path_and_little_else() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    put(&db, "key", "a secret").unwrap();
    let texts = [format!("{db:?}"), format!("{vfs:?}"), format!("{:?}", db.snapshot().unwrap())];
    assert!(texts[0].contains(DB), "{}", &texts[0][..100]);
    for text in texts {
        assert!(text.len() < 500, "{} bytes: {}…", text.len(), &text[..200]);
    }
}
