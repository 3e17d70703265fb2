//! Reading the changelog: through a handle that writes it, or beside one in another process.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hexxladb_vfs::{RealVfs, Vfs};

use crate::cancel::{CancelToken, Progress};
use crate::changelog::{
    ChangelogCursor, ChangelogEntry, ChangelogFilter, Home, Limit, Limits, Scan,
    header_beside_writer,
};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::options::ChangelogValues;
use crate::segments::{self, ChangelogInfo, ChangelogVerified};
use crate::sync::{lock, pause};

/// How long a follower sleeps at most before it looks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(50);
/// How long it sleeps between two looks at files that another process writes.
const POLL: Duration = Duration::from_millis(5);

/// Where entries come from.
#[derive(Clone)]
enum Source {
    /// A handle that writes them.
    Handle(Arc<Core>),
    /// The files, which another process may be writing.
    Files,
}

impl Source {
    fn check(&self) -> Result<()> {
        match self {
            Self::Handle(core) => core.check_open(),
            Self::Files => Ok(()),
        }
    }

    /// Nothing comes any more from a handle whose writing has failed.
    fn check_alive(&self) -> Result<()> {
        match self {
            Self::Handle(core) if core.changelog.is_some() => match core.failure() {
                Some(cause) => Err(Error::Poisoned { cause }),
                None => Ok(()),
            },
            Self::Handle(_) | Self::Files => Ok(()),
        }
    }
}

/// Entries of the changelog in order, each read as it is asked for. Ends where the changelog
/// ended when reading began, or after an error.
pub struct ChangelogEntries {
    source: Source,
    scan: Scan,
    filter: ChangelogFilter,
    /// Commits after this one are not read; `None` for what is there when the end is reached.
    last: Option<u64>,
    ended: bool,
}

impl ChangelogEntries {
    fn new(source: Source, scan: Scan, filter: ChangelogFilter, last: Option<u64>) -> Self {
        Self { source, scan, filter, last, ended: false }
    }

    /// Where reading goes on, entries that the filter passed over included.
    pub fn cursor(&self) -> ChangelogCursor {
        self.scan.cursor()
    }
}

impl Iterator for ChangelogEntries {
    type Item = Result<ChangelogEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            // Every entry that a commit has is read before the end is asked for.
            let cursor = self.scan.cursor();
            if self.last.is_some_and(|last| cursor.seq > last) {
                break;
            }
            match self.source.check().and_then(|()| self.scan.next()) {
                Ok(Some(entry)) if !self.filter.passes(&entry) => {}
                Ok(Some(entry)) => return Some(Ok(entry)),
                Ok(None) => break,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        self.ended = true;
        None
    }
}

impl std::iter::FusedIterator for ChangelogEntries {}

/// How a follower waits.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Follow {
    /// Which entries are wanted.
    pub filter: ChangelogFilter,
    /// How long to wait for an entry; without it, for ever.
    pub timeout: Option<Duration>,
    /// Ends the waiting from elsewhere.
    pub cancel: CancelToken,
}

impl Follow {
    /// Everything, for ever.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only entries that pass.
    #[must_use]
    pub fn filter(mut self, filter: ChangelogFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Waits so long for an entry, then `next` is `None`; calling it again waits anew.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Ends when the token is set: within about 50 ms `next` is `None` for good.
    #[must_use]
    pub fn cancel(mut self, cancel: CancelToken) -> Self {
        self.cancel = cancel;
        self
    }
}

/// Entries of the changelog in order, waiting for those to come. `next` is `None` when the time
/// is up or the token is set, and after an error.
pub struct ChangelogFollow {
    source: Source,
    vfs: Arc<dyn Vfs>,
    scan: Scan,
    follow: Follow,
    ended: bool,
}

impl ChangelogFollow {
    /// Where reading goes on, entries that the filter passed over included.
    pub fn cursor(&self) -> ChangelogCursor {
        self.scan.cursor()
    }

    /// The next entry that is there already.
    ///
    /// # Errors
    /// As [`Db::read_changelog`](crate::Db::read_changelog).
    pub fn try_next(&mut self) -> Result<Option<ChangelogEntry>> {
        loop {
            self.source.check()?;
            match self.scan.next()? {
                Some(entry) if !self.follow.filter.passes(&entry) => {
                    if self.follow.cancel.is_cancelled() {
                        return Ok(None);
                    }
                }
                found => return Ok(found),
            }
        }
    }

