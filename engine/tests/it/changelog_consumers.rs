//! Consumers: positions that are as durable as commits, hold back trimming, and pruning where they
//! ask for it.

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{
    ChangelogCursor, ChangelogEntry, ChangelogFilter, ChangelogOp, Db, Error, FloorHolder, Follow,
};

use crate::changelog_support::{
    both_on, entries, fill, kill, on, segmented, seqs, small_changelog,
};
use crate::support::{DB, LOG, check_clean, light, open, put, read_file, refused, write_file};
use crate::support_records::{all, reopened};

fn position(db: &Db, name: &str) -> (u64, u32) {
    let at = db.changelog_consumer(name).unwrap().position().unwrap();
    (at.seq, at.index)
}

fn names(db: &Db) -> Vec<String> {
    db.changelog_consumers().unwrap().into_iter().map(|info| info.name).collect()
}

// spec: LOG-08
#[test]
fn a_consumer_is_registered_advanced_listed_and_removed() {
    for options in both_on() {
        let vfs = SimVfs::new(1);
        let db = open(&vfs, options);
        fill(&db, 1, 5, 10);
        assert!(db.changelog_consumers().unwrap().is_empty());
        let indexer = db.changelog_consumer("indexer").unwrap();
        assert_eq!(indexer.name(), "indexer");
        let mut reading = indexer.read(ChangelogFilter::new()).unwrap();
        let first: Vec<_> = reading.by_ref().take(2).map(|entry| entry.unwrap().seq).collect();
        assert_eq!(first, [1, 2]);
        // Reading moves nothing.
        assert_eq!(position(&db, "indexer"), (0, 0));
        indexer.advance(reading.cursor()).unwrap();
        assert_eq!(position(&db, "indexer"), (3, 0));
        assert_eq!(seqs(&all(indexer.read(ChangelogFilter::new()).unwrap())), [3, 4, 5]);
        let again = db.changelog_consumer("indexer").unwrap();
        again.advance(ChangelogCursor::after(4)).unwrap();
        assert_eq!(position(&db, "indexer"), (5, 0));
        // Again to where it is; to the end.
        again.advance(ChangelogCursor::after(4)).unwrap();
        db.changelog_consumer("backup").unwrap();
        let listed = db.changelog_consumers().unwrap();
        assert_eq!(names(&db), ["backup", "indexer"]);
        assert_eq!((listed[0].position.seq, listed[0].lag_commits), (0, 5));
        assert_eq!((listed[1].position.seq, listed[1].lag_commits), (5, 1));
        assert!(!listed[0].holds_floor && !listed[1].holds_floor);
        again.advance(ChangelogCursor::after(5)).unwrap();
        assert_eq!(db.changelog_consumers().unwrap()[1].lag_commits, 0);
        assert!(db.remove_changelog_consumer("indexer").unwrap());
        assert!(!db.remove_changelog_consumer("indexer").unwrap());
        for gone in [&indexer, &again] {
            refused!(gone.position(), Error::ChangelogConsumerNotFound { name } if name == "indexer");
            refused!(
                gone.advance(ChangelogCursor::after(5)),
                Error::ChangelogConsumerNotFound { .. }
            );
            refused!(gone.hold_floor(true), Error::ChangelogConsumerNotFound { .. });
            refused!(gone.read(ChangelogFilter::new()), Error::ChangelogConsumerNotFound { .. });
            refused!(gone.follow(Follow::new()), Error::ChangelogConsumerNotFound { .. });
        }
        // Registered anew it begins anew.
        assert_eq!(position(&db, "indexer"), (0, 0));
        // None of it is a commit.
        assert_eq!((db.head().unwrap(), entries(&db).len()), (5, 5));
        check_clean(&db);
    }
}

// spec: LOG-08, LOG-17
#[test]
fn a_position_never_goes_back_nor_ahead_nor_into_another_history() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, on());
    fill(&db, 1, 3, 10);
    db.update(|tx| (0..5).try_for_each(|n: u8| tx.put([n], "v"))).unwrap();
    let consumer = db.changelog_consumer("c").unwrap();
    consumer.advance(ChangelogCursor::at(4, 2)).unwrap();
    assert_eq!(position(&db, "c"), (4, 2));
    for back in [ChangelogCursor::START, ChangelogCursor::at(3, 9), ChangelogCursor::at(4, 1)] {
        refused!(consumer.advance(back), Error::InvalidArgument { .. });
    }
    for ahead in
        [ChangelogCursor::at(5, 1), ChangelogCursor::at(6, 0), ChangelogCursor::after(u64::MAX)]
    {
        refused!(consumer.advance(ahead), Error::ReadSeqFuture { head: 4, .. });
    }
    let other = open(&SimVfs::new(2), on());
    fill(&other, 1, 4, 11);
    for foreign in entries(&other).iter().filter(|entry| entry.seq == 4).map(ChangelogEntry::next) {
        refused!(consumer.advance(foreign), Error::HistoryDiverged { seq: 4 });
    }
    assert_eq!(position(&db, "c"), (4, 2));
    let rest = all(consumer.read(ChangelogFilter::new()).unwrap());
    assert_eq!(rest.iter().map(|entry| entry.index).collect::<Vec<_>>(), [2, 3, 4]);
    for name in ["", &"n".repeat(256), &"\0".repeat(128)] {
        assert!(db.changelog_consumer(name).is_err(), "{name:?}");
        assert!(db.remove_changelog_consumer(name).is_err(), "{name:?}");
    }
    for name in ["\0", "a/b", &"n".repeat(255), "\u{10ffff}"] {
        assert_eq!(db.changelog_consumer(name).unwrap().name(), name);
        assert!(db.remove_changelog_consumer(name).unwrap());
    }
}

