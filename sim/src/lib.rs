//! The simulator that proves the database: operations as data, a reference model, an oracle, and
//! two ways to look for what breaks them.
//!
//! [`exhaustive`] tries every crash state of short scripts; [`swarm`] draws plans by seed. Both
//! run [`op::Plan`]s on a [`runner::World`], whose disk is simulated and whose every step the
//! [`oracle`] compares with the [`model`]. The same plan always runs the same way. What fails is
//! cut down by [`shrink`] and written as a text file that replays for ever.

pub mod campaign;
pub mod exhaustive;
pub mod faults;
pub mod model;
pub mod op;
pub mod oracle;
pub mod random;
pub mod report;
pub mod runner;
pub mod shrink;
pub mod swarm;
pub mod workload;
