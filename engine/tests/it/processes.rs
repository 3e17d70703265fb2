//! Several processes and one database: locks, killed processes, reading beside nothing but files.
//!
//! The other process is this program once more, running [`child`] alone in a role of its own.
#![expect(
    clippy::disallowed_methods,
    reason = "files and processes of the operating system are what this is about"
)]

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use hexxladb::{Db, Durability, Error, Options};

use crate::support::{check_clean, options, put, refused, rows};

const ROLE: &str = "HEXXLADB_TEST_ROLE";
const FILE: &str = "HEXXLADB_TEST_FILE";

/// What a child process does; in the ordinary run of the tests nothing.
#[test]
fn child() {
    let (Ok(role), Ok(file)) = (std::env::var(ROLE), std::env::var(FILE)) else { return };
    let options = match &role[..] {
        "read" => options().read_only(true),
        "write-buffered" => options().durability(Durability::Buffered),
        _ => options(),
    };
    let db = Db::open(file, options).unwrap();
    match &role[..] {
        "read" | "hold" => say("ready"),
        "threads" => say(&format!("threads {}", threads_while_working(&db))),
        _ => (0..1_000_000u32).for_each(|key| {
            put(&db, key.to_be_bytes(), format!("{key:0>200}")).unwrap();
            say(&format!("committed {key}"));
        }),
    }
    // Until it is killed, or its input ends.
    std::io::stdin().lines().for_each(drop);
}

/// A line that the parent tells from those of the test harness.
fn say(what: &str) {
    println!("\nchild: {what}");
}

/// The child, killed with its value.
struct Other {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn start(role: &str, file: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["processes::child", "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(FILE, file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// The next thing that the child says; `None` when it is gone.
    fn hear(&mut self) -> Option<String> {
        let mut said = self.lines.by_ref().map_while(Result::ok);
        said.find_map(|line| line.strip_prefix("child: ").map(str::to_owned))
    }

    fn kill(mut self) -> Vec<String> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        std::iter::from_fn(|| self.hear()).collect()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

// spec: FILE-02, FILE-03
#[test]
fn a_database_that_is_open_elsewhere_is_locked_and_names_the_holder() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db");
    let mut other = Other::start("hold", &file);
    assert_eq!(other.hear().as_deref(), Some("ready"));
    let holder = Some(other.process.id()).filter(|_| cfg!(target_os = "linux"));
    for options in [options(), options().read_only(true), options().create_if_missing(false)] {
        let locked = Db::open(&file, options);
        refused!(locked, Error::DatabaseLocked { path, holder: found } if path == file && found == holder);
    }
    // By a name of its own, by a link, it is the same file.
    #[cfg(unix)]
    {
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        refused!(Db::open(link, options()), Error::DatabaseLocked { .. });
    }
    other.kill();
    let db = Db::open(&file, options()).unwrap();
    // In one process too.
    refused!(Db::open(&file, options()), Error::DatabaseLocked { .. });
    drop(db);
    Db::open(&file, options()).unwrap();
}

// spec: FILE-04
#[test]
fn several_may_read_or_one_may_write() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db");
    put(&Db::open(&file, options()).unwrap(), "key", "").unwrap();
    let mut other = Other::start("read", &file);
    assert_eq!(other.hear().as_deref(), Some("ready"));
    let readers = [(); 2].map(|()| Db::open(&file, options().read_only(true)).unwrap());
    assert!(readers.iter().all(|reader| rows(reader).len() == 1));
    refused!(Db::open(&file, options()), Error::DatabaseLocked { .. });
    drop(readers);
    refused!(Db::open(&file, options()), Error::DatabaseLocked { .. });
    other.kill();
    let writer = Db::open(&file, options()).unwrap();
    refused!(Db::open(&file, options().read_only(true)), Error::DatabaseLocked { .. });
    writer.close().unwrap();
    Db::open(&file, options().read_only(true)).unwrap();
}

/// Every file of a directory with its bytes.
fn contents(dir: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

// spec: OPT-11, DUR-01, FILE-05
#[test]
fn a_killed_process_loses_nothing_that_it_was_told_is_done() {
    for role in ["write-synced", "write-buffered"] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("db");
        let mut other = Other::start(role, &file);
        let mut told = (0..60).map(|_| other.hear().unwrap()).count();
        told += other.kill().len();
        let before = contents(dir.path());
        assert_eq!(before.len(), 2);
        // Reading replays the log that was left, and changes no byte.
        let reader = Db::open(&file, options().read_only(true)).unwrap();
        let found = rows(&reader);
        assert!(found.len() == told || found.len() == told + 1, "{} of {told}", found.len());
        assert!(found.keys().enumerate().all(|(at, key)| *key == (at as u32).to_be_bytes()));
        assert_eq!(reader.recovery_report().commits_replayed, found.len() as u64);
        assert!(reader.check().unwrap().is_clean());
        refused!(put(&reader, "key", ""), Error::ReadOnly);
        reader.close().unwrap();
        assert!(contents(dir.path()) == before, "read-only open changed a byte");
        let db = Db::open(&file, options()).unwrap();
        assert!(rows(&db) == found);
        check_clean(&db);
    }
}

/// Threads of this process at work: before anything, and the most seen since.
fn threads_while_working(db: &Db) -> String {
    let count = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    let (before, mut most) = (count(), 0);
    for round in 0..40u8 {
        db.update(|tx| (0..200u32).try_for_each(|key| tx.put(key.to_be_bytes(), [round; 500])))
            .unwrap();
        most = most.max(count());
    }
    assert!(db.stats_mvcc().unwrap().checkpoints > 1);
    db.check().unwrap();
    most = most.max(count());
    db.close().unwrap();
    format!("{before} {}", most.max(count()))
}

// spec: API-10
#[test]
fn the_library_starts_no_thread() {
    if !Path::new("/proc/self/task").exists() {
        return crate::support::skipped("there is no /proc here to count threads in");
    }
    let dir = tempfile::tempdir().unwrap();
    let mut other = Other::start("threads", &dir.path().join("db"));
    let said = other.hear().unwrap();
    let counts: Vec<u32> = said.split(' ').skip(1).map(|count| count.parse().unwrap()).collect();
    assert!(counts[0] > 0 && counts[1] == counts[0], "threads before and at work: {counts:?}");
}

// spec: FILE-01, FILE-15, BAK-01
#[test]
fn real_files_are_copied_and_renamed_like_any_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let db = Db::open(path("db"), Options::new()).unwrap();
    put(&db, "key", "1").unwrap();
    put(&db, "key", "2").unwrap();
    assert_eq!(contents(dir.path()).len(), 2);
    // A copy of both files of a database at rest.
    std::fs::copy(path("db"), path("copy")).unwrap();
    std::fs::copy(path("db-wal"), path("copy-wal")).unwrap();
    let copy = Db::open(path("copy"), Options::new()).unwrap();
    assert_eq!(copy.view_at(1, |tx| tx.get("key")).unwrap().unwrap(), b"1");
    put(&copy, "key", "copy").unwrap();
    copy.close().unwrap();
    db.close().unwrap();
    std::fs::rename(path("copy"), path("db")).unwrap();
    let db = Db::open(path("db"), Options::new()).unwrap();
    assert_eq!(db.view(|tx| tx.get("key")).unwrap().unwrap(), b"copy");
    check_clean(&db);
}
