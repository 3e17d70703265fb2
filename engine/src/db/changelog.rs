//! The changelog.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hexxladb_vfs::{RealVfs, Vfs};

use super::Db;
use crate::changelog::{ChangelogCursor, ChangelogEntry, ChangelogFilter, Limit};
use crate::consumers::{self, ChangelogConsumer, ConsumerInfo};
use crate::entries::{self, ChangelogEntries, ChangelogFollow, Follow};
use crate::error::{Error, Result};
use crate::options::Options;
use crate::repair::{self, ChangelogRepair};
use crate::replica::{self, Applied, Seed};
use crate::segments::{self, ChangelogInfo};
use crate::tx::Snapshot;

impl Db {
    /// What the commits after `seq` did, in order, lazily; 0 is everything that the changelog
    /// still has. Ends at the newest durable commit of now.
    ///
    /// ```
    /// # use hexxladb::{ChangelogOptions, ChangelogOp, Db, Error, Options};
    /// let options = Options::in_memory().changelog(ChangelogOptions::new());
    /// let db = Db::open("audit", options)?;
    /// db.update(|tx| tx.put("k", "1"))?;
    /// db.update(|tx| tx.delete("k"))?;
    /// let ops = db.read_changelog_since(0)?.map(|entry| Ok(entry?.op));
    /// let ops = ops.collect::<Result<Vec<_>, Error>>()?;
    /// assert_eq!(ops, [ChangelogOp::Put, ChangelogOp::Delete]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ChangelogDisabled`](crate::Error::ChangelogDisabled),
    /// [`Error::ReadSeqFuture`](crate::Error::ReadSeqFuture) above head. The iterator yields
    /// [`Error::ChangelogTruncated`](crate::Error::ChangelogTruncated) for a cursor below the
    /// oldest entry, [`Error::ChangelogGap`](crate::Error::ChangelogGap) where it was off,
    /// [`Error::ChangelogCorrupt`](crate::Error::ChangelogCorrupt) at damage, after everything
    /// before it, and [`Error::HistoryDiverged`](crate::Error::HistoryDiverged) where the cursor
    /// comes from another history.
    pub fn read_changelog_since(&self, seq: u64) -> Result<ChangelogEntries> {
        entries::read(&self.core, entries::since(seq), ChangelogFilter::new())
    }

    /// Entries from a cursor on that pass the filter, lazily. Ends at the newest durable commit of
    /// now.
    ///
    /// # Errors
    /// As [`Db::read_changelog_since`].
    pub fn read_changelog(
        &self,
        cursor: ChangelogCursor,
        filter: ChangelogFilter,
    ) -> Result<ChangelogEntries> {
        entries::read(&self.core, cursor, filter)
    }

    /// Entries from a cursor on, waiting for commits to come.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hexxladb::{ChangelogCursor, ChangelogOptions, Db, Error, Follow, Options};
    /// # let db = Db::open("live", Options::in_memory().changelog(ChangelogOptions::new()))?;
    /// let follow = Follow::new().timeout(Duration::from_millis(10));
    /// let mut live = db.follow(ChangelogCursor::START, follow)?;
    /// assert!(live.next().is_none(), "nothing came");
    /// db.update(|tx| tx.put("k", "1"))?;
    /// assert_eq!(live.next().transpose()?.map(|entry| entry.seq), Some(1));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Db::read_changelog_since`].
    pub fn follow(&self, cursor: ChangelogCursor, follow: Follow) -> Result<ChangelogFollow> {
        entries::follow(&self.core, cursor, follow)
    }

