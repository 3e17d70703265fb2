//! A database made with the program alone: cells, facets, edges, seams, tags, and what looks at
//! them.

use std::path::{Path, PathBuf};

use crate::program::{Answer, Place, args, run, run_with};

/// Arguments as one text; `DB` is the database.
pub(crate) fn hexxladb(db: &Path, line: &[&str]) -> Answer {
    run(line.iter().map(|word| match *word {
        "DB" => db.as_os_str().to_owned(),
        word => word.into(),
    }))
}

/// Three cells, of which the newer one supersedes one and another contradicts it, as commits 1 to 8
/// at seconds 1001 to 1008.
pub(crate) fn kitchen(place: &Place) -> PathBuf {
    let db = place.path("kitchen.db");
    let commands: [&[&str]; 8] = [
        &[
            "put",
            "DB",
            "0,0",
            "The kettle is on.",
            "--tag",
            "tea",
            "--tag",
            "home",
            "--source",
            "kitchen",
            "--confidence",
            "0.8",
            "--valid-from",
            "2026-11-16",
            "--note",
            "first",
        ],
        &["put", "DB", "1,0", "-5 degrees <outside>", "--tag", "weather", "--source", "window"],
        &["put", "DB", "-1,0", "The kettle boiled dry", "--tag", "tea", "--valid-to", "2026-12-01"],
        &["put", "DB", "0,0", "kettle: on", "--facet", "2"],
        &["link", "DB", "0,0", "1,0", "warms", "--weight", "-0.5"],
        &["link", "DB", "0,0", "-1,0", "leads to"],
        &["seam", "supersedes", "DB", "-1,0", "0,0", "--reason", "it boiled"],
        &["seam", "conflict", "DB", "0,0", "1,0", "--reason", "hot & cold"],
    ];
    for (number, command) in commands.iter().enumerate() {
        let time = format!("@{}", 1001 + number);
        let told = hexxladb(&db, &[command, &["--commit-time", &time][..]].concat()).ok().text();
        assert!(told.starts_with(&format!("commit {}", number + 1)), "{told}");
    }
    db
}

