//! Reading entries from a cursor on, through all segments.
//!
//! Always: entries come in order, each once, of whole commits; what is missing is an error, never
//! passed over.

use std::sync::Arc;

use super::entry::{ChangelogCursor, ChangelogEntry, ChangelogOp, ChangelogValue};
use super::frames::{Frames, Reached, Segment, follows};
use super::names::{active_path, sealed_ordinals, sealed_path};
use super::shown::Limit;
use super::tail::Home;
use crate::content::id_of;
use crate::error::{Error, Result};
use crate::format::changelog::{
    BLOCK_BYTES, FrameHead, FrameKind, RawOp, RawValue, SegmentHead, Start, read_entry, read_note,
};
use crate::ids::HistoryHash;
use crate::time::Timestamp;

/// Reads entries as they come; what is not there yet may be asked for again.
#[derive(Debug)]
pub(crate) struct Scan {
    home: Home,
    limit: Limit,
    /// The entry to read next.
    cursor: ChangelogCursor,
    place: Option<Place>,
    /// Where damage was met that has been looked for once more.
    doubted: Option<(u64, u64)>,
}

/// Where a scan stands in a segment.
#[derive(Debug)]
struct Place {
    segment: Segment,
    frames: Frames,
    /// Whole commits up to here were read.
    read: Reached,
    /// The frame at hand, and where its next entry begins.
    open: Option<Open>,
    note: Option<Arc<str>>,
    /// No more will come in this segment than up to the limit.
    last: bool,
    damaged: Option<String>,
}

#[derive(Debug)]
struct Open {
    head: FrameHead,
    offset: u64,
    end: u64,
    at: usize,
    index: u32,
}

impl Scan {
    /// From a cursor on.
    pub(crate) fn new(home: Home, limit: Limit, cursor: ChangelogCursor) -> Self {
        Self { home, limit, cursor, place: None, doubted: None }
    }

    /// Where it goes on.
    pub(crate) fn cursor(&self) -> ChangelogCursor {
        self.cursor
    }

    /// The next entry; `None` where there is none yet.
    pub(crate) fn next(&mut self) -> Result<Option<ChangelogEntry>> {
        loop {
            let next = self.read_next();
            let Err(Error::ChangelogCorrupt { segment, offset, .. }) = &next else { return next };
            let at = (*segment, *offset);
            if self.limit.is_unsettled(at.0, at.1)? {
                self.place = None;
                return Ok(None);
            }
            // Beside a writer it may be whole by now, or lie elsewhere; what is damaged stays so.
            if !self.limit.is_files() || self.doubted.replace(at) == Some(at) {
                return next;
            }
            self.place = None;
            self.seek_again(at.0)?;
        }
    }

    /// Finds the place once more in the segment of this number, as far as it is there: what begins
    /// after it does not excuse damage at its end.
    fn seek_again(&mut self, ordinal: u64) -> Result<bool> {
        let active = self.open_active().ok().flatten();
        let active = active.filter(|active| active.head.ordinal == ordinal);
        match active.or(self.open_sealed(ordinal).ok().flatten()) {
            Some(segment) => self.seek_in(segment),
            None => Ok(false),
        }
    }

