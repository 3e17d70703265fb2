//! Time and random bytes of the operating system, for the backends that live in the real world.
//!
//! Neither opens a file: an in-memory database asks for both and must make no file call.

use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::{Clock, Entropy, Error, Op, Result};

/// Wall time from `SystemTime`, monotonic time since this clock was made.
#[derive(Debug)]
pub(crate) struct OsClock {
    start: Instant,
}

impl OsClock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for OsClock {
    fn wall_nanos(&self) -> i64 {
        // Saturates in the years 1677 and 2262, where nanoseconds leave an i64.
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n),
        }
    }

    fn monotonic_nanos(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The operating system's random number generator.
#[derive(Debug)]
pub(crate) struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, buf: &mut [u8]) -> Result<()> {
        fill_from_system(buf)
            .map_err(|source| Error::new(Op::Entropy, Path::new("the operating system"), source))
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn fill_from_system(buf: &mut [u8]) -> std::io::Result<()> {
    let mut done = 0;
    while done < buf.len() {
        match rustix::rand::getrandom(&mut buf[done..], rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => done += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn fill_from_system(buf: &mut [u8]) -> std::io::Result<()> {
    getrandom::fill(buf).map_err(std::io::Error::from)
}
