//! What is asked of a directory: its files, its durability, the space behind it.

use std::io::Result;
use std::path::{Path, PathBuf};

/// Stands for the current directory where a bare file name has an empty parent.
fn or_current(dir: &Path) -> &Path {
    if dir.as_os_str().is_empty() { Path::new(".") } else { dir }
}

/// Names (without the directory) of everything in `dir` that is not itself a directory, sorted.
pub(super) fn list(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(or_current(dir))? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            names.push(PathBuf::from(entry.file_name()));
        }
    }
    names.sort();
    Ok(names)
}

/// Makes creates, renames and removes in `dir` durable.
#[cfg(unix)]
pub(super) fn sync(dir: &Path) -> Result<()> {
    std::fs::File::open(or_current(dir))?.sync_all()
}

/// NTFS journals its directories and offers no call to wait for them.
#[cfg(not(unix))]
pub(super) fn sync(dir: &Path) -> Result<()> {
    std::fs::metadata(or_current(dir)).map(|_| ())
}

/// Bytes that an unprivileged process may still fill.
#[cfg(unix)]
pub(super) fn free_space(dir: &Path) -> Result<Option<u64>> {
    let stat = rustix::fs::statvfs(or_current(dir))?;
    Ok(Some(stat.f_bavail.saturating_mul(stat.f_frsize)))
}

/// The standard library has no call for it.
#[cfg(not(unix))]
pub(super) fn free_space(dir: &Path) -> Result<Option<u64>> {
    std::fs::metadata(or_current(dir)).map(|_| None)
}
