//! Lines of JSON to any writer: a pipe, a terminal, a socket. At least once: a writer cannot tell
//! what it has.

use std::io::Write;

use hexxladb::ChangelogEntry;

use crate::error::{Error, Result};
use crate::json;
use crate::position::LastPosition;
use crate::sink::Sink;

/// A writer that takes each entry as a line of JSON. For a file, [`JsonFile`](crate::JsonFile)
/// resumes where it ends.
///
/// ```
/// use hexxladb::{ChangelogOptions, Db, Options};
/// use hexxladb_sinks::{JsonLines, PumpOptions, pump};
/// let db = Db::open("lines", Options::in_memory().changelog(ChangelogOptions::new()))?;
/// db.update(|tx| tx.put("kettle", "on"))?;
/// let mut sink = JsonLines::new(std::io::stdout(), "standard output");
/// pump(&mut db.read_changelog_since(0)?, &mut sink, &PumpOptions::new(), &mut |_| Ok(()))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
    name: String,
    lines: Vec<u8>,
}

impl<W: Write> JsonLines<W> {
    /// Lines for `out`, which errors call by `name`.
    pub fn new(out: W, name: impl Into<String>) -> Self {
        Self { out, name: name.into(), lines: Vec::new() }
    }

    /// Gives the writer back.
    pub fn into_inner(self) -> W {
        self.out
    }

    pub(crate) fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// What an I/O error means here.
    pub(crate) fn failed(&self, error: std::io::Error) -> Error {
        Error::unreachable(&self.name, error)
    }

    pub(crate) fn refused(&self, what: &str) -> Error {
        Error::refused(&self.name, what)
    }

    pub(crate) fn write(&mut self, entries: &[ChangelogEntry]) -> Result<()> {
        self.lines.clear();
        for entry in entries {
            self.lines.extend_from_slice(json::entry_line(entry)?.as_bytes());
            self.lines.push(b'\n');
        }
        self.out.write_all(&self.lines).map_err(|error| Error::unreachable(&self.name, error))
    }
}

impl<W: Write + Send> Sink for JsonLines<W> {
    fn last_position(&mut self) -> Result<LastPosition> {
        Ok(LastPosition::Unknown)
    }

    fn send(&mut self, entries: &[ChangelogEntry]) -> Result<()> {
        self.write(entries)
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(|error| self.failed(error))
    }
}
