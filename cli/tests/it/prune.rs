//! `prune`: shows first, acts when told, stops between batches, survives being killed.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::by_hand::{hexxladb, kitchen};
use crate::program::{Place, args, run, run_signalled, run_with};

/// Commits of one changed cell each.
fn many_versions(place: &Place, commits: usize) -> PathBuf {
    let db = place.path("versions.db");
    let mut lines = String::new();
    for number in 0..commits {
        writeln!(lines, "{{\"q\":{},\"r\":0,\"raw_content\":\"{number}\"}}", number % 7).unwrap();
    }
    run_with(args!["ingest", &db, "--commit-every", "1"], lines.as_bytes()).ok();
    db
}

fn rows(db: &Path) -> u64 {
    run(args!["stats", db, "--json"]).ok().json()[0]["versioned_row_count"].as_u64().unwrap()
}

#[test]
fn without_yes_no_byte_changes() {
    let place = Place::new();
    let db = many_versions(&place, 100);
    let before = std::fs::read(&db).unwrap();
    let plan = run(args!["prune", &db, "--before", "90"]).ok().text();
    let wanted = "prune before      90\noldest readable   90\nheld by           nothing\n\
                  goes              83 rows (";
    assert!(plan.starts_with(wanted), "{plan}");
    assert!(plan.contains("from the timeline 89 commits\nnothing was changed;"), "{plan}");
    assert_eq!(std::fs::read(&db).unwrap(), before);
    assert_eq!(rows(&db), 100);
    let acted = run(args!["prune", &db, "--before", "90", "--yes"]).ok().text();
    assert!(acted.ends_with("removed 83 rows; the oldest readable commit is 90\n"), "{acted}");
    assert_eq!(rows(&db), 17);
    let pruned = run(args!["ls", &db, "--at", "89"]).fails(3);
    assert!(pruned.stderr.contains("`hexxladb log`"), "{}", pruned.stderr);
    assert_eq!(run(args!["ls", &db, "--at", "90"]).ok().text().lines().count(), 7);
    assert_eq!(run(args!["log", &db]).ok().text().lines().count(), 11);
    // A version below the floor stays; its commit's time went with the timeline.
    let history = run(args!["history", &db, "0,0"]).ok().text();
    assert!(history.ends_with("\tpruned\t2 B\t84\n"), "{history}");
    let again = run(args!["prune", &db, "--before", "90"]).ok().text();
    assert!(again.ends_with("nothing would go; nothing was changed\n"), "{again}");
    run(args!["check", &db]).ok();
}

#[test]
fn policies_and_profiles() {
    let place = Place::new();
    let db = many_versions(&place, 100);
    let before = |options: &[&str]| {
        let report = hexxladb(&db, &[&["prune", "DB", "--json"], options].concat()).ok().json();
        assert!(report[0]["done"].is_null());
        report[0]["plan"]["before"].as_u64().unwrap()
    };
    let exact = ["--keep-commits", "40", "--profile", "low-latency"];
    assert_eq!(before(&exact), 60);
    assert_eq!(before(&["--keep-commits", "40"]), 50);
    assert_eq!(before(&["--keep-commits", "40", "--profile", "long-history"]), 20);
    assert_eq!(before(&["--keep-duration", "7d"]), 0);
    assert_eq!(before(&["--keep-commits", "40", "--keep-duration", "7d"]), 0);
    let text = hexxladb(&db, &["prune", "DB", "--keep-commits", "40"]).ok().text();
    assert!(text.starts_with("keep              the last 50 commits\n"), "{text}");
    let stats = &hexxladb(&db, &["stats", "DB", "--keep-commits", "40", "--json"]).json()[0];
    assert_eq!(stats["suggested_prune_before_seq"], 60);
    let acted = hexxladb(&db, &[&["prune", "DB", "--yes", "--json"], &exact[..]].concat()).ok();
    assert_eq!(acted.json()[0]["done"]["oldest_readable_seq"], 60);
    assert_eq!(rows(&db), 47);
    for wrong in [
        &["prune", "DB"][..],
        &["prune", "DB", "--before", "1", "--keep-commits", "1"],
        &["prune", "DB", "--keep-commits", "0"],
        &["prune", "DB", "--keep-duration", "7"],
    ] {
        hexxladb(&db, wrong).fails(2);
    }
    hexxladb(&db, &["prune", "DB", "--before", "101"]).fails(3);
}

#[test]
fn a_tag_holds_the_floor_and_is_named() {
    let place = Place::new();
    let db = kitchen(&place);
    hexxladb(&db, &["tag", "create", "DB", "keep\tme", "--at", "3"]).ok();
    let plan = hexxladb(&db, &["prune", "DB", "--before", "tag:keep\tme", "--yes"]).ok().text();
    assert!(plan.contains("held by           nothing\n"), "{plan}");
    let plan = hexxladb(&db, &["prune", "DB", "--before", "8"]).ok().text();
    assert!(
        plan.contains(
            "oldest readable   3\nheld by           snapshot tag \"keep\\tme\" at commit 3\n"
        ),
        "{plan}"
    );
    let stats = hexxladb(&db, &["stats", "DB"]).ok().text();
    assert!(stats.contains("floor_held_by           snapshot tag \"keep\\tme\" at commit 3\n"));
    for name in ["retention ", "reclaimable_pages ", "commits_per_hour ", "  seam "] {
        assert!(stats.contains(name), "{name} is not in {stats}");
    }
}

/// However far it comes, what is left reads as it did, and the same command ends the work.
#[test]
fn a_prune_that_is_killed_or_stopped_goes_on() {
    let place = Place::new();
    let db = many_versions(&place, 6_000);
    let wanted = run(args!["ls", &db, "--at", "5990", "--json"]).ok().stdout;
    let (mut killed, mut stopped) = (0, 0);
    for (number, delay) in [(9, 5), (2, 8), (9, 12), (15, 18), (2, 25), (9, 40)] {
        let answer = run_signalled(args!["prune", &db, "--before", "5990", "--yes"], number, delay);
        match answer.code {
            0 => {}
            -1 => killed += 1,
            code => {
                assert_eq!(code, 128 + number, "{answer:?}");
                assert!(answer.stderr.contains("run the same command again"), "{answer:?}");
                stopped += 1;
            }
        }
        run(args!["check", &db]).ok();
        assert_eq!(run(args!["ls", &db, "--at", "5990", "--json"]).ok().stdout, wanted);
    }
    assert!(killed + stopped > 0, "the prune was never ended in its middle");
    run(args!["prune", &db, "--before", "5990", "--yes"]).ok();
    assert_eq!(rows(&db), 17);
    assert_eq!(run(args!["ls", &db, "--at", "5990", "--json"]).ok().stdout, wanted);
}
