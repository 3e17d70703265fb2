//! Reading a database every way there is, and holding what comes against what is known.
//!
//! Always: an answer that differs from the truth is wrong data, however many errors come with it;
//! an error is only collected, for the caller to judge.

use std::collections::{BTreeMap, BTreeSet};

use crate::db::Db;
use crate::error::{Error, Result};
use crate::history::{Record, RecordId};
use crate::lattice::PackedCoord;
use crate::record::Cell;
use crate::time::Timestamp;
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

    fn state(&self, seq: u64) -> TruthCommit {
        match seq.checked_sub(1) {
            Some(index) => self.commits[index as usize].clone(),
            None => TruthCommit {
                raw: BTreeMap::new(),
                cells: BTreeMap::new(),
                note: None,
                time: Timestamp::MIN,
                hash: [0; 16],
            },
        }
    }
}

/// Answers that were not given, and the first one that was wrong.
#[derive(Default)]
struct Verdict {
    errors: Vec<Error>,
    wrong: Option<String>,
}

impl Verdict {
    fn is<T: PartialEq + std::fmt::Debug>(
        &mut self,
        what: impl FnOnce() -> String,
        answer: Result<T>,
        truth: &T,
    ) {
        match answer {
            Ok(answer) if answer == *truth => {}
            Ok(answer) => self.blame(|| format!("{}: {answer:?}, not {truth:?}", what())),
            Err(error) => self.errors.push(error),
        }
    }

