//! Keys read back: what a logical key names, and how it is shown to people.

use std::borrow::Cow;
use std::fmt;

use super::decode_error::DecodeError;
use ulid::Ulid;

use super::escape;
use super::indexes::week_from;
use super::{Family, MetaKind, SEQ_BYTES, split_seq};
use crate::lattice::{self, Coord};
use crate::time::{Timestamp, Week};

const COORD_BYTES: usize = 16;
const SEAM_ID_BYTES: usize = 16;
const WEEK_BYTES: usize = 4;
/// Facets are numbered below this.
const FACETS: u8 = 6;

/// What a logical key names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogicalKey {
    /// The timeline row of a commit.
    Commit(u64),
    /// The timeline row that finds a commit by its time.
    CommitTime { time: Timestamp, seq: u64 },
    /// A snapshot tag.
    Tag(String),
    /// A consumer of the changelog.
    Consumer(String),
    /// An application key.
    Raw(Vec<u8>),
    /// A cell.
    Cell(Coord),
    /// A facet of the cell at a coordinate.
    Facet(Coord, u8),
    /// An edge from one coordinate to another, with its relation type.
    Edge(Coord, Coord, String),
    /// A seam.
    Seam(Ulid),
    /// A cell under one of its tags.
    CellByTag(String, Coord),
    /// A cell under its source.
    CellBySource(String, Coord),
    /// A cell under the week in which it becomes valid.
    CellByWeek(Week, Coord),
    /// An edge to one coordinate from another, with its relation type.
    EdgeByTarget(Coord, Coord, String),
    /// A seam under one of its cells.
    SeamByCell(Coord, Ulid),
    /// A seam under its source.
    SeamBySource(String, Ulid),
    /// A seam under the week in which it becomes valid.
    SeamByWeek(Week, Ulid),
}

/// A key as it stands in the tree: a logical key, and in format v2 the commit of the version,
/// except for meta keys, which have one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PhysicalKey {
    pub(crate) logical: LogicalKey,
    pub(crate) seq: Option<u64>,
}

/// Reads a key without sequence.
pub(crate) fn decode_logical(bytes: &[u8]) -> Result<LogicalKey, DecodeError> {
    let (family, body) = split_family(bytes)?;
    match family {
        Family::Meta => decode_meta(body),
        Family::Raw => escape::whole_text(body).map(|key| LogicalKey::Raw(key.into_owned())),
        Family::Cell => coord(body).map(LogicalKey::Cell),
        Family::Facet => decode_facet(body),
        Family::Edge => {
            ends_and_text(body).map(|(from, to, text)| LogicalKey::Edge(from, to, text))
        }
        Family::Seam => seam_id(body).map(LogicalKey::Seam),
        Family::CellByTag => {
            let (tag, rest) = leading_text(body)?;
            Ok(LogicalKey::CellByTag(tag, coord(rest)?))
        }
        Family::CellBySource => {
            let (source, rest) = leading_text(body)?;
            Ok(LogicalKey::CellBySource(source, coord(rest)?))
        }
        Family::CellByWeek => {
            let (week, rest) = leading_week(body)?;
            Ok(LogicalKey::CellByWeek(week, coord(rest)?))
        }
        Family::EdgeByTarget => {
            ends_and_text(body).map(|(to, from, text)| LogicalKey::EdgeByTarget(to, from, text))
        }
        Family::SeamByCell => {
            let (at, rest) = leading_coord(body)?;
            Ok(LogicalKey::SeamByCell(at, seam_id(rest)?))
        }
        Family::SeamBySource => {
            let (source, rest) = leading_text(body)?;
            Ok(LogicalKey::SeamBySource(source, seam_id(rest)?))
        }
        Family::SeamByWeek => {
            let (week, rest) = leading_week(body)?;
            Ok(LogicalKey::SeamByWeek(week, seam_id(rest)?))
        }
    }
}

