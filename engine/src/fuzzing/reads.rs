//! What can be read of a state, alike through snapshots and write transactions, and in one form
//! for all families and indexes.

use crate::content::Record;
use crate::error::Result;
use crate::lattice::{Coord, PackedCoord};
use crate::record::{Cell, EdgeId, Seam};
use crate::time::Week;
use crate::tx::{ReadTx, SeamFilter, WriteTx};
use ulid::Ulid;

use super::truth::{Name, Records};

pub(super) type Items<'a, T> = Box<dyn DoubleEndedIterator<Item = Result<T>> + 'a>;
pub(super) type Rows<'a> = Items<'a, (Name, Record)>;
pub(super) type OneWay<'a, T> = Box<dyn Iterator<Item = Result<T>> + 'a>;

/// What an index is ordered by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Text(String),
    Week(Week),
    At(PackedCoord),
}

/// A row of an index, with the record that it names.
pub(super) type IndexRow = (Key, Name, Record);

/// Record families, in the order of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Raw,
    Cells,
    Facets,
    Edges,
    Seams,
    FacetsOf(Coord),
    EdgesFrom(Coord),
}

impl Family {
    pub(super) const ALL: [Self; 5] =
        [Self::Raw, Self::Cells, Self::Facets, Self::Edges, Self::Seams];

    pub(super) fn holds(self, name: &Name) -> bool {
        match (self, name) {
            (Self::FacetsOf(coord), Name::Facet(at, _))
            | (Self::EdgesFrom(coord), Name::Edge(at, ..)) => *at == PackedCoord::from(coord),
            (Self::Raw, Name::Raw(_))
            | (Self::Cells, Name::Cell(_))
            | (Self::Facets, Name::Facet(..))
            | (Self::Edges, Name::Edge(..))
            | (Self::Seams, Name::Seam(_)) => true,
            _ => false,
        }
    }
}

/// Indexes; those by coordinate can be read at one coordinate only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Index {
    Tags,
    Sources,
    Weeks,
    SeamSources,
    SeamWeeks,
    EdgesTo(Coord),
    SeamsOf(Coord),
}

impl Index {
    pub(super) const ALL: [Self; 5] =
        [Self::Tags, Self::Sources, Self::Weeks, Self::SeamSources, Self::SeamWeeks];