    fn wait_for_next(&mut self) -> Result<Option<ChangelogEntry>> {
        let begun = self.vfs.clock().monotonic_nanos();
        loop {
            if self.follow.cancel.is_cancelled() {
                self.ended = true;
                return Ok(None);
            }
            let seen = match &self.source {
                Source::Handle(core) => core.changelog.as_ref().map(|log| log.shown.get()),
                Source::Files => None,
            };
            if let Some(entry) = self.try_next()? {
                return Ok(Some(entry));
            }
            self.source.check_alive()?;
            let waited = self.vfs.clock().monotonic_nanos().saturating_sub(begun);
            let waited = Duration::from_nanos(waited);
            let left = match self.follow.timeout {
                Some(timeout) if waited >= timeout => return Ok(None),
                Some(timeout) => timeout.saturating_sub(waited),
                None => LOOK,
            };
            match (&self.source, seen) {
                (Source::Handle(core), Some(seen)) => {
                    if let Some(changelog) = &core.changelog {
                        changelog.shown.wait_beyond(seen, left.min(LOOK));
                    }
                }
                _ => pause(left.min(POLL)),
            }
        }
    }
}

impl Iterator for ChangelogFollow {
    type Item = Result<ChangelogEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.wait_for_next();
        self.ended |= next.is_err();
        next.transpose()
    }
}

/// Reads the changelog of a database beside a process that writes it: takes no lock, changes no
/// byte, and shows durable commits alone.
///
/// ```no_run
/// use hexxladb::{ChangelogCursor, ChangelogReader, Error, Follow};
/// let reader = ChangelogReader::open("memory.hexx")?;
/// for entry in reader.follow(ChangelogCursor::START, Follow::new())? {
///     let entry = entry?;
///     println!("{} {} {:?}", entry.seq, entry.op, entry.key);
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct ChangelogReader {
    home: Home,
}

impl ChangelogReader {
    /// The changelog of the database at `path`.
    ///
    /// # Errors
    /// [`Error::ChangelogDisabled`] where it was never turned on, [`Error::DatabaseMissing`],
    /// [`Error::NotADatabase`], I/O errors.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(Arc::new(RealVfs::new()), path)
    }

    /// The changelog of the database at `path` of a file system of the caller's own.
    ///
    /// # Errors
    /// As [`ChangelogReader::open`].
    pub fn open_with(vfs: Arc<dyn Vfs>, path: impl AsRef<Path>) -> Result<Self> {
        let primary: PathBuf = path.as_ref().to_path_buf();
        if !vfs.exists(&primary)? {
            return Err(Error::DatabaseMissing { path: primary });
        }
        let header = header_beside_writer(&*vfs, &primary)?;
        if header.changelog.end.segment == 0 {
            return Err(Error::ChangelogDisabled);
        }
        let limits = Limits::default();
        Ok(Self { home: Home { vfs, primary, history: header.history, limits } })
    }

    /// The segments that [`Db::archive_changelog`](crate::Db::archive_changelog) copied to a
    /// directory, alone.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the directory does not hold the segments of one changelog,
    /// [`Error::ChangelogCorrupt`], I/O errors.
    pub fn open_archive(dir: impl AsRef<Path>) -> Result<Self> {
        Self::open_archive_with(Arc::new(RealVfs::new()), dir)
    }

    /// The segments in a directory of a file system of the caller's own.
    ///
    /// # Errors
    /// As [`ChangelogReader::open_archive`].
    pub fn open_archive_with(vfs: Arc<dyn Vfs>, dir: impl AsRef<Path>) -> Result<Self> {
        Ok(Self { home: segments::archived(vfs, dir.as_ref())? })
    }

    /// What entries of the commits that are made by now hold of values, as the primary says;
    /// `None` where it says that the changelog is off, and for an archive. Looks anew each time.
    ///
    /// ```
    /// # use hexxladb::{ChangelogOptions, ChangelogReader, ChangelogValues, Db, Error, Options};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("memory.hexx");
    /// let hashes = ChangelogOptions::new().values(ChangelogValues::Hash);
    /// let db = Db::open(&path, Options::new().changelog(hashes))?;
    /// let reader = ChangelogReader::open(&path)?;
    /// assert_eq!(reader.values()?, Some(ChangelogValues::Hash));
    /// # db.close()?;
    /// # drop(db);
    /// let db = Db::open(&path, Options::new())?;
    /// db.update(|tx| tx.put("k", "1"))?;
    /// assert_eq!(reader.values()?, None);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotADatabase`], I/O errors.
    pub fn values(&self) -> Result<Option<ChangelogValues>> {
        let Home { vfs, primary, .. } = &self.home;
        if !vfs.exists(primary)? {
            return Ok(None);
        }
        let state = header_beside_writer(&**vfs, primary)?.changelog;
        Ok(state.on.then_some(state.values))
    }

    /// Copies the sealed segments to a directory, as [`Db::archive_changelog`] does through a handle
    /// that writes.
    ///
    /// # Errors
    /// [`Error::ChangelogCorrupt`] for a segment that is damaged, I/O errors.
    ///
    /// [`Db::archive_changelog`]: crate::Db::archive_changelog
    pub fn archive(&self, dir: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
        segments::archive(&self.home, dir.as_ref())
    }

    fn limit(&self) -> Limit {
        Limit::files(Arc::clone(&self.home.vfs), self.home.primary.clone())
    }

    fn scan(&self, cursor: ChangelogCursor) -> Scan {
        Scan::new(self.home.clone(), self.limit(), cursor)
    }

    /// What there is: segments, commits, bytes.
    ///
    /// # Errors
    /// I/O errors and damage.
    pub fn info(&self) -> Result<ChangelogInfo> {
        segments::info(&self.home, &mut self.limit())
    }

    /// Reads everything and computes every history hash anew: nobody has changed, removed or
    /// inserted a commit where this is `Ok` and the last hash is the one that was expected. Tells
    /// progress in commits.
    ///
    /// # Errors
    /// [`Error::ChangelogCorrupt`] at damage, [`Error::HistoryDiverged`] at the first commit whose
    /// entries do not have its hash, I/O errors.
    pub fn verify(&self, progress: Option<&Progress>) -> Result<ChangelogVerified> {
        segments::verify(&self.home, || self.limit(), progress)
    }

    /// Entries of the commits after `seq`; 0 is everything that is there.
    ///
    /// # Errors
    /// None at present: what there is to say the iterator says.
    pub fn read_since(&self, seq: u64) -> Result<ChangelogEntries> {
        self.read(since(seq), ChangelogFilter::new())
    }

    /// Entries from a cursor on that pass the filter.
    ///
    /// # Errors
    /// As [`ChangelogReader::read_since`].
    pub fn read(
        &self,
        cursor: ChangelogCursor,
        filter: ChangelogFilter,
    ) -> Result<ChangelogEntries> {
        Ok(ChangelogEntries::new(Source::Files, self.scan(cursor), filter, None))
    }

    /// Entries from a cursor on, waiting for those to come. Looks about every 5 ms.
    ///
    /// # Errors
    /// As [`ChangelogReader::read_since`].
    pub fn follow(&self, cursor: ChangelogCursor, follow: Follow) -> Result<ChangelogFollow> {
        Ok(ChangelogFollow {
            source: Source::Files,
            vfs: Arc::clone(&self.home.vfs),
            scan: self.scan(cursor),
            follow,
            ended: false,
        })
    }
}

