//! Whole reads and writes on top of the short ones that the contract allows.

use crate::{Error, ErrorKind, File, Op, Result};

/// Completes short counts and interruptions.
pub trait FileExt {
    /// Fills `buf` from `offset`.
    ///
    /// # Errors
    /// [`ErrorKind::UnexpectedEof`] when the file ends first, or what the system says.
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()>;

    /// Reads from `offset` until `buf` is full or the file ends; returns the bytes read.
    ///
    /// # Errors
    /// What the system says.
    fn read_up_to(&self, offset: u64, buf: &mut [u8]) -> Result<usize>;

    /// Writes all of `buf` at `offset`.
    ///
    /// # Errors
    /// What the system says; any part of `buf` may have been written.
    fn write_all_at(&self, offset: u64, buf: &[u8]) -> Result<()>;
}

impl<F: File + ?Sized> FileExt for F {
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        if self.read_up_to(offset, buf)? == buf.len() {
            Ok(())
        } else {
            Err(Error::from_kind(Op::Read, self.path(), ErrorKind::UnexpectedEof))
        }
    }

    fn read_up_to(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match self.read_at(offset + done as u64, &mut buf[done..]) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_all_at(&self, offset: u64, buf: &[u8]) -> Result<()> {
        let mut done = 0;
        while done < buf.len() {
            match self.write_at(offset + done as u64, &buf[done..]) {
                Ok(0) => {
                    return Err(Error::from_kind(Op::Write, self.path(), ErrorKind::WriteZero));
                }
                Ok(count) => done += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
