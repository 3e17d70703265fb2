//! Snapshots: what they read, what disturbs them (nothing), what they cost (no page).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hexxladb::vfs::MemoryVfs;
use hexxladb::{Cell, Db, Error, Options, Record, RecordId, Result, Snapshot};

use crate::support::{
    Random, Rows, all_snapshots, both_formats, check_clean, coord, in_memory, open, options, put,
    refused, rows, rows_of,
};

/// A database of some hundred commits over some hundred keys, and what each snapshot must hold.
fn with_history(vfs: &MemoryVfs) -> (Db, Vec<Rows>) {
    let db = open(vfs, options());
    let mut random = Random::new(5);
    let mut expected = vec![Rows::new()];
    for round in 0..120u32 {
        let mut model = expected.last().unwrap().clone();
        db.update(|tx| {
            for _ in 0..=random.below(30) {
                let key = format!("key {:03}", random.below(300)).into_bytes();
                if random.below(4) == 0 {
                    tx.delete(&key)?;
                    model.remove(&key);
                } else {
                    let value = vec![round as u8; random.below(400) as usize];
                    tx.put(&key, &value)?;
                    model.insert(key, value);
                }
            }
            tx.set_note("not empty")
        })
        .unwrap();
        expected.push(model);
    }
    (db, expected)
}

// spec: SNAP-01, SNAP-02, REC-10
#[test]
fn every_snapshot_reads_as_it_was_whichever_way_it_is_read() {
    let vfs = MemoryVfs::new();
    let (db, expected) = with_history(&vfs);
    assert_eq!(rows(&db), *expected.last().unwrap());
    let check = |db: &Db| {
        assert!(all_snapshots(db) == expected);
        for seq in (0..=120).step_by(13) {
            let model = &expected[seq];
            db.view_at(seq as u64, |tx| {
                assert_eq!(tx.seq(), seq as u64);
                let back: Result<Vec<_>> = tx.scan::<&[u8]>(..).rev().collect();
                assert!(back?.iter().map(|row| &row.0[..]).eq(model.keys().rev().map(|k| &k[..])));
                for index in 0..300 {
                    let key = format!("key {index:03}").into_bytes();
                    assert_eq!(tx.get(&key)?.map(|value| value.to_vec()), model.get(&key).cloned());
                    let at_most_one = tx.scan(&key[..]..=&key[..]).count();
                    assert_eq!(at_most_one, usize::from(model.contains_key(&key)));
                }
                Ok::<_, Error>(())
            })
            .unwrap();
        }
    };
    check(&db);
    db.checkpoint().unwrap();
    check(&db);
    drop(db);
    let db = open(&vfs, options());
    check(&db);
    db.close().unwrap();
    check(&open(&vfs, options()));
}

// spec: SNAP-02
#[test]
fn sequence_0_is_the_empty_database() {
    let db = in_memory();
    for commits in 0..3 {
        db.view_at(0, |tx| {
            assert_eq!((tx.seq(), tx.scan::<&[u8]>(..).count(), tx.cells(..).count()), (0, 0, 0));
            assert!(tx.get("key")?.is_none() && tx.get_cell(coord(0, 0))?.is_none());
            assert!(tx.commit(0)?.is_none() && tx.commit(1)?.is_none());
            Ok::<_, Error>(())
        })
        .unwrap();
        assert_eq!(db.head().unwrap(), commits);
        put(&db, "key", "").unwrap();
        db.snapshot_at(0).unwrap();
    }
}

// spec: SNAP-03
#[test]
fn reading_above_head_is_refused_with_head() {
    let db = in_memory();
    for head in 0..3 {
        for seq in [head + 1, head + 2, u64::MAX] {
            let view = db.view_at(seq, |_| Ok::<_, Error>(()));
            refused!(view, Error::ReadSeqFuture { seq: s, head: h } if (s, h) == (seq, head));
            let owned = db.snapshot_at(seq);
            refused!(owned, Error::ReadSeqFuture { seq: s, head: h } if (s, h) == (seq, head));
        }
        put(&db, "key", "").unwrap();
    }
}

