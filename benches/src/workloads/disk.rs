//! The disk's own limit: a 4 KiB block written and synced, into blocks already written and into a
//! growing file. No engine that syncs each commit of one writer can be faster than the former.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Figures, Plan, figures};
use crate::Result;

const BLOCK_BYTES: usize = 4096;
/// Blocks of the file that is overwritten: larger than the log of any stretch.
const WRITTEN_BLOCKS: u64 = 64 * 256;

pub(super) fn limit(dir: &Path, plan: &Plan) -> Result<Figures> {
    let mut written =
        File::options().write(true).create(true).truncate(true).open(dir.join("written"))?;
    let zeros = vec![0; BLOCK_BYTES * 256];
    for _ in 0..WRITTEN_BLOCKS / 256 {
        written.write_all(&zeros)?;
    }
    written.sync_all()?;
    let overwriting = appends(&mut written, plan.stretch, WRITTEN_BLOCKS)?;

    let mut growing =
        File::options().write(true).create(true).truncate(true).open(dir.join("growing"))?;
    let growing = appends(&mut growing, plan.stretch, u64::MAX)?;
    Ok(figures([("commits_per_s", overwriting), ("growing_commits_per_s", growing)]))
}

/// Block after block, each synced, from the start of the file, and again after `blocks`.
fn appends(file: &mut File, stretch: Duration, blocks: u64) -> Result<f64> {
    file.seek(SeekFrom::Start(0))?;
    let mut block = vec![0; BLOCK_BYTES];
    let mut commits = 0_u64;
    let start = Instant::now();
    while start.elapsed() < stretch {
        if commits.is_multiple_of(blocks) {
            file.seek(SeekFrom::Start(0))?;
        }
        block[..8].copy_from_slice(&commits.to_le_bytes());
        file.write_all(&block)?;
        file.sync_data()?;
        commits += 1;
    }
    Ok(commits as f64 / start.elapsed().as_secs_f64())
}
