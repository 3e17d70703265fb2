//! What pruning removes, row by row, and what it keeps: by the rule, counted beside it.

use std::collections::BTreeMap;

use hexxladb::vfs::MemoryVfs;
use hexxladb::vfs::sim::SimVfs;
use hexxladb::{CancelToken, Cell, Db, Error, PruneProfile, PruneScheduler, Retention, Ulid};

use crate::support::{
    Random, check_clean, coord, in_memory, light, open, options, put, refused, rows_at,
};
use crate::support_records::{
    Model, all, compare_from, content_at, delete_cell, dumped, prune_all, put_cell, random_commits,
    reopened, skip_to,
};

/// Versions by logical key: the sequence and whether it is a tombstone, newest first.
type Versions = BTreeMap<String, Vec<(u64, bool)>>;

fn versions(db: &Db, wanted: impl Fn(&str) -> bool) -> Versions {
    let mut found = Versions::new();
    for row in all(db.dump().unwrap()) {
        if let Some(seq) = row.seq.filter(|_| wanted(&row.key)) {
            found.entry(row.key).or_default().push((seq, row.tombstone));
        }
    }
    found
}

fn is_index(key: &str) -> bool {
    key.starts_with("__index/")
}

/// What the rule leaves: all versions above the floor and the newest at or below it, unless that
/// is a tombstone below the floor (or at it, in an index).
fn kept(mut all: Versions, floor: u64, index: bool) -> Versions {
    for versions in all.values_mut() {
        let newest = versions.iter().find(|(seq, _)| *seq <= floor).copied();
        versions.retain(|version| {
            let gone = version.1 && (version.0 < floor || index);
            version.0 > floor || (Some(*version) == newest && !gone)
        });
    }
    all.retain(|_, versions| !versions.is_empty());
    all
}

fn count(versions: &Versions) -> u64 {
    versions.values().map(|versions| versions.len() as u64).sum()
}

// spec: PRUNE-04, PRUNE-07
#[test]
fn the_newest_version_at_or_below_the_floor_stays() {
    let db = in_memory();
    let at = coord(0, 0);
    put_cell(&db, at, &Cell::new("one"));
    skip_to(&db, 10);
    put_cell(&db, at, &Cell::new("ten"));
    assert_eq!(db.prune_cell_versions(5, 100).unwrap(), 0);
    for seq in 5..10 {
        assert_eq!(content_at(&db, seq, at).as_deref(), Some("one"), "at {seq}");
    }
    assert_eq!(content_at(&db, 10, at).as_deref(), Some("ten"));
    refused!(db.view_at(4, |_| Ok::<_, Error>(())), Error::SnapshotPruned { seq: 4, oldest: 5 });
    assert_eq!(db.prune_cell_versions(9, 100).unwrap(), 0);
    assert_eq!(db.prune_cell_versions(10, 100).unwrap(), 1);
    assert_eq!(content_at(&db, 10, at).as_deref(), Some("ten"));
    assert_eq!(content_at(&db, 0, at), None);
    let version = all(db.history(at).unwrap());
    assert_eq!((version.len(), version[0].seq), (1, 10));
    check_clean(&db);
}

// spec: PRUNE-04, PRUNE-06, SNAP-08
#[test]
fn a_tombstone_below_the_floor_goes_and_one_at_the_floor_stays() {
    let db = in_memory();
    let at = coord(0, 0);
    put_cell(&db, at, &Cell::new("one").with_tags(["t"]));
    delete_cell(&db, at);
    // One that was never there before: a tombstone alone.
    db.update(|tx| tx.put("k", "").and(tx.delete("k")).map(|_| ())).unwrap();
    skip_to(&db, 6);
    let left = |db: &Db| versions(db, |key| !key.starts_with("__meta"));
    assert_eq!(db.prune_cell_versions(2, 100).unwrap(), 1);
    let tombstones = [("cell/(0,0)", 2), ("raw/k", 3)];
    let of = |rows: &[(&str, u64)]| -> Versions {
        rows.iter().map(|(key, seq)| ((*key).to_owned(), vec![(*seq, true)])).collect()
    };
    assert_eq!(left(&db), of(&tombstones));
    let stats = db.stats_mvcc().unwrap();
    assert_eq!((stats.logical_cell_count, stats.visible_cell_count), (1, 0));
    assert_eq!(db.prune_cell_versions(3, 100).unwrap(), 1);
    assert_eq!(left(&db), of(&tombstones[1..]));
    assert_eq!(db.stats_mvcc().unwrap().logical_cell_count, 0);
    assert_eq!(db.prune_cell_versions(4, 100).unwrap(), 1);
    assert_eq!((left(&db), all(db.history(at).unwrap()).len()), (Versions::new(), 0));
    assert_eq!(db.stats_mvcc().unwrap().versioned_row_count, 0);
    check_clean(&db);
}

