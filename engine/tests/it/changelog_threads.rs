//! The changelog beside itself: followers, readers, rotation, trimming, archiving and closing on
//! threads of their own; disks that fill up or fail; processes that are killed.
#![expect(
    clippy::disallowed_methods,
    reason = "threads, files and processes are what this is about"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hexxladb::vfs::MemoryVfs;
use hexxladb::vfs::sim::{Effect, SimVfs, Target};
use hexxladb::{
    ChangelogCursor, ChangelogEntry, ChangelogFilter, ChangelogReader, Db, Error, Follow,
};

use crate::changelog_support::{
    assert_history, entries, entries_in_files, fill, kill, on, reader, seqs, small_changelog,
    until_error,
};
use crate::gate::GateVfs;
use crate::support::{check_clean, get, light, open, put};
use crate::support_records::all;

/// Commits that are made beside the others.
const COMMITS: u64 = 900;

// spec: LOG-04, LOG-09, LOG-10, LOG-11
#[test]
fn followers_readers_rotation_and_archives_beside_writers() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, light().changelog(small_changelog()));
    let over = AtomicBool::new(false);
    let follow = || Follow::new().timeout(Duration::from_secs(30));
    std::thread::scope(|scope| {
        let mut followers = Vec::new();
        for kind in 0..4 {
            let (db, vfs) = (&db, vfs.clone());
            followers.push(scope.spawn(move || {
                let mut found: Vec<ChangelogEntry> = Vec::new();
                let take = |live: &mut dyn Iterator<Item = hexxladb::Result<ChangelogEntry>>,
                            found: &mut Vec<ChangelogEntry>,
                            count: usize| {
                    for _ in 0..count {
                        if found.last().is_some_and(|last| last.seq == COMMITS) {
                            return;
                        }
                        found.push(live.next().expect("in time").unwrap());
                    }
                };
                // From anew every so often, at the cursor that the last entry gives.
                while found.last().is_none_or(|last| last.seq < COMMITS) {
                    let at = found.last().map_or(ChangelogCursor::START, ChangelogEntry::next);
                    if kind % 2 == 0 {
                        take(&mut db.follow(at, follow()).unwrap(), &mut found, 170);
                    } else {
                        let mut live = reader(&vfs).follow(at, follow()).unwrap();
                        take(&mut live, &mut found, 130);
                    }
                }
                found
            }));
        }
        let writers: Vec<_> = (0..3u64)
            .map(|writer| {
                let db = &db;
                scope.spawn(move || {
                    for n in 0..COMMITS / 3 {
                        put(db, format!("{writer}/{n}"), vec![n as u8; 300]).unwrap();
                    }
                })
            })
            .collect();
        let (db_ref, over_ref, archive_vfs) = (&db, &over, vfs.clone());
        let upkeep = scope.spawn(move || {
            let mut archived = BTreeSet::new();
            while !over_ref.load(Ordering::SeqCst) {
                db_ref.rotate_changelog().unwrap();
                archived.extend(db_ref.archive_changelog("/archive").unwrap());
                db_ref.changelog_info().unwrap();
                let info = reader(&archive_vfs).info().unwrap();
                assert!(info.segments.windows(2).all(|pair| pair[0].last == pair[1].base));
            }
            archived.len()
        });
        for writer in writers {
            writer.join().unwrap();
        }
        over.store(true, Ordering::SeqCst);
        assert!(upkeep.join().unwrap() > 0);
        let truth = entries(&db);
        assert_history(&db, 0, &truth);
        for follower in followers {
            assert!(follower.join().unwrap() == truth);
        }
    });
    let archive = ChangelogReader::open_archive_with(Arc::new(vfs.clone()), "/archive").unwrap();
    let archived = all(archive.read_since(0).unwrap());
    assert!(archived[..] == entries(&db)[..archived.len()]);
    check_clean(&db);
}

