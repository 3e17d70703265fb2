//! The changelog: turned on and kept on, read, checked, mended, and looked after.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use hexxladb::{
    Cell, ChangelogOptions, Coord, Db, Edge, Facet, FacetId, Options, RecordId, Timestamp,
};

use crate::program::{
    Answer, Place, args, cell_lines, program, run, run_signalled, run_with, signal, wait,
};

const TERM: i32 = 15;
const KILL: i32 = 9;

pub(crate) fn told(place: &Place, answer: &Answer) -> String {
    let stdout = String::from_utf8_lossy(&answer.stdout);
    place.strip(&format!("exit {}\n{stdout}{}", answer.code, answer.stderr))
}

/// A database with a changelog that has every family, operation and a note in it, the same each
/// time.
fn every_kind(path: &Path) {
    let db = Db::open(path, Options::new().changelog(ChangelogOptions::new())).unwrap();
    let at = |n| Coord::new(n, -n).unwrap();
    let time = |n: i64| Timestamp::from_secs(1_800_000_000 + n);
    let cell = |text: &str| {
        let mut cell = Cell::new(text).with_tags(["tea"]);
        cell.provenance.created_at = time(0);
        cell.provenance.updated_at = time(0);
        cell
    };
    let mut tx = db.begin_write().unwrap();
    tx.set_commit_time(time(1)).unwrap();
    tx.set_note("two cells\nand more").unwrap();
    tx.put_cell(at(0), &cell("The kettle\nis on.")).unwrap();
    tx.put_cell(at(1), &cell(&"long ".repeat(40))).unwrap();
    let facet = Facet::of(&cell("The kettle\nis on."), "kettle: on").with_last_rotated(time(0));
    tx.update_facet(at(0), FacetId::new(2).unwrap(), &facet).unwrap();
    tx.put_edge(at(0), at(1), "warms", &Edge::new(0.5)).unwrap();
    tx.put("name", "kitchen").unwrap();
    tx.put([0xff, 0x00], [0x80]).unwrap();
    tx.commit().unwrap();
    let mut tx = db.begin_write().unwrap();
    tx.set_commit_time(time(2)).unwrap();
    tx.set_note("nothing but a note").unwrap();
    tx.commit().unwrap();
    let mut tx = db.begin_write().unwrap();
    tx.set_commit_time(time(3)).unwrap();
    tx.delete_cell(at(0)).unwrap();
    tx.delete("name").unwrap();
    tx.commit().unwrap();
    db.close().unwrap();
}

/// A database of so many commits, with a changelog.
pub(crate) fn commits(place: &Place, name: &str, count: usize) -> PathBuf {
    let db = place.path(name);
    let lines = cell_lines(count, |n| format!("text {n}"));
    let ingest = args!["ingest", &db, "--commit-every", "1", "--changelog"];
    run_with(ingest, lines.as_bytes()).ok();
    db
}

pub(crate) fn tail(db: &Path, more: &[&str]) -> Answer {
    let mut arguments = args!["changelog", "tail", db].to_vec();
    arguments.extend(more.iter().map(OsString::from));
    run(arguments)
}

