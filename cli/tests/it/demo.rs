//! The demo, as a new user runs it.

use crate::history::{Hash, git, make_repository};
use crate::program::{Answer, Place, args, program, run};

/// The demo's text with what differs from run to run taken out.
fn steady(place: &Place, text: &str) -> String {
    let text = place.strip(text);
    let mut steady = String::new();
    for line in text.lines() {
        let mut line = line.to_owned();
        if let Some(at) = line.find(" in ").filter(|_| line.contains(" s")) {
            let end = line[at..].find(": ").map_or(line.len(), |end| at + end);
            line.replace_range(at..end, " in [time]");
        }
        if line.contains(" commits/s, ") {
            line.replace_range(.., "   [rates]");
        }
        steady.push_str(&line);
        steady.push('\n');
    }
    steady
}

#[test]
fn the_demo_imports_travels_and_verifies() {
    let place = Place::new();
    let (repo, db) = (place.path("r.git"), place.path("x.db"));
    make_repository(&repo, 80, 51, Hash::Sha1).unwrap();
    let answer = run(args!["demo", "--repo", &repo, "--db", &db]).ok();
    insta::assert_snapshot!("demo", steady(&place, &answer.text()));
    let again = run(args!["demo", "--repo", &repo, "--db", &db]).ok().text();
    assert!(again.contains("already there: 80 commits"), "{again}");
    assert!(again.contains("identical: no difference found"), "{again}");
}

/// Without arguments: the repository around the current directory, and one file for it in the
/// temporary directory, found again the next time.
#[test]
fn the_demo_needs_no_arguments() {
    let place = Place::new();
    let work = place.path("my project");
    std::fs::create_dir_all(work.join("src")).unwrap();
    std::fs::write(work.join("src/lib.rs"), "//! Hello.\n").unwrap();
    for arguments in [vec!["init", "-q"], vec!["add", "."], vec!["commit", "-q", "-m", "Say hello"]]
    {
        assert!(git().arg("-C").arg(&work).args(arguments).status().unwrap().success());
    }
    let temporary = place.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let demo = || -> Answer {
        program()
            .arg("demo")
            .current_dir(work.join("src"))
            .env("TMPDIR", &temporary)
            .output()
            .unwrap()
            .into()
    };
    let first = demo().ok().text();
    assert!(first.contains("src/lib.rs, the cell at (0,0): 1 version"), "{first}");
    let second = demo().ok().text();
    assert!(second.contains("already there: 1 commit\n"), "{second}");
    let line = |text: &str| text.lines().find(|l| l.starts_with("database ")).unwrap().to_owned();
    assert_eq!(line(&first), line(&second));
    assert!(line(&first).contains("/tmp/hexxladb-demo/my project-"), "{first}");
}

#[test]
fn outside_a_repository_the_demo_says_what_to_do() {
    let place = Place::new();
    let answer: Answer = program()
        .arg("demo")
        .current_dir(place.dir())
        .env("GIT_CEILING_DIRECTORIES", place.dir().parent().unwrap())
        .output()
        .unwrap()
        .into();
    assert!(answer.fails(4).stderr.contains("hexxladb demo --repo PATH"));
}

#[test]
fn a_demo_that_finds_differences_fails() {
    let place = Place::new();
    let (repo, db) = (place.path("r.git"), place.path("x.db"));
    make_repository(&repo, 30, 52, Hash::Sha1).unwrap();
    run(args!["demo", "--repo", &repo, "--db", &db]).ok();
    let handle = hexxladb::Db::open(&db, hexxladb::Options::new()).unwrap();
    let origin = hexxladb::Coord::new(0, 0).unwrap();
    let altered = hexxladb::Cell::new("altered").with_tags(["mode=100644", "stored=text"]);
    handle.update(|tx| tx.put_cell(origin, &altered)).unwrap();
    handle.close().unwrap();
    drop(handle);
    let answer = run(args!["demo", "--repo", &repo, "--db", &db]).fails(1);
    assert!(answer.text().contains("DIFFERENT: "), "{}", answer.text());
}
