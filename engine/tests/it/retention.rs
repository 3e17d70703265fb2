//! What a retention policy suggests, by commits, by time and by both; profiles, plans and the
//! scheduler; pruning by time.

use std::time::Duration;

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{
    CancelToken, Cell, Db, Error, FloorHolder, Options, PruneProfile, PruneScheduler, Retention,
    Timestamp,
};

use crate::support::{check_clean, coord, open, options, refused};
use crate::support_records::{content_at, put_cell, skip_to};

const SEC: i64 = 1_000_000_000;

fn keep(vfs: &SimVfs, retention: Retention) -> Db {
    open(vfs, options().retention(retention))
}

fn suggested(db: &Db) -> Option<u64> {
    let suggested = db.suggested_prune_before_seq().unwrap();
    assert_eq!(db.stats_mvcc().unwrap().suggested_prune_before_seq, suggested);
    suggested
}

/// A commit of one cell at this second.
fn put_at(db: &Db, secs: i64) {
    db.update(|tx| {
        tx.set_commit_time(Timestamp::from_secs(secs))?;
        tx.put_cell(coord(0, 0), &Cell::new(secs.to_string()))
    })
    .unwrap();
}

/// A database over a world whose clock stands at this second.
fn at_secs(secs: i64) -> SimVfs {
    let vfs = SimVfs::new(1);
    vfs.set_wall_nanos(secs * SEC);
    vfs.stop_clock();
    vfs
}

// spec: OPT-15, PRUNE-02, PRUNE-01
#[test]
fn a_policy_by_commits_counts_back_from_head() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, options());
    for (head, keep_commits, expected) in [
        (0, 50, 0),
        (40, 50, 0),
        (50, 50, 0),
        (51, 50, 1),
        (60, 50, 10),
        (60, 1, 59),
        (60, u64::MAX, 0),
    ] {
        let vfs = SimVfs::new(1);
        let db = keep(&vfs, Retention::Commits(keep_commits));
        skip_to(&db, head + 1);
        assert_eq!(suggested(&db), Some(expected), "head {head}, keep {keep_commits}");
        assert_eq!(db.stats_mvcc().unwrap().retention, Some(Retention::Commits(keep_commits)));
    }
    // None is none, and so is a policy that keeps nothing; and it is not persisted.
    skip_to(&db, 61);
    assert_eq!((suggested(&db), db.stats_mvcc().unwrap().retention), (None, None));
    drop(db);
    let none = Duration::ZERO;
    for policy in [Retention::Commits(0), Retention::Duration(none), Retention::both(0, none)] {
        assert_eq!(suggested(&keep(&vfs, policy)), None, "{policy:?}");
    }
    let half = Retention::both(50, Duration::ZERO);
    assert_eq!(suggested(&keep(&vfs, half)), Some(10), "the other half alone counts");
    assert_eq!(suggested(&open(&vfs, options())), None);
}

// spec: PRUNE-03, OPT-15
#[test]
fn a_policy_by_time_counts_back_from_the_clock_and_no_later_than_head() {
    let vfs = at_secs(1000);
    let db = keep(&vfs, Retention::Duration(Duration::from_secs(100)));
    assert_eq!(suggested(&db), Some(0));
    for secs in [800, 899, 900, 900, 901, 1000] {
        put_at(&db, secs);
    }
    // 900 is exactly a hundred seconds back: the newest commit not after it.
    assert_eq!(suggested(&db), Some(4));
    vfs.set_wall_nanos(1000 * SEC - 1);
    assert_eq!(suggested(&db), Some(2), "a nanosecond less");
    vfs.set_wall_nanos(1001 * SEC);
    assert_eq!(suggested(&db), Some(4), "head's time bounds it");
    // The clock jumps ahead: nothing goes early.
    for secs in [2000, i64::MAX / SEC] {
        vfs.set_wall_nanos(secs * SEC);
        assert_eq!(suggested(&db), Some(4));
    }
    // It steps back: less may go, never more.
    for (secs, expected) in [(950, 1), (899, 0), (0, 0), (-5000, 0)] {
        vfs.set_wall_nanos(secs * SEC);
        assert_eq!(suggested(&db), Some(expected), "at {secs}");
    }
    vfs.set_wall_nanos(i64::MIN);
    assert_eq!(suggested(&db), Some(0));
    // Durations without end.
    drop(db);
    vfs.set_wall_nanos(1000 * SEC);
    for duration in [Duration::MAX, Duration::from_nanos(u64::MAX)] {
        assert_eq!(suggested(&keep(&vfs, Retention::Duration(duration))), Some(0));
    }
}

