//! What an open database consists of, and the rules between the parts: who may write, when a
//! header goes out, when the handle is done for.

mod changelog;
mod checkpoints;
mod trim;

use std::path::PathBuf;
use std::sync::Arc;

use hexxladb_vfs::{File, FileExt, Op, Vfs};

use crate::changelog::{Home, Limits, Tail};
use crate::changes::Changes;
use crate::error::{Error, Result};
use crate::format::free_list::Extent;
use crate::format::header::{Header, State};
use crate::ids::FrameNo;
use crate::keys::KeyBuf;
use crate::limits::TreeLimits;
use crate::options::{Durability, Options};
use crate::pager::Pager;
use crate::probe::{self, Probe};
use crate::stats::RecoveryReport;
use crate::sync::{
    AtomicBool, AtomicU64, Condvar, Mutex, MutexGuard, OnceLock, Ordering, lock, spin_while,
    thread_number, wait,
};
use crate::timeline::{Group, Registry, Root, Source};
use crate::wal::{Wal, begin_log};

pub(crate) use changelog::{Changelog, home_of, plan as plan_changelog};
pub(crate) use checkpoints::{Checkpoints, Job};

/// The one place that a writer takes.
#[derive(Debug)]
pub(crate) struct Seat {
    /// The newest committed state; the next transaction builds on it.
    pub(crate) base: Arc<Root>,
    owner: Option<u64>,
    /// Threads that sleep until the seat is free.
    sleepers: u32,
}

/// A pass of pruning over all records, from the last key to the first.
#[derive(Debug)]
pub(crate) struct PrunePass {
    /// The floor when it began: once it is through, everything is pruned to there.
    pub(crate) floor: u64,
    /// Rows from this key on are done.
    pub(crate) done_from: KeyBuf,
}

/// What pruning goes on with.
#[derive(Debug, Default)]
pub(crate) struct Pruning {
    pub(crate) pass: Option<PrunePass>,
    /// About how much of the tree it has changed since it last had that written out.
    pub(crate) changed_bytes: u64,
}

/// An open database.
pub(crate) struct Core {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) path: PathBuf,
    pub(crate) options: Options,
    pub(crate) limits: TreeLimits,
    pub(crate) pager: Pager,
    pub(crate) wal: OnceLock<Wal>,
    pub(crate) group: Group,
    pub(crate) registry: Registry,
    pub(crate) checkpoints: Checkpoints,
    /// `None` where it is off.
    pub(crate) changelog: Option<Changelog>,
    pub(crate) header: Mutex<Header>,
    pub(crate) report: RecoveryReport,
    /// The prune floor that is published; read again once a snapshot is registered.
    floor: AtomicU64,
    /// One who prunes at a time, and where that has got to.
    pub(crate) pruning: Mutex<Pruning>,
    seat: Mutex<Seat>,
    /// A hint for those who spin before they sleep.
    seat_taken: AtomicBool,
    seat_free: Condvar,
    closed: AtomicBool,
    /// Why nothing more may be written, if so.
    failed: Mutex<Option<String>>,
    lock_file: Mutex<Option<Arc<dyn File>>>,
}

/// What `open` found and built.
pub(crate) struct Opened {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) path: PathBuf,
    pub(crate) options: Options,
    pub(crate) limits: TreeLimits,
    pub(crate) pager: Pager,
    pub(crate) wal: Option<Wal>,
    pub(crate) root: Arc<Root>,
    pub(crate) header: Header,
    pub(crate) report: RecoveryReport,
    pub(crate) lock_file: Arc<dyn File>,
    /// Pages of the catalogue and the free list that the header names.
    pub(crate) root_pages: Vec<Extent>,
    /// The end of the changelog, where recovery has begun it.
    pub(crate) tail: Option<Tail>,
}

