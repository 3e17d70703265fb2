//! What a map shows: the records around a coordinate, read once, in a fixed order.

use std::collections::BTreeSet;
use std::io::Write;

use hexxladb::{
    Cell, Coord, Edge, EdgeId, PackedCoord, ReadTx, Record, RecordId, ResolutionStatus, Seam,
    SeamFilter, SeamType, Ulid,
};
use serde::Serialize;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::record_json::RecordLine;
use crate::text;

/// The records of a map.
pub(super) struct Scene {
    pub(super) center: Coord,
    pub(super) radius: u32,
    pub(super) seq: u64,
    /// From the center outwards.
    pub(super) cells: Vec<Placed>,
    /// Those of which both ends are on the map.
    pub(super) edges: Vec<(EdgeId, Edge)>,
    /// The same.
    pub(super) seams: Vec<(Ulid, Seam)>,
    /// Edges and seams of which one end is not.
    pub(super) leaving: u64,
}

/// A cell on a map.
pub(super) struct Placed {
    pub(super) coord: Coord,
    pub(super) cell: Cell,
    /// Another cell takes its place.
    pub(super) superseded: bool,
    /// It contradicts another cell, and nobody has resolved that.
    pub(super) disputed: bool,
}

#[derive(Serialize)]
struct Report {
    center: Coord,
    radius: u32,
    commit: u64,
    cells: Vec<Value>,
    superseded: Vec<Coord>,
    edges: Vec<Value>,
    seams: Vec<Value>,
}

impl Scene {
    pub(super) fn read(tx: &ReadTx, center: Coord, radius: u32) -> Result<Self, Failure> {
        let (mut superseded, mut disputed) = (BTreeSet::new(), BTreeSet::new());
        let is_on_map = |coord: Coord| center.distance(coord) <= radius;
        let (mut seams, mut edges, mut leaving) = (Vec::new(), Vec::new(), 0);
        for entry in tx.find_seams(center, radius, &SeamFilter::default()) {
            let (id, seam) = entry?;
            let status = seam.resolution_status;
            match seam.seam_type {
                SeamType::Supersedes if status != ResolutionStatus::Archived => {
                    superseded.insert(PackedCoord::from(seam.cell_b));
                }
                SeamType::Conflict if status == ResolutionStatus::Unresolved => {
                    disputed.extend([seam.cell_a, seam.cell_b].map(PackedCoord::from));
                }
                _ => {}
            }
            if is_on_map(seam.cell_a) && is_on_map(seam.cell_b) {
                seams.push((id, seam));
            } else {
                leaving += 1;
            }
        }
        for coord in center.spiral(radius) {
            for entry in tx.edges_from(coord) {
                let (id, edge) = entry?;
                if is_on_map(id.to) {
                    edges.push((id, edge));
                } else {
                    leaving += 1;
                }
            }
        }
        let mut cells = Vec::new();
        for entry in tx.walk_ring(center, radius) {
            let (coord, cell) = entry?;
            let packed = PackedCoord::from(coord);
            let (superseded, disputed) = (superseded.contains(&packed), disputed.contains(&packed));
            cells.push(Placed { coord, cell, superseded, disputed });
        }
        Ok(Self { center, radius, seq: tx.seq(), cells, edges, seams, leaving })
    }

    /// The cell at a place, if there is one.
    pub(super) fn cell_at(&self, coord: Coord) -> Option<&Placed> {
        self.cells.iter().find(|placed| placed.coord == coord)
    }

    pub(super) fn title(&self) -> String {
        let cells = text::counted(self.cells.len() as u64, "cell");
        format!("{cells} within {} of {} as of commit {}", self.radius, self.center, self.seq)
    }

    /// Tags that cells on the map have, sorted.
    pub(super) fn tags(&self) -> BTreeSet<&str> {
        self.cells.iter().filter_map(Placed::main_tag).collect()
    }

    pub(super) fn print_json(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let cells = self
            .cells
            .iter()
            .map(|placed| (RecordId::Cell(placed.coord), Record::Cell(placed.cell.clone())));
        let edges = self
            .edges
            .iter()
            .map(|(id, edge)| (RecordId::Edge(id.clone()), Record::Edge(edge.clone())));
        let seams =
            self.seams.iter().map(|(id, seam)| (RecordId::Seam(*id), Record::Seam(seam.clone())));
        let superseded = self.cells.iter().filter(|placed| placed.superseded);
        print_line(
            out,
            &Report {
                center: self.center,
                radius: self.radius,
                commit: self.seq,
                cells: values(cells)?,
                superseded: superseded.map(|placed| placed.coord).collect(),
                edges: values(edges)?,
                seams: values(seams)?,
            },
        )
    }
}

fn values(records: impl Iterator<Item = (RecordId, Record)>) -> Result<Vec<Value>, Failure> {
    let value = |(id, record): (RecordId, Record)| {
        let line = RecordLine::new(&id, Some(&record))?;
        serde_json::to_value(line).map_err(|error| Failure::Output(error.into()))
    };
    records.map(value).collect()
}

impl Placed {
    /// The tag that gives the cell its colour: the first.
    pub(super) fn main_tag(&self) -> Option<&str> {
        self.cell.tags.first().map(String::as_str)
    }

    /// The start of its text, on one line.
    pub(super) fn short_text(&self, most: usize) -> String {
        text::one_line(self.cell.raw_content.trim(), most)
    }
}

/// A number below `many` that is always the same for a tag.
pub(super) fn hash(tag: &str, many: u64) -> u64 {
    xxh3_64(tag.as_bytes()) % many
}