/// The ids of all seams, in their order.
pub(crate) fn seam_ids(db: &Path) -> Vec<String> {
    let seams = hexxladb(db, &["seam", "list", "DB", "--json"]).ok().json();
    seams.iter().map(|seam| seam["key"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn put_keeps_what_it_is_told() {
    let place = Place::new();
    let db = kitchen(&place);
    let json = &hexxladb(&db, &["get", "DB", "0,0", "--json"]).ok().json()[0];
    let wanted = serde_json::json!({
        "q": 0, "r": 0, "raw_content": "The kettle is on.", "tags": ["home", "tea"],
        "source_id": "kitchen", "confidence": 0.8, "created_at": "1970-01-01T00:16:41Z",
        "updated_at": "1970-01-01T00:16:41Z", "valid_from": "2026-11-16T00:00:00Z",
    });
    assert_eq!(*json, wanted);
    assert_eq!(hexxladb(&db, &["log", "DB", "--json", "--reverse"]).json()[0]["note"], "first");
    // A put replaces all but the creation time; text may come from standard input.
    let put = args!["put", &db, "0,0", "-", "--commit-time", "@2000", "--cluster-hint", "near"];
    run_with(put, "from\nstdin".as_bytes()).ok();
    let json = &hexxladb(&db, &["get", "DB", "0", "0", "--json"]).ok().json()[0];
    let wanted = serde_json::json!({
        "q": 0, "r": 0, "raw_content": "from\nstdin", "tags": [], "source_id": "",
        "confidence": 1.0, "created_at": "1970-01-01T00:16:41Z",
        "updated_at": "1970-01-01T00:33:20Z", "cluster_hint": "near",
    });
    assert_eq!(*json, wanted);
    let bytes = run_with(args!["put", &db, "0,0", "-"], b"ab\xff").fails(4);
    assert!(bytes.stderr.contains("not UTF-8 text at byte 2"), "{}", bytes.stderr);
}

#[test]
fn get_shows_what_hangs_on_a_cell() {
    let place = Place::new();
    let db = kitchen(&place);
    let all = hexxladb(&db, &["get", "DB", "0,0", "--all"]).ok().text();
    for line in [
        "valid       2026-11-16T00:00:00Z to open\n",
        "facet 2     kettle: on\n",
        "edge        (0,0) leads to (-1,0)\tweight 1\n",
        "edge        (0,0) warms (1,0)\tweight -0.5\n",
        "\t(-1,0) supersedes (0,0)\tunresolved\tit boiled\n",
        "\t(0,0) conflict (1,0)\tunresolved\thot & cold\n",
    ] {
        assert!(all.contains(line), "{line:?} is not in {all}");
    }
    let families = |options: &[&str]| {
        let lines = hexxladb(&db, &[&["get", "DB", "0,0", "--json"], options].concat()).ok().json();
        let family = |line: &serde_json::Value| line["family"].as_str().map(str::to_owned);
        lines.iter().skip(1).map(|line| family(line).unwrap()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(families(&[]), "");
    assert_eq!(families(&["--facets"]), "facet");
    assert_eq!(families(&["--edges"]), "edge edge");
    assert_eq!(families(&["--seams", "--at", "7"]), "seam");
    assert_eq!(families(&["--all"]), "facet edge edge seam seam");
    // The other end of an edge sees it, too.
    let far = hexxladb(&db, &["get", "DB", "1,0", "--edges"]).ok().text();
    assert!(far.contains("edge        (0,0) warms (1,0)"), "{far}");
}

#[test]
fn rm_deletes_a_cell_with_what_it_holds_and_no_earlier_state() {
    let place = Place::new();
    let db = kitchen(&place);
    hexxladb(&db, &["rm", "DB", "0,0", "--note", "gone"]).ok();
    let diff = hexxladb(&db, &["diff", "DB", "8", "9"]).ok().text();
    let gone =
        "- cell/(0,0)\n- facet/(0,0)/2\n- edge/(0,0)/(-1,0)/leads to\n- edge/(0,0)/(1,0)/warms\n";
    assert_eq!(diff, gone);
    assert_eq!(
        hexxladb(&db, &["diff", "DB", "9", "8"]).ok().text(),
        gone.replace('-', "+").replace("(+", "(-")
    );
    hexxladb(&db, &["get", "DB", "0,0"]).fails(1);
    hexxladb(&db, &["get", "DB", "0,0", "--at", "8"]).ok();
    let again = hexxladb(&db, &["rm", "DB", "0,0"]).fails(1);
    assert_eq!(again.stderr, "error: no cell at (0,0); nothing was changed\n");
    let facet = hexxladb(&db, &["rm", "DB", "1,0", "--facet", "5"]).fails(1);
    assert!(facet.stderr.contains("no facet 5 of the cell at (1,0)"), "{}", facet.stderr);
    // What came to nothing is no commit, note or not.
    assert_eq!(hexxladb(&db, &["log", "DB"]).ok().text().lines().count(), 9);
    let edge = ["link", "DB", "1,0", "0,0", "warms", "--rm"];
    assert!(hexxladb(&db, &edge).fails(1).stderr.contains("no edge warms from (1,0) to (0,0)"));
}

#[test]
fn link_and_unlink() {
    let place = Place::new();
    let db = kitchen(&place);
    hexxladb(&db, &["link", "DB", "0,0", "1,0", "warms", "--rm"]).ok();
    assert_eq!(hexxladb(&db, &["diff", "DB", "8", "9"]).text(), "- edge/(0,0)/(1,0)/warms\n");
    let missing = hexxladb(&db, &["link", "DB", "0,0", "5,5", "warms"]).fails(1);
    assert!(missing.stderr.contains("no cell at (5,5)"), "{}", missing.stderr);
    let weight = hexxladb(&db, &["link", "DB", "0,0", "1,0", "warms", "--weight", "NaN"]).fails(2);
    assert!(weight.stderr.contains("must be finite"), "{}", weight.stderr);
}

#[test]
fn seams_are_marked_found_and_resolved() {
    let place = Place::new();
    let db = kitchen(&place);
    let ids = seam_ids(&db);
    let listed = |options: &[&str]| {
        let all = hexxladb(&db, &[&["seam", "list", "DB"], options].concat()).ok().text();
        all.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&[]), ids);
    assert_eq!(listed(&["1,0"]), ids[1..]);
    assert_eq!(listed(&["1,0", "--radius", "2"]), [ids[1].as_str(), &ids[0]]);
    assert_eq!(listed(&["0,0", "--type", "supersedes"]), ids[..1]);
    assert_eq!(listed(&["0,0", "--status", "merged"]), Vec::<String>::new());
    assert_eq!(listed(&["--type", "conflict"]), ids[1..]);
    assert_eq!(listed(&["--source", "nobody"]), Vec::<String>::new());
    hexxladb(&db, &["ring", "DB", "0,0", "1001"]).fails(2);
    let note = ["--note", "it has", "--commit-time", "@1009"];
    let command = [&["seam", "resolve", "DB", &ids[0], "superseded"][..], &note].concat();
    assert_eq!(hexxladb(&db, &command).ok().text(), format!("commit 9, seam {}\n", ids[0]));
    assert_eq!(listed(&["0,0", "--status", "superseded"]), ids[..1]);
    let shown = hexxladb(&db, &["seam", "show", "DB", &ids[0]]).ok().text();
    for line in [
        "cells       (-1,0) supersedes (0,0)\n",
        "status      superseded\n",
        "resolution  it has\n",
        "reason\n\nit boiled\n",
    ] {
        assert!(shown.contains(line), "{line:?} is not in {shown}");
    }
    let before = &hexxladb(&db, &["seam", "show", "DB", &ids[0], "--at", "8", "--json"]).json()[0];
    assert_eq!(before["value"]["resolution_status"], "unresolved");
    assert_eq!(hexxladb(&db, &["log", "DB", "--json"]).json()[0]["note"], "it has");

    let circle = hexxladb(&db, &["seam", "supersedes", "DB", "0,0", "-1,0"]).fails(2);
    assert!(circle.stderr.contains("supersedes (0,0) already"), "{}", circle.stderr);
    let missing = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    hexxladb(&db, &["seam", "show", "DB", missing]).fails(1);
    let missing = hexxladb(&db, &["seam", "resolve", "DB", missing, "merged"]).fails(1);
    assert!(missing.stderr.contains("`hexxladb seam list`"), "{}", missing.stderr);
    let status = hexxladb(&db, &["seam", "resolve", "DB", &ids[0], "done"]).fails(2);
    assert!(status.stderr.contains("unresolved, merged, superseded, archived"));
    assert!(hexxladb(&db, &["seam", "show", "DB", "x"]).fails(2).stderr.contains("not the id"));
}

#[test]
fn ring_goes_outwards_and_filters() {
    let place = Place::new();
    let db = kitchen(&place);
    let places = |options: &[&str]| {
        let text = hexxladb(&db, &[&["ring", "DB"], options].concat()).ok().text();
        let two = |line: &str| line.split('\t').take(2).collect::<Vec<_>>().join(" ");
        text.lines().map(two).collect::<Vec<_>>()
    };
    assert_eq!(places(&["-1,0", "2"]), ["0 (-1,0)", "1 (0,0)", "2 (1,0)"]);
    assert_eq!(places(&["0,0", "0"]), ["0 (0,0)"]);
    assert_eq!(places(&["0,0", "1", "--facet", "2"]), ["0 (0,0)"]);
    assert_eq!(places(&["0,0", "1", "--valid-at", "2026-11-15"]).len(), 2);
    assert_eq!(places(&["0,0", "1", "--valid-at", "2026-12-01"]).len(), 2);
    assert_eq!(places(&["0,0", "1", "--at", "1"]), ["0 (0,0)"]);
    let json = hexxladb(&db, &["ring", "DB", "-1,0", "1", "--json"]).ok().json();
    assert_eq!(json[1]["distance"], 1);
    assert_eq!(json[1]["value"]["raw_content"], "The kettle is on.");
}

#[test]
fn scan_follows_the_indexes_both_ways() {
    let place = Place::new();
    let db = kitchen(&place);
    let found = |options: &[&str]| {
        let text = hexxladb(&db, &[&["scan", "DB"], options].concat()).ok().text();
        let two = |line: &str| line.split('\t').take(2).collect::<String>();
        text.lines().map(two).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(found(&["--tag", "tea"]), "tea(0,0) tea(-1,0)");
    assert_eq!(found(&["--tag", "h*"]), "home(0,0)");
    assert_eq!(found(&["--tag", "home..tea"]), "home(0,0)");
    assert_eq!(found(&["--tag", "home..=tea", "--reverse"]), "tea(-1,0) tea(0,0) home(0,0)");
    assert_eq!(found(&["--tag", "..", "-n", "1", "--reverse"]), "weather(1,0)");
    assert_eq!(found(&["--tag", "=te*"]), "");
    assert_eq!(found(&["--tag", "tea", "--at", "2"]), "tea(0,0)");
    assert_eq!(found(&["--source", "k*"]), "kitchen(0,0)");
    assert_eq!(found(&["--source", "l.."]), "window(1,0)");
    assert_eq!(found(&["--week", "2026-W47"]), "2026-W47(0,0)");
    assert_eq!(found(&["--week", "2026-W01..2026-W47"]), "");
    assert_eq!(found(&["--week", "2026*"]), "2026-W47(0,0)");
    let json = hexxladb(&db, &["scan", "DB", "--tag", "home", "--json"]).ok().json();
    assert_eq!((&json[0]["index"], &json[0]["key"]["q"]), (&"home".into(), &0.into()));
    let week = hexxladb(&db, &["scan", "DB", "--week", "2026-W54"]).fails(2);
    assert!(week.stderr.contains("an ISO week"), "{}", week.stderr);
    hexxladb(&db, &["scan", "DB"]).fails(2);
    hexxladb(&db, &["scan", "DB", "--tag", "a", "--source", "b"]).fails(2);
}

#[test]
fn tags_name_states_everywhere() {
    let place = Place::new();
    let db = kitchen(&place);
    assert_eq!(
        hexxladb(&db, &["tag", "create", "DB", "begun", "--at", "2"]).ok().text(),
        "begun\tcommit 2\n"
    );
    hexxladb(&db, &["tag", "create", "DB", "now"]).ok();
    hexxladb(&db, &["tag", "create", "DB", "7"]).ok();
    hexxladb(&db, &["tag", "create", "DB", "2026-01-01", "--at", "@1003"]).ok();
    let tags = "2026-01-01\tcommit 3\n7\tcommit 8\nbegun\tcommit 2\nnow\tcommit 8\n";
    assert_eq!(hexxladb(&db, &["tag", "list", "DB"]).ok().text(), tags);
    assert_eq!(hexxladb(&db, &["tag", "list", "DB", "--json"]).json()[2]["commit"], 2);
    let cells = |at: &str| hexxladb(&db, &["ls", "DB", "--at", at]).ok().text().lines().count();
    assert_eq!((cells("begun"), cells("tag:now"), cells("1"), cells("@1001")), (2, 3, 1, 1));
    // Digits are a sequence, a name is a tag before it is a time; `tag:` settles either.
    assert_eq!((cells("2026-01-01"), cells("2026-01-02"), cells("tag:7")), (3, 3, 3));
    assert_eq!(hexxladb(&db, &["diff", "DB", "begun", "3"]).ok().text(), "+ cell/(-1,0)\n");
    let twice = hexxladb(&db, &["tag", "create", "DB", "begun"]).fails(2);
    assert!(twice.stderr.contains("is at commit 2"), "{}", twice.stderr);
    hexxladb(&db, &["tag", "create", "DB", "begun", "--at", "2"]).ok();
    hexxladb(&db, &["tag", "create", "DB", ""]).fails(2);
    hexxladb(&db, &["tag", "delete", "DB", "begun"]).ok();
    let gone = hexxladb(&db, &["tag", "delete", "DB", "begun"]).fails(1);
    assert!(gone.stderr.contains("`hexxladb tag list`"), "{}", gone.stderr);
    let none = hexxladb(&db, &["ls", "DB", "--at", "begun"]).fails(1);
    assert!(none.stderr.contains("there is no snapshot tag \"begun\""), "{}", none.stderr);
    hexxladb(&db, &["ls", "DB", "--at", "tag:2024-05-17"]).fails(1);
    hexxladb(&db, &["ls", "DB", "--at", "3000-01-01"]).fails(2);
    hexxladb(&db, &["ls", "DB", "--at", "99999999999999999999999"]).fails(3);
}

#[test]
fn diffs_carry_both_sides() {
    let place = Place::new();
    let db = kitchen(&place);
    hexxladb(&db, &["put", "DB", "1,0", "warmer"]).ok();
    assert_eq!(hexxladb(&db, &["diff", "DB", "8", "9"]).ok().text(), "~ cell/(1,0)\n");
    let json = hexxladb(&db, &["diff", "DB", "8", "9", "--json"]).ok().json();
    assert_eq!(json[0]["change"], "modified");
    assert_eq!(json[0]["old"]["raw_content"], "-5 degrees <outside>");
    assert_eq!(json[0]["new"]["raw_content"], "warmer");
    let all = hexxladb(&db, &["diff", "DB", "0", "9", "--json"]).ok().json();
    let families: Vec<_> = all.iter().map(|line| line["family"].as_str().unwrap()).collect();
    assert_eq!(families, ["cell", "cell", "cell", "facet", "edge", "edge", "seam", "seam"]);
    assert!(all.iter().all(|line| line["change"] == "added" && line["old"].is_null()));
    assert_eq!(hexxladb(&db, &["diff", "DB", "3", "3"]).ok().text(), "");
}

#[test]
fn wrong_arguments_make_nothing() {
    let place = Place::new();
    let db = place.path("none.db");
    let cases: [(&[&str], i32); 13] = [
        (&["put", "DB", "0,0", "x", "--confidence", "2"], 2),
        (&["put", "DB", "0;0", "x"], 2),
        (&["put", "DB", "0,0"], 2),
        (&["put", "DB", "0,0", "x", "--facet", "6"], 2),
        (&["put", "DB", "0,0", "x", "--facet", "1", "--tag", "y"], 2),
        (&["put", "DB", "0,0", "x", "--facet", "1"], 3),
        (&["rm", "DB", "0,0"], 3),
        (&["link", "DB", "0,0", "1,0", "x"], 3),
        (&["seam", "conflict", "DB", "0,0", "1,0"], 3),
        (&["tag", "create", "DB", "x"], 3),
        (&["prune", "DB", "--before", "1", "--yes"], 3),
        (&["map", "DB"], 3),
        (&["export", "jsonl", "DB"], 3),
    ];
    for (command, code) in cases {
        hexxladb(&db, command).fails(code);
        // A put that the engine refused has made the file, as any open does; nothing is in it.
        assert!(!db.exists() || command.contains(&"2"), "{command:?} made a database");
        let _ = std::fs::remove_file(&db);
    }
    let db = kitchen(&place);
    let before = hexxladb(&db, &["log", "DB"]).ok().text();
    hexxladb(&db, &["put", "DB", "9,9", "x", "--facet", "1"]).fails(1);
    hexxladb(&db, &["put", "DB", "0,0", "x", "--valid-from", "5", "--valid-to", "5"]).fails(2);
    hexxladb(&db, &["put", "DB", "0,0", "x", "--tag", &"t".repeat(256)]).fails(2);
    hexxladb(&db, &["put", "DB", "0,0", "x", "--note", &"n".repeat(4097)]).fails(2);
    assert_eq!(hexxladb(&db, &["log", "DB"]).ok().text(), before);
}
