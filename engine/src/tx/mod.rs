//! Transactions: what a commit changes, how it becomes durable, and what readers see.

mod changes;
mod group;
mod read;
mod root;
mod rows;
mod write;

pub(crate) use changes::{Changes, Row, TreeLimits};
pub(crate) use group::Group;
pub(crate) use read::cell_from;
pub use read::{Cells, RawScan, ReadTx, Snapshot};
pub(crate) use root::{MetaRow, Root};
pub(crate) use rows::{Source, is_tombstone, newest_at, read_value};
pub use write::{PendingCommit, WriteTx};
