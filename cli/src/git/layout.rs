//! How a git history lies in a database.
//!
//! A file is a cell (see [`content`](crate::git::content)), and so is a commit, at a place of its
//! own (see [`places`](crate::git::places)). An edge `parent` leads from a commit to the one before
//! it, an edge `renamed-to` from a file's old place to its new one. A git tag is a snapshot tag.
//! Everything else is in the raw keyspace, under `git/`, written in the transaction of the commit
//! it belongs to:
//!
//! | key | value |
//! | --- | --- |
//! | `git/format` | JSON: `format`, `object_format`, `max_file_bytes`; written once |
//! | `git/resume` | JSON: the last commit imported, how many there are, how many paths |
//! | `git/commit/<id>` | the commit's sequence, in digits |
//! | `git/path/<path>` | `q,r`: the coordinate of a path of at most 512 bytes |
//! | `git/long/<SHA-256 of the path>` | `q,r`: the coordinate of a longer one |
//! | `git/name/<q>,<r>` | the path |
//! | `git/bytes/<q>,<r>/<piece>` | a piece of a file that is not text |
//!
//! Path and coordinate stay together for ever: a path that is deleted and comes back finds its
//! coordinate again. These keys are a format: databases outlive the program.

use hexxladb::{Cell, Coord, ReadTx, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::git::object::{ObjectFormat, ObjectId};
use crate::log::hex;

pub(crate) const FORMAT_KEY: &str = "git/format";
pub(crate) const RESUME_KEY: &str = "git/resume";
pub(crate) const COMMIT_PREFIX: &str = "git/commit/";
pub(crate) const NAME_PREFIX: &str = "git/name/";
pub(crate) const PATH_PREFIX: &str = "git/path/";
pub(crate) const LONG_PREFIX: &str = "git/long/";

/// The relation of a commit's cell with that of the commit before it.
pub(crate) const PARENT: &str = "parent";
/// The relation of a file's old path with its new one.
pub(crate) const RENAMED_TO: &str = "renamed-to";
/// The tag of commits' cells.
const COMMIT_TAG: &str = "commit";

/// The layout that this program writes and reads.
const FORMAT_VERSION: u32 = 2;
/// Longest path that is its own key; raw keys hold at least 900 bytes.
const MAX_KEY_PATH_BYTES: usize = 512;
/// Most of a subject that a note keeps; a note holds 4096 bytes.
const MAX_SUBJECT_BYTES: usize = 1000;

/// What the history was imported with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[expect(clippy::struct_field_names, reason = "the keys of the row")]
pub(crate) struct Format {
    format: u32,
    object_format: String,
    /// Files over this size are kept as a hash alone.
    pub(crate) max_file_bytes: u64,
}

impl Format {
    pub(crate) fn new(object_format: ObjectFormat, max_file_bytes: u64) -> Self {
        let object_format = object_format.name().to_owned();
        Self { format: FORMAT_VERSION, object_format, max_file_bytes }
    }

    /// The format of the history in this state; `None` when it holds none.
    pub(crate) fn read(tx: &ReadTx) -> Result<Option<Self>, Failure> {
        let Some(bytes) = tx.get(FORMAT_KEY)? else { return Ok(None) };
        let format: Self = from_json(FORMAT_KEY, &bytes)?;
        if format.format != FORMAT_VERSION {
            let todo = if format.format < FORMAT_VERSION {
                "import into a new file"
            } else {
                "use a newer release"
            };
            return Err(Failure::Usage(format!(
                "the git history is laid out in version {}, this program knows {FORMAT_VERSION}; \
                 {todo}",
                format.format
            )));
        }
        Ok(Some(format))
    }

    /// The format of the history in this state, which must hold one.
    pub(crate) fn require(tx: &ReadTx) -> Result<Self, Failure> {
        Self::read(tx)?.ok_or_else(|| {
            Failure::Usage(
                "the database holds no git history; `hexxladb git import REPO DB` makes one"
                    .to_owned(),
            )
        })
    }

    /// Whether the history's objects are named by this hash.
    pub(crate) fn is_for(&self, object_format: ObjectFormat) -> bool {
        self.object_format == object_format.name()
    }
}

/// How far the import is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Resume {
    /// The last commit imported.
    commit: String,
    /// Commits imported.
    pub(crate) commits: u64,
    /// Paths that have a coordinate.
    pub(crate) paths: u64,
}

impl Resume {
    pub(crate) fn new(commit: ObjectId, commits: u64, paths: u64) -> Self {
        Self { commit: commit.to_string(), commits, paths }
    }

    /// How far the import is in this state; `None` before its first commit.
    pub(crate) fn read(tx: &ReadTx) -> Result<Option<Self>, Failure> {
        tx.get(RESUME_KEY)?.map(|bytes| from_json(RESUME_KEY, &bytes)).transpose()
    }

