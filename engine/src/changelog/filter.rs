//! Which entries are wanted.

use std::collections::BTreeSet;

use super::entry::{ChangelogEntry, ChangelogOp};

/// Which entries to read: all that pass every part that is set.
///
/// ```
/// use hexxladb::{ChangelogFilter, ChangelogOp};
/// let filter = ChangelogFilter::new().op(ChangelogOp::Delete).family("cell").family("edge");
/// # let _ = filter;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangelogFilter {
    ops: BTreeSet<ChangelogOp>,
    families: BTreeSet<String>,
    prefix: Option<String>,
}

impl ChangelogFilter {
    /// Everything passes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Entries that do this pass, beside others that are named.
    #[must_use]
    pub fn op(mut self, op: ChangelogOp) -> Self {
        self.ops.insert(op);
        self
    }

    /// Entries of this family pass, beside others that are named: `raw`, `cell`, `facet`, `edge`
    /// or `seam`.
    #[must_use]
    pub fn family(mut self, family: impl Into<String>) -> Self {
        self.families.insert(family.into());
        self
    }

    /// Entries pass whose key begins so, as [`RecordId`](crate::RecordId) displays it:
    /// `raw/user/`, `edge/(0,0)/`.
    #[must_use]
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Whether an entry passes.
    pub fn passes(&self, entry: &ChangelogEntry) -> bool {
        let op = self.ops.is_empty() || self.ops.contains(&entry.op);
        let family = || {
            self.families.is_empty()
                || entry.family().is_some_and(|family| self.families.contains(family))
        };
        let key = || {
            self.prefix.as_ref().is_none_or(|prefix| {
                entry.key.as_ref().is_some_and(|key| key.to_string().starts_with(prefix.as_str()))
            })
        };
        op && family() && key()
    }
}
