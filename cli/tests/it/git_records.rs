//! Edges, tags and differences of an imported history, against git's own word.

use std::collections::BTreeMap;
use std::path::Path;

use hexxladb::{Cell, ChangeKind, Coord, Db, Edge, Options, RecordId};

use crate::history::{Hash, git, make_repository};
use crate::program::{Place, args, run};

fn ask_git(dir: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = git().arg("-C").arg(dir).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn open(path: &Path) -> Db {
    Db::open(path, Options::new().create_if_missing(false).read_only(true)).unwrap()
}

fn coord_of(db: &Db, path: &str) -> Coord {
    let row = db.view(|tx| tx.get(format!("git/path/{path}"))).unwrap().unwrap();
    String::from_utf8(row.to_vec()).unwrap().parse().unwrap()
}

/// Files with their texts, and moves from one path to another.
type Steps<'a> = (&'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)]);

/// A work tree with these commits: files written, and files moved.
fn work_tree(place: &Place, commits: &[Steps<'_>]) -> std::path::PathBuf {
    let work = place.path("work");
    std::fs::create_dir_all(&work).unwrap();
    ask_git(&work, &["init", "-q", "-b", "main"]);
    for (number, (written, moved)) in commits.iter().enumerate() {
        for (path, text) in *written {
            std::fs::create_dir_all(work.join(path).parent().unwrap()).unwrap();
            std::fs::write(work.join(path), text).unwrap();
        }
        for (from, to) in *moved {
            std::fs::rename(work.join(from), work.join(to)).unwrap();
        }
        ask_git(&work, &["add", "-A"]);
        let message = format!("Commit {}", number + 1);
        ask_git(&work, &["commit", "-q", "--allow-empty", "-m", &message]);
    }
    work
}

#[test]
fn renames_and_parents_are_edges_and_types_are_tags() {
    let place = Place::new();
    let work = work_tree(
        &place,
        &[
            (&[("a.rs", "one"), ("b.txt", "two"), ("empty", ""), ("Makefile", "all:")], &[]),
            (&[], &[("a.rs", "src.RS"), ("b.txt", "c.txt"), ("empty", "void")]),
            (&[("a.rs", "again")], &[]),
            (&[], &[("a.rs", "z.rs")]),
        ],
    );
    let path = place.path("x.db");
    let told = run(args!["git", "import", &work, &path]).ok().text();
    assert!(told.contains("3 renames linked, 0 new tags"), "{told}");
    run(args!["git", "verify", &work, &path]).ok();
    let db = open(&path);
    let at = |name| coord_of(&db, name);
    let edges = |seq, from| {
        let snapshot = db.snapshot_at(seq).unwrap();
        let ids = snapshot.edges_from(from).map(|edge| edge.unwrap().0);
        ids.map(|id| (id.to, id.relation)).collect::<Vec<_>>()
    };
    let renamed = |to| vec![(at(to), "renamed-to".to_owned())];
    assert_eq!(edges(1, at("a.rs")), []);
    assert_eq!(edges(2, at("a.rs")), renamed("src.RS"));
    assert_eq!(edges(2, at("b.txt")), renamed("c.txt"));
    assert_eq!(edges(2, at("empty")), []);
    // The path came back and was deleted again: its old edge went with it.
    assert_eq!(edges(4, at("a.rs")), renamed("z.rs"));
    let commits: Vec<_> =
        db.view(|tx| tx.cells_with_tag("commit").collect::<hexxladb::Result<_>>()).unwrap();
    assert_eq!(commits.len(), 4);
    let by_subject = |subject: &str| {
        commits.iter().find(|(_, _, cell)| cell.raw_content == subject).map(|c| c.1).unwrap()
    };
    let parent = vec![(by_subject("Commit 3"), "parent".to_owned())];
    assert_eq!(edges(4, by_subject("Commit 4")), parent);
    assert_eq!(edges(4, by_subject("Commit 1")), []);
    let scan = |tag: &str| run(args!["scan", &path, "--tag", tag]).ok().text().lines().count();
    assert_eq!([scan("type=rs"), scan("type=txt"), scan("type=*")], [2, 1, 3]);
    // Commits are no files.
    assert_eq!(run(args!["git", "ls", &path]).ok().text().lines().count(), 5);
}

#[test]
fn releases_are_snapshot_tags() {
    let place = Place::new();
    let work =
        work_tree(&place, &[(&[("a", "1")], &[]), (&[("a", "2")], &[]), (&[("a", "3")], &[])]);
    let path = place.path("x.db");
    ask_git(&work, &["tag", "v1", "HEAD~2"]);
    ask_git(&work, &["tag", "-a", "-m", "two", "dir/v2", "HEAD~1"]);
    ask_git(&work, &["tag", "a-blob", "HEAD:a"]);
    run(args!["git", "import", &work, &path]).ok();
    let listed = || run(args!["tag", "list", &path]).ok().text();
    assert_eq!(listed(), "dir/v2\tcommit 2\nv1\tcommit 1\n");
    assert_eq!(run(args!["git", "cat", &path, "a", "--at", "dir/v2"]).ok().text(), "2");
    let json = run(args!["git", "verify", &work, &path, "--json"]).ok().json();
    assert_eq!(json[0]["tags"], 2);
    // Tags move and come; a user's own stay.
    run(args!["tag", "create", &path, "mine", "--at", "1"]).ok();
    ask_git(&work, &["tag", "-f", "v1", "HEAD"]);
    let found = run(args!["git", "verify", &work, &path]).fails(1).text();
    assert!(found.contains("tag v1: git has it at commit 3, import again"), "{found}");
    let told = run(args!["git", "import", &work, &path]).ok().text();
    assert!(told.contains("1 new tag\n"), "{told}");
    assert_eq!(listed(), "dir/v2\tcommit 2\nmine\tcommit 1\nv1\tcommit 3\n");
    run(args!["git", "verify", &work, &path]).ok();
}

/// What git itself prints for two commits, submodules left out.
fn name_status(repo: &Path, a: &str, b: &str) -> BTreeMap<Vec<u8>, char> {
    let diff = ["diff", "--no-renames", "--name-status", "-z", "--ignore-submodules=none", a, b];
    let text = ask_git(repo, &diff);
    let mut words = text.split(|&byte| byte == 0).filter(|word| !word.is_empty());
    let submodules = |commit: &str| {
        let listed = ask_git(repo, &["ls-tree", "-r", "-z", commit]);
        let lines = listed.split(|&byte| byte == 0).filter(|line| line.starts_with(b"160000"));
        let path = |line: &[u8]| line.splitn(2, |&byte| byte == b'\t').nth(1).unwrap().to_vec();
        lines.map(path).collect::<Vec<_>>()
    };
    let (before, after) = (submodules(a), submodules(b));
    let mut found = BTreeMap::new();
    while let (Some(status), Some(path)) = (words.next(), words.next()) {
        let (was, is) = (before.iter().any(|p| p == path), after.iter().any(|p| p == path));
        let status = match (status[0] as char, was, is) {
            ('A', _, true) | ('D', true, _) | (_, true, true) => continue,
            (_, true, false) => 'A',
            (_, false, true) => 'D',
            ('T', ..) => 'M',
            (status, ..) => status,
        };
        found.insert(path.to_vec(), status);
    }
    found
}

#[test]
fn differences_are_what_git_diff_prints() {
    let place = Place::new();
    let (repo, path) = (place.path("r.git"), place.path("x.db"));
    make_repository(&repo, 120, 41, Hash::Sha1).unwrap();
    run(args!["git", "import", &repo, &path]).ok();
    let verified = run(args!["git", "verify", &repo, &path, "--json"]).ok().json();
    assert_eq!(verified[0]["neighbour_diffs"], 120);
    assert_eq!(verified[0]["distant_diffs"], 200);
    let ids = ask_git(&repo, &["rev-list", "--first-parent", "--reverse", "main"]);
    let ids: Vec<_> = String::from_utf8(ids).unwrap().lines().map(str::to_owned).collect();
    let db = open(&path);
    let neighbours = (1..120).step_by(3).map(|seq| (seq, seq + 1));
    let distant = (1..40).map(|n| (1 + n * 37 % 120, 1 + n * 71 % 120));
    let mut compared = 0;
    for (a, b) in neighbours.chain(distant) {
        let mut ours = BTreeMap::new();
        for change in db.snapshot_diff(a, b).unwrap() {
            let change = change.unwrap();
            let RecordId::Cell(coord) = &change.id else { continue };
            let name = format!("git/name/{},{}", coord.q(), coord.r());
            // Cells of commits have no path.
            let Some(name) = db.view(|tx| tx.get(&name)).unwrap() else { continue };
            let same = |record: &Option<hexxladb::Record>| match record {
                Some(hexxladb::Record::Cell(cell)) => {
                    Some((cell.raw_content.clone(), cell.tags.clone()))
                }
                _ => None,
            };
            // Changed and changed back: only the time of the change differs.
            if same(&change.old) == same(&change.new) {
                continue;
            }
            let status = match change.kind() {
                ChangeKind::Added => 'A',
                ChangeKind::Modified => 'M',
                ChangeKind::Removed => 'D',
            };
            ours.insert(name.to_vec(), status);
            compared += 1;
        }
        let (from, to) = (&ids[a as usize - 1], &ids[b as usize - 1]);
        assert_eq!(ours, name_status(&repo, from, to), "{a} and {b}");
    }
    assert!(compared > 1000, "{compared} changes are too few to mean anything");
}

/// A verification that cannot fail proves nothing.
#[test]
fn altered_commits_and_edges_are_differences() {
    let work = |place: &Place| {
        let commits: [Steps<'_>; 2] = [(&[("a", "1"), ("b", "2")], &[]), (&[], &[("a", "c")])];
        work_tree(place, &commits)
    };
    let commit = |n: i32| Coord::new(131_073 - n, -65_537 + n).unwrap();
    let differs = |alter: &dyn Fn(&Db), wanted: &str| {
        let place = Place::new();
        let (work, path) = (work(&place), place.path("x.db"));
        run(args!["git", "import", &work, &path]).ok();
        run(args!["git", "verify", &work, &path]).ok();
        let db = Db::open(&path, Options::new()).unwrap();
        alter(&db);
        db.close().unwrap();
        drop(db);
        let answer = run(args!["git", "verify", &work, &path]).fails(1).text();
        assert!(answer.contains(wanted), "{wanted:?} is not in {answer}");
    };
    let other = || Cell::new("Another subject");
    differs(
        &|db| db.update(|tx| tx.put_cell(commit(1), &other())).unwrap(),
        "is not of the import",
    );
    differs(
        &|db| db.update(|tx| tx.delete_edge(commit(2), commit(1), "parent").map(|_| ())).unwrap(),
        "parent is not of the import",
    );
    differs(
        &|db| {
            let (a, b) = (coord_of(db, "a"), coord_of(db, "b"));
            db.update(|tx| tx.put_edge(a, b, "renamed-to", &Edge::default())).unwrap();
        },
        "renamed-to is not of the import",
    );
    differs(
        &|db| db.update(|tx| tx.put_cell(coord_of(db, "b"), &other())).unwrap(),
        "commits 2 and 3: b is modified in the diff, git says the same",
    );
}

/// A history that is laid out as an earlier release did is left alone.
#[test]
fn an_older_layout_is_refused() {
    let place = Place::new();
    let work = work_tree(&place, &[(&[("a", "1")], &[])]);
    let path = place.path("x.db");
    let db = Db::open(&path, Options::new().max_value_bytes(64 << 20)).unwrap();
    let format = r#"{"format":1,"object_format":"sha1","max_file_bytes":67108864}"#;
    db.update(|tx| tx.put("git/format", format)).unwrap();
    db.close().unwrap();
    drop(db);
    let refused = run(args!["git", "import", &work, &path]).fails(2);
    assert!(refused.stderr.contains("this program knows 2; import into a new file"));
}
