//! Cells as JSON objects, one a line: what `ingest` reads and `ls --json` prints.
//!
//! The same keys both ways, so that one's output is the other's input without loss: `q`, `r`,
//! `raw_content` (required), `tags`, `source_id`, `confidence`.

use std::io::Write;

use hexxladb::{Cell, Coord};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// A cell on its line.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CellLine {
    q: i32,
    r: i32,
    raw_content: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    source_id: String,
    #[serde(default = "certain")]
    confidence: f64,
}

fn certain() -> f64 {
    1.0
}

impl CellLine {
    /// The line that stands for this cell.
    pub(crate) fn new(coord: Coord, cell: Cell) -> Self {
        Self {
            q: coord.q(),
            r: coord.r(),
            raw_content: cell.raw_content,
            tags: cell.tags,
            source_id: cell.provenance.source_id,
            confidence: cell.provenance.confidence,
        }
    }

    /// Where it belongs, and the cell.
    pub(crate) fn into_cell(self) -> hexxladb::Result<(Coord, Cell)> {
        let cell = Cell::new(self.raw_content)
            .with_tags(self.tags)
            .with_source(self.source_id)
            .with_confidence(self.confidence);
        Ok((Coord::new(self.q, self.r)?, cell))
    }
}

/// Prints one JSON value on a line of its own.
pub(crate) fn print_line(out: &mut dyn Write, value: &impl Serialize) -> Result<(), Failure> {
    // Only the writer can fail: the values are made of strings and finite numbers.
    serde_json::to_writer(&mut *out, value).map_err(|error| Failure::Output(error.into()))?;
    writeln!(out)?;
    Ok(())
}
