//! Walking a whole tree from disk or memory and reporting every page, row and finding.

use super::Tree;
use crate::error::{Error, Result};
use crate::format::slotted::KeyBuf;
use crate::ids::PageNo;
use crate::pager::{Node, Pager, Slot};

/// What a walk tells as it goes.
pub(crate) trait Verify {
    /// A page that the tree reaches, `None` while the node is in memory only; says whether it is
    /// reached for the first time, and so worth a descent.
    fn page(&mut self, page: Option<PageNo>) -> bool;
    /// A leaf, whose keys are in order and within its fences.
    fn leaf(&mut self, leaf: &std::sync::Arc<Node>);
    /// Something wrong at a page. The walk goes on beside it.
    fn finding(&mut self, page: PageNo, kind: Broken, what: String);
}

/// What can be wrong with a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// A page cannot be read or is not what was written.
    Page,
    /// Keys are not in order.
    Order,
    /// A key lies outside its fences.
    Fence,
    /// A bound (`max_seq`, `max_change`) is lower than what lies below.
    Bound,
}

/// A walk over one tree.
pub(crate) struct Verifier<'a> {
    pager: &'a Pager,
    out: &'a mut dyn Verify,
}

impl<'a> Verifier<'a> {
    /// A walk that tells `out`.
    pub(crate) fn new(pager: &'a Pager, out: &'a mut dyn Verify) -> Self {
        Self { pager, out }
    }

    /// Walks the tree; only an I/O error ends it early.
    pub(crate) fn tree(&mut self, tree: &Tree) -> Result<()> {
        self.below(&tree.root, tree.level, None, None)
    }

    fn below(
        &mut self,
        slot: &Slot,
        level: u8,
        lower: Option<&KeyBuf>,
        upper: Option<&KeyBuf>,
    ) -> Result<()> {
        let page = slot.disk().map(|disk| disk.page);
        if !self.out.page(page) {
            return Ok(());
        }
        let at = page.unwrap_or(PageNo::NONE);
        let loaded = if level == 0 {
            self.pager.fresh_leaf(slot)
        } else {
            self.pager.fresh_branch(slot, level)
        };
        let node = match loaded {
            Ok(node) => node,
            Err(Error::CorruptDatabase { what, .. }) => {
                self.out.finding(at, Broken::Page, what);
                return Ok(());
            }
            Err(other) => return Err(other),
        };
        self.check_keys(&node, at, lower, upper);
        if level == 0 {
            self.out.leaf(&node);
            return Ok(());
        }
        for (index, child) in node.children.iter().enumerate() {
            if child.max_seq > slot.max_seq || child.max_change > slot.max_change {
                let what = format!("child {index} is newer than its parent says");
                self.out.finding(at, Broken::Bound, what);
            }
            let before = index.checked_sub(1).map(|index| node.keys.key(index));
            let after = (index < node.keys.count()).then(|| node.keys.key(index));
            self.below(child, level - 1, before.as_ref().or(lower), after.as_ref().or(upper))?;
        }
        Ok(())
    }

    fn check_keys(
        &mut self,
        node: &Node,
        at: PageNo,
        lower: Option<&KeyBuf>,
        upper: Option<&KeyBuf>,
    ) {
        let mut previous: Option<KeyBuf> = None;
        for index in 0..node.keys.count() {
            let key = node.keys.key(index);
            if previous.as_ref().is_some_and(|previous| *previous >= key) {
                self.out.finding(
                    at,
                    Broken::Order,
                    format!("key {index} is not above the one before"),
                );
            }
            let below = lower.is_some_and(|lower| key < *lower);
            if below || upper.is_some_and(|upper| key >= *upper) {
                self.out.finding(
                    at,
                    Broken::Fence,
                    format!("key {index} is outside its fence keys"),
                );
            }
            previous = Some(key);
        }
    }
}
