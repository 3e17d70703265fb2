//! The changelog's files: what they cost, when segments are sealed and which of them go, copies of
//! them, what other processes read, and what is found beside a primary at open.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hexxladb::vfs::sim::SimVfs;
use hexxladb::vfs::{OpenMode, Vfs};
use hexxladb::{ChangelogCursor, ChangelogFilter, ChangelogReader, Db, Error, Follow, Options};

use crate::changelog_support::{
    ACTIVE, assert_history, both_on, bytes_of, changelog_files, entries, entries_in_files, fill,
    kill, on, reader, sealed, segmented, seqs, small_changelog, until_error,
};
use crate::support::{
    DB, LOG, files, get, light, open, options, put, refused, try_open, write_file,
};
use crate::support_records::all;

/// Lines of the trace that tell of a sync, and of what.
fn syncs(vfs: &SimVfs, work: impl FnOnce()) -> Vec<String> {
    vfs.set_trace(true);
    let _ = vfs.take_trace();
    work();
    let lines = vfs.take_trace();
    vfs.set_trace(false);
    lines.into_iter().filter(|line| line.to_lowercase().contains("sync")).collect()
}

// spec: LOG-05
#[test]
fn no_commit_waits_for_a_sync_of_it() {
    let mut counts = Vec::new();
    for options in [light(), on()] {
        let vfs = SimVfs::new(1);
        let db = open(&vfs, options);
        put(&db, "first", "1").unwrap();
        let wal_syncs = db.stats_mvcc().unwrap().wal_syncs;
        let found = syncs(&vfs, || fill(&db, 2, 51, 100));
        assert_eq!(db.stats_mvcc().unwrap().wal_syncs - wal_syncs, 50);
        assert!(found.iter().all(|line| !line.contains("changelog")), "{found:#?}");
        counts.push(found.len());
        // The entries are there all the same.
        if db.changelog_info().is_ok() {
            assert_eq!(entries_in_files(&vfs).len(), 51);
            let found = syncs(&vfs, || db.checkpoint().unwrap());
            assert!(found.iter().any(|line| line.contains("changelog")), "{found:#?}");
        }
    }
    assert_eq!(counts[0], counts[1]);
}

// spec: LOG-10
#[test]
fn a_segment_that_is_full_is_sealed_by_the_next_checkpoint_and_never_changes() {
    let vfs = SimVfs::new(1);
    let small = small_changelog();
    let db = open(&vfs, on().changelog(small));
    let mut sealed_bytes: Vec<(String, Vec<u8>)> = Vec::new();
    for round in 0..6 {
        fill(&db, round * 10 + 1, round * 10 + 10, 7000);
        db.checkpoint().unwrap();
        let info = db.changelog_info().unwrap();
        let (active, rest) = info.segments.split_last().unwrap();
        assert!(!active.sealed && active.path == Path::new(ACTIVE));
        for (segment, ordinal) in rest.iter().zip(1..) {
            assert_eq!((segment.ordinal, segment.sealed), (ordinal, true));
            assert_eq!(segment.path, sealed(ordinal));
            assert!(segment.bytes >= 16 << 10);
            assert_eq!(segment.bytes, bytes_of(&vfs, &segment.path).len() as u64);
        }
        assert!(info.segments.windows(2).all(|pair| pair[0].last == pair[1].base));
        assert_eq!((info.oldest, info.last), (Some(1), db.head().unwrap()));
        assert_eq!(info.bytes, info.segments.iter().map(|segment| segment.bytes).sum::<u64>());
        for (name, bytes) in &sealed_bytes {
            assert!(bytes_of(&vfs, name) == *bytes, "{name} changed");
        }
        sealed_bytes = rest
            .iter()
            .map(|segment| (segment.path.display().to_string(), bytes_of(&vfs, &segment.path)))
            .collect();
        assert_history(&db, 0, &entries(&db));
    }
    assert!(sealed_bytes.len() >= 4, "{}", sealed_bytes.len());
    let files = reader(&vfs).info().unwrap();
    assert_eq!(files.segments, db.changelog_info().unwrap().segments);
}