/// Whether a fence key that was cut to what separates still holds a whole logical key and part of
/// a sequence: so versions of one record may lie on both sides of it.
pub(crate) fn cuts_record(fence: &[u8]) -> bool {
    let Ok((family, body)) = split_family(fence) else { return true };
    let text = |before: usize| Some(before + escape::text_len(body.get(before..)?)?);
    let logical_bytes = match family {
        Family::Meta => return false,
        Family::Raw => text(0),
        Family::Cell => Some(COORD_BYTES),
        Family::Facet => Some(COORD_BYTES + 1),
        Family::Edge | Family::EdgeByTarget => text(2 * COORD_BYTES),
        Family::Seam => Some(SEAM_ID_BYTES),
        Family::CellByTag | Family::CellBySource => text(0).map(|len| len + COORD_BYTES),
        Family::CellByWeek => Some(WEEK_BYTES + COORD_BYTES),
        Family::SeamByCell => Some(COORD_BYTES + SEAM_ID_BYTES),
        Family::SeamBySource => text(0).map(|len| len + SEAM_ID_BYTES),
        Family::SeamByWeek => Some(WEEK_BYTES + SEAM_ID_BYTES),
    };
    logical_bytes.is_some_and(|len| body.len() > len)
}

/// Reads a key as it stands in the tree; `mvcc` says whether records carry a sequence.
pub(crate) fn decode_physical(bytes: &[u8], mvcc: bool) -> Result<PhysicalKey, DecodeError> {
    let (family, _) = split_family(bytes)?;
    if !mvcc || family == Family::Meta {
        return Ok(PhysicalKey { logical: decode_logical(bytes)?, seq: None });
    }
    let (logical, seq) =
        split_seq(bytes).ok_or(DecodeError::damaged("a key is too short for its sequence"))?;
    Ok(PhysicalKey { logical: decode_logical(logical)?, seq: Some(seq) })
}

/// The application key in a raw key without sequence. Borrows unless it holds zeros.
pub(crate) fn raw_app_key(logical: &[u8]) -> Result<Cow<'_, [u8]>, DecodeError> {
    match split_family(logical)? {
        (Family::Raw, body) => escape::whole_text(body),
        _ => Err(DecodeError::damaged("expected a raw key")),
    }
}

/// The application keys' start in a common prefix of raw keys, where it needs no decoding.
pub(crate) fn plain_raw_start(prefix: &[u8]) -> Option<&[u8]> {
    let (&family, start) = prefix.split_first()?;
    (family == Family::Raw as u8 && !escape::has_zero(start)).then_some(start)
}

/// The rest of an application key in the rest of a raw key without sequence, where it needs no
/// decoding, which is nearly always.
#[inline]
pub(crate) fn plain_raw_end(suffix: &[u8]) -> Option<&[u8]> {
    suffix.strip_suffix(&escape::TERMINATOR).filter(|end| !escape::has_zero(end))
}

/// The coordinate in a cell key without sequence.
pub(crate) fn cell_coord(logical: &[u8]) -> Result<Coord, DecodeError> {
    match split_family(logical)? {
        (Family::Cell, body) => coord(body),
        _ => Err(DecodeError::damaged("expected a cell key")),
    }
}

fn split_family(bytes: &[u8]) -> Result<(Family, &[u8]), DecodeError> {
    let (&byte, body) = bytes.split_first().ok_or(DecodeError::damaged("a key is empty"))?;
    Ok((Family::from_byte(byte)?, body))
}

fn decode_meta(body: &[u8]) -> Result<LogicalKey, DecodeError> {
    let (&kind, rest) = body.split_first().ok_or(DecodeError::damaged("a meta key has no kind"))?;
    match MetaKind::from_byte(kind)? {
        MetaKind::Commit => Ok(LogicalKey::Commit(u64::from_be_bytes(fixed(rest)?))),
        MetaKind::CommitTime => {
            let (time, seq) = rest
                .split_at_checked(SEQ_BYTES)
                .ok_or(DecodeError::damaged("a commit-time key is too short"))?;
            let time = super::time_from_ordered(u64::from_be_bytes(fixed(time)?));
            Ok(LogicalKey::CommitTime { time, seq: u64::from_be_bytes(fixed(seq)?) })
        }
        MetaKind::Tag => Ok(LogicalKey::Tag(utf8(escape::whole_text(rest)?)?)),
        MetaKind::Consumer => Ok(LogicalKey::Consumer(utf8(escape::whole_text(rest)?)?)),
    }
}

fn decode_facet(body: &[u8]) -> Result<LogicalKey, DecodeError> {
    match leading_coord(body)? {
        (at, &[id]) if id < FACETS => Ok(LogicalKey::Facet(at, id)),
        _ => Err(DecodeError::damaged("a facet key holds no facet id")),
    }
}

fn coord(body: &[u8]) -> Result<Coord, DecodeError> {
    lattice::decode_packed(fixed(body)?)
        .ok_or(DecodeError::damaged("a key holds bytes that are no coordinate"))
}

