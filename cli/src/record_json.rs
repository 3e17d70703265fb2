//! Records of all families as JSON: what `export` writes, `import` reads, and other commands show.
//! How keys and values look is `hexxladb-sinks`'s to say, which writes them into entries as well.
//!
//! A record is `family`, `key` and `value`, in the words of the engine's own types; README.md has
//! the schema. The same record is always the same text, so that exports can be compared byte for
//! byte; and nothing that is read is passed over in silence: an unknown key is an error.

use hexxladb::{Coord, FacetId, Record, RecordId, Ulid};
use hexxladb_sinks::json::RecordKey;
pub(crate) use hexxladb_sinks::json::RecordValue as Content;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::Failure;

/// The families in the order of their keys, which is the order of records in every list.
pub(crate) const FAMILIES: [&str; 5] = ["raw", "cell", "facet", "edge", "seam"];

/// A record's name.
#[derive(Debug, Serialize)]
pub(crate) struct Name<'a> {
    pub(crate) family: &'static str,
    key: RecordKey<'a>,
}

/// A record on its line; a deletion is `null`.
#[derive(Debug, Serialize)]
pub(crate) struct RecordLine<'a> {
    #[serde(flatten)]
    name: Name<'a>,
    value: Option<Content<'a>>,
}

impl<'a> Name<'a> {
    pub(crate) fn of(id: &'a RecordId) -> Result<Self, Failure> {
        let key = RecordKey::of(id)?;
        Ok(Self { family: key.family(), key })
    }
}

impl<'a> RecordLine<'a> {
    pub(crate) fn new(id: &'a RecordId, record: Option<&'a Record>) -> Result<Self, Failure> {
        Ok(Self { name: Name::of(id)?, value: record.map(Content::of).transpose()? })
    }
}

/// A record line as it is read, not looked into yet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRecordLine {
    pub(crate) family: String,
    key: Value,
    value: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FacetKey {
    q: i32,
    r: i32,
    facet: FacetId,
}

impl RawRecordLine {
    /// The record, `None` for a deletion, and its name.
    pub(crate) fn decode(self) -> Result<(RecordId, Option<Record>), String> {
        let (key, value) = (self.key, self.value);
        Ok(match self.family.as_str() {
            "raw" => (
                RecordId::Raw(octets("key", key)?),
                some(value, |v| octets("value", v).map(|bytes| Record::Raw(bytes.into())))?,
            ),
            "cell" => (
                RecordId::Cell(exact("key", key)?),
                some(value, |v| exact("value", v).map(Record::Cell))?,
            ),
            "facet" => {
                let key: FacetKey = from("key", key)?;
                let coord = Coord::new(key.q, key.r).map_err(|error| error.to_string())?;
                let facet = some(value, |v| exact("value", v).map(Record::Facet))?;
                (RecordId::Facet(coord, key.facet), facet)
            }
            "edge" => (
                RecordId::Edge(exact("key", key)?),
                some(value, |v| exact("value", v).map(Record::Edge))?,
            ),
            "seam" => {
                let id: String = from("key", key)?;
                let id = Ulid::from_string(&id).map_err(|error| format!("key: {error}"))?;
                (RecordId::Seam(id), some(value, |v| exact("value", v).map(Record::Seam))?)
            }
            other => return Err(format!("{other:?} is no family; {}", FAMILIES.join(", "))),
        })
    }
}

fn some<T>(
    value: Value,
    read: impl FnOnce(Value) -> Result<T, String>,
) -> Result<Option<T>, String> {
    if value.is_null() { Ok(None) } else { read(value).map(Some) }
}

fn from<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("{what}: {error}"))
}

/// Reads a value of the engine's, whose types pass over keys that they do not know and take lists
/// for objects.
#[expect(clippy::needless_pass_by_value, reason = "as the other readers of a part of a line")]
fn exact<T: DeserializeOwned + Serialize>(what: &str, value: Value) -> Result<T, String> {
    let read: T = from(what, value.clone())?;
    let known = serde_json::to_value(&read).map_err(|error| format!("{what}: {error}"))?;
    match foreign_part(&value, &known) {
        Some(part) => Err(format!("{what}: {part}")),
        None => Ok(read),
    }
}

