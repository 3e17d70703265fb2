//! What can go wrong between a changelog and a target.

use std::fmt::Display;

/// As [`std::result::Result`], with this package's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong. No message holds a password of a URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The changelog cannot be read on from there: `HistoryDiverged` where the target holds
    /// another history than the database has, and whatever else reading it says.
    #[error(transparent)]
    Database(#[from] hexxladb::Error),
    /// The target cannot be reached or failed. Opening it again and going on after its last
    /// position may help.
    #[error("{target}: {source}")]
    Unreachable {
        /// The target, as its URL without a password, or as a path.
        target: String,
        /// What it said.
        source: Cause,
    },
    /// The target does not take it, now or later.
    #[error("{target}: {what}")]
    Refused {
        /// The target, as its URL without a password, or as a path.
        target: String,
        /// What is wrong, and what to do.
        what: String,
    },
    /// A URL that names no target.
    #[error("{what}")]
    Url {
        /// What is wrong with it.
        what: String,
    },
    /// A record of a family that this release does not know.
    #[error(
        "the database holds a family of records that this program does not know; use a newer release"
    )]
    UnknownFamily,
}

impl Error {
    /// The target failed in a way that may pass.
    pub fn unreachable(target: impl Into<String>, source: impl Into<Cause>) -> Self {
        Self::Unreachable { target: target.into(), source: source.into() }
    }

    /// The target does not take it.
    pub fn refused(target: impl Into<String>, what: impl Display) -> Self {
        Self::Refused { target: target.into(), what: what.to_string() }
    }

    /// Whether opening the target again may help.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}
