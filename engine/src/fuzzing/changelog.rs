//! The target for the changelog's files: a segment of any bytes, or one of a small changelog with
//! some of its bytes changed, sealed or active, with or without its checksums put right.
//!
//! Always: what is read comes in order and, where no checksum was forged, is what was written; a
//! repair leaves what can be read to its end, and declares what is lost.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hexxladb_vfs::sim::SimVfs;

use super::bytes::Input;
use super::sample::{PRIMARY, small_options};
use crate::changelog::{
    ChangelogCursor, ChangelogEntry, ChangelogFilter, ChangelogOp, active_path, sealed_path,
};
use crate::db::Db;
use crate::entries::ChangelogReader;
use crate::error::{Error, Result};
use crate::format::bytes::{put, u32_at};
use crate::format::changelog::{BLOCK_BYTES, FRAME_HEADER_BYTES};
use crate::lattice::Coord;
use crate::options::{ChangelogOptions, Options};
use crate::record::{Cell, ResolutionStatus, Seam, SeamType};
use crate::sync::OnceLock;
use crate::time::Timestamp;
use crate::tx::WriteTx;

/// File operations after which a reading is thought never to end.
const MAX_OPS: u64 = 100_000;
/// Most bytes of a file.
const MAX_FILE_BYTES: usize = 256 << 10;
const EDIT_BYTES: usize = 8;
const ORIGIN: Coord = Coord::from_checked(0, 0);
const NEAR: Coord = Coord::from_checked(1, 0);

/// A small changelog: two segments, a commit in several frames, a synced part and one after it.
pub struct SmallChangelog {
    /// The disk, as a process that was killed left it.
    pub vfs: SimVfs,
    /// What was written.
    pub entries: Vec<ChangelogEntry>,
}

static SMALL: OnceLock<SmallChangelog> = OnceLock::new();

fn options() -> Options {
    small_options().page_size(512).changelog(ChangelogOptions::new().segment_bytes(16 << 10))
}

/// Makes a small changelog of either format; the same always.
///
/// # Errors
/// What the engine returns; it should succeed.
pub fn small_changelog(mvcc: bool) -> Result<SmallChangelog> {
    let vfs = SimVfs::new(11);
    let db = Db::open_with(Arc::new(vfs.clone()), PRIMARY, options().mvcc(mvcc))?;
    let seam = ulid::Ulid(5);
    commit(&db, Some("first"), |tx| {
        tx.put("a", "1")?;
        tx.put_cell(ORIGIN, &Cell::new("origin").with_tags(["home"]))?;
        tx.put_cell(NEAR, &Cell::new("near"))?;
        tx.put_seam(seam, &Seam::new(ORIGIN, NEAR, SeamType::Conflict))
    })?;
    commit(&db, None, |tx| {
        (0..3u8).try_for_each(|n| tx.put([n], vec![n; 30_000]))?;
        tx.resolve_seam(seam, ResolutionStatus::Merged, Some("so"))
    })?;
    commit(&db, Some("a note alone"), |_| Ok(()))?;
    db.rotate_changelog()?;
    commit(&db, None, |tx| tx.delete_cell(NEAR).map(|_| ()))?;
    commit(&db, None, |tx| tx.put("a", "2"))?;
    db.checkpoint()?;
    commit(&db, Some(""), |tx| tx.put("b", vec![7; 300]))?;
    let entries = db.read_changelog_since(0)?.collect::<Result<_>>()?;
    drop(db);
    vfs.kill();
    // All that it wrote is on the disk by now.
    vfs.power_cut_with(&vfs.pending().all());
    Ok(SmallChangelog { vfs, entries })
}

fn commit(
    db: &Db,
    note: Option<&str>,
    write: impl FnOnce(&mut WriteTx) -> Result<()>,
) -> Result<()> {
    db.update(|tx| {
        tx.set_commit_time(Timestamp::from_secs(1_700_000_000))?;
        if let Some(note) = note {
            tx.set_note(note)?;
        }
        write(tx)
    })
}

