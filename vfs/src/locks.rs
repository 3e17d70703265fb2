//! Who holds the advisory lock of one file, for the backends that keep this themselves.
//!
//! A lock belongs to a handle, as with `flock`: a second handle of the same process is refused
//! like a stranger's, and the same handle may change the kind it holds.

use crate::LockKind;

/// Holders of one file's lock. Invariant: an exclusive holder is alone.
#[derive(Debug, Default)]
pub(crate) struct LockTable {
    kind: Option<LockKind>,
    holders: Vec<u64>,
}

impl LockTable {
    /// Takes the lock for `handle`; `false` if another handle is in the way.
    pub(crate) fn try_lock(&mut self, handle: u64, kind: LockKind) -> bool {
        let alone = self.holders.iter().all(|&holder| holder == handle);
        let sharing = kind == LockKind::Shared && self.kind == Some(LockKind::Shared);
        if !alone && !sharing {
            return false;
        }
        if !self.holders.contains(&handle) {
            self.holders.push(handle);
        }
        self.kind = Some(kind);
        true
    }

    /// Gives up whatever `handle` holds.
    pub(crate) fn release(&mut self, handle: u64) {
        self.holders.retain(|&holder| holder != handle);
        if self.holders.is_empty() {
            self.kind = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusive_is_alone_and_shared_is_not() {
        let mut table = LockTable::default();
        assert!(table.try_lock(1, LockKind::Shared));
        assert!(table.try_lock(2, LockKind::Shared));
        assert!(!table.try_lock(1, LockKind::Exclusive), "2 still reads");
        table.release(2);
        assert!(table.try_lock(1, LockKind::Exclusive), "a lone reader may become the writer");
        assert!(!table.try_lock(2, LockKind::Shared));
        assert!(table.try_lock(1, LockKind::Shared), "and step back");
        assert!(table.try_lock(2, LockKind::Shared));
        table.release(1);
        table.release(2);
        assert!(table.try_lock(3, LockKind::Exclusive));
    }
}
