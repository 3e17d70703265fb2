//! Whole generated histories: what the program shows is what git shows, by git's own word.

use std::path::Path;

use crate::history::{Hash, git, make_repository};
use crate::program::{Place, args, run};

/// What git prints for these arguments.
fn ask_git(repo: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = git().arg("-C").arg(repo).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn commits(repo: &Path) -> Vec<String> {
    let listed = ask_git(repo, &["rev-list", "--first-parent", "--reverse", "main"]);
    String::from_utf8(listed).unwrap().lines().map(str::to_owned).collect()
}

/// Mode, id and path of every file of a commit.
fn files(repo: &Path, commit: &str) -> Vec<(String, String, Vec<u8>)> {
    let listed = ask_git(repo, &["ls-tree", "-r", "-z", commit]);
    let lines = listed.split(|&byte| byte == 0).filter(|line| !line.is_empty());
    let entries = lines.map(|line| {
        let tab = line.iter().position(|&byte| byte == b'\t').unwrap();
        let words: Vec<_> = std::str::from_utf8(&line[..tab]).unwrap().split(' ').collect();
        (words[0].to_owned(), words[2].to_owned(), line[tab + 1..].to_vec())
    });
    entries.filter(|(mode, _, _)| mode != "160000").collect()
}

fn os(bytes: &[u8]) -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec())
}

fn imports_and_shows(hash: Hash, seed: u64) {
    let place = Place::new();
    let (repo, db) = (place.path("r.git"), place.path("x.db"));
    make_repository(&repo, 150, seed, hash).unwrap();
    run(args!["git", "import", &repo, &db]).ok();
    let ids = commits(&repo);
    assert_eq!(ids.len(), 150);

    let logged = run(args!["git", "log", &db, "--reverse"]).ok().text();
    let shown: Vec<_> = logged.lines().map(|line| line.split('\t').nth(1).unwrap()).collect();
    assert_eq!(shown, ids);

    for number in [1, 2, 40, 77, 149, 150] {
        let id = &ids[number - 1];
        let wanted = files(&repo, id);
        let listed: Vec<_> =
            wanted.iter().flat_map(|(_, _, path)| [path, &b"\0"[..]].concat()).collect();
        for at in [number.to_string(), id.clone(), id[..12].to_owned()] {
            let answer = run(args!["git", "ls", &db, "-z", "--at", &at]).ok();
            assert_eq!(answer.stdout, listed, "at {at}");
        }
        for (mode, blob, path) in wanted.iter().step_by(3) {
            let wanted = ask_git(&repo, &["cat-file", "blob", blob]);
            let answer = run(args!["git", "cat", &db, os(path), "--at", id]).ok();
            assert_eq!(answer.stdout, wanted, "{mode} {path:?} at {number}");
        }
    }

    let verified = run(args!["git", "verify", &repo, &db, "--json"]).ok().json();
    assert_eq!(verified[0]["identical"], true);
    assert_eq!(verified[0]["commits"], 150);
    let all_files: usize = ids.iter().map(|id| files(&repo, id).len()).sum();
    assert_eq!(verified[0]["files"], all_files);
    run(args!["check", &db]).ok();
}

#[test]
fn a_sha1_history_shows_what_git_shows() {
    imports_and_shows(Hash::Sha1, 21);
}

#[test]
fn a_sha256_history_shows_what_git_shows() {
    imports_and_shows(Hash::Sha256, 22);
}

/// The generated histories must hold what they are meant to try.
#[test]
fn the_generated_histories_hold_everything_odd() {
    let place = Place::new();
    let repo = place.path("r.git");
    make_repository(&repo, 150, 21, Hash::Sha1).unwrap();
    let ids = commits(&repo);
    let raw = ask_git(
        &repo,
        &["log", "--first-parent", "-m", "--raw", "-z", "--no-renames", "--format=%x01%ct", "main"],
    );
    let text = String::from_utf8_lossy(&raw);
    for wanted in [
        ":100644 100755",
        ":100644 120000",
        ":120000 160000",
        ":000000 160000",
        ":100644 000000",
        "new\nline",
        "quo\"te",
        "\u{fffd}\u{fffd} not utf-8",
        "ünïcödé",
        " D\0",
        "now a directory",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is missing");
    }
    let merges = ask_git(&repo, &["rev-list", "--first-parent", "--merges", "main"]);
    assert!(!merges.is_empty(), "no merges");
    let times: Vec<i64> = String::from_utf8(ask_git(
        &repo,
        &["log", "--first-parent", "--reverse", "--format=%ct", "main"],
    ))
    .unwrap()
    .lines()
    .map(|line| line.parse().unwrap())
    .collect();
    assert!(times.windows(2).any(|pair| pair[1] < pair[0]), "no clock runs backwards");
    let trees: Vec<_> =
        ids.iter().map(|id| ask_git(&repo, &["rev-parse", &format!("{id}^{{tree}}")])).collect();
    assert!(trees.windows(2).any(|pair| pair[0] == pair[1]), "no empty commit");
    let longest = ids.iter().rev().take(1).flat_map(|id| files(&repo, id)).map(|file| file.2.len());
    assert!(longest.max().unwrap() > 600, "no long path");
}

