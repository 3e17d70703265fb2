//! Commits on their way to the tail: several small ones in one write, a large one in pieces.

use crate::error::Result;

use super::limits::Limits;
use super::tail::{Added, Tail};

/// Commits that are not yet written.
#[derive(Debug)]
pub(crate) struct Batch {
    max_bytes: usize,
    bytes: Vec<u8>,
    commits: Vec<Added>,
}

impl Batch {
    /// Empty.
    pub(crate) fn new(limits: Limits) -> Self {
        Self { max_bytes: limits.write_bytes, bytes: Vec::new(), commits: Vec::new() }
    }

    /// Adds a commit whose frames `encode` gives one after the other; `added.bytes` is filled in.
    pub(crate) fn commit(
        &mut self,
        tail: &mut Tail,
        mut added: Added,
        encode: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let mut start = self.bytes.len();
        let mut written = 0;
        added.bytes = 0;
        encode(&mut |frame| {
            if self.bytes.len() + frame.len() > self.max_bytes {
                tail.append(&self.bytes[..start], &self.commits)?;
                self.commits.clear();
                tail.append_part(written, &self.bytes[start..])?;
                written += (self.bytes.len() - start) as u64;
                self.bytes.clear();
                start = 0;
            }
            self.bytes.extend_from_slice(frame);
            added.bytes += frame.len() as u64;
            Ok(())
        })?;
        if written > 0 {
            tail.append_part(written, &self.bytes)?;
            tail.count(&added);
            self.bytes.clear();
        } else {
            self.commits.push(added);
        }
        Ok(())
    }

    /// Writes what is left.
    pub(crate) fn flush(&mut self, tail: &mut Tail) -> Result<()> {
        if !self.commits.is_empty() {
            tail.append(&self.bytes, &self.commits)?;
            self.commits.clear();
            self.bytes.clear();
        }
        Ok(())
    }
}
