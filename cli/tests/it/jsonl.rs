//! `export jsonl` and `import jsonl`: nothing lost either way, and nothing half done.

use std::path::{Path, PathBuf};

use hexxladb::{
    Cell, Coord, Db, Edge, Facet, FacetId, Options, Provenance, ResolutionStatus, Seam, SeamType,
    Timestamp, Ulid, Validity, WriteTx,
};

use crate::by_hand::{hexxladb, kitchen};
use crate::program::{Place, args, cell_lines, run, run_signalled, run_with};

fn coord(q: i32, r: i32) -> Coord {
    Coord::new(q, r).unwrap()
}

fn commit(db: &Db, time: i64, write: impl FnOnce(&mut WriteTx) -> hexxladb::Result<()>) {
    db.update(|tx| {
        tx.set_commit_time(Timestamp::from_nanos(time))?;
        write(tx)
    })
    .unwrap();
}

/// A history of everything that is odd: contents, times, notes, and transactions that leave traces
/// which no difference shows.
fn odd(place: &Place) -> PathBuf {
    let path = place.path("odd.db");
    let db = Db::open(&path, Options::new()).unwrap();
    let (a, b, c) = (coord(0, 0), coord(-5, 3), coord(262_143, -262_143));
    let texts =
        ["", "\0", "\"quoted\" \\ \u{7f}\n\r\t", "é\u{1f980}\u{2028}\u{202e}", "null", "{}"];
    let [least, most] = [Timestamp::MIN, Timestamp::MAX];
    let times = Provenance { created_at: least, updated_at: most, ..Provenance::default() };
    let ids = [Ulid::from_parts(0, 1), Ulid::from_parts(u64::MAX >> 16, 0), Ulid::from_parts(7, 7)];
    commit(&db, i64::MIN, |tx| {
        tx.set_note("")?;
        for (number, text) in (0..).zip(texts) {
            let mut cell = Cell::new(text).with_tags(["", text, "t"]).with_source(text);
            cell.cluster_hint = Some(text.to_owned());
            tx.put_cell(coord(number, 100), &cell)?;
            tx.put_edge(a, b, text, &Edge::new(-0.0).with_source(text))?;
            tx.put(text, text)?;
        }
        tx.put(b"\xff\x00\xfe", b"\x80")?;
        tx.put(b"", b"\x00")
    });
    commit(&db, -1, |tx| {
        let mut cell = Cell::new("times").with_confidence(5e-324);
        cell.provenance.created_at = least;
        cell.provenance.updated_at = most;
        cell.validity = Validity { valid_from: Some(least), valid_to: Some(most) };
        tx.put_cell(c, &cell)?;
        for id in FacetId::ALL {
            tx.put_facet(b, id, &Facet::of(&cell, "").with_last_rotated(least))?;
        }
        tx.put_edge(b, c, "x", &Edge::new(f64::MIN_POSITIVE).with_provenance(times.clone()))?;
        tx.put_edge(c, c, "loop", &Edge::new(1.0 / 3.0))
    });
    commit(&db, 0, |tx| {
        tx.set_note("seams \u{1f980}\n\0")?;
        let mut seam = Seam::new(a, b, SeamType::Supersedes).with_reason("\0");
        (seam.confidence_delta, seam.provenance) = (-0.0, times.clone());
        seam.resolution_note = Some(String::new());
        tx.put_seam(ids[0], &seam)?;
        tx.put_seam(ids[1], &Seam::new(b, c, SeamType::Other("\u{0}odd".to_owned())))
    });
    // The one seam gives way before the other closes the circle, but its id comes later.
    commit(&db, 0, |tx| {
        let mut seam = Seam::new(b, a, SeamType::Conflict);
        tx.put_seam(ids[2], &seam)?;
        seam = Seam::new(a, b, SeamType::Conflict);
        seam.resolution_status = ResolutionStatus::Merged;
        tx.put_seam(ids[0], &seam)?;
        tx.put_seam(ids[2], &Seam::new(b, a, SeamType::Supersedes))
    });
    commit(&db, 5, |tx| {
        tx.put_seam(ids[2], &Seam::new(b, a, SeamType::Conflict))?;
        tx.put_seam(ids[0], &Seam::new(a, b, SeamType::Supersedes))
    });
    // Puts of what is there, and puts and deletions of something new.
    commit(&db, 5, |tx| {
        let same = tx.get_cell(c)?.unwrap();
        tx.put_cell(c, &same)?;
        tx.put(b"", b"\x00")?;
        tx.put("brief", "x")?;
        tx.delete("brief")?;
        tx.put_cell(a, &Cell::new("brief").with_tags(["t"]))?;
        tx.put_facet(a, FacetId::ALL[0], &Facet::default())?;
        tx.delete_cell(a).map(|_| ())
    });
    // A cell goes and takes its edge and facets with it; of those one comes back as it was and one
    // as another; then the cell comes back, too, or does not.
    commit(&db, 6, |tx| {
        let facet = tx.get_facet(b, FacetId::ALL[3])?.unwrap();
        tx.put_cell(b, &Cell::new("short"))?;
        tx.delete_cell(b)?;
        tx.put_facet(b, FacetId::ALL[3], &facet)?;
        tx.put_facet(b, FacetId::ALL[4], &Facet::default())?;
        tx.delete_cell(c)?;
        tx.put_cell(c, &Cell::new("back"))
    });
    commit(&db, 6, |tx| tx.set_note("nothing but a note"));
    commit(&db, i64::MAX, |tx| {
        tx.put("brief", "y")?;
        tx.delete("brief")?;
        tx.put("large", vec![0xff; 200_000])
    });
    db.tag_snapshot_at("begin", 0).unwrap();
    db.tag_snapshot_at("\0odd\n", 3).unwrap();
    db.tag_snapshot("head").unwrap();
    db.close().unwrap();
    path
}

