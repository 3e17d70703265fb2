//! What the packages may depend on.
//!
//! The direction of the workspace (`vfs ← engine ← sim ← fuzz`; `sinks` on engine, `cli` on sinks,
//! engine and vfs, `benches` on engine and vfs; nothing on `cli`, `ci`, `benches`), the closed list of the library's dependencies, and the
//! workspace's lints in every member.

use super::{Tree, Violation};
use crate::tree::File;

/// For each package's directory, the packages of this workspace that it may use.
const DIRECTION: [(&str, &[&str]); 8] = [
    // The file layer's own tests ask for its feature.
    ("vfs", &["hexxladb-vfs"]),
    ("engine", &["hexxladb-vfs"]),
    ("sinks", &["hexxladb"]),
    ("sim", &["hexxladb-vfs", "hexxladb"]),
    ("fuzz", &["hexxladb-vfs", "hexxladb", "hexxladb-sim"]),
    ("cli", &["hexxladb-vfs", "hexxladb", "hexxladb-sinks"]),
    ("benches", &["hexxladb-vfs", "hexxladb"]),
    ("ci", &[]),
];

/// The names that count as this workspace's own.
const OWN: [&str; 8] = [
    "hexxladb",
    "hexxladb-vfs",
    "hexxladb-sinks",
    "hexxladb-sim",
    "hexxladb-cli",
    "hexxladb-benches",
    "hexxladb-fuzz",
    "xtask",
];

/// For the published packages, and for the program that must be built in a moment: every other
/// dependency that they may have. `ARCHITECTURE.md` says what each is for.
const ALLOWED: [(&str, &[&str]); 3] = [
    (
        "engine",
        &[
            "arc-swap",
            "crc32fast",
            "quick_cache",
            "serde",
            "sha2",
            "smallvec",
            "thiserror",
            "tracing",
            "ulid",
            "xxhash-rust",
        ],
    ),
    ("vfs", &["getrandom", "rand_chacha", "rand_core", "rustix", "xxhash-rust"]),
    ("ci", &[]),
];

/// What the tests of those packages may use besides.
const ALLOWED_IN_TESTS: [&str; 5] = ["insta", "proptest", "serde_json", "tempfile", "tokio"];

/// Packages with lints of their own, each with its reason.
const OWN_LINTS: [(&str, &str); 2] = [
    ("benches", "LMDB can be opened only through an unsafe function"),
    ("fuzz", "a workspace of its own"),
];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for manifest in &tree.manifests {
        let Some(dir) = manifest.path.strip_suffix("/Cargo.toml") else { continue };
        let Some((_, own)) = DIRECTION.iter().find(|(name, _)| *name == dir) else {
            let what = format!("package {dir} has no place in DIRECTION of ci/src/tidy/crates.rs");
            found.push(Violation::new(&manifest.path, 1, what));
            continue;
        };
        for dependency in dependencies(manifest) {
            if let Some(what) = complaint(dir, own, &dependency) {
                found.push(Violation::new(&manifest.path, dependency.line, what));
            }
        }
        let excepted = OWN_LINTS.iter().any(|(name, _)| *name == dir);
        if !excepted && !inherits_lints(manifest) {
            found.push(Violation::new(
                &manifest.path,
                1,
                "take the workspace's lints: `[lints] workspace = true`",
            ));
        }
    }
    found
}

/// One line of a table of dependencies.
#[derive(Debug, PartialEq, Eq)]
struct Dependency {
    line: usize,
    package: String,
    for_tests: bool,
}

fn complaint(dir: &str, own: &[&str], dependency: &Dependency) -> Option<String> {
    let name = dependency.package.as_str();
    if OWN.contains(&name) {
        let fine = own.contains(&name);
        return (!fine)
            .then(|| format!("{dir} may not depend on {name}: that points the wrong way"));
    }
    let (_, allowed) = ALLOWED.iter().find(|(package, _)| *package == dir)?;
    let fine = allowed.contains(&name) || dependency.for_tests && ALLOWED_IN_TESTS.contains(&name);
    (!fine).then(|| {
        format!("{dir} may not depend on {name}: it is not in ALLOWED of ci/src/tidy/crates.rs")
    })
}

