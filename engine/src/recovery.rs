//! Opening: choosing a header, replaying the log, and making the recovered state durable before
//! anyone sees it.
//!
//! Always: until the recovered state is republished under a new header nothing is overwritten
//! that an older header or the log could need; so a crash at any step is just another crash.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use hexxladb_vfs::{File, FileExt, LockKind, LockOutcome, OpenMode, Vfs};

use crate::checkpoint::{RootPages, read_free_list, write_root_pages};
use crate::core::{Core, Opened, begin_log, parent_of, wal_path};
use crate::create;
use crate::error::{Error, Result};
use crate::format::frame::{Frame, FrameType};
use crate::format::free_list::Extent;
use crate::format::header::{HEADER_BYTES, Header, Retired, SLOT_BYTES, SLOTS, SlotError, State};
use crate::format::redo::{Bounds, Change, CommitPrefix, first_change};
use crate::ids::FrameNo;
use crate::options::Options;
use crate::pager::{Owner, Pager, Space, dirty_nodes, write_all};
use crate::probe::{self, Probe};
use crate::stats::RecoveryReport;
use crate::sync::lock;
use crate::time::Timestamp;
use crate::tx::{Changes, MetaRow, Root, TreeLimits};
use crate::wal::{Evidence, LogFile, Replay, Wal};

/// Opens or creates the database at `path`.
pub(crate) fn open(vfs: Arc<dyn Vfs>, path: &Path, options: Options) -> Result<Core> {
    options.validate()?;
    let lock_file = lock_primary(&*vfs, path, &options)?;
    let header = match read_header(&*lock_file)? {
        Slots::Chosen(header) => *header,
        Slots::Unborn => {
            create::refuse_or_allow(&*vfs, path, &options)?;
            create::create(&*vfs, path, &lock_file, &options)?
        }
    };
    check_options(path, &header, &options)?;
    let opening = Opening { vfs, path, options, lock_file, header };
    match opening.header.state {
        State::Clean => opening.open_clean(),
        State::InUse => opening.recover(),
    }
}

fn lock_primary(vfs: &dyn Vfs, path: &Path, options: &Options) -> Result<Arc<dyn File>> {
    let may_create = options.create_if_missing && !options.read_only;
    if !may_create && !vfs.exists(path)? {
        return Err(Error::DatabaseMissing { path: path.to_path_buf() });
    }
    let mode = match (options.read_only, may_create) {
        (true, _) => OpenMode::Read,
        (false, true) => OpenMode::Create,
        (false, false) => OpenMode::ReadWrite,
    };
    let file = vfs.open(path, mode)?;
    let kind = if options.read_only { LockKind::Shared } else { LockKind::Exclusive };
    match file.try_lock(kind)? {
        LockOutcome::Acquired => Ok(file),
        LockOutcome::Held { holder } => {
            Err(Error::DatabaseLocked { path: path.to_path_buf(), holder })
        }
    }
}

enum Slots {
    Chosen(Box<Header>),
    /// Nothing was ever written, or creation did not come to its end.
    Unborn,
}

/// The newest valid header.
fn read_header(file: &dyn File) -> Result<Slots> {
    let slots = read_slots(file)?;
    for slot in &slots {
        if let Err(SlotError::Unsupported(what)) = slot {
            let path = file.path().to_path_buf();
            return Err(Error::UnsupportedFormat { path, what: what.clone() });
        }
    }
    let newest = slots.iter().flatten().max_by_key(|header| header.generation).cloned();
    if let Some(header) = newest {
        let chosen = [Probe::HeaderSlot0, Probe::HeaderSlot1, Probe::HeaderSlot2, Probe::HeaderSlot3];
        probe::hit(chosen[(header.generation % SLOTS) as usize]);
        if damaged_slot(&slots).is_some() {
            probe::hit(Probe::HeaderTorn);
        }
        return Ok(Slots::Chosen(Box::new(header)));
    }
    // The first header goes to slot 1; only when it is durable is slot 2 written.
    let empty = |index: usize| slots[index] == Err(SlotError::Empty);
    if empty(0) && empty(2) && empty(3) {
        return Ok(Slots::Unborn);
    }
    let path = file.path().to_path_buf();
    match damaged_slot(&slots) {
        Some((offset, what)) => Err(Error::corrupt(&path, offset, what)),
        None => Err(Error::NotADatabase { path, what: "it does not begin with a header".into() }),
    }
}

