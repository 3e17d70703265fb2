//! Write transactions: atomic, numbered without gaps, reading what they wrote.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hexxladb::vfs::MemoryVfs;
use hexxladb::{Cell, Db, Error, Options, PackedCoord, ReadTx, Result, Snapshot, WriteTx};

use crate::support::{
    Own, Random, Rows, both_formats, check_clean, coord, get, in_memory, open, options, put,
    refused, rows,
};

/// Writes in every family, then ends the transaction in some way that is not a commit.
fn leaves_nothing(end: impl Fn(&Db, fn(&mut WriteTx) -> Result<()>)) {
    for options in both_formats() {
        let vfs = MemoryVfs::new();
        let db = open(&vfs, options);
        db.update(|tx| {
            tx.put("kept", "1")?;
            tx.put("replaced", "old")?;
            tx.put_cell(coord(1, 0), &Cell::new("kept"))
        })
        .unwrap();
        let before = rows(&db);
        end(&db, |tx| {
            tx.put("new", vec![7; 30_000])?;
            tx.put("replaced", "new")?;
            assert!(tx.delete("kept")?);
            tx.put_cell(coord(2, 0), &Cell::new("new"))?;
            assert!(tx.delete_cell(coord(1, 0))?);
            tx.set_note("never seen")
        });
        for reopen in [false, true] {
            let db = if reopen {
                db.close().unwrap();
                open(&vfs, Options::new())
            } else {
                db.clone()
            };
            assert_eq!(rows(&db), before);
            let cells: Vec<_> = db.view(|tx| tx.cells(..).collect::<Result<_>>()).unwrap();
            assert_eq!(cells, [(coord(1, 0), Cell::new("kept"))]);
            assert_eq!(db.head().unwrap(), 1);
            assert_eq!(db.commits(..).unwrap().count(), 1);
            check_clean(&db);
        }
        // The sequence was not used up.
        let db = open_after(&vfs, &db);
        assert_eq!(put(&db, "next", "").unwrap(), 2);
    }
}

fn open_after(vfs: &MemoryVfs, db: &Db) -> Db {
    db.close().unwrap();
    open(vfs, Options::new())
}

// spec: TXN-01, TXN-03
#[test]
fn an_error_in_the_closure_leaves_nothing() {
    leaves_nothing(|db, write| {
        let ended: Result<(), Own> = db.update(|tx| {
            write(tx)?;
            Err(Own::Changed("mind"))
        });
        refused!(ended, Own::Changed("mind"));
    });
}

// spec: TXN-01
#[test]
fn a_panic_in_the_closure_leaves_nothing() {
    leaves_nothing(|db, write| {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            db.update(|tx| -> Result<()> {
                write(tx)?;
                panic!("in the closure");
            })
        }));
        assert!(ended.is_err());
    });
}

// spec: TXN-02
#[test]
fn a_transaction_that_is_dropped_or_rolled_back_leaves_nothing() {
    leaves_nothing(|db, write| {
        let mut tx = db.begin_write().unwrap();
        write(&mut tx).unwrap();
        drop(tx);
    });
    leaves_nothing(|db, write| {
        let mut tx = db.begin_write().unwrap();
        write(&mut tx).unwrap();
        tx.rollback().unwrap();
    });
}

// spec: TXN-02, TXN-05
#[test]
fn an_explicit_commit_is_all_there() {
    for options in both_formats() {
        let vfs = MemoryVfs::new();
        let db = open(&vfs, options);
        for seq in 1..=3 {
            let mut tx = db.begin_write().unwrap();
            assert_eq!(tx.commit_seq(), seq);
            tx.put(format!("key{seq}"), "value").unwrap();
            tx.put_cell(coord(seq as i32, 0), &Cell::new("cell")).unwrap();
            assert_eq!(tx.commit_seq(), seq);
            assert_eq!(tx.commit().unwrap(), seq);
            assert_eq!(db.head().unwrap(), seq);
        }
        let db = open_after(&vfs, &db);
        assert_eq!(rows(&db).len(), 3);
        assert_eq!(db.view(|tx| Ok::<_, Error>(tx.cells(..).count())).unwrap(), 3);
    }
}

