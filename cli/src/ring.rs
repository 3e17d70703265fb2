//! `hexxladb ring`: the cells around a coordinate, ring by ring.

use std::io::Write;
use std::path::PathBuf;

use hexxladb::{Coord, FacetId, Record, RecordId, RingFilter, Timestamp};
use serde::Serialize;

use crate::at::At;
use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::record_json::RecordLine;
use crate::{open_to_read, place, put, text, time};

/// Largest radius: the cost follows the area, here three million places. `ls` lists all cells.
pub(crate) const MAX_RADIUS: i64 = 1000;

/// List the cells around a coordinate, from the center outwards
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    /// The coordinate in the middle, for example 3,-1
    #[arg(value_parser = place::parse, allow_hyphen_values = true)]
    center: Coord,
    /// How many steps away from it, at most 1000
    #[arg(value_parser = clap::value_parser!(u32).range(0..=MAX_RADIUS))]
    radius: u32,
    /// Only cells that are valid at this time
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    valid_at: Option<Timestamp>,
    /// Only cells that have this facet, 0 to 5
    #[arg(long, value_name = "N", value_parser = put::parse_facet)]
    facet: Option<FacetId>,
    #[command(flatten)]
    at: At,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    distance: u32,
    #[serde(flatten)]
    record: RecordLine<'a>,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let db = open_to_read(&args.db)?;
    let snapshot = args.at.snapshot(&db)?;
    let mut filter = RingFilter::default();
    (filter.valid_at, filter.facet) = (args.valid_at, args.facet);
    for entry in snapshot.walk_ring_with(args.center, args.radius, filter) {
        let (coord, cell) = entry?;
        let distance = args.center.distance(coord);
        if args.json {
            let (id, cell) = (RecordId::Cell(coord), Record::Cell(cell));
            let record = RecordLine::new(&id, Some(&cell))?;
            print_line(out, &Line { distance, record })?;
        } else {
            writeln!(out, "{distance}\t{coord}\t{}", text::summary(&cell))?;
        }
    }
    Ok(())
}
