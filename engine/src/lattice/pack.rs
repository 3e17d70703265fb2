//! The packed form of a coordinate: 16 bytes whose order is Morton order.
//!
//! Each of q, r and s is zigzagged (0, −1, 1, −2, … become 0, 1, 2, 3, …) to 19 bits, and the bits
//! are interleaved with q first: bit i of q, r and s stands at bit 3i + 2, 3i + 1 and 3i of a
//! 128-bit big-endian number. A [`PackedCoord`] always holds a coordinate in range: bytes that do
//! not are refused when it is made.

use std::fmt;

use super::coord::MAX_COMPONENT;
use crate::error::{Error, Result};
use crate::ids::Coord;

/// Bits of a zigzagged component.
const COMPONENT_BITS: u32 = 19;

/// All interleaved bits fit the low half, which the bit tricks below work on.
const PACKED_BITS: u32 = 3 * COMPONENT_BITS;

const _: () = assert!(zigzag(-MAX_COMPONENT) < 1 << COMPONENT_BITS);
const _: () = assert!(zigzag(MAX_COMPONENT) < 1 << COMPONENT_BITS);
const _: () = assert!(PACKED_BITS <= u64::BITS);

/// A coordinate as 16 bytes that sort in Morton order, so that cells near each other on the
/// lattice tend to lie near each other in the file.
///
/// Its order is the order of cells in scans, and ranges of it are what
/// [`ReadTx::cells`](crate::ReadTx::cells) takes.
///
/// ```
/// use hexxladb::{Coord, PackedCoord};
/// let origin = PackedCoord::from(Coord::new(0, 0)?);
/// let other = PackedCoord::from(Coord::new(3, 1)?);
/// assert!(origin < other && origin == PackedCoord::MIN);
/// assert_eq!(other.unpack(), Coord::new(3, 1)?);
/// # Ok::<(), hexxladb::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(from = "Coord", into = "Coord")
)]
pub struct PackedCoord([u8; 16]);

impl PackedCoord {
    /// The first of all coordinates in Morton order: the origin.
    pub const MIN: Self = Self::pack(Coord::from_checked(0, 0));

    /// The last of all coordinates in Morton order.
    pub const MAX: Self = Self::pack(Coord::from_checked(MAX_COMPONENT, -MAX_COMPONENT));

    const fn pack(coord: Coord) -> Self {
        let packed = (spread(zigzag(coord.q())) << 2)
            | (spread(zigzag(coord.r())) << 1)
            | spread(zigzag(coord.s()));
        Self((packed as u128).to_be_bytes())
    }

    /// The coordinate.
    pub const fn unpack(self) -> Coord {
        // The invariant puts every bit into the low half.
        let packed = u128::from_be_bytes(self.0) as u64;
        Coord::from_checked(unzigzag(compact(packed >> 2)), unzigzag(compact(packed >> 1)))
    }

    /// From bytes as they stand in keys.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for bytes that are no packed coordinate: a bit above the
    /// interleaved ones, a component out of range, or s that is not −q − r.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self> {
        let refuse = || {
            let given = format!("{:#034x}", u128::from_be_bytes(bytes));
            Error::invalid("packed coordinate", given, "the interleaved q, r and −q − r of a Coord")
        };
        decode(bytes).map(|_| Self(bytes)).ok_or_else(refuse)
    }

    /// The bytes as they stand in keys.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The coordinate that `bytes` hold, if they are the packed form of one.
pub(crate) fn decode(bytes: [u8; 16]) -> Option<Coord> {
    let packed = u64::try_from(u128::from_be_bytes(bytes)).ok()?;
    let q = unzigzag(compact(packed >> 2));
    let r = unzigzag(compact(packed >> 1));
    let s = unzigzag(compact(packed));
    let in_range = |v: i32| v.unsigned_abs() <= MAX_COMPONENT.unsigned_abs();
    let whole = packed >> PACKED_BITS == 0 && in_range(q) && in_range(r) && in_range(s);
    (whole && q + r + s == 0).then(|| Coord::from_checked(q, r))
}

const fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)).cast_unsigned()
}

const fn unzigzag(code: u32) -> i32 {
    (code >> 1).cast_signed() ^ -(code & 1).cast_signed()
}

/// Moves bit i of the low 21 bits to bit 3i: each step halves the runs of adjacent bits.
const fn spread(code: u32) -> u64 {
    let mut x = code as u64;
    x = (x | (x << 32)) & 0x001f_0000_0000_ffff;
    x = (x | (x << 16)) & 0x001f_0000_ff00_00ff;
    x = (x | (x << 8)) & 0x100f_00f0_0f00_f00f;
    x = (x | (x << 4)) & 0x10c3_0c30_c30c_30c3;
    (x | (x << 2)) & 0x1249_2492_4924_9249
}

/// The inverse of [`spread`]; bits between those at 3i are ignored.
const fn compact(spread: u64) -> u32 {
    let mut x = spread & 0x1249_2492_4924_9249;
    x = (x | (x >> 2)) & 0x10c3_0c30_c30c_30c3;
    x = (x | (x >> 4)) & 0x100f_00f0_0f00_f00f;
    x = (x | (x >> 8)) & 0x001f_0000_ff00_00ff;
    x = (x | (x >> 16)) & 0x001f_0000_0000_ffff;
    ((x | (x >> 32)) & 0x001f_ffff) as u32
}

impl From<Coord> for PackedCoord {
    fn from(coord: Coord) -> Self {
        Self::pack(coord)
    }
}

impl From<PackedCoord> for Coord {
    fn from(packed: PackedCoord) -> Self {
        packed.unpack()
    }
}

impl TryFrom<[u8; 16]> for PackedCoord {
    type Error = Error;

    fn try_from(bytes: [u8; 16]) -> Result<Self> {
        Self::from_bytes(bytes)
    }
}

impl fmt::Display for PackedCoord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.unpack(), f)
    }
}

impl fmt::Debug for PackedCoord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PackedCoord{}", self.unpack())
    }
}