    /// Items that must be the truth's, in its order; after an error nothing more may come.
    fn items<T: PartialEq<U> + std::fmt::Debug, U: std::fmt::Debug>(
        &mut self,
        what: impl FnOnce() -> String,
        mut answers: impl Iterator<Item = Result<T>>,
        mut truth: impl Iterator<Item = U>,
    ) {
        loop {
            match (answers.next(), truth.next()) {
                (None, None) => return,
                (Some(Ok(answer)), Some(truth)) if answer == truth => {}
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
pub fn compare(db: &Db, truth: &Truth) -> std::result::Result<Outcome, String> {
    let head = db.head().map_err(|error| error.to_string())?;
    if head > truth.commits.len() as u64 {
        return Err(format!("head is {head}, of {} commits", truth.commits.len()));
    }
    let mut verdict = Verdict::default();
    if (db.format_version() == 2) != truth.mvcc {
        verdict.blame(|| format!("format v{}", db.format_version()));
    }
    timeline(db, truth, head, &mut verdict);
    let known = Known::of(truth);
    if truth.mvcc {
        for seq in 0..=head {
            let read = |tx: &ReadTx| {
                snapshot(tx, &truth.state(seq), &known, &mut verdict);
                Ok(())
            };
            if let Err(error) = db.view_at::<(), Error>(seq, read) {
                verdict.errors.push(error);
            }
        }
        histories(db, truth, head, &known, &mut verdict);
        if !matches!(db.snapshot_at(head + 1), Err(Error::ReadSeqFuture { .. })) {
            verdict.blame(|| "there is a snapshot after the newest one".into());
        }
    }
    let newest = |tx: &ReadTx| {
        snapshot(tx, &truth.state(head), &known, &mut verdict);
        Ok(())
    };
    if let Err(error) = db.view::<(), Error>(newest) {
        verdict.errors.push(error);
    }
    match verdict.wrong {
        Some(wrong) => Err(wrong),
        None => Ok(Outcome { head, errors: verdict.errors }),
    }
}

/// Every name that was ever in use.
struct Known {
    keys: BTreeSet<Vec<u8>>,
    cells: BTreeSet<PackedCoord>,
}

impl Known {
    fn of(truth: &Truth) -> Self {
        let keys = truth.commits.iter().flat_map(|commit| commit.raw.keys().cloned());
        let cells = truth.commits.iter().flat_map(|commit| commit.cells.keys().copied());
        Self { keys: keys.chain([b"never".to_vec()]).collect(), cells: cells.collect() }
    }
}

fn timeline(db: &Db, truth: &Truth, head: u64, verdict: &mut Verdict) {
    let rows = || {
        let commits = truth.commits[..head as usize].iter().enumerate();
        commits.map(|(index, c)| (index as u64 + 1, c.time, c.note.clone(), c.hash))
    };
    match (db.commits(..), db.commits(..)) {
        (Ok(forward), Ok(back)) => {
            let row = |commit: Result<crate::timeline::Commit>| {
                commit.map(|c| (c.seq, c.time, c.note, c.history_hash))
            };
            verdict.items(|| "commits".into(), forward.map(row), rows());
            verdict.items(|| "commits, back".into(), back.rev().map(row), rows().rev());
        }
        (Err(error), _) | (_, Err(error)) => verdict.errors.push(error),
    }
    if truth.mvcc {
        let times: Vec<_> = rows().collect();
        for (_, time, ..) in &times {
            let last = times.iter().rposition(|(_, other, ..)| other <= time);
            let seq = last.map_or(0, |index| index as u64 + 1);
            verdict.is(|| format!("the commit at {time:?}"), db.seq_at_time(*time), &seq);
        }
    }
}

fn snapshot(tx: &ReadTx, state: &TruthCommit, known: &Known, verdict: &mut Verdict) {
    let seq = tx.seq();
    let raw = |item: Result<(crate::Bytes, crate::Bytes)>| {
        item.map(|(key, value)| (key.to_vec(), value.to_vec()))
    };
    let rows = || state.raw.iter().map(|(key, value)| (key.clone(), value.clone()));
    let whole = || tx.scan::<&[u8]>(..).map(raw);
    verdict.items(|| format!("scan at {seq}"), whole(), rows());
    verdict.items(|| format!("scan at {seq}, back"), whole().rev(), rows().rev());
    let with_row = |(key, _): &(Vec<u8>, Vec<u8>)| key.starts_with(b"row");
    let prefixed = tx.scan_prefix("row").map(raw);
    verdict.items(|| format!("prefix at {seq}"), prefixed, rows().filter(with_row));
    for key in &known.keys {
        let value = tx.get(key).map(|value| value.map(|value| value.to_vec()));
        verdict.is(|| format!("{key:?} at {seq}"), value, &state.raw.get(key).cloned());
    }
    let cells = || state.cells.iter().map(|(at, cell)| (at.unpack(), cell.clone()));
    verdict.items(|| format!("cells at {seq}"), tx.cells(..), cells());
    verdict.items(|| format!("cells at {seq}, back"), tx.cells(..).rev(), cells().rev());
    for at in &known.cells {
        let cell = tx.get_cell(at.unpack());
        verdict.is(|| format!("cell {at:?} at {seq}"), cell, &state.cells.get(at).cloned());
    }
    verdict.is(|| format!("history hash at {seq}"), tx.history_hash(), &state.hash);
}

fn histories(db: &Db, truth: &Truth, head: u64, known: &Known, verdict: &mut Verdict) {
    let mut history = |id: RecordId, record: &dyn Fn(&TruthCommit) -> Option<Record>| {
        let states: Vec<_> = (0..=head).map(|seq| truth.state(seq)).collect();
        let changes = states.windows(2).zip(1..).filter_map(|(pair, seq)| {
            let (before, after) = (record(&pair[0]), record(&pair[1]));
            (before != after).then_some((seq, pair[1].time, after))
        });
        let expected: Vec<_> = changes.collect();
        match db.history(id.clone()) {
            Ok(versions) => {
                let versions = versions.map(|v| v.map(|v| (v.seq, v.time, v.record)));
                let expected = expected.into_iter().rev();
                verdict.items(|| format!("history of {id:?}"), versions, expected);
            }
            Err(error) => verdict.errors.push(error),
        }
    };
    for key in &known.keys {
        let record = |commit: &TruthCommit| {
            commit.raw.get(key).map(|value| Record::Raw(value.clone().into()))
        };
        history(RecordId::Raw(key.clone()), &record);
    }
    for at in &known.cells {
        let record = |commit: &TruthCommit| commit.cells.get(at).cloned().map(Record::Cell);
        history(RecordId::Cell(at.unpack()), &record);
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
