//! Mending the changelog: what is intact stays, what the primary still knows is written anew, the
//! rest is declared lost; a changelog that does not fit is set aside.
//!
//! Always: no damaged file is removed, and no commit is passed over in silence.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hexxladb_vfs::{LockKind, LockOutcome, OpenMode, Vfs};
use sha2::{Digest, Sha256};

use crate::btree;
use crate::chain::{Chain, ChainedCommit};
use crate::changelog::{
    Added, Batch, CommitHead, Form, Home, Limits, Segment, State, Tail, active_path, aside_path,
    encode_commit, header_beside_writer, sealed_ordinals, sealed_path,
};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::format::changelog::{SegmentHead, Start};
use crate::format::header::ChangelogState;
use crate::ids::HistoryHash;
use crate::keys::{self, KeyBuf};
use crate::options::Options;
use crate::segments;
use crate::timeline::{Source, commit_at, newest_at};
use crate::wal::parent_of;

/// What [`Db::repair_changelog`](crate::Db::repair_changelog) did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ChangelogRepair {
    /// What was wrong, as reading would have told it.
    pub found: Vec<String>,
    /// Files that were set aside under these new names.
    pub set_aside: Vec<PathBuf>,
    /// Commits whose entries were written anew from the primary: first and last of each run.
    pub rebuilt: Vec<(u64, u64)>,
    /// Commits whose entries are lost: first and last of each run.
    pub lost: Vec<(u64, u64)>,
    /// Number and first commit of the oldest segment, whose header is damaged.
    #[cfg_attr(feature = "serde", serde(skip))]
    headless: Option<(u64, u64)>,
}

impl ChangelogRepair {
    /// Whether there was nothing to mend.
    pub fn is_clean(&self) -> bool {
        self.found.is_empty()
    }
}

/// Mends the files as far as that can be done without the database. Nobody has it open.
pub(crate) fn mend_files(
    vfs: &Arc<dyn Vfs>,
    primary: &Path,
    options: &Options,
) -> Result<ChangelogRepair> {
    let _lock = lock_primary(&**vfs, primary)?;
    let header = header_beside_writer(&**vfs, primary)?;
    let home = Home {
        vfs: Arc::clone(vfs),
        primary: primary.to_path_buf(),
        history: header.history,
        limits: Limits::of(options),
    };
    let mut done = ChangelogRepair::default();
    let begun = first_commit(&home)?;
    for ordinal in sealed_ordinals(&**vfs, primary)? {
        mend_sealed(&home, ordinal, &mut done)?;
    }
    mend_active(&home, &header.changelog, &mut done)?;
    let kept = first_commit(&home)?;
    if let Some((ordinal, first)) = begun.filter(|begun| kept.is_none_or(|kept| kept.0 > begun.0)) {
        done.headless = Some((ordinal, first));
    }
    Ok(done)
}

/// Number and first commit of the oldest segment, told by its first frame whatever its header
/// says; `None` where nothing tells.
fn first_commit(home: &Home) -> Result<Option<(u64, u64)>> {
    let vfs = &*home.vfs;
    let oldest = sealed_ordinals(vfs, &home.primary)?.first().copied();
    let path = oldest
        .map_or_else(|| active_path(&home.primary), |ordinal| sealed_path(&home.primary, ordinal));
    let state = header_beside_writer(vfs, &home.primary)?.changelog;
    let ordinal = oldest.unwrap_or(state.end.segment);
    let first = Segment::first_seq(vfs, &path, &home.history)?;
    // The first one of all begins where it was turned on.
    let first = first.or((ordinal == 1).then_some(state.since + 1));
    Ok(first.map(|first| (ordinal, first)))
}

fn lock_primary(vfs: &dyn Vfs, primary: &Path) -> Result<Arc<dyn hexxladb_vfs::File>> {
    if !vfs.exists(primary)? {
        return Err(Error::DatabaseMissing { path: primary.to_path_buf() });
    }
    let file = vfs.open(primary, OpenMode::ReadWrite)?;
    match file.try_lock(LockKind::Exclusive)? {
        LockOutcome::Acquired => Ok(file),
        LockOutcome::Held { holder } => {
            Err(Error::DatabaseLocked { path: primary.to_path_buf(), holder })
        }
    }
}