// spec: SNAP-06
#[test]
fn owned_snapshots_are_valid_until_dropped_and_nothing_disturbs_them() {
    fn send_and_sync<T: Send + Sync + 'static>(_: &T) {}
    for options in both_formats() {
        let vfs = MemoryVfs::new();
        let db = open(&vfs, options);
        let mut held: Vec<(Snapshot, Rows)> = vec![(db.snapshot().unwrap(), Rows::new())];
        for round in 0..20 {
            db.update(|tx| {
                for key in 0..60 {
                    tx.put(format!("{key}"), vec![round; 600])?;
                }
                tx.delete(format!("{round}")).map(|_| ())
            })
            .unwrap();
            if round % 10 == 3 {
                db.checkpoint().unwrap();
            }
            held.push((db.snapshot().unwrap(), rows(&db)));
        }
        send_and_sync(&held[0].0);
        let held = Arc::new(held);
        let elsewhere = Arc::clone(&held);
        let read =
            move || elsewhere.iter().all(|(snapshot, rows)| rows_of(snapshot).unwrap() == *rows);
        assert!(on_another_thread(read));
        for (seq, (snapshot, rows)) in held.iter().enumerate() {
            assert_eq!(snapshot.seq(), seq as u64);
            assert!(rows_of(snapshot).unwrap() == *rows, "snapshot {seq}");
        }
        check_clean(&db);
    }
    let db = in_memory();
    put(&db, "key", "1").unwrap();
    put(&db, "key", "2").unwrap();
    let earlier = db.snapshot_at(1).unwrap();
    assert_eq!(earlier.get("key").unwrap().unwrap(), b"1");
}

#[expect(clippy::disallowed_methods, reason = "tests may start threads")]
fn on_another_thread<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(act).join().unwrap()
}

// spec: SNAP-08
#[test]
fn history_is_every_version_newest_first_with_its_tombstones() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    let large = "x".repeat(50_000);
    db.update(|tx| tx.put("key", "1").and(tx.put_cell(coord(2, 2), &Cell::new("one")))).unwrap();
    db.update(|tx| tx.put("key\0", "another").and(tx.put("ke", "yet another"))).unwrap();
    db.update(|tx| tx.put("key", &large)).unwrap();
    db.update(|tx| {
        assert!(tx.delete("key")? && tx.delete_cell(coord(2, 2))?);
        Ok::<_, Error>(())
    })
    .unwrap();
    db.update(|tx| tx.put("key", "").and(tx.put_cell(coord(2, 2), &Cell::new("two")))).unwrap();
    let raw = |bytes: &str| Some(Record::Raw(bytes.as_bytes().into()));
    let cell = |text: &str| Some(Record::Cell(Cell::new(text)));
    let key = [(5, raw("")), (4, None), (3, raw(&large)), (1, raw("1"))];
    let at = [(5, cell("two")), (4, None), (1, cell("one"))];
    let found = |db: &Db, record: RecordId| -> Vec<(u64, Option<Record>)> {
        let versions: Vec<_> = db.history(record).unwrap().map(|v| v.unwrap()).collect();
        for version in &versions {
            let commit = db.commits(version.seq..).unwrap().next().unwrap().unwrap();
            assert_eq!(version.time, Some(commit.time));
        }
        versions.into_iter().map(|version| (version.seq, version.record)).collect()
    };
    for close in [false, true] {
        let db = if close {
            db.close().unwrap();
            open(&vfs, options())
        } else {
            db.clone()
        };
        assert_eq!(found(&db, b"key"[..].into()), key);
        assert_eq!(found(&db, b"key".to_vec().into()), key);
        assert_eq!(found(&db, coord(2, 2).into()), at);
        assert_eq!(found(&db, b"ke"[..].into()), [(2, raw("yet another"))]);
        assert_eq!(found(&db, b"k"[..].into()), []);
        assert_eq!(found(&db, coord(2, 3).into()), []);
    }
    refused!(in_memory().history(vec![0; 2000]).map(|_| ()), Error::KeyTooLarge { .. });
}

