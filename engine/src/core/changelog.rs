//! The changelog of an open database: commits wait here until their frames are durable, and go to
//! the files then; whoever commits writes what is ready.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Core;
use crate::changelog::{
    Added, Batch, CommitHead, End, Form, Home, Limits, Plan, Primary, Shown, State, Tail,
    carry_out, encode_commit, plan_on, plan_turned_on,
};
use crate::error::{Error, Result};
use crate::format::header::{ChangelogEnd, ChangelogState};
use crate::ids::FrameNo;
use crate::keys::KeyBuf;
use crate::options::ChangelogOptions;
use crate::probe::{self, Probe};
use crate::sync::{AtomicBool, AtomicU64, Mutex, MutexGuard, Ordering, lock};
use crate::timeline::{Root, hash_at};

/// The entries of a commit.
#[derive(Debug)]
pub(crate) struct Entries {
    added: Added,
    frames: Content,
}

/// A commit whose entries are not written yet.
#[derive(Debug)]
struct Waiting {
    frame: FrameNo,
    entries: Entries,
}

#[derive(Debug)]
enum Content {
    Encoded(Vec<u8>),
    /// Too large to wait in memory: encoded from the states before and after it.
    Tree {
        commit: CommitHead,
        keys: Vec<KeyBuf>,
        before: Arc<Root>,
        after: Arc<Root>,
    },
}

/// How writing what is ready has ended.
enum Drained {
    All,
    /// The segment is sealed, and the header that counts on it is about to be written.
    NotYet,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Commits up to this frame are durable.
    durable: FrameNo,
}

impl Queue {
    fn is_ready(&self) -> bool {
        self.waiting.front().is_some_and(|first| first.frame <= self.durable)
    }
}

/// The changelog of a handle that has it turned on.
#[derive(Debug)]
pub(crate) struct Changelog {
    pub(crate) options: ChangelogOptions,
    pub(crate) home: Home,
    form: Form,
    queue: Mutex<Queue>,
    /// `None` until the handle writes for the first time.
    tail: Mutex<Option<Tail>>,
    /// The commit after which it was turned on.
    since: AtomicU64,
    pub(crate) shown: Arc<Shown>,
    trim_due: AtomicBool,
    trim: Mutex<()>,
    seal_due: AtomicBool,
}

impl Changelog {
    /// What a handle of these options keeps; `tail` where recovery has begun it.
    pub(crate) fn new(
        options: ChangelogOptions,
        home: Home,
        state: &ChangelogState,
        tail: Option<Tail>,
    ) -> Self {
        let end = tail.as_ref().map_or(state.end, Tail::synced_end);
        Self {
            options,
            form: home.form(options.values),
            home,
            queue: Mutex::default(),
            tail: Mutex::new(tail),
            since: AtomicU64::new(state.since),
            shown: Arc::new(Shown::new(End::from(end))),
            trim_due: AtomicBool::new(true),
            trim: Mutex::default(),
            seal_due: AtomicBool::new(false),
        }
    }

    /// How commits are written.
    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Whether a sealed segment may have to go.
    pub(crate) fn take_trim_due(&self) -> bool {
        self.trim_due.swap(false, Ordering::Relaxed)
    }

    /// One who removes segments, or needs them to stay, at a time.
    pub(crate) fn lock_trim(&self) -> MutexGuard<'_, ()> {
        lock(&self.trim)
    }

    /// The same, unless there is one.
    pub(crate) fn try_lock_trim(&self) -> Option<MutexGuard<'_, ()>> {
        self.trim.try_lock().ok()
    }

    fn show(&self, tail: &Tail) {
        let (segment, offset, (seq, hash)) = (tail.ordinal(), tail.at(), tail.last());
        self.shown.set(End { segment, offset, seq, hash });
    }

    fn state(&self, end: ChangelogEnd) -> ChangelogState {
        let since = self.since.load(Ordering::Relaxed);
        ChangelogState { on: true, values: self.options.values, since, end }
    }
}

/// Where the changelog of a database lies.
pub(crate) fn home_of(core: &Core) -> Home {
    Home {
        vfs: Arc::clone(&core.vfs),
        primary: core.path.clone(),
        history: lock(&core.header).history,
        limits: Limits::of(&core.options),
    }
}

/// Finds where the changelog goes on that a header counts on, or (`on` only in the options) where
/// it is turned on.
pub(crate) fn plan(home: &Home, state: &ChangelogState, primary: &Primary<'_>) -> Result<Plan> {
    if state.on { plan_on(home, state, primary) } else { plan_turned_on(home, state, primary) }
}

impl Core {
    /// For a handle on a clean file whose options ask for a changelog: looks where it goes on, and
    /// turns it on where it is not. A changelog that does not fit is told of before anything is
    /// read or written.
    pub(crate) fn look_at_changelog(self: &Arc<Self>) -> Result<()> {
        if self.changelog.is_none() || self.wal.get().is_some() {
            return Ok(());
        }
        let state = lock(&self.header).changelog;
        let found = self.with_primary(|home, primary| plan(home, &state, primary))?;
        if !state.on || !matches!(found, Plan::At(..)) {
            self.take_seat()?;
            self.leave_seat();
        }
        Ok(())
    }

