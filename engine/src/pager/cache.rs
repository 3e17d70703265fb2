//! Reading nodes: leaves through a cache of bounded size, branches kept in their slots while
//! the budget allows it.

use std::hash::{BuildHasher, Hasher};
use std::io::ErrorKind;
use std::ops::Deref;
use std::sync::Arc;

use hexxladb_vfs::{File, FileExt};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};

use super::node::{Node, OnDisk};
use super::slot::Slot;
use super::space::Space;
use crate::error::{Error, Result};
use crate::format::page::{self, PageType};
use crate::ids::{Checksum, PageNo};
use crate::probe::{self, Probe};
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering, lock};

/// A fixed hash of page numbers: no seed, so that runs repeat.
#[derive(Clone, Copy, Debug, Default)]
struct PageHash(u64);

impl Hasher for PageHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        let mixed = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

impl BuildHasher for PageHash {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        *self
    }
}

#[derive(Clone, Debug)]
struct LeafWeight;

/// A leaf with its page's checksum, which tells it from an earlier content of the page.
#[derive(Clone, Debug)]
struct CachedLeaf {
    checksum: Checksum,
    node: Arc<Node>,
}

impl Weighter<u64, CachedLeaf> for LeafWeight {
    fn weight(&self, _: &u64, leaf: &CachedLeaf) -> u64 {
        leaf.node.keys.bytes().len() as u64
    }
}

/// Says when the cache begins to evict; dropping what it evicts is left to the default.
#[derive(Clone, Debug, Default)]
struct Evictions {
    default: DefaultLifecycle<u64, CachedLeaf>,
    begun: Arc<AtomicBool>,
}

impl Lifecycle<u64, CachedLeaf> for Evictions {
    type RequestState =
        <DefaultLifecycle<u64, CachedLeaf> as Lifecycle<u64, CachedLeaf>>::RequestState;

    fn before_evict(&self, _: &mut Self::RequestState, _: &u64, _: &mut CachedLeaf) {
        self.begun.store(true, Ordering::Relaxed);
    }

    fn on_evict(&self, state: &mut Self::RequestState, page: u64, leaf: CachedLeaf) {
        self.default.on_evict(state, page, leaf);
    }
}

type LeafCache = Cache<u64, CachedLeaf, LeafWeight, PageHash, Evictions>;

/// Pages by which one operation, or the end of a transaction, may go over the share of changed
/// nodes before anybody looks.
const OVERSHOOT_PAGES: u64 = 16;

/// A branch: borrowed from its slot, or held for this call alone where the budget is used up.
pub(crate) enum Held<'a> {
    Borrowed(&'a Node),
    Shared(Arc<Node>),
}

impl Deref for Held<'_> {
    type Target = Node;

    fn deref(&self) -> &Node {
        match self {
            Held::Borrowed(node) => node,
            Held::Shared(node) => node,
        }
    }
}

/// The primary's pages.
#[derive(Debug)]
pub(crate) struct Pager {
    pub(crate) file: Arc<dyn File>,
    pub(crate) page_size: usize,
    /// Free space and what is about to become free.
    pub(crate) space: Mutex<Space>,
    /// Pages written by a read-only open, which must not touch the file.
    pub(super) overlay: Option<Mutex<std::collections::BTreeMap<PageNo, Box<[u8]>>>>,
    leaves: LeafCache,
    /// The cache has evicted leaves: it must hear of every use to know which to keep.
    evicting: Arc<AtomicBool>,
    resident: Arc<AtomicU64>,
    resident_limit: u64,
    /// Set when branches in memory are over their share; the next writer sheds them.
    pub(crate) shed_due: AtomicBool,
    lookups: AtomicU64,
}

