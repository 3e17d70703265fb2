//! How a database is opened: plain data with documented bounds.

mod changelog;
mod hooks;
mod retention;

use std::sync::Arc;

use ulid::Ulid;

use crate::error::{Error, Result};
use crate::lattice::Coord;
use crate::record::{Cell, Seam};

pub use changelog::{ChangelogOptions, ChangelogValues};
pub(crate) use hooks::Hooks;
pub use retention::Retention;

/// When a commit counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Durability {
    /// `Ok` means on stable storage.
    #[default]
    Sync,
    /// `Ok` means ordered and atomic. A power cut may lose commits since the last sync
    /// ([`Db::sync`](crate::Db::sync), checkpoint, close), never tear or reorder them; a killed
    /// process loses nothing.
    Buffered,
}

/// Options of [`Db::open`](crate::Db::open).
///
/// ```
/// use hexxladb::Options;
/// let options = Options::new().page_size(4096).cache_bytes(16 << 20);
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of one builder")]
pub struct Options {
    pub(crate) mvcc: Option<bool>,
    pub(crate) page_size: Option<u32>,
    pub(crate) max_value_bytes: Option<u32>,
    pub(crate) cache_bytes: u64,
    pub(crate) durability: Durability,
    pub(crate) checkpoint_wal_bytes: u64,
    pub(crate) wal_segment_bytes: u32,
    pub(crate) create_if_missing: bool,
    pub(crate) read_only: bool,
    pub(crate) in_memory: bool,
    pub(crate) small_limits: bool,
    pub(crate) retention: Option<Retention>,
    pub(crate) changelog: Option<ChangelogOptions>,
    pub(crate) hooks: Hooks,
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// Page size of a new file unless told otherwise.
pub(crate) const DEFAULT_PAGE_SIZE: u32 = 8192;
/// Value limit of a new file unless told otherwise.
pub(crate) const DEFAULT_MAX_VALUE_BYTES: u32 = 1 << 20;

impl Options {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            mvcc: None,
            page_size: None,
            max_value_bytes: None,
            cache_bytes: 64 << 20,
            durability: Durability::Sync,
            checkpoint_wal_bytes: 64 << 20,
            wal_segment_bytes: 1 << 20,
            create_if_missing: true,
            read_only: false,
            in_memory: false,
            small_limits: false,
            retention: None,
            changelog: None,
            hooks: Hooks::default(),
        }
    }

    /// The defaults, for a database that lives in memory alone and makes no file call. The path
    /// given to open is a label.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { in_memory: true, ..Self::new() }
    }

    /// Whether to version every record by commit (format v2, the default for new files) or keep
    /// one version of each (format v1). Persisted: must agree with an existing file when given.
    #[must_use]
    pub fn mvcc(mut self, on: bool) -> Self {
        self.mvcc = Some(on);
        self
    }

    /// Page size in bytes: 4096, 8192 (default), 16384, 32768 or 65536. Persisted.
    #[must_use]
    pub fn page_size(mut self, bytes: u32) -> Self {
        self.page_size = Some(bytes);
        self
    }

    /// Largest encoded value in bytes, 512 to 64 MiB (default 1 MiB). Persisted.
    #[must_use]
    pub fn max_value_bytes(mut self, bytes: u32) -> Self {
        self.max_value_bytes = Some(bytes);
        self
    }

    /// Page cache budget in bytes, at least 1 MiB (default 64 MiB).
    #[must_use]
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// When a commit counts as done (default [`Durability::Sync`]).
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Log size in bytes at which a checkpoint starts, at least 1 MiB (default 64 MiB).
    #[must_use]
    pub fn checkpoint_wal_bytes(mut self, bytes: u64) -> Self {
        self.checkpoint_wal_bytes = bytes;
        self
    }

    /// What to keep of the past: none by default, and then nothing is suggested for pruning. Not
    /// persisted. Nothing is pruned by itself: see
    /// [`Db::prune_cell_versions_by_profile`](crate::Db::prune_cell_versions_by_profile).
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = Some(retention);
        self
    }

    /// Keep a changelog: every committed change of a record, in the order of the commits, in files
    /// beside the primary. Off by default. It costs no sync of its own per commit. Turned on for a
    /// database with a past, it begins at head.
    #[must_use]
    pub fn changelog(mut self, changelog: ChangelogOptions) -> Self {
        self.changelog = Some(changelog);
        self
    }

    /// Looks at every cell before it is put; an `Err` refuses it with
    /// [`Error::InvalidRecord`](crate::Error::InvalidRecord) and leaves the transaction usable.
    /// Not persisted. It runs on the writer's thread and must not write.
    ///
    /// ```
    /// use hexxladb::{Cell, Coord, Db, Error, Options};
    /// let options = Options::in_memory().cell_validator(|_, cell| {
    ///     if cell.raw_content.is_empty() { Err("a cell says something".into()) } else { Ok(()) }
    /// });
    /// let db = Db::open("validated", options)?;
    /// let refused = db.update(|tx| tx.put_cell(Coord::new(0, 0)?, &Cell::new("")));
    /// assert!(matches!(refused, Err(Error::InvalidRecord { .. })));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn cell_validator(
        mut self,
        validator: impl Fn(Coord, &Cell) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.cell_validator = Some(Arc::new(validator));
        self
    }

    /// Hears of every cell that was put, inside of its transaction, which may yet come to
    /// nothing. Not persisted. It runs on the writer's thread and must not write.
    #[must_use]
    pub fn after_put_cell(mut self, hook: impl Fn(Coord, &Cell) + Send + Sync + 'static) -> Self {
        self.hooks.after_put_cell = Some(Arc::new(hook));
        self
    }

    /// Hears of every seam that was put, inside of its transaction, which may yet come to
    /// nothing. Not persisted. It runs on the writer's thread and must not write.
    #[must_use]
    pub fn after_put_seam(mut self, hook: impl Fn(Ulid, &Seam) + Send + Sync + 'static) -> Self {
        self.hooks.after_put_seam = Some(Arc::new(hook));
        self
    }

    /// Whether open creates a database where there is none (default yes).
    #[must_use]
    pub fn create_if_missing(mut self, yes: bool) -> Self {
        self.create_if_missing = yes;
        self
    }

    /// Open for reading only: takes a shared lock, replays the log in memory and changes no
    /// byte. Implies that nothing is created.
    #[must_use]
    pub fn read_only(mut self, yes: bool) -> Self {
        self.read_only = yes;
        self
    }

    /// Small limits for the simulator: pages from 512 bytes, log segments from 16 KiB, caches
    /// and checkpoints from a few pages on, so that splits, recycling and eviction happen within
    /// dozens of operations.
    #[cfg(feature = "sim")]
    #[must_use]
    pub fn small_limits(mut self, wal_segment_bytes: u32) -> Self {
        self.small_limits = true;
        self.wal_segment_bytes = wal_segment_bytes;
        self
    }

    /// Refuses options that are out of bounds.
    pub(crate) fn validate(&self) -> Result<()> {
        let smallest_page = if self.small_limits { 512 } else { 4096 };
        if let Some(size) = self.page_size
            && (!size.is_power_of_two() || size < smallest_page || size > 65536)
        {
            return Err(Error::invalid("page_size", size, "4096, 8192, 16384, 32768, 65536"));
        }
        if let Some(max) = self.max_value_bytes
            && !(512..=64 << 20).contains(&max)
        {
            return Err(Error::invalid("max_value_bytes", max, "512 to 67108864"));
        }
        let floor = if self.small_limits { 16 << 10 } else { 1 << 20 };
        if self.cache_bytes < floor {
            return Err(Error::invalid(
                "cache_bytes",
                self.cache_bytes,
                format!("{floor} or more"),
            ));
        }
        if self.checkpoint_wal_bytes < floor {
            return Err(Error::invalid(
                "checkpoint_wal_bytes",
                self.checkpoint_wal_bytes,
                format!("{floor} or more"),
            ));
        }
        if let Some(changelog) = &self.changelog
            && changelog.segment_bytes < floor.min(64 << 10)
        {
            let accepted = format!("{} or more", floor.min(64 << 10));
            let given = changelog.segment_bytes;
            return Err(Error::invalid("changelog segment_bytes", given, accepted));
        }
        let segment = self.wal_segment_bytes;
        if !segment.is_power_of_two() || !(16 << 10..=1 << 20).contains(&segment) {
            return Err(Error::invalid(
                "wal_segment_bytes",
                segment,
                "a power of two, 16384 to 1048576",
            ));
        }
        Ok(())
    }
}
