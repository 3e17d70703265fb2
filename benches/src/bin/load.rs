//! `load`: the figures that the records of `HexxlaDB` must reach at size. See `benches/README.md`.

use std::process::ExitCode;

use clap::Parser;
use hexxladb_benches::load::Arguments;

fn main() -> ExitCode {
    match Arguments::parse().run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}
