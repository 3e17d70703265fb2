//! The engine's tests, in one program.

mod basics;
mod corruption;
mod keys_public;
mod lattice;
mod records;
mod support;
mod transactions;
