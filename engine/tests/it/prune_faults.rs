//! Pruning that is cut short: by crashes at every operation, by damage, by a disk that fails. What
//! was deleted never comes back, and what is retained reads as before.

use std::path::Path;

use hexxladb::vfs::sim::{Applied, CrashAt, CutProfile, Effect, SimVfs, Target};
use hexxladb::{Cell, Db, Edge, Error, Facet, Result, Seam, SeamType, Ulid};

use crate::support::{DB, Random, check_clean, coord, light, next, open, put, refused, try_open};
use crate::support_records::{
    Model, Reads, all, compare_from, delete_cell, dumped, facet_id, prune_all, put_cell,
    random_commits, reopened, skip_to, tagged,
};

// spec: PRUNE-06, REC-04, REC-12
#[test]
fn no_crash_between_batches_of_one_row_brings_a_record_back() {
    let vfs = SimVfs::new(1);
    let mut db = open(&vfs, light());
    let (at, to) = (coord(0, 0), coord(1, 0));
    for round in 0..4 {
        put_cell(&db, at, &tagged(&format!("{round}"), ["t"]).with_source("s"));
        db.update(|tx| {
            tx.put_facet(at, facet_id(0), &Facet::default())?;
            tx.put_edge(at, to, "r", &Edge::new(f64::from(round)))?;
            tx.put("raw", format!("{round}"))
        })
        .unwrap();
    }
    delete_cell(&db, at);
    db.update(|tx| tx.delete("raw").map(|_| ())).unwrap();
    skip_to(&db, 15);
    let nothing = Model::default();
    let mut batches = 0;
    for before in [9, 10, 11, 14] {
        while db.prune_cell_versions(before, 1).unwrap() > 0 {
            batches += 1;
            db = reopened(&vfs, db, &light(), batches);
            for seq in 10.max(before)..=14 {
                db.view_at(seq, |tx| tx.compare(&nothing)).unwrap();
            }
            db.update(|tx| {
                assert!(tx.get_cell(at)?.is_none() && tx.get_facet(at, facet_id(0))?.is_none());
                assert!(!tx.delete_cell(at)? && !tx.delete("raw")?);
                Ok::<_, Error>(())
            })
            .unwrap();
            check_clean(&db);
        }
    }
    assert_eq!(batches, 4 * 4 + 4, "four versions of four records, and their tombstones");
    assert_eq!(db.stats_mvcc().unwrap().versioned_row_count, 0);
}

const COMMITS: usize = 14;

/// Commits of all families, tags, and prunings in small batches; hears of each acknowledged floor
/// and tag.
fn script(db: &Db, models: &mut Vec<Model>, told: &mut Told) -> Result<()> {
    let mut random = Random::new(9);
    for round in 0..COMMITS as u64 {
        let mut model = models.last().unwrap().clone();
        let seq = db.update(|tx| {
            for _ in 0..6 {
                model.step(tx, &mut random)?;
            }
            tx.set_note("not empty")?;
            Ok::<_, Error>(tx.commit_seq())
        });
        models.push(model);
        told.head = seq?;
        if round == 6 {
            told.tag = Some(db.tag_snapshot("tag")?);
        }
        if round % 3 == 2 {
            db.prune_cell_versions(round - 1, 3)?;
            told.floor = db.stats_mvcc()?.oldest_readable_seq;
        }
        if round == 10 {
            db.checkpoint()?;
        }
    }
    db.delete_snapshot_tag("tag")?;
    told.tag = None;
    while db.prune_cell_versions(COMMITS as u64 - 2, 5)? > 0 {
        told.floor = db.stats_mvcc()?.oldest_readable_seq;
    }
    Ok(())
}

/// What the script was told had been done.
#[derive(Debug, Default)]
struct Told {
    head: u64,
    floor: u64,
    tag: Option<u64>,
}

