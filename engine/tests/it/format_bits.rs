//! What a file says of its format: versions, feature bits, room for what is to come.
//!
//! The files are changed as another release would have written them, with their checksums right.

use hexxladb::vfs::MemoryVfs;
use hexxladb::{Error, Options};

use crate::image::{Image, SLOTS, seal_slot};
use crate::support::{
    DB, LOG, files, open, options, put, read_file, refused, rows, try_open, write_file,
};

/// Offsets of the feature bits in a header slot: compatible, read-only-compatible, incompatible.
const COMPATIBLE: usize = 16;
const READ_ONLY_COMPATIBLE: usize = 24;
const INCOMPATIBLE: usize = 32;
const VERSION: usize = 8;

/// A database with one record, closed or not, each of its header slots changed.
fn with_headers(close: bool, change: impl Fn(&mut [u8])) -> MemoryVfs {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    put(&db, "key", "value").unwrap();
    if close {
        db.close().unwrap();
    }
    drop(db);
    let mut bytes = read_file(&vfs, DB).unwrap();
    for slot in 0..SLOTS {
        let slot = &mut bytes[slot * 4096..(slot + 1) * 4096];
        if slot.iter().any(|byte| *byte != 0) {
            change(slot);
            seal_slot(slot);
        }
    }
    write_file(&vfs, DB, &bytes);
    vfs
}

// spec: FILE-17
#[test]
fn an_unknown_incompatible_bit_or_version_is_refused() {
    let changes: [fn(&mut [u8]); 4] = [
        |slot| slot[INCOMPATIBLE] = 1,
        |slot| slot[INCOMPATIBLE + 7] = 0x80,
        |slot| slot[VERSION] = 3,
        |slot| slot[VERSION] = 0,
    ];
    for change in changes {
        for (close, read_only) in [(true, false), (true, true), (false, false)] {
            let vfs = with_headers(close, change);
            let before = files(&vfs);
            let opened = try_open(&vfs, Options::new().read_only(read_only));
            refused!(opened, Error::UnsupportedFormat { path, what } if path.to_str() == Some(DB) && !what.is_empty());
            assert!(files(&vfs) == before);
        }
    }
}

// spec: FILE-17
#[test]
fn an_unknown_read_only_compatible_bit_allows_reading_alone() {
    for bit in [1u8, 0x80] {
        for close in [true, false] {
            let vfs = with_headers(close, |slot| slot[READ_ONLY_COMPATIBLE + 3] = bit);
            let before = files(&vfs);
            let reader = open(&vfs, options().read_only(true));
            assert_eq!(rows(&reader).len(), 1);
            drop(reader);
            refused!(try_open(&vfs, options()), Error::UnsupportedFormat { what, .. } if what.contains("read-only"));
            assert!(files(&vfs) == before);
        }
    }
}

// spec: FILE-17
#[test]
fn an_unknown_compatible_bit_changes_nothing_and_stays() {
    for close in [true, false] {
        let vfs = with_headers(close, |slot| slot[COMPATIBLE + 2] = 0x10);
        let db = open(&vfs, options());
        assert_eq!(rows(&db).len(), 1);
        put(&db, "other", "").unwrap();
        db.close().unwrap();
        let newest = Image::of(&vfs).header().to_vec();
        assert_eq!(newest[COMPATIBLE + 2], 0x10, "a feature that others rely on was dropped");
        assert_eq!(rows(&open(&vfs, options())).len(), 2);
    }
}

// spec: FILE-18
#[test]
fn pages_headers_and_frames_have_room_for_what_is_to_come() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    for round in 0..120u8 {
        put(&db, [round], vec![round; 10 * usize::from(round)]).unwrap();
    }
    db.checkpoint().unwrap();
    put(&db, "after", "").unwrap();
    drop(db);
    let image = Image::of(&vfs);
    // Wrapped key (512 bytes) and changelog (256).
    assert!(image.header()[232..232 + 512 + 256].iter().all(|byte| *byte == 0));
    let pages = image.pages();
    assert!(pages.len() > 10);
    for page in pages {
        let bytes = image.page(page);
        assert_eq!(bytes[6], 0, "compression");
        assert_eq!(bytes[16..20], 4096u32.to_le_bytes(), "bytes stored");
        assert!(bytes[20..64].iter().all(|byte| *byte == 0), "key id 4, nonce 24, tag 16");
    }
    // The first frame of a segment stands in its second block.
    let log = read_file(&vfs, LOG).unwrap();
    let frame = &log[4096..];
    assert_eq!(frame[6], 0, "compression");
    assert_eq!(frame[12..16], [0; 4], "key id");
    assert!(frame[96..136].iter().all(|byte| *byte == 0), "nonce 24, tag 16");
}
