//! Reading a segment: its header, its footer, and its frames one after the other.

use std::path::Path;
use std::sync::Arc;

use hexxladb_vfs::{ErrorKind, File, FileExt, OpenMode, Vfs};

use crate::error::{Error, Result};
use crate::format::changelog::{
    BLOCK_BYTES, Checked, FRAME_HEADER_BYTES, Footer, FrameHead, FrameKind, SegmentHead,
    decode_head, footer_offset,
};
use crate::ids::{HistoryHash, Identity};

/// Bytes read at a time.
const READ_BYTES: usize = 256 << 10;

/// A segment that is open for reading.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) file: Arc<dyn File>,
    pub(crate) head: SegmentHead,
}

/// The footer of a sealed segment.
#[derive(Debug)]
pub(crate) struct Sealed {
    /// Where it begins.
    pub(crate) offset: u64,
    /// Its frame, which tells of the last commit.
    pub(crate) last: FrameHead,
    pub(crate) footer: Footer,
}

impl Segment {
    /// Opens a segment; `None` where there is no file of this name.
    pub(crate) fn open(vfs: &dyn Vfs, path: &Path) -> Result<Option<Self>> {
        match vfs.open(path, OpenMode::Read) {
            Ok(file) => Self::read(file).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The first commit of a segment of this history, whatever its header says.
    pub(crate) fn first_seq(vfs: &dyn Vfs, path: &Path, history: &Identity) -> Result<Option<u64>> {
        let mut bytes = vec![0; FRAME_HEADER_BYTES];
        match vfs.open(path, OpenMode::Read) {
            Ok(file) => file.read_up_to(BLOCK_BYTES as u64, &mut bytes)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let first = decode_head(history, &bytes).ok().map(|checked| checked.head);
        Ok(first
            .filter(|head| head.kind == FrameKind::Entries && head.seq > 0)
            .map(|head| head.seq))
    }

    /// Reads a segment's header.
    pub(crate) fn read(file: Arc<dyn File>) -> Result<Self> {
        let mut block = vec![0; BLOCK_BYTES];
        let len = file.read_up_to(0, &mut block)?;
        match SegmentHead::decode(&block[..len]) {
            Ok(head) => Ok(Self { file, head }),
            Err(what) => Err(Error::ChangelogCorrupt {
                path: file.path().to_path_buf(),
                segment: 0,
                offset: 0,
                seq: 0,
                what,
            }),
        }
    }

    /// The footer, where the segment has one that is intact.
    pub(crate) fn sealed(&self) -> Result<Option<Sealed>> {
        let end = self.file.len()?;
        let Some(last_bytes) = end.checked_sub(16) else { return Ok(None) };
        let mut bytes = [0; 16];
        self.file.read_up_to(last_bytes, &mut bytes)?;
        let Some(offset) = footer_offset(&bytes).filter(|&offset| offset < end) else {
            return Ok(None);
        };
        let mut frames = self.frames(offset, end);
        let Ok(frame) = frames.next()? else { return Ok(None) };
        let footer = frame.filter(|frame| frame.head.kind == FrameKind::Footer);
        let Some(frame) = footer.filter(|frame| frame.end() == end) else { return Ok(None) };
        let footer = Footer::decode(frames.payload());
        Ok(footer.ok().map(|footer| Sealed { offset, last: frame.head, footer }))
    }

    /// The frames from `offset` up to `limit`.
    pub(crate) fn frames(&self, offset: u64, limit: u64) -> Frames {
        Frames {
            file: Arc::clone(&self.file),
            history: self.head.history,
            at: offset,
            limit,
            buffer: Vec::new(),
            buffer_at: 0,
            payload: 0..0,
        }
    }

    /// Damage of this segment.
    pub(crate) fn corrupt(&self, offset: u64, seq: u64, what: impl Into<String>) -> Error {
        Error::ChangelogCorrupt {
            path: self.file.path().to_path_buf(),
            segment: self.head.ordinal,
            offset,
            seq,
            what: what.into(),
        }
    }
}

/// Where reading whole commits has come to.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    pub(crate) offset: u64,
    pub(crate) seq: u64,
    pub(crate) time: i64,
    pub(crate) hash: HistoryHash,
    /// A footer is there: nothing comes after.
    pub(crate) sealed: bool,
    /// What is wrong with the bytes there, unless the file ends.
    pub(crate) broken: Option<String>,
}

impl Segment {
    /// Its beginning.
    pub(crate) fn start(&self) -> Reached {
        Reached {
            offset: BLOCK_BYTES as u64,
            seq: self.head.base,
            time: 0,
            hash: self.head.base_hash,
            sealed: false,
            broken: None,
        }
    }

    /// Reads on from a place as long as whole commits follow each other.
    pub(crate) fn read_on(&self, from: &Reached) -> Result<Reached> {
        let mut frames = self.frames(from.offset, self.file.len()?);
        let mut reached = Reached { broken: None, ..from.clone() };
        let mut open: Option<FrameHead> = None;
        while !reached.sealed {
            let frame = match frames.next()? {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(what) => {
                    reached.broken = Some(what);
                    break;
                }
            };
            let head = frame.head;
            if !follows(open.as_ref(), reached.seq, &head) {
                reached.broken = Some("a frame out of order".into());
                break;
            }
            if head.kind == FrameKind::Entries {
                open = (!head.ends).then_some(head);
            }
            if open.is_none() {
                (reached.seq, reached.time, reached.hash) = (head.seq, head.time, head.hash);
                reached.sealed = head.kind == FrameKind::Footer;
                reached.offset = if reached.sealed { frame.offset } else { frame.end() };
            }
        }
        Ok(reached)
    }
}

/// Whether a frame comes next: `open` is the one before it of a commit that goes on, `seq` the
/// last whole commit.
pub(crate) fn follows(open: Option<&FrameHead>, seq: u64, head: &FrameHead) -> bool {
    match (open, head.kind) {
        (None, FrameKind::Entries) => head.begins && head.seq == seq + 1,
        (None, _) => head.seq == seq,
        (Some(open), FrameKind::Entries) => {
            let same = (head.seq, head.total, head.hash) == (open.seq, open.total, open.hash);
            same && head.index == open.index + open.count
        }
        (Some(_), _) => false,
    }
}

/// An intact frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) offset: u64,
    pub(crate) head: FrameHead,
    size: u64,
}

impl Frame {
    /// The byte after it.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.size
    }
}