impl Core {
    pub(crate) fn new(opened: Opened) -> Self {
        let wal = OnceLock::new();
        if let Some(open) = opened.wal {
            let _ = wal.set(open);
        }
        let home = Home {
            vfs: Arc::clone(&opened.vfs),
            primary: opened.path.clone(),
            history: opened.header.history,
            limits: Limits::of(&opened.options),
        };
        let changelog = opened.options.changelog.filter(|_| !opened.options.read_only);
        let changelog = changelog
            .map(|options| Changelog::new(options, home, &opened.header.changelog, opened.tail));
        Self {
            vfs: opened.vfs,
            path: opened.path,
            options: opened.options,
            limits: opened.limits,
            pager: opened.pager,
            wal,
            group: Group::new(Arc::clone(&opened.root)),
            registry: Registry::new(),
            checkpoints: Checkpoints::new(opened.header.retired.frame, opened.root_pages),
            changelog,
            header: Mutex::new(opened.header),
            report: opened.report,
            floor: AtomicU64::new(opened.root.floor),
            pruning: Mutex::default(),
            seat: Mutex::new(Seat { base: opened.root, owner: None, sleepers: 0 }),
            seat_taken: AtomicBool::new(false),
            seat_free: Condvar::new(),
            closed: AtomicBool::new(false),
            failed: Mutex::new(None),
            lock_file: Mutex::new(Some(opened.lock_file)),
        }
    }

    /// A state to read from.
    pub(crate) fn source<'a>(&'a self, root: &'a Root) -> Source<'a> {
        Source::new(&self.pager, root, self.limits.mvcc)
    }

