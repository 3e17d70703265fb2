//! `hexxladb export`: everything in a database as lines of JSON.
//!
//! What always holds: the same content gives the same bytes. With `--history` a commit has every
//! record that it touched, those among them that it left as they were: they are part of its history
//! hash, and an import makes the very same history of it.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use hexxladb::{Commit, Db, DumpRow, ReadTx, Record, RecordId};
use serde::Serialize;

use crate::at::At;
use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::jsonl::{CommitMark, Contents, EndMark, Header, Mark, TagMark, names};
use crate::open_to_read;
use crate::record_json::RecordLine;

/// Write everything in a database as text
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    format: Format,
}

#[derive(Debug, clap::Subcommand)]
enum Format {
    Jsonl(Jsonl),
}

/// Records of all families as JSON, one object a line; `import jsonl` reads it
///
/// Without --history it is the newest state, or the one that --at names.
#[derive(Debug, clap::Args)]
struct Jsonl {
    /// The database
    db: PathBuf,
    /// The file to write, which must not be there yet [default: standard output]
    file: Option<PathBuf>,
    /// Every retained commit in order: its sequence, time, note, history hash and records, and the
    /// snapshot tags
    #[arg(long, conflicts_with_all = ["commit", "time"])]
    history: bool,
    #[command(flatten)]
    at: At,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let Format::Jsonl(args) = &args.format;
    let db = open_to_read(&args.db)?;
    let Some(file) = &args.file else { return export(args, &db, out) };
    let cannot =
        |error: std::io::Error| Failure::Input(format!("cannot write {}: {error}", file.display()));
    let opened = OpenOptions::new().write(true).create_new(true).open(file).map_err(cannot)?;
    let mut to_file = BufWriter::with_capacity(64 << 10, opened);
    let written = export(args, &db, &mut to_file).and_then(|()| {
        let synced = to_file.flush().and_then(|()| to_file.get_ref().sync_all());
        synced.map_err(Failure::from)
    });
    written.map_err(|failure| {
        discard(file);
        match failure {
            Failure::Output(error) => cannot(error),
            other => other,
        }
    })
}

/// Half an export is of no use. That it cannot be removed is no news beside what went wrong.
fn discard(file: &Path) {
    let _ = std::fs::remove_file(file);
}

fn export(args: &Jsonl, db: &Db, out: &mut dyn Write) -> Result<(), Failure> {
    let mut export = Export { out, records: 0 };
    if args.history {
        export.history(db)?;
    } else {
        let snapshot = args.at.snapshot(db)?;
        export.line(&Header::new(Contents::State, None))?;
        export.state(&snapshot)?;
    }
    let end = EndMark { records: export.records };
    export.line(&Mark::End(end))
}

struct Export<'a> {
    out: &'a mut dyn Write,
    records: u64,
}

