//! What a retention policy asks for, and what may keep it from being done.

use crate::core::Core;
use crate::error::Result;
use crate::options::Retention;
use crate::stats::{FloorHold, FloorHolder};
use crate::tags;
use crate::time::Timestamp;
use crate::timeline::{Source, commit_at, consumers, seq_at_time};

/// The sequence below which a policy keeps nothing; `None` where it asks for nothing.
pub(crate) fn suggested(
    core: &Core,
    source: &Source<'_>,
    retention: Option<Retention>,
) -> Result<Option<u64>> {
    let Some(retention) = retention else { return Ok(None) };
    let by_commits = retention.commits().map(|commits| source.root.seq.saturating_sub(commits));
    let by_time = match retention.duration() {
        Some(duration) => {
            // A clock that is ahead of all commits must not let them go early.
            let now = core.vfs.clock().wall_nanos().min(source.root.time);
            let back = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
            let oldest_kept = Timestamp::from_nanos(now.saturating_sub(back));
            Some(seq_at_time(source, oldest_kept)?)
        }
        None => None,
    };
    Ok(match (by_commits, by_time) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    })
}

/// What keeps the floor from rising above a sequence: the lowest of tags, of consumers that
/// ask to be waited for, and of snapshots in use.
pub(crate) fn lowest_hold(core: &Core, source: &Source<'_>) -> Result<Option<FloorHold>> {
    let mut lowest: Option<FloorHold> = None;
    tags::each(source, |tag| {
        // 0 is empty for ever, and needs no keeping.
        if tag.seq > 0 && lowest.as_ref().is_none_or(|hold| tag.seq < hold.seq) {
            lowest = Some(FloorHold { seq: tag.seq, by: FloorHolder::Tag(tag.name) });
        }
    })?;
    for (name, at) in consumers(source)?.into_iter().filter(|(_, at)| at.holds_floor) {
        // What the next commit replaced stays, too.
        let seq = at.seq.saturating_sub(1).max(1);
        if lowest.as_ref().is_none_or(|hold| seq < hold.seq) {
            lowest = Some(FloorHold { seq, by: FloorHolder::Consumer(name) });
        }
    }
    // At one sequence a tag is named: it stays when the snapshot has gone.
    let live = core.registry.oldest();
    let lower = live.filter(|live| lowest.as_ref().is_none_or(|hold| *live < hold.seq));
    Ok(lower.map(|seq| FloorHold { seq, by: FloorHolder::Snapshot }).or(lowest))
}

/// Commits per hour from the floor to head, by their times.
pub(crate) fn commits_per_hour(source: &Source<'_>) -> Result<Option<f64>> {
    const HOUR_NANOS: f64 = 3600.0 * 1e9;
    let (first, head) = (source.root.floor.max(1), source.root.seq);
    let Some(begin) = commit_at(source, first)? else { return Ok(None) };
    let nanos = source.root.time.saturating_sub(begin.time.as_nanos());
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    Ok((nanos > 0).then(|| head.saturating_sub(first) as f64 * HOUR_NANOS / nanos as f64))
}
