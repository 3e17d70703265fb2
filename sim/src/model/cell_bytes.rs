//! The bytes of a stored cell, which its commit's history hash covers, written from the
//! description of the format.

use hexxladb::{Cell, Timestamp};

/// A layout byte, then fields in ascending order of their numbers; a field that holds its
/// default is left out. A field's header byte is its kind (0: eight bytes, 1: one byte of length
/// and text, 2: four bytes of length and text) in bits 5 and 6, its number below.
pub(super) fn encode(cell: &Cell) -> Vec<u8> {
    let mut out = vec![1];
    let from = &cell.provenance;
    if !from.source_id.is_empty() {
        short(&mut out, 1, &from.source_id);
    }
    if from.confidence.to_bits() != 1.0_f64.to_bits() {
        eight(&mut out, 2, from.confidence.to_le_bytes());
    }
    let present = |time: Timestamp| (time.as_nanos() != 0).then_some(time);
    let times = [
        (3, present(from.created_at)),
        (4, present(from.updated_at)),
        (5, cell.validity.valid_from),
        (6, cell.validity.valid_to),
    ];
    for (number, time) in times {
        if let Some(time) = time {
            eight(&mut out, number, time.as_nanos().to_le_bytes());
        }
    }
    for tag in &cell.tags {
        short(&mut out, 7, tag);
    }
    if let Some(hint) = &cell.cluster_hint {
        long(&mut out, 8, hint);
    }
    if !cell.raw_content.is_empty() {
        long(&mut out, 30, &cell.raw_content);
    }
    out
}

fn eight(out: &mut Vec<u8>, number: u8, bytes: [u8; 8]) {
    out.push(number);
    out.extend(bytes);
}

fn short(out: &mut Vec<u8>, number: u8, text: &str) {
    out.extend([1 << 5 | number, text.len() as u8]);
    out.extend(text.as_bytes());
}

fn long(out: &mut Vec<u8>, number: u8, text: &str) {
    out.push(2 << 5 | number);
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}
