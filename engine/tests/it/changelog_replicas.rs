//! Replicas: entries repeated in another database make it the same, whole commit by whole commit;
//! a state taken over from a snapshot goes on from there.

use proptest::prelude::*;

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{
    CancelToken, Cell, ChangelogCursor, ChangelogEntry, ChangelogFilter, ChangelogOptions,
    ChangelogValues, Db, Edge, Error, Facet, Result, Seed,
};

use crate::changelog_support::{
    assert_same, both_on, catch_up, commits, entries, entries_in_files, fill, kill, on,
    random_database, replica, seqs, shown_of,
};
use crate::support::{Random, check_clean, coord, light, open, put, refused, rows};
use crate::support_records::{
    Model, all, compare_from, compare_head, facet_id, prune_all, random_commits, reopened,
};

fn ok(entries: &[ChangelogEntry]) -> impl Iterator<Item = Result<ChangelogEntry>> + '_ {
    entries.iter().cloned().map(Ok)
}

// spec: LOG-16
#[test]
fn a_replica_becomes_the_same_with_every_snapshot() {
    let vfs = SimVfs::new(1);
    let (db, models) = random_database(&vfs, on(), 60);
    let copy = replica(true);
    assert_eq!(catch_up(&db, &copy), 60);
    assert_same(&copy, &db);
    compare_from(&copy, 0, &models);
    check_clean(&copy);
    // Nothing more to do.
    assert_eq!(catch_up(&db, &copy), 0);
    // From the files as well, and into a replica that keeps a changelog of its own.
    let relay_vfs = SimVfs::new(3);
    let relay = open(&relay_vfs, on());
    let applied = relay.apply_changelog(ok(&entries_in_files(&vfs))).unwrap();
    assert_eq!((applied.head, applied.commits, applied.skipped), (60, 60, 0));
    assert_eq!(applied.entries as usize, entries(&db).len());
    assert_same(&relay, &db);
    assert_eq!(entries(&relay), entries(&db));
    // And on from there, through kills.
    let third = replica(true);
    assert_eq!(catch_up(&relay, &third), 60);
    assert_same(&third, &db);
    kill(&relay_vfs, relay);
    let relay = open(&relay_vfs, on());
    assert_eq!(entries(&relay), entries(&db));
    assert_same(&relay, &db);
}

// spec: LOG-16
#[test]
fn either_format_replicates_into_either() {
    for options in both_on() {
        let vfs = SimVfs::new(1);
        let (db, models) = random_database(&vfs, options, 40);
        for mvcc in [true, false] {
            let copy = replica(mvcc);
            assert_eq!(catch_up(&db, &copy), 40);
            assert_eq!(commits(&copy), commits(&db), "sequences, times, notes and hashes");
            compare_head(&copy, models.last().unwrap());
            check_clean(&copy);
        }
    }
}

// spec: LOG-16
#[test]
fn entries_may_be_told_again() {
    let (db, _) = random_database(&SimVfs::new(1), on(), 20);
    let told = entries(&db);
    let copy = replica(true);
    // All of it twice, the second time from the middle.
    copy.apply_changelog(ok(&told)).unwrap();
    let again = copy.apply_changelog(ok(&told[told.len() / 2..])).unwrap();
    assert_eq!((again.commits, again.entries), (0, 0));
    assert_eq!(again.skipped as usize, told.len() - told.len() / 2);
    assert_same(&copy, &db);
    // Each entry twice, and each commit begun and told anew: as a queue delivers that was not
    // acknowledged.
    let copy = replica(true);
    let twice: Vec<_> = told.iter().flat_map(|entry| [entry.clone(), entry.clone()]).collect();
    assert_eq!(copy.apply_changelog(ok(&twice)).unwrap().commits, 20);
    assert_same(&copy, &db);
    let copy = replica(true);
    let mut begun = Vec::new();
    for seq in 1..=20 {
        let of: Vec<_> = told.iter().filter(|entry| entry.seq == seq).cloned().collect();
        begun.extend_from_slice(&of[..of.len() / 2]);
        begun.extend(of);
    }
    let applied = copy.apply_changelog(ok(&begun)).unwrap();
    assert_eq!((applied.commits, applied.head), (20, 20));
    assert_same(&copy, &db);
}

