//! Commands and their options.

mod commands;
mod watch;

use std::error::Error;
use std::ops::Range;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Proves HexxlaDB: crashes, failing and lying disks, against a reference model.
#[derive(Debug, Parser)]
#[command(name = "hexxladb-sim", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

/// Options of every command that searches.
#[derive(Clone, Debug, clap::Args)]
struct Common {
    /// Worker threads.
    #[arg(long, default_value_t = default_threads())]
    threads: usize,
    /// No faults and no crashes: what runs at all must run well.
    #[arg(long)]
    no_faults: bool,
    /// Write the report as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Directory for reproduction files.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs plans drawn by seed.
    Run {
        /// Seeds to run, as in 0..1000.
        #[arg(long, value_parser = parse_seeds)]
        seeds: Range<u64>,
        /// Run each plan a second time and compare.
        #[arg(long)]
        check_determinism: bool,
        /// Write the hash of each seed's run, a line each.
        #[arg(long, value_name = "FILE")]
        hash: Option<PathBuf>,
        /// Go on after a failure.
        #[arg(long)]
        keep_going: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Tries every crash state of short scripts.
    Exhaustive {
        /// Only these scripts.
        #[arg(long, value_name = "NAME")]
        script: Vec<String>,
        /// List the scripts.
        #[arg(long)]
        list: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Runs reproduction files.
    Replay {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print operations, file operations and faults side by side.
        #[arg(long)]
        trace: bool,
    },
    /// Cuts a failing reproduction file down.
    Shrink {
        /// The file.
        file: PathBuf,
        /// Where to write the smaller one; beside the file when not given.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Runs seeds for a time.
    Soak {
        /// Minutes to run.
        #[arg(long)]
        minutes: u64,
        /// First seed.
        #[arg(long, default_value_t = 1_000_000)]
        from: u64,
        #[command(flatten)]
        common: Common,
    },
    /// A share of everything, within a time.
    Smoke {
        /// Seconds to run.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        #[command(flatten)]
        common: Common,
    },
}

impl Args {
    /// Runs the command; says whether all went well.
    pub(crate) fn run(self) -> Result<bool, Box<dyn Error>> {
        match self.command {
            Command::Run { seeds, check_determinism, hash, keep_going, common } => {
                commands::run(&common, seeds, (check_determinism, keep_going), hash.as_deref())
            }
            Command::Exhaustive { list: true, .. } => {
                commands::list_scripts();
                Ok(true)
            }
            Command::Exhaustive { script, common, .. } => commands::exhaustive(&common, &script),
            Command::Replay { files, trace } => commands::replay(&files, trace),
            Command::Shrink { file, out } => commands::shrink_file(&file, out.as_deref()),
            Command::Soak { minutes, from, common } => commands::soak(&common, minutes, from),
            Command::Smoke { seconds, common } => commands::smoke(&common, seconds),
        }
    }
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).min(8)
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let range =
        text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range.filter(|range| range.start < range.end).ok_or_else(|| "write A..B with A < B".to_owned())
}
