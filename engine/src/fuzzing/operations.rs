//! The target that works with a database as an application does, through closes, kills and power
//! cuts, beside plain maps.
//!
//! An operation is eight bytes: what to do, then numbers. Any bytes are operations, so that inputs
//! stay meaningful when some are cut out or put in.

use std::collections::BTreeMap;
use std::sync::Arc;

use hexxladb_vfs::sim::{CutProfile, SimVfs};

use super::bytes::Input;
use super::reading::{Oracle, Truth, TruthCommit, compare};
use super::sample::{PRIMARY, small_options};
use crate::db::Db;
use crate::error::Error;
use crate::lattice::Coord;
use crate::options::Options;
use crate::record::Cell;
use crate::tx::WriteTx;

/// Bytes of one operation.
pub const OP_BYTES: usize = 8;
/// Kinds of operations; the first byte of one modulo this.
pub const OP_KINDS: u8 = 16;
/// Operations of one input at most.
const MAX_OPS: usize = 120;
/// Times that everything is read in one input: that takes the square of the operations.
const MAX_COMPARISONS: u32 = 5;
const MAX_VALUE_BYTES: usize = 4096;

/// Runs the operations of an input. Its first byte chooses format v1 or v2 and the page size.
pub fn ops(data: &[u8]) {
    let mut input = Input(data);
    let choice = input.byte();
    let mvcc = choice & 1 == 0;
    let page_size = [512, 1024, 4096][usize::from(choice >> 1) % 3];
    let mut run = Run::new(mvcc, page_size);
    for _ in 0..MAX_OPS {
        if input.0.is_empty() {
            break;
        }
        run.operation(input.array());
    }
    run.commit();
    run.comparisons_left = 2;
    run.compare();
    run.reopen(|_| {});
}

struct Run {
    vfs: SimVfs,
    options: Options,
    db: Db,
    /// The running transaction, and the state as it sees it.
    tx: Option<WriteTx>,
    state: TruthCommit,
    touched: bool,
    truth: Truth,
    comparisons_left: u32,
}

impl Run {
    fn new(mvcc: bool, page_size: u32) -> Self {
        let vfs = SimVfs::new(3);
        let options = small_options()
            .mvcc(mvcc)
            .page_size(page_size)
            .max_value_bytes(MAX_VALUE_BYTES as u32)
            .checkpoint_wal_bytes(32 << 10);
        let db = open(&vfs, &options);
        let truth = Truth::new(mvcc);
        Self {
            vfs,
            options,
            db,
            tx: None,
            state: TruthCommit::empty(),
            touched: false,
            truth,
            comparisons_left: MAX_COMPARISONS,
        }
    }

    fn operation(&mut self, op: [u8; OP_BYTES]) {
        let number = u16::from_le_bytes([op[2], op[3]]);
        match op[0] % OP_KINDS {
            0..=3 => self.put(op[1], number, op[4]),
            4 | 5 => self.delete(op[1]),
            6 => self.put_cell(op[1], number, op[4]),
            7 => self.delete_cell(op[1]),
            8 => self.fill(op[1], op[2], op[4]),
            9 | 10 => self.commit(),
            11 => self.roll_back(),
            12 => {
                self.commit();
                self.db.checkpoint().expect("a checkpoint");
            }
            13 => {
                self.commit();
                self.compare();
            }
            14 => {
                self.commit();
                self.db.close().expect("a close");
                self.reopen(|_| {});
            }
            _ => self.crash(op[1]),
        }
    }

    fn tx(&mut self) -> &mut WriteTx {
        let db = &self.db;
        self.tx.get_or_insert_with(|| db.begin_write().expect("nobody else writes"))
    }

    fn put(&mut self, key: u8, len: u16, fill: u8) {
        let (key, len) = (name(key), usize::from(len) % (MAX_VALUE_BYTES + 20));
        let value = vec![fill; len];
        let put = self.tx().put(&key, &value);
        if len > MAX_VALUE_BYTES {
            assert!(matches!(put, Err(Error::ValueTooLarge { .. })), "{put:?}");
            return;
        }
        put.expect("a put");
        self.state.raw.insert(key, value);
        self.touched = true;
    }

    fn delete(&mut self, key: u8) {
        let key = name(key);
        let removed = self.tx().delete(&key).expect("a delete");
        assert_eq!(removed, self.state.raw.remove(&key).is_some(), "{key:?}");
        self.touched |= removed;
    }

