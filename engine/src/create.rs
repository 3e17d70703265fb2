//! Creating a database: an empty tree under two clean headers. The log comes with the first write.

use std::path::Path;
use std::sync::Arc;

use hexxladb_vfs::{File, FileExt, OpenMode, Vfs};

use crate::btree::Tree;
use crate::error::{Error, Result};
use crate::format::header::{Header, Retired, SLOT_BYTES, State, first_page};
use crate::ids::{Identity, PageNo};
use crate::options::{DEFAULT_MAX_VALUE_BYTES, DEFAULT_PAGE_SIZE, Options};
use crate::pager::{Node, Owner, Pager, Slot, Space, write_root_pages};
use crate::probe::{self, Probe};
use crate::sync::lock;
use crate::timeline::Root;
use crate::wal::{LogFile, parent_of, wal_path};

/// The header generation with which a creation ends.
pub(crate) const LAST_GENERATION: u64 = 2;

/// Refuses to begin a database where one was asked not to, or where a log with frames lies beside
/// an empty primary: that is a lost primary, not a new one.
pub(crate) fn refuse_or_allow(vfs: &dyn Vfs, path: &Path, options: &Options) -> Result<()> {
    if options.read_only || !options.create_if_missing {
        return Err(Error::DatabaseMissing { path: path.to_path_buf() });
    }
    let log_path = wal_path(path);
    if vfs.exists(&log_path)? {
        let file = vfs.open(&log_path, OpenMode::Read)?;
        if !file.is_empty()? && !LogFile::read(file, options.wal_segment_bytes)?.is_blank() {
            let what = "the primary is empty, but this log is not";
            return Err(Error::WalMismatch { path: log_path, what: what.into() });
        }
    }
    Ok(())
}

/// Writes an empty database into the locked primary.
pub(crate) fn create(
    vfs: &dyn Vfs,
    path: &Path,
    file: &Arc<dyn File>,
    options: &Options,
) -> Result<Header> {
    if !file.is_empty()? {
        probe::hit(Probe::UnfinishedCreate);
        file.set_len(0)?;
    }
    let page_size = options.page_size.unwrap_or(DEFAULT_PAGE_SIZE);
    let space = Space::new(first_page(page_size as usize), Vec::new(), true);
    let pager = Pager::new(Arc::clone(file), page_size as usize, options.cache_bytes, space, false);
    let leaf = || {
        let node = Node::empty_leaf(pager.page_size, pager.counter());
        Tree { root: Slot::from_node(Arc::new(node), 0, 0), level: 0, rows: 0 }
    };
    let root = Root::empty(leaf(), leaf());
    root.write_out(&pager, Owner::Checkpoint)?;
    let catalog = root
        .catalog()
        .ok_or_else(|| Error::corrupt(path, 0, "a tree was not written before its catalogue"))?;
    let roots = write_root_pages(&pager, &catalog, root.frame(), Vec::new())?;
    let mut header = Header {
        version: if options.mvcc.unwrap_or(true) { 2 } else { 1 },
        page_size,
        max_value_bytes: options.max_value_bytes.unwrap_or(DEFAULT_MAX_VALUE_BYTES),
        state: State::Clean,
        generation: 1,
        incarnation: 0,
        epoch: 0,
        history: new_identity(vfs)?,
        file: new_identity(vfs)?,
        created: vfs.clock().wall_nanos(),
        page_count: lock(&pager.space).end(),
        catalog: roots.catalog,
        free_list: roots.free_list,
        head_seq: 0,
        head_time: i64::MIN,
        head_hash: root.hash,
        retired: Retired::default(),
        segment_bytes: options.wal_segment_bytes,
    };
    debug_assert!(header.catalog.0 > PageNo::NONE);
    file.sync_all()?;
    // The first header is durable before the second is begun: so creation that did not come to
    // its end is told from damage.
    for generation in 1..=LAST_GENERATION {
        header.generation = generation;
        let slot: [u8; SLOT_BYTES] = header.encode().try_into().unwrap_or([0; SLOT_BYTES]);
        file.write_all_at(header.slot_offset(), &slot)?;
        file.sync_all()?;
    }
    vfs.sync_dir(parent_of(path))?;
    Ok(header)
}

/// A new identity: a ULID from the VFS's clock and entropy.
fn new_identity(vfs: &dyn Vfs) -> Result<Identity> {
    let mut random = [0; 16];
    vfs.entropy().fill(&mut random)?;
    let millis = u64::try_from(vfs.clock().wall_nanos() / 1_000_000).unwrap_or(0);
    Ok(ulid::Ulid::from_parts(millis, u128::from_le_bytes(random)).to_bytes())
}