// spec: OPT-15, PRUNE-02, PRUNE-03
#[test]
fn of_a_policy_with_two_parts_the_one_that_keeps_more_decides() {
    let vfs = at_secs(1000);
    let db = open(&vfs, options());
    (901..=1000).for_each(|secs| put_at(&db, secs));
    drop(db);
    for (commits, secs, expected) in [(10, 20, 80), (20, 10, 80), (50, 500, 0), (500, 50, 0)] {
        let policy = Retention::both(commits, Duration::from_secs(secs));
        assert_eq!(suggested(&keep(&vfs, policy)), Some(expected), "{policy:?}");
    }
}

// spec: PRUNE-03, PRUNE-08, PRUNE-01
#[test]
fn a_policy_by_time_is_fine_where_more_was_pruned_than_it_asks() {
    let vfs = at_secs(1000);
    let db = keep(&vfs, Retention::Duration(Duration::from_secs(50)));
    (901..=1000).for_each(|secs| put_at(&db, secs));
    assert_eq!(db.prune_cell_versions(90, 1000).unwrap(), 89);
    assert!(suggested(&db).unwrap() <= 50);
    let plan = db.plan_prune_by_profile(PruneProfile::Balanced).unwrap();
    assert_eq!((plan.rows, plan.commits, plan.floor), (0, 0, 90));
    let done = db.prune_cell_versions_by_profile(&plan).unwrap();
    assert!((done.rows, done.floor, done.done) == (0, 90, true));
}

// spec: PRUNE-04, PRUNE-07, SNAP-05
#[test]
fn pruning_by_time_keeps_what_was_head_then() {
    let db = open(&at_secs(2000), options());
    for secs in [10, 20, 20, 30, 40] {
        put_at(&db, secs);
    }
    let at = Timestamp::from_secs;
    assert_eq!(db.prune_cell_versions(at(9), 100).unwrap(), 0, "before the first commit");
    assert_eq!(db.stats_mvcc().unwrap().oldest_readable_seq, 0);
    assert_eq!(db.plan_prune(at(25)).unwrap().before, 3);
    assert_eq!(db.prune_cell_versions(at(25), 100).unwrap(), 2);
    let read = |secs| db.view_at_time(at(secs), |tx| tx.get_cell(coord(0, 0)));
    assert_eq!(read(25).unwrap().unwrap().raw_content, "20");
    assert_eq!(db.seq_at_time(at(20)).unwrap(), 3);
    for secs in [i64::MIN / SEC, 9, 10, 19] {
        refused!(read(secs), Error::SnapshotPruned { oldest: 3, .. });
        refused!(db.seq_at_time(at(secs)), Error::SnapshotPruned { oldest: 3, .. });
    }
    assert_eq!(content_at(&db, 0, coord(0, 0)), None, "0 stays");
    // In the future there is head.
    assert_eq!(db.prune_cell_versions(Timestamp::MAX, 100).unwrap(), 2);
    assert_eq!(read(10_000).unwrap().unwrap().raw_content, "40");
    assert_eq!(db.stats_mvcc().unwrap().oldest_readable_seq, 5);
    check_clean(&db);
}