// spec: LOG-08, LOG-10
#[test]
fn trimming_beside_readers_takes_nothing_that_a_consumer_has_not_read() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, light().changelog(small_changelog().keep_bytes(1)));
    let slow = db.changelog_consumer("slow").unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 0..COMMITS {
                put(&db, n.to_string(), vec![n as u8; 300]).unwrap();
                if n % 20 == 0 {
                    db.rotate_changelog().unwrap();
                    db.trim_changelog().unwrap();
                }
            }
        });
        // One that nothing waits for: it sees commits in order, or is told what it missed.
        let loose = scope.spawn(|| {
            let (mut at, mut seen) = (ChangelogCursor::START, 0);
            while at.seq <= COMMITS {
                let read = db.read_changelog(at, ChangelogFilter::new()).unwrap();
                let (found, error) = until_error(read);
                let found = seqs(&found);
                assert!(found.windows(2).all(|pair| pair[0] + 1 == pair[1]));
                seen += found.len();
                if let Some(last) = found.last() {
                    assert!(at.seq <= found[0]);
                    at = ChangelogCursor::after(*last);
                }
                match error {
                    None => {}
                    Some(Error::ChangelogTruncated { oldest }) => {
                        assert!(oldest > at.seq, "{oldest} where {at} was asked for");
                        at = ChangelogCursor::at(oldest, 0);
                    }
                    Some(error) => panic!("{error:?}"),
                }
            }
            seen
        });
        let mut expected = 1;
        while expected <= COMMITS {
            let mut read = slow.read(ChangelogFilter::new()).unwrap();
            for entry in read.by_ref().take(37) {
                assert_eq!(entry.unwrap().seq, expected);
                expected += 1;
            }
            slow.advance(read.cursor()).unwrap();
        }
        writer.join().unwrap();
        assert!(loose.join().unwrap() > 0);
    });
    db.rotate_changelog().unwrap();
    assert_eq!(db.changelog_info().unwrap().segments.len(), 1);
}

// spec: LOG-09
#[test]
fn a_follower_hears_of_each_commit_at_once_beside_checkpoints() {
    // A commit that comes while a checkpoint has the changelog must not wait for the next one.
    let vfs = GateVfs::default();
    let db = open(&vfs, light().changelog(small_changelog()));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                db.rotate_changelog().unwrap();
                db.changelog_info().unwrap();
            }
        });
        let follow = Follow::new().timeout(Duration::from_secs(5));
        let mut live = db.follow(ChangelogCursor::START, follow).unwrap();
        for seq in 1..=400 {
            put(&db, "k", seq.to_string()).unwrap();
            let begun = Instant::now();
            let heard = live.next().unwrap_or_else(|| panic!("commit {seq} was not heard of"));
            assert_eq!(heard.unwrap().seq, seq);
            assert!(begun.elapsed() < Duration::from_secs(3));
        }
        over.store(true, Ordering::SeqCst);
    });
}