fn seam_id(body: &[u8]) -> Result<Ulid, DecodeError> {
    Ok(Ulid::from_bytes(fixed(body)?))
}

fn leading_coord(body: &[u8]) -> Result<(Coord, &[u8]), DecodeError> {
    let (at, rest) = body
        .split_at_checked(COORD_BYTES)
        .ok_or(DecodeError::damaged("a key is too short for its coordinate"))?;
    Ok((coord(at)?, rest))
}

fn leading_week(body: &[u8]) -> Result<(Week, &[u8]), DecodeError> {
    let (week, rest) = body
        .split_first_chunk::<WEEK_BYTES>()
        .ok_or(DecodeError::damaged("a key is too short for its week"))?;
    let week = week_from(*week).ok_or(DecodeError::damaged("a key holds no week"))?;
    Ok((week, rest))
}

fn leading_text(body: &[u8]) -> Result<(String, &[u8]), DecodeError> {
    let (text, rest) = escape::split_text(body)?;
    Ok((utf8(text)?, rest))
}

fn utf8(text: Cow<'_, [u8]>) -> Result<String, DecodeError> {
    String::from_utf8(text.into_owned())
        .map_err(|_| DecodeError::damaged("a text in a key is not UTF-8"))
}

/// Two coordinates and a text.
fn ends_and_text(body: &[u8]) -> Result<(Coord, Coord, String), DecodeError> {
    let (first, rest) = leading_coord(body)?;
    let (second, rest) = leading_coord(rest)?;
    Ok((first, second, utf8(escape::whole_text(rest)?)?))
}

/// `bytes` as a part of exactly `N` bytes.
fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], DecodeError> {
    bytes.try_into().map_err(|_| DecodeError::damaged("a key has the wrong length for its family"))
}

impl fmt::Display for LogicalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(seq) => write!(f, "__meta/commit/{seq}"),
            Self::CommitTime { time, seq } => {
                write!(f, "__meta/commit-time/{}/{seq}", time.as_nanos())
            }
            Self::Tag(name) => write!(f, "__meta/tag/{}", shown(name)),
            Self::Consumer(name) => write!(f, "__meta/consumer/{}", shown(name)),
            Self::Raw(key) => write!(f, "raw/{}", Escaped(key)),
            Self::Cell(coord) => write!(f, "cell/{coord}"),
            Self::Facet(coord, id) => write!(f, "facet/{coord}/{id}"),
            Self::Edge(from, to, relation) => write!(f, "edge/{from}/{to}/{}", shown(relation)),
            Self::Seam(id) => write!(f, "seam/{id}"),
            Self::CellByTag(tag, coord) => {
                write!(f, "__index/cell-by-tag/{}/{coord}", shown(tag))
            }
            Self::CellBySource(source, coord) => {
                write!(f, "__index/cell-by-source/{}/{coord}", shown(source))
            }
            Self::CellByWeek(week, coord) => write!(f, "__index/cell-by-week/{week}/{coord}"),
            Self::EdgeByTarget(to, from, relation) => {
                write!(f, "__index/edge-by-target/{to}/{from}/{}", shown(relation))
            }
            Self::SeamByCell(coord, id) => write!(f, "__index/seam-by-cell/{coord}/{id}"),
            Self::SeamBySource(source, id) => {
                write!(f, "__index/seam-by-source/{}/{id}", shown(source))
            }
            Self::SeamByWeek(week, id) => write!(f, "__index/seam-by-week/{week}/{id}"),
        }
    }
}

impl fmt::Display for PhysicalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seq {
            Some(seq) => write!(f, "{}#{seq}", self.logical),
            None => self.logical.fmt(f),
        }
    }
}

fn shown(text: &str) -> Escaped<'_> {
    Escaped(text.as_bytes())
}

/// Bytes as text: what prints stands for itself, a backslash is doubled, the rest is `\xNN`.
struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |f: &mut fmt::Formatter<'_>, bytes: &[u8]| {
            bytes.iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))
        };
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    '"' | '\'' => write!(f, "{c}")?,
                    // Beside controls this finds what would change how its neighbours look.
                    _ if c.escape_debug().len() == 1 => write!(f, "{c}")?,
                    _ => hex(f, c.encode_utf8(&mut [0; 4]).as_bytes())?,
                }
            }
            hex(f, chunk.invalid())?;
        }
        Ok(())
    }
}
