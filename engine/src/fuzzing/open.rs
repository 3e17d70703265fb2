//! The target that opens what may be anything: bytes of any kind as primary and log, or a small
//! database with some of its bytes changed, with or without their checksums put right.

use std::path::Path;
use std::sync::Arc;

use hexxladb_vfs::sim::SimVfs;

use super::blind::read_blind;
use super::bytes::Input;
use super::forge::replace_payload;
use super::reading::{compare, floor_of};
use super::reseal::{reseal_log, reseal_primary};
use super::sample::{LOG, PRIMARY, Sample, Shape, files, sample, small_options};
use crate::db::Db;
use crate::error::Error;
use crate::format::frame::FrameType;
use crate::lattice::Coord;
use crate::record::{Cell, Edge};
use crate::sync::OnceLock;

/// File operations after which a reading is thought never to end.
const MAX_OPS: u64 = 200_000;
/// Most bytes of either file.
const MAX_FILE_BYTES: usize = 1 << 20;
const EDIT_BYTES: usize = 8;

/// The samples that inputs change, by the low bits of their first byte.
static SAMPLES: [OnceLock<Sample>; 4] = [const { OnceLock::new() }; 4];

fn sample_number(number: usize) -> &'static Sample {
    SAMPLES[number].get_or_init(|| {
        let (mvcc, closed) = (number & 1 == 0, number & 2 != 0);
        let shape = Shape { mvcc, page_size: 512, closed, large_end: mvcc };
        sample(shape).expect("nothing fails on this disk")
    })
}

/// Opens files and reads everything in them. The first byte chooses:
///
/// - bits 0–1: which sample is changed; bit 2: none, the rest of the input is four bytes of length
///   of the primary, the primary, the log;
/// - bit 3: put the checksums right afterwards; bit 4: read-only;
/// - bits 5–6: with 1 or 2 the rest of the input is the payload of the newest maintenance or commit
///   in a sample's log; checksums are put right then.
///
/// A change is eight bytes: what to do and in which file, three bytes of offset, four of value.
pub fn open(data: &[u8]) {
    let mut input = Input(data);
    let choice = input.byte();
    let frame_type = match choice >> 5 & 3 {
        1 => Some(FrameType::Maintenance),
        2 => Some(FrameType::Commit),
        _ => None,
    };
    let (mut primary, mut log) = if choice & 0b100 == 0 {
        let (mut primary, mut log) = files(&sample_number(usize::from(choice & 3)).vfs);
        if let Some(frame_type) = frame_type {
            replace_payload(&mut log, frame_type, input.take(input.0.len()));
        }
        while !input.0.is_empty() {
            edit(&mut primary, &mut log, input.array());
        }
        (primary, log)
    } else {
        let len = u32::from_le_bytes(input.array()) as usize;
        (input.take(len).to_vec(), input.0.to_vec())
    };
    let forged = choice & 0b1000 != 0 || frame_type.is_some();
    if forged {
        let crcs = reseal_log(&mut log, 16 << 10);
        reseal_primary(&mut primary, &crcs);
    }
    open_files(&primary, &log, choice & 0b1_0000 != 0, forged);
    if choice & 0b100 == 0 && !forged {
        never_wrong(sample_number(usize::from(choice & 3)), &primary, &log);
    }
}

