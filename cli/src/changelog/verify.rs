//! `hexxladb changelog verify`: reads every entry and computes every history hash anew.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hexxladb::{ChangelogCursor, ChangelogFilter, ChangelogReader, ChangelogVerified, Error};
use serde::Serialize;

use super::open_reader;
use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{open_to_read, text};

/// Read every entry, and compute every history hash anew from the values
///
/// Where nobody writes to the database, its own last history hash is compared, too.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database, or a directory that `changelog archive` filled
    db: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    clean: bool,
    #[serde(flatten)]
    read: ChangelogVerified,
    /// Whether the last commit was compared with the database.
    compared_with_database: bool,
    damage: Option<String>,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let reader = open_reader(&args.db)?;
    let report = match verified(&reader, &args.db) {
        Ok((read, compared_with_database)) => {
            Report { clean: true, read, compared_with_database, damage: None }
        }
        Err(Failure::Database(error)) if is_damage(&error) => Report {
            clean: false,
            read: ChangelogVerified::default(),
            compared_with_database: false,
            damage: Some(error.to_string()),
        },
        Err(other) => return Err(other),
    };
    if args.json {
        print_line(out, &report)?;
    } else {
        print(out, &report)?;
    }
    if report.clean { Ok(()) } else { Err(Failure::Told) }
}

/// Whether the error is what a verification looks for.
pub(crate) fn is_damage(error: &Error) -> bool {
    matches!(
        error,
        Error::ChangelogCorrupt { .. }
            | Error::ChangelogForeign { .. }
            | Error::ChangelogMismatch { .. }
            | Error::HistoryDiverged { .. }
    )
}

/// Reads everything; says also whether the last commit is the database's own.
pub(crate) fn verified(
    reader: &ChangelogReader,
    path: &Path,
) -> Result<(ChangelogVerified, bool), Failure> {
    let total = reader.info()?;
    let commits = total.oldest.map_or(0, |oldest| total.last + 1 - oldest);
    let progress = Mutex::new(Progress::of("verify", "commits", 0, commits));
    let progress: hexxladb::Progress = Arc::new(move |done| {
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.set(done, || "read".to_owned());
    });
    let read = reader.verify(Some(&progress))?;
    drop(progress);
    let compared = !path.is_dir() && read.last > 0 && is_of_database(reader, path, read.last)?;
    Ok((read, compared))
}

/// Compares the last commit's history hash with what the database says, if that can be opened.
fn is_of_database(reader: &ChangelogReader, path: &Path, last: u64) -> Result<bool, Failure> {
    let db = match open_to_read(path) {
        Ok(db) => db,
        Err(Failure::Database(Error::DatabaseLocked { .. })) => return Ok(false),
        Err(other) => return Err(other),
    };
    let head = db.head()?;
    if head < last {
        return Err(Error::ChangelogMismatch { last, head }.into());
    }
    let Some(commit) = db.commits(last..=last)?.next().transpose()? else { return Ok(false) };
    let mut entries = reader.read(ChangelogCursor::at(last, 0), ChangelogFilter::new())?;
    match entries.next().transpose()? {
        Some(entry) if entry.history_hash != commit.history_hash => {
            Err(Error::HistoryDiverged { seq: last }.into())
        }
        found => Ok(found.is_some()),
    }
}

fn print(out: &mut dyn Write, report: &Report) -> Result<(), Failure> {
    if let Some(damage) = &report.damage {
        writeln!(out, "damaged: {damage}")?;
        return Ok(());
    }
    let read = &report.read;
    for (first, last) in &read.gaps {
        writeln!(out, "gap: without {}", text::commits(*first, *last))?;
    }
    let Some(oldest) = read.oldest else {
        writeln!(out, "clean: no commits yet")?;
        return Ok(());
    };
    writeln!(
        out,
        "clean: {}, {} read, {} of {} history hashes computed anew",
        text::commits(oldest, read.last),
        text::counted(read.entries, "entry"),
        text::count(read.hashes),
        text::count(read.commits)
    )?;
    if report.compared_with_database {
        writeln!(out, "the last one is the database's own")?;
    } else {
        // For people alone: not part of the result.
        let _ = writeln!(io::stderr(), "not compared with a database");
    }
    Ok(())
}
