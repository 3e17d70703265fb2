//! Writes inputs to start fuzzing from, made of the bytes of real databases:
//!
//! ```text
//! cargo run --manifest-path fuzz/Cargo.toml --example seeds -- corpus/fuzz
//! ```
//!
//! They are named `seed-…`; what is there under such a name is overwritten. Needed where the format
//! changes, or a target's input does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs, io};

use hexxladb::fuzzing::{
    LOG, OP_BYTES, PRIMARY, Shape, record_inputs, sample, small_changelog, small_changelog_paths,
    small_options,
};
use hexxladb::vfs::sim::SimVfs;
use hexxladb::{Db, Seed};

const PAGE_BYTES: usize = 512;
const HEADER_BYTES: usize = 16 << 10;
const BLOCK_BYTES: usize = 4096;
const FRAME_HEADER_BYTES: usize = 136;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = PathBuf::from(env::args().nth(1).ok_or("name the directory of the corpus")?);
    let out = |target: &str, name: &str, bytes: &[u8]| write(&dir, target, name, bytes);
    for (mvcc, name) in [(false, "v1"), (true, "v2")] {
        let shape = Shape { mvcc, page_size: PAGE_BYTES as u32, closed: false, large_end: true };
        let disk = sample(shape)?.vfs;
        let read = |file: &str| disk.read_file(Path::new(file)).unwrap_or_default();
        let (primary, log) = (read(PRIMARY), read(LOG));
        // Without its checksum, which the target makes right.
        out("header", name, without_zeros(&primary[BLOCK_BYTES..2 * BLOCK_BYTES - 4]))?;
        pages(&primary, name, &out)?;
        if mvcc {
            frames(&log, &out)?;
        }
    }
    let inputs = record_inputs()?;
    for (name, input) in &inputs {
        out("records", name, input)?;
    }
    let key = |kind: &str| {
        let input = inputs.iter().find(|(name, _)| *name == format!("key-{kind}"));
        input.map(|(_, input)| &input[1..]).ok_or(format!("no key of a {kind}"))
    };
    hostile_maintenance(key("tag")?, key("cell")?, &out)?;
    opens(&out)?;
    operations(&out)?;
    changelogs(&out)?;
    base_frame(&out)?;
    Ok(())
}

fn write(dir: &Path, target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let dir = dir.join(target);
    fs::create_dir_all(&dir)?;
    fs::write(dir.join(format!("seed-{name}")), bytes)
}

/// What is cut off here the targets put back.
fn without_zeros(bytes: &[u8]) -> &[u8] {
    let len = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    &bytes[..len]
}

type Out<'a> = &'a dyn Fn(&str, &str, &[u8]) -> io::Result<()>;

/// The last page of each type in the primary.
fn pages(primary: &[u8], name: &str, out: Out<'_>) -> io::Result<()> {
    let kinds = [(1, 0, "leaf"), (2, 1, "branch"), (5, 2, "catalogue"), (4, 3, "free-list")];
    for (page_type, choice, kind) in kinds {
        let mut pages = primary[HEADER_BYTES..].chunks_exact(PAGE_BYTES);
        if let Some(page) = pages.rfind(|page| page[4] == page_type) {
            let input = [&[choice, 0], &page[64..]].concat();
            out("page", &format!("{kind}-{name}"), &input)?;
        }
    }
    // 1,000 bytes in two runs of one and two pages.
    let mut reference = 1000u32.to_le_bytes().to_vec();
    reference.extend_from_slice(&[0; 24]);
    reference.push(2);
    for (page, count) in [(40u64, 1u32), (50, 2)] {
        reference.extend_from_slice(&page.to_le_bytes());
        reference.extend_from_slice(&count.to_le_bytes());
    }
    out("page", "overflow", &[&[4, 0], &reference[..]].concat())
}

/// Types of frames that carry changes.
const PART: u8 = 2;
const COMMIT: u8 = 3;
const MAINTENANCE: u8 = 5;
/// The type of the frame of a state that was taken over.
const BASE: u8 = 6;