    fn read_next(&mut self) -> Result<Option<ChangelogEntry>> {
        loop {
            if self.place.is_none() && !self.seek()? {
                return Ok(None);
            }
            let Some(place) = &mut self.place else { return Ok(None) };
            match place.next_entry()? {
                Some(entry) => {
                    if self.passes_by(&entry)? {
                        continue;
                    }
                    self.cursor = entry.next();
                    return Ok(Some(entry));
                }
                None => {
                    if !self.go_on()? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Whether an entry comes before the cursor; checks the history on the way.
    fn passes_by(&self, entry: &ChangelogEntry) -> Result<bool> {
        let wanted = &self.cursor;
        let before = (entry.seq, entry.index) < (wanted.seq, wanted.index);
        if let Some(hash) = wanted.hash {
            let known =
                if wanted.index == 0 { wanted.seq.checked_sub(1) } else { Some(wanted.seq) };
            if known == Some(entry.seq) && entry.history_hash != hash {
                return Err(Error::HistoryDiverged { seq: entry.seq });
            }
        }
        Ok(before)
    }

    /// The place at hand is read to its end: more of it, or the next segment; `false` where there
    /// is neither yet.
    fn go_on(&mut self) -> Result<bool> {
        let Some(place) = &mut self.place else { return Ok(false) };
        if place.read.sealed {
            return self.next_segment();
        }
        if let Some(what) = &place.damaged {
            return Err(place.segment.corrupt(place.read.offset, place.read.seq, what.clone()));
        }
        let before = place.read.offset;
        let readable = self.limit.of(&place.segment, &place.read)?;
        place.frames.set_limit(readable.offset);
        place.last = readable.last;
        place.damaged = readable.damaged;
        let more = readable.offset > before || place.damaged.is_some();
        if !more && self.limit.is_files() {
            self.look_anew()?;
        }
        Ok(more)
    }

    /// Nothing more comes in a file that another process has put a copy in the place of.
    fn look_anew(&mut self) -> Result<()> {
        let Some(place) = &self.place else { return Ok(()) };
        let (ordinal, at) = (place.segment.head.ordinal, place.read.offset);
        let active = self.open_active()?.filter(|active| active.head.ordinal == ordinal);
        let found = if active.is_some() { active } else { self.open_sealed(ordinal)? };
        if let (Some(segment), Some(place)) = (found, &mut self.place) {
            place.frames = segment.frames(at, at);
            place.segment = segment;
        }
        Ok(())
    }

    /// Goes to the segment after the one at hand, once it is there.
    fn next_segment(&mut self) -> Result<bool> {
        let Some(place) = &self.place else { return Ok(false) };
        let (last, hash) = (place.read.seq, place.read.hash);
        let lost_to = place.segment.sealed()?.map_or(0, |sealed| sealed.footer.lost_to);
        let ordinal = place.segment.head.ordinal;
        let Some(segment) = self.segment_after(ordinal)? else { return Ok(false) };
        let head = segment.head;
        let declared = head.start != Start::Continues || lost_to >= head.base;
        if head.base > last && declared {
            return Err(Error::ChangelogGap { first: last + 1, last: head.base });
        }
        if head.base > last && self.is_oldest(&head)? {
            return Err(Error::ChangelogTruncated { oldest: head.base + 1 });
        }
        if head.base != last {
            let what = format!("it begins after commit {}, {last} expected", head.base);
            return Err(segment.corrupt(0, last, what));
        }
        if head.base_hash != hash {
            return Err(Error::HistoryDiverged { seq: last });
        }
        self.enter(segment, BLOCK_BYTES as u64)?;
        Ok(true)
    }

    /// The segment with the next higher ordinal.
    fn segment_after(&self, ordinal: u64) -> Result<Option<Segment>> {
        let home = &self.home;
        if let Some(found) = self.open_sealed(ordinal + 1)? {
            return Ok(Some(found));
        }
        let active = self.open_active()?;
        let mut sealed = sealed_ordinals(&*home.vfs, &home.primary)?;
        sealed.retain(|&found| found > ordinal);
        match self.oldest_of(&sealed)? {
            Some(found) => Ok(Some(found)),
            None => Ok(active.filter(|active| active.head.ordinal > ordinal)),
        }
    }

    /// The first of these segments that has not been trimmed meanwhile.
    fn oldest_of(&self, ordinals: &[u64]) -> Result<Option<Segment>> {
        for &ordinal in ordinals {
            if let Some(found) = self.open_sealed(ordinal)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Whether no segment before this one is there any more.
    fn is_oldest(&self, head: &SegmentHead) -> Result<bool> {
        let sealed = sealed_ordinals(&*self.home.vfs, &self.home.primary)?;
        Ok(sealed.first().is_none_or(|&first| first >= head.ordinal))
    }

    fn open_sealed(&self, ordinal: u64) -> Result<Option<Segment>> {
        let path = sealed_path(&self.home.primary, ordinal);
        let Some(segment) = Segment::open(&*self.home.vfs, &path)? else { return Ok(None) };
        let segment = self.ours(segment)?;
        if segment.head.ordinal != ordinal {
            // Going on by its own number could lead in a circle.
            let what = format!("it is segment {} under another's name", segment.head.ordinal);
            return Err(segment.corrupt(0, segment.head.base, what));
        }
        Ok(Some(segment))
    }

    fn open_active(&self) -> Result<Option<Segment>> {
        let segment = Segment::open(&*self.home.vfs, &active_path(&self.home.primary))?;
        segment.map(|segment| self.ours(segment)).transpose()
    }

    fn ours(&self, segment: Segment) -> Result<Segment> {
        if segment.head.history == self.home.history {
            return Ok(segment);
        }
        Err(Error::ChangelogForeign { path: segment.file.path().to_path_buf() })
    }

    /// Finds the segment of the cursor, and the place in it; `false` where there is none yet.
    fn seek(&mut self) -> Result<bool> {
        let wanted = self.cursor.seq;
        // A damaged one is told of when reading comes to it.
        let active = match self.open_active() {
            Ok(Some(active)) if active.head.base < wanted => return self.seek_in(active),
            Err(error) if !matches!(error, Error::ChangelogCorrupt { .. }) => return Err(error),
            active => active,
        };
        let mut ordinals = sealed_ordinals(&*self.home.vfs, &self.home.primary)?;
        if let Ok(Some(active)) = &active {
            ordinals.retain(|&ordinal| ordinal < active.head.ordinal);
        }
        match self.last_before(&ordinals, wanted)? {
            Some(segment) => self.seek_in(segment),
            None => self.seek_oldest(&ordinals, active),
        }
    }

    /// The last of the sealed segments that begins before a commit.
    fn last_before(&self, ordinals: &[u64], wanted: u64) -> Result<Option<Segment>> {
        let (mut low, mut high) = (0, ordinals.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.open_sealed(ordinals[middle]) {
                Ok(Some(segment)) if segment.head.base >= wanted => high = middle,
                // It begins before, or has been trimmed meanwhile, as those before it.
                Ok(_) => low = middle + 1,
                // Its header does not tell: one by one, then.
                Err(Error::ChangelogCorrupt { .. }) => {
                    let begins_before = |ordinal: &u64| {
                        let segment = self.open_sealed(*ordinal).ok().flatten();
                        segment.filter(|segment| segment.head.base < wanted)
                    };
                    return Ok(ordinals.iter().rev().find_map(begins_before));
                }
                Err(error) => return Err(error),
            }
        }
        let last = low.checked_sub(1).map(|index| self.open_sealed(ordinals[index]));
        last.transpose().map(Option::flatten)
    }

    /// The cursor lies before everything that is there.
    fn seek_oldest(&mut self, ordinals: &[u64], active: Result<Option<Segment>>) -> Result<bool> {
        let oldest = match self.oldest_of(ordinals)? {
            Some(oldest) => Some(oldest),
            None => active?,
        };
        let Some(segment) = oldest else { return Ok(false) };
        if self.cursor != ChangelogCursor::START && self.cursor.seq > 0 {
            return Err(Error::ChangelogTruncated { oldest: segment.head.base + 1 });
        }
        self.cursor = ChangelogCursor::after(segment.head.base);
        self.enter(segment, BLOCK_BYTES as u64)?;
        Ok(true)
    }

    fn seek_in(&mut self, segment: Segment) -> Result<bool> {
        let (wanted, known) = (self.cursor.seq, self.cursor.hash);
        let base = segment.head.base;
        if self.cursor.index == 0
            && wanted == base + 1
            && known.is_some_and(|hash| hash != segment.head.base_hash)
        {
            return Err(Error::HistoryDiverged { seq: base });
        }
        let mut offset = BLOCK_BYTES as u64;
        if let Some(sealed) = segment.sealed()? {
            let last = sealed.last.seq;
            if wanted > last + 1 {
                return self.beyond(&segment, last);
            }
            // From the commit before, whose hash the cursor may know.
            let index = &sealed.footer.index;
            let after = index.partition_point(|place| place.seq < wanted);
            let place = after.checked_sub(1).and_then(|at| index.get(at));
            let inside = place.filter(|place| place.offset < sealed.offset);
            offset = inside.map_or(offset, |place| place.offset);
        }
        self.enter(segment, offset)?;
        match &self.place {
            Some(place) if place.read.seq >= wanted && offset != BLOCK_BYTES as u64 => {
                let what = "the footer's index names a later commit than it says";
                Err(place.segment.corrupt(offset, base, what))
            }
            _ => Ok(true),
        }
    }

    /// The cursor lies after the last commit of a sealed segment, and before the next one.
    fn beyond(&self, segment: &Segment, last: u64) -> Result<bool> {
        match self.segment_after(segment.head.ordinal)? {
            Some(next) => Err(Error::ChangelogGap { first: last + 1, last: next.head.base }),
            None => Err(Error::ReadSeqFuture { seq: self.cursor.seq, head: last }),
        }
    }

    fn enter(&mut self, segment: Segment, offset: u64) -> Result<()> {
        let mut read = segment.start();
        if offset != read.offset {
            // An index may point anywhere; what follows is taken as it comes.
            let mut frames = segment.frames(offset, segment.file.len()?);
            match frames.next()? {
                Ok(Some(frame)) if frame.head.begins => {
                    read.offset = offset;
                    read.seq = frame.head.seq.saturating_sub(1);
                }
                _ => {
                    let what = "the footer's index names a place where no commit begins";
                    return Err(segment.corrupt(offset, segment.head.base, what));
                }
            }
        }
        let readable = self.limit.of(&segment, &read)?;
        let frames = segment.frames(read.offset, readable.offset);
        let (last, damaged) = (readable.last, readable.damaged);
        self.place = Some(Place { segment, frames, read, open: None, note: None, last, damaged });
        Ok(())
    }
}

impl Place {
    /// The next entry of the segment; `None` at the limit or the footer.
    fn next_entry(&mut self) -> Result<Option<ChangelogEntry>> {
        loop {
            if let Some(entry) = self.entry_of_frame()? {
                return Ok(Some(entry));
            }
            if self.read.sealed || !self.next_frame()? {
                return Ok(None);
            }
        }
    }

    fn corrupt(&self, offset: u64, what: impl Into<String>) -> Error {
        self.segment.corrupt(offset, self.read.seq, what)
    }

    fn next_frame(&mut self) -> Result<bool> {
        let frame = match self.frames.next()? {
            Ok(Some(frame)) => frame,
            Ok(None) if self.last => {
                return Err(self.corrupt(self.frames.at(), "it ends without a footer"));
            }
            Ok(None) => return Ok(false),
            Err(what) => return Err(self.corrupt(self.frames.at(), what)),
        };
        let head = frame.head;
        if !follows(self.open.as_ref().map(|open| &open.head), self.read.seq, &head) {
            return Err(self.corrupt(frame.offset, "a frame out of order"));
        }
        match head.kind {
            FrameKind::Entries => {
                let mut at = 0;
                if head.begins {
                    let note = read_note(self.frames.payload());
                    let (note, len) = note.map_err(|what| self.corrupt(frame.offset, what))?;
                    at = len;
                    self.note = note.map(Arc::from);
                }
                let (offset, end, index) = (frame.offset, frame.end(), head.index);
                self.open = Some(Open { head, offset, end, at, index });
            }
            FrameKind::Mark | FrameKind::Footer => {
                self.read.offset = frame.end();
                self.read.sealed = head.kind == FrameKind::Footer;
            }
        }
        Ok(true)
    }

    /// The next entry of the frame at hand.
    fn entry_of_frame(&mut self) -> Result<Option<ChangelogEntry>> {
        let Some(open) = &mut self.open else { return Ok(None) };
        let head = open.head;
        let (seq, offset) = (self.read.seq, open.offset);
        let corrupt = |what: String| self.segment.corrupt(offset, seq, what);
        let over = open.index == head.index + head.count;
        if head.total == 0 && open.index == 0 && head.count == 0 {
            let entry = entry(&head, self.read.hash, 0, ChangelogOp::Note, self.note.clone());
            (self.read.seq, self.read.hash) = (head.seq, head.hash);
            self.read.offset = open.end;
            self.open = None;
            return Ok(Some(entry));
        }
        if over {
            return Ok(None);
        }
        let bytes = self.frames.payload().get(open.at..).unwrap_or_default();
        let (raw, len) = read_entry(bytes).map_err(corrupt)?;
        let op = match raw.op {
            RawOp::Put => ChangelogOp::Put,
            RawOp::Delete => ChangelogOp::Delete,
            RawOp::Resolve => ChangelogOp::Resolve,
        };
        let key = id_of(raw.key).map_err(|error| corrupt(error.to_string()))?;
        let value = match raw.value {
            RawValue::None => ChangelogValue::None,
            RawValue::Full(bytes) => ChangelogValue::Full(bytes.into()),
            RawValue::Hash(hash) => ChangelogValue::Hash(hash),
        };
        let entry = entry(&head, self.read.hash, open.index, op, self.note.clone());
        let entry = ChangelogEntry { key: Some(key), value, ..entry };
        open.at += len;
        open.index += 1;
        if entry.last_in_commit {
            (self.read.seq, self.read.hash) = (head.seq, head.hash);
            self.read.offset = open.end;
            self.open = None;
        }
        Ok(Some(entry))
    }
}

fn entry(
    head: &FrameHead,
    previous_hash: HistoryHash,
    index: u32,
    op: ChangelogOp,
    note: Option<Arc<str>>,
) -> ChangelogEntry {
    ChangelogEntry {
        seq: head.seq,
        index,
        last_in_commit: index + 1 >= head.total,
        op,
        key: None,
        value: ChangelogValue::None,
        time: Timestamp::from_nanos(head.time),
        note,
        history_hash: head.hash,
        previous_hash,
        commit_entries: head.total,
    }
}