// spec: TXN-03, TXN-04
#[test]
fn sequences_are_taken_by_commits_that_are_not_empty() {
    for options in both_formats() {
        let db = open(&MemoryVfs::new(), options);
        assert_eq!(db.head().unwrap(), 0);
        // Nothing at all, only reads, a delete of what is not there, a time.
        let empty: [fn(&mut WriteTx) -> Result<()>; 4] = [
            |_| Ok(()),
            |tx| tx.get("a").map(|_| ()),
            |tx| {
                assert!(!tx.delete("nothing")? && !tx.delete_cell(coord(9, 9))?);
                Ok(())
            },
            |tx| tx.set_commit_time(hexxladb::Timestamp::MAX),
        ];
        for write in empty {
            db.update(write).unwrap();
            assert_eq!(db.begin_write().unwrap().commit().unwrap(), 0);
            refused!(db.update(|tx| tx.put("k", vec![0; 2 << 20])), Error::ValueTooLarge { .. });
            assert_eq!(db.head().unwrap(), 0);
        }
        assert_eq!(put(&db, "a", "1").unwrap(), 1);
        for write in empty {
            db.update(write).unwrap();
        }
        assert_eq!(put(&db, "a", "2").unwrap(), 2);
        // A note alone is a commit, an empty note too.
        for (seq, note) in [(3, "why"), (4, "")] {
            db.update(|tx| tx.set_note(note)).unwrap();
            assert_eq!(db.head().unwrap(), seq);
            let commit = db.commits(seq..).unwrap().next().unwrap().unwrap();
            assert_eq!(commit.note.as_deref(), Some(note));
        }
        // Putting the same value again is a write.
        assert_eq!(put(&db, "a", "2").unwrap(), 5);
        let seqs: Vec<u64> = db.commits(..).unwrap().map(|commit| commit.unwrap().seq).collect();
        assert_eq!(seqs, [1, 2, 3, 4, 5]);
    }
}

// spec: TXN-06
#[test]
fn many_puts_of_one_record_are_one_version() {
    let db = in_memory();
    db.update(|tx| {
        for round in 0..10 {
            tx.put("raw", format!("{round}"))?;
            tx.put_cell(coord(0, 0), &Cell::new(format!("{round}")))?;
        }
        Ok::<_, Error>(())
    })
    .unwrap();
    db.update(|tx| {
        tx.put("raw", "again")?;
        assert!(tx.delete("raw")?);
        tx.put("raw", "at last")?;
        assert!(tx.delete_cell(coord(0, 0))?);
        assert!(!tx.delete_cell(coord(0, 0))?);
        Ok::<_, Error>(())
    })
    .unwrap();
    let versions = |record: hexxladb::RecordId| -> Vec<(u64, bool)> {
        let versions = db.history(record).unwrap().map(|version| version.unwrap());
        versions.map(|version| (version.seq, version.record.is_some())).collect()
    };
    assert_eq!(versions(b"raw"[..].into()), [(2, true), (1, true)]);
    assert_eq!(versions(coord(0, 0).into()), [(2, false), (1, true)]);
    assert_eq!(get(&db, "raw").unwrap(), b"at last");
    assert_eq!(db.stats_mvcc().unwrap().versioned_row_count, 4);
    check_clean(&db);
}

/// All rows of the transaction both ways, of a prefix, and one by one, against the model.
fn check_own_view(tx: &WriteTx, model: &Rows, random: &mut Random) {
    type Pairs = Vec<(Vec<u8>, Vec<u8>)>;
    let pair = |row: Result<(hexxladb::Bytes, hexxladb::Bytes)>| {
        let (key, value) = row.unwrap();
        (key.to_vec(), value.to_vec())
    };
    let expected: Pairs = model.clone().into_iter().collect();
    assert_eq!(tx.scan::<&[u8]>(..).map(pair).collect::<Pairs>(), expected);
    let mut backwards: Pairs = tx.scan::<&[u8]>(..).rev().map(pair).collect();
    backwards.reverse();
    assert_eq!(backwards, expected);
    let from = format!("k{:02}", random.below(60)).into_bytes();
    let tail: Pairs = model.range(from.clone()..).map(|(k, v)| (k.clone(), v.clone())).collect();
    assert_eq!(tx.scan(&from[..]..).map(pair).collect::<Pairs>(), tail);
    let prefixed = tx.scan_prefix(&from[..2]).count();
    assert_eq!(prefixed, model.keys().filter(|key| key.starts_with(&from[..2])).count());
    assert_eq!(tx.get(&from).unwrap().map(|value| value.to_vec()), model.get(&from).cloned());
}

// spec: TXN-07
#[test]
fn a_transaction_reads_its_own_writes() {
    for options in both_formats() {
        let db = open(&MemoryVfs::new(), options);
        let mut random = Random::new(11);
        let (mut model, mut cells) = (Rows::new(), std::collections::BTreeMap::new());
        for _ in 0..6 {
            let mut tx = db.begin_write().unwrap();
            for _ in 0..40 {
                let key = format!("k{:02}", random.below(60)).into_bytes();
                let at = coord(random.below(9) as i32 - 4, random.below(9) as i32 - 4);
                if random.below(3) == 0 {
                    assert_eq!(tx.delete(&key).unwrap(), model.remove(&key).is_some());
                    let removed = cells.remove(&PackedCoord::from(at)).is_some();
                    assert_eq!(tx.delete_cell(at).unwrap(), removed);
                } else {
                    let value = vec![random.below(256) as u8; random.below(2000) as usize];
                    let cell = Cell::new(format!("{}", random.below(1000)));
                    tx.put(&key, &value).unwrap();
                    tx.put_cell(at, &cell).unwrap();
                    model.insert(key, value);
                    cells.insert(PackedCoord::from(at), cell);
                }
                check_own_view(&tx, &model, &mut random);
                let own: Result<Vec<_>> = tx.cells(..).collect();
                let expected = cells.iter().map(|(at, cell)| (at.unpack(), cell.clone()));
                assert_eq!(own.unwrap(), expected.clone().collect::<Vec<_>>());
                let back: Result<Vec<_>> = tx.cells(..).rev().collect();
                assert_eq!(back.unwrap(), expected.rev().collect::<Vec<_>>());
                assert_eq!(tx.get_cell(at).unwrap().as_ref(), cells.get(&at.into()));
            }
            // The others see nothing of it.
            assert_ne!(rows(&db), model);
            tx.commit().unwrap();
            assert_eq!(rows(&db), model);
        }
    }
}

