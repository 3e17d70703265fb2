//! Reading the changelog through a handle: from any place, filtered, beside commits, waiting for
//! them; and what is told where entries are missing.
#![expect(clippy::disallowed_methods, reason = "followers wait on threads of their own")]

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use hexxladb::vfs::MemoryVfs;
use hexxladb::vfs::sim::SimVfs;
use hexxladb::{
    CancelToken, ChangelogCursor, ChangelogFilter, ChangelogOp, ChangelogOptions, Db, Durability,
    Error, Follow,
};

use crate::changelog_support::{
    both_on, entries, fill, kill, on, random_database, reader, seqs, small_changelog, until_error,
};
use crate::gate::GateVfs;
use crate::support::{light, open, options, put, refused};
use crate::support_records::all;

// spec: LOG-06, LOG-07
#[test]
fn every_cursor_reads_what_comes_from_there_on() {
    for options in both_on() {
        let vfs = SimVfs::new(1);
        let (db, _) = random_database(&vfs, options.changelog(small_changelog()), 60);
        db.rotate_changelog().unwrap();
        fill(&db, 61, 90, 2500);
        db.checkpoint().unwrap();
        fill(&db, 91, 100, 300);
        assert!(db.changelog_info().unwrap().segments.len() > 2);
        let whole = entries(&db);
        assert_eq!(seqs(&whole), (1..=100).collect::<Vec<_>>());
        let read = |cursor| all(db.read_changelog(cursor, ChangelogFilter::new()).unwrap());
        let read_files = |cursor| all(reader(&vfs).read(cursor, ChangelogFilter::new()).unwrap());
        for seq in 0..=100 {
            let rest: Vec<_> = whole.iter().filter(|entry| entry.seq > seq).cloned().collect();
            assert_eq!(all(db.read_changelog_since(seq).unwrap()), rest);
            assert_eq!(all(reader(&vfs).read_since(seq).unwrap()), rest);
        }
        for (at, entry) in whole.iter().enumerate() {
            let from = ChangelogCursor::at(entry.seq, entry.index);
            assert_eq!(read(from), whole[at..]);
            // After an entry, in its own history.
            assert_eq!(read(entry.next()), whole[at + 1..]);
            assert_eq!(read_files(entry.next()), whole[at + 1..]);
        }
        assert_eq!(read(ChangelogCursor::START), whole);
        // An index that no entry of a commit has: what comes after it.
        let beyond = whole.iter().filter(|entry| entry.seq > 50).count();
        assert_eq!(read(ChangelogCursor::at(50, 99)).len(), beyond);
    }
}

// spec: LOG-06
#[test]
fn reading_ends_at_the_commit_that_was_newest_when_it_began() {
    let db = open(&MemoryVfs::new(), options().changelog(ChangelogOptions::new()));
    fill(&db, 1, 3, 10);
    let mut early = db.read_changelog_since(0).unwrap();
    assert_eq!(early.next().unwrap().unwrap().seq, 1);
    assert_eq!(early.cursor().seq, 2);
    fill(&db, 4, 6, 10);
    db.rotate_changelog().unwrap();
    assert_eq!(seqs(&all(early.by_ref())), [2, 3]);
    assert!(early.next().is_none() && early.next().is_none());
    assert_eq!(early.cursor().seq, 4);
    assert_eq!(all(db.read_changelog(early.cursor(), ChangelogFilter::new()).unwrap()).len(), 3);
    db.close().unwrap();
    refused!(db.read_changelog_since(0), Error::DatabaseClosed);
}

