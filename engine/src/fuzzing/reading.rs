//! Reading a database every way there is, and holding what comes against what is known.
//!
//! Always: an answer that differs from the truth is wrong data, however many errors come with it;
//! an error is only collected, for the caller to judge.

use std::collections::{BTreeMap, BTreeSet};

use crate::bytes::Bytes;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::history::{Record, RecordId, Version};
use crate::lattice::{Coord, PackedCoord};
use crate::record::Cell;
use crate::time::Timestamp;
use crate::timeline::Commit;
use crate::tx::ReadTx;

/// What a database must hold.
#[derive(Clone, Debug)]
pub struct Truth {
    /// Format v2, or v1, which has its newest state alone.
    pub mvcc: bool,
    /// Each commit from the first on.
    pub commits: Vec<TruthCommit>,
}

/// A commit and the whole state after it.
#[derive(Clone, Debug)]
pub struct TruthCommit {
    /// The raw keyspace.
    pub raw: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The cells.
    pub cells: BTreeMap<PackedCoord, Cell>,
    /// The commit's note.
    pub note: Option<String>,
    /// The commit's time.
    pub time: Timestamp,
    /// Its history hash.
    pub hash: [u8; 16],
}

/// What reading a database came to, where no answer was wrong.
#[derive(Debug)]
pub struct Outcome {
    /// The newest commit.
    pub head: u64,
    /// Every error that was returned in place of an answer.
    pub errors: Vec<Error>,
}

impl Truth {
    /// A database without a commit.
    pub fn new(mvcc: bool) -> Self {
        Self { mvcc, commits: Vec::new() }
    }
}

impl TruthCommit {
    /// What holds before the first commit.
    pub fn empty() -> Self {
        let (raw, cells) = (BTreeMap::new(), BTreeMap::new());
        Self { raw, cells, note: None, time: Timestamp::MIN, hash: [0; 16] }
    }
}

/// A version of a record: commit, time, and the record unless it was deleted.
type KnownVersion = (u64, Timestamp, Option<Record>);

/// A truth and what follows from it, worked out once for many comparisons.
#[derive(Debug)]
pub struct Oracle {
    truth: Truth,
    empty: TruthCommit,
    /// Every name that was ever in use, and one that never was.
    keys: BTreeSet<Vec<u8>>,
    cells: BTreeSet<PackedCoord>,
    /// Versions of each of them, oldest first.
    histories: Vec<(RecordId, Vec<KnownVersion>)>,
}

impl Oracle {
    /// What must be read where `truth` holds.
    pub fn new(truth: Truth) -> Self {
        let keys = truth.commits.iter().flat_map(|commit| commit.raw.keys().cloned());
        let cells = truth.commits.iter().flat_map(|commit| commit.cells.keys().copied());
        let keys = keys.chain([b"never".to_vec()]).collect();
        let cells = cells.collect();
        let empty = TruthCommit::empty();
        let mut oracle = Self { truth, empty, keys, cells, histories: Vec::new() };
        oracle.histories = oracle.work_out_histories();
        oracle
    }

    /// The number of commits.
    pub fn head(&self) -> u64 {
        self.truth.commits.len() as u64
    }

    fn state(&self, seq: u64) -> &TruthCommit {
        seq.checked_sub(1).map_or(&self.empty, |index| &self.truth.commits[index as usize])
    }

    fn work_out_histories(&self) -> Vec<(RecordId, Vec<KnownVersion>)> {
        let versions = |record: &dyn Fn(&TruthCommit) -> Option<Record>| {
            let changed = |seq: &u64| record(self.state(seq - 1)) != record(self.state(*seq));
            let version = |seq| (seq, self.state(seq).time, record(self.state(seq)));
            (1..=self.head()).filter(changed).map(version).collect()
        };
        let raw = self.keys.iter().map(|key| {
            let record =
                |state: &TruthCommit| state.raw.get(key).map(|v| Record::Raw(v.clone().into()));
            (RecordId::Raw(key.clone()), versions(&record))
        });
        let cells = self.cells.iter().map(|at| {
            let record = |state: &TruthCommit| state.cells.get(at).cloned().map(Record::Cell);
            (RecordId::Cell(at.unpack()), versions(&record))
        });
        raw.chain(cells).collect()
    }
}

/// Answers that were not given, and the first one that was wrong.
#[derive(Default)]
struct Verdict {
    errors: Vec<Error>,
    wrong: Option<String>,
}

impl Verdict {
    fn is<T: std::fmt::Debug, U: std::fmt::Debug + ?Sized>(
        &mut self,
        what: impl FnOnce() -> String,
        answer: Result<T>,
        truth: &U,
        same: impl FnOnce(&T, &U) -> bool,
    ) {
        match answer {
            Ok(answer) if same(&answer, truth) => {}
            Ok(answer) => self.blame(|| format!("{}: {answer:?}, not {truth:?}", what())),
            Err(error) => self.errors.push(error),
        }
    }

