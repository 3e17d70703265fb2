//! Appending frames and making them durable.
//!
//! Writers append under the log's lock, in the order of the commits. Whoever needs durability
//! first becomes the *leader*: it takes every frame appended so far, writes them as one group and
//! syncs once, while the others wait and the next transactions already append. Whatever syncs or
//! grows the file holds the leader's place, so that the system reports an error to the one whose
//! data it concerns.
//!
//! After a failed write or sync nothing is ever written again through this handle.

use std::collections::VecDeque;
use std::sync::Arc;

use hexxladb_vfs::{File, FileExt};

use super::layout::Layout;
use super::{MAX_UNSYNCED_BYTES, max_payload_bytes};
use crate::error::{Error, Result};
use crate::format::frame::{self, FrameHeader, FrameType, frame_size};
use crate::format::header::Retired;
use crate::format::segment::{BLOCK_BYTES, COPY_OFFSET, SegmentHeader};
use crate::ids::{FrameNo, Identity};
use crate::probe::{self, Probe};
use crate::sync::{AtomicU64, Bell, Condvar, Mutex, MutexGuard, Ordering, lock, wait};

/// Segments that a log keeps when its database is closed.
const KEPT_SEGMENTS: u32 = 4;

/// What the log is bound to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WalConfig {
    pub(crate) segment_bytes: u32,
    pub(crate) file: Identity,
    pub(crate) history: Identity,
}

/// What frames say of the newest durable header.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FrameStamp {
    pub(crate) epoch: u64,
    pub(crate) incarnation: u64,
    pub(crate) generation: u64,
}

/// A frame to be appended.
pub(crate) struct NewFrame<'a> {
    pub(crate) frame_type: FrameType,
    pub(crate) seq: u64,
    pub(crate) time: i64,
    pub(crate) payload: &'a [&'a [u8]],
}

/// Where an appended frame is; what a header says of the last one that it retires.
pub(crate) type Appended = Retired;

/// Bytes that lie together in the file.
#[derive(Debug)]
struct Run {
    at: u64,
    /// Where the frames start: after a segment header, if there is one.
    frames_at: usize,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct State {
    layout: Layout,
    next: FrameNo,
    last_crc: u32,
    pending: Vec<Run>,
    pending_frames: usize,
    pending_bytes: usize,
    unsynced_bytes: usize,
    leader: bool,
    failed: Option<String>,
    /// Parts of a transaction that was given up are in the log: an abort frame goes first.
    abort_owed: bool,
    stamp: FrameStamp,
    seq: u64,
    syncs: u64,
    appended_bytes: u64,
    /// In the order in which they fell asleep, which is nearly that of their frames.
    sleepers: VecDeque<Sleeper>,
    /// How many wait to grow the file.
    growers: u32,
}

/// A thread that sleeps until its frame is where it should be, or until it is to lead.
#[derive(Debug)]
struct Sleeper {
    frame: FrameNo,
    sync: bool,
    bell: Arc<Bell>,
}

/// The log of an open database.
#[derive(Debug)]
pub(crate) struct Wal {
    file: Arc<dyn File>,
    config: WalConfig,
    state: Mutex<State>,
    /// The last frame handed to the system, and the last one on stable storage: changed under the
    /// lock, looked at without it.
    written: AtomicU64,
    durable: AtomicU64,
    /// For those who would grow the file.
    turn: Condvar,
}

impl Wal {
    /// A log whose next frame is the one after `last`.
    pub(crate) fn new(
        file: Arc<dyn File>,
        config: WalConfig,
        layout: Layout,
        last: (FrameNo, u32),
        stamp: FrameStamp,
        seq: u64,
    ) -> Self {
        let state = State {
            layout,
            next: last.0.next(),
            last_crc: last.1,
            pending: Vec::new(),
            pending_frames: 0,
            pending_bytes: 0,
            unsynced_bytes: 0,
            leader: false,
            failed: None,
            abort_owed: false,
            stamp,
            seq,
            syncs: 0,
            appended_bytes: 0,
            sleepers: VecDeque::new(),
            growers: 0,
        };
        Self {
            file,
            config,
            state: Mutex::new(state),
            written: AtomicU64::new(last.0.0),
            durable: AtomicU64::new(last.0.0),
            turn: Condvar::new(),
        }
    }

