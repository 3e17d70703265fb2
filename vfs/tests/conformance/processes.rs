//! Locks between processes of the operating system. The test starts itself again as the other
//! process and talks to it through its standard input and output.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use hexxladb_vfs::{LockKind, LockOutcome, OpenMode, RealVfs, Vfs};

use super::real;

/// Set for the other process: the file to lock.
const LOCK_FILE: &str = "HEXXLADB_VFS_TEST_LOCK_FILE";

/// What the other process writes before its answer; the test harness writes there too.
const ANSWER: &str = "the other process: ";

struct Other {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Other {
    /// Starts the test named `test` again as the other process.
    fn start(test: &str, file: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(LOCK_FILE, file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn answer(&mut self) -> String {
        for line in self.lines.by_ref().lines() {
            if let Some((_, answer)) = line.unwrap().split_once(ANSWER) {
                return answer.to_owned();
            }
        }
        panic!("the other process ended without an answer");
    }

    fn tell(&mut self, text: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{text}").unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // Dead already, where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The other process: takes the lock it is told to, says how that went, waits to be ended.
fn be_the_other(file: &Path) {
    let stdin = std::io::stdin();
    let mut lines = stdin.lock().lines();
    let kind = match lines.next().unwrap().unwrap().as_str() {
        "shared" => LockKind::Shared,
        _ => LockKind::Exclusive,
    };
    let handle = RealVfs::new().open(file, OpenMode::Create).unwrap();
    println!("{ANSWER}{:?}", handle.try_lock(kind).unwrap());
    let _ = lines.next();
}

fn holder(pid: u32) -> LockOutcome {
    LockOutcome::Held { holder: cfg!(target_os = "linux").then_some(pid) }
}

#[test]
fn another_process_is_refused_until_this_one_lets_go() {
    if let Some(file) = std::env::var_os(LOCK_FILE) {
        return be_the_other(Path::new(&file));
    }
    let test = "processes::another_process_is_refused_until_this_one_lets_go";
    let place = real();
    let handle = place.create("lock");
    handle.try_lock(LockKind::Exclusive).unwrap();
    for kind in ["shared", "exclusive"] {
        let mut other = Other::start(test, &place.path("lock"));
        other.tell(kind);
        assert_eq!(other.answer(), format!("{:?}", holder(std::process::id())));
    }
    drop(handle);
    let mut other = Other::start(test, &place.path("lock"));
    other.tell("exclusive");
    assert_eq!(other.answer(), "Acquired");
}

#[test]
fn this_process_is_refused_until_the_other_dies() {
    if let Some(file) = std::env::var_os(LOCK_FILE) {
        return be_the_other(Path::new(&file));
    }
    let test = "processes::this_process_is_refused_until_the_other_dies";
    let place = real();
    let handle = place.create("lock");
    let mut other = Other::start(test, &place.path("lock"));
    other.tell("shared");
    assert_eq!(other.answer(), "Acquired");
    assert_eq!(handle.try_lock(LockKind::Shared).unwrap(), LockOutcome::Acquired);
    drop(handle);
    let handle = place.open("lock", OpenMode::ReadWrite);
    assert_eq!(handle.try_lock(LockKind::Exclusive).unwrap(), holder(other.child.id()));
    other.child.kill().unwrap();
    other.child.wait().unwrap();
    assert_eq!(handle.try_lock(LockKind::Exclusive).unwrap(), LockOutcome::Acquired);
}

/// Between the fork and the exec of a child, the child holds copies of all descriptors, locked
/// ones too. A lock given up meanwhile must be free at once all the same.
#[test]
fn a_child_being_started_holds_no_lock() {
    let place = real();
    drop(place.create("lock"));
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let mut list = Command::new(std::env::current_exe().unwrap());
                let status = list.arg("--list").stdout(Stdio::null()).status().unwrap();
                assert!(status.success());
            }
        });
        let refused = (0..20_000).filter(|_| {
            let handle = place.open("lock", OpenMode::ReadWrite);
            handle.try_lock(LockKind::Exclusive).unwrap() != LockOutcome::Acquired
        });
        let refused = refused.count();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(refused, 0);
    });
}
