//! What a power cut may leave, as plain data: the pending units, and a choice among them.
//!
//! A choice names what survives; whatever it does not name keeps its durable state. It refers to
//! files by number and to versions by their order, so it means the same in every run with the
//! same operations, and stays meaningful when some of them are dropped.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use super::fault_text::ParseError;
use super::names::{FileId, NameChange};

/// One thing that a power cut decides by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A sector with un-synced contents.
    Sector {
        /// The file.
        file: FileId,
        /// Its name, or its last one.
        path: Arc<Path>,
        /// Number of the sector in the file.
        sector: u64,
        /// How many contents were written since the sector was last durable.
        versions: u32,
    },
    /// A file's length that is not durable. Any length between the extremes is possible; these
    /// are the interesting ones.
    Length {
        /// The file.
        file: FileId,
        /// Its name, or its last one.
        path: Arc<Path>,
        /// The durable length in bytes.
        durable: u64,
        /// Other lengths, ascending, `current` among them unless it is the durable one.
        others: Vec<u64>,
        /// The length in the cache view.
        current: u64,
    },
    /// A directory entry's change.
    Name {
        /// Its place among the pending changes.
        index: u32,
        /// The change.
        change: NameChange,
    },
}

impl Unit {
    /// How many outcomes the unit has (garbage apart).
    #[must_use]
    pub fn outcomes(&self) -> u64 {
        match self {
            Self::Sector { versions, .. } => u64::from(*versions) + 1,
            Self::Length { others, .. } => others.len() as u64 + 1,
            Self::Name { .. } => 2,
        }
    }

    /// The outcome numbered `outcome`, where 0 is the durable state, which needs no mention.
    #[must_use]
    pub fn outcome(&self, outcome: u64) -> Option<Kept> {
        let index = outcome.checked_sub(1)?;
        match self {
            Self::Sector { file, sector, versions, .. } => {
                let version = u32::try_from(outcome).ok().filter(|version| version <= versions)?;
                let survival = Survival::Version(version);
                Some(Kept::Sector { file: *file, sector: *sector, survival })
            }
            Self::Length { file, others, .. } => {
                let bytes = *others.get(usize::try_from(index).ok()?)?;
                Some(Kept::Length { file: *file, bytes })
            }
            Self::Name { index: name, .. } => (index == 0).then_some(Kept::Name { index: *name }),
        }
    }

    /// The outcome that the cache view shows.
    #[must_use]
    pub fn newest(&self) -> Option<Kept> {
        match self {
            Self::Length { file, current, .. } => {
                Some(Kept::Length { file: *file, bytes: *current })
            }
            _ => self.outcome(self.outcomes() - 1),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sector { file, path, sector, versions } => {
                write!(f, "{file}:{sector} {}, versions: {versions}", path.display())
            }
            Self::Length { file, path, durable, others, current } => {
                let path = path.display();
                write!(f, "{file}:len {path}, durable {durable}, now {current}, {others:?}")
            }
            Self::Name { index, change } => write!(f, "n{index} {change}"),
        }
    }
}

/// A pending outcome in the order in which it came about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) order: u64,
    /// Index of its unit.
    pub(super) unit: usize,
    pub(super) kept: Kept,
}

/// Everything between the cache view and the disk.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// What a power cut decides, files in order of their number, then names.
    pub units: Vec<Unit>,
    pub(super) events: Vec<Event>,
    pub(super) sector_bytes: u64,
}

impl Pending {
    /// Whether a power cut has nothing to decide.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// How many sectors are pending.
    #[must_use]
    pub fn sectors(&self) -> usize {
        self.units.iter().filter(|unit| matches!(unit, Unit::Sector { .. })).count()
    }

    /// How many outcomes there are in all, up to `u64::MAX`.
    #[must_use]
    pub fn combinations(&self) -> u64 {
        self.units.iter().fold(1, |product, unit| product.saturating_mul(unit.outcomes()))
    }

    /// Nothing un-synced survives.
    #[must_use]
    pub fn none(&self) -> CrashChoice {
        CrashChoice::default()
    }

    /// Everything survives, as the cache view shows it.
    #[must_use]
    pub fn all(&self) -> CrashChoice {
        CrashChoice(self.units.iter().filter_map(Unit::newest).collect())
    }
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.units.iter().try_for_each(|unit| writeln!(f, "{unit}"))
    }
}

/// What a power cut leaves in a sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Survival {
    /// The contents that the n-th un-synced write to it left, from 1; 0 is the durable contents.
    Version(u32),
    /// Bytes that nobody wrote, by a seed. Only where something was being written.
    Garbage(u64),
}

/// Something that survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kept {
    /// Contents of a sector.
    Sector {
        /// The file.
        file: FileId,
        /// Number of the sector in the file.
        sector: u64,
        /// What it holds.
        survival: Survival,
    },
    /// Length of a file; clamped to what is possible.
    Length {
        /// The file.
        file: FileId,
        /// Length in bytes.
        bytes: u64,
    },
    /// A pending change of directory entries.
    Name {
        /// Its place among the pending changes.
        index: u32,
    },
}

/// What survives a power cut. Names each unit at most once; units that do not exist (any more)
/// are passed over.
///
/// ```
/// use hexxladb_vfs::sim::CrashChoice;
///
/// let choice: CrashChoice = "f0:12=1 f0:len=8192 f1:3=?77 n0".parse()?;
/// assert_eq!(choice.0.len(), 4);
/// assert_eq!(choice.to_string(), "f0:12=1 f0:len=8192 f1:3=?77 n0");
/// assert_eq!(CrashChoice::default().to_string(), "-");
/// # Ok::<(), hexxladb_vfs::sim::ParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CrashChoice(pub Vec<Kept>);

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sector { file, sector, survival: Survival::Version(version) } => {
                write!(f, "{file}:{sector}={version}")
            }
            Self::Sector { file, sector, survival: Survival::Garbage(seed) } => {
                write!(f, "{file}:{sector}=?{seed}")
            }
            Self::Length { file, bytes } => write!(f, "{file}:len={bytes}"),
            Self::Name { index } => write!(f, "n{index}"),
        }
    }
}

fn parse_kept(text: &str) -> Option<Kept> {
    if let Some(index) = text.strip_prefix('n') {
        return Some(Kept::Name { index: index.parse().ok()? });
    }
    let (file, rest) = text.strip_prefix('f')?.split_once(':')?;
    let file = FileId(file.parse().ok()?);
    let (what, value) = rest.split_once('=')?;
    if what == "len" {
        return Some(Kept::Length { file, bytes: value.parse().ok()? });
    }
    let survival = match value.strip_prefix('?') {
        Some(seed) => Survival::Garbage(seed.parse().ok()?),
        None => Survival::Version(value.parse().ok()?),
    };
    Some(Kept::Sector { file, sector: what.parse().ok()?, survival })
}

impl FromStr for Kept {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse_kept(text).ok_or_else(|| ParseError::new("something that survives", text))
    }
}

impl fmt::Display for CrashChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("-");
        }
        for (index, kept) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{kept}")?;
        }
        Ok(())
    }
}

impl FromStr for CrashChoice {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.trim() == "-" {
            return Ok(Self::default());
        }
        text.split_whitespace().map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}
