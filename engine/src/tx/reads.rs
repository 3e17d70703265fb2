//! The reads that read and write transactions have in common: written once, so that a transaction
//! reads its own writes in every family and every index just as a snapshot reads its state.

use std::ops::RangeBounds;

use ulid::Ulid;

use super::find_seams::{FindSeams, SeamFilter};
use super::index_scan::{CellsBy, EdgesTo, SeamsBy};
use super::read::ReadTx;
use super::ring::{RingFilter, RingWalk};
use super::scan::{Cells, Edges, Facets, Names, RawScan, Seams, get_raw};
use super::write::WriteTx;
use crate::bytes::Bytes;
use crate::error::Result;
use crate::keys::{self, KeyRange};
use crate::lattice::{Coord, PackedCoord};
use crate::record::{
    Cell, Edge, Facet, FacetId, Seam, decode_cell, decode_edge, decode_facet, decode_seam,
};
use crate::time::{Timestamp, Week};

macro_rules! reads {
    ($transaction:ident) => {
        impl $transaction {
            fn names(&self, range: KeyRange) -> Names<'_> {
                Names::new(self.state(), range, self.read_seq())
            }

            /// The cell at a coordinate.
            ///
            /// # Errors
            /// I/O errors and damage.
            #[inline]
            pub fn get_cell(&self, coord: Coord) -> Result<Option<Cell>> {
                self.state().get(keys::cell_key(coord), self.read_seq(), decode_cell)
            }

            /// Cells of a range in Morton order. Lazy; reads a leaf at a time.
            pub fn cells(&self, range: impl RangeBounds<PackedCoord>) -> Cells<'_> {
                Cells::new(self.state(), keys::cell_range(&range), self.read_seq())
            }

            /// A value of the raw keyspace.
            ///
            /// # Errors
            /// [`Error::KeyTooLarge`](crate::Error::KeyTooLarge), I/O errors and damage.
            #[inline]
            pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
                let (max, seq) = (self.core.limits.max_raw_key_bytes, self.read_seq());
                self.state().read(|source| get_raw(&source, key.as_ref(), max, seq))
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
                RawScan::new(self.state(), keys::raw_range(&range), self.read_seq())
            }

            /// Keys of the raw keyspace that begin with `prefix`, and their values.
            pub fn scan_prefix(&self, prefix: impl AsRef<[u8]>) -> RawScan<'_> {
                let range = keys::raw_prefix_range(prefix.as_ref());
                RawScan::new(self.state(), range, self.read_seq())
            }

            /// A facet of the cell at a coordinate.
            ///
            /// # Errors
            /// I/O errors and damage.
            pub fn get_facet(&self, coord: Coord, id: FacetId) -> Result<Option<Facet>> {
                self.state().get(keys::facet_key(coord, id.get()), self.read_seq(), decode_facet)
            }

            /// The facets of the cell at a coordinate, by number.
            pub fn facets_of(&self, coord: Coord) -> Facets<'_> {
                Facets::new(self.state(), keys::facets_of_range(coord), self.read_seq())
            }

            /// The facets of a range of coordinates, in Morton order, then by number.
            pub fn facets(&self, range: impl RangeBounds<PackedCoord>) -> Facets<'_> {
                Facets::new(self.state(), keys::facet_range(&range), self.read_seq())
            }

            /// The edge of a relation type from one coordinate to another.
            ///
            /// # Errors
            /// I/O errors and damage.
            pub fn get_edge(&self, from: Coord, to: Coord, relation: &str) -> Result<Option<Edge>> {
                self.state().get(keys::edge_key(from, to, relation), self.read_seq(), decode_edge)
            }

            /// The edges that leave a coordinate, by where they lead, then by relation type.
            pub fn edges_from(&self, from: Coord) -> Edges<'_> {
                Edges::new(self.state(), keys::edges_from_range(from), self.read_seq())
            }

            /// The edges that lead to a coordinate, by where they begin, then by relation type.
            pub fn edges_to(&self, to: Coord) -> EdgesTo<'_> {
                EdgesTo::over(self.names(keys::edges_to_range(to)))
            }

            /// The edges that leave a range of coordinates.
            pub fn edges(&self, range: impl RangeBounds<PackedCoord>) -> Edges<'_> {
                Edges::new(self.state(), keys::edge_range(&range), self.read_seq())
            }

            /// The seam of an id.
            ///
            /// # Errors
            /// I/O errors and damage.
            pub fn get_seam(&self, id: Ulid) -> Result<Option<Seam>> {
                self.state().get(keys::seam_key(id), self.read_seq(), decode_seam)
            }

            /// The seams of a range of ids: those that the database gave are in order of time.
            pub fn seams(&self, range: impl RangeBounds<Ulid>) -> Seams<'_> {
                Seams::new(self.state(), keys::seam_range(&range), self.read_seq())
            }

            /// The seams that join a coordinate with another.
            pub fn seams_of(&self, coord: Coord) -> SeamsBy<'_, Coord> {
                SeamsBy::over(self.names(keys::seams_of_range(coord)))
            }

            /// The seams of a range of sources.
            pub fn seams_by_source<'r>(
                &self,
                sources: impl RangeBounds<&'r str>,
            ) -> SeamsBy<'_, String> {
                let range = keys::seam_by_source_range(&sources);
                SeamsBy::over(self.names(range))
            }

            /// The seams whose sources begin with `prefix`.
            pub fn seams_by_source_prefix(&self, prefix: &str) -> SeamsBy<'_, String> {
                SeamsBy::over(self.names(keys::seam_by_source_prefix(prefix)))
            }

            /// The seams that become valid in a range of weeks; those without `valid_from` are in
            /// none.
            pub fn seams_by_week(&self, weeks: impl RangeBounds<Week>) -> SeamsBy<'_, Week> {
                SeamsBy::over(self.names(keys::seam_by_week_range(&weeks)))
            }

            /// The seams that join a coordinate within `radius` steps of `center`, each once: from
            /// the center outwards, then by id. The cost follows the area, 3r² + 3r + 1
            /// coordinates.
            pub fn find_seams(
                &self,
                center: Coord,
                radius: u32,
                filter: &SeamFilter,
            ) -> FindSeams<'_> {
                FindSeams::new(self.state(), self.read_seq(), (center, radius), filter.clone())
            }

            /// The cells of a range of tags: a cell stands under each of its tags.
            ///
            /// ```
            /// # use hexxladb::{Cell, Coord, Db, Error, Options};
            /// # let db = Db::open("tags", Options::in_memory())?;
            /// let kettle = Cell::new("The kettle is on.").with_tags(["tea", "home"]);
            /// db.update(|tx| tx.put_cell(Coord::new(0, 0)?, &kettle))?;
            /// db.view(|tx| {
            ///     for item in tx.cells_by_tag("h".."u") {
            ///         let (tag, coord, cell) = item?;
            ///         println!("{tag} {coord} {}", cell.raw_content);
            ///     }
            ///     assert_eq!(tx.cells_with_tag("tea").count(), 1);
            ///     Ok::<(), Error>(())
            /// })?;
            /// # Ok::<(), Error>(())
            /// ```
            pub fn cells_by_tag<'r>(&self, tags: impl RangeBounds<&'r str>) -> CellsBy<'_, String> {
                CellsBy::over(self.names(keys::cell_by_tag_range(&tags)))
            }

            /// The cells with a tag, in Morton order.
            pub fn cells_with_tag(&self, tag: &str) -> CellsBy<'_, String> {
                self.cells_by_tag(tag..=tag)
            }

            /// The cells with tags that begin with `prefix`.
            pub fn cells_by_tag_prefix(&self, prefix: &str) -> CellsBy<'_, String> {
                CellsBy::over(self.names(keys::cell_by_tag_prefix(prefix)))
            }

            /// The cells of a range of sources; those without a source are in none.
            pub fn cells_by_source<'r>(
                &self,
                sources: impl RangeBounds<&'r str>,
            ) -> CellsBy<'_, String> {
                CellsBy::over(self.names(keys::cell_by_source_range(&sources)))
            }

            /// The cells of a source, in Morton order.
            pub fn cells_with_source(&self, source: &str) -> CellsBy<'_, String> {
                self.cells_by_source(source..=source)
            }

            /// The cells whose sources begin with `prefix`.
            pub fn cells_by_source_prefix(&self, prefix: &str) -> CellsBy<'_, String> {
                CellsBy::over(self.names(keys::cell_by_source_prefix(prefix)))
            }

            /// The cells that become valid in a range of weeks; those without `valid_from` are in
            /// none.
            pub fn cells_by_week(&self, weeks: impl RangeBounds<Week>) -> CellsBy<'_, Week> {
                CellsBy::over(self.names(keys::cell_by_week_range(&weeks)))
            }

            /// The cells within `radius` steps of `center`: ring by ring outwards, in the order of
            /// [`Coord::spiral`]. The cost follows the area, 3r² + 3r + 1 coordinates, not the
            /// database.
            ///
            /// ```
            /// # use hexxladb::{Cell, Coord, Db, Error, Options};
            /// # let db = Db::open("ring", Options::in_memory())?;
            /// # db.update(|tx| tx.put_cell(Coord::new(0, 1)?, &Cell::new("near")))?;
            /// db.view(|tx| {
            ///     for item in tx.walk_ring(Coord::new(0, 0)?, 3) {
            ///         let (coord, cell) = item?;
            ///         println!("{coord} {}", cell.raw_content);
            ///     }
            ///     Ok::<(), Error>(())
            /// })?;
            /// # Ok::<(), Error>(())
            /// ```
            pub fn walk_ring(&self, center: Coord, radius: u32) -> RingWalk<'_> {
                self.walk_ring_with(center, radius, RingFilter::default())
            }

            /// As [`walk_ring`](Self::walk_ring), only cells that are valid at `time`.
            pub fn walk_ring_valid_at(
                &self,
                center: Coord,
                radius: u32,
                time: Timestamp,
            ) -> RingWalk<'_> {
                self.walk_ring_with(center, radius, RingFilter::default().with_valid_at(time))
            }

            /// As [`walk_ring`](Self::walk_ring), only cells that pass a filter.
            pub fn walk_ring_with(
                &self,
                center: Coord,
                radius: u32,
                filter: RingFilter,
            ) -> RingWalk<'_> {
                RingWalk::new(self.state(), self.read_seq(), center.spiral(radius), filter)
            }
        }
    };
}

reads!(ReadTx);
reads!(WriteTx);
