//! The `hexxladb` program: one command per file, and this one that picks the command.
//!
//! What always holds: standard output carries only a command's result, everything else goes to
//! standard error; nothing panics on a closed pipe; the exit code says how it ended (see
//! [`failure`]).

mod at;
mod cell_json;
mod changelog;
mod check;
mod commit;
mod demo;
mod diff;
mod dump;
mod export;
mod failure;
mod get;
mod git;
mod history;
mod import;
mod ingest;
mod input;
mod jsonl;
mod keeping;
mod link;
mod log;
mod ls;
mod map;
mod place;
mod policy;
mod progress;
mod prune;
mod put;
mod record_json;
mod replicate;
mod ring;
mod rm;
mod scan;
mod seam;
mod stats;
mod stop;
mod tag;
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
    Put(put::Args),
    Get(get::Args),
    Rm(rm::Args),
    Link(link::Args),
    Seam(seam::Args),
    Ring(ring::Args),
    Scan(scan::Args),
    Ls(ls::Args),
    Log(log::Args),
    History(history::Args),
    Diff(diff::Args),
    Tag(tag::Args),
    Map(map::Args),
    Stats(stats::Args),
    Prune(prune::Args),
    Dump(dump::Args),
    Check(check::Args),
    Ingest(ingest::Args),
    Export(export::Args),
    Import(import::Args),
    Changelog(changelog::Args),
    Replicate(replicate::Args),
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
    /// Whether a signal may end it anywhere: it reads, or makes one commit, which is there whole
    /// or not at all. The others look for the signal themselves.
    fn may_end_anywhere(&self) -> bool {
        !matches!(
            self,
            Self::Demo(_)
                | Self::Git(_)
                | Self::Ingest(_)
                | Self::Import(_)
                | Self::Prune(_)
                | Self::Changelog(_)
                | Self::Replicate(_)
        )
    }
}

fn run(command: Command, out: &mut dyn Write) -> Result<(), Failure> {
    if command.may_end_anywhere() {
        stop::at_once()?;
    }
    match command {
        Command::Demo(args) => {
            let stop = Stop::between_commits()?;
            stop.excuse(demo::run(&args, out, &stop))
        }
        Command::Git(args) => git::run(args, out),
        Command::Put(args) => put::run(&args, out),
        Command::Get(args) => get::run(&args, out),
        Command::Rm(args) => rm::run(&args, out),
        Command::Link(args) => link::run(&args, out),
        Command::Seam(args) => seam::run(args, out),
        Command::Ring(args) => ring::run(&args, out),
        Command::Scan(args) => scan::run(&args, out),
        Command::Ls(args) => ls::run(&args, out),
        Command::Log(args) => log::run(&args, out),
        Command::History(args) => history::run(&args, out),
        Command::Diff(args) => diff::run(&args, out),
        Command::Tag(args) => tag::run(&args, out),
        Command::Map(args) => map::run(&args, out),
        Command::Prune(args) => prune::run(&args, out, &Stop::between_commits()?),
        Command::Stats(args) => stats::run(&args, out),
        Command::Dump(args) => dump::run(&args, out),
        Command::Check(args) => check::run(&args, out),
        Command::Ingest(args) => ingest::run(&args, out, &Stop::between_commits()?),
        Command::Export(args) => export::run(&args, out),
        Command::Import(args) => import::run(&args, out, &Stop::between_commits()?),
        Command::Changelog(args) => changelog::run(&args, out),
        Command::Replicate(args) => replicate::run(&args, out, &Stop::between_commits()?),
    }
}

/// Opens an existing database for a command that only reads: no byte of it changes.
fn open_to_read(path: &Path) -> Result<Db, Failure> {
    Ok(Db::open(path, Options::new().create_if_missing(false).read_only(true))?)
}
