//! Reading a log: what its segments say of themselves, the unbroken chain of frames from a given
//! one on, and the search for frames behind a break.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use hexxladb_vfs::{File, FileExt};

use crate::error::{Error, Result};
use crate::format::frame::{self, Frame, FrameHeader};
use crate::format::header::Retired;
use crate::format::segment::{BLOCK_BYTES, COPY_OFFSET, SegmentHeader};
use crate::ids::{FrameNo, Identity};
use crate::probe::{self, Probe};

/// What one segment says of itself.
#[derive(Clone, Debug)]
pub(crate) struct SegmentInfo {
    pub(crate) header: Option<SegmentHeader>,
    /// The frame in the first block after the header.
    pub(crate) first: Option<FrameHeader>,
    /// Both blocks are zeros, as those of a segment that was never used.
    pub(crate) blank: bool,
}

/// A log file with its segments looked at.
#[derive(Debug)]
pub(crate) struct LogFile {
    pub(crate) file: Arc<dyn File>,
    pub(crate) segment_bytes: u32,
    pub(crate) segments: Vec<SegmentInfo>,
}

impl LogFile {
    /// Looks at the first two blocks of every segment, and at more where a first frame is longer.
    pub(crate) fn read(file: Arc<dyn File>, segment_bytes: u32) -> Result<Self> {
        // The last segment may be cut short: a failed sync proves nothing of a length, and a later
        // one covers only what was written after it.
        let slots = file.len()?.div_ceil(u64::from(segment_bytes));
        let slots = u32::try_from(slots).unwrap_or(u32::MAX);
        let mut log = Self { file, segment_bytes, segments: Vec::new() };
        let mut blocks = vec![0; 2 * BLOCK_BYTES];
        for slot in 0..slots {
            blocks.fill(0);
            log.file.read_up_to(log.at(slot, 0), &mut blocks)?;
            let header = SegmentHeader::decode(&blocks);
            let first = log.first_frame(slot, &blocks[BLOCK_BYTES..])?;
            let blank = blocks.iter().all(|&byte| byte == 0);
            log.segments.push(SegmentInfo { header, first, blank });
        }
        Ok(log)
    }

    /// The log's path.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Segments in the file.
    pub(crate) fn slots(&self) -> u32 {
        self.segments.len() as u32
    }

    /// Byte offset of a place in a segment.
    pub(crate) fn at(&self, slot: u32, offset: usize) -> u64 {
        u64::from(slot) * u64::from(self.segment_bytes) + offset as u64
    }

    /// Whether any segment was ever written.
    pub(crate) fn is_blank(&self) -> bool {
        self.segments.iter().all(|info| info.header.is_none() && info.first.is_none())
    }

    /// The ordinal that the next segment gets.
    pub(crate) fn next_ordinal(&self) -> u64 {
        let ordinals = self.segments.iter().filter_map(|info| info.header.as_ref());
        ordinals.map(|header| header.ordinal).max().unwrap_or(0) + 1
    }

    /// The newest segment header: it tells whose log this is.
    pub(crate) fn newest_header(&self) -> Option<&SegmentHeader> {
        self.segments
            .iter()
            .filter_map(|info| info.header.as_ref())
            .max_by_key(|header| header.ordinal)
    }

    /// The highest epoch that any segment names.
    pub(crate) fn highest_epoch(&self) -> u64 {
        let headers = self.segments.iter().filter_map(|info| info.header.as_ref());
        let frames = self.segments.iter().filter_map(|info| info.first.as_ref());
        headers.map(|header| header.epoch).chain(frames.map(|frame| frame.epoch)).max().unwrap_or(0)
    }

    /// The highest number of any first frame: none is used again.
    pub(crate) fn highest_frame(&self, file: &Identity) -> FrameNo {
        let firsts = self.segments.iter().filter_map(|info| info.first.as_ref());
        firsts
            .filter(|first| first.file == *file)
            .map(|first| first.number)
            .max()
            .unwrap_or_default()
    }

