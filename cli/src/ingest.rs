//! `hexxladb ingest`: cells as JSON lines from standard input, a durable commit every so many.
//!
//! What always holds: a line belongs to one commit, whole or not at all; an `ack` line goes out
//! only once its commit is on stable storage; a bad line or a signal drops the lines since the
//! last commit and leaves every earlier commit alone.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use hexxladb::{Db, Options, Timestamp, WriteTx};

use crate::cell_json::CellLine;
use crate::failure::Failure;
use crate::stop::Stop;
use crate::text;

/// How often a command that waits for input looks for a signal.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const READ_BYTES: usize = 64 << 10;
/// Longer lines are refused before they fill the memory: the largest value, every byte of it
/// written as an escape.
const MAX_LINE_BYTES: usize = 6 * (64 << 20) + (1 << 20);

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
}

pub(crate) fn run(args: &Args, out: &mut dyn Write, stop: &Stop) -> Result<(), Failure> {
    let mut options = Options::new();
    if let Some(bytes) = args.max_value_bytes {
        options = options.max_value_bytes(bytes);
    }
    let db = Db::open(&args.db, options)?;
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
        let chunks = read_in_background();
        let mut pending = Vec::new();
        let mut line_number = 0;
        loop {
            let chunk = self.next_chunk(&chunks, stop)?;
            let at_end = chunk.is_empty();
            let searched = pending.len();
            pending.extend_from_slice(&chunk);
            let mut start = 0;
            let mut from = searched;
            while let Some(end) = pending[from..].iter().position(|&byte| byte == b'\n') {
                line_number += 1;
                self.line(line_number, &pending[start..from + end])?;
                stop.check(|| self.stopped())?;
                start = from + end + 1;
                from = start;
            }
            pending.drain(..start);
            if pending.len() > MAX_LINE_BYTES {
                let what = format!("the line is longer than {MAX_LINE_BYTES} bytes");
                return Err(self.bad_line(line_number + 1, MAX_LINE_BYTES, &what));
            }
            if at_end {
                self.line(line_number + 1, &pending)?;
                return self.commit();
            }
        }
    }

    /// The next piece of input, empty at its end.
    fn next_chunk(
        &self,
        chunks: &Receiver<io::Result<Vec<u8>>>,
        stop: &Stop,
    ) -> Result<Vec<u8>, Failure> {
        loop {
            stop.check(|| self.stopped())?;
            match chunks.recv_timeout(LOOK_EVERY) {
                Ok(Ok(chunk)) => return Ok(chunk),
                Ok(Err(error)) => {
                    return Err(Failure::Input(format!("cannot read standard input: {error}")));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(Vec::new()),
            }
        }
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
        let cell: CellLine = serde_json::from_slice(line).map_err(|error| {
            let what = error.to_string();
            // serde_json counts lines in what it was given, which is always one.
            let what = what.rsplit_once(" at line ").map_or(what.as_str(), |(what, _)| what);
            self.bad_line(number, error.column().max(1), what)
        })?;
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
        let (coord, mut cell) = line.into_cell()?;
        let now = Timestamp::from(std::time::SystemTime::now());
        let tx = match &mut self.open {
            Some(tx) => tx,
            none => none.insert(self.db.begin_write()?),
        };
        let before = tx.get_cell(coord)?;
        cell.provenance.created_at = before.map_or(now, |cell| cell.provenance.created_at);
        cell.provenance.updated_at = now;
        tx.put_cell(coord, &cell)?;
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
fn is_about_the_line(error: &hexxladb::Error) -> bool {
    use hexxladb::Error as E;
    matches!(
        error,
        E::CoordOutOfRange { .. }
            | E::InvalidRecord { .. }
            | E::InvalidArgument { .. }
            | E::KeyTooLarge { .. }
            | E::ValueTooLarge { .. }
    )
}

/// Standard input, read by a thread of its own: a read that waits cannot be ended by a signal.
/// Its end is an empty piece.
fn read_in_background() -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = sync_channel(4);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut chunk = vec![0; READ_BYTES];
            let result = match input.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(len) => {
                    chunk.truncate(len);
                    Ok(chunk)
                }
                Err(error) => Err(error),
            };
            let is_last = !matches!(&result, Ok(chunk) if !chunk.is_empty());
            if sender.send(result).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}