// spec: LOG-16
#[test]
fn a_gap_is_refused_and_what_came_before_stays() {
    let db = open(&SimVfs::new(1), on());
    fill(&db, 1, 3, 10);
    db.update(|tx| (0..6).try_for_each(|n: u8| tx.put([n], [n]))).unwrap();
    fill(&db, 5, 6, 10);
    let told = entries(&db);
    let without = |gone: &dyn Fn(&ChangelogEntry) -> bool| -> Vec<_> {
        told.iter().filter(|entry| !gone(entry)).cloned().collect()
    };
    let copy = replica(true);
    let refused = copy.apply_changelog(ok(&without(&|entry| entry.seq == 3)));
    refused!(refused, Error::ChangelogGap { first: 3, last: 3 });
    assert_eq!(copy.head().unwrap(), 2);
    let refused = copy.apply_changelog(ok(&without(&|entry| entry.seq < 6)));
    refused!(refused, Error::ChangelogGap { first: 3, last: 5 });
    // Within a commit: its beginning, its middle, its end.
    for index in [0, 3, 5] {
        let lacking = without(&|entry| entry.seq == 4 && entry.index == index);
        let refused = copy.apply_changelog(ok(&lacking));
        refused!(refused, Error::ChangelogGap { first: 4, last: 4 });
        assert_eq!(copy.head().unwrap(), 3);
        assert_eq!(rows(&copy).len(), 3, "nothing of the commit is there");
    }
    // A commit that does not come to its end is left for the next call.
    let upto: Vec<_> = told.iter().take(3 + 4).cloned().collect();
    let applied = copy.apply_changelog(ok(&upto)).unwrap();
    assert_eq!((applied.head, applied.commits, applied.skipped), (3, 0, 7));
    let from_the_middle = copy.apply_changelog(ok(&told[3 + 4..]));
    refused!(from_the_middle, Error::ChangelogGap { first: 4, .. });
    assert_eq!(catch_up(&db, &copy), 3);
    assert_same(&copy, &db);
    // An error among the entries ends it.
    let copy = replica(true);
    let failing = ok(&told[..2]).chain([Err(Error::ChangelogGap { first: 7, last: 9 })]);
    refused!(copy.apply_changelog(failing), Error::ChangelogGap { first: 7, last: 9 });
    assert_eq!(copy.head().unwrap(), 2);
    put(&copy, "writable", "").unwrap();
}

// spec: LOG-16, LOG-17
#[test]
fn another_history_is_refused_at_the_first_commit_that_differs() {
    let [a, b] = [1, 2].map(|seed| open(&SimVfs::new(seed), on()));
    for db in [&a, &b] {
        for n in 1..=3 {
            crate::changelog_support::timed(db, n, |tx| tx.put(format!("k{n}"), "same"));
        }
    }
    put(&a, "k", "a").unwrap();
    put(&b, "k", "b").unwrap();
    put(&b, "l", "b").unwrap();
    let copy = replica(true);
    catch_up(&a, &copy);
    refused!(copy.apply_changelog(ok(&entries(&b))), Error::HistoryDiverged { seq: 4 });
    let after = b.read_changelog_since(4).unwrap();
    refused!(copy.apply_changelog(after), Error::HistoryDiverged { seq: 5 });
    refused!(
        b.read_changelog(copy.next_cursor().unwrap(), ChangelogFilter::new())
            .and_then(|mut read| read.next().unwrap()),
        Error::HistoryDiverged { seq: 4 }
    );
    assert_same(&copy, &a);
    // A commit of its own.
    let copy = replica(true);
    put(&copy, "own", "").unwrap();
    refused!(copy.apply_changelog(ok(&entries(&a))), Error::HistoryDiverged { seq: 1 });
    refused!(
        copy.apply_changelog(a.read_changelog_since(1).unwrap()),
        Error::HistoryDiverged { seq: 2 }
    );
    assert_eq!(rows(&copy).len(), 1);
}

