//! What pruning never passes: tags, snapshots in use, the policy; and where it is refused.

use std::sync::mpsc;
use std::time::Duration;

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{
    CancelToken, Cell, Db, Error, FloorHolder, PruneProfile, PruneScheduler, Retention, Timestamp,
};

use crate::support::{check_clean, coord, open, options, refused};
use crate::support_records::{
    Model, Reads, all, compare_from, content_at, dumped, family_rows, prune_all, put_cell,
    random_commits, reopened,
};

/// `count` versions of one cell, the n-th at sequence n.
fn versions(vfs: &SimVfs, options: hexxladb::Options, count: u64) -> Db {
    let db = open(vfs, options);
    for seq in 1..=count {
        assert_eq!(put_cell(&db, coord(0, 0), &Cell::new(seq.to_string())), seq);
    }
    db
}

fn check_versions(db: &Db, floor: u64) {
    for seq in floor..=db.head().unwrap() {
        assert_eq!(content_at(db, seq, coord(0, 0)), Some(seq.to_string()), "at {seq}");
    }
    for seq in 1..floor {
        let pruned = db.view_at(seq, |_| Ok::<_, Error>(()));
        refused!(pruned, Error::SnapshotPruned { seq: s, oldest } if (s, oldest) == (seq, floor));
    }
}

// spec: PRUNE-11, SNAP-13, PRUNE-10, PRUNE-14
#[test]
fn a_snapshot_in_use_holds_the_floor_and_reads_on() {
    let db = versions(&SimVfs::new(1), options(), 20);
    let held = [12, 8, 15].map(|seq| db.snapshot_at(seq).unwrap());
    let plan = db.plan_prune(18).unwrap();
    let hold = plan.held_by.clone().unwrap();
    assert_eq!((plan.before, plan.floor, hold.seq), (18, 8, 8));
    assert_eq!((hold.by, plan.rows), (FloorHolder::Snapshot, 7));
    assert_eq!(prune_all(&db, 18, 3), 7);
    check_versions(&db, 8);
    assert_eq!(db.prune_cell_versions(18, 10).unwrap(), 0, "held");
    assert_eq!(db.stats_mvcc().unwrap().floor_held_by.unwrap().seq, 8);
    let [twelve, eight, fifteen] = held;
    assert_eq!(eight.get_cell(coord(0, 0)).unwrap().unwrap().raw_content, "8");
    drop(eight);
    assert_eq!(prune_all(&db, 18, 100), 4);
    check_versions(&db, 12);
    drop((twelve, fifteen));
    assert_eq!(db.plan_prune(18).unwrap().held_by, None);
    assert_eq!(prune_all(&db, 18, 100), 6);
    check_versions(&db, 18);
    check_clean(&db);
}

// spec: PRUNE-11, SNAP-12
#[test]
fn a_tag_holds_the_floor_until_it_is_deleted_also_after_reopening() {
    let vfs = SimVfs::new(1);
    let mut db = versions(&vfs, options(), 20);
    db.tag_snapshot_at("nothing yet", 0).unwrap();
    db.tag_snapshot_at("later", 9).unwrap();
    db.tag_snapshot_at("sooner", 5).unwrap();
    for how in 0..3 {
        let plan = db.plan_prune(20).unwrap();
        let by = FloorHolder::Tag("sooner".into());
        assert_eq!((plan.held_by.unwrap().by, plan.floor), (by, 5));
        prune_all(&db, 20, 2);
        check_versions(&db, 5);
        let read = |name| db.view_at_tag(name, |tx| tx.get_cell(coord(0, 0))).unwrap();
        assert_eq!(read("sooner").unwrap().raw_content, "5");
        assert_eq!(read("nothing yet"), None);
        db = reopened(&vfs, db, &options(), how);
    }
    assert!(db.delete_snapshot_tag("sooner").unwrap());
    prune_all(&db, 20, 100);
    check_versions(&db, 9);
    // What is gone cannot be tagged.
    refused!(db.tag_snapshot_at("late", 8), Error::SnapshotPruned { seq: 8, oldest: 9 });
    assert!(db.delete_snapshot_tag("later").unwrap());
    prune_all(&db, 20, 100);
    check_versions(&db, 20);
    check_clean(&db);
}