pub(crate) fn flip(path: &Path, offset: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[offset] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn tail_shows_every_kind_of_entry() {
    // spec: LOG-01, LOG-02
    let place = Place::new();
    let db = place.path("x.db");
    every_kind(&db);
    insta::assert_snapshot!("changelog-tail", tail(&db, &[]).ok().text());
    insta::assert_snapshot!("changelog-tail-json", tail(&db, &["--json"]).ok().text());
    insta::assert_snapshot!("changelog-info", told(&place, &run(args!["changelog", "info", &db])));
    let verified = run(args!["changelog", "verify", &db]).ok();
    insta::assert_snapshot!("changelog-verify", told(&place, &verified));
    run(args!["put", &db, "5,5", "secret", "--changelog=hash"]).ok();
    run(args!["put", &db, "5,5", "secret", "--changelog=none"]).ok();
    let shown = tail(&db, &["--since", "3", "--json"]).ok();
    assert!(!shown.text().contains("secret"));
    let lines = shown.json();
    assert_eq!(lines[0]["value_sha256"].as_str().map(str::len), Some(64));
    assert_eq!((lines[1].get("value_sha256"), lines[1].get("value")), (None, None));
    let text = tail(&db, &["--since", "3"]).ok().text();
    assert!(text.lines().next().is_some_and(|line| line.contains("sha256:")), "{text}");
}

#[test]
fn tail_takes_what_is_asked_for() {
    // spec: LOG-07
    let place = Place::new();
    let db = place.path("x.db");
    every_kind(&db);
    let places = |more: &[&str]| -> Vec<String> {
        let text = tail(&db, more).ok().text();
        text.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(places(&["--family", "edge"]), ["1/5", "3/3"]);
    assert_eq!(
        places(&["--family", "edge", "--family", "facet", "--op", "delete"]),
        ["3/2", "3/3"]
    );
    assert_eq!(places(&["--op", "note"]), ["2/0"]);
    assert_eq!(places(&["--prefix", "cell/(0"]), ["1/2", "3/1"]);
    assert_eq!(places(&["--prefix", "raw/na"]), ["1/0", "3/0"]);
    assert_eq!(places(&["--op", "delete", "-n", "2"]), ["3/0", "3/1"]);
    assert_eq!(places(&["--since", "1/4"]), ["1/5", "2/0", "3/0", "3/1", "3/2", "3/3"]);
    assert_eq!(places(&["--since", "1/99", "-n", "1"]), ["2/0"]);
    assert!(places(&["--since", "3"]).is_empty());
    assert!(places(&["-n", "0"]).is_empty());
}

/// What a kill cuts off is made good by going on after the last whole line.
#[test]
fn tail_goes_on_after_any_of_its_lines() {
    let place = Place::new();
    let db = place.path("x.db");
    every_kind(&db);
    let all = tail(&db, &["--json"]).ok();
    let lines: Vec<_> = all.text().lines().map(str::to_owned).collect();
    for (n, line) in all.json().iter().enumerate() {
        let since = format!("{}/{}", line["seq"], line["index"]);
        let rest = tail(&db, &["--json", "--since", &since]).ok().text();
        assert_eq!(rest.lines().collect::<Vec<_>>(), lines[n + 1..], "{since}");
    }
}

/// A plain command on a database that keeps a changelog leaves no gap.
#[test]
fn what_writes_keeps_the_changelog_on() {
    let place = Place::new();
    let db = place.path("x.db");
    run(args!["put", &db, "0,0", "a", "--changelog"]).ok();
    run(args!["put", &db, "1,0", "b", "--facet", "1"]).fails(1);
    run(args!["put", &db, "0,0", "b", "--facet", "1"]).ok();
    run(args!["put", &db, "1,0", "b"]).ok();
    run(args!["link", &db, "0,0", "1,0", "to"]).ok();
    let seam = run(args!["seam", "conflict", &db, "0,0", "1,0", "--json"]).ok().json();
    let id = seam[0]["seam"].as_str().unwrap().to_owned();
    run(args!["seam", "resolve", &db, &id, "merged"]).ok();
    run(args!["tag", "create", &db, "t"]).ok();
    run(args!["tag", "delete", &db, "t"]).ok();
    run(args!["rm", &db, "0,0"]).ok();
    run_with(args!["ingest", &db], cell_lines(3, |_| "x".to_owned()).as_bytes()).ok();
    let export = run(args!["export", "jsonl", &db]).ok();
    run_with(args!["import", "jsonl", &db], &export.stdout).ok();
    run(args!["prune", &db, "--keep-commits", "2", "--yes"]).ok();
    run(args!["changelog", "consumers", &db]).ok();
    tail(&db, &["--consumer", "c"]).ok();
    run(args!["changelog", "rotate", &db]).ok();
    run(args!["changelog", "trim", &db, "--keep-for", "1w"]).ok();
    run(args!["changelog", "repair", &db]).ok();
    run(args!["put", &db, "0,0", "z"]).ok();
    let log = run(args!["log", &db, "--json"]).ok().json();
    let head = log[0]["seq"].as_u64().unwrap();
    let ops = tail(&db, &["--op", "resolve"]).ok().text();
    assert_eq!(ops.lines().count(), 1, "{ops}");
    let verified = run(args!["changelog", "verify", &db, "--json"]).ok().json();
    assert_eq!(verified[0]["gaps"], serde_json::json!([]));
    assert_eq!((&verified[0]["oldest"], &verified[0]["last"]), (&1.into(), &head.into()));
    assert_eq!(verified[0]["hashes"], head);
    let info = run(args!["changelog", "info", &db, "--json"]).ok().json();
    assert_eq!(info[0]["values"], "full");

    // The values stay what they were, too, and so do they after a crash.
    run(args!["put", &db, "0,0", "z", "--changelog=hash"]).ok();
    run(args!["put", &db, "0,1", "z"]).ok();
    let info = run(args!["changelog", "info", &db, "--json"]).ok().json();
    assert_eq!(info[0]["values"], "hash");
}

#[test]
fn a_changelog_that_a_killed_program_kept_stays_on() {
    let place = Place::new();
    let db = place.path("x.db");
    for round in 0..3 {
        let mut arguments = args!["ingest", &db, "--commit-every", "1", "--ack"].to_vec();
        if round == 0 {
            arguments.push("--changelog".into());
        }
        let mut child = piped(&arguments);
        let mut stdin = child.stdin.take().unwrap();
        let mut acks = BufReader::new(child.stdout.take().unwrap());
        for n in 0..5 {
            writeln!(stdin, "{{\"q\":{n},\"r\":{round},\"raw_content\":\"\"}}").unwrap();
            let mut ack = String::new();
            acks.read_line(&mut ack).unwrap();
            assert_eq!(ack, format!("ack {}\n", round * 5 + n + 1));
        }
        signal(&child, KILL);
        wait(child).fails(-1);
    }
    run(args!["put", &db, "9,9", "after"]).ok();
    assert_eq!(tail(&db, &[]).ok().text().lines().count(), 16);
    let verified = run(args!["changelog", "verify", &db, "--json"]).ok().json();
    assert_eq!(
        (&verified[0]["hashes"], &verified[0]["compared_with_database"]),
        (&16.into(), &true.into())
    );
}

fn piped(arguments: &[OsString]) -> Child {
    program()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn turning_it_off_leaves_a_gap_that_is_told() {
    let place = Place::new();
    let db = commits(&place, "x.db", 2);
    let off = run(args!["put", &db, "0,0", "a", "--changelog=off"]).ok();
    assert!(off.stderr.starts_with("warning: the changelog is off"), "{}", off.stderr);
    let again = run(args!["put", &db, "0,0", "b", "--changelog=off"]).ok();
    assert_eq!(again.stderr, "", "it was off already");
    run(args!["put", &db, "0,0", "c"]).ok();
    assert!(tail(&db, &[]).ok().stderr.is_empty(), "nothing is missing up to where it went off");
    run(args!["put", &db, "0,0", "d", "--changelog"]).ok();
    insta::assert_snapshot!("changelog-gap", told(&place, &tail(&db, &["--op", "note"]).fails(3)));
    let skipped = tail(&db, &["--skip-gaps"]).ok();
    assert_eq!(skipped.stderr, "gap: the changelog is without commits 3 to 5\n");
    let places: Vec<_> = skipped.text().lines().map(|line| line[..3].to_owned()).collect();
    assert_eq!(places, ["1/0", "2/0", "6/0"]);
    let verified = run(args!["changelog", "verify", &db]).ok().text();
    assert!(
        verified.starts_with("gap: without commits 3 to 5\nclean: commits 1 to 6, "),
        "{verified}"
    );
    // A consumer is not stuck before it.
    tail(&db, &["--consumer", "c"]).fails(3);
    let rest = tail(&db, &["--consumer", "c", "--skip-gaps"]).ok().text();
    assert_eq!((rest.lines().count(), &rest[..3]), (1, "6/0"));
    assert_eq!(tail(&db, &["--consumer", "c"]).ok().text(), "");
    // Nor is a file that entries are sent to.
    let file = place.path("sent");
    let send = args!["changelog", "send", &db, "--to", &file];
    run(send.clone()).fails(3);
    run(send.iter().cloned().chain(["--skip-gaps".into()])).ok();
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 3);
}

#[test]
fn what_goes_wrong_is_told_with_what_to_do() {
    // spec: LOG-03
    let place = Place::new();
    let db = place.path("x.db");
    let missing = tail(&db, &[]).fails(3);
    assert!(missing.stderr.starts_with("error: no database at "), "{}", missing.stderr);
    run(args!["put", &db, "0,0", "a"]).ok();
    insta::assert_snapshot!("changelog-disabled", told(&place, &tail(&db, &[])));
    for command in ["info", "verify", "repair", "rotate"] {
        run(args!["changelog", command, &db]).fails(3);
    }
    run(args!["changelog", "trim", &db, "--keep-bytes", "0"]).fails(3);
    run(args!["changelog", "archive", &db, place.path("dir")]).fails(3);
    assert!(!place.path("dir").exists());
    tail(&db, &["--consumer", "c"]).fails(3);
    run(args!["changelog", "send", &db, "--to", "-"]).fails(3);
    run(args!["replicate", &db, place.path("r.db")]).fails(3);
    assert!(!place.path("r.db").exists());
    assert_eq!(run(args!["changelog", "consumers", &db]).ok().text(), "");

    let db = commits(&place, "y.db", 1);
    insta::assert_snapshot!("changelog-empty-archive", told(&place, &tail(place.dir(), &["-n0"])));
    for (name, more) in [
        ("since", &["--since", "1/x"][..]),
        ("consumer-and-since", &["--consumer", "c", "--since", "1"]),
        ("consumer-and-follow", &["--consumer", "c", "--follow"]),
        ("family", &["--family", "cube"]),
    ] {
        let answer = tail(&db, more).fails(2);
        insta::assert_snapshot!(format!("changelog-usage-{name}"), told(&place, &answer));
    }
    run(args!["changelog", "trim", &db]).fails(2);
    run(args!["put", &db, "0,0", "x", "--changelog=some"]).fails(2);
    for (url, what) in [
        ("http://x", "http:// is no target"),
        ("nats://localhost", "name a stream"),
        ("kafka://localhost", "name a topic"),
    ] {
        let answer = run(args!["changelog", "send", &db, "--to", url]).fails(2);
        assert!(answer.stderr.contains(what), "{url}: {}", answer.stderr);
    }
    // Whether the build has the feature is for the workspace to say.
    let nowhere = run(args!["changelog", "send", &db, "--to", "nats://127.0.0.1:1/S"]);
    let what = if nowhere.code == 2 { "lacks the feature `nats`" } else { "refused" };
    assert!(nowhere.stderr.contains(what), "{}", nowhere.stderr);
    assert!(nowhere.code == 2 || nowhere.code == 4, "{nowhere:?}");
    let nobody = run(args!["changelog", "consumers", &db, "--remove", "nobody"]).fails(1);
    insta::assert_snapshot!("changelog-no-consumer", told(&place, &nobody));
}

#[test]
fn consumers_go_on_where_they_stand() {
    // spec: LOG-08
    let place = Place::new();
    let db = commits(&place, "x.db", 5);
    let read = |more: &[&str]| {
        let mut arguments = vec!["--consumer", "audit"];
        arguments.extend(more);
        tail(&db, &arguments)
            .ok()
            .text()
            .lines()
            .map(|line| line[..3].to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(read(&["-n", "2"]), ["1/0", "2/0"]);
    assert_eq!(read(&["-n", "1"]), ["3/0"]);
    let listed = run(args!["changelog", "consumers", &db]).ok().text();
    assert_eq!(listed, "audit\tnext 4/0, 2 commits behind\n");
    // What passes no filter is read, too.
    assert!(read(&["--op", "delete"]).is_empty());
    assert!(read(&[]).is_empty());

    // Nothing is read until it is printed.
    run(args!["put", &db, "7,7", "x"]).ok();
    let mut child = piped(&args!["changelog", "tail", &db, "--consumer", "audit"]);
    drop(child.stdout.take());
    assert_eq!(wait(child).ok().stderr, "");
    assert_eq!(read(&[]), ["6/0"]);

    let hold = run(args!["changelog", "consumers", &db, "--hold", "audit"]).ok().text();
    assert_eq!(hold, "audit\tnext 7/0, 0 commits behind, pruning waits for it\n");
    let stats = run(args!["stats", &db, "--json"]).ok().json();
    assert_eq!(stats[0]["consumers"][0]["holds_floor"], true);
    assert_eq!(stats[0]["changelog"]["last"], 6);
    let release = run(args!["changelog", "consumers", &db, "--release", "audit", "--json"]).ok();
    assert_eq!(
        release.text(),
        "{\"name\":\"audit\",\"seq\":7,\"index\":0,\"lag_commits\":0,\"holds_floor\":false}\n"
    );
    assert_eq!(run(args!["changelog", "consumers", &db, "--remove", "audit"]).ok().text(), "");
    assert_eq!(read(&["-n", "1"]), ["1/0"], "a new one begins at the oldest entry");
}

#[test]
fn segments_are_sealed_archived_and_trimmed() {
    // spec: LOG-10
    let place = Place::new();
    let db = commits(&place, "x.db", 4);
    let all = tail(&db, &["--json"]).ok().text();
    let (archive, sealed) = (place.path("a/b"), place.path("x.db-changelog.000001"));
    let nothing = run(args!["changelog", "archive", &db, &archive]).ok().text();
    assert!(nothing.contains("`changelog rotate`"), "{nothing}");
    let rotated = run(args!["changelog", "rotate", &db]).ok().text();
    assert_eq!(rotated, format!("sealed {}\n", sealed.display()));
    assert!(run(args!["changelog", "rotate", &db]).ok().text().starts_with("nothing to seal"));
    run(args!["put", &db, "9,9", "x"]).ok();
    let copied = run(args!["changelog", "archive", &db, &archive]).ok().text();
    assert_eq!(copied, format!("{}\n", archive.join("x.db-changelog.000001").display()));
    let again = run(args!["changelog", "archive", &db, &archive, "--json"]).ok().text();
    assert_eq!(again, "{\"copied\":[]}\n");

    // A consumer that has not read it keeps it.
    tail(&db, &["--consumer", "slow", "-n", "1"]).ok();
    for how in [&["--keep-bytes", "0"][..], &["--consumed"]] {
        let mut trim = args!["changelog", "trim", &db].to_vec();
        trim.extend(how.iter().map(OsString::from));
        let text = run(trim).ok().text();
        assert_eq!(text, "removed 0 segments; the oldest commit is 1\n", "{how:?}");
    }
    tail(&db, &["--consumer", "slow"]).ok();
    let kept = run(args!["changelog", "trim", &db, "--keep-for", "1d"]).ok().text();
    assert!(kept.starts_with("removed 0 segments"), "{kept}");
    let trimmed = run(args!["changelog", "trim", &db, "--consumed", "--json"]).ok().text();
    assert_eq!(trimmed, "{\"oldest\":5,\"removed\":1}\n");
    assert!(!sealed.exists());
    insta::assert_snapshot!(
        "changelog-truncated",
        told(&place, &tail(&db, &["--since", "1"]).fails(3))
    );
    // What is gone is in the archive.
    assert_eq!(tail(&archive, &["--json"]).ok().text(), all);
    let verified = run(args!["changelog", "verify", &archive]).ok();
    assert!(verified.text().starts_with("clean: commits 1 to 4, "), "{}", verified.text());
    flip(&archive.join("x.db-changelog.000001"), 5000);
    run(args!["changelog", "verify", &archive]).fails(1);
}

#[test]
fn tail_follows_a_running_writer_and_ends_at_a_signal() {
    // spec: LOG-11, LOG-09
    let place = Place::new();
    let db = commits(&place, "x.db", 1);
    let mut writer = piped(&args!["ingest", &db, "--commit-every", "1", "--ack"]);
    let mut follower = piped(&args!["changelog", "tail", &db, "--follow"]);
    let mut lines = BufReader::new(follower.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert_eq!(&line[..3], "1/0");
    let mut stdin = writer.stdin.take().unwrap();
    for n in 2..=50 {
        writeln!(stdin, "{{\"q\":{n},\"r\":1,\"raw_content\":\"live {n}\"}}").unwrap();
        line.clear();
        lines.read_line(&mut line).unwrap();
        assert!(line.starts_with(&format!("{n}/0 ")) && line.ends_with(&format!("live {n}\n")));
    }
    signal(&follower, TERM);
    let answer = wait(follower).fails(143);
    assert_eq!(answer.stderr, "stopped: the next entry is 51/0\n");
    line.clear();
    assert_eq!(lines.read_line(&mut line).unwrap(), 0);
    // A follower whose reader is gone ends when it has something to say.
    let mut follower = piped(&args!["changelog", "tail", &db, "-f", "--since", "50"]);
    drop(follower.stdout.take());
    std::thread::sleep(Duration::from_millis(100));
    writeln!(stdin, "{{\"q\":0,\"r\":1,\"raw_content\":\"\"}}").unwrap();
    assert_eq!(wait(follower).ok().stderr, "");
    drop(stdin);
    wait(writer).ok();
}

#[test]
fn sending_to_a_file_repeats_nothing_whatever_is_killed() {
    let place = Place::new();
    let db = commits(&place, "x.db", 4000);
    let all = tail(&db, &["--json"]).ok().text();
    let file = place.path("sent.jsonl");
    let send = || args!["changelog", "send", &db, "--to", &file];
    let mut killed = 0;
    for delay in [8, 12, 16, 20, 25, 30] {
        killed += usize::from(run_signalled(send(), KILL, delay).code == -1);
        // And a line that was cut off, as by a full disk.
        let mut bytes = std::fs::read(&file).unwrap_or_default();
        if !bytes.is_empty() {
            bytes.truncate(bytes.len() - 7);
            std::fs::write(&file, bytes).unwrap();
        }
    }
    assert!(killed > 0, "none was killed in its midst");
    let sent = run(send()).ok();
    assert!(sent.stderr.ends_with(&format!("sent to {}\n", file.display())), "{}", sent.stderr);
    assert!(std::fs::read_to_string(&file).unwrap() == all, "a line is lost or repeated");
    assert!(run(send()).ok().stderr.starts_with("0 entries sent"));

    let mut child = piped(&args!["changelog", "send", &db, "--to", "-", "--follow"]);
    let mut first = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut first).unwrap();
    assert_eq!(first.trim_end(), all.lines().next().unwrap());
    drop(stdout);
    assert_eq!(wait(child).ok().stderr, "", "a closed pipe ends it quietly");
    let dash = run(args!["changelog", "send", &db, "--to", "-", "--since", "3999"]).ok();
    assert_eq!(dash.text().lines().collect::<Vec<_>>(), [all.lines().last().unwrap()]);
    let nowhere = run(args!["changelog", "send", &db, "--to", place.path("no/such/dir")]).fails(4);
    assert!(nowhere.stderr.contains("No such file"), "{}", nowhere.stderr);
}

/// The key in text and in parts name the same record.
#[test]
fn keys_name_records() {
    let place = Place::new();
    let db = place.path("x.db");
    every_kind(&db);
    let raw = RecordId::Raw(vec![0xff, 0x00]).to_string();
    let lines = tail(&db, &["--json"]).ok().json();
    assert!(lines.iter().any(|line| line["key"] == raw && line["id"]["hex"] == "ff00"));
    let mut child = piped(&args!["changelog", "tail", &db]);
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    wait(child).ok();
    assert!(!text.contains('\u{0}') && text.lines().count() == lines.len());
}
