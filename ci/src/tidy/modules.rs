//! Which file a build reaches, and whether only tests do.
//!
//! From the roots of each package (libraries, programs, tests, examples, benches, fuzz targets)
//! along `mod name;`. A file that nothing reaches is dead: cargo never compiles it, so nothing in
//! it is true for long.

use std::collections::BTreeMap;

use super::syntax::{self, Mod};
use super::{Tree, Violation};
use crate::tree::Source;

/// The files that some build compiles; `true` for those that only tests do.
pub(crate) type Reach = BTreeMap<String, bool>;

/// Follows every root of every package.
pub(crate) fn reach(tree: &Tree) -> Reach {
    let mut reach = Reach::new();
    for manifest in &tree.manifests {
        let dir = manifest.path.trim_end_matches("Cargo.toml");
        for source in &tree.rust {
            let Some(inside) = source.path.strip_prefix(dir) else { continue };
            let named = manifest.text.contains(&format!("path = \"{inside}\""));
            if is_root(inside) || named {
                let for_tests =
                    ["tests/", "examples/", "benches/"].iter().any(|d| inside.starts_with(d));
                follow(tree, source, true, for_tests, &mut reach);
            }
        }
    }
    reach
}

/// Files that no build reaches.
pub(crate) fn dead_files(tree: &Tree, reach: &Reach) -> Vec<Violation> {
    let dead = |source: &&Source| !reach.contains_key(&source.path);
    let what = "no `mod` leads here: declare it or delete it";
    tree.rust.iter().filter(dead).map(|source| Violation::new(&source.path, 1, what)).collect()
}

/// Whether cargo finds this path of a package by itself.
fn is_root(inside: &str) -> bool {
    let parts: Vec<&str> = inside.split('/').collect();
    match parts.as_slice() {
        ["build.rs"]
        | ["src", "lib.rs" | "main.rs"]
        | ["src", "bin", _]
        | ["src", "bin", _, "main.rs"] => true,
        ["tests" | "examples" | "benches" | "fuzz_targets", rest @ ..] => {
            rest.len() == 1 || matches!(rest, [_, "main.rs"])
        }
        _ => false,
    }
}

fn follow(tree: &Tree, source: &Source, is_root: bool, for_tests: bool, reach: &mut Reach) {
    if reach.get(&source.path).is_some_and(|only_tests| !only_tests || for_tests) {
        return;
    }
    reach.insert(source.path.clone(), for_tests);
    for module in syntax::mods(&source.code) {
        let for_tests = for_tests || syntax::is_for_tests(&source.code, module.at);
        for path in candidates(source, is_root, &module) {
            if let Some(next) = tree.rust.iter().find(|other| other.path == path) {
                follow(tree, next, false, for_tests, reach);
            }
        }
    }
}

/// Where the file of a module declared in `source` may be.
fn candidates(source: &Source, is_root: bool, module: &Mod) -> Vec<String> {
    let (dir, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    if let Some(path) = path_attribute(source, module) {
        return vec![normal(&format!("{dir}/{path}"))];
    }
    let base = if is_root || file == "mod.rs" {
        dir.to_owned()
    } else {
        format!("{dir}/{}", file.trim_end_matches(".rs"))
    };
    vec![format!("{base}/{}.rs", module.name), format!("{base}/{}/mod.rs", module.name)]
}

/// What `#[path = "…"]` right before a declaration says.
fn path_attribute<'a>(source: &'a Source, module: &Mod) -> Option<&'a str> {
    let before = source.code[..module.at].rfind([';', '}', '{']).map_or(0, |end| end + 1);
    let attributes = &source.text[before..module.at];
    attributes.split_once("#[path = \"")?.1.split('"').next()
}

/// A path without its `..`.
pub(crate) fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead(files: &[(&str, &str)]) -> Vec<String> {
        let tree = Tree::of(files);
        dead_files(&tree, &reach(&tree)).into_iter().map(|v| v.path).collect()
    }

    #[test]
    fn a_file_without_a_mod_is_dead() {
        let files = [
            ("a/Cargo.toml", ""),
            ("a/src/lib.rs", "mod b;"),
            ("a/src/b.rs", "mod c;"),
            ("a/src/b/c.rs", ""),
            ("a/src/d.rs", "// mod e;"),
            ("a/src/e.rs", "mod b;"),
            ("a/tests/it/main.rs", "mod common; #[path = \"../shared.rs\"] mod s;"),
            ("a/tests/it/common.rs", ""),
            ("a/tests/it/lost.rs", ""),
            ("loose.rs", ""),
        ];
        assert_eq!(dead(&files), ["a/src/d.rs", "a/src/e.rs", "a/tests/it/lost.rs", "loose.rs"]);
    }

    #[test]
    fn programs_with_a_path_of_their_own_are_roots() {
        let manifest = "[[bin]]\nname = \"x\"\npath = \"src/bin/deep/x.rs\"\n";
        assert!(dead(&[("a/Cargo.toml", manifest), ("a/src/bin/deep/x.rs", "")]).is_empty());
        assert!(!dead(&[("a/Cargo.toml", ""), ("a/src/bin/deep/x.rs", "")]).is_empty());
    }

    #[test]
    fn files_for_tests_alone_are_known() {
        let tree = Tree::of(&[
            ("a/Cargo.toml", ""),
            ("a/src/lib.rs", "mod b; #[cfg(test)]\nmod model;"),
            ("a/src/b.rs", "#[cfg(test)] mod tests;"),
            ("a/src/model.rs", ""),
            ("a/src/b/tests.rs", ""),
        ]);
        let only_tests: Vec<String> =
            reach(&tree).into_iter().filter(|(_, t)| *t).map(|(p, _)| p).collect();
        assert_eq!(only_tests, ["a/src/b/tests.rs", "a/src/model.rs"]);
    }
}
