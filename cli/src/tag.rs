//! `hexxladb tag`: names for states, which keep them from being pruned.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::at;
use crate::cell_json::print_line;
use crate::commit::open_to_write;
use crate::failure::Failure;
use crate::keeping::Keeping;
use crate::{open_to_read, text};

/// Name states, list the names, delete them
///
/// A name stands wherever a commit is asked for, and keeps its state from being pruned.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Name the newest state, or the one that --at names
    Create {
        /// The database
        db: PathBuf,
        /// The name
        name: String,
        /// The commit to name: a sequence, a time, or another tag
        #[arg(long, value_name = "SEQ|TIME|TAG", allow_hyphen_values = true)]
        at: Option<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        keeping: Keeping,
    },
    /// List the names
    List {
        /// The database
        db: PathBuf,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Delete a name; the state stays as long as nothing prunes it
    Delete {
        /// The database
        db: PathBuf,
        /// The name
        name: String,
        #[command(flatten)]
        keeping: Keeping,
    },
}

#[derive(Serialize)]
struct Line<'a> {
    tag: &'a str,
    commit: u64,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.command {
        Command::Create { db, name, at, json, keeping } => {
            let db = open_to_write(db, *keeping)?;
            let done = (|| match at {
                Some(at) => Ok(db.tag_snapshot_at(name, at::sequence(&db, at)?)?),
                None => Ok(db.tag_snapshot(name)?),
            })();
            let closed = db.close().map_err(Failure::from);
            let commit = done.and_then(|commit| closed.map(|()| commit))?;
            print(out, *json, name, commit)
        }
        Command::List { db, json } => {
            for tag in open_to_read(db)?.snapshot_tags()? {
                print(out, *json, &tag.name, tag.seq)?;
            }
            Ok(())
        }
        Command::Delete { db, name, keeping } => {
            let db = open_to_write(db, *keeping)?;
            let done = db.delete_snapshot_tag(name).map_err(Failure::from);
            let closed = db.close().map_err(Failure::from);
            if done.and_then(|was_there| closed.map(|()| was_there))? {
                return Ok(());
            }
            Err(hexxladb::Error::SnapshotTagNotFound { name: name.clone() }.into())
        }
    }
}

fn print(out: &mut dyn Write, json: bool, tag: &str, commit: u64) -> Result<(), Failure> {
    if json {
        return print_line(out, &Line { tag, commit });
    }
    writeln!(out, "{}\tcommit {commit}", text::one_line(tag, usize::MAX))?;
    Ok(())
}
