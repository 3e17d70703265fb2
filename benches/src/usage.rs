//! What was used: this process's memory and the disk's writes, as the Linux kernel counts them, and
//! the space that a directory takes. Where the kernel does not tell, the figure is left out.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::Result;

/// How often the watch looks at memory.
const WATCH_INTERVAL: Duration = Duration::from_millis(10);

/// Bytes that the disk which holds `path` has been given to write since the system started, by
/// anyone. What the kernel counts for a process is no use here: it counts whole pages of its
/// cache, which can be large, and not what the disk gets.
#[cfg(unix)]
pub fn disk_written_bytes(path: &Path) -> Option<u64> {
    let device = std::os::unix::fs::MetadataExt::dev(&std::fs::metadata(path).ok()?);
    let major = (device >> 8) & 0xfff | (device >> 32) & !0xfff;
    let minor = device & 0xff | (device >> 12) & 0xfff_ff00;
    let stat = std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).ok()?;
    let sectors: u64 = stat.split_whitespace().nth(6)?.parse().ok()?;
    Some(sectors * 512)
}

/// Not known on this system.
#[cfg(not(unix))]
pub fn disk_written_bytes(_: &Path) -> Option<u64> {
    None
}

/// Peak of all resident memory, pages of mapped files included (`VmHWM`).
pub fn peak_resident_bytes() -> Option<u64> {
    field("/proc/self/status", "VmHWM:").map(|kib| kib * 1024)
}

/// Memory of the process's own now: what is not a page of a mapped file.
fn own_bytes() -> Option<u64> {
    let anonymous = field("/proc/self/status", "RssAnon:")?;
    let shared = field("/proc/self/status", "RssShmem:")?;
    Some((anonymous + shared) * 1024)
}

fn field(path: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Does `work` and returns with its result the peak of the process's own memory meanwhile, if the
/// kernel tells it. The kernel keeps a peak only of the sum with mapped files, in which a
/// memory-mapped engine's whole file would be counted, so a thread looks again and again.
pub fn with_peak_memory<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Option<u64>)> {
    let peak_bytes = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    let look = || peak_bytes.fetch_max(own_bytes().unwrap_or(0), Ordering::Relaxed);
    let result = std::thread::scope(|scope| {
        let _stop = RaiseOnDrop(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                look();
                std::thread::sleep(WATCH_INTERVAL);
            }
        });
        let result = work();
        look();
        result
    });
    let peak = peak_bytes.into_inner();
    Ok((result?, Some(peak).filter(|&bytes| bytes > 0)))
}

/// Raises a flag however its scope is left: a thread that waits for it then ends even where
/// another one panics.
#[derive(Debug)]
pub struct RaiseOnDrop<'a>(pub &'a AtomicBool);

impl Drop for RaiseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Bytes that the files below `path` take on the disk: allocated blocks, not lengths, so that
/// space reserved but never written does not count.
pub fn disk_bytes(path: &Path) -> Result<u64> {
    let meta = std::fs::symlink_metadata(path)?;
    if !meta.is_dir() {
        return Ok(allocated(&meta));
    }
    let mut bytes = 0;
    for entry in std::fs::read_dir(path)? {
        bytes += disk_bytes(&entry?.path())?;
    }
    Ok(bytes)
}

#[cfg(unix)]
fn allocated(meta: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(meta) * 512
}

#[cfg(not(unix))]
fn allocated(meta: &std::fs::Metadata) -> u64 {
    meta.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_that_was_given_back_counts_in_the_peak() {
        let touched = 64 << 20;
        let (sum, peak) = with_peak_memory(|| {
            let memory = vec![1_u8; touched];
            std::thread::sleep(WATCH_INTERVAL * 5);
            Ok(memory.iter().map(|&byte| usize::from(byte)).sum::<usize>())
        })
        .unwrap();
        assert_eq!(sum, touched);
        assert!(peak.is_some_and(|bytes| bytes > touched as u64), "{peak:?}");
    }

    #[test]
    fn the_watch_ends_when_the_work_panics() {
        let work = || -> Result<()> { panic!("an engine's bug") };
        assert!(std::panic::catch_unwind(|| with_peak_memory(work)).is_err());
    }
}
