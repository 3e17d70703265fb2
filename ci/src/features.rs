//! `cargo xtask feature-matrix`: every combination of the published packages' features builds
//! and lints clean, alone.
//!
//! Within the workspace cargo unites features, so that a combination which does not build would
//! hide behind another; here each is asked for by itself, library alone, as an application would.

use crate::Result;
use crate::sh;

/// Each published package with its features.
const FEATURES: [(&str, &[&str]); 3] = [
    ("hexxladb-vfs", &["sim"]),
    ("hexxladb", &["serde", "tracing", "sim"]),
    ("hexxladb-sinks", &["nats", "kafka"]),
];

pub(crate) fn run() -> Result<()> {
    let mut failed = Vec::new();
    for (package, features) in FEATURES {
        for combination in combinations(features) {
            let mut clippy = sh::cargo("clippy --quiet --locked --lib --no-default-features");
            clippy.args(["--package", package, "--features", &combination, "--", "-D", "warnings"]);
            if sh::run(&mut clippy).is_err() {
                failed.push(format!("{package} with [{combination}]"));
            }
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("does not build clean: {}", failed.join("; ")))
    }
}

/// All subsets, each as cargo takes it: names with commas between.
fn combinations(features: &[&str]) -> Vec<String> {
    (0..1_u32 << features.len())
        .map(|bits| {
            let chosen = features.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1);
            chosen.map(|(_, name)| *name).collect::<Vec<_>>().join(",")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_subsets_come_once() {
        let all = combinations(&["a", "b", "c"]);
        assert_eq!(all, ["", "a", "b", "a,b", "c", "a,c", "b,c", "a,b,c"]);
    }

    #[test]
    fn the_table_names_every_feature_of_the_manifests() {
        for (package, features) in FEATURES {
            let dir = match package {
                "hexxladb" => "engine",
                other => other.trim_start_matches("hexxladb-"),
            };
            let text = std::fs::read_to_string(sh::root().join(dir).join("Cargo.toml")).unwrap();
            let table = text.split("[features]").nth(1).unwrap().split("\n[").next().unwrap();
            let names =
                table.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once(" = "));
            let mut declared: Vec<&str> =
                names.map(|(name, _)| name).filter(|name| *name != "default").collect();
            let mut known = features.to_vec();
            declared.sort_unstable();
            known.sort_unstable();
            assert_eq!(declared, known, "{package}");
        }
    }
}
