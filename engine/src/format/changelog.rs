//! Files of the changelog: a header block, frames, and in a sealed segment a footer.
//!
//! ```text
//! header  0  magic    8 B   "HexxlCHG"
//!         8  version  u32   1
//!        12  start    u32   why it begins where it does: see Start
//!        16  ordinal  u64   segments count from 1
//!        24  history  16 B  identity of the history
//!        40  base     u64   the commit after which the entries begin
//!        48  hash     16 B  history hash of that commit, zeros for 0
//!        64  created  i64   nanoseconds UTC
//!        72  …              zero to 4092
//!      4092  crc32    u32   over everything before
//!
//! frame   0  crc32    u32   over the history's identity and bytes 4 to 104
//!         4  crc32    u32   over the payload
//!         8  type     u8    see FrameKind
//!         9  flags    u8    entries: bit 0 begins a commit, bit 1 ends it
//!        10  compression u8 0: none
//!        11  version  u8    1
//!        12  payload  u32   bytes
//!        16  key id   u32   0: not sealed
//!        20  index    u32   of the first entry within its commit
//!        24  count    u32   entries in this frame
//!        28  total    u32   entries of the whole commit
//!        32  sequence u64   of the commit; in a mark and a footer, of the last one before it
//!        40  time     i64   of that commit
//!        48  hash     16 B  history hash of that commit
//!        64  nonce 24 B, tag 16 B   zero when not sealed
//!       104  payload
//!
//! payload of entries: note len u32 + 1 (0: none) and note, in the frame that begins a commit
//! entry:              op u8, key len varint, key, value kind u8, then by kind
//! payload of a mark:  zeros up to a multiple of 4096 bytes in the file
//! payload of a footer: (sequence u64, offset u64) of frames that begin a commit, then
//!                     entries u64, first time i64, lost to u64, index count u64,
//!                     offset of the footer u64, magic 8 B "HexxlCHE"
//! ```
//!
//! A write never touches a block of 4096 bytes that lies before a synced mark.

use super::FormatResult;
use super::bytes::{Reader, array16_at, push_varint, put, read_varint, u32_at, u64_at};
use crate::ids::{COUNT_LIMIT, HistoryHash, Identity};

/// Bytes of a segment's header, and of the blocks that marks fill up.
pub(crate) const BLOCK_BYTES: usize = 4096;
/// Bytes of a frame before its payload.
pub(crate) const FRAME_HEADER_BYTES: usize = 104;
/// Bytes of a footer's payload after its index.
pub(crate) const TRAILER_BYTES: usize = 48;
/// More payload than any frame has: the largest value, key and note, and an index of as much.
const MAX_PAYLOAD_BYTES: usize = (64 << 20) + (128 << 10);

const HEADER_MAGIC: &[u8; 8] = b"HexxlCHG";
const FOOTER_MAGIC: &[u8; 8] = b"HexxlCHE";
const HEADER_CRC: usize = BLOCK_BYTES - 4;
const VERSION: u8 = 1;

/// Why a segment begins where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// It goes on where the segment before it ends.
    Continues = 1,
    /// The changelog was turned on here; what was committed before is not in it.
    TurnedOn = 2,
    /// The files before it were missing.
    Missing = 3,
    /// A repair began it here.
    Repaired = 4,
}

impl Start {
    fn from_number(number: u32) -> Option<Self> {
        [Self::Continues, Self::TurnedOn, Self::Missing, Self::Repaired]
            .into_iter()
            .find(|&known| known as u32 == number)
    }
}

/// The first block of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHead {
    pub(crate) start: Start,
    pub(crate) ordinal: u64,
    pub(crate) history: Identity,
    pub(crate) base: u64,
    pub(crate) base_hash: HistoryHash,
    pub(crate) created: i64,
}

