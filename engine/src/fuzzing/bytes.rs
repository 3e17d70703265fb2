//! Taking small choices off the front of a fuzz input. What is not there reads as zero, so that
//! every input means something.

/// The part of an input that was not used yet.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    /// Up to `len` bytes.
    pub(super) fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// The next `N` bytes, zeros where there are none.
    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.take(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }
}

/// A place in `len` bytes that depends on all of `bytes`: the same input damages the same bit.
pub(super) fn some_place(bytes: &[u8], len: usize) -> usize {
    crc32fast::hash(bytes) as usize % len.max(1)
}
