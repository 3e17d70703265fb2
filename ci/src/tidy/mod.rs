//! House rules that neither rustc nor clippy knows.
//!
//! Each rule is a function from the tree's files to the violations that it found, in a file of
//! its own, with tests that plant one. All violations are reported, not the first.

mod bans;
mod crates;
mod docs;
mod files;
mod layers;
mod modules;
mod syntax;

use std::path::Path;

use crate::Result;
use crate::sh;
use crate::tree::{self, File, Source};

/// A broken rule: where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl Violation {
    pub(crate) fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

/// What the rules look at.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) rust: Vec<Source>,
    pub(crate) markdown: Vec<File>,
    pub(crate) manifests: Vec<File>,
    /// The paths of all files, these and others.
    pub(crate) all: Vec<String>,
}

impl Tree {
    /// The tree below `root`.
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let rust = tree::files(root, &[".rs"])?.into_iter().map(Source::new).collect();
        Ok(Self {
            rust,
            markdown: tree::files(root, &[".md"])?,
            manifests: tree::files(root, &["Cargo.toml"])?,
            all: tree::paths(root)?,
        })
    }

    /// A file or a directory.
    pub(crate) fn exists(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let below = |file: &String| {
            file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        path.is_empty() || path == "." || self.all.iter().any(below)
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file =
            |(path, text): &(&str, &str)| File { path: (*path).into(), text: (*text).into() };
        let ending = |end: &'static str| move |(path, _): &&(&str, &str)| path.ends_with(end);
        Self {
            rust: files.iter().filter(ending(".rs")).map(|f| Source::new(file(f))).collect(),
            markdown: files.iter().filter(ending(".md")).map(file).collect(),
            manifests: files.iter().filter(ending("Cargo.toml")).map(file).collect(),
            all: files.iter().map(|(path, _)| (*path).to_owned()).collect(),
        }
    }
}

/// All violations of all rules, in order of file and line.
pub(crate) fn violations(tree: &Tree) -> Vec<Violation> {
    let reach = modules::reach(tree);
    let mut found = files::check(tree);
    found.extend(modules::dead_files(tree, &reach));
    found.extend(bans::check(tree, &reach));
    found.extend(layers::check(tree, &reach));
    found.extend(crates::check(tree));
    found.extend(docs::check(tree));
    found.sort();
    found.dedup();
    found
}

/// The command: prints what is wrong and fails if anything is.
pub(crate) fn run() -> Result<()> {
    let tree = Tree::load(sh::root())?;
    let found = violations(&tree);
    for violation in &found {
        println!("{}:{}: {}", violation.path, violation.line, violation.what);
    }
    println!(
        "tidy: {} Rust files, {} documents, {} violations",
        tree.rust.len(),
        tree.markdown.len(),
        found.len()
    );
    if found.is_empty() { Ok(()) } else { Err(format!("{} house rules broken", found.len())) }
}
