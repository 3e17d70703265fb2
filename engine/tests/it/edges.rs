//! Edges: from both of their ends, and when the cell goes that they leave.

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{Cell, Coord, Db, Edge, EdgeId, Error, PackedCoord, Provenance, ReadTx, Record};

use crate::support::{both_formats, check_clean, coord, open, options, refused};
use crate::support_records::{
    TEXTS, all, delete_cell, dumped, family_rows, look, prune_all, put_cell, reopened, skip_to,
};

fn linked(db: &Db, from: Coord, to: Coord) {
    db.update(|tx| tx.put_edge(from, to, "r", &Edge::default())).unwrap();
}

/// Edges that leave a coordinate and those that lead to it.
fn degree(db: &Db, seq: u64, at: Coord) -> [usize; 2] {
    let read = |tx: &ReadTx| {
        Ok::<_, Error>([all(tx.edges_from(at)).len(), all(tx.edges_to(at).rev()).len()])
    };
    db.view_at(seq, read).unwrap()
}

// spec: EDGE-01, TXN-07, KEY-03
#[test]
fn an_edge_is_found_from_both_of_its_ends() {
    for options in both_formats() {
        let db = open(&SimVfs::new(1), options);
        let (a, b, c) = (coord(0, 0), coord(-3, 2), coord(7, 7));
        db.update(|tx| {
            for (number, relation) in (0u32..).zip(TEXTS) {
                tx.put_edge(a, b, relation, &Edge::new(f64::from(number)))?;
                tx.put_edge(b, a, relation, &Edge::new(-1.0))?;
                tx.put_edge(a, a, relation, &Edge::new(0.0))?;
                let own = tx.get_edge(a, b, relation)?;
                assert_eq!(own, Some(Edge::new(f64::from(number))));
            }
            tx.put_edge(c, b, "a", &Edge::new(0.5))
        })
        .unwrap();
        db.view(|tx| {
            assert_eq!(all(tx.edges_from(a)).len(), 2 * TEXTS.len());
            let to_b = all(tx.edges_to(b));
            assert_eq!(to_b.len(), TEXTS.len() + 1);
            let from_a = to_b.iter().filter(|(id, _)| id.from == a);
            let relations: Vec<&str> = from_a.map(|(id, _)| id.relation.as_str()).collect();
            assert!(relations.is_sorted() && relations == TEXTS);
            assert!(to_b.iter().is_sorted_by_key(|(id, _)| PackedCoord::from(id.from)));
            assert!(to_b.contains(&(EdgeId::new(c, b, "a"), Edge::new(0.5))));
            assert_eq!(all(tx.edges(PackedCoord::from(a)..=a.into())), all(tx.edges_from(a)));
            assert_eq!(all(tx.edges(..)).len(), 3 * TEXTS.len() + 1);
            assert_eq!(tx.get_edge(b, c, "a")?, None, "an edge has a direction");
            assert_eq!(tx.get_edge(a, b, "no such")?, None);
            Ok::<_, Error>(())
        })
        .unwrap();
        db.update(|tx| {
            assert!(tx.delete_edge(a, b, "a")? && !tx.delete_edge(a, b, "a")?);
            assert!(tx.get_edge(a, b, "a\0")?.is_some() && tx.get_edge(b, a, "a")?.is_some());
            assert_eq!(all(tx.edges_to(b)).len(), TEXTS.len());
            Ok::<_, Error>(())
        })
        .unwrap();
        check_clean(&db);
    }
}

// spec: EDGE-01
#[test]
fn cells_are_linked_only_where_there_are_cells() {
    let db = open(&SimVfs::new(1), options());
    let (a, b) = (coord(0, 0), coord(1, 0));
    db.update(|tx| {
        refused!(tx.link_cells(a, b, "r", 0.5), Error::CellNotFound { coord } if coord == a);
        tx.put_cell(a, &Cell::new("a"))?;
        refused!(tx.link_cells(a, b, "r", 0.5), Error::CellNotFound { coord } if coord == b);
        refused!(tx.link_cells(b, a, "r", 0.5), Error::CellNotFound { coord } if coord == b);
        assert_eq!(all(tx.edges(..)).len(), 0);
        tx.put_cell(b, &Cell::new("b"))?;
        tx.link_cells(a, b, "r", 0.5)?;
        tx.link_cells(a, b, "r", 0.25)
    })
    .unwrap();
    assert_eq!(db.view(|tx| tx.get_edge(a, b, "r")).unwrap(), Some(Edge::new(0.25)));
    delete_cell(&db, b);
    let link = db.update(|tx| tx.link_cells(a, b, "r", 1.0));
    refused!(link, Error::CellNotFound { coord } if coord == b);
    assert_eq!(family_rows(&db, "edge"), 1);
}