/// The dependencies of a manifest, of every kind and target.
fn dependencies(manifest: &File) -> Vec<Dependency> {
    let mut found = Vec::new();
    let mut table = "";
    for (index, line) in manifest.text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[') {
            table = name.trim_end_matches(']');
            if let Some((kind, package)) = table.rsplit_once("dependencies.") {
                let for_tests = kind.ends_with("dev-");
                found.push(Dependency {
                    line: index + 1,
                    package: package.trim_matches('"').into(),
                    for_tests,
                });
            }
        } else if table.ends_with("dependencies")
            && let Some((key, value)) = line.split_once('=')
            && !line.starts_with('#')
        {
            let key = key.trim().split('.').next().unwrap_or_default().trim_matches('"');
            let renamed =
                value.split_once("package = \"").and_then(|(_, rest)| rest.split('"').next());
            let package = renamed.unwrap_or(key).to_owned();
            found.push(Dependency {
                line: index + 1,
                package,
                for_tests: table.ends_with("dev-dependencies"),
            });
        }
    }
    found
}

fn inherits_lints(manifest: &File) -> bool {
    let after = manifest.text.split_once("[lints]").map_or("", |(_, rest)| rest);
    after
        .lines()
        .take_while(|line| !line.starts_with('['))
        .any(|line| line.replace(' ', "") == "workspace=true")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(path: &str, dependencies: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"x\"\n{dependencies}\n[lints]\nworkspace = true\n");
        check(&Tree::of(&[(path, &text)]))
            .into_iter()
            .map(|v| format!("{}: {}", v.line, v.what))
            .collect()
    }

    #[test]
    fn the_wrong_way_is_seen() {
        let found =
            whats("engine/Cargo.toml", "[dev-dependencies]\nhexxladb-sim = { path = \"../sim\" }");
        assert_eq!(found, ["4: engine may not depend on hexxladb-sim: that points the wrong way"]);
        let found = whats(
            "sim/Cargo.toml",
            "[dependencies]\ncli = { package = \"hexxladb-cli\", path = \"../cli\" }",
        );
        assert_eq!(found, ["4: sim may not depend on hexxladb-cli: that points the wrong way"]);
        assert!(
            whats("cli/Cargo.toml", "[dependencies]\nhexxladb.workspace = true\nclap = \"4\"")
                .is_empty()
        );
    }

    #[test]
    fn a_dependency_off_the_list_is_seen() {
        for table in [
            "[dependencies]\nlibc = \"0.2\"",
            "[dependencies.libc]\nversion = \"0.2\"",
            "[build-dependencies]\nlibc = \"1\"",
        ] {
            assert!(
                whats("engine/Cargo.toml", table)[0].contains("engine may not depend on libc"),
                "{table}"
            );
        }
        assert!(
            whats("vfs/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nnix = \"1\"")[0]
                .contains("nix")
        );
        assert!(
            whats("engine/Cargo.toml", "[dependencies]\nproptest = \"1\"")[0].contains("proptest")
        );
        assert!(
            whats("engine/Cargo.toml", "[dev-dependencies]\nproptest = \"1\"\n[features]\nx = []")
                .is_empty()
        );
    }

    #[test]
    fn every_member_takes_the_lints() {
        let found = check(&Tree::of(&[
            ("cli/Cargo.toml", "[package]\n"),
            ("fuzz/Cargo.toml", ""),
            ("Cargo.toml", ""),
        ]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "cli/Cargo.toml");
        assert!(check(&Tree::of(&[("new/Cargo.toml", "")]))[0].what.contains("has no place"));
    }
}
