//! A file's contents as a cell, and back.
//!
//! The tags say what the cell holds: `mode=100644` (or 100755, 120000) is git's mode,
//! `stored=…` where the contents are:
//!
//! * `stored=text`: the cell's text is the file;
//! * `stored=bytes`: the file lies in pieces in the raw keyspace, as it is not UTF-8 or too near
//!   the limit of a value; the cell's text is `sha256:HEX bytes:SIZE`;
//! * `stored=hash`: the file was too large to keep; the cell's text is `sha256:HEX bytes:SIZE`.
//!
//! The cell's source is the path, shortened and mended where it does not fit; the true path is
//! the row `git/name/…`.

use hexxladb::{Cell, Coord, ReadTx, Timestamp};
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::git::batch::Blob;
use crate::git::layout::piece_key;
use crate::git::object::Mode;
use crate::log::hex;

/// Limit of a value in a new database: the largest there is.
pub(crate) const MAX_VALUE_BYTES: u32 = 64 << 20;
/// Longest text that fits a value together with the cell's other fields.
const MAX_TEXT_BYTES: usize = MAX_VALUE_BYTES as usize - (4 << 10);
/// Size of all pieces but the last.
pub(crate) const PIECE_BYTES: usize = 4 << 20;
/// What tags of types begin with.
pub(crate) const TYPE_PREFIX: &str = "type=";
/// Longest source; tags and sources hold at most 255 bytes.
const MAX_SOURCE_BYTES: usize = 200;

/// Where the contents are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Text,
    Bytes,
    Hash,
}

impl Stored {
    fn tag(self) -> &'static str {
        match self {
            Self::Text => "stored=text",
            Self::Bytes => "stored=bytes",
            Self::Hash => "stored=hash",
        }
    }
}

/// A file, ready to be written.
pub(crate) struct FileCell {
    pub(crate) cell: Cell,
    pub(crate) stored: Stored,
    /// The contents that go to the raw keyspace; empty unless stored as bytes.
    pub(crate) bytes: Vec<u8>,
}

/// Decides how a file is kept.
pub(crate) fn plan(path: &[u8], mode: Mode, blob: Blob) -> FileCell {
    let (stored, text, bytes) = match blob {
        Blob::Large { bytes, sha256 } => (Stored::Hash, digest_text(&sha256, bytes), Vec::new()),
        Blob::Whole(bytes) if bytes.len() > MAX_TEXT_BYTES => as_bytes(bytes),
        Blob::Whole(bytes) => match String::from_utf8(bytes) {
            Ok(text) => (Stored::Text, text, Vec::new()),
            Err(error) => as_bytes(error.into_bytes()),
        },
    };
    let cell = Cell::new(text)
        .with_source(source(path))
        .with_tags([format!("mode={mode}"), stored.tag().to_owned()].into_iter().chain(kind(path)));
    FileCell { cell, stored, bytes }
}

fn as_bytes(bytes: Vec<u8>) -> (Stored, String, Vec<u8>) {
    let text = digest_text(&Sha256::digest(&bytes).into(), bytes.len() as u64);
    (Stored::Bytes, text, bytes)
}

/// The path as a source: whole where it is text and fits.
fn source(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    if text.len() <= MAX_SOURCE_BYTES {
        return text.into_owned();
    }
    let mut end = MAX_SOURCE_BYTES - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// The tag of a file's type: its extension in small letters, where it has a short one.
fn kind(path: &[u8]) -> Option<String> {
    const MAX_EXTENSION_BYTES: usize = 16;
    let name = path.rsplit(|&byte| byte == b'/').next()?;
    let dot = name.iter().rposition(|&byte| byte == b'.')?;
    let (stem, extension) = (&name[..dot], &name[dot + 1..]);
    let is_one = (1..=MAX_EXTENSION_BYTES).contains(&extension.len())
        && extension.iter().all(u8::is_ascii_alphanumeric);
    (is_one && !stem.is_empty()).then(|| {
        format!("{TYPE_PREFIX}{}", String::from_utf8_lossy(extension).to_ascii_lowercase())
    })
}

/// The text of a cell whose contents are elsewhere.
pub(crate) fn digest_text(sha256: &[u8; 32], bytes: u64) -> String {
    format!("sha256:{} bytes:{bytes}", hex(sha256))
}

/// What a cell of the import says about its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) mode: Mode,
    pub(crate) stored: Stored,
    /// The file's size.
    pub(crate) bytes: u64,
}

