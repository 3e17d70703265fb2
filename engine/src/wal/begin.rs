//! Where the log lies, and beginning an epoch in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hexxladb_vfs::{File, FileExt, OpenMode, Vfs};

use super::{FrameStamp, Layout, LogFile, NewFrame, Wal, WalConfig};
use crate::error::{Error, Result};
use crate::format::frame::FrameType;
use crate::format::header::{Header, Retired};
use crate::ids::FrameNo;

/// The log's path beside its primary.
pub(crate) fn wal_path(primary: &Path) -> PathBuf {
    let mut name = primary.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// The directory that holds the primary.
pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Begins an epoch in the log of a primary: an anchor frame, durable, in a segment that nothing
/// needs. `kept` are segments that the header on disk still needs.
pub(crate) fn begin_log(
    vfs: &dyn Vfs,
    path: &Path,
    header: &Header,
    kept: &[(u32, FrameNo)],
    last: Option<(FrameNo, u32)>,
) -> Result<((Wal, FrameStamp), Retired)> {
    let log_path = wal_path(path);
    let file = vfs.open(&log_path, OpenMode::Create)?;
    let segment_bytes = header.segment_bytes;
    fill_last_segment(&*file, segment_bytes)?;
    // That a name can be seen does not prove that it is durable.
    vfs.sync_dir(parent_of(path))?;
    let log = LogFile::read(Arc::clone(&file), segment_bytes)?;
    let mut random = [0; 8];
    vfs.entropy().fill(&mut random)?;
    let stamp = FrameStamp {
        epoch: header.epoch.max(log.highest_epoch()) + 1,
        incarnation: u64::from_le_bytes(random),
        generation: header.generation,
    };
    let config = WalConfig { segment_bytes, file: header.file, history: header.history };
    let layout = Layout::new(segment_bytes, log.slots(), log.next_ordinal(), kept);
    let (last, crc) = last.unwrap_or((header.retired.frame, header.retired.crc));
    let last = (last.max(log.highest_frame(&header.file)), crc);
    let wal = Wal::new(file, config, layout, last, stamp, header.head_seq);
    let anchor = NewFrame { frame_type: FrameType::Anchor, seq: 0, time: 0, payload: &[] };
    let place = wal.append(&anchor)?;
    wal.wait_durable(place.frame).map_err(|cause| Error::Poisoned { cause })?;
    Ok(((wal, stamp), place))
}

/// Zeros up to a whole number of segments, at least one.
fn fill_last_segment(file: &dyn File, segment_bytes: u32) -> Result<()> {
    let len = file.len()?;
    let wanted = len.next_multiple_of(u64::from(segment_bytes)).max(u64::from(segment_bytes));
    if len < wanted {
        file.allocate(wanted)?;
        file.write_all_at(len, &vec![0; (wanted - len) as usize])?;
        file.sync_all()?;
    }
    Ok(())
}
