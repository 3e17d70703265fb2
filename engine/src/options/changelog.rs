//! What the changelog keeps, and for how long.

use std::time::Duration;

/// What an entry of the changelog holds of a record's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ChangelogValues {
    /// The value: enough to replicate.
    #[default]
    Full,
    /// Its SHA-256: enough to audit.
    Hash,
    /// Nothing.
    None,
}

/// How the changelog is kept: what it says of values, how long a segment gets, and which sealed
/// segments may go. Not persisted, except for what it says of values.
///
/// ```
/// use std::time::Duration;
/// use hexxladb::{ChangelogOptions, Options};
/// let month = Duration::from_secs(30 * 24 * 3600);
/// let options = Options::new().changelog(ChangelogOptions::new().keep_for(month));
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangelogOptions {
    pub(crate) values: ChangelogValues,
    pub(crate) segment_bytes: u64,
    pub(crate) keep_for: Option<Duration>,
    pub(crate) keep_bytes: Option<u64>,
    pub(crate) drop_consumed: bool,
}

impl Default for ChangelogOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ChangelogOptions {
    /// Values in full, segments of 64 MiB, and nothing goes.
    pub fn new() -> Self {
        Self {
            values: ChangelogValues::Full,
            segment_bytes: 64 << 20,
            keep_for: None,
            keep_bytes: None,
            drop_consumed: false,
        }
    }

    /// What entries hold of values (default: all). May change from one open to the next; entries
    /// that are written stay as they are.
    #[must_use]
    pub fn values(mut self, values: ChangelogValues) -> Self {
        self.values = values;
        self
    }

    /// Bytes, at least 64 KiB (default 64 MiB), from which the checkpoint that comes next seals
    /// the segment and begins another.
    #[must_use]
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// A sealed segment may go when its last commit is older than this.
    #[must_use]
    pub fn keep_for(mut self, age: Duration) -> Self {
        self.keep_for = Some(age);
        self
    }

    /// The oldest sealed segments may go while all segments together take more bytes than this.
    #[must_use]
    pub fn keep_bytes(mut self, bytes: u64) -> Self {
        self.keep_bytes = Some(bytes);
        self
    }

    /// A sealed segment may go when there is a consumer and every consumer has read it.
    #[must_use]
    pub fn drop_consumed(mut self, yes: bool) -> Self {
        self.drop_consumed = yes;
        self
    }
}
