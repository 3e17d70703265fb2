//! `replicate`: a second database in step with a first one, whatever happens to either.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::program::{
    Answer, Place, args, cell_lines, program, run, run_signalled, run_with, signal, wait,
};

const INT: i32 = 2;
const KILL: i32 = 9;

fn replicate(src: &Path, dst: &Path, more: &[&str]) -> Answer {
    let mut arguments = args!["replicate", src, dst].to_vec();
    arguments.extend(more.iter().map(OsString::from));
    run(arguments)
}

/// A database of so many commits; with or without a changelog.
fn commits(place: &Place, name: &str, count: usize, more: &[&str]) -> PathBuf {
    let db = place.path(name);
    let lines = cell_lines(count, |n| format!("text {n}"));
    let mut ingest = args!["ingest", &db, "--commit-every", "1"].to_vec();
    ingest.extend(more.iter().map(OsString::from));
    run_with(ingest, lines.as_bytes()).ok();
    db
}

/// Asserts that a replica is its source, history and all.
fn assert_same(src: &Path, dst: &Path) {
    let of = |db: &Path| run(args!["export", "jsonl", db, "--history"]).ok().text();
    assert!(of(src) == of(dst), "the histories differ");
    run(args!["check", dst]).ok();
}

fn told(place: &Place, answer: &Answer) -> String {
    let stdout = String::from_utf8_lossy(&answer.stdout);
    let text = place.strip(&format!("exit {}\n{stdout}{}", answer.code, answer.stderr));
    let process = |text: &str| {
        let (before, rest) = text.split_once("(process ")?;
        let (_, after) = rest.split_once(')')?;
        Some(format!("{before}(process [n]){after}"))
    };
    process(&text).unwrap_or(text)
}

#[test]
fn a_replica_is_its_source_and_goes_on() {
    // spec: LOG-16
    let place = Place::new();
    let (src, dst) = (commits(&place, "s.db", 20, &["--changelog"]), place.path("d.db"));
    run(args!["link", &src, "0,0", "1,0", "to"]).ok();
    run(args!["rm", &src, "0,0", "--note", "with its edge"]).ok();
    let first = replicate(&src, &dst, &["--verify"]).ok();
    insta::assert_snapshot!("replicate", told(&place, &first));
    assert_same(&src, &dst);
    run(args!["put", &src, "0,0", "again"]).ok();
    let report = replicate(&src, &dst, &["--verify", "--json"]).ok().json();
    assert_eq!((&report[0]["head"], &report[0]["commits"]), (&23.into(), &1.into()));
    assert_eq!(report[0]["verified"]["identical"], true);
    assert_eq!(report[0]["verified"]["records"], 20);
    assert_same(&src, &dst);
    // A replica of the replica, which keeps a changelog of its own.
    let (middle, end) = (place.path("m.db"), place.path("e.db"));
    replicate(&src, &middle, &["--changelog"]).ok();
    replicate(&middle, &end, &["--verify"]).ok();
    run(args!["put", &src, "0,1", "through both"]).ok();
    replicate(&src, &middle, &[]).ok();
    replicate(&middle, &end, &[]).ok();
    assert_same(&src, &end);
}

