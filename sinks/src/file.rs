//! Lines of JSON in a file, exactly once: the file's last whole line is where it stands.
//!
//! A line without its end was cut off in writing; it is taken away and written again. Nothing else
//! is ever taken away: a file whose end is no entry of a changelog is refused as it is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use hexxladb::ChangelogEntry;

use crate::error::{Error, Result};
use crate::json::LINE_START;
use crate::jsonl::JsonLines;
use crate::position::{LastPosition, Position};
use crate::sink::Sink;

/// How much is read at once in looking for the last line.
const CHUNK_BYTES: u64 = 64 << 10;
/// How long the one who holds the lock has to go.
const LOCK_WITHIN: Duration = Duration::from_millis(500);

/// A file that takes each entry as a line of JSON. It is locked for as long as this lives, so that
/// there is one sender.
#[derive(Debug)]
pub struct JsonFile {
    lines: JsonLines<File>,
    /// Whether it stands after a whole line: not before it was asked, nor after an error.
    placed: bool,
}

impl JsonFile {
    /// The file at this path, made where there is none.
    ///
    /// # Errors
    /// I/O errors, and another process that has it open.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let failed = |error: io::Error| Error::unreachable(&name, error);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(failed)?;
        lock(&file).map_err(failed)?;
        sync_directory(path).map_err(failed)?;
        Ok(Self { lines: JsonLines::new(file, name), placed: false })
    }

    /// The end of the last whole line and of the one before it, and the length of the file.
    fn ends(&mut self) -> io::Result<(u64, u64, u64)> {
        let file = self.lines.out();
        let len = file.seek(SeekFrom::End(0))?;
        let end = line_end_before(file, len)?;
        let start = line_end_before(file, end.saturating_sub(1))?;
        Ok((start, end, len))
    }

    fn read(&mut self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let file = self.lines.out();
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(to - from).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Takes away the half-written line at the end and goes there.
    fn go_to(&mut self, end: u64, len: u64) -> io::Result<()> {
        let file = self.lines.out();
        if end < len {
            file.set_len(end)?;
            file.sync_data()?;
        }
        file.seek(SeekFrom::Start(end)).map(|_| ())
    }
}

impl Sink for JsonFile {
    fn last_position(&mut self) -> Result<LastPosition> {
        self.placed = false;
        let (start, end, len) = self.ends().map_err(|error| self.lines.failed(error))?;
        let line = self.read(start, end).map_err(|error| self.lines.failed(error))?;
        let last = match Position::from_json(&line) {
            Some(position) => LastPosition::At(position),
            None if line.is_empty() => LastPosition::Empty,
            None => {
                return Err(self
                    .lines
                    .refused("its last line is no entry of a changelog: name another file"));
            }
        };
        let cut = self.read(end, len.min(end + LINE_START.len() as u64));
        if !LINE_START.starts_with(&cut.map_err(|error| self.lines.failed(error))?) {
            return Err(self.lines.refused(
                "what follows its last line is no entry of a changelog: name another file, or end \
                 this one with a whole line",
            ));
        }
        self.go_to(end, len).map_err(|error| self.lines.failed(error))?;
        self.placed = true;
        Ok(last)
    }

    fn send(&mut self, entries: &[ChangelogEntry]) -> Result<()> {
        if !std::mem::take(&mut self.placed) {
            let error = io::Error::other("what was written before may not be whole");
            return Err(self.lines.failed(error));
        }
        self.lines.write(entries)?;
        self.placed = true;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let synced = self.lines.out().sync_data();
        self.placed &= synced.is_ok();
        synced.map_err(|error| self.lines.failed(error))
    }
}

/// Keeps others away. A sender that was killed just now may not be gone yet.
fn lock(file: &File) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begun.elapsed() > LOCK_WITHIN => {
                return Err(io::Error::other("another process writes to it"));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Where the last line ends that ends at or before `limit`; 0 where none does.
fn line_end_before(file: &mut File, limit: u64) -> io::Result<u64> {
    let mut chunk = Vec::new();
    let mut to = limit;
    while to > 0 {
        let from = to.saturating_sub(CHUNK_BYTES);
        file.seek(SeekFrom::Start(from))?;
        chunk.clear();
        file.take(to - from).read_to_end(&mut chunk)?;
        if let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from + at as u64 + 1);
        }
        to = from;
    }
    Ok(0)
}

/// Makes the file's name as durable as its lines.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
