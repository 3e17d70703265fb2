//! `hexxladb git cat`: the bytes of one file in a state.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::PathBuf;

use hexxladb::ReadTx;

use crate::failure::Failure;
use crate::git::content::{self, Kept, Stored};
use crate::git::layout::{altered, parse_coord, path_key};
use crate::git::quote::quoted;
use crate::git::select::At;
use crate::open_to_read;

/// Print the bytes of a file; of a symbolic link, its target
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    /// The path, from the root of the repository
    path: OsString,
    #[command(flatten)]
    at: At,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let db = open_to_read(&args.db)?;
    let snapshot = args.at.snapshot(&db)?;
    print(&snapshot, &bytes_of(&args.path), out)
}

fn print(tx: &ReadTx, path: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
    let missing =
        || Failure::No(format!("there is no file {} as of commit {}", quoted(path), tx.seq()));
    let key = path_key(path);
    let Some(text) = tx.get(&key)? else { return Err(missing()) };
    let not_a_file = |what| altered(&String::from_utf8_lossy(&key), what);
    let coord = parse_coord(&text).ok_or_else(|| not_a_file("it names no coordinate"))?;
    let Some(cell) = tx.get_cell(coord)? else { return Err(missing()) };
    let kept = Kept::of(&cell).ok_or_else(|| not_a_file("its cell is not a file"))?;
    match kept.stored {
        Stored::Text => out.write_all(cell.raw_content.as_bytes())?,
        Stored::Bytes => content::read_pieces(tx, coord, &kept, |piece| Ok(out.write_all(piece)?))?,
        Stored::Hash => {
            return Err(Failure::No(format!(
                "{} was too large to keep; only its hash is there: {}",
                quoted(path),
                cell.raw_content
            )));
        }
    }
    Ok(())
}

#[cfg(unix)]
fn bytes_of(path: &OsStr) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(path).to_vec()
}

#[cfg(not(unix))]
fn bytes_of(path: &OsStr) -> Vec<u8> {
    path.to_string_lossy().into_owned().into_bytes()
}
