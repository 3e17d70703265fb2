//! Git tags as snapshot tags: a tag on an imported commit names that commit's state.

use hexxladb::{Db, Error, ReadTx};

use super::layout::{altered, commit_key};
use super::object::ObjectId;
use super::repo::Repo;
use crate::failure::Failure;

/// A tag of the repository, on a commit that is imported.
pub(crate) struct Release {
    pub(crate) name: String,
    pub(crate) seq: u64,
}

/// The tags on imported commits whose names a snapshot tag can have, by name.
pub(crate) fn releases(repo: &Repo, head: &ReadTx) -> Result<Vec<Release>, Failure> {
    const MAX_NAME_BYTES: usize = 255;
    let mut found = Vec::new();
    for (name, commit) in repo.tags()? {
        let Ok(name) = String::from_utf8(name) else { continue };
        if let Some(seq) = sequence_of(head, commit)?
            && name.len() <= MAX_NAME_BYTES
        {
            found.push(Release { name, seq });
        }
    }
    Ok(found)
}

/// The sequence of a commit, if it is imported.
fn sequence_of(head: &ReadTx, commit: ObjectId) -> Result<Option<u64>, Failure> {
    let key = commit_key(commit);
    let Some(text) = head.get(&key)? else { return Ok(None) };
    let seq = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
    seq.map(Some).ok_or_else(|| altered(&key, "it names no sequence"))
}

/// Tags the database as the repository is tagged; returns how many tags are new or moved. Those
/// that the repository does not have stay.
pub(crate) fn tag(repo: &Repo, db: &Db) -> Result<u64, Failure> {
    let mut changed = 0;
    let there = db.snapshot_tags()?;
    for release in releases(repo, &*db.snapshot()?)? {
        let old = there.iter().find(|tag| tag.name == release.name);
        if old.is_some_and(|old| old.seq == release.seq) {
            continue;
        }
        match db.tag_snapshot_at(&release.name, release.seq) {
            // Git lets tags move.
            Err(Error::SnapshotTagExists { .. }) => {
                db.delete_snapshot_tag(&release.name)?;
                db.tag_snapshot_at(&release.name, release.seq)?;
            }
            // What is pruned cannot be named any more.
            Err(Error::SnapshotPruned { .. }) => continue,
            done => _ = done?,
        }
        changed += 1;
    }
    Ok(changed)
}
