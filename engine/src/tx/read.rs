//! Reading a snapshot.
//!
//! In format v2 a snapshot is a sequence, not a root: each call reads the newest root at that
//! sequence, so that a snapshot held for ever does not keep pages from being reused. In format
//! v1 it is a root.

use std::ops::RangeBounds;
use std::sync::Arc;

use crate::bytes::Bytes;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::keys::{self, KeyRange};
use crate::lattice::{Coord, PackedCoord};
use crate::pager::Pager;
use crate::record::{Cell, decode_cell};
use crate::timeline::{
    Commit, Root, RowAt, Rows, Source, Ticket, VisibleRow, commit_at, newest_at, newest_at_owned,
};

/// A read transaction: one state of the database, for as long as it lives.
pub struct ReadTx {
    core: Arc<Core>,
    seq: u64,
    /// Format v1 reads this root.
    pinned: Option<Arc<Root>>,
    ticket: Ticket,
    /// An owned snapshot: closing does not wait for it, and ends its reads.
    owned: bool,
}

impl ReadTx {
    pub(crate) fn new(
        core: &Arc<Core>,
        seq: u64,
        pinned: Option<Arc<Root>>,
        ticket: Ticket,
    ) -> Self {
        Self { core: Arc::clone(core), seq, pinned, ticket, owned: false }
    }

    /// The same, for an owner who may keep it beyond the handle's end.
    fn into_owned(mut self) -> Self {
        self.owned = true;
        self
    }

    /// The sequence that this transaction reads.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The cell at a coordinate.
    ///
    /// # Errors
    /// I/O errors and damage.
    pub fn get_cell(&self, coord: Coord) -> Result<Option<Cell>> {
        self.with_source(|source| get_cell(&source, coord, self.seq))
    }

    /// Cells of a range in Morton order. Lazy; reads a leaf at a time.
    pub fn cells(&self, range: impl RangeBounds<PackedCoord>) -> Cells<'_> {
        Cells::new(ReadState::Snapshot(self), keys::cell_range(&range), self.seq)
    }

    /// A value of the raw keyspace.
    ///
    /// # Errors
    /// [`Error::KeyTooLarge`], I/O errors and damage.
    #[inline]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        let max = self.core.limits.max_raw_key_bytes;
        self.with_source(|source| get_raw(&source, key.as_ref(), max, self.seq))
    }

    /// Keys and values of a range of the raw keyspace. Lazy; reads a leaf at a time.
    ///
    /// ```
    /// # use hexxladb::{Db, Error, Options};
    /// # let db = Db::open("scan", Options::in_memory())?;
    /// # db.update(|tx| tx.put("b", "1"))?;
    /// db.view(|tx| {
    ///     for item in tx.scan("a".."c") {
    ///         let (key, value) = item?;
    ///         println!("{key:?} {value:?}");
    ///     }
    ///     Ok::<(), Error>(())
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn scan<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> RawScan<'_> {
        RawScan::new(ReadState::Snapshot(self), keys::raw_range(&range), self.seq)
    }

    /// Keys of the raw keyspace that begin with `prefix`, and their values.
    pub fn scan_prefix(&self, prefix: impl AsRef<[u8]>) -> RawScan<'_> {
        let range = keys::raw_prefix_range(prefix.as_ref());
        RawScan::new(ReadState::Snapshot(self), range, self.seq)
    }

    /// What the timeline keeps of a commit up to this snapshot; `None` for 0, a later one, or one
    /// whose timeline row was pruned.
    ///
    /// # Errors
    /// I/O errors and damage.
    pub fn commit(&self, seq: u64) -> Result<Option<Commit>> {
        if seq == 0 || seq > self.seq {
            return Ok(None);
        }
        self.with_source(|source| commit_at(&source, seq))
    }

    /// The history hash of the commit that this transaction reads; zeros at 0.
    ///
    /// # Errors
    /// I/O errors and damage.
    pub fn history_hash(&self) -> Result<[u8; 16]> {
        Ok(self.commit(self.seq)?.map_or([0; 16], |commit| commit.history_hash))
    }

    #[inline]
    fn with_source<T>(&self, read: impl FnOnce(Source<'_>) -> Result<T>) -> Result<T> {
        if self.owned {
            self.core.check_open()?;
        }
        self.core.shed_if_due();
        let result = match &self.pinned {
            Some(root) => read(self.core.source(root)),
            None => read(self.core.source(&self.core.group.load())),
        };
        if self.owned {
            // Closing does not wait for this one: what was read beside it may be another's.
            self.core.check_open()?;
        }
        result
    }
}

impl Drop for ReadTx {
    fn drop(&mut self) {
        self.core.registry.end(&self.ticket);
    }
}

impl std::fmt::Debug for ReadTx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadTx").field("seq", &self.seq).finish_non_exhaustive()
    }
}

/// A snapshot that its owner may keep and send to other threads. Commits, checkpoints and pruning
/// do not disturb it; after [`Db::close`](crate::Db::close) its reads are
/// [`Error::DatabaseClosed`].
#[derive(Debug)]
pub struct Snapshot(ReadTx);

