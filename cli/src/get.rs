//! `hexxladb get`: one cell, now or as of a commit, and what hangs on it.

use std::io::Write;
use std::path::PathBuf;

use hexxladb::{Cell, Coord, Provenance, ReadTx, Record, RecordId, Timestamp, Validity};

use crate::at::At;
use crate::cell_json::{CellLine, print_line};
use crate::failure::Failure;
use crate::place::Place;
use crate::record_json::RecordLine;
use crate::{open_to_read, seam, text, time};

/// Print the cell at a coordinate
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    beside: Beside,
    #[command(flatten)]
    at: At,
    /// Print JSON: the cell as ingest reads it, then a line for each facet, edge and seam asked
    /// for
    #[arg(long)]
    json: bool,
}

/// What to print beside the cell.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of the command line")]
struct Beside {
    /// Print its facets, too
    #[arg(long)]
    facets: bool,
    /// Print the edges that leave it and lead to it, too
    #[arg(long)]
    edges: bool,
    /// Print the seams that join it with others, too
    #[arg(long)]
    seams: bool,
    /// Print facets, edges and seams, too
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let coord = args.place.coord()?;
    let db = open_to_read(&args.db)?;
    let snapshot = args.at.snapshot(&db)?;
    let Some(cell) = snapshot.get_cell(coord)? else {
        return Err(Failure::No(format!("no cell at {coord} as of commit {}", snapshot.seq())));
    };
    if args.json {
        print_line(out, &CellLine::new(coord, cell))?;
    } else {
        writeln!(out, "cell        {coord} as of commit {}", snapshot.seq())?;
        print_fields(out, &cell)?;
    }
    for (id, record) in args.beside.read(&snapshot, coord)? {
        if args.json {
            print_line(out, &RecordLine::new(&id, Some(&record))?)?;
        } else {
            print_beside(out, &id, &record)?;
        }
    }
    Ok(())
}

impl Beside {
    /// The records asked for, in the order of their families.
    fn read(&self, tx: &ReadTx, coord: Coord) -> Result<Vec<(RecordId, Record)>, Failure> {
        let mut found = Vec::new();
        if self.facets || self.all {
            for entry in tx.facets_of(coord) {
                let (coord, id, facet) = entry?;
                found.push((RecordId::Facet(coord, id), Record::Facet(facet)));
            }
        }
        if self.edges || self.all {
            for entry in tx.edges_from(coord) {
                let (id, edge) = entry?;
                found.push((RecordId::Edge(id), Record::Edge(edge)));
            }
            for entry in tx.edges_to(coord) {
                let (id, edge) = entry?;
                // An edge to its own beginning stands above.
                if id.from != coord {
                    found.push((RecordId::Edge(id), Record::Edge(edge)));
                }
            }
        }
        if self.seams || self.all {
            for entry in tx.seams_of(coord) {
                let (_, id, seam) = entry?;
                found.push((RecordId::Seam(id), Record::Seam(seam)));
            }
        }
        Ok(found)
    }
}

fn print_beside(out: &mut dyn Write, id: &RecordId, record: &Record) -> Result<(), Failure> {
    match (id, record) {
        (RecordId::Facet(_, id), Record::Facet(facet)) => {
            let text = text::one_line(&facet.derived_content, usize::MAX);
            writeln!(out, "facet {id}     {text}")?;
        }
        (RecordId::Edge(id), Record::Edge(edge)) => {
            let relation = text::one_line(&id.relation, usize::MAX);
            writeln!(out, "edge        {} {relation} {}\tweight {}", id.from, id.to, edge.weight)?;
        }
        (RecordId::Seam(id), Record::Seam(seam)) => {
            writeln!(out, "seam        {id}\t{}", seam::one_line(seam))?;
        }
        _ => {}
    }
    Ok(())
}

/// The fields of a cell, the text last.
fn print_fields(out: &mut dyn Write, cell: &Cell) -> Result<(), Failure> {
    print_provenance(out, &cell.provenance)?;
    print_validity(out, cell.validity)?;
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

/// Where a record comes from, a field a line.
pub(crate) fn print_provenance(
    out: &mut dyn Write,
    provenance: &Provenance,
) -> Result<(), Failure> {
    if !provenance.source_id.is_empty() {
        writeln!(out, "source      {}", text::one_line(&provenance.source_id, usize::MAX))?;
    }
    writeln!(out, "confidence  {}", provenance.confidence)?;
    for (name, time) in [("created", provenance.created_at), ("updated", provenance.updated_at)] {
        // Edges and seams are not stamped.
        if time != Timestamp::default() {
            writeln!(out, "{name}     {}", time::show(time))?;
        }
    }
    Ok(())
}

/// When a record holds, if it does not always.
pub(crate) fn print_validity(out: &mut dyn Write, validity: Validity) -> Result<(), Failure> {
    if validity != Validity::default() {
        let show = |t: Option<_>| t.map_or_else(|| "open".to_owned(), time::show);
        writeln!(out, "valid       {} to {}", show(validity.valid_from), show(validity.valid_to))?;
    }
    Ok(())
}
