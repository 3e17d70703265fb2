//! What is kept of commits: times that never go backwards, notes, history hashes; and finding a
//! commit by its time.

use std::ops::Bound::{self, Excluded, Included, Unbounded};

use hexxladb::vfs::MemoryVfs;
use hexxladb::vfs::sim::SimVfs;
use hexxladb::{Cell, Commit, Coord, Db, Error, ReadTx, Result, Timestamp, WriteTx};
use sha2::{Digest, Sha256};

use crate::support::{both_formats, coord, in_memory, open, options, put, refused, rows};

fn commits(db: &Db) -> Vec<Commit> {
    db.commits(..).unwrap().map(|commit| commit.unwrap()).collect()
}

fn times(db: &Db) -> Vec<i64> {
    commits(db).iter().map(|commit| commit.time.as_nanos()).collect()
}

fn put_at(db: &Db, nanos: i64) {
    db.update(|tx| {
        tx.set_commit_time(Timestamp::from_nanos(nanos))?;
        tx.put("key", nanos.to_le_bytes())
    })
    .unwrap();
}

// spec: TXN-08
#[test]
fn a_set_time_counts_unless_an_earlier_commit_is_later() {
    for options in both_formats() {
        let vfs = MemoryVfs::new();
        let db = open(&vfs, options);
        let set = [i64::MIN, -5, 10, 3, 10, 11, i64::MAX, 0];
        let expected = [i64::MIN, -5, 10, 10, 10, 11, i64::MAX, i64::MAX];
        for nanos in set {
            put_at(&db, nanos);
        }
        assert_eq!(times(&db), expected);
        // The last one set counts; and the last commit's time is known after reopening.
        db.close().unwrap();
        let db = open(&vfs, options_of(&db));
        assert_eq!(times(&db), expected);
        put_at(&db, 5);
        assert_eq!(times(&db)[8], i64::MAX);
    }
}

fn options_of(db: &Db) -> hexxladb::Options {
    options().mvcc(db.format_version() == 2)
}

// spec: TXN-09
#[test]
fn times_never_go_backwards_when_the_clock_does() {
    for options in both_formats() {
        let vfs = SimVfs::new(1);
        let mut db = open(&vfs, options.clone());
        let steps = [0, 5_000_000_000, -60_000_000_000, 1, -1, i64::MIN, 120_000_000_000];
        let mut highest = i64::MIN;
        for (index, step) in steps.into_iter().enumerate() {
            vfs.step_clock(step);
            if index == 3 {
                vfs.stop_clock();
            }
            if index == 5 {
                vfs.run_clock();
                drop(db);
                db = open(&vfs, options.clone());
            }
            let wall = hexxladb::vfs::Vfs::clock(&vfs).wall_nanos();
            put(&db, "key", "").unwrap();
            let now = *times(&db).last().unwrap();
            assert!(now >= highest, "step {index}: {now} after {highest}");
            // Within the few operations that a commit takes, it is the clock's time or the last.
            let expected = wall.max(highest);
            assert!((expected..expected + 1_000_000).contains(&now), "{now} for {expected}");
            highest = now;
        }
    }
}

// spec: TXN-10
#[test]
fn notes_are_kept_with_the_commit() {
    let notes = [None, Some(String::new()), Some("wer – warum".to_owned()), Some("n".repeat(4096))];
    for options in both_formats() {
        let vfs = MemoryVfs::new();
        let mut db = open(&vfs, options);
        for note in &notes {
            db.update(|tx| {
                if let Some(note) = note {
                    tx.set_note("first")?;
                    tx.set_note(note.clone())?;
                }
                tx.put("key", "")
            })
            .unwrap();
        }
        let too_long = "n".repeat(4095) + "é";
        for reopen in 0..3 {
            let kept: Vec<_> = commits(&db).into_iter().map(|commit| commit.note).collect();
            assert_eq!(kept, notes);
            let refused = db.update(|tx| tx.set_note(too_long.clone()));
            refused!(refused, Error::InvalidArgument { what: "note", .. });
            // Once from the log, once from the primary.
            if reopen == 1 {
                db.close().unwrap();
            }
            let again = options_of(&db);
            drop(db);
            db = open(&vfs, again);
        }
    }
}

