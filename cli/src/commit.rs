//! What the commands have in common that write one commit by hand.

use std::io::Write;
use std::path::Path;

use hexxladb::{Db, Options, Timestamp, WriteTx};
use serde::Serialize;

use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::keeping::Keeping;
use crate::time;

/// What is kept with the commit.
#[derive(Debug, clap::Args)]
pub(crate) struct CommitArgs {
    /// Who or why, kept with the commit
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    note: Option<String>,
    #[command(flatten)]
    when: When,
    #[command(flatten)]
    keeping: Keeping,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// When the commit is made.
#[derive(Debug, clap::Args)]
pub(crate) struct When {
    /// The commit's time instead of now; never before that of the last commit
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    commit_time: Option<Timestamp>,
}

impl When {
    /// The commit's time.
    pub(crate) fn time(&self) -> Timestamp {
        self.commit_time.unwrap_or_else(|| std::time::SystemTime::now().into())
    }
}

/// What a command tells of the commit it made.
#[derive(Serialize)]
struct Told {
    commit: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seam: Option<String>,
}

impl CommitArgs {
    /// For a command whose note is not an option of its own.
    pub(crate) fn new(note: Option<String>, when: When, keeping: Keeping, json: bool) -> Self {
        Self { note, when, keeping, json }
    }

    /// The commit's time.
    pub(crate) fn time(&self) -> Timestamp {
        self.when.time()
    }

    /// What is asked for of the changelog.
    pub(crate) fn keeping(&self) -> Keeping {
        self.keeping
    }

    /// Runs one transaction on a database that is there and prints its commit, and the id of the
    /// seam that it made, if it made one.
    pub(crate) fn run(
        &self,
        db: &Path,
        out: &mut dyn Write,
        write: impl FnOnce(&mut WriteTx) -> Result<Option<String>, Failure>,
    ) -> Result<(), Failure> {
        self.run_in(&open_to_write(db, self.keeping)?, out, write)
    }

    /// The same on an open database, which is closed.
    pub(crate) fn run_in(
        &self,
        db: &Db,
        out: &mut dyn Write,
        write: impl FnOnce(&mut WriteTx) -> Result<Option<String>, Failure>,
    ) -> Result<(), Failure> {
        let done = self.transact(db, write);
        // Closed cleanly whatever came; the first failure is the one to tell.
        let closed = db.close().map_err(Failure::from);
        let (commit, seam) = done?;
        closed?;
        if self.json {
            return print_line(out, &Told { commit, seam });
        }
        match seam {
            Some(seam) => writeln!(out, "commit {commit}, seam {seam}")?,
            None => writeln!(out, "commit {commit}")?,
        }
        Ok(())
    }

    fn transact(
        &self,
        db: &Db,
        write: impl FnOnce(&mut WriteTx) -> Result<Option<String>, Failure>,
    ) -> Result<(u64, Option<String>), Failure> {
        let mut tx = db.begin_write()?;
        if let Some(time) = self.when.commit_time {
            tx.set_commit_time(time)?;
        }
        if let Some(note) = &self.note {
            tx.set_note(note)?;
        }
        let seam = write(&mut tx)?;
        Ok((tx.commit()?, seam))
    }
}

/// Opens a database that must be there.
pub(crate) fn open_to_write(path: &Path, keeping: Keeping) -> Result<Db, Failure> {
    keeping.open(path, Options::new().create_if_missing(false))
}
