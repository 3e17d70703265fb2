//! Small databases whose every state is known: what damage is done to, and what golden files and
//! fuzz inputs begin with.
//!
//! The same shape always gives the same bytes, as long as the engine does the same.

use std::path::Path;
use std::sync::Arc;

use hexxladb_vfs::sim::SimVfs;

use super::story::Story;
use super::truth::Oracle;
use crate::db::Db;
use crate::error::Result;
use crate::options::Options;

/// Where a sample's primary lies.
pub const PRIMARY: &str = "/db";
/// Where its log lies.
pub const LOG: &str = "/db-wal";
/// Bytes of its log segments.
const SEGMENT_BYTES: u32 = 16 << 10;

/// What a sample is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Format v2, or v1.
    pub mvcc: bool,
    /// Bytes of a page, from 512 on.
    pub page_size: u32,
    /// Closed cleanly; else its process was killed, and the log holds commits.
    pub closed: bool,
    /// It ends with a commit that fills more than half a block of the log, of which the log keeps
    /// no second copy.
    pub large_end: bool,
}

/// Primary and log.
pub(super) type Files = (Vec<u8>, Vec<u8>);

/// A small database and what it holds.
#[derive(Debug)]
pub struct Sample {
    /// The disk with the files [`PRIMARY`] and [`LOG`].
    pub vfs: SimVfs,
    /// What must be read from it.
    pub oracle: Oracle,
    /// The files as they were after each commit, each checkpoint and each act of maintenance.
    pub earlier: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The least cache and log that the engine takes, with checkpoints where a caller asks for them.
pub fn small_options() -> Options {
    Options::new().small_limits(SEGMENT_BYTES).cache_bytes(64 << 10).checkpoint_wal_bytes(1 << 20)
}

/// Makes the database of this shape: eight commits with records of all families, overwritten,
/// deleted and large ones, and checkpoints between the first seven of them. With format v2 the
/// first four commits are pruned, though not all of their versions are gone, and there are tags.
///
/// # Errors
/// What the engine returns; it should succeed.
pub fn sample(shape: Shape) -> Result<Sample> {
    let vfs = SimVfs::new(7);
    let options = small_options().mvcc(shape.mvcc).page_size(shape.page_size);
    let db = Db::open_with(Arc::new(vfs.clone()), PRIMARY, options.max_value_bytes(4096))?;
    let mut story = Story::new(&db, &vfs, shape.mvcc);
    story.tell()?;
    if shape.large_end {
        story.large_end()?;
    }
    let (truth, mut earlier) = story.end();
    if shape.closed {
        db.close()?;
        earlier.push(files(&vfs));
    }
    drop(db);
    // What a killed process leaves: every commit was synced.
    vfs.kill();
    Ok(Sample { vfs, oracle: Oracle::new(truth), earlier })
}

/// The files as they are now.
pub(super) fn files(vfs: &SimVfs) -> Files {
    let file = |name: &str| vfs.read_file(Path::new(name)).unwrap_or_default();
    (file(PRIMARY), file(LOG))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::frame::{self, FrameType};
    use crate::format::segment::BLOCK_BYTES;

    const KILLED: Shape = Shape { mvcc: true, page_size: 512, closed: false, large_end: false };

    /// Tests flip every byte of the log, and read everything each time; and they cut it, which must
    /// lose the newest frames before others.
    #[test]
    fn the_log_is_short_and_ends_with_its_newest_frames() {
        let sample = sample(KILLED).unwrap();
        let (_, log) = files(&sample.vfs);
        assert_eq!(log.len(), 2 * SEGMENT_BYTES as usize);
        let frames: Vec<_> = log.chunks(BLOCK_BYTES).filter_map(frame::decode).collect();
        assert!(frames.is_sorted_by_key(|frame| frame.header.number));
        let last: Vec<_> = frames.iter().rev().take(5).map(|f| f.header.frame_type).collect();
        let (commit, maintenance) = (FrameType::Commit, FrameType::Maintenance);
        assert_eq!(last, [commit, maintenance, maintenance, maintenance, commit]);
    }
}
