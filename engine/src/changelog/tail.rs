//! Writing the changelog: frames go to the end of the active segment, a mark says up to where it
//! was synced, a footer seals it.
//!
//! Always: nothing is written into a block that lies before a synced mark; a segment takes its
//! name only when it is complete and durable; a sealed one is renamed only after a durable header
//! counts on it.

use std::path::PathBuf;
use std::sync::Arc;

use hexxladb_vfs::{File, FileExt, OpenMode, Vfs};

use super::encode::Form;
use super::frames::{Reached, Segment};
use super::limits::Limits;
use super::names::{active_path, new_path, sealed_path};
use crate::error::Result;
use crate::format::changelog::{
    BLOCK_BYTES, FRAME_HEADER_BYTES, Footer, FrameHead, FrameKind, Indexed, SegmentHead, Start,
    encode_frame,
};
use crate::format::header::ChangelogEnd;
use crate::ids::{HistoryHash, Identity};
use crate::options::ChangelogValues;
use crate::probe::{self, Probe};
use crate::wal::parent_of;

/// Where the changelog lies and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) primary: PathBuf,
    pub(crate) history: Identity,
    pub(crate) limits: Limits,
}

impl Home {
    /// How commits are written that say this of values.
    pub(crate) fn form(&self, values: ChangelogValues) -> Form {
        Form { history: self.history, values, frame_bytes: self.limits.frame_bytes }
    }

    fn sync_dir(&self) -> Result<()> {
        Ok(self.vfs.sync_dir(parent_of(&self.primary))?)
    }

    /// A segment's header as it begins after a commit.
    pub(crate) fn head(&self, ordinal: u64, start: Start, base: (u64, HistoryHash)) -> SegmentHead {
        SegmentHead {
            start,
            ordinal,
            history: self.history,
            base: base.0,
            base_hash: base.1,
            created: self.vfs.clock().wall_nanos(),
        }
    }

    /// Gives the active segment, sealed and counted on by a durable header, its own name.
    fn set_apart(&self, ordinal: u64) -> Result<()> {
        self.vfs.rename(&active_path(&self.primary), &sealed_path(&self.primary, ordinal))?;
        self.sync_dir()
    }

    /// Begins a segment under a temporary name.
    fn begin(&self, head: &SegmentHead) -> Result<Arc<dyn File>> {
        let file = self.vfs.open(&new_path(&self.primary), OpenMode::Create)?;
        file.set_len(0)?;
        file.write_all_at(0, &head.encode())?;
        Ok(file)
    }
}

/// What a commit adds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Added {
    pub(crate) seq: u64,
    pub(crate) time: i64,
    pub(crate) hash: HistoryHash,
    pub(crate) entries: u32,
    pub(crate) bytes: u64,
}

/// What the footer will say, as far as it is known.
#[derive(Debug, Default)]
struct Contents {
    footer: Footer,
    indexed_at: u64,
}

impl Contents {
    fn add(&mut self, offset: u64, added: &Added, index_bytes: u64) {
        if self.footer.index.is_empty() {
            self.footer.first_time = added.time;
        }
        if self.footer.index.is_empty() || offset - self.indexed_at >= index_bytes {
            self.footer.index.push(Indexed { seq: added.seq, offset });
            self.indexed_at = offset;
        }
        self.footer.entries += u64::from(added.entries);
    }
}

/// The end of the changelog.
#[derive(Debug)]
pub(crate) struct Tail {
    home: Home,
    file: Arc<dyn File>,
    head: SegmentHead,
    /// The end of the frames written so far.
    at: u64,
    /// The last commit in it.
    seq: u64,
    time: i64,
    hash: HistoryHash,
    /// Not known of a segment that was begun by another handle.
    contents: Option<Contents>,
    /// Where it was last synced.
    end: ChangelogEnd,
    /// It has its footer, and waits for a durable header that counts on it.
    sealed: bool,
    /// It is under its temporary name; the segment before it may have to be set apart first.
    unnamed: Option<Unnamed>,
    /// Bytes of another handle, or of a write that failed, may lie after the end.
    uncut: bool,
    cork: Cork,
}

