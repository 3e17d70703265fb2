//! Indexes by tag, source and week: what stands in them at each snapshot, borders of ranges and
//! prefixes, and records that change several times in one transaction.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included, Unbounded};

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{
    Cell, Coord, Db, Error, PackedCoord, Seam, SeamType, Timestamp, Ulid, Week, WriteTx,
};

use crate::support::{both_formats, check_clean, coord, open, options};
use crate::support_records::{
    TEXTS, all, delete_cell, dumped, from_secs, look, prune_all, put_cell, reopened, skip_to,
    tagged,
};

/// Where cells with a tag are, at a snapshot.
fn with_tag(db: &Db, seq: u64, tag: &str) -> Vec<Coord> {
    let read = |tx: &hexxladb::ReadTx| {
        let found = all(tx.cells_with_tag(tag));
        assert!(found.iter().all(|(key, _, cell)| key == tag && cell.tags.contains(key)));
        Ok::<_, Error>(found.into_iter().map(|row| row.1).collect())
    };
    db.view_at(seq, read).unwrap()
}

// spec: IDX-01, IDX-03, REC-13
#[test]
fn a_cell_tagged_anew_is_found_under_its_old_tag_only_in_the_past() {
    let vfs = SimVfs::new(1);
    let mut db = open(&vfs, options());
    let at = coord(0, 0);
    put_cell(&db, at, &tagged("1", ["a"]));
    put_cell(&db, at, &tagged("2", ["b"]));
    put_cell(&db, at, &tagged("3", ["a", "b"]));
    delete_cell(&db, at);
    put_cell(&db, at, &tagged("5", ["b"]));
    for how in 0..3 {
        let found = |tag| [0, 1, 2, 3, 4, 5].map(|seq| with_tag(&db, seq, tag).len());
        assert_eq!((found("a"), found("b")), ([0, 1, 0, 1, 0, 0], [0, 0, 1, 1, 0, 1]));
        db = reopened(&vfs, db, &options(), how);
    }
    // What the snapshots above the floor see stays, whatever the floor.
    for floor in 1..=5 {
        prune_all(&db, floor, 1);
        let found = |tag| (floor..=5).map(|seq| with_tag(&db, seq, tag).len()).collect::<Vec<_>>();
        let skipped = floor as usize;
        assert_eq!(found("a"), [0, 1, 0, 1, 0, 0][skipped..]);
        assert_eq!(found("b"), [0, 0, 1, 1, 0, 1][skipped..]);
        check_clean(&db);
    }
    assert_eq!(dumped(&db, "__index/"), ["__index/cell-by-tag/b/(0,0)#5"]);
}

/// One transaction on a cell that was there, and what index rows it leaves.
fn several(name: &str, change: impl Fn(&mut WriteTx, Coord), expected: &[&str]) {
    for options in both_formats() {
        let db = open(&SimVfs::new(1), options);
        let at = coord(0, 0);
        put_cell(&db, at, &tagged("x", ["a", "b"]));
        db.update(|tx| {
            change(tx, at);
            Ok::<_, Error>(())
        })
        .unwrap();
        check_clean(&db);
        if db.format_version() == 2 {
            let rows: Vec<String> = dumped(&db, "__index/cell-by-tag/")
                .into_iter()
                .map(|row| row.replace("__index/cell-by-tag/", "").replace("/(0,0)", ""))
                .collect();
            assert_eq!(rows, expected, "{name}");
            assert_eq!(with_tag(&db, 1, "a"), [at], "{name}: the past is as it was");
            let stats = db.stats_mvcc().unwrap();
            let versions = all(db.history(at).unwrap());
            assert_eq!(stats.versioned_row_count, versions.len() as u64, "{name}");
            assert_eq!(stats.logical_cell_count, 1);
            let visible = u64::from(versions[0].record.is_some());
            assert_eq!(stats.visible_cell_count, visible, "{name}");
            // Pruned to head, the rows are those of what is visible, and of nothing else.
            skip_to(&db, 4);
            prune_all(&db, 3, 1);
            let visible_now = db.view(|tx| Ok::<_, Error>(all(tx.cells_by_tag(..)).len())).unwrap();
            assert_eq!(dumped(&db, "__index/").len(), visible_now, "{name}");
            check_clean(&db);
        }
    }
}

