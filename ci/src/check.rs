//! `cargo xtask check`: what anyone runs before a commit and what CI runs, step by step.
//!
//! The quick steps come first. All share one target directory, so that each dependency is built
//! once per profile.

use std::process::Command;

use crate::Result;
use crate::sh;
use crate::steps::{self, Outcome, Step};
use crate::{features, package, spec, tidy, tree};

/// The features that ordinary steps build with; `features` builds every combination.
const FEATURES: &str = "hexxladb/serde,hexxladb/tracing,hexxladb-sinks/nats,hexxladb-sinks/kafka,\
    hexxladb-cli/nats,hexxladb-cli/kafka";

/// What every lint ends with.
const DENY_WARNINGS: [&str; 3] = ["--", "-D", "warnings"];

/// Seeds whose trace hash must come out the same in every process and profile.
const DETERMINISM_SEEDS: &str = "0..64";

/// How long the simulator's smoke run takes.
const SMOKE_SECONDS: u32 = 60;

const STEPS: &[Step] = &[
    Step { name: "tools", what: "programs that some tests need", run: tools },
    Step { name: "fmt", what: "formatting", run: fmt },
    Step { name: "tidy", what: "house rules", run: |_| passed(tidy::run()) },
    Step { name: "spec", what: "a test for each promise", run: |_| passed(spec::check()) },
    Step { name: "clippy", what: "lints of all targets, warnings denied", run: clippy },
    Step {
        name: "features",
        what: "every combination of features, alone",
        run: |_| passed(features::run()),
    },
    Step { name: "rivals", what: "the comparison with other engines builds", run: rivals },
    Step { name: "fuzz", what: "the fuzz targets build and lint clean", run: fuzz },
    Step { name: "test", what: "tests of all packages", run: test },
    Step { name: "doctest", what: "examples in the documentation", run: doctest },
    Step { name: "doc", what: "the documentation builds, warnings denied", run: doc },
    Step { name: "examples", what: "the engine's examples run", run: examples },
    Step { name: "plans", what: "what the simulator once found stays fixed", run: plans },
    Step { name: "determinism", what: "a seed is the same run everywhere", run: determinism },
    Step { name: "smoke", what: "the simulator, for a minute", run: smoke },
    Step {
        name: "package",
        what: "what would be published works outside",
        run: |_| passed(package::run()),
    },
];

pub(crate) fn run(args: &[String]) -> Result<()> {
    if args.iter().any(|arg| arg == "--list") {
        for step in STEPS {
            println!("{:<12} {}", step.name, step.what);
        }
        return Ok(());
    }
    if let Some(unknown) = args.iter().find(|arg| !STEPS.iter().any(|step| step.name == **arg)) {
        return Err(format!("no step {unknown}; `cargo xtask check --list` names them"));
    }
    let chosen: Vec<&Step> = STEPS
        .iter()
        .filter(|step| args.is_empty() || args.iter().any(|a| a == step.name))
        .collect();
    let require_all = std::env::var("REQUIRE_ALL").is_ok_and(|value| value == "1");
    steps::run_all(&chosen, require_all)
}

fn passed(result: Result<()>) -> Result<Outcome> {
    result.map(|()| Outcome::Passed)
}

/// Some tests drive other programs and are skipped where these are missing.
#[expect(clippy::unnecessary_wraps, reason = "all steps have one shape")]
fn tools(_: &mut Vec<String>) -> Result<Outcome> {
    let wanted =
        [("git", "--version"), ("strace", "-o /dev/null true"), ("nats-server", "--version")];
    let missing = wanted.iter().filter(|(name, words)| !sh::works(name, words));
    let missing: Vec<&str> = missing.map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Ok(Outcome::Passed);
    }
    Ok(Outcome::Skipped(format!("the tests that need {} cannot run here", missing.join(", "))))
}

fn fmt(_: &mut Vec<String>) -> Result<Outcome> {
    sh::run(&mut sh::cargo("fmt --all --check"))?;
    passed(sh::run(&mut sh::cargo("fmt --all --check --manifest-path fuzz/Cargo.toml")))
}

fn clippy(_: &mut Vec<String>) -> Result<Outcome> {
    let mut clippy = sh::cargo("clippy --quiet --locked --workspace --all-targets --features");
    passed(sh::run(clippy.arg(FEATURES).args(DENY_WARNINGS)))
}

fn rivals(_: &mut Vec<String>) -> Result<Outcome> {
    let mut clippy = sh::cargo("clippy --quiet --locked --package hexxladb-benches --all-targets");
    passed(sh::run(clippy.args(["--features", "rivals"]).args(DENY_WARNINGS)))
}

fn fuzz(_: &mut Vec<String>) -> Result<Outcome> {
    let mut clippy =
        sh::cargo("clippy --quiet --locked --manifest-path fuzz/Cargo.toml --all-targets");
    // Built beside the workspace, what both need is built once.
    passed(sh::run(clippy.arg("--target-dir").arg(sh::target_dir()).args(DENY_WARNINGS)))
}

