//! All families and indexes at once, against a model: own writes, every snapshot, after crashes
//! and reopening, in both formats.

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{
    CancelToken, Cell, Coord, Db, Edge, Error, Facet, PruneProfile, PruneScheduler, Result, Seam,
    SeamType, Timestamp,
};

use crate::support::{
    Random, both_formats, both_light, check_clean, coord, light, open, options, refused,
};
use crate::support_records::{
    Model, Reads, all, compare_from, compare_head, facet_id, family_rows, prune_all,
    random_commits, reopened, tagged,
};

// spec: REC-12, REC-13, IDX-01, IDX-02, IDX-03, TXN-07
#[test]
fn a_transaction_reads_its_own_writes_in_every_family_and_index() {
    for options in both_formats() {
        let db = open(&SimVfs::new(1), options);
        let (mut random, mut model) = (Random::new(11), Model::default());
        for round in 0..30 {
            let mut changed = model.clone();
            let mut tx = db.begin_write().unwrap();
            for _ in 0..10 {
                changed.step(&mut tx, &mut random).unwrap();
            }
            tx.compare(&changed).unwrap();
            if round % 3 == 0 {
                tx.rollback().unwrap();
            } else {
                tx.commit().unwrap();
                model = changed;
            }
            compare_head(&db, &model);
        }
        check_clean(&db);
    }
}

// spec: REC-13, IDX-03, DUR-05, SNAP-02, PRUNE-09
#[test]
fn every_snapshot_reads_the_same_from_the_log_and_from_the_primary() {
    for seed in 0..4 {
        let vfs = SimVfs::new(seed);
        let (mut random, mut models) = (Random::new(seed), vec![Model::default()]);
        let mut db = open(&vfs, light());
        for round in 0..6 {
            random_commits(&db, &mut random, &mut models, 8);
            compare_from(&db, 0, &models);
            db = reopened(&vfs, db, &light(), round);
            compare_from(&db, 0, &models);
            check_clean(&db);
        }
    }
}

// spec: OPT-02, IDX-01, IDX-03
#[test]
fn format_1_keeps_every_family_and_index() {
    let vfs = SimVfs::new(3);
    let (mut random, mut models) = (Random::new(3), vec![Model::default()]);
    let options = light().mvcc(false);
    let mut db = open(&vfs, options.clone());
    for round in 0..6 {
        random_commits(&db, &mut random, &mut models, 10);
        compare_head(&db, models.last().unwrap());
        db = reopened(&vfs, db, &options, round);
        compare_head(&db, models.last().unwrap());
        check_clean(&db);
    }
}

// spec: OPT-18
#[test]
fn what_needs_versions_is_refused_in_format_1() {
    let db = open(&SimVfs::new(1), options().mvcc(false));
    db.update(|tx| tx.put_cell(coord(0, 0), &Cell::new("x"))).unwrap();
    let plan = || db.plan_prune_by_profile(PruneProfile::Balanced).map(|_| ());
    let tick = || PruneScheduler::new(&db, PruneProfile::Balanced).tick(&CancelToken::new());
    let calls: [(&str, Result<()>); 12] = [
        ("snapshot_diff", db.snapshot_diff(0, 1).map(|_| ())),
        ("tag_snapshot", db.tag_snapshot("a").map(|_| ())),
        ("tag_snapshot_at", db.tag_snapshot_at("a", 1).map(|_| ())),
        ("view_at_tag", db.view_at_tag("a", |_| Ok(()))),
        ("snapshot_tags", db.snapshot_tags().map(|_| ())),
        ("delete_snapshot_tag", db.delete_snapshot_tag("a").map(|_| ())),
        ("prune_cell_versions", db.prune_cell_versions(1, 1).map(|_| ())),
        ("prune_cell_versions", db.prune_cell_versions(Timestamp::MAX, 1).map(|_| ())),
        ("plan_prune", db.plan_prune(1).map(|_| ())),
        ("plan_prune_by_profile", plan()),
        ("suggested_prune_before_seq", db.suggested_prune_before_seq().map(|_| ())),
        ("PruneScheduler::tick", tick().map(|_| ())),
    ];
    for (name, result) in calls {
        refused!(result, Error::MvccRequired { call } if call == name);
    }
    check_clean(&db);
}