    /// Most bytes of payload in one frame.
    pub(crate) fn max_payload_bytes(&self) -> usize {
        max_payload_bytes(self.config.segment_bytes)
    }

    /// Number of the next frame.
    pub(crate) fn next_frame(&self) -> FrameNo {
        lock(&self.state).next
    }

    /// Bytes of the log that replay may need.
    pub(crate) fn used_bytes(&self) -> u64 {
        lock(&self.state).layout.used_bytes()
    }

    /// Bytes written to the log through this handle.
    pub(crate) fn appended_bytes(&self) -> u64 {
        lock(&self.state).appended_bytes
    }

    /// The last frame on stable storage.
    pub(crate) fn durable(&self) -> FrameNo {
        self.reached(true)
    }

    /// Syncs so far.
    pub(crate) fn syncs(&self) -> u64 {
        lock(&self.state).syncs
    }

    /// Why nothing more can be written, if so.
    pub(crate) fn failure(&self) -> Option<String> {
        lock(&self.state).failed.clone()
    }

    /// Refuses all further writes.
    pub(crate) fn fail(&self, cause: &str) {
        let mut state = lock(&self.state);
        state.failed.get_or_insert_with(|| cause.to_owned());
        self.end_turn(state);
    }

    /// A new header is durable.
    pub(crate) fn header_durable(&self, generation: u64, retired: FrameNo) {
        let mut state = lock(&self.state);
        state.stamp.generation = generation;
        state.layout.retire(retired);
    }

    /// The parts appended last belong to a transaction that was given up. Without a further frame
    /// recovery discards them; before one, an abort frame is written.
    pub(crate) fn owe_abort(&self) {
        lock(&self.state).abort_owed = true;
    }

    /// Appends a frame, growing the file first where that is needed.
    ///
    /// An error before the frame's first byte (no space) concerns this frame alone.
    pub(crate) fn append(&self, new: &NewFrame<'_>) -> Result<Appended> {
        let payload_len = new.payload.iter().map(|part| part.len()).sum();
        loop {
            let mut state = lock(&self.state);
            if let Some(cause) = &state.failed {
                return Err(Error::Poisoned { cause: cause.clone() });
            }
            if state.abort_owed {
                let abort =
                    NewFrame { frame_type: FrameType::Abort, seq: 0, time: 0, payload: &[] };
                if self.try_append(&mut state, &abort, 0).is_none() {
                    self.grow(state)?;
                    continue;
                }
                probe::hit(Probe::AbortFrame);
                state.abort_owed = false;
            }
            if let Some(appended) = self.try_append(&mut state, new, payload_len) {
                return Ok(appended);
            }
            self.grow(state)?;
        }
    }

    fn try_append(
        &self,
        state: &mut State,
        new: &NewFrame<'_>,
        payload_len: usize,
    ) -> Option<Appended> {
        let number = state.next;
        let size = frame_size(payload_len);
        let place = state.layout.place(number, size, state.pending.is_empty())?;
        let segment_at = u64::from(place.slot) * u64::from(self.config.segment_bytes);
        if let Some(ordinal) = place.begins {
            if state.pending_frames > 0 {
                probe::hit(Probe::LogSegmentCrossed);
            }
            if ordinal > u64::from(state.layout.slots()) {
                probe::hit(Probe::SegmentReused);
            }
            let bytes = self.segment_header(state, ordinal, number, false).encode();
            state.pending.push(Run { at: segment_at, frames_at: bytes.len(), bytes });
        } else if state.pending.is_empty() {
            let at = segment_at + u64::from(place.offset);
            state.pending.push(Run { at, frames_at: 0, bytes: Vec::with_capacity(BLOCK_BYTES) });
        }
        let header = FrameHeader {
            frame_type: new.frame_type,
            number,
            epoch: state.stamp.epoch,
            file: self.config.file,
            incarnation: state.stamp.incarnation,
            generation: state.stamp.generation,
            durable: self.reached(true),
            seq: new.seq,
            time: new.time,
            previous_crc: state.last_crc,
        };
        let run = state.pending.last_mut()?;
        let crc = frame::encode(&header, new.payload, &mut run.bytes);
        state.pending_frames += 1;
        state.pending_bytes += size;
        state.next = number.next();
        state.last_crc = crc;
        if matches!(new.frame_type, FrameType::Commit | FrameType::Base) {
            state.seq = new.seq;
        }
        Some(Appended { frame: number, crc, slot: place.slot, offset: place.offset })
    }

