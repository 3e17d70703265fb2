//! `cargo xtask …`: every check that the workspace has, behind one program.
//!
//! People and CI run the same commands; the workflow files only call them. The program depends on
//! the standard library alone, so that it is built in a moment and never stands in the way of
//! the check it is about to make.

mod check;
mod features;
mod fuzz;
mod mutants;
mod package;
mod sh;
mod spec;
mod steps;
mod tidy;
mod tree;

use std::process::ExitCode;

/// What went wrong, as the line that is shown. Every command ends with one or with nothing.
pub(crate) type Result<T> = std::result::Result<T, String>;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  check [STEP…]            everything below that CI runs, or just the named steps; --list names them.
                           REQUIRE_ALL=1: a part that cannot run here is a failure
  tidy                     house rules: layers, headers, dead files, bans, links
  spec                     docs/SPEC.md with the tests that prove each promise
  feature-matrix           lints every combination of the library's features
  package                  runs the quickstart from what cargo package makes
  mutants [NAME…]          plants each bug of corpus/mutants and reports which the simulator finds
  fuzz [--minutes N] [TARGET…]
                           runs the fuzz targets on stable, without cargo-fuzz (default 1 minute each)";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest = args.get(1..).unwrap_or_default();
    let result = match args.first().map(String::as_str) {
        Some("check") => check::run(rest),
        Some("tidy") => tidy::run(),
        Some("spec") => spec::run(),
        Some("feature-matrix") => features::run(),
        Some("package") => package::run(),
        Some("mutants") => mutants::run(rest),
        Some("fuzz") => fuzz::run(rest),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
