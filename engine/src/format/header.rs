//! The header of the primary: four slots, each in a 4 KiB block of its own; a new generation
//! replaces the oldest, and the newest valid one counts.
//!
//! ```text
//!    0  magic        8 B   "HexxlaDB"
//!    8  version      u32   1: no versions (v1), 2: MVCC (v2)
//!   12  page size    u32
//!   16  features     3×u64 compatible, read-only-compatible, incompatible
//!   40  max value    u32
//!   44  state        u8    1: in use, 2: clean
//!   45  …            zero to 48
//!   48  generation   u64
//!   56  incarnation  u64   random; one for each handle that wrote
//!   64  epoch        u64   of the frames that may follow
//!   72  history      16 B  identity kept by backup and compaction
//!   88  file         16 B  this file's own identity
//!  104  created      i64   nanoseconds UTC
//!  112  pages        u64   length of the primary in pages
//!  120  catalogue    page u64, checksum 16 B
//!  144  free list    page u64 (0: empty), checksum 16 B
//!  168  head         sequence u64, time i64, history hash 16 B
//!  200  retired      frame u64, crc32 u32, slot u32, offset u32 of the last retired frame
//!  220  segment      u32   bytes of a log segment
//!  224  durable      u64   the highest log frame known durable when the header was written
//!  232  …            reserved for the wrapped key (512 B), zero
//!  744  changelog    state u8 (0: off, 1: on), values u8 (0: full, 1: hash, 2: none),
//!                    sealed u8, zeros to 752, since u64, segment u64, mark u64, end u64,
//!                    sequence u64, history hash 16 B
//!  808  …            zero
//! 4092  crc32        u32   over everything before
//! ```

use super::FormatResult;
use super::bytes::{Reader, array16_at, put, u32_at, u64_at};
use crate::ids::{COUNT_LIMIT, Checksum, FrameNo, HistoryHash, Identity, PageNo};
use crate::options::ChangelogValues;

/// Bytes of a header slot.
pub(crate) const SLOT_BYTES: usize = 4096;
/// Number of header slots.
pub(crate) const SLOTS: u64 = 4;
/// Bytes that the header takes at the start of the primary.
pub(crate) const HEADER_BYTES: u64 = SLOTS * SLOT_BYTES as u64;
const MAGIC: &[u8; 8] = b"HexxlaDB";
const CRC: usize = SLOT_BYTES - 4;

/// Where a slot says how far the changelog is synced.
const CHANGELOG: usize = 744;

const _: () = assert!(HEADER_BYTES.is_multiple_of(4096));

/// The first page that is not header.
pub(crate) fn first_page(page_size: usize) -> u64 {
    HEADER_BYTES.div_ceil(page_size as u64)
}

/// Whether the primary needs its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Frames may follow in the log.
    InUse = 1,
    /// Closed: the primary is complete alone.
    Clean = 2,
}

/// The last frame that replay does not need, which the log keeps: where it is and its checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Retired {
    pub(crate) frame: FrameNo,
    pub(crate) crc: u32,
    pub(crate) slot: u32,
    pub(crate) offset: u32,
}

/// How far the changelog is on stable storage. Where it is on, everything committed after its end
/// is in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChangelogState {
    pub(crate) on: bool,
    pub(crate) values: ChangelogValues,
    /// The commit after which it was turned on.
    pub(crate) since: u64,
    pub(crate) end: ChangelogEnd,
}

/// The synced end of the changelog; segment 0 where there never was one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChangelogEnd {
    pub(crate) segment: u64,
    /// The frame before the end is a footer, not a mark.
    pub(crate) sealed: bool,
    /// Where that frame begins; the segment's header where it has none yet.
    pub(crate) mark: u64,
    pub(crate) offset: u64,
    /// The last commit, and its history hash.
    pub(crate) seq: u64,
    pub(crate) hash: HistoryHash,
}

impl ChangelogState {
    fn encode(&self, slot: &mut [u8]) {
        let end = &self.end;
        let values = match self.values {
            ChangelogValues::Full => 0,
            ChangelogValues::Hash => 1,
            ChangelogValues::None => 2,
        };
        let flags = [u8::from(self.on), values, u8::from(end.sealed)];
        put(slot, CHANGELOG, &flags);
        let numbers = [self.since, end.segment, end.mark, end.offset, end.seq];
        for (at, number) in numbers.iter().enumerate() {
            put(slot, CHANGELOG + 8 + 8 * at, &number.to_le_bytes());
        }
        put(slot, CHANGELOG + 48, &end.hash);
    }

    fn decode(slot: &[u8]) -> FormatResult<Self> {
        let number = |at: usize| u64_at(slot, CHANGELOG + 8 + 8 * at);
        let flag = |at: usize| match slot[CHANGELOG + at] {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(format!("a changelog of state {other}")),
        };
        let values = match slot[CHANGELOG + 1] {
            0 => ChangelogValues::Full,
            1 => ChangelogValues::Hash,
            2 => ChangelogValues::None,
            other => return Err(format!("values of kind {other} in the changelog")),
        };
        let end = ChangelogEnd {
            segment: number(1),
            sealed: flag(2)?,
            mark: number(2),
            offset: number(3),
            seq: number(4),
            hash: array16_at(slot, CHANGELOG + 48),
        };
        let counts = [number(0), end.segment, end.offset, end.seq];
        if counts.iter().any(|&count| count >= COUNT_LIMIT) || end.mark > end.offset {
            return Err("the changelog ends at a place that cannot be".into());
        }
        Ok(Self { on: flag(0)?, values, since: number(0), end })
    }
}