fn check_crashed(vfs: &SimVfs, models: &[Model], told: &Told, deep: bool, why: &str) {
    let db = open(vfs, light());
    let (head, floor) = (db.head().unwrap(), db.stats_mvcc().unwrap().oldest_readable_seq);
    assert!(head >= told.head && floor >= told.floor, "{why}: {told:?}, not {head} and {floor}");
    let tags: Vec<u64> = db.snapshot_tags().unwrap().iter().map(|tag| tag.seq).collect();
    if let Some(tag) = told.tag {
        // It may have been deleted, if that is what was under way.
        let deleting = told.head == COMMITS as u64 && tags.is_empty();
        assert!(tags == [tag] || deleting, "{why}: {tags:?}");
    }
    for seq in [floor, floor.midpoint(head), head] {
        let model = &models[seq as usize];
        let found = db.view_at(seq, |tx| {
            if deep {
                tx.compare(model)?;
            }
            tx.model()
        });
        assert_eq!(found.unwrap(), *model, "{why}");
    }
    if deep {
        check_clean(&db);
        db.delete_snapshot_tag("tag").unwrap();
        prune_all(&db, head, 7);
        compare_from(&db, head, models);
        check_clean(&db);
    }
    assert_eq!(put(&db, "after", "the crash").unwrap(), head + 1, "{why}");
}

// spec: PRUNE-05, PRUNE-06, SNAP-12, DUR-15, DUR-02
#[test]
fn every_crash_of_pruning_leaves_what_the_floor_promises() {
    let mut models = vec![Model::default()];
    script(&open(&SimVfs::new(4), light()), &mut models, &mut Told::default()).unwrap();
    let mut points = 0;
    for at in 0.. {
        let vfs = SimVfs::new(4);
        vfs.set_crash_at(Some(CrashAt { op: at, applied: Applied::Widest }));
        let mut told = Told::default();
        if let Ok(db) = try_open(&vfs, light()) {
            let _ = script(&db, &mut vec![Model::default()], &mut told);
            let _ = db.close();
        }
        if vfs.crashed().is_none() {
            break;
        }
        points += 1;
        let killed = vfs.fork();
        killed.kill();
        check_crashed(&killed, &models, &told, at % 5 == 0, &format!("killed at {at}"));
        for profile in [CutProfile::Plain, CutProfile::Hostile] {
            let cut = vfs.fork();
            let choice = cut.power_cut(profile);
            check_crashed(&cut, &models, &told, at % 7 == 0, &format!("cut at {at}, {choice}"));
        }
    }
    assert!(points > 60, "{points} crash points");
}

/// Cells that were tagged anew, so that all of their first index rows are hidden by tombstones.
fn tagged_anew(vfs: &SimVfs) -> Result<Db> {
    let db = try_open(vfs, light())?;
    for round in ["a", "b", "c"] {
        db.update(|tx| {
            (0..25i32).try_for_each(|index| {
                // Of all lengths, so that frames end anywhere.
                let len = |tag: i32| 40 + ((index * 37 + tag * 11) % 150).unsigned_abs() as usize;
                let tags = [1, 2, 3].map(|tag| format!("{tag}{}", round.repeat(len(tag))));
                tx.put_cell(coord(index % 5 - 2, index / 5 - 2), &Cell::new("x").with_tags(tags))
            })
        })?;
    }
    Ok(db)
}

// spec: PRUNE-06, IDX-03, DUR-02
#[test]
fn no_crash_between_the_frames_of_a_batch_shows_an_index_row_again() {
    let sound = SimVfs::new(3);
    tagged_anew(&sound).unwrap();
    let expected = open(&sound.fork(), light()).view(Reads::model).unwrap();
    assert_eq!(expected.cells.len(), 25);
    let mut states = 0;
    for at in 0.. {
        let vfs = sound.fork();
        vfs.kill();
        let db = open(&vfs, light());
        vfs.set_crash_at(Some(CrashAt { op: vfs.mutating_ops() + at, applied: Applied::Widest }));
        let _ = db.prune_cell_versions(3, 1000);
        drop(db);
        if vfs.crashed().is_none() {
            break;
        }
        let pending = vfs.pending();
        let killed = vfs.fork();
        killed.kill();
        let cuts = pending.few_states().step_by(5).map(|choice| {
            let cut = vfs.fork();
            cut.power_cut_with(&choice);
            cut
        });
        for after in [killed].into_iter().chain(cuts) {
            states += 1;
            let db = open(&after, light());
            db.view(|tx| tx.compare(&expected)).unwrap();
            prune_all(&db, 3, 7);
            db.view(|tx| tx.compare(&expected)).unwrap();
            assert_eq!(dumped(&db, "__index/").len(), 75);
        }
    }
    assert!(states > 30, "{states} states");
}