// spec: SNAP-05, TXN-09, PRUNE-03
#[test]
fn times_are_found_and_pruned_also_after_the_clock_stepped_back() {
    let vfs = at_secs(100);
    let db = keep(&vfs, Retention::Duration(Duration::from_secs(10)));
    let at = coord(0, 0);
    for (secs, text) in [(100, "1"), (50, "2"), (70, "3"), (120, "4")] {
        vfs.set_wall_nanos(secs * SEC);
        put_cell(&db, at, &Cell::new(text));
    }
    let read = |secs| {
        let cell = db.view_at_time(Timestamp::from_secs(secs), |tx| tx.get_cell(at)).unwrap();
        cell.map(|cell| cell.raw_content).unwrap_or_default()
    };
    // Commits 1 to 3 have the time at which the clock stepped back.
    assert_eq!([49, 70, 99, 100, 119, 120, 9999].map(read), ["", "", "", "3", "3", "4", "4"]);
    assert_eq!(suggested(&db), Some(3));
    let plan = db.plan_prune_by_profile(PruneProfile::LowLatency).unwrap();
    assert_eq!(db.prune_cell_versions_by_profile(&plan).unwrap().rows, 2);
    assert_eq!([100, 119, 120].map(read), ["3", "3", "4"]);
}

// spec: PRUNE-07
#[test]
fn a_time_before_the_floor_is_refused_also_while_the_timeline_is_being_cut() {
    let db = open(&at_secs(5000), options());
    (1..=2000).for_each(|secs| put_at(&db, secs));
    let at = Timestamp::from_secs;
    while db.prune_cell_versions(1900, 1).unwrap() > 0 {
        for secs in [0, 1, 500, 1899] {
            refused!(db.seq_at_time(at(secs)), Error::SnapshotPruned { oldest: 1900, .. });
            let view = db.view_at_time(at(secs), |_| Ok::<_, Error>(()));
            refused!(view, Error::SnapshotPruned { oldest: 1900, .. });
        }
        assert_eq!(db.seq_at_time(at(1900)).unwrap(), 1900);
        if db.stats_mvcc().unwrap().versioned_row_count < 1500 {
            break;
        }
    }
}

// spec: PRUNE-13, PRUNE-14, PRUNE-08
#[test]
fn profiles_keep_the_policys_window_or_more() {
    let vfs = at_secs(1000);
    let db = open(&vfs, options());
    (1..=1000).for_each(|secs| put_at(&db, secs));
    drop(db);
    let profiles = [PruneProfile::LowLatency, PruneProfile::Balanced, PruneProfile::LongHistory];
    assert_eq!(PruneProfile::default(), PruneProfile::Balanced);
    let check = |policy: Retention, expected: [u64; 3]| {
        let db = keep(&vfs, policy);
        for ((profile, before), batch) in profiles.into_iter().zip(expected).zip([512, 2048, 256]) {
            let plan = db.plan_prune_by_profile(profile).unwrap();
            assert_eq!((plan.before, plan.floor, plan.batch_rows), (before, before, batch));
            assert_eq!((plan.rows, plan.held_by), (before.saturating_sub(1), None), "{profile:?}");
            assert!(plan.policy.is_some() && plan.before <= suggested(&db).unwrap());
            assert_eq!(plan.bytes > 0, plan.rows > 0);
        }
        assert_eq!(db.stats_mvcc().unwrap().versioned_row_count, 1000, "plans change nothing");
    };
    check(Retention::Commits(400), [600, 500, 200]);
    check(Retention::Commits(600), [400, 250, 0]);
    check(Retention::Commits(1), [999, 998, 998]);
    check(Retention::Commits(u64::MAX), [0, 0, 0]);
    check(Retention::Duration(Duration::from_secs(400)), [600, 500, 200]);
    check(Retention::Duration(Duration::MAX), [0, 0, 0]);
    check(Retention::both(100, Duration::from_secs(400)), [600, 500, 200]);
}

fn cut_in_batches(db: &Db, profile: PruneProfile, batches: &[u64]) {
    for (number, rows) in batches.iter().enumerate() {
        let plan = db.plan_prune_by_profile(profile).unwrap();
        assert_eq!(plan.rows, batches[number..].iter().sum::<u64>());
        let done = db.prune_cell_versions_by_profile(&plan).unwrap();
        assert_eq!((done.rows, done.no_policy), (*rows, false));
        assert_eq!(done.floor, plan.floor);
        assert!(done.done || number + 1 < batches.len() || *rows == plan.batch_rows);
    }
    let plan = db.plan_prune_by_profile(profile).unwrap();
    let done = db.prune_cell_versions_by_profile(&plan).unwrap();
    assert_eq!((plan.rows, done.rows, done.done), (0, 0, true));
    check_clean(db);
}

