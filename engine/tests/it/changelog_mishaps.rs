//! The changelog where something goes wrong beside it: crashes within recovery, calls that fail
//! late, segments that go while they are read.
#![cfg(feature = "sim")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hexxladb::vfs::sim::{Effect, Fault, SimVfs, Target};
use hexxladb::{
    ChangelogCursor, ChangelogEntry, ChangelogFilter, ChangelogOptions, ChangelogReader, Db, Error,
    Follow, Options, Result,
};

use crate::support::{DB, check_clean, light, open, put, refused, try_open};

fn on() -> Options {
    light().changelog(ChangelogOptions::new())
}

/// Commits `from..=to`, each of one raw record.
fn fill(db: &Db, from: u64, to: u64) {
    for seq in from..=to {
        assert_eq!(put(db, format!("k{seq}"), [1; 100]).unwrap(), seq);
    }
}

fn kill(vfs: &SimVfs, db: Db) {
    vfs.kill();
    drop(db);
}

fn seqs(entries: impl Iterator<Item = Result<ChangelogEntry>>) -> Vec<u64> {
    entries.map(|entry| entry.unwrap().seq).collect()
}

fn all_seqs(db: &Db) -> Vec<u64> {
    seqs(db.read_changelog_since(0).unwrap())
}

fn reader(vfs: &SimVfs) -> ChangelogReader {
    ChangelogReader::open_with(Arc::new(vfs.clone()), DB).unwrap()
}

fn at_once() -> Follow {
    Follow::new().timeout(Duration::ZERO)
}

/// A commit whose frame was written and not synced when the process was killed can be read, and is
/// not durable: where it was in the changelog before it was that, a power cut in the midst of
/// recovery made the changelog one of a newer database for ever.
// spec: LOG-04, LOG-12
#[test]
fn recovery_shows_no_commit_in_the_changelog_before_it_is_durable() {
    for reopened in [on(), light()] {
        let keeps = reopened.clone();
        let (mut tried, mut both) = (0, [false; 2]);
        for killed in killed_in_a_commit() {
            killed.set_capture(true);
            drop(try_open(&killed, keeps.clone()).unwrap());
            for (at, midst) in killed.take_captures() {
                let shown = seqs(reader(&midst).read_since(0).unwrap());
                let pending = midst.pending();
                for choice in pending.few_states().chain([pending.all(), pending.none()]) {
                    let cut = midst.fork();
                    cut.power_cut_with(&choice);
                    let why = format!("cut at {at}, {choice} kept");
                    let db = try_open(&cut, on()).unwrap_or_else(|error| panic!("{error}: {why}"));
                    let head = db.head().unwrap();
                    assert!(shown.last() <= Some(&head), "{shown:?} were seen: {why}");
                    assert_eq!(all_seqs(&db), (1..=head).collect::<Vec<_>>(), "{why}");
                    both[usize::from(head == 6)] = true;
                    tried += 1;
                }
            }
        }
        assert!(tried > 100 && both == [true; 2], "{tried}, {both:?}");
    }
}

/// Worlds in which the process was killed somewhere in its sixth commit.
fn killed_in_a_commit() -> Vec<SimVfs> {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, on());
    fill(&db, 1, 3);
    db.rotate_changelog().unwrap();
    fill(&db, 4, 5);
    vfs.set_capture(true);
    fill(&db, 6, 6);
    let captures = vfs.take_captures().into_iter().map(|(_, world)| world);
    captures.inspect(SimVfs::kill).collect()
}

