//! Entries, and the records in them, as JSON: one entry, one line, one schema.
//!
//! Records, names and bytes have the forms of the exports of the program `hexxladb`. The same entry
//! is always the same text. README.md of this package has the schema.

use hexxladb::{
    Cell, ChangelogEntry, ChangelogOp, ChangelogValue, Coord, Edge, EdgeId, Facet, FacetId, Record,
    RecordId, Seam, Timestamp,
};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::error::{Error, Result};

/// A record's name in parts: what `id` holds in an entry, and `key` in an export.
#[derive(Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum RecordKey<'a> {
    /// A key of the raw keyspace.
    Raw(Octets<'a>),
    /// `{"q":…,"r":…}`.
    Cell(Coord),
    /// `{"q":…,"r":…,"facet":…}`.
    Facet {
        /// The cell's q.
        q: i32,
        /// The cell's r.
        r: i32,
        /// Which of its facets.
        facet: FacetId,
    },
    /// `{"from":{"q":…,"r":…},"to":{"q":…,"r":…},"relation":…}`.
    Edge(&'a EdgeId),
    /// A ULID.
    Seam(String),
}

impl<'a> RecordKey<'a> {
    /// The name in parts.
    ///
    /// # Errors
    /// [`Error::UnknownFamily`].
    pub fn of(id: &'a RecordId) -> Result<Self> {
        Ok(match id {
            RecordId::Raw(key) => Self::Raw(Octets(key)),
            RecordId::Cell(coord) => Self::Cell(*coord),
            RecordId::Facet(coord, facet) => {
                Self::Facet { q: coord.q(), r: coord.r(), facet: *facet }
            }
            RecordId::Edge(edge) => Self::Edge(edge),
            RecordId::Seam(id) => Self::Seam(id.to_string()),
            _ => return Err(Error::UnknownFamily),
        })
    }

    /// The family of the record that it names.
    pub fn family(&self) -> &'static str {
        match self {
            Self::Raw(_) => "raw",
            Self::Cell(_) => "cell",
            Self::Facet { .. } => "facet",
            Self::Edge(_) => "edge",
            Self::Seam(_) => "seam",
        }
    }
}

/// What a record holds.
#[derive(Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum RecordValue<'a> {
    /// A value of the raw keyspace.
    Raw(Octets<'a>),
    /// A cell.
    Cell(&'a Cell),
    /// A facet.
    Facet(&'a Facet),
    /// An edge.
    Edge(&'a Edge),
    /// A seam.
    Seam(&'a Seam),
}

impl<'a> RecordValue<'a> {
    /// What this record holds.
    ///
    /// # Errors
    /// [`Error::UnknownFamily`].
    pub fn of(record: &'a Record) -> Result<Self> {
        Ok(match record {
            Record::Raw(bytes) => Self::Raw(Octets(bytes)),
            Record::Cell(cell) => Self::Cell(cell),
            Record::Facet(facet) => Self::Facet(facet),
            Record::Edge(edge) => Self::Edge(edge),
            Record::Seam(seam) => Self::Seam(seam),
            _ => return Err(Error::UnknownFamily),
        })
    }
}

/// Bytes: text where they are UTF-8, else `{"hex":"…"}`.
#[derive(Debug)]
pub struct Octets<'a>(pub &'a [u8]);

impl Serialize for Octets<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = std::str::from_utf8(self.0) {
            return to.serialize_str(text);
        }
        let mut map = to.serialize_map(Some(1))?;
        map.serialize_entry("hex", &hex(self.0))?;
        map.end()
    }
}

/// An entry on its line. A half-written line is known by the beginning that every line has, so the
/// first field stays the first.
#[derive(Serialize)]
struct EntryLine<'a> {
    seq: u64,
    index: u32,
    last_in_commit: bool,
    op: ChangelogOp,
    family: Option<&'static str>,
    key: Option<String>,
    id: Option<RecordKey<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<RecordValue<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_sha256: Option<String>,
    time: String,
    time_nanos: i64,
    note: Option<&'a str>,
    history_hash: String,
}

/// What every line begins with.
pub(crate) const LINE_START: &[u8] = b"{\"seq\":";

/// Turns an entry into whatever `write` makes of its line.
fn with_line<T>(
    entry: &ChangelogEntry,
    write: impl FnOnce(&EntryLine<'_>) -> serde_json::Result<T>,
) -> Result<T> {
    let record = entry.record()?;
    let id = entry.key.as_ref().map(RecordKey::of).transpose()?;
    let line = EntryLine {
        seq: entry.seq,
        index: entry.index,
        last_in_commit: entry.last_in_commit,
        op: entry.op,
        family: id.as_ref().map(RecordKey::family),
        key: entry.key.as_ref().map(RecordId::to_string),
        id,
        value: record.as_ref().map(RecordValue::of).transpose()?,
        value_sha256: match &entry.value {
            ChangelogValue::Hash(hash) => Some(hex(hash)),
            _ => None,
        },
        time: rfc3339(entry.time),
        time_nanos: entry.time.as_nanos(),
        note: entry.note.as_deref(),
        history_hash: hex(&entry.history_hash),
    };
    write(&line).map_err(|error| Error::refused(format!("entry {}", entry.seq), error))
}

/// An entry as a line of JSON, without the line's end.
///
/// ```
/// use hexxladb::{ChangelogOptions, Db, Options, Timestamp};
/// use hexxladb_sinks::json::entry_line;
/// let db = Db::open("json", Options::in_memory().changelog(ChangelogOptions::new()))?;
/// db.update(|tx| {
///     tx.set_commit_time(Timestamp::from_secs(86_400))?;
///     tx.put("kettle", "on")
/// })?;
/// for entry in db.read_changelog_since(0)? {
///     let line = entry_line(&entry?)?;
///     assert!(line.starts_with(concat!(
///         r#"{"seq":1,"index":0,"last_in_commit":true,"op":"put","family":"raw","#,
///         r#""key":"raw/kettle","id":"kettle","value":"on","#,
///         r#""time":"1970-01-02T00:00:00Z","time_nanos":86400000000000,"note":null,"#,
///         r#""history_hash":""#,
///     )));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Database`] for a value that this release cannot read, [`Error::UnknownFamily`].
pub fn entry_line(entry: &ChangelogEntry) -> Result<String> {
    with_line(entry, |line| serde_json::to_string(line))
}

/// An entry as a JSON value.
///
/// # Errors
/// As [`entry_line`].
pub fn entry_to_json(entry: &ChangelogEntry) -> Result<serde_json::Value> {
    with_line(entry, |line| serde_json::to_value(line))
}

/// RFC 3339 in UTC, with as many digits of the fraction as needed.
pub fn rfc3339(time: Timestamp) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(time.as_nanos())) {
        Ok(instant) => instant.to_string(),
        Err(_) => format!("@{time}"),
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// The bytes that so many hexadecimal digits stand for.
pub(crate) fn from_hex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = [0; N];
    if pairs.len() != N {
        return None;
    }
    for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
    }
    Some(bytes)
}