fn export(db: &Path, options: &[&str]) -> Vec<u8> {
    run(args!["export", "jsonl", db].into_iter().chain(options.iter().map(Into::into))).ok().stdout
}

/// Exports, imports and exports again; both exports must be the same bytes.
fn round_trip(place: &Place, db: &Path, options: &[&str]) -> PathBuf {
    let first = export(db, options);
    let copy = place.path("copy.db");
    run_with(args!["import", "jsonl", &copy], &first).ok();
    let second = export(&copy, options);
    assert!(
        first == second,
        "{}\n---\n{}",
        String::from_utf8_lossy(&first),
        String::from_utf8_lossy(&second)
    );
    run(args!["check", &copy]).ok();
    copy
}

#[test]
fn a_history_comes_back_as_it_was() {
    let place = Place::new();
    let db = odd(&place);
    let copy = round_trip(&place, &db, &["--history"]);
    // Not the same text alone, but the same rows: every version and every tombstone.
    for command in [&["dump", "DB", "--json"][..], &["log", "DB", "--json"], &["tag", "list", "DB"]]
    {
        let [ours, theirs] = [&db, &copy].map(|db| hexxladb(db, command).ok().text());
        assert_eq!(ours, theirs, "{command:?}");
    }
}

#[test]
fn a_state_comes_back_as_it_was() {
    let place = Place::new();
    let db = odd(&place);
    round_trip(&place, &db, &[]);
    std::fs::remove_file(place.path("copy.db")).unwrap();
    std::fs::remove_file(place.path("copy.db-wal")).unwrap();
    let at = export(&db, &["--at", "3"]);
    run_with(args!["import", "jsonl", &place.path("copy.db"), "--note", "copied"], &at).ok();
    assert_eq!(export(&place.path("copy.db"), &[]), at);
    let log = run(args!["log", &place.path("copy.db"), "--json"]).ok().json();
    assert_eq!((log.len(), &log[0]["note"]), (1, &"copied".into()));
}

#[test]
fn files_serve_as_well_as_pipes() {
    let place = Place::new();
    let (db, file, copy) = (kitchen(&place), place.path("x.jsonl"), place.path("copy.db"));
    hexxladb(&db, &["tag", "create", "DB", "t", "--at", "3"]).ok();
    run(args!["export", "jsonl", &db, &file, "--history"]).ok();
    let again = run(args!["export", "jsonl", &db, &file]).fails(4);
    assert!(again.stderr.contains("cannot write "), "{}", again.stderr);
    let told = run(args!["import", "jsonl", &copy, &file]).ok().stderr;
    assert_eq!(told, "8 records read, 8 commits made, 1 tag\n");
    assert_eq!(export(&copy, &["--history"]), std::fs::read(&file).unwrap());
    run(args!["import", "jsonl", &copy, &place.path("none")]).fails(4);
    // What is there is passed over; what is new goes on from there.
    hexxladb(&db, &["put", "DB", "4,4", "later"]).ok();
    let longer = export(&db, &["--history"]);
    let told = run_with(args!["import", "jsonl", &copy], &longer).ok().stderr;
    assert_eq!(told, "9 records read, 1 commit made, 8 commits already there, 1 tag\n");
    assert_eq!(export(&copy, &["--history"]), longer);
    // An empty database is a history, too.
    let empty = b"{\"format\":\"hexxladb-jsonl\",\"version\":1,\"content\":\"history\",\"from\":1}\n{\"end\":{\"records\":0}}\n";
    let none = place.path("none.db");
    run_with(args!["import", "jsonl", &none], empty).ok();
    assert_eq!(export(&none, &["--history"]), empty);
}

