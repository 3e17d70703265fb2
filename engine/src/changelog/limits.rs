//! Sizes that decide how the changelog is cut up, none of which the format knows of.

use crate::options::Options;

/// Sizes in bytes; the simulator has them small.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "units stand last in names")]
pub(crate) struct Limits {
    /// That entries share a frame up to; an entry that is longer has one of its own.
    pub(crate) frame_bytes: usize,
    /// That go out in one write at most, but for a commit of one frame.
    pub(crate) write_bytes: usize,
    /// That wait for the log or for the changelog's file before writers are held up.
    pub(crate) waiting_bytes: usize,
    /// Of frames between two places that a footer's index names.
    pub(crate) index_bytes: u64,
}

impl Limits {
    const USUAL: Self = Self {
        frame_bytes: 64 << 10,
        write_bytes: 1 << 20,
        waiting_bytes: 4 << 20,
        index_bytes: 64 << 10,
    };

    const SMALL: Self = Self {
        frame_bytes: 1 << 10,
        write_bytes: 4 << 10,
        waiting_bytes: 8 << 10,
        index_bytes: 2 << 10,
    };

    /// Those of a handle.
    pub(crate) fn of(options: &Options) -> Self {
        if options.small_limits { Self::SMALL } else { Self::USUAL }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::USUAL
    }
}
