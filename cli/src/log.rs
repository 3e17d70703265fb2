//! `hexxladb log`: the commits, newest first.

use std::io::Write;
use std::path::PathBuf;

use hexxladb::Commit;
pub(crate) use hexxladb_sinks::json::hex;
use serde::Serialize;

use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::{open_to_read, text, time};

/// List the commits, newest first: sequence, time, note
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    /// Oldest first
    #[arg(long)]
    reverse: bool,
    /// Stop after this many
    #[arg(short = 'n', long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    time: String,
    time_nanos: i64,
    note: Option<&'a str>,
    history_hash: String,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let db = open_to_read(&args.db)?;
    let commits = db.commits(..)?;
    let limit = args.limit.unwrap_or(usize::MAX);
    if args.reverse {
        print(args, out, commits.take(limit))
    } else {
        print(args, out, commits.rev().take(limit))
    }
}

fn print(
    args: &Args,
    out: &mut dyn Write,
    commits: impl Iterator<Item = hexxladb::Result<Commit>>,
) -> Result<(), Failure> {
    for commit in commits {
        let commit = commit?;
        if args.json {
            print_line(
                out,
                &Line {
                    seq: commit.seq,
                    time: time::show(commit.time),
                    time_nanos: commit.time.as_nanos(),
                    note: commit.note.as_deref(),
                    history_hash: hex(&commit.history_hash),
                },
            )?;
        } else {
            let note = text::one_line(commit.note.as_deref().unwrap_or_default(), usize::MAX);
            writeln!(out, "{}\t{}\t{note}", commit.seq, time::show(commit.time))?;
        }
    }
    Ok(())
}
