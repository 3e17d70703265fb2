//! A changelog whose files are damaged, cut, or those of another time or database.

use std::path::Path;

use crate::changelog::{commits, flip, tail, told};
use crate::program::{Place, args, run};

/// Where in a file some bytes stand.
fn offset_of(path: &Path, what: &str) -> usize {
    let bytes = std::fs::read(path).unwrap();
    bytes.windows(what.len()).position(|window| window == what.as_bytes()).unwrap()
}

#[test]
fn damage_is_found_told_and_mended() {
    // spec: LOG-15
    let place = Place::new();
    let db = commits(&place, "x.db", 30);
    let all = tail(&db, &["--json"]).ok().text();
    run(args!["changelog", "rotate", &db]).ok();
    run(args!["put", &db, "9,9", "x"]).ok();
    let segment = place.path("x.db-changelog.000001");
    flip(&segment, offset_of(&segment, "text 17"));
    let damaged = tail(&db, &["--json"]).fails(3);
    let before: Vec<_> = all.lines().take(17).collect();
    assert_eq!(damaged.text().lines().collect::<Vec<_>>(), before, "what is intact is delivered");
    assert!(damaged.stderr.contains("run `hexxladb changelog repair`"), "{}", damaged.stderr);
    let verified = run(args!["changelog", "verify", &db]).fails(1).text();
    assert!(
        verified.starts_with("damaged: ") && verified.contains("after commit 17"),
        "{verified}"
    );
    let json = run(args!["changelog", "verify", &db, "--json"]).fails(1).json();
    assert_eq!((&json[0]["clean"], json[0]["damage"].is_string()), (&false.into(), true));
    let check = run(args!["check", &db]).fails(1).text();
    assert!(check.starts_with("Changelog: ") && check.contains("changelog repair"), "{check}");
    let replica = run(args!["replicate", &db, place.path("r.db")]).fails(3);
    assert!(replica.stderr.contains("before the damage is in the replica"), "{}", replica.stderr);
    assert_eq!(run(args!["log", place.path("r.db")]).ok().text().lines().count(), 17);

    let repaired = place.strip(&run(args!["changelog", "repair", &db]).ok().text());
    let lines: Vec<_> = repaired.lines().skip(1).collect();
    let wanted = [
        "set aside: [dir]/x.db-changelog.000001.aside-1",
        "written anew: commits 18 to 30",
        "mended",
    ];
    assert_eq!(lines, wanted);
    assert_eq!(run(args!["changelog", "repair", &db]).ok().text(), "nothing to mend\n");
    run(args!["changelog", "verify", &db]).ok();
    assert_eq!(tail(&db, &["--json", "-n", "30"]).ok().text(), all);
    run(args!["replicate", &db, place.path("r.db"), "--verify"]).ok();
    let check = run(args!["check", &db]).ok().text();
    assert!(check.contains("31 commits of the changelog read"), "{check}");
}

/// Wherever the file was cut, what is before the cut is delivered, and the cut is told.
#[test]
fn a_changelog_that_was_cut_is_told_from_one_that_ends() {
    // spec: LOG-15
    let place = Place::new();
    let db = commits(&place, "x.db", 12);
    let all = tail(&db, &["--json"]).ok().text();
    let file = place.path("x.db-changelog");
    let whole = std::fs::read(&file).unwrap();
    let end = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut delivered = std::collections::BTreeSet::new();
    for cut in (4096..end).step_by(23).chain([4096, end - 1]) {
        std::fs::write(&file, &whole[..cut]).unwrap();
        let answer = tail(&db, &["--json"]).fails(3);
        assert!(all.starts_with(&answer.text()), "{cut}");
        delivered.insert(answer.text().lines().count());
    }
    assert!(delivered.len() > 10, "{delivered:?}");
    // Between two frames.
    for (n, cut) in frame_ends(&db, &whole, end) {
        std::fs::write(&file, &whole[..cut]).unwrap();
        let answer = tail(&db, &["--json"]).fails(3);
        assert_eq!(answer.text().lines().count(), n, "cut at {cut}");
        assert!(answer.stderr.contains("it ends here, and the primary counts on more"));
        run(args!["changelog", "verify", &db]).fails(1);
    }
    std::fs::write(&file, &whole).unwrap();
    run(args!["changelog", "verify", &db]).ok();
}

/// Where whole frames end, and how many commits come before.
fn frame_ends(db: &Path, whole: &[u8], end: usize) -> Vec<(usize, usize)> {
    let file = db.with_file_name("x.db-changelog");
    let mut ends = vec![(0, 4096)];
    for n in 1..12 {
        // The damage that is told of the frame after it says where that begins.
        let mut bytes = whole[..end].to_vec();
        let text = format!("text {n}");
        let at = bytes.windows(text.len()).position(|found| found == text.as_bytes()).unwrap();
        bytes[at] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        let told = tail(db, &[]).fails(3).stderr;
        let (_, offset) = told.split_once("at offset ").unwrap();
        ends.push((n, offset.split_once(',').unwrap().0.parse().unwrap()));
    }
    ends
}

/// An older copy of the file under a newer changelog, and a changelog of another database.
#[test]
fn a_changelog_that_does_not_fit_is_refused_and_set_aside() {
    // spec: LOG-12
    let place = Place::new();
    let db = commits(&place, "x.db", 3);
    let old = std::fs::read(&db).unwrap();
    run(args!["put", &db, "9,9", "new"]).ok();
    std::fs::write(&db, old).unwrap();
    std::fs::remove_file(place.path("x.db-wal")).unwrap();
    let refused = run(args!["put", &db, "9,9", "x"]).fails(3);
    insta::assert_snapshot!("changelog-mismatch", told(&place, &refused));
    run(args!["changelog", "verify", &db]).fails(1);
    let repaired = run(args!["changelog", "repair", &db]).ok().text();
    assert!(repaired.contains("set aside: ") && repaired.ends_with("mended\n"), "{repaired}");
    run(args!["put", &db, "9,9", "x"]).ok();
    assert_eq!(&tail(&db, &[]).ok().text()[..3], "4/0");

    let other = commits(&place, "y.db", 3);
    std::fs::copy(place.path("y.db-changelog"), place.path("x.db-changelog")).unwrap();
    let foreign = tail(&db, &[]).fails(3);
    assert!(foreign.stderr.contains("belongs to another database"), "{}", foreign.stderr);
    assert!(foreign.stderr.contains("`hexxladb changelog repair`"), "{}", foreign.stderr);
    run(args!["changelog", "verify", &other]).ok();
}