impl Pager {
    /// A pager over `file` that keeps at most about `cache_bytes` of nodes.
    pub(crate) fn new(
        file: Arc<dyn File>,
        page_size: usize,
        cache_bytes: u64,
        space: Space,
        read_only: bool,
    ) -> Self {
        let leaf_bytes = cache_bytes / 8 * 3;
        let resident_bytes = cache_bytes - leaf_bytes;
        let page = page_size as u64;
        // One shard for small caches: a shard must hold several pages to be of use.
        let shards = if leaf_bytes / page >= 1024 { 8 } else { 1 };
        let options = OptionsBuilder::new()
            .estimated_items_capacity((leaf_bytes / page).max(1) as usize)
            .weight_capacity(leaf_bytes)
            .shards(shards)
            .build();
        let evictions = Evictions::default();
        let leaves = match options {
            Ok(options) => {
                LeafCache::with_options(options, LeafWeight, PageHash::default(), evictions.clone())
            }
            Err(_) => LeafCache::with(
                1024,
                leaf_bytes,
                LeafWeight,
                PageHash::default(),
                evictions.clone(),
            ),
        };
        Self {
            file,
            page_size,
            space: Mutex::new(space),
            overlay: read_only.then(Mutex::default),
            leaves,
            evicting: evictions.begun,
            resident: Arc::default(),
            resident_limit: resident_bytes
                - OVERSHOOT_PAGES.saturating_mul(page).min(resident_bytes / 8),
            shed_due: AtomicBool::new(false),
            lookups: AtomicU64::new(0),
        }
    }

    /// The counter that new nodes are charged to.
    pub(crate) fn counter(&self) -> &Arc<AtomicU64> {
        &self.resident
    }