    /// Reads the published state, for as long as `read` takes. Beside a `close`, what was read may
    /// be another owner's: then that the handle is closed is the answer.
    pub(crate) fn read<T>(&self, read: impl FnOnce(Source<'_>) -> Result<T>) -> Result<T> {
        self.check_open()?;
        let result = read(self.source(&self.group.load_full()));
        self.check_open()?;
        result
    }

    /// Refuses calls on a closed handle.
    #[inline]
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) { Err(Error::DatabaseClosed) } else { Ok(()) }
    }

    /// Refuses writes after a failure.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.options.read_only {
            return Err(Error::ReadOnly);
        }
        match self.failure() {
            Some(cause) => Err(Error::Poisoned { cause }),
            None => Ok(()),
        }
    }

    /// Why nothing more may be written, if so.
    pub(crate) fn failure(&self) -> Option<String> {
        lock(&self.failed).clone().or_else(|| self.wal.get().and_then(Wal::failure))
    }

    /// Nothing more may be written through this handle.
    pub(crate) fn poison(&self, cause: &Error) -> Error {
        let cause = match cause {
            Error::Poisoned { cause } => cause.clone(),
            other => other.to_string(),
        };
        #[cfg(feature = "tracing")]
        tracing::error!(cause, "a write failed; nothing more is written until reopened");
        if let Some(wal) = self.wal.get() {
            wal.fail(&cause);
        }
        lock(&self.failed).get_or_insert_with(|| cause.clone());
        Error::Poisoned { cause }
    }

    /// A failed write or sync ends the handle's writing; want of space, or a read that failed,
    /// concerns this call alone.
    pub(crate) fn poison_unless_harmless(&self, error: Error) -> Error {
        let harmless = match &error {
            Error::Io(io) => match io.op() {
                Op::SyncData | Op::SyncAll | Op::SyncDir => false,
                Op::Write | Op::SetLen | Op::Allocate => io.is_no_space(),
                _ => true,
            },
            Error::Poisoned { .. } => false,
            _ => true,
        };
        if harmless { error } else { self.poison(&error) }
    }

    /// Takes the writer's seat, waiting for its owner, and brings the base up to date.
    pub(crate) fn take_seat(&self) -> Result<Arc<Root>> {
        self.claim_seat()?;
        let prepared = self.prepare_seat();
        if prepared.is_err() {
            self.leave_seat();
        }
        prepared
    }

    /// Takes the writer's seat, waiting for its owner, and writes nothing.
    pub(crate) fn claim_seat(&self) -> Result<()> {
        let me = thread_number();
        // Most transactions are over sooner than one falls asleep and is woken.
        spin_while(|| self.seat_taken.load(Ordering::Relaxed));
        let mut seat = lock(&self.seat);
        while let Some(owner) = seat.owner {
            if owner == me {
                return Err(Error::NestedWrite);
            }
            // One who closes has the seat and waits for the reads, this thread's perhaps.
            self.check_open()?;
            seat.sleepers += 1;
            seat = wait(&self.seat_free, seat);
            seat.sleepers -= 1;
        }
        self.check_open()?;
        self.give_seat(&mut seat, Some(me));
        Ok(())
    }

    fn prepare_seat(&self) -> Result<Arc<Root>> {
        self.check_writable()?;
        self.ensure_in_use()?;
        self.make_room_in_changelog()?;
        self.tidy_base();
        self.release_space();
        Ok(Arc::clone(&lock(&self.seat).base))
    }

    /// Whether the calling thread has the seat.
    pub(crate) fn has_seat(&self) -> bool {
        lock(&self.seat).owner == Some(thread_number())
    }

    /// Takes the seat only if nobody has it.
    fn try_seat(&self) -> Option<MutexGuard<'_, Seat>> {
        let seat = lock(&self.seat);
        seat.owner.is_none().then_some(seat)
    }

    /// Leaves the seat as it was taken.
    pub(crate) fn leave_seat(&self) {
        let mut seat = lock(&self.seat);
        self.give_seat(&mut seat, None);
        let wake = seat.sleepers > 0;
        drop(seat);
        if wake {
            self.seat_free.notify_one();
        }
    }

    fn give_seat(&self, seat: &mut Seat, owner: Option<u64>) {
        seat.owner = owner;
        self.seat_taken.store(owner.is_some(), Ordering::Relaxed);
    }

    /// The base, for the owner of the seat.
    pub(crate) fn base(&self) -> Arc<Root> {
        Arc::clone(&lock(&self.seat).base)
    }

    /// A newer base, from the owner of the seat.
    pub(crate) fn set_base(&self, root: Arc<Root>) {
        lock(&self.seat).base = root;
    }

    /// Lets go of nodes that a checkpoint has written, and of branches over the budget.
    pub(crate) fn tidy_base(&self) {
        let old = self.base();
        if self.checkpoints.take_fold_due() {
            self.stand_in(&old, old.fold(&self.pager));
        }
        let over = self.pager.resident_bytes() > self.pager.resident_limit()
            || self.pager.shed_due.load(Ordering::Relaxed);
        if over {
            self.pager.shed_due.store(false, Ordering::Relaxed);
            let old = self.base();
            self.stand_in(&old, old.shed());
        }
    }

    /// Where branches in memory are over the budget and no writer is there, sheds them.
    pub(crate) fn shed_if_due(&self) {
        if self.pager.shed_due.load(Ordering::Relaxed)
            && let Some(mut seat) = self.try_seat()
        {
            self.pager.shed_due.store(false, Ordering::Relaxed);
            let root = Arc::new(seat.base.shed());
            self.group.replace(&seat.base, &root);
            seat.base = root;
        }
    }

    fn stand_in(&self, old: &Arc<Root>, root: Root) {
        let root = Arc::new(root);
        self.group.replace(old, &root);
        self.set_base(root);
    }

    /// A frame of these changes is in the log: their state is the next base, and their pages
    /// change hands. For the owner of the seat.
    pub(crate) fn hand_over(&self, changes: &mut Changes, frame: FrameNo) {
        let edit = &mut changes.edit;
        let mut freed = std::mem::take(&mut edit.freed);
        freed.extend(self.checkpoints.note_replaced(frame, std::mem::take(&mut edit.replaced)));
        lock(&self.pager.space).commit(frame, freed);
        let root = Arc::new(changes.root.clone());
        self.group.committed(&root);
        self.set_base(root);
    }

    /// The oldest sequence that reads right.
    #[inline]
    pub(crate) fn floor(&self) -> u64 {
        self.floor.load(Ordering::SeqCst)
    }

    /// A new floor is published: from now on nobody begins to read below it.
    pub(crate) fn raise_floor(&self, floor: u64) {
        self.floor.fetch_max(floor, Ordering::SeqCst);
    }

    /// Frees pages that neither a header nor a reader needs any more.
    pub(crate) fn release_space(&self) {
        let (durable, oldest) = (self.checkpoints.durable(), self.group.oldest_live());
        lock(&self.pager.space).release(durable, oldest);
    }

    /// Makes an appended commit durable, or hands it to the system where that is enough, and
    /// publishes what became so.
    pub(crate) fn settle(&self, frame: FrameNo, seq: u64) -> Result<()> {
        let Some(wal) = self.wal.get() else { return Ok(()) };
        let reached = match self.options.durability {
            Durability::Sync => wal.wait_durable(frame),
            Durability::Buffered => wal.wait_written(frame),
        };
        match reached {
            Ok(reached) => {
                self.group.publish(reached);
                self.write_changelog();
                Ok(())
            }
            Err(cause) => Err(Error::CommitUnknown { seq, cause }),
        }
    }

    /// Makes everything appended durable.
    pub(crate) fn sync_log(&self) -> Result<()> {
        let Some(wal) = self.wal.get() else { return Ok(()) };
        let last = FrameNo(wal.next_frame().0 - 1);
        match wal.wait_durable(last) {
            Ok(reached) => {
                self.group.publish(reached);
                self.write_changelog();
                Ok(())
            }
            Err(cause) => Err(Error::Poisoned { cause }),
        }
    }

    /// Writes the next header generation and makes it durable.
    pub(crate) fn write_header(&self, change: impl FnOnce(&mut Header)) -> Result<()> {
        let mut current = lock(&self.header);
        let mut next = current.clone();
        next.generation += 1;
        change(&mut next);
        let file = &self.pager.file;
        file.write_all_at(next.slot_offset(), &next.encode())
            .and_then(|()| file.sync_data())
            .map_err(|error| self.poison(&error.into()))?;
        *current = next;
        Ok(())
    }

    /// The first write of a handle on a clean file: binds a log to it and says *in use* in a
    /// header, before anything else is written.
    fn ensure_in_use(&self) -> Result<()> {
        if self.wal.get().is_some() {
            return Ok(());
        }
        probe::hit(Probe::LazyInUse);
        // That the header could be read does not prove that it is durable, and the one before it
        // may count on log segments that are about to be reused.
        self.write_header(|_| {})?;
        let changelog =
            self.begin_changelog().map_err(|error| self.poison_unless_harmless(error))?;
        let header = lock(&self.header).clone();
        let begun = begin_log(&*self.vfs, &self.path, &header, &[], None);
        let ((wal, stamp), place) = begun.map_err(|error| self.poison_unless_harmless(error))?;
        self.write_header(|next| {
            next.state = State::InUse;
            next.incarnation = stamp.incarnation;
            next.epoch = stamp.epoch;
            next.retired = place;
            next.durable = place.frame;
            next.changelog = changelog;
        })?;
        wal.header_durable(lock(&self.header).generation, place.frame);
        let old = self.base();
        let root = Arc::new(Root { place, ..(*old).clone() });
        self.group.replace(&old, &root);
        self.set_base(root);
        self.checkpoints.set_durable(place.frame);
        let _ = self.wal.set(wal);
        Ok(())
    }

    /// Refuses new transactions, and waits for those that run.
    pub(crate) fn begin_close(&self) -> Result<bool> {
        if self.registry.inside() || self.has_seat() {
            return Err(Error::CloseInTransaction);
        }
        let mut seat = lock(&self.seat);
        while seat.owner.is_some() {
            seat.sleepers += 1;
            seat = wait(&self.seat_free, seat);
            seat.sleepers -= 1;
        }
        if self.closed.swap(true, Ordering::SeqCst) {
            return Ok(false);
        }
        self.give_seat(&mut seat, Some(thread_number()));
        drop(seat);
        self.seat_free.notify_all();
        self.registry.wait_for_reads();
        Ok(true)
    }

    /// Gives the file up for others to open.
    pub(crate) fn unlock(&self) {
        self.give_seat(&mut lock(&self.seat), None);
        self.seat_free.notify_all();
        lock(&self.lock_file).take();
    }
}
