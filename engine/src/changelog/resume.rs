//! Where the changelog goes on when a database is opened: what lies beside the primary, what the
//! header says of it, and what follows from the two.
//!
//! Always: bytes after the synced end are taken for evidence, never for the truth; a changelog
//! that is ahead of the primary, or of another history, is refused and left as it is.

use super::frames::{Reached, Segment};
use super::names::{active_path, sealed_ordinals, sealed_path};
use super::tail::{Home, Tail};
use crate::error::{Error, Result};
use crate::format::changelog::{BLOCK_BYTES, FrameKind, Start};
use crate::format::header::{ChangelogEnd, ChangelogState};
use crate::ids::HistoryHash;
use crate::probe::{self, Probe};

/// What there is beside the primary.
struct Files {
    active: Option<Segment>,
    newest_sealed: Option<u64>,
}

impl Files {
    fn look(home: &Home) -> Result<Self> {
        let active = Segment::open(&*home.vfs, &active_path(&home.primary))?;
        if let Some(active) = &active {
            check_history(home, active)?;
        }
        let newest_sealed = sealed_ordinals(&*home.vfs, &home.primary)?.pop();
        Ok(Self { active, newest_sealed })
    }

    fn active_is(&self, ordinal: u64) -> bool {
        self.active.as_ref().is_some_and(|active| active.head.ordinal == ordinal)
    }

    fn newest(&self) -> u64 {
        let active = self.active.as_ref().map_or(0, |active| active.head.ordinal);
        active.max(self.newest_sealed.unwrap_or(0))
    }
}

fn check_history(home: &Home, segment: &Segment) -> Result<()> {
    if segment.head.history == home.history {
        return Ok(());
    }
    Err(Error::ChangelogForeign { path: segment.file.path().to_path_buf() })
}

/// Where the changelog goes on.
#[derive(Debug)]
pub(crate) enum Plan {
    /// At a synced end of the active segment.
    At(ChangelogEnd, i64),
    /// In a segment that is still to be begun; with the sealed one that still has the active
    /// name.
    Begin { ordinal: u64, start: Start, base: (u64, HistoryHash), before: Option<u64> },
    /// In a copy of the active segment up to there.
    Copy(Reached),
    /// The active segment ends there for good, and another begins at head.
    Retire(Reached),
}

/// What the primary is.
pub(crate) struct Primary<'a> {
    /// Its newest commit, the log's included.
    pub(crate) head: u64,
    /// History hashes of its commits, where it still has them.
    pub(crate) hash_at: &'a dyn Fn(u64) -> Result<Option<HistoryHash>>,
}

/// Where a changelog that the header counts on goes on.
pub(crate) fn plan_on(home: &Home, state: &ChangelogState, primary: &Primary<'_>) -> Result<Plan> {
    let (files, end) = (Files::look(home)?, state.end);
    let after = (end.seq, end.hash);
    if files.active_is(end.segment)
        && let Some(active) = &files.active
        && let Some(reached) = verified(active, &end)?
    {
        if end.sealed {
            let before = Some(end.segment);
            let ordinal = end.segment + 1;
            return Ok(Plan::Begin { ordinal, start: Start::Continues, base: after, before });
        }
        refuse_ahead(active, &reached, primary.head)?;
        return Ok(Plan::At(end, reached.time));
    }
    if end.sealed {
        if let Some(active) = files.active.as_ref().filter(|active| {
            let head = &active.head;
            head.ordinal == end.segment + 1
                && head.start == Start::Continues
                && (head.base, head.base_hash) == after
        }) {
            probe::hit(Probe::ChangelogRotatedUnseen);
            refuse_ahead(active, &active.start(), primary.head)?;
            let segment = end.segment + 1;
            let offset = BLOCK_BYTES as u64;
            return Ok(Plan::At(
                ChangelogEnd { segment, sealed: false, mark: 0, offset, ..end },
                0,
            ));
        }
        if files.active.is_none() && files.newest_sealed == Some(end.segment) {
            let ordinal = end.segment + 1;
            let start = Start::Continues;
            return Ok(Plan::Begin { ordinal, start, base: after, before: None });
        }
    }
    if files.active.is_none()
        && let Some(last) = last_of_sealed(home, &files)?
        && (last.lost_to == end.seq || (last.reached.seq, last.reached.hash) == after)
    {
        // A repair left it so.
        let (ordinal, start) = (files.newest() + 1, Start::Repaired);
        return Ok(Plan::Begin { ordinal, start, base: after, before: None });
    }
    if files.active.is_none() && files.newest_sealed.is_none_or(|newest| newest < end.segment) {
        probe::hit(Probe::ChangelogMissing);
        let ordinal = files.newest().max(end.segment) + 1;
        return Ok(Plan::Begin { ordinal, start: Start::Missing, base: after, before: None });
    }
    match plan_among(home, &files, state, primary)? {
        // All entries are there, and just the mark after them is damaged; the log has the rest.
        Plan::Retire(reached) if (reached.seq, reached.hash) == after => Ok(Plan::Copy(reached)),
        Plan::Retire(reached) => Err(behind(&files, &end, &reached)),
        Plan::Begin { start: Start::TurnedOn, .. } => {
            let last = last_of_sealed(home, &files)?.map_or(0, |last| last.reached.seq);
            Err(behind_sealed(home, &end, last))
        }
        plan => Ok(plan),
    }
}

