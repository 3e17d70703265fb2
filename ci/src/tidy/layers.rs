//! Inside the engine, a lower module never imports a higher one, and none import each other in a
//! ring.
//!
//! [`LAYERS`] is the whole order, lowest first; modules of one layer may use one another one way.
//! Names that `lib.rs` re-exports count as the module that they come from. Tests are excepted.

use std::collections::{BTreeMap, BTreeSet};

use super::modules::Reach;
use super::syntax;
use super::{Tree, Violation};
use crate::tree::Source;

/// The modules of `engine/src`, lowest layer first. Every module has its place here.
const LAYERS: [&[&str]; 11] = [
    &["ids", "error", "time", "sync", "probe", "cancel"],
    &["record", "lattice", "keys", "limits", "options", "stats"],
    &["format", "crypto"],
    &["pager", "btree", "wal"],
    &["bytes", "chain", "content", "timeline", "changelog", "changes"],
    &["core"],
    &["tx", "index", "maintenance", "checkpoint", "create", "recovery"],
    &[
        "segments",
        "entries",
        "commits",
        "tags",
        "consumers",
        "replica",
        "repair",
        "diff",
        "dump",
        "history",
        "prune",
        "compact",
        "backup",
        "check",
        "salvage",
    ],
    &["db", "scheduler"],
    &["fuzzing"],
    &["lib"],
];

const ENGINE: &str = "engine/src/";

pub(crate) fn check(tree: &Tree, reach: &Reach) -> Vec<Violation> {
    let Some(lib) = tree.rust.iter().find(|source| source.path == "engine/src/lib.rs") else {
        return Vec::new();
    };
    let exports = re_exports(lib);
    let mut found = unplaced(lib);
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in &tree.rust {
        let Some(inside) = source.path.strip_prefix(ENGINE) else { continue };
        let Some(own) = layer_of(module_of(inside)) else { continue };
        if reach.get(&source.path) == Some(&true) {
            continue;
        }
        for (at, name) in imports(source, inside) {
            let name = exports.get(&name).unwrap_or(&name);
            let Some(theirs) = layer_of(name) else { continue };
            if theirs > own {
                let what = format!("{} imports {name}, which lies above it", module_of(inside));
                found.push(Violation::new(&source.path, source.line(at), what));
            }
            uses.entry(placed(module_of(inside))).or_default().insert(placed(name));
        }
    }
    found.extend(rings(&uses));
    found
}

/// The top module that a file below `engine/src` belongs to.
fn module_of(inside: &str) -> &str {
    inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The table's own spelling of a module's name, empty if it has no place.
fn placed(module: &str) -> &'static str {
    LAYERS
        .iter()
        .flat_map(|layer| layer.iter())
        .find(|name| **name == module)
        .copied()
        .unwrap_or_default()
}

/// Modules that the table forgets.
fn unplaced(lib: &Source) -> Vec<Violation> {
    let code = syntax::without_tests(&lib.code);
    let missing = |module: &syntax::Mod| layer_of(&module.name).is_none();
    let what =
        |name: &str| format!("module {name} has no place in LAYERS of ci/src/tidy/layers.rs");
    let mods = syntax::mods(&code).into_iter().filter(missing);
    mods.map(|module| Violation::new(&lib.path, lib.line(module.at), what(&module.name))).collect()
}

/// What `lib.rs` re-exports: name to module.
fn re_exports(lib: &Source) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for path in syntax::paths(&syntax::without_tests(&lib.code)) {
        let mut parts = path.parts.iter().filter(|part| *part != "crate" && *part != "self");
        if let (Some(module), Some(name)) = (parts.next(), path.parts.last())
            && layer_of(module).is_some()
            && module != name
        {
            exports.insert(name.clone(), module.clone());
        }
    }
    exports
}

