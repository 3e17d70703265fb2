//! The engines: which there are, how each is opened, and its adapter in a file of its own.

#[cfg(feature = "rivals")]
mod canopydb;
#[cfg(feature = "rivals")]
mod fjall;
mod hexxladb;
#[cfg(feature = "rivals")]
mod lmdb;
mod ordered_map;
#[cfg(feature = "rivals")]
mod redb;
#[cfg(feature = "rivals")]
mod sqlite;
#[cfg(feature = "rivals")]
mod surrealkv;

use std::path::Path;

use crate::Result;
use crate::store::{Config, Store};

/// An engine, or one of the two things measured for reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// This project.
    Hexxladb,
    /// redb.
    Redb,
    /// LMDB, through heed.
    Lmdb,
    /// fjall.
    Fjall,
    /// `SQLite`, through rusqlite.
    Sqlite,
    /// canopydb.
    Canopydb,
    /// `SurrealKV`.
    Surrealkv,
    /// Reference: what the disk does without any engine.
    Disk,
    /// Reference: `std::collections::BTreeMap`, which stores nothing.
    OrderedMap,
}

impl Engine {
    /// All, in the order of the table's columns.
    pub const ALL: [Self; 9] = [
        Self::Hexxladb,
        Self::Redb,
        Self::Lmdb,
        Self::Fjall,
        Self::Sqlite,
        Self::Canopydb,
        Self::Surrealkv,
        Self::Disk,
        Self::OrderedMap,
    ];

    /// Name on the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hexxladb => "hexxladb",
            Self::Redb => "redb",
            Self::Lmdb => "lmdb",
            Self::Fjall => "fjall",
            Self::Sqlite => "sqlite",
            Self::Canopydb => "canopydb",
            Self::Surrealkv => "surrealkv",
            Self::Disk => "disk",
            Self::OrderedMap => "btreemap",
        }
    }

    /// Name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Hexxladb => "HexxlaDB",
            Self::Redb => "redb",
            Self::Lmdb => "LMDB",
            Self::Fjall => "fjall",
            Self::Sqlite => "SQLite",
            Self::Canopydb => "canopydb",
            Self::Surrealkv => "SurrealKV",
            Self::Disk => "disk alone",
            Self::OrderedMap => "BTreeMap",
        }
    }

    /// Whether it is another engine, as against this project and the references.
    pub const fn is_rival(self) -> bool {
        !matches!(self, Self::Hexxladb | Self::Disk | Self::OrderedMap)
    }

    /// Whether this build has it.
    pub const fn is_built(self) -> bool {
        cfg!(feature = "rivals") || !self.is_rival()
    }

    /// The packages whose versions tell what was measured.
    pub const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Hexxladb => &["hexxladb"],
            Self::Redb => &["redb"],
            Self::Lmdb => &["heed", "lmdb-master-sys"],
            Self::Fjall => &["fjall", "lsm-tree"],
            Self::Sqlite => &["rusqlite", "libsqlite3-sys"],
            Self::Canopydb => &["canopydb"],
            Self::Surrealkv => &["surrealkv"],
            Self::Disk | Self::OrderedMap => &[],
        }
    }

    /// The engine of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|engine| engine.name() == name)
    }

    /// Opens the database in `dir`, creating it if there is none.
    pub fn open(self, dir: &Path, config: Config) -> Result<Box<dyn Store>> {
        match self {
            Self::Hexxladb => hexxladb::open(dir, config),
            Self::OrderedMap => Ok(ordered_map::open()),
            Self::Disk => Err("the disk alone stores no records".into()),
            #[cfg(feature = "rivals")]
            Self::Redb => redb::open(dir, config),
            #[cfg(feature = "rivals")]
            Self::Lmdb => lmdb::open(dir, config),
            #[cfg(feature = "rivals")]
            Self::Fjall => fjall::open(dir, config),
            #[cfg(feature = "rivals")]
            Self::Sqlite => sqlite::open(dir, config),
            #[cfg(feature = "rivals")]
            Self::Canopydb => canopydb::open(dir, config),
            #[cfg(feature = "rivals")]
            Self::Surrealkv => surrealkv::open(dir, config),
            #[cfg(not(feature = "rivals"))]
            rival => Err(format!("{} needs --features rivals", rival.title()).into()),
        }
    }
}
