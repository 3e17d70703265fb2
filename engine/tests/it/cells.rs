//! Cells: deleting them, and writing large collections of them.

use std::sync::{Arc, Mutex};

use hexxladb::vfs::MemoryVfs;
use hexxladb::{CancelToken, Cell, Coord, Db, Error, PutCells, Result};

use crate::support::{both_formats, coord, in_memory, open, options, refused};

fn cells(count: i32) -> impl Iterator<Item = (Coord, Cell)> {
    (0..count).map(|index| (coord(index % 100, index / 100), Cell::new(format!("cell {index}"))))
}

fn count(db: &Db) -> usize {
    db.view(|tx| Ok::<_, Error>(tx.cells(..).count())).unwrap()
}

// spec: REC-04
#[test]
fn a_deleted_cell_is_hidden_from_its_commit_on_and_in_no_earlier_snapshot() {
    for options in both_formats() {
        let vfs = MemoryVfs::new();
        let db = open(&vfs, options.clone());
        let at = coord(3, -1);
        let delete = |db: &Db| db.update(|tx| tx.delete_cell(at)).unwrap();
        assert!(!delete(&db));
        db.update(|tx| tx.put_cell(at, &Cell::new("one"))).unwrap();
        let held = db.snapshot().unwrap();
        assert!(delete(&db));
        assert!(!delete(&db), "it is gone already");
        assert_eq!((db.head().unwrap(), count(&db)), (2, 0));
        assert_eq!(held.get_cell(at).unwrap(), Some(Cell::new("one")));
        // A later put is a new cell; what was deleted stays deleted at its snapshot.
        db.update(|tx| tx.put_cell(at, &Cell::new("two"))).unwrap();
        assert_eq!(db.view(|tx| tx.get_cell(at)).unwrap(), Some(Cell::new("two")));
        drop((held, db));
        let db = open(&vfs, options);
        if db.format_version() == 2 {
            let read =
                |seq| db.view_at(seq, |tx| tx.get_cell(at)).unwrap().map(|cell| cell.raw_content);
            assert_eq!(
                [0, 1, 2, 3].map(read),
                [None, Some("one".into()), None, Some("two".into())]
            );
            let scanned = |seq| db.view_at(seq, |tx| Ok::<_, Error>(tx.cells(..).count())).unwrap();
            assert_eq!([0, 1, 2, 3].map(scanned), [0, 1, 0, 1]);
        }
        assert!(delete(&db));
    }
}

// spec: REC-06
#[test]
fn a_large_collection_is_written_in_bounded_transactions_with_progress() {
    for (batch_cells, commits) in [(1000, 3), (7, 358), (2500, 1), (10_000, 1), (0, 2500)] {
        let db = in_memory();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&heard);
        let progress: Option<hexxladb::Progress> =
            Some(Arc::new(move |done| tell.lock().unwrap().push(done)));
        let how = PutCells { batch_cells, progress, ..PutCells::default() };
        assert_eq!(db.put_cells(cells(2500), &how).unwrap(), 2500);
        assert_eq!((db.head().unwrap(), count(&db)), (commits, 2500));
        let heard = heard.lock().unwrap();
        assert_eq!((heard.len() as u64, heard.last()), (commits, Some(&2500)));
        assert!(
            heard
                .iter()
                .zip(1..)
                .all(|(done, turn)| *done == 2500.min(turn * batch_cells.max(1) as u64))
        );
    }
    let (db, how) = (in_memory(), PutCells::default());
    assert_eq!(how.batch_cells, 1000);
    assert_eq!(db.put_cells([], &how).unwrap(), 0);
    assert_eq!(db.head().unwrap(), 0);
}

// spec: REC-06
#[test]
fn a_large_collection_can_be_cancelled_between_transactions() {
    let db = in_memory();
    let cancel = CancelToken::new();
    let elsewhere = cancel.clone();
    let progress: Option<hexxladb::Progress> = Some(Arc::new(move |done| {
        if done == 300 {
            elsewhere.cancel();
        }
    }));
    let how = PutCells { batch_cells: 100, cancel: Some(cancel.clone()), progress };
    refused!(db.put_cells(cells(2500), &how), Error::Cancelled { done: 300 });
    assert!(cancel.is_cancelled());
    assert_eq!((count(&db), db.head().unwrap()), (300, 3), "what was committed stays");
    refused!(db.put_cells(cells(2500), &how), Error::Cancelled { done: 0 });
}

// spec: REC-06, DUR-11
#[test]
fn a_large_collection_takes_no_more_memory_than_its_batches() {
    let db = open(&MemoryVfs::new(), options());
    // As lazily read as it is written: at most a batch ahead of what is committed.
    let reader = db.clone();
    let taken = cells(8000).enumerate().map(move |(index, cell)| {
        assert!(index <= (reader.head().unwrap() as usize + 1) * 500);
        cell
    });
    let how = PutCells { batch_cells: 500, ..PutCells::default() };
    assert_eq!(db.put_cells(taken, &how).unwrap(), 8000);
    assert!(db.stats_mvcc().unwrap().cache_bytes_used <= 1 << 20);
}

// spec: REC-06
#[test]
fn a_refused_cell_ends_a_large_collection_where_it_is() {
    let db = in_memory();
    let wrong = (coord(0, 99), Cell::new("x").with_confidence(-1.0));
    let all = cells(250).chain([wrong]).chain(cells(100));
    let how = PutCells { batch_cells: 100, ..PutCells::default() };
    let ended: Result<u64> = db.put_cells(all, &how);
    refused!(ended, Error::InvalidRecord { family: "cell", .. });
    assert_eq!((count(&db), db.head().unwrap()), (200, 2));
}
