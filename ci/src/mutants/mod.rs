//! `cargo xtask mutants [NAME…]`: the simulator against planted bugs.
//!
//! Each `corpus/mutants/NN-name.patch` plants one bug. It is applied to a copy of the tree, the
//! simulator is built from that, and has [`LIMIT`] to find it. A mutant proves something only if
//! the database works as long as nothing fails, so it first has to pass the same seeds without
//! faults or, where a bug shows without any fault, the engine's examples; and a kill proves something only if the tree without any mutant survives, so that runs
//! first. A run over all mutants writes the table into docs/SIMULATION.md and
//! `target/mutants.json`.

mod lab;
mod report;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Result;
use crate::sh;
use crate::tree;
use lab::Lab;

/// The longest that a mutant may live.
const LIMIT: Duration = Duration::from_mins(1);

/// How long after that the simulator is waited for before it counts as hanging.
const GRACE: Duration = Duration::from_secs(30);

/// Most mutants that may live in the file layer; the rest plant bugs in the engine.
const MAX_IN_VFS: usize = 6;

/// One planted bug.
#[derive(Debug, Clone)]
struct Mutant {
    /// The patch's file name, without its ending.
    name: String,
    /// What the bug is: the patch's first line.
    bug: String,
    patch: PathBuf,
    /// The files that it changes.
    files: Vec<String>,
}

/// What became of a mutant.
#[derive(Debug, Clone, PartialEq)]
enum Fate {
    /// Found after so long, with the simulator's own line about it.
    Killed { seconds: f64, report: String },
    /// Not found in time.
    Survived,
    /// Fails where nothing is injected, so that it says nothing about the simulator.
    ProvesNothing(String),
    /// The patch does not apply, or what it makes does not build.
    Broken(String),
}

pub(crate) fn run(names: &[String]) -> Result<()> {
    let all = mutants(&sh::root().join("corpus/mutants"))?;
    if all.is_empty() {
        return Err("corpus/mutants is empty".into());
    }
    if let Some(unknown) =
        names.iter().find(|name| !all.iter().any(|mutant| mutant.name.starts_with(name.as_str())))
    {
        return Err(format!("no mutant {unknown} in corpus/mutants"));
    }
    let chosen = |mutant: &&Mutant| {
        names.is_empty() || names.iter().any(|name| mutant.name.starts_with(name.as_str()))
    };
    let lab = Lab::new()?;
    println!("==> the tree without a mutant");
    lab.survives_unharmed()?;
    let mut fates = Vec::new();
    for mutant in all.iter().filter(chosen) {
        println!("==> {}: {}", mutant.name, mutant.bug);
        let fate = lab.try_one(mutant)?;
        println!("{}", report::words(&fate));
        fates.push((mutant.clone(), fate));
    }
    println!("\n{}", report::table(&fates));
    if names.is_empty() {
        report::publish(&fates)?;
    }
    verdict(&fates)
}

/// The patches of a directory, in order of their names.
fn mutants(dir: &Path) -> Result<Vec<Mutant>> {
    let mut found = Vec::new();
    for file in tree::files(dir, &[".patch"])? {
        let files = file
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("+++ b/"))
            .map(str::to_owned)
            .collect();
        let bug =
            file.text.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']).to_owned();
        let name = file.path.trim_end_matches(".patch").to_owned();
        found.push(Mutant { name, bug, patch: dir.join(&file.path), files });
    }
    Ok(found)
}

/// Every mutant must die, and not too many live in the file layer.
fn verdict(fates: &[(Mutant, Fate)]) -> Result<()> {
    let alive = fates
        .iter()
        .filter(|(_, fate)| !matches!(fate, Fate::Killed { .. }))
        .map(|(mutant, _)| mutant.name.as_str());
    let alive: Vec<&str> = alive.collect();
    if !alive.is_empty() {
        return Err(format!("not killed: {}", alive.join(", ")));
    }
    let in_vfs = fates
        .iter()
        .filter(|(mutant, _)| mutant.files.iter().any(|file| file.starts_with("vfs/")))
        .count();
    if in_vfs > MAX_IN_VFS {
        return Err(format!("{in_vfs} mutants live in the file layer, more than {MAX_IN_VFS}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn mutant(name: &str, file: &str) -> Mutant {
        Mutant {
            name: name.into(),
            bug: "a | b".into(),
            patch: PathBuf::new(),
            files: vec![file.into()],
        }
    }

    pub(super) fn killed() -> Fate {
        Fate::Killed { seconds: 1.25, report: "seed 3: \"lost\"".into() }
    }

    #[test]
    fn one_that_lives_fails_the_run() {
        assert!(verdict(&[(mutant("01-a", "engine/src/a.rs"), killed())]).is_ok());
        for fate in
            [Fate::Survived, Fate::ProvesNothing(String::new()), Fate::Broken(String::new())]
        {
            let fates = [(mutant("01-a", "x"), killed()), (mutant("02-b", "x"), fate)];
            assert_eq!(verdict(&fates), Err("not killed: 02-b".into()));
        }
    }

    #[test]
    fn few_live_in_the_file_layer() {
        let fates = |count| vec![(mutant("01-a", "vfs/src/real.rs"), killed()); count];
        assert!(verdict(&fates(MAX_IN_VFS)).is_ok());
        assert!(verdict(&fates(MAX_IN_VFS + 1)).is_err());
    }
}
