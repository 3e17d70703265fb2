//! Iterators over records: from both ends, over ranges, lazily, and at an end after an error.

use hexxladb::vfs::MemoryVfs;
use hexxladb::vfs::sim::{Effect, SimVfs, Target};
use hexxladb::{Cell, Coord, Db, Error, PackedCoord, Result};

use crate::support::{both_formats, coord, light, next, open, options, put};

/// 600 raw records and cells, every third deleted, in several versions.
fn filled(vfs: &(impl hexxladb::vfs::Vfs + Clone + 'static), options: hexxladb::Options) -> Db {
    let db = open(vfs, options);
    for version in 0..3u8 {
        db.update(|tx| {
            for index in 0..600i32 {
                tx.put(index.to_be_bytes(), [version; 40])?;
                tx.put_cell(coord(index % 25, index / 25), &Cell::new(format!("{index}")))?;
            }
            (0..600i32).step_by(3).try_for_each(|index| {
                tx.delete_cell(coord(index % 25, index / 25))?;
                tx.delete(index.to_be_bytes()).map(|_| ())
            })
        })
        .unwrap();
    }
    db
}

/// Takes from both ends by turns, `front` and then `back` items; the items in order.
fn meeting<T>(
    mut items: impl DoubleEndedIterator<Item = Result<T>>,
    front: usize,
    back: usize,
) -> Vec<T> {
    let (mut low, mut high) = (Vec::new(), Vec::new());
    loop {
        let before = low.len() + high.len();
        low.extend(items.by_ref().take(front).map(|item| item.unwrap()));
        high.extend(items.by_ref().rev().take(back).map(|item| item.unwrap()));
        if low.len() + high.len() == before {
            break;
        }
    }
    // Met is met, from either end.
    assert!(items.next().is_none() && items.next_back().is_none() && items.next().is_none());
    low.extend(high.into_iter().rev());
    low
}

// spec: API-03, REC-05, REC-08
#[test]
fn ends_that_meet_yield_each_item_once() {
    for options in both_formats() {
        let db = filled(&MemoryVfs::new(), options);
        let mut at: Vec<PackedCoord> = (0..600i32)
            .filter(|index| index % 3 > 0)
            .map(|index| PackedCoord::from(coord(index % 25, index / 25)))
            .collect();
        at.sort_unstable();
        let keys: Vec<_> =
            (0..600i32).filter(|index| index % 3 > 0).map(i32::to_be_bytes).collect();
        for (front, back) in [(1, 1), (1, 7), (7, 1), (50, 50), (399, 1), (1000, 1), (0, 3), (3, 0)]
        {
            db.view(|tx| {
                let cells = meeting(tx.cells(..), front, back);
                assert!(cells.iter().map(|cell| PackedCoord::from(cell.0)).eq(at.iter().copied()));
                let raw = meeting(tx.scan::<&[u8]>(..), front, back);
                assert!(raw.iter().map(|row| &row.0[..]).eq(keys.iter().map(|key| &key[..])));
                let part = meeting(tx.scan(&keys[13][..]..=&keys[20][..]), front, back);
                assert!(
                    part.iter().map(|row| &row.0[..]).eq(keys[13..=20].iter().map(|key| &key[..]))
                );
                Ok::<_, Error>(())
            })
            .unwrap();
        }
    }
}

// spec: REC-05, API-03
#[test]
fn ranges_of_cells_are_morton_ranges() {
    let db = filled(&MemoryVfs::new(), options());
    let order = |at: &Coord| PackedCoord::from(*at);
    db.view(|tx| {
        let all: Vec<Coord> = tx.cells(..).map(|cell| cell.unwrap().0).collect();
        assert!(all.is_sorted_by_key(order));
        let (low, high) = (order(&all[30]), order(&all[200]));
        let of = |cells: hexxladb::Cells<'_>| cells.map(|cell| cell.unwrap().0).collect::<Vec<_>>();
        assert_eq!(of(tx.cells(low..high)), all[30..200]);
        assert_eq!(of(tx.cells(low..=high)), all[30..=200]);
        assert_eq!(of(tx.cells(high..)), all[200..]);
        assert_eq!(of(tx.cells(..low)), all[..30]);
        assert!(of(tx.cells(high..low)).is_empty());
        Ok::<_, Error>(())
    })
    .unwrap();
}

// spec: REC-05, REC-08
#[test]
fn scans_read_no_more_than_they_are_asked_for() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, options());
    db.update(|tx| {
        (0..4000i32).try_for_each(|key| {
            tx.put_cell(coord(key % 64, key / 64), &Cell::new("c".repeat(200)))?;
            tx.put(key.to_be_bytes(), [1; 200])
        })
    })
    .unwrap();
    db.close().unwrap();
    let db = open(&vfs, options());
    let reads = |act: &dyn Fn(&hexxladb::ReadTx)| {
        let before = db.stats_mvcc().unwrap().page_reads;
        db.view(|tx| {
            act(tx);
            Ok::<_, Error>(())
        })
        .unwrap();
        db.stats_mvcc().unwrap().page_reads - before
    };
    for few in [
        reads(&|tx| drop(tx.cells(..).next())),
        reads(&|tx| drop(tx.cells(..).next_back())),
        reads(&|tx| drop(tx.scan::<&[u8]>(..).next())),
        reads(&|tx| drop(tx.scan::<&[u8]>(..).next_back())),
        reads(&|tx| assert_eq!(tx.scan(&7i32.to_be_bytes()[..]..).take(5).count(), 5)),
    ] {
        assert!(few <= 6, "{few} pages");
    }
    let all = reads(&|tx| assert_eq!(tx.scan::<&[u8]>(..).count(), 4000));
    assert!(all > 150, "{all} pages");
}

