//! What the changelog's files are called.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use hexxladb_vfs::Vfs;

use crate::error::Result;
use crate::wal::parent_of;

/// The segment that is being written.
pub(crate) fn active_path(primary: &Path) -> PathBuf {
    with(primary, "-changelog")
}

/// A segment that is being made, until it is complete.
pub(crate) fn new_path(primary: &Path) -> PathBuf {
    with(primary, "-changelog-new")
}

/// A sealed segment.
pub(crate) fn sealed_path(primary: &Path, ordinal: u64) -> PathBuf {
    with(primary, &format!("-changelog.{ordinal:06}"))
}

/// The first free name for a file that is set aside.
pub(crate) fn aside_path(vfs: &dyn Vfs, path: &Path) -> Result<PathBuf> {
    for number in 1_u64.. {
        let aside = with(path, &format!(".aside-{number}"));
        if !vfs.exists(&aside)? {
            return Ok(aside);
        }
    }
    Ok(with(path, ".aside"))
}

/// Ordinals of the sealed segments, in order.
pub(crate) fn sealed_ordinals(vfs: &dyn Vfs, primary: &Path) -> Result<Vec<u64>> {
    let mut start = primary.file_name().map(OsString::from).unwrap_or_default();
    start.push("-changelog.");
    let mut ordinals = Vec::new();
    for name in vfs.list(parent_of(primary))? {
        let name = name.as_os_str().as_encoded_bytes();
        let digits = name.strip_prefix(start.as_encoded_bytes());
        ordinals.extend(digits.and_then(ordinal_of));
    }
    ordinals.sort_unstable();
    Ok(ordinals)
}

/// The ordinal that a name ends with, written as [`sealed_path`] writes it.
fn ordinal_of(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.len() >= 6)?;
    let ordinal: u64 = text.parse().ok().filter(|&ordinal| ordinal > 0)?;
    (format!("{ordinal:06}") == text).then_some(ordinal)
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_are_read_as_they_are_written() {
        for (digits, ordinal) in
            [("000001", Some(1)), ("1234567", Some(1_234_567)), ("000000", None), ("1", None)]
        {
            assert_eq!(ordinal_of(digits.as_bytes()), ordinal, "{digits}");
        }
        assert_eq!(ordinal_of(b"000001.aside-1"), None);
        assert_eq!(ordinal_of(b"+00001"), None);
        assert_eq!(ordinal_of(b"0000001"), None);
    }
}
