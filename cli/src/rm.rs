//! `hexxladb rm`: deletes a cell or a facet in a commit of its own.

use std::io::Write;
use std::path::PathBuf;

use hexxladb::{Coord, FacetId};

use crate::commit::CommitArgs;
use crate::failure::Failure;
use crate::{place, put};

/// Delete a cell with its facets and the edges that leave it, or with --facet a facet alone
///
/// Earlier states keep what is deleted. Edges are deleted with `hexxladb link --rm`; seams stay
/// and are resolved with `hexxladb seam resolve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    /// The coordinate, for example 3,-1
    #[arg(value_name = "Q,R", value_parser = place::parse, allow_hyphen_values = true)]
    coord: Coord,
    /// Delete this facet alone, 0 to 5
    #[arg(long, value_name = "N", value_parser = put::parse_facet)]
    facet: Option<FacetId>,
    #[command(flatten)]
    commit: CommitArgs,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    args.commit.run(&args.db, out, |tx| {
        let (was_there, what) = match args.facet {
            Some(id) => (tx.delete_facet(args.coord, id)?, format!("facet {id} of the cell")),
            None => (tx.delete_cell(args.coord)?, "cell".to_owned()),
        };
        if was_there {
            return Ok(None);
        }
        Err(Failure::No(format!("no {what} at {}; nothing was changed", args.coord)))
    })
}