    /// A consumer of this name, registered at the oldest entry if it is new: a position that is as
    /// durable as a commit. Segments that it has not read are not trimmed.
    ///
    /// ```
    /// # use hexxladb::{ChangelogFilter, ChangelogOptions, Db, Error, Options};
    /// # let db = Db::open("consume", Options::in_memory().changelog(ChangelogOptions::new()))?;
    /// # db.update(|tx| tx.put("k", "1"))?;
    /// let indexer = db.changelog_consumer("indexer")?;
    /// let mut entries = indexer.read(ChangelogFilter::new())?;
    /// for entry in entries.by_ref() {
    ///     println!("{:?}", entry?.key);
    /// }
    /// indexer.advance(entries.cursor())?;
    /// assert_eq!(indexer.read(ChangelogFilter::new())?.count(), 0);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ChangelogDisabled`], [`Error::KeyTooLarge`] above 255 bytes (zero bytes counted
    /// twice), [`Error::InvalidArgument`] for no name, and as [`Db::update`].
    pub fn changelog_consumer(&self, name: &str) -> Result<ChangelogConsumer> {
        consumers::open(&self.core, name)
    }

    /// All consumers, in the order of their names, with how far each lags.
    ///
    /// # Errors
    /// [`Error::DatabaseClosed`], I/O errors and damage.
    pub fn changelog_consumers(&self) -> Result<Vec<ConsumerInfo>> {
        consumers::list(&self.core)
    }

    /// Removes a consumer; says whether there was one.
    ///
    /// # Errors
    /// As [`Db::update`].
    pub fn remove_changelog_consumer(&self, name: &str) -> Result<bool> {
        consumers::remove(&self.core, name)
    }

    /// Seals the segment that is being written, with a checkpoint, and begins another. One that is
    /// empty stays.
    ///
    /// # Errors
    /// [`Error::ChangelogDisabled`], and as [`Db::checkpoint`].
    pub fn rotate_changelog(&self) -> Result<()> {
        let Some(changelog) = &self.core.changelog else { return Err(Error::ChangelogDisabled) };
        self.core.take_seat()?;
        changelog.seal_soon();
        let done = self.core.checkpoint_again();
        self.core.leave_seat();
        done
    }

    /// Removes the sealed segments that [`ChangelogOptions`](crate::ChangelogOptions) do not keep,
    /// oldest first; returns how many. Happens by itself after each rotation.
    ///
    /// # Errors
    /// [`Error::ChangelogDisabled`], [`Error::ReadOnly`], [`Error::DatabaseClosed`], I/O errors
    /// and damage.
    pub fn trim_changelog(&self) -> Result<u64> {
        self.core.check_open()?;
        self.core.check_writable()?;
        if self.core.changelog.is_none() {
            return Err(Error::ChangelogDisabled);
        }
        self.core.trim_changelog()
    }

    /// What there is of the changelog: segments, commits, bytes.
    ///
    /// # Errors
    /// [`Error::ChangelogDisabled`], [`Error::DatabaseClosed`], I/O errors and damage.
    pub fn changelog_info(&self) -> Result<ChangelogInfo> {
        self.core.check_open()?;
        let Some(changelog) = &self.core.changelog else { return Err(Error::ChangelogDisabled) };
        // A handle that can write no more still shows what it has written.
        let _ = self.core.catch_up_changelog();
        segments::info(&changelog.home, &mut Limit::Shown(Arc::clone(&changelog.shown)))
    }

    /// Copies the sealed segments to a directory, which is there, as far as it does not have them;
    /// returns the new files. Each is durable and was read through before it takes its name.
    /// [`ChangelogReader::open_archive`](crate::ChangelogReader::open_archive) reads them.
    ///
    /// # Errors
    /// [`Error::ChangelogDisabled`], [`Error::DatabaseClosed`], [`Error::ChangelogCorrupt`] for a
    /// segment that is damaged, I/O errors.
    pub fn archive_changelog(&self, dir: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
        self.core.check_open()?;
        let Some(changelog) = &self.core.changelog else { return Err(Error::ChangelogDisabled) };
        let _kept = changelog.lock_trim();
        segments::archive(&changelog.home, dir.as_ref())
    }

