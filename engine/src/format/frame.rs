//! A frame of the log.
//!
//! ```text
//!   0  crc32        u32   over everything after, payload included
//!   4  type         u8    see FrameType
//!   5  flags        u8    bit 0: a reader that does not know the type may skip it
//!   6  compression  u8    0: none
//!   7  version      u8    1
//!   8  payload      u32   bytes
//!  12  key id       u32   0: not sealed
//!  16  number       u64   frames count from 1, none is ever reused
//!  24  epoch        u64
//!  32  file         16 B  identity of the primary
//!  48  incarnation  u64   of the newest durable header
//!  56  generation   u64   of the newest durable header
//!  64  durable      u64   the highest frame known durable when this one was appended
//!  72  sequence     u64   of the commit (0: none)
//!  80  time         i64   of the commit, nanoseconds UTC
//!  88  previous     u32   crc32 of the frame before
//!  92  …            zero to 96
//!  96  nonce 24 B, tag 16 B   zero when not sealed
//! 136  payload, then zeros up to a multiple of 8
//! ```

use super::bytes::{array16_at, put, u32_at, u64_at};
use crate::ids::{COUNT_LIMIT, FrameNo, Identity};

/// Bytes before the payload.
pub(crate) const FRAME_HEADER_BYTES: usize = 136;
const VERSION: u8 = 1;

/// What a frame does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameType {
    /// First frame of an epoch; nothing to replay.
    Anchor = 1,
    /// A part of a large transaction; counts only with its commit.
    Part = 2,
    /// A commit, with the (rest of the) transaction's changes.
    Commit = 3,
    /// The parts before it are void.
    Abort = 4,
    /// What takes no sequence: the prune floor, removed versions, snapshot tags.
    Maintenance = 5,
    /// A commit that gives an empty database its place in an older history, with the (rest of
    /// the) transaction's changes.
    Base = 6,
}

impl FrameType {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Anchor, Self::Part, Self::Commit, Self::Abort, Self::Maintenance, Self::Base]
            .into_iter()
            .find(|&known| known as u8 == byte)
    }
}

/// Everything of a frame but its payload and checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) frame_type: FrameType,
    pub(crate) number: FrameNo,
    pub(crate) epoch: u64,
    pub(crate) file: Identity,
    pub(crate) incarnation: u64,
    pub(crate) generation: u64,
    pub(crate) durable: FrameNo,
    pub(crate) seq: u64,
    pub(crate) time: i64,
    pub(crate) previous_crc: u32,
}

/// An intact frame in a slice.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) header: FrameHeader,
    pub(crate) crc: u32,
    pub(crate) payload: &'a [u8],
}

impl Frame<'_> {
    /// Bytes that the frame takes in the log.
    pub(crate) fn size(&self) -> usize {
        frame_size(self.payload.len())
    }
}

/// Bytes that a frame with this payload takes in the log.
pub(crate) fn frame_size(payload_len: usize) -> usize {
    (FRAME_HEADER_BYTES + payload_len).next_multiple_of(8)
}

/// Appends a frame and returns its checksum.
pub(crate) fn encode(header: &FrameHeader, payload: &[&[u8]], out: &mut Vec<u8>) -> u32 {
    let start = out.len();
    let payload_len: usize = payload.iter().map(|part| part.len()).sum();
    out.reserve(frame_size(payload_len));
    out.resize(start + FRAME_HEADER_BYTES, 0);
    let head = &mut out[start..];
    put(head, 4, &[header.frame_type as u8, 0, 0, VERSION]);
    put(head, 8, &(payload_len as u32).to_le_bytes());
    put(head, 16, &header.number.0.to_le_bytes());
    put(head, 24, &header.epoch.to_le_bytes());
    put(head, 32, &header.file);
    put(head, 48, &header.incarnation.to_le_bytes());
    put(head, 56, &header.generation.to_le_bytes());
    put(head, 64, &header.durable.0.to_le_bytes());
    put(head, 72, &header.seq.to_le_bytes());
    put(head, 80, &header.time.to_le_bytes());
    put(head, 88, &header.previous_crc.to_le_bytes());
    for part in payload {
        out.extend_from_slice(part);
    }
    out.resize(start + frame_size(payload_len), 0);
    let crc = crc32fast::hash(&out[start + 4..]);
    put(&mut out[start..], 0, &crc.to_le_bytes());
    crc
}