/// The cursor of the commits after `seq`.
pub(crate) fn since(seq: u64) -> ChangelogCursor {
    if seq == 0 { ChangelogCursor::START } else { ChangelogCursor::after(seq) }
}

/// The changelog of a handle as far as it is written when this is called, and where that is.
fn scan_of(core: &Arc<Core>, cursor: ChangelogCursor) -> Result<(Source, Scan, Option<u64>)> {
    core.check_open()?;
    let Some(changelog) = &core.changelog else {
        // A handle for reading writes none: it shows what the files hold.
        let header = lock(&core.header).clone();
        if !core.options.read_only || header.changelog.end.segment == 0 {
            return Err(Error::ChangelogDisabled);
        }
        let limit = Limit::files(Arc::clone(&core.vfs), core.path.clone());
        let scan = Scan::new(crate::core::home_of(core), limit, cursor);
        return Ok((Source::Handle(Arc::clone(core)), scan, None));
    };
    // A handle that can write no more still shows what it has written.
    let _ = core.catch_up_changelog();
    let end = changelog.shown.get();
    let last = end.seq;
    // Commits that readers see may not be durable yet; their entries are still to come.
    let head = core.group.load().seq.max(last);
    if cursor.seq > head + 1 || (cursor.seq > head && cursor.index > 0) {
        return Err(Error::ReadSeqFuture { seq: cursor.seq, head });
    }
    // Nothing is read from there, so nothing that is read would tell.
    let at_end = cursor.seq == last + 1 && cursor.index == 0;
    if at_end && cursor.hash.is_some_and(|hash| hash != end.hash) {
        return Err(Error::HistoryDiverged { seq: last });
    }
    let limit = Limit::Shown(Arc::clone(&changelog.shown));
    let scan = Scan::new(changelog.home.clone(), limit, cursor);
    Ok((Source::Handle(Arc::clone(core)), scan, Some(last)))
}

/// Entries from a cursor on, through a handle.
pub(crate) fn read(
    core: &Arc<Core>,
    cursor: ChangelogCursor,
    filter: ChangelogFilter,
) -> Result<ChangelogEntries> {
    let (source, scan, last) = scan_of(core, cursor)?;
    Ok(ChangelogEntries::new(source, scan, filter, last))
}

/// Entries from a cursor on, waiting for those to come, through a handle.
pub(crate) fn follow(
    core: &Arc<Core>,
    cursor: ChangelogCursor,
    follow: Follow,
) -> Result<ChangelogFollow> {
    let (source, scan, _) = scan_of(core, cursor)?;
    Ok(ChangelogFollow { source, vfs: Arc::clone(&core.vfs), scan, follow, ended: false })
}
