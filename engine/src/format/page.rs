//! The header that every page of the primary begins with, and the two checksums of a page.
//!
//! ```text
//!  0  crc32      u32   over bytes 4.. of the page
//!  4  type       u8    see PageType
//!  5  layout     u8    version of the layout of this type
//!  6  compression u8   0: none
//!  7  flags      u8    0
//!  8  page       u64   the page's own number
//! 16  stored     u32   bytes stored; the page size when not compressed
//! 20  key id     u32   0: not sealed
//! 24  nonce      24 B  zero when not sealed
//! 48  tag        16 B  zero when not sealed
//! 64  …                content
//! ```
//!
//! The crc32 lets a page be checked alone. The pointer in the parent carries an xxh3-128 over
//! the same bytes, which also finds lost, stale and misdirected writes.

use super::FormatResult;
use super::bytes::{put, u32_at, u64_at};
use crate::ids::{Checksum, PageNo};

/// Bytes before a page's content.
pub(crate) const PAGE_HEADER_BYTES: usize = 64;
/// Version of the page layouts.
const LAYOUT: u8 = 1;

/// What a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageType {
    Leaf = 1,
    Branch = 2,
    Overflow = 3,
    FreeList = 4,
    Catalog = 5,
}

/// Fills in the page header and returns the checksum for the pointer to the page.
pub(crate) fn seal(bytes: &mut [u8], page_type: PageType, page: PageNo) -> Checksum {
    bytes[..PAGE_HEADER_BYTES].fill(0);
    put(bytes, 4, &[page_type as u8, LAYOUT, 0, 0]);
    put(bytes, 8, &page.0.to_le_bytes());
    let stored = bytes.len() as u32;
    put(bytes, 16, &stored.to_le_bytes());
    let crc = crc32fast::hash(&bytes[4..]);
    put(bytes, 0, &crc.to_le_bytes());
    checksum(bytes)
}

/// The checksum of a page as its parent keeps it.
pub(crate) fn checksum(bytes: &[u8]) -> Checksum {
    xxhash_rust::xxh3::xxh3_128(&bytes[4..]).to_le_bytes()
}

/// Checks a page against the pointer that led to it.
pub(crate) fn verify(
    bytes: &[u8],
    page_type: PageType,
    page: PageNo,
    expected: &Checksum,
) -> FormatResult<()> {
    if checksum(bytes) != *expected {
        return Err(match verify_alone(bytes, page) {
            Err(what) => what,
            Ok(_) => format!("page {page} is intact but not the version that its parent names"),
        });
    }
    if bytes[4] == page_type as u8 {
        Ok(())
    } else {
        Err(format!("page {page} has type {}, {page_type:?} expected", bytes[4]))
    }
}

/// Checks a page by its own header; returns its type byte.
pub(crate) fn verify_alone(bytes: &[u8], page: PageNo) -> FormatResult<u8> {
    if bytes.len() < PAGE_HEADER_BYTES {
        return Err(format!("page {page} is cut short"));
    }
    let (stored, computed) = (u32_at(bytes, 0), crc32fast::hash(&bytes[4..]));
    if stored != computed {
        return Err(format!("page {page}: checksum {computed:08x}, {stored:08x} stored"));
    }
    if u64_at(bytes, 8) != page.0 {
        return Err(format!("page {page} holds page {}", u64_at(bytes, 8)));
    }
    if bytes[5] != LAYOUT || bytes[6] != 0 || u32_at(bytes, 16) as usize != bytes.len() {
        return Err(format!("page {page} has an unknown layout"));
    }
    Ok(bytes[4])
}
