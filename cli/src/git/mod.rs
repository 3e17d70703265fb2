//! `hexxladb git`: the history of a git repository in a database, and the way back.
//!
//! Who does what: [`repo`] runs the git program, [`batch`] reads objects through it, [`diff`]
//! compares trees through it; [`spiral`], [`places`], [`renames`], [`object`] and [`quote`] only
//! compute; [`layout`] is how a history lies in a database; the other modules are a command each.

pub(crate) mod batch;
pub(crate) mod cat;
pub(crate) mod compare;
pub(crate) mod content;
pub(crate) mod diff;
pub(crate) mod import;
pub(crate) mod import_commit;
pub(crate) mod layout;
pub(crate) mod log;
pub(crate) mod ls;
pub(crate) mod object;
pub(crate) mod pairs;
pub(crate) mod places;
pub(crate) mod quote;
pub(crate) mod releases;
pub(crate) mod renames;
pub(crate) mod repo;
pub(crate) mod select;
pub(crate) mod spiral;
pub(crate) mod trees;
pub(crate) mod verify;

use std::io::Write;

use crate::failure::Failure;
use crate::stop::{self, Stop};

/// Keep the history of a git repository in a database and travel in it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Import(import::Args),
    Verify(verify::Args),
    Log(log::Args),
    Ls(ls::Args),
    Cat(cat::Args),
}

pub(crate) fn run(args: Args, out: &mut dyn Write) -> Result<(), Failure> {
    if matches!(args.command, Command::Log(_) | Command::Ls(_) | Command::Cat(_)) {
        stop::at_once()?;
    }
    match args.command {
        Command::Import(args) => {
            let stop = Stop::between_commits()?;
            stop.excuse(import::run(&args, out, &stop))
        }
        Command::Verify(args) => {
            let stop = Stop::between_commits()?;
            stop.excuse(verify::run(&args, out, &stop))
        }
        Command::Log(args) => log::run(&args, out),
        Command::Ls(args) => ls::run(&args, out),
        Command::Cat(args) => cat::run(&args, out),
    }
}
