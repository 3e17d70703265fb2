//! The pointer to a child page as it stands in branch pages and in the catalogue: 40 bytes.

use super::FormatResult;
use super::bytes::Reader;
use crate::ids::{Checksum, PageNo};

/// Bytes of a child pointer.
pub(crate) const CHILD_BYTES: usize = 40;

/// Where a child is, what its bytes must be, and how new what lies below it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChildPointer {
    /// Where the page is.
    pub(crate) page: PageNo,
    /// The page's checksum.
    pub(crate) checksum: Checksum,
    /// Upper bound of the commit sequences of versions below.
    pub(crate) max_seq: u64,
    /// Number of the first frame of the newest transaction that touched anything below.
    pub(crate) max_change: u64,
}

impl ChildPointer {
    /// Appends the pointer.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_bytes());
    }

    /// The pointer's bytes.
    pub(crate) fn to_bytes(self) -> [u8; CHILD_BYTES] {
        let mut bytes = [0; CHILD_BYTES];
        bytes[0..8].copy_from_slice(&self.page.0.to_le_bytes());
        bytes[8..24].copy_from_slice(&self.checksum);
        bytes[24..32].copy_from_slice(&self.max_seq.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.max_change.to_le_bytes());
        bytes
    }

    /// Reads a pointer; it must name a page.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> FormatResult<Self> {
        let pointer = Self {
            page: PageNo(reader.u64()?),
            checksum: reader.array()?,
            max_seq: reader.u64()?,
            max_change: reader.u64()?,
        };
        if pointer.page.is_none() { Err("pointer to no page".into()) } else { Ok(pointer) }
    }
}
