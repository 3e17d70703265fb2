//! Reading and writing little-endian integers in byte slices, with bounds checked.

use super::FormatResult;

/// Reads fields one after the other; running past the end is an error, not a panic.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes not read yet.
    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Whether every byte was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// The next `len` bytes.
    pub(crate) fn take(&mut self, len: usize) -> FormatResult<&'a [u8]> {
        if len > self.remaining() {
            return Err(format!("{len} bytes expected, {} left", self.remaining()));
        }
        let taken = &self.bytes[self.at..self.at + len];
        self.at += len;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    pub(crate) fn array<const N: usize>(&mut self) -> FormatResult<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// The next byte.
    pub(crate) fn u8(&mut self) -> FormatResult<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// The next two bytes.
    pub(crate) fn u16(&mut self) -> FormatResult<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// The next four bytes.
    pub(crate) fn u32(&mut self) -> FormatResult<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// The next eight bytes.
    pub(crate) fn u64(&mut self) -> FormatResult<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// The next eight bytes, signed.
    pub(crate) fn i64(&mut self) -> FormatResult<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }
}

/// The `u16` at `at`; zero past the end.
#[inline]
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
}

/// The `u32` at `at`; zero past the end.
#[inline]
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

/// The `u64` at `at`; zero past the end.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | (u64::from(u32_at(bytes, at + 4)) << 32)
}

/// The 16 bytes at `at`; zeros past the end.
pub(crate) fn array16_at(bytes: &[u8], at: usize) -> [u8; 16] {
    let mut array = [0; 16];
    if let Some(found) = bytes.get(at..at + 16) {
        array.copy_from_slice(found);
    }
    array
}

/// Writes `value` at `at`.
pub(crate) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// Appends a length as a base-128 varint.
pub(crate) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a base-128 varint; `None` when the bytes end first, an error when it is too long.
pub(crate) fn read_varint(bytes: &[u8]) -> FormatResult<Option<(u64, usize)>> {
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().enumerate().take(10) {
        let part = u64::from(byte & 0x7f);
        if index == 9 && part > 1 {
            return Err("varint over 64 bits".into());
        }
        value |= part << (7 * index);
        if byte < 0x80 {
            return Ok(Some((value, index + 1)));
        }
    }
    if bytes.len() >= 10 { Err("varint over 10 bytes".into()) } else { Ok(None) }
}