/// Where a changelog goes on that is turned on at head.
pub(crate) fn plan_turned_on(
    home: &Home,
    state: &ChangelogState,
    primary: &Primary<'_>,
) -> Result<Plan> {
    plan_among(home, &Files::look(home)?, state, primary)
}

fn plan_among(
    home: &Home,
    files: &Files,
    state: &ChangelogState,
    primary: &Primary<'_>,
) -> Result<Plan> {
    let head = primary.head;
    let last = match &files.active {
        Some(active) => Some(last_of_active(active, state)?),
        None => last_of_sealed(home, files)?.map(|last| (last.reached, false)),
    };
    let head_hash = || Ok::<_, Error>((primary.hash_at)(head)?.unwrap_or_default());
    let Some((reached, known)) = last else {
        let base = (head, head_hash()?);
        return Ok(Plan::Begin { ordinal: 1, start: Start::TurnedOn, base, before: None });
    };
    if reached.seq > head {
        return Err(Error::ChangelogMismatch { last: reached.seq, head });
    }
    if (primary.hash_at)(reached.seq)?.is_some_and(|hash| hash != reached.hash) {
        return Err(Error::HistoryDiverged { seq: reached.seq });
    }
    let level = reached.seq == head;
    match &files.active {
        Some(active) if level && known => {
            let end = ChangelogEnd { segment: active.head.ordinal, ..state.end };
            Ok(Plan::At(end, reached.time))
        }
        Some(_) if level => Ok(Plan::Copy(reached)),
        // It was synced further than it goes.
        Some(active) if active.head.ordinal <= state.end.segment && reached.seq < state.end.seq => {
            Err(behind(files, &state.end, &reached))
        }
        Some(_) => Ok(Plan::Retire(reached)),
        None => {
            let start = if level { Start::Continues } else { Start::TurnedOn };
            let hash = if level { reached.hash } else { head_hash()? };
            let ordinal = files.newest() + 1;
            Ok(Plan::Begin { ordinal, start, base: (head, hash), before: None })
        }
    }
}

/// The last commit of the active segment, and whether that is its synced end by the header.
fn last_of_active(active: &Segment, state: &ChangelogState) -> Result<(Reached, bool)> {
    let ours = active.head.ordinal == state.end.segment && !state.end.sealed;
    if ours && let Some(reached) = verified(active, &state.end)? {
        let on = active.read_on(&reached)?;
        if on.seq == reached.seq && !on.sealed {
            return Ok((reached, true));
        }
    }
    Ok((active.read_on(&active.start())?, false))
}

