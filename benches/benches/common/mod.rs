//! The two databases that each micro-benchmark runs on: one in memory, which shows the engine
//! alone, and one in a file on the disk that holds the build, which adds the disk.

#![allow(dead_code, reason = "each benchmark takes what it needs of this")]

use std::path::Path;

use hexxladb::{Db, Options};
use hexxladb_benches::data::record;
use tempfile::TempDir;

/// Cache that holds all that these benchmarks store.
const CACHE_BYTES: u64 = 512 << 20;
/// Records of a commit while a database is filled.
const FILL_BATCH_RECORDS: u64 = 10_000;

/// A database and, if it has files, the directory that goes with it.
pub struct Bench {
    /// `memory` or `file`.
    pub name: &'static str,
    /// The database.
    pub db: Db,
    _dir: Option<TempDir>,
}

/// One of each.
pub fn both() -> [Bench; 2] {
    [in_memory(), in_file()]
}

/// A database in memory.
pub fn in_memory() -> Bench {
    let options = Options::in_memory().cache_bytes(CACHE_BYTES);
    Bench { name: "memory", db: Db::open("bench", options).unwrap(), _dir: None }
}

/// A database in a file. Not in the directory for temporary files, which is often in memory.
pub fn in_file() -> Bench {
    let dir = TempDir::new_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let options = Options::new().cache_bytes(CACHE_BYTES);
    let db = Db::open(dir.path().join("bench"), options).unwrap();
    Bench { name: "file", db, _dir: Some(dir) }
}

/// Puts the records `0..count` in random order.
pub fn fill(db: &Db, count: u64) {
    for from in (0..count).step_by(FILL_BATCH_RECORDS as usize) {
        put(db, (from..count.min(from + FILL_BATCH_RECORDS)).map(record));
    }
}

/// Puts these records in one commit.
pub fn put<K: AsRef<[u8]>, V: AsRef<[u8]>>(db: &Db, records: impl Iterator<Item = (K, V)>) {
    db.update(|tx| {
        for (key, value) in records {
            tx.put(key, value)?;
        }
        Ok::<_, hexxladb::Error>(())
    })
    .unwrap();
}
