//! The handle of an open database.

mod changelog;
mod prune;
mod tags;

use std::ops::RangeBounds;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hexxladb_vfs::{MemoryVfs, RealVfs, Vfs};

use crate::cancel::PutCells;
use crate::check::{self, CheckReport};
use crate::commits::Commits;
use crate::core::Core;
use crate::diff::SnapshotDiff;
use crate::dump::Dump;
use crate::error::{Error, Result};
use crate::history::History;
use crate::keys::{Family, RECORD_FAMILIES};
use crate::lattice::Coord;
use crate::options::Options;
use crate::record::{Cell, RecordId};
use crate::recovery;
use crate::stats::{FamilyStats, RecoveryReport, Stats};
use crate::sync::lock;
use crate::time::Timestamp;
use crate::timeline::{Root, Ticket, seq_at_time};
use crate::tx::{ReadTx, Snapshot, WriteTx};
use crate::wal::Wal;

/// An open database. Cheap to clone; all clones are one handle.
///
/// Dropping the last clone releases the file without a checkpoint: the next open replays the
/// log. [`Db::close`] leaves a checkpointed file instead.
#[derive(Clone)]
pub struct Db {
    core: Arc<Core>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head = self.core.group.load().seq;
        f.debug_struct("Db")
            .field("path", &self.core.path)
            .field("head", &head)
            .finish_non_exhaustive()
    }
}