/// Steps that must be: items, then one error, then nothing from either end.
fn check_fused<T>(name: &str, mut items: impl Iterator<Item = Result<T>>, fail: impl Fn()) {
    assert!(items.next().unwrap().is_ok(), "{name}");
    fail();
    let error = items.by_ref().find_map(Result::err);
    assert!(matches!(error, Some(Error::Io(_))), "{name}: {error:?}");
    for _ in 0..3 {
        assert!(items.next().is_none(), "{name} goes on after an error");
    }
}

// spec: API-03
#[test]
fn iterators_end_with_their_first_error() {
    let vfs = SimVfs::new(2);
    let db = filled(&vfs, light());
    for number in 0..300u32 {
        db.update(|tx| {
            tx.set_note("n".repeat(500))?;
            tx.put("one key", number.to_be_bytes().repeat(100))
        })
        .unwrap();
    }
    db.close().unwrap();
    drop(db);
    // Each on a handle of its own, whose cache knows nothing yet.
    let fail = || next(&vfs, Target::Read, Effect::EioForever);
    let fresh = || {
        vfs.heal();
        open(&vfs, light())
    };
    let view = |act: &dyn Fn(&hexxladb::ReadTx)| {
        fresh()
            .view(|tx| {
                act(tx);
                Ok::<_, Error>(())
            })
            .unwrap();
    };
    view(&|tx| check_fused("scan", tx.scan::<&[u8]>(..), fail));
    view(&|tx| check_fused("scan back", tx.scan::<&[u8]>(..).rev(), fail));
    view(&|tx| check_fused("cells", tx.cells(..), fail));
    view(&|tx| check_fused("cells back", tx.cells(..).rev(), fail));
    check_fused("commits", fresh().commits(..).unwrap(), fail);
    check_fused("commits back", fresh().commits(..).unwrap().rev(), fail);
    check_fused("history", fresh().history(&b"one key"[..]).unwrap(), fail);
    check_fused("dump", fresh().dump().unwrap(), fail);
    let db = fresh();
    let tx = db.begin_write().unwrap();
    check_fused("own scan", tx.scan::<&[u8]>(..), fail);
}

// spec: SNAP-06, REC-10
#[test]
fn a_scan_goes_on_over_its_snapshot_while_others_commit() {
    for options in both_formats() {
        let db = filled(&MemoryVfs::new(), options);
        let expected: Vec<_> = (0..600i32).filter(|index| index % 3 > 0).collect();
        db.view(|tx| {
            let mut seen = Vec::new();
            let mut backwards = tx.scan::<&[u8]>(..).rev();
            for (row, expected_last) in tx.scan::<&[u8]>(..).zip(expected.iter().rev()) {
                let here = i32::from_be_bytes(row?.0[..].try_into().unwrap());
                seen.push(here);
                let last = i32::from_be_bytes(backwards.next().unwrap()?.0[..].try_into().unwrap());
                assert_eq!(last, *expected_last);
                // Before, at and behind where the scan is.
                for key in [0, here, 590] {
                    db.update(|tx| {
                        tx.put(key.to_be_bytes(), [9; 300])
                            .and(tx.delete((key + 1).to_be_bytes()).map(|_| ()))
                    })?;
                }
                if here % 150 == 50 {
                    db.checkpoint()?;
                }
            }
            assert_eq!(seen, expected);
            Ok::<_, Error>(())
        })
        .unwrap();
        put(&db, "still", "fit").unwrap();
    }
}