// spec: LOG-08
#[test]
fn positions_survive_kill_power_cut_and_close() {
    for options in both_on() {
        let vfs = SimVfs::new(1);
        let mut db = open(&vfs, options.clone());
        for round in 1..=8 {
            fill(&db, round, round, 10);
            let consumer = db.changelog_consumer("c").unwrap();
            let last = entries(&db).pop().unwrap();
            consumer.advance(last.next()).unwrap();
            consumer.hold_floor(round % 2 == 0).unwrap();
            drop(consumer);
            if round % 4 == 0 {
                drop(db);
                vfs.power_cut_with(&vfs.pending().none());
                db = open(&vfs, options.clone());
            } else {
                db = reopened(&vfs, db, &options, round);
            }
            let info = db.changelog_consumers().unwrap().remove(0);
            assert_eq!(info.position, last.next());
            assert_eq!((info.lag_commits, info.holds_floor), (0, round % 2 == 0));
            check_clean(&db);
        }
        assert!(db.remove_changelog_consumer("c").unwrap());
        kill(&vfs, db);
        assert!(names(&open(&vfs, options.clone())).is_empty());
    }
}

// spec: LOG-08
#[test]
fn the_least_position_lasts_through_an_older_state_of_the_log() {
    // Also where changelog and primary are those of different checkpoints.
    let vfs = SimVfs::new(1);
    let db = open(&vfs, on());
    fill(&db, 1, 3, 10);
    db.changelog_consumer("c").unwrap().advance(ChangelogCursor::after(2)).unwrap();
    db.close().unwrap();
    let copy = read_file(&vfs, DB).unwrap();
    vfs.remove_file(std::path::Path::new(DB));
    vfs.remove_file(std::path::Path::new(LOG));
    write_file(&vfs, DB, &copy);
    assert_eq!(position(&open(&vfs, on()), "c"), (3, 0));
}

// spec: LOG-08, LOG-10
#[test]
fn no_segment_goes_that_a_consumer_has_not_read() {
    let vfs = SimVfs::new(1);
    let greedy = on().changelog(small_changelog().keep_bytes(1).drop_consumed(true));
    let db = segmented(&vfs, on(), 4);
    db.changelog_consumer("slow").unwrap();
    db.close().unwrap();
    let db = open(&vfs, greedy.clone());
    let slow = db.changelog_consumer("slow").unwrap();
    assert_eq!(db.trim_changelog().unwrap(), 0);
    slow.advance(ChangelogCursor::at(3, 0)).unwrap();
    assert_eq!(db.trim_changelog().unwrap(), 0, "commit 3 is not read");
    slow.advance(ChangelogCursor::after(3)).unwrap();
    assert_eq!(db.trim_changelog().unwrap(), 1);
    assert_eq!(
        seqs(&all(slow.read(ChangelogFilter::new()).unwrap())),
        (4..=14).collect::<Vec<_>>()
    );
    // A new one begins at the oldest that there is, and holds that.
    let new = db.changelog_consumer("new").unwrap();
    slow.advance(ChangelogCursor::after(14)).unwrap();
    assert_eq!(db.trim_changelog().unwrap(), 0);
    assert_eq!(all(new.read(ChangelogFilter::new()).unwrap()).len(), 11);
    fill(&db, 15, 15, 10);
    db.rotate_changelog().unwrap();
    kill(&vfs, db);
    let db = open(&vfs, greedy);
    assert_eq!(db.trim_changelog().unwrap(), 0);
    db.remove_changelog_consumer("new").unwrap();
    assert_eq!(
        db.trim_changelog().unwrap(),
        3,
        "all but the one that slow has not read to its end"
    );
    assert_eq!(
        seqs(&all(db.changelog_consumer("slow").unwrap().read(ChangelogFilter::new()).unwrap())),
        [15]
    );
}

