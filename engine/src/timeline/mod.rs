//! The order of commits: who reads which snapshot, and what is kept of each commit.

mod commits;
mod registry;

pub use commits::{Commit, Commits};
pub(crate) use commits::{commit_at, seq_at_time};
pub(crate) use registry::{Registry, Ticket};