/// A segment header, and the oldest frames of each type in the log: whole, and what they carry,
/// which is also to be replayed in place of the newest.
fn frames(log: &[u8], out: Out<'_>) -> io::Result<()> {
    out("log_frames", "segment", without_zeros(&log[..BLOCK_BYTES]))?;
    let mut seen = BTreeMap::new();
    let mut blocks: Vec<&[u8]> = log.chunks_exact(BLOCK_BYTES).filter(|b| is_frame(b)).collect();
    blocks.sort_by_key(|block| block[16..24].iter().rev().copied().collect::<Vec<u8>>());
    for block in blocks {
        let len = u32::from_le_bytes([block[8], block[9], block[10], block[11]]) as usize;
        let end = FRAME_HEADER_BYTES + len;
        let count = seen.entry(block[4]).or_insert(0);
        *count += 1;
        let name = format!("frame-{}-{count}", block[4]);
        if end > BLOCK_BYTES || *count > MAX_FRAMES {
            continue;
        }
        out("log_frames", &name, &block[..end.next_multiple_of(8)])?;
        let payload = &block[FRAME_HEADER_BYTES..end];
        if [PART, COMMIT, MAINTENANCE].contains(&block[4]) {
            out("redo", &name, payload)?;
            let replay = if block[4] == MAINTENANCE { 1 << 5 } else { 2 << 5 };
            out("open", &format!("replay-{name}"), &[&[replay], payload].concat())?;
        }
    }
    Ok(())
}

/// Maintenance that no engine writes, to be replayed in place of the newest in the log.
fn hostile_maintenance(tag: &[u8], cell: &[u8], out: Out<'_>) -> io::Result<()> {
    let prefix = |floor: u64, pruned: u64| [floor.to_le_bytes(), pruned.to_le_bytes()].concat();
    let put =
        |key: &[u8], row: &[u8]| [&[1, key.len() as u8], key, &[row.len() as u8], row].concat();
    let delete = |key: &[u8]| [&[2, key.len() as u8], key].concat();
    let as_it_was = prefix(5, 3);
    let payloads = [
        ("far-floor", prefix(99, 3)),
        ("low-floor", prefix(1, 1)),
        ("no-row", [&as_it_was[..], &put(tag, b"")].concat()),
        ("short-tag", [&as_it_was[..], &put(tag, b"\x01\x05")].concat()),
        ("far-tag", [&as_it_was[..], &put(tag, b"\x01\xff\xff\xff\xff\xff\xff\xff\xff")].concat()),
        ("no-tag", [&as_it_was[..], &delete(tag)].concat()),
        ("put-record", [&as_it_was[..], &put(cell, b"\x01\x01")].concat()),
        ("no-record", [&as_it_was[..], &delete(cell)].concat()),
    ];
    payloads.iter().try_for_each(|(name, payload)| {
        out("open", &format!("replay-{name}"), &[&[1 << 5], &payload[..]].concat())
    })
}

/// Frames of each type that are taken at most.
const MAX_FRAMES: u32 = 4;

fn is_frame(block: &[u8]) -> bool {
    (1..=5).contains(&block[4]) && block[7] == 1
}

/// Each sample untouched and with a few changes, and files that are no database.
fn opens(out: Out<'_>) -> io::Result<()> {
    for sample in 0..4u8 {
        out("open", &format!("untouched-{sample}"), &[sample])?;
        out("open", &format!("resealed-{sample}"), &[sample | 0b1000])?;
    }
    out("open", "read-only", &[0b1_0000])?;
    // The byte at 17,000 becomes 9; a flip in the log; the second slot's catalogue is far away.
    let changes = [
        [0, 0x68, 0x42, 0, 9, 0, 0, 0],
        [0x83, 0, 0x14, 0, 0x10, 0, 0, 0],
        [2, 0x78, 0x10, 0, 0xff, 0xff, 0xff, 0xff],
    ];
    for (sample, change) in (0..).zip(&changes) {
        out("open", &format!("changed-{sample}"), &[&[sample], &change[..]].concat())?;
        let resealed = [&[sample | 0b1000], &change[..]].concat();
        out("open", &format!("changed-{sample}-resealed"), &resealed)?;
    }
    out("open", "empty", &[0b100])?;
    out("open", "foreign", b"\x04\x10\0\0\0SQLite format 3\0and a log")
}

