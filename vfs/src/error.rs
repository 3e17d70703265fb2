//! The error of every file operation: what was tried, on which path, what the system said.

use std::fmt;
use std::path::{Path, PathBuf};

pub use std::io::ErrorKind;

/// Result of a file operation.
pub type Result<T> = std::result::Result<T, Error>;

/// The operation that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named after the method it stands for")]
pub enum Op {
    Open,
    Exists,
    Rename,
    Remove,
    List,
    SyncDir,
    FreeSpace,
    Read,
    Write,
    Len,
    SetLen,
    Allocate,
    SyncData,
    SyncAll,
    Lock,
    Entropy,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Op::Open => "open",
            Op::Exists => "look for",
            Op::Rename => "rename",
            Op::Remove => "remove",
            Op::List => "list",
            Op::SyncDir => "sync directory",
            Op::FreeSpace => "ask for the free space of",
            Op::Read => "read",
            Op::Write => "write",
            Op::Len => "ask for the length of",
            Op::SetLen => "set the length of",
            Op::Allocate => "allocate space for",
            Op::SyncData => "sync data of",
            Op::SyncAll => "sync",
            Op::Lock => "lock",
            Op::Entropy => "take random bytes from",
        })
    }
}

/// A failed file operation.
#[derive(Debug)]
pub struct Error {
    op: Op,
    path: PathBuf,
    source: std::io::Error,
}

impl Error {
    /// An error of `op` on `path`.
    #[must_use]
    pub fn new(op: Op, path: &Path, source: std::io::Error) -> Self {
        Self { op, path: path.to_path_buf(), source }
    }

    /// An error of a given kind, for backends that are not the operating system.
    #[must_use]
    pub fn from_kind(op: Op, path: &Path, kind: ErrorKind) -> Self {
        Self::new(op, path, std::io::Error::from(kind))
    }

    /// Whether the file could not grow: a full disk, a quota, a limit on file sizes.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
        )
    }

    /// The operation that failed.
    #[must_use]
    pub fn op(&self) -> Op {
        self.op
    }

    /// The file or directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What kind of error the system reported.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.source.kind()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.op, self.path.display(), self.source)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