// spec: LOG-10
#[test]
fn what_all_have_read_goes_only_where_asked_for_and_where_there_is_one() {
    let vfs = SimVfs::new(1);
    let drop_consumed = on().changelog(small_changelog().drop_consumed(true));
    let db = segmented(&vfs, drop_consumed, 3);
    assert_eq!(db.trim_changelog().unwrap(), 0, "there is no consumer");
    db.changelog_consumer("c").unwrap().advance(ChangelogCursor::after(7)).unwrap();
    assert_eq!(db.trim_changelog().unwrap(), 2);
    db.close().unwrap();
    let db = open(&vfs, on());
    db.changelog_consumer("c").unwrap().advance(ChangelogCursor::after(11)).unwrap();
    assert_eq!(db.trim_changelog().unwrap(), 0, "not asked for");
}

// spec: LOG-08, LOG-09
#[test]
fn a_consumer_reads_and_follows_filtered_from_its_position() {
    let db = open(&SimVfs::new(1), on());
    fill(&db, 1, 4, 10);
    db.update(|tx| tx.delete("k1")).unwrap();
    let consumer = db.changelog_consumer("c").unwrap();
    consumer.advance(ChangelogCursor::after(2)).unwrap();
    let filter = ChangelogFilter::new().op(ChangelogOp::Delete);
    assert_eq!(seqs(&all(consumer.read(filter.clone()).unwrap())), [5]);
    let follow = Follow::new().timeout(std::time::Duration::ZERO);
    let found = all(consumer.follow(follow.clone()).unwrap());
    assert_eq!(seqs(&found), [3, 4, 5]);
    let mut live = consumer.follow(follow.filter(filter)).unwrap();
    assert_eq!(live.next().unwrap().unwrap().seq, 5);
    consumer.advance(live.cursor()).unwrap();
    assert_eq!(position(&db, "c"), (6, 0));
}

// spec: PRUNE-11, LOG-20
#[test]
fn pruning_waits_for_a_consumer_that_asks_it_to() {
    let vfs = SimVfs::new(1);
    let mut db = open(&vfs, on());
    for n in 0..20 {
        put(&db, "k", n.to_string()).unwrap();
    }
    let consumer = db.changelog_consumer("c").unwrap();
    consumer.advance(ChangelogCursor::after(7)).unwrap();
    assert!(db.prune_cell_versions(5, 100).unwrap() > 0, "it does not hold unless asked");
    db.changelog_consumer("c").unwrap().hold_floor(true).unwrap();
    for how in 0..3 {
        let plan = db.plan_prune(15).unwrap();
        let held = plan.held_by.clone().expect("held");
        assert_eq!(held.by, FloorHolder::Consumer("c".into()));
        while db.prune_cell_versions(15, 100).unwrap() > 0 {}
        // Before the commit that it reads next: 8 and what 8 replaced.
        let floor = db.stats_mvcc().unwrap().oldest_readable_seq;
        assert_eq!(floor, 7);
        assert_eq!(db.view_at(7, |tx| tx.get("k")).unwrap().unwrap(), b"6");
        db = reopened(&vfs, db, &on(), how);
    }
    db.changelog_consumer("c").unwrap().advance(ChangelogCursor::after(12)).unwrap();
    while db.prune_cell_versions(15, 100).unwrap() > 0 {}
    assert!(db.stats_mvcc().unwrap().oldest_readable_seq > 8);
    refused!(db.view_at(8, |tx| tx.get("k")), Error::SnapshotPruned { .. });
    db.changelog_consumer("c").unwrap().hold_floor(false).unwrap();
    while db.prune_cell_versions(15, 100).unwrap() > 0 {}
    assert_eq!(db.stats_mvcc().unwrap().oldest_readable_seq, 15);
    // The entries are there whatever was pruned.
    assert_eq!(entries(&db).len(), 20);
}

// spec: LOG-08
#[test]
fn a_handle_for_reading_and_one_without_changelog_change_no_consumer() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, on());
    fill(&db, 1, 3, 10);
    db.changelog_consumer("c").unwrap().advance(ChangelogCursor::after(1)).unwrap();
    db.close().unwrap();
    let db = open(&vfs, on().read_only(true));
    let consumer = db.changelog_consumer("c").unwrap();
    assert_eq!(consumer.position().unwrap().seq, 2);
    assert_eq!(seqs(&all(consumer.read(ChangelogFilter::new()).unwrap())), [2, 3]);
    refused!(consumer.advance(ChangelogCursor::after(2)), Error::ReadOnly);
    refused!(consumer.hold_floor(true), Error::ReadOnly);
    refused!(db.remove_changelog_consumer("c"), Error::ReadOnly);
    drop((db, consumer));
    let db = open(&vfs, light());
    refused!(db.changelog_consumer("c"), Error::ChangelogDisabled);
    assert_eq!(names(&db), ["c"], "it is there all the same");
    assert!(db.remove_changelog_consumer("c").unwrap());
    db.close().unwrap();
    refused!(db.changelog_consumers(), Error::DatabaseClosed);
}