/// Segments as they are, cut, changed, and with checksums put right; their frames by themselves.
fn changelogs(out: Out<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let small = small_changelog(true)?;
    for (path, name, choice) in small_changelog_paths()
        .iter()
        .zip(["sealed", "active"])
        .zip([1u8, 0])
        .map(|((p, n), c)| (p, n, c))
    {
        let bytes = small.vfs.read_file(path).unwrap_or_default();
        out("changelog", &format!("{name}-untouched"), &[choice])?;
        out("changelog", &format!("{name}-resealed"), &[choice | 0b1000])?;
        // The small frames alone, behind the true header, as they are and with any checksums.
        let mut small_frames = Vec::new();
        for (frame, number) in changelog_frames(&bytes).into_iter().zip(0..) {
            if frame.len() > 2000 {
                continue;
            }
            small_frames.extend_from_slice(frame);
            let alone = [&[choice | 0b10], frame].concat();
            out("changelog", &format!("{name}-frame-{number}"), &alone)?;
        }
        for forged in [0, 0b1000] {
            let input = [&[choice | 0b10 | forged], &small_frames[..]].concat();
            out("changelog", &format!("{name}-frames-{forged}"), &input)?;
        }
        // What to do, three bytes of offset, four of value: sequence, count, length, note, type.
        let changes: [(&str, [u8; 8]); 8] = [
            ("seq", [0, 0x20, 0x10, 0, 9, 0, 0, 0]),
            ("count", [1, 0x18, 0x10, 0, 0xff, 0xff, 0xff, 0xff]),
            ("total", [1, 0x1c, 0x10, 0, 0, 0, 0, 0]),
            ("length", [1, 0x0c, 0x10, 0, 0xff, 0xff, 0xff, 3]),
            ("note", [1, 0x68, 0x10, 0, 0xff, 0xff, 0xff, 0xff]),
            ("kind", [0, 0x08, 0x10, 0, 3, 0, 0, 0]),
            ("base", [0, 0x28, 0, 0, 2, 0, 0, 0]),
            ("cut", [5, 0x00, 0x11, 0, 0, 0, 0, 0]),
        ];
        for (what, change) in changes {
            for forged in [0, 0b1000] {
                let input = [&[choice | forged], &change[..]].concat();
                out("changelog", &format!("{name}-{what}-{forged}"), &input)?;
            }
        }
    }
    out("changelog", "empty", &[0b111])?;
    Ok(())
}

/// The frames of a segment of the changelog.
fn changelog_frames(bytes: &[u8]) -> Vec<&[u8]> {
    const HEADER: usize = 104;
    let (mut at, mut found) = (BLOCK_BYTES, Vec::new());
    while let Some(len) = bytes.get(at + 12..at + 16) {
        let end = at + HEADER + u32::from_le_bytes([len[0], len[1], len[2], len[3]]) as usize;
        let Some(frame) = bytes.get(at..end) else { break };
        found.push(frame);
        at = end;
    }
    found
}

