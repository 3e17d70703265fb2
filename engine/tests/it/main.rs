//! The engine's tests, in one program.

mod basics;
mod closing;
mod corruption;
mod files;
mod keys_public;
mod lattice;
mod opening;
mod records;
mod snapshots;
mod support;
mod timeline;
mod transactions;
