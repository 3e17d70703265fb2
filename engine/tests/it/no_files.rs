//! An in-memory database makes no file call: watched from outside, system call by system call.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "another process is watched at its system calls")]

use std::process::Command;

use hexxladb::{Cell, Db, Options};

use crate::support::{coord, put, skipped};

const ROLE: &str = "HEXXLADB_TEST_WATCHED";
/// Names that nothing has, looked for before and after.
const MARKS: [&str; 2] = ["/hexxladb test begins", "/hexxladb test ends"];

/// What the watched process does; in the ordinary run of the tests nothing.
#[test]
fn watched() {
    if std::env::var(ROLE).is_err() {
        return;
    }
    let _ = std::fs::metadata(MARKS[0]);
    let db = Db::open("/some/label", Options::in_memory()).unwrap();
    for round in 0..20u8 {
        db.update(|tx| {
            tx.put_cell(coord(round.into(), 0), &Cell::new("cell"))?;
            tx.put([round], vec![round; 20_000])
        })
        .unwrap();
    }
    db.checkpoint().unwrap();
    db.sync().unwrap();
    assert_eq!(db.view_at(7, |tx| tx.get([6])).unwrap().unwrap().len(), 20_000);
    put(&db, "key", "").unwrap();
    db.check().unwrap();
    db.close().unwrap();
    let _ = std::fs::metadata(MARKS[1]);
}

/// Calls that concern files: by name, or by a descriptor of one.
fn is_file_call(name: &str) -> bool {
    let files = [
        "open",
        "creat",
        "stat",
        "access",
        "readlink",
        "getdents",
        "rename",
        "unlink",
        "mkdir",
        "read",
        "write",
        "pread",
        "pwrite",
        "lseek",
        "sync",
        "truncate",
        "fallocate",
        "flock",
        "fcntl",
        "ioctl",
        "sendfile",
        "copy_file_range",
        "memfd",
        "socket",
        "pipe",
    ];
    files.iter().any(|file| name.contains(file))
}

// spec: FILE-08
#[test]
fn an_in_memory_database_makes_no_file_call() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("calls");
    let watched = Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(&log)
        .arg(std::env::current_exe().unwrap())
        .args(["no_files::watched", "--exact", "--test-threads=1"])
        .env(ROLE, "1")
        .output();
    match watched {
        Ok(output) if output.status.success() => {}
        Ok(output) if !log.exists() || std::fs::read(&log).unwrap().is_empty() => {
            return skipped(&format!(
                "strace cannot run: {}",
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => return skipped(&format!("strace is missing: {error}")),
    }
    let calls = std::fs::read_to_string(&log).unwrap();
    let position = |mark: &str| calls.lines().position(|line| line.contains(mark)).unwrap();
    let (begin, end) = (position(MARKS[0]), position(MARKS[1]));
    assert!(begin < end);
    let thread = |line: &str| line.split(' ').next().unwrap().to_owned();
    let lines: Vec<&str> = calls.lines().collect();
    let at_work = thread(lines[begin]);
    let found: Vec<&&str> = lines[begin + 1..end]
        .iter()
        .filter(|line| thread(line) == at_work)
        .filter(|line| {
            let call = line.split_whitespace().nth(1).unwrap_or_default();
            is_file_call(call.split('(').next().unwrap_or_default())
        })
        .collect();
    assert!(found.is_empty(), "{found:#?}");
    // The watching works: before the first mark the program itself was loaded from a file.
    assert!(lines[..begin].iter().any(|line| line.contains("openat(")));
}