// spec: PRUNE-13, PRUNE-14, PRUNE-15, PRUNE-10
#[test]
fn a_plan_is_carried_out_in_batches_of_its_profile() {
    let vfs = at_secs(9000);
    let db = keep(&vfs, Retention::Commits(100));
    (1..=3000).for_each(|secs| put_at(&db, secs));
    cut_in_batches(&db, PruneProfile::LongHistory, &[&[256; 10][..], &[239]].concat());
    cut_in_batches(&db, PruneProfile::Balanced, &[75]);
    cut_in_batches(&db, PruneProfile::LowLatency, &[25]);
    let tick = |token: &CancelToken| PruneScheduler::new(&db, PruneProfile::LowLatency).tick(token);
    put_at(&db, 3001);
    let cancelled = CancelToken::new();
    cancelled.cancel();
    refused!(tick(&cancelled), Error::Cancelled { done: 0 });
    assert_eq!(db.stats_mvcc().unwrap().versioned_row_count, 102);
    let done = tick(&CancelToken::new()).unwrap();
    assert_eq!((done.rows, done.floor, done.done), (1, 2901, true));
    assert_eq!(tick(&CancelToken::new()).unwrap().rows, 0);
    db.tag_snapshot_at("held", 2950).unwrap();
    (3002..=3100).for_each(|secs| put_at(&db, secs));
    let done = tick(&CancelToken::new()).unwrap();
    assert_eq!(done.held_by.unwrap().by, FloorHolder::Tag("held".into()));
    assert_eq!(done.floor, 2950);
    assert_eq!(
        (2950..=3100)
            .filter(|seq| content_at(&db, *seq, coord(0, 0)) != Some(seq.to_string()))
            .count(),
        0
    );
}

// spec: PRUNE-15, OPT-15
#[test]
fn without_a_policy_profiles_remove_nothing_and_say_so() {
    let policies: [fn(Options) -> Options; 3] = [
        |options| options,
        |options| options.retention(Retention::Commits(0)),
        |options| options.retention(Retention::both(0, Duration::ZERO)),
    ];
    for with in policies {
        let db = open(&SimVfs::new(1), with(options()));
        for _ in 0..20 {
            put_cell(&db, coord(0, 0), &Cell::new("x"));
        }
        let profiles =
            [PruneProfile::LowLatency, PruneProfile::Balanced, PruneProfile::LongHistory];
        for profile in profiles {
            let plan = db.plan_prune_by_profile(profile).unwrap();
            assert_eq!((plan.before, plan.rows, plan.policy), (0, 0, None));
            let scheduler = PruneScheduler::new(&db, profile);
            let results = [
                db.prune_cell_versions_by_profile(&plan).unwrap(),
                scheduler.tick(&CancelToken::new()).unwrap(),
            ];
            for done in results {
                assert_eq!((done.rows, done.no_policy, done.floor), (0, true, 0));
                assert!(done.to_string().contains("policy"), "{done}");
            }
        }
        assert_eq!(db.stats_mvcc().unwrap().versioned_row_count, 20);
    }
}

// spec: PRUNE-01
#[test]
fn statistics_say_how_often_commits_come() {
    let db = open(&at_secs(0), options());
    let rate = |db: &Db| db.stats_mvcc().unwrap().commits_per_hour;
    assert_eq!(rate(&db), None);
    put_at(&db, 0);
    assert_eq!(rate(&db), None, "one commit is no rate");
    (1..=10).for_each(|number| put_at(&db, number * 360));
    assert_eq!(rate(&db), Some(10.0));
    // From the floor on: what is gone does not count.
    put_at(&db, 3610);
    db.prune_cell_versions(11, 100).unwrap();
    assert_eq!(rate(&db), Some(360.0));
    let stats = db.stats_mvcc().unwrap();
    assert_eq!((stats.floor_held_by, stats.suggested_prune_before_seq), (None, None));
    assert_eq!(stats.reclaimable_pages, stats.free_pages + stats.freed_pages);
}