// spec: SNAP-05
#[test]
fn a_time_finds_the_newest_commit_not_after_it() {
    let db = in_memory();
    let read =
        |nanos: i64| db.view_at_time(Timestamp::from_nanos(nanos), |tx| Ok::<_, Error>(tx.seq()));
    for nanos in [i64::MIN, 0, i64::MAX] {
        assert_eq!(read(nanos).unwrap(), 0, "there is only the empty database");
    }
    for nanos in [-10, 20, 20, 20, 30] {
        put_at(&db, nanos);
    }
    let expected = [
        (i64::MIN, 0),
        (-11, 0),
        (-10, 1),
        (19, 1),
        (20, 4),
        (21, 4),
        (29, 4),
        (30, 5),
        (31, 5),
        (i64::MAX, 5),
    ];
    for (nanos, seq) in expected {
        assert_eq!(read(nanos).unwrap(), seq, "at {nanos}");
        assert_eq!(db.seq_at_time(Timestamp::from_nanos(nanos)).unwrap(), seq);
    }
    let value = db.view_at_time(Timestamp::from_nanos(25), |tx| tx.get("key")).unwrap().unwrap();
    assert_eq!(value, 20i64.to_le_bytes());
    assert!(db.view_at_time(Timestamp::from_nanos(-11), |tx| tx.get("key")).unwrap().is_none());
    // Times at the ends of the scale are times like others.
    let db = in_memory();
    put_at(&db, i64::MIN);
    assert_eq!(db.seq_at_time(Timestamp::MIN).unwrap(), 1);
    put_at(&db, i64::MAX);
    assert_eq!(db.seq_at_time(Timestamp::MAX).unwrap(), 2);
    assert_eq!(db.seq_at_time(Timestamp::from_nanos(i64::MAX - 1)).unwrap(), 1);
}

// spec: SNAP-07
#[test]
fn commits_are_listed_both_ways_over_any_range() {
    for options in both_formats() {
        let db = open(&MemoryVfs::new(), options);
        assert_eq!(commits(&db), []);
        for seq in 1..=9 {
            db.update(|tx| tx.set_note(format!("commit {seq}"))).unwrap();
        }
        let all = commits(&db);
        assert!(all.iter().zip(1..).all(|(commit, seq)| {
            commit.seq == seq && commit.note == Some(format!("commit {seq}"))
        }));
        let seqs = |range: (Bound<u64>, Bound<u64>)| {
            let forwards: Vec<Commit> = db.commits(range).unwrap().map(|c| c.unwrap()).collect();
            let mut backwards: Vec<Commit> =
                db.commits(range).unwrap().rev().map(|c| c.unwrap()).collect();
            backwards.reverse();
            assert_eq!(forwards, backwards);
            assert!(forwards.iter().all(|commit| *commit == all[commit.seq as usize - 1]));
            forwards.iter().map(|commit| commit.seq).collect::<Vec<u64>>()
        };
        assert_eq!(seqs((Included(0), Included(2))), [1, 2]);
        assert_eq!(seqs((Excluded(7), Unbounded)), [8, 9]);
        assert_eq!(seqs((Included(3), Excluded(5))), [3, 4]);
        assert_eq!(seqs((Included(9), Included(u64::MAX))), [9]);
        for empty in
            [(Included(5), Excluded(5)), (Included(6), Included(4)), (Included(10), Unbounded)]
        {
            assert!(seqs(empty).is_empty());
        }
        assert!(seqs((Excluded(u64::MAX), Unbounded)).is_empty());
        // From both ends at once each comes once; then nothing more comes.
        let mut commits = db.commits(..4).unwrap();
        let mut step = |back| {
            let next = if back { commits.next_back() } else { commits.next() };
            next.map(|commit| commit.unwrap().seq)
        };
        assert_eq!([step(true), step(false), step(true)], [Some(3), Some(1), Some(2)]);
        assert_eq!([step(true), step(false), step(true)], [None; 3]);
    }
}

// spec: SNAP-07
#[test]
fn listing_commits_is_lazy() {
    let vfs = SimVfs::new(3);
    let db = open(&vfs, options());
    for seq in 0..400 {
        db.update(|tx| tx.set_note(format!("{seq:0>900}"))).unwrap();
    }
    db.close().unwrap();
    let db = open(&vfs, options());
    let reads = |db: &Db| db.stats_mvcc().unwrap().page_reads;
    let before = reads(&db);
    assert_eq!(db.commits(..).unwrap().next().unwrap().unwrap().seq, 1);
    let first = reads(&db) - before;
    assert_eq!(commits(&db).len(), 400);
    let all = reads(&db) - before;
    assert!(first <= 6 && all > 20 * first, "{first} pages for one, {all} for all");
}

/// The history hash as it is documented, from what the test itself wrote.
struct Chain {
    hash: [u8; 16],
    seq: u64,
}

/// One record of a commit: its name's family and bytes, and its value if it was put.
type Touched = (u8, Vec<u8>, Option<Vec<u8>>);

fn raw(key: &str, value: Option<&str>) -> Touched {
    (1, key.as_bytes().to_vec(), value.map(|value| value.as_bytes().to_vec()))
}

#[cfg(feature = "sim")]
fn cell(at: Coord, cell: Option<&Cell>) -> Touched {
    let name = [at.q().to_le_bytes(), at.r().to_le_bytes()].concat();
    (2, name, cell.map(|cell| hexxladb::encode_cell_for_hash(cell).unwrap()))
}

#[cfg(not(feature = "sim"))]
fn cell(at: Coord, cell: Option<&Cell>) -> Touched {
    assert!(cell.is_none(), "how a cell is encoded is told only with the feature sim");
    (2, [at.q().to_le_bytes(), at.r().to_le_bytes()].concat(), None)
}