/// Sets every file of the changelog aside, which does not fit the primary.
pub(crate) fn set_all_aside(
    vfs: &Arc<dyn Vfs>,
    primary: &Path,
    why: &Error,
    done: &mut ChangelogRepair,
) -> Result<()> {
    let _lock = lock_primary(&**vfs, primary)?;
    done.found.push(why.to_string());
    for ordinal in sealed_ordinals(&**vfs, primary)? {
        set_aside(&**vfs, &sealed_path(primary, ordinal), done)?;
    }
    let active = active_path(primary);
    if vfs.exists(&active)? { set_aside(&**vfs, &active, done) } else { Ok(()) }
}

fn set_aside(vfs: &dyn Vfs, path: &Path, done: &mut ChangelogRepair) -> Result<()> {
    let aside = aside_path(vfs, path)?;
    vfs.rename(path, &aside)?;
    vfs.sync_dir(parent_of(path))?;
    done.set_aside.push(aside);
    Ok(())
}

/// The segment, if its header is intact, of this history, and of the number that its name says;
/// else the file is set aside.
fn usable(
    home: &Home,
    path: &Path,
    ordinal: Option<u64>,
    done: &mut ChangelogRepair,
) -> Result<Option<Segment>> {
    let found = match Segment::open(&*home.vfs, path) {
        Ok(None) => return Ok(None),
        Ok(Some(segment)) if segment.head.history == home.history => {
            let number = segment.head.ordinal;
            if ordinal.is_none_or(|ordinal| ordinal == number) {
                return Ok(Some(segment));
            }
            segment.corrupt(0, 0, format!("it is segment {number} under another's name"))
        }
        Ok(Some(_)) => Error::ChangelogForeign { path: path.to_path_buf() },
        Err(error @ Error::ChangelogCorrupt { .. }) => error,
        Err(error) => return Err(error),
    };
    done.found.push(found.to_string());
    set_aside(&*home.vfs, path, done)?;
    Ok(None)
}

fn mend_sealed(home: &Home, ordinal: u64, done: &mut ChangelogRepair) -> Result<()> {
    let path = sealed_path(&home.primary, ordinal);
    let Some(segment) = usable(home, &path, Some(ordinal), done)? else { return Ok(()) };
    let Err(damage) = segments::whole(&segment) else { return Ok(()) };
    done.found.push(damage.to_string());
    let reached = segment.read_on(&segment.start())?;
    // What is lost reaches to the next segment, which says where it begins.
    let next = base_after(home, ordinal)?.unwrap_or(reached.seq);
    let lost_to = if next > reached.seq { next } else { 0 };
    copy_aside(home, &segment, &path, done)?;
    Tail::mend(home, &segment, &reached, lost_to, |_| Ok(()))
}

/// Keeps a segment as it is before another takes its name.
fn copy_aside(
    home: &Home,
    segment: &Segment,
    path: &Path,
    done: &mut ChangelogRepair,
) -> Result<()> {
    let aside = aside_path(&*home.vfs, path)?;
    segments::copy(&*home.vfs, segment, &aside)?;
    home.vfs.sync_dir(parent_of(&aside))?;
    done.set_aside.push(aside);
    Ok(())
}

