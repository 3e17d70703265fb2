//! States and their order: roots, which of them readers see, the versions that a snapshot sees,
//! and what is kept of each commit.

mod commit;
mod consumer;
mod front;
mod group;
mod registry;
mod root;
mod rows;

pub use commit::Commit;
pub(crate) use commit::{commit_at, first_commit, hash_at, seq_at_time};
pub(crate) use consumer::{ConsumerRow, consumer, consumers};
pub(crate) use front::{RowAt, VisibleRow};
pub(crate) use group::Group;
pub(crate) use registry::{Registry, Ticket};
pub(crate) use root::{MetaRow, Root};
pub(crate) use rows::{
    PLAIN, Rows, Source, TOMBSTONE, is_tombstone, newest_at, newest_at_owned, read_value,
};