impl Export<'_> {
    fn line(&mut self, line: &impl Serialize) -> Result<(), Failure> {
        print_line(self.out, line)
    }

    fn record(&mut self, id: &RecordId, record: Option<&Record>) -> Result<(), Failure> {
        self.records += 1;
        print_line(self.out, &RecordLine::new(id, record)?)
    }

    /// Every record of a state, in the order of their keys.
    fn state(&mut self, tx: &ReadTx) -> Result<(), Failure> {
        for entry in tx.scan::<&[u8]>(..) {
            let (key, value) = entry?;
            self.record(&RecordId::Raw(key.to_vec()), Some(&Record::Raw(value)))?;
        }
        for entry in tx.cells(..) {
            let (coord, cell) = entry?;
            self.record(&RecordId::Cell(coord), Some(&Record::Cell(cell)))?;
        }
        for entry in tx.facets(..) {
            let (coord, id, facet) = entry?;
            self.record(&RecordId::Facet(coord, id), Some(&Record::Facet(facet)))?;
        }
        for entry in tx.edges(..) {
            let (id, edge) = entry?;
            self.record(&RecordId::Edge(id), Some(&Record::Edge(edge)))?;
        }
        for entry in tx.seams(..) {
            let (id, seam) = entry?;
            self.record(&RecordId::Seam(id), Some(&Record::Seam(seam)))?;
        }
        Ok(())
    }

    fn history(&mut self, db: &Db) -> Result<(), Failure> {
        let floor = db.stats_mvcc()?.oldest_readable_seq;
        let first = floor.max(1);
        self.line(&Header::new(Contents::History, Some(first)))?;
        // Nothing is below commit 1: it is whole, whether or not it is the floor.
        let mut unchanged = unchanged_rows(db, if floor > 1 { floor } else { 0 })?;
        for commit in db.commits(..)? {
            let commit = commit?;
            if commit.seq == first && floor > 1 {
                self.line(&Mark::Snapshot(commit.into()))?;
                db.view_at(floor, |tx| self.state(tx))?;
            } else {
                let unchanged = unchanged.remove(&commit.seq).unwrap_or_default();
                self.commit(db, commit, unchanged)?;
            }
        }
        for tag in db.snapshot_tags()? {
            self.line(&Mark::Tag(TagMark { name: tag.name, seq: tag.seq }))?;
        }
        Ok(())
    }

    /// A commit: what it changed and what it left as it was, in the order of keys.
    fn commit(&mut self, db: &Db, commit: Commit, unchanged: Vec<RecordId>) -> Result<(), Failure> {
        let seq = commit.seq;
        self.line(&Mark::Commit(CommitMark::from(commit)))?;
        let snapshot = db.snapshot_at(seq)?;
        let mut unchanged = unchanged.into_iter().peekable();
        for change in db.snapshot_diff(seq - 1, seq)? {
            let change = change?;
            let is_before = |id: &RecordId| names::order(id) < names::order(&change.id);
            while let Some(id) = unchanged.next_if(is_before) {
                self.record(&id, get(&snapshot, &id)?.as_ref())?;
            }
            self.record(&change.id, change.new.as_ref())?;
        }
        for id in unchanged {
            self.record(&id, get(&snapshot, &id)?.as_ref())?;
        }
        Ok(())
    }
}

/// Records that commits above `floor` touched and left as they were, by commit: a put of the bytes
/// that were there, and a put and a deletion of something new. No difference shows them.
fn unchanged_rows(db: &Db, floor: u64) -> Result<BTreeMap<u64, Vec<RecordId>>, Failure> {
    let mut found: BTreeMap<u64, Vec<RecordId>> = BTreeMap::new();
    let mut note = |row: &DumpRow| {
        let named = row.seq.filter(|seq| *seq > floor).zip(names::parse(&row.key));
        if let Some((seq, id)) = named {
            found.entry(seq).or_default().push(id);
        }
    };
    // Rows of one key come newest first.
    let mut newer: Option<DumpRow> = None;
    for row in db.dump()? {
        let row = row?;
        if row.seq.is_none() || row.key.starts_with("__") {
            continue;
        }
        if let Some(newer) = &newer {
            let is_unchanged = if newer.key == row.key {
                newer.tombstone == row.tombstone && newer.value == row.value
            } else {
                newer.tombstone
            };
            if is_unchanged {
                note(newer);
            }
        }
        newer = Some(row);
    }
    if let Some(last) = newer.filter(|row| row.tombstone) {
        note(&last);
    }
    Ok(found)
}

fn get(tx: &ReadTx, id: &RecordId) -> Result<Option<Record>, Failure> {
    Ok(match id {
        RecordId::Raw(key) => tx.get(key)?.map(Record::Raw),
        RecordId::Cell(coord) => tx.get_cell(*coord)?.map(Record::Cell),
        RecordId::Facet(coord, id) => tx.get_facet(*coord, *id)?.map(Record::Facet),
        RecordId::Edge(e) => tx.get_edge(e.from, e.to, &e.relation)?.map(Record::Edge),
        RecordId::Seam(id) => tx.get_seam(*id)?.map(Record::Seam),
        _ => None,
    })
}