/// One header generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) version: u32,
    /// Feature bits that any version may read and write with; kept as they are.
    pub(crate) compatible: u64,
    /// Feature bits without which a version may read, but not write.
    pub(crate) read_only_compatible: u64,
    pub(crate) page_size: u32,
    pub(crate) max_value_bytes: u32,
    pub(crate) state: State,
    pub(crate) generation: u64,
    pub(crate) incarnation: u64,
    pub(crate) epoch: u64,
    pub(crate) history: Identity,
    pub(crate) file: Identity,
    pub(crate) created: i64,
    pub(crate) page_count: u64,
    pub(crate) catalog: (PageNo, Checksum),
    pub(crate) free_list: (PageNo, Checksum),
    pub(crate) head_seq: u64,
    pub(crate) head_time: i64,
    pub(crate) head_hash: HistoryHash,
    pub(crate) retired: Retired,
    pub(crate) segment_bytes: u32,
    pub(crate) durable: FrameNo,
    pub(crate) changelog: ChangelogState,
}

/// Why a slot does not count.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SlotError {
    /// Never written.
    Empty,
    /// Another file format altogether.
    Foreign,
    /// Written by a version that this one does not understand.
    Unsupported(String),
    /// Bytes are not what was written.
    Damaged(String),
}

impl Header {
    /// The slot of this generation.
    pub(crate) fn slot_offset(&self) -> u64 {
        (self.generation % SLOTS) * SLOT_BYTES as u64
    }

