//! A reader that has seen enough, and a place that takes no more.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use crate::history::{Hash, make_repository};
use crate::program::{Place, args, cell_lines, program, run, run_with, wait};

/// More output than any pipe holds.
fn large_database(place: &Place) -> std::path::PathBuf {
    let db = place.path("large.db");
    let text = "y".repeat(200);
    let lines = cell_lines(5_000, |_| text.clone());
    run_with(args!["ingest", &db], lines.as_bytes()).ok();
    db
}

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let place = Place::new();
    let db = large_database(&place);
    let repo = place.path("r.git");
    let history = place.path("h.db");
    make_repository(&repo, 40, 3, Hash::Sha1).unwrap();
    run(args!["git", "import", &repo, &history]).ok();
    let commands = [
        args!["ls", &db].to_vec(),
        args!["ls", &db, "--json"].to_vec(),
        args!["dump", &db].to_vec(),
        args!["dump", &db, "--json"].to_vec(),
    ];
    for command in commands {
        let mut child =
            program().args(&command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        drop(stdout);
        let answer = wait(child).ok();
        assert_eq!(answer.stderr, "", "{command:?}");
    }
    // Small outputs meet the closed pipe only when they are flushed.
    for command in [args!["log", &db].to_vec(), args!["git", "ls", &history].to_vec()] {
        let mut child =
            program().args(&command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        assert_eq!(wait(child).ok().stderr, "", "{command:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_standard_output_is_4() {
    let place = Place::new();
    let db = large_database(&place);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let child = program().args(args!["ls", &db]).stdout(full).stderr(Stdio::piped()).spawn();
    let answer = wait(child.unwrap()).fails(4);
    assert!(answer.stderr.starts_with("error: cannot write to standard output"));
}

#[test]
fn ingest_does_not_call_unheard_acks_a_success() {
    let place = Place::new();
    let db = place.path("x.db");
    let mut child = program()
        .args(args!["ingest", &db, "--ack", "--commit-every", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"{\"q\":1,\"r\":0,\"raw_content\":\"\"}\n").unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    drop(stdin);
    wait(child).fails(4);
    assert!(stderr.starts_with("error: cannot print ack 1"), "{stderr}");
    assert_eq!(run(args!["ls", &db]).ok().text().lines().count(), 1);
}
