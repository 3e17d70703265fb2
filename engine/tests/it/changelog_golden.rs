//! Changelogs of every format version are read as they were written.
//!
//! `corpus/format/v<N>/changelog.db…` is a database whose process was killed, with a sealed segment
//! and an active one; `changelog.txt` says what must be read from them. As for the other golden
//! files, `HEXXLADB_BLESS=1` writes them anew until the first release.

#![expect(clippy::disallowed_methods, reason = "golden files are real files")]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use hexxladb::fuzzing::{LOG, PRIMARY, small_changelog, small_changelog_paths};
use hexxladb::{
    ChangelogEntry, ChangelogOptions, ChangelogReader, ChangelogValue, Db, Error, Options,
};

use crate::support_records::all;

fn dir(mvcc: bool) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    root.join("corpus/format").join(if mvcc { "v2" } else { "v1" })
}

/// The files by their names on the sample's disk, and how the golden ones end.
fn files() -> Vec<(PathBuf, String)> {
    let names = [PathBuf::from(PRIMARY), PathBuf::from(LOG)].into_iter();
    let end = |path: &Path| path.display().to_string()[PRIMARY.len()..].to_owned();
    names.chain(small_changelog_paths()).map(|path| (path.clone(), end(&path))).collect()
}

fn listing(entries: &[ChangelogEntry]) -> String {
    let mut out = String::new();
    for entry in entries {
        let hash = u128::from_be_bytes(entry.history_hash);
        let before = u128::from_be_bytes(entry.previous_hash);
        let (seq, index, of) = (entry.seq, entry.index, entry.commit_entries());
        let key = entry.key.as_ref().map(ToString::to_string);
        let value = match &entry.value {
            ChangelogValue::Full(bytes) => {
                let sum = bytes.iter().fold(0u64, |sum, &b| sum.wrapping_mul(31) + u64::from(b));
                format!("{} bytes, sum {sum:016x}", bytes.len())
            }
            other => format!("{other:?}"),
        };
        let (last, note) = (entry.last_in_commit, &entry.note);
        let time = entry.time.as_nanos();
        writeln!(out, "{seq}/{index} of {of} last {last} {} {key:?} = {value}", entry.op).unwrap();
        writeln!(out, "  at {time} note {note:?} hash {hash:032x} after {before:032x}").unwrap();
    }
    out
}

fn check(mvcc: bool) {
    let (dir, text) = (dir(mvcc), dir(mvcc).join("changelog.txt"));
    let small = small_changelog(mvcc).unwrap();
    if std::env::var("HEXXLADB_BLESS").is_ok_and(|value| value == "1") {
        for (path, end) in files() {
            let bytes = small.vfs.read_file(&path).unwrap();
            fs::write(dir.join(format!("changelog.db{end}")), bytes).unwrap();
        }
        fs::write(&text, listing(&small.entries)).unwrap();
    }
    let copy = tempfile::tempdir().unwrap();
    for (_, end) in files() {
        let from = dir.join(format!("changelog.db{end}"));
        fs::copy(&from, copy.path().join(format!("db{end}"))).unwrap();
    }
    let file = copy.path().join("db");
    let expected = fs::read_to_string(text).unwrap();
    let reader = ChangelogReader::open(&file).unwrap();
    assert_eq!(listing(&all(reader.read_since(0).unwrap())), expected);
    assert_eq!(reader.verify(None).unwrap().hashes, 6);
    // This release writes the same, but for the identity of the history.
    assert_eq!(listing(&small.entries), expected);
    let options = Options::new().changelog(ChangelogOptions::new());
    for commit in 7..9 {
        let db = Db::open(&file, options.clone()).unwrap();
        let entries = all(db.read_changelog_since(0).unwrap());
        assert!(listing(&entries).starts_with(&expected));
        assert_eq!(db.head().unwrap() + 1, commit);
        db.update(|tx| tx.put("new", "value")).unwrap();
        assert_eq!(all(db.read_changelog_since(6).unwrap()).len() as u64, commit - 6);
        db.rotate_changelog().unwrap();
        db.close().unwrap();
    }
    assert!(Db::repair_changelog(&file, options).unwrap().is_clean());
    // Cut by a byte it is damaged, and says so.
    let sealed = copy.path().join("db-changelog.000001");
    let bytes = fs::read(&sealed).unwrap();
    fs::write(&sealed, &bytes[..bytes.len() - 1]).unwrap();
    let read: Result<Vec<_>, Error> = reader.read_since(0).unwrap().collect();
    assert!(matches!(read, Err(Error::ChangelogCorrupt { segment: 1, .. })), "{read:?}");
}

#[test]
fn a_changelog_of_v1_reads_as_it_did() {
    check(false);
}

#[test]
fn a_changelog_of_v2_reads_as_it_did() {
    check(true);
}