/// All four slots; what lies past the end of the file counts as never written.
fn read_slots(file: &dyn File) -> Result<Vec<std::result::Result<Header, SlotError>>> {
    let mut bytes = vec![0; HEADER_BYTES as usize];
    file.read_up_to(0, &mut bytes)?;
    Ok(bytes.chunks_exact(SLOT_BYTES).map(Header::decode).collect())
}

fn damaged_slot(slots: &[std::result::Result<Header, SlotError>]) -> Option<(u64, String)> {
    slots.iter().enumerate().find_map(|(index, slot)| match slot {
        Err(SlotError::Damaged(what)) => Some(((index * SLOT_BYTES) as u64, what.clone())),
        Err(SlotError::Foreign) => {
            Some(((index * SLOT_BYTES) as u64, "a header slot without its magic".into()))
        }
        _ => None,
    })
}

fn check_options(path: &Path, header: &Header, options: &Options) -> Result<()> {
    let mvcc = header.version == 2;
    if options.mvcc == Some(true) && !mvcc {
        return Err(Error::MigrationRequired { path: path.to_path_buf() });
    }
    let mismatch = |option, file: String, given: String| {
        Err(Error::OptionMismatch { option, file, given })
    };
    if options.mvcc == Some(false) && mvcc {
        return mismatch("mvcc", "true".into(), "false".into());
    }
    if let Some(given) = options.page_size.filter(|&given| given != header.page_size) {
        return mismatch("page_size", header.page_size.to_string(), given.to_string());
    }
    if let Some(given) = options.max_value_bytes.filter(|&given| given != header.max_value_bytes) {
        return mismatch("max_value_bytes", header.max_value_bytes.to_string(), given.to_string());
    }
    Ok(())
}

struct Opening<'a> {
    vfs: Arc<dyn Vfs>,
    path: &'a Path,
    options: Options,
    lock_file: Arc<dyn File>,
    header: Header,
}

