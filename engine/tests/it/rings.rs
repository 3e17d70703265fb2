//! Walks around a coordinate: their order, their filters, their cost, and validity against
//! snapshots.

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{Cell, Coord, Db, Error, Facet, ReadTx, RingFilter, Timestamp, Validity};

use crate::support::{both_formats, coord, open, options};
use crate::support_records::{all, facet_id, put_cell};

fn secs(from: i64, to: i64) -> Validity {
    let [valid_from, valid_to] = [from, to].map(|secs| Some(Timestamp::from_secs(secs)));
    Validity { valid_from, valid_to }
}

/// A cell at two of three coordinates of a field.
fn field(db: &Db, size: i32) {
    db.update(|tx| {
        for index in 0..size * size {
            let (q, r) = (index % size - size / 2, index / size - size / 2);
            if (q + r) % 3 != 0 {
                let from = i64::from(q);
                let cell = Cell::new(format!("{q} {r}")).with_validity(secs(from, from + 2));
                tx.put_cell(coord(q, r), &cell)?;
            }
            if r % 2 == 0 {
                tx.put_facet(coord(q, r), facet_id(2), &Facet::default())?;
            }
        }
        Ok::<_, Error>(())
    })
    .unwrap();
}

/// Whether a filter lets a cell through.
type Passes<'a> = &'a dyn Fn(Coord, &Cell) -> bool;

// spec: LAT-02, TXN-07
#[test]
fn a_walk_is_the_spiral_with_what_is_there() {
    for options in both_formats() {
        let db = open(&SimVfs::new(1), options);
        field(&db, 15);
        let time = Timestamp::from_secs(2);
        let filters: [(RingFilter, Passes<'_>); 4] = [
            (RingFilter::default(), &|_, _| true),
            (RingFilter::default().with_valid_at(time), &|_, cell| cell.is_valid_at(time)),
            (RingFilter::default().with_facet(facet_id(2)), &|at, _| at.r() % 2 == 0),
            (RingFilter::default().with_facet(facet_id(3)), &|_, _| false),
        ];
        for (center, radius) in [((0, 0), 0), ((1, 0), 0), ((2, -1), 3), ((0, 0), 9), ((90, 0), 2)]
        {
            let center = coord(center.0, center.1);
            let check = |tx: &ReadTx| {
                for (filter, passes) in &filters {
                    let mut expected = Vec::new();
                    for at in center.spiral(radius) {
                        let cell = tx.get_cell(at)?.filter(|cell| passes(at, cell));
                        expected.extend(cell.map(|cell| (at, cell)));
                    }
                    assert_eq!(all(tx.walk_ring_with(center, radius, *filter)), expected);
                    if *filter == RingFilter::default() {
                        assert_eq!(all(tx.walk_ring(center, radius)), expected);
                    }
                    if filter.valid_at == Some(time) {
                        assert_eq!(all(tx.walk_ring_valid_at(center, radius, time)), expected);
                    }
                }
                Ok::<_, Error>(())
            };
            db.view(check).unwrap();
        }
        db.update(|tx| {
            tx.put_cell(coord(0, 0), &Cell::new("own"))?;
            let (at, cell) = tx.walk_ring(coord(0, 0), 1).next().unwrap()?;
            assert_eq!((at, cell.raw_content.as_str()), (coord(0, 0), "own"));
            Ok::<_, Error>(())
        })
        .unwrap();
    }
}

// spec: LAT-02
#[test]
fn a_walk_costs_what_its_area_is_whatever_the_database_holds() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, options());
    field(&db, 120);
    db.close().unwrap();
    let db = open(&vfs, options());
    let reads = || db.stats_mvcc().unwrap().page_reads;
    let before = reads();
    let walk = |radius| db.view(|tx| Ok::<_, Error>(all(tx.walk_ring(coord(5, 5), radius)).len()));
    let found = walk(3).unwrap();
    let near = reads() - before;
    db.view(|tx| Ok::<_, Error>(all(tx.cells(..)).len())).unwrap();
    let whole = reads() - before;
    assert!(
        found > 20 && near <= 37 && whole > 3 * near,
        "{near} pages for {found}, {whole} in all"
    );
    // Far beyond the lattice a walk ends where the lattice does, and a lazy one at once.
    let lazy = db.view(|tx| Ok::<_, Error>(tx.walk_ring(coord(5, 5), u32::MAX).take(5).count()));
    assert_eq!(lazy.unwrap(), 5);
}

// spec: LAT-03, LAT-02
#[test]
fn what_was_true_and_what_was_known_are_two_questions() {
    let db = open(&SimVfs::new(1), options());
    let at = coord(0, 0);
    // Commit 1 believes it of 10 to 20, commit 2 of 15 to 30, commit 3 of nothing any more.
    put_cell(&db, at, &Cell::new("first").with_validity(secs(10, 20)));
    put_cell(&db, at, &Cell::new("second").with_validity(secs(15, 30)));
    db.update(|tx| tx.delete_cell(at).map(|_| ())).unwrap();
    let believed = |seq, time: i64| {
        let time = Timestamp::from_secs(time);
        let read = |tx: &ReadTx| {
            let walked = all(tx.walk_ring_valid_at(coord(1, 0), 1, time));
            let point = tx.get_cell(at)?.filter(|cell| cell.is_valid_at(time));
            let texts: Vec<String> = walked.into_iter().map(|row| row.1.raw_content).collect();
            assert!(texts.iter().eq(point.iter().map(|cell| &cell.raw_content)));
            Ok::<_, Error>(texts.into_iter().next().unwrap_or_default())
        };
        db.view_at(seq, read).unwrap()
    };
    let times = [9, 10, 14, 15, 19, 20, 29, 30];
    let none = "";
    assert_eq!(times.map(|time| believed(0, time)), [none; 8]);
    let (a, b) = ("first", "second");
    assert_eq!(times.map(|time| believed(1, time)), [none, a, a, a, a, none, none, none]);
    assert_eq!(times.map(|time| believed(2, time)), [none, none, none, b, b, b, b, none]);
    assert_eq!(times.map(|time| believed(3, time)), [none; 8]);
}