// spec: LOG-16, LOG-17
#[test]
fn an_entry_that_was_changed_on_the_way_is_refused() {
    let (db, _) = random_database(&SimVfs::new(1), on(), 15);
    let told = entries(&db);
    for at in (0..told.len()).step_by(5) {
        let mut changed = told.clone();
        let seq = changed[at].seq;
        match at % 3 {
            _ if changed[at].key.is_none() => changed[at].note = Some("another".into()),
            0 => changed[at].key = Some(b"another".into()),
            1 => changed.iter_mut().filter(|entry| entry.seq == seq).for_each(|entry| {
                entry.time = hexxladb::Timestamp::from_nanos(entry.time.as_nanos() + 1);
            }),
            _ => changed[at].history_hash[3] ^= 1,
        }
        let copy = replica(true);
        let refused = copy.apply_changelog(ok(&changed));
        assert!(
            matches!(&refused, Err(Error::HistoryDiverged { seq: at }) if *at == seq)
                || matches!(
                    &refused,
                    Err(Error::InvalidRecord { .. } | Error::InvalidArgument { .. })
                ),
            "{at}: {refused:?}"
        );
        assert_eq!(copy.head().unwrap(), seq - 1);
        check_clean(&copy);
        assert_eq!(catch_up(&db, &copy), 16 - seq);
        assert_same(&copy, &db);
    }
}

// spec: LOG-16
#[test]
fn entries_without_values_are_refused() {
    for values in [ChangelogValues::Hash, ChangelogValues::None] {
        let options = light().changelog(ChangelogOptions::new().values(values));
        let db = open(&SimVfs::new(1), options);
        fill(&db, 1, 2, 10);
        let copy = replica(true);
        refused!(copy.apply_changelog(ok(&entries(&db))), Error::InvalidArgument { .. });
        assert_eq!(copy.head().unwrap(), 0);
        put(&copy, "writable", "").unwrap();
    }
}

// spec: LOG-16
#[test]
fn a_delete_is_not_cascaded_again() {
    let db = open(&SimVfs::new(1), on());
    let (a, b) = (coord(0, 0), coord(1, 0));
    db.update(|tx| {
        tx.put_cell(a, &Cell::new("a"))?;
        tx.put_facet(a, facet_id(0), &Facet::default())?;
        tx.put_edge(a, b, "to", &Edge::new(1.0))
    })
    .unwrap();
    // What hung on the cell is put again in the same transaction.
    db.update(|tx| {
        tx.delete_cell(a)?;
        tx.put_facet(a, facet_id(0), &Facet::default())?;
        tx.put_edge(a, b, "to", &Edge::new(2.0))
    })
    .unwrap();
    assert_eq!(
        shown_of(&entries(&db), 2),
        ["delete cell/(0,0)", "put facet/(0,0)/0", "put edge/(0,0)/(1,0)/to"]
    );
    for mvcc in [true, false] {
        let copy = replica(mvcc);
        assert_eq!(catch_up(&db, &copy), 2);
        assert_eq!(commits(&copy), commits(&db));
        copy.view(|tx| {
            assert!(tx.get_facet(a, facet_id(0))?.is_some());
            assert_eq!(tx.get_edge(a, b, "to")?.unwrap().weight.to_string(), "2");
            assert!(tx.get_cell(a)?.is_none());
            Ok::<_, Error>(())
        })
        .unwrap();
        check_clean(&copy);
    }
}

// spec: LOG-16
#[test]
fn a_replica_that_was_killed_goes_on() {
    let source = SimVfs::new(1);
    let (db, _) = random_database(&source, on(), 50);
    let told = entries(&db);
    let vfs = SimVfs::new(2);
    let mut copy = open(&vfs, light());
    let mut random = Random::new(4);
    let mut at = 0;
    for round in 0..12 {
        let cursor = copy.next_cursor().unwrap();
        let some = 1 + random.below(60) as usize;
        let rest = db.read_changelog(cursor, ChangelogFilter::new()).unwrap().take(some);
        let applied = copy.apply_changelog(rest).unwrap();
        assert!(applied.head >= at);
        at = applied.head;
        if round % 3 == 2 {
            drop(copy);
            vfs.power_cut_with(&vfs.pending().none());
            copy = open(&vfs, light());
        } else {
            copy = reopened(&vfs, copy, &light(), round);
        }
        assert_eq!(copy.head().unwrap(), at, "what was repeated is durable");
    }
    assert!(at > 0);
    catch_up(&db, &copy);
    assert_same(&copy, &db);
    assert_eq!(entries(&db), told);
}

