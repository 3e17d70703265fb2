//! An entry of the changelog as a line for people.

use std::io::Write;

use hexxladb::{ChangelogEntry, ChangelogOp, ChangelogValue, Record, ResolutionStatus};

use crate::failure::Failure;
use crate::log::hex;
use crate::{text, time};

/// Characters of a value that are shown.
const SHOWN_CHARS: usize = 60;

/// Prints place, time, what was done to which record, and the start of its value; with the first
/// entry of a commit its note.
pub(crate) fn print(out: &mut dyn Write, entry: &ChangelogEntry) -> Result<(), Failure> {
    let place = format!("{}/{}", entry.seq, entry.index);
    let time = time::show(entry.time);
    let key = entry.key.as_ref().map(ToString::to_string).unwrap_or_default();
    let key = text::one_line(&key, usize::MAX);
    let mut line =
        format!("{place:<9} {time:<30} {:<7} {key:<20} {}", entry.op.name(), value(entry)?);
    line.truncate(line.trim_end().len());
    if let Some(note) = entry.note.as_ref().filter(|_| entry.index == 0) {
        line.push_str("  # ");
        line.push_str(&text::one_line(note, usize::MAX));
    }
    writeln!(out, "{line}")?;
    Ok(())
}

fn value(entry: &ChangelogEntry) -> Result<String, Failure> {
    if let ChangelogValue::Hash(hash) = &entry.value {
        return Ok(format!("sha256:{}…", &hex(hash)[..16]));
    }
    if matches!(entry.op, ChangelogOp::Delete | ChangelogOp::Note) {
        return Ok(String::new());
    }
    Ok(match entry.record()? {
        Some(Record::Raw(bytes)) => shown(&String::from_utf8_lossy(&bytes)),
        Some(Record::Cell(cell)) => shown(&cell.raw_content),
        Some(Record::Facet(facet)) => shown(&facet.derived_content),
        Some(Record::Edge(edge)) => format!("weight {}", edge.weight),
        Some(Record::Seam(seam)) => {
            let status = match seam.resolution_status {
                ResolutionStatus::Unresolved => String::new(),
                status => format!(", {status}"),
            };
            let ends = format!("{} {} {}", seam.cell_a, seam.seam_type, seam.cell_b);
            format!("{}{status}", shown(&ends))
        }
        _ => String::new(),
    })
}

fn shown(value: &str) -> String {
    text::one_line(value, SHOWN_CHARS)
}