    /// Items that must be the truth's, in its order; after an error nothing more may come.
    fn items<T: std::fmt::Debug, U: std::fmt::Debug>(
        &mut self,
        what: impl FnOnce() -> String,
        mut answers: impl Iterator<Item = Result<T>>,
        mut truth: impl Iterator<Item = U>,
        same: impl Fn(&T, &U) -> bool,
    ) {
        loop {
            match (answers.next(), truth.next()) {
                (None, None) => return,
                (Some(Ok(answer)), Some(truth)) if same(&answer, &truth) => {}
                (Some(Err(error)), _) => {
                    self.errors.push(error);
                    if answers.next().is_some() {
                        self.blame(|| format!("{}: it goes on after an error", what()));
                    }
                    return;
                }
                (answer, truth) => {
                    return self.blame(|| format!("{}: {answer:?}, not {truth:?}", what()));
                }
            }
        }
    }

    fn blame(&mut self, what: impl FnOnce() -> String) {
        self.wrong.get_or_insert_with(what);
    }
}

/// Reads every retained snapshot both ways, by key, through histories and by time.
///
/// # Errors
/// What is wrong, where an answer is not the truth of the head that was found.
pub fn compare(db: &Db, oracle: &Oracle) -> std::result::Result<Outcome, String> {
    let head = db.head().map_err(|error| error.to_string())?;
    if head > oracle.head() {
        return Err(format!("head is {head}, of {} commits", oracle.head()));
    }
    let mut verdict = Verdict::default();
    let mvcc = oracle.truth.mvcc;
    if (db.format_version() == 2) != mvcc {
        verdict.blame(|| format!("format v{}", db.format_version()));
    }
    timeline(db, oracle, head, &mut verdict);
    if mvcc {
        for seq in 0..=head {
            let read = db.view_at(seq, |tx| {
                snapshot(tx, oracle, seq, &mut verdict);
                Ok::<(), Error>(())
            });
            verdict.errors.extend(read.err());
        }
        histories(db, oracle, head, &mut verdict);
        if !matches!(db.snapshot_at(head + 1), Err(Error::ReadSeqFuture { .. })) {
            verdict.blame(|| "there is a snapshot after the newest one".into());
        }
    } else {
        let read = db.view(|tx| {
            snapshot(tx, oracle, head, &mut verdict);
            Ok::<(), Error>(())
        });
        verdict.errors.extend(read.err());
    }
    match verdict.wrong {
        Some(wrong) => Err(wrong),
        None => Ok(Outcome { head, errors: verdict.errors }),
    }
}

fn timeline(db: &Db, oracle: &Oracle, head: u64, verdict: &mut Verdict) {
    let commits = &oracle.truth.commits[..head as usize];
    let rows = || commits.iter().enumerate();
    let same = |found: &Commit, (index, commit): &(usize, &TruthCommit)| {
        found.seq == *index as u64 + 1
            && (found.time, &found.note, found.history_hash)
                == (commit.time, &commit.note, commit.hash)
    };
    match (db.commits(..), db.commits(..)) {
        (Ok(forward), Ok(back)) => {
            verdict.items(|| "commits".into(), forward, rows(), same);
            verdict.items(|| "commits, back".into(), back.rev(), rows().rev(), same);
        }
        (Err(error), _) | (_, Err(error)) => verdict.errors.push(error),
    }
    for commit in commits.iter().filter(|_| oracle.truth.mvcc) {
        let last = commits.iter().rposition(|other| other.time <= commit.time);
        let seq = last.map_or(0, |index| index as u64 + 1);
        let found = db.seq_at_time(commit.time);
        verdict.is(|| format!("the commit at {:?}", commit.time), found, &seq, |a, b| a == b);
    }
}