// spec: TXN-23, LOG-16
#[test]
fn an_empty_database_takes_over_a_snapshot_and_goes_on() {
    for options in both_on() {
        let vfs = SimVfs::new(1);
        let (db, mut models) = random_database(&vfs, options.clone(), 30);
        let mvcc = db.format_version() == 2;
        for target in [true, false] {
            let copy_vfs = SimVfs::new(2);
            let copy = open(&copy_vfs, light().mvcc(target));
            let told = std::sync::Arc::new(std::sync::Mutex::new(0));
            let heard = std::sync::Arc::clone(&told);
            let progress: hexxladb::Progress =
                std::sync::Arc::new(move |done| *heard.lock().unwrap() = done);
            let how = Seed { progress: Some(progress), ..Seed::default() };
            let snapshot = db.snapshot().unwrap();
            let count = copy.seed_from(&snapshot, &how).unwrap();
            assert_eq!(*told.lock().unwrap(), count);
            assert_eq!(copy.head().unwrap(), db.head().unwrap());
            compare_head(&copy, models.last().unwrap());
            let hash = |db: &Db| db.view(hexxladb::ReadTx::history_hash).unwrap();
            assert_eq!(hash(&copy), hash(&db));
            assert_eq!(commits(&copy), commits(&db)[db.head().unwrap() as usize - 1..]);
            if target {
                refused!(
                    copy.view_at(db.head().unwrap() - 1, |tx| tx.get("k")),
                    Error::SnapshotPruned { .. }
                );
            }
            check_clean(&copy);
            // Not a second time.
            refused!(copy.seed_from(&snapshot, &Seed::default()), Error::InvalidArgument { .. });
            // The frame is replayed; and so is one that a checkpoint has written.
            let mut copy = copy;
            for how in 0..4 {
                copy = reopened(&copy_vfs, copy, &light().mvcc(target), how);
                assert_eq!(hash(&copy), hash(&db));
                compare_head(&copy, models.last().unwrap());
                check_clean(&copy);
                random_commits(&db, &mut Random::new(how), &mut models, 3);
                assert_eq!(catch_up(&db, &copy), 3);
                assert_eq!(hash(&copy), hash(&db));
            }
            if target && mvcc {
                let first = commits(&copy)[0].seq;
                compare_from(&copy, first, &models);
            }
        }
    }
}

// spec: TXN-23
#[test]
fn only_an_empty_database_without_changelog_takes_over_a_state() {
    let (db, _) = random_database(&SimVfs::new(1), on(), 5);
    let snapshot = db.snapshot().unwrap();
    let busy = replica(true);
    put(&busy, "k", "").unwrap();
    refused!(busy.seed_from(&snapshot, &Seed::default()), Error::InvalidArgument { .. });
    assert_eq!(rows(&busy).len(), 1);
    let with = open(&SimVfs::new(2), on());
    refused!(with.seed_from(&snapshot, &Seed::default()), Error::InvalidArgument { .. });
    put(&with, "k", "").unwrap();
    let empty = open(&SimVfs::new(3), on()).snapshot().unwrap();
    refused!(replica(true).seed_from(&empty, &Seed::default()), Error::InvalidArgument { .. });
    let read_only = SimVfs::new(4);
    open(&read_only, light()).close().unwrap();
    let read_only = open(&read_only, light().read_only(true));
    refused!(read_only.seed_from(&snapshot, &Seed::default()), Error::ReadOnly);
}

// spec: TXN-23
#[test]
fn a_cancelled_takeover_leaves_nothing() {
    let db = open(&SimVfs::new(1), on());
    // More than one step, more than one frame.
    db.update(|tx| (0..5000u32).try_for_each(|n| tx.put(n.to_be_bytes(), [7; 200]))).unwrap();
    let snapshot = db.snapshot().unwrap();
    let vfs = SimVfs::new(2);
    let copy = open(&vfs, light());
    let mut how = Seed::default();
    let cancel = CancelToken::new();
    how.cancel = Some(cancel.clone());
    how.progress = Some(std::sync::Arc::new(move |done| {
        if done > 2000 {
            cancel.cancel();
        }
    }));
    refused!(copy.seed_from(&snapshot, &how), Error::Cancelled { done } if done > 2000);
    assert_eq!((copy.head().unwrap(), rows(&copy).len()), (0, 0));
    check_clean(&copy);
    let copy = reopened(&vfs, copy, &light(), 0);
    assert_eq!((copy.head().unwrap(), rows(&copy).len()), (0, 0));
    assert_eq!(copy.seed_from(&snapshot, &Seed::default()).unwrap(), 5000);
    let copy = reopened(&vfs, copy, &light(), 0);
    assert_eq!((copy.head().unwrap(), rows(&copy).len()), (1, 5000));
    check_clean(&copy);
    assert_eq!(rows(&copy), rows(&db));
}

