//! Where bugs are planted, one after the other. Between two of them the copy equals the tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::watch::watch;
use super::{Fate, GRACE, LIMIT, Mutant, report};
use crate::Result;
use crate::sh;
use crate::tree;

/// A copy of the tree to plant bugs in, with a target directory that outlives them.
pub(super) struct Lab {
    tree: PathBuf,
    target: PathBuf,
}

impl Lab {
    pub(super) fn new() -> Result<Self> {
        let base = sh::target_dir().join("mutants");
        let lab = Self { tree: base.join("tree"), target: base.join("build") };
        lab.copy(sh::root())?;
        Ok(lab)
    }

    /// Makes the copy equal to the tree at `from`. Files that are equal already keep their times, so
    /// that cargo builds no more than it must.
    fn copy(&self, from: &Path) -> Result<()> {
        let wanted = tree::paths(from)?;
        if self.tree.exists() {
            for path in tree::paths(&self.tree)? {
                if wanted.binary_search(&path).is_err() {
                    fs::remove_file(self.tree.join(&path))
                        .map_err(|e| format!("cannot remove {path}: {e}"))?;
                }
            }
        }
        for path in &wanted {
            let bytes =
                fs::read(from.join(path)).map_err(|e| format!("cannot read {path}: {e}"))?;
            let to = self.tree.join(path);
            if fs::read(&to).is_ok_and(|present| present == bytes) {
                continue;
            }
            let dir = to.parent().unwrap_or(&self.tree);
            fs::create_dir_all(dir)
                .and_then(|()| fs::write(&to, bytes))
                .map_err(|e| format!("cannot write {path}: {e}"))?;
        }
        Ok(())
    }

    /// The tree as it is passes everything that a mutant is put through.
    pub(super) fn survives_unharmed(&self) -> Result<()> {
        self.build()?;
        let failed = match self.fails_seeds_without_faults()? {
            None => self.fails_examples()?,
            failed => failed,
        };
        if let Some(report) = failed {
            return Err(format!("the tree itself fails without faults: {report}"));
        }
        match self.hunt()? {
            Fate::Survived => Ok(()),
            other => Err(format!("the tree itself fails: {}", report::words(&other))),
        }
    }

    /// Plants a bug, lets the simulator look for it, and takes it out again.
    pub(super) fn try_one(&self, mutant: &Mutant) -> Result<Fate> {
        let fate = self.plant_and_hunt(mutant);
        self.copy(sh::root())?;
        fate
    }

    fn plant_and_hunt(&self, mutant: &Mutant) -> Result<Fate> {
        if let Err(why) = sh::output(&mut self.apply(&mutant.patch)) {
            return Ok(Fate::Broken(format!("the patch does not apply: {why}")));
        }
        if self.build().is_err() {
            return Ok(Fate::Broken("what the patch makes does not build".into()));
        }
        match self.fails_without_faults()? {
            Some(report) => Ok(Fate::ProvesNothing(report)),
            None => self.hunt(),
        }
    }

    fn apply(&self, patch: &Path) -> Command {
        let mut git = sh::program("git");
        // The copy lies inside of the repository that it was made from; git must not find that.
        git.current_dir(&self.tree)
            .env("GIT_CEILING_DIRECTORIES", self.tree.parent().unwrap_or(&self.tree));
        git.args(["apply", "--whitespace=nowarn"]).arg(patch);
        git
    }

    fn build(&self) -> Result<()> {
        let mut build = sh::cargo("build --quiet --release --locked --package hexxladb-sim");
        build.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target);
        // A planted bug may leave something unused behind.
        build.env("RUSTFLAGS", "--cap-lints=warn");
        sh::run(&mut build)
    }

    fn simulator(&self, words: &str) -> Command {
        let mut command = Command::new(self.target.join("release/hexxladb-sim"));
        command
            .current_dir(&self.tree)
            .args(words.split_whitespace())
            .arg("--out")
            .arg(self.target.join("found"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    /// What fails where nothing is injected, if the mutant proves nothing: a bug that seeds find
    /// without faults must at least be one that the examples do not.
    fn fails_without_faults(&self) -> Result<Option<String>> {
        if self.fails_seeds_without_faults()?.is_none() { Ok(None) } else { self.fails_examples() }
    }

    /// Which of the engine's examples does not run, if any.
    fn fails_examples(&self) -> Result<Option<String>> {
        for path in tree::paths(&self.tree.join("engine/examples"))? {
            let Some(name) = path.strip_suffix(".rs") else { continue };
            let mut run = sh::cargo("run --quiet --locked --package hexxladb --example");
            run.arg(name).current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target);
            run.env("RUSTFLAGS", "--cap-lints=warn").stdout(Stdio::null());
            if let Err(why) = sh::run(&mut run) {
                return Ok(Some(format!("example {name}: {why}")));
            }
        }
        Ok(None)
    }

    /// What a run of seeds without faults complains of, if anything.
    fn fails_seeds_without_faults(&self) -> Result<Option<String>> {
        let end = watch(&mut self.simulator("run --seeds 0..200 --no-faults"), LIMIT + GRACE)?;
        Ok((!end.passed()).then(|| end.report()))
    }

    /// Exhaustive and random modes, until one finds something or the time is over.
    fn hunt(&self) -> Result<Fate> {
        let words = format!("smoke --seconds {}", LIMIT.as_secs());
        let end = watch(&mut self.simulator(&words), LIMIT + GRACE)?;
        Ok(match end.status {
            None => Fate::Survived,
            Some(status) if status.success() => Fate::Survived,
            Some(status) if status.code() == Some(2) => {
                return Err(format!("bad usage of the simulator: {}", end.output));
            }
            Some(_) => Fate::Killed { seconds: end.took.as_secs_f64(), report: end.report() },
        })
    }
}
