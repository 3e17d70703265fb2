//! Reading a whole database every way there is, and holding what comes against what is known.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{Places, check_state};
use super::truth::{Name, Oracle, TruthCommit, Upkeep};
use super::verdict::Verdict;
use crate::db::Db;
use crate::diff::RecordChange;
use crate::error::Error;
use crate::history::Version;
use crate::lattice::Coord;
use crate::timeline::Commit;
use crate::tx::ReadTx;

/// Coordinates of which each of several snapshots is asked.
const MAX_COORDS: usize = 2;

/// What reading a database came to, where no answer was wrong.
#[derive(Debug)]
pub struct Outcome {
    /// The newest commit.
    pub head: u64,
    /// Every error that was returned in place of an answer.
    pub errors: Vec<Error>,
}

/// What a database says it is like, held against the truth of that.
struct Found<'a> {
    db: &'a Db,
    oracle: &'a Oracle,
    head: u64,
    floor: u64,
}

/// Reads every readable snapshot both ways, by key, by index, through histories, differences and
/// tags, and by time.
///
/// # Errors
/// What is wrong, where an answer is not the truth of the head that was found.
pub fn compare(db: &Db, oracle: &Oracle) -> Result<Outcome, String> {
    let head = db.head().map_err(|error| error.to_string())?;
    if head > oracle.head() {
        return Err(format!("head is {head}, of {} commits", oracle.head()));
    }
    let mut verdict = Verdict::default();
    let mvcc = oracle.truth.mvcc;
    if (db.format_version() == 2) != mvcc {
        verdict.blame(|| format!("format v{}", db.format_version()));
    }
    let floor = check_upkeep(db, oracle.upkeeps(head), &mut verdict);
    let found = Found { db, oracle, head, floor };
    found.timeline(&mut verdict);
    if mvcc {
        found.snapshots(&mut verdict);
        found.histories(&mut verdict);
        found.differences(&mut verdict);
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

/// Holds floor and tags against what maintenance may have left; returns the floor.
fn check_upkeep(db: &Db, upkeeps: &[Upkeep], verdict: &mut Verdict) -> u64 {
    let floor = floor_of(db);
    let tags = if db.format_version() == 1 { Ok(Vec::new()) } else { db.snapshot_tags() };
    let tags: Option<BTreeMap<String, u64>> = match tags {
        Ok(tags) => Some(tags.into_iter().map(|tag| (tag.name, tag.seq)).collect()),
        Err(error) => {
            verdict.errors.push(error);
            None
        }
    };
    // Nothing is pruned below the first commit.
    let fits = |known: &Upkeep| {
        known.floor.max(1) == floor && tags.as_ref().is_none_or(|tags| *tags == known.tags)
    };
    if !upkeeps.iter().any(fits) {
        verdict.blame(|| format!("floor {floor} and tags {tags:?}, not {upkeeps:?}"));
    }
    for (name, seq) in tags.iter().flatten() {
        match db.view_at_tag(name, |tx| Ok::<_, Error>(tx.seq())) {
            Ok(found) if found == *seq => {}
            Ok(found) => verdict.blame(|| format!("tag {name:?} leads to {found}, not {seq}")),
            Err(error) => verdict.errors.push(error),
        }
    }
    floor
}

/// The oldest commit that can be read.
pub(super) fn floor_of(db: &Db) -> u64 {
    match db.snapshot_at(1) {
        Err(Error::SnapshotPruned { oldest, .. }) => oldest,
        _ => 1,
    }
}

impl Found<'_> {
    /// Nothing, then each commit from the floor on.
    fn readable(&self) -> impl Iterator<Item = u64> + use<> {
        std::iter::once(0).chain(self.floor..=self.head)
    }

    fn is_pruned(&self, seq: u64) -> bool {
        seq < self.floor
    }

    fn timeline(&self, verdict: &mut Verdict) {
        let commits = (1..).zip(&self.oracle.truth.commits[..self.head as usize]);
        let commits: Vec<(u64, &TruthCommit)> = commits.collect();
        let rows = commits.iter().filter(|(seq, _)| !self.is_pruned(*seq));
        let same = |found: &Commit, (seq, commit): &&(u64, &TruthCommit)| {
            found.seq == *seq
                && (found.time, &found.note, found.history_hash)
                    == (commit.time, &commit.note, commit.hash)
        };
        match (self.db.commits(..), self.db.commits(..)) {
            (Ok(forward), Ok(back)) => {
                verdict.items(|| "commits".into(), forward, rows.clone(), same);
                verdict.items(|| "commits, back".into(), back.rev(), rows.rev(), same);
            }
            (Err(error), _) | (_, Err(error)) => verdict.errors.push(error),
        }
        for (_, commit) in commits.iter().filter(|_| self.oracle.truth.mvcc) {
            let last = commits.iter().rev().find(|(_, other)| other.time <= commit.time);
            let seq = last.map_or(0, |(seq, _)| *seq);
            let truth = Some(&seq).filter(|seq| !self.is_pruned(**seq));
            verdict.is_or(
                || format!("the commit at {:?}", commit.time),
                self.db.seq_at_time(commit.time),
                truth,
                |error| matches!(error, Error::SnapshotPruned { .. }),
            );
        }
    }

    fn snapshots(&self, verdict: &mut Verdict) {
        for seq in self.readable() {
            let read = self.db.view_at(seq, |tx| {
                snapshot(tx, self.oracle, seq, verdict);
                Ok::<(), Error>(())
            });
            verdict.errors.extend(read.err());
        }
        for seq in 1..self.floor {
            let oldest = self.floor;
            match self.db.snapshot_at(seq) {
                Err(Error::SnapshotPruned { oldest: told, .. }) if told == oldest => {}
                other => verdict.blame(|| format!("{other:?} below the floor {oldest}")),
            }
        }
        if !matches!(self.db.snapshot_at(self.head + 1), Err(Error::ReadSeqFuture { .. })) {
            verdict.blame(|| "there is a snapshot after the newest one".into());
        }
    }

    fn histories(&self, verdict: &mut Verdict) {
        for (name, changes) in &self.oracle.changes {
            self.history(name, changes, verdict);
        }
    }

    /// Every version is what its snapshot reads, newest first, and none is missing that a readable
    /// snapshot sees. A put of the value that is there already is a version too.
    fn history(&self, name: &Name, changes: &BTreeSet<u64>, verdict: &mut Verdict) {
        let versions = match self.db.history(name.id()) {
            Ok(versions) => versions,
            Err(error) => return verdict.errors.push(error),
        };
        // What the oldest readable commit did not change was there before.
        let at_floor = self.oracle.state(self.floor.min(self.head)).records.get(name);
        let mut missing: BTreeSet<u64> =
            changes.range(..=self.head).copied().filter(|seq| *seq > self.floor).collect();
        let mut above = self.head + 1;
        let mut base = None;
        for version in versions {
            let Version { seq, time, record } = match version {
                Ok(version) => version,
                Err(error) => return verdict.errors.push(error),
            };
            let state = (0 < seq && seq < above).then(|| self.oracle.state(seq));
            let right = state.is_some_and(|state| {
                let timed = time == Some(state.time) || time.is_none() && self.is_pruned(seq);
                timed && state.records.get(name) == record.as_ref()
            });
            if !right {
                return verdict
                    .blame(|| format!("history of {name:?}: {seq}, {time:?}, {record:?}"));
            }
            above = seq;
            missing.remove(&seq);
            if seq <= self.floor {
                base.get_or_insert(record);
            }
        }
        if !missing.is_empty() {
            verdict.blame(|| format!("history of {name:?} lacks {missing:?}"));
        }
        if base.flatten().as_ref() != at_floor {
            verdict.blame(|| format!("history of {name:?} lacks what it was at the floor"));
        }
    }

    /// From each snapshot to the next, from nothing to everything, and back over all.
    fn differences(&self, verdict: &mut Verdict) {
        let readable: Vec<u64> = self.readable().collect();
        let steps = readable.windows(2).map(|pair| (pair[0], pair[1]));
        for (a, b) in steps.chain([(0, self.head), (self.head, self.floor.min(self.head))]) {
            difference(self.db, self.oracle, (a, b), verdict);
        }
    }
}

/// The difference between two readable snapshots.
pub(super) fn difference(db: &Db, oracle: &Oracle, (a, b): (u64, u64), verdict: &mut Verdict) {
    let found = match db.snapshot_diff(a, b) {
        Ok(found) => found,
        Err(error) => return verdict.errors.push(error),
    };
    let (from, to) = (&oracle.state(a).records, &oracle.state(b).records);
    let names: BTreeSet<&Name> = from.keys().chain(to.keys()).collect();
    let known = names.into_iter().filter(|name| from.get(*name) != to.get(*name));
    let same = |found: &RecordChange, known: &&Name| {
        Name::from(found.id.clone()) == **known
            && (found.old.as_ref(), found.new.as_ref()) == (from.get(*known), to.get(*known))
    };
    verdict.items(|| format!("difference of {a} and {b}"), found, known, same);
}

pub(super) fn snapshot(tx: &ReadTx, oracle: &Oracle, seq: u64, verdict: &mut Verdict) {
    let state = oracle.state(seq);
    if tx.seq() != seq {
        verdict.blame(|| format!("a snapshot of {} in place of {seq}", tx.seq()));
    }
    // Each snapshot takes others.
    let step = if oracle.truth.mvcc { oracle.coords.len() / MAX_COORDS + 1 } else { 1 };
    let places = Places {
        names: &mut oracle.changes.keys(),
        coords: &mut oracle.coords.iter().copied().skip(seq as usize % step).step_by(step),
        center: Coord::from_checked(0, 0),
    };
    check_state(tx, &state.records, places, &seq.to_string(), verdict);
    // Zeros at 0.
    verdict.is(|| format!("hash at {seq}"), tx.history_hash(), &state.hash);
}
