//! Reading a database every way there is, and holding what comes against what is known.
//!
//! Always: an answer that differs from the truth is wrong data, however many errors come with it;
//! an error is only collected, for the caller to judge.

use std::collections::{BTreeMap, BTreeSet};

use crate::bytes::Bytes;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::history::{Record, Version};
use crate::lattice::{Coord, PackedCoord};
use crate::record::Cell;
use crate::record::RecordId;
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

    fn record(&self, id: &RecordId) -> Option<Record> {
        match id {
            RecordId::Raw(key) => self.raw.get(key).map(|value| Record::Raw(value.clone().into())),
            RecordId::Cell(at) => {
                self.cells.get(&PackedCoord::from(*at)).cloned().map(Record::Cell)
            }
            _ => None,
        }
    }

    fn is_same(&self, id: &RecordId, record: Option<&Record>) -> bool {
        match (id, record) {
            (RecordId::Raw(key), Some(Record::Raw(value))) => {
                self.raw.get(key).is_some_and(|known| *value == known[..])
            }
            (RecordId::Cell(at), Some(Record::Cell(cell))) => {
                self.cells.get(&PackedCoord::from(*at)) == Some(cell)
            }
            (RecordId::Raw(key), None) => !self.raw.contains_key(key),
            (RecordId::Cell(at), None) => !self.cells.contains_key(&PackedCoord::from(*at)),
            _ => false,
        }
    }
}

/// A truth and what follows from it, worked out once for many comparisons.
#[derive(Debug)]
pub struct Oracle {
    truth: Truth,
    empty: TruthCommit,
    /// Every name that was ever in use, and one that never was.
    keys: BTreeSet<Vec<u8>>,
    cells: BTreeSet<PackedCoord>,
    /// The commits that changed each of them.
    changes: Vec<(RecordId, BTreeSet<u64>)>,
}

impl Oracle {
    /// What must be read where `truth` holds.
    pub fn new(truth: Truth) -> Self {
        let keys = truth.commits.iter().flat_map(|commit| commit.raw.keys().cloned());
        let cells = truth.commits.iter().flat_map(|commit| commit.cells.keys().copied());
        let keys = keys.chain([b"never".to_vec()]).collect();
        let cells = cells.collect();
        let empty = TruthCommit::empty();
        let mut oracle = Self { truth, empty, keys, cells, changes: Vec::new() };
        oracle.changes = oracle.work_out_changes();
        oracle
    }

    /// The number of commits.
    pub fn head(&self) -> u64 {
        self.truth.commits.len() as u64
    }

    fn state(&self, seq: u64) -> &TruthCommit {
        seq.checked_sub(1).map_or(&self.empty, |index| &self.truth.commits[index as usize])
    }

    fn work_out_changes(&self) -> Vec<(RecordId, BTreeSet<u64>)> {
        let raw = self.keys.iter().map(|key| RecordId::Raw(key.clone()));
        let cells = self.cells.iter().map(|at| RecordId::Cell(at.unpack()));
        let changes = |id: &RecordId| {
            let changed =
                |seq: &u64| !self.state(seq - 1).is_same(id, self.state(*seq).record(id).as_ref());
            (1..=self.head()).filter(changed).collect()
        };
        raw.chain(cells).map(|id| (id.clone(), changes(&id))).collect()
    }
}

/// Most of what is shown of a wrong answer: values are long.
const MAX_BLAME_CHARS: usize = 400;

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
        self.wrong.get_or_insert_with(|| what().chars().take(MAX_BLAME_CHARS).collect());
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

/// Every version is what its snapshot reads, newest first, and no change lacks a version. A put of
/// the value that is there already is a version too.
fn histories(db: &Db, oracle: &Oracle, head: u64, verdict: &mut Verdict) {
    for (id, changes) in &oracle.changes {
        let versions = match db.history(id.clone()) {
            Ok(versions) => versions,
            Err(error) => return verdict.errors.push(error),
        };
        let mut missing: Vec<u64> = changes.range(..=head).copied().collect();
        let mut above = head + 1;
        let mut failed = false;
        for version in versions {
            let Version { seq, time, record } = match version {
                Ok(version) => version,
                Err(error) => {
                    verdict.errors.push(error);
                    failed = true;
                    break;
                }
            };
            let right = seq > 0 && seq < above && {
                let state = oracle.state(seq);
                time == Some(state.time) && state.is_same(id, record.as_ref())
            };
            if !right {
                verdict.blame(|| format!("history of {id:?}: {seq}, {time:?}, {record:?}"));
                break;
            }
            above = seq;
            missing.retain(|&other| other != seq);
        }
        if !failed && !missing.is_empty() {
            verdict.blame(|| format!("history of {id:?} lacks {missing:?}"));
        }
    }
}

/// Rows that are read of one scan at most.
const MAX_ROWS: usize = 2_000;

/// Reads everything from a database of which nothing is known, from both ends.
///
/// # Panics
/// Where two answers contradict each other, if they are to be compared: behind forged checksums
/// any rows may stand in any order.
pub fn read_blind(db: &Db, compare: bool) {
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
            blind_snapshot(tx, compare);
            Ok(())
        });
    }
    let _ = db.view::<(), Error>(|tx| {
        for key in blind_snapshot(tx, compare).into_iter().take(20) {
            db.history(key).into_iter().flatten().take(100).for_each(drop);
        }
        Ok(())
    });
}

/// Returns the keys that were found.
fn blind_snapshot(tx: &ReadTx, compare: bool) -> Vec<Vec<u8>> {
    let rows = both_ways(tx.scan::<&[u8]>(..), tx.scan::<&[u8]>(..), compare);
    for (key, value) in &rows {
        // The scan may have passed over damage that the search meets.
        let found = tx.get(key);
        let same = found.is_err() || found.is_ok_and(|found| found.as_ref() == Some(value));
        assert!(same || !compare, "{key:?} at {}", tx.seq());
    }
    for (at, cell) in both_ways(tx.cells(..), tx.cells(..), compare) {
        let found = tx.get_cell(at);
        let same = found.is_err() || found.is_ok_and(|found| found == Some(cell));
        assert!(same || !compare, "cell {at:?} at {}", tx.seq());
    }
    let _ = tx.history_hash();
    rows.into_iter().map(|(key, _)| key.to_vec()).collect()
}

/// The items from the front; where no error comes from either end, those from the back are the
/// same.
fn both_ways<T: PartialEq>(
    forward: impl Iterator<Item = Result<T>>,
    back: impl DoubleEndedIterator<Item = Result<T>>,
    compare: bool,
) -> Vec<T> {
    let forward: Vec<_> = forward.take(MAX_ROWS).collect();
    let back: Vec<_> = back.rev().take(MAX_ROWS).collect();
    let whole = |items: &[Result<T>]| items.len() < MAX_ROWS && items.iter().all(Result::is_ok);
    let compare = compare && whole(&forward) && whole(&back);
    let forward: Vec<T> = forward.into_iter().flatten().collect();
    if compare {
        let same = back.iter().rev().flatten().eq(forward.iter());
        assert!(same, "forward and back differ");
    }
    forward
}
