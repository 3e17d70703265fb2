//! `hexxladb ls`: every cell of a state, in the lattice's order.

use std::io::Write;
use std::path::PathBuf;

use crate::at::At;
use crate::cell_json::{CellLine, print_line};
use crate::failure::Failure;
use crate::{open_to_read, text};

/// List the cells, one a line
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    #[command(flatten)]
    at: At,
    /// Print one JSON object a line, as ingest reads it
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let db = open_to_read(&args.db)?;
    let snapshot = args.at.snapshot(&db)?;
    for entry in snapshot.cells(..) {
        let (coord, cell) = entry?;
        if args.json {
            print_line(out, &CellLine::new(coord, cell))?;
            continue;
        }
        writeln!(out, "{coord}\t{}", text::summary(&cell))?;
    }
    Ok(())
}