/// The next segment had its name already when opening it failed: trying again took it for the
/// sealed one and put it in that one's place.
// spec: LOG-04, LOG-10
#[test]
fn a_rotation_that_fails_at_any_step_loses_no_segment() {
    let mut failed = 0;
    for on_op in [Target::Open, Target::Rename, Target::Read, Target::Write, Target::Sync] {
        for after in 0..40 {
            let vfs = SimVfs::new(1);
            let db = open(&vfs, on());
            fill(&db, 1, 3);
            vfs.arm(Fault { at: vfs.ops() + after, on: on_op, effect: Effect::Eio });
            failed += u64::from(db.rotate_changelog().is_err());
            vfs.heal();
            let mut head = 3;
            for _ in 0..2 {
                head = put(&db, "more", "1").unwrap_or(head);
                drop(db.rotate_changelog());
            }
            kill(&vfs, db);
            let db = open(&vfs, on());
            assert_eq!(all_seqs(&db), (1..=head).collect::<Vec<_>>(), "{on_op:?} {after}");
        }
    }
    assert!(failed > 0);
}

// spec: LOG-09
#[test]
fn a_follower_waits_in_a_segment_that_holds_nothing_yet() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, on());
    fill(&db, 1, 3);
    db.rotate_changelog().unwrap();
    db.close().unwrap();
    let db = open(&vfs, on());
    let mut follow = db.follow(ChangelogCursor::START, at_once()).unwrap();
    for seq in 1..=3 {
        assert_eq!(follow.next().unwrap().unwrap().seq, seq);
    }
    assert!(follow.next().is_none());
    fill(&db, 4, 4);
    assert_eq!(follow.next().unwrap().unwrap().seq, 4);
}

// spec: LOG-19
#[test]
fn a_changelog_begun_in_an_empty_database_goes_on_after_a_crash() {
    let vfs = SimVfs::new(1);
    open(&vfs, on()).close().unwrap();
    let db = open(&vfs, light());
    fill(&db, 1, 2);
    kill(&vfs, db);
    let db = open(&vfs, on());
    fill(&db, 3, 3);
    let mut read = db.read_changelog_since(0).unwrap();
    refused!(read.next().unwrap(), Error::ChangelogGap { first: 1, last: 2 });
    assert_eq!(seqs(db.read_changelog_since(2).unwrap()), [3]);
}

// spec: LOG-10
#[test]
fn a_reader_of_trimmed_segments_is_told_so() {
    let vfs = SimVfs::new(1);
    let options = light().changelog(ChangelogOptions::new().keep_bytes(1));
    let db = open(&vfs, options);
    let tag = db.changelog_consumer("slow").unwrap();
    for segment in 0..4 {
        fill(&db, segment * 2 + 1, segment * 2 + 2);
        db.rotate_changelog().unwrap();
    }
    fill(&db, 9, 9);
    let mut inside = db.read_changelog_since(0).unwrap();
    let mut beside = reader(&vfs).read_since(0).unwrap();
    assert_eq!(inside.next().unwrap().unwrap().seq, 1);
    assert_eq!(beside.next().unwrap().unwrap().seq, 1);
    assert!(db.remove_changelog_consumer(tag.name()).unwrap());
    assert_eq!(db.trim_changelog().unwrap(), 4);
    for read in [&mut inside, &mut beside] {
        assert_eq!(read.next().unwrap().unwrap().seq, 2);
        refused!(read.next().unwrap(), Error::ChangelogTruncated { oldest: 9 });
    }
}

// spec: LOG-15
#[test]
fn damage_of_an_archived_segment_is_told_where_there_is_no_primary() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, on());
    fill(&db, 1, 3);
    db.rotate_changelog().unwrap();
    let copied = db.archive_changelog("/archive").unwrap();
    assert!(vfs.flip(&copied[0], 4096 + 300, 1));
    let reader = ChangelogReader::open_archive_with(Arc::new(vfs.clone()), "/archive").unwrap();
    refused!(reader.verify(None), Error::ChangelogCorrupt { segment: 1, .. });
}

