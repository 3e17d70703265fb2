//! The changelog's files as a whole: what there is, copying sealed segments away, and verifying
//! every hash.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hexxladb_vfs::{FileExt, OpenMode, Vfs};
use sha2::{Digest, Sha256};

use crate::cancel::Progress;
use crate::chain::{Chain, ChainedCommit};
use crate::changelog::{
    ChangelogCursor, ChangelogEntry, ChangelogOp, ChangelogValue, Home, Limit, Limits, Reached,
    Scan, Segment, active_path, sealed_ordinals, sealed_path,
};
use crate::error::{Error, Result};
use crate::ids::HistoryHash;
use crate::wal::parent_of;

/// One file of the changelog.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ChangelogSegment {
    /// Its number; segments count from 1.
    pub ordinal: u64,
    /// Its path.
    pub path: PathBuf,
    /// The commit after which its entries begin.
    pub base: u64,
    /// The last commit in it; `base` where there is none.
    pub last: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// No more will be written to it.
    pub sealed: bool,
}

/// What there is of a changelog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ChangelogInfo {
    /// The oldest commit whose entries are there; `None` where there is none.
    pub oldest: Option<u64>,
    /// The newest one.
    pub last: u64,
    /// Bytes of all segments.
    pub bytes: u64,
    /// The segments, oldest first.
    pub segments: Vec<ChangelogSegment>,
}

/// What is there, beside a writer or not.
pub(crate) fn info(home: &Home, limit: &mut Limit) -> Result<ChangelogInfo> {
    let mut info = ChangelogInfo::default();
    for segment in segments(home)? {
        let bytes = segment.file.len()?;
        let sealed = segment.sealed()?;
        let (offset, last) = match &sealed {
            Some(sealed) => (bytes, sealed.last.seq),
            None => last_of_open(&segment, limit)?,
        };
        let base = segment.head.base;
        if last > base {
            info.oldest.get_or_insert(base + 1);
        }
        info.last = last;
        info.bytes += offset;
        info.segments.push(ChangelogSegment {
            ordinal: segment.head.ordinal,
            path: segment.file.path().to_path_buf(),
            base,
            last,
            bytes: offset,
            sealed: sealed.is_some(),
        });
    }
    Ok(info)
}

/// How far the segment that is being written goes, in bytes and commits.
fn last_of_open(segment: &Segment, limit: &mut Limit) -> Result<(u64, u64)> {
    if let Limit::Shown(shown) = limit {
        let end = shown.get();
        if end.segment == segment.head.ordinal {
            return Ok((end.offset, end.seq));
        }
    }
    let reached = segment.read_on(&segment.start())?;
    Ok((reached.offset, reached.seq))
}

/// All segments of the history, oldest first.
fn segments(home: &Home) -> Result<Vec<Segment>> {
    let mut found = Vec::new();
    for ordinal in sealed_ordinals(&*home.vfs, &home.primary)? {
        found.extend(Segment::open(&*home.vfs, &sealed_path(&home.primary, ordinal))?);
    }
    found.extend(Segment::open(&*home.vfs, &active_path(&home.primary))?);
    found.retain(|segment| segment.head.history == home.history);
    Ok(found)
}

/// Copies the sealed segments that are not in the directory yet; returns the new files. Each is
/// complete, durable and read once before it takes its name.
pub(crate) fn archive(home: &Home, dir: &Path) -> Result<Vec<PathBuf>> {
    let vfs = &*home.vfs;
    let mut copied = Vec::new();
    for ordinal in sealed_ordinals(vfs, &home.primary)? {
        let from = sealed_path(&home.primary, ordinal);
        let Some(name) = from.file_name() else { continue };
        let to = dir.join(name);
        let Some(segment) = Segment::open(vfs, &from)? else { continue };
        if let Some(there) = Segment::open(vfs, &to)? {
            if there.head == segment.head {
                continue;
            }
            return Err(Error::ChangelogForeign { path: to });
        }
        let mut unfinished = to.clone().into_os_string();
        unfinished.push("-new");
        let unfinished = PathBuf::from(unfinished);
        copy(vfs, &segment, &unfinished)?;
        let same = Segment::open(vfs, &unfinished)?;
        if let Some(same) = same {
            whole(&same)?;
        }
        vfs.rename(&unfinished, &to)?;
        vfs.sync_dir(parent_of(&to))?;
        copied.push(to);
    }
    Ok(copied)
}

/// Copies a segment's bytes, durable.
pub(crate) fn copy(vfs: &dyn Vfs, from: &Segment, to: &Path) -> Result<()> {
    let file = vfs.open(to, OpenMode::Create)?;
    file.set_len(0)?;
    let (len, mut at) = (from.file.len()?, 0);
    let mut piece = vec![0; 256 << 10];
    while at < len {
        let count = piece.len().min((len - at) as usize);
        from.file.read_exact_at(at, &mut piece[..count])?;
        file.write_all_at(at, &piece[..count])?;
        at += count as u64;
    }
    Ok(file.sync_all()?)
}

