//! A verification that cannot fail proves nothing: each test alters one thing on purpose.

use std::path::{Path, PathBuf};

use hexxladb::{Cell, Coord, Db, Options, WriteTx};

use crate::history::{Hash, make_repository};
use crate::program::{Place, args, run};

const COMMITS: u32 = 60;

struct History {
    place: Place,
    repo: PathBuf,
    db: PathBuf,
}

/// A verified history.
fn history() -> History {
    let place = Place::new();
    let (repo, db) = (place.path("r.git"), place.path("x.db"));
    make_repository(&repo, COMMITS, 31, Hash::Sha1).unwrap();
    run(args!["git", "import", &repo, &db, "--rev", "main~20"]).ok();
    run(args!["git", "verify", &repo, &db]).ok();
    History { place, repo, db }
}

fn alter(db: &Path, change: impl FnOnce(&mut WriteTx) -> hexxladb::Result<()>) {
    let db = Db::open(db, Options::new().create_if_missing(false)).unwrap();
    db.update(change).unwrap();
    db.close().unwrap();
}

/// A live file of this kind: where it is, its path, the cell.
fn file(db: &Path, stored: &str) -> (Coord, String, Cell) {
    let db = Db::open(db, Options::new().create_if_missing(false).read_only(true)).unwrap();
    db.view(|tx| {
        for entry in tx.cells(..) {
            let (coord, cell) = entry?;
            let path = tx.get(format!("git/name/{},{}", coord.q(), coord.r()))?.unwrap();
            let path = String::from_utf8_lossy(&path).into_owned();
            if cell.tags.iter().any(|tag| tag == stored) && path.starts_with("dir") {
                return Ok::<_, hexxladb::Error>((coord, path, cell));
            }
        }
        panic!("no such file")
    })
    .unwrap()
}

/// Verifies, expects differences that say all of this, and expects them after the import went on.
fn differs(history: &History, wanted: &[&str]) {
    for went_on in [false, true] {
        if went_on {
            run(args!["git", "import", &history.repo, &history.db]).ok();
        }
        let answer = run(args!["git", "verify", &history.repo, &history.db]).fails(1);
        let text = answer.text();
        assert!(text.contains("DIFFERENT: "), "{text}");
        for wanted in wanted {
            assert!(text.contains(wanted), "{wanted:?} is not in: {text}");
        }
        assert_eq!(answer.stderr, "");
        let json =
            run(args!["git", "verify", &history.repo, &history.db, "--json"]).fails(1).json();
        assert_eq!(json[0]["identical"], false);
        assert!(json[0]["differences"].as_u64() > Some(0));
    }
    run(args!["check", &history.db]).ok();
}

#[test]
fn a_changed_text() {
    let history = history();
    let (coord, path, mut cell) = file(&history.db, "stored=text");
    cell.raw_content.push('.');
    alter(&history.db, |tx| tx.put_cell(coord, &cell));
    differs(
        &history,
        &[
            &format!("{path}: its contents are not what git has"),
            "commit 41: not made by the import",
        ],
    );
}

#[test]
fn a_changed_byte_of_a_binary() {
    let history = history();
    let (coord, path, _) = file(&history.db, "stored=bytes");
    let key = format!("git/bytes/{},{}/0000", coord.q(), coord.r());
    alter(&history.db, |tx| {
        let mut bytes = tx.get(&key)?.unwrap().to_vec();
        bytes[0] ^= 1;
        tx.put(&key, bytes)
    });
    differs(&history, &[&format!("{path}: its contents are not what git has")]);
}

#[test]
fn a_changed_hash_of_a_binary() {
    let history = history();
    let (coord, path, mut cell) = file(&history.db, "stored=bytes");
    let digit = if cell.raw_content.as_bytes()[7] == b'0' { "1" } else { "0" };
    cell.raw_content.replace_range(7..8, digit);
    alter(&history.db, |tx| tx.put_cell(coord, &cell));
    differs(&history, &[&format!("{path}: its contents are not what git has")]);
}

#[test]
fn a_lost_piece_of_a_binary() {
    let history = history();
    let (coord, path, _) = file(&history.db, "stored=bytes");
    let key = format!("git/bytes/{},{}/0000", coord.q(), coord.r());
    alter(&history.db, |tx| tx.delete(&key).map(|was| assert!(was)));
    differs(&history, &[&format!("{path}: the row {key} was altered: it is gone")]);
}

#[test]
fn a_changed_mode() {
    let history = history();
    let (coord, path, cell) = file(&history.db, "mode=100644");
    let cell = cell.with_tags(["mode=100755", "stored=text"]);
    alter(&history.db, |tx| tx.put_cell(coord, &cell));
    differs(&history, &[&format!("{path}: its mode is 100755, git says 100644")]);
}

#[test]
fn a_deleted_file() {
    let history = history();
    let (coord, path, _) = file(&history.db, "stored=text");
    alter(&history.db, |tx| tx.delete_cell(coord).map(|was| assert!(was)));
    differs(&history, &[&format!("{path}: git has it, the database does not")]);
}

