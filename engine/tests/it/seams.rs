//! Seams: contradictions and supersessions, how they are found, and what becomes of them.

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{
    Cell, Coord, Db, Error, Record, ResolutionStatus, Seam, SeamFilter, SeamType, Timestamp, Ulid,
    Validity, WriteTx,
};

use crate::support::{Random, both_formats, check_clean, coord, open, options, refused};
use crate::support_records::{all, delete_cell, family_rows, from_secs, look, reopened};

fn at(index: i32) -> Coord {
    coord(index, 0)
}

/// Cells at `at(0)` to `at(count - 1)`.
fn with_cells(options: hexxladb::Options, count: i32) -> (SimVfs, Db) {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, options);
    db.update(|tx| (0..count).try_for_each(|index| tx.put_cell(at(index), &Cell::new("cell"))))
        .unwrap();
    (vfs, db)
}

// spec: SEAM-01, TXN-07
#[test]
fn marks_join_cells_that_are_there() {
    for options in both_formats() {
        let (vfs, db) = with_cells(options, 3);
        vfs.set_wall_nanos(5_000_000_000_000);
        let (conflict, newer) = db
            .update(|tx| {
                let missing = tx.mark_conflict(at(0), at(7), "x");
                refused!(missing, Error::CellNotFound { coord } if coord == at(7));
                let missing = tx.mark_supersedes(at(8), at(0), "x");
                refused!(missing, Error::CellNotFound { coord } if coord == at(8));
                let same = tx.mark_conflict(at(0), at(0), "x");
                refused!(same, Error::InvalidRecord { family: "seam", .. });
                let conflict = tx.mark_conflict(at(0), at(1), "on or off?")?;
                let newer = tx.mark_supersedes(at(2), at(0), "a change of mind")?;
                assert!(conflict < newer, "ids grow within a transaction");
                assert_eq!(tx.get_seam(newer)?.unwrap().cell_a, at(2));
                Ok::<_, Error>((conflict, newer))
            })
            .unwrap();
        db.view(|tx| {
            let seam = tx.get_seam(conflict)?.unwrap();
            assert_eq!((seam.cell_a, seam.cell_b), (at(0), at(1)));
            assert_eq!((seam.seam_type, seam.reason), (SeamType::Conflict, "on or off?".into()));
            assert_eq!(seam.resolution_status, ResolutionStatus::Unresolved);
            let nanos = seam.detected_at.as_nanos();
            assert!((5_000_000_000_000..5_001_000_000_000).contains(&nanos), "{nanos}");
            let seam = tx.get_seam(newer)?.unwrap();
            assert_eq!((seam.cell_a, seam.cell_b), (at(2), at(0)));
            assert_eq!(seam.seam_type, SeamType::Supersedes);
            assert!(all(tx.seams(..)).iter().map(|row| row.0).eq([conflict, newer]));
            assert!(all(tx.seams(newer..)).iter().map(|row| row.0).eq([newer]));
            assert!(all(tx.seams(..newer).rev()).iter().map(|row| row.0).eq([conflict]));
            assert_eq!(tx.get_seam(Ulid(1))?, None);
            Ok::<_, Error>(())
        })
        .unwrap();
        // Seams stay when a cell goes.
        delete_cell(&db, at(0));
        look(&db, |tx| assert_eq!(all(tx.seams_of(at(0))).len(), 2));
        check_clean(&db);
    }
}

// spec: SEAM-01
#[test]
fn ids_of_seams_grow_within_a_transaction_whatever_the_clock_does() {
    let (vfs, db) = with_cells(options(), 1);
    vfs.set_wall_nanos(1_700_000_000_000_000_000);
    db.update(|tx| {
        let mut last = tx.new_seam_id()?;
        assert_eq!(last.timestamp_ms() / 1000, 1_700_000_000);
        for step in [0, 0, -3_600_000_000_000, 0, i64::MIN, 5, 3_600_000_000_000] {
            vfs.step_clock(step);
            for _ in 0..20 {
                let next = tx.new_seam_id()?;
                assert!(next > last, "{next} after {last}");
                last = next;
            }
        }
        Ok::<_, Error>(())
    })
    .unwrap();
}