// spec: PRUNE-04, PRUNE-05, PRUNE-09, PRUNE-10, PRUNE-14, SNAP-11, DUR-15
#[test]
fn after_every_batch_counters_are_right_and_at_the_end_just_what_the_rule_keeps_is_left() {
    for seed in 0..6 {
        let vfs = SimVfs::new(seed);
        let (mut random, mut models) = (Random::new(seed + 20), vec![Model::default()]);
        let mut db = open(&vfs, light());
        while db.head().unwrap() < 60 {
            random_commits(&db, &mut random, &mut models, 9);
            let head = db.head().unwrap();
            let floor = db.stats_mvcc().unwrap().oldest_readable_seq;
            let before = floor + random.below(head - floor + 1);
            let records = versions(&db, |key| !is_index(key));
            let expected = kept(records.clone(), before, false);
            let plan = db.plan_prune(before).unwrap();
            assert_eq!((plan.before, plan.floor, plan.held_by), (before, before, None));
            assert_eq!(plan.rows, count(&records) - count(&expected));
            let (batch, mut rows) = (1 + random.below(4) * random.below(8), 0);
            loop {
                let done = db.prune_cell_versions(before, batch).unwrap();
                assert!(done <= batch);
                rows += done;
                check_clean(&db);
                assert_eq!(db.plan_prune(before).unwrap().rows, plan.rows - rows);
                assert_eq!(db.head().unwrap(), head, "pruning takes no sequence");
                if done == 0 {
                    break;
                }
            }
            assert_eq!(rows, plan.rows);
            let index = kept(versions(&db, is_index), before, true);
            assert_eq!(versions(&db, |key| !is_index(key)), expected);
            assert_eq!(versions(&db, is_index), index, "rows of indexes go with their records");
            let stats = db.stats_mvcc().unwrap();
            assert_eq!(stats.versioned_row_count, count(&expected));
            assert_eq!(stats.oldest_readable_seq, before);
            let commits = all(db.commits(..).unwrap());
            assert!(commits.iter().map(|commit| commit.seq).eq(before.max(1)..=head));
            assert_eq!(dumped(&db, "__meta/commit/").len() as u64, head + 1 - before.max(1));
            compare_from(&db, before, &models);
            db = reopened(&vfs, db, &light(), random.below(3));
            compare_from(&db, before, &models);
        }
    }
}

// spec: PRUNE-04, PRUNE-05, PRUNE-09, DUR-15
#[test]
fn six_thousand_puts_of_one_cell_of_which_four_hundred_are_kept() {
    let vfs = MemoryVfs::new();
    let options = options().retention(Retention::Commits(400));
    let mut db = open(&vfs, options.clone());
    let at = coord(0, 0);
    let scheduler = |db: &Db| PruneScheduler::new(db, PruneProfile::LowLatency);
    let mut settled = Vec::new();
    for seq in 1..=6000u64 {
        put_cell(&db, at, &Cell::new(seq.to_string()).with_tags([format!("t{}", seq % 3)]));
        if seq % 250 == 0 {
            scheduler(&db).tick(&CancelToken::new()).unwrap();
            let stats = db.stats_mvcc().unwrap();
            settled.push((stats.versioned_row_count, dumped(&db, "").len()));
        }
    }
    for reopen in [false, true] {
        if reopen {
            drop(db);
            db = open(&vfs, options.clone());
        }
        for seq in 5600..=6000 {
            assert_eq!(content_at(&db, seq, at), Some(seq.to_string()));
            let tags = db.view_at(seq, |tx| Ok::<_, Error>(all(tx.cells_by_tag(..).coords())));
            assert_eq!(tags.unwrap(), [(format!("t{}", seq % 3), at)]);
        }
        let pruned = db.view_at(5599, |_| Ok::<_, Error>(()));
        refused!(pruned, Error::SnapshotPruned { seq: 5599, oldest: 5600 });
        assert_eq!(db.stats_mvcc().unwrap().versioned_row_count, 401);
    }
    let [early, late] = [settled[4], settled[23]];
    assert_eq!(early.0, late.0, "{settled:?}");
    assert!(
        late.1 <= early.1 + 8,
        "all rows settle, those of indexes and timeline too: {settled:?}"
    );
    check_clean(&db);
}

