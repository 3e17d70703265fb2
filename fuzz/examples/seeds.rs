//! Writes inputs to start fuzzing from, made of the bytes of real databases:
//!
//! ```text
//! cargo run --manifest-path fuzz/Cargo.toml --example seeds -- corpus/fuzz
//! ```
//!
//! They are named `seed-…`; what is there under such a name is overwritten. Needed where the format
//! changes, or a target's input does.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use hexxladb::fuzzing::{LOG, OP_BYTES, PRIMARY, Shape, sample};
use hexxladb::{Cell, Coord, Error, PackedCoord, encode_cell_for_hash};

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
    records(&out)?;
    opens(&out)?;
    operations(&out)?;
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

/// A segment header, and every frame of the log on its own: whole, and what it carries.
fn frames(log: &[u8], out: Out<'_>) -> io::Result<()> {
    out("log_frames", "segment", without_zeros(&log[..BLOCK_BYTES]))?;
    for (index, block) in log.chunks_exact(BLOCK_BYTES).enumerate() {
        let len = u32::from_le_bytes([block[8], block[9], block[10], block[11]]) as usize;
        let end = FRAME_HEADER_BYTES + len;
        if !(1..=4).contains(&block[4]) || block[7] != 1 || end > BLOCK_BYTES || index % 4 == 0 {
            continue;
        }
        out("log_frames", &format!("frame-{index}"), &block[..end.next_multiple_of(8)])?;
        if block[4] == 3 {
            out("redo", &format!("frame-{index}"), &block[FRAME_HEADER_BYTES..end])?;
        }
    }
    Ok(())
}

fn records(out: Out<'_>) -> Result<(), Error> {
    let mut cell = Cell::new("text").with_source("kitchen").with_confidence(0.5);
    cell.tags = vec!["home".into(), "tea".into()];
    cell.cluster_hint = Some("near".into());
    let encoded = encode_cell_for_hash(&cell)?;
    let coord = PackedCoord::from(Coord::new(3, -1)?);
    let cell_key = [&[0x30], &coord.as_bytes()[..], &(!5u64).to_be_bytes()].concat();
    let raw_key = [&b"\x20a\0\xffb\0\x01"[..], &(!7u64).to_be_bytes()].concat();
    let commit = [&[0x10, 0x10], &9u64.to_be_bytes()[..]].concat();
    let time = [&[0x10, 0x20], &(1u64 << 63).to_be_bytes()[..], &9u64.to_be_bytes()].concat();
    let row = [&[7; 24][..], b"\x01a note"].concat();
    let len = |key: &[u8]| vec![2, key.len() as u8];
    let inputs: [(&str, Vec<u8>); 8] = [
        ("cell", [&[0], &encoded[..]].concat()),
        ("cell-key", [&[1], &cell_key[..]].concat()),
        ("raw-key", [&[1], &raw_key[..]].concat()),
        ("commit-key", [&[1], &commit[..]].concat()),
        ("time-key", [&[1], &time[..]].concat()),
        ("two-keys", [len(&raw_key), raw_key.clone(), raw_key].concat()),
        ("application-key", b"\x03a\0b\xff".to_vec()),
        ("timeline-row", [&[4], &row[..]].concat()),
    ];
    inputs.into_iter().try_for_each(|(name, bytes)| out("records", name, &bytes)).map_err(io_error)
}

fn io_error(error: io::Error) -> Error {
    hexxladb::vfs::Error::new(hexxladb::vfs::Op::Write, Path::new("seed"), error).into()
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

/// Short stories for `ops`: kind, then numbers.
fn operations(out: Out<'_>) -> io::Result<()> {
    let op = |kind: u8, a: u8, len: u16, b: u8| {
        let mut bytes = [0; OP_BYTES];
        (bytes[0], bytes[1], bytes[4]) = (kind, a, b);
        bytes[2..4].copy_from_slice(&len.to_le_bytes());
        bytes
    };
    let stories = [
        ("crash", vec![op(0, 1, 40, 7), op(9, 0, 0, 0), op(15, 1, 0, 0), op(4, 1, 0, 0)]),
        ("close", vec![op(0, 1, 3000, 7), op(6, 5, 80, 65), op(14, 0, 0, 0), op(7, 5, 0, 0)]),
        ("split", vec![op(8, 0, 60, 120), op(9, 0, 0, 0), op(8, 3, 50, 30), op(12, 0, 0, 0)]),
        ("back", vec![op(0, 2, 10, 1), op(9, 0, 0, 0), op(4, 2, 0, 0), op(11, 0, 0, 0)]),
    ];
    for (choice, (name, story)) in stories.into_iter().enumerate() {
        out("ops", name, &[&[choice as u8], &story.concat()[..]].concat())?;
    }
    Ok(())
}