impl Kept {
    /// Reads a cell; `None` for one that the import did not write.
    pub(crate) fn of(cell: &Cell) -> Option<Self> {
        let tag = |name: &str| cell.tags.iter().find_map(|tag| tag.strip_prefix(name));
        let mode = Mode::from_octal(tag("mode=")?.as_bytes())?;
        let stored = match tag("stored=")? {
            "text" => Stored::Text,
            "bytes" => Stored::Bytes,
            "hash" => Stored::Hash,
            _ => return None,
        };
        let bytes = if stored == Stored::Text {
            cell.raw_content.len() as u64
        } else {
            let (hash, bytes) = cell.raw_content.strip_prefix("sha256:")?.split_once(" bytes:")?;
            (hash.len() == 64).then_some(bytes.parse().ok()?)?
        };
        Some(Self { mode, stored, bytes })
    }

    /// Rows that hold the contents.
    pub(crate) fn pieces(&self) -> u64 {
        if self.stored == Stored::Bytes { self.bytes.div_ceil(PIECE_BYTES as u64) } else { 0 }
    }
}

/// Gives the contents that lie in the raw keyspace to `each`, piece by piece.
pub(crate) fn read_pieces(
    tx: &ReadTx,
    coord: Coord,
    kept: &Kept,
    mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for piece in 0..kept.pieces() {
        let key = piece_key(coord, piece);
        let Some(bytes) = tx.get(&key)? else {
            return Err(crate::git::layout::altered(&key, "it is gone"));
        };
        each(&bytes)?;
    }
    Ok(())
}

/// A commit's time in the fields of its cells.
pub(crate) fn stamp(cell: &mut Cell, before: Option<&Cell>, time: Timestamp) {
    cell.provenance.created_at = before.map_or(time, |cell| cell.provenance.created_at);
    cell.provenance.updated_at = time;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(bytes: &[u8]) -> FileCell {
        let mode = Mode::from_octal(b"100755").unwrap();
        plan(b"a/b", mode, Blob::Whole(bytes.to_vec()))
    }

    #[test]
    fn text_is_the_cell_itself() {
        let file = planned("äöü\0\n".as_bytes());
        assert_eq!(file.cell.raw_content, "äöü\0\n");
        assert_eq!(file.cell.provenance.source_id, "a/b");
        let kept = Kept::of(&file.cell).unwrap();
        assert_eq!((kept.stored, kept.bytes, kept.pieces()), (Stored::Text, 8, 0));
        assert_eq!(kept.mode.to_string(), "100755");
        assert_eq!(Kept::of(&planned(b"").cell).unwrap().stored, Stored::Text);
    }

    #[test]
    fn other_bytes_lie_in_pieces() {
        let file = planned(&vec![0xff; PIECE_BYTES + 1]);
        let kept = Kept::of(&file.cell).unwrap();
        assert_eq!((kept.stored, kept.pieces()), (Stored::Bytes, 2));
        assert_eq!(file.bytes.len(), PIECE_BYTES + 1);
        assert_eq!(Kept::of(&planned(&vec![0xff; PIECE_BYTES]).cell).unwrap().pieces(), 1);
    }

    #[test]
    fn text_that_no_value_holds_lies_in_pieces_too() {
        assert_eq!(planned(&vec![b'a'; MAX_TEXT_BYTES]).stored, Stored::Text);
        assert_eq!(planned(&vec![b'a'; MAX_TEXT_BYTES + 1]).stored, Stored::Bytes);
    }

    #[test]
    fn a_source_is_short_text_whatever_the_path() {
        assert_eq!(source(b"a\xffb"), "a\u{fffd}b");
        let long = source("ä".repeat(500).as_bytes());
        assert!(long.len() <= MAX_SOURCE_BYTES && long.ends_with('…'));
    }

    #[test]
    fn extensions_tell_the_type() {
        let kind = |path: &str| kind(path.as_bytes());
        assert_eq!(kind("src/lib.rs").as_deref(), Some("type=rs"));
        assert_eq!(kind("a.tar.GZ").as_deref(), Some("type=gz"));
        for path in ["Makefile", ".gitignore", "a.", "v1.0/README", "x.no-one", "a.ünï"] {
            assert_eq!(kind(path), None, "{path}");
        }
    }

    #[test]
    fn other_cells_are_not_files() {
        assert_eq!(Kept::of(&Cell::new("x")), None);
        let odd = Cell::new("sha256:00 bytes:1").with_tags(["mode=100644", "stored=bytes"]);
        assert_eq!(Kept::of(&odd), None);
    }
}