/// The last commit of the newest sealed segment, and what a repair says is lost after it.
struct LastSealed {
    reached: Reached,
    lost_to: u64,
}

fn last_of_sealed(home: &Home, files: &Files) -> Result<Option<LastSealed>> {
    let Some(ordinal) = files.newest_sealed else { return Ok(None) };
    let path = sealed_path(&home.primary, ordinal);
    let Some(segment) = Segment::open(&*home.vfs, &path)? else { return Ok(None) };
    check_history(home, &segment)?;
    let Some(sealed) = segment.sealed()? else {
        return Err(segment.corrupt(segment.file.len()?, segment.head.base, "it has no footer"));
    };
    let last = sealed.last;
    let reached = Reached {
        offset: sealed.offset,
        seq: last.seq,
        time: last.time,
        hash: last.hash,
        sealed: true,
        broken: None,
    };
    Ok(Some(LastSealed { reached, lost_to: sealed.footer.lost_to }))
}

/// The place of a synced end, if the segment has it.
fn verified(segment: &Segment, end: &ChangelogEnd) -> Result<Option<Reached>> {
    let start = segment.start();
    if end.mark == 0 {
        let same = (start.offset, start.seq, start.hash) == (end.offset, end.seq, end.hash);
        return Ok(same.then_some(start));
    }
    let mut frames = segment.frames(end.mark, end.offset);
    let Ok(Some(frame)) = frames.next()? else { return Ok(None) };
    let head = frame.head;
    let kind = if end.sealed { FrameKind::Footer } else { FrameKind::Mark };
    let same = head.kind == kind
        && frame.end() == end.offset
        && (head.seq, head.hash) == (end.seq, end.hash);
    Ok(same.then_some(Reached {
        offset: end.offset,
        seq: end.seq,
        time: head.time,
        hash: end.hash,
        sealed: end.sealed,
        broken: None,
    }))
}

/// What stands after the synced end was durable in the log before it was written: a primary that
/// does not know of it is an older one.
fn refuse_ahead(active: &Segment, from: &Reached, head: u64) -> Result<()> {
    let last = active.read_on(from)?.seq;
    if last > head { Err(Error::ChangelogMismatch { last, head }) } else { Ok(()) }
}

fn behind(files: &Files, end: &ChangelogEnd, reached: &Reached) -> Error {
    let what = format!("it ends here, and the primary counts on it up to commit {}", end.seq);
    let what = reached.broken.clone().unwrap_or(what);
    match &files.active {
        Some(active) => active.corrupt(reached.offset, reached.seq, what),
        None => Error::ChangelogGap { first: reached.seq + 1, last: end.seq },
    }
}

fn behind_sealed(home: &Home, end: &ChangelogEnd, seq: u64) -> Error {
    Error::ChangelogCorrupt {
        path: active_path(&home.primary),
        segment: end.segment,
        offset: end.offset,
        seq,
        what: format!("it is missing, and the primary counts on it up to commit {}", end.seq),
    }
}

/// Carries out a plan. The segment may still be under its temporary name: see [`Tail::appear`].
pub(crate) fn carry_out(home: &Home, plan: Plan, primary: &Primary<'_>) -> Result<Tail> {
    let active = || {
        let path = active_path(&home.primary);
        Segment::open(&*home.vfs, &path)?.ok_or(Error::ChangelogForeign { path })
    };
    match plan {
        Plan::At(end, time) => Tail::resume(home, end, time),
        Plan::Begin { ordinal, start, base, before } => {
            Tail::begin(home, home.head(ordinal, start, base), before)
        }
        Plan::Copy(reached) => Tail::copy(home, &active()?, &reached),
        Plan::Retire(reached) => {
            let mut old = Tail::copy(home, &active()?, &reached)?;
            old.appear()?;
            let ordinal = old.ordinal() + 1;
            old.retire(0)?;
            let base = (primary.head, (primary.hash_at)(primary.head)?.unwrap_or_default());
            Tail::begin(home, home.head(ordinal, Start::TurnedOn, base), None)
        }
    }
}