/// Bytes of the frame that seems to start here, by its header alone; `None` if none does. The
/// length is bounded by `limit` before anyone relies on it.
pub(crate) fn claimed_size(bytes: &[u8], limit: usize) -> Option<usize> {
    let head = bytes.get(..FRAME_HEADER_BYTES)?;
    FrameType::from_byte(head[4])?;
    let payload = u32_at(head, 8) as usize;
    (head[7] == VERSION && payload <= limit && frame_size(payload) <= limit)
        .then(|| frame_size(payload))
}

/// What the header of a frame says of its place in the log, intact or not.
pub(crate) struct Claim {
    pub(crate) number: FrameNo,
    pub(crate) epoch: u64,
    pub(crate) file: Identity,
    pub(crate) previous_crc: u32,
}

/// The claim of a frame that may start here, damaged perhaps.
pub(crate) fn claim(bytes: &[u8]) -> Option<Claim> {
    let head = bytes.get(..FRAME_HEADER_BYTES)?;
    Some(Claim {
        number: FrameNo(u64_at(head, 16)),
        epoch: u64_at(head, 24),
        file: array16_at(head, 32),
        previous_crc: u32_at(head, 88),
    })
}

/// The intact frame that starts here, if one does.
pub(crate) fn decode(bytes: &[u8]) -> Option<Frame<'_>> {
    let size = claimed_size(bytes, bytes.len())?;
    let frame = bytes.get(..size)?;
    let crc = u32_at(frame, 0);
    if crc32fast::hash(&frame[4..]) != crc || frame[6] != 0 || u32_at(frame, 12) != 0 {
        return None;
    }
    let header = FrameHeader {
        frame_type: FrameType::from_byte(frame[4])?,
        number: FrameNo(u64_at(frame, 16)),
        epoch: u64_at(frame, 24),
        file: array16_at(frame, 32),
        incarnation: u64_at(frame, 48),
        generation: u64_at(frame, 56),
        durable: FrameNo(u64_at(frame, 64)),
        seq: u64_at(frame, 72),
        time: u64_at(frame, 80).cast_signed(),
        previous_crc: u32_at(frame, 88),
    };
    let counts = [header.number.0, header.epoch, header.generation, header.durable.0, header.seq];
    if counts.iter().any(|&count| count >= COUNT_LIMIT) {
        return None;
    }
    let payload_len = u32_at(frame, 8) as usize;
    Some(Frame {
        header,
        crc,
        payload: &frame[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + payload_len],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Vec<u8>, FrameHeader) {
        let header = FrameHeader {
            frame_type: FrameType::Commit,
            number: FrameNo(3),
            epoch: 4,
            file: [5; 16],
            incarnation: 6,
            generation: 7,
            durable: FrameNo(2),
            seq: 8,
            time: -9,
            previous_crc: 10,
        };
        let mut out = Vec::new();
        encode(&header, &[b"hel", b"lo"], &mut out);
        (out, header)
    }

    #[test]
    fn round_trip() {
        let (bytes, header) = sample();
        let frame = decode(&bytes).unwrap();
        assert_eq!(
            (frame.header.clone(), frame.payload, frame.size()),
            (header, &b"hello"[..], bytes.len())
        );
    }

    #[test]
    fn numbers_that_could_not_go_on_are_refused() {
        let (_, header) = sample();
        for hostile in [
            FrameHeader { number: FrameNo(COUNT_LIMIT), ..header.clone() },
            FrameHeader { epoch: u64::MAX, ..header.clone() },
        ] {
            let mut bytes = Vec::new();
            encode(&hostile, &[], &mut bytes);
            assert!(decode(&bytes).is_none(), "{hostile:?}");
        }
    }

    #[test]
    fn every_flip_and_every_cut_is_found() {
        let (bytes, _) = sample();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            assert!(decode(&flipped).is_none(), "flip at {at}");
            assert!(decode(&bytes[..at]).is_none(), "cut at {at}");
        }
    }
}
