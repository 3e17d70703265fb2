//! The bytes of stored records, which history hashes cover, written from the description of the
//! format.
//!
//! A layout byte, then fields in ascending order of their numbers; a field that holds its default
//! is left out. A field's header byte is its kind (0: eight bytes, 1: one byte of length and text,
//! 2: four bytes of length and text, 3: one byte) in bits 5 and 6, its number below.

use hexxladb::{
    Cell, Coord, Edge, Facet, Provenance, ResolutionStatus, Seam, SeamType, Timestamp, Validity,
};

use super::Content;

/// What is stored of a record.
pub(super) fn encode(content: &Content) -> Vec<u8> {
    let mut out = vec![1];
    match content {
        Content::Raw(bytes) => return bytes.to_vec(),
        Content::Cell(cell) => put_cell(&mut out, cell),
        Content::Facet(facet) => put_facet(&mut out, facet),
        Content::Edge(edge) => put_edge(&mut out, edge),
        Content::Seam(seam) => put_seam(&mut out, seam),
    }
    out
}

fn put_cell(out: &mut Vec<u8>, cell: &Cell) {
    provenance(out, &cell.provenance);
    validity(out, cell.validity);
    for tag in &cell.tags {
        short(out, 7, tag.as_bytes());
    }
    if let Some(hint) = &cell.cluster_hint {
        long(out, 8, hint);
    }
    content(out, &cell.raw_content);
}

fn put_facet(out: &mut Vec<u8>, facet: &Facet) {
    time(out, 7, facet.last_rotated);
    short(out, 8, &facet.derivation_hash);
    content(out, &facet.derived_content);
}

fn put_edge(out: &mut Vec<u8>, edge: &Edge) {
    provenance(out, &edge.provenance);
    number(out, 7, edge.weight, 1.0);
}

fn put_seam(out: &mut Vec<u8>, seam: &Seam) {
    provenance(out, &seam.provenance);
    validity(out, seam.validity);
    coord(out, 7, seam.cell_a);
    coord(out, 8, seam.cell_b);
    let name = match &seam.seam_type {
        SeamType::Conflict => "conflict",
        SeamType::Supersedes => "supersedes",
        SeamType::Other(name) => name,
        other => unreachable!("{other:?} is no type of the simulator's"),
    };
    short(out, 9, name.as_bytes());
    number(out, 10, seam.confidence_delta, 0.0);
    time(out, 11, seam.detected_at);
    let status = match seam.resolution_status {
        ResolutionStatus::Unresolved => 0,
        ResolutionStatus::Merged => 1,
        ResolutionStatus::Superseded => 2,
        ResolutionStatus::Archived => 3,
    };
    if status > 0 {
        out.extend([0x6c, status]);
    }
    if let Some(note) = &seam.resolution_note {
        long(out, 13, note);
    }
    content(out, &seam.reason);
}

fn provenance(out: &mut Vec<u8>, from: &Provenance) {
    if !from.source_id.is_empty() {
        short(out, 1, from.source_id.as_bytes());
    }
    number(out, 2, from.confidence, 1.0);
    time(out, 3, from.created_at);
    time(out, 4, from.updated_at);
}

fn validity(out: &mut Vec<u8>, validity: Validity) {
    for (number, end) in [(5, validity.valid_from), (6, validity.valid_to)] {
        if let Some(end) = end {
            eight(out, number, end.as_nanos().to_le_bytes());
        }
    }
}

/// The text that a record is about, which stands last.
fn content(out: &mut Vec<u8>, text: &str) {
    if !text.is_empty() {
        long(out, 30, text);
    }
}

fn time(out: &mut Vec<u8>, number: u8, time: Timestamp) {
    if time.as_nanos() != 0 {
        eight(out, number, time.as_nanos().to_le_bytes());
    }
}

fn number(out: &mut Vec<u8>, number: u8, value: f64, default: f64) {
    if value.to_bits() != default.to_bits() {
        eight(out, number, value.to_le_bytes());
    }
}

fn coord(out: &mut Vec<u8>, number: u8, coord: Coord) {
    out.push(number);
    out.extend(coord.q().to_le_bytes());
    out.extend(coord.r().to_le_bytes());
}

fn eight(out: &mut Vec<u8>, number: u8, bytes: [u8; 8]) {
    out.push(number);
    out.extend(bytes);
}

fn short(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.extend([1 << 5 | number, bytes.len() as u8]);
    out.extend(bytes);
}

fn long(out: &mut Vec<u8>, number: u8, text: &str) {
    out.push(2 << 5 | number);
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}