/// Rewrites records of every kind, deletes and puts anew, and prunes to the last few commits.
fn churn(db: &Db, round: u64) {
    db.update(|tx| {
        for (index, turn) in (0..60).zip(round..) {
            let at = coord(index, 0);
            if turn.is_multiple_of(7) {
                tx.delete_cell(at)?;
            } else {
                let cell = Cell::new("c".repeat(400)).with_tags([format!("{}", round % 5)]);
                tx.put_cell(at, &cell)?;
            }
        }
        // Values in pages of their own.
        tx.put(round.to_be_bytes(), vec![1; 20_000])?;
        tx.delete(round.saturating_sub(3).to_be_bytes()).map(|_| ())
    })
    .unwrap();
    PruneScheduler::new(db, PruneProfile::LowLatency).tick(&CancelToken::new()).unwrap();
    db.checkpoint().unwrap();
}

// spec: PRUNE-16, PRUNE-09, PRUNE-01
#[test]
fn the_file_of_a_churned_and_pruned_database_stays_bounded() {
    let vfs = MemoryVfs::new();
    let mut db = open(&vfs, options().retention(Retention::Commits(5)));
    let empty = db.snapshot_at(0).unwrap();
    let pages = |db: &Db| db.stats_mvcc().unwrap().file_pages;
    let mut sizes = Vec::new();
    for round in 0..120 {
        churn(&db, round);
        sizes.push(pages(&db));
    }
    let (early, late) = (sizes[39], sizes[119]);
    assert!(late <= early + early / 10, "{early} pages after 40 rounds, {late} after 120");
    drop((db, empty));
    db = open(&vfs, options().retention(Retention::Commits(5)));
    (120..160).for_each(|round| churn(&db, round));
    assert!(pages(&db) <= early + early / 10, "{early} pages, {} after reopening", pages(&db));
    assert!(db.stats_mvcc().unwrap().reclaimable_pages > 0);
    check_clean(&db);
}

// spec: PRUNE-04, PRUNE-09, SNAP-10, PRUNE-16
#[test]
fn a_snapshot_held_for_ever_costs_what_it_reads_and_no_more() {
    let db = open(&MemoryVfs::new(), options().retention(Retention::Commits(2)));
    db.update(|tx| (0..100u32).try_for_each(|key| tx.put(key.to_be_bytes(), [0; 500]))).unwrap();
    let held = db.snapshot().unwrap();
    let mut sizes = Vec::new();
    for round in 0..60u8 {
        let mut tx = db.begin_write().unwrap();
        (0..100u32).for_each(|key| tx.put(key.to_be_bytes(), [round; 500]).unwrap());
        tx.rollback().unwrap();
        put(&db, "one", [round]).unwrap();
        PruneScheduler::new(&db, PruneProfile::LowLatency).tick(&CancelToken::new()).unwrap();
        db.checkpoint().unwrap();
        sizes.push(db.stats_mvcc().unwrap().file_pages);
    }
    assert!(sizes[59] <= sizes[29] + 6, "{sizes:?}");
    assert_eq!(crate::support::rows_of(&held).unwrap(), rows_at(&db, 1));
    drop(held);
    prune_all(&db, 61, 1000);
    assert_eq!(db.stats_mvcc().unwrap().versioned_row_count, 101);
    check_clean(&db);
}