impl SegmentHead {
    /// The block's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; BLOCK_BYTES];
        put(&mut out, 0, HEADER_MAGIC);
        put(&mut out, 8, &1u32.to_le_bytes());
        put(&mut out, 12, &(self.start as u32).to_le_bytes());
        put(&mut out, 16, &self.ordinal.to_le_bytes());
        put(&mut out, 24, &self.history);
        put(&mut out, 40, &self.base.to_le_bytes());
        put(&mut out, 48, &self.base_hash);
        put(&mut out, 64, &self.created.to_le_bytes());
        let crc = crc32fast::hash(&out[..HEADER_CRC]);
        put(&mut out, HEADER_CRC, &crc.to_le_bytes());
        out
    }

    /// Reads a block.
    pub(crate) fn decode(block: &[u8]) -> FormatResult<Self> {
        if block.len() != BLOCK_BYTES || block[..8] != *HEADER_MAGIC {
            return Err("no changelog segment begins here".into());
        }
        if u32_at(block, HEADER_CRC) != crc32fast::hash(&block[..HEADER_CRC]) {
            return Err("the segment's header does not have its checksum".into());
        }
        let version = u32_at(block, 8);
        if version != 1 {
            return Err(format!("a changelog of version {version}; use a newer release"));
        }
        let head = Self {
            start: Start::from_number(u32_at(block, 12)).ok_or("a start of no known kind")?,
            ordinal: u64_at(block, 16),
            history: array16_at(block, 24),
            base: u64_at(block, 40),
            base_hash: array16_at(block, 48),
            created: u64_at(block, 64).cast_signed(),
        };
        if head.ordinal == 0 || head.ordinal >= COUNT_LIMIT || head.base >= COUNT_LIMIT {
            return Err("a count that could not go on".into());
        }
        Ok(head)
    }
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// Entries of one commit.
    Entries = 1,
    /// Everything before it was synced; it ends at a block.
    Mark = 2,
    /// Ends a sealed segment.
    Footer = 3,
}

impl FrameKind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Entries, Self::Mark, Self::Footer].into_iter().find(|&known| known as u8 == byte)
    }
}

/// Everything of a frame but its payload and checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHead {
    pub(crate) kind: FrameKind,
    pub(crate) begins: bool,
    pub(crate) ends: bool,
    pub(crate) index: u32,
    pub(crate) count: u32,
    pub(crate) total: u32,
    pub(crate) seq: u64,
    pub(crate) time: i64,
    pub(crate) hash: HistoryHash,
}

/// A frame's head that proved intact, and what it says of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) head: FrameHead,
    pub(crate) payload_bytes: usize,
    payload_crc: u32,
}

impl Checked {
    /// Bytes of the whole frame.
    pub(crate) fn size(&self) -> u64 {
        (FRAME_HEADER_BYTES + self.payload_bytes) as u64
    }

    /// Whether these are the payload's bytes.
    pub(crate) fn is_payload(&self, payload: &[u8]) -> bool {
        payload.len() == self.payload_bytes && crc32fast::hash(payload) == self.payload_crc
    }
}

/// Appends a frame.
pub(crate) fn encode_frame(
    history: &Identity,
    head: &FrameHead,
    payload: &[u8],
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.resize(start + FRAME_HEADER_BYTES, 0);
    out.extend_from_slice(payload);
    seal_frame(history, head, &mut out[start..]);
}

/// Fills in the header of a frame whose payload is in place.
pub(crate) fn seal_frame(history: &Identity, head: &FrameHead, frame: &mut [u8]) {
    let (bytes, payload) = frame.split_at_mut(FRAME_HEADER_BYTES);
    let flags = u8::from(head.begins) | u8::from(head.ends) << 1;
    put(bytes, 4, &crc32fast::hash(payload).to_le_bytes());
    put(bytes, 8, &[head.kind as u8, flags, 0, VERSION]);
    put(bytes, 12, &(payload.len() as u32).to_le_bytes());
    put(bytes, 20, &head.index.to_le_bytes());
    put(bytes, 24, &head.count.to_le_bytes());
    put(bytes, 28, &head.total.to_le_bytes());
    put(bytes, 32, &head.seq.to_le_bytes());
    put(bytes, 40, &head.time.to_le_bytes());
    put(bytes, 48, &head.hash);
    let crc = head_crc(history, bytes);
    put(bytes, 0, &crc.to_le_bytes());
}