// spec: TXN-14
#[test]
fn a_write_inside_a_write_is_refused_and_does_no_harm() {
    let db = in_memory();
    let other = db.clone();
    db.update(|tx| {
        refused!(other.begin_write(), Error::NestedWrite);
        refused!(other.update(|tx| tx.put("inner", "")), Error::NestedWrite);
        refused!(other.checkpoint(), Error::NestedWrite);
        assert_eq!(rows(&other).len(), 0, "reading is no writing");
        tx.put("outer", "")
    })
    .unwrap();
    let held = db.begin_write().unwrap();
    refused!(db.update(|tx| tx.put("inner", "")), Error::NestedWrite);
    drop(held);
    // Another database on the same thread is another matter.
    db.update(|tx| {
        put(&in_memory(), "elsewhere", "").unwrap();
        tx.put("outer", "2")
    })
    .unwrap();
    assert_eq!(rows(&db), Rows::from([(b"outer".to_vec(), b"2".to_vec())]));
}

/// What a call of one of these names gives on a type that has none of its own: methods of the
/// type itself come first.
trait NoWrites {
    fn put(&self) -> Absent {
        Absent
    }
    fn put_cell(&self) -> Absent {
        Absent
    }
    fn delete(&self) -> Absent {
        Absent
    }
    fn delete_cell(&self) -> Absent {
        Absent
    }
    fn set_note(&self) -> Absent {
        Absent
    }
    fn commit_seq(&self) -> Absent {
        Absent
    }
}

struct Absent;
impl NoWrites for ReadTx {}
impl NoWrites for Snapshot {}

// spec: TXN-15
#[test]
fn read_transactions_have_no_call_that_writes() {
    let db = in_memory();
    // Each of these lines fails to compile once the type has such a method.
    let in_view = |tx: &ReadTx| -> Result<[Absent; 6]> {
        Ok([tx.put(), tx.put_cell(), tx.delete(), tx.delete_cell(), tx.set_note(), tx.commit_seq()])
    };
    assert_eq!(db.view(in_view).unwrap().len(), 6);
    let tx = db.snapshot().unwrap();
    let _: [Absent; 6] =
        [tx.put(), tx.put_cell(), tx.delete(), tx.delete_cell(), tx.set_note(), tx.commit_seq()];
}

// spec: REC-07
#[test]
fn a_refused_put_leaves_the_transaction_usable() {
    let db = open(&MemoryVfs::new(), options().max_value_bytes(1000));
    db.update(|tx| {
        tx.put("a", "1")?;
        refused!(tx.put("b", vec![0; 1001]), Error::ValueTooLarge { len: 1001, max: 1000 });
        refused!(tx.put(vec![b'k'; 2000], ""), Error::KeyTooLarge { .. });
        refused!(tx.delete(vec![b'k'; 2000]), Error::KeyTooLarge { .. });
        refused!(tx.set_note("n".repeat(4097)), Error::InvalidArgument { what: "note", .. });
        let unsure = Cell::new("x").with_confidence(2.0);
        refused!(tx.put_cell(coord(0, 0), &unsure), Error::InvalidRecord { family: "cell", .. });
        tx.put("c", vec![0; 1000])
    })
    .unwrap();
    assert_eq!(rows(&db).into_keys().collect::<Vec<_>>(), [b"a", b"c"]);
}

// spec: API-02
#[test]
fn closures_have_error_types_of_their_own() {
    let db = in_memory();
    let read = |db: &Db| -> Result<usize, Own> {
        db.view(|tx| match tx.get("missing")? {
            Some(value) => Ok(value.len()),
            None => Err(Own::Changed("nothing there")),
        })
    };
    refused!(read(&db), Own::Changed("nothing there"));
    let at: Result<(), Own> = db.view_at(7, |_| Ok(()));
    refused!(at, Own::Db(Error::ReadSeqFuture { .. }));
    let boxed: Result<u64, Box<dyn std::error::Error>> =
        db.update(|tx| Ok(tx.put("n", "12").map(|()| "12".parse())??));
    assert_eq!(boxed.unwrap(), 12);
    let parsed: Result<u64, Box<dyn std::error::Error>> = db.update(|tx| {
        tx.put("n", "x")?;
        Ok("x".parse()?)
    });
    assert!(parsed.unwrap_err().is::<std::num::ParseIntError>());
    assert_eq!(get(&db, "n").unwrap(), b"12");
}
