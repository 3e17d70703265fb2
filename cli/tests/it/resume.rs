//! Killed at any moment and run again, an import goes on where it stopped, and ends up with the
//! very database that an import in one go makes.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::history::{Hash, make_repository};
use crate::program::{Place, args, program, run, wait};

/// Runs `command` again and again, killed later and later, until it ends by itself. Returns how
/// often it was killed.
fn killed_until_done(command: impl Fn() -> Command, first: Duration) -> u32 {
    let mut delay = first;
    let mut kills = 0;
    loop {
        let mut child = command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take();
        std::thread::sleep(delay);
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        drop(stdout);
        let answer = wait(child);
        if answer.code == 0 {
            return kills;
        }
        assert_eq!(answer.code, -1, "{answer:?}");
        delay = delay.mul_f64(1.3);
    }
}

#[test]
fn a_killed_import_goes_on_exactly() {
    let place = Place::new();
    let (repo, whole) = (place.path("r.git"), place.path("whole.db"));
    make_repository(&repo, 300, 41, Hash::Sha1).unwrap();
    run(args!["git", "import", &repo, &whole]).ok();
    let answers = |db: &std::path::Path| {
        [args!["log", db, "--json"], args!["dump", db, "--json"]].map(|a| run(a).ok().stdout)
    };
    let wanted = answers(&whole);
    for round in 0..2 {
        let db = place.path(&format!("killed-{round}.db"));
        let import = || {
            let mut command = program();
            command.args(args!["git", "import", &repo, &db]);
            command
        };
        let kills = killed_until_done(import, Duration::from_millis(8 + 3 * round));
        assert!(kills >= 3, "only {kills} kills");
        run(args!["check", &db]).ok();
        run(args!["git", "verify", &repo, &db]).ok();
        assert!(answers(&db) == wanted, "round {round} ended up elsewhere");
    }
}

#[test]
fn a_killed_demo_goes_on() {
    let place = Place::new();
    let (repo, db) = (place.path("r.git"), place.path("x.db"));
    make_repository(&repo, 150, 42, Hash::Sha1).unwrap();
    let demo = || {
        let mut command = program();
        command.args(args!["demo", "--repo", &repo, "--db", &db]);
        command
    };
    let kills = killed_until_done(demo, Duration::from_millis(15));
    assert!(kills >= 2, "only {kills} kills");
    run(args!["git", "verify", &repo, &db]).ok();
    assert_eq!(run(args!["git", "log", &db]).ok().text().lines().count(), 150);
}

/// What `ingest` acknowledged is there after a kill, and nothing of the batch after it.
#[test]
fn a_killed_ingest_keeps_what_it_acknowledged() {
    use std::io::{BufRead, BufReader, Write};
    let place = Place::new();
    let db = place.path("x.db");
    let mut lines = 0_u64;
    for round in 1..=4_u64 {
        let mut child = program()
            .args(args!["ingest", &db, "--commit-every", "10", "--ack"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut acknowledged = 0;
        // Five lines over: they belong to no commit.
        for n in 0..10 * round + 5 {
            writeln!(stdin, "{{\"q\":{n},\"r\":{round},\"raw_content\":\"{n}\"}}").unwrap();
        }
        while acknowledged < round {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            assert!(line.starts_with("ack "), "{line:?}");
            acknowledged += 1;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        lines += 10 * acknowledged;
        assert_eq!(run(args!["ls", &db]).ok().text().lines().count() as u64, lines);
    }
}
