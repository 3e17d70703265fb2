//! Axial coordinates. A [`Coord`] is always in range, however it was made: by `new`, from text,
//! from a packed key or through serde.

use std::str::FromStr;

use crate::error::{Error, Result};
use crate::ids::Coord;

/// Largest magnitude of each of q, r and s = −q − r.
pub const MAX_COMPONENT: i32 = crate::ids::MAX_COMPONENT;

impl Coord {
    /// The coordinate (q, r).
    ///
    /// # Errors
    /// [`Error::CoordOutOfRange`] when q, r or −q − r is out of range.
    pub fn new(q: i32, r: i32) -> Result<Self> {
        Self::from_wide(i64::from(q), i64::from(r))
    }

    pub(super) fn from_wide(q: i64, r: i64) -> Result<Self> {
        // Each part is checked before the sum, so that the sum cannot overflow.
        match (component(q), component(r)) {
            (Some(narrow_q), Some(narrow_r)) if component(q + r).is_some() => {
                Ok(Self::from_checked(narrow_q, narrow_r))
            }
            _ => Err(Error::CoordOutOfRange { q, r }),
        }
    }
}

/// `value` as a component, if it is in range.
fn component(value: i64) -> Option<i32> {
    i32::try_from(value).ok().filter(|v| (-MAX_COMPONENT..=MAX_COMPONENT).contains(v))
}

impl FromStr for Coord {
    type Err = Error;

    /// Reads `q,r` or `(q,r)`, with or without spaces around the numbers.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for text that is not two whole numbers,
    /// [`Error::CoordOutOfRange`] for numbers that are no coordinate.
    fn from_str(text: &str) -> Result<Self> {
        match parse_axial(text) {
            Some((q, r)) => Self::from_wide(q, r),
            None => Err(Error::invalid("coordinate", text, "q,r or (q,r), whole numbers")),
        }
    }
}

fn parse_axial(text: &str) -> Option<(i64, i64)> {
    let text = text.trim();
    let inner = match text.strip_prefix('(') {
        Some(opened) => opened.strip_suffix(')')?,
        None => text,
    };
    let (q, r) = inner.split_once(',')?;
    Some((q.trim().parse().ok()?, r.trim().parse().ok()?))
}

/// How serde sees a coordinate. Wide, so that a number out of range is reported as such.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename = "Coord")]
pub(crate) struct Axial {
    q: i64,
    r: i64,
}

#[cfg(feature = "serde")]
impl From<Coord> for Axial {
    fn from(coord: Coord) -> Self {
        Self { q: i64::from(coord.q()), r: i64::from(coord.r()) }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Axial> for Coord {
    type Error = Error;

    fn try_from(axial: Axial) -> Result<Self> {
        Self::from_wide(axial.q, axial.r)
    }
}
