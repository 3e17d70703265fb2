//! Iterators over the records and the indexes of a snapshot, and how a single record is read.
//!
//! Always: an iterator holds no lock and no page beyond the leaf it stands in, and ends after an
//! error.

use ulid::Ulid;

use super::read::ReadTx;
use crate::bytes::Bytes;
use crate::error::{Error, Result};
use crate::keys::{self, DecodeError, KeyBuf, KeyRange, LogicalKey};
use crate::lattice::Coord;
use crate::pager::Pager;
use crate::record::EdgeId;
use crate::record::{
    Cell, Edge, Facet, FacetId, Seam, decode_cell, decode_edge, decode_facet, decode_seam,
};
use crate::timeline::{Root, RowAt, Rows, Source, VisibleRow, newest_at_owned};

/// What was decoded; damage is told with the primary's name.
pub(crate) fn decoded<T>(pager: &Pager, result: Result<T, DecodeError>) -> Result<T> {
    result.map_err(|error| error.at(pager.file.path(), 0))
}

/// Rows that do not fit together.
#[cold]
pub(crate) fn damaged(pager: &Pager, what: &str) -> Error {
    Error::corrupt(pager.file.path(), 0, what)
}

/// Where an iterator reads.
#[derive(Clone, Copy)]
pub(crate) enum ReadState<'a> {
    Snapshot(&'a ReadTx),
    Own(&'a Pager, &'a Root, bool),
}

impl ReadState<'_> {
    /// A record as a snapshot of `seq` sees it.
    #[inline]
    pub(super) fn get<T>(
        &self,
        logical: KeyBuf,
        seq: u64,
        decode: fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<Option<T>> {
        self.read(|source| {
            let Some(row) = newest_at_owned(&source, logical, seq)? else { return Ok(None) };
            let Some(bytes) = source.value(&row)? else { return Ok(None) };
            decoded(source.pager, decode(&bytes)).map(Some)
        })
    }

    /// The record that an index row names: it must be there.
    pub(super) fn indexed<T>(
        &self,
        logical: KeyBuf,
        seq: u64,
        decode: fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<T> {
        let found = self.get(logical, seq, decode)?;
        found.ok_or_else(|| damaged(self.pager(), "an index names a record that is not there"))
    }

    pub(super) fn pager(&self) -> &Pager {
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

    #[inline]
    pub(super) fn read<T>(&self, read: impl FnOnce(Source<'_>) -> Result<T>) -> Result<T> {
        match self {
            Self::Snapshot(tx) => tx.with_source(read),
            Self::Own(pager, root, mvcc) => read(Source::new(pager, root, *mvcc)),
        }
    }
}

/// A value of the raw keyspace.
#[inline]
pub(super) fn get_raw(
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

/// The logical key of a row.
fn name_of(pager: &Pager, row: &RowAt<'_>) -> Result<LogicalKey> {
    decoded(pager, row.with_logical(keys::decode_logical))
}

fn value_of<T>(
    pager: &Pager,
    row: &RowAt<'_>,
    decode: fn(&[u8]) -> Result<T, DecodeError>,
) -> Result<T> {
    decoded(pager, decode(&row.value(pager)?))
}

/// A row of another family than the scan's.
#[cold]
pub(super) fn foreign(pager: &Pager) -> Error {
    damaged(pager, "a row of another family in a scan")
}

macro_rules! iterator {
    ($(#[$doc:meta])* $vis:vis $name:ident, $item:ty, $convert:expr) => {
        $(#[$doc])*
        $vis struct $name<'a> {
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
    pub Cells, (Coord, Cell), |pager: &Pager, row: RowAt<'_>| {
        let coord = decoded(pager, row.with_logical(keys::cell_coord))?;
        Ok::<_, Error>((coord, value_of(pager, &row, decode_cell)?))
    }
}

iterator! {
    /// Keys and values of the raw keyspace in key order, from either end. Ends after an error.
    pub RawScan, (Bytes, Bytes), |pager: &Pager, row: RowAt<'_>| {
        let mut item = (Bytes::EMPTY, row.value(pager)?);
        decoded(pager, row.raw_key(&mut item.0))?;
        Ok::<_, Error>(item)
    }
}

iterator! {
    /// Facets in the order of their cells and numbers, from either end. Ends after an error.
    pub Facets, (Coord, FacetId, Facet), |pager: &Pager, row: RowAt<'_>| {
        let LogicalKey::Facet(coord, id) = name_of(pager, &row)? else { return Err(foreign(pager)) };
        Ok::<_, Error>((coord, FacetId::new(id)?, value_of(pager, &row, decode_facet)?))
    }
}

iterator! {
    /// Edges in the order of where they begin and lead, then of their relation types, from either
    /// end. Ends after an error.
    pub Edges, (EdgeId, Edge), |pager: &Pager, row: RowAt<'_>| {
        let LogicalKey::Edge(from, to, relation) = name_of(pager, &row)? else {
            return Err(foreign(pager));
        };
        Ok::<_, Error>((EdgeId { from, to, relation }, value_of(pager, &row, decode_edge)?))
    }
}

iterator! {
    /// Seams in the order of their ids, from either end. Ends after an error.
    pub Seams, (Ulid, Seam), |pager: &Pager, row: RowAt<'_>| {
        let LogicalKey::Seam(id) = name_of(pager, &row)? else { return Err(foreign(pager)) };
        Ok::<_, Error>((id, value_of(pager, &row, decode_seam)?))
    }
}

iterator! {
    /// Names of index rows.
    pub(super) Names, LogicalKey, |pager: &Pager, row: RowAt<'_>| name_of(pager, &row)
}

impl<'a> Names<'a> {
    /// Where it reads, and at which sequence.
    pub(super) fn place(&self) -> (ReadState<'a>, u64) {
        (self.state, self.rows.seq())
    }
}
