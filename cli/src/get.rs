//! `hexxladb get`: one cell, now or as of a commit.

use std::io::Write;
use std::path::PathBuf;

use hexxladb::{Cell, Coord};

use crate::at::At;
use crate::cell_json::{CellLine, print_line};
use crate::failure::Failure;
use crate::{open_to_read, text, time};

/// Print the cell at a coordinate
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
    #[command(flatten)]
    at: At,
    /// Print one JSON object, as ingest reads it
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let coord = Coord::new(args.q, args.r).map_err(|error| Failure::Usage(error.to_string()))?;
    let db = open_to_read(&args.db)?;
    let snapshot = args.at.snapshot(&db)?;
    let Some(cell) = snapshot.get_cell(coord)? else {
        return Err(Failure::No(format!("no cell at {coord} as of commit {}", snapshot.seq())));
    };
    if args.json {
        return print_line(out, &CellLine::new(coord, cell));
    }
    writeln!(out, "cell        {coord} as of commit {}", snapshot.seq())?;
    print_fields(out, &cell)
}

/// The fields of a cell, the text last.
pub(crate) fn print_fields(out: &mut dyn Write, cell: &Cell) -> Result<(), Failure> {
    let source = &cell.provenance;
    if !source.source_id.is_empty() {
        writeln!(out, "source      {}", text::one_line(&source.source_id, usize::MAX))?;
    }
    writeln!(out, "confidence  {}", source.confidence)?;
    writeln!(out, "created     {}", time::show(source.created_at))?;
    writeln!(out, "updated     {}", time::show(source.updated_at))?;
    let validity = cell.validity;
    if validity.valid_from.is_some() || validity.valid_to.is_some() {
        let show = |t: Option<_>| t.map_or_else(|| "open".to_owned(), time::show);
        writeln!(out, "valid       {} to {}", show(validity.valid_from), show(validity.valid_to))?;
    }
    if !cell.tags.is_empty() {
        let tags: Vec<_> = cell.tags.iter().map(|tag| text::one_line(tag, usize::MAX)).collect();
        writeln!(out, "tags        {}", tags.join(", "))?;
    }
    if let Some(hint) = &cell.cluster_hint {
        writeln!(out, "cluster     {}", text::one_line(hint, usize::MAX))?;
    }
    writeln!(out, "text        {}\n", text::size(cell.raw_content.len() as u64))?;
    writeln!(out, "{}", text::lines(&cell.raw_content))?;
    Ok(())
}
