//! `cargo xtask fuzz [--minutes N] [TARGET…]`: the fuzz targets, on stable and without cargo-fuzz.
//!
//! libFuzzer needs coverage counters in the code and nothing else that a stable compiler lacks;
//! the flags below are what cargo-fuzz passes, less the sanitizers, which need nightly (the code is
//! free of `unsafe`, so that they would have little to find). New inputs go to a working corpus
//! under the target directory; the committed one is read and left as it is.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::sh;

/// The fuzz crate, a workspace of its own.
const MANIFEST: &str = "fuzz/Cargo.toml";

const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Ccodegen-units=1 -Cdebug-assertions";

/// Largest resident memory of a target.
const MAX_RSS_MIB: u32 = 2048;

pub(crate) fn run(args: &[String]) -> Result<()> {
    let (minutes, named) = parse(args)?;
    let known = targets()?;
    if let Some(unknown) = named.iter().find(|name| !known.contains(name)) {
        return Err(format!("no fuzz target {unknown}; there are {}", known.join(", ")));
    }
    let chosen = if named.is_empty() { known } else { named };
    let mut failed = Vec::new();
    for target in chosen {
        sh::run(&mut build(&target)?)?;
        if sh::run(&mut fuzz(&target, minutes)?).is_err() {
            failed.push(target);
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}; the inputs are in fuzz/artifacts", failed.join(", ")))
    }
}

fn parse(args: &[String]) -> Result<(u64, Vec<String>)> {
    let mut minutes = 1;
    let mut named = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--minutes" {
            let value = args.next().ok_or("--minutes needs a number")?;
            minutes = value
                .parse()
                .ok()
                .filter(|minutes| *minutes > 0)
                .ok_or_else(|| format!("--minutes {value}: not a number from 1 on"))?;
        } else if arg.starts_with('-') {
            return Err(format!("unknown option {arg}"));
        } else {
            named.push(arg.clone());
        }
    }
    Ok((minutes, named))
}

/// The programs of the fuzz crate's manifest.
fn targets() -> Result<Vec<String>> {
    let text = fs::read_to_string(sh::root().join(MANIFEST))
        .map_err(|e| format!("cannot read {MANIFEST}: {e}"))?;
    Ok(bins(&text))
}

fn bins(manifest: &str) -> Vec<String> {
    let tables = manifest.split("[[bin]]").skip(1);
    let names =
        tables.filter_map(|table| table.lines().find_map(|line| line.strip_prefix("name = \"")));
    names.map(|name| name.trim_end_matches('"').to_owned()).collect()
}

fn target_dir() -> PathBuf {
    sh::target_dir().join("fuzz")
}

fn build(target: &str) -> Result<Command> {
    let triple = sh::output(sh::program("rustc").args(["--print", "host-tuple"]))?;
    let mut build = sh::cargo("build --release --locked --manifest-path");
    build.arg(MANIFEST);
    // With --target the flags reach the code under test alone, not build scripts and macros.
    build.args(["--bin", target, "--target", triple.trim(), "--target-dir"]).arg(target_dir());
    build.env("RUSTFLAGS", FLAGS);
    Ok(build)
}

fn fuzz(target: &str, minutes: u64) -> Result<Command> {
    let triple = sh::output(sh::program("rustc").args(["--print", "host-tuple"]))?;
    let program = target_dir().join(triple.trim()).join("release").join(target);
    let work = target_dir().join("corpus").join(target);
    let artifacts = sh::root().join("fuzz/artifacts").join(target);
    for dir in [&work, &artifacts] {
        fs::create_dir_all(dir).map_err(|e| format!("cannot create {}: {e}", dir.display()))?;
    }
    let mut run = sh::program(&program.to_string_lossy());
    run.arg(work);
    let seeds = sh::root().join("corpus/fuzz").join(target);
    if seeds.is_dir() {
        run.arg(seeds);
    }
    let dictionary = sh::root().join(format!("fuzz/dictionaries/{target}.dict"));
    if dictionary.is_file() {
        run.arg(format!("-dict={}", dictionary.display()));
    }
    run.arg(format!("-max_total_time={}", minutes * 60))
        .arg(format!("-rss_limit_mb={MAX_RSS_MIB}"));
    run.arg("-timeout=10")
        .arg("-print_final_stats=1")
        .arg(format!("-artifact_prefix={}/", artifacts.display()));
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn arguments_are_read() {
        assert_eq!(parse(&words("")), Ok((1, vec![])));
        assert_eq!(parse(&words("a --minutes 5 b")), Ok((5, words("a b"))));
        assert!(parse(&words("--minutes x")).is_err() && parse(&words("--minutes")).is_err());
        // To libFuzzer no time means no end.
        assert!(parse(&words("--minutes 0")).is_err());
        assert!(parse(&words("--seconds 5")).is_err());
    }

    #[test]
    fn targets_come_from_the_manifest() {
        let manifest = "[package]\nname = \"f\"\n[[bin]]\nname = \"page\"\npath = \"x\"\n\n[[bin]]\ntest = false\nname = \"header\"\n";
        assert_eq!(bins(manifest), ["page", "header"]);
    }
}
