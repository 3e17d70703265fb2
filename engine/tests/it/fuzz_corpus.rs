//! The fuzz targets over their committed inputs, on a stable compiler: whatever once broke
//! something stays fixed.

#![expect(clippy::disallowed_methods, reason = "the corpus lies in real files")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, panic};

use hexxladb::fuzzing::{TARGETS, Target};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Runs a target over all its inputs; a failure names every input that fails.
fn replay(name: &str, target: Target) {
    let inputs = files(&root().join("corpus/fuzz").join(name));
    assert!(!inputs.is_empty(), "corpus/fuzz/{name} is empty");
    let fails = |input: &&PathBuf| {
        let bytes = fs::read(input).unwrap();
        panic::catch_unwind(|| target(&bytes)).is_err()
    };
    let failed: Vec<_> = inputs.iter().filter(fails).collect();
    assert!(failed.is_empty(), "{name} fails on {failed:#?}");
}

#[test]
fn every_input_of_the_corpus_passes() {
    for (name, target) in TARGETS {
        replay(name, target);
    }
}

#[test]
fn targets_programs_and_inputs_go_together() {
    let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let stems = |dir: &str| -> BTreeSet<_> {
        let stem = |file: &PathBuf| file.file_stem().unwrap().to_str().unwrap().to_owned();
        files(&root().join(dir)).iter().map(stem).collect()
    };
    assert_eq!(stems("corpus/fuzz"), names);
    assert_eq!(stems("fuzz/fuzz_targets"), names);
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    for name in &names {
        assert!(manifest.contains(&format!("[[bin]]\nname = \"{name}\"\n")), "{name}");
    }
}

/// The targets hold up on what no input was made for: every byte alone, and some of each length.
#[test]
fn short_inputs_pass() {
    for (name, target) in TARGETS {
        target(&[]);
        for byte in 0..=u8::MAX {
            target(&[byte]);
        }
        if !["open", "ops", "changelog"].contains(&name) {
            (0..600).for_each(|len| target(&vec![1; len]));
        }
    }
}
