//! `hexxladb history`: every version of one cell, newest first, deletions included.

use std::io::Write;
use std::path::PathBuf;

use hexxladb::{Cell, Record, Timestamp};
use serde::Serialize;

use crate::cell_json::{CellLine, print_line};
use crate::failure::Failure;
use crate::place::Place;
use crate::{open_to_read, text, time};

/// List the versions of a cell, newest first
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Print one JSON object a line; a deletion has null for its cell
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    seq: u64,
    /// `null` where pruning has removed the commit from the timeline.
    time: Option<String>,
    time_nanos: Option<i64>,
    cell: Option<CellLine>,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let coord = args.place.coord()?;
    let db = open_to_read(&args.db)?;
    let mut versions = 0_u64;
    for version in db.history(coord)? {
        let version = version?;
        versions += 1;
        let cell = match version.record {
            Some(Record::Cell(cell)) => Some(cell),
            _ => None,
        };
        if args.json {
            let time = version.time.map(time::show);
            let time_nanos = version.time.map(Timestamp::as_nanos);
            let cell = cell.map(|cell| CellLine::new(coord, cell));
            print_line(out, &Line { seq: version.seq, time, time_nanos, cell })?;
        } else {
            let time = time::show_known(version.time);
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
