//! The write-ahead log: frames in equal segments of one file, synced in groups.

mod begin;
mod layout;
mod reader;
mod writer;

pub(crate) use begin::{begin_log, parent_of, wal_path};
pub(crate) use layout::Layout;
pub(crate) use reader::{Evidence, LogFile, Replay};
pub(crate) use writer::{FrameStamp, NewFrame, Wal, WalConfig};

use crate::format::frame::FRAME_HEADER_BYTES;
use crate::format::segment::BLOCK_BYTES;

/// Most bytes of frames that a transaction of many parts leaves waiting for a sync, in memory.
pub(crate) const MAX_UNSYNCED_BYTES: usize = 4 << 20;

/// Most bytes of payload in one frame, so that several fit in a segment.
fn max_payload_bytes(segment_bytes: u32) -> usize {
    (segment_bytes as usize - BLOCK_BYTES) / 2 - FRAME_HEADER_BYTES
}
