//! Which process holds a file's lock, where the system tells: Linux, in `/proc/locks`.
//!
//! Only ever used to make an error message better, so every doubt is answered with "unknown".

use std::fs::File;

/// Process id of a holder of the lock on `file`.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn find(file: &File) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let metadata = file.metadata().ok()?;
    let device = metadata.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    // Where the text takes several reads, locks that come and go between them can hide others.
    (0..READS).find_map(|_| find_in(&read_locks().ok()?, major, minor, metadata.ino()))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const READS: usize = 3;

/// Reads as much at once as the system gives: one read is one consistent look.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn read_locks() -> std::io::Result<String> {
    use std::io::Read;
    let mut locks = File::open("/proc/locks")?;
    let (mut text, mut buf) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        match locks.read(&mut buf)? {
            0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
            count => text.extend_from_slice(&buf[..count]),
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn find(_file: &File) -> Option<u32> {
    None
}

/// Searches text of the form `1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF`.
///
/// Lines with `->` are waiters, and process id 0 or -1 stands for one that this namespace does
/// not see.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn find_in(locks: &str, major: u32, minor: u32, inode: u64) -> Option<u32> {
    let place = format!("{major:02x}:{minor:02x}:{inode}");
    locks.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        if fields.next() != Some("FLOCK") {
            return None;
        }
        let process = fields.nth(2)?;
        if fields.next() != Some(place.as_str()) {
            return None;
        }
        process.parse().ok().filter(|&id| id != 0)
    })
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::find_in;

    const LOCKS: &str = "\
1: POSIX  ADVISORY  WRITE 7 08:01:5678 0 EOF
2: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF
2: -> FLOCK  ADVISORY  WRITE 9 fe:00:42 0 EOF
3: FLOCK  ADVISORY  READ  0 fe:00:42 0 EOF
4: FLOCK  ADVISORY  READ  -1 fe:00:43 0 EOF
5: FLOCK
";

    #[test]
    fn the_holder_is_found_by_device_and_inode() {
        assert_eq!(find_in(LOCKS, 8, 1, 5678), Some(1234), "the flock, not the POSIX lock");
        assert_eq!(find_in(LOCKS, 8, 2, 5678), None, "another device");
        assert_eq!(find_in(LOCKS, 8, 1, 567), None, "a prefix is another file");
        assert_eq!(find_in(LOCKS, 0xfe, 0, 42), None, "a waiter and a stranger");
        assert_eq!(find_in(LOCKS, 0xfe, 0, 43), None);
    }
}