    fn segment_header(
        &self,
        state: &State,
        ordinal: u64,
        frame: FrameNo,
        retired: bool,
    ) -> SegmentHeader {
        SegmentHeader {
            retired,
            ordinal,
            epoch: state.stamp.epoch,
            file: self.config.file,
            history: self.config.history,
            frame,
            seq: state.seq,
        }
    }

    /// Grows the file by as much again, zero-filled and synced before use, so that a commit's
    /// sync need not touch file metadata.
    fn grow<'a>(&'a self, mut state: MutexGuard<'a, State>) -> Result<()> {
        if state.leader {
            state.growers += 1;
            state = wait(&self.turn, state);
            state.growers -= 1;
            return Ok(());
        }
        state.leader = true;
        let (slots, growth) = (state.layout.slots(), state.layout.growth());
        drop(state);
        let filled = fill_segments(&*self.file, self.config.segment_bytes, slots, growth);
        let synced = filled.and_then(|()| self.file.sync_all().map_err(GrowError::Sync));
        let mut state = lock(&self.state);
        state.leader = false;
        let grown = match synced {
            Ok(()) => {
                probe::hit(Probe::LogGrown);
                state.layout.add_slots(growth);
                Ok(())
            }
            Err(GrowError::Fill(error)) => Err(error.into()),
            Err(GrowError::Sync(error)) => {
                state.failed.get_or_insert_with(|| error.to_string());
                Err(Error::Poisoned { cause: error.to_string() })
            }
        };
        self.end_turn(state);
        grown
    }

    /// Returns once `frame` is on stable storage; the answer is the highest frame that is.
    ///
    /// The error is what failed, after which it is not known whether the frame is there.
    pub(crate) fn wait_durable(&self, frame: FrameNo) -> std::result::Result<FrameNo, String> {
        self.drive(frame, true)
    }

    /// Returns once `frame` is handed to the system.
    pub(crate) fn wait_written(&self, frame: FrameNo) -> std::result::Result<FrameNo, String> {
        self.drive(frame, false)
    }

    /// Keeps the bytes that wait for a sync within their bound.
    pub(crate) fn limit_unsynced(&self) -> std::result::Result<(), String> {
        let (bytes, last) = {
            let state = lock(&self.state);
            (state.unsynced_bytes + state.pending_bytes, state.next.0 - 1)
        };
        if bytes > MAX_UNSYNCED_BYTES {
            self.wait_durable(FrameNo(last))?;
        }
        Ok(())
    }

    /// The last frame on stable storage, or handed to the system.
    fn reached(&self, sync: bool) -> FrameNo {
        let frames = if sync { &self.durable } else { &self.written };
        FrameNo(frames.load(Ordering::Acquire))
    }

    fn drive(&self, frame: FrameNo, sync: bool) -> std::result::Result<FrameNo, String> {
        loop {
            let reached = self.reached(sync);
            if reached >= frame {
                return Ok(reached);
            }
            let mut state = lock(&self.state);
            if self.reached(sync) >= frame {
                continue;
            }
            if let Some(cause) = &state.failed {
                return Err(cause.clone());
            }
            if state.leader {
                let bell = Arc::<Bell>::default();
                state.sleepers.push_back(Sleeper { frame, sync, bell: Arc::clone(&bell) });
                drop(state);
                bell.wait();
            } else {
                self.lead(state, sync);
            }
        }
    }

