//! `hexxladb git ls`: the paths of a state, in the order of their bytes.

use std::io::Write;
use std::path::PathBuf;

use hexxladb::ReadTx;

use crate::failure::Failure;
use crate::git::content::Kept;
use crate::git::layout::{Format, name_key};
use crate::git::places;
use crate::git::quote::quoted;
use crate::git::select::At;
use crate::open_to_read;

/// List the paths of a state, one a line
///
/// Paths with control characters, quotes, backslashes or bytes outside ASCII are quoted as git
/// quotes them; -z prints every path as it is.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    #[command(flatten)]
    at: At,
    /// End each path with a zero byte and quote nothing
    #[arg(short = 'z')]
    zero: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let db = open_to_read(&args.db)?;
    let snapshot = args.at.snapshot(&db)?;
    for path in paths(&snapshot)? {
        if args.zero {
            out.write_all(&path)?;
            out.write_all(b"\0")?;
        } else {
            writeln!(out, "{}", quoted(&path))?;
        }
    }
    Ok(())
}

/// The paths of the files in this state, sorted.
pub(crate) fn paths(tx: &ReadTx) -> Result<Vec<Vec<u8>>, Failure> {
    let mut paths = Vec::new();
    // Before the first commit there is no history, and no file of one.
    if Format::read(tx)?.is_none() {
        return Ok(paths);
    }
    for entry in tx.cells(..places::beyond_files()?) {
        let (coord, cell) = entry?;
        // Other cells in the file are not of the history; `git verify` reports them.
        if Kept::of(&cell).is_none() {
            continue;
        }
        if let Some(path) = tx.get(name_key(coord))? {
            paths.push(path.to_vec());
        }
    }
    paths.sort_unstable();
    Ok(paths)
}
