//! What the tests of the changelog share: what it must say by the rows of the database, small
//! databases with several segments, and a replica made from the entries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hexxladb::vfs::Vfs;
use hexxladb::vfs::sim::SimVfs;
use hexxladb::{
    Bytes, ChangelogEntry, ChangelogFilter, ChangelogOp, ChangelogOptions, ChangelogReader,
    ChangelogValue, Commit, Db, DumpRow, Error, Options, Result, Timestamp,
};

use crate::support::{DB, Random, light, open, options, put, read_file};
use crate::support_records::{Model, all, random_commits};

/// Where the active segment of [`DB`] lies.
pub(crate) const ACTIVE: &str = "/db-changelog";

/// Where a sealed segment lies.
pub(crate) fn sealed(ordinal: u64) -> PathBuf {
    PathBuf::from(format!("{ACTIVE}.{ordinal:06}"))
}

/// The smallest segments that the options allow.
pub(crate) fn small_changelog() -> ChangelogOptions {
    let least = if cfg!(feature = "sim") { 16 << 10 } else { 64 << 10 };
    ChangelogOptions::new().segment_bytes(least)
}

/// [`light`] with a changelog.
pub(crate) fn on() -> Options {
    light().changelog(ChangelogOptions::new())
}

/// [`on`] of either format.
pub(crate) fn both_on() -> [Options; 2] {
    [on().mvcc(true), on().mvcc(false)]
}

/// Everything that the changelog has.
pub(crate) fn entries(db: &Db) -> Vec<ChangelogEntry> {
    all(db.read_changelog_since(0).unwrap())
}

