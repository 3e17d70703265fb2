//! Transactions as callers hold them.

mod read;
mod write;

pub(crate) use read::cell_from;
pub use read::{Cells, RawScan, ReadTx, Snapshot};
pub use write::{PendingCommit, WriteTx};
