//! Creating a database: an empty tree under two clean headers. The log comes with the first write.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hexxladb_vfs::{File, FileExt, LockKind, LockOutcome, OpenMode, Vfs};

use crate::btree::Tree;
use crate::error::{Error, Result};
use crate::format::header::{
    ChangelogState, HEADER_BYTES, Header, Retired, SLOT_BYTES, State, first_page,
};
use crate::ids::{FrameNo, Identity};
use crate::options::{DEFAULT_MAX_VALUE_BYTES, DEFAULT_PAGE_SIZE, Options};
use crate::pager::{Node, Owner, Pager, Slot, Space, write_root_pages};
use crate::probe::{self, Probe};
use crate::timeline::Root;
use crate::wal::{LogFile, parent_of, wal_path};

/// The largest page size that a database may have.
const MAX_PAGE_SIZE: usize = 65536;

/// Whether there is nothing at `path` yet: no file, or an empty one.
pub(crate) fn is_unborn(vfs: &dyn Vfs, path: &Path) -> Result<bool> {
    Ok(!vfs.exists(path)? || vfs.open(path, OpenMode::Read)?.is_empty()?)
}

/// Refuses to begin a database where one was asked not to, or where a log with frames lies beside
/// an empty primary: that is a lost primary, not a new one.
fn refuse_or_allow(vfs: &dyn Vfs, path: &Path, options: &Options) -> Result<()> {
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

/// Writes an empty database under a temporary name and gives it its own when it is durable, so
/// that a primary is never seen half made. `None` when somebody else was faster.
pub(crate) fn create(
    vfs: &dyn Vfs,
    path: &Path,
    options: &Options,
) -> Result<Option<(Arc<dyn File>, Header)>> {
    refuse_or_allow(vfs, path, options)?;
    let mut name = path.as_os_str().to_owned();
    name.push("-new");
    let new_path = PathBuf::from(name);
    let file = vfs.open(&new_path, OpenMode::Create)?;
    if let LockOutcome::Held { holder } = file.try_lock(LockKind::Exclusive)? {
        return Err(Error::DatabaseLocked { path: path.to_path_buf(), holder });
    }
    // Between opening and locking, the file may have become the primary.
    if !is_unborn(vfs, path)? || !vfs.exists(&new_path)? {
        return Ok(None);
    }
    if !file.is_empty()? {
        if !is_unfinished(&*file)? {
            let what = "it is in the way of creating a database; move it away".into();
            return Err(Error::NotADatabase { path: new_path, what });
        }
        probe::hit(Probe::UnfinishedCreate);
        file.set_len(0)?;
    }
    let header = write_empty(vfs, &file, options)?;
    vfs.rename(&new_path, path)?;
    vfs.sync_dir(parent_of(path))?;
    Ok(Some((file, header)))
}

/// Whether a file is what a creation that did not come to its end may have left: no longer than
/// an empty database, and without the header slots that only a later write fills.
fn is_unfinished(file: &dyn File) -> Result<bool> {
    let longest = (first_page(MAX_PAGE_SIZE) + 3) * MAX_PAGE_SIZE as u64;
    let mut slots = vec![0; HEADER_BYTES as usize];
    file.read_up_to(0, &mut slots)?;
    let (first, last) = (&slots[..SLOT_BYTES], &slots[3 * SLOT_BYTES..]);
    Ok(file.len()? <= longest && first.iter().chain(last).all(|&byte| byte == 0))
}

/// Writes an empty database and syncs it.
fn write_empty(vfs: &dyn Vfs, file: &Arc<dyn File>, options: &Options) -> Result<Header> {
    let page_size = options.page_size.unwrap_or(DEFAULT_PAGE_SIZE);
    let space = Space::new(first_page(page_size as usize), Vec::new(), true);
    let pager = Pager::new(Arc::clone(file), page_size as usize, options.cache_bytes, space, false);
    let leaf = || {
        let node = Node::empty_leaf(pager.page_size, pager.counter());
        Tree { root: Slot::from_node(Arc::new(node), 0, 0), level: 0, rows: 0 }
    };
    let root = Root::empty(leaf(), leaf());
    root.write_out(&pager, Owner::Checkpoint)?;
    let catalog = root.catalog().ok_or_else(|| {
        Error::corrupt(file.path(), 0, "a tree was not written before its catalogue")
    })?;
    let roots = write_root_pages(&pager, &catalog, root.frame(), Vec::new())?;
    let mut header = Header {
        version: if options.mvcc.unwrap_or(true) { 2 } else { 1 },
        compatible: 0,
        read_only_compatible: 0,
        page_size,
        max_value_bytes: options.max_value_bytes.unwrap_or(DEFAULT_MAX_VALUE_BYTES),
        state: State::Clean,
        generation: 1,
        incarnation: 0,
        epoch: 0,
        history: new_identity(vfs)?,
        file: new_identity(vfs)?,
        created: vfs.clock().wall_nanos(),
        page_count: roots.page_count,
        catalog: roots.catalog,
        free_list: roots.free_list,
        head_seq: 0,
        head_time: i64::MIN,
        head_hash: root.hash,
        retired: Retired::default(),
        segment_bytes: options.wal_segment_bytes,
        durable: FrameNo(0),
        changelog: ChangelogState::default(),
    };
    for generation in 1..=2 {
        header.generation = generation;
        file.write_all_at(header.slot_offset(), &header.encode())?;
    }
    file.sync_all()?;
    Ok(header)
}

/// A new identity: a ULID from the VFS's clock and entropy.
fn new_identity(vfs: &dyn Vfs) -> Result<Identity> {
    let mut random = [0; 16];
    vfs.entropy().fill(&mut random)?;
    let millis = u64::try_from(vfs.clock().wall_nanos() / 1_000_000).unwrap_or(0);
    Ok(ulid::Ulid::from_parts(millis, u128::from_le_bytes(random)).to_bytes())
}