// spec: LOG-10
#[test]
fn rotating_seals_what_there_is_and_nothing_where_there_is_nothing() {
    for options in both_on() {
        let vfs = SimVfs::new(1);
        let mut db = open(&vfs, options.clone());
        db.rotate_changelog().unwrap();
        assert_eq!(changelog_files(&vfs), [ACTIVE]);
        for how in 0..6 {
            fill(&db, how * 2 + 1, how * 2 + 2, 50);
            db.rotate_changelog().unwrap();
            db.rotate_changelog().unwrap();
            assert_eq!(db.changelog_info().unwrap().segments.len() as u64, how + 2);
            db = crate::support_records::reopened(&vfs, db, &options, how);
            assert_eq!(seqs(&entries(&db)), (1..=how * 2 + 2).collect::<Vec<_>>());
            assert_eq!(entries(&db), entries_in_files(&vfs));
        }
    }
}

// spec: LOG-10
#[test]
fn segments_go_when_they_are_old() {
    let vfs = SimVfs::new(1);
    let hour = Duration::from_hours(1);
    let db = segmented(&vfs, on().changelog(small_changelog().keep_for(hour)), 3);
    assert_eq!(db.trim_changelog().unwrap(), 0);
    vfs.advance(2 * hour.as_nanos() as u64);
    // What is being written stays, however old.
    assert_eq!(db.trim_changelog().unwrap(), 3);
    assert_eq!(changelog_files(&vfs), [ACTIVE]);
    assert_eq!(db.changelog_info().unwrap().oldest, Some(10));
    assert_eq!(seqs(&entries(&db)), [10, 11]);
    refused!(
        db.read_changelog_since(8).unwrap().next().unwrap(),
        Error::ChangelogTruncated { oldest: 10 }
    );
    assert_eq!(db.trim_changelog().unwrap(), 0);
}

// spec: LOG-10
#[test]
fn the_oldest_go_while_all_take_too_much() {
    let vfs = SimVfs::new(1);
    let db = segmented(&vfs, on(), 4);
    let info = db.changelog_info().unwrap();
    db.close().unwrap();
    // Closing adds a mark, of a block at most.
    let last_two: u64 = info.segments[3..].iter().map(|segment| segment.bytes + 4096).sum();
    let db = open(&vfs, on().changelog(small_changelog().keep_bytes(last_two)));
    assert_eq!(db.trim_changelog().unwrap(), 3);
    assert_eq!(seqs(&entries(&db)), (10..=14).collect::<Vec<_>>());
    // By itself, after each rotation.
    fill(&db, 15, 18, 100);
    db.rotate_changelog().unwrap();
    let info = db.changelog_info().unwrap();
    assert!(info.oldest > Some(10), "{info:#?}");
    assert_eq!(db.trim_changelog().unwrap(), 0);
    crate::support::check_clean(&db);
}

// spec: LOG-10
#[test]
fn nothing_goes_unless_the_options_say_so() {
    let vfs = SimVfs::new(1);
    let db = segmented(&vfs, on(), 5);
    vfs.advance(1 << 60);
    assert_eq!(db.trim_changelog().unwrap(), 0);
    assert_eq!(entries(&db).len(), 17);
    db.close().unwrap();
    let db = open(&vfs, on().read_only(true));
    refused!(db.trim_changelog(), Error::ReadOnly);
}