// spec: PRUNE-11, PRUNE-07
#[test]
fn reading_the_empty_database_holds_nothing() {
    let db = versions(&SimVfs::new(1), options(), 9);
    let empty = db.snapshot_at(0).unwrap();
    db.view_at(0, |tx| {
        assert_eq!(prune_all(&db, 9, 2), 8);
        assert_eq!(tx.cells(..).count(), 0);
        Ok::<_, Error>(())
    })
    .unwrap();
    check_versions(&db, 9);
    assert_eq!(empty.cells(..).count(), 0);
}

// spec: PRUNE-11, PRUNE-05
#[test]
fn pruning_inside_a_view_spares_what_the_view_reads() {
    let db = versions(&SimVfs::new(1), options(), 9);
    db.view_at(4, |tx| {
        assert_eq!(db.prune_cell_versions(9, 100)?, 3);
        assert_eq!(tx.get_cell(coord(0, 0))?.unwrap().raw_content, "4");
        check_versions(&db, 4);
        Ok::<_, Error>(())
    })
    .unwrap();
    assert_eq!(prune_all(&db, 9, 100), 5);
    check_versions(&db, 9);
}

// spec: TXN-14, PRUNE-10
#[test]
fn pruning_inside_a_write_transaction_is_refused() {
    let db = versions(&SimVfs::new(1), options().retention(Retention::Commits(2)), 9);
    let scheduler = PruneScheduler::new(&db, PruneProfile::LowLatency);
    // Whether or not there is anything to be done.
    for before in [5, 5, 0] {
        db.update(|tx| {
            refused!(db.prune_cell_versions(before, 100), Error::NestedWrite);
            refused!(scheduler.tick(&CancelToken::new()), Error::NestedWrite);
            tx.put("k", "v")
        })
        .unwrap();
        prune_all(&db, before, 100);
    }
}

// spec: TXN-14, PRUNE-10
#[test]
#[expect(clippy::disallowed_methods, reason = "tests may start threads")]
fn pruning_inside_a_write_transaction_is_refused_while_another_thread_prunes() {
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let db = versions(&SimVfs::new(1), options(), 50);
        let tx = db.begin_write().unwrap();
        let other = db.clone();
        let pruning = std::thread::spawn(move || other.prune_cell_versions(40, 1000).unwrap());
        // Long enough for it to wait for the writer's seat.
        std::thread::sleep(Duration::from_millis(300));
        refused!(db.prune_cell_versions(40, 1000), Error::NestedWrite);
        tx.rollback().unwrap();
        assert_eq!(pruning.join().unwrap(), 39);
        check_versions(&db, 40);
        done.send(()).unwrap();
    });
    ended.recv_timeout(Duration::from_mins(1)).expect("it waits for itself");
}

