//! `hexxladb diff`: the records that differ between two states.

use std::io::Write;
use std::path::PathBuf;

use hexxladb::{ChangeKind, RecordChange};
use serde::Serialize;

use crate::at;
use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::record_json::{Content, Name};
use crate::{open_to_read, text};

/// List what differs between two states: + added, ~ modified, - removed
///
/// A and B are commit sequences, times or snapshot tags; 0 is the empty database. What was changed
/// and changed back between them does not show.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    /// The state to begin with: a sequence, a time, or a snapshot tag
    #[arg(allow_hyphen_values = true)]
    a: String,
    /// The state to end with
    #[arg(allow_hyphen_values = true)]
    b: String,
    /// Print one JSON object a line, with the record as it was and as it is
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    change: &'static str,
    #[serde(flatten)]
    name: Name<'a>,
    old: Option<Content<'a>>,
    new: Option<Content<'a>>,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let db = open_to_read(&args.db)?;
    let (a, b) = (at::sequence(&db, &args.a)?, at::sequence(&db, &args.b)?);
    for change in db.snapshot_diff(a, b)? {
        let change = change?;
        if args.json {
            print_line(out, &line(&change)?)?;
        } else {
            let id = text::one_line(&change.id.to_string(), usize::MAX);
            writeln!(out, "{} {id}", sign(&change))?;
        }
    }
    Ok(())
}

fn sign(change: &RecordChange) -> char {
    match change.kind() {
        ChangeKind::Added => '+',
        ChangeKind::Modified => '~',
        ChangeKind::Removed => '-',
    }
}

fn line(change: &RecordChange) -> Result<Line<'_>, Failure> {
    Ok(Line {
        change: match change.kind() {
            ChangeKind::Added => "added",
            ChangeKind::Modified => "modified",
            ChangeKind::Removed => "removed",
        },
        name: Name::of(&change.id)?,
        old: change.old.as_ref().map(Content::of).transpose()?,
        new: change.new.as_ref().map(Content::of).transpose()?,
    })
}