    /// Mends the changelog of a database that nobody has open, with these options, which turn it
    /// on. A segment that is damaged keeps what is intact before the damage; what the primary still
    /// knows of the rest is written anew, proven by the history hashes, and what it does not know
    /// is declared lost. A changelog that is ahead of the primary, or belongs to another history,
    /// is set aside and a fresh one begun. Damaged files stay under new names.
    ///
    /// # Errors
    /// [`Error::DatabaseLocked`], [`Error::DatabaseMissing`], [`Error::ChangelogDisabled`] for
    /// options without changelog, and as [`Db::open`] and [`Db::close`].
    pub fn repair_changelog(path: impl AsRef<Path>, options: Options) -> Result<ChangelogRepair> {
        Self::repair_changelog_with(Arc::new(RealVfs::new()), path, options)
    }

    /// The same on a file system of the caller's own.
    ///
    /// # Errors
    /// As [`Db::repair_changelog`].
    pub fn repair_changelog_with(
        vfs: Arc<dyn Vfs>,
        path: impl AsRef<Path>,
        options: Options,
    ) -> Result<ChangelogRepair> {
        if options.changelog.is_none() || options.read_only {
            return Err(Error::ChangelogDisabled);
        }
        let path = path.as_ref();
        let mut done = repair::mend_files(&vfs, path, &options)?;
        let db = match Self::open_with(Arc::clone(&vfs), path, options.clone()) {
            Err(error) if repair::is_misfit(&error) => {
                repair::set_all_aside(&vfs, path, &error, &mut done)?;
                Self::open_with(vfs, path, options)?
            }
            opened => opened?,
        };
        repair::rebuild(&db.core, &mut done)?;
        db.close()?;
        Ok(done)
    }

    /// Repeats entries of another database's changelog in this one, so that the two stay the same:
    /// each commit gets the sequence, time, note and history hash of its original. Entries of
    /// commits that are here already are passed over, so that a call may be repeated; those of a
    /// commit that does not come to its end are left for the next call. A delete that cascaded has
    /// its own entries, and does not cascade again. Validators and hooks are not asked.
    ///
    /// ```
    /// # use hexxladb::{ChangelogOptions, ChangelogFilter, Db, Error, Options};
    /// # let source = Db::open("a", Options::in_memory().changelog(ChangelogOptions::new()))?;
    /// # source.update(|tx| tx.put("k", "1"))?;
    /// let replica = Db::open("b", Options::in_memory())?;
    /// let entries = source.read_changelog(replica.next_cursor()?, ChangelogFilter::new())?;
    /// assert_eq!(replica.apply_changelog(entries)?.head, source.head()?);
    /// assert_eq!(replica.view(|tx| tx.get("k"))?.as_deref(), Some(&b"1"[..]));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error among the entries; [`Error::ChangelogGap`] where a commit is missing;
    /// [`Error::HistoryDiverged`] where the entries come from another history than the commits
    /// here; [`Error::InvalidArgument`] for entries without values; and as [`Db::update`]. Commits
    /// that were repeated before the error stay.
    pub fn apply_changelog(
        &self,
        entries: impl IntoIterator<Item = Result<ChangelogEntry>>,
    ) -> Result<Applied> {
        replica::apply(&self.core, entries)
    }

    /// Where a replica reads the changelog on: after its own head, in its own history.
    ///
    /// # Errors
    /// [`Error::DatabaseClosed`].
    pub fn next_cursor(&self) -> Result<ChangelogCursor> {
        replica::next_cursor(&self.core)
    }

    /// Makes this database, which is empty, the state of another one's snapshot, at the same
    /// sequence and with the same history hash, from where
    /// [`apply_changelog`](Db::apply_changelog) goes on. Earlier snapshots are
    /// [`Error::SnapshotPruned`]. One transaction; returns how many records it wrote.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where this database has a commit or keeps a changelog, or the
    /// snapshot is that of no commit; [`Error::Cancelled`]; and as [`Db::update`].
    pub fn seed_from(&self, snapshot: &Snapshot, how: &Seed) -> Result<u64> {
        replica::seed(&self.core, snapshot, how)
    }
}