/// A frame, `None` at the limit, or what is wrong with the bytes that should be the next one.
pub(crate) type Next = std::result::Result<Option<Frame>, String>;

/// Frames of a segment in order.
#[derive(Debug)]
pub(crate) struct Frames {
    file: Arc<dyn File>,
    history: Identity,
    at: u64,
    limit: u64,
    buffer: Vec<u8>,
    buffer_at: u64,
    payload: std::ops::Range<usize>,
}

impl Frames {
    /// Where the next frame begins.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Frames up to here are to be read.
    pub(crate) fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// The payload of the frame that was read last.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.buffer[self.payload.clone()]
    }

    /// The next frame with its payload checked. After bad bytes it stays where it is, and reads
    /// them anew when it is asked again.
    pub(crate) fn next(&mut self) -> Result<Next> {
        let next = self.read_next()?;
        if next.is_err() {
            self.buffer.clear();
            self.payload = 0..0;
        }
        Ok(next)
    }

    fn read_next(&mut self) -> Result<Next> {
        let checked = match self.look()? {
            Ok(Some(checked)) => checked,
            Ok(None) => return Ok(Ok(None)),
            Err(what) => return Ok(Err(what)),
        };
        if !self.fill(checked.size() as usize)? {
            return Ok(Err("a frame is cut short".into()));
        }
        let start = (self.at - self.buffer_at) as usize;
        self.payload = start + FRAME_HEADER_BYTES..start + checked.size() as usize;
        if !checked.is_payload(self.payload()) {
            return Ok(Err("a frame's payload does not have its checksum".into()));
        }
        let frame = Frame { offset: self.at, head: checked.head, size: checked.size() };
        self.at = frame.end();
        Ok(Ok(Some(frame)))
    }

    /// The next frame's header.
    fn look(&mut self) -> Result<std::result::Result<Option<Checked>, String>> {
        if self.at >= self.limit {
            return Ok(Ok(None));
        }
        if !self.fill(FRAME_HEADER_BYTES)? {
            return Ok(Err("a frame's header is cut short".into()));
        }
        let start = (self.at - self.buffer_at) as usize;
        let checked = match decode_head(&self.history, &self.buffer[start..]) {
            Ok(checked) => checked,
            Err(what) => return Ok(Err(what)),
        };
        // A large frame is looked for in the file before its bytes are allocated.
        let end = self.at + checked.size();
        let large = checked.size() > READ_BYTES as u64;
        if end > self.limit || (large && end > self.file.len()?) {
            return Ok(Err("a frame is cut short".into()));
        }
        Ok(Ok(Some(checked)))
    }

    /// Whether the buffer holds `len` bytes from the next frame on, once it has been filled.
    fn fill(&mut self, len: usize) -> Result<bool> {
        let start = self.at.checked_sub(self.buffer_at).map(|start| start as usize);
        if start.is_some_and(|start| start + len <= self.buffer.len()) {
            return Ok(true);
        }
        let want = self.limit.saturating_sub(self.at).min(READ_BYTES.max(len) as u64) as usize;
        if want < len {
            return Ok(false);
        }
        self.buffer.resize(want, 0);
        self.buffer_at = self.at;
        let read = self.file.read_up_to(self.at, &mut self.buffer)?;
        self.buffer.truncate(read);
        Ok(read >= len)
    }
}
