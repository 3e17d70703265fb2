//! Keys read back: what a logical key names, and how it is shown to people.

use std::borrow::Cow;
use std::fmt;

use super::decode_error::DecodeError;
use super::escape;
use super::{Family, MetaKind, SEQ_BYTES, split_seq};
use crate::lattice::{self, Coord};
use crate::time::Timestamp;

/// What a logical key names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogicalKey {
    /// The timeline row of a commit.
    Commit(u64),
    /// The timeline row that finds a commit by its time.
    CommitTime { time: Timestamp, seq: u64 },
    /// An application key.
    Raw(Vec<u8>),
    /// A cell.
    Cell(Coord),
}

#[cfg(test)]
impl LogicalKey {
    /// The bytes of this key; raw keys of any length.
    pub(crate) fn encode(&self) -> super::KeyBuf {
        match self {
            Self::Commit(seq) => super::commit_key(*seq),
            Self::CommitTime { time, seq } => super::commit_time_key(*time, *seq),
            Self::Raw(key) => super::raw_bound(key),
            Self::Cell(coord) => super::cell_key(*coord),
        }
    }
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
        Family::Cell => decode_cell_body(body).map(LogicalKey::Cell),
    }
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
        (Family::Cell, body) => decode_cell_body(body),
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
    }
}

fn decode_cell_body(body: &[u8]) -> Result<Coord, DecodeError> {
    lattice::decode_packed(fixed(body)?)
        .ok_or(DecodeError::damaged("a cell key holds no coordinate"))
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
            Self::Raw(key) => write!(f, "raw/{}", Escaped(key)),
            Self::Cell(coord) => write!(f, "cell/{coord}"),
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
