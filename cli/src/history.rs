//! `hexxladb history`: every version of one cell, newest first, deletions included.

use std::io::Write;
use std::path::PathBuf;

use hexxladb::{Cell, Coord, Record, Timestamp};
use serde::Serialize;

use crate::cell_json::{CellLine, print_line};
use crate::failure::Failure;
use crate::{open_to_read, text, time};

/// List the versions of a cell, newest first
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    /// Axial coordinate q
    #[arg(allow_negative_numbers = true)]
    q: i32,
    /// Axial coordinate r
    #[arg(allow_negative_numbers = true)]
    r: i32,
    /// Print one JSON object a line; a deletion has null for its cell
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    seq: u64,
    time: String,
    time_nanos: Option<i64>,
    cell: Option<CellLine>,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let coord = Coord::new(args.q, args.r).map_err(|error| Failure::Usage(error.to_string()))?;
    let db = open_to_read(&args.db)?;
    let mut versions = 0_u64;
    for version in db.history(coord)? {
        let version = version?;
        versions += 1;
        let cell = match version.record {
            Some(Record::Cell(cell)) => Some(cell),
            _ => None,
        };
        let time = time::show_known(version.time);
        if args.json {
            let time_nanos = version.time.map(Timestamp::as_nanos);
            let cell = cell.map(|cell| CellLine::new(coord, cell));
            print_line(out, &Line { seq: version.seq, time, time_nanos, cell })?;
        } else {
            writeln!(out, "{}\t{time}\t{}", version.seq, summary(cell.as_ref()))?;
        }
    }
    if versions == 0 {
        return Err(Failure::No(format!("no cell was ever at {coord}")));
    }
    Ok(())
}

fn summary(cell: Option<&Cell>) -> String {
    match cell {
        None => "deleted".to_owned(),
        Some(cell) => format!(
            "{}\t{}",
            text::size(cell.raw_content.len() as u64),
            text::one_line(&cell.raw_content, 60)
        ),
    }
}