fn edit(primary: &mut Vec<u8>, log: &mut Vec<u8>, edit: [u8; EDIT_BYTES]) {
    let file = if edit[0] & 0x80 == 0 { primary } else { log };
    let at = u32::from_le_bytes([edit[1], edit[2], edit[3], 0]) as usize % file.len().max(1);
    let value = [edit[4], edit[5], edit[6], edit[7]];
    let number = u32::from_le_bytes(value) as usize;
    let end = file.len();
    match edit[0] & 7 {
        0 => file[at..end.min(at + 1)].fill(value[0]),
        1 => file[at..end.min(at + 2)].copy_from_slice(&value[..2.min(end - at)]),
        2 => file[at..end.min(at + 4)].copy_from_slice(&value[..4.min(end - at)]),
        3 => file[at..end.min(at + 1)].iter_mut().for_each(|byte| *byte ^= value[0]),
        // Another page or block, moved here or from an unaligned place.
        4 => {
            let from = number % end.max(1);
            let len = 512.min(end - at).min(end - from);
            file.copy_within(from..from + len, at);
        }
        5 => file[at..end.min(at + number % 4096)].fill(0),
        6 => file.truncate(at),
        _ => file.resize(MAX_FILE_BYTES.min(end + number % (64 << 10)), value[3]),
    }
}

fn disk(primary: &[u8], log: &[u8]) -> SimVfs {
    let vfs = SimVfs::new(1);
    vfs.write_file(Path::new(PRIMARY), primary);
    vfs.write_file(Path::new(LOG), log);
    vfs.set_op_limit(Some(MAX_OPS));
    vfs
}

/// Opens, reads, writes, and opens again what that left. What hides behind forged checksums may
/// come out later; everything else that can be opened and written is sound.
fn open_files(primary: &[u8], log: &[u8], read_only: bool, forged: bool) {
    let vfs = disk(primary, log);
    let options = || small_options().read_only(read_only);
    let Ok(db) = Db::open_with(Arc::new(vfs.clone()), PRIMARY, options()) else { return };
    read_blind(&db, !forged);
    if read_only {
        drop(db);
        let unchanged = vfs.read_file(Path::new(PRIMARY)).as_deref() == Some(primary)
            && vfs.read_file(Path::new(LOG)).as_deref() == Some(log);
        assert!(unchanged, "reading changed a file");
        return;
    }
    let head = db.head();
    let written = db.update(|tx| {
        tx.put("written later", "x")?;
        let (at, to) = (Coord::from_checked(0, 0), Coord::from_checked(-7, 20));
        tx.put_cell(at, &Cell::new("written later").with_tags(["later"]))?;
        tx.put_edge(at, to, "later", &Edge::default())?;
        // What hangs on it may be damaged.
        tx.delete_cell(to)?;
        Ok::<_, Error>(tx.commit_seq())
    });
    let kept = maintain(&db);
    let _ = db.close();
    drop(db);
    let again = Db::open_with(Arc::new(vfs), PRIMARY, options());
    if forged {
        return;
    }
    let Ok(seq) = written else { return };
    let again = again.expect("what took a commit and was opened once opens again");
    assert_eq!((again.head().ok(), head.ok()), (Some(seq), seq.checked_sub(1)));
    let value = again.view(|tx| tx.get("written later"));
    assert_eq!(value.ok().flatten().as_deref(), Some(&b"x"[..]), "an acknowledged commit is kept");
    if let Some((tag, floor)) = kept {
        let seq = again.view_at_tag("later", |tx| Ok::<_, Error>(tx.seq()));
        assert_eq!(seq.ok(), Some(tag), "an acknowledged tag is kept");
        assert_eq!(floor_of(&again), floor, "an acknowledged floor is kept");
    }
}

/// Tags the newest state and prunes some of what was before; returns where the tag and the floor
/// are then.
fn maintain(db: &Db) -> Option<(u64, u64)> {
    let tag = db.tag_snapshot("later").ok()?;
    db.prune_cell_versions(tag, 20).ok()?;
    Some((tag, floor_of(db)))
}

/// Without repaired checksums every answer is the right one.
fn never_wrong(sample: &Sample, primary: &[u8], log: &[u8]) {
    let vfs = disk(primary, log);
    let Ok(db) = Db::open_with(Arc::new(vfs), PRIMARY, small_options()) else { return };
    let fresh = primary.is_empty();
    if let Err(wrong) = compare(&db, &sample.oracle) {
        assert!(fresh, "{wrong}");
    }
}