/// A checkpoint that found no room for the changelog had written its catalogue already.
// spec: LOG-04
#[test]
fn a_checkpoint_without_room_for_the_changelog_loses_no_page() {
    let mut met = 0;
    for room in 0..60 {
        let vfs = SimVfs::new(1);
        let db = open(&vfs, on());
        fill(&db, 1, 3);
        db.checkpoint().unwrap();
        fill(&db, 4, 6);
        db.checkpoint().unwrap();
        fill(&db, 7, 9);
        vfs.set_free_sectors(Some(room));
        met += u64::from(db.checkpoint().is_err());
        vfs.set_free_sectors(None);
        db.checkpoint().unwrap();
        db.checkpoint().unwrap();
        check_clean(&db);
        db.close().unwrap();
        let db = open(&vfs, on());
        check_clean(&db);
        assert_eq!(all_seqs(&db), (1..=9).collect::<Vec<_>>());
    }
    assert!(met > 0);
}

/// Going on after a time without the changelog puts a copy in the place of the file that a reader
/// beside has open.
// spec: LOG-11, LOG-19
#[test]
fn a_reader_beside_goes_on_in_what_takes_its_files_place() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, on());
    fill(&db, 1, 3);
    db.close().unwrap();
    let mut follow = reader(&vfs).follow(ChangelogCursor::START, at_once()).unwrap();
    assert_eq!(seqs(follow.by_ref()), [1, 2, 3]);
    let db = open(&vfs, light());
    fill(&db, 4, 5);
    db.close().unwrap();
    let db = open(&vfs, on());
    fill(&db, 6, 6);
    db.sync().unwrap();
    let mut told = None;
    for _ in 0..4 {
        told = told.or_else(|| follow.next());
    }
    refused!(told.unwrap(), Error::ChangelogGap { first: 4, last: 5 });
    let after = follow.cursor();
    assert_eq!(after.seq, 4);
    let filter = ChangelogFilter::new();
    assert_eq!(seqs(reader(&vfs).read(ChangelogCursor::after(5), filter).unwrap()), [6]);
}

/// A segment that was set aside whole left the one before it without a word of what is lost.
// spec: LOG-15
#[test]
fn what_a_repair_cannot_bring_back_is_a_declared_gap() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, on());
    for segment in 0..3 {
        fill(&db, segment * 2 + 1, segment * 2 + 2);
        db.rotate_changelog().unwrap();
    }
    put(&db, "k3", "again").unwrap();
    while db.prune_cell_versions(7, 100).unwrap() > 0 {}
    db.close().unwrap();
    assert!(vfs.flip(Path::new("/db-changelog.000002"), 20, 1));
    let mended = Db::repair_changelog_with(Arc::new(vfs.clone()), DB, on()).unwrap();
    assert_eq!((mended.set_aside.len(), &mended.lost[..]), (1, &[(3, 4)][..]), "{mended:?}");
    let db = open(&vfs, on());
    let mut read = db.read_changelog_since(0).unwrap();
    assert_eq!(seqs(read.by_ref().take(2)), [1, 2]);
    refused!(read.next().unwrap(), Error::ChangelogGap { first: 3, last: 4 });
    assert_eq!(seqs(db.read_changelog_since(4).unwrap()), [5, 6, 7]);
}

/// Names and numbers of segments that disagree led in a circle.
// spec: LOG-15
#[test]
fn a_segment_under_anothers_name_is_damage() {
    let vfs = SimVfs::new(1);
    open(&vfs, on()).close().unwrap();
    let db = open(&vfs, light());
    fill(&db, 1, 1);
    db.close().unwrap();
    // Without entries, and sealed when the changelog is turned on again.
    open(&vfs, on()).close().unwrap();
    let empty = vfs.read_file(Path::new("/db-changelog.000001")).unwrap();
    vfs.write_file(Path::new("/db-changelog.000002"), &empty);
    vfs.set_op_limit(Some(1000));
    let found = reader(&vfs).read_since(0).unwrap().next().unwrap();
    refused!(found, Error::ChangelogCorrupt { segment: 1, .. });
}
