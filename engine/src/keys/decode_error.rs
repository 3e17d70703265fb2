//! Why bytes from disk are not what they should be. Layout code knows no file; whoever read the
//! bytes adds file and offset.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use crate::error::Error;

/// Bytes that cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// No version of the format writes such bytes.
    Damaged(Cow<'static, str>),
    /// A later version of the format may have written them; this one must not guess.
    Newer(Cow<'static, str>),
}

impl DecodeError {
    pub(crate) fn damaged(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Damaged(what.into())
    }

    pub(crate) fn newer(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Newer(what.into())
    }

    /// What was found.
    pub(crate) fn what(&self) -> &str {
        match self {
            Self::Damaged(what) | Self::Newer(what) => what,
        }
    }

    /// The error for bytes that stood in `file` at `offset`.
    pub(crate) fn at(self, file: &Path, offset: u64) -> Error {
        match self {
            Self::Damaged(what) => Error::corrupt(file, offset, what),
            Self::Newer(what) => Error::UnsupportedFormat {
                path: file.to_path_buf(),
                what: format!("{what}, at offset {offset}"),
            },
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what())
    }
}

impl std::error::Error for DecodeError {}
