//! What the tests share: small databases, ways to read all of one, simulated worlds, and a child
//! process that runs a part of this program.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hexxladb::vfs::sim::{Effect, Fault, SimVfs, Target};
use hexxladb::vfs::{FileExt, OpenMode, Vfs};
use hexxladb::{Coord, Db, Error, Options, ReadTx, Result};

/// Asserts that a result is an error of this form.
macro_rules! refused {
    ($result:expr, $pattern:pat $(if $guard:expr)?) => {
        match $result {
            Err($pattern) $(if $guard)? => {}
            Err(other) => panic!("{other:?}, expected {}", stringify!($pattern $(if $guard)?)),
            Ok(_) => panic!("Ok, expected {}", stringify!($pattern $(if $guard)?)),
        }
    };
}
pub(crate) use refused;

/// The path of the database in worlds without directories, and its log's.
pub(crate) const DB: &str = "/db";
pub(crate) const LOG: &str = "/db-wal";

/// Key and value of every raw record.
pub(crate) type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// The smallest pages, cache and checkpoint distance.
pub(crate) fn options() -> Options {
    Options::new().page_size(4096).cache_bytes(1 << 20).checkpoint_wal_bytes(1 << 20)
}

/// [`options`] of either format.
pub(crate) fn both_formats() -> [Options; 2] {
    [options().mvcc(true), options().mvcc(false)]
}

/// [`options`] for many worlds: where they are to be had, with a log of small segments.
#[cfg(feature = "sim")]
pub(crate) fn light() -> Options {
    options().small_limits(16 << 10)
}

#[cfg(not(feature = "sim"))]
pub(crate) fn light() -> Options {
    options()
}

/// [`light`] of either format.
pub(crate) fn both_light() -> [Options; 2] {
    [light().mvcc(true), light().mvcc(false)]
}

pub(crate) fn in_memory() -> Db {
    Db::open("label", Options::in_memory().page_size(4096)).unwrap()
}

pub(crate) fn coord(q: i32, r: i32) -> Coord {
    Coord::new(q, r).unwrap()
}

/// Opens the database of a world.
pub(crate) fn open(vfs: &(impl Vfs + Clone + 'static), options: Options) -> Db {
    try_open(vfs, options).unwrap()
}

pub(crate) fn try_open(vfs: &(impl Vfs + Clone + 'static), options: Options) -> Result<Db> {
    Db::open_with(Arc::new(vfs.clone()), DB, options)
}

/// Every raw record that a transaction sees.
pub(crate) fn rows_of(tx: &ReadTx) -> Result<Rows> {
    tx.scan::<&[u8]>(..).map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec()))).collect()
}

/// Every raw record at head.
pub(crate) fn rows(db: &Db) -> Rows {
    db.view(rows_of).unwrap()
}

pub(crate) fn rows_at(db: &Db, seq: u64) -> Rows {
    db.view_at(seq, rows_of).unwrap()
}

/// Every raw record of every snapshot, head last.
pub(crate) fn all_snapshots(db: &Db) -> Vec<Rows> {
    (0..=db.head().unwrap()).map(|seq| rows_at(db, seq)).collect()
}

/// Puts one raw record in a transaction of its own; its sequence.
pub(crate) fn put(db: &Db, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<u64> {
    db.update(|tx| tx.put(key, value).map(|()| tx.commit_seq()))
}

pub(crate) fn get(db: &Db, key: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    db.view(|tx| tx.get(key)).unwrap().map(|value| value.to_vec())
}

pub(crate) fn check_clean(db: &Db) {
    let report = db.check().unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
}

/// All bytes of a file; `None` if there is none.
pub(crate) fn read_file(vfs: &dyn Vfs, path: impl AsRef<Path>) -> Option<Vec<u8>> {
    let path = path.as_ref();
    if !vfs.exists(path).unwrap() {
        return None;
    }
    let file = vfs.open(path, OpenMode::Read).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_exact_at(0, &mut bytes).unwrap();
    Some(bytes)
}

/// Makes or replaces a file.
pub(crate) fn write_file(vfs: &dyn Vfs, path: impl AsRef<Path>, bytes: &[u8]) {
    let file = vfs.open(path.as_ref(), OpenMode::Create).unwrap();
    file.set_len(0).unwrap();
    file.write_all_at(0, bytes).unwrap();
    file.sync_all().unwrap();
    vfs.sync_dir(Path::new("/")).unwrap();
}

/// Primary and log, as they are now.
pub(crate) fn files(vfs: &dyn Vfs) -> [Option<Vec<u8>>; 2] {
    [read_file(vfs, DB), read_file(vfs, LOG)]
}

/// The next operation of this kind suffers this.
pub(crate) fn next(vfs: &SimVfs, on: Target, effect: Effect) {
    vfs.arm(Fault { at: vfs.ops(), on, effect });
}

/// Numbers that look like chance and are the same in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// An error type of a caller's own.
#[derive(Debug)]
pub(crate) enum Own {
    Db(Error),
    Changed(&'static str),
}

impl From<Error> for Own {
    fn from(error: Error) -> Self {
        Self::Db(error)
    }
}

/// Says that a test cannot run here; fails where everything is required.
#[expect(clippy::disallowed_methods, reason = "CI says through the environment what it requires")]
pub(crate) fn skipped(why: &str) {
    let required = std::env::var("REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(!required, "REQUIRE_ALL is set, but {why}");
    eprintln!("SKIPPED: {why}");
}