// spec: SNAP-10
#[test]
fn a_snapshot_held_for_ever_does_not_stop_the_reuse_of_pages() {
    let db = open(&MemoryVfs::new(), options());
    let fill = |tag: u8| {
        db.update(|tx| (0..100u32).try_for_each(|key| tx.put(key.to_be_bytes(), [tag; 500])))
            .unwrap();
    };
    fill(0);
    let snapshot = db.snapshot().unwrap();
    let before = rows_of(&snapshot).unwrap();
    // Rolled back work and copied pages would add up to many times the file.
    let mut sizes = Vec::new();
    for round in 0..120u32 {
        let mut tx = db.begin_write().unwrap();
        for key in 0..20u32 {
            tx.put(key.to_be_bytes(), [1; 2000]).unwrap();
        }
        tx.rollback().unwrap();
        put(&db, "one", round.to_be_bytes()).unwrap();
        db.checkpoint().unwrap();
        sizes.push(db.stats_mvcc().unwrap().file_pages);
    }
    let (early, late) = (sizes[59], sizes[119]);
    // 120 versions of a row of twenty bytes take three pages at most; the copies of the tree's
    // path that each checkpoint makes would take hundreds.
    assert!(late <= early + 8, "{early} pages after 60 rounds, {late} after 120");
    assert!(rows_of(&snapshot).unwrap() == before);
    check_clean(&db);
}

// spec: SNAP-11
#[test]
fn counters_equal_a_recount() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    let mut random = Random::new(8);
    for round in 0..60u64 {
        db.update(|tx| {
            for _ in 0..random.below(12) {
                let at = coord(random.below(7) as i32, random.below(7) as i32);
                let key = random.below(20).to_be_bytes();
                match random.below(5) {
                    0 => tx.delete_cell(at).map(|_| ())?,
                    1 => tx.delete(key).map(|_| ())?,
                    2 => tx.put(key, "value")?,
                    _ => tx.put_cell(at, &Cell::new("cell"))?,
                }
            }
            tx.set_note("not empty")
        })
        .unwrap();
        let db = if round % 20 == 19 { open(&copy(&vfs), options()) } else { db.clone() };
        check_counters(&db, round + 1);
    }
}

fn copy(vfs: &MemoryVfs) -> MemoryVfs {
    let copy = MemoryVfs::new();
    for name in [crate::support::DB, crate::support::LOG] {
        let bytes = crate::support::read_file(vfs, name).unwrap();
        crate::support::write_file(&copy, name, &bytes);
    }
    copy
}

fn check_counters(db: &Db, head: u64) {
    let stats = db.stats_mvcc().unwrap();
    let (mut cell, mut raw) = ([0; 3], [0; 3]);
    let count = |record: RecordId, counts: &mut [u64; 3]| {
        let versions: Vec<_> = db.history(record).unwrap().map(|v| v.unwrap()).collect();
        counts[0] += u64::from(versions.first().is_some_and(|newest| newest.record.is_some()));
        counts[1] += u64::from(!versions.is_empty());
        counts[2] += versions.len() as u64;
    };
    for q in 0..7 {
        for r in 0..7 {
            count(coord(q, r).into(), &mut cell);
        }
    }
    (0..20u64).for_each(|key| count(key.to_be_bytes()[..].into(), &mut raw));
    assert_eq!((stats.commit_seq, stats.oldest_readable_seq), (head, 0));
    assert_eq!((stats.visible_cell_count, stats.logical_cell_count), (cell[0], cell[1]));
    assert_eq!(stats.versioned_row_count, cell[2] + raw[2]);
    for family in &stats.families {
        let expected = match family.family {
            "cell" => cell,
            "raw" => raw,
            _ => [0; 3],
        };
        assert_eq!([family.visible, family.logical, family.rows], expected, "{}", family.family);
    }
    assert_eq!(
        stats.families.iter().map(|f| f.family).collect::<Vec<_>>(),
        ["raw", "cell", "facet", "edge", "seam"]
    );
    assert_eq!((stats.page_size, stats.format_version), (4096, 2));
    let visible = db.view(|tx| Ok::<_, Error>(tx.cells(..).count() as u64)).unwrap();
    assert_eq!(stats.visible_cell_count, visible);
}