/// Nextest where it is installed, cargo's own runner where not.
fn test(closing: &mut Vec<String>) -> Result<Outcome> {
    let mut test = if sh::works("cargo", "nextest --version") {
        sh::cargo("nextest run --locked --workspace --no-fail-fast --features")
    } else {
        sh::cargo("test --locked --workspace --no-fail-fast --lib --bins --tests --features")
    };
    passed(run_tests(test.arg(FEATURES), closing))
}

fn doctest(closing: &mut Vec<String>) -> Result<Outcome> {
    let mut test = sh::cargo("test --locked --workspace --no-fail-fast --doc --features");
    passed(run_tests(test.arg(FEATURES), closing))
}

/// Runs tests and takes down the lines that the runner ends with.
fn run_tests(command: &mut Command, closing: &mut Vec<String>) -> Result<()> {
    let is_closing =
        |line: &str| line.starts_with("test result:") || line.trim_start().starts_with("Summary [");
    let (lines, result) = sh::run_keeping(command, is_closing);
    closing.extend(lines);
    result
}

fn doc(_: &mut Vec<String>) -> Result<Outcome> {
    let mut doc = sh::cargo("doc --quiet --locked --workspace --no-deps --lib --features");
    passed(sh::run(doc.arg(FEATURES).env("RUSTDOCFLAGS", "-D warnings")))
}

fn examples(_: &mut Vec<String>) -> Result<Outcome> {
    let files = tree::paths(&sh::root().join("engine/examples"))?;
    for name in files.iter().filter_map(|file| file.strip_suffix(".rs")) {
        sh::run(sh::cargo("run --quiet --locked --package hexxladb --example").arg(name))?;
    }
    if files.is_empty() { Err("engine/examples is empty".into()) } else { Ok(Outcome::Passed) }
}

/// The simulator, built for release.
fn simulator(words: &str) -> Command {
    sh::cargo(&format!("run --quiet --release --locked --package hexxladb-sim -- {words}"))
}

fn plans(_: &mut Vec<String>) -> Result<Outcome> {
    let dir = sh::root().join("corpus/plans");
    let files = tree::paths(&dir)?;
    if files.is_empty() {
        return Err("corpus/plans is empty".into());
    }
    passed(sh::run(simulator("replay").args(files.iter().map(|file| dir.join(file)))))
}

/// The same seeds in two processes of one build and in one of another: equal trace hashes.
fn determinism(_: &mut Vec<String>) -> Result<Outcome> {
    let place = sh::target_dir().join("determinism");
    std::fs::create_dir_all(&place)
        .map_err(|e| format!("cannot create {}: {e}", place.display()))?;
    let debug = sh::cargo("run --quiet --locked --package hexxladb-sim --");
    let runs = [("release", simulator("")), ("release-again", simulator("")), ("debug", debug)];
    let mut hashes = Vec::new();
    for (name, mut command) in runs {
        let file = place.join(name);
        sh::run(command.args(["run", "--seeds", DETERMINISM_SEEDS, "--hash"]).arg(&file))?;
        let text = std::fs::read_to_string(&file)
            .map_err(|e| format!("cannot read {}: {e}", file.display()))?;
        hashes.push((name, text));
    }
    passed(all_equal(&hashes))
}

/// Fails on the first line in which two runs differ, and on runs that say nothing.
fn all_equal(runs: &[(&str, String)]) -> Result<()> {
    let Some(((first, expected), others)) = runs.split_first() else {
        return Err("nothing ran".into());
    };
    if expected.lines().count() == 0 {
        return Err(format!("{first} wrote no hash"));
    }
    for (name, text) in others {
        if text.lines().count() != expected.lines().count() {
            return Err(format!("{first} and {name} ran different numbers of seeds"));
        }
        if let Some((a, b)) = expected.lines().zip(text.lines()).find(|(a, b)| a != b) {
            return Err(format!("not deterministic: {first} has {a}, {name} has {b}"));
        }
    }
    Ok(())
}

fn smoke(_: &mut Vec<String>) -> Result<Outcome> {
    passed(sh::run(&mut simulator(&format!("smoke --seconds {SMOKE_SECONDS}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hash_that_differs_is_seen() {
        let run = |name, text: &str| (name, text.to_owned());
        assert!(all_equal(&[run("a", "0 x\n1 y\n"), run("b", "0 x\n1 y\n")]).is_ok());
        let error = all_equal(&[run("a", "0 x\n1 y\n"), run("b", "0 x\n1 z\n")]).unwrap_err();
        assert!(error.contains("a has 1 y, b has 1 z"), "{error}");
        assert!(all_equal(&[run("a", "0 x\n"), run("b", "")]).is_err());
        assert!(all_equal(&[run("a", ""), run("b", "")]).is_err());
    }

    #[test]
    fn a_step_that_does_not_exist_is_refused() {
        let error = run(&["fmt".into(), "tset".into()]).unwrap_err();
        assert!(error.contains("tset"), "{error}");
    }
}