// spec: LOG-07
#[test]
fn filters_let_pass_by_operation_family_and_key() {
    let vfs = SimVfs::new(1);
    let (db, _) = random_database(&vfs, on(), 80);
    db.update(|tx| tx.set_note("alone")).unwrap();
    let whole = entries(&db);
    let filtered = |filter: ChangelogFilter| {
        let found = all(db.read_changelog(ChangelogCursor::START, filter.clone()).unwrap());
        let of_files = all(reader(&vfs).read(ChangelogCursor::START, filter).unwrap());
        assert_eq!(found, of_files);
        found
    };
    for op in ChangelogOp::ALL {
        let expected: Vec<_> = whole.iter().filter(|entry| entry.op == op).cloned().collect();
        assert!(!expected.is_empty(), "{op}");
        assert_eq!(filtered(ChangelogFilter::new().op(op)), expected);
    }
    for family in ["raw", "cell", "facet", "edge", "seam"] {
        let of = |entry: &&hexxladb::ChangelogEntry| entry.family() == Some(family);
        let expected: Vec<_> = whole.iter().filter(of).cloned().collect();
        assert!(!expected.is_empty(), "{family}");
        assert_eq!(filtered(ChangelogFilter::new().family(family)), expected);
        assert_eq!(filtered(ChangelogFilter::new().key_prefix(format!("{family}/"))), expected);
    }
    let both = ChangelogFilter::new().family("cell").family("edge").op(ChangelogOp::Delete);
    let expected = whole.iter().filter(|entry| {
        entry.op == ChangelogOp::Delete && ["cell", "edge"].contains(&entry.family().unwrap_or(""))
    });
    assert_eq!(filtered(both), expected.cloned().collect::<Vec<_>>());
    let at_origin = filtered(ChangelogFilter::new().key_prefix("facet/(0,0)/"));
    assert!(!at_origin.is_empty() && at_origin.len() < whole.len());
    assert!(filtered(ChangelogFilter::new().family("cell").key_prefix("raw/")).is_empty());
    assert!(filtered(ChangelogFilter::new().family("no such family")).is_empty());
    // The cursor passes what the filter held back.
    let mut none =
        db.read_changelog(ChangelogCursor::START, ChangelogFilter::new().family("none")).unwrap();
    assert!(none.next().is_none());
    assert_eq!((none.cursor().seq, none.cursor().index), (82, 0));
}

// spec: LOG-07
#[test]
fn a_cursor_above_head_is_refused() {
    let db = open(&SimVfs::new(1), on());
    fill(&db, 1, 3, 10);
    assert!(db.read_changelog_since(3).unwrap().next().is_none());
    refused!(db.read_changelog_since(4), Error::ReadSeqFuture { seq: 5, head: 3 });
    let beyond = ChangelogCursor::at(4, 1);
    refused!(
        db.read_changelog(beyond, ChangelogFilter::new()),
        Error::ReadSeqFuture { seq: 4, head: 3 }
    );
    refused!(
        db.follow(ChangelogCursor::after(u64::MAX), Follow::new()),
        Error::ReadSeqFuture { .. }
    );
    refused!(db.read_changelog_since(u64::MAX), Error::ReadSeqFuture { .. });
}

// spec: LOG-07
#[test]
fn below_the_oldest_entry_it_is_truncated() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, light());
    fill(&db, 1, 5, 10);
    drop(db);
    // Turned on at head: nothing of before is in it.
    let db = open(&vfs, on());
    assert!(entries(&db).is_empty());
    fill(&db, 6, 7, 10);
    assert_eq!(seqs(&entries(&db)), [6, 7]);
    assert_eq!(db.changelog_info().unwrap().oldest, Some(6));
    for seq in 1..=5 {
        for mut read in [
            db.read_changelog(ChangelogCursor::at(seq, 0), ChangelogFilter::new()).unwrap(),
            reader(&vfs).read(ChangelogCursor::at(seq, 0), ChangelogFilter::new()).unwrap(),
        ] {
            refused!(read.next().unwrap(), Error::ChangelogTruncated { oldest: 6 });
            assert!(read.next().is_none(), "an error is told once");
        }
    }
    assert_eq!(seqs(&all(db.read_changelog_since(5).unwrap())), [6, 7]);
}

