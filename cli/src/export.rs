//! `hexxladb export`: everything in a database as lines of JSON.
//!
//! What always holds: the same content gives the same bytes. With `--history` a commit has every
//! record that it touched, those among them that it left as they were: they are part of its history
//! hash, and an import makes the very same history of it.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use hexxladb::{Db, ReadTx, Record, RecordId};
use serde::Serialize;

use crate::at::At;
use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::jsonl::{Contents, EndMark, Header, Mark, TagMark, names};
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
        let mut done = 0;
        if floor > 1 {
            let commit = db.commits(floor..=floor)?.next().transpose()?;
            if let Some(commit) = commit {
                self.line(&Mark::Snapshot(commit.into()))?;
            }
            db.view_at(floor, |tx| self.state(tx))?;
            done = floor;
        }
        let head = db.head()?;
        while done < head {
            let touched = Touched::read(db, done, MAX_NAMES)?;
            let until = touched.until.map_or(head, |until| until - 1);
            self.commits(db, done + 1..=until, touched)?;
            done = until;
        }
        for tag in db.snapshot_tags()? {
            self.line(&Mark::Tag(TagMark { name: tag.name, seq: tag.seq }))?;
        }
        Ok(())
    }

    /// Commits with the records that they touched.
    fn commits(
        &mut self,
        db: &Db,
        range: RangeInclusive<u64>,
        mut touched: Touched,
    ) -> Result<(), Failure> {
        for commit in db.commits(range)? {
            let commit = commit?;
            let seq = commit.seq;
            self.line(&Mark::Commit(commit.into()))?;
            let snapshot = db.snapshot_at(seq)?;
            for id in touched.by_commit.remove(&seq).unwrap_or_default() {
                self.record(&id, get(&snapshot, &id)?.as_ref())?;
            }
        }
        Ok(())
    }
}

/// Names that are held in memory while their commits are written.
const MAX_NAMES: usize = 1 << 20;

/// The records that some commits touched, each commit's in the order of their keys.
#[derive(Default)]
struct Touched {
    by_commit: BTreeMap<u64, Vec<RecordId>>,
    /// From this commit on they did not fit.
    until: Option<u64>,
}

impl Touched {
    /// The records of the commits above `done`, as many as fit; at least those of one commit.
    ///
    /// Every row of the file is looked at: no difference between snapshots tells of a record that a
    /// commit left as it was, and the cost of many differences would grow with their square.
    fn read(db: &Db, done: u64, max_names: usize) -> Result<Self, Failure> {
        let (mut touched, mut names) = (Self::default(), 0);
        for row in db.dump()? {
            let row = row?;
            let is_wanted = |seq: &u64| *seq > done && touched.until.is_none_or(|u| *seq < u);
            let Some(seq) = row.seq.filter(is_wanted) else { continue };
            let Some(id) = names::parse(&row.key) else { continue };
            touched.by_commit.entry(seq).or_default().push(id);
            names += 1;
            while names > max_names && touched.by_commit.len() > 1 {
                let Some((seq, dropped)) = touched.by_commit.pop_last() else { break };
                touched.until = Some(seq);
                names -= dropped.len();
            }
        }
        Ok(touched)
    }
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

#[cfg(test)]
mod tests {
    use hexxladb::{Coord, Options};

    use super::*;

    /// However little fits at once, all commits come, each whole and once.
    #[test]
    fn a_history_that_does_not_fit_comes_in_parts() {
        let db = Db::open("parts", Options::in_memory()).unwrap();
        for seq in 1..=20_i32 {
            db.update(|tx| {
                for n in 0..=seq % 5 {
                    let cell = hexxladb::Cell::new(seq.to_string()).with_tags(["t"]);
                    tx.put_cell(Coord::new(n, 0)?, &cell)?;
                }
                Ok::<_, hexxladb::Error>(())
            })
            .unwrap();
        }
        for max_names in [1, 4, 7, 1000] {
            let (mut done, mut parts, mut seen) = (0, 0, Vec::new());
            while done < 20 {
                let touched = Touched::read(&db, done, max_names).unwrap();
                assert!(
                    touched.by_commit.first_key_value().is_some_and(|(seq, _)| *seq == done + 1)
                );
                done = touched.until.map_or(20, |until| until - 1);
                parts += 1;
                assert_eq!(touched.by_commit.last_key_value().map(|(seq, _)| *seq), Some(done));
                seen.extend(touched.by_commit.into_values().map(|ids| ids.len()));
            }
            assert_eq!(seen, (1..=20).map(|seq| seq % 5 + 1).collect::<Vec<_>>());
            assert_eq!(parts == 1, max_names == 1000);
        }
    }
}
