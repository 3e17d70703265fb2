//! Moves entries from a changelog to a sink, in batches, each acknowledged before the next is read.
//!
//! What was read is sent: where reading fails, the entries before the failure are delivered first.

use hexxladb::{CancelToken, ChangelogEntries, ChangelogEntry, ChangelogFollow, ChangelogValue};

use crate::error::Result;
use crate::position::Position;
use crate::sink::Sink;

/// Where entries come from: to its end with [`ChangelogEntries`], live with [`ChangelogFollow`].
pub trait Source {
    /// The next entry that is there already.
    ///
    /// # Errors
    /// What reading says.
    fn ready(&mut self) -> hexxladb::Result<Option<ChangelogEntry>>;

    /// Waits for the next entry; `None` when none will come.
    ///
    /// # Errors
    /// What reading says.
    fn wait(&mut self) -> hexxladb::Result<Option<ChangelogEntry>>;
}

impl Source for ChangelogEntries {
    fn ready(&mut self) -> hexxladb::Result<Option<ChangelogEntry>> {
        self.next().transpose()
    }

    fn wait(&mut self) -> hexxladb::Result<Option<ChangelogEntry>> {
        self.next().transpose()
    }
}

impl Source for ChangelogFollow {
    fn ready(&mut self) -> hexxladb::Result<Option<ChangelogEntry>> {
        self.try_next()
    }

    /// `None` when the follower's time is up or its token is set.
    fn wait(&mut self) -> hexxladb::Result<Option<ChangelogEntry>> {
        self.next().transpose()
    }
}

/// How entries are gathered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PumpOptions {
    /// Entries in a batch at most (default 1,000). A batch is sent when it is full, or when no
    /// entry is waiting.
    pub batch_entries: usize,
    /// Bytes of values from which on a batch is full (default 4 MiB).
    pub batch_bytes: usize,
    /// Ends the pumping between two batches.
    pub cancel: CancelToken,
}

impl Default for PumpOptions {
    fn default() -> Self {
        Self { batch_entries: 1000, batch_bytes: 4 << 20, cancel: CancelToken::new() }
    }
}

impl PumpOptions {
    /// Batches of 1,000 entries or 4 MiB.
    pub fn new() -> Self {
        Self::default()
    }

    /// Entries in a batch at most; at least one.
    #[must_use]
    pub fn batch_entries(mut self, entries: usize) -> Self {
        self.batch_entries = entries;
        self
    }

    /// Bytes of values from which on a batch is full.
    #[must_use]
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        self.batch_bytes = bytes;
        self
    }

    /// Ends the pumping between two batches.
    #[must_use]
    pub fn cancel(mut self, cancel: CancelToken) -> Self {
        self.cancel = cancel;
        self
    }
}

/// What the target has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acknowledged {
    /// Entries in all, since this pumping began.
    pub entries: u64,
    /// The last of them. What [`Position::next`] gives may be kept as a consumer's position.
    pub position: Position,
}

/// Sends entries until none will come, or until the token is set. `acknowledged` hears of each
/// batch once the target has it. Returns how many entries were acknowledged.
///
/// The sink must have been asked for its last position, and `source` must read from there.
///
/// # Errors
/// What the source, the sink or `acknowledged` says. All entries that were acknowledged before are
/// at the target.
pub fn pump(
    source: &mut dyn Source,
    sink: &mut dyn Sink,
    options: &PumpOptions,
    acknowledged: &mut dyn FnMut(&Acknowledged) -> Result<()>,
) -> Result<u64> {
    let mut batch = Batch::default();
    let mut entries = 0;
    while !options.cancel.is_cancelled() {
        let filled = fill(&mut batch, source, options);
        if let Some(last) = batch.entries.last() {
            let position = Position::of(last);
            sink.send(&batch.entries)?;
            sink.flush()?;
            entries += batch.entries.len() as u64;
            acknowledged(&Acknowledged { entries, position })?;
            batch.clear();
        }
        if filled? {
            continue;
        }
        match source.wait()? {
            Some(entry) => batch.push(entry),
            None => break,
        }
    }
    Ok(entries)
}

/// Entries that were read and not yet sent.
#[derive(Default)]
struct Batch {
    entries: Vec<ChangelogEntry>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, entry: ChangelogEntry) {
        if let ChangelogValue::Full(value) = &entry.value {
            self.bytes += value.len();
        }
        self.entries.push(entry);
    }

    fn is_full(&self, options: &PumpOptions) -> bool {
        self.entries.len() >= options.batch_entries.max(1) || self.bytes >= options.batch_bytes
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }
}

/// Takes what is there; whether that filled the batch.
fn fill(batch: &mut Batch, source: &mut dyn Source, options: &PumpOptions) -> Result<bool> {
    while !batch.is_full(options) {
        match source.ready()? {
            Some(entry) => batch.push(entry),
            None => return Ok(false),
        }
    }
    Ok(true)
}