// spec: LOG-10
#[test]
fn a_reader_whose_next_segments_went_is_told() {
    let vfs = SimVfs::new(1);
    let db = segmented(&vfs, on(), 4);
    db.close().unwrap();
    let db = open(&vfs, on().changelog(small_changelog().keep_bytes(1)));
    let from = |cursor| {
        let follow = Follow::new().timeout(Duration::ZERO);
        [
            Box::new(db.read_changelog(cursor, ChangelogFilter::new()).unwrap())
                as Box<dyn Iterator<Item = _>>,
            Box::new(db.follow(cursor, follow.clone()).unwrap()),
            Box::new(reader(&vfs).read(cursor, ChangelogFilter::new()).unwrap()),
            Box::new(reader(&vfs).follow(cursor, follow).unwrap()),
        ]
    };
    // In the midst of the first segment, and of the second, when all sealed ones go.
    let mut readers: Vec<_> = from(ChangelogCursor::START).into_iter().collect();
    readers.extend(from(ChangelogCursor::after(3)));
    for reader in &mut readers {
        reader.next().unwrap().unwrap();
    }
    assert_eq!(db.trim_changelog().unwrap(), 4);
    for reader in &mut readers {
        let (found, error) = until_error(reader);
        assert!(found.len() <= 2);
        assert!(matches!(error, Some(Error::ChangelogTruncated { oldest: 13 })), "{error:?}");
    }
}

// spec: LOG-10
#[test]
fn an_archive_is_read_alone_and_taken_further() {
    let vfs = SimVfs::new(1);
    let db = segmented(&vfs, on(), 3);
    let copied = db.archive_changelog("/archive").unwrap();
    let name = |ordinal: u64| Path::new("/archive").join(format!("db-changelog.{ordinal:06}"));
    assert_eq!(copied, [name(1), name(2), name(3)]);
    assert!(db.archive_changelog("/archive").unwrap().is_empty());
    let whole = entries(&db);
    db.rotate_changelog().unwrap();
    assert_eq!(db.archive_changelog("/archive").unwrap(), [name(4)]);
    kill(&vfs, db);
    vfs.power_cut_with(&vfs.pending().none());
    for file in [DB, LOG, ACTIVE] {
        vfs.remove_file(Path::new(file));
    }
    let archive = ChangelogReader::open_archive_with(Arc::new(vfs.clone()), "/archive").unwrap();
    assert_eq!(all(archive.read_since(0).unwrap()), whole);
    assert_eq!(seqs(&all(archive.read_since(4).unwrap())), (5..=11).collect::<Vec<_>>());
    let verified = archive.verify(None).unwrap();
    assert_eq!((verified.commits, verified.hashes, verified.last), (11, 11, 11));
    assert_eq!(archive.info().unwrap().segments.len(), 4);
    // Damage is told as of any changelog.
    vfs.flip(&name(2), 4096 + 300, 1);
    let (found, error) = until_error(archive.read_since(0).unwrap());
    assert!(found.len() < 6 && found == whole[..found.len()]);
    assert!(matches!(error, Some(Error::ChangelogCorrupt { segment: 2, .. })), "{error:?}");
    refused!(archive.verify(None), Error::ChangelogCorrupt { segment: 2, .. });
}

// spec: LOG-10
#[test]
fn an_archive_takes_no_damaged_segment_and_no_other_changelog() {
    let vfs = SimVfs::new(1);
    let db = segmented(&vfs, on(), 3);
    let at = 4096 + 200;
    vfs.flip(&sealed(2), at, 4);
    refused!(db.archive_changelog("/archive"), Error::ChangelogCorrupt { segment: 2, .. });
    assert_eq!(vfs.list(Path::new("/archive")).unwrap().len(), 2, "the first, and what was begun");
    vfs.flip(&sealed(2), at, 4);
    assert_eq!(db.archive_changelog("/archive").unwrap().len(), 2);
    // Another database of the same name.
    let other = SimVfs::new(2);
    let db = segmented(&other, on(), 3);
    for ordinal in 1..=3 {
        let name = format!("/archive/db-changelog.{ordinal:06}");
        other.write_file(Path::new(&name), &bytes_of(&vfs, &name));
    }
    refused!(db.archive_changelog("/archive"), Error::ChangelogForeign { .. });
    let empty = ChangelogReader::open_archive_with(Arc::new(vfs.clone()), "/nothing");
    refused!(empty, Error::InvalidArgument { .. });
}

