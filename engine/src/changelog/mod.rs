//! The changelog: every committed change of a record, in order, in files beside the primary.
//!
//! It is derived from the log: a commit's entries are written once its frame is durable, and
//! synced before the checkpoint that retires the frame. The header says up to where; recovery
//! writes everything after that anew. So it is neither ahead of the database nor behind it, and
//! no commit waits for a sync of it.

mod batch;
mod encode;
mod entry;
mod filter;
mod frames;
mod limits;
mod names;
mod resume;
mod scan;
mod shown;
mod tail;

use std::path::Path;

use hexxladb_vfs::{FileExt, OpenMode, Vfs};

pub(crate) use batch::Batch;
pub(crate) use encode::{CommitHead, Form, State, encode_commit};
pub use entry::{ChangelogCursor, ChangelogEntry, ChangelogOp, ChangelogValue};
pub use filter::ChangelogFilter;
pub(crate) use frames::{Reached, Segment};
pub(crate) use limits::Limits;
pub(crate) use names::{active_path, aside_path, sealed_ordinals, sealed_path};
pub(crate) use resume::{Plan, Primary, carry_out, plan_on, plan_turned_on};
pub(crate) use scan::Scan;
pub(crate) use shown::{End, Limit, Shown};
pub(crate) use tail::{Added, Home, Tail};

use crate::error::{Error, Result};
use crate::format::header::{HEADER_BYTES, Header, SLOT_BYTES};

/// The newest header that can be read in a primary which another process may be writing to.
pub(crate) fn header_beside_writer(vfs: &dyn Vfs, primary: &Path) -> Result<Header> {
    let mut bytes = vec![0; HEADER_BYTES as usize];
    vfs.open(primary, OpenMode::Read)?.read_up_to(0, &mut bytes)?;
    let slots = bytes.chunks_exact(SLOT_BYTES).filter_map(|slot| Header::decode(slot).ok());
    slots.max_by_key(|header| header.generation).ok_or_else(|| Error::NotADatabase {
        path: primary.to_path_buf(),
        what: "no header in its first 16 KiB".into(),
    })
}
