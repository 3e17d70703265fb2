//! `compare` works from end to end: the references and `HexxlaDB` go through every workload in
//! small, every answer is checked on the way, and table, JSON and chart come out whole.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A hang must not take as long as a real comparison may.
const LIMIT: [&str; 2] = ["--timeout", "120"];

fn compare(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command.args(["--quick", "--rounds", "1", "--dir"]).arg(dir.join("databases"));
    command.args(arguments).output().unwrap()
}

#[test]
fn a_quick_comparison_measures_every_row() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (json, svg) = (dir.path().join("out.json"), dir.path().join("out.svg"));
    let files = ["--json", json.to_str().unwrap(), "--svg", svg.to_str().unwrap()];
    let output = compare(
        dir.path(),
        &[&["--engines", "hexxladb,disk,btreemap"][..], &files, &LIMIT].concat(),
    );
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");

    let report: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(report["failures"], Value::Array(vec![]), "{errors}");
    // What no engine of this build offers, what only the disk has, and what only Linux counts.
    let optional = ["compacted-size", "commit-1-growing", "commit-bytes", "memory", "resident"];
    let rows = report["rows"].as_array().unwrap();
    assert!(rows.len() > 20, "{} rows", rows.len());
    for row in rows {
        let id = row["id"].as_str().unwrap();
        let figure = row["engines"]["hexxladb"]["median"].as_f64();
        assert!(figure.is_some_and(|it| it > 0.0) || optional.contains(&id), "{row}");
    }
    let by_id = |id: &str| rows.iter().find(|row| row["id"] == id).unwrap();
    assert!(by_id("commit-1")["engines"]["disk"]["median"].as_f64().unwrap() > 0.0);
    assert!(by_id("read-1")["engines"]["btreemap"]["median"].as_f64().unwrap() > 0.0);

    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(table.lines().filter(|line| line.starts_with("| ")).count(), rows.len() + 2);
    assert!(!table.contains("failed"), "{table}");
    let chart = std::fs::read_to_string(svg).unwrap();
    assert!(chart.starts_with("<svg") && chart.ends_with("</svg>\n"));
    for element in ["g", "text", "style", "svg"] {
        let opened = chart.matches(&format!("<{element}")).count();
        assert_eq!(opened, chart.matches(&format!("</{element}>")).count(), "<{element}>");
    }
    let left: Vec<_> = std::fs::read_dir(dir.path().join("databases")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_engine_that_cannot_run_fails_its_cell_and_not_the_run() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let only = ["--only", "commit-1", "--engines", "hexxladb,disk", "--timeout", "0"];
    let output = compare(dir.path(), &only);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success());
    assert!(table.contains("HexxlaDB failed at commit-1, round 1: took too long."), "{table}");
}

#[test]
fn a_child_reports_what_went_wrong() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let output = compare(dir.path(), &["--engines", "disk", "--child", "load"]);
    assert!(!output.status.success());
    let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(reply["error"], "the disk alone stores no records");
}

#[test]
fn unknown_names_are_refused() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for arguments in [["--only", "everything"], ["--engines", "oracle"]] {
        assert_eq!(compare(dir.path(), &arguments).status.code(), Some(2));
    }
    if cfg!(not(feature = "rivals")) {
        let output = compare(dir.path(), &["--engines", "redb"]);
        assert!(String::from_utf8_lossy(&output.stderr).contains("--features rivals"));
    }
}