// spec: TXN-23, DUR-05
#[test]
fn a_takeover_is_there_whole_or_not_at_all_after_any_crash() {
    let (db, models) = random_database(&SimVfs::new(1), on(), 25);
    let snapshot = db.snapshot().unwrap();
    let vfs = SimVfs::new(2);
    let copy = open(&vfs, light());
    vfs.set_capture(true);
    copy.seed_from(&snapshot, &Seed::default()).unwrap();
    copy.checkpoint().unwrap();
    catch_up(&db, &copy);
    copy.close().unwrap();
    vfs.set_capture(false);
    let mut outcomes = [0, 0];
    for (_, crashed) in vfs.take_captures() {
        for keep in [false, true] {
            let world = crashed.fork();
            let pending = world.pending();
            world.power_cut_with(&if keep { pending.all() } else { pending.none() });
            let copy = open(&world, light());
            check_clean(&copy);
            match copy.head().unwrap() {
                0 => assert!(rows(&copy).is_empty()),
                head => {
                    assert_eq!(head, 25);
                    compare_head(&copy, &models[25]);
                }
            }
            outcomes[usize::from(copy.head().unwrap() > 0)] += 1;
        }
    }
    assert!(outcomes.iter().all(|&count| count > 0), "{outcomes:?}");
}

// spec: TXN-23, LOG-07
#[test]
fn a_replica_that_took_over_a_state_may_keep_a_changelog_from_then_on() {
    let (db, _) = random_database(&SimVfs::new(1), on(), 10);
    let vfs = SimVfs::new(2);
    let copy = open(&vfs, light());
    copy.seed_from(&db.snapshot_at(7).unwrap(), &Seed::default()).unwrap();
    copy.close().unwrap();
    let copy = open(&vfs, on());
    assert!(entries(&copy).is_empty());
    assert_eq!(catch_up(&db, &copy), 3);
    assert_eq!(entries(&copy), all(db.read_changelog_since(7).unwrap()));
    kill(&vfs, copy);
    let copy = open(&vfs, on());
    assert_eq!(seqs(&entries(&copy)), [8, 9, 10]);
    let below = copy.read_changelog(ChangelogCursor::after(5), ChangelogFilter::new());
    refused!(below.unwrap().next().unwrap(), Error::ChangelogTruncated { oldest: 8 });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    // spec: LOG-16, LOG-04
    #[test]
    fn the_whole_changelog_replayed_is_the_source(
        seed in 0u64..1_000_000,
        rounds in prop::collection::vec((0u64..6, 1usize..12), 1..7),
        mvcc in any::<bool>(),
    ) {
        let vfs = SimVfs::new(seed);
        let options = on().mvcc(mvcc).changelog(crate::changelog_support::small_changelog());
        let mut db = open(&vfs, options.clone());
        let (mut random, mut models) = (Random::new(seed), vec![Model::default()]);
        for (how, count) in rounds {
            random_commits(&db, &mut random, &mut models, count);
            match how {
                0..=2 => db = reopened(&vfs, db, &options, how),
                3 => db.rotate_changelog().unwrap(),
                4 if mvcc => { prune_all(&db, db.head().unwrap() / 2, 7); }
                _ => {}
            }
        }
        let copy = replica(mvcc);
        prop_assert_eq!(catch_up(&db, &copy), db.head().unwrap());
        let floor = if mvcc { db.stats_mvcc().unwrap().oldest_readable_seq } else { 0 };
        if floor == 0 {
            assert_same(&copy, &db);
        } else {
            compare_from(&copy, 0, &models);
            prune_all(&copy, floor, 7);
            compare_from(&copy, floor, &models);
        }
        compare_head(&copy, models.last().unwrap());
        check_clean(&copy);
    }
}