    /// Bytes of nodes outside of the leaf cache: changed ones and branches.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.resident.load(Ordering::Relaxed)
    }

    /// The share of the budget for changed nodes and branches.
    pub(crate) fn resident_limit(&self) -> u64 {
        self.resident_limit
    }

    /// Bytes of nodes in memory.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.resident_bytes() + self.leaves.weight()
    }

    /// Nodes that were read from disk since open.
    pub(crate) fn page_reads(&self) -> u64 {
        self.lookups.load(Ordering::Relaxed)
    }

    /// The leaf that a slot points to.
    #[inline]
    pub(crate) fn leaf(&self, slot: &Slot) -> Result<Arc<Node>> {
        if let Some(node) = slot.node() {
            return Ok(Arc::clone(node));
        }
        let evicting = self.evicting.load(Ordering::Relaxed);
        if !evicting && let Some(node) = slot.remembered_leaf() {
            return Ok(node);
        }
        let Some(disk) = slot.disk() else { return Err(self.no_page()) };
        if let Some(leaf) = self.leaves.get(&disk.page.0)
            && leaf.checksum == disk.checksum
        {
            if !evicting {
                slot.remember_leaf(&leaf.node);
            }
            return Ok(leaf.node);
        }
        let node = self.load(disk, PageType::Leaf, 0)?;
        self.cache_leaf(disk, &node);
        Ok(node)
    }

    /// The branch that a slot points to.
    #[inline]
    pub(crate) fn branch<'a>(&self, slot: &'a Slot, level: u8) -> Result<Held<'a>> {
        if let Some(node) = slot.node() {
            return Ok(Held::Borrowed(node));
        }
        let Some(disk) = slot.disk() else { return Err(self.no_page()) };
        let node = self.load(disk, PageType::Branch, level)?;
        if self.resident_bytes() > self.resident_limit {
            self.shed_due.store(true, Ordering::Relaxed);
            probe::hit(Probe::BranchNotKept);
            return Ok(Held::Shared(node));
        }
        slot.keep_branch(&node);
        Ok(slot.node().map_or(Held::Shared(node), |node| Held::Borrowed(node)))
    }

    /// The leaf behind a slot, read from disk even where it is cached.
    pub(crate) fn fresh_leaf(&self, slot: &Slot) -> Result<Arc<Node>> {
        match slot.disk() {
            Some(disk) => self.load(disk, PageType::Leaf, 0),
            None => self.leaf(slot),
        }
    }

    /// The branch behind a slot, read from disk even where it is in memory; its children's nodes
    /// in memory that are not on disk come with it.
    pub(crate) fn fresh_branch(&self, slot: &Slot, level: u8) -> Result<Arc<Node>> {
        match (slot.disk(), slot.node()) {
            (Some(disk), _) => self.load(disk, PageType::Branch, level),
            (None, Some(node)) => Ok(Arc::clone(node)),
            (None, None) => Err(self.no_page()),
        }
    }

    /// The branch behind a slot, for one who is about to change it.
    pub(crate) fn branch_node(&self, slot: &Slot, level: u8) -> Result<Arc<Node>> {
        match (slot.node(), slot.disk()) {
            (Some(node), _) => Ok(Arc::clone(node)),
            (None, Some(disk)) => self.load(disk, PageType::Branch, level),
            (None, None) => Err(self.no_page()),
        }
    }

    /// Keeps a leaf that was just written out.
    pub(crate) fn keep_leaf(&self, node: &Arc<Node>) {
        node.release_charge();
        if let Some(disk) = node.disk.get() {
            self.cache_leaf(*disk, node);
        }
    }

    fn cache_leaf(&self, disk: OnDisk, node: &Arc<Node>) {
        let leaf = CachedLeaf { checksum: disk.checksum, node: Arc::clone(node) };
        self.leaves.insert(disk.page.0, leaf);
    }

    fn load(&self, disk: OnDisk, page_type: PageType, level: u8) -> Result<Arc<Node>> {
        let bytes = self.read_page(disk.page, page_type, &disk.checksum)?;
        let node = Node::from_page(bytes, disk, &self.resident)
            .map_err(|what| self.corrupt(disk.page, what))?;
        if node.level() != level {
            let what = format!("page {} has level {}, {level} expected", disk.page, node.level());
            return Err(self.corrupt(disk.page, what));
        }
        Ok(Arc::new(node))
    }

    /// A page that must have this type and checksum.
    pub(crate) fn read_page(
        &self,
        page: PageNo,
        page_type: PageType,
        checksum: &Checksum,
    ) -> Result<Arc<[u8]>> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, self.page_size).collect();
        if let Some(bytes) = Arc::get_mut(&mut bytes) {
            self.read_into(page, bytes)?;
        }
        page::verify(&bytes, page_type, page, checksum).map_err(|what| self.corrupt(page, what))?;
        Ok(bytes)
    }

    /// Bytes of a run of pages, unchecked.
    pub(crate) fn read_run(&self, page: PageNo, pages: u64) -> Result<Box<[u8]>> {
        let mut bytes = vec![0; pages as usize * self.page_size].into_boxed_slice();
        self.read_into(page, &mut bytes)?;
        Ok(bytes)
    }

    fn read_into(&self, page: PageNo, bytes: &mut [u8]) -> Result<()> {
        match self.file.read_exact_at(page.offset(self.page_size), bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                if self.overlay.is_none() {
                    return Err(self.corrupt(page, "the file ends before this page"));
                }
            }
            Err(error) => return Err(error.into()),
        }
        if let Some(overlay) = &self.overlay {
            let overlay = lock(overlay);
            for (index, chunk) in bytes.chunks_exact_mut(self.page_size).enumerate() {
                if let Some(found) = overlay.get(&PageNo(page.0 + index as u64)) {
                    chunk.copy_from_slice(found);
                }
            }
        }
        Ok(())
    }

    /// Writes a run of pages.
    pub(crate) fn write_run(&self, page: PageNo, bytes: &[u8]) -> Result<()> {
        if let Some(overlay) = &self.overlay {
            let mut overlay = lock(overlay);
            for (index, chunk) in bytes.chunks_exact(self.page_size).enumerate() {
                overlay.insert(PageNo(page.0 + index as u64), chunk.into());
            }
            return Ok(());
        }
        Ok(self.file.write_all_at(page.offset(self.page_size), bytes)?)
    }

    /// Damage of a page.
    pub(crate) fn corrupt(&self, page: PageNo, what: impl Into<String>) -> Error {
        Error::corrupt(self.file.path(), page.offset(self.page_size), what)
    }

    fn no_page(&self) -> Error {
        self.corrupt(PageNo::NONE, "a pointer without a page")
    }
}
