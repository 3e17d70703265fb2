//! Facets: texts derived from a cell, up to six at each coordinate. A facet keeps the hash of the
//! content that it was derived from, so that one that has gone stale is seen.

use std::fmt;

use sha2::{Digest, Sha256};

use super::cell::Cell;
use crate::error::{Error, Result};
use crate::time::Timestamp;

/// Which of the six facets of a cell, 0 to 5.
///
/// ```
/// use hexxladb::FacetId;
/// let id = FacetId::new(3)?;
/// assert_eq!(id.to_string(), "3");
/// assert_eq!(id, FacetId::ALL[3]);
/// assert!(FacetId::new(6).is_err());
/// # Ok::<(), hexxladb::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "u8", into = "u8")
)]
pub struct FacetId(u8);

impl FacetId {
    /// All facets, in their order.
    pub const ALL: [Self; 6] = [Self(0), Self(1), Self(2), Self(3), Self(4), Self(5)];

    /// The facet with this number.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] above 5.
    pub fn new(id: u8) -> Result<Self> {
        let found = Self::ALL.get(usize::from(id));
        found.copied().ok_or_else(|| Error::invalid("facet", id, "0 to 5"))
    }

    /// The number, 0 to 5.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for FacetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u8> for FacetId {
    type Error = Error;

    fn try_from(id: u8) -> Result<Self> {
        Self::new(id)
    }
}

impl From<FacetId> for u8 {
    fn from(id: FacetId) -> Self {
        id.0
    }
}

/// A text derived from the content of a cell: a summary, a translation, a list of its names.
///
/// ```
/// use hexxladb::{Cell, Facet, derivation_hash};
/// let cell = Cell::new("The kettle is on. It is green.");
/// let facet = Facet::of(&cell, "A green kettle, on.");
/// assert_eq!(facet.derivation_hash, derivation_hash(&cell.raw_content));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct Facet {
    /// The derived text.
    pub derived_content: String,
    /// [`derivation_hash`] of the content that it was derived from; with serde 64 hexadecimal
    /// digits.
    #[cfg_attr(feature = "serde", serde(with = "super::hex"))]
    pub derivation_hash: [u8; 32],
    /// When it was last derived anew.
    pub last_rotated: Timestamp,
}

impl Facet {
    /// A facet of `cell` with this text.
    pub fn of(cell: &Cell, derived_content: impl Into<String>) -> Self {
        Self {
            derived_content: derived_content.into(),
            derivation_hash: derivation_hash(&cell.raw_content),
            ..Self::default()
        }
    }

    /// Last derived at this time.
    #[must_use]
    pub fn with_last_rotated(mut self, last_rotated: Timestamp) -> Self {
        self.last_rotated = last_rotated;
        self
    }
}

/// The hash by which a facet knows the content that it was derived from: SHA-256 of the text.
pub fn derivation_hash(raw_content: &str) -> [u8; 32] {
    Sha256::digest(raw_content.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facets_are_numbered_from_0_to_5() {
        for id in 0..=u8::MAX {
            let found = FacetId::new(id);
            assert_eq!(found.is_ok(), id < 6);
            match found {
                Ok(found) => assert_eq!((found.get(), found), (id, FacetId::ALL[usize::from(id)])),
                Err(error) => assert!(matches!(error, Error::InvalidArgument { .. })),
            }
        }
        assert!(FacetId::ALL.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn the_hash_is_sha_256_of_the_content() {
        // The test vector "abc" of FIPS 180-2.
        let hash = derivation_hash("abc");
        let (start, end) = hash.split_at(16);
        let number = |half: &[u8]| u128::from_be_bytes(half.try_into().unwrap());
        assert_eq!(number(start), 0xba78_16bf_8f01_cfea_4141_40de_5dae_2223);
        assert_eq!(number(end), 0xb003_61a3_9617_7a9c_b410_ff61_f200_15ad);
        let cell = Cell::new("abc").with_source("not hashed");
        assert_eq!(Facet::of(&cell, "x").derivation_hash, derivation_hash("abc"));
    }
}
