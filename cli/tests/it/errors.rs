//! What a user is told when something is wrong, and the exit code that goes with it.

use crate::history::{Hash, make_repository};
use crate::program::{Answer, Place, args, run, run_with};

/// Exit code and messages, without the directory's name.
fn told(place: &Place, answer: &Answer) -> String {
    let stdout = String::from_utf8_lossy(&answer.stdout);
    place.strip(&format!("exit {}\n{stdout}{}", answer.code, answer.stderr))
}

#[test]
fn wrong_usage_is_2() {
    let place = Place::new();
    let db = place.path("x.db");
    let cases = [
        ("no-command", run(Vec::<String>::new())),
        ("unknown-command", run(args!["frobnicate"])),
        ("unknown-option", run(args!["ls", &db, "--wat"])),
        ("missing-arguments", run(args!["get", &db])),
        ("not-a-number", run(args!["get", &db, "one", "2"])),
        ("outside-the-lattice", run(args!["get", &db, "262144", "0"])),
        ("two-times", run(args!["ls", &db, "--at", "1", "--at-time", "2"])),
        ("not-a-time", run(args!["ls", &db, "--at-time", "noonish"])),
        ("zero-lines-a-commit", run(args!["ingest", &db, "--commit-every", "0"])),
        (
            "limit-over-64-mib",
            run(args!["git", "import", ".", &db, "--max-file-bytes", "67108865"]),
        ),
    ];
    for (name, answer) in cases {
        assert_eq!(answer.code, 2, "{name}: {answer:?}");
        insta::assert_snapshot!(format!("usage-{name}"), told(&place, &answer));
    }
    assert!(!db.exists(), "wrong usage made a file");
}

#[test]
fn a_database_that_is_not_there_or_is_none_is_3() {
    let place = Place::new();
    let missing = place.path("missing.db");
    for command in ["ls", "log", "stats", "dump", "check"] {
        let answer = run(args![command, &missing]).fails(3);
        assert!(answer.stderr.starts_with("error: no database at "), "{}", answer.stderr);
        assert!(!missing.exists(), "{command} made a file");
    }
    let answer = run(args!["get", &missing, "0", "0"]);
    insta::assert_snapshot!("database-missing", told(&place, &answer.fails(3)));
    let text = place.path("letter.txt");
    std::fs::write(&text, "Dear database, ".repeat(4000)).unwrap();
    for command in ["ls", "check", "dump"] {
        run(args![command, &text]).fails(3);
    }
    let answer = run_with(args!["ingest", &text], b"{\"q\":0,\"r\":0,\"raw_content\":\"\"}");
    assert!(answer.fails(3).stderr.contains("is not a HexxlaDB database"));
    assert!(std::fs::read_to_string(&text).unwrap().ends_with("Dear database, "));
}

#[test]
fn reads_outside_the_history_are_told_apart() {
    let place = Place::new();
    let db = place.path("x.db");
    run_with(args!["ingest", &db], b"{\"q\":1,\"r\":2,\"raw_content\":\"x\"}\n").ok();
    let future = run(args!["ls", &db, "--at", "9"]).fails(3);
    insta::assert_snapshot!("read-in-the-future", told(&place, &future));
    let nothing = run(args!["get", &db, "-5", "5"]).fails(1);
    insta::assert_snapshot!("no-such-cell", told(&place, &nothing));
    let never = run(args!["history", &db, "7", "7"]).fails(1);
    insta::assert_snapshot!("no-such-history", told(&place, &never));
    assert_eq!(run(args!["ls", &db, "--at", "0"]).ok().text(), "");
    assert_eq!(run(args!["ls", &db, "--at-time", "1970-01-01"]).ok().text(), "");
}

#[test]
fn git_commands_say_what_is_wrong_with_their_input() {
    let place = Place::new();
    let (repo, db, other) = (place.path("r.git"), place.path("x.db"), place.path("o.db"));
    make_repository(&repo, 30, 5, Hash::Sha1).unwrap();
    let plain = place.path("plain");
    std::fs::create_dir(&plain).unwrap();
    let no_repo = run(args!["git", "import", &plain, &db]).fails(4);
    assert!(no_repo.stderr.contains("is not in a git repository"), "{}", no_repo.stderr);
    assert!(!db.exists(), "an import of nothing made a file");

    let empty = place.path("empty.git");
    crate::history::init(&empty, Hash::Sha1).unwrap();
    let unborn = run(args!["git", "import", &empty, &db]).fails(4);
    insta::assert_snapshot!("git-no-commit", told(&place, &unborn));

    run_with(args!["ingest", &other], b"{\"q\":1,\"r\":2,\"raw_content\":\"x\"}\n").ok();
    let before = std::fs::read(&other).unwrap();
    let foreign = run(args!["git", "import", &repo, &other]).fails(2);
    insta::assert_snapshot!("git-foreign-database", told(&place, &foreign));
    let foreign = run(args!["demo", "--repo", &repo, "--db", &other]).fails(2);
    assert!(foreign.stderr.contains("holds something else than a git history"));
    assert_eq!(std::fs::read(&other).unwrap(), before, "a refused database was changed");
    let none = run(args!["git", "ls", &other]).fails(2);
    insta::assert_snapshot!("git-no-history", told(&place, &none));

    run(args!["git", "import", &repo, &db]).ok();
    let unrelated = place.path("u.git");
    make_repository(&unrelated, 30, 6, Hash::Sha1).unwrap();
    let wrong = run(args!["git", "import", &unrelated, &db]).fails(2);
    assert!(wrong.stderr.contains("not on the line of first parents"), "{}", wrong.stderr);
    let wrong = run(args!["git", "verify", &unrelated, &db]).fails(1);
    assert!(wrong.stderr.contains("has no commit"), "{}", wrong.stderr);
    let limit = run(args!["git", "import", &repo, &db, "--max-file-bytes", "7"]).fails(2);
    insta::assert_snapshot!("git-other-limit", told(&place, &limit));

    for (name, at) in [("commit", "abcdef123456"), ("number", "99999"), ("form", "someday")] {
        let answer = run(args!["git", "ls", &db, "--at", at]);
        insta::assert_snapshot!(format!("git-at-{name}"), told(&place, &answer));
    }
    let no_file = run(args!["git", "cat", &db, "no/such\nfile"]).fails(1);
    insta::assert_snapshot!("git-no-file", told(&place, &no_file));
}

#[test]
fn a_database_that_is_open_elsewhere_is_3() {
    let place = Place::new();
    let db = place.path("x.db");
    let open = hexxladb::Db::open(&db, hexxladb::Options::new()).unwrap();
    let answer = run_with(args!["ingest", &db], b"").fails(3);
    assert!(answer.stderr.contains("is open elsewhere"), "{}", answer.stderr);
    run(args!["ls", &db]).fails(3);
    open.close().unwrap();
    drop(open);
    run(args!["ls", &db]).ok();
    // Readers do not keep readers out.
    let reader = hexxladb::Db::open(&db, hexxladb::Options::new().read_only(true)).unwrap();
    for command in ["ls", "log", "stats", "dump", "check"] {
        run(args![command, &db]).ok();
    }
    drop(reader);
}
