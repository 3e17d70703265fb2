//! What operations say of the changelog, and its text form.

use std::fmt::{self, Display};

use super::parse::{Parsed, Words, fail};

/// Whether a handle keeps a changelog, and what that says of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Changelog {
    /// It keeps none.
    #[default]
    Off,
    /// Values in full.
    Full,
    /// Hashes of values.
    Hash,
    /// Nothing of values.
    Bare,
}

impl Changelog {
    /// All of them, with what they are called in plans.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Off, "off"), (Self::Full, "full"), (Self::Hash, "hash"), (Self::Bare, "none")];
}

/// A way to read the changelog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through the handle.
    Read,
    /// Through the handle, following without waiting.
    Follow,
    /// Beside the handle.
    Beside,
}

impl Way {
    /// All of them, with what they are called in plans.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Read, "changelog"), (Self::Follow, "follow"), (Self::Beside, "beside")];
}

/// Where in the changelog to begin, and what is wanted of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    /// Commit of the first entry.
    pub seq: u64,
    /// Its index.
    pub index: u32,
    /// A filter by its number; 0 is none.
    pub filter: u32,
}

impl Display for Changelog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::ALL.iter().find(|(changelog, _)| changelog == self);
        f.write_str(found.map_or("", |(_, name)| name))
    }
}

impl Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::ALL.iter().find(|(way, _)| way == self);
        f.write_str(found.map_or("", |(_, name)| name))
    }
}

impl Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.seq, self.index, self.filter)
    }
}

/// What a handle keeps.
pub(super) fn changelog(word: &str, value: &str) -> Parsed<Changelog> {
    let found = Changelog::ALL.iter().find(|(_, name)| *name == value);
    found
        .map_or_else(|| fail(format!("`{word}`: off, full, hash or none")), |(found, _)| Ok(*found))
}

/// Where in the changelog to begin.
pub(super) fn spot(words: &mut Words<'_>) -> Parsed<Spot> {
    Ok(Spot { seq: words.value()?, index: words.value()?, filter: words.value()? })
}
