//! `ingest` and `ls --json`: nothing lost either way, and nothing half done.

use hexxladb::{Cell, Coord, Db, Options};

use crate::program::{Place, args, cell_lines, run, run_with};

const LINES: &str = concat!(
    r#"{"q":3,"r":1,"raw_content":"plain"}"#,
    "\n",
    r#"{"q":-3,"r":-1,"raw_content":"all \"of\" it\n\u0000\ud83e\udd80é","tags":["b","a","b"],"source_id":"s/1","confidence":0.1}"#,
    "\n\n   \r\n",
    r#"{"confidence":0.30000000000000004,"raw_content":"","r":0,"q":262143}"#,
    "\r\n",
    r#"{"q":0,"r":0,"raw_content":"no line break behind it","tags":[],"source_id":""}"#,
);

#[test]
fn what_goes_in_comes_out_and_goes_in_again() {
    let place = Place::new();
    let (one, two) = (place.path("1.db"), place.path("2.db"));
    let answer = run_with(args!["ingest", &one], LINES.as_bytes()).ok();
    assert_eq!((answer.text().as_str(), answer.stderr.as_str()), ("", "4 cells in 1 commit\n"));
    let listed = run(args!["ls", &one, "--json"]).ok();
    let mut cells = listed.json();
    assert_eq!(cells.len(), 4);
    cells.sort_by_key(|cell| cell["q"].as_i64());
    let keys: Vec<_> = cells[0].as_object().unwrap().keys().cloned().collect();
    let mut wanted = vec!["q", "r", "raw_content", "tags", "source_id", "confidence"];
    wanted.extend(["created_at", "updated_at"]);
    wanted.sort_unstable();
    assert_eq!(keys, wanted);
    assert_eq!(cells[0]["raw_content"], "all \"of\" it\n\u{0}\u{1f980}é");
    assert_eq!(cells[0]["tags"], serde_json::json!(["a", "b"]));
    assert_eq!(cells[0]["confidence"], 0.1);
    assert_eq!(cells[2]["confidence"], 1.0);
    assert_eq!(cells[3]["confidence"], 0.300_000_000_000_000_04);

    run_with(args!["ingest", &two], &listed.stdout).ok();
    assert_eq!(run(args!["ls", &two, "--json"]).ok().stdout, listed.stdout);
}

/// Every text that a cell can hold, and numbers that careless parsers round.
#[test]
fn the_round_trip_is_lossless_for_odd_cells() {
    let place = Place::new();
    let (one, two) = (place.path("1.db"), place.path("2.db"));
    let db = Db::open(&one, Options::new()).unwrap();
    db.update(|tx| {
        for n in 0..400_i32 {
            let c = char::from_u32(u32::try_from(n).unwrap() * 37).unwrap_or('\u{fffd}');
            let confidence = f64::from(n) / 399.0;
            let cell = Cell::new(format!("{c}{n}\r\n{c}"))
                .with_tags([format!("tag {c}"), "t".to_owned()])
                .with_source(format!("source {n} {c}"))
                .with_confidence(confidence);
            tx.put_cell(Coord::new(n - 200, 7 - n)?, &cell)?;
        }
        Ok::<_, hexxladb::Error>(())
    })
    .unwrap();
    db.close().unwrap();
    drop(db);
    let listed = run(args!["ls", &one, "--json"]).ok();
    assert_eq!(listed.text().lines().count(), 400);
    run_with(args!["ingest", &two, "--commit-every", "7"], &listed.stdout).ok();
    let (one, two) = (open(&one), open(&two));
    for n in 0..400_i32 {
        let coord = Coord::new(n - 200, 7 - n).unwrap();
        let get = |db: &Db| db.view(|tx| tx.get_cell(coord)).unwrap().unwrap();
        let (a, b) = (get(&one), get(&two));
        assert_eq!((a.raw_content, a.tags), (b.raw_content, b.tags));
        assert_eq!(a.provenance.source_id, b.provenance.source_id);
        assert_eq!(a.provenance.confidence.to_bits(), b.provenance.confidence.to_bits());
    }
}

fn open(path: &std::path::Path) -> Db {
    Db::open(path, Options::new().create_if_missing(false).read_only(true)).unwrap()
}

#[test]
fn commits_come_every_n_lines_and_acks_after_them() {
    let place = Place::new();
    let db = place.path("x.db");
    let lines = cell_lines(10, |n| n.to_string());
    let answer = run_with(args!["ingest", &db, "--commit-every", "4", "--ack"], lines.as_bytes());
    assert_eq!(answer.ok().text(), "ack 1\nack 2\nack 3\n");
    let count = |seq: &str| run(args!["ls", &db, "--at", seq]).ok().text().lines().count();
    assert_eq!((count("1"), count("2"), count("3")), (4, 8, 10));
    // Nothing to commit is no commit.
    assert_eq!(run_with(args!["ingest", &db, "--ack"], b"\n\n").ok().text(), "");
    // A multiple of N leaves nothing over.
    let two = lines.lines().take(2).collect::<Vec<_>>().join("\n");
    let answer = run_with(args!["ingest", &db, "--commit-every", "1", "--ack"], two.as_bytes());
    assert_eq!(answer.ok().text(), "ack 4\nack 5\n");
}