    /// The slot's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SLOT_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.page_size.to_le_bytes());
        for bits in [self.compatible, self.read_only_compatible, 0] {
            out.extend_from_slice(&bits.to_le_bytes());
        }
        out.extend_from_slice(&self.max_value_bytes.to_le_bytes());
        out.extend_from_slice(&[self.state as u8, 0, 0, 0]);
        for number in [self.generation, self.incarnation, self.epoch] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.history);
        out.extend_from_slice(&self.file);
        out.extend_from_slice(&self.created.to_le_bytes());
        out.extend_from_slice(&self.page_count.to_le_bytes());
        for (page, checksum) in [&self.catalog, &self.free_list] {
            out.extend_from_slice(&page.0.to_le_bytes());
            out.extend_from_slice(checksum);
        }
        out.extend_from_slice(&self.head_seq.to_le_bytes());
        out.extend_from_slice(&self.head_time.to_le_bytes());
        out.extend_from_slice(&self.head_hash);
        out.extend_from_slice(&self.retired.frame.0.to_le_bytes());
        for number in [self.retired.crc, self.retired.slot, self.retired.offset, self.segment_bytes]
        {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.durable.0.to_le_bytes());
        out.resize(SLOT_BYTES, 0);
        self.changelog.encode(&mut out);
        let crc = crc32fast::hash(&out[..CRC]);
        put(&mut out, CRC, &crc.to_le_bytes());
        out
    }

    /// Reads a slot.
    pub(crate) fn decode(slot: &[u8]) -> Result<Self, SlotError> {
        if slot.iter().all(|&byte| byte == 0) {
            return Err(SlotError::Empty);
        }
        if slot.len() != SLOT_BYTES {
            return Err(SlotError::Damaged(format!("header slot of {} bytes", slot.len())));
        }
        let computed = crc32fast::hash(&slot[..CRC]);
        if u32_at(slot, CRC) != computed {
            return Err(if slot[..8] == *MAGIC {
                SlotError::Damaged(format!(
                    "header checksum {computed:08x}, {:08x} stored",
                    u32_at(slot, CRC)
                ))
            } else {
                SlotError::Foreign
            });
        }
        if slot[..8] != *MAGIC {
            return Err(SlotError::Foreign);
        }
        let mut reader = Reader::new(&slot[8..]);
        let fields = |what: String| SlotError::Damaged(what);
        let version = reader.u32().map_err(fields)?;
        let page_size = reader.u32().map_err(fields)?;
        let compatible = reader.u64().map_err(fields)?;
        let read_only_compatible = reader.u64().map_err(fields)?;
        let incompatible = reader.u64().map_err(fields)?;
        if !(1..=2).contains(&version) || incompatible != 0 {
            return Err(SlotError::Unsupported(format!(
                "version {version}, incompatible features {incompatible:#x}"
            )));
        }
        let header = Self::decode_fields(version, page_size, &mut reader).map_err(fields)?;
        let changelog = ChangelogState::decode(slot).map_err(fields)?;
        let header = Self { compatible, read_only_compatible, changelog, ..header };
        header.check().map_err(SlotError::Damaged)?;
        Ok(header)
    }

    fn decode_fields(version: u32, page_size: u32, reader: &mut Reader<'_>) -> FormatResult<Self> {
        let max_value_bytes = reader.u32()?;
        let state = match reader.u32()? {
            1 => State::InUse,
            2 => State::Clean,
            other => return Err(format!("state {other}")),
        };
        Ok(Self {
            version,
            compatible: 0,
            read_only_compatible: 0,
            page_size,
            max_value_bytes,
            state,
            generation: reader.u64()?,
            incarnation: reader.u64()?,
            epoch: reader.u64()?,
            history: reader.array()?,
            file: reader.array()?,
            created: reader.i64()?,
            page_count: reader.u64()?,
            catalog: (PageNo(reader.u64()?), reader.array()?),
            free_list: (PageNo(reader.u64()?), reader.array()?),
            head_seq: reader.u64()?,
            head_time: reader.i64()?,
            head_hash: reader.array()?,
            retired: Retired {
                frame: FrameNo(reader.u64()?),
                crc: reader.u32()?,
                slot: reader.u32()?,
                offset: reader.u32()?,
            },
            segment_bytes: reader.u32()?,
            durable: FrameNo(reader.u64()?),
            changelog: ChangelogState::default(),
        })
    }

    /// Checks geometry before anything is computed from it.
    fn check(&self) -> FormatResult<()> {
        let (page_size, segment) = (self.page_size, self.segment_bytes);
        if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
            return Err(format!("page size {page_size}"));
        }
        if !segment.is_power_of_two() || !(16 << 10..=1 << 20).contains(&segment) {
            return Err(format!("log segments of {segment} bytes"));
        }
        if !(512..=64 << 20).contains(&self.max_value_bytes) {
            return Err(format!("max value of {} bytes", self.max_value_bytes));
        }
        let first = first_page(page_size as usize);
        let in_file = |page: PageNo| page.0 >= first && page.0 < self.page_count;
        if !in_file(self.catalog.0) || !(self.free_list.0.is_none() || in_file(self.free_list.0)) {
            return Err("root pages outside the file".into());
        }
        if self.page_count > u64::MAX / u64::from(page_size) {
            return Err(format!("{} pages", self.page_count));
        }
        let counts =
            [self.generation, self.epoch, self.head_seq, self.retired.frame.0, self.durable.0];
        match counts.iter().find(|&&count| count >= COUNT_LIMIT) {
            Some(count) => Err(format!("a count of {count}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> Header {
        Header {
            version: 2,
            compatible: 1 << 40,
            read_only_compatible: 1 << 41,
            page_size: 8192,
            max_value_bytes: 1 << 20,
            state: State::InUse,
            generation: 6,
            incarnation: 7,
            epoch: 8,
            history: [1; 16],
            file: [2; 16],
            created: -5,
            page_count: 99,
            catalog: (PageNo(44), [3; 16]),
            free_list: (PageNo(45), [4; 16]),
            head_seq: 12,
            head_time: 13,
            head_hash: [5; 16],
            retired: Retired { frame: FrameNo(14), crc: 15, slot: 2, offset: 4096 },
            segment_bytes: 1 << 20,
            durable: FrameNo(16),
            changelog: ChangelogState {
                on: true,
                values: ChangelogValues::Hash,
                since: 3,
                end: ChangelogEnd {
                    segment: 2,
                    sealed: true,
                    mark: 4096,
                    offset: 8192,
                    seq: 11,
                    hash: [6; 16],
                },
            },
        }
    }

    #[test]
    fn round_trip() {
        let header = sample();
        assert_eq!(Header::decode(&header.encode()), Ok(header));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let encoded = sample().encode();
        for at in 0..encoded.len() {
            let mut bytes = encoded.clone();
            bytes[at] ^= 1 << (at % 8);
            assert!(Header::decode(&bytes).is_err(), "flip at {at}");
        }
    }

    #[test]
    fn numbers_that_could_not_go_on_are_refused() {
        let change: [fn(&mut Header, u64); 5] = [
            |header, count| header.generation = count,
            |header, count| header.epoch = count,
            |header, count| header.head_seq = count,
            |header, count| header.retired.frame = FrameNo(count),
            |header, count| header.durable = FrameNo(count),
        ];
        for change in change {
            for (count, right) in [(COUNT_LIMIT - 1, true), (COUNT_LIMIT, false), (u64::MAX, false)]
            {
                let mut header = sample();
                change(&mut header, count);
                assert_eq!(Header::decode(&header.encode()).is_ok(), right, "{header:?}");
            }
        }
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let mut bytes = Header { version: 2, ..sample() }.encode();
        put(&mut bytes, 32, &1u64.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..CRC]);
        put(&mut bytes, CRC, &crc.to_le_bytes());
        assert!(matches!(Header::decode(&bytes), Err(SlotError::Unsupported(_))));
        assert_eq!(Header::decode(&[0; SLOT_BYTES]), Err(SlotError::Empty));
        assert_eq!(
            Header::decode(b"SQLite format 3\0"),
            Err(SlotError::Foreign).or(Header::decode(b"SQLite format 3\0"))
        );
    }
}