    /// The rows that records must have, in order.
    pub(super) fn rows_of(self, records: &Records) -> Vec<(Key, &Name, &Record)> {
        let rows = records.iter().flat_map(|(name, record)| {
            self.keys(name, record).into_iter().map(move |key| (key, name, record))
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        rows
    }

    /// The keys under which a record stands, each once.
    fn keys(self, name: &Name, record: &Record) -> Vec<Key> {
        let source = |text: &String| {
            if text.is_empty() { Vec::new() } else { vec![Key::Text(text.clone())] }
        };
        match (self, record) {
            (Self::Tags, Record::Cell(cell)) => cell.tags.iter().cloned().map(Key::Text).collect(),
            (Self::Sources, Record::Cell(cell)) => source(&cell.provenance.source_id),
            (Self::SeamSources, Record::Seam(seam)) => source(&seam.provenance.source_id),
            (Self::Weeks, Record::Cell(Cell { validity, .. }))
            | (Self::SeamWeeks, Record::Seam(Seam { validity, .. })) => {
                validity.valid_from.map(|time| Key::Week(Week::of(time))).into_iter().collect()
            }
            (Self::EdgesTo(to), _) => match name {
                Name::Edge(_, end, _) if *end == to.into() => vec![Key::At(*end)],
                _ => Vec::new(),
            },
            (Self::SeamsOf(at), Record::Seam(seam)) if [seam.cell_a, seam.cell_b].contains(&at) => {
                vec![Key::At(at.into())]
            }
            _ => Vec::new(),
        }
    }
}

fn cell_row<K>(key: impl Fn(K) -> Key) -> impl Fn(Result<(K, Coord, Cell)>) -> Result<IndexRow> {
    move |item| item.map(|(k, at, cell)| (key(k), Name::Cell(at.into()), Record::Cell(cell)))
}

fn seam_row<K>(key: impl Fn(K) -> Key) -> impl Fn(Result<(K, Ulid, Seam)>) -> Result<IndexRow> {
    move |item| item.map(|(k, id, seam)| (key(k), Name::Seam(id), Record::Seam(seam)))
}

fn edge_name(id: &EdgeId) -> Name {
    Name::edge(id.from, id.to, &id.relation)
}

/// What can be read of a state.
pub(super) trait Reads {
    /// The records of a family.
    fn family(&self, family: Family) -> Rows<'_>;

    /// One record.
    fn record(&self, name: &Name) -> Result<Option<Record>>;

    /// The rows of an index.
    fn index(&self, index: Index) -> Items<'_, IndexRow>;

    /// The rows of an index of cells by a text, without the cells.
    fn tagged_coords(&self) -> Items<'_, (String, Coord)>;

    /// The cells around a coordinate.
    fn ring(&self, center: Coord, radius: u32) -> OneWay<'_, (Coord, Cell)>;

    /// The seams around a coordinate.
    fn seams_around(&self, center: Coord, radius: u32) -> OneWay<'_, (Ulid, Seam)>;

    /// Raw records whose keys begin so.
    fn raw_prefix(&self, prefix: &str) -> Rows<'_>;
}

macro_rules! reads {
    ($tx:ty) => {
        impl Reads for $tx {
            fn family(&self, family: Family) -> Rows<'_> {
                let facet = |item: Result<_>| {
                    item.map(|(at, id, facet): (Coord, _, _)| {
                        (Name::Facet(at.into(), id), Record::Facet(facet))
                    })
                };
                let edge =
                    |item: Result<_>| item.map(|(id, edge)| (edge_name(&id), Record::Edge(edge)));
                match family {
                    Family::Raw => Box::new(self.scan::<&[u8]>(..).map(|item| {
                        item.map(|(key, value)| (Name::Raw(key.to_vec()), Record::Raw(value)))
                    })),
                    Family::Cells => Box::new(self.cells(..).map(|item| {
                        item.map(|(at, cell)| (Name::Cell(at.into()), Record::Cell(cell)))
                    })),
                    Family::Facets => Box::new(self.facets(..).map(facet)),
                    Family::FacetsOf(at) => Box::new(self.facets_of(at).map(facet)),
                    Family::Edges => Box::new(self.edges(..).map(edge)),
                    Family::EdgesFrom(at) => Box::new(self.edges_from(at).map(edge)),
                    Family::Seams => {
                        Box::new(self.seams(..).map(|item| {
                            item.map(|(id, seam)| (Name::Seam(id), Record::Seam(seam)))
                        }))
                    }
                }
            }

            fn record(&self, name: &Name) -> Result<Option<Record>> {
                Ok(match name {
                    Name::Raw(key) => self.get(key)?.map(Record::Raw),
                    Name::Cell(at) => self.get_cell(at.unpack())?.map(Record::Cell),
                    Name::Facet(at, id) => self.get_facet(at.unpack(), *id)?.map(Record::Facet),
                    Name::Edge(from, to, relation) => {
                        self.get_edge(from.unpack(), to.unpack(), relation)?.map(Record::Edge)
                    }
                    Name::Seam(id) => self.get_seam(*id)?.map(Record::Seam),
                })
            }

            fn index(&self, index: Index) -> Items<'_, IndexRow> {
                let at = |coord: Coord| Key::At(coord.into());
                match index {
                    Index::Tags => Box::new(self.cells_by_tag(..).map(cell_row(Key::Text))),
                    Index::Sources => Box::new(self.cells_by_source(..).map(cell_row(Key::Text))),
                    Index::Weeks => Box::new(self.cells_by_week(..).map(cell_row(Key::Week))),
                    Index::SeamSources => {
                        Box::new(self.seams_by_source(..).map(seam_row(Key::Text)))
                    }
                    Index::SeamWeeks => Box::new(self.seams_by_week(..).map(seam_row(Key::Week))),
                    Index::EdgesTo(to) => Box::new(self.edges_to(to).map(move |item| {
                        item.map(|(id, edge)| (at(id.to), edge_name(&id), Record::Edge(edge)))
                    })),
                    Index::SeamsOf(coord) => Box::new(self.seams_of(coord).map(seam_row(at))),
                }
            }

            fn tagged_coords(&self) -> Items<'_, (String, Coord)> {
                Box::new(self.cells_by_tag(..).coords())
            }

            fn ring(&self, center: Coord, radius: u32) -> OneWay<'_, (Coord, Cell)> {
                Box::new(self.walk_ring(center, radius))
            }

            fn seams_around(&self, center: Coord, radius: u32) -> OneWay<'_, (Ulid, Seam)> {
                Box::new(self.find_seams(center, radius, &SeamFilter::default()))
            }

            fn raw_prefix(&self, prefix: &str) -> Rows<'_> {
                Box::new(self.scan_prefix(prefix).map(|item| {
                    item.map(|(key, value)| (Name::Raw(key.to_vec()), Record::Raw(value)))
                }))
            }
        }
    };
}

reads!(ReadTx);
reads!(WriteTx);
