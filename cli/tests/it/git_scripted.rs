//! Small histories written by hand, each for a promise of its own.

use std::io::Write;
use std::path::{Path, PathBuf};

use hexxladb::{Coord, Db, Options};

use crate::history::{Hash, fast_import, git, init, quote};
use crate::program::{Place, args, run};

/// A repository in the making, commit by commit.
struct Script(Vec<u8>, u32);

enum Do<'a> {
    File(&'a str, &'a [u8]),
    Mode(&'a str, &'a str, &'a [u8]),
    Submodule(&'a str),
    Delete(&'a str),
}

impl Script {
    fn new() -> Self {
        Self(Vec::new(), 0)
    }

    fn commit(mut self, secs: i64, message: &str, steps: &[Do<'_>]) -> Self {
        self.1 += 1;
        let out = &mut self.0;
        writeln!(out, "commit refs/heads/main\nmark :{}", self.1).unwrap();
        writeln!(out, "committer C <c@example.org> {secs} +0000").unwrap();
        writeln!(out, "data {}\n{message}", message.len()).unwrap();
        if self.1 > 1 {
            writeln!(out, "from :{}", self.1 - 1).unwrap();
        }
        for step in steps {
            let (mode, path, contents) = match step {
                Do::File(path, contents) => ("100644", path, contents),
                Do::Mode(mode, path, contents) => (*mode, path, contents),
                Do::Submodule(path) => {
                    writeln!(out, "M 160000 {} {path}", "12".repeat(20)).unwrap();
                    continue;
                }
                Do::Delete(path) => {
                    writeln!(out, "D {}", quote(path.as_bytes())).unwrap();
                    continue;
                }
            };
            let path = quote(path.as_bytes());
            writeln!(out, "M {mode} inline {path}\ndata {}", contents.len()).unwrap();
            out.extend_from_slice(contents);
            out.push(b'\n');
        }
        out.push(b'\n');
        self
    }

    /// Makes the repository, imports it with these options and verifies it.
    fn import(self, place: &Place, options: &[&str]) -> (PathBuf, PathBuf, String) {
        let (repo, db) = (place.path("r.git"), place.path("x.db"));
        init(&repo, Hash::Sha1).unwrap();
        fast_import(&repo, |out| out.write_all(&self.0)).unwrap();
        let mut arguments = args!["git", "import", &repo, &db].to_vec();
        arguments.extend(options.iter().map(Into::into));
        let told = run(arguments).ok().text();
        run(args!["git", "verify", &repo, &db]).ok();
        (repo, db, told)
    }
}

fn open(path: &Path) -> Db {
    Db::open(path, Options::new().create_if_missing(false).read_only(true)).unwrap()
}

fn coord_of(db: &Db, path: &str) -> Coord {
    let row = db.view(|tx| tx.get(format!("git/path/{path}"))).unwrap().unwrap();
    let text = String::from_utf8(row.to_vec()).unwrap();
    let (q, r) = text.split_once(',').unwrap();
    Coord::new(q.parse().unwrap(), r.parse().unwrap()).unwrap()
}

/// The place of the n-th commit, of which the tests need two.
fn coord_of_commit(number: i32) -> Coord {
    Coord::new(131_073 - number, -65_537 + number).unwrap()
}

#[test]
fn coordinates_come_in_order_of_first_appearance_and_stay() {
    let place = Place::new();
    let script = Script::new()
        .commit(1, "one", &[Do::File("b", b"b"), Do::File("a", b"a")])
        .commit(2, "two", &[Do::File("0", b"0"), Do::Delete("a")])
        .commit(3, "three", &[Do::File("c", b"c")])
        .commit(4, "four", &[Do::File("a", b"back"), Do::Delete("b")]);
    let (_, db, _) = script.import(&place, &[]);
    let db = open(&db);
    let at = |path| (coord_of(&db, path).q(), coord_of(&db, path).r());
    // Within a commit in the order of the paths' bytes, along the spiral.
    assert_eq!([at("a"), at("b"), at("0"), at("c")], [(0, 0), (-1, 1), (0, 1), (1, 0)]);
    let history: Vec<_> = db
        .history(coord_of(&db, "a"))
        .unwrap()
        .map(|version| version.map(|version| (version.seq, version.record.is_some())).unwrap())
        .collect();
    assert_eq!(history, [(4, true), (2, false), (1, true)]);
    let gone = db.view(|tx| tx.get_cell(coord_of(&db, "b"))).unwrap();
    assert_eq!(gone, None);
}

#[test]
fn a_cell_says_when_it_was_made_and_changed() {
    let place = Place::new();
    let script = Script::new()
        .commit(10, "one", &[Do::File("a", b"a")])
        .commit(20, "two", &[Do::File("a", b"b")])
        .commit(30, "three", &[Do::Delete("a")])
        .commit(40, "four", &[Do::File("a", b"c")]);
    let (_, db, _) = script.import(&place, &[]);
    let db = open(&db);
    let times = |seq| {
        let cell = db.view_at(seq, |tx| tx.get_cell(coord_of(&db, "a"))).unwrap().unwrap();
        [cell.provenance.created_at, cell.provenance.updated_at]
            .map(|time| time.as_nanos() / 1_000_000_000)
    };
    assert_eq!([times(1), times(2), times(4)], [[10, 10], [10, 20], [40, 40]]);
}

#[test]
fn a_deletion_is_a_tombstone_and_the_state_before_it_stays() {
    let place = Place::new();
    let script = Script::new()
        .commit(1, "one", &[Do::File("text", b"t"), Do::File("bytes", b"\xff\xfe")])
        .commit(2, "two", &[Do::Delete("text"), Do::Delete("bytes")]);
    let (_, db, told) = script.import(&place, &[]);
    assert!(told.contains("2 deletions"), "{told}");
    let cat = |path: &str, at: &str| run(args!["git", "cat", &db, path, "--at", at]);
    assert_eq!(cat("text", "1").ok().stdout, b"t");
    assert_eq!(cat("bytes", "1").ok().stdout, b"\xff\xfe");
    cat("text", "2").fails(1);
    cat("bytes", "2").fails(1);
    assert_eq!(run(args!["git", "ls", &db]).ok().text(), "");
    let dump = run(args!["dump", &db, "--json"]).ok().json();
    let is_index = |row: &serde_json::Value| row["key"].as_str().unwrap().starts_with("__index/");
    let tombstones = dump.iter().filter(|row| row["tombstone"] == true && !is_index(row)).count();
    // Two cells and the piece that held the bytes.
    assert_eq!(tombstones, 3, "{dump:?}");
}

#[test]
fn modes_links_and_submodules() {
    let place = Place::new();
    let script = Script::new()
        .commit(
            1,
            "one",
            &[
                Do::Mode("100755", "run", b"#!/bin/sh\n"),
                Do::Mode("120000", "link", b"target/of it"),
                Do::Submodule("sub"),
                Do::File("plain", b""),
            ],
        )
        .commit(2, "two", &[Do::Mode("100644", "run", b"#!/bin/sh\n"), Do::Submodule("plain")])
        .commit(3, "three", &[Do::File("sub", b"now a file"), Do::Mode("100755", "link", b"x")]);
    let (_, db, told) = script.import(&place, &[]);
    assert!(told.contains("1 symlink;"), "{told}");
    let ls = |at: &str| run(args!["git", "ls", &db, "--at", at]).ok().text();
    assert_eq!(ls("1"), "link\nplain\nrun\n");
    assert_eq!(ls("2"), "link\nrun\n");
    assert_eq!(ls("3"), "link\nrun\nsub\n");
    assert_eq!(run(args!["git", "cat", &db, "link", "--at", "1"]).ok().text(), "target/of it");
    let db = open(&db);
    let tags = |path, seq| {
        let cell = db.view_at(seq, |tx| tx.get_cell(coord_of(&db, path))).unwrap();
        cell.map(|cell| cell.tags.join(" ")).unwrap_or_default()
    };
    assert_eq!(tags("run", 1), "mode=100755 stored=text");
    assert_eq!(tags("run", 2), "mode=100644 stored=text");
    assert_eq!(tags("link", 1), "mode=120000 stored=text");
    assert_eq!(tags("link", 3), "mode=100755 stored=text");
    assert_eq!(tags("plain", 2), "");
}

#[test]
fn bytes_that_are_no_text_lie_beside_their_hash() {
    let place = Place::new();
    let nine_mib: Vec<u8> =
        (0..9_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let script = Script::new()
        .commit(1, "large", &[Do::File("f", &nine_mib)])
        .commit(2, "small", &[Do::File("f", b"\x80")])
        .commit(3, "text", &[Do::File("f", b"text")]);
    let (_, path, told) = script.import(&place, &[]);
    assert!(told.contains("of these 2 not UTF-8"), "{told}");
    let cat = |at: &str| run(args!["git", "cat", &path, "f", "--at", at]).ok().stdout;
    assert!(cat("1") == nine_mib, "nine MiB came back changed");
    assert_eq!((cat("2").as_slice(), cat("3").as_slice()), (&b"\x80"[..], &b"text"[..]));
    let db = open(&path);
    let pieces = |seq| {
        db.view_at(seq, |tx| {
            let keys: hexxladb::Result<Vec<_>> = tx.scan_prefix("git/bytes/").collect();
            Ok::<_, hexxladb::Error>(keys?.len())
        })
    };
    assert_eq!((pieces(1).unwrap(), pieces(2).unwrap(), pieces(3).unwrap()), (3, 1, 0));
    let text = db.view_at(2, |tx| tx.get_cell(coord_of(&db, "f"))).unwrap().unwrap().raw_content;
    // The SHA-256 of the byte 0x80.
    let sha256 = "76be8b528d0075f7aae98d6fa57a6d3c83ae480a8469e668d7b0af968995ac71";
    assert_eq!(text, format!("sha256:{sha256} bytes:1"));
}

#[test]
fn of_large_files_only_the_hash_is_kept() {
    let place = Place::new();
    let script = Script::new()
        .commit(1, "one", &[Do::File("fits", &[b'x'; 100]), Do::File("large", &[b'x'; 101])])
        .commit(2, "two", &[Do::File("fits", &[0xff; 101]), Do::File("large", b"small now")]);
    let (repo, db, told) = script.import(&place, &["--max-file-bytes", "100"]);
    assert!(told.contains("the contents of 2 too large files"), "{told}");
    let text = run(args!["git", "verify", &repo, &db]).ok().text();
    assert!(text.contains("of 2 files too large to keep, the hash was compared"), "{text}");
    assert_eq!(run(args!["git", "cat", &db, "fits", "--at", "1"]).ok().stdout, [b'x'; 100]);
    let refused = run(args!["git", "cat", &db, "large", "--at", "1"]).fails(1);
    // The SHA-256 of 101 times the letter x.
    let cell = open(&db).view_at(1, |tx| tx.get_cell(coord_of(&open(&db), "large"))).unwrap();
    let kept = cell.unwrap().raw_content;
    assert!(kept.starts_with("sha256:") && kept.ends_with(" bytes:101"), "{kept}");
    assert!(refused.stderr.contains(&kept), "{}", refused.stderr);
    assert_eq!(run(args!["git", "cat", &db, "large"]).ok().text(), "small now");
    // A history goes on with the limit it was begun with.
    run(args!["git", "import", &repo, &db]).ok();
    run(args!["git", "import", &repo, &db, "--max-file-bytes", "100"]).ok();
}

/// An import that forgot a change would leave what it found equal before; that must not pass for
/// what git has now.
#[test]
fn a_forgotten_change_is_a_difference() {
    let answer = forged(&[Do::File("a", b"changed")], 2);
    assert!(answer.contains("a: its contents are not what git has"), "{answer}");
    let pair = "commits 1 and 2: a is the same in the diff, git says modified";
    assert!(answer.contains(pair), "{answer}");
    assert!(answer.contains("DIFFERENT: 2 differences\n"), "{answer}");
}

#[test]
fn a_time_that_is_not_the_committers_is_a_difference() {
    let answer = forged(&[], 3);
    assert!(answer.contains("commit 2: its time is 3.000000000 (committer @2)"), "{answer}");
    assert!(answer.contains("DIFFERENT: 1 difference\n"), "{answer}");
}

/// What a verification says where the second commit, which should do these steps at second 2, was
/// written without them and with another time.
fn forged(steps: &[Do<'_>], secs: i64) -> String {
    let place = Place::new();
    let script = Script::new()
        .commit(1, "one", &[Do::File("a", b"a"), Do::File("b", b"b")])
        .commit(2, "two", steps);
    let (repo, db) = (place.path("r.git"), place.path("forged.db"));
    script.import(&place, &[]);
    run(args!["git", "import", &repo, &db, "--rev", "main~1"]).ok();
    let tip = git().arg("-C").arg(&repo).args(["rev-parse", "main"]).output().unwrap();
    let tip = String::from_utf8(tip.stdout).unwrap().trim().to_owned();
    let handle = Db::open(&db, Options::new()).unwrap();
    handle
        .update(|tx| {
            tx.put("git/resume", format!("{{\"commit\":\"{tip}\",\"commits\":2,\"paths\":2}}"))?;
            let cell = hexxladb::Cell::new("two").with_source(&tip).with_tags(["commit"]);
            tx.put_cell(coord_of_commit(2), &cell)?;
            let parent = hexxladb::Edge::default();
            tx.put_edge(coord_of_commit(2), coord_of_commit(1), "parent", &parent)?;
            tx.set_commit_time(hexxladb::Timestamp::from_secs(secs))?;
            tx.set_note(format!("git {tip} @2 two"))
        })
        .unwrap();
    handle.close().unwrap();
    drop(handle);
    run(args!["git", "verify", &repo, &db]).fails(1).text()
}

/// A hash that is not the file's must not pass for it.
#[test]
fn the_hash_of_a_large_file_is_compared() {
    let place = Place::new();
    let script = Script::new().commit(1, "one", &[Do::File("large", &[b'x'; 101])]).commit(
        2,
        "two",
        &[Do::File("large", &[b'y'; 101])],
    );
    let (repo, path, _) = script.import(&place, &["--max-file-bytes", "100"]);
    let db = Db::open(&path, Options::new()).unwrap();
    let first = db.view_at(1, |tx| tx.get_cell(coord_of(&db, "large"))).unwrap().unwrap();
    db.update(|tx| tx.put_cell(coord_of(&db, "large"), &first)).unwrap();
    db.close().unwrap();
    drop(db);
    let answer = run(args!["git", "verify", &repo, &path]).fails(1).text();
    assert!(answer.contains("large: its contents are not what git has"), "{answer}");
}

#[test]
fn empty_commits_and_odd_messages_are_commits_too() {
    let place = Place::new();
    let script = Script::new()
        .commit(10, "", &[])
        .commit(5, "\n\n  the subject \nand more", &[])
        .commit(20, &"long ".repeat(4000), &[Do::File("a", b"a")])
        .commit(20, "tab\there \x1b[31m", &[]);
    let (_, db, _) = script.import(&place, &[]);
    let log = run(args!["git", "log", &db, "--reverse", "--json"]).ok().json();
    let of = |key: &str| {
        log.iter().map(|line| line[key].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let subjects = of("subject");
    assert_eq!((subjects[0].as_str(), subjects[1].as_str()), ("", "the subject"));
    assert!(subjects[2].starts_with("long long") && subjects[2].len() <= 1000);
    let times = of("time");
    assert_eq!(times[..2], ["1970-01-01T00:00:10Z", "1970-01-01T00:00:10Z"]);
    assert_eq!(of("committer_time")[1], "1970-01-01T00:00:05Z");
    let plain = run(args!["git", "log", &db]).ok().text();
    assert!(plain.contains("[committer 1970-01-01T00:00:05Z] the subject"), "{plain}");
    assert!(!plain.contains('\x1b'), "{plain:?}");
    assert_eq!(run(args!["git", "ls", &db, "--at", "2"]).ok().text(), "");
}

#[test]
fn names_are_quoted_as_git_quotes_them() {
    let place = Place::new();
    let names = [
        "plain name",
        "new\nline",
        "quo\"te",
        "back\\slash",
        "ünïcode",
        "tab\t",
        "\u{7f}",
        "\u{7}\u{8}\u{b}\u{c}\r\u{1}",
    ];
    let steps: Vec<_> = names.iter().map(|name| Do::File(name, b"x")).collect();
    let (repo, db, _) = Script::new().commit(1, "one", &steps).import(&place, &[]);
    let ours = run(args!["git", "ls", &db]).ok().stdout;
    let theirs = git()
        .arg("-C")
        .arg(&repo)
        .args(["-c", "core.quotePath=true", "ls-tree", "-r", "--name-only", "main"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(ours), String::from_utf8(theirs.stdout));
}

/// A work tree, a directory in it, and the bare repository inside are one repository.
#[test]
fn a_repository_is_found_from_inside_it() {
    let place = Place::new();
    let (work, db) = (place.path("work"), place.path("x.db"));
    std::fs::create_dir_all(work.join("deep/er")).unwrap();
    std::fs::write(work.join("deep/er/file"), "text").unwrap();
    for arguments in [vec!["init", "-q"], vec!["add", "."], vec!["commit", "-q", "-m", "by hand"]] {
        assert!(git().arg("-C").arg(&work).args(arguments).status().unwrap().success());
    }
    for repo in [work.clone(), work.join("deep/er"), work.join(".git")] {
        run(args!["git", "import", &repo, &db]).ok();
        run(args!["git", "verify", &repo, &db]).ok();
    }
    assert_eq!(run(args!["git", "cat", &db, "deep/er/file"]).ok().text(), "text");
}

/// Variables of a hook that runs the program name another repository; the argument counts.
#[test]
fn the_environment_does_not_turn_git_elsewhere() {
    let place = Place::new();
    let script = Script::new().commit(1, "one", &[Do::File("a", b"a")]);
    let (repo, db, _) = script.import(&place, &[]);
    let answer: crate::program::Answer = crate::program::program()
        .args(args!["git", "verify", &repo, &db])
        .env("GIT_DIR", place.path("nowhere"))
        .env("GIT_WORK_TREE", place.path("nowhere"))
        .env("GIT_OBJECT_DIRECTORY", place.path("nowhere"))
        .output()
        .unwrap()
        .into();
    answer.ok();
}