/// Reads a sealed segment through to its footer.
pub(crate) fn whole(segment: &Segment) -> Result<Reached> {
    let reached = segment.read_on(&segment.start())?;
    match (&reached.broken, segment.sealed()?) {
        (None, Some(_)) if reached.sealed => Ok(reached),
        (broken, _) => {
            let what = broken.clone().unwrap_or_else(|| "it ends without a footer".into());
            Err(segment.corrupt(reached.offset, reached.seq, what))
        }
    }
}

/// The segments of an archive as a changelog: `dir` holds those of one database.
pub(crate) fn archived(vfs: Arc<dyn Vfs>, dir: &Path) -> Result<Home> {
    let refused = |given: String| Error::invalid("archive", given, "segments of one changelog");
    let mut primaries: Vec<PathBuf> = Vec::new();
    for name in vfs.list(dir)? {
        let Some(name) = name.to_str() else { continue };
        if let Some((primary, ordinal)) = name.rsplit_once("-changelog.")
            && ordinal.bytes().all(|byte| byte.is_ascii_digit())
        {
            primaries.push(dir.join(primary));
        }
    }
    primaries.dedup();
    let [primary] = &primaries[..] else {
        return Err(refused(format!("{} with {} of them", dir.display(), primaries.len())));
    };
    let first = sealed_ordinals(&*vfs, primary)?.first().copied().unwrap_or_default();
    let Some(segment) = Segment::open(&*vfs, &sealed_path(primary, first))? else {
        return Err(refused(dir.display().to_string()));
    };
    let history = segment.head.history;
    Ok(Home { vfs, primary: primary.clone(), history, limits: Limits::default() })
}

/// What [`ChangelogReader::verify`](crate::ChangelogReader::verify) read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ChangelogVerified {
    /// The oldest commit; `None` where there is none.
    pub oldest: Option<u64>,
    /// The newest one.
    pub last: u64,
    /// Commits read.
    pub commits: u64,
    /// Their entries.
    pub entries: u64,
    /// Commits whose history hash was computed anew: all but those whose entries lack values.
    pub hashes: u64,
    /// Commits that the changelog says it lacks: first and last of each gap.
    pub gaps: Vec<(u64, u64)>,
}

/// Reads every entry, and computes every history hash anew.
pub(crate) fn verify(
    home: &Home,
    mut limit: impl FnMut() -> Limit,
    progress: Option<&Progress>,
) -> Result<ChangelogVerified> {
    let mut done = ChangelogVerified::default();
    let mut cursor = ChangelogCursor::START;
    'gaps: loop {
        let mut scan = Scan::new(home.clone(), limit(), cursor);
        let mut chain = None;
        loop {
            let entry = match scan.next() {
                Ok(Some(entry)) => entry,
                Ok(None) => return Ok(done),
                Err(Error::ChangelogGap { first, last }) => {
                    done.gaps.push((first, last));
                    cursor = ChangelogCursor::after(last);
                    continue 'gaps;
                }
                Err(error) => return Err(error),
            };
            done.oldest.get_or_insert(entry.seq);
            done.last = entry.seq;
            done.entries += u64::from(entry.op != ChangelogOp::Note);
            if add(&mut chain, &entry)? {
                done.hashes += 1;
            }
            if entry.last_in_commit {
                done.commits += 1;
                if let Some(progress) = progress.filter(|_| done.commits.is_multiple_of(1024)) {
                    progress(done.commits);
                }
            }
        }
    }
}

/// Adds an entry to its commit's hash; says whether the commit is complete and has that hash.
fn add(chain: &mut Option<Chain>, entry: &ChangelogEntry) -> Result<bool> {
    if entry.index == 0 {
        let note = entry.op == ChangelogOp::Note;
        *chain = Some(Chain::begin(&ChainedCommit {
            before: entry.previous_hash,
            seq: entry.seq,
            time: entry.time,
            note: entry.note.as_deref(),
            records: if note { 0 } else { entry.commit_entries() },
        }));
    }
    let Some(open) = chain.as_mut() else { return Ok(false) };
    let digest = match &entry.value {
        ChangelogValue::Full(value) => Some(Sha256::digest(value).into()),
        ChangelogValue::Hash(hash) => Some(*hash),
        ChangelogValue::None => None,
    };
    match (&entry.key, entry.op, digest) {
        (None, ..) => {}
        (Some(key), ChangelogOp::Delete, _) => open.named(key, None),
        (Some(key), _, Some(digest)) => open.named(key, Some(&digest)),
        // Without values nothing can be said of the commit.
        (Some(_), _, None) => *chain = None,
    }
    if !entry.last_in_commit {
        return Ok(false);
    }
    let Some(hash) = chain.take().map(Chain::finish) else { return Ok(false) };
    agree(entry, hash).map(|()| true)
}

fn agree(entry: &ChangelogEntry, hash: HistoryHash) -> Result<()> {
    if hash == entry.history_hash { Ok(()) } else { Err(Error::HistoryDiverged { seq: entry.seq }) }
}