    pub(crate) fn commit(&self) -> Result<ObjectId, Failure> {
        ObjectId::from_hex(self.commit.as_bytes())
            .ok_or_else(|| altered(RESUME_KEY, "it names no commit"))
    }
}

/// The cell of a commit: its subject, its id as the source.
pub(crate) fn commit_cell(note: &Note) -> Cell {
    Cell::new(note.kept_subject()).with_source(note.commit.to_string()).with_tags([COMMIT_TAG])
}

/// The key of a commit's sequence.
pub(crate) fn commit_key(id: ObjectId) -> String {
    format!("{COMMIT_PREFIX}{id}")
}

/// The key of a path's coordinate.
pub(crate) fn path_key(path: &[u8]) -> Vec<u8> {
    if path.len() <= MAX_KEY_PATH_BYTES {
        [PATH_PREFIX.as_bytes(), path].concat()
    } else {
        format!("{LONG_PREFIX}{}", hex(&Sha256::digest(path))).into_bytes()
    }
}

/// A coordinate as keys and values hold it.
pub(crate) fn coord_text(coord: Coord) -> String {
    format!("{},{}", coord.q(), coord.r())
}

/// The coordinate in a row's value.
pub(crate) fn parse_coord(text: &[u8]) -> Option<Coord> {
    let (q, r) = std::str::from_utf8(text).ok()?.split_once(',')?;
    Coord::new(q.parse().ok()?, r.parse().ok()?).ok()
}

/// The key of a coordinate's path.
pub(crate) fn name_key(coord: Coord) -> String {
    format!("{NAME_PREFIX}{}", coord_text(coord))
}

/// The key of a piece of a file that is not text.
pub(crate) fn piece_key(coord: Coord, piece: u64) -> String {
    format!("git/bytes/{}/{piece:04}", coord_text(coord))
}

/// What a row of the import holds where it is not what the import wrote.
pub(crate) fn altered(key: &str, what: &str) -> Failure {
    Failure::No(format!("the row {key} was altered: {what}; import into a new database"))
}

fn from_json<'a, T: Deserialize<'a>>(key: &str, bytes: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| altered(key, &error.to_string()))
}

/// What a commit's note says: `git ID @SECONDS SUBJECT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) commit: ObjectId,
    /// The committer's own time; the commit's time may be later where clocks ran backwards.
    pub(crate) committer_secs: i64,
    pub(crate) subject: String,
}

impl Note {
    pub(crate) fn to_text(&self) -> String {
        format!("git {} @{} {}", self.commit, self.committer_secs, self.kept_subject())
    }

    /// As much of the subject as fits a note.
    fn kept_subject(&self) -> &str {
        let mut end = self.subject.len().min(MAX_SUBJECT_BYTES);
        while !self.subject.is_char_boundary(end) {
            end -= 1;
        }
        &self.subject[..end]
    }

    /// Reads a note; `None` for one that the import did not write.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (commit, rest) = text.strip_prefix("git ")?.split_once(' ')?;
        let (secs, subject) = rest.strip_prefix('@')?.split_once(' ')?;
        Some(Self {
            commit: ObjectId::from_hex(commit.as_bytes())?,
            committer_secs: secs.parse().ok()?,
            subject: subject.to_owned(),
        })
    }

    /// The committer's time as a commit time.
    pub(crate) fn committer_time(&self) -> Timestamp {
        Timestamp::from_secs(self.committer_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_a_key_that_fits() {
        assert_eq!(path_key(b"a/\xff"), b"git/path/a/\xff");
        assert_eq!(path_key(&[b'a'; 512]).len(), 9 + 512);
        let long = path_key(&[b'a'; 513]);
        assert!(long.starts_with(b"git/long/") && long.len() == 9 + 64);
        assert_ne!(long, path_key(&[b'a'; 514]));
    }

    #[test]
    fn notes_survive_their_text() {
        let commit = ObjectFormat::Sha256.empty_tree();
        for (secs, subject) in [(-5, "äö ü"), (0, ""), (i64::MAX, "a @b c")] {
            let note = Note { commit, committer_secs: secs, subject: subject.to_owned() };
            assert_eq!(Note::parse(&note.to_text()), Some(note));
        }
        let long = Note { commit, committer_secs: 1, subject: "ä".repeat(5000) };
        assert!(long.to_text().len() < 1200);
        assert!(Note::parse(&long.to_text()).is_some());
        for text in ["", "git", "git x @1 y", "hello", "git 00 @1 y"] {
            assert_eq!(Note::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn coordinates_survive_their_text() {
        let coord = Coord::new(-3, 17).unwrap();
        assert_eq!(parse_coord(coord_text(coord).as_bytes()), Some(coord));
        for text in ["", "1", "1,", "1,x", "999999,0"] {
            assert_eq!(parse_coord(text.as_bytes()), None);
        }
    }
}