// spec: LOG-17, LOG-21
#[test]
fn verifying_finds_an_entry_that_was_forged_with_right_checksums() {
    for (value, found_out) in [(&b"value 2"[..], false), (b"value X", true)] {
        let vfs = SimVfs::new(1);
        let db = open(&vfs, on());
        for n in 1..=3 {
            put(&db, format!("k{n}"), format!("value {n}")).unwrap();
        }
        db.close().unwrap();
        vfs.edit(Path::new(ACTIVE), |bytes| {
            let at = bytes.windows(7).position(|at| at == b"value 2").unwrap();
            bytes[at..at + 7].copy_from_slice(value);
            reseal(bytes);
        });
        let reader = reader(&vfs);
        // No checksum tells.
        let second = all(reader.read_since(1).unwrap()).remove(0);
        assert_eq!(second.value, hexxladb::ChangelogValue::Full(value.into()));
        if found_out {
            refused!(reader.verify(None), Error::HistoryDiverged { seq: 2 });
        } else {
            assert_eq!(reader.verify(None).unwrap().hashes, 3);
        }
    }
}

/// Puts the checksums of every frame of a segment right.
fn reseal(bytes: &mut [u8]) {
    let history: Vec<u8> = bytes[24..40].to_vec();
    let mut at = 4096;
    while at + 104 <= bytes.len() {
        let len = u32::from_le_bytes(bytes[at + 12..at + 16].try_into().unwrap()) as usize;
        let crc = crc32(&[&bytes[at + 104..at + 104 + len]]);
        bytes[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
        let crc = crc32(&[&history, &bytes[at + 4..at + 104]]);
        bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
        at += 104 + len;
    }
}

fn crc32(parts: &[&[u8]]) -> u32 {
    let mut crc = !0u32;
    for &byte in parts.iter().copied().flatten() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

// spec: LOG-11
#[test]
fn a_reader_needs_no_lock_and_changes_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db");
    let writer = Db::open(&file, light().changelog(small_changelog())).unwrap();
    refused!(Db::open(&file, options()), Error::DatabaseLocked { .. });
    let reader = ChangelogReader::open(&file).unwrap();
    assert!(reader.read_since(0).unwrap().next().is_none());
    for round in 0..5 {
        fill(&writer, round * 20 + 1, round * 20 + 20, 500);
        assert_eq!(all(reader.read_since(0).unwrap()), entries(&writer));
        writer.rotate_changelog().unwrap();
        assert_eq!(all(reader.read_since(0).unwrap()), entries(&writer));
    }
    writer.close().unwrap();
    let before = names_and_lengths(dir.path());
    assert_eq!(reader.verify(None).unwrap().commits, 100);
    assert_eq!(names_and_lengths(dir.path()), before);
    refused!(ChangelogReader::open(dir.path().join("none")), Error::DatabaseMissing { .. });
}

#[expect(clippy::disallowed_methods, reason = "files of the operating system")]
fn names_and_lengths(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        entries.map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect();
    found.sort();
    found
}

// spec: LOG-11
#[test]
fn a_handle_for_reading_shows_what_the_files_hold() {
    for options in both_on() {
        let vfs = SimVfs::new(1);
        let db = segmented(&vfs, options.clone(), 2);
        let truth = entries(&db);
        kill(&vfs, db);
        for with in [options.clone(), light().mvcc(options_mvcc(&options, &vfs))] {
            let before = vfs.view_hash();
            let db = open(&vfs, with.read_only(true));
            assert_eq!(entries(&db), truth);
            assert_eq!(seqs(&all(db.read_changelog_since(6).unwrap())), [7, 8]);
            refused!(
                db.changelog_consumer("c").unwrap().position(),
                Error::ChangelogConsumerNotFound { .. }
            );
            drop(db);
            assert_eq!(vfs.view_hash(), before, "reading changed a file");
        }
    }
}

/// The format that a file has.
fn options_mvcc(options: &Options, vfs: &SimVfs) -> bool {
    let db = open(&vfs.fork(), options.clone().read_only(true));
    db.format_version() == 2
}

/// A closed database of three commits, and the same gone on to six; the older primary.
fn older_primary(vfs: &SimVfs, options: &Options, rotate: bool) -> Vec<u8> {
    let db = open(vfs, options.clone());
    fill(&db, 1, 3, 10);
    if rotate {
        db.rotate_changelog().unwrap();
    }
    db.close().unwrap();
    let older = bytes_of(vfs, DB);
    let db = open(vfs, options.clone());
    fill(&db, 4, 5, 10);
    if rotate {
        db.rotate_changelog().unwrap();
    }
    fill(&db, 6, 6, 10);
    db.close().unwrap();
    older
}

// spec: LOG-12
#[test]
fn an_older_primary_beside_it_is_refused_and_nothing_changes() {
    for options in both_on() {
        for rotate in [false, true] {
            let vfs = SimVfs::new(1);
            let older = older_primary(&vfs, &options, rotate);
            write_file(&vfs, DB, &older);
            vfs.remove_file(Path::new(LOG));
            let before = vfs.view_hash();
            for _ in 0..2 {
                let refused = try_open(&vfs, options.clone());
                refused!(refused, Error::ChangelogMismatch { last: 6, head: 3 });
                assert_eq!(vfs.view_hash(), before);
            }
            // Without changelog it opens; and then the two have parted.
            let db = open(&vfs, light().mvcc(options_mvcc(&light(), &vfs)));
            fill(&db, 4, 6, 11);
            db.close().unwrap();
            refused!(try_open(&vfs, options.clone()), Error::HistoryDiverged { seq: 6 });
        }
    }
}

// spec: LOG-17, LOG-12
#[test]
fn a_changelog_of_the_same_history_gone_another_way_is_refused() {
    let vfs = SimVfs::new(1);
    let older = older_primary(&vfs, &on(), false);
    let changelog = bytes_of(&vfs, ACTIVE);
    vfs.remove_file(Path::new(ACTIVE));
    write_file(&vfs, DB, &older);
    vfs.remove_file(Path::new(LOG));
    let db = open(&vfs, on());
    fill(&db, 4, 9, 11);
    db.close().unwrap();
    write_file(&vfs, ACTIVE, &changelog);
    refused!(try_open(&vfs, on()), Error::HistoryDiverged { seq: 6 });
}

// spec: LOG-18
#[test]
fn a_copy_of_the_same_head_goes_on_with_it() {
    for options in both_on() {
        let vfs = SimVfs::new(1);
        let db = segmented(&vfs, options.clone(), 1);
        db.close().unwrap();
        let copy = bytes_of(&vfs, DB);
        vfs.remove_file(Path::new(DB));
        vfs.remove_file(Path::new(LOG));
        write_file(&vfs, DB, &copy);
        let db = open(&vfs, options.clone());
        fill(&db, 6, 7, 10);
        assert_eq!(seqs(&entries(&db)), (1..=7).collect::<Vec<_>>());
    }
}

// spec: LOG-12
#[test]
fn a_missing_file_begins_anew_with_a_declared_gap() {
    for options in both_on() {
        // All of it, of a closed database.
        let vfs = SimVfs::new(1);
        let db = open(&vfs, options.clone());
        fill(&db, 1, 3, 10);
        db.close().unwrap();
        vfs.remove_file(Path::new(ACTIVE));
        let db = open(&vfs, options.clone());
        fill(&db, 4, 5, 10);
        assert_eq!(seqs(&entries(&db)), [4, 5]);
        let mut below = db.read_changelog_since(2).unwrap();
        refused!(below.next().unwrap(), Error::ChangelogTruncated { oldest: 4 });
        // The active one alone, of a killed one: the log has what came after the checkpoint.
        let vfs = SimVfs::new(1);
        let db = segmented(&vfs, options.clone(), 1);
        db.checkpoint().unwrap();
        fill(&db, 6, 7, 10);
        kill(&vfs, db);
        vfs.remove_file(Path::new(ACTIVE));
        let db = open(&vfs, options.clone());
        let (found, error) = until_error(db.read_changelog_since(0).unwrap());
        assert_eq!(seqs(&found), [1, 2, 3]);
        assert!(matches!(error, Some(Error::ChangelogGap { first: 4, last: 5 })), "{error:?}");
        assert_eq!(seqs(&all(db.read_changelog_since(5).unwrap())), [6, 7]);
        fill(&db, 8, 8, 10);
        kill(&vfs, db);
        let db = open(&vfs, options);
        assert_eq!(seqs(&all(db.read_changelog_since(5).unwrap())), [6, 7, 8]);
        assert_eq!(get(&db, "k5").map(|value| value.len()), Some(100));
    }
}

// spec: LOG-12
#[test]
fn a_foreign_file_is_refused_and_left() {
    let other = SimVfs::new(2);
    let db = open(&other, on());
    fill(&db, 1, 3, 10);
    db.close().unwrap();
    let foreign = bytes_of(&other, ACTIVE);
    for with in [light(), on()] {
        let vfs = SimVfs::new(1);
        let db = open(&vfs, with);
        fill(&db, 1, 3, 10);
        db.close().unwrap();
        vfs.write_file(Path::new(ACTIVE), &foreign);
        let before = files(&vfs);
        refused!(try_open(&vfs, on()), Error::ChangelogForeign { path } if path == Path::new(ACTIVE));
        assert_eq!(bytes_of(&vfs, ACTIVE), foreign);
        assert!(files(&vfs) == before);
        // A sealed one is met when it is read.
        vfs.remove_file(Path::new(ACTIVE));
        vfs.write_file(&sealed(1), &foreign);
        let opened = try_open(&vfs, on()).map(|db| db.read_changelog_since(0).unwrap().next());
        let told = match opened {
            Err(error) | Ok(Some(Err(error))) => error,
            Ok(other) => panic!("{other:?}"),
        };
        assert!(matches!(told, Error::ChangelogForeign { .. }), "{told:?}");
    }
}

// spec: LOG-04
#[test]
fn files_that_are_no_segment_are_told_of() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, light());
    fill(&db, 1, 2, 10);
    db.close().unwrap();
    for bytes in [&b""[..], b"HexxlCHG", &[0; 4096], &[7; 9000]] {
        vfs.write_file(Path::new(ACTIVE), bytes);
        refused!(try_open(&vfs, on()), Error::ChangelogCorrupt { path, .. } if path == Path::new(ACTIVE));
    }
    // Names that only look like segments are nobody's.
    vfs.remove_file(Path::new(ACTIVE));
    for name in
        ["/db-changelog.1", "/db-changelog.0000001", "/db-changelog.00000x", "/db-changelog."]
    {
        vfs.write_file(Path::new(name), b"not mine");
    }
    let db = open(&vfs, on());
    fill(&db, 3, 4, 10);
    assert_eq!(seqs(&entries(&db)), [3, 4]);
    db.rotate_changelog().unwrap();
    assert_eq!(bytes_of(&vfs, "/db-changelog.1"), b"not mine");
}

// spec: LOG-04
#[test]
fn what_a_crash_left_of_a_segment_being_made_is_no_obstacle() {
    let vfs = SimVfs::new(1);
    let db = segmented(&vfs, on(), 1);
    vfs.write_file(Path::new("/db-changelog-new"), &[9; 10_000]);
    db.rotate_changelog().unwrap();
    fill(&db, 6, 7, 10);
    kill(&vfs, db);
    vfs.write_file(Path::new("/db-changelog-new"), &[9; 10_000]);
    let file = vfs.open(Path::new(ACTIVE), OpenMode::Read).unwrap();
    drop(file);
    let db = open(&vfs, on());
    assert_eq!(seqs(&entries(&db)), (1..=7).collect::<Vec<_>>());
    db.rotate_changelog().unwrap();
    assert_eq!(seqs(&entries(&db)), (1..=7).collect::<Vec<_>>());
}