// spec: EDGE-01, REC-13
#[test]
fn every_field_of_an_edge_comes_back_and_its_history_too() {
    let db = open(&SimVfs::new(1), options());
    let (a, b) = (coord(0, 0), coord(1, 0));
    let provenance = Provenance { confidence: 0.25, ..Provenance::default() };
    let edges = [-1.5, 0.0, f64::MAX, f64::MIN_POSITIVE]
        .map(|weight| Edge::new(weight).with_provenance(provenance.clone()).with_source("who"));
    for edge in &edges {
        db.update(|tx| tx.put_edge(a, b, "r", edge)).unwrap();
        assert_eq!(db.view(|tx| tx.get_edge(a, b, "r")).unwrap().as_ref(), Some(edge));
    }
    db.update(|tx| tx.delete_edge(a, b, "r").map(|_| ())).unwrap();
    let versions = all(db.history(EdgeId::new(a, b, "r")).unwrap());
    let found: Vec<_> = versions.into_iter().map(|version| version.record).collect();
    let put = edges.into_iter().rev().map(|edge| Some(Record::Edge(edge)));
    assert_eq!(found, [None].into_iter().chain(put).collect::<Vec<_>>());
}

// spec: EDGE-02, REC-09
#[test]
fn weights_are_finite_and_relations_have_a_limit() {
    for options in both_formats() {
        let db = open(&SimVfs::new(1), options);
        let (a, b) = (coord(0, 0), coord(1, 0));
        db.update(|tx| {
            for weight in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let put = tx.put_edge(a, b, "r", &Edge::new(weight));
                refused!(put, Error::InvalidRecord { family: "edge", .. });
                tx.put_cell(a, &Cell::new("a")).and(tx.put_cell(b, &Cell::new("b")))?;
                let link = tx.link_cells(a, b, "r", weight);
                refused!(link, Error::InvalidRecord { family: "edge", .. });
            }
            let unsure = Provenance { confidence: 2.0, ..Provenance::default() };
            let put = tx.put_edge(a, b, "r", &Edge::default().with_provenance(unsure));
            refused!(put, Error::InvalidRecord { family: "edge", .. });
            for relation in ["x".repeat(256), "\0".repeat(128)] {
                let put = tx.put_edge(a, b, &relation, &Edge::default());
                refused!(put, Error::KeyTooLarge { len: 256, max: 255, .. });
                assert_eq!(tx.get_edge(a, b, &relation)?, None);
                assert!(!tx.delete_edge(a, b, &relation)?);
            }
            tx.put_edge(a, b, &"x".repeat(255), &Edge::default())
        })
        .unwrap();
        db.view(|tx| {
            assert_eq!(all(tx.edges_to(b))[0].0.relation.len(), 255);
            assert_eq!(all(tx.edges(..)).len(), 1);
            Ok::<_, Error>(())
        })
        .unwrap();
        check_clean(&db);
    }
}

// spec: REC-12
#[test]
fn deleting_a_cell_hides_what_leaves_it_from_then_on_and_leaves_what_leads_to_it() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, options());
    let (a, b) = (coord(0, 0), coord(1, 0));
    put_cell(&db, a, &Cell::new("a"));
    put_cell(&db, b, &Cell::new("b"));
    linked(&db, a, b);
    linked(&db, b, a);
    linked(&db, a, a);
    let seam = db.update(|tx| tx.mark_conflict(a, b, "why")).unwrap();
    delete_cell(&db, a);
    put_cell(&db, a, &Cell::new("again"));
    for how in 0..3 {
        let db = if how == 2 { reopened(&vfs, db.clone(), &options(), 0) } else { db.clone() };
        assert_eq!((degree(&db, 6, a), degree(&db, 6, b)), ([2, 2], [1, 1]));
        for seq in [7, 8] {
            assert_eq!((degree(&db, seq, a), degree(&db, seq, b)), ([0, 1], [1, 0]));
            let seams = db.view_at(seq, |tx| Ok::<_, Error>(all(tx.seams_of(a)))).unwrap();
            assert!(seams.iter().map(|row| row.1).eq([seam]));
        }
    }
}

// spec: REC-12, PRUNE-04, PRUNE-09
#[test]
fn a_cell_goes_with_a_thousand_edges_and_pruning_takes_their_rows() {
    for options in both_formats() {
        let db = open(&SimVfs::new(1), options);
        let hub = coord(0, 0);
        db.update(|tx| {
            tx.put_cell(hub, &Cell::new("hub"))?;
            for index in 1..=1000 {
                tx.put_edge(
                    hub,
                    coord(index % 40, index / 40),
                    &format!("{index}"),
                    &Edge::default(),
                )?;
                tx.put_edge(coord(-index, 0), hub, "in", &Edge::default())?;
            }
            Ok::<_, Error>(())
        })
        .unwrap();
        db.update(|tx| {
            assert!(tx.delete_cell(hub)?);
            assert_eq!((all(tx.edges_from(hub)).len(), all(tx.edges_to(hub)).len()), (0, 1000));
            tx.put_cell(hub, &Cell::new("again"))
        })
        .unwrap();
        look(&db, |tx| assert_eq!(all(tx.edges(..)).len(), 1000));
        check_clean(&db);
        if db.format_version() == 1 {
            assert_eq!(dumped(&db, "__index/edge").len(), 1000);
            continue;
        }
        assert_eq!(degree(&db, 1, hub), [1000, 1000]);
        skip_to(&db, 4);
        assert_eq!(prune_all(&db, 3, 77), 2001, "the edges, their tombstones, the first hub");
        assert_eq!((family_rows(&db, "edge"), family_rows(&db, "cell")), (1000, 1));
        assert_eq!(dumped(&db, "__index/edge").len(), 1000);
        check_clean(&db);
    }
}
