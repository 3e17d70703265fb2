//! Cells as JSON objects, one a line: what `ingest` reads and `ls --json` prints.
//!
//! The same keys both ways, so that one's output is the other's input without loss: `q`, `r`,
//! `raw_content` (required), `tags`, `source_id`, `confidence`, and where they are set
//! `created_at`, `updated_at`, `valid_from`, `valid_to` (times in RFC 3339) and `cluster_hint`.

use std::io::Write;

use hexxladb::{Cell, Coord, Timestamp, Validity};
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
    #[serde(default, with = "time_text", skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    #[serde(default, with = "time_text", skip_serializing_if = "Option::is_none")]
    updated_at: Option<Timestamp>,
    #[serde(default, with = "time_text", skip_serializing_if = "Option::is_none")]
    valid_from: Option<Timestamp>,
    #[serde(default, with = "time_text", skip_serializing_if = "Option::is_none")]
    valid_to: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster_hint: Option<String>,
}

fn certain() -> f64 {
    1.0
}

impl CellLine {
    /// The line that stands for this cell.
    pub(crate) fn new(coord: Coord, cell: Cell) -> Self {
        let set = |time| Some(time).filter(|time| *time != Timestamp::default());
        Self {
            q: coord.q(),
            r: coord.r(),
            raw_content: cell.raw_content,
            tags: cell.tags,
            source_id: cell.provenance.source_id,
            confidence: cell.provenance.confidence,
            created_at: set(cell.provenance.created_at),
            updated_at: set(cell.provenance.updated_at),
            valid_from: cell.validity.valid_from,
            valid_to: cell.validity.valid_to,
            cluster_hint: cell.cluster_hint,
        }
    }

    /// Where it belongs.
    pub(crate) fn coord(&self) -> hexxladb::Result<Coord> {
        Coord::new(self.q, self.r)
    }

    /// The cell, in the place of `before`, where the line does not say when it was made and
    /// changed.
    pub(crate) fn into_cell(self, before: Option<&Cell>, now: Timestamp) -> Cell {
        let mut cell = Cell::new(self.raw_content)
            .with_tags(self.tags)
            .with_source(self.source_id)
            .with_confidence(self.confidence)
            .with_validity(Validity { valid_from: self.valid_from, valid_to: self.valid_to });
        let created = before.map_or(now, |cell| cell.provenance.created_at);
        cell.provenance.created_at = self.created_at.unwrap_or(created);
        cell.provenance.updated_at = self.updated_at.unwrap_or(now);
        cell.cluster_hint = self.cluster_hint;
        cell
    }
}

/// Times as people write them.
mod time_text {
    use hexxladb::Timestamp;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::time;

    #[expect(clippy::ref_option, reason = "the shape that serde asks for")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(time::show).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| time::parse(&text).map_err(D::Error::custom)).transpose()
    }
}

/// Prints one JSON value on a line of its own.
pub(crate) fn print_line(out: &mut dyn Write, value: &impl Serialize) -> Result<(), Failure> {
    // Only the writer can fail: the values are made of strings and finite numbers.
    serde_json::to_writer(&mut *out, value).map_err(|error| Failure::Output(error.into()))?;
    writeln!(out)?;
    Ok(())
}