// spec: IDX-01, IDX-03, TXN-06, TXN-07, PRUNE-09
#[test]
fn several_changes_of_a_cell_in_one_transaction_come_to_their_net() {
    let put = |tx: &mut WriteTx, at, tags: &[&str]| {
        tx.put_cell(at, &Cell::new("y").with_tags(tags.iter().copied())).unwrap();
    };
    let delete = |tx: &mut WriteTx, at| assert!(tx.delete_cell(at).unwrap());
    several("put the same", |tx, at| put(tx, at, &["a", "b"]), &["a#1", "b#1"]);
    several("tag anew", |tx, at| put(tx, at, &["b", "c"]), &["a#2 gone", "a#1", "b#1", "c#2"]);
    several(
        "away and back",
        |tx, at| {
            put(tx, at, &["c"]);
            assert!(tx.cells_with_tag("a").next().is_none());
            assert_eq!(tx.cells_with_tag("c").count(), 1);
            put(tx, at, &["a", "b"]);
            assert_eq!(tx.cells_by_tag(..).rev().count(), 2);
        },
        &["a#1", "b#1"],
    );
    several("deleted", delete, &["a#2 gone", "a#1", "b#2 gone", "b#1"]);
    several(
        "put, tagged anew, deleted, put again",
        |tx, at| {
            put(tx, at, &["a"]);
            put(tx, at, &["c"]);
            delete(tx, at);
            assert_eq!(tx.cells_by_tag(..).count(), 0);
            put(tx, at, &["b", "d"]);
        },
        &["a#2 gone", "a#1", "b#1", "d#2"],
    );
    several(
        "put, deleted",
        |tx, at| {
            put(tx, at, &["z"]);
            delete(tx, at);
            assert!(!tx.delete_cell(at).unwrap());
        },
        &["a#2 gone", "a#1", "b#2 gone", "b#1"],
    );
    several("repeated tags", |tx, at| put(tx, at, &["b", "a", "b", "a"]), &["a#1", "b#1"]);
}

/// Cells with every awkward text for a tag and a source, three cells each.
fn with_awkward_texts() -> Db {
    let db = open(&SimVfs::new(1), options());
    db.update(|tx| {
        for (q, text) in (0..).zip(TEXTS) {
            for r in 0..3u8 {
                let at = coord(q, r.into());
                tx.put_cell(at, &tagged("x", [text]).with_source(text))?;
                let seam = Seam::new(at, coord(-1, -1), SeamType::Conflict);
                tx.put_seam(
                    Ulid::from_parts(q.unsigned_abs().into(), r.into()),
                    &seam.with_source(text),
                )?;
            }
        }
        Ok::<_, Error>(())
    })
    .unwrap();
    db
}

// spec: IDX-02, KEY-03
#[test]
fn ranges_and_prefixes_are_those_of_the_texts() {
    let db = with_awkward_texts();
    let bounds: Vec<&str> =
        TEXTS.into_iter().chain(["\0\0\0", "a\0\0", "ab", "c", "\u{10ffff}"]).collect();
    let expected = |inside: &dyn Fn(&str) -> bool, empty_too: bool| -> Vec<String> {
        let found =
            TEXTS.into_iter().filter(|text| inside(text) && (empty_too || !text.is_empty()));
        found
            .collect::<BTreeSet<_>>()
            .into_iter()
            .flat_map(|text| [text.to_owned(), text.to_owned(), text.to_owned()])
            .collect()
    };
    db.view(|tx| {
        macro_rules! same {
            ($scan:expr, $inside:expr, $empty_too:expr) => {{
                let forwards = all($scan);
                assert!(forwards.windows(2).all(|pair| pair[0].0 <= pair[1].0));
                let mut backwards = all($scan.rev());
                backwards.reverse();
                assert_eq!(forwards, backwards);
                let keys: Vec<String> = forwards.into_iter().map(|row| row.0).collect();
                assert_eq!(keys, expected(&$inside, $empty_too));
            }};
        }
        for low in &bounds {
            let from = |text: &str| text >= *low;
            same!(tx.cells_by_tag(*low..), from, true);
            same!(tx.cells_by_source(*low..), from, false);
            same!(tx.cells_by_tag(..*low), |text: &str| text < *low, true);
            same!(tx.cells_by_tag_prefix(low), |text: &str| text.starts_with(low), true);
            same!(tx.cells_by_source_prefix(low), |text: &str| text.starts_with(low), false);
            same!(tx.seams_by_source_prefix(low), |text: &str| text.starts_with(low), false);
            same!(tx.cells_with_tag(low), |text: &str| text == *low, true);
            same!(tx.cells_by_tag((Excluded(*low), Unbounded)), |text: &str| text > *low, true);
            for high in &bounds {
                same!(tx.cells_by_tag(*low..*high), |text: &str| from(text) && text < *high, true);
                let inside = |text: &str| from(text) && text <= *high;
                same!(tx.cells_by_tag(*low..=*high), inside, true);
                same!(tx.seams_by_source(*low..=*high), inside, false);
                let between = |text: &str| text > *low && text <= *high;
                same!(tx.cells_by_source((Excluded(*low), Included(*high))), between, false);
            }
        }
        Ok::<_, Error>(())
    })
    .unwrap();
}

