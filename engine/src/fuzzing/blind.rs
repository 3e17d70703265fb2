//! Reading a database of which nothing is known, from both ends and every way there is: two
//! answers must not contradict each other.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::reads::{Family, Index, Key, Reads};
use super::truth::{Name, Records};
use crate::content::Record;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::lattice::Coord;

/// Rows that are read of one scan at most.
const MAX_ROWS: usize = 2_000;
/// Names of each snapshot of which more is asked.
const MAX_NAMES: usize = 20;

/// Reads everything from a database of which nothing is known, from both ends.
///
/// # Panics
/// Where two answers contradict each other, if they are to be compared: behind forged checksums
/// any rows may stand in any order.
pub(super) fn read_blind(db: &Db, compare: bool) {
    let Ok(head) = db.head() else { return };
    let _ = db.check();
    let _ = db.stats_mvcc();
    let _ = db.plan_prune(head);
    for tag in db.snapshot_tags().into_iter().flatten() {
        let seq = db.view_at_tag(&tag.name, |tx| Ok::<_, Error>(tx.seq()));
        assert!(seq.is_err() || seq.is_ok_and(|seq| seq == tag.seq), "tag {tag:?}");
    }
    few(db.commits(..)).for_each(drop);
    db.commits(..).into_iter().flat_map(Iterator::rev).take(MAX_ROWS).for_each(drop);
    few(db.dump()).for_each(drop);
    let snapshots: BTreeSet<u64> =
        [0, 1, head / 2, head.saturating_sub(2), head.saturating_sub(1)].into();
    for seq in snapshots {
        let _ = db.view_at::<(), Error>(seq, |tx| {
            blind_state(tx, compare);
            Ok(())
        });
        few(db.snapshot_diff(seq, head)).for_each(drop);
    }
    let _ = db.view::<(), Error>(|tx| {
        for name in blind_state(tx, compare).into_keys().take(MAX_NAMES) {
            few(db.history(name.id())).take(100).for_each(drop);
        }
        Ok(())
    });
}

fn few<T>(rows: Result<impl Iterator<Item = Result<T>>>) -> impl Iterator<Item = Result<T>> {
    rows.into_iter().flatten().take(MAX_ROWS)
}

/// Returns the records that were found.
fn blind_state(tx: &impl Reads, compare: bool) -> Records {
    let mut records = Records::new();
    let mut complete = true;
    for family in Family::ALL {
        let (rows, whole) = both_ways(|| tx.family(family), compare);
        complete &= whole;
        records.extend(rows);
    }
    for (name, record) in &records {
        // The scan may have passed over damage that the search meets.
        let found = tx.record(name);
        let same = found.is_err() || found.is_ok_and(|found| found.as_ref() == Some(record));
        assert!(same || !compare, "{name:?}");
    }
    for index in Index::ALL {
        blind_index(tx, index, complete && compare, &records);
    }
    let cells = records.keys().filter_map(|name| match name {
        Name::Cell(at) => Some(at.unpack()),
        _ => None,
    });
    for at in cells.take(MAX_NAMES).chain([Coord::from_checked(0, 0)]) {
        for family in [Family::FacetsOf(at), Family::EdgesFrom(at)] {
            both_ways(|| tx.family(family), compare);
        }
        for index in [Index::EdgesTo(at), Index::SeamsOf(at)] {
            blind_index(tx, index, complete && compare, &records);
        }
    }
    let _ = tx.ring(Coord::from_checked(0, 0), 3).count();
    let _ = tx.seams_around(Coord::from_checked(0, 0), 3).count();
    records
}

/// An index has the rows that the records have, if it can be read.
fn blind_index(tx: &impl Reads, index: Index, compare: bool, records: &Records) {
    let (rows, whole) = both_ways(|| tx.index(index), compare);
    if compare && whole {
        let rows: Vec<(&Key, &Name, &Record)> = rows.iter().map(|(k, n, r)| (k, n, r)).collect();
        let known = index.rows_of(records);
        let known: Vec<_> = known.iter().map(|(key, name, record)| (key, *name, *record)).collect();
        assert_eq!(rows, known, "{index:?}");
    }
}

/// The items from the front, and whether there are no more; where no error comes from either end,
/// those from the back are the same.
fn both_ways<T: PartialEq + Debug, I: DoubleEndedIterator<Item = Result<T>>>(
    items: impl Fn() -> I,
    compare: bool,
) -> (Vec<T>, bool) {
    let forward: Vec<_> = items().take(MAX_ROWS).collect();
    let back: Vec<_> = items().rev().take(MAX_ROWS).collect();
    let whole = |items: &[Result<T>]| items.len() < MAX_ROWS && items.iter().all(Result::is_ok);
    let whole = whole(&forward) && whole(&back);
    let forward: Vec<T> = forward.into_iter().flatten().collect();
    if compare && whole {
        let same = back.iter().rev().flatten().eq(forward.iter());
        assert!(same, "forward and back differ");
    }
    (forward, whole)
}