/// Puts and drops seams around the center; the ids that a filter lets through, by a full scan.
fn expected(db: &Db, center: Coord, radius: u32, passes: impl Fn(&Seam) -> bool) -> Vec<Ulid> {
    let seams = db.view(|tx| Ok::<_, Error>(all(tx.seams(..)))).unwrap();
    let near = |seam: &Seam| center.distance(seam.cell_a).min(center.distance(seam.cell_b));
    let mut found: Vec<_> = seams
        .into_iter()
        .filter(|(_, seam)| near(seam) <= radius && passes(seam))
        .map(|(id, seam)| (near(&seam), id))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, id)| id).collect()
}

// spec: SEAM-01, LAT-03
#[test]
fn seams_are_found_around_a_place_each_once_from_the_center_outwards() {
    let (_, db) = with_cells(options(), 1);
    let mut random = Random::new(4);
    db.update(|tx| {
        for number in 0..150u64 {
            let mut any = || coord(random.below(13) as i32 - 6, random.below(13) as i32 - 6);
            let (a, b) = (any(), any());
            if a == b {
                continue;
            }
            let kind = ["conflict", "overlap", "echo"][number as usize % 3].parse().unwrap();
            let mut seam =
                Seam::new(a, b, kind).with_source(["who", "", "what"][number as usize % 3]);
            if number % 2 == 0 {
                seam.validity = from_secs(number.cast_signed());
            }
            let id = tx.new_seam_id()?;
            tx.put_seam(id, &seam)?;
            if number % 5 == 0 {
                tx.resolve_seam(id, ResolutionStatus::Merged, None)?;
            }
        }
        Ok::<_, Error>(())
    })
    .unwrap();
    let overlap: SeamType = "overlap".parse().unwrap();
    let time = Timestamp::from_secs(70);
    for (radius, center) in [(0, at(0)), (1, at(2)), (3, at(-3)), (6, at(0)), (200, at(50))] {
        let found = |filter: &SeamFilter| {
            let read = |tx: &hexxladb::ReadTx| {
                let found = all(tx.find_seams(center, radius, filter));
                for (id, seam) in &found {
                    assert_eq!(tx.get_seam(*id)?.as_ref(), Some(seam));
                }
                let mut by_place: Vec<_> = found
                    .iter()
                    .map(|(id, s)| (center.distance(s.cell_a).min(center.distance(s.cell_b)), *id))
                    .collect();
                assert!(by_place.is_sorted_by_key(|row| row.0), "from the center outwards");
                by_place.sort_unstable();
                Ok::<_, Error>(by_place.into_iter().map(|row| row.1).collect::<Vec<_>>())
            };
            db.view(read).unwrap()
        };
        let any = SeamFilter::default();
        assert_eq!(found(&any), expected(&db, center, radius, |_| true));
        let filter = any.clone().with_type(overlap.clone());
        assert_eq!(found(&filter), expected(&db, center, radius, |s| s.seam_type == overlap));
        let merged = |s: &Seam| s.resolution_status == ResolutionStatus::Merged;
        let filter = any.clone().with_status(ResolutionStatus::Merged);
        assert_eq!(found(&filter), expected(&db, center, radius, merged));
        let filter = any.clone().with_valid_at(time);
        assert_eq!(found(&filter), expected(&db, center, radius, |s| s.validity.contains(time)));
        let who = |s: &Seam| s.provenance.source_id == "who";
        assert_eq!(found(&any.clone().with_source("who")), expected(&db, center, radius, who));
        let filter = any.with_source("who").with_valid_at(time);
        let both = expected(&db, center, radius, |s| who(s) && s.validity.contains(time));
        assert_eq!(found(&filter), both);
    }
}