/// Keeps what is written after the end from being read: the head of its first frame is held back.
#[derive(Debug, Default)]
enum Cork {
    #[default]
    Out,
    In,
    /// Where the head belongs, and the head.
    Holds(u64, Vec<u8>),
}

#[derive(Clone, Copy, Debug)]
struct Unnamed {
    before: Option<u64>,
    renamed: bool,
}

impl Tail {
    /// Begins a segment, which takes its name with [`Tail::appear`]; `before` is the sealed one
    /// that is still under the active name.
    pub(crate) fn begin(home: &Home, head: SegmentHead, before: Option<u64>) -> Result<Self> {
        let file = home.begin(&head)?;
        Ok(Self {
            home: home.clone(),
            file,
            head,
            at: BLOCK_BYTES as u64,
            seq: head.base,
            time: 0,
            hash: head.base_hash,
            contents: Some(Contents::default()),
            end: ChangelogEnd {
                segment: head.ordinal,
                sealed: false,
                mark: 0,
                offset: BLOCK_BYTES as u64,
                seq: head.base,
                hash: head.base_hash,
            },
            sealed: false,
            unnamed: Some(Unnamed { before, renamed: false }),
            uncut: false,
            cork: Cork::Out,
        })
    }

    /// Goes on at a synced end.
    pub(crate) fn resume(home: &Home, end: ChangelogEnd, time: i64) -> Result<Self> {
        let file = home.vfs.open(&active_path(&home.primary), OpenMode::ReadWrite)?;
        let head = Segment::read(Arc::clone(&file))?.head;
        Ok(Self {
            home: home.clone(),
            file,
            head,
            at: end.offset,
            seq: end.seq,
            time,
            hash: end.hash,
            contents: None,
            end,
            sealed: end.sealed,
            unnamed: None,
            uncut: true,
            cork: Cork::Out,
        })
    }

    /// The segment's number.
    pub(crate) fn ordinal(&self) -> u64 {
        self.head.ordinal
    }

    /// The last commit in it, and its history hash.
    pub(crate) fn last(&self) -> (u64, HistoryHash) {
        (self.seq, self.hash)
    }

    /// The end of what is written.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Whether it holds no commit.
    pub(crate) fn is_empty(&self) -> bool {
        self.seq == self.head.base
    }

    /// Whether nothing can be appended before [`Tail::rotate`].
    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// Where it was last synced.
    pub(crate) fn synced_end(&self) -> ChangelogEnd {
        self.end
    }

    /// Writes whole commits, whose frames follow each other in `bytes`. After an error nothing of
    /// them counts as written.
    pub(crate) fn append(&mut self, bytes: &[u8], commits: &[Added]) -> Result<()> {
        self.write(self.at, bytes)?;
        for added in commits {
            self.count(added);
        }
        Ok(())
    }

    /// Writes frames of a commit at `written` bytes after the end; they count with
    /// [`Tail::count`].
    pub(crate) fn append_part(&mut self, written: u64, bytes: &[u8]) -> Result<()> {
        self.write(self.at + written, bytes)
    }

