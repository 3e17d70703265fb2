//! Reading a database without changing a byte of it.

use hexxladb::vfs::MemoryVfs;
use hexxladb::vfs::sim::SimVfs;
use hexxladb::{Cell, Db, Error, PutCells, Result};

use crate::support::{
    DB, LOG, all_snapshots, both_formats, check_clean, coord, files, light, open, options, put,
    refused, rows, try_open,
};

fn written(vfs: &MemoryVfs, options: &hexxladb::Options) -> Db {
    let db = open(vfs, options.clone());
    for round in 0..30u8 {
        db.update(|tx| {
            tx.put([round], vec![round; 50 * usize::from(round)])?;
            tx.put("same", [round])?;
            tx.put_cell(coord(i32::from(round), 0), &Cell::new("cell"))
        })
        .unwrap();
    }
    db
}

// spec: FILE-05
#[test]
fn reading_replays_the_log_in_memory_and_changes_nothing() {
    for options in both_formats() {
        for close in [true, false] {
            let vfs = MemoryVfs::new();
            let db = written(&vfs, &options);
            let (expected, head) = (rows(&db), db.head().unwrap());
            if close {
                db.close().unwrap();
            }
            drop(db);
            let before = files(&vfs);
            for _ in 0..2 {
                let db = open(&vfs, options.clone().read_only(true));
                assert_eq!((rows(&db), db.head().unwrap()), (expected.clone(), head));
                if db.format_version() == 2 {
                    assert_eq!(all_snapshots(&db).len(), 31);
                }
                assert_eq!(db.recovery_report().commits_replayed, if close { 0 } else { 30 });
                assert!(db.check().unwrap().is_clean());
                assert_eq!(db.commits(..).unwrap().count(), 30);
                db.sync().unwrap();
                db.close().unwrap();
                assert!(files(&vfs) == before, "a byte changed");
            }
            let db = open(&vfs, options.clone());
            assert_eq!(rows(&db), expected);
            check_clean(&db);
        }
    }
}

// spec: FILE-05, DUR-11
#[test]
fn replaying_more_than_the_cache_holds_changes_nothing_either() {
    let vfs = MemoryVfs::new();
    let options = options().checkpoint_wal_bytes(64 << 20).cache_bytes(16 << 20);
    let db = open(&vfs, options);
    for round in 0..6u32 {
        db.update(|tx| {
            (0..1000u32).try_for_each(|key| tx.put((round * 1000 + key).to_be_bytes(), [1; 700]))
        })
        .unwrap();
    }
    let expected = rows(&db);
    drop(db);
    let before = files(&vfs);
    let db = open(&vfs, crate::support::options().read_only(true));
    assert!(rows(&db) == expected);
    drop(db);
    assert!(files(&vfs) == before, "a byte changed");
}

// spec: FILE-07
#[test]
fn every_write_through_a_reading_handle_is_refused() {
    let vfs = MemoryVfs::new();
    written(&vfs, &options()).close().unwrap();
    let db = open(&vfs, options().read_only(true));
    let cells = || [(coord(0, 0), Cell::new("x"))];
    let calls: Vec<(&str, Result<()>)> = vec![
        ("update", put(&db, "key", "").map(|_| ())),
        ("empty update", db.update(|_| Ok(()))),
        ("begin_write", db.begin_write().map(|_| ())),
        ("put_cells", db.put_cells(cells(), &PutCells::default()).map(|_| ())),
        ("checkpoint", db.checkpoint()),
    ];
    for (name, result) in calls {
        assert!(matches!(result, Err(Error::ReadOnly)), "{name}: {result:?}");
    }
    assert_eq!(db.head().unwrap(), 30);
}

/// The operations of a reading open.
fn trace_of_reading(vfs: &SimVfs) -> Vec<String> {
    vfs.set_trace(true);
    let db = open(vfs, light().read_only(true));
    rows(&db);
    drop(db);
    let trace = vfs.take_trace();
    vfs.set_trace(false);
    let changes = ["Write", "SetLen", "Allocate", "Rename", "Remove"];
    assert!(!trace.iter().any(|line| changes.iter().any(|op| line.contains(op))), "{trace:?}");
    trace
}

