//! From a changelog to a target, and again after a failure: open, ask, resume, pump.

use std::time::{Duration, Instant};

use hexxladb::{CancelToken, ChangelogCursor};

use crate::error::Result;
use crate::pump::{Acknowledged, PumpOptions, Source, pump};
use crate::sink::Sink;

/// How long it sleeps at most before it looks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(50);

/// How [`deliver`] goes about it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeliverOptions {
    /// Where to begin in a target that holds nothing or cannot tell (default: the oldest entry).
    pub from: ChangelogCursor,
    /// How entries are gathered, and what ends it.
    pub pump: PumpOptions,
    /// How long a target may fail without taking anything before its error is returned (default:
    /// not at all).
    pub retry_for: Duration,
    /// The pause before a target that failed is opened again (default 1 s).
    pub retry_pause: Duration,
}

impl Default for DeliverOptions {
    fn default() -> Self {
        Self {
            from: ChangelogCursor::START,
            pump: PumpOptions::new(),
            retry_for: Duration::ZERO,
            retry_pause: Duration::from_secs(1),
        }
    }
}

impl DeliverOptions {
    /// From the oldest entry, without trying again.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where to begin in a target that holds nothing or cannot tell.
    #[must_use]
    pub fn from(mut self, cursor: ChangelogCursor) -> Self {
        self.from = cursor;
        self
    }

    /// How entries are gathered.
    #[must_use]
    pub fn pump(mut self, options: PumpOptions) -> Self {
        self.pump = options;
        self
    }

    /// How long a target may fail without taking anything before its error is returned.
    #[must_use]
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.retry_for = time;
        self
    }

    /// The pause before a target that failed is opened again.
    #[must_use]
    pub fn retry_pause(mut self, time: Duration) -> Self {
        self.retry_pause = time;
        self
    }
}

/// Opens a target, asks it where it stands, reads the changelog from right after that, and sends
/// until `read`'s source ends or the token is set. Where the target fails in a way that may pass,
/// all of it is done again, as long as the options say. `acknowledged` hears of each batch that the
/// target has, counted over all attempts. Returns how many entries that were.
///
/// # Errors
/// `HistoryDiverged`, in [`Error::Database`](crate::Error::Database), where the target holds another
/// history; else what the target, `read` or `acknowledged` says.
pub fn deliver<S: Source>(
    open: &mut dyn FnMut() -> Result<Box<dyn Sink>>,
    read: &mut dyn FnMut(ChangelogCursor) -> hexxladb::Result<S>,
    options: &DeliverOptions,
    acknowledged: &mut dyn FnMut(&Acknowledged) -> Result<()>,
) -> Result<u64> {
    let mut entries = 0;
    let mut failing_since: Option<Instant> = None;
    loop {
        let before = entries;
        let mut count = |now: &Acknowledged| {
            entries = before + now.entries;
            acknowledged(&Acknowledged { entries, ..*now })
        };
        let attempt = attempt(open, read, options, &mut count);
        if entries > before {
            failing_since = None;
        }
        let cancelled = options.pump.cancel.is_cancelled();
        match attempt {
            Ok(()) => return Ok(entries),
            Err(error) if cancelled || !error.may_pass() => return Err(error),
            Err(error) => {
                let since = *failing_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= options.retry_for {
                    return Err(error);
                }
            }
        }
        pause(options.retry_pause, &options.pump.cancel);
        if options.pump.cancel.is_cancelled() {
            return Ok(entries);
        }
    }
}

fn attempt<S: Source>(
    open: &mut dyn FnMut() -> Result<Box<dyn Sink>>,
    read: &mut dyn FnMut(ChangelogCursor) -> hexxladb::Result<S>,
    options: &DeliverOptions,
    acknowledged: &mut dyn FnMut(&Acknowledged) -> Result<()>,
) -> Result<()> {
    let mut sink = open()?;
    let mut source = read(sink.last_position()?.resume(options.from))?;
    pump(&mut source, &mut *sink, &options.pump, acknowledged).map(|_| ())
}

fn pause(time: Duration, cancel: &CancelToken) {
    let begun = Instant::now();
    while let Some(left) = time.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
        if cancel.is_cancelled() {
            return;
        }
        std::thread::sleep(left.min(LOOK));
    }
}
