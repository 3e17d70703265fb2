//! Reserving space, by the system's own call where there is one, else by writing zeros.
//!
//! Never shortens a file and never changes a byte that is there.

use std::fs::File;
use std::io::{ErrorKind, Result};

use super::file::positioned;

static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// Makes the file at least `len` bytes long, with space behind them.
pub(super) fn allocate(file: &File, len: u64) -> Result<()> {
    if len > i64::MAX as u64 {
        // Before zeros are written until the disk is full.
        return Err(ErrorKind::FileTooLarge.into());
    }
    if len == 0 || reserve(file, len)? {
        return Ok(());
    }
    let old_len = file.metadata()?.len();
    if old_len < len { fill_with_zeros(file, old_len, len) } else { Ok(()) }
}

/// `false` where the file system or the system has no such call.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn reserve(file: &File, len: u64) -> Result<bool> {
    use rustix::fs::FallocateFlags;
    use rustix::io::Errno;
    loop {
        match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, len) {
            Ok(()) => return Ok(true),
            // A reservation of many gigabytes is long enough to be interrupted; it can go on.
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(false),
            Err(errno) => return Err(errno.into()),
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
#[expect(clippy::unnecessary_wraps, reason = "the other systems' form can fail")]
fn reserve(_file: &File, _len: u64) -> Result<bool> {
    Ok(false)
}

/// Zeros written out take their space; zeros by `set_len` would be a hole.
fn fill_with_zeros(file: &File, from: u64, to: u64) -> Result<()> {
    let mut offset = from;
    while offset < to {
        let count = (to - offset).min(ZEROS.len() as u64) as usize;
        match positioned::write(file, offset, &ZEROS[..count]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => offset += written as u64,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fallback is rarely reached by a test's file system, so it is called by itself.
    #[test]
    fn zero_filling_extends_and_keeps_what_is_there() {
        let file = tempfile::tempfile().unwrap();
        positioned::write(&file, 0, b"kept").unwrap();
        fill_with_zeros(&file, 4, 200_000).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 200_000);
        let mut bytes = vec![1; 200_000];
        assert_eq!(positioned::read(&file, 0, &mut bytes).unwrap(), 200_000);
        assert_eq!(&bytes[..4], b"kept");
        assert!(bytes[4..].iter().all(|&byte| byte == 0));
    }
}