// spec: LOG-07, LOG-12, OPT-17, LOG-19
#[test]
fn commits_while_it_was_off_are_a_declared_gap() {
    for mvcc in [true, false] {
        for closed in [true, false] {
            let vfs = SimVfs::new(1);
            let on = on().mvcc(mvcc);
            let end = |db: Db| if closed { db.close().unwrap() } else { kill(&vfs, db) };
            let db = open(&vfs, on.clone());
            fill(&db, 1, 3, 10);
            end(db);
            let db = open(&vfs, light().mvcc(mvcc));
            refused!(db.read_changelog_since(0), Error::ChangelogDisabled);
            fill(&db, 4, 6, 10);
            end(db);
            let db = open(&vfs, on.clone());
            fill(&db, 7, 9, 10);
            let (found, error) = until_error(db.read_changelog_since(0).unwrap());
            assert_eq!(seqs(&found), [1, 2, 3]);
            assert!(matches!(error, Some(Error::ChangelogGap { first: 4, last: 6 })), "{error:?}");
            let (found, error) = until_error(reader(&vfs).read_since(0).unwrap());
            assert_eq!(seqs(&found), [1, 2, 3]);
            assert!(matches!(error, Some(Error::ChangelogGap { first: 4, last: 6 })), "{error:?}");
            for seq in 3..6 {
                let mut within = db.read_changelog_since(seq).unwrap();
                refused!(within.next().unwrap(), Error::ChangelogGap { first: 4, last: 6 });
            }
            assert_eq!(seqs(&all(db.read_changelog_since(6).unwrap())), [7, 8, 9]);
            // Off and on again without a commit between: no gap.
            end(db);
            end(open(&vfs, light().mvcc(mvcc)));
            let db = open(&vfs, on.clone());
            fill(&db, 10, 11, 10);
            assert_eq!(seqs(&all(db.read_changelog_since(6).unwrap())), [7, 8, 9, 10, 11]);
            let verified = reader(&vfs).verify(None).unwrap();
            assert_eq!(verified.gaps, [(4, 6)]);
            assert_eq!((verified.commits, verified.hashes), (8, 8));
        }
    }
}

// spec: LOG-17
#[test]
fn a_cursor_of_another_history_is_refused() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, on());
    fill(&db, 1, 4, 10);
    db.rotate_changelog().unwrap();
    fill(&db, 5, 6, 10);
    let own: Vec<_> = entries(&db).iter().map(hexxladb::ChangelogEntry::next).collect();
    let other = open(&SimVfs::new(2), on());
    fill(&other, 1, 6, 11);
    for (at, foreign) in entries(&other).iter().enumerate() {
        let cursor = foreign.next();
        assert_eq!(own[at].seq, cursor.seq);
        let first = |read: hexxladb::Result<hexxladb::ChangelogEntries>| read?.next().unwrap();
        let follow = Follow::new().timeout(Duration::ZERO);
        for told in [
            first(db.read_changelog(cursor, ChangelogFilter::new())),
            first(reader(&vfs).read(cursor, ChangelogFilter::new())),
            db.follow(cursor, follow).and_then(|mut follow| follow.next().unwrap()),
        ] {
            refused!(told, Error::HistoryDiverged { seq } if seq == foreign.seq);
        }
    }
}

/// Commits that followers see.
const COMMITS: u64 = 300;

// spec: LOG-09
#[test]
fn a_follower_sees_each_commit_once_from_another_thread() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, light().changelog(small_changelog()));
    std::thread::scope(|scope| {
        let followers: Vec<_> = (0..3)
            .map(|kind| {
                let (db, vfs) = (&db, vfs.clone());
                scope.spawn(move || {
                    let follow = Follow::new().timeout(Duration::from_secs(20));
                    let mut live = match kind {
                        2 => reader(&vfs).follow(ChangelogCursor::START, follow).unwrap(),
                        _ => db.follow(ChangelogCursor::START, follow).unwrap(),
                    };
                    let mut found = Vec::new();
                    while found.len() < COMMITS as usize {
                        found.push(live.next().expect("in time").unwrap());
                    }
                    found
                })
            })
            .collect();
        // The reader of files finds a header that names the changelog.
        for seq in 1..=COMMITS {
            fill(&db, seq, seq, 200);
            if seq % 40 == 0 {
                db.rotate_changelog().unwrap();
            }
        }
        let truth = entries(&db);
        for follower in followers {
            assert_eq!(follower.join().unwrap(), truth);
        }
    });
}

// spec: LOG-09
#[test]
fn a_follower_waits_no_longer_than_it_is_told() {
    let db = open(&MemoryVfs::new(), options().changelog(ChangelogOptions::new()));
    fill(&db, 1, 1, 10);
    let wait = Duration::from_millis(60);
    let mut live = db.follow(ChangelogCursor::START, Follow::new().timeout(wait)).unwrap();
    assert_eq!(live.next().unwrap().unwrap().seq, 1);
    let begun = Instant::now();
    assert!(live.next().is_none());
    assert!(begun.elapsed() >= wait && begun.elapsed() < Duration::from_secs(5));
    // It may be asked again.
    assert!(live.next().is_none());
    fill(&db, 2, 3, 10);
    assert_eq!(live.try_next().unwrap().unwrap().seq, 2);
    assert_eq!(live.next().unwrap().unwrap().seq, 3);
    assert!(live.try_next().unwrap().is_none());
    // Entries that the filter holds back do not end the waiting.
    let filter = ChangelogFilter::new().op(ChangelogOp::Delete);
    let mut live =
        db.follow(ChangelogCursor::START, Follow::new().filter(filter).timeout(wait)).unwrap();
    assert!(live.next().is_none());
    assert_eq!(live.cursor().seq, 4);
    db.update(|tx| tx.delete("k2")).unwrap();
    assert_eq!(live.next().unwrap().unwrap().seq, 4);
}

