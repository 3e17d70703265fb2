//! The `hexxladb` program: one command per file, and this one that picks the command.
//!
//! What always holds: standard output carries only a command's result, everything else goes to
//! standard error; nothing panics on a closed pipe; the exit code says how it ended (see
//! [`failure`]).

mod at;
mod cell_json;
mod check;
mod demo;
mod dump;
mod failure;
mod get;
mod git;
mod history;
mod ingest;
mod log;
mod ls;
mod progress;
mod stats;
mod stop;
mod text;
mod time;

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hexxladb::{Db, Options};

use crate::failure::Failure;
use crate::stop::Stop;

#[derive(Debug, Parser)]
#[command(
    name = "hexxladb",
    version,
    about = "Look into HexxlaDB databases, fill them, and travel through the history of a git repository",
    max_term_width = 100,
    after_long_help = failure::EXIT_CODES
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Git(git::Args),
    Get(get::Args),
    Ls(ls::Args),
    Log(log::Args),
    History(history::Args),
    Stats(stats::Args),
    Dump(dump::Args),
    Check(check::Args),
    Ingest(ingest::Args),
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    let result = run(command, &mut out);
    // What was found before a failure is still the command's result.
    let flushed = out.flush().map_err(Failure::from);
    match result.and(flushed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

impl Command {
    /// Whether a signal may end it anywhere; the others look for the signal themselves.
    fn only_reads(&self) -> bool {
        !matches!(self, Self::Demo(_) | Self::Git(_) | Self::Ingest(_))
    }
}

fn run(command: Command, out: &mut dyn Write) -> Result<(), Failure> {
    if command.only_reads() {
        stop::at_once()?;
    }
    match command {
        Command::Demo(args) => {
            let stop = Stop::between_commits()?;
            stop.excuse(demo::run(&args, out, &stop))
        }
        Command::Git(args) => git::run(args, out),
        Command::Get(args) => get::run(&args, out),
        Command::Ls(args) => ls::run(&args, out),
        Command::Log(args) => log::run(&args, out),
        Command::History(args) => history::run(&args, out),
        Command::Stats(args) => stats::run(&args, out),
        Command::Dump(args) => dump::run(&args, out),
        Command::Check(args) => check::run(&args, out),
        Command::Ingest(args) => ingest::run(&args, out, &Stop::between_commits()?),
    }
}

/// Opens an existing database for a command that only reads: no byte of it changes.
fn open_to_read(path: &Path) -> Result<Db, Failure> {
    Ok(Db::open(path, Options::new().create_if_missing(false).read_only(true))?)
}