// spec: FILE-06
#[test]
fn reading_syncs_log_and_primary_before_it_shows_anything() {
    for close in [false, true] {
        let vfs = SimVfs::new(1);
        let db = open(&vfs, light());
        put(&db, "first", "").unwrap();
        if close {
            db.close().unwrap();
        }
        drop(db);
        let trace = trace_of_reading(&vfs);
        for path in [DB, LOG] {
            let place = format!(" {path} ");
            let synced = trace.iter().any(|line| line.contains("Sync") && line.contains(&place));
            assert!(synced, "{path}, closed {close}: {trace:?}");
        }
    }
}

// spec: FILE-06, DUR-03
#[test]
fn what_a_reader_was_shown_survives_a_power_cut() {
    // Commits that were handed to the system and not synced, by a process that was killed.
    let vfs = SimVfs::new(2);
    let db = open(&vfs, light().durability(hexxladb::Durability::Buffered));
    put(&db, "first", "").unwrap();
    db.sync().unwrap();
    put(&db, "second", "").unwrap();
    vfs.kill();
    drop(db);
    assert!(!vfs.pending().is_empty());
    let shown = rows(&open(&vfs, light().read_only(true)));
    assert_eq!(shown.len(), 2);
    vfs.power_cut_with(&vfs.pending().none());
    assert_eq!(rows(&open(&vfs, light())), shown);
    // A closed primary without a log, copied there and not synced.
    let vfs = SimVfs::new(3);
    let db = open(&vfs, light());
    put(&db, "first", "").unwrap();
    db.close().unwrap();
    let bytes = vfs.read_file(DB.as_ref()).unwrap();
    let copied = SimVfs::new(4);
    let file =
        hexxladb::vfs::Vfs::open(&copied, DB.as_ref(), hexxladb::vfs::OpenMode::Create).unwrap();
    hexxladb::vfs::FileExt::write_all_at(&*file, 0, &bytes).unwrap();
    hexxladb::vfs::Vfs::sync_dir(&copied, "/".as_ref()).unwrap();
    drop(file);
    let shown = rows(&open(&copied, light().read_only(true)));
    assert_eq!(shown.len(), 1);
    copied.power_cut_with(&copied.pending().none());
    let after = try_open(&copied, light()).map(|db| rows(&db));
    assert!(matches!(&after, Ok(rows) if *rows == shown), "{after:?}");
}

// spec: DUR-09
#[test]
fn reading_and_checking_a_damaged_database_change_nothing() {
    let vfs = MemoryVfs::new();
    written(&vfs, &options()).close().unwrap();
    let [primary, log] = files(&vfs).map(Option::unwrap);
    let mut told = 0;
    for offset in (4 * 4096..primary.len()).step_by(1500) {
        let damaged = MemoryVfs::new();
        let mut bytes = primary.clone();
        bytes[offset] ^= 0x41;
        crate::support::write_file(&damaged, DB, &bytes);
        crate::support::write_file(&damaged, LOG, &log);
        for read_only in [true, false] {
            match try_open(&damaged, options().read_only(read_only)) {
                Ok(db) => {
                    told += usize::from(!db.check().unwrap().is_clean());
                    let _ = db.view(|tx| tx.scan::<&[u8]>(..).collect::<Result<Vec<_>>>());
                }
                Err(Error::CorruptDatabase { .. }) => told += 1,
                Err(other) => panic!("{other}"),
            }
            assert!(files(&damaged) == [Some(bytes.clone()), Some(log.clone())], "at {offset}");
        }
    }
    assert!(told > 10, "{told}");
    // So does a recovery that finds damage in the middle of the log.
    let vfs = MemoryVfs::new();
    written(&vfs, &options());
    let before = files(&vfs).map(Option::unwrap);
    for offset in (8192..70_000).step_by(4096) {
        let damaged = MemoryVfs::new();
        let mut log = before[1].clone();
        log[offset..offset + 3000].fill(0x5A);
        crate::support::write_file(&damaged, DB, &before[0]);
        crate::support::write_file(&damaged, LOG, &log);
        for read_only in [true, false] {
            let refused = try_open(&damaged, options().read_only(read_only));
            refused!(refused, Error::CorruptDatabase { file, .. } if file.to_str() == Some(LOG));
            assert!(files(&damaged) == [Some(before[0].clone()), Some(log.clone())]);
        }
    }
    refused!(try_open(&MemoryVfs::new(), options().read_only(true)), Error::DatabaseMissing { .. });
}
