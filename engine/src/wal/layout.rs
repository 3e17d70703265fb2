//! Where frames go: which segment is being filled, which are free, where the next group starts.
//!
//! Always: a group starts at a block of its own, so that no write touches a block that holds
//! bytes of a synced or syncing frame; a frame lies whole in one segment.

use std::collections::BTreeSet;

use crate::format::segment::BLOCK_BYTES;
use crate::ids::FrameNo;

/// A segment that holds frames.
#[derive(Clone, Copy, Debug)]
struct Used {
    slot: u32,
    last: FrameNo,
}

/// Where a frame is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) slot: u32,
    pub(crate) offset: u32,
    /// The segment is begun with this frame: its header goes first, with this ordinal.
    pub(crate) begins: Option<u64>,
}

/// The segments of the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    segment_bytes: u32,
    slots: u32,
    next_ordinal: u64,
    /// Segments in the order of use; the last one is being filled.
    used: Vec<Used>,
    free: BTreeSet<u32>,
    /// End of the last frame in the segment that is being filled.
    end: u32,
}

impl Layout {
    /// A log of `slots` segments; those that recovery still needs are `kept`.
    pub(crate) fn new(
        segment_bytes: u32,
        slots: u32,
        next_ordinal: u64,
        kept: &[(u32, FrameNo)],
    ) -> Self {
        let used: Vec<Used> = kept.iter().map(|&(slot, last)| Used { slot, last }).collect();
        let free = (0..slots).filter(|slot| used.iter().all(|used| used.slot != *slot)).collect();
        // What is kept is never appended to: the next frame begins a segment.
        Self { segment_bytes, slots, next_ordinal, used, free, end: segment_bytes }
    }

    /// Segments in the file.
    pub(crate) fn slots(&self) -> u32 {
        self.slots
    }

    /// Bytes of segments that hold frames which replay may need.
    pub(crate) fn used_bytes(&self) -> u64 {
        let full = self.used.len().saturating_sub(1) as u64 * u64::from(self.segment_bytes);
        full + if self.used.is_empty() { 0 } else { u64::from(self.end) }
    }

    /// Segments by which the file grows when none is free.
    pub(crate) fn growth(&self) -> u32 {
        self.slots.clamp(1, 16)
    }

    /// The file has grown.
    pub(crate) fn add_slots(&mut self, count: u32) {
        self.free.extend(self.slots..self.slots + count);
        self.slots += count;
    }

    /// Places a frame of `size` bytes; `None` when there is no segment for it.
    pub(crate) fn place(
        &mut self,
        number: FrameNo,
        size: usize,
        starts_group: bool,
    ) -> Option<Place> {
        let block = BLOCK_BYTES as u32;
        let offset = if starts_group { self.end.next_multiple_of(block) } else { self.end };
        let fits = u64::from(offset) + size as u64 <= u64::from(self.segment_bytes);
        if let Some(current) = self.used.last_mut().filter(|_| fits) {
            current.last = number;
            self.end = offset + size as u32;
            return Some(Place { slot: current.slot, offset, begins: None });
        }
        let slot = self.free.pop_first()?;
        self.used.push(Used { slot, last: number });
        let ordinal = self.next_ordinal;
        self.next_ordinal += 1;
        self.end = block + size as u32;
        Some(Place { slot, offset: block, begins: Some(ordinal) })
    }

    /// Frees the segments whose frames are all below `kept`.
    pub(crate) fn retire(&mut self, kept: FrameNo) {
        let current = self.used.len().saturating_sub(1);
        let mut index = 0;
        let free = &mut self.free;
        self.used.retain(|used| {
            let keep = index == current || used.last >= kept;
            index += 1;
            if !keep {
                free.insert(used.slot);
            }
            keep
        });
    }

    /// The segment for the mark that the whole log is retired, and the mark's ordinal: the first
    /// one, which stays when the log is cut.
    pub(crate) fn retired_mark(&self) -> (u32, u64) {
        (0, self.next_ordinal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_start_at_blocks_and_frames_stay_whole() {
        let mut layout = Layout::new(16 << 10, 2, 1, &[]);
        let place = |layout: &mut Layout, n, size, starts| layout.place(FrameNo(n), size, starts);
        let at = |slot, offset, begins| Some(Place { slot, offset, begins });
        assert_eq!(place(&mut layout, 1, 100, true), at(0, 4096, Some(1)));
        assert_eq!(place(&mut layout, 2, 100, false), at(0, 4196, None));
        assert_eq!(place(&mut layout, 3, 100, true), at(0, 8192, None));
        assert_eq!(place(&mut layout, 4, 9000, true), at(1, 4096, Some(2)));
        assert_eq!(place(&mut layout, 5, 9000, true), None);
        layout.retire(FrameNo(4));
        assert_eq!(place(&mut layout, 5, 9000, true), at(0, 4096, Some(3)));
    }

    #[test]
    fn the_last_retired_frame_keeps_its_segment() {
        let mut layout = Layout::new(16 << 10, 3, 1, &[]);
        for number in 1..=3 {
            layout.place(FrameNo(number), 9000, true);
        }
        layout.retire(FrameNo(2));
        assert_eq!(layout.free.iter().copied().collect::<Vec<_>>(), vec![0]);
    }
}