/// The head of a frame, if these are its intact bytes. Nothing that it says is relied upon
/// before its checksum was.
pub(crate) fn decode_head(history: &Identity, bytes: &[u8]) -> FormatResult<Checked> {
    let bytes = bytes.get(..FRAME_HEADER_BYTES).ok_or("a frame's header is cut short")?;
    if u32_at(bytes, 0) != head_crc(history, bytes) {
        return Err("a frame's header does not have its checksum".into());
    }
    if bytes[10] != 0 || bytes[11] != VERSION || u32_at(bytes, 16) != 0 {
        return Err("a frame of a newer form; use a newer release".into());
    }
    let head = FrameHead {
        kind: FrameKind::from_byte(bytes[8]).ok_or("a frame of no known kind")?,
        begins: bytes[9] & 1 != 0,
        ends: bytes[9] & 2 != 0,
        index: u32_at(bytes, 20),
        count: u32_at(bytes, 24),
        total: u32_at(bytes, 28),
        seq: u64_at(bytes, 32),
        time: u64_at(bytes, 40).cast_signed(),
        hash: array16_at(bytes, 48),
    };
    let payload_bytes = u32_at(bytes, 12) as usize;
    let after = u64::from(head.index) + u64::from(head.count);
    let in_order = after <= u64::from(head.total)
        && head.begins == (head.index == 0)
        && head.ends == (after == u64::from(head.total));
    if head.seq >= COUNT_LIMIT
        || payload_bytes > MAX_PAYLOAD_BYTES
        || (head.kind == FrameKind::Entries && !in_order)
    {
        return Err("a frame whose numbers do not agree".into());
    }
    Ok(Checked { head, payload_bytes, payload_crc: u32_at(bytes, 4) })
}

fn head_crc(history: &Identity, bytes: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(history);
    crc.update(&bytes[4..FRAME_HEADER_BYTES]);
    crc.finalize()
}

/// What a commit did to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RawOp {
    Put = 1,
    Delete = 2,
    Resolve = 3,
}

/// A value as an entry has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RawValue<'a> {
    None,
    Full(&'a [u8]),
    Hash([u8; 32]),
}

/// An entry as it stands in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawEntry<'a> {
    pub(crate) op: RawOp,
    /// The logical key; empty for a commit that touched no record.
    pub(crate) key: &'a [u8],
    pub(crate) value: RawValue<'a>,
}

/// Appends the note that begins a commit's first frame.
pub(crate) fn push_note(out: &mut Vec<u8>, note: Option<&str>) {
    let len = note.map_or(0, |note| note.len() as u32 + 1);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(note.unwrap_or_default().as_bytes());
}

/// Reads the note; returns how long it is with its length.
pub(crate) fn read_note(payload: &[u8]) -> FormatResult<(Option<&str>, usize)> {
    let mut reader = Reader::new(payload);
    match reader.u32()? as usize {
        0 => Ok((None, 4)),
        len => {
            let text =
                std::str::from_utf8(reader.take(len - 1)?).map_err(|_| "note is not text")?;
            Ok((Some(text), 4 + len - 1))
        }
    }
}

/// Appends an entry.
pub(crate) fn push_entry(out: &mut Vec<u8>, entry: &RawEntry<'_>) {
    out.push(entry.op as u8);
    push_varint(out, entry.key.len() as u64);
    out.extend_from_slice(entry.key);
    match entry.value {
        RawValue::None => out.push(0),
        RawValue::Full(value) => {
            out.push(1);
            push_varint(out, value.len() as u64);
            out.extend_from_slice(value);
        }
        RawValue::Hash(hash) => {
            out.push(2);
            out.extend_from_slice(&hash);
        }
    }
}