/// A part of `given` that `known` does not have.
fn foreign_part(given: &Value, known: &Value) -> Option<String> {
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => {
            given.iter().find_map(|(key, value)| match known.get(key) {
                Some(known) => foreign_part(value, known),
                None => Some(format!("unknown key {key:?}")),
            })
        }
        (_, Value::Object(_)) => Some(format!("{given} stands for an object")),
        _ => None,
    }
}

fn octets(what: &str, value: Value) -> Result<Vec<u8>, String> {
    let wanted = || format!("{what}: expected text, or bytes as {{\"hex\":\"00ff\"}}");
    match value {
        Value::String(text) => Ok(text.into_bytes()),
        Value::Object(map) if map.len() == 1 => {
            let digits = map.get("hex").and_then(Value::as_str).ok_or_else(wanted)?;
            from_hex(digits).ok_or_else(wanted)
        }
        _ => Err(wanted()),
    }
}

/// The bytes that hexadecimal digits stand for.
pub(crate) fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    pairs.iter().map(|&[high, low]| Some((digit(high)? * 16 + digit(low)?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(line: &str) -> Result<(RecordId, Option<Record>), String> {
        serde_json::from_str::<RawRecordLine>(line).map_err(|error| error.to_string())?.decode()
    }

    /// Reads a line and writes it again.
    fn again(line: &str) -> String {
        let (id, record) = decode(line).unwrap();
        serde_json::to_string(&RecordLine::new(&id, record.as_ref()).unwrap()).unwrap()
    }

    #[test]
    fn lines_come_back_as_they_were() {
        for line in [
            r#"{"family":"raw","key":"","value":""}"#,
            r#"{"family":"raw","key":"a\u0000\"\\é","value":{"hex":"00ff80"}}"#,
            r#"{"family":"raw","key":{"hex":"ff"},"value":null}"#,
            r#"{"family":"cell","key":{"q":-1,"r":2},"value":null}"#,
            r#"{"family":"facet","key":{"q":0,"r":0,"facet":5},"value":null}"#,
            r#"{"family":"edge","key":{"from":{"q":0,"r":0},"to":{"q":0,"r":0},"relation":""},"value":{"weight":-1e+308,"provenance":{"source_id":"","confidence":1.0,"created_at":-9223372036854775808,"updated_at":9223372036854775807}}}"#,
            r#"{"family":"seam","key":"01ARZ3NDEKTSV4RRFFQ69G5FAV","value":null}"#,
        ] {
            assert_eq!(again(line), line);
        }
    }

    #[test]
    fn nothing_is_passed_over() {
        for (line, what) in [
            (r#"{"family":"cell","key":{"q":0,"r":0},"value":{"raw_content":"","tag":[]}}"#, "tag"),
            (
                r#"{"family":"cell","key":{"q":0,"r":0},"value":{"provenance":{"sure":1}}}"#,
                "unknown key \"sure\"",
            ),
            (r#"{"family":"cell","key":{"q":0,"r":0,"s":0},"value":null}"#, "unknown key \"s\""),
            (r#"{"family":"cell","key":{"q":0,"r":0},"value":null,"x":1}"#, "unknown field `x`"),
            (r#"{"family":"raw","key":{"hex":"f"},"value":""}"#, "key: expected text"),
            (r#"{"family":"raw","key":{"hex":"+f"},"value":""}"#, "key: expected text"),
            (r#"{"family":"raw","key":"","value":{"base64":""}}"#, "value: expected text"),
            (r#"{"family":"facet","key":{"q":0,"r":0,"facet":6},"value":null}"#, "0 to 5"),
            (r#"{"family":"seam","key":"x","value":null}"#, "key: "),
            (r#"{"family":"cube","key":"x","value":null}"#, "\"cube\" is no family"),
            (r#"{"family":"cell","key":{"q":0,"r":0}}"#, "missing field `value`"),
            (r#"{"family":"cell","key":[0,0],"value":null}"#, "key: [0,0] stands for an object"),
            (r#"{"family":"cell","key":{"q":0,"r":0},"value":[]}"#, "value: [] stands for"),
            (
                r#"{"family":"facet","key":{"q":0,"r":0,"facet":0},"value":{"derivation_hash":"00"}}"#,
                "64 hex",
            ),
            (
                r#"{"family":"edge","key":{"from":{"q":0,"r":0},"to":{"q":0,"r":0},"relation":"x"},"value":{"weight":null}}"#,
                "value: invalid type: null",
            ),
        ] {
            let found = decode(line).unwrap_err();
            assert!(found.contains(what), "{line}: {found}");
        }
    }
}
