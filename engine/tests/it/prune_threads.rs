//! Pruning beside readers, writers, diffs and tags on real threads: no wrong read, ever.

use std::sync::atomic::{AtomicBool, Ordering};

use hexxladb::vfs::MemoryVfs;
use hexxladb::{CancelToken, Cell, Db, Error, PruneProfile, PruneScheduler, ReadTx, Retention};

use crate::support::{Random, check_clean, coord, open, options};
use crate::support_records::{all, prune_all};

const CELLS: i32 = 24;
const COMMITS: u64 = 700;

/// Whether commit `seq` rewrites a cell, with a text and a tag that say so: the first all of them,
/// others all but every second to sixth.
fn written(seq: u64, index: i32) -> bool {
    seq == 1 || !u64::from(index.unsigned_abs()).is_multiple_of(2 + seq % 5)
}

/// The commit that a cell comes from at a snapshot.
fn comes_from(seq: u64, index: i32) -> u64 {
    (1..=seq).rev().find(|at| written(*at, index)).unwrap_or(0)
}

fn write(db: &Db) {
    db.update(|tx| {
        let seq = tx.commit_seq();
        for index in (0..CELLS).filter(|index| written(seq, *index)) {
            let cell = Cell::new(seq.to_string()).with_tags([format!("t{}", seq % 3)]);
            tx.put_cell(coord(index, 0), &cell.with_source("writer"))?;
        }
        Ok::<_, Error>(())
    })
    .unwrap();
}

/// Asserts that a transaction reads exactly what was written by its sequence.
fn check(tx: &ReadTx) -> hexxladb::Result<()> {
    let seq = tx.seq();
    let expected: Vec<u64> = (0..CELLS).map(|index| comes_from(seq, index)).collect();
    for (index, from) in (0..CELLS).zip(&expected) {
        let cell = tx.get_cell(coord(index, 0))?;
        let text = cell.map(|cell| cell.raw_content);
        assert_eq!(text, (*from > 0).then(|| from.to_string()), "cell {index} at {seq}");
    }
    for tag in 0..3 {
        let count = expected.iter().filter(|from| **from > 0 && **from % 3 == tag).count();
        let tag = format!("t{tag}");
        assert_eq!(tx.cells_with_tag(&tag).collect::<hexxladb::Result<Vec<_>>>()?.len(), count);
        assert_eq!(tx.cells_with_tag(&tag).rev().count(), count);
    }
    Ok(())
}

/// Reads at a sequence of its choice, until told to stop; counts what was still there.
fn read(db: &Db, seed: u64, stop: &AtomicBool) -> u64 {
    let (mut random, mut reads) = (Random::new(seed), 0);
    while !stop.load(Ordering::SeqCst) {
        let head = db.head().unwrap();
        let seq = head.saturating_sub(random.below(60));
        let done = match random.below(3) {
            0 => db.view(check),
            1 => db.view_at(seq, check),
            _ => db.snapshot_at(seq).and_then(|snapshot| {
                check(&snapshot)?;
                std::thread::yield_now();
                check(&snapshot)
            }),
        };
        match done {
            Ok(()) => reads += 1,
            Err(Error::SnapshotPruned { seq: at, oldest }) => assert!(at < oldest),
            Err(other) => panic!("{other:?}"),
        }
    }
    reads
}

/// Diffs between neighbouring sequences: their records are what the two commits say.
fn diff(db: &Db, stop: &AtomicBool) -> u64 {
    let (mut random, mut diffs) = (Random::new(9), 0);
    while !stop.load(Ordering::SeqCst) {
        let b = db.head().unwrap();
        let a = b.saturating_sub(random.below(30));
        let found = db.snapshot_diff(a, b).and_then(Iterator::collect::<hexxladb::Result<Vec<_>>>);
        match found {
            Ok(changes) => {
                let differs = |index: &i32| comes_from(a, *index) != comes_from(b, *index);
                assert_eq!(changes.len(), (0..CELLS).filter(differs).count(), "{a} to {b}");
                diffs += 1;
            }
            Err(Error::SnapshotPruned { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    diffs
}

/// Tags sequences and reads them, which must work until the tag is deleted.
fn tag(db: &Db, stop: &AtomicBool) {
    let mut random = Random::new(4);
    while !stop.load(Ordering::SeqCst) {
        let seq = db.head().unwrap().saturating_sub(random.below(40));
        match db.tag_snapshot_at("mine", seq) {
            Ok(_) => {
                for _ in 0..4 {
                    db.view_at_tag("mine", check).unwrap();
                    std::thread::yield_now();
                }
                assert!(db.delete_snapshot_tag("mine").unwrap());
            }
            Err(Error::SnapshotPruned { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

fn prune(db: &Db, stop: &AtomicBool) -> u64 {
    let scheduler = PruneScheduler::new(db, PruneProfile::LowLatency);
    let (mut random, mut rows) = (Random::new(2), 0);
    while !stop.load(Ordering::SeqCst) {
        rows += if random.below(2) == 0 {
            scheduler.tick(&CancelToken::new()).unwrap().rows
        } else {
            let before = db.head().unwrap().saturating_sub(15);
            db.prune_cell_versions(before, 1 + random.below(50)).unwrap()
        };
    }
    rows
}

// spec: PRUNE-04, PRUNE-05, PRUNE-11, SNAP-13, SNAP-12, TXN-11, IDX-03
#[test]
#[expect(clippy::disallowed_methods, reason = "tests may start threads")]
fn nobody_reads_wrong_while_others_write_and_prune() {
    let db = open(&MemoryVfs::new(), options().retention(Retention::Commits(20)));
    let stop = AtomicBool::new(false);
    let (reads, diffs, pruned) = std::thread::scope(|scope| {
        let readers = [1, 2].map(|seed| (seed, db.clone()));
        let readers = readers.map(|(seed, db)| {
            let stop = &stop;
            scope.spawn(move || read(&db, seed, stop))
        });
        let diffs = scope.spawn(|| diff(&db, &stop));
        let pruners = [(); 2].map(|()| scope.spawn(|| prune(&db, &stop)));
        let tags = scope.spawn(|| tag(&db, &stop));
        for number in 1..=COMMITS {
            write(&db);
            if number % 100 == 0 {
                db.checkpoint().unwrap();
                check_clean(&db);
            }
        }
        stop.store(true, Ordering::SeqCst);
        tags.join().unwrap();
        let pruned: u64 = pruners.into_iter().map(|thread| thread.join().unwrap()).sum();
        let reads: u64 = readers.into_iter().map(|thread| thread.join().unwrap()).sum();
        (reads, diffs.join().unwrap(), pruned)
    });
    assert!(
        reads > 50 && diffs > 5 && pruned > 1000,
        "{reads} reads, {diffs} diffs, {pruned} rows"
    );
    prune_all(&db, COMMITS, 1000);
    assert_eq!(db.stats_mvcc().unwrap().versioned_row_count, CELLS as u64);
    let rows = all(db.dump().unwrap());
    let index = rows.iter().filter(|row| row.key.starts_with("__index/cell-by-tag")).count();
    assert_eq!(index, CELLS as usize);
    db.view(check).unwrap();
    check_clean(&db);
}
