//! The simulator's command line. Exit status 0 says that nothing failed, 1 that something did, 2
//! that the command was not understood.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    hexxladb_sim::runner::quiet_panics();
    match cli::Args::parse().run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("hexxladb-sim: {error}");
            ExitCode::from(2)
        }
    }
}