impl Opening<'_> {
    fn limits(&self) -> TreeLimits {
        let header = &self.header;
        let mvcc = header.version == 2;
        TreeLimits::new(mvcc, header.page_size as usize, header.max_value_bytes as usize)
    }

    /// The pager over the header's pages; pages may be reused only when the header is known to
    /// be durable.
    fn pager(&self, append_only: bool) -> Result<(Pager, Vec<Extent>)> {
        let mode = if self.options.read_only { OpenMode::Read } else { OpenMode::ReadWrite };
        let file = self.vfs.open(self.path, mode)?;
        let (page_size, end) = (self.header.page_size as usize, self.header.page_count);
        let pager = Pager::new(
            file,
            page_size,
            self.options.cache_bytes,
            Space::default(),
            self.options.read_only,
        );
        let (free, list) = read_free_list(&pager, &self.header)?;
        *lock(&pager.space) = Space::new(end, free, append_only);
        let mut root_pages = vec![Extent::one(self.header.catalog.0)];
        root_pages.extend(list.into_iter().map(Extent::one));
        Ok((pager, root_pages))
    }

    fn open_clean(self) -> Result<Core> {
        probe::hit(Probe::CleanOpen);
        self.check_log_of_clean()?;
        // The first write republishes the header, before a page is reused.
        let (pager, root_pages) = self.pager(false)?;
        let root = Arc::new(Root::load(&pager, &self.header)?);
        let report = RecoveryReport {
            clean: true,
            generation: self.header.generation,
            ..RecoveryReport::default()
        };
        Ok(self.into_core(pager, None, root, root_pages, report))
    }

    fn into_core(
        self,
        pager: Pager,
        wal: Option<Wal>,
        root: Arc<Root>,
        root_pages: Vec<Extent>,
        report: RecoveryReport,
    ) -> Core {
        Core::new(Opened {
            limits: self.limits(),
            vfs: self.vfs,
            path: self.path.to_path_buf(),
            options: self.options,
            pager,
            wal,
            root,
            header: self.header,
            report,
            lock_file: self.lock_file,
            root_pages,
        })
    }

    fn open_log(&self) -> Result<Option<LogFile>> {
        let path = wal_path(self.path);
        if !self.vfs.exists(&path)? {
            return Ok(None);
        }
        let mode = if self.options.read_only { OpenMode::Read } else { OpenMode::ReadWrite };
        let file = self.vfs.open(&path, mode)?;
        if self.options.read_only {
            // Nothing may be shown that a power cut could take back.
            file.sync_data()?;
            self.lock_file.sync_data()?;
        }
        LogFile::read(file, self.header.segment_bytes).map(Some)
    }

    /// A clean primary is complete alone; beside it may lie no log, an empty or a wholly retired
    /// one, but none with frames of another file or of a newer state.
    fn check_log_of_clean(&self) -> Result<()> {
        let Some(log) = self.open_log()? else { return Ok(()) };
        let Some(newest) = log.newest_header() else { return Ok(()) };
        let header = &self.header;
        if newest.history == header.history && newest.retired && newest.seq > header.head_seq {
            let what = format!(
                "the log was retired at commit {}, this primary is at {}",
                newest.seq, header.head_seq
            );
            return Err(self.mismatch(what));
        }
        if newest.file != header.file {
            return if newest.retired {
                Ok(())
            } else {
                Err(self.mismatch("its frames belong to another file"))
            };
        }
        if self.holds_newer_frames(&log)? {
            return Err(self.mismatch("it holds frames of a newer state than this primary"));
        }
        Ok(())
    }

    /// Whether the log holds frames, other than anchors, of a later epoch or header.
    fn holds_newer_frames(&self, log: &LogFile) -> Result<bool> {
        let header = &self.header;
        let mut newer = false;
        for slot in 0..log.slots() {
            let info = &log.segments[slot as usize];
            let epochs = [
                info.header.as_ref().map(|found| found.epoch),
                info.first.as_ref().map(|found| found.epoch),
            ];
            if epochs.iter().flatten().all(|&epoch| epoch <= header.epoch)
                && info.first.as_ref().is_none_or(|first| first.generation <= header.generation)
            {
                continue;
            }
            log.frames_at_blocks(slot, SLOT_BYTES, |_, frame| {
                newer |= frame.header.file == header.file
                    && (frame.header.generation > header.generation
                        || frame.header.epoch > header.epoch
                            && frame.header.frame_type != FrameType::Anchor);
            })?;
        }
        Ok(newer)
    }

    fn mismatch(&self, what: impl Into<String>) -> Error {
        Error::WalMismatch { path: wal_path(self.path), what: what.into() }
    }

    /// Why frames name a newer header than the one found: it is damaged, or the files do not
    /// belong together.
    fn newer_header_lost(&self) -> Error {
        match read_slots(&*self.lock_file).map(|slots| damaged_slot(&slots)) {
            Ok(Some((offset, what))) => Error::corrupt(
                self.path,
                offset,
                format!("the log names a newer header than any intact one: {what}"),
            ),
            Ok(None) => self.mismatch("it holds frames of a newer state than this primary"),
            Err(error) => error,
        }
    }

    fn recover(mut self) -> Result<Core> {
        let missing = Error::WalMissing { path: wal_path(self.path) };
        let Some(log) = self.open_log()?.filter(|log| !log.is_blank()) else {
            return Err(missing);
        };
        let (pager, root_pages) = self.pager(true)?;
        let root = Root::load(&pager, &self.header)?;
        let retired = self.header.retired;
        let (file, epoch) = (self.header.file, self.header.epoch);
        let Some(mut replay) = Replay::new(&log, file, epoch, retired)? else {
            return Err(self.explain_lost_start(&log, retired)?);
        };
        let mut replayer = Replayer::new(&pager, self.limits(), root);
        while let Some(frame) = replay.next_frame()? {
            replayer.frame(&frame, &log)?;
            replayer.accept(replay.place());
        }
        let evidence = replay.look_on()?;
        self.check_break(&log, &replay, &replayer, &evidence)?;
        let report = replayer.report(&self.header, &evidence);
        let root = replayer.finish();
        if self.options.read_only {
            return Ok(self.into_core(pager, None, Arc::new(root), root_pages, report));
        }
        let last = (replay.last().0.max(evidence.highest), replay.last().1);
        self.republish(pager, root, root_pages, report, replay.used(), last)
    }

    /// The frame that the header counts on is not where it should be.
    fn explain_lost_start(&self, log: &LogFile, retired: Retired) -> Result<Error> {
        let file = self.header.file;
        if log.newest_header().is_some_and(|newest| newest.file != file) {
            return Ok(self.mismatch("its frames belong to another file"));
        }
        if self.holds_newer_frames(log)? {
            return Ok(self.newer_header_lost());
        }
        let offset = log.at(retired.slot, retired.offset as usize);
        let what = format!("frame {}, which the primary counts on, is not there", retired.frame);
        Ok(log.corrupt(offset, what))
    }

    /// Decides whether the log breaks off in the tail of an unacknowledged commit or in the
    /// middle of committed data.
    fn check_break(
        &self,
        log: &LogFile,
        replay: &Replay<'_>,
        replayer: &Replayer<'_>,
        evidence: &Evidence,
    ) -> Result<()> {
        let expected = replay.last().0.next();
        if evidence.durable >= expected {
            let what = format!(
                "frame {expected} is damaged, and a later one proves that it was durable",
            );
            return Err(log.corrupt(replay.break_offset(), what));
        }
        if evidence.generation > replayer.generation.max(self.header.generation) {
            return Err(self.newer_header_lost());
        }
        if evidence.frames > 0 {
            probe::hit(Probe::TornTail);
        }
        Ok(())
    }

    /// Makes the recovered state durable under a new header, an epoch of its own and a fresh
    /// incarnation, before any page or log byte is reused.
    fn republish(
        mut self,
        pager: Pager,
        root: Root,
        root_pages: Vec<Extent>,
        report: RecoveryReport,
        kept: &[(u32, FrameNo)],
        last: (FrameNo, u32),
    ) -> Result<Core> {
        let roots = write_recovered(&pager, &root, &self.header, root_pages)?;
        let ((wal, stamp), place) =
            begin_log(&*self.vfs, self.path, &self.header, kept, Some(last))?;
        let mut next = self.header.clone();
        next.generation += 1;
        next.state = State::InUse;
        next.incarnation = stamp.incarnation;
        next.epoch = stamp.epoch;
        next.page_count = lock(&pager.space).end();
        next.catalog = roots.catalog;
        next.free_list = roots.free_list;
        next.head_seq = root.seq;
        next.head_time = root.time;
        next.head_hash = root.hash;
        next.retired = place;
        pager.file.write_all_at(next.slot_offset(), &next.encode())?;
        pager.file.sync_data()?;
        wal.header_durable(next.generation, place.frame);
        let root = Root { place, ..root }.fold(&pager);
        let mut space = lock(&pager.space);
        space.allow_reuse();
        space.release(place.frame, place.frame);
        drop(space);
        self.header = next;
        Ok(self.into_core(pager, Some(wal), Arc::new(root), roots.pages, report))
    }
}

