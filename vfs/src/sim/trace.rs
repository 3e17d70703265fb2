//! What happened, as a hash and, if asked for, as text.
//!
//! The hash covers every file operation with its place, size and data, and every result. It has
//! no seed of its own: the same run gives the same hash in another build or process.

use std::fmt::Write;
use std::path::Path;

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::Op;

/// An operation as the trace sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) op: Op,
    pub(super) path: &'a Path,
    pub(super) path_hash: u64,
    pub(super) offset: u64,
    pub(super) bytes: u64,
    /// Hash of the bytes written, or of the second path.
    pub(super) data_hash: u64,
    /// Whether it changes the disk.
    pub(super) mutating: bool,
}

impl<'a> Call<'a> {
    pub(super) fn on_path(op: Op, path: &'a Path) -> Self {
        let path_hash = hash_path(path);
        Self { op, path, path_hash, offset: 0, bytes: 0, data_hash: 0, mutating: false }
    }
}

/// What an operation answered: a number, and the hash of the bytes it delivered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answer {
    pub(super) value: u64,
    pub(super) data_hash: u64,
}

impl From<u64> for Answer {
    fn from(value: u64) -> Self {
        Self { value, data_hash: 0 }
    }
}

pub(super) fn hash_path(path: &Path) -> u64 {
    xxh3_64(path.as_os_str().as_encoded_bytes())
}

#[derive(Debug, Default)]
pub(super) struct Trace {
    hash: u128,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(super) fn hash(&self) -> u128 {
        self.hash
    }

    /// The same hash, going on without text.
    pub(super) fn fork(&self) -> Self {
        Self { hash: self.hash, lines: None }
    }

    pub(super) fn set_text(&mut self, on: bool) {
        self.lines = on.then(Vec::new);
    }

    pub(super) fn take_text(&mut self) -> Vec<String> {
        self.lines.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn operation(&mut self, number: u64, call: &Call<'_>, result: Result<Answer, &str>) {
        let (failed, answer) = match result {
            Ok(answer) => (0, answer),
            Err(error) => (xxh3_64(error.as_bytes()) | 1, Answer::default()),
        };
        self.mix(&[
            call.op as u64,
            call.path_hash,
            call.offset,
            call.bytes,
            call.data_hash,
            failed,
            answer.value,
            answer.data_hash,
        ]);
        if let Some(lines) = &mut self.lines {
            let mut line = format!("{number} {:?} {}", call.op, call.path.display());
            if call.bytes != 0 || call.offset != 0 {
                // Writing to a string cannot fail.
                let _ = write!(line, " {}+{}", call.offset, call.bytes);
            }
            let _ = match result {
                Ok(answer) => write!(line, " -> {}", answer.value),
                Err(error) => write!(line, " -> {error}"),
            };
            lines.push(line);
        }
    }

    /// Something that is not an operation: a fault, a kill, a power cut.
    pub(super) fn event(&mut self, describe: impl FnOnce() -> String) {
        let text = describe();
        self.mix(&[u64::MAX, xxh3_64(text.as_bytes()), 0, 0, 0, 0, 0, 0]);
        if let Some(lines) = &mut self.lines {
            lines.push(format!("! {text}"));
        }
    }

    fn mix(&mut self, words: &[u64; 8]) {
        let mut buf = [0; 80];
        buf[..16].copy_from_slice(&self.hash.to_le_bytes());
        for (place, word) in buf[16..].chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        self.hash = xxh3_128(&buf);
    }
}