/// Everything that a reader of the files sees.
pub(crate) fn entries_in_files(vfs: &(impl Vfs + Clone + 'static)) -> Vec<ChangelogEntry> {
    all(reader(vfs).read_since(0).unwrap())
}

pub(crate) fn reader(vfs: &(impl Vfs + Clone + 'static)) -> ChangelogReader {
    ChangelogReader::open_with(Arc::new(vfs.clone()), DB).unwrap()
}

/// What was read before an error, and the error.
pub(crate) fn until_error(
    items: impl Iterator<Item = Result<ChangelogEntry>>,
) -> (Vec<ChangelogEntry>, Option<Error>) {
    let mut found = Vec::new();
    for item in items {
        match item {
            Ok(entry) => found.push(entry),
            Err(error) => return (found, Some(error)),
        }
    }
    (found, None)
}

/// Sequences of the commits that entries come from, each once.
pub(crate) fn seqs(entries: &[ChangelogEntry]) -> Vec<u64> {
    let mut seqs: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
    seqs.dedup();
    seqs
}

/// Operation and key of an entry, for reading: `put raw/a`.
pub(crate) fn shown(entry: &ChangelogEntry) -> String {
    match &entry.key {
        Some(key) => format!("{} {key}", entry.op),
        None => entry.op.to_string(),
    }
}

/// [`shown`] of the entries of one commit.
pub(crate) fn shown_of(entries: &[ChangelogEntry], seq: u64) -> Vec<String> {
    entries.iter().filter(|entry| entry.seq == seq).map(shown).collect()
}

pub(crate) fn commits(db: &Db) -> Vec<Commit> {
    all(db.commits(..).unwrap())
}

const FAMILIES: [&str; 5] = ["raw/", "cell/", "facet/", "edge/", "seam/"];

/// Rows of records by the commit that wrote them, in the order of their keys.
fn written(db: &Db) -> BTreeMap<u64, Vec<DumpRow>> {
    let mut by_commit: BTreeMap<u64, Vec<DumpRow>> = BTreeMap::new();
    for row in all(db.dump().unwrap()) {
        if let Some(seq) = row.seq.filter(|_| FAMILIES.iter().any(|name| row.key.starts_with(name)))
        {
            by_commit.entry(seq).or_default().push(row);
        }
    }
    by_commit
}

/// Asserts that the entries are those of all commits after `base`, by the rows that they left in a
/// database of format v2 that was never pruned: each record of each commit once, in order, with
/// its value and all that is known of the commit.
pub(crate) fn assert_history(db: &Db, base: u64, found: &[ChangelogEntry]) {
    let written = written(db);
    let mut found = found.iter();
    let mut previous = [0; 16];
    for commit in commits(db) {
        let rows = written.get(&commit.seq).map_or(&[][..], Vec::as_slice);
        let hash = std::mem::replace(&mut previous, commit.history_hash);
        if commit.seq <= base {
            continue;
        }
        for index in 0..rows.len().max(1) {
            let entry = found.next().unwrap_or_else(|| panic!("no entry of commit {}", commit.seq));
            assert_eq!((entry.seq, entry.index as usize), (commit.seq, index));
            assert_eq!(entry.last_in_commit, index + 1 >= rows.len(), "{entry:?}");
            assert_eq!(entry.commit_entries() as usize, rows.len());
            assert_eq!((entry.time, entry.note.as_deref()), (commit.time, commit.note.as_deref()));
            assert_eq!((entry.history_hash, entry.previous_hash), (commit.history_hash, hash));
            assert_entry(entry, rows.get(index));
        }
    }
    assert_eq!(found.next(), None, "an entry of no commit");
}

fn assert_entry(entry: &ChangelogEntry, row: Option<&DumpRow>) {
    let Some(row) = row else {
        assert_eq!((entry.op, &entry.key), (ChangelogOp::Note, &None));
        assert_eq!((entry.family(), &entry.value), (None, &ChangelogValue::None));
        return;
    };
    let family = entry.family().unwrap();
    let key = entry.key.as_ref().unwrap();
    assert!(row.key.starts_with(&format!("{family}/")), "{} is of {family}", row.key);
    // A dump writes bytes that are no plain text in another way.
    let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let shown = key.to_string();
    assert!(shown == row.key || !plain(&shown) || !plain(&row.key), "{shown}, not {}", row.key);
    assert_eq!(entry.op == ChangelogOp::Delete, row.tombstone, "{entry:?}");
    assert_ne!(entry.op, ChangelogOp::Note);
    let value =
        if row.tombstone { ChangelogValue::None } else { ChangelogValue::Full(row.value.clone()) };
    assert_eq!(entry.value, value);
    assert_eq!(entry.record().unwrap().is_some(), !row.tombstone);
}

/// A database of random commits in all families; its models by sequence.
pub(crate) fn random_database(vfs: &SimVfs, options: Options, count: usize) -> (Db, Vec<Model>) {
    let db = open(vfs, options);
    let mut models = vec![Model::default()];
    random_commits(&db, &mut Random::new(count as u64), &mut models, count);
    (db, models)
}

/// Commits `from..=to`, each of one raw record with a value of `bytes`.
pub(crate) fn fill(db: &Db, from: u64, to: u64, bytes: usize) {
    for seq in from..=to {
        assert_eq!(put(db, format!("k{seq}"), vec![seq as u8; bytes]).unwrap(), seq);
    }
}

/// A database of `segments` sealed segments of three commits each, and an active one of two.
pub(crate) fn segmented(vfs: &SimVfs, options: Options, segments: u64) -> Db {
    let db = open(vfs, options);
    for segment in 0..segments {
        fill(&db, segment * 3 + 1, segment * 3 + 3, 100);
        db.rotate_changelog().unwrap();
    }
    fill(&db, segments * 3 + 1, segments * 3 + 2, 100);
    db
}

/// Ends the process as a kill does, with its handle.
pub(crate) fn kill(vfs: &SimVfs, db: Db) {
    vfs.kill();
    drop(db);
}

/// A row of a dump, to be compared.
type Row = (String, Option<u64>, bool, Bytes);

/// Every row of a state, the timeline's included, but for consumers and tags.
pub(crate) fn dump(db: &Db) -> Vec<Row> {
    let rows = all(db.dump().unwrap()).into_iter();
    rows.filter(|row| !row.key.starts_with("__meta/") || row.key.starts_with("__meta/commit"))
        .map(|row| (row.key, row.seq, row.tombstone, row.value))
        .collect()
}

/// Asserts that two databases hold the same rows and the same history.
pub(crate) fn assert_same(a: &Db, b: &Db) {
    assert_eq!(commits(a), commits(b));
    let (found, expected) = (dump(a), dump(b));
    let differs = found.iter().zip(&expected).find(|(a, b)| a != b);
    assert_eq!(differs, None);
    assert_eq!(found.len(), expected.len());
    assert_eq!(a.head().unwrap(), b.head().unwrap());
}

/// An empty database like those of [`light`], without a changelog.
pub(crate) fn replica(mvcc: bool) -> Db {
    open(&SimVfs::new(9), options().mvcc(mvcc))
}

/// Repeats in `to` what `from` has after it; how many commits.
pub(crate) fn catch_up(from: &Db, to: &Db) -> u64 {
    let entries = from.read_changelog(to.next_cursor().unwrap(), ChangelogFilter::new()).unwrap();
    let applied = to.apply_changelog(entries).unwrap();
    assert_eq!(applied.head, from.head().unwrap());
    applied.commits
}

/// Names of the changelog's files, in order.
pub(crate) fn changelog_files(vfs: &SimVfs) -> Vec<String> {
    let files = vfs.files().into_iter().map(|path| path.display().to_string());
    files.filter(|name| name.contains("-changelog")).collect()
}

pub(crate) fn bytes_of(vfs: &SimVfs, path: impl AsRef<Path>) -> Vec<u8> {
    read_file(vfs, path).unwrap()
}

/// The same workload gives the same history where every commit says its time.
pub(crate) fn timed(db: &Db, secs: i64, write: impl FnOnce(&mut hexxladb::WriteTx) -> Result<()>) {
    db.update(|tx| {
        tx.set_commit_time(Timestamp::from_secs(secs))?;
        write(tx)
    })
    .unwrap();
}