// spec: SNAP-11
#[test]
fn the_files_size_is_told_in_pages() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    db.update(|tx| (0..2000u32).try_for_each(|key| tx.put(key.to_be_bytes(), [1; 100]))).unwrap();
    db.checkpoint().unwrap();
    let pages = db.stats_mvcc().unwrap().file_pages;
    let len = crate::support::read_file(&vfs, crate::support::DB).unwrap().len() as u64;
    assert!(len >= pages * 4096, "{len} bytes, {pages} pages");
    assert!(pages * 4096 > 2000 * 100);
}

// spec: TXN-11
#[test]
fn a_snapshot_is_isolated_from_what_is_being_written() {
    for options in both_formats() {
        let db = open(&MemoryVfs::new(), options);
        put(&db, "key", "1").unwrap();
        let mut tx = db.begin_write().unwrap();
        tx.put("key", "2").unwrap();
        // A reader on another thread is done before the writer is.
        let reader = db.clone();
        let seen = on_another_thread(move || rows(&reader));
        assert_eq!(seen, Rows::from([(b"key".to_vec(), b"1".to_vec())]));
        // A writer commits while a reader reads, and the reader's state stays as it was.
        let committed = AtomicBool::new(false);
        let writer = std::sync::Mutex::new(Some(tx));
        db.view(|tx| {
            let before = rows_of(tx)?;
            writer.lock().unwrap().take().unwrap().commit()?;
            committed.store(true, Ordering::SeqCst);
            assert_eq!(rows_of(tx)?, before);
            assert_eq!(tx.seq(), 1);
            Ok::<_, Error>(())
        })
        .unwrap();
        assert!(committed.load(Ordering::SeqCst));
        assert_eq!(rows(&db), Rows::from([(b"key".to_vec(), b"2".to_vec())]));
    }
}

// spec: OPT-02, OPT-03
#[test]
fn format_1_keeps_one_version_and_says_so() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, Options::new().mvcc(false));
    put(&db, "key", "1").unwrap();
    put(&db, "key", "2").unwrap();
    assert_eq!(db.format_version(), 1);
    let time = hexxladb::Timestamp::MAX;
    let calls: [(&str, Result<()>); 6] = [
        ("view_at", db.view_at(1, |_| Ok(()))),
        ("view_at_time", db.view_at_time(time, |_| Ok(()))),
        ("seq_at_time", db.seq_at_time(time).map(|_| ())),
        ("snapshot_at", db.snapshot_at(1).map(|_| ())),
        ("history", db.history(coord(0, 0)).map(|_| ())),
        ("stats_mvcc", db.stats_mvcc().map(|_| ())),
    ];
    for (name, result) in calls {
        refused!(result, Error::MvccRequired { call } if call == name);
    }
    // One version of each; sequences, times, notes and hashes all the same.
    db.update(|tx| tx.set_note("third")).unwrap();
    let commits: Vec<_> = db.commits(..).unwrap().map(|commit| commit.unwrap()).collect();
    assert_eq!(commits.iter().map(|commit| commit.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(commits[2].note.as_deref(), Some("third"));
    assert!(commits.windows(2).all(|pair| pair[0].time <= pair[1].time));
    assert!(commits.windows(2).all(|pair| pair[0].history_hash != pair[1].history_hash));
    let versions = db.dump().unwrap().filter(|row| row.as_ref().unwrap().key == "raw/key").count();
    assert_eq!(versions, 1);
    let snapshot = db.snapshot().unwrap();
    db.update(|tx| tx.delete("key").map(|_| ())).unwrap();
    assert_eq!(snapshot.get("key").unwrap().unwrap(), b"2");
    assert_eq!(rows(&db).len(), 0);
    check_clean(&db);
}
