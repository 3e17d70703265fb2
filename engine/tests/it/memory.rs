//! What things cost: memory within the budget whatever the size of the database, an open that
//! costs what the log holds.

use hexxladb::vfs::MemoryVfs;
use hexxladb::vfs::sim::SimVfs;
use hexxladb::{Cell, Db, Error, Options};

use crate::support::{Random, both_formats, check_clean, coord, light, open, options, put, rows};

const BUDGET: u64 = 1 << 20;

/// Loads records of `count` keys in transactions of 100; the most memory seen.
fn load(db: &Db, count: u32) -> u64 {
    let mut most = 0;
    for start in (0..count).step_by(100) {
        db.update(|tx| {
            (start..start + 100).try_for_each(|key| tx.put(scattered(key), [key as u8; 400]))
        })
        .unwrap();
        most = most.max(db.stats_mvcc().unwrap().cache_bytes_used);
    }
    most
}

/// Keys in no order, so that every transaction touches the whole tree.
fn scattered(key: u32) -> [u8; 4] {
    key.wrapping_mul(2_654_435_761).to_be_bytes()
}

// spec: OPT-08, DUR-11
#[test]
fn loading_and_scanning_many_times_the_cache_stays_within_it() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options().cache_bytes(BUDGET));
    let count = 8000;
    let most = load(&db, count);
    assert!(most <= BUDGET, "{most} bytes while loading");
    assert!(db.stats_mvcc().unwrap().file_pages * 4096 > 3 * BUDGET);
    let used = || db.stats_mvcc().unwrap().cache_bytes_used;
    db.view(|tx| {
        let mut seen = 0;
        for row in tx.scan::<&[u8]>(..) {
            row?;
            seen += 1;
            if seen % 500 == 0 {
                assert!(used() <= BUDGET, "{} bytes while scanning", used());
            }
        }
        assert_eq!(seen, count);
        assert_eq!(tx.scan::<&[u8]>(..).rev().count() as u32, count);
        Ok::<_, Error>(())
    })
    .unwrap();
    let mut random = Random::new(3);
    for _ in 0..2000 {
        let key = random.below(u64::from(count)) as u32;
        assert_eq!(db.view(|tx| tx.get(scattered(key))).unwrap().unwrap()[0], key as u8);
    }
    assert!(used() <= BUDGET, "{} bytes after reading", used());
    drop(db);
    let db = open(&vfs, options().cache_bytes(BUDGET));
    assert!(db.stats_mvcc().unwrap().cache_bytes_used <= BUDGET, "after recovery");
}

// spec: TXN-16, DUR-11
#[test]
fn a_transaction_larger_than_the_cache_commits_whole_or_leaves_no_trace() {
    for options in both_formats() {
        let vfs = MemoryVfs::new();
        let db = open(&vfs, options.clone());
        db.update(|tx| (0..50u32).try_for_each(|key| tx.put(scattered(key), "before"))).unwrap();
        let before = rows(&db);
        let write = |tx: &mut hexxladb::WriteTx, from: u32| {
            (from..from + 1400).try_for_each(|key| tx.put(scattered(key), [7; 900]))
        };
        // Rolled back, again and again: the space is given back.
        let mut pages = Vec::new();
        for _ in 0..3 {
            let mut tx = db.begin_write().unwrap();
            write(&mut tx, 0).unwrap();
            tx.put_cell(coord(0, 0), &Cell::new("never")).unwrap();
            tx.rollback().unwrap();
            assert_eq!(rows(&db), before);
            db.checkpoint().unwrap();
            let len = crate::support::read_file(&vfs, crate::support::DB).unwrap().len() as u64;
            pages.push(len / 4096);
            check_clean(&db);
        }
        assert!(
            pages[2] <= pages[1] + 16,
            "the file grows with work that came to nothing: {pages:?}"
        );
        // Committed: all of it is there, now and after the process is gone.
        let mut tx = db.begin_write().unwrap();
        write(&mut tx, 0).unwrap();
        assert_eq!(tx.scan::<&[u8]>(..).count(), 1400);
        assert_eq!(tx.commit().unwrap(), 2);
        assert_eq!(rows(&db).len(), 1400);
        // One that is still running when the process ends.
        let mut tx = db.begin_write().unwrap();
        write(&mut tx, 10_000).unwrap();
        let log = crate::support::files(&vfs);
        tx.rollback().unwrap();
        let killed = MemoryVfs::new();
        for (name, bytes) in [crate::support::DB, crate::support::LOG].into_iter().zip(log) {
            crate::support::write_file(&killed, name, &bytes.unwrap());
        }
        db.close().unwrap();
        for vfs in [&vfs, &killed] {
            let again = open(vfs, options.clone());
            assert_eq!((again.head().unwrap(), rows(&again).len()), (2, 1400));
            check_clean(&again);
        }
    }
}

/// Operations on the primary of an open over a database of `count` records, closed or killed.
fn ops_of_open(count: u32, close: bool, mvcc: bool) -> usize {
    let vfs = SimVfs::new(1);
    let options = light().mvcc(mvcc).cache_bytes(8 << 20);
    let db = open(&vfs, options.clone());
    for start in (0..count).step_by(500) {
        db.update(|tx| (start..start + 500).try_for_each(|key| tx.put(scattered(key), [1; 200])))
            .unwrap();
    }
    db.checkpoint().unwrap();
    for key in 0..10 {
        put(&db, scattered(key), "in the log").unwrap();
    }
    if close {
        db.close().unwrap();
    }
    drop(db);
    vfs.set_trace(true);
    let db = open(&vfs, options);
    assert_eq!(db.recovery_report().commits_replayed, if close { 0 } else { 10 });
    let primary = format!(" {} ", crate::support::DB);
    vfs.take_trace().iter().filter(|line| line.contains(&primary)).count()
}

// spec: DUR-13
#[test]
fn opening_costs_what_the_log_holds_and_not_what_the_database_holds() {
    for mvcc in [true, false] {
        for close in [true, false] {
            let (small, large) = (ops_of_open(500, close, mvcc), ops_of_open(7000, close, mvcc));
            // Ten commits touch ten leaves and the branches above them, one level more each.
            assert!(large <= 2 * small + 60, "{small} operations, {large} for 14 times as much");
            assert!(!close || large < 40, "{large} operations for a clean open");
        }
    }
}

// spec: OPT-12
#[test]
fn a_checkpoint_runs_when_the_log_has_grown_to_its_size() {
    let run = |bytes: u64| {
        let db =
            open(&MemoryVfs::new(), options().cache_bytes(32 << 20).checkpoint_wal_bytes(bytes));
        let mut longest = 0;
        for key in 0..60u32 {
            put(&db, key.to_be_bytes(), vec![1; 100_000]).unwrap();
            longest = longest.max(db.stats_mvcc().unwrap().wal_bytes);
        }
        (db.stats_mvcc().unwrap().checkpoints, longest)
    };
    let (many, short) = run(1 << 20);
    let (few, _) = run(3 << 20);
    let (none, long) = run(64 << 20);
    assert!((3..=6).contains(&many) && (1..=2).contains(&few) && none == 0, "{many} {few} {none}");
    assert!(short < 4 << 20 && long >= 5 << 20, "logs of {short} and {long} bytes");
    assert_eq!(format!("{:?}", Options::new()).matches("67108864").count(), 2, "both are 64 MiB");
}