fn snapshot(tx: &ReadTx, oracle: &Oracle, seq: u64, verdict: &mut Verdict) {
    let state = oracle.state(seq);
    if tx.seq() != seq {
        verdict.blame(|| format!("a snapshot of {} in place of {seq}", tx.seq()));
    }
    let row = |found: &(Bytes, Bytes), (key, value): &(&Vec<u8>, &Vec<u8>)| {
        *found.0 == ***key && *found.1 == ***value
    };
    let rows = || state.raw.iter();
    let scan = || tx.scan::<&[u8]>(..);
    verdict.items(|| format!("scan at {seq}"), scan(), rows(), row);
    verdict.items(|| format!("scan at {seq}, back"), scan().rev(), rows().rev(), row);
    let prefixed = rows().filter(|(key, _)| key.starts_with(b"row"));
    verdict.items(|| format!("prefix at {seq}"), tx.scan_prefix("row"), prefixed, row);
    for key in &oracle.keys {
        let value = state.raw.get(key).map(Vec::as_slice);
        let found = tx.get(key);
        verdict.is(|| format!("{key:?} at {seq}"), found, &value, |a, b| a.as_deref() == *b);
    }
    let cell = |found: &(Coord, Cell), (at, cell): &(&PackedCoord, &Cell)| {
        found.0 == at.unpack() && found.1 == **cell
    };
    let cells = || state.cells.iter();
    verdict.items(|| format!("cells at {seq}"), tx.cells(..), cells(), cell);
    verdict.items(|| format!("cells at {seq}, back"), tx.cells(..).rev(), cells().rev(), cell);
    for at in &oracle.cells {
        let (found, cell) = (tx.get_cell(at.unpack()), state.cells.get(at));
        verdict.is(|| format!("cell {at:?} at {seq}"), found, &cell, |a, b| a.as_ref() == *b);
    }
    verdict.is(|| format!("hash at {seq}"), tx.history_hash(), &state.hash, |a, b| a == b);
}

fn histories(db: &Db, oracle: &Oracle, head: u64, verdict: &mut Verdict) {
    let same = |found: &Version, (seq, time, record): &&KnownVersion| {
        (found.seq, found.time, &found.record) == (*seq, *time, record)
    };
    for (id, versions) in &oracle.histories {
        let expected = versions.iter().rev().filter(|(seq, ..)| *seq <= head);
        match db.history(id.clone()) {
            Ok(found) => verdict.items(|| format!("history of {id:?}"), found, expected, same),
            Err(error) => verdict.errors.push(error),
        }
    }
}

/// Rows that are read of one scan at most.
const MAX_ROWS: usize = 2_000;

/// Reads a database of which nothing is known: what is read twice must be the same twice, unless
/// an error is in the way.
///
/// # Panics
/// Where two answers contradict each other.
pub fn read_blind(db: &Db) {
    let Ok(head) = db.head() else { return };
    let _ = db.check();
    let _ = db.stats_mvcc();
    db.commits(..).into_iter().flatten().take(MAX_ROWS).for_each(drop);
    db.commits(..).into_iter().flatten().rev().take(MAX_ROWS).for_each(drop);
    db.dump().into_iter().flatten().take(MAX_ROWS).for_each(drop);
    let snapshots: BTreeSet<u64> =
        [0, 1, head / 2, head.saturating_sub(2), head.saturating_sub(1)].into();
    for seq in snapshots {
        let _ = db.view_at::<(), Error>(seq, |tx| {
            blind_snapshot(tx);
            Ok(())
        });
    }
    let _ = db.view::<(), Error>(|tx| {
        for key in blind_snapshot(tx).into_iter().take(20) {
            db.history(key).into_iter().flatten().take(100).for_each(drop);
        }
        Ok(())
    });
}

/// Returns the keys that were found.
fn blind_snapshot(tx: &ReadTx) -> Vec<Vec<u8>> {
    let rows = both_ways(tx.scan::<&[u8]>(..), tx.scan::<&[u8]>(..));
    for (key, value) in &rows {
        // The scan may have passed over damage that the search meets.
        if let Ok(found) = tx.get(key) {
            assert_eq!(found.as_ref(), Some(value), "{key:?} at {}", tx.seq());
        }
    }
    for (at, cell) in both_ways(tx.cells(..), tx.cells(..)) {
        if let Ok(found) = tx.get_cell(at) {
            assert_eq!(found, Some(cell), "cell {at:?} at {}", tx.seq());
        }
    }
    let _ = tx.history_hash();
    rows.into_iter().map(|(key, _)| key.to_vec()).collect()
}

/// The items from the front; where no error comes from either end, those from the back are the
/// same.
fn both_ways<T: PartialEq + std::fmt::Debug>(
    forward: impl Iterator<Item = Result<T>>,
    back: impl DoubleEndedIterator<Item = Result<T>>,
) -> Vec<T> {
    let forward: Vec<_> = forward.take(MAX_ROWS).collect();
    let mut back: Vec<_> = back.rev().take(MAX_ROWS).collect();
    back.reverse();
    let whole = |items: &[Result<T>]| items.len() < MAX_ROWS && items.iter().all(Result::is_ok);
    let compare = whole(&forward) && whole(&back);
    let forward: Vec<T> = forward.into_iter().flatten().collect();
    if compare {
        let back: Vec<T> = back.into_iter().flatten().collect();
        assert_eq!(forward, back, "forward and back");
    }
    forward
}
