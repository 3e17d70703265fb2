//! Targets for the log's bytes: segment headers, frames, and the redo stream in them.

use super::bytes::some_place;
use super::reseal::reseal_frame;
use crate::format::frame::{self, FRAME_HEADER_BYTES, frame_size};
use crate::format::redo::{
    Bounds, Change, CommitPrefix, MaintenancePrefix, first_change, push_delete, push_put,
};
use crate::format::segment::{BLOCK_BYTES, SegmentHeader};

/// Bytes that may start a segment or hold frames, one after the other: as they are, and with each
/// frame's checksum put right.
pub fn log_frames(data: &[u8]) {
    check_segment_header(data);
    walk(data);
    let mut resealed = data.to_vec();
    let mut at = 0;
    while let Some(size) = reseal_frame(&mut resealed[at..]) {
        at += size;
    }
    let frames = walk(&resealed);
    assert!(frames <= resealed.len() / FRAME_HEADER_BYTES);
}

/// Checks every frame of an unbroken run and returns how many there are.
fn walk(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while let Some(found) = frame::decode(bytes) {
        let size = found.size();
        assert!(size >= FRAME_HEADER_BYTES && size <= bytes.len());
        assert_eq!(size, frame_size(found.payload.len()));
        assert_eq!(frame::claimed_size(bytes, bytes.len()), Some(size));
        check_frame(&found, &bytes[..size]);
        bytes = &bytes[size..];
        count += 1;
    }
    count
}

fn check_frame(found: &frame::Frame<'_>, bytes: &[u8]) {
    let mut encoded = vec![0xee; 3];
    let (start, end) = found.payload.split_at(found.payload.len() / 2);
    let crc = frame::encode(&found.header, &[start, end], &mut encoded);
    let encoded = &encoded[3..];
    let again = frame::decode(encoded).expect("what was encoded is intact");
    assert_eq!((&again.header, again.payload, again.crc), (&found.header, found.payload, crc));
    // A later version may use the flags, the reserved bytes, the seal and the padding.
    let payload_end = FRAME_HEADER_BYTES + found.payload.len();
    let plain = bytes[5] == 0
        && bytes[92..FRAME_HEADER_BYTES].iter().all(|&byte| byte == 0)
        && bytes[payload_end..].iter().all(|&byte| byte == 0);
    assert_eq!(encoded == bytes, plain, "only what this version leaves zero is ignored");
    let at = some_place(bytes, bytes.len());
    let mut flipped = bytes.to_vec();
    flipped[at] ^= 1 << (at % 8);
    assert!(frame::decode(&flipped).is_none(), "a flip at {at} is found");
    assert!(frame::decode(&bytes[..at]).is_none(), "a cut at {at} is found");
}

fn check_segment_header(data: &[u8]) {
    let mut block = data[..data.len().min(BLOCK_BYTES)].to_vec();
    for _ in 0..2 {
        if let Some(header) = SegmentHeader::decode(&block) {
            assert_eq!(SegmentHeader::decode(&header.encode()), Some(header));
        }
        if block.len() < 84 {
            return;
        }
        super::reseal::reseal_segment_header(&mut block);
    }
}

/// A part's payload, a commit's and a maintenance frame's: a prefix, then changes until the stream
/// ends or is refused.
pub fn redo(data: &[u8]) {
    changes(data);
    if let Ok((prefix, rest)) = CommitPrefix::decode(data) {
        check_prefix(&prefix.encode(), rest, data);
    }
    if let Ok((prefix, rest)) = MaintenancePrefix::decode(data) {
        check_prefix(&prefix.encode(), rest, data);
    }
}

fn check_prefix(encoded: &[u8], rest: &[u8], data: &[u8]) {
    assert_eq!([encoded, rest].concat(), data, "no byte of the prefix is ignored");
    changes(rest);
}

const BOUNDS: Bounds = Bounds { max_key_bytes: 300, max_row_bytes: 5000 };

fn changes(mut stream: &[u8]) {
    loop {
        let (change, len) = match first_change(stream, BOUNDS) {
            Ok(Some(found)) => found,
            Ok(None) => {
                // It waits for more: so it must fit the bounds, whatever the lengths claim.
                let most = BOUNDS.max_key_bytes + BOUNDS.max_row_bytes + 21;
                assert!(stream.len() <= most, "{} bytes and no end", stream.len());
                return;
            }
            Err(_) => return,
        };
        assert!(len > 0 && len <= stream.len());
        check_change(&change, &stream[..len]);
        stream = &stream[len..];
    }
}

fn check_change(change: &Change<'_>, bytes: &[u8]) {
    let mut encoded = Vec::new();
    match change {
        Change::Put { key, row } => {
            assert!(key.len() <= BOUNDS.max_key_bytes && row.len() <= BOUNDS.max_row_bytes);
            let (start, end) = row.split_at(row.len() / 2);
            push_put(&mut encoded, key, &[start, end]);
        }
        Change::Delete { key } => {
            assert!(key.len() <= BOUNDS.max_key_bytes);
            push_delete(&mut encoded, key);
        }
    }
    // A length may be written longer than it need be.
    assert!(encoded.len() <= bytes.len());
    let again = first_change(&encoded, BOUNDS).expect("within bounds");
    assert_eq!(again.as_ref().map(|(change, len)| (change, *len)), Some((change, encoded.len())));
    for cut in [0, some_place(bytes, bytes.len()), bytes.len() - 1] {
        assert_eq!(first_change(&bytes[..cut], BOUNDS), Ok(None), "a cut at {cut} asks for more");
    }
}