    /// Writes bytes after the end. What is left of a write that failed is cut off by the next one.
    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        self.cut()?;
        let held = match self.cork {
            Cork::In => FRAME_HEADER_BYTES.min(bytes.len()),
            Cork::Out | Cork::Holds(..) => 0,
        };
        let (head, rest) = bytes.split_at(held);
        self.uncut = true;
        self.file.write_all_at(at + held as u64, rest)?;
        self.uncut = false;
        if held > 0 {
            self.cork = Cork::Holds(at, head.to_vec());
        }
        Ok(())
    }

    /// From here on nothing that is written to a segment which has its name can be read, until
    /// [`Tail::uncork`]: what is written may be taken back by a power cut.
    pub(crate) fn cork(&mut self) {
        if self.unnamed.is_none() {
            self.cork = Cork::In;
        }
    }

    /// What was written is durable in the log, and may be read.
    pub(crate) fn uncork(&mut self) -> Result<()> {
        if let Cork::Holds(at, head) = &self.cork {
            self.file.write_all_at(*at, head)?;
        }
        self.cork = Cork::Out;
        Ok(())
    }

    /// The frames of a commit are all written.
    pub(crate) fn count(&mut self, added: &Added) {
        if let Some(contents) = &mut self.contents {
            contents.add(self.at, added, self.home.limits.index_bytes);
        }
        self.at += added.bytes;
        (self.seq, self.time, self.hash) = (added.seq, added.time, added.hash);
    }

    /// Takes away what may have been left after the end. What is written there next could not be
    /// told from it otherwise.
    fn cut(&mut self) -> Result<()> {
        if self.uncut && self.file.len()? > self.at {
            probe::hit(Probe::ChangelogCut);
            self.file.set_len(self.at)?;
            if matches!(self.cork, Cork::In) {
                // Or a power cut could bring back the very head that is about to be held back.
                self.file.sync_all()?;
            }
        }
        self.uncut = false;
        Ok(())
    }

    fn frame_head(&self, kind: FrameKind) -> FrameHead {
        FrameHead {
            kind,
            begins: false,
            ends: false,
            index: 0,
            count: 0,
            total: 0,
            seq: self.seq,
            time: self.time,
            hash: self.hash,
        }
    }

    /// Makes everything written so far durable, under a mark.
    pub(crate) fn sync(&mut self) -> Result<ChangelogEnd> {
        self.cut()?;
        if self.sealed || self.at == self.end.offset {
            return Ok(self.end);
        }
        let block = BLOCK_BYTES as u64;
        let end = (self.at + FRAME_HEADER_BYTES as u64).next_multiple_of(block);
        let padding = vec![0; (end - self.at) as usize - FRAME_HEADER_BYTES];
        let mut bytes = Vec::new();
        let head = self.frame_head(FrameKind::Mark);
        encode_frame(&self.home.history, &head, &padding, &mut bytes);
        self.write(self.at, &bytes)?;
        self.file.sync_data()?;
        self.note_end(end, false);
        Ok(self.end)
    }

    fn note_end(&mut self, end: u64, sealed: bool) {
        self.end = ChangelogEnd {
            segment: self.head.ordinal,
            sealed,
            mark: self.at,
            offset: end,
            seq: self.seq,
            hash: self.hash,
        };
        self.at = end;
    }

    /// Ends the segment with a footer, durable. `lost_to` is the last of the commits that are
    /// missing after it, if any are.
    pub(crate) fn seal(&mut self, lost_to: u64) -> Result<ChangelogEnd> {
        if self.sealed {
            return Ok(self.end);
        }
        self.cut()?;
        let mut contents = match self.contents.take() {
            Some(contents) => contents,
            None => self.look_back()?,
        };
        contents.footer.lost_to = lost_to;
        let payload = contents.footer.encode(self.at);
        self.contents = Some(contents);
        let mut bytes = Vec::new();
        let head = self.frame_head(FrameKind::Footer);
        encode_frame(&self.home.history, &head, &payload, &mut bytes);
        self.write(self.at, &bytes)?;
        self.file.sync_all()?;
        self.note_end(self.at + bytes.len() as u64, true);
        self.sealed = true;
        probe::hit(Probe::ChangelogSealed);
        Ok(self.end)
    }

    /// Copies the frames of a segment up to a place into a segment of the same number, which is to
    /// take the active name: that they could be read does not prove that they are durable.
    pub(crate) fn copy(home: &Home, from: &Segment, upto: &Reached) -> Result<Self> {
        let mut tail = Self::copy_unnamed(home, from, upto)?;
        tail.sync_unnamed()?;
        Ok(tail)
    }

    fn copy_unnamed(home: &Home, from: &Segment, upto: &Reached) -> Result<Self> {
        let mut tail = Self::begin(home, from.head, None)?;
        let mut piece = vec![0; 256 << 10];
        while tail.at < upto.offset {
            let len = piece.len().min((upto.offset - tail.at) as usize);
            from.file.read_exact_at(tail.at, &mut piece[..len])?;
            tail.file.write_all_at(tail.at, &piece[..len])?;
            tail.at += len as u64;
        }
        (tail.seq, tail.time, tail.hash) = (upto.seq, upto.time, upto.hash);
        tail.contents = None;
        Ok(tail)
    }

    /// Puts a copy of a segment, sealed, under its sealed name: its whole commits up to a place,
    /// what `more` adds to them, and a footer. Whatever has the name gives it up at once.
    pub(crate) fn mend(
        home: &Home,
        from: &Segment,
        upto: &Reached,
        lost_to: u64,
        more: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let mut tail = Self::copy_unnamed(home, from, upto)?;
        more(&mut tail)?;
        tail.put_apart(lost_to)
    }

    /// Puts a segment, sealed, under its sealed name: what `more` writes into it.
    pub(crate) fn make(
        home: &Home,
        head: SegmentHead,
        more: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let mut tail = Self::begin(home, head, None)?;
        more(&mut tail)?;
        tail.put_apart(0)
    }

    /// Seals a segment that has its temporary name, and gives it its sealed one.
    fn put_apart(mut self, lost_to: u64) -> Result<()> {
        self.seal(lost_to)?;
        let sealed = sealed_path(&self.home.primary, self.head.ordinal);
        self.home.vfs.rename(&new_path(&self.home.primary), &sealed)?;
        self.home.sync_dir()
    }

    /// What the segment holds, from its frames.
    fn look_back(&self) -> Result<Contents> {
        let segment = Segment { file: Arc::clone(&self.file), head: self.head };
        let mut frames = segment.frames(BLOCK_BYTES as u64, self.at);
        let mut contents = Contents::default();
        let mut seq = self.head.base;
        loop {
            let frame = match frames.next()? {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(contents),
                Err(what) => return Err(segment.corrupt(frames.at(), seq, what)),
            };
            seq = frame.head.seq;
            if frame.head.kind == FrameKind::Entries && frame.head.begins {
                let FrameHead { seq, time, hash, total, .. } = frame.head;
                let added = Added { seq, time, hash, entries: total, bytes: 0 };
                contents.add(frame.offset, &added, self.home.limits.index_bytes);
            }
        }
    }

    /// Ends the segment for good, durable, and sets it apart.
    pub(crate) fn retire(mut self, lost_to: u64) -> Result<()> {
        self.seal(lost_to)?;
        self.home.set_apart(self.head.ordinal)
    }

    /// Sets the sealed segment apart, which a durable header counts on, and begins the next one.
    pub(crate) fn rotate(&mut self) -> Result<()> {
        let head = self.home.head(self.head.ordinal + 1, Start::Continues, (self.seq, self.hash));
        let mut next = Self::begin(&self.home, head, Some(self.head.ordinal))?;
        next.time = self.time;
        next.file.sync_all()?;
        *self = next;
        self.appear()
    }

    /// A segment that is durable under its temporary name takes the active one; the one before it
    /// is set apart first. Goes on where it failed before.
    pub(crate) fn appear(&mut self) -> Result<()> {
        let Some(unnamed) = self.unnamed else { return Ok(()) };
        let home = &self.home;
        if let Some(ordinal) = unnamed.before
            && home.vfs.exists(&active_path(&home.primary))?
        {
            home.set_apart(ordinal)?;
            probe::hit(Probe::ChangelogRotated);
        }
        self.unnamed = Some(Unnamed { before: None, ..unnamed });
        if !unnamed.renamed {
            home.vfs.rename(&new_path(&home.primary), &active_path(&home.primary))?;
            self.unnamed = Some(Unnamed { before: None, renamed: true });
            home.sync_dir()?;
        }
        self.file = home.vfs.open(&active_path(&home.primary), OpenMode::ReadWrite)?;
        self.unnamed = None;
        Ok(())
    }

    /// Makes a segment under its temporary name durable.
    pub(crate) fn sync_unnamed(&mut self) -> Result<()> {
        if self.unnamed.is_some() {
            self.sync()?;
            self.file.sync_all()?;
        }
        Ok(())
    }
}
