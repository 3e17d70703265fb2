//! `hexxladb git log`: the imported commits, newest first.

use std::io::Write;
use std::path::PathBuf;

use hexxladb::Commit;
use serde::Serialize;

use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::git::layout::{Format, Note};
use crate::{open_to_read, text, time};

/// List the imported commits, newest first: sequence, commit id, time, subject
///
/// The time is the one that --at reads by. Where the committer's clock ran behind an earlier
/// commit's, the committer's own time follows in brackets.
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
    commit: String,
    time: String,
    committer_time: String,
    subject: &'a str,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let db = open_to_read(&args.db)?;
    Format::require(&*db.snapshot()?)?;
    let commits = db.commits(..)?;
    if args.reverse { print(args, out, commits) } else { print(args, out, commits.rev()) }
}

fn print(
    args: &Args,
    out: &mut dyn Write,
    commits: impl Iterator<Item = hexxladb::Result<Commit>>,
) -> Result<(), Failure> {
    let mut left = args.limit.unwrap_or(usize::MAX);
    for commit in commits {
        if left == 0 {
            break;
        }
        let commit = commit?;
        // Other commits in the file are not of the history; `git verify` reports them.
        let Some(note) = commit.note.as_deref().and_then(Note::parse) else { continue };
        left -= 1;
        if args.json {
            print_line(
                out,
                &Line {
                    seq: commit.seq,
                    commit: note.commit.to_string(),
                    time: time::show(commit.time),
                    committer_time: time::show_seconds(note.committer_secs),
                    subject: &note.subject,
                },
            )?;
            continue;
        }
        let own = if note.committer_time() == commit.time {
            String::new()
        } else {
            format!("[committer {}] ", time::show_seconds(note.committer_secs))
        };
        let subject = text::one_line(&note.subject, 100);
        let time = time::show(commit.time);
        writeln!(out, "{}\t{}\t{time}\t{own}{subject}", commit.seq, note.commit)?;
    }
    Ok(())
}