/// Reads and repairs a changelog one of whose segments is not as it was. The first byte chooses:
///
/// - bit 0: the sealed segment, else the active one;
/// - bit 1: its frames are the rest of the input, else changes to those that it has; bit 2: with
///   bit 1, its header too;
/// - bit 3: put the checksums right afterwards.
///
/// A change is eight bytes: what to do, three bytes of offset, four of value.
pub fn changelog(data: &[u8]) {
    let small = SMALL.get_or_init(|| small_changelog(true).expect("nothing fails on this disk"));
    let mut input = Input(data);
    let choice = input.byte();
    let primary = Path::new(PRIMARY);
    let path = if choice & 1 == 0 { active_path(primary) } else { sealed_path(primary, 1) };
    let mut bytes = small.vfs.read_file(&path).unwrap_or_default();
    if choice & 0b10 == 0 {
        while !input.0.is_empty() {
            edit(&mut bytes, input.array());
        }
    } else {
        bytes.truncate(if choice & 0b100 == 0 { BLOCK_BYTES } else { 0 });
        bytes.extend_from_slice(input.0);
        bytes.truncate(MAX_FILE_BYTES);
    }
    let forged = choice & 0b1000 != 0;
    if forged {
        reseal(&mut bytes);
    }
    let vfs = small.vfs.fork();
    vfs.write_file(&path, &bytes);
    vfs.set_op_limit(Some(MAX_OPS));
    let truth = (!forged).then_some(&small.entries[..]);
    read_files(&vfs, truth);
    repair(&vfs, truth);
    assert!(vfs.crashed().is_none(), "more than {MAX_OPS} operations");
}

fn edit(bytes: &mut Vec<u8>, edit: [u8; EDIT_BYTES]) {
    let end = bytes.len();
    let at = u32::from_le_bytes([edit[1], edit[2], edit[3], 0]) as usize % end.max(1);
    let value = [edit[4], edit[5], edit[6], edit[7]];
    let number = u32::from_le_bytes(value) as usize;
    match edit[0] & 7 {
        0 => bytes[at..end.min(at + 1)].fill(value[0]),
        1 => bytes[at..end.min(at + 4)].copy_from_slice(&value[..4.min(end - at)]),
        2 => bytes[at..end.min(at + 1)].iter_mut().for_each(|byte| *byte ^= value[0]),
        3 => {
            let from = number % end.max(1);
            let len = 512.min(end - at).min(end - from);
            bytes.copy_within(from..from + len, at);
        }
        4 => bytes[at..end.min(at + number % 4096)].fill(0),
        5 => bytes.truncate(at),
        6 => drop(bytes.drain(at..end.min(at + number % 4096))),
        _ => bytes.resize(MAX_FILE_BYTES.min(end + number % (16 << 10)), value[3]),
    }
}

/// Makes the checksums of a segment's header and frames right, as far as they follow each other.
fn reseal(bytes: &mut [u8]) {
    if bytes.len() < BLOCK_BYTES {
        return;
    }
    let crc = crc32fast::hash(&bytes[..BLOCK_BYTES - 4]);
    put(bytes, BLOCK_BYTES - 4, &crc.to_le_bytes());
    let history: [u8; 16] = std::array::from_fn(|at| bytes[24 + at]);
    let mut rest = &mut bytes[BLOCK_BYTES..];
    while rest.len() >= FRAME_HEADER_BYTES {
        let size = FRAME_HEADER_BYTES + u32_at(rest, 12) as usize;
        if size > rest.len() {
            return;
        }
        let (frame, after) = rest.split_at_mut(size);
        let crc = crc32fast::hash(&frame[FRAME_HEADER_BYTES..]);
        put(frame, 4, &crc.to_le_bytes());
        let mut crc = crc32fast::Hasher::new();
        crc.update(&history);
        crc.update(&frame[4..FRAME_HEADER_BYTES]);
        put(frame, 0, &crc.finalize().to_le_bytes());
        rest = after;
    }
}

/// Everything until an error, and that.
fn until_error(
    items: impl Iterator<Item = Result<ChangelogEntry>>,
) -> (Vec<ChangelogEntry>, Option<Error>) {
    let mut found: Vec<ChangelogEntry> = Vec::new();
    for item in items {
        let entry = match item {
            Ok(entry) => entry,
            Err(error) => return (found, Some(error)),
        };
        if let Some(before) = found.last() {
            let next = before.next();
            assert_eq!((entry.seq, entry.index), (next.seq, next.index), "in order, each once");
            let same = entry.index > 0 && entry.history_hash == before.history_hash;
            assert!(same || entry.previous_hash == before.history_hash);
        }
        assert_eq!(entry.key.is_none(), entry.op == ChangelogOp::Note);
        // A forged value need be no record; telling so is enough.
        let _ = (entry.record(), entry.family(), entry.key.as_ref().map(ToString::to_string));
        found.push(entry);
    }
    (found, None)
}