/// A closed database of all families, its models, and how long its primary is.
fn closed(seed: u64) -> (SimVfs, Vec<Model>, u64) {
    let vfs = SimVfs::new(seed);
    let mut models = vec![Model::default()];
    let db = open(&vfs, light());
    random_commits(&db, &mut Random::new(seed), &mut models, 80);
    db.close().unwrap();
    let len = vfs.read_file(Path::new(DB)).unwrap().len() as u64;
    (vfs, models, len)
}

// spec: PRUNE-12, DUR-06, DUR-09
#[test]
fn a_damaged_page_stops_pruning_and_nothing_is_lost() {
    let (sound, models, len) = closed(2);
    let (mut stopped, mut through) = (0, 0);
    for page in 4..len / 4096 {
        let vfs = sound.fork();
        let offset = page * 4096 + 1000 + page * 13 % 2000;
        assert!(vfs.flip(Path::new(DB), offset, 0x20));
        // The page may be one that opening needs.
        let Ok(db) = try_open(&vfs, light()) else { continue };
        let mut damage = None;
        for _ in 0..100 {
            match db.prune_cell_versions(60, 20) {
                Ok(0) => break,
                Ok(_) => {}
                Err(Error::CorruptDatabase { file, offset: at, .. }) => {
                    damage = Some(at);
                    assert_eq!(file, Path::new(DB));
                    assert!(at == 0 || at / 4096 == page, "damage of page {page} told at {at}");
                    break;
                }
                Err(other) => panic!("page {page}: {other:?}"),
            }
        }
        // What is read is right, or refused.
        for seq in [60, 70, 80] {
            match db.view_at(seq, Reads::model) {
                Ok(model) => assert_eq!(model, models[seq as usize]),
                Err(error) => assert!(matches!(error, Error::CorruptDatabase { .. }), "{error:?}"),
            }
        }
        if damage.is_none() {
            through += 1;
            continue;
        }
        stopped += 1;
        // Whatever was not read stays: with the page mended all of it is there.
        drop(db);
        assert!(vfs.flip(Path::new(DB), offset, 0x20));
        let db = open(&vfs, light());
        compare_from(&db, 60, &models);
        prune_all(&db, 60, 50);
        compare_from(&db, 60, &models);
        check_clean(&db);
    }
    assert!(stopped >= 5, "{stopped} stopped, {through} did not meet the damage");
}

// spec: PRUNE-05, PRUNE-12, DUR-08
#[test]
fn a_disk_that_fails_while_pruning_loses_nothing() {
    let (sound, models, _) = closed(5);
    for (target, effect) in [
        (Target::Read, Effect::Eio),
        (Target::Write, Effect::Eio),
        (Target::Sync, Effect::Eio),
        (Target::Sync, Effect::EioRevert { seed: 3 }),
    ] {
        for skip in [0, 1, 2, 4, 7, 11] {
            let vfs = sound.fork();
            let db = open(&vfs, light());
            let before = 50;
            let fault = hexxladb::vfs::sim::Fault {
                at: vfs.ops() + skip,
                on: target,
                effect: effect.clone(),
            };
            vfs.arm(fault);
            let mut failed = None;
            for _ in 0..200 {
                match db.prune_cell_versions(before, 9) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) => {
                        assert!(
                            matches!(error, Error::Io(_) | Error::Poisoned { .. }),
                            "{error:?}"
                        );
                        failed = Some(error);
                        break;
                    }
                }
            }
            if matches!(failed, Some(Error::Poisoned { .. })) {
                refused!(db.prune_cell_versions(before, 9), Error::Poisoned { .. });
                refused!(db.tag_snapshot("t"), Error::Poisoned { .. });
                refused!(put(&db, "k", "v"), Error::Poisoned { .. });
            }
            compare_from(&db, before, &models);
            drop(db);
            vfs.heal();
            vfs.power_cut(CutProfile::Plain);
            let db = open(&vfs, light());
            let floor = db.stats_mvcc().unwrap().oldest_readable_seq;
            assert!([0, before].contains(&floor));
            compare_from(&db, before, &models);
            prune_all(&db, before, 1000);
            compare_from(&db, before, &models);
            check_clean(&db);
        }
    }
}

