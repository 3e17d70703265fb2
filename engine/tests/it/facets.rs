//! Facets: texts derived from a cell, which go with it and never come back by themselves.

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{Cell, Db, Error, Facet, FacetId, PackedCoord, Record, Timestamp, derivation_hash};

use crate::support::{both_formats, check_clean, coord, open, options, refused};
use crate::support_records::{
    all, delete_cell, facet_id, family_rows, prune_all, put_cell, skip_to,
};

fn facet(text: &str) -> Facet {
    Facet::of(&Cell::new("cell"), text).with_last_rotated(Timestamp::from_secs(5))
}

/// Numbers of the facets of a cell, at head or at a snapshot.
fn ids(db: &Db, seq: Option<u64>, q: i32) -> Vec<u8> {
    let read = |tx: &hexxladb::ReadTx| {
        let ids: Vec<u8> = all(tx.facets_of(coord(q, 0))).iter().map(|row| row.1.get()).collect();
        for id in FacetId::ALL {
            assert_eq!(tx.get_facet(coord(q, 0), id)?.is_some(), ids.contains(&id.get()));
        }
        Ok::<_, Error>(ids)
    };
    seq.map_or_else(|| db.view(read), |seq| db.view_at(seq, read)).unwrap()
}

// spec: FACET-01, TXN-07, REC-13
#[test]
fn facets_are_put_read_listed_and_deleted() {
    for options in both_formats() {
        let db = open(&SimVfs::new(1), options);
        let (at, beside) = (coord(0, 0), coord(1, 0));
        db.update(|tx| {
            for id in [5, 0, 3] {
                // A facet needs no cell.
                tx.put_facet(at, facet_id(id), &facet(&format!("facet {id}")))?;
                let own = tx.get_facet(at, facet_id(id))?;
                assert_eq!(own, Some(facet(&format!("facet {id}"))));
            }
            tx.put_facet(beside, facet_id(1), &facet(""))?;
            tx.put_facet(at, facet_id(3), &facet("anew"))
        })
        .unwrap();
        db.view(|tx| {
            let of = all(tx.facets_of(at));
            let texts = of.iter().map(|row| (row.1.get(), row.2.derived_content.as_str()));
            assert!(texts.eq([(0, "facet 0"), (3, "anew"), (5, "facet 5")]));
            let backwards: Vec<_> = all(tx.facets_of(at).rev()).into_iter().rev().collect();
            assert_eq!(backwards, of);
            assert_eq!(all(tx.facets(..)).len(), 4);
            let (low, high) = (PackedCoord::from(at), PackedCoord::from(beside));
            assert_eq!(all(tx.facets(low..=low)), of);
            assert_eq!(all(tx.facets(high..)).len(), 1);
            assert_eq!(all(tx.facets(low..low)).len(), 0);
            Ok::<_, Error>(())
        })
        .unwrap();
        db.update(|tx| {
            assert!(tx.delete_facet(at, facet_id(3))?);
            assert!(!tx.delete_facet(at, facet_id(3))?, "it is gone already");
            assert!(!tx.delete_facet(coord(9, 9), facet_id(0))?);
            Ok::<_, Error>(())
        })
        .unwrap();
        assert_eq!((ids(&db, None, 0), ids(&db, None, 1)), (vec![0, 5], vec![1]));
        if db.format_version() == 2 {
            assert_eq!(ids(&db, Some(1), 0), [0, 3, 5]);
        }
        refused!(FacetId::new(6), Error::InvalidArgument { .. });
        check_clean(&db);
    }
}

// spec: FACET-01, OPT-07
#[test]
fn every_field_of_a_facet_comes_back_large_texts_too() {
    let db = open(&SimVfs::new(1), options());
    let mut large = facet(&"ä".repeat(100_000));
    large.derivation_hash = [0xff; 32];
    large.last_rotated = Timestamp::MIN;
    db.update(|tx| tx.put_facet(coord(0, 0), facet_id(2), &large)).unwrap();
    assert_eq!(db.view(|tx| tx.get_facet(coord(0, 0), facet_id(2))).unwrap(), Some(large.clone()));
    let versions = all(db.history((coord(0, 0), facet_id(2))).unwrap());
    assert_eq!(versions[0].record, Some(Record::Facet(large)));
    db.update(|tx| {
        let too_large = facet(&"x".repeat(2 << 20));
        refused!(tx.put_facet(coord(0, 0), facet_id(2), &too_large), Error::ValueTooLarge { .. });
        tx.put_facet(coord(0, 0), facet_id(3), &facet("the transaction goes on"))
    })
    .unwrap();
    assert_eq!(ids(&db, None, 0), [2, 3]);
}

