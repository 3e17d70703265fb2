//! Writing the nodes of one tree that are not on disk yet, children before parents, in slices.

use std::sync::Arc;

use hexxladb_vfs::Op;

use super::cache::Pager;
use super::node::{Node, OnDisk};
use super::slot::Slot;
use super::space::Owner;
use crate::error::{Error, Result};
use crate::format::free_list::Extent;
use crate::ids::PageNo;
use crate::sync::lock;

/// Nodes below `slot` that are not on disk, children before parents.
pub(crate) fn dirty_nodes(slot: &Slot, out: &mut Vec<Arc<Node>>) {
    if let Some(node) = slot.node()
        && node.disk.get().is_none()
    {
        for child in node.children.iter() {
            dirty_nodes(child, out);
        }
        out.push(Arc::clone(node));
    }
}

/// How a slice of writing out ended.
pub(crate) enum WriteError {
    /// There is no room; nothing of the slice was written.
    NoSpace(Error),
    /// A write failed: what is in the file is not known.
    Failed(Error),
}

impl WriteError {
    /// The error of a file that was to grow, before anything was written.
    pub(crate) fn of_growth(error: Error) -> Self {
        match &error {
            Error::Io(io) if io.op() == Op::Allocate && !io.is_no_space() => Self::Failed(error),
            _ => Self::NoSpace(error),
        }
    }
}

/// Nodes that are being written out.
pub(crate) struct WriteOut {
    nodes: Vec<Arc<Node>>,
    next: usize,
    owner: Owner,
}

impl WriteOut {
    /// Nodes in an order in which children come before parents.
    pub(crate) fn new(nodes: Vec<Arc<Node>>, owner: Owner) -> Self {
        Self { nodes, next: 0, owner }
    }

    /// Nodes that are still to be written.
    pub(crate) fn remaining(&self) -> usize {
        self.nodes.len() - self.next
    }

    /// Writes at most `max_nodes` nodes in large sorted writes.
    pub(crate) fn slice(
        &mut self,
        pager: &Pager,
        max_nodes: usize,
    ) -> std::result::Result<(), WriteError> {
        let end = (self.next + max_nodes).min(self.nodes.len());
        let nodes = &self.nodes[self.next..end];
        let pages = self.allocate(pager, nodes.len())?;
        let mut images = Vec::with_capacity(nodes.len());
        for (node, &page) in nodes.iter().zip(&pages) {
            let Some((bytes, checksum)) = node.encode(page) else {
                let what =
                    "a node cannot be written: a child is not on disk, or its pointers do not fit";
                return Err(WriteError::Failed(pager.corrupt(page, what)));
            };
            node.disk.place(OnDisk { page, checksum });
            images.push((page, bytes));
        }
        images.sort_unstable_by_key(|&(page, _)| page);
        let mut run: Vec<u8> = Vec::new();
        let mut start = PageNo::NONE;
        for (page, bytes) in images {
            if run.is_empty() || page.0 != start.0 + (run.len() / pager.page_size) as u64 {
                pager.write_run(start, &run).map_err(WriteError::Failed)?;
                run.clear();
                start = page;
            }
            run.extend_from_slice(&bytes);
        }
        pager.write_run(start, &run).map_err(WriteError::Failed)?;
        for node in nodes {
            node.disk.mark_written();
        }
        self.next = end;
        Ok(())
    }

    fn allocate(
        &self,
        pager: &Pager,
        count: usize,
    ) -> std::result::Result<Vec<PageNo>, WriteError> {
        let (pages, end) = {
            let mut space = lock(&pager.space);
            let pages: Vec<_> =
                (0..count).map(|_| Extent::one(space.allocate_page(self.owner))).collect();
            (pages, space.end())
        };
        pager.reserve(end, &pages).map_err(WriteError::of_growth)?;
        Ok(pages.into_iter().map(|extent| extent.start).collect())
    }
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::NoSpace(error) | WriteError::Failed(error) => error,
        }
    }
}

/// Writes out all nodes at once.
pub(crate) fn write_all(pager: &Pager, nodes: Vec<Arc<Node>>, owner: Owner) -> Result<()> {
    let mut out = WriteOut::new(nodes, owner);
    while out.remaining() > 0 {
        out.slice(pager, 1024)?;
    }
    Ok(())
}
