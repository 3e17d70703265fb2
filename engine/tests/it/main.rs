//! The engine's tests, in one program.

mod basics;
mod closing;
mod corruption;
mod failures;
mod files;
mod gate;
mod group_commit;
mod keys_public;
mod lattice;
mod opening;
mod processes;
mod read_only;
mod records;
mod snapshots;
mod support;
mod timeline;
mod transactions;
