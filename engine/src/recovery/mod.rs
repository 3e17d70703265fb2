//! Opening: choosing a header, replaying the log, and making the recovered state durable before
//! anyone sees it.
//!
//! Always: until the recovered state is republished under a new header nothing is overwritten
//! that an older header or the log could need; so a crash at any step is just another crash.

mod replay;
mod rewrite;

use std::path::Path;
use std::sync::Arc;

use hexxladb_vfs::{File, FileExt, LockKind, LockOutcome, OpenMode, Vfs};

use crate::changelog::Tail;
use crate::core::{Core, Opened};
use crate::create;
use crate::error::{Error, Result};
use crate::format::frame::{FrameHeader, FrameType};
use crate::format::free_list::Extent;
use crate::format::header::{HEADER_BYTES, Header, Retired, SLOT_BYTES, SLOTS, SlotError, State};
use crate::ids::{FrameNo, PageNo};
use crate::limits::TreeLimits;
use crate::options::Options;
use crate::pager::{Pager, Space, read_free_list};
use crate::probe::{self, Probe};
use crate::stats::RecoveryReport;
use crate::sync::lock;
use crate::timeline::Root;
use crate::wal::{
    Evidence, FrameStamp, LogFile, NewFrame, Replay, Wal, begin_log, parent_of, wal_path,
};
use replay::{Replayed, Replayer};
use rewrite::Rewriter;

/// Opens or creates the database at `path`.
pub(crate) fn open(vfs: Arc<dyn Vfs>, path: &Path, options: Options) -> Result<Core> {
    options.validate()?;
    #[cfg(feature = "tracing")]
    let _span = tracing::info_span!("hexxladb.open", path = %path.display()).entered();
    let (lock_file, header) = lock_or_create(&*vfs, path, &options)?;
    check_options(path, &header, &options)?;
    let opening = Opening { vfs, path, options, lock_file, header };
    match opening.header.state {
        State::Clean => opening.open_clean(),
        State::InUse => opening.recover(),
    }
    .inspect(tell_opened)
}

/// An event with what the open found.
fn tell_opened(core: &Core) {
    #[cfg(feature = "tracing")]
    {
        let report = &core.report;
        tracing::info!(
            clean = report.clean,
            commits_replayed = report.commits_replayed,
            bytes_replayed = report.bytes_replayed,
            frames_discarded = report.frames_discarded,
            "opened"
        );
        if let Some(reason) = &report.reason {
            tracing::warn!(reason, "the end of the log was discarded");
        }
    }
    #[cfg(not(feature = "tracing"))]
    let _ = core;
}

/// The locked primary and its header; creates it where there is none.
fn lock_or_create(
    vfs: &dyn Vfs,
    path: &Path,
    options: &Options,
) -> Result<(Arc<dyn File>, Header)> {
    if create::is_unborn(vfs, path)?
        && let Some(created) = create::create(vfs, path, options)?
    {
        return Ok(created);
    }
    let (mode, kind) = if options.read_only {
        (OpenMode::Read, LockKind::Shared)
    } else {
        (OpenMode::ReadWrite, LockKind::Exclusive)
    };
    let file = vfs.open(path, mode)?;
    match file.try_lock(kind)? {
        LockOutcome::Acquired => {
            let header = read_header(&*file)?;
            Ok((file, header))
        }
        LockOutcome::Held { holder } => {
            Err(Error::DatabaseLocked { path: path.to_path_buf(), holder })
        }
    }
}

