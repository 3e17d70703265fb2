//! `--at` and `--at-time`: which state of the database a command reads.

use hexxladb::{Db, Snapshot, Timestamp};

use crate::failure::Failure;
use crate::time;

/// The state to read; the newest without either.
#[derive(Debug, clap::Args)]
pub(crate) struct At {
    /// Read the state as of this commit sequence (0 is the empty database)
    #[arg(long = "at", value_name = "SEQ", conflicts_with = "time")]
    seq: Option<u64>,

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
        Ok(match (self.seq, self.time) {
            (Some(seq), _) => db.snapshot_at(seq)?,
            (None, Some(time)) => db.snapshot_at(db.seq_at_time(time)?)?,
            (None, None) => db.snapshot()?,
        })
    }
}
