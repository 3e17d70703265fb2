//! Snapshot tags.

use super::Db;
use crate::error::{Error, Result};
use crate::tags::{self, SnapshotTag};
use crate::tx::ReadTx;

impl Db {
    /// Names the newest committed state; returns its sequence. The tag is durable when this
    /// returns, takes no sequence, and holds the prune floor at or below its sequence until it is
    /// deleted.
    ///
    /// ```
    /// # use hexxladb::{Db, Error, Options};
    /// # let db = Db::open("tags", Options::in_memory())?;
    /// # db.update(|tx| tx.put("k", "1"))?;
    /// db.tag_snapshot("before the move")?;
    /// db.update(|tx| tx.put("k", "2"))?;
    /// let old = db.view_at_tag("before the move", |tx| tx.get("k"))?;
    /// assert_eq!(old.as_deref(), Some(&b"1"[..]));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::SnapshotTagExists`] where the name is at another sequence, [`Error::KeyTooLarge`]
    /// above 255 bytes (zero bytes counted twice), [`Error::InvalidArgument`] for no name,
    /// [`Error::MvccRequired`] in format v1, and as [`Db::update`].
    pub fn tag_snapshot(&self, name: &str) -> Result<u64> {
        self.require_mvcc("tag_snapshot")?;
        tags::put(&self.core, name, None)
    }

    /// Names the state as of commit `seq`; 0 is the empty database.
    ///
    /// # Errors
    /// [`Error::ReadSeqFuture`] above head, [`Error::SnapshotPruned`] below the prune floor, and
    /// as [`Db::tag_snapshot`].
    pub fn tag_snapshot_at(&self, name: &str, seq: u64) -> Result<u64> {
        self.require_mvcc("tag_snapshot_at")?;
        tags::put(&self.core, name, Some(seq))
    }

    /// Reads the state that a tag names.
    ///
    /// # Errors
    /// [`Error::SnapshotTagNotFound`], and as [`Db::view_at`].
    pub fn view_at_tag<T, E: From<Error>>(
        &self,
        name: &str,
        read: impl FnOnce(&ReadTx) -> Result<T, E>,
    ) -> Result<T, E> {
        self.require_mvcc("view_at_tag")?;
        self.core.check_open()?;
        let found = tags::get(&self.core.source(&self.core.group.load()), name)?;
        match found {
            Some(seq) => self.view_at(seq, read),
            None => Err(Error::SnapshotTagNotFound { name: name.to_owned() }.into()),
        }
    }

    /// All tags, in the order of their names.
    ///
    /// # Errors
    /// [`Error::MvccRequired`] in format v1, [`Error::DatabaseClosed`], I/O errors and damage.
    pub fn snapshot_tags(&self) -> Result<Vec<SnapshotTag>> {
        self.require_mvcc("snapshot_tags")?;
        self.core.check_open()?;
        tags::all(&self.core.source(&self.core.group.load()))
    }

    /// Deletes a tag; says whether there was one.
    ///
    /// # Errors
    /// As [`Db::tag_snapshot`].
    pub fn delete_snapshot_tag(&self, name: &str) -> Result<bool> {
        self.require_mvcc("delete_snapshot_tag")?;
        tags::remove(&self.core, name)
    }
}
