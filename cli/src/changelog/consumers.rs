//! `hexxladb changelog consumers`: the durable positions, and how far each is behind.

use std::io::Write;
use std::path::PathBuf;

use hexxladb::{Db, Error};

use super::state::Consumer;
use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::keeping::open_kept;
use crate::{open_to_read, text};

/// List the consumers with how far each is behind, remove one, let pruning wait for one
///
/// `changelog tail --consumer` makes them. Segments that a consumer has not read are not trimmed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    /// Remove this one
    #[arg(long, value_name = "NAME", conflicts_with_all = ["hold", "release"])]
    remove: Option<String>,
    /// Let pruning wait for this one: the states that it has not read of stay
    #[arg(long, value_name = "NAME", conflicts_with = "release")]
    hold: Option<String>,
    /// Let pruning no longer wait for this one
    #[arg(long, value_name = "NAME")]
    release: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let consumers = match change(args) {
        None => Consumer::all(&open_to_read(&args.db)?)?,
        Some((name, change)) => {
            let db = open_kept(&args.db, |changelog| changelog)?;
            let done = known(&db, name).and_then(|()| change(&db, name));
            let done = done.and_then(|()| Consumer::all(&db));
            // Closed cleanly whatever came; the first failure is the one to tell.
            let closed = db.close().map_err(Failure::from);
            done.and_then(|consumers| closed.map(|()| consumers))?
        }
    };
    for consumer in &consumers {
        if args.json {
            print_line(out, consumer)?;
        } else {
            let name = text::one_line(&consumer.name, usize::MAX);
            writeln!(out, "{name}\t{}", consumer.show())?;
        }
    }
    Ok(())
}

type Change = fn(&Db, &str) -> Result<(), Failure>;

/// Whom to change, and how.
fn change(args: &Args) -> Option<(&str, Change)> {
    let remove: Change = |db, name| Ok(db.remove_changelog_consumer(name).map(drop)?);
    let hold: Change = |db, name| Ok(db.changelog_consumer(name)?.hold_floor(true)?);
    let release: Change = |db, name| Ok(db.changelog_consumer(name)?.hold_floor(false)?);
    let changes = [(&args.remove, remove), (&args.hold, hold), (&args.release, release)];
    changes.into_iter().find_map(|(name, change)| Some((name.as_deref()?, change)))
}

/// Asking the engine for a consumer would make one.
fn known(db: &Db, name: &str) -> Result<(), Failure> {
    if db.changelog_consumers()?.iter().any(|consumer| consumer.name == name) {
        return Ok(());
    }
    Err(Error::ChangelogConsumerNotFound { name: name.to_owned() }.into())
}
