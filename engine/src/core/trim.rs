//! Which sealed segments of the changelog go, and removing them.

use super::Core;
use super::changelog::Changelog;
use crate::changelog::{Segment, sealed_ordinals, sealed_path};
use crate::error::Result;
use crate::options::Durability;
use crate::timeline::consumers;
use crate::wal::parent_of;

/// What is kept, as it stands now.
struct Keep {
    /// Consumers have read everything before this commit; `None` where there is none.
    read_before: Option<u64>,
    /// Commits before this time may go.
    older_than: Option<i64>,
    /// Bytes over which the oldest segments may go.
    bytes: Option<u64>,
    /// What was read by all may go.
    consumed: bool,
}

impl Core {
    /// Removes the sealed segments that the options do not keep, oldest first; returns how many.
    pub(crate) fn trim_changelog(&self) -> Result<u64> {
        let Some(changelog) = &self.changelog else { return Ok(0) };
        let _one = changelog.lock_trim();
        self.trim(changelog)
    }

    fn trim(&self, changelog: &Changelog) -> Result<u64> {
        let options = &changelog.options;
        let keeps_all = options.keep_for.is_none() && options.keep_bytes.is_none();
        if keeps_all && !options.drop_consumed {
            return Ok(0);
        }
        let keep = self.keep(changelog)?;
        let home = &changelog.home;
        let mut sealed = Vec::new();
        let mut total = changelog.shown.get().offset;
        for ordinal in sealed_ordinals(&*home.vfs, &home.primary)? {
            let path = sealed_path(&home.primary, ordinal);
            let Some(segment) = Segment::open(&*home.vfs, &path)? else { continue };
            let bytes = segment.file.len()?;
            total += bytes;
            sealed.push((path, segment, bytes));
        }
        let mut removed = 0;
        for (path, segment, bytes) in sealed {
            // A damaged segment is for a repair to look at.
            let Some(end) = segment.sealed()? else { break };
            if !keep.may_go(end.last.seq, end.last.time, total) {
                break;
            }
            home.vfs.remove(&path)?;
            // One after the other: a later one that went alone would leave a gap.
            let synced = home.vfs.sync_dir(parent_of(&path));
            synced.map_err(|error| self.poison_unless_harmless(error.into()))?;
            total -= bytes;
            removed += 1;
        }
        Ok(removed)
    }

    fn keep(&self, changelog: &Changelog) -> Result<Keep> {
        let options = &changelog.options;
        if self.options.durability == Durability::Buffered {
            // A position that a power cut could take back has not been reached.
            self.sync_log()?;
        }
        let positions = consumers(&self.source(&self.group.load_full()))?;
        let older_than = options.keep_for.map(|age| {
            let age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
            self.vfs.clock().wall_nanos().saturating_sub(age)
        });
        Ok(Keep {
            read_before: positions.iter().map(|(_, position)| position.seq).min(),
            older_than,
            bytes: options.keep_bytes,
            consumed: options.drop_consumed,
        })
    }

    /// Trims after a rotation. What fails is tried again after the next one; while segments are
    /// archived, which a checkpoint must not wait for, after a later checkpoint.
    pub(crate) fn trim_changelog_if_due(&self) {
        if let Some(changelog) = &self.changelog
            && let Some(_one) = changelog.try_lock_trim()
            && changelog.take_trim_due()
        {
            let _ = self.trim(changelog);
        }
    }
}

impl Keep {
    /// Whether a segment may go that ends with this commit, when all take `total` bytes.
    fn may_go(&self, last: u64, time: i64, total: u64) -> bool {
        let read_by_all = self.read_before.is_none_or(|before| last < before);
        let old = self.older_than.is_some_and(|than| time < than);
        let over = self.bytes.is_some_and(|bytes| total > bytes);
        let consumed = self.consumed && self.read_before.is_some();
        read_by_all && (old || over || consumed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_goes_for_age_size_or_having_been_read_and_never_before_a_consumer() {
        let keep = |read_before, older_than, bytes, consumed| Keep {
            read_before,
            older_than,
            bytes,
            consumed,
        };
        // (what is kept, whether a segment of commit 10 and time 100 goes when all take 1000 B)
        for (keep, goes) in [
            (keep(None, None, None, false), false),
            (keep(None, Some(101), None, false), true),
            (keep(None, Some(100), None, false), false),
            (keep(None, None, Some(999), false), true),
            (keep(None, None, Some(1000), false), false),
            (keep(None, None, None, true), false),
            (keep(Some(11), None, None, true), true),
            (keep(Some(10), None, None, true), false),
            (keep(Some(10), Some(101), Some(1), true), false),
            (keep(Some(0), Some(101), Some(1), false), false),
        ] {
            assert_eq!(keep.may_go(10, 100, 1000), goes);
        }
    }
}
