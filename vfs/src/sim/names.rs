//! The directory entries: which name leads to which file, now and after a power cut.
//!
//! `cache` is what the system answers, `durable` what is on the disk, `pending` the changes in
//! between, in order. A file has at most one name in either view: there are no hard links.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Number of a file, in the order of creation, never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "f{}", self.0)
    }
}

/// A change of directory entries that may or may not survive a power cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameChange {
    /// A new file's name.
    Create {
        /// The file.
        file: FileId,
        /// Its name.
        path: Arc<Path>,
    },
    /// Another name for a file, at once taking the name from whichever file had it.
    Rename {
        /// The file.
        file: FileId,
        /// Its name before.
        from: Arc<Path>,
        /// Its name after.
        to: Arc<Path>,
    },
    /// A name given up.
    Remove {
        /// The file.
        file: FileId,
        /// The name.
        path: Arc<Path>,
    },
}

impl NameChange {
    /// The directory whose sync makes the change durable; of a rename, the new name's.
    fn directory(&self) -> Option<&Path> {
        match self {
            Self::Create { path, .. } | Self::Remove { path, .. } => path.parent(),
            Self::Rename { to, .. } => to.parent(),
        }
    }

    fn file(&self) -> FileId {
        match *self {
            Self::Create { file, .. } | Self::Rename { file, .. } | Self::Remove { file, .. } => {
                file
            }
        }
    }
}

impl fmt::Display for NameChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { file, path } => write!(f, "create {file} {}", path.display()),
            Self::Rename { file, from, to } => {
                write!(f, "rename {file} {} to {}", from.display(), to.display())
            }
            Self::Remove { file, path } => write!(f, "remove {file} {}", path.display()),
        }
    }
}

/// A change with its place among everything pending.
#[derive(Clone, Debug)]
pub(super) struct PendingName {
    pub(super) order: u64,
    pub(super) change: NameChange,
}

type Table = BTreeMap<Arc<Path>, FileId>;

#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    cache: Arc<Table>,
    durable: Arc<Table>,
    pending: Vec<PendingName>,
}

/// One rule for both views: a create or rename takes its new name, whoever had it.
fn apply(table: &mut Table, change: &NameChange) {
    match change {
        NameChange::Create { file, path } => {
            table.insert(Arc::clone(path), *file);
        }
        NameChange::Rename { file, from: _, to } => {
            // Whatever name the file has: an earlier rename of it may not have survived.
            table.retain(|_, other| other != file);
            table.insert(Arc::clone(to), *file);
        }
        NameChange::Remove { file, path } => {
            if table.get(path) == Some(file) {
                table.remove(path);
            }
        }
    }
}

impl Names {
    pub(super) fn get(&self, path: &Path) -> Option<FileId> {
        self.cache.get(path).copied()
    }

    pub(super) fn get_durable(&self, path: &Path) -> Option<FileId> {
        self.durable.get(path).copied()
    }

    pub(super) fn durable(&self) -> impl Iterator<Item = (&Arc<Path>, FileId)> {
        self.durable.iter().map(|(path, &file)| (path, file))
    }

    pub(super) fn cached(&self) -> impl Iterator<Item = (&Arc<Path>, FileId)> {
        self.cache.iter().map(|(path, &file)| (path, file))
    }

    pub(super) fn pending(&self) -> &[PendingName] {
        &self.pending
    }

    /// Changes the cache view; durable after [`Names::sync`] of the directory.
    pub(super) fn change(&mut self, order: u64, change: NameChange) {
        apply(Arc::make_mut(&mut self.cache), &change);
        self.pending.push(PendingName { order, change });
    }

    pub(super) fn sync(&mut self, dir: &Path) {
        let durable = &mut self.durable;
        self.pending.retain(|pending| {
            let synced = pending.change.directory() == Some(dir);
            if synced {
                apply(Arc::make_mut(durable), &pending.change);
            }
            !synced
        });
    }

    /// Leaves durable the pending changes whose index `survives`, each wholly, and makes the
    /// cache view the same.
    pub(super) fn power_cut(&mut self, survives: impl Fn(u32) -> bool) {
        for (index, pending) in (0..).zip(&self.pending) {
            if survives(index) {
                apply(Arc::make_mut(&mut self.durable), &pending.change);
            }
        }
        self.pending.clear();
        self.cache = Arc::clone(&self.durable);
    }

    /// Whether a power cut could still give this file a name.
    pub(super) fn reachable(&self, file: FileId) -> bool {
        self.cache.values().chain(self.durable.values()).any(|&named| named == file)
            || self.pending.iter().any(|pending| pending.change.file() == file)
    }

    /// Gives or takes a name in both views at once, as with the disk in another machine.
    pub(super) fn set_both(&mut self, path: &Arc<Path>, file: Option<FileId>) {
        for table in [&mut self.cache, &mut self.durable] {
            let table = Arc::make_mut(table);
            match file {
                Some(file) => table.insert(Arc::clone(path), file),
                None => table.remove(path),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> Arc<Path> {
        Arc::from(Path::new(name))
    }

    #[test]
    fn every_subset_of_a_replacement_leaves_the_old_or_the_new_file() {
        for kept in 0..4_u32 {
            let mut names = Names::default();
            names.change(0, NameChange::Create { file: FileId(0), path: path("/d/a") });
            names.sync(Path::new("/d"));
            names.change(1, NameChange::Create { file: FileId(1), path: path("/d/tmp") });
            let rename =
                NameChange::Rename { file: FileId(1), from: path("/d/tmp"), to: path("/d/a") };
            names.change(2, rename);
            names.power_cut(|index| kept & (1 << index) != 0);
            let renamed = kept & 2 != 0;
            assert_eq!(names.get(Path::new("/d/a")), Some(FileId(u32::from(renamed))));
            assert_eq!(names.get(Path::new("/d/tmp")).is_some(), kept == 1);
        }
    }

    #[test]
    fn another_directory_is_not_synced_along() {
        let mut names = Names::default();
        names.change(0, NameChange::Create { file: FileId(0), path: path("/d/a") });
        names.change(1, NameChange::Create { file: FileId(1), path: path("/e/b") });
        names.sync(Path::new("/e"));
        names.power_cut(|_| false);
        assert_eq!(names.get(Path::new("/d/a")), None);
        assert_eq!(names.get(Path::new("/e/b")), Some(FileId(1)));
    }
}
