//! `hexxladb ingest`: cells as JSON lines from standard input, a durable commit every so many.
//!
//! What always holds: a line belongs to one commit, whole or not at all; an `ack` line goes out
//! only once its commit is on stable storage; a bad line or a signal drops the lines since the
//! last commit and leaves every earlier commit alone.

use std::io::{self, Write};
use std::path::PathBuf;

use hexxladb::{Db, Options, Timestamp, WriteTx};

use crate::cell_json::CellLine;
use crate::failure::Failure;
use crate::input::{Lines, complaint};
use crate::keeping::Keeping;
use crate::stop::Stop;
use crate::text;

const LONG_ABOUT: &str = "\
Read cells from standard input, one JSON object a line

A line is {\"q\":3,\"r\":1,\"raw_content\":\"…\",\"tags\":[\"…\"],\"source_id\":\"…\",\"confidence\":0.5}, of
which the last three may be left out. A cell that is there already is replaced.";

/// Read cells from standard input, one JSON object a line
#[derive(Debug, clap::Args)]
#[command(long_about = LONG_ABOUT)]
pub(crate) struct Args {
    /// The database; made if there is none
    db: PathBuf,
    /// Lines a commit
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1000,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    commit_every: u64,
    /// Print "ack SEQ" once commit SEQ is durable
    #[arg(long)]
    ack: bool,
    /// Largest encoded cell in bytes, 512 to 67108864, for a new database
    #[arg(long, value_name = "BYTES")]
    max_value_bytes: Option<u32>,
    #[command(flatten)]
    keeping: Keeping,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write, stop: &Stop) -> Result<(), Failure> {
    let mut options = Options::new();
    if let Some(bytes) = args.max_value_bytes {
        options = options.max_value_bytes(bytes);
    }
    let db = args.keeping.open(&args.db, options)?;
    let mut ingest = Ingest { db: &db, args, out, open: None, in_open: 0, cells: 0, commits: 0 };
    let result = ingest.all_lines(stop);
    let done = ingest.done();
    drop(ingest);
    // Closed cleanly whatever came; the first failure is the one to tell.
    let closed = db.close().map_err(Failure::from);
    result.and(closed)?;
    let _ = writeln!(io::stderr(), "{done}");
    Ok(())
}

struct Ingest<'a> {
    db: &'a Db,
    args: &'a Args,
    out: &'a mut dyn Write,
    /// The transaction that the next line goes to, once it has one.
    open: Option<WriteTx>,
    /// Lines in it.
    in_open: u64,
    /// Cells committed.
    cells: u64,
    commits: u64,
}

impl Ingest<'_> {
    fn done(&self) -> String {
        format!(
            "{} in {}",
            text::counted(self.cells, "cell"),
            text::counted(self.commits, "commit")
        )
    }

    fn all_lines(&mut self, stop: &Stop) -> Result<(), Failure> {
        let mut lines = Lines::stdin();
        while let Some((number, line)) = lines.next(stop, || self.stopped())? {
            self.line(number, line)?;
        }
        self.commit()
    }

    fn stopped(&self) -> String {
        let left = text::counted(self.in_open, "line");
        format!("kept: {}; not kept: {left} after the last commit", self.done())
    }

    /// Takes one line, which may be blank.
    fn line(&mut self, number: u64, line: &[u8]) -> Result<(), Failure> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let cell: CellLine = serde_json::from_slice(line)
            .map_err(|error| self.bad_line(number, error.column().max(1), &complaint(&error)))?;
        self.put(cell).map_err(|failure| match failure {
            Failure::Database(error) if is_about_the_line(&error) => {
                self.bad_line(number, 1, &error.to_string())
            }
            other => other,
        })?;
        self.in_open += 1;
        if self.in_open == self.args.commit_every { self.commit() } else { Ok(()) }
    }

    fn bad_line(&self, number: u64, column: usize, what: &str) -> Failure {
        Failure::Input(format!(
            "line {number}, column {column}: {what}\n  kept: {}; not kept: {} after the last \
             commit; mend the line and send from there",
            self.done(),
            text::counted(self.in_open, "line")
        ))
    }

    fn put(&mut self, line: CellLine) -> Result<(), Failure> {
        let coord = line.coord()?;
        let now = Timestamp::from(std::time::SystemTime::now());
        let tx = match &mut self.open {
            Some(tx) => tx,
            none => none.insert(self.db.begin_write()?),
        };
        let before = tx.get_cell(coord)?;
        tx.put_cell(coord, &line.into_cell(before.as_ref(), now))?;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Failure> {
        let Some(tx) = self.open.take() else { return Ok(()) };
        let seq = tx.commit()?;
        self.cells += self.in_open;
        self.commits += 1;
        self.in_open = 0;
        if self.args.ack {
            let acknowledged = writeln!(self.out, "ack {seq}").and_then(|()| self.out.flush());
            acknowledged.map_err(|error| {
                Failure::Input(format!("cannot print ack {seq}: {error}; commit {seq} is kept"))
            })?;
        }
        Ok(())
    }
}

/// Whether the engine refused what the line says, and not the work as such.
pub(crate) fn is_about_the_line(error: &hexxladb::Error) -> bool {
    use hexxladb::Error as E;
    matches!(
        error,
        E::CoordOutOfRange { .. }
            | E::InvalidRecord { .. }
            | E::InvalidArgument { .. }
            | E::KeyTooLarge { .. }
            | E::ValueTooLarge { .. }
            | E::SupersessionCycle { .. }
            | E::SeamEndpointsFixed { .. }
    )
}