impl Snapshot {
    pub(crate) fn new(tx: ReadTx) -> Self {
        Self(tx.into_owned())
    }
}

impl std::ops::Deref for Snapshot {
    type Target = ReadTx;

    fn deref(&self) -> &ReadTx {
        &self.0
    }
}

/// The cell at a coordinate.
pub(crate) fn get_cell(source: &Source<'_>, coord: Coord, seq: u64) -> Result<Option<Cell>> {
    let Some(row) = newest_at(source, &keys::cell_key(coord), seq)? else { return Ok(None) };
    let Some(bytes) = source.value(&row)? else { return Ok(None) };
    cell_from(source.pager, &bytes).map(Some)
}

/// A value of the raw keyspace.
#[inline]
pub(crate) fn get_raw(
    source: &Source<'_>,
    key: &[u8],
    max_key_bytes: usize,
    seq: u64,
) -> Result<Option<Bytes>> {
    match newest_at_owned(source, keys::raw_key(key, max_key_bytes)?, seq)? {
        Some(row) => source.value(&row),
        None => Ok(None),
    }
}

/// A decoded cell; damage is told with the primary's name.
pub(crate) fn cell_from(pager: &Pager, bytes: &[u8]) -> Result<Cell> {
    decode_cell(bytes).map_err(|error| error.at(pager.file.path(), 0))
}

/// Where an iterator reads.
pub(crate) enum ReadState<'a> {
    Snapshot(&'a ReadTx),
    Own(&'a Pager, &'a Root, bool),
}

impl ReadState<'_> {
    fn pager(&self) -> &Pager {
        match self {
            Self::Snapshot(tx) => &tx.core.pager,
            Self::Own(pager, ..) => pager,
        }
    }

    fn mvcc(&self) -> bool {
        match self {
            Self::Snapshot(tx) => tx.core.limits.mvcc,
            Self::Own(_, _, mvcc) => *mvcc,
        }
    }

    fn read<T>(&self, read: impl FnOnce(Source<'_>) -> Result<T>) -> Result<T> {
        match self {
            Self::Snapshot(tx) => tx.with_source(read),
            Self::Own(pager, root, mvcc) => read(Source::new(pager, root, *mvcc)),
        }
    }
}

macro_rules! iterator {
    ($(#[$doc:meta])* $name:ident, $item:ty, $convert:expr) => {
        $(#[$doc])*
        pub struct $name<'a> {
            state: ReadState<'a>,
            rows: Rows,
            failed: bool,
        }

        impl<'a> $name<'a> {
            pub(crate) fn new(state: ReadState<'a>, range: KeyRange, seq: u64) -> Self {
                let rows = Rows::new(range, seq, state.mvcc());
                Self { state, rows, failed: false }
            }

            /// Goes to the next leaf; the walk's end or an error ends the iterator.
            fn next_leaf(&mut self) -> Result<()> {
                let rows = &mut self.rows;
                self.state.read(|source| rows.next_leaf(&source))
            }

            fn row_back(&mut self) -> Result<Option<VisibleRow>> {
                let rows = &mut self.rows;
                self.state.read(|source| rows.next_back(&source))
            }

            fn fail(&mut self, error: Error) -> Option<Result<$item>> {
                self.failed = true;
                Some(Err(error))
            }
        }

        impl Iterator for $name<'_> {
            type Item = Result<$item>;

            fn next(&mut self) -> Option<Self::Item> {
                while !self.failed {
                    match self.rows.next_in_leaf(self.state.pager()) {
                        Ok(Some(row)) => match $convert(self.state.pager(), row) {
                            Ok(item) => return Some(Ok(item)),
                            Err(error) => return self.fail(error),
                        },
                        Ok(None) => {
                            if let Err(error) = self.next_leaf() {
                                return self.fail(error);
                            }
                            if self.rows.is_done() {
                                return None;
                            }
                        }
                        Err(error) => return self.fail(error),
                    }
                }
                None
            }
        }

        impl DoubleEndedIterator for $name<'_> {
            fn next_back(&mut self) -> Option<Self::Item> {
                if self.failed {
                    return None;
                }
                let row = self.row_back();
                let item = row.and_then(|row| {
                    row.map(|row| $convert(self.state.pager(), row.at())).transpose()
                });
                self.failed = item.is_err();
                item.transpose()
            }
        }

        impl std::iter::FusedIterator for $name<'_> {}
    };
}

iterator! {
    /// Cells in Morton order, from either end. Ends after an error.
    Cells, (Coord, Cell), |pager: &Pager, row: RowAt<'_>| {
        let coord = row.with_logical(keys::cell_coord);
        let coord = coord.map_err(|error| error.at(pager.file.path(), 0))?;
        Ok::<_, Error>((coord, cell_from(pager, &row.value(pager)?)?))
    }
}

iterator! {
    /// Keys and values of the raw keyspace in key order, from either end. Ends after an error.
    RawScan, (Bytes, Bytes), |pager: &Pager, row: RowAt<'_>| {
        let mut item = (Bytes::EMPTY, row.value(pager)?);
        row.raw_key(&mut item.0).map_err(|error| error.at(pager.file.path(), 0))?;
        Ok::<_, Error>(item)
    }
}