    fn with_primary<T>(&self, then: impl FnOnce(&Home, &Primary<'_>) -> Result<T>) -> Result<T> {
        let root = self.group.load_full();
        let source = self.source(&root);
        let hash_at = |seq| hash_at(&source, seq);
        then(&home_of(self), &Primary { head: root.seq, hash_at: &hash_at })
    }

    /// The state of the changelog for the first header of a handle that writes on a clean file:
    /// the tail goes on where it was, begins, or is left off.
    pub(super) fn begin_changelog(&self) -> Result<ChangelogState> {
        let state = lock(&self.header).changelog;
        let Some(changelog) = &self.changelog else {
            return Ok(ChangelogState { on: false, ..state });
        };
        let mut tail = self
            .with_primary(|home, primary| carry_out(home, plan(home, &state, primary)?, primary))?;
        tail.sync_unnamed()?;
        tail.appear()?;
        if !state.on {
            changelog.since.store(tail.last().0, Ordering::Relaxed);
        }
        let state = changelog.state(tail.synced_end());
        changelog.show(&tail);
        *lock(&changelog.tail) = Some(tail);
        Ok(state)
    }

    /// Where commits are to be noted in a changelog.
    pub(crate) fn keeps_changelog(&self) -> bool {
        self.changelog.is_some()
    }

    /// What is to be noted of a commit that touched the records of these keys, from the states
    /// before and after it.
    pub(crate) fn entries_of(
        &self,
        commit: CommitHead,
        keys: Vec<KeyBuf>,
        before: &Arc<Root>,
        after: &Root,
        large: bool,
    ) -> Result<Option<Entries>> {
        let Some(changelog) = &self.changelog else { return Ok(None) };
        let added = Added {
            seq: commit.seq,
            time: commit.time.as_nanos(),
            hash: commit.hash,
            entries: keys.len() as u32,
            bytes: 0,
        };
        if large {
            probe::hit(Probe::ChangelogFromTree);
            let (before, after) = (Arc::clone(before), Arc::new(after.clone()));
            let frames = Content::Tree { commit, keys, before, after };
            return Ok(Some(Entries { added, frames }));
        }
        let (old, new) = (self.source(before), self.source(after));
        let (old, new) = (State::newest(old), State::newest(new));
        let mut bytes = Vec::new();
        encode_commit(changelog.form, &commit, &keys, old, new, |frame| {
            bytes.extend_from_slice(frame);
            Ok(())
        })?;
        let added = Added { bytes: bytes.len() as u64, ..added };
        Ok(Some(Entries { added, frames: Content::Encoded(bytes) }))
    }

    /// Notes a commit whose frame is in the log. For the owner of the seat, before the next one.
    pub(crate) fn note_commit(&self, entries: Option<Entries>, frame: FrameNo) {
        if let (Some(changelog), Some(entries)) = (&self.changelog, entries) {
            let mut queue = lock(&changelog.queue);
            queue.bytes += entries.weight(changelog.home.limits);
            queue.waiting.push_back(Waiting { frame, entries });
        }
    }

    /// Writes the entries of commits that are durable, unless somebody else is at it, who then
    /// sees to them.
    pub(crate) fn write_changelog(&self) {
        let Some(changelog) = &self.changelog else { return };
        loop {
            self.note_durable(changelog);
            if !lock(&changelog.queue).is_ready() {
                return;
            }
            let Ok(mut tail) = changelog.tail.try_lock() else { return };
            // A failure poisons the handle, or is met again by who needs the room. Who writes a
            // header that counts on a sealed segment writes the rest after it.
            if !matches!(self.drain(changelog, &mut tail), Ok(Drained::All)) {
                return;
            }
        }
    }

    /// Writes the entries of commits that are durable.
    pub(crate) fn catch_up_changelog(&self) -> Result<()> {
        let Some(changelog) = &self.changelog else { return Ok(()) };
        self.note_durable(changelog);
        let drained = self.drain(changelog, &mut lock(&changelog.tail));
        // Who found the tail taken relies on its owner to look again.
        self.write_changelog();
        drained.map(|_| ())
    }

    fn note_durable(&self, changelog: &Changelog) {
        if let Some(wal) = self.wal.get() {
            let mut queue = lock(&changelog.queue);
            queue.durable = queue.durable.max(wal.durable());
        }
    }

    fn drain(
        &self,
        changelog: &Changelog,
        tail: &mut MutexGuard<'_, Option<Tail>>,
    ) -> Result<Drained> {
        let Some(tail) = tail.as_mut() else { return Ok(Drained::All) };
        if let Some(cause) = self.failure() {
            return Err(Error::Poisoned { cause });
        }
        let drained = self.drain_into(changelog, tail);
        changelog.show(tail);
        drained.map_err(|error| {
            if matches!(&error, Error::Io(io) if io.is_no_space()) {
                probe::hit(Probe::ChangelogNoSpace);
            }
            self.poison_unless_harmless(error)
        })
    }

    fn drain_into(&self, changelog: &Changelog, tail: &mut Tail) -> Result<Drained> {
        tail.appear()?;
        // Sealed and counted on by a durable header, or that header is about to be written.
        if tail.is_sealed() {
            if lock(&self.header).changelog.end != tail.synced_end() {
                return Ok(Drained::NotYet);
            }
            tail.rotate()?;
            changelog.trim_due.store(true, Ordering::Relaxed);
        }
        while let Some(group) = changelog.take_ready() {
            let limits = changelog.home.limits;
            if let Err(error) = self.write_group(changelog, tail, &group) {
                changelog.put_back(group);
                return Err(error);
            }
            lock(&changelog.queue).bytes -=
                group.iter().map(|waiting| waiting.entries.weight(limits)).sum::<usize>();
            changelog.show(tail);
        }
        Ok(Drained::All)
    }

    fn write_group(&self, changelog: &Changelog, tail: &mut Tail, group: &[Waiting]) -> Result<()> {
        if let [Waiting { entries: Entries { added, frames }, .. }] = group
            && let Content::Tree { commit, keys, before, after } = frames
        {
            let mut batch = Batch::new(changelog.home.limits);
            let (old, new) = (self.source(before), self.source(after));
            batch.commit(tail, *added, |write| {
                encode_commit(
                    changelog.form,
                    commit,
                    keys,
                    State::newest(old),
                    State::newest(new),
                    write,
                )
            })?;
            return batch.flush(tail);
        }
        let encoded = group.iter().filter_map(|waiting| match &waiting.entries.frames {
            Content::Encoded(bytes) => Some(&bytes[..]),
            Content::Tree { .. } => None,
        });
        let bytes: Vec<&[u8]> = encoded.collect();
        let commits: Vec<Added> = group.iter().map(|waiting| waiting.entries.added).collect();
        match bytes[..] {
            [bytes] => tail.append(bytes, &commits),
            _ => tail.append(&bytes.concat(), &commits),
        }
    }

    /// Makes the changelog durable before a header that retires frames of the log; the state that
    /// the header is to name.
    pub(crate) fn sync_changelog(&self) -> Result<Option<ChangelogState>> {
        let Some(changelog) = &self.changelog else { return Ok(None) };
        self.note_durable(changelog);
        let mut guard = lock(&changelog.tail);
        self.drain(changelog, &mut guard)?;
        let Some(tail) = guard.as_mut() else { return Ok(None) };
        let full = changelog.take_seal_due() || tail.at() >= changelog.options.segment_bytes;
        let end = if full && !tail.is_empty() { tail.seal(0) } else { tail.sync() };
        changelog.show(tail);
        Ok(Some(changelog.state(end?)))
    }

    /// Refuses writers while too much waits to be written to the changelog, once it has been tried.
    pub(super) fn make_room_in_changelog(&self) -> Result<()> {
        let Some(changelog) = &self.changelog else { return Ok(()) };
        if lock(&changelog.queue).bytes <= changelog.home.limits.waiting_bytes {
            return Ok(());
        }
        self.sync_log()?;
        self.catch_up_changelog()
    }
}

impl Changelog {
    /// Commits that can be written together: small ones, or a large one.
    fn take_ready(&self) -> Option<Vec<Waiting>> {
        let limits = self.home.limits;
        let mut queue = lock(&self.queue);
        let mut group = Vec::new();
        let mut bytes = 0;
        while queue.is_ready() {
            let weight = queue.waiting.front().map_or(0, |first| first.entries.weight(limits));
            let large = weight >= limits.waiting_bytes;
            if !group.is_empty() && (large || bytes + weight > limits.write_bytes) {
                break;
            }
            bytes += weight;
            group.extend(queue.waiting.pop_front());
            if large {
                break;
            }
        }
        (!group.is_empty()).then_some(group)
    }

    fn put_back(&self, group: Vec<Waiting>) {
        let mut queue = lock(&self.queue);
        for waiting in group.into_iter().rev() {
            queue.waiting.push_front(waiting);
        }
    }

    /// The next checkpoint seals the segment, whatever its size.
    pub(crate) fn seal_soon(&self) {
        self.seal_due.store(true, Ordering::Relaxed);
    }

    fn take_seal_due(&self) -> bool {
        self.seal_due.swap(false, Ordering::Relaxed)
    }
}

impl Entries {
    fn weight(&self, limits: Limits) -> usize {
        match &self.frames {
            Content::Encoded(bytes) => bytes.len(),
            Content::Tree { .. } => limits.waiting_bytes,
        }
    }
}
