//! Transactions that repeat what another database did: entries of its changelog, or a whole state
//! of it.

use super::put::IndexChange;
use super::write::WriteTx;
use crate::bytes::Bytes;
use crate::changelog::{ChangelogEntry, ChangelogOp, ChangelogValue};
use crate::content::key_of;
use crate::error::{Error, Result};
use crate::index::{self, IndexKeys};
use crate::keys::DecodeError;
use crate::timeline::Commit;

impl WriteTx {
    /// Refuses an entry that is of another commit of the same sequence than those before it.
    pub(crate) fn check_same_commit(&self, entry: &ChangelogEntry) -> Result<()> {
        let other = self.expected_hash.is_some_and(|hash| hash != entry.history_hash);
        if entry.seq == self.commit_seq() && other {
            return Err(Error::HistoryDiverged { seq: entry.seq });
        }
        Ok(())
    }

    /// Does what an entry says, and nothing that follows from it: what does has its own entries.
    pub(crate) fn apply_entry(&mut self, entry: &ChangelogEntry) -> Result<()> {
        self.check_same_commit(entry)?;
        self.expected_hash = Some(entry.history_hash);
        self.set_commit_time(entry.time)?;
        if let Some(note) = &entry.note {
            self.set_note(&**note)?;
        }
        let Some(key) = &entry.key else { return Ok(()) };
        let logical = key_of(key, &self.core.limits)?;
        let newest = self.newest(&logical)?;
        let old = newest.as_ref().and_then(|newest| newest.value.clone());
        let before = self.index_rows(&logical, old.as_ref())?;
        if entry.op == ChangelogOp::Delete {
            let index = IndexChange::new(newest.as_ref(), before, IndexKeys::new());
            // Also of a record that is not there, as its commit did.
            self.check_usable()?;
            return self.delete_visible(logical, &index);
        }
        let ChangelogValue::Full(value) = &entry.value else {
            let given = format!("an entry of commit {} without its value", entry.seq);
            return Err(Error::invalid("changelog entry", given, "ChangelogValues::Full"));
        };
        let after = index::of_record(&logical, value).map_err(|error| unreadable(entry, &error))?;
        let index = IndexChange::new(newest.as_ref(), before, after);
        self.put_record(logical, value, &index)
    }

    fn index_rows(&self, logical: &[u8], value: Option<&Bytes>) -> Result<IndexKeys> {
        let Some(value) = value else { return Ok(IndexKeys::new()) };
        super::scan::decoded(&self.core.pager, index::of_record(logical, value))
    }

    /// Makes the transaction the state of another database as of a commit: it takes that commit's
    /// place in history. The database is empty.
    pub(crate) fn adopt(&mut self, commit: &Commit) -> Result<()> {
        let root = &self.changes.root;
        if root.seq > 0 || root.base > 0 {
            let given = format!("at commit {}", root.seq);
            return Err(Error::invalid("database to be seeded", given, "an empty one"));
        }
        if self.core.keeps_changelog() {
            let accepted = "one without changelog: turn it on afterwards";
            return Err(Error::invalid("database to be seeded", "with a changelog", accepted));
        }
        self.set_commit_time(commit.time)?;
        if let Some(note) = &commit.note {
            self.set_note(note.clone())?;
        }
        self.changes.edit.stamp.seq = commit.seq;
        self.adopted = Some(commit.history_hash);
        Ok(())
    }

    /// Puts a record of the state that is adopted.
    pub(crate) fn put_adopted(&mut self, logical: &[u8], value: &[u8]) -> Result<()> {
        let after = super::scan::decoded(&self.core.pager, index::of_record(logical, value))?;
        let index = IndexChange::new(None, IndexKeys::new(), after);
        self.put_record(logical.into(), value, &index)?;
        // The hash of the commit is known; its records need not be remembered.
        self.touched.clear();
        Ok(())
    }
}

fn unreadable(entry: &ChangelogEntry, error: &DecodeError) -> Error {
    let family = entry.family().unwrap_or("record");
    Error::InvalidRecord { family, what: error.to_string() }
}