/// Asserts that entries are some of those that were written, one after the other.
fn assert_true(found: &[ChangelogEntry], truth: &[ChangelogEntry]) {
    let Some(first) = found.first() else { return };
    let start = truth.iter().position(|entry| entry == first).expect("it was never written");
    assert!(truth[start..].starts_with(found), "entries that were never written");
}

fn is_typed(error: &Error) -> bool {
    matches!(
        error,
        Error::ChangelogCorrupt { .. }
            | Error::ChangelogForeign { .. }
            | Error::ChangelogGap { .. }
            | Error::ChangelogTruncated { .. }
            | Error::ChangelogMismatch { .. }
            | Error::HistoryDiverged { .. }
            | Error::ReadSeqFuture { .. }
    )
}

fn assert_typed(error: Option<&Error>) {
    assert!(error.is_none_or(is_typed), "{error:?}");
}

/// Beside a writer: from every place, and all of it with its hashes.
fn read_files(vfs: &SimVfs, truth: Option<&[ChangelogEntry]>) {
    let reader = ChangelogReader::open_with(Arc::new(vfs.clone()), PRIMARY).expect("a changelog");
    let mut cursors = vec![ChangelogCursor::START];
    for (seq, index) in [(1, 0), (2, 1), (3, 0), (4, 0), (5, 0), (6, 1), (7, 0), (u64::MAX, 0)] {
        cursors.push(ChangelogCursor::at(seq, index));
    }
    for cursor in cursors {
        let read = reader.read(cursor, ChangelogFilter::new()).expect("an iterator");
        let (found, error) = until_error(read);
        assert_typed(error.as_ref());
        if let Some(truth) = truth {
            assert_true(&found, truth);
        }
        if let (Some(last), None) = (found.last(), error) {
            let read = reader.read(last.next(), ChangelogFilter::new()).expect("an iterator");
            assert!(until_error(read).0.is_empty(), "nothing came after it");
        }
    }
    let verified = reader.verify(None);
    assert_typed(verified.as_ref().err());
    let info = reader.info();
    assert_typed(info.as_ref().err());
}

/// Mends it, and reads and writes on.
fn repair(vfs: &SimVfs, truth: Option<&[ChangelogEntry]>) {
    let repaired = Db::repair_changelog_with(Arc::new(vfs.clone()), PRIMARY, options());
    let done = match (repaired, truth) {
        (Ok(done), _) => done,
        (Err(error), None) => return assert_typed(Some(&error)),
        (Err(error), Some(_)) => panic!("a repair that failed: {error:?}"),
    };
    let db = match (Db::open_with(Arc::new(vfs.clone()), PRIMARY, options()), truth) {
        (Ok(db), _) => db,
        (Err(error), None) => return assert_typed(Some(&error)),
        (Err(error), Some(_)) => panic!("repaired, and does not open: {error:?}"),
    };
    db.update(|tx| tx.put("after", "")).expect("it can be written");
    let (mut since, mut gaps) = (0, Vec::new());
    loop {
        let read = match (db.read_changelog_since(since), truth) {
            (Ok(read), _) => read,
            // A forged base may lie anywhere.
            (Err(error), None) => return assert_typed(Some(&error)),
            (Err(error), Some(_)) => panic!("above head: {error:?}"),
        };
        let (found, error) = until_error(read);
        assert_typed(error.as_ref());
        if let Some(truth) = truth {
            let known = found.iter().filter(|entry| entry.seq <= 6).cloned().collect::<Vec<_>>();
            assert_true(&known, truth);
        }
        match error {
            Some(Error::ChangelogGap { first, last }) => {
                assert!(first > since && last >= first && gaps.len() < 10);
                gaps.push((first, last));
                since = last;
            }
            None => {
                let last = found.last().map(|entry| entry.seq);
                assert!(truth.is_none() || last == Some(7), "{last:?} is the last");
                break;
            }
            Some(error) => {
                assert!(truth.is_none(), "repaired, and damaged: {error:?}");
                break;
            }
        }
    }
    if truth.is_some() {
        // What is lost at the beginning need not be a gap: the changelog begins later then.
        assert!(gaps.iter().all(|gap| done.lost.contains(gap)), "{gaps:?}, {done:?}");
    }
    db.close().expect("a close");
}

/// Where the segments of a [`SmallChangelog`] lie: the sealed one, the active one.
pub fn small_changelog_paths() -> [PathBuf; 2] {
    [sealed_path(Path::new(PRIMARY), 1), active_path(Path::new(PRIMARY))]
}
