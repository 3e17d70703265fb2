//! `--verify`: whether a replica is its source, as of the replica's head.

use std::io::Write;
use std::path::Path;

use hexxladb::{ChangelogCursor, ChangelogFilter, ChangelogReader, Db, Error, ReadTx, RecordId};
use serde::Serialize;

use crate::failure::Failure;
use crate::{open_to_read, text};

/// What was compared, and what came of it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Comparison {
    pub(super) identical: bool,
    /// Whether the history hashes at the replica's head were compared.
    history_hash: bool,
    /// Commits and records compared one by one; `None` where the source could not be opened.
    commits: Option<u64>,
    records: Option<u64>,
    /// What differs first.
    difference: Option<String>,
    /// Why not everything was compared.
    note: Option<String>,
}

/// Compares a replica with its source.
pub(super) fn compare(
    src: &Path,
    reader: &ChangelogReader,
    replica: &Db,
) -> Result<Comparison, Failure> {
    let mut found = Comparison::default();
    let difference = hashes(reader, replica, &mut found)?;
    let difference = match difference {
        Some(difference) => Some(difference),
        None => one_by_one(src, replica, &mut found)?,
    };
    found.identical = difference.is_none();
    found.difference = difference;
    Ok(found)
}

/// The history hash of the replica's last commit stands for all there was up to it.
fn hashes(
    reader: &ChangelogReader,
    replica: &Db,
    found: &mut Comparison,
) -> Result<Option<String>, Failure> {
    let cursor = replica.next_cursor()?;
    let head = cursor.read_through();
    if head == 0 {
        return Ok(None);
    }
    let mut entries = reader.read(ChangelogCursor::at(head, 0), ChangelogFilter::new())?;
    match entries.next().transpose() {
        Ok(Some(entry)) if entry.seq == head => {
            found.history_hash = true;
            let same = cursor.hash == Some(entry.history_hash);
            Ok((!same).then(|| format!("the history hash at commit {}", text::count(head))))
        }
        // The commit that a seed began with may have been trimmed.
        Ok(_) | Err(Error::ChangelogTruncated { .. } | Error::ChangelogGap { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Every commit that both know, and every record as of the replica's head.
fn one_by_one(src: &Path, replica: &Db, found: &mut Comparison) -> Result<Option<String>, Failure> {
    let source = match open_to_read(src) {
        Ok(source) => source,
        Err(Failure::Database(Error::DatabaseLocked { .. })) => {
            found.note = Some("records were not compared: SRC is open elsewhere".to_owned());
            return Ok(None);
        }
        Err(other) => return Err(other),
    };
    let head = replica.head()?;
    if source.head()? < head {
        return Ok(Some(format!("SRC does not have commit {}", text::count(head))));
    }
    if let Some(difference) = commits(&source, replica, found)? {
        return Ok(Some(difference));
    }
    let now = source.head()? == head;
    match if now { source.snapshot() } else { source.snapshot_at(head) } {
        Ok(theirs) => records(&theirs, &*replica.snapshot()?, found),
        Err(Error::SnapshotPruned { .. } | Error::MvccRequired { .. }) => {
            let head = text::count(head);
            let note = format!("records were not compared: SRC no longer has commit {head}");
            found.note = Some(note);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn commits(source: &Db, replica: &Db, found: &mut Comparison) -> Result<Option<String>, Failure> {
    let first = |db: &Db| Ok::<_, Failure>(db.commits(..)?.next().transpose()?.map(|c| c.seq));
    // Pruning removes the beginning.
    let (Some(theirs), Some(ours)) = (first(source)?, first(replica)?) else { return Ok(None) };
    let range = theirs.max(ours)..=replica.head()?;
    let mut compared = 0;
    let difference =
        first_difference(source.commits(range.clone())?, replica.commits(range)?, &mut compared)?;
    found.commits = Some(compared);
    Ok(difference.map(|commit| format!("commit {}", text::count(commit.seq))))
}

fn records(
    theirs: &ReadTx,
    ours: &ReadTx,
    found: &mut Comparison,
) -> Result<Option<String>, Failure> {
    let mut compared = 0;
    let difference = first_record(theirs, ours, &mut compared)?;
    found.records = Some(compared);
    Ok(difference.map(|id| format!("the record {}", text::one_line(&id.to_string(), usize::MAX))))
}

fn first_record(a: &ReadTx, b: &ReadTx, compared: &mut u64) -> Result<Option<RecordId>, Failure> {
    let raw = first_difference(a.scan::<&[u8]>(..), b.scan::<&[u8]>(..), compared)?;
    if let Some((key, _)) = raw {
        return Ok(Some(RecordId::Raw(key.to_vec())));
    }
    if let Some((coord, _)) = first_difference(a.cells(..), b.cells(..), compared)? {
        return Ok(Some(RecordId::Cell(coord)));
    }
    if let Some((coord, id, _)) = first_difference(a.facets(..), b.facets(..), compared)? {
        return Ok(Some(RecordId::Facet(coord, id)));
    }
    if let Some((id, _)) = first_difference(a.edges(..), b.edges(..), compared)? {
        return Ok(Some(RecordId::Edge(id)));
    }
    let seam = first_difference(a.seams(..), b.seams(..), compared)?;
    Ok(seam.map(|(id, _)| RecordId::Seam(id)))
}

/// The first item that only one of two lists has at its place; counts those before it.
fn first_difference<T: PartialEq>(
    a: impl Iterator<Item = hexxladb::Result<T>>,
    b: impl Iterator<Item = hexxladb::Result<T>>,
    compared: &mut u64,
) -> Result<Option<T>, Failure> {
    let (mut a, mut b) = (a, b);
    loop {
        let (one, other) = (a.next().transpose()?, b.next().transpose()?);
        if one != other {
            return Ok(one.or(other));
        }
        if one.is_none() {
            return Ok(None);
        }
        *compared += 1;
    }
}

impl Comparison {
    pub(super) fn print(&self, out: &mut dyn Write) -> Result<(), Failure> {
        if let Some(difference) = &self.difference {
            writeln!(out, "DIFFERENT: first {difference}")?;
            return Ok(());
        }
        let hash = if self.history_hash { "the history hash" } else { "not the history hash" };
        let count = |counted: Option<u64>, noun| match counted {
            Some(count) => text::counted(count, noun),
            None => format!("no {noun}s"),
        };
        let (commits, records) = (count(self.commits, "commit"), count(self.records, "record"));
        writeln!(out, "identical: compared {hash}, {commits}, {records}")?;
        if let Some(note) = &self.note {
            writeln!(out, "{note}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hexxladb::{Cell, Coord, Edge, Facet, FacetId, Options, WriteTx};

    use super::*;

    type Change = fn(&mut WriteTx) -> hexxladb::Result<()>;

    fn at(q: i32) -> Coord {
        Coord::new(q, 0).unwrap()
    }

    fn state(changes: &[Change]) -> Db {
        let db = Db::open("compared", Options::in_memory()).unwrap();
        db.update(|tx| {
            tx.put("name", "kitchen")?;
            tx.put_cell(at(0), &Cell::new("kettle"))?;
            tx.put_cell(at(1), &Cell::new("cups"))?;
            tx.put_edge(at(0), at(1), "warms", &Edge::new(1.0))?;
            changes.iter().try_for_each(|change| change(tx))
        })
        .unwrap();
        db
    }

    #[test]
    fn the_first_record_that_differs_is_named() {
        let changes: [(&str, Change); 6] = [
            ("raw/name", |tx| tx.put("name", "cellar")),
            ("raw/zz", |tx| tx.put("zz", "one more")),
            ("cell/(1,0)", |tx| tx.put_cell(at(1), &Cell::new("cup"))),
            ("cell/(1,0)", |tx| tx.delete_cell(at(1)).map(drop)),
            ("facet/(1,0)/3", |tx| {
                let facet = Facet::of(&Cell::new("cups"), "two");
                tx.update_facet(at(1), FacetId::new(3)?, &facet)
            }),
            ("edge/(0,0)/(1,0)/warms", |tx| tx.put_edge(at(0), at(1), "warms", &Edge::new(0.5))),
        ];
        let same = |a: &Db, b: &Db| {
            let mut found = Comparison::default();
            let (a, b) = (a.snapshot().unwrap(), b.snapshot().unwrap());
            (records(&a, &b, &mut found).unwrap(), found.records)
        };
        let whole = state(&[]);
        assert_eq!(same(&whole, &state(&[])), (None, Some(4)));
        for (name, change) in changes {
            let other = state(&[change]);
            assert_eq!(same(&whole, &other).0, Some(format!("the record {name}")));
            assert_eq!(same(&other, &whole).0, Some(format!("the record {name}")));
        }
        let seam = state(&[|tx| tx.mark_conflict(at(0), at(1), "").map(drop)]);
        assert!(same(&whole, &seam).0.is_some_and(|what| what.starts_with("the record seam/")));
    }
}
