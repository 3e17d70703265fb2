//! Frames with any payload in a log that is otherwise intact: what a replay makes of them.

use crate::format::bytes::put;
use crate::format::frame::{self, FRAME_HEADER_BYTES, FrameType};
use crate::format::segment::{BLOCK_BYTES, COPY_OFFSET};

/// Most bytes of a payload that is put in.
const MAX_PAYLOAD_BYTES: usize = BLOCK_BYTES - FRAME_HEADER_BYTES;

/// Gives the newest frame of a type, among those that begin a block, another payload. Its checksum
/// stays that of the old one, by which the frame after it knows it: resealing puts both right.
pub(super) fn replace_payload(log: &mut [u8], frame_type: FrameType, payload: &[u8]) {
    let frames = (0..log.len()).step_by(BLOCK_BYTES).filter_map(|at| {
        let found = frame::decode(&log[at..])?;
        (found.header.frame_type == frame_type && found.size() <= BLOCK_BYTES).then_some((
            found.header.number,
            at,
            found.header.clone(),
            found.crc,
        ))
    });
    let Some((_, at, header, crc)) = frames.max_by_key(|(number, ..)| *number) else { return };
    let mut forged = Vec::new();
    frame::encode(&header, &[&payload[..payload.len().min(MAX_PAYLOAD_BYTES)]], &mut forged);
    put(&mut forged, 0, &crc.to_le_bytes());
    let Some(block) = log.get_mut(at..at + BLOCK_BYTES) else { return };
    block.fill(0);
    put(block, 0, &forged);
    if forged.len() <= COPY_OFFSET {
        put(block, COPY_OFFSET, &forged);
    }
}