#[test]
fn a_file_that_git_does_not_have() {
    let history = history();
    let cell = Cell::new("x").with_tags(["mode=100644", "stored=text"]);
    let far = Coord::new(5_000, 0).unwrap();
    alter(&history.db, |tx| tx.put_cell(far, &cell));
    differs(&history, &["cell (5000,0) has no path, git nothing for it"]);
}

#[test]
fn a_path_with_two_cells() {
    let history = history();
    let (_, path, cell) = file(&history.db, "stored=text");
    let far = Coord::new(5_000, 0).unwrap();
    alter(&history.db, |tx| {
        tx.put("git/name/5000,0", &path)?;
        tx.put_cell(far, &cell)
    });
    differs(&history, &["has the path of another cell"]);
}

#[test]
fn a_hash_in_the_place_of_a_file_that_is_small_enough() {
    let history = history();
    let (coord, path, cell) = file(&history.db, "stored=bytes");
    let cell = cell.with_tags(["mode=100644", "stored=hash"]);
    alter(&history.db, |tx| tx.put_cell(coord, &cell));
    differs(&history, &[&format!("{path}: only its hash is kept, though it is small enough")]);
}

#[test]
fn a_file_that_git_had_once() {
    let history = history();
    let db = Db::open(&history.db, Options::new().create_if_missing(false)).unwrap();
    let head = db.snapshot().unwrap();
    // A file that is deleted comes back as it was.
    let (coord, cell) = (1..head.seq())
        .find_map(|seq| {
            let before = db.snapshot_at(seq).unwrap();
            before
                .cells(..)
                .map(Result::unwrap)
                .find(|(coord, _)| head.get_cell(*coord).unwrap().is_none())
        })
        .expect("a deleted file");
    drop(head);
    db.update(|tx| tx.put_cell(coord, &cell)).unwrap();
    db.close().unwrap();
    drop(db);
    let answer = run(args!["git", "verify", &history.repo, &history.db]).fails(1).text();
    assert!(answer.contains("the database has it, git does not"), "{answer}");
}

#[test]
fn a_cell_that_is_no_file_of_the_import() {
    let history = history();
    let (coord, path, _) = file(&history.db, "stored=text");
    alter(&history.db, |tx| tx.put_cell(coord, &Cell::new("x")));
    differs(&history, &[&format!("{path}: its cell is not a file of the import")]);
}

#[test]
fn two_paths_that_changed_places() {
    let history = history();
    let (coord, path, _) = file(&history.db, "stored=text");
    let name = format!("git/name/{},{}", coord.q(), coord.r());
    alter(&history.db, |tx| tx.put(&name, "elsewhere"));
    differs(
        &history,
        &[&format!("cell {},{}: its path was changed", coord.q(), coord.r()), "elsewhere"],
    );
    let _ = path;
}

#[test]
fn a_commit_that_changes_nothing_of_the_history() {
    let history = history();
    alter(&history.db, |tx| tx.put("something else", "x"));
    let answer = run(args!["git", "verify", &history.repo, &history.db]).fails(1).text();
    assert!(answer.contains("commit 41: not made by the import"), "{answer}");
    assert!(answer.contains("DIFFERENT: 1 difference\n"), "{answer}");
}

#[test]
fn a_commit_that_pretends_to_be_of_the_import() {
    let history = history();
    alter(&history.db, |tx| {
        tx.put("something else", "x")?;
        tx.set_note(format!("git {} @1 forged", "0".repeat(40)))
    });
    let answer = run(args!["git", "verify", &history.repo, &history.db]).fails(1).text();
    assert!(answer.contains("git has no commit after the last one for it"), "{answer}");
    // What goes on behind it is told, too.
    run(args!["git", "import", &history.repo, &history.db]).ok();
    let answer = run(args!["git", "verify", &history.repo, &history.db]).fails(1).text();
    assert!(answer.contains("commit 41: its note names 0000"), "{answer}");
}

#[test]
fn git_itself_is_believed_not_the_import() {
    // The database says it holds another repository's commits; only git can contradict it.
    let history = history();
    let other = history.place.path("o.git");
    make_repository(&other, COMMITS, 32, Hash::Sha1).unwrap();
    let ids = crate::history::git()
        .arg("-C")
        .arg(&other)
        .args(["rev-list", "--first-parent", "--reverse", "main"])
        .output()
        .unwrap();
    let fortieth = String::from_utf8(ids.stdout).unwrap().lines().nth(39).unwrap().to_owned();
    alter(&history.db, |tx| {
        let resume = String::from_utf8(tx.get("git/resume")?.unwrap().to_vec()).unwrap();
        let mut resume: serde_json::Value = serde_json::from_str(&resume).unwrap();
        resume["commit"] = fortieth.clone().into();
        tx.put("git/resume", resume.to_string())
    });
    let answer = run(args!["git", "verify", &other, &history.db]).fails(1).text();
    assert!(answer.contains("its note names"), "{answer}");
    assert!(answer.contains("more differences"), "{answer}");
}
