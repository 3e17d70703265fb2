//! Commits of several threads: they share syncs, and nobody sees or is told of one before it is
//! durable.
#![expect(clippy::disallowed_methods, reason = "threads are what this is about")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{Db, Durability, Error, Options, Result};

use crate::gate::GateVfs;
use crate::support::{
    Own, both_formats, check_clean, get, light, open, options, put, refused, rows,
};

/// A database behind a gate that stands open, its log in use.
fn behind_gate(options: Options) -> (GateVfs, Db) {
    let vfs = GateVfs::default();
    let db = open(&vfs, options);
    put(&db, "first", "").unwrap();
    (vfs, db)
}

// spec: TXN-12
#[test]
fn callers_that_wait_for_the_same_moment_share_one_sync() {
    for options in both_formats() {
        let (vfs, db) = behind_gate(options);
        let before = vfs.gate.passed();
        vfs.gate.shut();
        let (appended, all_appended) = channel();
        std::thread::scope(|scope| {
            let commit = |number: u32| {
                let mut tx = db.begin_write().unwrap();
                tx.put(number.to_be_bytes(), "").unwrap();
                let pending = tx.commit_pipelined().unwrap();
                appended.send(()).unwrap();
                assert!(pending.wait().unwrap() > 1);
            };
            scope.spawn(move || commit(0));
            vfs.gate.wait_for_one();
            // The next run while the first is being synced.
            for number in 1..16 {
                scope.spawn(move || commit(number));
            }
            for _ in 0..16 {
                all_appended
                    .recv_timeout(Duration::from_secs(10))
                    .expect("all run beside the sync");
            }
            assert_eq!(db.head().unwrap(), 1);
            assert_eq!(rows(&db).len(), 1);
            vfs.gate.open();
        });
        assert_eq!(vfs.gate.passed() - before, 2, "one for the first, one for all others");
        assert_eq!((db.head().unwrap(), rows(&db).len()), (17, 17));
    }
}

// spec: TXN-12, TXN-11
#[test]
fn sixteen_threads_need_fewer_syncs_than_they_commit() {
    let (vfs, db) = behind_gate(options());
    vfs.gate.delay(Duration::from_micros(300));
    let before = db.stats_mvcc().unwrap().wal_syncs;
    let seqs = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..16u32 {
            let (db, seqs) = (&db, &seqs);
            scope.spawn(move || {
                for round in 0..25u32 {
                    let key = (thread * 25 + round).to_be_bytes();
                    let seq = put(db, key, "value").unwrap();
                    // Acknowledged is visible.
                    assert!(db.head().unwrap() >= seq && get(db, key).is_some());
                    seqs.lock().unwrap().push(seq);
                }
            });
        }
    });
    let mut seqs = seqs.into_inner().unwrap();
    seqs.sort_unstable();
    assert!(seqs.into_iter().eq(2..=401));
    let syncs = db.stats_mvcc().unwrap().wal_syncs - before;
    assert!(syncs < 400, "{syncs} syncs for 400 commits");
    check_clean(&db);
    drop(db);
    assert_eq!(rows(&open(&vfs, options())).len(), 401);
}

// spec: TXN-11
#[test]
fn readers_wait_for_no_writer_and_writers_for_no_reader() {
    for options in both_formats() {
        let (vfs, db) = behind_gate(options);
        vfs.gate.shut();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| put(&db, "second", ""));
            // While the log is being synced, and while the next writer sits in its transaction.
            vfs.gate.wait_for_one();
            let tx = db.begin_write().unwrap();
            assert_eq!(scope.spawn(|| rows(&db).len()).join().unwrap(), 1);
            let reading = db.snapshot().unwrap();
            drop(tx);
            vfs.gate.open();
            assert_eq!(writer.join().unwrap().unwrap(), 2);
            // A writer commits inside of a reader.
            db.view(|tx| {
                let committed = scope.spawn(|| put(&db, "third", "")).join().unwrap()?;
                assert_eq!((committed, tx.seq(), tx.scan::<&[u8]>(..).count()), (3, 2, 2));
                Ok::<_, Error>(())
            })
            .unwrap();
            assert_eq!(reading.scan::<&[u8]>(..).count(), 1);
        });
    }
}

// spec: TXN-17
#[test]
fn a_pipelined_commit_is_seen_when_it_is_durable_and_not_before() {
    for options in both_formats() {
        let (vfs, db) = behind_gate(options);
        vfs.gate.shut();
        let mut pending = Vec::new();
        for number in 2..6u64 {
            let mut tx = db.begin_write().unwrap();
            // Each builds on the one before.
            assert_eq!(tx.scan::<&[u8]>(..).count() as u64, number - 1);
            tx.put(number.to_be_bytes(), "").unwrap();
            pending.push(tx.commit_pipelined().unwrap());
            assert_eq!(pending.last().unwrap().seq(), number);
            assert_eq!((db.head().unwrap(), rows(&db).len()), (1, 1));
            assert!(db.commits(2..).unwrap().next().is_none());
        }
        std::thread::scope(|scope| {
            let last = pending.pop().unwrap();
            let waiting = scope.spawn(|| last.wait());
            vfs.gate.wait_for_one();
            assert_eq!((db.head().unwrap(), rows(&db).len()), (1, 1));
            vfs.gate.open();
            assert_eq!(waiting.join().unwrap().unwrap(), 5);
        });
        // What came before it is durable with it.
        assert_eq!((db.head().unwrap(), rows(&db).len()), (5, 5));
        for (pending, seq) in pending.into_iter().zip(2..) {
            assert_eq!(pending.wait().unwrap(), seq);
        }
    }
}