    fn put_cell(&mut self, at: u8, number: u16, text: u8) {
        let at = coord(at);
        let mut cell = Cell::new(char::from(text).to_string().repeat(usize::from(number % 300)));
        if number & 1 == 0 {
            cell = cell.with_source("fuzz").with_tags([number.to_string()]);
        }
        self.tx().put_cell(at, &cell).expect("a put");
        self.state.cells.insert(at.into(), cell);
        self.touched = true;
    }

    fn delete_cell(&mut self, at: u8) {
        let at = coord(at);
        let removed = self.tx().delete_cell(at).expect("a delete");
        assert_eq!(removed, self.state.cells.remove(&at.into()).is_some(), "{at:?}");
        self.touched |= removed;
    }

    /// Many keys at once, so that pages split.
    fn fill(&mut self, first: u8, count: u8, len: u8) {
        for n in 0..count % 64 {
            self.put(first.wrapping_add(n), u16::from(len), n);
        }
    }

    fn commit(&mut self) {
        let Some(tx) = self.tx.take() else { return };
        let read: Vec<_> = tx.scan::<&[u8]>(..).map(|row| row.expect("a row")).collect();
        assert!(read.iter().map(|(k, v)| (&**k, &**v)).eq(as_slices(&self.state.raw)));
        let seq = tx.commit().expect("a commit");
        if std::mem::take(&mut self.touched) {
            let commit = self.db.commits(seq..).ok().and_then(|mut commits| commits.next());
            let commit = commit.expect("the commit is kept").expect("its row");
            (self.state.time, self.state.hash) = (commit.time, commit.history_hash);
            self.truth.commits.push(self.state.clone());
        }
        assert_eq!(seq, self.truth.commits.len() as u64);
    }

    fn roll_back(&mut self) {
        if let Some(tx) = self.tx.take() {
            tx.rollback().expect("a rollback");
        }
        self.forget();
    }

    fn forget(&mut self) {
        self.state = self.truth.commits.last().cloned().unwrap_or_else(TruthCommit::empty);
        self.touched = false;
    }

    /// The process dies, or the power goes; every commit so far was acknowledged.
    fn crash(&mut self, how: u8) {
        self.reopen(|vfs| match how % 4 {
            0 => vfs.kill(),
            1 => drop(vfs.power_cut(CutProfile::Plain)),
            2 => drop(vfs.power_cut(CutProfile::Hostile)),
            _ => {
                vfs.kill();
                vfs.power_cut(CutProfile::Plain);
            }
        });
    }

    fn reopen(&mut self, before: impl FnOnce(&SimVfs)) {
        before(&self.vfs);
        self.tx = None;
        self.forget();
        // A handle keeps the file locked until it is gone.
        let placeholder = Db::open("", Options::in_memory()).expect("a database in memory");
        drop(std::mem::replace(&mut self.db, placeholder));
        self.db = open(&self.vfs, &self.options);
        self.compare();
    }

    fn compare(&mut self) {
        let head = self.db.head().expect("it is open");
        assert_eq!(head, self.truth.commits.len() as u64, "acknowledged commits are kept");
        if self.comparisons_left == 0 {
            return;
        }
        self.comparisons_left -= 1;
        let outcome = compare(&self.db, &Oracle::new(self.truth.clone()))
            .unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
        let report = self.db.check().expect("a check");
        assert!(report.is_clean(), "{:?}", report.findings);
    }
}

fn open(vfs: &SimVfs, options: &Options) -> Db {
    Db::open_with(Arc::new(vfs.clone()), PRIMARY, options.clone()).expect("it opens")
}

fn as_slices(map: &BTreeMap<Vec<u8>, Vec<u8>>) -> impl Iterator<Item = (&[u8], &[u8])> {
    map.iter().map(|(key, value)| (&key[..], &value[..]))
}

/// Keys of several lengths, many with a common start, some with zeros.
fn name(number: u8) -> Vec<u8> {
    match number % 4 {
        0 => vec![number],
        1 => format!("key {number:03}").into_bytes(),
        2 => [&b"a long common start \0"[..], &[number; 30]].concat(),
        _ => vec![0; usize::from(number / 16)],
    }
}

fn coord(number: u8) -> Coord {
    Coord::new(i32::from(number % 16) - 8, i32::from(number / 16) - 8).expect("within the lattice")
}
