//! `compare`: `HexxlaDB` side by side with other embedded stores. See `benches/README.md`.

use std::process::ExitCode;

use clap::Parser;
use hexxladb_benches::cli::Arguments;

fn main() -> ExitCode {
    match Arguments::parse().run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}
