//! Iterators over the indexes of a snapshot: each item is an index key with what it names.

use std::fmt;
use std::marker::PhantomData;

use ulid::Ulid;

use super::scan::{Names, ReadState, foreign};
use crate::error::Result;
use crate::keys::{self, LogicalKey};
use crate::lattice::Coord;
use crate::record::EdgeId;
use crate::record::{Cell, Edge, Seam, decode_cell, decode_edge, decode_seam};
use crate::time::Week;

/// What an index is ordered by: a tag or source, a week, a coordinate.
pub trait IndexKey: Sized + FromName {}

mod sealed {
    use super::{Coord, LogicalKey, Ulid};

    pub trait FromName: Sized {
        #[doc(hidden)]
        fn cell(name: Name) -> Option<(Self, Coord)>;
        #[doc(hidden)]
        fn seam(name: Name) -> Option<(Self, Ulid)>;
    }

    /// The name of an index row.
    #[derive(Debug)]
    pub struct Name(pub(super) LogicalKey);
}

use sealed::{FromName, Name};

impl IndexKey for String {}
impl IndexKey for Week {}
impl IndexKey for Coord {}

impl FromName for String {
    fn cell(name: Name) -> Option<(Self, Coord)> {
        match name.0 {
            LogicalKey::CellByTag(text, coord) | LogicalKey::CellBySource(text, coord) => {
                Some((text, coord))
            }
            _ => None,
        }
    }

    fn seam(name: Name) -> Option<(Self, Ulid)> {
        match name.0 {
            LogicalKey::SeamBySource(text, id) => Some((text, id)),
            _ => None,
        }
    }
}

impl FromName for Week {
    fn cell(name: Name) -> Option<(Self, Coord)> {
        match name.0 {
            LogicalKey::CellByWeek(week, coord) => Some((week, coord)),
            _ => None,
        }
    }

    fn seam(name: Name) -> Option<(Self, Ulid)> {
        match name.0 {
            LogicalKey::SeamByWeek(week, id) => Some((week, id)),
            _ => None,
        }
    }
}

impl FromName for Coord {
    fn cell(_: Name) -> Option<(Self, Coord)> {
        None
    }

    fn seam(name: Name) -> Option<(Self, Ulid)> {
        match name.0 {
            LogicalKey::SeamByCell(coord, id) => Some((coord, id)),
            _ => None,
        }
    }
}

macro_rules! index_iterator {
    ($(#[$doc:meta])* $name:ident $(<$key:ident>)?, $item:ty, $convert:expr) => {
        $(#[$doc])*
        pub struct $name<'a $(, $key)?> {
            names: Names<'a>,
            failed: bool,
            $(key: PhantomData<$key>,)?
        }

        impl<'a $(, $key: IndexKey)?> $name<'a $(, $key)?> {
            pub(super) fn over(names: Names<'a>) -> Self {
                let failed = false;
                Self { names, failed $(, key: PhantomData::<$key>)? }
            }

            fn convert(&mut self, name: Option<Result<LogicalKey>>) -> Option<Result<$item>> {
                let item = name.filter(|_| !self.failed)?.and_then(|name| {
                    let convert: fn(ReadState<'_>, u64, LogicalKey) -> Result<$item> = $convert;
                    let (state, seq) = self.names.place();
                    convert(state, seq, name)
                });
                self.failed = item.is_err();
                Some(item)
            }
        }

        impl<$($key: IndexKey)?> Iterator for $name<'_ $(, $key)?> {
            type Item = Result<$item>;

            fn next(&mut self) -> Option<Self::Item> {
                let name = self.names.next();
                self.convert(name)
            }
        }

        impl<$($key: IndexKey)?> DoubleEndedIterator for $name<'_ $(, $key)?> {
            fn next_back(&mut self) -> Option<Self::Item> {
                let name = self.names.next_back();
                self.convert(name)
            }
        }

        impl<$($key: IndexKey)?> std::iter::FusedIterator for $name<'_ $(, $key)?> {}

        impl<$($key)?> fmt::Debug for $name<'_ $(, $key)?> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let (_, seq) = self.names.place();
                f.debug_struct(stringify!($name)).field("seq", &seq).finish_non_exhaustive()
            }
        }
    };
}

index_iterator! {
    /// Cells in the order of an index, with the key by which they stand there: of a tag, source
    /// or week in Morton order. From either end. Ends after an error.
    CellsBy<K>, (K, Coord, Cell), |state, seq, name| {
        let (key, coord) = K::cell(Name(name)).ok_or_else(|| foreign(state.pager()))?;
        Ok((key, coord, state.indexed(keys::cell_key(coord), seq, decode_cell)?))
    }
}

index_iterator! {
    /// As [`CellsBy`], without reading the cells.
    CoordsBy<K>, (K, Coord), |state, _, name| {
        K::cell(Name(name)).ok_or_else(|| foreign(state.pager()))
    }
}

index_iterator! {
    /// Seams in the order of an index, with the key by which they stand there: of a cell, source
    /// or week in the order of their ids. From either end. Ends after an error.
    SeamsBy<K>, (K, Ulid, Seam), |state, seq, name| {
        let (key, id) = K::seam(Name(name)).ok_or_else(|| foreign(state.pager()))?;
        Ok((key, id, state.indexed(keys::seam_key(id), seq, decode_seam)?))
    }
}

index_iterator! {
    /// Edges that lead to a coordinate, in the order of where they begin, then of their relation
    /// types. From either end. Ends after an error.
    EdgesTo, (EdgeId, Edge), |state, seq, name| {
        let LogicalKey::EdgeByTarget(to, from, relation) = name else {
            return Err(foreign(state.pager()));
        };
        let logical = keys::edge_key(from, to, &relation);
        let edge = state.indexed(logical, seq, decode_edge)?;
        Ok((EdgeId { from, to, relation }, edge))
    }
}

impl<'a, K: IndexKey> CellsBy<'a, K> {
    /// The same without reading the cells.
    pub fn coords(self) -> CoordsBy<'a, K> {
        CoordsBy { failed: self.failed, ..CoordsBy::over(self.names) }
    }
}