#[test]
fn times_show_the_newest_commit_before_them() {
    let place = Place::new();
    let (repo, db) = (place.path("r.git"), place.path("x.db"));
    make_repository(&repo, 60, 23, Hash::Sha1).unwrap();
    run(args!["git", "import", &repo, &db]).ok();
    let log = run(args!["git", "log", &db, "--reverse", "--json"]).ok().json();
    let listing = |at: &str| run(args!["git", "ls", &db, "--at", at]).ok().stdout;
    for (place, commit) in log.iter().enumerate() {
        let time = commit["time"].as_str().unwrap();
        let next_is_later = log.get(place + 1).is_none_or(|next| next["time"] != commit["time"]);
        if next_is_later && place % 7 == 0 {
            let seq = commit["seq"].to_string();
            assert_eq!(listing(time), listing(&seq), "{time} is {seq}");
        }
        assert!(commit["committer_time"].as_str().unwrap() <= time);
        assert!(place == 0 || log[place - 1]["time"].as_str().unwrap() <= time);
    }
    let clocks = log.iter().filter(|commit| commit["time"] != commit["committer_time"]).count();
    assert!(clocks > 0, "no committer's own time to tell apart");
    let plain = run(args!["git", "log", &db]).ok().text();
    assert_eq!(plain.matches("[committer ").count(), clocks);
    assert_eq!(listing("@1"), b"");
    assert_eq!(listing("1999-12-31"), b"");
    assert_eq!(listing("2200-01-01"), listing("60"));
}

#[test]
fn the_start_of_an_id_must_name_one_commit() {
    let place = Place::new();
    let (repo, db) = (place.path("r.git"), place.path("x.db"));
    make_repository(&repo, 600, 25, Hash::Sha1).unwrap();
    run(args!["git", "import", &repo, &db]).ok();
    let mut ids = commits(&repo);
    ids.sort();
    let (one, two) = ids
        .windows(2)
        .find(|pair| {
            pair[0][..4] == pair[1][..4] && pair[0].starts_with(|c| ('a'..='f').contains(&c))
        })
        .map(|pair| (&pair[0], &pair[1]))
        .expect("two ids that begin alike");
    let answer = run(args!["git", "ls", &db, "--at", &one[..4]]).fails(1);
    assert!(answer.stderr.contains("begins more than one commit id"), "{}", answer.stderr);
    let differ = one.bytes().zip(two.bytes()).position(|(a, b)| a != b).unwrap();
    run(args!["git", "ls", &db, "--at", &one[..=differ]]).ok();
}

#[test]
fn an_import_takes_what_is_new() {
    let place = Place::new();
    let (repo, db, whole) = (place.path("r.git"), place.path("x.db"), place.path("w.db"));
    make_repository(&repo, 90, 24, Hash::Sha1).unwrap();
    for rev in ["main~60", "main~60", "main~59", "main~1", "main"] {
        run(args!["git", "import", &repo, &db, "--rev", rev]).ok();
        run(args!["git", "verify", &repo, &db]).ok();
    }
    run(args!["git", "import", &repo, &whole]).ok();
    for command in [args!["log", "--json"].to_vec(), args!["ls", "--json"].to_vec()] {
        let answer = |db: &Path| run(command.iter().cloned().chain([db.into()])).ok().stdout;
        assert_eq!(answer(&db), answer(&whole), "{command:?}");
    }
    // What is there already is no reason to write.
    let before = std::fs::read(&db).unwrap();
    let again = run(args!["git", "import", &repo, &db]).ok().text();
    assert!(again.starts_with("already there: 90 commits\n0 new commits"), "{again}");
    let dump = run(args!["dump", &db]).ok().stdout;
    assert_eq!(dump, run(args!["dump", &whole]).ok().stdout);
    drop(before);
    // The line may not go back.
    let back = run(args!["git", "import", &repo, &db, "--rev", "main~5"]).fails(2);
    assert!(back.stderr.contains("not on the line of first parents"), "{}", back.stderr);
}