impl Chain {
    /// Takes in a commit: its time, note, and records in the order of their keys.
    fn commit(&mut self, time: i64, note: Option<&str>, records: &[Touched]) -> [u8; 16] {
        self.seq += 1;
        let note = note.unwrap_or_default();
        let mut hasher = Sha256::new();
        hasher.update(self.hash);
        hasher.update(self.seq.to_le_bytes());
        hasher.update(time.to_le_bytes());
        hasher.update(u32::try_from(note.len()).unwrap().to_le_bytes());
        hasher.update(note.as_bytes());
        hasher.update(u32::try_from(records.len()).unwrap().to_le_bytes());
        for (family, name, value) in records {
            hasher.update([if value.is_some() { 1 } else { 2 }, *family]);
            hasher.update(u32::try_from(name.len()).unwrap().to_le_bytes());
            hasher.update(name);
            if let Some(value) = value {
                hasher.update(Sha256::digest(value));
            }
        }
        self.hash.copy_from_slice(&hasher.finalize()[..16]);
        self.hash
    }
}

/// A commit: its note, what it does, and the records that it touches in the order of their keys.
type Step = (Option<&'static str>, fn(&mut WriteTx) -> Result<()>, Vec<Touched>);

// spec: SNAP-09
#[test]
fn history_hashes_are_a_chain_over_what_was_written() {
    let (far, near) = (coord(-7, 3), coord(0, 0));
    let mut steps: Vec<Step> = vec![
        (
            Some("first"),
            |tx| tx.put("b", "1").and(tx.put("a", "")),
            vec![raw("a", Some("")), raw("b", Some("1"))],
        ),
        (None, |tx| tx.put("a", "lost").and(tx.put("a", "kept")), vec![raw("a", Some("kept"))]),
        (Some(""), |tx| tx.delete("a").map(|_| ()), vec![raw("a", None)]),
        (Some("a note alone"), |_| Ok(()), vec![]),
        // What was put and deleted in one transaction was deleted.
        (None, |tx| tx.put("c\0", "x").and(tx.delete("c\0").map(|_| ())), vec![raw("c\0", None)]),
        // What is refused is no part of it.
        (
            None,
            |tx| tx.put("b", "2").and_then(|()| tx.delete("none").map(|_| ())),
            vec![raw("b", Some("2"))],
        ),
    ];
    if cfg!(feature = "sim") {
        steps.push((
            None,
            |tx| {
                tx.put_cell(coord(-7, 3), &Cell::new("far"))?;
                tx.put("z", "raw comes first")?;
                tx.put_cell(coord(0, 0), &Cell::new("near").with_tags(["t"]))
            },
            vec![
                raw("z", Some("raw comes first")),
                cell(near, Some(&Cell::new("near").with_tags(["t"]))),
                cell(far, Some(&Cell::new("far"))),
            ],
        ));
        steps.push((None, |tx| tx.delete_cell(coord(-7, 3)).map(|_| ()), vec![cell(far, None)]));
    }
    for options in both_formats() {
        let vfs = MemoryVfs::new();
        let db = open(&vfs, options);
        let mut chain = Chain { hash: [0; 16], seq: 0 };
        let mut expected = Vec::new();
        for (nanos, (note, write, records)) in (-2..).zip(&steps) {
            db.update(|tx| {
                tx.set_commit_time(Timestamp::from_nanos(nanos))?;
                note.map_or(Ok(()), |note| tx.set_note(note))?;
                write(tx)
            })
            .unwrap();
            expected.push(chain.commit(nanos, *note, records));
        }
        let found = |db: &Db| commits(db).iter().map(|c| c.history_hash).collect::<Vec<_>>();
        assert_eq!(found(&db), expected);
        assert_eq!(db.view(ReadTx::history_hash).unwrap(), chain.hash);
        // From the log, and from the primary.
        for close in [false, true] {
            if close {
                db.close().unwrap();
            }
            let files = MemoryVfs::new();
            for name in [crate::support::DB, crate::support::LOG] {
                let bytes = crate::support::read_file(&vfs, name).unwrap();
                crate::support::write_file(&files, name, &bytes);
            }
            assert_eq!(
                found(&open(&files, crate::support::options().mvcc(db.format_version() == 2))),
                expected
            );
        }
    }
}

// spec: SNAP-09
#[test]
fn equal_histories_have_equal_hashes_and_different_ones_have_not() {
    let hash = |seconds: i64, key: &str, value: &str, note: Option<&str>| {
        let db = in_memory();
        db.update(|tx| {
            tx.set_commit_time(Timestamp::from_secs(seconds))?;
            note.map_or(Ok(()), |note| tx.set_note(note))?;
            tx.put(key, value)
        })
        .unwrap();
        assert_eq!(rows(&db).len(), 1);
        db.view(ReadTx::history_hash).unwrap()
    };
    let base = hash(1, "k", "v", None);
    assert_eq!(hash(1, "k", "v", None), base);
    for other in [
        hash(2, "k", "v", None),
        hash(1, "l", "v", None),
        hash(1, "k", "w", None),
        hash(1, "k", "v", Some("n")),
    ] {
        assert_ne!(other, base);
    }
    let db = in_memory();
    assert_eq!(db.view(ReadTx::history_hash).unwrap(), [0; 16]);
}
