//! Pages and the nodes they hold: reading with every check, the cache within its budget, free
//! space, and writing nodes out. Nothing here knows what a key means.

mod cache;
mod children;
mod node;
mod overflow;
mod root_pages;
mod slot;
mod space;
mod write_out;

pub(crate) use cache::Pager;
pub(crate) use children::Children;
pub(crate) use node::{DiskState, Node};
pub(crate) use root_pages::{read_free_list, write_root_pages};
pub(crate) use slot::Slot;
pub(crate) use space::{Owner, Space};
pub(crate) use write_out::{WriteError, WriteOut, dirty_nodes, write_all};
