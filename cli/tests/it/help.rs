//! The help texts, as a user sees them.

use crate::program::{args, run};

#[test]
fn the_program_and_every_command_explain_themselves() {
    let commands: [&[&str]; 49] = [
        &[],
        &["demo"],
        &["git"],
        &["git", "import"],
        &["git", "verify"],
        &["git", "log"],
        &["git", "ls"],
        &["git", "cat"],
        &["put"],
        &["get"],
        &["rm"],
        &["link"],
        &["seam"],
        &["seam", "conflict"],
        &["seam", "supersedes"],
        &["seam", "resolve"],
        &["seam", "list"],
        &["seam", "show"],
        &["ring"],
        &["scan"],
        &["diff"],
        &["tag"],
        &["tag", "create"],
        &["tag", "list"],
        &["tag", "delete"],
        &["map"],
        &["prune"],
        &["export"],
        &["export", "jsonl"],
        &["import"],
        &["import", "jsonl"],
        &["ls"],
        &["log"],
        &["history"],
        &["stats"],
        &["dump"],
        &["check"],
        &["ingest"],
        &["changelog"],
        &["changelog", "tail"],
        &["changelog", "send"],
        &["changelog", "info"],
        &["changelog", "verify"],
        &["changelog", "repair"],
        &["changelog", "rotate"],
        &["changelog", "trim"],
        &["changelog", "archive"],
        &["changelog", "consumers"],
        &["replicate"],
    ];
    for command in commands {
        let mut arguments = command.to_vec();
        arguments.push("--help");
        let answer = run(&arguments).ok();
        assert_eq!(answer.stderr, "");
        let name = if command.is_empty() { "hexxladb".to_owned() } else { command.join("-") };
        insta::assert_snapshot!(format!("help-{name}"), answer.text());
    }
}

#[test]
fn the_version_is_the_packages() {
    let text = run(args!["--version"]).ok().text();
    assert_eq!(text, format!("hexxladb {}\n", env!("CARGO_PKG_VERSION")));
}
