//! Snapshot tags: names for sequences, which hold the prune floor at or below theirs.

use std::sync::Arc;

use crate::btree;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::keys::{self, LogicalKey, MAX_TEXT_BYTES, escaped_len};
use crate::maintenance::Maintenance;
use crate::timeline::{Source, read_value};
use crate::tx::{damaged, decoded};

/// A named snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SnapshotTag {
    /// Its name.
    pub name: String,
    /// The commit that it names; 0 is the empty database.
    pub seq: u64,
}

/// Puts a tag, on head where no sequence is given; returns its sequence.
pub(crate) fn put(core: &Arc<Core>, name: &str, seq: Option<u64>) -> Result<u64> {
    check_name(core, "snapshot tag", name)?;
    let mut maintenance = Maintenance::begin(core)?;
    let done = put_in(&mut maintenance, name, seq);
    // Whatever was seen on the way must be durable before anyone hears of it.
    maintenance.commit()?;
    done
}

fn put_in(maintenance: &mut Maintenance, name: &str, seq: Option<u64>) -> Result<u64> {
    let (head, floor) = (maintenance.root().seq, maintenance.root().floor);
    let seq = seq.unwrap_or(head);
    if seq > head {
        return Err(Error::ReadSeqFuture { seq, head });
    }
    if seq != 0 && seq < floor {
        return Err(Error::SnapshotPruned { seq, oldest: floor });
    }
    match get(&maintenance.source(), name)? {
        Some(old) if old == seq => {}
        Some(old) => {
            return Err(Error::SnapshotTagExists { name: name.to_owned(), seq: old });
        }
        None => maintenance.put_meta(&keys::tag_key(name), &seq.to_le_bytes())?,
    }
    Ok(seq)
}

/// Removes a tag; says whether there was one.
pub(crate) fn remove(core: &Arc<Core>, name: &str) -> Result<bool> {
    check_name(core, "snapshot tag", name)?;
    let mut maintenance = Maintenance::begin(core)?;
    let found = get(&maintenance.source(), name)?.is_some();
    if found {
        maintenance.remove(&keys::tag_key(name))?;
    }
    maintenance.commit()?;
    Ok(found)
}

/// The sequence that a tag names.
pub(crate) fn get(source: &Source<'_>, name: &str) -> Result<Option<u64>> {
    match source.meta(&keys::tag_key(name))? {
        Some(value) => sequence(source, &value).map(Some),
        None => Ok(None),
    }
}

/// All tags, by name.
pub(crate) fn all(source: &Source<'_>) -> Result<Vec<SnapshotTag>> {
    let mut tags = Vec::new();
    each(source, |tag| tags.push(tag))?;
    Ok(tags)
}

/// Tells every tag, by name.
pub(crate) fn each(source: &Source<'_>, mut tell: impl FnMut(SnapshotTag)) -> Result<()> {
    let range = keys::tag_range();
    let mut next = range.start.clone();
    while let Some(found) = btree::lower_bound(source.pager, &source.root.meta, &next)? {
        let mut key = found.leaf.keys.key(found.index);
        if !range.contains(&key) {
            break;
        }
        let LogicalKey::Tag(name) = decoded(source.pager, keys::decode_logical(&key))? else {
            return Err(damaged(source.pager, "a row of another kind among snapshot tags"));
        };
        let value = read_value(source.pager, &found.leaf, found.index)?;
        tell(SnapshotTag { name, seq: sequence(source, &value)? });
        key.push(0);
        next = key;
    }
    Ok(())
}

fn sequence(source: &Source<'_>, value: &[u8]) -> Result<u64> {
    let bytes = value.try_into().map_err(|_| damaged(source.pager, "a snapshot tag of no form"))?;
    Ok(u64::from_le_bytes(bytes))
}

/// Whether a tag, or what else is kept under a name, may have this one.
pub(crate) fn check_name(core: &Core, what: &'static str, name: &str) -> Result<()> {
    let len = escaped_len(name.as_bytes());
    // What the key takes beside the name.
    let overhead = keys::tag_key("").len();
    let max = MAX_TEXT_BYTES.min(core.limits.max_key_bytes() - overhead);
    if len > max {
        return Err(Error::KeyTooLarge { what, len, max });
    }
    if name.is_empty() {
        return Err(Error::invalid(what, "empty", "1 to 255 bytes"));
    }
    Ok(())
}
