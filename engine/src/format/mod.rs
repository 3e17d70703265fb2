//! Bytes on disk: layouts, checksums and their checks. Nothing here does I/O, and everything that
//! comes from disk is checked before any arithmetic on it.

pub(crate) mod bytes;
pub(crate) mod catalog;
pub(crate) mod changelog;
pub(crate) mod child;
pub(crate) mod frame;
pub(crate) mod free_list;
pub(crate) mod header;
pub(crate) mod overflow;
pub(crate) mod page;
pub(crate) mod redo;
pub(crate) mod segment;
pub(crate) mod slotted;

/// Why bytes were refused; the caller adds file and offset.
pub(crate) type FormatResult<T> = Result<T, String>;