// spec: TXN-18, DUR-03
#[test]
fn an_update_that_commits_nothing_returns_only_when_what_it_read_is_durable() {
    type End = fn(&Db, &AtomicUsize) -> usize;
    let ends: [(&str, End); 3] = [
        ("empty", |db, seen| {
            db.update(|tx| {
                seen.store(tx.scan::<&[u8]>(..).count(), Ordering::SeqCst);
                Ok::<_, Error>(seen.load(Ordering::SeqCst))
            })
            .unwrap()
        }),
        ("refused", |db, seen| {
            let ended: Result<(), Own> = db.update(|tx| {
                seen.store(tx.scan::<&[u8]>(..).count(), Ordering::SeqCst);
                Err(Own::Changed("no"))
            });
            refused!(ended, Own::Changed("no"));
            seen.load(Ordering::SeqCst)
        }),
        ("rolled back", |db, seen| {
            let tx = db.begin_write().unwrap();
            seen.store(tx.scan::<&[u8]>(..).count(), Ordering::SeqCst);
            tx.rollback().unwrap();
            seen.load(Ordering::SeqCst)
        }),
    ];
    for (name, end) in ends {
        let (vfs, db) = behind_gate(options());
        vfs.gate.shut();
        let mut tx = db.begin_write().unwrap();
        tx.put("second", "").unwrap();
        let pending = tx.commit_pipelined().unwrap();
        let (seen, returned) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| returned.store(end(&db, &seen), Ordering::SeqCst));
            vfs.gate.wait_for_one();
            // It has read the commit, which no reader sees yet, and waits for it.
            assert_eq!((seen.load(Ordering::SeqCst), rows(&db).len()), (2, 1), "{name}");
            assert_eq!(returned.load(Ordering::SeqCst), 0, "{name}");
            vfs.gate.open();
        });
        assert_eq!(returned.load(Ordering::SeqCst), 2, "{name}");
        assert_eq!(rows(&db).len(), 2);
        pending.wait().unwrap();
    }
}

// spec: TXN-18, DUR-03
#[test]
fn what_an_update_was_shown_survives_the_power_cut_after_it() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, light());
    put(&db, "first", "").unwrap();
    let mut tx = db.begin_write().unwrap();
    tx.put("second", "").unwrap();
    let pending = tx.commit_pipelined().unwrap();
    let ended: Result<(), Own> = db.update(|tx| {
        assert!(tx.get("second")?.is_some());
        Err(Own::Changed("mind"))
    });
    refused!(ended, Own::Changed("mind"));
    let world = vfs.fork();
    world.power_cut_with(&world.pending().none());
    assert_eq!(rows(&open(&world, light())).len(), 2);
    drop(pending);
}

// spec: OPT-10, OPT-11, TXN-22
#[cfg(feature = "sim")]
#[test]
fn buffered_commits_are_ordered_and_kept_by_a_kill_and_lost_only_back_to_the_last_sync() {
    for mvcc in [true, false] {
        let options = light().mvcc(mvcc).durability(Durability::Buffered);
        let vfs = SimVfs::new(2);
        let db = open(&vfs, options.clone());
        let (mut states, mut synced) = (vec![rows(&db)], 0);
        for round in 0..40u8 {
            db.update(|tx| {
                tx.put([round], vec![round; 20 * usize::from(round)])?;
                tx.delete([round / 2]).map(|_| ())
            })
            .unwrap();
            states.push(rows(&db));
            match round {
                9 => db.sync().unwrap(),
                24 => db.checkpoint().unwrap(),
                _ => {}
            }
            if round == 9 || round == 24 {
                synced = states.len() - 1;
            }
            let killed = vfs.fork();
            killed.kill();
            assert!(rows(&open(&killed, options.clone())) == *states.last().unwrap(), "{round}");
            if round % 3 > 0 {
                continue;
            }
            for choice in vfs.pending().few_states().step_by(7).take(12) {
                let cut = vfs.fork();
                cut.power_cut_with(&choice);
                let db = open(&cut, options.clone());
                let head = db.head().unwrap() as usize;
                assert!(head >= synced && head < states.len(), "{head}, synced {synced}, {choice}");
                assert!(rows(&db) == states[head], "torn or out of order at {head}: {choice}");
            }
        }
        let expected = states.pop().unwrap();
        db.close().unwrap();
        vfs.power_cut_with(&vfs.pending().none());
        assert!(rows(&open(&vfs, options)) == expected, "close makes everything durable");
    }
}

// spec: OPT-10
#[test]
fn buffered_commits_do_not_sync() {
    let vfs = GateVfs::default();
    let db = open(&vfs, options().durability(Durability::Buffered));
    put(&db, "first", "").unwrap();
    let before = vfs.gate.passed();
    for key in 0..50u8 {
        put(&db, [key], "").unwrap();
    }
    assert_eq!(vfs.gate.passed(), before);
    assert_eq!(rows(&db).len(), 51);
    db.sync().unwrap();
    assert_eq!(vfs.gate.passed(), before + 1);
}