/// Writes what was replayed; where nothing was, the header's own pages stay.
fn write_recovered(
    pager: &Pager,
    root: &Root,
    header: &Header,
    root_pages: Vec<Extent>,
) -> Result<RootPages> {
    if root.frame() == header.retired.frame {
        return Ok(RootPages {
            catalog: header.catalog,
            free_list: header.free_list,
            pages: root_pages,
        });
    }
    let mut nodes = Vec::new();
    dirty_nodes(&root.records.root, &mut nodes);
    dirty_nodes(&root.meta.root, &mut nodes);
    write_all(pager, nodes, Owner::Checkpoint)?;
    let roots = write_root_pages(pager, root, root_pages)?;
    pager.file.sync_data()?;
    Ok(roots)
}

/// Replays frames into a state.
struct Replayer<'a> {
    pager: &'a Pager,
    limits: TreeLimits,
    root: Root,
    /// The transaction whose parts are being read, and what is left of its stream.
    open: Option<Changes>,
    stream: VecDeque<u8>,
    committed: bool,
    generation: u64,
    frames: u64,
    commits: u64,
    bytes: u64,
    parts_discarded: u64,
}

impl<'a> Replayer<'a> {
    fn new(pager: &'a Pager, limits: TreeLimits, root: Root) -> Self {
        Self {
            pager,
            limits,
            root,
            open: None,
            stream: VecDeque::new(),
            committed: false,
            generation: 0,
            frames: 0,
            commits: 0,
            bytes: 0,
            parts_discarded: 0,
        }
    }

    fn frame(&mut self, frame: &Frame<'_>, log: &LogFile) -> Result<()> {
        probe::hit(Probe::RecoveredFrames);
        self.frames += 1;
        self.bytes += frame.size() as u64;
        self.generation = self.generation.max(frame.header.generation);
        let number = frame.header.number;
        let bad = |what: String| log.corrupt(0, format!("frame {number}: {what}"));
        match frame.header.frame_type {
            FrameType::Anchor => {}
            FrameType::Part => self.changes(number, frame.payload).map_err(|e| e.or(bad))?,
            FrameType::Abort => self.discard(),
            FrameType::Commit => {
                let (prefix, rest) = CommitPrefix::decode(frame.payload).map_err(bad)?;
                self.changes(number, rest).map_err(|error| error.or(bad))?;
                self.commit(frame, prefix).map_err(|error| error.or(bad))?;
            }
        }
        self.relieve()
    }

