//! The target that works with a database as an application does, through closes, kills and power
//! cuts, beside plain maps.
//!
//! An operation is eight bytes: what to do, then numbers. Any bytes are operations, so that inputs
//! stay meaningful when some are cut out or put in.

mod changelog;
mod records;
mod upkeep;

use std::collections::BTreeSet;
use std::sync::Arc;

use hexxladb_vfs::sim::{CutProfile, SimVfs};

use super::bytes::Input;
use super::reading::{compare, floor_of, snapshot};
use super::reads::Family;
use super::sample::{PRIMARY, small_options};
use super::state::{Places, check_state};
use super::truth::{Oracle, Truth, TruthCommit};
use super::verdict::Verdict;
use crate::db::Db;
use crate::lattice::{Coord, PackedCoord};
use crate::options::{ChangelogOptions, Options};
use crate::tx::{Snapshot, WriteTx};

/// Bytes of one operation.
pub const OP_BYTES: usize = 8;
/// Kinds of operations; the first byte of one modulo this.
pub const OP_KINDS: u8 = 32;
/// Operations of one input at most.
const MAX_OPS: usize = 120;
/// Times that everything is read in one input: that takes the square of the operations.
const MAX_COMPARISONS: u32 = 5;
/// Names of which a transaction is asked before it commits.
const MAX_NAMES: usize = 40;
const MAX_VALUE_BYTES: usize = 4096;

/// Its highest bit in the first byte of an input turns the changelog on.
const WITH_CHANGELOG: u8 = 0x80;

/// Runs the operations of an input. Its first byte chooses format v1 or v2, the page size, and
/// whether there is a changelog.
pub fn ops(data: &[u8]) {
    let mut input = Input(data);
    let first = input.byte();
    let (choice, with_changelog) = (first & !WITH_CHANGELOG, first & WITH_CHANGELOG != 0);
    let mvcc = choice & 1 == 0;
    let page_size = [512, 1024, 4096][usize::from(choice >> 1) % 3];
    let mut run = Run::new(mvcc, page_size, with_changelog);
    for _ in 0..MAX_OPS {
        if input.0.is_empty() {
            break;
        }
        run.operation(&Op(input.array()));
    }
    run.commit();
    run.comparisons_left = 2;
    run.compare();
    run.reopen(|_| {});
}

/// One operation: its kind, then what the kind makes of the other bytes.
struct Op([u8; OP_BYTES]);

impl Op {
    fn number(&self) -> u16 {
        u16::from_le_bytes([self.0[2], self.0[3]])
    }

    /// Byte `index` of the operation.
    fn byte(&self, index: usize) -> u8 {
        self.0[index]
    }

    /// Byte `index` as one of few coordinates.
    fn coord(&self, index: usize) -> Coord {
        match self.0[index] % 16 {
            // At the lattice's border.
            15 => Coord::from_checked(crate::ids::MAX_COMPONENT, 0),
            near => Coord::from_checked(i32::from(near % 4) - 1, i32::from(near / 4) - 1),
        }
    }
}

struct Run {
    vfs: SimVfs,
    options: Options,
    page_size: u32,
    db: Db,
    /// The running transaction, and the state as it sees it.
    tx: Option<WriteTx>,
    state: TruthCommit,
    touched: bool,
    truth: Truth,
    /// A snapshot that is kept, and its sequence.
    held: Option<(u64, Snapshot)>,
    comparisons_left: u32,
}

impl Run {
    fn new(mvcc: bool, page_size: u32, with_changelog: bool) -> Self {
        let vfs = SimVfs::new(3);
        let options = small_options()
            .mvcc(mvcc)
            .page_size(page_size)
            .max_value_bytes(MAX_VALUE_BYTES as u32)
            .checkpoint_wal_bytes(32 << 10);
        let options = if with_changelog {
            options.changelog(ChangelogOptions::new().segment_bytes(16 << 10))
        } else {
            options
        };
        let db = open(&vfs, &options);
        Self {
            vfs,
            options,
            page_size,
            db,
            tx: None,
            state: TruthCommit::empty(),
            touched: false,
            truth: Truth::new(mvcc),
            held: None,
            comparisons_left: MAX_COMPARISONS,
        }
    }

