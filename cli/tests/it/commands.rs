//! The commands that look into any database.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use hexxladb::{Cell, Coord, Db, Options, Timestamp, Validity};

use crate::program::{Place, args, program, run};

/// Three commits at known times: a cell made, changed and deleted, another that stays, and a raw
/// record.
fn made(place: &Place) -> std::path::PathBuf {
    let path = place.path("x.db");
    let db = Db::open(&path, Options::new()).unwrap();
    let coord = |q, r| Coord::new(q, r).unwrap();
    let time = Timestamp::from_secs;
    db.update(|tx| {
        tx.set_commit_time(time(1_000_000_000))?;
        tx.set_note("first\tnote \x07")?;
        let mut cell = Cell::new("the first\ntext \x1b[2J")
            .with_tags(["b", "a"])
            .with_source("source/1")
            .with_confidence(0.5);
        cell.provenance.created_at = time(900_000_000);
        cell.provenance.updated_at = time(900_000_001);
        cell.validity = Validity { valid_from: Some(time(5)), valid_to: None };
        tx.put_cell(coord(-3, 1), &cell)?;
        tx.put(b"raw\xffkey", b"raw value")
    })
    .unwrap();
    db.update(|tx| {
        tx.set_commit_time(time(1_000_000_100))?;
        tx.put_cell(coord(-3, 1), &Cell::new("second"))?;
        tx.put_cell(coord(0, 0), &Cell::new("stays"))
    })
    .unwrap();
    db.update(|tx| {
        tx.set_commit_time(time(1_000_000_200))?;
        tx.delete_cell(coord(-3, 1)).map(|_| ())
    })
    .unwrap();
    db.close().unwrap();
    path
}

#[test]
fn get_shows_a_cell_now_and_then() {
    let place = Place::new();
    let db = made(&place);
    let shown = run(args!["get", &db, "-3", "1", "--at", "1"]).ok().text();
    insta::assert_snapshot!("get", shown);
    let json = run(args!["get", &db, "-3", "1", "--at", "2", "--json"]).ok().json();
    assert_eq!(json[0]["raw_content"], "second");
    run(args!["get", &db, "-3", "1"]).fails(1);
    for (time, code) in [("1000000199", 0), ("2001-09-09T01:50:00Z", 1), ("999999999", 1)] {
        run(args!["get", &db, "-3", "1", "--at-time", time]).fails(code);
    }
}

#[test]
fn ls_lists_a_state() {
    let place = Place::new();
    let db = made(&place);
    assert_eq!(run(args!["ls", &db]).ok().text(), "(0,0)\t5 B\t\tstays\n");
    let first = run(args!["ls", &db, "--at", "1"]).ok().text();
    assert_eq!(first, "(-3,1)\t19 B\tsource/1\tthe first\\ntext \\u{1b}[2J\n");
    let at_time = run(args!["ls", &db, "--at-time", "2001-09-09T01:48:20Z"]).ok().text();
    assert_eq!(at_time.lines().count(), 2);
    let json = run(args!["ls", &db, "--json"]).ok().text();
    assert_eq!(
        json,
        "{\"q\":0,\"r\":0,\"raw_content\":\"stays\",\"tags\":[],\"source_id\":\"\",\"confidence\":1.0}\n"
    );
}

#[test]
fn log_lists_commits_both_ways() {
    let place = Place::new();
    let db = made(&place);
    let lines = "3\t2001-09-09T01:50:00Z\t\n2\t2001-09-09T01:48:20Z\t\n\
                 1\t2001-09-09T01:46:40Z\tfirst\\tnote \\u{7}\n";
    assert_eq!(run(args!["log", &db]).ok().text(), lines);
    let one = run(args!["log", &db, "--reverse", "-n", "1"]).ok().text();
    assert!(one.starts_with("1\t") && one.lines().count() == 1, "{one}");
    let json = run(args!["log", &db, "--json"]).ok().json();
    assert_eq!(json[2]["note"], "first\tnote \u{7}");
    assert_eq!(json[1]["note"], serde_json::Value::Null);
    assert_eq!(json[0]["time_nanos"], 1_000_000_200_000_000_000_i64);
    assert_eq!(json[0]["history_hash"].as_str().map(str::len), Some(32));
}

