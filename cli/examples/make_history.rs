//! Makes a bare git repository of many commits, for trying the demo on:
//!
//! ```sh
//! cargo run --release -p hexxladb-cli --example make_history -- /tmp/history.git 2000
//! cargo run --release -p hexxladb-cli -- demo --repo /tmp/history.git
//! ```

use std::path::Path;
use std::process::ExitCode;

#[path = "../tests/support/history.rs"]
mod history;

use history::Hash;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u32>().ok();
    let (dir, commits, seed, hash) = match words[..] {
        [dir] => (dir, Some(1_000), Some(1), Some(Hash::Sha1)),
        [dir, commits] => (dir, number(commits), Some(1), Some(Hash::Sha1)),
        [dir, commits, seed] => (dir, number(commits), number(seed), Some(Hash::Sha1)),
        [dir, commits, seed, "sha256"] => (dir, number(commits), number(seed), Some(Hash::Sha256)),
        _ => ("", None, None, None),
    };
    let (Some(commits), Some(seed), Some(hash)) = (commits, seed, hash) else {
        eprintln!("usage: make_history NEW_DIRECTORY [COMMITS [SEED [sha256]]]");
        return ExitCode::from(2);
    };
    if Path::new(dir).exists() {
        eprintln!("error: {dir} exists already; name a new directory");
        return ExitCode::from(2);
    }
    match history::make_repository(Path::new(dir), commits, seed.into(), hash) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