// spec: SEAM-02, TXN-07, REC-13
#[test]
fn a_seam_is_resolved_also_in_the_transaction_that_put_it() {
    for options in both_formats() {
        let (vfs, db) = with_cells(options.clone(), 2);
        let id = Ulid(7);
        db.update(|tx| {
            let missing = tx.resolve_seam(id, ResolutionStatus::Merged, None);
            refused!(missing, Error::SeamNotFound { id: found } if found == id);
            tx.put_seam(id, &Seam::new(at(0), at(1), SeamType::Conflict).with_source("who"))?;
            tx.resolve_seam(id, ResolutionStatus::Merged, Some("they say the same"))?;
            let seam = tx.get_seam(id)?.unwrap();
            assert_eq!(seam.resolution_status, ResolutionStatus::Merged);
            assert_eq!(all(tx.seams_of(at(1))).len(), 1);
            Ok::<_, Error>(())
        })
        .unwrap();
        for status in ResolutionStatus::ALL {
            db.update(|tx| tx.resolve_seam(id, status, None)).unwrap();
        }
        let db = reopened(&vfs, db, &options, 0);
        let seam = db.view(|tx| tx.get_seam(id)).unwrap().unwrap();
        assert_eq!(seam.resolution_status, ResolutionStatus::Archived);
        assert_eq!((seam.resolution_note, seam.provenance.source_id.as_str()), (None, "who"));
        if db.format_version() == 2 {
            let seam = db.view_at(2, |tx| tx.get_seam(id)).unwrap().unwrap();
            assert_eq!(seam.resolution_note.as_deref(), Some("they say the same"));
            let statuses = all(db.history(id).unwrap()).into_iter().map(|v| match v.record {
                Some(Record::Seam(seam)) => seam.resolution_status,
                other => panic!("{other:?}"),
            });
            let mut expected = ResolutionStatus::ALL.to_vec();
            expected.reverse();
            expected.push(ResolutionStatus::Merged);
            assert!(statuses.eq(expected));
        }
        check_clean(&db);
    }
}

// spec: SEAM-03, REC-07
#[test]
fn the_ends_of_a_seam_cannot_change() {
    for options in both_formats() {
        let (_, db) = with_cells(options, 3);
        let id = Ulid(9);
        let seam = |a, b| Seam::new(at(a), at(b), SeamType::Conflict);
        db.update(|tx| {
            tx.put_seam(id, &seam(0, 1))?;
            // In the transaction that put it, and later.
            refused!(tx.put_seam(id, &seam(0, 2)), Error::SeamEndpointsFixed { id: i } if i == id);
            Ok::<_, Error>(())
        })
        .unwrap();
        db.update(|tx| {
            for (a, b) in [(1, 0), (2, 1), (0, 2)] {
                refused!(tx.put_seam(id, &seam(a, b)), Error::SeamEndpointsFixed { .. });
            }
            // Everything else may.
            let mut other = seam(0, 1).with_reason("anew").with_source("who");
            other.seam_type = "overlap".parse().unwrap();
            other.confidence_delta = -0.5;
            other.validity = from_secs(1);
            tx.put_seam(id, &other)?;
            assert_eq!(tx.get_seam(id)?, Some(other));
            Ok::<_, Error>(())
        })
        .unwrap();
        db.view(|tx| {
            assert_eq!(all(tx.seams_by_source("who"..="who")).len(), 1);
            assert_eq!(all(tx.seams_of(at(2))).len(), 0);
            Ok::<_, Error>(())
        })
        .unwrap();
    }
}

