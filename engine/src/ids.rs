//! Numbers with a meaning: page and frame numbers, identities.

use std::fmt;

/// Numbers that count up are below this on disk, so that going on from them never overflows.
pub(crate) const COUNT_LIMIT: u64 = 1 << 63;

/// Number of a page in the primary; its byte offset is the number times the page size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PageNo(pub(crate) u64);

impl PageNo {
    /// No page: the number of the first header block, which no tree page can have.
    pub(crate) const NONE: Self = Self(0);

    /// Whether this names no page.
    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Byte offset of the page in the primary.
    pub(crate) fn offset(self, page_size: usize) -> u64 {
        self.0.saturating_mul(page_size as u64)
    }
}

impl fmt::Display for PageNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a log frame; frames count from 1 and never repeat in one file's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FrameNo(pub(crate) u64);

impl FrameNo {
    /// The frame after this one.
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for FrameNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A random 16-byte identity, of a history or of a file.
pub(crate) type Identity = [u8; 16];

/// The first 16 bytes of the SHA-256 chain over all commits.
pub(crate) type HistoryHash = [u8; 16];

/// A 16-byte checksum as it stands in a child pointer.
pub(crate) type Checksum = [u8; 16];

/// Largest magnitude of each of the coordinates q, r and s = −q − r.
pub(crate) const MAX_COMPONENT: i32 = (1 << 18) - 1;
