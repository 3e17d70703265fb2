//! Long calls: cancelling them, and hearing how far they are.

use std::sync::Arc;

use crate::sync::{AtomicBool, Ordering};

/// Cancels a long call from elsewhere. Clones are one token.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// A token that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the call to end.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the call was asked to end.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a long call reports to: how much is done.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// How [`Db::put_cells`](crate::Db::put_cells) goes about it.
#[derive(Clone)]
pub struct PutCells {
    /// Cells in one transaction (default 1,000).
    pub batch_cells: usize,
    /// Ends the call between two transactions.
    pub cancel: Option<CancelToken>,
    /// Told after each transaction how many cells are written.
    pub progress: Option<Progress>,
}

impl Default for PutCells {
    fn default() -> Self {
        Self { batch_cells: 1000, cancel: None, progress: None }
    }
}

impl std::fmt::Debug for PutCells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PutCells").field("batch_cells", &self.batch_cells).finish_non_exhaustive()
    }
}