    /// All bytes of a segment; short at the end of a file that was cut.
    pub(crate) fn read_segment(&self, slot: u32) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.segment_bytes as usize];
        let len = self.file.read_up_to(self.at(slot, 0), &mut bytes)?;
        bytes.truncate(len);
        Ok(bytes)
    }

    fn first_frame(&self, slot: u32, block: &[u8]) -> Result<Option<FrameHeader>> {
        for start in [0, COPY_OFFSET] {
            let bytes = &block[start..];
            if let Some(found) = frame::decode(bytes) {
                return Ok(Some(found.header));
            }
            let limit = self.segment_bytes as usize - BLOCK_BYTES;
            if let Some(size) = frame::claimed_size(bytes, limit)
                && start == 0
                && size > block.len()
            {
                let mut whole = vec![0; size];
                let len = self.file.read_up_to(self.at(slot, BLOCK_BYTES), &mut whole)?;
                if let Some(found) = frame::decode(&whole[..len]) {
                    return Ok(Some(found.header));
                }
            }
        }
        Ok(None)
    }

    /// Calls `see` with every intact frame that starts at a block (or is a second copy) in the
    /// segment from `offset` on.
    pub(crate) fn frames_at_blocks(
        &self,
        slot: u32,
        offset: usize,
        mut see: impl FnMut(usize, &Frame<'_>),
    ) -> Result<()> {
        self.look_at_blocks(slot, offset, |at, bytes| {
            if let Some(frame) = frame::decode(bytes) {
                see(at, &frame);
            }
        })
    }

    /// Calls `see` with the bytes from every frame on, intact or not, that may start at a block
    /// (or be a second copy) in the segment from `offset` on.
    fn look_at_blocks(
        &self,
        slot: u32,
        offset: usize,
        mut see: impl FnMut(usize, &[u8]),
    ) -> Result<()> {
        let bytes = self.read_segment(slot)?;
        let first = offset.next_multiple_of(BLOCK_BYTES);
        for block in (first..bytes.len()).step_by(BLOCK_BYTES) {
            for copy in [block, block + COPY_OFFSET] {
                // Frames of one group follow each other without a gap.
                let mut at = copy;
                while let Some(rest) = bytes.get(at..) {
                    see(at, rest);
                    match frame::decode(rest) {
                        Some(frame) => at += frame.size(),
                        None => break,
                    }
                }
            }
        }
        Ok(())
    }
}

/// What frames behind a break prove.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// A later intact frame knew this many frames to be durable.
    pub(crate) durable: FrameNo,
    /// The highest number behind the break.
    pub(crate) highest: FrameNo,
    /// The highest header generation that any intact frame names.
    pub(crate) generation: u64,
    /// Intact frames behind the break.
    pub(crate) frames: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Bytes of the frame that broke the chain, as far as it can be told.
    pub(crate) torn_bytes: u64,
    /// The first intact frame behind the break: its number, segment and offset in it.
    later: Option<(FrameNo, u32, usize)>,
}

/// The unbroken chain of frames of one file and epoch.
pub(crate) struct Replay<'a> {
    log: &'a LogFile,
    file: Identity,
    epoch: u64,
    segment: Vec<u8>,
    slot: u32,
    /// End of the last good frame in the segment.
    at: usize,
    last: (FrameNo, u32),
    used: Vec<(u32, FrameNo)>,
}