/// Reads the entry that begins `bytes`, and its length.
pub(crate) fn read_entry(bytes: &[u8]) -> FormatResult<(RawEntry<'_>, usize)> {
    let mut reader = Reader::new(bytes);
    let op = match reader.u8()? {
        1 => RawOp::Put,
        2 => RawOp::Delete,
        3 => RawOp::Resolve,
        other => return Err(format!("operation {other} in the changelog")),
    };
    let key = sized(&mut reader, bytes)?;
    let value = match reader.u8()? {
        0 => RawValue::None,
        1 => RawValue::Full(sized(&mut reader, bytes)?),
        2 => RawValue::Hash(reader.array()?),
        other => return Err(format!("a value of kind {other} in the changelog")),
    };
    Ok((RawEntry { op, key, value }, bytes.len() - reader.remaining()))
}

fn sized<'a>(reader: &mut Reader<'a>, bytes: &'a [u8]) -> FormatResult<&'a [u8]> {
    let rest = &bytes[bytes.len() - reader.remaining()..];
    let (len, len_bytes) = read_varint(rest)?.ok_or("a length is cut short")?;
    reader.take(len_bytes)?;
    reader.take(usize::try_from(len).map_err(|_| "a length that nothing has")?)
}

/// A place where a commit's frames begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Indexed {
    pub(crate) seq: u64,
    pub(crate) offset: u64,
}

/// The payload of a footer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) index: Vec<Indexed>,
    pub(crate) entries: u64,
    /// Time of the first commit.
    pub(crate) first_time: i64,
    /// Commits after the last one up to this are lost, which a repair found; 0 for none.
    pub(crate) lost_to: u64,
}

impl Footer {
    /// The payload of a footer whose frame begins at `offset`.
    pub(crate) fn encode(&self, offset: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.index.len() * 16 + TRAILER_BYTES);
        for place in &self.index {
            out.extend_from_slice(&place.seq.to_le_bytes());
            out.extend_from_slice(&place.offset.to_le_bytes());
        }
        out.extend_from_slice(&self.entries.to_le_bytes());
        out.extend_from_slice(&self.first_time.to_le_bytes());
        for number in [self.lost_to, self.index.len() as u64, offset] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(FOOTER_MAGIC);
        out
    }

    /// Reads a payload that proved intact.
    pub(crate) fn decode(payload: &[u8]) -> FormatResult<Self> {
        let at = payload.len().checked_sub(TRAILER_BYTES).ok_or("a footer is too short")?;
        let (index, trailer) = payload.split_at(at);
        if footer_offset(&trailer[TRAILER_BYTES - 16..]).is_none()
            || index.len() % 16 != 0
            || u64_at(trailer, 24) != (index.len() / 16) as u64
        {
            return Err("a footer whose index has another length".into());
        }
        let place = |at: &[u8]| Indexed { seq: u64_at(at, 0), offset: u64_at(at, 8) };
        Ok(Self {
            index: index.chunks_exact(16).map(place).collect(),
            entries: u64_at(trailer, 0),
            first_time: u64_at(trailer, 8).cast_signed(),
            lost_to: u64_at(trailer, 16),
        })
    }
}