    fn operation(&mut self, op: &Op) {
        match op.byte(0) % OP_KINDS {
            0 | 1 => self.put(op.byte(1), op.number(), op.byte(4)),
            2 => self.fill(op),
            3 => self.delete(op.byte(1)),
            4 | 5 => self.put_cell(op),
            6 => self.delete_cell(op.coord(1)),
            7 => self.put_facet(op),
            8 => self.update_facet(op),
            9 => self.delete_facet(op),
            10 => self.put_edge(op),
            11 => self.link_cells(op),
            12 => self.delete_edge(op),
            13 | 14 => self.put_seam(op),
            15 => self.mark(op),
            16 => self.resolve_seam(op),
            17..=19 => self.commit(),
            20 => self.roll_back(),
            25 => self.tag(op),
            26 => self.delete_tag(op),
            27 | 28 => self.prune(op),
            29 => self.hold(op),
            30 => self.let_go(),
            31 => self.difference(op),
            _ => self.pause(op),
        }
    }

    /// What is done between transactions.
    fn pause(&mut self, op: &Op) {
        self.commit();
        match op.byte(0) % OP_KINDS {
            21 => self.checkpoint(op.byte(1)),
            22 => self.compare(),
            23 => {
                self.db.close().expect("a close");
                self.reopen(|_| {});
            }
            _ => self.crash(op.byte(1)),
        }
    }

    fn tx(&mut self) -> &mut WriteTx {
        let db = &self.db;
        self.tx.get_or_insert_with(|| db.begin_write().expect("nobody else writes"))
    }

    fn commit(&mut self) {
        let Some(tx) = self.tx.take() else { return };
        self.check_own(&tx);
        let seq = tx.commit().expect("a commit");
        if std::mem::take(&mut self.touched) {
            let commit = self.db.commits(seq..).ok().and_then(|mut commits| commits.next());
            let commit = commit.expect("the commit is kept").expect("its row");
            (self.state.time, self.state.hash) = (commit.time, commit.history_hash);
            self.truth.commits.push(self.state.clone());
        }
        assert_eq!(seq, self.truth.head());
    }

    /// A transaction reads its own writes, in every family and index.
    fn check_own(&self, tx: &WriteTx) {
        let records = &self.state.records;
        let few = |index: u8| Op([index, 0, 0, 0, 0, 0, 0, 0]).coord(0);
        let first = self.truth.commits.len() as u8;
        let coords: BTreeSet<PackedCoord> =
            [first, first.wrapping_add(5)].map(|index| few(index).into()).into();
        let places = Places {
            names: &mut records.keys().take(MAX_NAMES),
            coords: &mut coords.iter().copied(),
            center: few(first),
        };
        let mut verdict = Verdict::default();
        check_state(tx, records, places, "the transaction", &mut verdict);
        verdict.assert_right();
    }

    fn roll_back(&mut self) {
        if let Some(tx) = self.tx.take() {
            tx.rollback().expect("a rollback");
        }
        self.forget();
    }

    fn forget(&mut self) {
        self.state = self.truth.newest();
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
        // A handle keeps the file locked until it is gone.
        self.tx = None;
        self.held = None;
        self.forget();
        let placeholder = Db::open("", Options::in_memory()).expect("a database in memory");
        drop(std::mem::replace(&mut self.db, placeholder));
        self.db = open(&self.vfs, &self.options);
        self.compare();
    }

    fn compare(&mut self) {
        let head = self.db.head().expect("it is open");
        assert_eq!(head, self.truth.head(), "acknowledged commits are kept");
        if self.truth.mvcc {
            self.check_upkeep();
            self.check_counts();
        }
        if self.comparisons_left == 0 {
            return;
        }
        self.comparisons_left -= 1;
        self.check_changelog();
        let oracle = Oracle::new(self.truth.clone());
        let outcome = compare(&self.db, &oracle).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
        if let Some((seq, held)) = &self.held {
            let mut verdict = Verdict::default();
            snapshot(held, &oracle, *seq, &mut verdict);
            verdict.assert_right();
        }
        let report = self.db.check().expect("a check");
        assert!(report.is_clean(), "{:?}", report.findings);
    }

    /// Acknowledged tags and the floor are kept.
    fn check_upkeep(&self) {
        let known = self.truth.upkeep();
        let tags = self.db.snapshot_tags().expect("tags");
        assert!(tags.iter().map(|tag| (&tag.name, &tag.seq)).eq(&known.tags), "{tags:?}");
        assert_eq!(floor_of(&self.db), known.floor.max(1));
    }

    /// The counters know how many records there are.
    fn check_counts(&self) {
        let families = self.db.stats_mvcc().expect("statistics").families;
        for (family, stats) in Family::ALL.into_iter().zip(families) {
            let known =
                self.truth.newest().records.keys().filter(|name| family.holds(name)).count();
            assert_eq!(stats.visible, known as u64, "{stats:?}");
        }
    }
}

fn open(vfs: &SimVfs, options: &Options) -> Db {
    Db::open_with(Arc::new(vfs.clone()), PRIMARY, options.clone()).expect("it opens")
}
