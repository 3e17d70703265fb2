//! Numbers with a meaning: page and frame numbers, identities, coordinates.

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

/// An axial coordinate; |q|, |r| and |q + r| are at most [`MAX_COMPONENT`](crate::lattice::MAX_COMPONENT).
///
/// Displayed as `(q,r)`, and read back from that or from `q,r`. It has no order of its own; sort
/// by [`PackedCoord`](crate::PackedCoord) for the order of keys.
///
/// ```
/// use hexxladb::Coord;
/// let coord = Coord::new(3, -1)?;
/// assert_eq!(coord.s(), -2);
/// assert_eq!(coord.to_string(), "(3,-1)");
/// assert_eq!("3,-1".parse::<Coord>()?, coord);
/// # Ok::<(), hexxladb::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "crate::lattice::Axial", into = "crate::lattice::Axial")
)]
pub struct Coord {
    q: i32,
    r: i32,
}

impl Coord {
    /// For callers that have checked the range.
    pub(crate) const fn from_checked(q: i32, r: i32) -> Self {
        debug_assert!(q.unsigned_abs() <= MAX_COMPONENT.unsigned_abs());
        debug_assert!(r.unsigned_abs() <= MAX_COMPONENT.unsigned_abs());
        debug_assert!((q + r).unsigned_abs() <= MAX_COMPONENT.unsigned_abs());
        Self { q, r }
    }

    /// The q axis.
    pub const fn q(self) -> i32 {
        self.q
    }

    /// The r axis.
    pub const fn r(self) -> i32 {
        self.r
    }

    /// The third axis, −q − r.
    pub const fn s(self) -> i32 {
        -self.q - self.r
    }
}

impl fmt::Display for Coord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({},{})", self.q, self.r)
    }
}

impl fmt::Debug for Coord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
