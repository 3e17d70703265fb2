//! What the fuzz targets run: each takes any bytes, and panics when a promise is broken.
//!
//! The same functions run on a stable compiler over the committed inputs, so that whatever once
//! broke something stays fixed. Always: a target does more than not to panic. What it decodes it
//! encodes again and compares, what it repairs it damages again, what it opens it reads from both
//! ends and through every index.

mod blind;
mod bytes;
mod changelog;
mod forge;
mod frames;
mod open;
mod operations;
mod pages;
mod reading;
mod reads;
mod records;
mod reseal;
mod sample;
mod state;
mod story;
mod truth;
mod verdict;

pub use changelog::{SmallChangelog, changelog, small_changelog, small_changelog_paths};
pub use frames::{log_frames, redo};
pub use open::open;
pub use operations::{OP_BYTES, OP_KINDS, ops};
pub use pages::{header, page};
pub use reading::{Outcome, compare};
pub use records::{record_inputs, records};
pub use sample::{LOG, PRIMARY, Sample, Shape, sample, small_options};
pub use truth::Oracle;

/// Takes any bytes; panics when a promise is broken.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also that of its corpus below `corpus/fuzz`.
pub const TARGETS: [(&str, Target); 8] = [
    ("header", header),
    ("page", page),
    ("log_frames", log_frames),
    ("redo", redo),
    ("changelog", changelog),
    ("records", records),
    ("open", open),
    ("ops", ops),
];
