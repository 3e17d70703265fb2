//! Which sectors of a file take space on the disk: those written or allocated, not holes.

use super::image::CHUNK_BYTES;

#[derive(Clone, Debug, Default)]
pub(super) struct Space {
    /// For each chunk of the file, a bit for each sector that takes space.
    taken: Vec<u8>,
    taken_sectors: u64,
}

impl Space {
    pub(super) fn taken_sectors(&self) -> u64 {
        self.taken_sectors
    }

    /// Bytes of `offset..end` that fit into `free` further sectors, and the sectors they take.
    pub(super) fn fitting(&self, offset: u64, end: u64, free: u64, sector: u64) -> (u64, u64) {
        let mut needed = 0;
        for number in offset / sector..end.div_ceil(sector) {
            if !self.is_taken(number, sector) {
                if needed == free {
                    return ((number * sector).saturating_sub(offset), needed);
                }
                needed += 1;
            }
        }
        (end - offset, needed)
    }

    /// Marks the sectors of a byte range as taking space.
    pub(super) fn take(&mut self, offset: u64, end: u64, sector: u64) {
        let per_chunk = CHUNK_BYTES as u64 / sector;
        let chunks = end.div_ceil(CHUNK_BYTES as u64) as usize;
        if chunks > self.taken.len() {
            self.taken.resize(chunks, 0);
        }
        for number in offset / sector..end.div_ceil(sector) {
            let mask = 1 << (number % per_chunk);
            let bits = &mut self.taken[(number / per_chunk) as usize];
            self.taken_sectors += u64::from(*bits & mask == 0);
            *bits |= mask;
        }
    }

    fn is_taken(&self, number: u64, sector: u64) -> bool {
        let per_chunk = CHUNK_BYTES as u64 / sector;
        let bits = self.taken.get((number / per_chunk) as usize).copied().unwrap_or(0);
        bits & (1 << (number % per_chunk)) != 0
    }

    /// Gives back the sectors past a length.
    pub(super) fn release_past(&mut self, len: u64, sector: u64) {
        let per_chunk = CHUNK_BYTES as u64 / sector;
        let keep = len.div_ceil(sector);
        let chunks = (keep.div_ceil(per_chunk) as usize).min(self.taken.len());
        let mut released: u32 = self.taken.drain(chunks..).map(u8::count_ones).sum();
        if !keep.is_multiple_of(per_chunk)
            && chunks as u64 == keep.div_ceil(per_chunk)
            && let Some(last) = self.taken.last_mut()
        {
            let mask = (1_u8 << (keep % per_chunk)) - 1;
            released += (*last & !mask).count_ones();
            *last &= mask;
        }
        self.taken_sectors -= u64::from(released);
    }
}
