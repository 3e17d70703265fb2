//! Seams: what holds between two cells that do not fit together, and how it was resolved. The
//! fields are free; the rules that bind them are checked when a seam is put.

use std::fmt;
use std::str::FromStr;

use super::cell::{Provenance, Validity};
use super::validation::check_text;
use crate::error::{Error, Result};
use crate::lattice::Coord;
use crate::time::Timestamp;

/// A place where two cells do not fit together: they contradict each other, or one takes the
/// place of the other.
///
/// ```
/// use hexxladb::{Coord, ResolutionStatus, Seam, SeamType};
/// let (a, b) = (Coord::new(0, 0)?, Coord::new(3, 1)?);
/// let seam = Seam::new(a, b, SeamType::Conflict).with_reason("One says on, one says off.");
/// assert_eq!(seam.resolution_status, ResolutionStatus::Unresolved);
/// # Ok::<(), hexxladb::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Seam {
    /// One side; of a supersession the newer one.
    pub cell_a: Coord,
    /// The other side, another coordinate.
    pub cell_b: Coord,
    /// What holds between them.
    pub seam_type: SeamType,
    /// Why.
    #[cfg_attr(feature = "serde", serde(default))]
    pub reason: String,
    /// How much surer `cell_a` is than `cell_b`; finite.
    #[cfg_attr(feature = "serde", serde(default))]
    pub confidence_delta: f64,
    /// When it was found.
    #[cfg_attr(feature = "serde", serde(default))]
    pub detected_at: Timestamp,
    /// What has become of it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub resolution_status: ResolutionStatus,
    /// What was said when it was resolved.
    #[cfg_attr(feature = "serde", serde(default))]
    pub resolution_note: Option<String>,
    /// Where it comes from.
    #[cfg_attr(feature = "serde", serde(default))]
    pub provenance: Provenance,
    /// When it holds.
    #[cfg_attr(feature = "serde", serde(default))]
    pub validity: Validity,
}

impl Seam {
    /// A seam between these cells with defaults elsewhere.
    pub fn new(cell_a: Coord, cell_b: Coord, seam_type: SeamType) -> Self {
        Self {
            cell_a,
            cell_b,
            seam_type,
            reason: String::new(),
            confidence_delta: 0.0,
            detected_at: Timestamp::default(),
            resolution_status: ResolutionStatus::default(),
            resolution_note: None,
            provenance: Provenance::default(),
            validity: Validity::default(),
        }
    }

    /// With this reason.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    /// With this source.
    #[must_use]
    pub fn with_source(mut self, source_id: impl Into<String>) -> Self {
        self.provenance.source_id = source_id.into();
        self
    }

    /// With this validity.
    #[must_use]
    pub fn with_validity(mut self, validity: Validity) -> Self {
        self.validity = validity;
        self
    }
}

/// What holds between the two cells of a seam. As text and through serde it is its name.
///
/// ```
/// use hexxladb::SeamType;
/// assert_eq!("conflict".parse::<SeamType>()?, SeamType::Conflict);
/// assert_eq!("overlap".parse::<SeamType>()?.to_string(), "overlap");
/// # Ok::<(), hexxladb::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
#[non_exhaustive]
pub enum SeamType {
    /// The cells contradict each other: `conflict`.
    Conflict,
    /// The first cell takes the place of the second: `supersedes`.
    Supersedes,
    /// Anything else: at most 255 bytes, zero bytes counted twice, neither empty nor the name of
    /// another variant. Parsing a text never makes such a name; putting one is refused.
    Other(String),
}

impl SeamType {
    /// Its name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Conflict => "conflict",
            Self::Supersedes => "supersedes",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for SeamType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl FromStr for SeamType {
    type Err = Error;

    /// # Errors
    /// [`Error::InvalidArgument`] for no text, [`Error::KeyTooLarge`] for too much.
    fn from_str(name: &str) -> Result<Self> {
        match name {
            "conflict" => Ok(Self::Conflict),
            "supersedes" => Ok(Self::Supersedes),
            "" => {
                Err(Error::invalid("seam type", "empty", "conflict, supersedes, or another name"))
            }
            _ => check_text("seam_type", name).map(|()| Self::Other(name.to_owned())),
        }
    }
}

impl TryFrom<String> for SeamType {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        name.parse()
    }
}

impl From<SeamType> for String {
    fn from(seam_type: SeamType) -> Self {
        seam_type.as_str().to_owned()
    }
}

/// What has become of a seam. As text and through serde it is its name in lower case.
///
/// ```
/// use hexxladb::ResolutionStatus;
/// assert_eq!("merged".parse::<ResolutionStatus>()?, ResolutionStatus::Merged);
/// # Ok::<(), hexxladb::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "lowercase")
)]
pub enum ResolutionStatus {
    /// Nothing yet.
    #[default]
    Unresolved,
    /// The cells were merged.
    Merged,
    /// One cell has taken the place of the other.
    Superseded,
    /// It is kept, and no longer asks for anything.
    Archived,
}

impl ResolutionStatus {
    /// All of them, unresolved first.
    pub const ALL: [Self; 4] = [Self::Unresolved, Self::Merged, Self::Superseded, Self::Archived];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unresolved => "unresolved",
            Self::Merged => "merged",
            Self::Superseded => "superseded",
            Self::Archived => "archived",
        }
    }
}

impl fmt::Display for ResolutionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl FromStr for ResolutionStatus {
    type Err = Error;

    /// # Errors
    /// [`Error::InvalidArgument`] for any other text.
    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == name);
        found.ok_or_else(|| {
            let accepted = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid("resolution status", name, accepted)
        })
    }
}