#[test]
fn an_ack_comes_while_input_goes_on() {
    use std::io::{BufRead, BufReader, Write};
    let place = Place::new();
    let mut child = crate::program::program()
        .args(args!["ingest", place.path("x.db"), "--commit-every", "1", "--ack"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for seq in 1..=5 {
        writeln!(stdin, "{{\"q\":{seq},\"r\":0,\"raw_content\":\"\"}}").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, format!("ack {seq}\n"));
    }
    drop(stdin);
    crate::program::wait(child).ok();
}

#[test]
fn a_bad_line_keeps_what_was_committed_and_says_where_it_is() {
    let good = |n: u32| format!("{{\"q\":{n},\"r\":0,\"raw_content\":\"{n}\"}}");
    let cases = [
        (r#"{"q":1,"r":2,"raw_content":"x""#, 30, "EOF while parsing an object"),
        (r#"{"q":1,"r":2}"#, 13, "missing field `raw_content`"),
        (r#"{"q":1,"r":2,"raw_content":7}"#, 28, "invalid type"),
        (r#"{"q":1.5,"r":2,"raw_content":""}"#, 8, "invalid type"),
        (r#"{"q":1,"r":2,"raw_content":"","tag":[]}"#, 35, "unknown field `tag`"),
        (r#"{"q":1,"q":1,"r":2,"raw_content":""}"#, 10, "duplicate field `q`"),
        (r#"{"q":1,"r":2,"raw_content":"\ud800"}"#, 35, "end of hex escape"),
        (r"not json", 2, "expected ident"),
        (r#"{"q":262143,"r":262143,"raw_content":""}"#, 1, "out of range"),
        (r#"{"q":99999999999,"r":0,"raw_content":""}"#, 16, "invalid value"),
        (r#"{"q":1,"r":2,"raw_content":"","confidence":1.5}"#, 1, "confidence"),
        (r#"{"q":1,"r":2,"raw_content":""} {}"#, 32, "trailing characters"),
    ];
    for (bad, column, what) in cases {
        let place = Place::new();
        let db = place.path("x.db");
        let input = [good(1), good(2), good(3), bad.to_owned(), good(4)].join("\n");
        let answer =
            run_with(args!["ingest", &db, "--commit-every", "2", "--ack"], input.as_bytes());
        assert_eq!(answer.code, 4, "{bad}: {answer:?}");
        assert_eq!(answer.text(), "ack 1\n", "{bad}");
        let wanted = format!("error: line 4, column {column}: ");
        assert!(answer.stderr.starts_with(&wanted), "{bad}: {}", answer.stderr);
        assert!(answer.stderr.contains(what), "{bad}: {}", answer.stderr);
        assert!(answer.stderr.contains("kept: 2 cells in 1 commit; not kept: 1 line after"));
        assert_eq!(run(args!["ls", &db]).ok().text().lines().count(), 2, "{bad}");
    }
}

#[test]
fn bytes_that_are_no_text_are_a_bad_line() {
    let place = Place::new();
    let db = place.path("x.db");
    let answer = run_with(args!["ingest", &db], b"{\"q\":1,\"r\":0,\"raw_content\":\"\xff\"}\n");
    assert!(answer.fails(4).stderr.starts_with("error: line 1, column "));
}

#[test]
fn a_value_over_the_limit_is_a_bad_line_and_the_limit_can_be_raised() {
    let place = Place::new();
    let (small, large) = (place.path("s.db"), place.path("l.db"));
    let line = format!("{{\"q\":1,\"r\":0,\"raw_content\":\"{}\"}}", "x".repeat(2 << 20));
    let answer = run_with(args!["ingest", &small], line.as_bytes()).fails(4);
    assert!(answer.stderr.starts_with("error: line 1, column 1: value is "), "{}", answer.stderr);
    run_with(args!["ingest", &large, "--max-value-bytes", "67108864"], line.as_bytes()).ok();
    let answer = run_with(args!["ingest", &large, "--max-value-bytes", "512"], b"").fails(3);
    assert!(answer.stderr.contains("max_value_bytes"), "{}", answer.stderr);
    run_with(args!["ingest", &place.path("n.db"), "--max-value-bytes", "511"], b"").fails(2);
}

#[test]
fn a_cell_that_is_replaced_keeps_when_it_was_made() {
    let place = Place::new();
    let path = place.path("x.db");
    for text in ["one", "two"] {
        let line = format!("{{\"q\":1,\"r\":0,\"raw_content\":\"{text}\"}}");
        run_with(args!["ingest", &path], line.as_bytes()).ok();
    }
    let db = open(&path);
    let versions: Vec<_> =
        db.history(Coord::new(1, 0).unwrap()).unwrap().map(Result::unwrap).collect();
    let times: Vec<_> = versions
        .into_iter()
        .map(|version| match version.record {
            Some(hexxladb::Record::Cell(cell)) => cell.provenance,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(times[0].created_at, times[1].created_at);
    assert!(times[0].updated_at > times[1].updated_at);
}