/// Cells with two tags and a facet and an edge each, more than the smallest cache holds.
fn write_many(db: &Db, count: i32, tag: &str) -> Result<()> {
    db.update(|tx| {
        for index in 0..count {
            let at = coord(index % 100, index / 100);
            tx.put_cell(at, &tagged(&"t".repeat(120), [tag, "every"]).with_source("many"))?;
            tx.put_facet(at, facet_id(1), &Facet::default())?;
            tx.put_edge(at, coord(-1, -1), "to", &Edge::default())?;
        }
        Ok(())
    })
}

// spec: TXN-16, IDX-01, IDX-03, DUR-11
#[test]
fn a_transaction_larger_than_the_cache_keeps_indexes_and_records_together() {
    for options in both_light() {
        let options = options.cache_bytes(1 << 20);
        let vfs = SimVfs::new(5);
        let db = open(&vfs, options.clone());
        write_many(&db, 4000, "first").unwrap();
        write_many(&db, 4000, "second").unwrap();
        // One that comes to nothing.
        let mut tx = db.begin_write().unwrap();
        for index in 0..2000 {
            assert!(tx.delete_cell(coord(index % 100, index / 100)).unwrap());
        }
        tx.rollback().unwrap();
        assert!(db.view(|tx| Ok::<_, Error>(tx.cells_with_tag("first").count())).unwrap() == 0);
        drop(db);
        vfs.kill();
        let db = open(&vfs, options);
        db.view(|tx| {
            for tag in ["second", "every"] {
                assert_eq!(all(tx.cells_with_tag(tag)).len(), 4000);
            }
            assert_eq!(all(tx.cells_with_source("many").rev()).len(), 4000);
            assert_eq!(all(tx.edges_to(coord(-1, -1))).len(), 4000);
            assert_eq!(all(tx.facets(..)).len(), 4000);
            Ok::<_, Error>(())
        })
        .unwrap();
        if db.format_version() == 2 {
            let old = db.view_at(1, |tx| Ok::<_, Error>(all(tx.cells_with_tag("first")).len()));
            assert_eq!(old.unwrap(), 4000);
            assert_eq!(prune_all(&db, 2, 5000), 12_000);
            assert_eq!(family_rows(&db, "cell"), 4000);
        }
        check_clean(&db);
    }
}

// spec: TXN-06, REC-13
#[test]
fn many_puts_of_one_record_in_one_transaction_are_one_version() {
    let db = open(&SimVfs::new(1), options());
    let (a, b) = (coord(0, 0), coord(1, 0));
    db.update(|tx| {
        let id = tx.new_seam_id()?;
        for round in 0..50 {
            tx.put_cell(a, &tagged(&format!("{round}"), ["tag"]))?;
            tx.put_facet(a, facet_id(0), &Facet::default())?;
            tx.put_edge(a, b, "r", &Edge::new(f64::from(round)))?;
            tx.put_seam(id, &Seam::new(a, b, SeamType::Conflict).with_reason(format!("{round}")))?;
            tx.put("raw", format!("{round}"))?;
        }
        Ok::<_, Error>(())
    })
    .unwrap();
    for family in ["raw", "cell", "facet", "edge", "seam"] {
        assert_eq!(family_rows(&db, family), 1, "{family}");
    }
    assert_eq!(db.stats_mvcc().unwrap().versioned_row_count, 5);
    assert_eq!(all(db.history(a).unwrap()).len(), 1);
    let tagged: Vec<Coord> = db
        .view(|tx| Ok::<_, Error>(all(tx.cells_with_tag("tag").coords())))
        .unwrap()
        .into_iter()
        .map(|row| row.1)
        .collect();
    assert_eq!(tagged, [a]);
    check_clean(&db);
}
