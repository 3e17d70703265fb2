//! `--at` and `--at-time`: which state of the database a command reads; and how any command names
//! a commit: by sequence, time or snapshot tag.

use hexxladb::{Db, Snapshot, Timestamp};

use crate::failure::Failure;
use crate::time;

/// The state to read; the newest without either.
#[derive(Debug, clap::Args)]
pub(crate) struct At {
    /// Read the state as of this commit: a sequence (0 is the empty database), a time, or a
    /// snapshot tag
    #[arg(
        long = "at",
        value_name = "SEQ|TIME|TAG",
        conflicts_with = "time",
        allow_hyphen_values = true
    )]
    commit: Option<String>,

    /// Read the state as of this time: RFC 3339, a date, or seconds since 1970
    #[arg(
        long = "at-time",
        value_name = "TIME",
        value_parser = time::parse,
        allow_hyphen_values = true
    )]
    time: Option<Timestamp>,
}

impl At {
    /// A snapshot of that state.
    pub(crate) fn snapshot(&self, db: &Db) -> Result<Snapshot, Failure> {
        Ok(match (&self.commit, self.time) {
            (Some(commit), _) => db.snapshot_at(sequence(db, commit)?)?,
            (None, Some(time)) => db.snapshot_at(db.seq_at_time(time)?)?,
            (None, None) => db.snapshot()?,
        })
    }
}

/// The sequence of the commit that a text names: digits are a sequence, `tag:NAME` and the name of
/// a tag that is there are that tag, anything else is a time.
pub(crate) fn sequence(db: &Db, text: &str) -> Result<u64, Failure> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Longer numbers are above every head.
        return Ok(text.parse().unwrap_or(u64::MAX));
    }
    let (name, is_tag) = match text.strip_prefix("tag:") {
        Some(name) => (name, true),
        None => (text, false),
    };
    if let Some(tag) = db.snapshot_tags()?.into_iter().find(|tag| tag.name == name) {
        return Ok(tag.seq);
    }
    match time::parse(text) {
        Ok(time) if !is_tag => Ok(db.seq_at_time(time)?),
        Err(what) if what.contains("out of range") => Err(Failure::Usage(what)),
        _ => Err(Failure::No(format!(
            "there is no snapshot tag {name:?}{}; `hexxladb tag list {}` shows those that are",
            if is_tag { "" } else { ", and it is no sequence or time (2024-05-17, @1715934600)" },
            db.path().display()
        ))),
    }
}