// spec: PRUNE-04, PRUNE-05, REC-13
#[test]
fn records_written_while_pruning_is_under_way_stay() {
    let vfs = SimVfs::new(1);
    let (mut random, mut models) = (Random::new(77), vec![Model::default()]);
    let db = open(&vfs, light());
    random_commits(&db, &mut random, &mut models, 30);
    // Batches of one pass, a higher floor and commits take turns.
    for before in [10, 20, 29, 33, 40] {
        for _ in 0..12 {
            db.prune_cell_versions(before, 3).unwrap();
            random_commits(&db, &mut random, &mut models, 1);
        }
    }
    prune_all(&db, 41, 1000);
    let records = |key: &str| !is_index(key);
    assert_eq!(versions(&db, records), kept(versions(&db, records), 41, false));
    assert_eq!(versions(&db, is_index), kept(versions(&db, is_index), 41, true));
    compare_from(&db, 41, &models);
    check_clean(&db);
    let seams = db.view(|tx| Ok::<_, Error>(all(tx.seams(Ulid::nil()..)).len())).unwrap();
    assert_eq!(seams, models.last().unwrap().seams.len());
}

// spec: SNAP-07, SNAP-08, PRUNE-07
#[test]
fn lists_that_are_under_way_while_history_goes_end_or_say_so() {
    let db = in_memory();
    let at = coord(0, 0);
    for seq in 1..=20u64 {
        put_cell(&db, at, &Cell::new(seq.to_string()));
    }
    let (mut commits, mut history) = (db.commits(..).unwrap(), db.history(at).unwrap());
    assert_eq!(commits.next().unwrap().unwrap().seq, 1);
    assert_eq!(commits.next_back().unwrap().unwrap().seq, 20);
    assert_eq!(history.next().unwrap().unwrap().seq, 20);
    prune_all(&db, 15, 3);
    refused!(commits.next().unwrap(), Error::SnapshotPruned { seq: 2, oldest: 15 });
    assert!(commits.next().is_none() && commits.next_back().is_none());
    assert_eq!(
        all(history).iter().map(|version| version.seq).collect::<Vec<_>>(),
        [19, 18, 17, 16, 15]
    );
    // A version older than its commit's place in the timeline has no time.
    db.update(|tx| tx.put("old", "")).unwrap();
    skip_to(&db, 30);
    prune_all(&db, 29, 10);
    let old = all(db.history(&b"old"[..]).unwrap());
    assert_eq!((old.len(), old[0].seq, old[0].time), (1, 21, None));
    assert!(all(db.commits(..).unwrap()).iter().all(|commit| commit.seq >= 29));
    db.view_at(29, |tx| {
        assert!(tx.commit(21)?.is_none() && tx.commit(29)?.is_some());
        assert_ne!(tx.history_hash()?, [0; 16]);
        Ok::<_, Error>(())
    })
    .unwrap();
}

// spec: PRUNE-04, PRUNE-09
#[test]
fn a_version_whose_successor_lies_in_another_leaf_goes_too() {
    let db = open(&SimVfs::new(1), light());
    let mut random = Random::new(1);
    let put_some = |random: &mut Random, one_in: u64| {
        db.update(|tx| {
            for key in 0..800u32 {
                if random.below(one_in) == 0 {
                    tx.put(key.to_be_bytes(), vec![1; 100 + random.below(800) as usize])?;
                }
            }
            tx.set_note("not empty")
        })
        .unwrap();
    };
    put_some(&mut random, 1);
    for _ in 0..25 {
        put_some(&mut random, 20);
        let head = db.head().unwrap();
        let expected = kept(versions(&db, |key| key.starts_with("raw/")), head, false);
        let plan = db.plan_prune(head).unwrap();
        assert_eq!(prune_all(&db, head, 13), plan.rows);
        assert_eq!(versions(&db, |key| key.starts_with("raw/")), expected);
        assert_eq!(count(&expected), 800, "one version of each");
    }
    check_clean(&db);
}