// spec: FACET-02
#[test]
fn an_update_asks_for_the_cell_that_the_facet_was_derived_from() {
    for options in both_formats() {
        let db = open(&SimVfs::new(1), options);
        let (at, id) = (coord(0, 0), facet_id(4));
        let [old, new] = ["cell", "another text"].map(Cell::new);
        db.update(|tx| {
            let none = tx.update_facet(at, id, &Facet::of(&old, "x"));
            refused!(none, Error::CellNotFound { coord } if coord == at);
            tx.put_cell(at, &old)?;
            tx.update_facet(at, id, &Facet::of(&old, "of the first"))?;
            tx.put_cell(at, &new)?;
            // What was derived from the content before is refused, and changes nothing.
            match tx.update_facet(at, id, &Facet::of(&old, "late")) {
                Err(Error::FacetDerivationMismatch { coord, expected, found }) => {
                    let hashes = [&new, &old].map(|cell| derivation_hash(&cell.raw_content));
                    assert_eq!((coord, [expected, found]), (at, hashes));
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(tx.get_facet(at, id)?.unwrap().derived_content, "of the first");
            tx.update_facet(at, id, &Facet::of(&new, "of the second"))
        })
        .unwrap();
        db.update(|tx| {
            assert!(tx.delete_cell(at)?);
            let gone = tx.update_facet(at, id, &Facet::of(&new, "x"));
            refused!(gone, Error::CellNotFound { .. });
            Ok::<_, Error>(())
        })
        .unwrap();
        assert_eq!(ids(&db, None, 0), [0; 0]);
    }
}

// spec: REC-12, PRUNE-04, PRUNE-06
#[test]
fn a_facet_of_a_deleted_cell_stays_gone_when_the_cell_comes_back_and_history_goes() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, options());
    let at = coord(0, 0);
    put_cell(&db, at, &Cell::new("one"));
    skip_to(&db, 5);
    db.update(|tx| tx.put_facet(at, facet_id(1), &facet("x"))).unwrap();
    skip_to(&db, 10);
    delete_cell(&db, at);
    skip_to(&db, 20);
    assert_eq!(put_cell(&db, at, &Cell::new("two")), 20);
    skip_to(&db, 31);
    assert!((5..10).all(|seq| ids(&db, Some(seq), 0) == [1]));
    assert!((10..=30).all(|seq| ids(&db, Some(seq), 0).is_empty()));
    // A row at a time, with a crash after each.
    let mut db = db;
    while db.prune_cell_versions(25, 1).unwrap() > 0 {
        vfs.kill();
        drop(db);
        db = open(&vfs, options());
        assert!((25..=30).all(|seq| ids(&db, Some(seq), 0).is_empty()));
    }
    assert_eq!((family_rows(&db, "facet"), family_rows(&db, "cell")), (0, 1));
    assert_eq!(all(db.history((at, facet_id(1))).unwrap()).len(), 0);
    check_clean(&db);
}

// spec: REC-12, TXN-07
#[test]
fn the_cascade_happens_at_its_point_of_the_transaction() {
    for options in both_formats() {
        let db = open(&SimVfs::new(1), options);
        let at = coord(0, 0);
        put_cell(&db, at, &Cell::new("one"));
        db.update(|tx| {
            tx.put_facet(at, facet_id(0), &facet("before"))?;
            assert!(tx.delete_cell(at)?);
            assert!(tx.get_facet(at, facet_id(0))?.is_none());
            // What is put after the deletion is not part of it.
            tx.put_facet(at, facet_id(1), &facet("after"))?;
            tx.put_cell(at, &Cell::new("two"))
        })
        .unwrap();
        assert_eq!(ids(&db, None, 0), [1]);
        if db.format_version() == 2 {
            prune_all(&db, 2, 1);
            // Nothing older is below the tombstone of the facet that never was.
            assert_eq!(family_rows(&db, "facet"), 2, "a tombstone at the floor stays");
            skip_to(&db, 4);
            prune_all(&db, 3, 1);
            assert_eq!(family_rows(&db, "facet"), 1);
        }
        check_clean(&db);
    }
}