#[test]
fn a_pruned_history_needs_new_numbers() {
    let place = Place::new();
    let (db, copy) = (odd(&place), place.path("copy.db"));
    hexxladb(&db, &["tag", "delete", "DB", "head"]).ok();
    let handle = Db::open(&db, Options::new()).unwrap();
    handle.delete_snapshot_tag("\0odd\n").unwrap();
    handle.tag_snapshot_at("six", 6).unwrap();
    handle.close().unwrap();
    drop(handle);
    hexxladb(&db, &["prune", "DB", "--before", "5", "--yes"]).ok();
    let pruned = export(&db, &["--history"]);
    let refused = run_with(args!["import", "jsonl", &copy], &pruned).fails(2);
    assert!(refused.stderr.contains("state as of commit 5") && refused.stderr.contains("--rebase"));
    assert!(!copy.exists(), "a refused import made a file");
    let told = run_with(args!["import", "jsonl", &copy, "--rebase"], &pruned).ok().stderr;
    assert!(told.contains("5 commits made, 2 tags"), "{told}");
    // Every retained state is there, with its time and note, under its new number.
    for (old, new) in (5..=9).zip(1..=5) {
        let at = |db: &Path, seq: i32| export(db, &["--at", &seq.to_string()]);
        assert_eq!(at(&db, old), at(&copy, new), "{old}");
    }
    let times = |db: &Path| {
        let log = run(args!["log", db, "--json"]).ok().json();
        log.iter().map(|line| (line["time"].clone(), line["note"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(times(&db), times(&copy));
    assert_eq!(
        hexxladb(&copy, &["tag", "list", "DB"]).ok().text(),
        "begin\tcommit 0\nsix\tcommit 2\n"
    );
    // Behind what is there, once more.
    run_with(args!["import", "jsonl", &copy, "--rebase"], &pruned).fails(2);
    assert_eq!(run(args!["log", &copy]).ok().text().lines().count(), 10);
}

#[test]
fn another_history_is_refused() {
    let place = Place::new();
    let (db, other) = (kitchen(&place), place.path("other.db"));
    hexxladb(&other, &["put", "DB", "0,0", "mine"]).ok();
    let history = export(&db, &["--history"]);
    let refused = run_with(args!["import", "jsonl", &other], &history).fails(2);
    assert!(refused.stderr.contains("line 2: the database holds another history"), "{refused:?}");
    assert_eq!(run(args!["log", &other]).ok().text().lines().count(), 1);
    // A state goes into any database.
    run_with(args!["import", "jsonl", &other], &export(&db, &[])).ok();
    assert_eq!(export(&other, &[]), export(&db, &[]));
}

/// What is changed in an export does not pass for the history that it was.
#[test]
fn an_altered_history_is_found_out() {
    let place = Place::new();
    let history = String::from_utf8(export(&kitchen(&place), &["--history"])).unwrap();
    for (number, (from, to)) in [
        ("The kettle is on.", "The kettle is off."),
        ("\"weight\":-0.5", "\"weight\":0.5"),
        ("\"note\":\"first\"", "\"note\":\"frist\""),
        ("\"time\":1003", "\"time\":1002"),
        ("\"relation\":\"warms\"", "\"relation\":\"cools\""),
    ]
    .into_iter()
    .enumerate()
    {
        let altered = history.replace(from, to);
        assert_ne!(altered, history);
        let copy = place.path(&format!("{number}.db"));
        let found = run_with(args!["import", "jsonl", &copy], altered.as_bytes()).fails(1);
        assert!(found.stderr.contains("another history hash"), "{from}: {}", found.stderr);
    }
}

#[test]
fn bad_lines_are_named_and_leave_nothing() {
    let place = Place::new();
    let db = kitchen(&place);
    let state = String::from_utf8(export(&db, &[])).unwrap();
    let history = String::from_utf8(export(&db, &["--history"])).unwrap();
    let with = |text: &str, number: usize, line: &str| {
        let mut lines: Vec<_> = text.lines().collect();
        lines[number - 1] = line;
        lines.join("\n")
    };
    let cell = |value: &str| {
        format!("{{\"family\":\"cell\",\"key\":{{\"q\":0,\"r\":0}},\"value\":{value}}}")
    };
    let header = |version: u32, content: &str| {
        format!("{{\"format\":\"hexxladb-jsonl\",\"version\":{version},\"content\":\"{content}\"}}")
    };
    let cases = [
        (String::new(), "line 1: there is none"),
        (with(&state, 1, "{}"), "line 1: missing field `format`"),
        (with(&state, 1, "hello"), "line 1: expected value"),
        (with(&state, 1, &header(2, "state")), "line 1: the export is of version 2"),
        (with(&state, 1, &header(1, "cells")), "line 1: unknown variant `cells`"),
        (with(&state, 2, "{"), "line 2: EOF while parsing"),
        (with(&state, 2, &cell("null")), "line 2: a state holds no deletions"),
        (
            with(&state, 2, &cell("{\"raw_content\":\"\",\"tags\":[],\"x\":1}")),
            "line 2: value: unknown key \"x\"",
        ),
        (with(&state, 2, &cell("{\"provenance\":{\"confidence\":NaN}}")), "line 2: expected value"),
        (
            with(&state, 2, &cell("{\"provenance\":{\"confidence\":1.5}}")),
            "line 2: cell refused: confidence is 1.5",
        ),
        (
            with(&state, 2, &cell("{\"provenance\":{\"confidence\":1e999}}")),
            "line 2: number out of range",
        ),
        (
            with(
                &state,
                2,
                "{\"commit\":{\"seq\":1,\"time\":0,\"note\":null,\"history_hash\":\"\"}}",
            ),
            "line 2: a state holds no commits",
        ),
        (with(&state, 2, "{\"cimmot\":{}}"), "line 2: unknown variant `cimmot`"),
        (swapped(&state), "line 5: the families of a commit stand as raw, cell"),
        (state.replace("{\"end\":{\"records\":8}}\n", ""), "line 9: the export is cut short here"),
        (
            state.replace("\"records\":8", "\"records\":9"),
            "line 10: 9 records were exported, 8 came",
        ),
        (format!("{state}{{}}\n"), "line 11: something follows the end"),
        (with(&history, 3, &cell("[]")), "line 3: value: "),
        (
            with(
                &history,
                4,
                "{\"commit\":{\"seq\":3,\"time\":0,\"note\":null,\"history_hash\":\"\"}}",
            ),
            "line 4: commit 3 follows commit 1",
        ),
    ];
    for (text, what) in cases {
        let copy = place.path("copy.db");
        let answer = run_with(args!["import", "jsonl", &copy], text.as_bytes()).fails(4);
        assert!(answer.stderr.contains(what), "{what:?} is not in {}", answer.stderr);
        if copy.exists() {
            let kept = usize::from(what.starts_with("line 4: commit 3"));
            assert_eq!(run(args!["log", &copy]).ok().text().lines().count(), kept, "{what}");
            std::fs::remove_file(&copy).unwrap();
            std::fs::remove_file(place.path("copy.db-wal")).unwrap();
        }
    }
    let wrong =
        run_with(args!["import", "jsonl", &place.path("n.db"), "--rebase"], state.as_bytes());
    assert!(wrong.fails(2).stderr.contains("--rebase is for histories"));
}

/// The same with its facet before its last cell.
fn swapped(state: &str) -> String {
    let mut lines: Vec<_> = state.lines().collect();
    lines.swap(3, 4);
    lines.join("\n")
}

/// However often it is killed, an import of a history goes on with whole commits.
#[test]
fn a_killed_import_goes_on() {
    let place = Place::new();
    let (db, file, copy) = (place.path("x.db"), place.path("x.jsonl"), place.path("copy.db"));
    let lines = cell_lines(6000, |n| n.to_string());
    run_with(args!["ingest", &db, "--commit-every", "2"], lines.as_bytes()).ok();
    run(args!["export", "jsonl", &db, &file, "--history"]).ok();
    let (mut killed, mut stopped) = (0, 0);
    for (number, delay) in [(9, 30), (2, 50), (9, 70), (15, 90), (9, 120)] {
        let answer = run_signalled(args!["import", "jsonl", &copy, &file], number, delay);
        match answer.code {
            0 => {}
            -1 => killed += 1,
            code => {
                assert_eq!(code, 128 + number, "{answer:?}");
                assert!(answer.stderr.contains("import the same export again"), "{answer:?}");
                stopped += 1;
            }
        }
        if copy.exists() {
            run(args!["check", &copy]).ok();
        }
    }
    assert!(killed + stopped > 0, "the import was never ended in its middle");
    run(args!["import", "jsonl", &copy, &file]).ok();
    assert_eq!(export(&copy, &["--history"]), std::fs::read(&file).unwrap());
}

/// Format v1 has no history; its state is exported all the same.
#[test]
fn a_database_without_versions_has_a_state() {
    let place = Place::new();
    let path = place.path("v1.db");
    let db = Db::open(&path, Options::new().mvcc(false)).unwrap();
    db.update(|tx| tx.put_cell(coord(1, 1), &Cell::new("x"))).unwrap();
    db.close().unwrap();
    drop(db);
    let refused = run(args!["export", "jsonl", &path, "--history"]).fails(3);
    assert!(refused.stderr.contains("mvcc"), "{}", refused.stderr);
    let copy = round_trip(&place, &path, &[]);
    assert_eq!(run(args!["ls", &copy]).ok().text(), "(1,1)\t1 B\t\tx\n");
}