    /// Writes and syncs everything appended so far.
    fn lead(&self, mut state: MutexGuard<'_, State>, sync: bool) {
        state.leader = true;
        let mut runs = std::mem::take(&mut state.pending);
        let last = FrameNo(state.next.0 - 1);
        let frames = std::mem::take(&mut state.pending_frames);
        state.unsynced_bytes += std::mem::take(&mut state.pending_bytes);
        drop(state);
        if frames > 1 {
            probe::hit(Probe::GroupCommit);
        }
        finish_group(&mut runs);
        let written = runs.iter().try_for_each(|run| self.file.write_all_at(run.at, &run.bytes));
        let done = written.and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        let mut state = lock(&self.state);
        state.leader = false;
        state.appended_bytes += runs.iter().map(|run| run.bytes.len() as u64).sum::<u64>();
        match done {
            Ok(()) => {
                self.written.store(last.0, Ordering::Release);
                if sync {
                    self.durable.store(last.0, Ordering::Release);
                    state.unsynced_bytes = 0;
                    state.syncs += 1;
                }
            }
            Err(error) => {
                probe::hit(Probe::SyncFailed);
                state.failed.get_or_insert_with(|| error.to_string());
            }
        }
        self.end_turn(state);
    }

    /// The leader's place is free, or the log has failed: wakes one to lead next, then those whose
    /// frames are where they should be.
    fn end_turn(&self, mut state: MutexGuard<'_, State>) {
        let mut awake = Vec::new();
        let failed = state.failed.is_some();
        state.sleepers.retain(|sleeper| {
            let done = failed || self.reached(sleeper.sync) >= sleeper.frame;
            if done {
                awake.push(Arc::clone(&sleeper.bell));
            }
            !done
        });
        let next = state.sleepers.pop_front();
        let growers = state.growers > 0;
        drop(state);
        if let Some(next) = next {
            next.bell.ring();
        }
        for bell in awake {
            bell.ring();
        }
        if growers {
            self.turn.notify_all();
        }
    }

    /// Marks the whole log as retired, after a clean header is durable, and gives back what a
    /// large log took.
    pub(crate) fn mark_retired(&self) -> Result<()> {
        let (at, block) = {
            let state = lock(&self.state);
            let last = FrameNo(state.next.0 - 1);
            let (slot, ordinal) = state.layout.retired_mark();
            let header = self.segment_header(&state, ordinal, last, true);
            (u64::from(slot) * u64::from(self.config.segment_bytes), header.encode())
        };
        self.file.write_all_at(at, &block)?;
        let kept = u64::from(KEPT_SEGMENTS) * u64::from(self.config.segment_bytes);
        if self.file.len()? > kept {
            self.file.set_len(kept)?;
        }
        Ok(self.file.sync_all()?)
    }
}

enum GrowError {
    Fill(hexxladb_vfs::Error),
    Sync(hexxladb_vfs::Error),
}

/// Fills `count` segments after the first `slots` with zeros; takes them back when there is no
/// room.
fn fill_segments(
    file: &dyn File,
    segment_bytes: u32,
    slots: u32,
    count: u32,
) -> std::result::Result<(), GrowError> {
    let start = u64::from(slots) * u64::from(segment_bytes);
    let end = start + u64::from(count) * u64::from(segment_bytes);
    let zeros = vec![0; segment_bytes as usize];
    let fill = || {
        file.allocate(end)?;
        (0..u64::from(count)).try_for_each(|index| {
            file.write_all_at(start + index * u64::from(segment_bytes), &zeros)
        })
    };
    fill().map_err(|error| {
        // What is left beyond the segments in use does no harm: it is zeros.
        let _ = file.set_len(start);
        GrowError::Fill(error)
    })
}

/// Pads each run to whole blocks. A group that fills less than half of a block is stored twice
/// in it, in different sectors.
fn finish_group(runs: &mut [Run]) {
    let single = runs.len() == 1;
    for run in runs {
        let frames_len = run.bytes.len() - run.frames_at;
        if single && frames_len <= COPY_OFFSET {
            probe::hit(Probe::SmallGroupDoubled);
            run.bytes.resize(run.frames_at + COPY_OFFSET, 0);
            let copy = run.bytes[run.frames_at..].to_vec();
            run.bytes.extend_from_slice(&copy);
        } else {
            let len = run.frames_at + frames_len.next_multiple_of(BLOCK_BYTES);
            run.bytes.resize(len, 0);
        }
    }
}