#[test]
fn history_shows_every_version() {
    let place = Place::new();
    let db = made(&place);
    let text = run(args!["history", &db, "-3", "1"]).ok().text();
    assert_eq!(
        text,
        "3\t2001-09-09T01:50:00Z\tdeleted\n2\t2001-09-09T01:48:20Z\t6 B\tsecond\n\
         1\t2001-09-09T01:46:40Z\t19 B\tthe first\\ntext \\u{1b}[2J\n"
    );
    let json = run(args!["history", &db, "-3", "1", "--json"]).ok().json();
    assert_eq!(json[0]["cell"], serde_json::Value::Null);
    assert_eq!(json[2]["cell"]["confidence"], 0.5);
}

/// The names are the specification's.
#[test]
fn stats_counts_what_is_there() {
    let place = Place::new();
    let db = made(&place);
    let stats = &run(args!["stats", &db, "--json"]).ok().json()[0];
    let count = |name: &str| stats[name].as_u64().unwrap_or_else(|| panic!("{name} in {stats}"));
    assert_eq!(count("commit_seq"), 3);
    assert_eq!(count("logical_cell_count"), 2);
    assert_eq!(count("visible_cell_count"), 1);
    assert_eq!(count("versioned_row_count"), 5);
    assert_eq!(count("oldest_readable_seq"), 0);
    assert_eq!((count("page_size"), count("format_version")), (8192, 2));
    for name in ["file_pages", "free_pages", "wal_bytes", "cache_bytes_used"] {
        count(name);
    }
    let cells = stats["families"].as_array().unwrap().iter().find(|f| f["family"] == "cell");
    let cells = cells.unwrap();
    assert_eq!(
        (&cells["visible"], &cells["logical"], &cells["rows"]),
        (&1.into(), &2.into(), &4.into())
    );
    let text = run(args!["stats", &db]).ok().text();
    assert!(text.contains("versioned_row_count") && text.contains("8192"), "{text}");
}

#[test]
fn dump_prints_keys_as_the_specification_writes_them() {
    let place = Place::new();
    let db = made(&place);
    let rows = run(args!["dump", &db, "--json"]).ok().json();
    let keys: Vec<_> = rows.iter().map(|row| row["key"].as_str().unwrap()).collect();
    for key in ["cell/(-3,1)#3", "cell/(-3,1)#2", "cell/(-3,1)#1", "cell/(0,0)#2"] {
        assert!(keys.contains(&key), "{key} is not in {keys:?}");
    }
    let at = |key: &str| keys.iter().position(|k| *k == key);
    assert!(at("cell/(-3,1)#3") < at("cell/(-3,1)#2"), "newest first within a key");
    let deleted = rows.iter().find(|row| row["key"] == "cell/(-3,1)#3").unwrap();
    assert_eq!((&deleted["tombstone"], &deleted["seq"]), (&true.into(), &3.into()));
    let text = run(args!["dump", &db]).ok().text();
    assert!(text.contains("cell/(-3,1)#3\tdeleted\n"), "{text}");
    assert!(!text.contains('\x1b'), "{text:?}");
}

#[test]
fn reading_changes_no_byte() {
    let place = Place::new();
    let db = made(&place);
    only_reads(&place, &db);
    // A log that a killed program left is replayed in memory alone.
    let mut child = program()
        .args(args!["ingest", &db, "--commit-every", "1", "--ack"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{{\"q\":9,\"r\":9,\"raw_content\":\"from the log\"}}").unwrap();
    let mut ack = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut ack).unwrap();
    assert_eq!(ack, "ack 4\n");
    child.kill().unwrap();
    child.wait().unwrap();
    only_reads(&place, &db);
    assert!(run(args!["ls", &db]).ok().text().contains("from the log"));
}

fn only_reads(place: &Place, db: &Path) {
    let files = || {
        let mut files: Vec<_> = std::fs::read_dir(place.dir())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = files();
    for command in ["ls", "log", "stats", "dump", "check"] {
        run(args![command, db]).ok();
        run(args![command, db, "--json"]).ok();
    }
    run(args!["get", db, "0", "0"]).ok();
    run(args!["history", db, "0", "0"]).ok();
    run(args!["git", "ls", db]).fails(2);
    assert!(files() == before, "a command that reads has written");
}