impl<'a> Replay<'a> {
    /// Starts after the last retired frame, which must be there.
    pub(crate) fn new(
        log: &'a LogFile,
        file: Identity,
        epoch: u64,
        retired: Retired,
    ) -> Result<Option<Self>> {
        if retired.slot >= log.slots() {
            return Ok(None);
        }
        let segment = log.read_segment(retired.slot)?;
        let offset = retired.offset as usize;
        let Some((at, size)) = [offset, offset + COPY_OFFSET].into_iter().find_map(|at| {
            let found = segment.get(at..).and_then(frame::decode)?;
            let right = found.header.number == retired.frame && found.crc == retired.crc;
            (right && found.header.file == file).then(|| (at, found.size()))
        }) else {
            return Ok(None);
        };
        if at != offset {
            probe::hit(Probe::SecondCopyUsed);
        }
        Ok(Some(Self {
            log,
            file,
            epoch,
            segment,
            slot: retired.slot,
            at: at + size,
            last: (retired.frame, retired.crc),
            used: vec![(retired.slot, retired.frame)],
        }))
    }

    /// Number and checksum of the last good frame.
    pub(crate) fn last(&self) -> (FrameNo, u32) {
        self.last
    }

    /// Segments that hold frames of the chain, with the last frame of each.
    pub(crate) fn used(&self) -> &[(u32, FrameNo)] {
        &self.used
    }

    /// The next frame of the chain and its place, until the chain breaks.
    pub(crate) fn next_frame(&mut self) -> Result<Option<(Frame<'_>, Retired)>> {
        if let Some(start) = self.find_in_segment() {
            return Ok(self.accept(start));
        }
        let wanted = self.last.0.next();
        let next = self.log.segments.iter().position(|info| {
            info.first.as_ref().is_some_and(|first| {
                first.number == wanted && first.epoch == self.epoch && first.file == self.file
            })
        });
        let Some(slot) = next else { return Ok(None) };
        let (segment, old) = (self.log.read_segment(slot as u32)?, self.slot);
        let kept = (std::mem::replace(&mut self.segment, segment), self.at);
        self.slot = slot as u32;
        self.at = BLOCK_BYTES;
        if let Some(start) = self.find_in_segment() {
            return Ok(self.accept(start));
        }
        (self.segment, self.at) = kept;
        self.slot = old;
        Ok(None)
    }

    /// Where the next frame starts: right after the last one, or at the next block; each in its
    /// first or second copy.
    fn find_in_segment(&self) -> Option<usize> {
        let block = self.at.next_multiple_of(BLOCK_BYTES);
        let in_second_half = self.at % BLOCK_BYTES >= COPY_OFFSET;
        let other_copy = if in_second_half { self.at - COPY_OFFSET } else { self.at + COPY_OFFSET };
        [self.at, other_copy, block, block + COPY_OFFSET].into_iter().find(|&start| {
            let found = self.segment.get(start..).and_then(frame::decode);
            found.is_some_and(|frame| self.continues(&frame))
        })
    }

    fn continues(&self, frame: &Frame<'_>) -> bool {
        let header = &frame.header;
        header.number == self.last.0.next()
            && header.previous_crc == self.last.1
            && header.epoch == self.epoch
            && header.file == self.file
    }

    fn accept(&mut self, start: usize) -> Option<(Frame<'_>, Retired)> {
        let frame = frame::decode(&self.segment[start..])?;
        if start != self.at && !start.is_multiple_of(BLOCK_BYTES) {
            probe::hit(Probe::SecondCopyUsed);
        }
        self.at = start + frame.size();
        self.last = (frame.header.number, frame.crc);
        let place = Retired {
            frame: frame.header.number,
            crc: frame.crc,
            slot: self.slot,
            offset: start as u32,
        };
        match self.used.last_mut() {
            Some(last) if last.0 == self.slot => last.1 = frame.header.number,
            _ => self.used.push((self.slot, frame.header.number)),
        }
        Some((frame, place))
    }

