//! Where a target stands, and where to go on: the one rule of resuming.
//!
//! The position travels with each entry, in its JSON and in the headers of its message, so that a
//! target's last message tells all that resuming needs.

use hexxladb::{ChangelogCursor, ChangelogEntry};
use serde::Deserialize;

use crate::json::{from_hex, hex};

/// The names of the headers that messages carry: sequence, index, whether it is the commit's last
/// entry (`true`, `false`), and the history hash in hexadecimal digits.
pub const HEADERS: [&str; 4] =
    ["Hexxladb-Seq", "Hexxladb-Index", "Hexxladb-Last-In-Commit", "Hexxladb-History-Hash"];

/// The place of an entry in its history. Orders like the changelog, within one history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The commit's sequence.
    pub seq: u64,
    /// Which of the commit's entries.
    pub index: u32,
    /// Whether it is the commit's last.
    pub last_in_commit: bool,
    /// The history hash up to and with the commit.
    pub history_hash: [u8; 16],
}

impl Position {
    /// The place of an entry.
    pub fn of(entry: &ChangelogEntry) -> Self {
        Self {
            seq: entry.seq,
            index: entry.index,
            last_in_commit: entry.last_in_commit,
            history_hash: entry.history_hash,
        }
    }

    /// Where reading goes on after it, refusing another history.
    pub fn next(&self) -> ChangelogCursor {
        let mut cursor = if self.last_in_commit {
            ChangelogCursor::after(self.seq)
        } else {
            ChangelogCursor::at(self.seq, self.index.saturating_add(1))
        };
        cursor.hash = Some(self.history_hash);
        cursor
    }

    /// One name for this entry of this history: `{history hash}-{seq}-{index}`.
    pub fn message_id(&self) -> String {
        format!("{}-{}-{}", hex(&self.history_hash), self.seq, self.index)
    }

    /// The headers of its message.
    pub fn headers(&self) -> [(&'static str, String); 4] {
        let [seq, index, last, hash] = HEADERS;
        [
            (seq, self.seq.to_string()),
            (index, self.index.to_string()),
            (last, self.last_in_commit.to_string()),
            (hash, hex(&self.history_hash)),
        ]
    }

    /// What the headers of a message say; `None` where they are not those of an entry.
    pub fn from_headers(mut value: impl FnMut(&str) -> Option<String>) -> Option<Self> {
        let [seq, index, last, hash] = HEADERS;
        Some(Self {
            seq: value(seq)?.parse().ok()?,
            index: value(index)?.parse().ok()?,
            last_in_commit: value(last)?.parse().ok()?,
            history_hash: from_hex(&value(hash)?)?,
        })
    }

    /// What an entry's JSON says; `None` where it is no entry.
    pub fn from_json(line: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Place {
            seq: u64,
            index: u32,
            last_in_commit: bool,
            history_hash: String,
        }
        let place: Place = serde_json::from_slice(line).ok()?;
        Some(Self {
            seq: place.seq,
            index: place.index,
            last_in_commit: place.last_in_commit,
            history_hash: from_hex(&place.history_hash)?,
        })
    }
}

/// Where a target stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastPosition {
    /// It holds nothing and never did.
    Empty,
    /// It cannot tell: what is sent may be there already.
    Unknown,
    /// This entry is the last that it holds.
    At(Position),
}

impl LastPosition {
    /// Where to go on: after the entry that the target holds last, else from `otherwise`.
    pub fn resume(&self, otherwise: ChangelogCursor) -> ChangelogCursor {
        match self {
            Self::At(position) => position.next(),
            Self::Empty | Self::Unknown => otherwise,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Position =
        Position { seq: 7, index: 2, last_in_commit: false, history_hash: [0xab; 16] };

    #[test]
    fn headers_are_read_back_and_nothing_else_is() {
        let of = |change: (usize, &'static str, &str)| {
            let mut headers = PLACE.headers();
            headers[change.0] = (change.1, change.2.to_owned());
            Position::from_headers(|name| {
                headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
            })
        };
        let hash = "ab".repeat(16);
        assert_eq!(of((3, HEADERS[3], &hash)), Some(PLACE));
        assert_eq!(of((0, "Seq", "7")), None);
        assert_eq!(of((1, HEADERS[1], "-1")), None);
        assert_eq!(of((2, HEADERS[2], "yes")), None);
        assert_eq!(of((3, HEADERS[3], &hash[2..])), None);
    }

    #[test]
    fn going_on_within_a_commit_and_after_it() {
        let next = PLACE.next();
        assert_eq!((next.seq, next.index, next.hash), (7, 3, Some([0xab; 16])));
        let next = Position { last_in_commit: true, ..PLACE }.next();
        assert_eq!((next.seq, next.index, next.hash), (8, 0, Some([0xab; 16])));
        let otherwise = ChangelogCursor::after(3);
        assert_eq!(LastPosition::Empty.resume(otherwise), otherwise);
        assert_eq!(LastPosition::Unknown.resume(otherwise), otherwise);
        assert_eq!(LastPosition::At(PLACE).resume(otherwise), PLACE.next());
    }
}
