//! Transactions as callers hold them.

mod apply;
mod cells;
mod edges;
mod facets;
mod find_seams;
mod history_hash;
mod index_scan;
mod put;
mod raw;
mod read;
mod reads;
mod ring;
mod scan;
mod seams;
mod write;

pub use find_seams::{FindSeams, SeamFilter};
pub use index_scan::{CellsBy, CoordsBy, EdgesTo, IndexKey, SeamsBy};
pub use read::{ReadTx, Snapshot};
pub use ring::{RingFilter, RingWalk};
pub use scan::{Cells, Edges, Facets, RawScan, Seams};
pub(crate) use scan::{damaged, decoded};
pub use write::{PendingCommit, WriteTx};