    /// Looks on behind the break, at block starts only and ignoring the chain.
    pub(crate) fn look_on(&self) -> Result<Evidence> {
        let mut evidence = Evidence::default();
        let mut seen = BTreeSet::new();
        let (file, epoch, last) = (self.file, self.epoch, self.last.0);
        if let Some(rest) =
            self.segment.get(self.at..).filter(|_| !self.at.is_multiple_of(BLOCK_BYTES))
        {
            evidence.torn_bytes += self.torn_bytes(rest);
        }
        for slot in 0..self.log.slots() {
            let from = if slot == self.slot { self.at } else { BLOCK_BYTES };
            self.log.look_at_blocks(slot, from, |at, bytes| {
                let Some(frame) = frame::decode(bytes) else {
                    evidence.torn_bytes += self.torn_bytes(bytes);
                    return;
                };
                let header = &frame.header;
                if header.file != file || header.epoch < epoch {
                    return;
                }
                if header.epoch > epoch || header.number > last {
                    evidence.generation = evidence.generation.max(header.generation);
                }
                if header.epoch == epoch && header.number > last {
                    // Both copies of a frame are seen: it counts once.
                    if seen.insert(header.number) {
                        evidence.frames += 1;
                        evidence.bytes += frame.size() as u64;
                    }
                    if evidence.later.is_none_or(|(known, ..)| header.number < known) {
                        evidence.later = Some((header.number, slot, at));
                    }
                    evidence.highest = evidence.highest.max(header.number);
                    evidence.durable = evidence.durable.max(header.durable);
                }
            })?;
        }
        Ok(evidence)
    }

    /// Bytes of a frame that is not intact but was to be the next one, by what is left of it.
    fn torn_bytes(&self, bytes: &[u8]) -> u64 {
        let Some(claim) = frame::claim(bytes) else { return 0 };
        let next = claim.number == self.last.0.next();
        let chained = claim.previous_crc == self.last.1;
        let ours = claim.file == self.file || claim.epoch == self.epoch;
        if (next && (chained || ours)) || (chained && ours) {
            let size = frame::claimed_size(bytes, bytes.len()).unwrap_or(BLOCK_BYTES);
            size as u64
        } else {
            0
        }
    }

    /// Where the frame ought to be that the chain lacks, as near as it can be told.
    pub(crate) fn missing_at(&self, evidence: &Evidence) -> u64 {
        let slot = self.segment_begun_with_missing().or_else(|| self.segment_begun_anew(evidence));
        if let Some(slot) = slot {
            return self.log.at(slot, BLOCK_BYTES);
        }
        // Behind the last frame of a group lie zeros, up to the second copy or the next block.
        let block = self.at.next_multiple_of(BLOCK_BYTES);
        let copy = self.at / BLOCK_BYTES * BLOCK_BYTES + COPY_OFFSET;
        let end = if self.at < copy { copy } else { block }.min(self.segment.len());
        let rest = self.segment.get(self.at..end).unwrap_or_default();
        let in_group = rest.iter().any(|&byte| byte != 0);
        let full = block >= self.log.segment_bytes as usize;
        self.log.at(self.slot, if in_group || full { self.at } else { block })
    }

    /// The segment whose header says that the missing frame is its first.
    fn segment_begun_with_missing(&self) -> Option<u32> {
        let wanted = self.last.0.next();
        let begun = self.log.segments.iter().position(|info| {
            info.header.as_ref().is_some_and(|header| {
                !header.retired
                    && header.frame == wanted
                    && header.epoch == self.epoch
                    && header.file == self.file
            })
        });
        begun.map(|slot| slot as u32)
    }

    /// The segment in which the chain goes on, where its beginning is not that of the chain: header
    /// and first group are one write.
    fn segment_begun_anew(&self, evidence: &Evidence) -> Option<u32> {
        let (_, slot, offset) = evidence.later?;
        let of_chain = self.log.segments[slot as usize].header.as_ref().is_some_and(|header| {
            header.frame > self.last.0 && header.epoch == self.epoch && header.file == self.file
        });
        let begins_later = offset >= 2 * BLOCK_BYTES;
        (slot != self.slot && begins_later && !of_chain).then_some(slot)
    }
}

impl LogFile {
    /// Damage of the log.
    pub(crate) fn corrupt(&self, offset: u64, what: impl Into<String>) -> Error {
        Error::corrupt(self.path(), offset, what)
    }
}
