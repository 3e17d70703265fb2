//! SIGINT and SIGTERM end every command; what writes ends between two commits.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::history::{Hash, make_repository};
use crate::program::{Answer, Place, args, program, run, run_with, signal, signal_group, wait};

const INT: i32 = 2;
const TERM: i32 = 15;

#[test]
fn ingest_that_waits_for_input_ends_at_a_signal() {
    for (number, code) in [(INT, 130), (TERM, 143)] {
        let place = Place::new();
        let db = place.path("x.db");
        let mut child = program()
            .args(args!["ingest", &db, "--commit-every", "2", "--ack"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        for n in 0..3 {
            writeln!(stdin, "{{\"q\":{n},\"r\":0,\"raw_content\":\"\"}}").unwrap();
        }
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "ack 1\n");
        signal(&child, number);
        let answer = wait(child).fails(code);
        assert!(
            answer.stderr.contains("kept: 2 cells in 1 commit; not kept: "),
            "{}",
            answer.stderr
        );
        line.clear();
        assert_eq!(stdout.read_line(&mut line).unwrap(), 0, "{line}");
        assert_eq!(run(args!["ls", &db]).ok().text().lines().count(), 2);
        drop(stdin);
    }
}

#[test]
fn a_reader_that_nobody_reads_ends_at_a_signal() {
    let place = Place::new();
    let db = place.path("x.db");
    let line = format!("{{\"q\":1,\"r\":0,\"raw_content\":\"{}\"}}", "z".repeat(900_000));
    run_with(args!["ingest", &db], line.as_bytes()).ok();
    for (number, code) in [(INT, 130), (TERM, 143)] {
        let ls = || program().args(args!["ls", &db, "--json"]).piped();
        signalled(ls, number).fails(code);
    }
}

/// Sends a signal to a child that does not end before it. One that comes before the program could
/// say what it does with signals ends it the system's way; then the next comes later.
fn signalled(start: impl Fn() -> Child, number: i32) -> Answer {
    let mut delay = Duration::from_millis(150);
    loop {
        let child = start();
        std::thread::sleep(delay);
        signal(&child, number);
        let answer = wait(child);
        if answer.code != -1 {
            return answer;
        }
        delay *= 2;
        assert!(delay < Duration::from_secs(20), "signals are not handled");
    }
}

/// As Ctrl-C comes: to the program and whatever it started in its process group. The signal comes
/// later and later, until the import is through before it.
#[test]
fn an_import_ends_between_commits_and_goes_on() {
    let place = Place::new();
    let (repo, db) = (place.path("r.git"), place.path("x.db"));
    make_repository(&repo, 400, 11, Hash::Sha1).unwrap();
    let mut ended_between = 0;
    let mut delay = Duration::from_millis(12);
    loop {
        let child = program()
            .args(args!["git", "import", &repo, &db])
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(delay);
        let number = if ended_between % 2 == 0 { INT } else { TERM };
        let mut child = child;
        if child.try_wait().unwrap().is_none() {
            signal_group(&child, number);
        }
        let answer = wait(child);
        match answer.code {
            0 => break,
            // The signal came before the program could say what it does with signals.
            -1 => {}
            code => {
                assert_eq!(code, 128 + number, "{answer:?}");
                assert!(answer.stderr.contains("run the same command again"), "{answer:?}");
                ended_between += 1;
                if db.exists() {
                    run(args!["check", &db]).ok();
                }
            }
        }
        delay = delay.mul_f64(1.3);
    }
    assert!(ended_between >= 2, "the import was never stopped in its middle");
    let verified = run(args!["git", "verify", &repo, &db, "--json"]).ok().json();
    assert_eq!(verified[0]["commits"], 400);
    assert_eq!(verified[0]["identical"], true);
}

#[test]
fn a_verification_ends_at_a_signal() {
    let place = Place::new();
    let (repo, db) = (place.path("r.git"), place.path("x.db"));
    make_repository(&repo, 700, 12, Hash::Sha1).unwrap();
    run(args!["git", "import", &repo, &db]).ok();
    let verify = || program().args(args!["git", "verify", &repo, &db]).piped();
    let answer = signalled(verify, TERM).fails(143);
    assert!(answer.stderr.contains("of 700 verified, 0 differences"), "{}", answer.stderr);
}

trait Piped {
    /// Starts it with pipes for what it answers.
    fn piped(&mut self) -> Child;
}

impl Piped for Command {
    fn piped(&mut self) -> Child {
        self.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs")
    }
}
