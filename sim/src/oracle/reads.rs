//! What snapshots and write transactions can be asked, in the model's words.

use std::ops::Bound;
use std::sync::Arc;

use hexxladb::{
    Cell, CellsBy, Coord, Edge, EdgeId, Error, Facet, FacetId, PackedCoord, ReadTx, Record,
    RecordId, RingFilter, Seam, SeamFilter, SeamsBy, Timestamp, Ulid, Week, WriteTx,
};

use crate::model::{Content, Family, Id, Index, IndexKey, Place, week_of};
use crate::op::Pos;

type Result<T> = std::result::Result<T, Error>;

/// A record as the engine's iterators give it.
pub(super) type Item = Result<(Id, Content)>;

/// An entry of an index as the engine's iterators give it.
pub(super) type Entry = Result<(IndexKey, Id, Content)>;

/// Both, from either end.
pub(super) type Items<'a, T> = Box<dyn DoubleEndedIterator<Item = T> + 'a>;

/// A range of texts or weeks of an index.
#[derive(Clone, Debug)]
pub enum Span {
    /// All of it.
    All,
    /// Texts from the first up to the second.
    Texts(String, String),
    /// Texts with a prefix.
    Prefix(String),
    /// Weeks from the first up to the second.
    Weeks(i64, i64),
    /// One coordinate.
    At(Pos),
}

/// The reads that snapshots and write transactions share.
pub trait Reads {
    /// A record.
    ///
    /// # Errors
    /// The engine's.
    fn one(&self, id: &Id) -> Result<Option<Content>>;
    /// Every record of a family.
    fn family(&self, family: Family) -> Items<'_, Item>;
    /// Raw records of a range.
    fn raws(&self, range: (Bound<&[u8]>, Bound<&[u8]>)) -> Items<'_, Item>;
    /// Cells of a range.
    fn cells_in(&self, range: (Bound<PackedCoord>, Bound<PackedCoord>)) -> Items<'_, Item>;
    /// Facets of a cell.
    fn facets_at(&self, pos: Pos) -> Items<'_, Item>;
    /// Edges that leave a coordinate.
    fn edges_at(&self, pos: Pos) -> Items<'_, Item>;
    /// A part of an index; nothing where the index has no such parts.
    fn index(&self, index: Index, span: &Span) -> Items<'_, Entry>;
    /// Cells around a coordinate.
    fn ring(&self, center: Pos, radius: u32, filter: RingFilter) -> Vec<Item>;
    /// Seams around a coordinate.
    fn seams_around(&self, center: Pos, radius: u32, filter: &SeamFilter) -> Vec<Item>;
}

/// The facet of a number.
///
/// # Panics
/// Above 5: plans have no such.
#[must_use]
pub fn facet_id(id: u8) -> FacetId {
    FacetId::new(id).expect("facets of plans are in range")
}

fn place(coord: Coord) -> Place {
    Pos { q: coord.q(), r: coord.r() }.into()
}

fn cell((coord, cell): (Coord, Cell)) -> (Id, Content) {
    (Id::Cell(place(coord)), Content::Cell(Arc::new(cell)))
}

fn facet((coord, id, facet): (Coord, FacetId, Facet)) -> (Id, Content) {
    (Id::Facet(place(coord), id.get()), Content::Facet(Arc::new(facet)))
}

fn edge((id, edge): (EdgeId, Edge)) -> (Id, Content) {
    (Id::Edge(place(id.from), place(id.to), id.relation), Content::Edge(Arc::new(edge)))
}

fn seam((id, seam): (Ulid, Seam)) -> (Id, Content) {
    (Id::Seam(id.0), Content::Seam(Arc::new(seam)))
}

/// The engine's name of a record.
#[must_use]
pub fn record_id(id: &Id) -> RecordId {
    match id {
        Id::Raw(key) => RecordId::Raw(key.clone()),
        Id::Cell(place) => RecordId::Cell(place.pos.coord()),
        Id::Facet(place, id) => RecordId::Facet(place.pos.coord(), facet_id(*id)),
        Id::Edge(from, to, relation) => {
            RecordId::Edge(EdgeId::new(from.pos.coord(), to.pos.coord(), relation))
        }
        Id::Seam(id) => RecordId::Seam(Ulid(*id)),
    }
}

/// What a record of the engine's holds.
#[must_use]
pub fn content_of(record: &Record) -> Content {
    match record {
        Record::Raw(bytes) => Content::Raw(bytes[..].into()),
        Record::Cell(cell) => Content::Cell(Arc::new(cell.clone())),
        Record::Facet(facet) => Content::Facet(Arc::new(facet.clone())),
        Record::Edge(edge) => Content::Edge(Arc::new(edge.clone())),
        Record::Seam(seam) => Content::Seam(Arc::new(seam.clone())),
        other => unreachable!("a record of no family known: {other:?}"),
    }
}

/// The engine's week of a number.
fn week(number: i64) -> Week {
    const WEEK_NANOS: i64 = 7 * 86_400_000_000_000;
    // Week 0 is that of a Thursday.
    Week::of(Timestamp::from_nanos(number.clamp(-10_000, 10_000) * WEEK_NANOS))
}