// spec: LOG-09
#[test]
fn a_follower_is_cancelled_from_elsewhere_and_ends_with_the_handle() {
    let db = open(&MemoryVfs::new(), options().changelog(ChangelogOptions::new()));
    fill(&db, 1, 1, 10);
    let cancel = CancelToken::new();
    let (said, hear) = channel();
    std::thread::scope(|scope| {
        let (db, token, said) = (&db, cancel.clone(), &said);
        scope.spawn(move || {
            let mut live =
                db.follow(ChangelogCursor::after(1), Follow::new().cancel(token)).unwrap();
            said.send(true).unwrap();
            let ended = live.next().is_none() && live.next().is_none();
            said.send(ended).unwrap();
        });
        assert!(hear.recv_timeout(Duration::from_secs(10)).unwrap());
        assert!(hear.recv_timeout(Duration::from_millis(120)).is_err(), "it waits");
        cancel.cancel();
        assert_eq!(hear.recv_timeout(Duration::from_secs(10)), Ok(true));
    });
    std::thread::scope(|scope| {
        let (db, said) = (&db, &said);
        scope.spawn(move || {
            let mut live = db.follow(ChangelogCursor::after(1), Follow::new()).unwrap();
            said.send(true).unwrap();
            let closed = matches!(live.next(), Some(Err(Error::DatabaseClosed)));
            said.send(closed && live.next().is_none()).unwrap();
        });
        assert!(hear.recv_timeout(Duration::from_secs(10)).unwrap());
        db.close().unwrap();
        assert_eq!(hear.recv_timeout(Duration::from_secs(10)), Ok(true));
    });
}

// spec: LOG-04, LOG-11
#[test]
fn only_synced_commits_are_shown() {
    let vfs = GateVfs::default();
    let options = options().changelog(ChangelogOptions::new()).durability(Durability::Buffered);
    let db = open(&vfs, options);
    put(&db, "a", "1").unwrap();
    put(&db, "b", "1").unwrap();
    assert_eq!(db.head().unwrap(), 2);
    // Acknowledged, and not yet durable.
    assert!(db.read_changelog_since(0).unwrap().next().is_none());
    assert!(reader(&vfs).read_since(0).unwrap().next().is_none());
    assert!(db.read_changelog_since(2).unwrap().next().is_none());
    refused!(db.read_changelog_since(3), Error::ReadSeqFuture { seq: 4, head: 2 });
    db.sync().unwrap();
    assert_eq!(seqs(&entries(&db)), [1, 2]);
    put(&db, "c", "1").unwrap();
    assert_eq!(seqs(&entries(&db)), [1, 2]);
    assert_eq!(seqs(&all(reader(&vfs).read_since(0).unwrap())), [1, 2]);
    db.close().unwrap();
    assert_eq!(seqs(&all(reader(&vfs).read_since(0).unwrap())), [1, 2, 3]);
}

// spec: LOG-04, LOG-11
#[test]
fn a_commit_under_way_is_not_shown_before_its_sync() {
    let vfs = GateVfs::default();
    let db = open(&vfs, options().changelog(ChangelogOptions::new()));
    put(&db, "first", "1").unwrap();
    vfs.gate.shut();
    std::thread::scope(|scope| {
        scope.spawn(|| put(&db, "second", "1").unwrap());
        vfs.gate.wait_for_one();
        assert_eq!(seqs(&entries(&db)), [1]);
        assert_eq!(seqs(&all(reader(&vfs).read_since(0).unwrap())), [1]);
        vfs.gate.open();
    });
    assert_eq!(seqs(&entries(&db)), [1, 2]);
    assert_eq!(seqs(&all(reader(&vfs).read_since(0).unwrap())), [1, 2]);
}