/// The newest valid header.
fn read_header(file: &dyn File) -> Result<Header> {
    let slots = read_slots(file)?;
    for slot in &slots {
        if let Err(SlotError::Unsupported(what)) = slot {
            let path = file.path().to_path_buf();
            return Err(Error::UnsupportedFormat { path, what: what.clone() });
        }
    }
    let newest = slots.iter().flatten().max_by_key(|header| header.generation).cloned();
    if let Some(header) = newest {
        let chosen =
            [Probe::HeaderSlot0, Probe::HeaderSlot1, Probe::HeaderSlot2, Probe::HeaderSlot3];
        probe::hit(chosen[(header.generation % SLOTS) as usize]);
        if damaged_slot(&slots).is_some() {
            probe::hit(Probe::HeaderTorn);
        }
        return Ok(header);
    }
    let path = file.path().to_path_buf();
    let has_magic = slots.iter().any(|slot| matches!(slot, Err(SlotError::Damaged(_))));
    match damaged_slot(&slots).filter(|_| has_magic) {
        Some((offset, what)) => Err(Error::corrupt(&path, offset, what)),
        None => Err(Error::NotADatabase { path, what: "no header in its first 16 KiB".into() }),
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
    if header.read_only_compatible != 0 && !options.read_only {
        let bits = header.read_only_compatible;
        return Err(Error::UnsupportedFormat {
            path: path.to_path_buf(),
            what: format!("features {bits:#x}; this version can open it read-only"),
        });
    }
    if options.mvcc == Some(true) && !mvcc {
        return Err(Error::MigrationRequired { path: path.to_path_buf() });
    }
    let mismatch =
        |option, file: String, given: String| Err(Error::OptionMismatch { option, file, given });
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

/// What opening has come to.
struct Recovered {
    pager: Pager,
    root: Root,
    /// Pages of the catalogue and the free list that the header names.
    root_pages: Vec<Extent>,
    report: RecoveryReport,
    tail: Option<Tail>,
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
        let len = file.len()?;
        if PageNo(end).offset(page_size) > len {
            let what = format!("the file ends before its {end} pages");
            return Err(Error::corrupt(self.path, len, what));
        }
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
        // Nothing may be shown that a power cut could take back, and that a file and its name can
        // be seen does not prove that they are durable.
        self.lock_file.sync_all()?;
        if !self.options.read_only {
            self.vfs.sync_dir(parent_of(self.path))?;
        }
        self.check_log_of_clean()?;
        // The first write republishes the header, before a page is reused.
        let (pager, root_pages) = self.pager(false)?;
        let root = Root::load(&pager, &self.header)?;
        let report = RecoveryReport {
            clean: true,
            generation: self.header.generation,
            ..RecoveryReport::default()
        };
        Ok(self.into_core(None, Recovered { pager, root, root_pages, report, tail: None }))
    }

    fn into_core(self, wal: Option<Wal>, recovered: Recovered) -> Core {
        Core::new(Opened {
            limits: self.limits(),
            vfs: self.vfs,
            path: self.path.to_path_buf(),
            options: self.options,
            pager: recovered.pager,
            wal,
            root: Arc::new(recovered.root),
            header: self.header,
            report: recovered.report,
            lock_file: self.lock_file,
            root_pages: recovered.root_pages,
            tail: recovered.tail,
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
        let header = &self.header;
        let Some(newest) = log.newest_header() else { return self.refuse_newer_frames(&log) };
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
        self.refuse_newer_frames(&log)
    }

    fn refuse_newer_frames(&self, log: &LogFile) -> Result<()> {
        if self.holds_newer_frames(log)? {
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
            // A segment that was begun says of itself whether it is older; one whose beginning is
            // damaged does not.
            let lost = info.header.is_none() && info.first.is_none() && !info.blank;
            let older = epochs.iter().flatten().all(|&epoch| epoch <= header.epoch)
                && info.first.as_ref().is_none_or(|first| first.generation <= header.generation);
            if older && !lost {
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
        let found = self.header.clone();
        replayer.changelog = self.changelog_to_rewrite(&log, &pager, replayer.root())?;
        while let Some((frame, place)) = replay.next_frame()? {
            replayer.frame(&frame, place, &log)?;
        }
        let evidence = replay.look_on()?;
        self.check_break(&log, &replay, replayer.generation.max(found.generation), &evidence)?;
        let report = replayer.report(&found, &evidence);
        let Replayed { root, committed, changelog } = replayer.finish();
        if self.options.read_only {
            let recovered = Recovered { pager, root, root_pages, report, tail: None };
            return Ok(self.into_core(None, recovered));
        }
        let tail = changelog.map(Rewriter::finish).transpose()?;
        if self.header.generation == found.generation {
            self.make_header_durable(&pager)?;
        }
        let last = (replay.last().0.max(evidence.highest), replay.last().1);
        let begun = begin_log(&*self.vfs, self.path, &self.header, replay.used(), Some(last))?;
        let copied = self.copy_frames(&log, &committed, &begun.0.0)?;
        let (wal, place) = self.republish(&pager, begun, copied)?;
        let root = Root { place, ..root };
        lock(&pager.space).settle_replay(root.frame());
        let tail = self.settle_changelog(tail, &pager, &root)?;
        wal.header_durable(self.header.generation, self.header.retired.frame);
        Ok(self.into_core(Some(wal), Recovered { pager, root, root_pages, report, tail }))
    }

    /// Publishes the header as the next generation. At first that is the chosen one once more:
    /// that it could be read does not prove that it is durable, and the one before it may count on
    /// log segments that are about to be reused.
    fn make_header_durable(&mut self, pager: &Pager) -> Result<()> {
        self.header.generation += 1;
        pager.file.write_all_at(self.header.slot_offset(), &self.header.encode())?;
        Ok(pager.file.sync_data()?)
    }

    /// Writes the replayed commits anew under the new epoch, and syncs them: that they could be
    /// read does not prove that they are durable. Returns where the last one is.
    fn copy_frames(
        &self,
        log: &LogFile,
        committed: &[(FrameNo, FrameNo)],
        wal: &Wal,
    ) -> Result<Option<Retired>> {
        let header = &self.header;
        let mut place = None;
        let mut runs = committed.iter().peekable();
        let mut replay = Replay::new(log, header.file, header.epoch, header.retired)?;
        while let Some((frame, _)) = replay.as_mut().map_or(Ok(None), Replay::next_frame)? {
            let number = frame.header.number;
            while runs.next_if(|&&(_, last)| last < number).is_some() {}
            if runs.peek().is_some_and(|&&(first, _)| first <= number) {
                let FrameHeader { frame_type, seq, time, .. } = frame.header;
                let payload = &[frame.payload];
                place = Some(wal.append(&NewFrame { frame_type, seq, time, payload })?);
                wal.limit_unsynced().map_err(|cause| Error::Poisoned { cause })?;
            }
        }
        if let Some(place) = &place {
            wal.wait_durable(place.frame).map_err(|cause| Error::Poisoned { cause })?;
        }
        Ok(place)
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
    /// middle of committed data; `generation` is the highest one that the header found or a frame
    /// before the break names.
    fn check_break(
        &self,
        log: &LogFile,
        replay: &Replay<'_>,
        generation: u64,
        evidence: &Evidence,
    ) -> Result<()> {
        let expected = replay.last().0.next();
        if evidence.durable >= expected {
            let what =
                format!("frame {expected} is damaged, and a later one proves that it was durable");
            return Err(log.corrupt(replay.missing_at(evidence), what));
        }
        if expected <= self.header.durable {
            let known = self.header.durable;
            return Err(if evidence.frames + evidence.torn_bytes > 0 {
                let what = format!("frame {expected} is damaged; the primary knows frame {known}");
                log.corrupt(replay.missing_at(evidence), what)
            } else {
                let last = replay.last().0;
                self.mismatch(format!("it ends at frame {last}, the primary knows frame {known}"))
            });
        }
        if evidence.generation > generation {
            return Err(self.newer_header_lost());
        }
        if evidence.frames + evidence.torn_bytes > 0 {
            probe::hit(Probe::TornTail);
        }
        Ok(())
    }

    /// Publishes the recovered state under a new header, an epoch of its own and a fresh
    /// incarnation, before any page or log byte is reused. The header names the old tree; the
    /// replayed commits follow it in the log, and the next checkpoint writes them.
    fn republish(
        &mut self,
        pager: &Pager,
        begun: ((Wal, FrameStamp), Retired),
        copied: Option<Retired>,
    ) -> Result<(Wal, Retired)> {
        let ((wal, stamp), anchor) = begun;
        self.header = Header {
            state: State::InUse,
            incarnation: stamp.incarnation,
            epoch: stamp.epoch,
            retired: anchor,
            durable: copied.as_ref().map_or(anchor.frame, |place| place.frame),
            ..self.header.clone()
        };
        self.make_header_durable(pager)?;
        Ok((wal, copied.unwrap_or(anchor)))
    }
}