// spec: PRUNE-05, PRUNE-12, TXN-21
#[test]
fn on_a_full_disk_pruning_stops_and_goes_on_once_there_is_room() {
    for room in [0, 1, 3, 8, 20, 60] {
        let (vfs, models, _) = closed(7);
        let db = open(&vfs, light());
        vfs.set_free_sectors(Some(room));
        for _ in 0..40 {
            match db.prune_cell_versions(60, 11) {
                Ok(_) => {}
                Err(Error::Io(io)) => assert!(io.is_no_space(), "{io}"),
                Err(other) => panic!("{other:?}"),
            }
            let _ = db.checkpoint();
        }
        compare_from(&db, 60, &models);
        vfs.set_free_sectors(None);
        prune_all(&db, 60, 11);
        compare_from(&db, 60, &models);
        assert_eq!(db.plan_prune(60).unwrap().rows, 0);
        check_clean(&db);
    }
}

// spec: PRUNE-05, SNAP-12, TXN-16, FILE-05
#[test]
fn what_was_pruned_and_tagged_after_a_large_abort_is_there_after_a_crash() {
    let vfs = SimVfs::new(8);
    let db = open(&vfs, light());
    let mut models = vec![Model::default()];
    random_commits(&db, &mut Random::new(8), &mut models, 30);
    // So large that parts of it are in the log already.
    let mut tx = db.begin_write().unwrap();
    for index in 0..200 {
        tx.put_cell(coord(index % 5 - 2, index % 3), &tagged(&"x".repeat(3000), ["lost"])).unwrap();
    }
    tx.rollback().unwrap();
    db.tag_snapshot_at("kept", 20).unwrap();
    prune_all(&db, 30, 4);
    let rows = db.stats_mvcc().unwrap().versioned_row_count;
    vfs.kill();
    drop(db);
    for read_only in [true, false] {
        let db = open(&vfs, light().read_only(read_only));
        assert_eq!(db.snapshot_tags().unwrap()[0].seq, 20);
        let stats = db.stats_mvcc().unwrap();
        assert_eq!((stats.oldest_readable_seq, stats.versioned_row_count), (20, rows));
        refused!(db.snapshot_at(19), Error::SnapshotPruned { oldest: 20, .. });
        compare_from(&db, 20, &models);
        if !read_only {
            check_clean(&db);
        }
    }
}

// spec: PRUNE-10, PRUNE-12
#[test]
fn a_failed_plan_changes_nothing() {
    let (vfs, models, _) = closed(6);
    let db = open(&vfs, light());
    next(&vfs, Target::Read, Effect::EioForever);
    refused!(db.plan_prune(70), Error::Io(_));
    refused!(db.prune_cell_versions(70, 10), Error::Io(_));
    vfs.heal();
    compare_from(&db, 70, &models);
    let rows = db.plan_prune(70).unwrap().rows;
    assert!(rows > 0);
    assert_eq!(prune_all(&db, 70, 10), rows);
    let seam = Seam::new(coord(0, 0), coord(1, 0), SeamType::Conflict);
    db.update(|tx| tx.put_seam(Ulid(1), &seam).and(tx.put_cell(coord(3, 3), &Cell::new("x"))))
        .unwrap();
    assert_eq!(all(db.history(Ulid(1)).unwrap()).len(), 1);
    check_clean(&db);
}