/// The frame of a database that took over another one's state.
fn base_frame(out: Out<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let source = small_changelog(true)?;
    let options = || small_options().page_size(PAGE_BYTES as u32);
    let source = Db::open_with(Arc::new(source.vfs), PRIMARY, options())?;
    let vfs = SimVfs::new(1);
    let db = Db::open_with(Arc::new(vfs.clone()), PRIMARY, options())?;
    db.seed_from(&source.snapshot_at(1)?, &Seed::default())?;
    drop(db);
    let log = vfs.read_file(Path::new(LOG)).unwrap_or_default();
    let blocks = log.chunks_exact(BLOCK_BYTES).filter(|block| block[4] == BASE && block[7] == 1);
    for (block, number) in blocks.zip(1..) {
        let len = u32::from_le_bytes([block[8], block[9], block[10], block[11]]) as usize;
        let end = FRAME_HEADER_BYTES + len;
        out("log_frames", &format!("frame-6-{number}"), &block[..end.next_multiple_of(8)])?;
        out("redo", &format!("frame-6-{number}"), &block[FRAME_HEADER_BYTES..end])?;
    }
    Ok(())
}

/// Short stories for `ops`: kind, then numbers.
fn operations(out: Out<'_>) -> io::Result<()> {
    let op = |kind: u8, a: u8, number: u16, rest: [u8; 4]| {
        let [low, high] = number.to_le_bytes();
        let [b, c, d, e] = rest;
        let bytes: [u8; OP_BYTES] = [kind, a, low, high, b, c, d, e];
        bytes
    };
    let plain = |kind: u8| op(kind, 0, 0, [0; 4]);
    let cell = |at: u8, tags: u8| op(4, at, 20, [65, tags, 1, 5]);
    let (commit, compare, close, crash) = (plain(17), plain(22), plain(23), op(24, 1, 0, [0; 4]));
    // Put, facet, edge, seam.
    let linked = [
        cell(1, 0xfe),
        cell(2, 0x9d),
        op(8, 1, 30, [2, 1, 0, 0]),
        op(11, 1, 3, [2, 0, 0, 0]),
        op(14, 1, 0x0301, [1, 2, 1, 7]),
        op(15, 2, 0, [1, 0, 0, 0]),
        commit,
    ];
    let pruned =
        [op(25, 0, 0, [0; 4]), op(29, 0, 3, [0; 4]), op(27, 0, 3, [2, 0, 0, 0]), plain(30)];
    let rows = [op(0, 1, 40, [7, 0, 0, 0]), commit, op(0, 1, 50, [8, 0, 0, 0]), commit];
    let stories: [(&str, Vec<[u8; OP_BYTES]>); 8] = [
        ("crash", [&rows[..], &[crash, op(3, 1, 0, [0; 4])]].concat()),
        ("close", vec![op(0, 1, 3000, [7, 0, 0, 0]), cell(5, 80), close, op(6, 5, 0, [0; 4])]),
        ("split", vec![op(2, 0, 60, [50, 0, 0, 0]), commit, op(2, 3, 50, [30, 0, 0, 0]), compare]),
        ("back", [&rows[..], &[op(3, 1, 0, [0; 4]), plain(20)]].concat()),
        ("linked", [&linked[..], &[op(6, 1, 0, [0; 4]), commit, crash]].concat()),
        ("retagged", vec![cell(1, 0xfe), commit, cell(1, 0x9d), commit, cell(1, 0), compare]),
        ("pruned", [&linked[..], &rows, &rows, &pruned, &[crash, op(28, 0, 4, [9; 4])]].concat()),
        (
            "differs",
            [&linked[..], &rows, &[op(31, 0, 0, [3, 0, 0, 0]), op(16, 0, 0, [1; 4])]].concat(),
        ),
    ];
    for (choice, (name, story)) in stories.into_iter().enumerate() {
        let choice = [0, 1, 2, 3, 0, 1, 4, 0][choice];
        let story = story.concat();
        out("ops", name, &[&[choice], &story[..]].concat())?;
        // The same with a changelog, and with its segments sealed at checkpoints.
        if ["linked", "pruned", "crash"].contains(&name) {
            let sealed = op(21, 1, 0, [0; 4]);
            let input = [&[choice | 0x80], &story[..], &sealed, &story[..], &crash].concat();
            out("ops", &format!("changelog-{name}"), &input)?;
        }
    }
    Ok(())
}