/// The names at the crate's root that a file uses, through `crate::` or a chain of `super::`.
fn imports(source: &Source, inside: &str) -> Vec<(usize, String)> {
    let code = syntax::without_tests(&source.code);
    let mut depth = inside.split('/').count();
    if inside.ends_with("/mod.rs") {
        depth -= 1;
    }
    let mut found = Vec::new();
    for path in syntax::paths(&code) {
        let supers = path.parts.iter().take_while(|part| *part == "super").count();
        let skip = match path.parts[0].as_str() {
            "crate" => 1,
            "super" if supers >= depth => supers,
            _ => continue,
        };
        if let Some(name) = path.parts.get(skip) {
            found.push((path.at, name.clone()));
        }
    }
    found
}

/// Modules that reach themselves through others.
fn rings(uses: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<Violation> {
    let mut found = Vec::new();
    for start in uses.keys() {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&str> = uses[start].iter().copied().filter(|to| to != start).collect();
        while let Some(module) = next.pop() {
            if seen.insert(module) {
                next.extend(
                    uses.get(module).into_iter().flatten().copied().filter(|to| *to != module),
                );
            }
        }
        if seen.contains(start) {
            let ring: Vec<&str> = seen
                .into_iter()
                .filter(|m| uses.get(m).is_some_and(|to| to.contains(start)))
                .collect();
            let what = format!(
                "{start} is in a ring of imports: {} uses it, and it leads there",
                ring.join(", ")
            );
            found.push(Violation::new(&format!("{ENGINE}{start}"), 1, what));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(files: &[(&str, &str)]) -> Vec<String> {
        let mut all = vec![("engine/Cargo.toml", "")];
        all.extend_from_slice(files);
        let tree = Tree::of(&all);
        check(&tree, &Reach::new()).into_iter().map(|v| format!("{}: {}", v.path, v.what)).collect()
    }

    #[test]
    fn a_lower_module_that_imports_a_higher_one_is_seen() {
        let lib = ("engine/src/lib.rs", "mod db; mod pager; mod keys; pub use db::Db;");
        for code in [
            "use crate::{keys::Key, db::Db};",
            "fn f(d: &crate::Db) {}",
            "use super::super::db;",
            "super::super::Db::open()",
        ] {
            let found = whats(&[lib, ("engine/src/pager/cache.rs", code)]);
            assert_eq!(
                found,
                ["engine/src/pager/cache.rs: pager imports db, which lies above it"],
                "{code}"
            );
        }
        let found = whats(&[lib, ("engine/src/keys.rs", "use super::pager;")]);
        assert_eq!(found, ["engine/src/keys.rs: keys imports pager, which lies above it"]);
    }

    #[test]
    fn what_goes_down_passes() {
        let lib = (
            "engine/src/lib.rs",
            "mod db; mod pager; mod keys; pub use db::Db; pub use keys::Key;",
        );
        let fine = [
            lib,
            ("engine/src/db/open.rs", "use super::State; use crate::pager::Pager;"),
            ("engine/src/pager/mod.rs", "use super::keys; mod cache; use cache::Cache;"),
            (
                "engine/src/pager/cache.rs",
                "use super::super::keys; use super::super::super::x; use crate::Key;",
            ),
            (
                "engine/src/keys.rs",
                "/// [`crate::Db`]\n#[cfg(test)] mod tests { use crate::db::Db; }",
            ),
        ];
        assert_eq!(whats(&fine), [""; 0]);
    }

    #[test]
    fn a_ring_within_a_layer_is_seen() {
        let lib = ("engine/src/lib.rs", "mod wal; mod pager;");
        let one_way = [lib, ("engine/src/wal.rs", "use crate::pager::P;")];
        assert_eq!(whats(&one_way), [""; 0]);
        let ring = [
            lib,
            ("engine/src/wal.rs", "use crate::pager::P;"),
            ("engine/src/pager.rs", "use crate::wal::W;"),
        ];
        assert_eq!(whats(&ring).len(), 2, "{:?}", whats(&ring));
        assert!(whats(&ring)[0].contains("in a ring of imports"));
    }

    #[test]
    fn a_module_without_a_place_is_seen() {
        let found = whats(&[("engine/src/lib.rs", "mod gadget; #[cfg(test)] mod model;")]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("module gadget has no place"), "{found:?}");
    }
}