impl Db {
    /// Opens the database at `path`, creating it if there is none. The log lies beside it as
    /// `{path}-wal`.
    ///
    /// # Errors
    /// [`Error::DatabaseLocked`] when another handle has it open, [`Error::OptionMismatch`],
    /// [`Error::MigrationRequired`], [`Error::WalMissing`], [`Error::WalMismatch`],
    /// [`Error::UnsupportedFormat`], [`Error::NotADatabase`], [`Error::CorruptDatabase`], and
    /// I/O errors.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self> {
        let vfs: Arc<dyn Vfs> =
            if options.in_memory { Arc::new(MemoryVfs::new()) } else { Arc::new(RealVfs::new()) };
        Self::open_with(vfs, path, options)
    }

    /// Opens the database at `path` of a file system of the caller's own.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub fn open_with(vfs: Arc<dyn Vfs>, path: impl AsRef<Path>, options: Options) -> Result<Self> {
        let core = Arc::new(recovery::open(vfs, path.as_ref(), options)?);
        core.look_at_changelog()?;
        Ok(Self { core })
    }

    /// Reads the newest committed state.
    ///
    /// # Errors
    /// What the closure returns, and [`Error::DatabaseClosed`].
    pub fn view<T, E: From<Error>>(
        &self,
        read: impl FnOnce(&ReadTx) -> Result<T, E>,
    ) -> Result<T, E> {
        read(&self.begin_read(None)?)
    }

    /// Reads the state as of commit `seq`; 0 is the empty database.
    ///
    /// # Errors
    /// [`Error::ReadSeqFuture`] above head, [`Error::SnapshotPruned`] below the prune floor,
    /// [`Error::MvccRequired`] in format v1, and what the closure returns.
    pub fn view_at<T, E: From<Error>>(
        &self,
        seq: u64,
        read: impl FnOnce(&ReadTx) -> Result<T, E>,
    ) -> Result<T, E> {
        self.require_mvcc("view_at")?;
        read(&self.begin_read(Some(seq))?)
    }

    /// Reads the state as of the newest commit whose time is at most `time`: the empty database
    /// before the first commit.
    ///
    /// # Errors
    /// As [`Db::view_at`].
    pub fn view_at_time<T, E: From<Error>>(
        &self,
        time: Timestamp,
        read: impl FnOnce(&ReadTx) -> Result<T, E>,
    ) -> Result<T, E> {
        self.require_mvcc("view_at_time")?;
        let seq = self.seq_at_time(time)?;
        read(&self.begin_read(Some(seq))?)
    }

    /// The sequence that [`Db::view_at_time`] reads.
    ///
    /// # Errors
    /// [`Error::MvccRequired`] in format v1, [`Error::SnapshotPruned`] for a time before the
    /// prune floor, I/O errors and damage.
    pub fn seq_at_time(&self, time: Timestamp) -> Result<u64> {
        self.require_mvcc("seq_at_time")?;
        self.core.check_open()?;
        let root = self.core.group.load();
        let seq = seq_at_time(&self.core.source(&root), time)?;
        if seq < root.floor {
            return Err(Error::SnapshotPruned { seq, oldest: root.floor });
        }
        Ok(seq)
    }

    /// An owned snapshot of the newest committed state.
    ///
    /// # Errors
    /// [`Error::DatabaseClosed`].
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.begin_owned(None)
    }

    /// An owned snapshot of the state as of commit `seq`.
    ///
    /// # Errors
    /// As [`Db::view_at`].
    pub fn snapshot_at(&self, seq: u64) -> Result<Snapshot> {
        self.require_mvcc("snapshot_at")?;
        self.begin_owned(Some(seq))
    }

    /// Runs one atomic write transaction. When the closure returns `Ok` it is committed, and the
    /// call returns once it is as durable as the options ask; an `Err` or a panic leaves nothing
    /// behind.
    ///
    /// # Errors
    /// What the closure returns; [`Error::NestedWrite`] inside another write transaction on the
    /// same thread; [`Error::CommitUnknown`] when the commit's sync failed; [`Error::Poisoned`]
    /// after such a failure; [`Error::ReadOnly`]; [`Error::DatabaseClosed`]; I/O errors.
    pub fn update<T, E: From<Error>>(
        &self,
        write: impl FnOnce(&mut WriteTx) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut tx = WriteTx::begin(&self.core)?;
        match write(&mut tx) {
            Ok(value) => {
                tx.commit()?;
                Ok(value)
            }
            Err(error) => {
                // What the closure read must be durable before its error is acted upon.
                tx.rollback()?;
                Err(error)
            }
        }
    }

    /// Begins a write transaction that commits explicitly. Waits while another one runs.
    ///
    /// # Errors
    /// As [`Db::update`].
    pub fn begin_write(&self) -> Result<WriteTx> {
        WriteTx::begin(&self.core)
    }

    /// The newest commit that readers see; 0 before the first.
    ///
    /// # Errors
    /// [`Error::DatabaseClosed`].
    pub fn head(&self) -> Result<u64> {
        self.core.check_open()?;
        Ok(self.core.group.load().seq)
    }

    /// The retained commits of a range of sequences, lazily, from either end.
    ///
    /// # Errors
    /// [`Error::DatabaseClosed`].
    pub fn commits(&self, range: impl RangeBounds<u64>) -> Result<Commits> {
        self.core.check_open()?;
        let (floor, head) = {
            let root = self.core.group.load();
            (root.floor, root.seq)
        };
        Ok(Commits::new(Arc::clone(&self.core), &range, floor, head))
    }

    /// Every retained version of one record, newest first, tombstones included.
    ///
    /// # Errors
    /// [`Error::MvccRequired`] in format v1, [`Error::KeyTooLarge`], [`Error::DatabaseClosed`].
    pub fn history(&self, record: impl Into<RecordId>) -> Result<History> {
        self.require_mvcc("history")?;
        self.core.check_open()?;
        History::new(Arc::clone(&self.core), &record.into())
    }

    /// What differs between the snapshots of two commits, of all families, net of everything
    /// between: from `a` to `b`, so that `a` above `b` gives the inverse. Lazy. The cost follows
    /// what changed since the older one, not the size of the database. Both snapshots are kept
    /// from being pruned until the iterator is dropped.
    ///
    /// ```
    /// # use hexxladb::{Cell, ChangeKind, Coord, Db, Error, Options};
    /// # let db = Db::open("diff", Options::in_memory())?;
    /// db.update(|tx| tx.put_cell(Coord::new(0, 0)?, &Cell::new("on")))?;
    /// db.update(|tx| tx.put_cell(Coord::new(0, 0)?, &Cell::new("off")))?;
    /// for change in db.snapshot_diff(1, 2)? {
    ///     let change = change?;
    ///     assert_eq!(change.kind(), ChangeKind::Modified);
    ///     println!("{} was {:?} and is {:?}", change.id, change.old, change.new);
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Db::view_at`].
    pub fn snapshot_diff(&self, a: u64, b: u64) -> Result<SnapshotDiff> {
        self.require_mvcc("snapshot_diff")?;
        let (from, to) = (self.begin_owned(Some(a))?, self.begin_owned(Some(b))?);
        Ok(SnapshotDiff::new(Arc::clone(&self.core), from, to))
    }

    /// Writes a large collection in transactions of bounded size, with progress and
    /// cancellation; returns how many cells were written.
    ///
    /// # Errors
    /// As [`Db::update`]; [`Error::Cancelled`] between two transactions. Transactions that
    /// committed before stay.
    pub fn put_cells(
        &self,
        cells: impl IntoIterator<Item = (Coord, Cell)>,
        how: &PutCells,
    ) -> Result<u64> {
        let batch = how.batch_cells.max(1);
        let mut cells = cells.into_iter().peekable();
        let mut done = 0;
        while cells.peek().is_some() {
            if how.cancel.as_ref().is_some_and(crate::CancelToken::is_cancelled) {
                return Err(Error::Cancelled { done });
            }
            done += self.update(|tx| {
                let mut count = 0;
                for (coord, cell) in cells.by_ref().take(batch) {
                    tx.put_cell(coord, &cell)?;
                    count += 1;
                }
                Ok::<u64, Error>(count)
            })?;
            if let Some(progress) = &how.progress {
                progress(done);
            }
        }
        Ok(done)
    }

    /// Makes every commit so far durable, where the options only ask for
    /// [`Durability::Buffered`](crate::Durability::Buffered).
    ///
    /// # Errors
    /// [`Error::Poisoned`] when the sync fails, [`Error::DatabaseClosed`].
    pub fn sync(&self) -> Result<()> {
        self.core.check_open()?;
        self.core.sync_log()
    }

    /// Writes the newest state to the primary and retires the log before it. Commits run beside
    /// automatic checkpoints; this call holds them up until it is done.
    ///
    /// # Errors
    /// [`Error::NestedWrite`] inside a write transaction, [`Error::Poisoned`],
    /// [`Error::ReadOnly`], [`Error::DatabaseClosed`], I/O errors.
    pub fn checkpoint(&self) -> Result<()> {
        self.core.take_seat()?;
        let done = self.core.checkpoint_now();
        self.core.leave_seat();
        done
    }

    /// Statistics; the cost does not depend on the database's size.
    ///
    /// # Errors
    /// [`Error::MvccRequired`] in format v1, [`Error::DatabaseClosed`], I/O errors and damage.
    pub fn stats_mvcc(&self) -> Result<Stats> {
        self.require_mvcc("stats_mvcc")?;
        self.core.check_open()?;
        let root = self.core.group.load();
        let source = self.core.source(&root);
        let families: Vec<_> =
            RECORD_FAMILIES.into_iter().map(|family| family_stats(&root, family)).collect();
        let cells = root.count(Family::Cell);
        let retention = self.core.options.retention;
        let suggested_prune_before_seq = crate::prune::suggested(&self.core, &source, retention)?;
        let floor_held_by = crate::prune::lowest_hold(&self.core, &source)?;
        let commits_per_hour = crate::prune::commits_per_hour(&source)?;
        let space = lock(&self.core.pager.space);
        let wal = self.core.wal.get();
        Ok(Stats {
            commit_seq: root.seq,
            logical_cell_count: cells.logical,
            visible_cell_count: cells.visible,
            versioned_row_count: families.iter().map(|family| family.rows).sum(),
            oldest_readable_seq: root.floor,
            families,
            page_size: self.core.pager.page_size as u32,
            file_pages: space.end(),
            free_pages: space.free_pages(),
            freed_pages: space.freed_pages(),
            reclaimable_pages: space.free_pages() + space.freed_pages(),
            retention,
            suggested_prune_before_seq,
            floor_held_by,
            commits_per_hour,
            wal_bytes: wal.map_or(0, Wal::used_bytes),
            cache_bytes_used: self.core.pager.used_bytes(),
            page_reads: self.core.pager.page_reads(),
            wal_syncs: wal.map_or(0, Wal::syncs),
            checkpoints: self.core.checkpoints.count(),
            format_version: self.format_version(),
        })
    }

    /// Reads the whole database from disk and reports everything that is wrong with it. Writers
    /// wait meanwhile; readers do not.
    ///
    /// # Errors
    /// I/O errors that keep it from going on; damage is a finding, not an error.
    pub fn check(&self) -> Result<CheckReport> {
        check::check(&self.core)
    }

    /// Every row as it lies in the trees, in key order, readable.
    ///
    /// # Errors
    /// [`Error::DatabaseClosed`].
    pub fn dump(&self) -> Result<Dump> {
        self.core.check_open()?;
        Ok(Dump::new(Arc::clone(&self.core)))
    }

    /// What the open of this handle replayed and discarded.
    pub fn recovery_report(&self) -> &RecoveryReport {
        &self.core.report
    }

    /// 1: one version of each record; 2: MVCC.
    pub fn format_version(&self) -> u32 {
        if self.core.limits.mvcc { 2 } else { 1 }
    }

    /// The path given to open.
    pub fn path(&self) -> &Path {
        &self.core.path
    }

    /// The log's path.
    pub fn wal_path(&self) -> PathBuf {
        crate::wal::wal_path(&self.core.path)
    }

    /// Waits for running transactions (not for owned snapshots, which then answer
    /// [`Error::DatabaseClosed`]), checkpoints, marks the file as clean and releases it. Further
    /// calls on any clone are [`Error::DatabaseClosed`]; closing again does nothing.
    ///
    /// # Errors
    /// [`Error::CloseInTransaction`] inside a transaction on the same thread; what the checkpoint
    /// meets. The file is released all the same, and the next open recovers.
    pub fn close(&self) -> Result<()> {
        if !self.core.begin_close()? {
            return Ok(());
        }
        let done = self.leave_clean();
        self.core.unlock();
        done
    }

    fn leave_clean(&self) -> Result<()> {
        if self.core.options.read_only || self.core.wal.get().is_none() {
            return Ok(());
        }
        if let Some(cause) = self.core.failure() {
            return Err(Error::Poisoned { cause });
        }
        self.core.sync_log()?;
        self.core.checkpoint_now()?;
        self.core.write_clean()
    }

    fn require_mvcc(&self, call: &'static str) -> Result<()> {
        if self.core.limits.mvcc { Ok(()) } else { Err(Error::MvccRequired { call }) }
    }

    fn begin_read(&self, seq: Option<u64>) -> Result<ReadTx> {
        let tx = self.register(seq, |seq| self.core.registry.begin(seq))?;
        // Closing looks at the registry after it has closed the door.
        self.core.check_open()?;
        Ok(tx)
    }

    fn begin_owned(&self, seq: Option<u64>) -> Result<Snapshot> {
        self.core.check_open()?;
        let tx = self.register(seq, |seq| self.core.registry.begin_owned(seq))?;
        Ok(Snapshot::new(tx))
    }

    /// Enters a snapshot into the registry, from where on pruning spares it.
    fn register(&self, seq: Option<u64>, enter: impl Fn(u64) -> Ticket) -> Result<ReadTx> {
        loop {
            let root = self.core.group.load();
            let read_seq = wanted_seq(&root, seq)?;
            let ticket = enter(read_seq);
            let pinned = (!self.core.limits.mvcc).then(|| Arc::clone(&root));
            let tx = ReadTx::new(&self.core, read_seq, pinned, ticket);
            // The floor may have risen in between; who raises it looks at the registry after.
            let floor = self.core.floor();
            if read_seq == 0 || read_seq >= floor {
                return Ok(tx);
            }
            if seq.is_some() {
                return Err(Error::SnapshotPruned { seq: read_seq, oldest: floor });
            }
        }
    }
}

/// The sequence to read, if that can be read.
fn wanted_seq(root: &Root, seq: Option<u64>) -> Result<u64> {
    match seq {
        None => Ok(root.seq),
        Some(seq) if seq > root.seq => Err(Error::ReadSeqFuture { seq, head: root.seq }),
        Some(seq) if seq != 0 && seq < root.floor => {
            Err(Error::SnapshotPruned { seq, oldest: root.floor })
        }
        Some(seq) => Ok(seq),
    }
}

fn family_stats(root: &Root, family: Family) -> FamilyStats {
    let (count, family) = (root.count(family), family.name());
    FamilyStats { family, visible: count.visible, logical: count.logical, rows: count.rows }
}
