//! Lines from standard input or a file, read so that a signal is seen while nothing comes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use crate::failure::Failure;
use crate::stop::Stop;

/// How often a command that waits for input looks for a signal.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const READ_BYTES: usize = 64 << 10;
/// Longer lines are refused before they fill the memory: the largest value, every byte of it
/// written as an escape.
const MAX_LINE_BYTES: usize = 6 * (64 << 20) + (1 << 20);

/// Lines of text, one after the other.
pub(crate) struct Lines {
    what: String,
    chunks: Receiver<io::Result<Vec<u8>>>,
    /// What was read and not given out yet.
    pending: Vec<u8>,
    /// Of it: bytes that were given out, and bytes in which there is no line break.
    given: usize,
    searched: usize,
    /// Of the line that was given out last.
    number: u64,
    at_end: bool,
}

impl Lines {
    /// The lines of standard input.
    pub(crate) fn stdin() -> Self {
        Self::of("standard input".to_owned(), io::stdin())
    }

    /// The lines of a file.
    pub(crate) fn file(path: &Path) -> Result<Self, Failure> {
        let file = File::open(path)
            .map_err(|error| Failure::Input(format!("cannot read {}: {error}", path.display())))?;
        Ok(Self::of(path.display().to_string(), file))
    }

    fn of(what: String, input: impl Read + Send + 'static) -> Self {
        let chunks = read_in_background(input);
        Self { what, chunks, pending: Vec::new(), given: 0, searched: 0, number: 0, at_end: false }
    }

    /// The next line with its number, without its line break; `None` at the end. `stopped` says
    /// what was done, should a signal come first.
    pub(crate) fn next(
        &mut self,
        stop: &Stop,
        stopped: impl Fn() -> String,
    ) -> Result<Option<(u64, &[u8])>, Failure> {
        loop {
            stop.check(&stopped)?;
            let end = self.pending[self.searched..].iter().position(|&byte| byte == b'\n');
            if let Some(end) = end {
                let line = self.given..self.searched + end;
                self.given = line.end + 1;
                self.searched = self.given;
                self.number += 1;
                return Ok(Some((self.number, &self.pending[line])));
            }
            self.searched = self.pending.len();
            if self.pending.len() - self.given > MAX_LINE_BYTES {
                let number = self.number + 1;
                return Err(Failure::Input(format!(
                    "line {number}: the line is longer than {MAX_LINE_BYTES} bytes"
                )));
            }
            if self.at_end {
                return Ok(self.last());
            }
            self.pending.drain(..self.given);
            self.searched -= self.given;
            self.given = 0;
            let chunk = self.chunk(stop, &stopped)?;
            self.at_end = chunk.is_empty();
            self.pending.extend_from_slice(&chunk);
        }
    }

    /// What stands behind the last line break.
    fn last(&mut self) -> Option<(u64, &[u8])> {
        let line = std::mem::replace(&mut self.given, self.pending.len())..self.pending.len();
        if line.is_empty() {
            return None;
        }
        self.number += 1;
        Some((self.number, &self.pending[line]))
    }

    /// The next piece of input, empty at its end.
    fn chunk(&self, stop: &Stop, stopped: impl Fn() -> String) -> Result<Vec<u8>, Failure> {
        loop {
            stop.check(&stopped)?;
            match self.chunks.recv_timeout(LOOK_EVERY) {
                Ok(Ok(chunk)) => return Ok(chunk),
                Ok(Err(error)) => {
                    return Err(Failure::Input(format!("cannot read {}: {error}", self.what)));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(Vec::new()),
            }
        }
    }
}

/// What serde says of a line, without the number of a line, which it takes for 1.
pub(crate) fn complaint(error: &serde_json::Error) -> String {
    let what = error.to_string();
    what.rsplit_once(" at line ").map_or(what.as_str(), |(what, _)| what).to_owned()
}

/// Input, read by a thread of its own: a read that waits cannot be ended by a signal. Its end is
/// an empty piece.
fn read_in_background(mut input: impl Read + Send + 'static) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = sync_channel(4);
    std::thread::spawn(move || {
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
