//! Storing, reading, reopening and travelling in time, through the public API alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use hexxladb::vfs::MemoryVfs;
use hexxladb::{Cell, Coord, Db, Error, Options};

fn options() -> Options {
    Options::new().page_size(4096).cache_bytes(1 << 20).checkpoint_wal_bytes(1 << 20)
}

fn memory() -> Arc<MemoryVfs> {
    Arc::new(MemoryVfs::new())
}

#[test]
fn put_get_reopen_and_travel() {
    let vfs = memory();
    let db = Db::open_with(vfs.clone(), "db", options()).unwrap();
    let at = Coord::new(3, 1).unwrap();
    for text in ["one", "two", "three"] {
        db.update(|tx| tx.put_cell(at, &Cell::new(text))).unwrap();
    }
    db.update(|tx| tx.delete_cell(at).map(|_| ())).unwrap();
    for close in [false, true] {
        let db = if close {
            db.close().unwrap();
            Db::open_with(vfs.clone(), "db", options()).unwrap()
        } else {
            db.clone()
        };
        let read =
            |seq| db.view_at(seq, |tx| tx.get_cell(at)).unwrap().map(|cell| cell.raw_content);
        assert_eq!(read(0), None);
        assert_eq!(read(1).as_deref(), Some("one"));
        assert_eq!(read(3).as_deref(), Some("three"));
        assert_eq!(read(4), None);
        assert!(matches!(
            db.view_at(5, |tx| tx.get_cell(at)),
            Err(Error::ReadSeqFuture { seq: 5, head: 4 })
        ));
        let history: Vec<_> = db
            .history(at)
            .unwrap()
            .map(|v| v.unwrap())
            .map(|v| (v.seq, v.record.is_some()))
            .collect();
        assert_eq!(history, [(4, false), (3, true), (2, true), (1, true)]);
        assert!(db.check().unwrap().is_clean(), "{:?}", db.check().unwrap().findings);
    }
}

#[test]
fn many_random_rows_agree_with_a_map_at_every_snapshot() {
    for crash in [false, true] {
        let vfs = memory();
        let mut db = Db::open_with(vfs.clone(), "db", options()).unwrap();
        let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let mut snapshots = Vec::new();
        let mut seed = 7u64;
        let mut random = move |n: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % n
        };
        for round in 0..40u64 {
            db.update(|tx| {
                for _ in 0..random(150) {
                    let key = format!("key{:05}", random(3000)).into_bytes();
                    if random(4) == 0 {
                        let removed = tx.delete(&key)?;
                        assert_eq!(removed, model.remove(&key).is_some());
                    } else {
                        let len = if random(50) == 0 { 5000 + random(20000) } else { random(300) };
                        let value = vec![round as u8; len as usize];
                        tx.put(&key, &value)?;
                        model.insert(key, value);
                    }
                }
                tx.set_note("n")?;
                Ok::<_, Error>(())
            })
            .unwrap();
            snapshots.push(model.clone());
            if round % 13 == 12 {
                if !crash {
                    db.close().unwrap();
                }
                drop(db);
                db = Db::open_with(vfs.clone(), "db", options()).unwrap();
                assert!(db.check().unwrap().is_clean());
            }
            if round % 20 == 5 {
                db.checkpoint().unwrap();
            }
        }
        let report = db.check().unwrap();
        assert!(report.is_clean(), "{:?}", &report.findings[..report.findings.len().min(5)]);
        for (index, model) in snapshots.iter().enumerate() {
            db.view_at(index as u64 + 1, |tx| {
                let forward: Vec<_> = tx.scan::<&[u8]>(..).map(|item| item.unwrap()).collect();
                assert_eq!(forward.len(), model.len());
                for ((key, value), (k, v)) in forward.iter().zip(model) {
                    assert_eq!((&key[..], &value[..]), (&k[..], &v[..]));
                }
                let mut backward: Vec<_> =
                    tx.scan::<&[u8]>(..).rev().map(|item| item.unwrap()).collect();
                backward.reverse();
                assert_eq!(forward, backward);
                for (k, v) in model.iter().step_by(97) {
                    assert_eq!(tx.get(k)?.as_deref(), Some(&v[..]));
                }
                Ok::<_, Error>(())
            })
            .unwrap();
        }
    }
}
