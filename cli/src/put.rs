//! `hexxladb put`: one cell, or one facet of it, in a commit of its own.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use hexxladb::{Cell, Coord, Error, Facet, FacetId, Options, Timestamp, Validity, WriteTx};

use crate::commit::{CommitArgs, open_to_write};
use crate::failure::Failure;
use crate::{place, time};

/// Put a cell, or with --facet a facet of the cell that is there
///
/// A cell that is there already is replaced whole; its creation time stays unless --created-at
/// says otherwise.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database; made if there is none
    db: PathBuf,
    /// The coordinate, for example 3,-1
    #[arg(value_name = "Q,R", value_parser = place::parse, allow_hyphen_values = true)]
    coord: Coord,
    /// The text; - reads it from standard input
    #[arg(allow_hyphen_values = true)]
    content: String,
    /// Put this facet, 0 to 5, with the text as what was derived from the cell
    #[arg(
        long,
        value_name = "N",
        value_parser = parse_facet,
        conflicts_with_all = CELL_OPTIONS
    )]
    facet: Option<FacetId>,
    /// Who or what says so
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// How sure, 0 to 1
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    confidence: Option<f64>,
    /// A tag; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// First instant at which it is true
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    valid_from: Option<Timestamp>,
    /// First instant at which it is no longer true
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    valid_to: Option<Timestamp>,
    /// When it was first recorded
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    created_at: Option<Timestamp>,
    /// A hint for placing it near its likes
    #[arg(long, value_name = "TEXT")]
    cluster_hint: Option<String>,
    #[command(flatten)]
    commit: CommitArgs,
}

const CELL_OPTIONS: [&str; 7] =
    ["source", "confidence", "tags", "valid_from", "valid_to", "created_at", "cluster_hint"];

/// Reads the number of a facet.
pub(crate) fn parse_facet(text: &str) -> Result<FacetId, String> {
    let number = text.parse().ok().and_then(|number| FacetId::new(number).ok());
    number.ok_or_else(|| format!("{text:?} is not a facet; facets are numbered 0 to 5"))
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let text = content(&args.content)?;
    // A facet needs a cell: there is no use in making a database for it.
    let db = match args.facet {
        Some(_) => open_to_write(&args.db, args.commit.keeping())?,
        None => args.commit.keeping().open(&args.db, Options::new())?,
    };
    args.commit.run_in(&db, out, |tx| {
        match args.facet {
            Some(id) => put_facet(args, tx, id, text)?,
            None => put_cell(args, tx, text)?,
        }
        Ok(None)
    })
}

fn content(given: &str) -> Result<String, Failure> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    let mut bytes = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| Failure::Input(format!("cannot read standard input: {error}")))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::Input(format!("standard input is not UTF-8 text at byte {at}; cells hold text"))
    })
}

fn put_cell(args: &Args, tx: &mut WriteTx, text: String) -> Result<(), Failure> {
    let now = args.commit.time();
    let before = tx.get_cell(args.coord)?;
    let mut cell = Cell::new(text)
        .with_tags(args.tags.clone())
        .with_source(args.source.clone().unwrap_or_default())
        .with_confidence(args.confidence.unwrap_or(1.0))
        .with_validity(Validity { valid_from: args.valid_from, valid_to: args.valid_to });
    let created = before.map_or(now, |cell| cell.provenance.created_at);
    cell.provenance.created_at = args.created_at.unwrap_or(created);
    cell.provenance.updated_at = now;
    cell.cluster_hint.clone_from(&args.cluster_hint);
    Ok(tx.put_cell(args.coord, &cell)?)
}

fn put_facet(args: &Args, tx: &mut WriteTx, id: FacetId, text: String) -> Result<(), Failure> {
    let coord = args.coord;
    let cell = tx.get_cell(coord)?.ok_or(Error::CellNotFound { coord })?;
    let facet = Facet::of(&cell, text).with_last_rotated(args.commit.time());
    Ok(tx.update_facet(coord, id, &facet)?)
}
