//! The first block of a log segment.
//!
//! ```text
//!  0  magic    8 B   "HexxlWAL"
//!  8  version  u32   1
//! 12  flags    u32   bit 0: the whole log is retired as of this block
//! 16  ordinal  u64   segments count from 1 in the order of use
//! 24  epoch    u64
//! 32  file     16 B  identity of the primary that the log belongs to
//! 48  history  16 B
//! 64  frame    u64   the first frame of the segment, or the last retired one
//! 72  seq      u64   head when the segment was begun, or when the log was retired
//! 80  crc32    u32   over everything before
//! ```

use super::bytes::{array16_at, put, u32_at, u64_at};
use crate::ids::{COUNT_LIMIT, FrameNo, Identity};

/// Bytes of the block that the log is written in.
pub(crate) const BLOCK_BYTES: usize = 4096;
/// Where the second copy of a small group stands in its block.
pub(crate) const COPY_OFFSET: usize = BLOCK_BYTES / 2;
const MAGIC: &[u8; 8] = b"HexxlWAL";
const CRC: usize = 80;

/// The first block of a log segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) retired: bool,
    pub(crate) ordinal: u64,
    pub(crate) epoch: u64,
    pub(crate) file: Identity,
    pub(crate) history: Identity,
    pub(crate) frame: FrameNo,
    pub(crate) seq: u64,
}

impl SegmentHeader {
    /// The block's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; BLOCK_BYTES];
        put(&mut out, 0, MAGIC);
        put(&mut out, 8, &1u32.to_le_bytes());
        put(&mut out, 12, &u32::from(self.retired).to_le_bytes());
        put(&mut out, 16, &self.ordinal.to_le_bytes());
        put(&mut out, 24, &self.epoch.to_le_bytes());
        put(&mut out, 32, &self.file);
        put(&mut out, 48, &self.history);
        put(&mut out, 64, &self.frame.0.to_le_bytes());
        put(&mut out, 72, &self.seq.to_le_bytes());
        let crc = crc32fast::hash(&out[..CRC]);
        put(&mut out, CRC, &crc.to_le_bytes());
        out
    }

    /// Reads a block; `None` when it is no intact segment header.
    pub(crate) fn decode(block: &[u8]) -> Option<Self> {
        let head = block.get(..CRC)?;
        if head[..8] != *MAGIC
            || u32_at(block, 8) != 1
            || u32_at(block, CRC) != crc32fast::hash(head)
        {
            return None;
        }
        let header = Self {
            retired: u32_at(block, 12) & 1 != 0,
            ordinal: u64_at(block, 16),
            epoch: u64_at(block, 24),
            file: array16_at(block, 32),
            history: array16_at(block, 48),
            frame: FrameNo(u64_at(block, 64)),
            seq: u64_at(block, 72),
        };
        let counts = [header.ordinal, header.epoch, header.frame.0, header.seq];
        counts.iter().all(|&count| count < COUNT_LIMIT).then_some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_every_flip_is_found() {
        let header = SegmentHeader {
            retired: true,
            ordinal: 1,
            epoch: 2,
            file: [3; 16],
            history: [4; 16],
            frame: FrameNo(5),
            seq: 6,
        };
        let block = header.encode();
        assert_eq!(SegmentHeader::decode(&block), Some(header.clone()));
        for at in 0..CRC + 4 {
            let mut bytes = block.clone();
            bytes[at] ^= 0x10;
            assert_eq!(SegmentHeader::decode(&bytes), None, "flip at {at}");
        }
        // Intact, but a number that could not go on.
        let hostile = SegmentHeader { ordinal: COUNT_LIMIT, ..header.clone() };
        assert_eq!(SegmentHeader::decode(&hostile.encode()), None);
        let hostile = SegmentHeader { epoch: u64::MAX, ..header };
        assert_eq!(SegmentHeader::decode(&hostile.encode()), None);
    }
}
