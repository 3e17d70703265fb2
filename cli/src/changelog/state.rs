//! What other commands tell of a database's changelog.

use std::path::Path;

use hexxladb::{ChangelogInfo, ChangelogReader, ConsumerInfo, Db, Error};
use serde::Serialize;

use crate::failure::Failure;
use crate::{keeping, text};

/// The changelog in a few numbers.
#[derive(Debug, Serialize)]
pub(crate) struct State {
    /// `full`, `hash`, `none` or `off`: what is kept of the values of commits made now.
    pub(crate) values: &'static str,
    pub(crate) oldest: Option<u64>,
    pub(crate) last: u64,
    pub(crate) bytes: u64,
    pub(crate) segments: usize,
}

/// A consumer, as JSON has it.
#[derive(Debug, Serialize)]
pub(crate) struct Consumer {
    pub(crate) name: String,
    /// The entry that it reads next.
    seq: u64,
    index: u32,
    pub(crate) lag_commits: u64,
    holds_floor: bool,
}

impl State {
    /// `None` where there never was a changelog.
    pub(crate) fn of(path: &Path) -> Result<Option<Self>, Failure> {
        match ChangelogReader::open(path) {
            Ok(reader) => Self::read(&reader).map(|(state, _)| Some(state)),
            // A file of an older format has none.
            Err(Error::ChangelogDisabled | Error::NotADatabase { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The same, and all there is to know of the segments.
    pub(crate) fn read(reader: &ChangelogReader) -> Result<(Self, ChangelogInfo), Failure> {
        let info = reader.info()?;
        let values = keeping::show(reader.values()?);
        let (oldest, last, bytes) = (info.oldest, info.last, info.bytes);
        Ok((Self { values, oldest, last, bytes, segments: info.segments.len() }, info))
    }

    /// Its commits, for people.
    pub(crate) fn commits(&self) -> String {
        self.oldest.map_or("none".to_owned(), |oldest| {
            format!("{} to {}", text::count(oldest), text::count(self.last))
        })
    }
}

impl From<ConsumerInfo> for Consumer {
    fn from(info: ConsumerInfo) -> Self {
        let (seq, index) = (info.position.seq, info.position.index);
        let (lag_commits, holds_floor) = (info.lag_commits, info.holds_floor);
        Self { name: info.name, seq, index, lag_commits, holds_floor }
    }
}

impl Consumer {
    /// All of a database.
    pub(crate) fn all(db: &Db) -> Result<Vec<Self>, Failure> {
        Ok(db.changelog_consumers()?.into_iter().map(Self::from).collect())
    }

    /// On a line, for people.
    pub(crate) fn show(&self) -> String {
        let holds = if self.holds_floor { ", pruning waits for it" } else { "" };
        let lag = text::counted(self.lag_commits, "commit");
        format!("next {}/{}, {lag} behind{holds}", self.seq, self.index)
    }
}
