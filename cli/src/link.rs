//! `hexxladb link`: puts or deletes an edge in a commit of its own.

use std::io::Write;
use std::path::PathBuf;

use hexxladb::Coord;

use crate::commit::CommitArgs;
use crate::failure::Failure;
use crate::{place, text};

/// Link one cell to another, or with --rm take the link away
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    /// Where the edge begins, for example 3,-1
    #[arg(value_parser = place::parse, allow_hyphen_values = true)]
    from: Coord,
    /// Where it leads
    #[arg(value_parser = place::parse, allow_hyphen_values = true)]
    to: Coord,
    /// Its relation type
    relation: String,
    /// How strong it is
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1.0,
        allow_hyphen_values = true,
        conflicts_with = "rm"
    )]
    weight: f64,
    /// Delete the edge
    #[arg(long)]
    rm: bool,
    #[command(flatten)]
    commit: CommitArgs,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let (from, to, relation) = (args.from, args.to, args.relation.as_str());
    args.commit.run(&args.db, out, |tx| {
        if !args.rm {
            tx.link_cells(from, to, relation, args.weight)?;
        } else if !tx.delete_edge(from, to, relation)? {
            let relation = text::one_line(relation, usize::MAX);
            return Err(Failure::No(format!(
                "no edge {relation} from {from} to {to}; nothing was changed"
            )));
        }
        Ok(None)
    })
}