    /// Applies the whole changes that the stream holds with `payload` at its end.
    fn changes(&mut self, number: FrameNo, payload: &[u8]) -> std::result::Result<(), ReplayError> {
        let change = number;
        let (root, mvcc) = (&self.root, self.limits.mvcc);
        let changes = self.open.get_or_insert_with(|| Changes::new(root.clone(), change, mvcc));
        let bounds = Bounds {
            max_key_bytes: self.limits.max_key_bytes(),
            max_row_bytes: self.limits.max_value_bytes + 1,
        };
        self.stream.extend(payload);
        let stream = self.stream.make_contiguous();
        let mut at = 0;
        while let Some((change, len)) = first_change(&stream[at..], bounds)? {
            match change {
                Change::Put { key, row } => changes.put_row(self.pager, key, &[row])?,
                Change::Delete { key } => {
                    changes.delete_row(self.pager, key)?;
                }
            }
            at += len;
        }
        self.stream.drain(..at);
        Ok(())
    }

    fn commit(&mut self, frame: &Frame<'_>, prefix: CommitPrefix) -> std::result::Result<(), ReplayError> {
        if !self.stream.is_empty() {
            return Err(ReplayError::Format("its last change is cut short".into()));
        }
        let expected = self.root.seq + 1;
        if frame.header.seq != expected {
            let what = format!("commit {}, {expected} expected", frame.header.seq);
            return Err(ReplayError::Format(what));
        }
        let Some(mut changes) = self.open.take() else { return Ok(()) };
        let time = Timestamp::from_nanos(frame.header.time);
        let row = MetaRow { time, hash: prefix.history_hash, note: prefix.note };
        changes.finish(self.pager, &row)?;
        let mut freed = changes.edit.freed;
        let replaced = changes.edit.replaced.iter();
        freed.extend(replaced.filter_map(|node| node.disk.get()).map(|disk| Extent::one(disk.page)));
        lock(&self.pager.space).commit(frame.header.number, freed);
        self.root = changes.root;
        self.commits += 1;
        self.committed = true;
        Ok(())
    }

    /// The frame just read is at `place`; a commit's state ends there.
    fn accept(&mut self, place: Retired) {
        if std::mem::take(&mut self.committed) {
            self.root.place = place;
        }
    }

    /// The parts read so far are void.
    fn discard(&mut self) {
        if self.open.take().is_some() {
            self.parts_discarded += 1;
            lock(&self.pager.space).rollback();
        }
        self.stream.clear();
    }

    /// Keeps the nodes in memory within the budget: the replayed state goes to pages that nobody
    /// uses, and what an open transaction has added after it.
    fn relieve(&mut self) -> Result<()> {
        if self.pager.resident_bytes() <= self.pager.resident_limit() {
            return Ok(());
        }
        write_out(self.pager, &self.root, Owner::Checkpoint)?;
        self.root = self.root.fold(self.pager).shed();
        if let Some(changes) = &mut self.open {
            write_out(self.pager, &changes.root, Owner::Transaction)?;
            changes.root = changes.root.fold(self.pager).shed();
        }
        Ok(())
    }

    fn report(&self, header: &Header, evidence: &Evidence) -> RecoveryReport {
        let mut reasons = Vec::new();
        if evidence.frames > 0 {
            reasons.push("frames behind a torn one belong to commits that were not acknowledged");
        }
        if self.open.is_some() {
            reasons.push("the log ends inside of a large transaction that did not commit");
        }
        RecoveryReport {
            clean: false,
            generation: header.generation,
            frames_replayed: self.frames,
            commits_replayed: self.commits,
            bytes_replayed: self.bytes,
            frames_discarded: evidence.frames,
            bytes_discarded: evidence.bytes,
            reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
        }
    }

    fn finish(mut self) -> Root {
        if self.open.is_some() {
            probe::hit(Probe::PartsDiscarded);
        }
        self.discard();
        self.root
    }
}

/// Writes out what is in memory only.
pub(crate) fn write_out(pager: &Pager, root: &Root, owner: Owner) -> Result<()> {
    let mut nodes = Vec::new();
    dirty_nodes(&root.records.root, &mut nodes);
    dirty_nodes(&root.meta.root, &mut nodes);
    write_all(pager, nodes, owner)
}

/// Why a frame could not be replayed.
enum ReplayError {
    Format(String),
    Engine(Error),
}

impl ReplayError {
    fn or(self, bad: impl FnOnce(String) -> Error) -> Error {
        match self {
            Self::Format(what) => bad(what),
            Self::Engine(error) => error,
        }
    }
}

impl From<String> for ReplayError {
    fn from(what: String) -> Self {
        Self::Format(what)
    }
}

impl From<Error> for ReplayError {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

/// The directory of the primary, for durability of its name.
pub(crate) fn sync_parent(vfs: &dyn Vfs, path: &Path) -> Result<()> {
    Ok(vfs.sync_dir(parent_of(path))?)
}