/// Where the footer begins, from the last 16 bytes of a segment; `None` if it has none.
pub(crate) fn footer_offset(end: &[u8]) -> Option<u64> {
    (end.len() == 16 && end[8..] == *FOOTER_MAGIC).then(|| u64_at(end, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HISTORY: Identity = [7; 16];

    fn sample() -> FrameHead {
        FrameHead {
            kind: FrameKind::Entries,
            begins: true,
            ends: false,
            index: 0,
            count: 2,
            total: 3,
            seq: 9,
            time: -5,
            hash: [1; 16],
        }
    }

    #[test]
    fn a_segment_header_reads_back_and_every_flip_is_found() {
        let head = SegmentHead {
            start: Start::TurnedOn,
            ordinal: 3,
            history: HISTORY,
            base: 4,
            base_hash: [5; 16],
            created: -6,
        };
        let block = head.encode();
        assert_eq!(SegmentHead::decode(&block), Ok(head));
        for at in 0..block.len() {
            let mut bytes = block.clone();
            bytes[at] ^= 1 << (at % 8);
            assert!(SegmentHead::decode(&bytes).is_err(), "flip at {at}");
        }
        let hostile = SegmentHead { base: COUNT_LIMIT, ..head };
        assert!(SegmentHead::decode(&hostile.encode()).is_err());
    }

    #[test]
    fn a_frame_reads_back_and_every_flip_and_cut_is_found() {
        let mut bytes = Vec::new();
        encode_frame(&HISTORY, &sample(), b"payload", &mut bytes);
        let check = |bytes: &[u8]| {
            let checked = decode_head(&HISTORY, bytes)?;
            let payload = &bytes[FRAME_HEADER_BYTES..];
            let intact = checked.is_payload(payload);
            if intact { Ok(checked.head) } else { Err(String::from("payload")) }
        };
        assert_eq!(check(&bytes), Ok(sample()));
        assert!(decode_head(&[8; 16], &bytes).is_err(), "of another history");
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            assert!(check(&flipped).is_err(), "flip at {at}");
            assert!(check(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn numbers_of_a_frame_must_agree() {
        for hostile in [
            FrameHead { index: u32::MAX, ..sample() },
            FrameHead { begins: false, ..sample() },
            FrameHead { ends: true, ..sample() },
            FrameHead { count: 4, ..sample() },
            FrameHead { seq: u64::MAX, ..sample() },
        ] {
            let mut bytes = Vec::new();
            encode_frame(&HISTORY, &hostile, b"", &mut bytes);
            assert!(decode_head(&HISTORY, &bytes).is_err(), "{hostile:?}");
        }
    }

    #[test]
    fn entries_read_back_and_every_cut_is_refused() {
        let entries = [
            RawEntry { op: RawOp::Put, key: b"key", value: RawValue::Full(&[9; 300]) },
            RawEntry { op: RawOp::Delete, key: b"k", value: RawValue::None },
            RawEntry { op: RawOp::Resolve, key: b"", value: RawValue::Hash([3; 32]) },
        ];
        for entry in entries {
            let mut bytes = Vec::new();
            push_entry(&mut bytes, &entry);
            assert_eq!(read_entry(&bytes), Ok((entry, bytes.len())));
            for cut in 0..bytes.len() {
                assert!(read_entry(&bytes[..cut]).is_err(), "cut at {cut}");
            }
        }
        for note in [None, Some(""), Some("why")] {
            let mut bytes = Vec::new();
            push_note(&mut bytes, note);
            assert_eq!(read_note(&bytes), Ok((note, bytes.len())));
        }
        assert!(read_note(&[255; 8]).is_err());
        assert!(read_entry(&[1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]).is_err());
    }

    #[test]
    fn a_footer_reads_back() {
        let footer = Footer {
            index: vec![Indexed { seq: 1, offset: 4096 }, Indexed { seq: 8, offset: 70_000 }],
            entries: 12,
            first_time: -3,
            lost_to: 44,
        };
        let bytes = footer.encode(80_000);
        assert_eq!(footer_offset(&bytes[bytes.len() - 16..]), Some(80_000));
        assert_eq!(Footer::decode(&bytes), Ok(footer));
        for cut in 0..bytes.len() {
            assert!(Footer::decode(&bytes[cut + 1..]).is_err() || cut % 16 == 15, "cut {cut}");
        }
        assert!(Footer::decode(&bytes[16..]).is_err(), "an index that lacks a place");
    }
}