// spec: IDX-02, API-03
#[test]
fn ends_of_an_index_scan_that_meet_yield_each_item_once() {
    let db = with_awkward_texts();
    db.view(|tx| {
        let all_rows = all(tx.cells_by_tag(..).coords());
        assert!(all_rows.is_sorted_by_key(|row| (row.0.clone(), PackedCoord::from(row.1))));
        for (front, back) in [(1, 1), (1, 4), (5, 2), (29, 1), (0, 7), (7, 0)] {
            let (mut scan, mut low, mut high) = (tx.cells_by_tag(..).coords(), vec![], vec![]);
            while low.len() + high.len() < all_rows.len() {
                low.extend(all(scan.by_ref().take(front)));
                high.extend(all(scan.by_ref().rev().take(back)));
            }
            assert!(scan.next().is_none() && scan.next_back().is_none() && scan.next().is_none());
            low.extend(high.into_iter().rev());
            assert_eq!(low, all_rows, "{front} and {back} by turns");
        }
        Ok::<_, Error>(())
    })
    .unwrap();
}

// spec: IDX-02
#[test]
fn index_scans_read_no_more_than_they_are_asked_for() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, options());
    db.update(|tx| {
        (0..6000).try_for_each(|index| {
            let cell = tagged(&"c".repeat(150), [["few", "many"][usize::from(index % 500 > 0)]]);
            tx.put_cell(coord(index % 77, index / 77), &cell)
        })
    })
    .unwrap();
    db.close().unwrap();
    let db = open(&vfs, options());
    let reads = |act: &dyn Fn(&hexxladb::ReadTx) -> usize, found: usize| {
        let before = db.stats_mvcc().unwrap().page_reads;
        look(&db, |tx| assert_eq!(act(tx), found));
        db.stats_mvcc().unwrap().page_reads - before
    };
    let few = reads(&|tx| all(tx.cells_with_tag("few")).len(), 12);
    assert!(few <= 12 * 2 + 8, "{few} pages for twelve cells");
    let one = reads(&|tx| tx.cells_with_tag("many").next_back().iter().len(), 1);
    assert!(one <= 8, "{one} pages for one cell");
    let names = reads(&|tx| all(tx.cells_with_tag("many").coords()).len(), 5988);
    let cells = reads(&|tx| all(tx.cells(..)).len(), 6000);
    assert!(names < cells && cells > 200, "{names} pages for names, {cells} for all cells");
}

// spec: IDX-01, IDX-02
#[test]
fn weeks_begin_on_monday_at_midnight() {
    let monday = "2026-W47".parse::<Week>().unwrap().start().as_nanos();
    let starts = [
        (monday - 1, "2026-W46"),
        (monday, "2026-W47"),
        (monday + 7 * 86_400_000_000_000 - 1, "2026-W47"),
        (monday + 7 * 86_400_000_000_000, "2026-W48"),
        (i64::MIN, &Week::MIN.to_string()),
        (i64::MAX, &Week::MAX.to_string()),
        (-1, "1970-W01"),
    ]
    .map(|(nanos, week)| (nanos, week.parse::<Week>().unwrap()));
    for options in both_formats() {
        let db = open(&SimVfs::new(1), options);
        db.update(|tx| {
            for (q, (nanos, _)) in (0..).zip(starts) {
                let mut validity = from_secs(0);
                validity.valid_from = Some(Timestamp::from_nanos(nanos));
                tx.put_cell(coord(q, 0), &Cell::new("x").with_validity(validity))?;
                let seam = Seam::new(coord(q, 0), coord(-1, 0), SeamType::Conflict);
                tx.put_seam(Ulid(u128::from(q.unsigned_abs())), &seam.with_validity(validity))?;
            }
            // Without a beginning it is in no week.
            tx.put_cell(coord(50, 0), &Cell::new("always"))
        })
        .unwrap();
        db.view(|tx| {
            for (q, (_, week)) in (0..).zip(starts) {
                let cells = all(tx.cells_by_week(week..=week));
                assert!(cells.iter().any(|row| row.0 == week && row.1 == coord(q, 0)), "{week}");
                let expected = starts.iter().filter(|(_, other)| *other == week).count();
                assert_eq!(cells.len(), expected);
                assert_eq!(all(tx.seams_by_week(week..=week)).len(), expected);
            }
            let weeks: Vec<Week> = all(tx.cells_by_week(..)).into_iter().map(|row| row.0).collect();
            assert!(weeks.is_sorted() && weeks.len() == starts.len());
            let [before, this, _, next, ..] = starts.map(|(_, week)| week);
            assert_eq!(all(tx.cells_by_week(before..next)).len(), 3);
            assert_eq!(all(tx.cells_by_week((Excluded(before), Excluded(next)))).len(), 2);
            assert_eq!(all(tx.seams_by_week(this..).rev()).len(), 4);
            assert_eq!(all(tx.cells_by_week(next..before)).len(), 0);
            Ok::<_, Error>(())
        })
        .unwrap();
        check_clean(&db);
    }
}
