//! The changelog beside the operations: repeated from its beginning it gives every state there was.

use super::super::truth::{Name, Records};
use super::Run;

impl Run {
    fn has_changelog(&self) -> bool {
        self.options.changelog.is_some()
    }

    /// A checkpoint, or one that seals the changelog's segment.
    pub(super) fn checkpoint(&mut self, how: u8) {
        if self.has_changelog() && how & 1 == 1 {
            self.db.rotate_changelog().expect("a rotation");
        } else {
            self.db.checkpoint().expect("a checkpoint");
        }
    }

    /// Every commit is there once and whole, and its entries make the state after it.
    pub(super) fn check_changelog(&self) {
        if !self.has_changelog() {
            return;
        }
        let (mut records, mut seq) = (Records::new(), 0);
        for entry in self.db.read_changelog_since(0).expect("a changelog") {
            let entry = entry.expect("an intact entry");
            let record = entry.record().expect("a record");
            match (entry.key.clone(), record) {
                (Some(key), Some(record)) => drop(records.insert(Name::from(key), record)),
                (Some(key), None) => drop(records.remove(&Name::from(key))),
                (None, _) => {}
            }
            if entry.last_in_commit {
                seq += 1;
                let truth = &self.truth.commits[seq as usize - 1];
                assert_eq!((entry.seq, entry.time), (seq, truth.time));
                assert_eq!(entry.history_hash, truth.hash);
                assert_eq!(entry.note, truth.note.as_deref().map(Into::into));
                assert_eq!(records, truth.records, "after commit {seq}");
            }
        }
        assert_eq!(seq, self.truth.head(), "every commit is there");
    }
}