// spec: PRUNE-05, PRUNE-10, PRUNE-07
#[test]
fn what_cannot_be_pruned_is_refused() {
    let vfs = SimVfs::new(1);
    let db = versions(&vfs, options(), 9);
    for before in [10, 11, u64::MAX] {
        let found = db.prune_cell_versions(before, 1);
        refused!(found, Error::ReadSeqFuture { seq, head: 9 } if seq == before);
        refused!(db.plan_prune(before), Error::ReadSeqFuture { head: 9, .. });
    }
    refused!(db.prune_cell_versions(5, 0), Error::InvalidArgument { what: "max_rows", .. });
    check_versions(&db, 1);
    let head = dumped(&db, "").len();
    assert_eq!(db.prune_cell_versions(0, 5).unwrap(), 0);
    assert_eq!(dumped(&db, "").len(), head);
    prune_all(&db, 5, 100);
    // The floor never falls.
    assert_eq!(db.prune_cell_versions(3, 100).unwrap(), 0);
    check_versions(&db, 5);
    assert_eq!(db.plan_prune(3).unwrap().rows, 0);
    assert_eq!(db.plan_prune(3).unwrap().floor, 5, "the floor is what it is");
    db.close().unwrap();
    let scheduler = PruneScheduler::new(&db, PruneProfile::Balanced);
    refused!(db.prune_cell_versions(9, 1), Error::DatabaseClosed);
    refused!(db.plan_prune(9), Error::DatabaseClosed);
    refused!(db.plan_prune_by_profile(PruneProfile::Balanced), Error::DatabaseClosed);
    refused!(scheduler.tick(&CancelToken::new()), Error::DatabaseClosed);
    refused!(db.suggested_prune_before_seq(), Error::DatabaseClosed);
    refused!(db.snapshot_diff(5, 9), Error::DatabaseClosed);
    refused!(db.tag_snapshot("t"), Error::DatabaseClosed);
    refused!(db.snapshot_tags(), Error::DatabaseClosed);
    refused!(db.delete_snapshot_tag("t"), Error::DatabaseClosed);
    let view = db.view_at_tag("t", |_| Ok::<_, Error>(()));
    refused!(view, Error::DatabaseClosed);
    let db = open(&vfs, options().read_only(true));
    refused!(db.prune_cell_versions(9, 1), Error::ReadOnly);
    refused!(db.prune_cell_versions(Timestamp::MAX, 1), Error::ReadOnly);
    refused!(
        PruneScheduler::new(&db, PruneProfile::Balanced).tick(&CancelToken::new()),
        Error::ReadOnly
    );
    refused!(db.tag_snapshot("t"), Error::ReadOnly);
    refused!(db.delete_snapshot_tag("t"), Error::ReadOnly);
    let plan = db.plan_prune(9).unwrap();
    assert_eq!((plan.rows, plan.floor), (4, 9), "looking is allowed");
    check_versions(&db, 5);
}

// spec: PRUNE-08
#[test]
fn an_explicit_prune_may_pass_the_policy_and_a_plan_by_profile_may_not() {
    let vfs = SimVfs::new(1);
    let db = versions(&vfs, options().retention(Retention::Commits(10)), 30);
    // A plan that was changed, and one that was made under a shorter policy.
    let mut changed = db.plan_prune_by_profile(PruneProfile::LowLatency).unwrap();
    assert_eq!(changed.before, 20);
    changed.before = 29;
    let done = db.prune_cell_versions_by_profile(&changed).unwrap();
    assert_eq!((done.rows, done.floor), (19, 20));
    check_versions(&db, 20);
    let stale = db.plan_prune_by_profile(PruneProfile::LowLatency).unwrap();
    drop(db);
    let db = open(&vfs, options().retention(Retention::Commits(15)));
    for seq in 31..=34 {
        put_cell(&db, coord(0, 0), &Cell::new(seq.to_string()));
    }
    let mut plan = stale;
    plan.before = 24;
    assert_eq!(db.prune_cell_versions_by_profile(&plan).unwrap().floor, 20, "34 less 15 is 19");
    check_versions(&db, 20);
    prune_all(&db, 30, 100);
    check_versions(&db, 30);
}

// spec: PRUNE-11, SNAP-13, DIFF-01
#[test]
fn a_diff_under_way_holds_the_floor() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, options());
    let mut models = vec![Model::default()];
    random_commits(&db, &mut crate::support::Random::new(3), &mut models, 40);
    let whole = all(db.snapshot_diff(10, 35).unwrap());
    let mut diff = db.snapshot_diff(10, 35).unwrap();
    let mut found = vec![diff.next().unwrap().unwrap()];
    let rows = db.stats_mvcc().unwrap().versioned_row_count;
    prune_all(&db, 40, 3);
    assert!(db.stats_mvcc().unwrap().versioned_row_count < rows);
    assert_eq!(db.stats_mvcc().unwrap().oldest_readable_seq, 10);
    for change in diff.by_ref() {
        found.push(change.unwrap());
        db.prune_cell_versions(40, 1).unwrap();
    }
    assert_eq!(found, whole);
    compare_from(&db, 10, &models);
    drop(diff);
    prune_all(&db, 40, 7);
    compare_from(&db, 40, &models);
    db.view(|tx| tx.compare(&models[40])).unwrap();
    assert!(family_rows(&db, "cell") >= models[40].cells.len() as u64);
    refused!(db.snapshot_diff(10, 40), Error::SnapshotPruned { seq: 10, oldest: 40 });
    check_clean(&db);
}