/// Where the entries of the next segment begin.
fn base_after(home: &Home, ordinal: u64) -> Result<Option<u64>> {
    let vfs = &*home.vfs;
    for later in sealed_ordinals(vfs, &home.primary)? {
        if later > ordinal
            && let Ok(Some(segment)) = Segment::open(vfs, &sealed_path(&home.primary, later))
        {
            return Ok(Some(segment.head.base));
        }
    }
    match Segment::open(vfs, &active_path(&home.primary)) {
        Ok(active) => Ok(active.map(|active| active.head.base)),
        Err(Error::ChangelogCorrupt { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The active segment holds all that the header counts on, or it is sealed where it breaks off.
fn mend_active(home: &Home, state: &ChangelogState, done: &mut ChangelogRepair) -> Result<()> {
    let path = active_path(&home.primary);
    let Some(segment) = usable(home, &path, None, done)? else { return Ok(()) };
    let end = &state.end;
    let reached = segment.read_on(&segment.start())?;
    if segment.head.ordinal != end.segment || reached.sealed || reached.offset >= end.offset {
        return Ok(());
    }
    let what = reached.broken.clone().unwrap_or_else(|| "it ends before it should".into());
    done.found.push(segment.corrupt(reached.offset, reached.seq, what).to_string());
    if reached.seq >= end.seq {
        // All entries are there: opening copies them.
        return copy_aside(home, &segment, &path, done);
    }
    Tail::mend(home, &segment, &reached, end.seq, |_| Ok(()))?;
    set_aside(&*home.vfs, &path, done)
}

/// Writes anew what the primary still knows of the commits that the changelog lost.
pub(crate) fn rebuild(core: &Arc<Core>, done: &mut ChangelogRepair) -> Result<()> {
    let Some(changelog) = &core.changelog else { return Err(Error::ChangelogDisabled) };
    let home = &changelog.home;
    let form = changelog.form();
    if let Some((ordinal, first)) = done.headless.take() {
        rebuild_oldest(core, home, form, (ordinal, first), done)?;
    }
    for ordinal in sealed_ordinals(&*home.vfs, &home.primary)? {
        let path = sealed_path(&home.primary, ordinal);
        let Some(segment) = Segment::open(&*home.vfs, &path)? else { continue };
        let Some(sealed) = segment.sealed()? else { continue };
        let (last, lost_to) = (sealed.last.seq, lost_after(home, &segment, sealed.last.seq)?);
        if lost_to <= last {
            continue;
        }
        let run = (last + 1, lost_to);
        let reached = segment.read_on(&segment.start())?;
        let rebuilt = Tail::mend(home, &segment, &reached, 0, |tail| {
            core.read(|source| write_commits(&source, home, form, run, tail))
        });
        match rebuilt {
            Ok(()) => done.rebuilt.push(run),
            Err(Error::SnapshotPruned { .. }) => {
                if sealed.footer.lost_to < lost_to {
                    Tail::mend(home, &segment, &reached, lost_to, |_| Ok(()))?;
                }
                done.lost.push(run);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes the oldest segment anew, up to where the next one begins.
fn rebuild_oldest(
    core: &Core,
    home: &Home,
    form: Form,
    (ordinal, first): (u64, u64),
    done: &mut ChangelogRepair,
) -> Result<()> {
    let Some(last) = base_after(home, ordinal)?.filter(|&last| last >= first) else {
        return Ok(());
    };
    let before = core.read(|source| match first - 1 {
        0 => Ok(Some(HistoryHash::default())),
        seq => Ok(commit_at(&source, seq)?.map(|commit| commit.history_hash)),
    })?;
    let head = before.map(|hash| home.head(ordinal, Start::TurnedOn, (first - 1, hash)));
    let made = head.map(|head| {
        Tail::make(home, head, |tail| {
            core.read(|source| write_commits(&source, home, form, (first, last), tail))
        })
    });
    match made {
        Some(Ok(())) => done.rebuilt.push((first, last)),
        None | Some(Err(Error::SnapshotPruned { .. })) => done.lost.push((first, last)),
        Some(Err(error)) => return Err(error),
    }
    Ok(())
}

/// Up to where commits after a sealed segment are lost, by its footer or by how the next begins.
fn lost_after(home: &Home, segment: &Segment, last: u64) -> Result<u64> {
    let vfs = &*home.vfs;
    let ordinal = segment.head.ordinal;
    let later = sealed_ordinals(vfs, &home.primary)?.into_iter().find(|&later| later > ordinal);
    let next = match later {
        Some(later) => Segment::open(vfs, &sealed_path(&home.primary, later))?,
        None => Segment::open(vfs, &active_path(&home.primary))?,
    };
    let off_before = |head: &SegmentHead| head.start == Start::TurnedOn;
    Ok(next.map_or(last, |next| if off_before(&next.head) { last } else { next.head.base }))
}

/// Commits that are looked for in one walk over the tree.
const WINDOW: u64 = 256;

/// Writes the entries of commits from the versions that they left; `SnapshotPruned` where some are
/// gone.
fn write_commits(
    source: &Source<'_>,
    home: &Home,
    form: Form,
    (first, last): (u64, u64),
    tail: &mut Tail,
) -> Result<()> {
    let gone = |seq| Error::SnapshotPruned { seq, oldest: source.root.floor };
    if !source.mvcc || first <= source.root.floor {
        return Err(gone(first));
    }
    let mut batch = Batch::new(home.limits);
    let mut before = tail.last().1;
    let mut from = first;
    while from <= last {
        let to = last.min(from + WINDOW - 1);
        let mut touched = touched(source, from, to)?;
        for seq in from..=to {
            let Some(commit) = commit_at(source, seq)? else { return Err(gone(seq)) };
            let keys = touched.remove(&seq).unwrap_or_default();
            let (time, hash, note) = (commit.time, commit.history_hash, commit.note);
            let commit = CommitHead { seq, time, hash, note };
            if hash_of(source, &commit, before, &keys)? != hash {
                return Err(gone(seq));
            }
            let added =
                Added { seq, time: time.as_nanos(), hash, entries: keys.len() as u32, bytes: 0 };
            let (old, new) =
                (State { source: *source, seq: seq - 1 }, State { source: *source, seq });
            batch.commit(tail, added, |write| {
                encode_commit(form, &commit, &keys, old, new, write)
            })?;
            before = hash;
        }
        from = to + 1;
    }
    batch.flush(tail)
}

/// The records that commits touched, in the order of their keys.
fn touched(source: &Source<'_>, from: u64, to: u64) -> Result<BTreeMap<u64, Vec<KeyBuf>>> {
    let mut found: BTreeMap<u64, Vec<KeyBuf>> = BTreeMap::new();
    let range = keys::all_records_range();
    let mut next = Some(range.start.clone());
    while let Some(start) = next.take() {
        let Some(span) =
            btree::newer_leaf_at_or_after(source.pager, &source.root.records, &start, from - 1)?
        else {
            break;
        };
        for index in span.index..span.leaf.keys.count() {
            let key = span.leaf.keys.key(index);
            if !range.contains(&key) {
                return Ok(found);
            }
            if let Some((logical, seq)) = keys::split_seq(&key)
                && (from..=to).contains(&seq)
            {
                found.entry(seq).or_default().push(KeyBuf::from_slice(logical));
            }
        }
        next = span.upper;
    }
    Ok(found)
}

/// The history hash that a commit has if these are all the records that it touched.
fn hash_of(
    source: &Source<'_>,
    commit: &CommitHead,
    before: HistoryHash,
    keys: &[KeyBuf],
) -> Result<HistoryHash> {
    let mut chain = Chain::begin(&ChainedCommit {
        before,
        seq: commit.seq,
        time: commit.time,
        note: commit.note.as_deref(),
        records: keys.len() as u32,
    });
    for key in keys {
        let row = newest_at(source, key, commit.seq)?;
        let value = row.map(|row| source.value(&row)).transpose()?.flatten();
        let digest: Option<[u8; 32]> = value.map(|value| Sha256::digest(&value).into());
        chain.record(key, digest.as_ref());
    }
    Ok(chain.finish())
}

/// Whether a repair sets the changelog aside for it.
pub(crate) fn is_misfit(error: &Error) -> bool {
    matches!(
        error,
        Error::ChangelogMismatch { .. }
            | Error::ChangelogForeign { .. }
            | Error::ChangelogCorrupt { .. }
            | Error::ChangelogGap { .. }
            | Error::HistoryDiverged { .. }
    )
}