// spec: LOG-09
#[test]
fn closing_ends_every_follower_and_reader() {
    for _ in 0..20 {
        let vfs = MemoryVfs::new();
        let db = open(&vfs, light().changelog(small_changelog()));
        fill(&db, 1, 20, 100);
        std::thread::scope(|scope| {
            for kind in 0..4 {
                let db = &db;
                scope.spawn(move || {
                    loop {
                        let ended = match kind {
                            0 => db
                                .follow(ChangelogCursor::START, Follow::new())
                                .map(|mut live| live.find_map(Result::err)),
                            1 => db
                                .read_changelog_since(0)
                                .map(|mut read| read.find_map(Result::err)),
                            2 => db.changelog_consumer("c").map(|_| None),
                            _ => db.changelog_info().map(|_| None),
                        };
                        match ended {
                            Err(Error::DatabaseClosed) | Ok(Some(Error::DatabaseClosed)) => return,
                            Ok(None) => {}
                            other => panic!("{kind}: {other:?}"),
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(3));
            db.close().unwrap();
        });
        let db = open(&vfs, light().changelog(small_changelog()));
        assert_eq!(entries(&db).len(), 20);
    }
}

// spec: LOG-04
#[test]
fn a_full_disk_holds_writers_up_and_loses_nothing() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, on());
    // The log has its space; the changelog grows.
    for n in 0..40u32 {
        put(&db, n.to_be_bytes(), vec![1; 3000]).unwrap();
    }
    db.checkpoint().unwrap();
    vfs.set_free_sectors(Some(0));
    let (mut committed, mut refused) = (db.head().unwrap(), 0);
    for n in 0..3000u32 {
        match put(&db, n.to_be_bytes(), vec![2; 3000]) {
            Ok(seq) => committed = seq,
            Err(Error::Io(error)) => {
                assert!(error.is_no_space(), "{error:?}");
                refused += 1;
                if refused > 20 {
                    break;
                }
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(refused > 20);
    assert_eq!(db.head().unwrap(), committed);
    // What was written before is read; once there is space, all of it.
    let (found, _) = match db.read_changelog_since(0) {
        Ok(read) => until_error(read),
        Err(Error::Io(error)) => {
            assert!(error.is_no_space());
            (entries_in_files(&vfs), None)
        }
        Err(error) => panic!("{error:?}"),
    };
    assert!(!found.is_empty());
    vfs.set_free_sectors(None);
    put(&db, "after", "1").unwrap();
    assert_history(&db, 0, &entries(&db));
    assert_eq!(entries(&db), entries_in_files(&vfs));
    db.checkpoint().unwrap();
    kill(&vfs, db);
    let db = open(&vfs, on());
    assert_history(&db, 0, &entries(&db));
}

// spec: LOG-04
#[test]
fn a_disk_that_is_full_at_any_moment_loses_nothing() {
    for free in 0..60 {
        let vfs = SimVfs::new(free);
        let db = open(&vfs, on().changelog(small_changelog()));
        fill(&db, 1, 4, 200);
        vfs.set_free_sectors(Some(free));
        for n in 0..25 {
            let _ = put(&db, format!("n{n}"), vec![n; 900]);
            if n % 6 == 0 {
                let _ = db.rotate_changelog();
                let _ = db.archive_changelog("/archive");
            }
        }
        vfs.set_free_sectors(None);
        let db = if try_put(&db) { db } else { reopen_killed(&vfs, db) };
        assert_history(&db, 0, &entries(&db));
        db.rotate_changelog().unwrap();
        assert_history(&db, 0, &entries_in_files(&vfs));
        let db = reopen_killed(&vfs, db);
        assert_history(&db, 0, &entries(&db));
        check_clean(&db);
    }
}

fn try_put(db: &Db) -> bool {
    match put(db, "again", "1") {
        Ok(_) => true,
        Err(Error::Poisoned { .. } | Error::CommitUnknown { .. }) => false,
        Err(error) => panic!("{error:?}"),
    }
}

fn reopen_killed(vfs: &SimVfs, db: Db) -> Db {
    kill(vfs, db);
    open(vfs, on().changelog(small_changelog()))
}

// spec: LOG-04
#[test]
fn any_operation_that_fails_leaves_the_committed_history() {
    for target in [
        Target::Write,
        Target::Sync,
        Target::Rename,
        Target::SyncDir,
        Target::SetLen,
        Target::Open,
        Target::Read,
        Target::Remove,
        Target::List,
        Target::Len,
    ] {
        for nth in 0..24u64 {
            let vfs = SimVfs::new(nth);
            let options = on().changelog(small_changelog().keep_bytes(40_000));
            let db = open(&vfs, options.clone());
            fill(&db, 1, 5, 400);
            let mut acknowledged = 5;
            for n in 0..30u64 {
                if n == nth % 8 + 2 {
                    // The next of this kind, or a later one.
                    vfs.arm(hexxladb::vfs::sim::Fault {
                        at: vfs.ops() + nth / 8 * 3,
                        on: target,
                        effect: Effect::Eio,
                    });
                }
                if let Ok(seq) = put(&db, format!("n{n}"), vec![n as u8; 1500]) {
                    acknowledged = seq;
                }
                if n % 5 == 4 {
                    let _ = db.rotate_changelog();
                }
            }
            vfs.heal();
            let head = db.head().unwrap();
            kill(&vfs, db);
            let db = open(&vfs, options);
            let recovered = db.head().unwrap();
            assert!(recovered >= acknowledged && recovered >= head);
            let found = entries(&db);
            let oldest = found.first().map_or(recovered, |entry| entry.seq - 1);
            assert_history(&db, oldest, &found);
            fill_on(&db);
            assert_history(&db, oldest, &entries(&db));
            check_clean(&db);
        }
    }
}

fn fill_on(db: &Db) {
    let head = db.head().unwrap();
    fill(db, head + 1, head + 3, 10);
}

// spec: LOG-04, LOG-10
#[test]
fn after_a_crash_at_any_operation_it_is_the_committed_history() {
    for mvcc in [true, false] {
        let vfs = SimVfs::new(7);
        let greedy = on().mvcc(mvcc).changelog(small_changelog().keep_bytes(60_000));
        let db = open(&vfs, greedy.clone());
        let consumer = db.changelog_consumer("c").unwrap();
        let mut acknowledged = Vec::new();
        vfs.set_capture(true);
        for n in 1..=18u64 {
            put(&db, format!("n{n}"), vec![n as u8; 1800]).unwrap();
            acknowledged.push((vfs.ops(), n));
            if n % 6 == 0 {
                db.rotate_changelog().unwrap();
                consumer.advance(ChangelogCursor::after(n - 3)).unwrap();
            }
        }
        let truth = entries(&db);
        db.close().unwrap();
        drop((db, consumer));
        let db = open(&vfs, greedy.clone());
        fill(&db, 19, 20, 100);
        kill(&vfs, db);
        vfs.set_capture(false);
        let truth_of = |seq: u64| truth.iter().filter(move |entry| entry.seq == seq);
        for (op, crashed) in vfs.take_captures() {
            for keep in 0..3 {
                let world = crashed.fork();
                let pending = world.pending();
                match keep {
                    0 => world.power_cut_with(&pending.none()),
                    1 => world.power_cut_with(&pending.all()),
                    _ => drop(world.power_cut(hexxladb::vfs::sim::CutProfile::Plain)),
                }
                let db = open(&world, greedy.clone());
                let head = db.head().unwrap();
                let least = acknowledged.iter().rev().find(|(at, _)| *at <= op);
                assert!(head >= least.map_or(0, |(_, seq)| *seq));
                let found = entries(&db);
                let position = db.changelog_consumers().unwrap();
                let position = position.first().map_or(1, |info| info.position.seq.max(1));
                let oldest = found.first().map_or(head + 1, |entry| entry.seq);
                assert!(oldest <= position, "{oldest} is trimmed to, {position} is not read");
                assert_eq!(seqs(&found), (oldest..=head).collect::<Vec<_>>(), "crash at {op}");
                for entry in found.iter().filter(|entry| entry.seq <= 18) {
                    assert!(truth_of(entry.seq).eq([entry]), "{entry:?}");
                }
                assert_eq!(found, entries_in_files(&world));
                reader(&world).verify(None).unwrap();
            }
        }
    }
}

// spec: LOG-04, LOG-07
#[test]
fn a_crash_before_it_was_opened_without_changelog_loses_no_entry() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, on());
    fill(&db, 1, 5, 100);
    vfs.kill();
    drop(db);
    // The file never was synced: what the log holds is written by a handle that has it off.
    vfs.power_cut_with(&vfs.pending().none());
    let db = open(&vfs, light());
    assert_eq!(entries_in_files(&vfs).len(), 5);
    fill(&db, 6, 6, 100);
    kill(&vfs, db);
    let db = open(&vfs, on());
    let (found, error) = until_error(db.read_changelog_since(0).unwrap());
    assert_eq!(seqs(&found), [1, 2, 3, 4, 5]);
    assert!(matches!(error, Some(Error::ChangelogGap { first: 6, last: 6 })), "{error:?}");
}

const FILE: &str = "HEXXLADB_TEST_CHANGELOG";

/// What a child process does: it commits until it is killed; in the ordinary run nothing.
#[test]
fn child() {
    let Ok(file) = std::env::var(FILE) else { return };
    let db = Db::open(file, light().changelog(small_changelog())).unwrap();
    for n in 0u64.. {
        put(&db, (n % 50).to_string(), vec![n as u8; 200]).unwrap();
    }
}

// spec: LOG-04, LOG-09, LOG-11
#[test]
fn a_reader_beside_processes_that_are_killed_sees_each_commit_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db");
    drop(Db::open(&file, light().changelog(small_changelog())).map(|db| put(&db, "first", "")));
    let mut seen: Vec<ChangelogEntry> = Vec::new();
    let reader = ChangelogReader::open(&file).unwrap();
    let follow = Follow::new().timeout(Duration::from_millis(200));
    let mut live = reader.follow(ChangelogCursor::START, follow).unwrap();
    for round in 0..6 {
        let mut writer = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["changelog_threads::child", "--exact", "--test-threads=1"])
            .env(FILE, &file)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(150 + 40 * round) {
            if let Some(entry) = live.next() {
                seen.push(entry.unwrap());
            }
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
    }
    for entry in live {
        seen.push(entry.unwrap());
    }
    assert!(seen.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
    let db = Db::open(&file, light().changelog(small_changelog())).unwrap();
    let truth = entries(&db);
    assert_history(&db, 0, &truth);
    assert!(
        seen.len() > 20 && truth[..seen.len()] == seen[..],
        "{} of {}",
        seen.len(),
        truth.len()
    );
    assert!(get(&db, "first").is_some());
}
