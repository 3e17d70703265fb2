//! The comparison of `HexxlaDB` with other embedded stores, and what its micro-benchmarks share.
//!
//! One program, `compare`, runs each workload with each engine in a child process of its own and
//! a directory of its own, so that memory is the engine's own and a crash or a hang of one engine
//! ends one cell of the table. What always holds here: every engine gets the same records, the
//! same durability (a commit returns once it is on stable storage), the same number of operations
//! per transaction; and whatever is read is counted and checksummed against what was written, so
//! that a wrong answer is a failed cell and never a fast one. `benches/README.md` says how each
//! figure is taken.

/// The project's README: its example is compiled and run with the other doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

pub mod cli;
pub mod data;
pub mod engines;
pub mod load;
pub mod machine;
pub mod process;
pub mod report;
pub mod rows;
pub mod runner;
pub mod store;
pub mod summary;
pub mod sync_check;
pub mod usage;
pub mod workloads;

/// Any failure of an engine or of the harness: it becomes the text of a cell.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Result of anything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;