fn texts(cells: CellsBy<'_, String>) -> Items<'_, Entry> {
    Box::new(cells.map(|item| {
        item.map(|(text, coord, found)| entry(IndexKey::Text(text), cell((coord, found))))
    }))
}

fn entry(key: IndexKey, (id, content): (Id, Content)) -> (IndexKey, Id, Content) {
    (key, id, content)
}

fn week_key(week: Week) -> IndexKey {
    IndexKey::Week(week_of(week.start()))
}

fn seam_texts(seams: SeamsBy<'_, String>) -> Items<'_, Entry> {
    Box::new(
        seams.map(|item| {
            item.map(|(text, id, found)| entry(IndexKey::Text(text), seam((id, found))))
        }),
    )
}

macro_rules! texts_of {
    ($view:ident, $range:ident, $prefix:ident, $span:expr, $convert:ident) => {
        match $span {
            Span::Texts(from, to) => $convert($view.$range(from.as_str()..to.as_str())),
            Span::Prefix(prefix) => $convert($view.$prefix(prefix)),
            _ => $convert($view.$range(..)),
        }
    };
}

macro_rules! reads {
    ($($type:ty),*) => {$(
        impl Reads for $type {
            fn one(&self, id: &Id) -> Result<Option<Content>> {
                Ok(match id {
                    Id::Raw(key) => self.get(key)?.map(|bytes| Content::Raw(bytes[..].into())),
                    Id::Cell(place) => {
                        self.get_cell(place.pos.coord())?.map(|cell| Content::Cell(Arc::new(cell)))
                    }
                    Id::Facet(place, id) => self
                        .get_facet(place.pos.coord(), facet_id(*id))?
                        .map(|facet| Content::Facet(Arc::new(facet))),
                    Id::Edge(from, to, relation) => self
                        .get_edge(from.pos.coord(), to.pos.coord(), relation)?
                        .map(|edge| Content::Edge(Arc::new(edge))),
                    Id::Seam(id) => {
                        self.get_seam(Ulid(*id))?.map(|seam| Content::Seam(Arc::new(seam)))
                    }
                })
            }

            fn family(&self, family: Family) -> Items<'_, Item> {
                let everywhere = (Bound::Unbounded, Bound::Unbounded);
                match family {
                    Family::Raw => self.raws((Bound::Unbounded, Bound::Unbounded)),
                    Family::Cell => self.cells_in(everywhere),
                    Family::Facet => Box::new(self.facets(..).map(|item| item.map(facet))),
                    Family::Edge => Box::new(self.edges(..).map(|item| item.map(edge))),
                    Family::Seam => Box::new(self.seams(..).map(|item| item.map(seam))),
                }
            }

            fn raws(&self, range: (Bound<&[u8]>, Bound<&[u8]>)) -> Items<'_, Item> {
                Box::new(self.scan::<&[u8]>(range).map(|item| {
                    item.map(|(key, value)| (Id::Raw(key.to_vec()), Content::Raw(value[..].into())))
                }))
            }

            fn cells_in(
                &self,
                range: (Bound<PackedCoord>, Bound<PackedCoord>),
            ) -> Items<'_, Item> {
                Box::new(self.cells(range).map(|item| item.map(cell)))
            }

            fn facets_at(&self, pos: Pos) -> Items<'_, Item> {
                Box::new(self.facets_of(pos.coord()).map(|item| item.map(facet)))
            }

            fn edges_at(&self, pos: Pos) -> Items<'_, Item> {
                Box::new(self.edges_from(pos.coord()).map(|item| item.map(edge)))
            }

            fn index(&self, index: Index, span: &Span) -> Items<'_, Entry> {
                let weeks = match span {
                    Span::Weeks(from, to) => {
                        (Bound::Included(week(*from)), Bound::Excluded(week(*to)))
                    }
                    _ => (Bound::Unbounded, Bound::Unbounded),
                };
                match (index, span) {
                    (Index::CellTag, _) => {
                        texts_of!(self, cells_by_tag, cells_by_tag_prefix, span, texts)
                    }
                    (Index::CellSource, _) => {
                        texts_of!(self, cells_by_source, cells_by_source_prefix, span, texts)
                    }
                    (Index::CellWeek, _) => Box::new(self.cells_by_week(weeks).map(|item| {
                        item.map(|(week, coord, found)| {
                            entry(week_key(week), cell((coord, found)))
                        })
                    })),
                    (Index::SeamSource, _) => {
                        texts_of!(self, seams_by_source, seams_by_source_prefix, span, seam_texts)
                    }
                    (Index::SeamWeek, _) => Box::new(self.seams_by_week(weeks).map(|item| {
                        item.map(|(week, id, found)| entry(week_key(week), seam((id, found))))
                    })),
                    (Index::EdgeTarget, Span::At(pos)) => {
                        Box::new(self.edges_to(pos.coord()).map(|item| {
                            item.map(|found| {
                                entry(IndexKey::Place(place(found.0.to)), edge(found))
                            })
                        }))
                    }
                    (Index::SeamCell, Span::At(pos)) => {
                        Box::new(self.seams_of(pos.coord()).map(|item| {
                            item.map(|(coord, id, found)| {
                                entry(IndexKey::Place(place(coord)), seam((id, found)))
                            })
                        }))
                    }
                    _ => Box::new(std::iter::empty()),
                }
            }

            fn ring(&self, center: Pos, radius: u32, filter: RingFilter) -> Vec<Item> {
                let walk = self.walk_ring_with(center.coord(), radius, filter);
                walk.map(|item| item.map(cell)).collect()
            }

            fn seams_around(&self, center: Pos, radius: u32, filter: &SeamFilter) -> Vec<Item> {
                let found = self.find_seams(center.coord(), radius, filter);
                found.map(|item| item.map(seam)).collect()
            }
        }
    )*};
}
reads!(ReadTx, WriteTx);