// spec: REC-07, SEAM-01
#[test]
fn a_seam_that_breaks_a_rule_is_refused_and_the_transaction_goes_on() {
    let (_, db) = with_cells(options(), 2);
    let good = || Seam::new(at(0), at(1), SeamType::Conflict);
    let of_type = |name: &str| Seam::new(at(0), at(1), SeamType::Other(name.into()));
    let mut bad = vec![Seam::new(at(0), at(0), SeamType::Conflict)];
    for delta in [f64::NAN, f64::INFINITY] {
        let mut seam = good();
        seam.confidence_delta = delta;
        bad.push(seam);
    }
    bad.extend(["", "conflict", "supersedes"].map(of_type));
    let time = Some(Timestamp::from_secs(2));
    bad.push(good().with_validity(Validity { valid_from: time, valid_to: time }));
    db.update(|tx| {
        for seam in &bad {
            refused!(tx.put_seam(Ulid(1), seam), Error::InvalidRecord { family: "seam", .. });
        }
        let put = tx.put_seam(Ulid(1), &of_type(&"x".repeat(256)));
        refused!(put, Error::KeyTooLarge { .. });
        let put = tx.put_seam(Ulid(1), &good().with_source("x".repeat(256)));
        refused!(put, Error::KeyTooLarge { .. });
        assert_eq!(tx.get_seam(Ulid(1))?, None);
        tx.put_seam(Ulid(2), &good())
    })
    .unwrap();
    assert_eq!(family_rows(&db, "seam"), 1);
    check_clean(&db);
}

fn refuses_circle(tx: &mut WriteTx, newer: i32, older: i32) {
    match tx.mark_supersedes(at(newer), at(older), "x") {
        Err(Error::SupersessionCycle { newer: n, older: o }) => {
            assert_eq!((n, o), (at(newer), at(older)));
        }
        other => panic!("{newer} over {older}: {other:?}"),
    }
}

// spec: SEAM-04
#[test]
fn supersessions_form_no_circle() {
    for options in both_formats() {
        let (_, db) = with_cells(options, 60);
        db.update(|tx| {
            tx.mark_supersedes(at(1), at(0), "x")?;
            refuses_circle(tx, 0, 1);
            tx.mark_supersedes(at(1), at(0), "twice is no circle")?;
            tx.mark_supersedes(at(2), at(1), "x")?;
            // Two ways to one place are no circle either.
            tx.mark_supersedes(at(2), at(0), "x")?;
            refuses_circle(tx, 0, 2);
            Ok::<_, Error>(())
        })
        .unwrap();
        db.update(|tx| {
            (3..60).try_for_each(|index| {
                tx.mark_supersedes(at(index), at(index - 1), "x").map(|_| ())
            })?;
            refuses_circle(tx, 0, 59);
            refuses_circle(tx, 20, 40);
            // Contradictions have no direction.
            tx.mark_conflict(at(0), at(59), "x")?;
            Ok::<_, Error>(())
        })
        .unwrap();
        db.update(|tx| {
            refuses_circle(tx, 5, 59);
            // By way of a seam that becomes a supersession.
            let id = tx.new_seam_id()?;
            tx.put_seam(id, &Seam::new(at(5), at(59), SeamType::Conflict))?;
            let turned = tx.put_seam(id, &Seam::new(at(5), at(59), SeamType::Supersedes));
            refused!(turned, Error::SupersessionCycle { .. });
            assert_eq!(tx.get_seam(id)?.unwrap().seam_type, SeamType::Conflict);
            // What was resolved stays what it is; resolving and putting anew are no circle.
            for (id, seam) in all(tx.seams(..)) {
                tx.resolve_seam(id, ResolutionStatus::Archived, None)?;
                tx.put_seam(id, &seam)?;
            }
            refuses_circle(tx, 0, 59);
            Ok::<_, Error>(())
        })
        .unwrap();
        // Only what is there counts: a supersession that was rolled back does not.
        let mut tx = db.begin_write().unwrap();
        tx.put_cell(at(70), &Cell::new("x")).unwrap();
        tx.mark_supersedes(at(0), at(70), "x").unwrap();
        tx.rollback().unwrap();
        db.update(|tx| {
            tx.put_cell(at(70), &Cell::new("x"))?;
            tx.mark_supersedes(at(70), at(59), "x").map(|_| ())
        })
        .unwrap();
        check_clean(&db);
    }
}