#[test]
fn a_replica_that_is_too_far_behind_begins_anew() {
    let place = Place::new();
    let (src, dst) = (commits(&place, "s.db", 20, &[]), place.path("d.db"));
    let export = |db: &Path| run(args!["export", "jsonl", db]).ok().text();
    // Turned on after twenty commits.
    run(args!["put", &src, "0,1", "a", "--changelog"]).ok();
    let answer = replicate(&src, &dst, &["--verify"]).ok();
    insta::assert_snapshot!("replicate-seeded", told(&place, &answer));
    assert_eq!(export(&src), export(&dst));
    // A gap, after commits that went to the replica's own log.
    run(args!["put", &src, "0,1", "z"]).ok();
    replicate(&src, &dst, &[]).ok();
    assert!(place.path("d.db-wal").exists());
    run(args!["put", &src, "0,2", "b", "--changelog=off"]).ok();
    run(args!["put", &src, "0,3", "c", "--changelog"]).ok();
    let report = replicate(&src, &dst, &["--verify", "--json"]).ok().json();
    assert_eq!(report[0]["seeded"]["seq"], 24);
    assert_eq!(export(&src), export(&dst));
    // Trimmed away.
    run(args!["put", &src, "0,4", "d"]).ok();
    run(args!["changelog", "rotate", &src]).ok();
    run(args!["put", &src, "0,5", "e"]).ok();
    run(args!["changelog", "trim", &src, "--keep-bytes", "0"]).ok();
    let report = replicate(&src, &dst, &["--json"]).ok().json();
    assert_eq!((&report[0]["seeded"]["seq"], &report[0]["head"]), (&26.into(), &26.into()));
    // Entries without values are as good as none.
    run(args!["put", &src, "0,6", "f", "--changelog=none"]).ok();
    let refused = replicate(&src, &dst, &[]).fails(2);
    assert!(refused.stderr.contains("--changelog=full"), "{}", refused.stderr);
    run(args!["put", &src, "0,7", "g", "--changelog=full"]).ok();
    let report = replicate(&src, &dst, &["--json"]).ok().json();
    assert_eq!(report[0]["seeded"]["seq"], 28);
    // In between, commit by commit.
    run(args!["put", &src, "0,8", "h"]).ok();
    let report = replicate(&src, &dst, &["--json", "--verify"]).ok().json();
    assert_eq!(
        (&report[0]["seeded"], &report[0]["commits"]),
        (&serde_json::Value::Null, &1.into())
    );
    assert_eq!(export(&src), export(&dst));
    run(args!["check", &dst]).ok();
    assert!(!place.path("d.db-seed").exists() && !place.path("d.db-seed-wal").exists());
}

#[test]
fn what_keeps_a_replica_from_beginning_is_told() {
    let place = Place::new();
    let (src, dst) = (commits(&place, "s.db", 3, &[]), place.path("d.db"));
    run(args!["put", &src, "0,1", "a", "--changelog"]).ok();
    // The one that writes is in the way.
    let mut writer = program()
        .args(args!["ingest", &src])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let locked = loop {
        let answer = replicate(&src, &dst, &[]);
        if answer.code == 3 {
            break answer;
        }
        std::fs::remove_file(&dst).unwrap();
        assert!(started.elapsed() < Duration::from_mins(1), "{answer:?}");
    };
    insta::assert_snapshot!("replicate-source-locked", told(&place, &locked));
    drop(writer.stdin.take());
    wait(writer).ok();
    replicate(&src, &dst, &[]).ok();
    // Its own changelog is.
    run(args!["put", &src, "0,2", "b"]).ok();
    replicate(&src, &dst, &["--changelog"]).ok();
    run(args!["put", &src, "0,3", "c", "--changelog=off"]).ok();
    run(args!["put", &src, "0,4", "d", "--changelog"]).ok();
    let refused = replicate(&src, &dst, &[]).fails(3);
    insta::assert_snapshot!("replicate-own-changelog", told(&place, &refused));
    replicate(&src, &dst, &["--changelog=off", "--verify"]).ok();
    // One file cannot be both.
    replicate(&src, &src, &[]).fails(2);
}

#[test]
fn another_history_is_refused() {
    // spec: LOG-17
    let place = Place::new();
    let (src, dst) = (commits(&place, "s.db", 3, &["--changelog"]), place.path("d.db"));
    replicate(&src, &dst, &[]).ok();
    run(args!["put", &dst, "0,1", "mine"]).ok();
    let ahead = replicate(&src, &dst, &[]).fails(1);
    insta::assert_snapshot!("replicate-ahead", told(&place, &ahead));
    run(args!["put", &src, "0,1", "theirs"]).ok();
    let before = std::fs::read(&dst).unwrap();
    for _ in 0..2 {
        let diverged = replicate(&src, &dst, &["--verify"]).fails(3);
        insta::assert_snapshot!("replicate-diverged", told(&place, &diverged));
    }
    assert_eq!(std::fs::read(&dst).unwrap(), before, "a refused replica was changed");
    let other = commits(&place, "o.db", 9, &["--changelog"]);
    let foreign = replicate(&other, &dst, &[]).fails(3);
    assert!(foreign.stderr.starts_with("error: histories differ"), "{}", foreign.stderr);
}

/// Kills it later and later, until a run is through.
#[test]
fn killed_while_it_begins_it_begins_again() {
    let place = Place::new();
    let src = place.path("s.db");
    let lines = cell_lines(60_000, |n| format!("text {n}"));
    run_with(args!["ingest", &src], lines.as_bytes()).ok();
    run(args!["put", &src, "0,1", "a", "--changelog"]).ok();
    let mut killed_between = 0;
    for round in 0..40 {
        let dst = place.path("d.db");
        let answer =
            run_signalled(args!["replicate", &src, &dst, "--verify"], KILL, 10 + 12 * round);
        if answer.code == 0 {
            break;
        }
        killed_between += u32::from(place.path("d.db-seed").exists());
        if dst.exists() {
            // The old one or the new one, never anything between.
            let count = run(args!["ls", &dst]).ok().text().lines().count();
            assert!(count == 0 || count == 60_001, "{count}");
        }
    }
    assert!(killed_between > 0, "never killed while seeding");
    replicate(&src, &place.path("d.db"), &["--verify"]).ok();
    let left: Vec<_> = std::fs::read_dir(place.dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("-seed"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    // A signal ends it just as well, and says so.
    let dst = place.path("e.db");
    for delay in (20..2000).step_by(20) {
        let answer = run_signalled(args!["replicate", &src, &dst], INT, delay);
        if answer.code == 130 {
            assert!(answer.stderr.starts_with("stopped: "), "{}", answer.stderr);
            break;
        }
        assert!(answer.code == -1, "ended before any signal: {answer:?}");
    }
    replicate(&src, &dst, &["--verify"]).ok();
}

#[test]
fn following_keeps_in_step_and_ends_at_a_signal() {
    let place = Place::new();
    let (src, dst) = (commits(&place, "s.db", 3, &["--changelog"]), place.path("d.db"));
    let follow = || {
        program()
            .args(args!["replicate", &src, &dst, "--follow", "--verify"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut writer = program()
        .args(args!["ingest", &src, "--commit-every", "1", "--ack"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acks = BufReader::new(writer.stdout.take().unwrap()).lines();
    let mut stdin = writer.stdin.take().unwrap();
    let mut put = |n: u32| {
        writeln!(stdin, "{{\"q\":{n},\"r\":2,\"raw_content\":\"{n}\"}}").unwrap();
        acks.next().unwrap().unwrap();
    };
    (0..200).for_each(&mut put);
    let follower = follow();
    (200..400).for_each(&mut put);
    // In step while the writer still runs, and after a kill from where it was.
    std::thread::sleep(Duration::from_millis(500));
    signal(&follower, KILL);
    wait(follower).fails(-1);
    assert_eq!(run(args!["log", &dst]).ok().text().lines().count(), 403);
    let follower = follow();
    (400..500).for_each(&mut put);
    std::thread::sleep(Duration::from_millis(500));
    signal(&follower, INT);
    let answer = wait(follower).fails(130);
    assert!(answer.stderr.contains("the replica stands at commit 503"), "{}", answer.stderr);
    assert!(answer.text().starts_with("the replica stands at commit 503, 100 commits repeated\n"));
    assert!(answer.text().contains("SRC is open elsewhere"), "{}", answer.text());
    drop(stdin);
    wait(writer).ok();
    replicate(&src, &dst, &["--verify"]).ok();
    assert_same(&src, &dst);
}
