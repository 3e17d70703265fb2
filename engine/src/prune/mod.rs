//! Pruning: giving up the snapshots below a floor, and removing what only they could see.
//!
//! Always: the floor is published before the first row goes, so that a snapshot below it is
//! refused, never wrong; what a registered snapshot or a tag can see stays.
//!
//! The work is done in slices. Each is chosen beside running commits and applied with the
//! writer's seat taken for as long as a transaction of so many rows would take it.

mod batch;
mod policy;
mod profile;

use std::sync::Arc;

pub(crate) use policy::{commits_per_hour, lowest_hold, suggested};
pub use profile::{PrunePlan, PruneProfile, Pruned};
pub(crate) use profile::{carry_out, plan_by_profile, tick};

use crate::cancel::CancelToken;
use crate::core::{Core, PrunePass, Pruning};
use crate::error::{Error, Result};
use crate::keys;
use crate::maintenance::Maintenance;
use crate::options::Retention;
use crate::probe::{self, Probe};
use crate::stats::FloorHold;
use crate::sync::{lock, spin_while};
use crate::time::Timestamp;
use crate::timeline::{Commit, Source, commit_at, first_commit, seq_at_time};
use batch::{Batch, Walk};

/// Pruning changes up to this share of the cache before it has that written out: memory for branches
/// and for what others change is dear, and who prunes has time.
const CHANGED_SHARE: u64 = 16;

/// Each slice waits for its sync: small ones leave more of the machine to readers. Rows that one
/// slice removes at most, and commits that it cuts from the timeline.
const SLICE_ROWS: u64 = 128;

/// Below what to prune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PruneBefore {
    /// Snapshots before this commit.
    Seq(u64),
    /// Snapshots before the newest commit at or before this time.
    Time(Timestamp),
}

impl From<u64> for PruneBefore {
    fn from(seq: u64) -> Self {
        Self::Seq(seq)
    }
}

impl From<Timestamp> for PruneBefore {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}

/// The commit that stays the oldest readable one.
fn resolve(source: &Source<'_>, before: PruneBefore) -> Result<u64> {
    let head = source.root.seq;
    match before {
        PruneBefore::Seq(seq) if seq > head => Err(Error::ReadSeqFuture { seq, head }),
        PruneBefore::Seq(seq) => Ok(seq),
        PruneBefore::Time(time) => seq_at_time(source, time),
    }
}

/// The floor that may be had for `before`, and what keeps it lower.
fn clamped(core: &Core, source: &Source<'_>, before: u64) -> Result<(u64, Option<FloorHold>)> {
    let hold = lowest_hold(core, source)?.filter(|hold| hold.seq < before);
    let floor = hold.as_ref().map_or(before, |hold| hold.seq);
    Ok((floor, hold))
}

/// What pruning before a sequence or time would do.
pub(crate) fn plan(core: &Arc<Core>, before: PruneBefore) -> Result<PrunePlan> {
    let before = core.read(|source| resolve(&source, before))?;
    plan_before(core, before, None, SLICE_ROWS)
}

/// A plan for a sequence, under a policy if there is one.
fn plan_before(
    core: &Arc<Core>,
    before: u64,
    policy: Option<Retention>,
    batch_rows: u64,
) -> Result<PrunePlan> {
    let (floor, held_by) = core.read(|source| clamped(core, &source, before))?;
    let floor = floor.max(core.floor());
    let (mut rows, mut bytes) = (0, 0);
    let mut done_from = keys::all_records_range().end;
    let mut through = false;
    while !through {
        let mut batch = Batch::default();
        through = core.read(|source| {
            let walk = Walk { source, floor: floor.max(source.root.floor) };
            walk.choose(&mut done_from, SLICE_ROWS, &mut batch)
        })?;
        rows += batch.rows;
        bytes += batch.bytes;
    }
    let first = core.read(|source| first_commit(&source))?;
    let commits = first.map_or(0, |first| floor.saturating_sub(first));
    Ok(PrunePlan { before, floor, held_by, policy, batch_rows, rows, bytes, commits })
}

/// Prunes before a sequence or time; removes at most `max_rows` versions.
pub(crate) fn prune(core: &Arc<Core>, before: PruneBefore, max_rows: u64) -> Result<Pruned> {
    if max_rows == 0 {
        return Err(Error::invalid("max_rows", max_rows, "1 or more"));
    }
    let before = core.read(|source| resolve(&source, before))?;
    run(core, before, Bounds { max_rows, max_slices: u64::MAX }, None)
}

/// How much one call does at most.
#[derive(Clone, Copy)]
struct Bounds {
    max_rows: u64,
    max_slices: u64,
}

fn run(
    core: &Arc<Core>,
    before: u64,
    bounds: Bounds,
    cancel: Option<&CancelToken>,
) -> Result<Pruned> {
    core.check_open()?;
    core.check_writable()?;
    if core.has_seat() {
        // Who prunes beside this thread has the pass, and waits for this thread's seat.
        return Err(Error::NestedWrite);
    }
    let mut pruning = lock(&core.pruning);
    let held_by = raise_floor(core, before)?;
    let (mut rows, mut slices) = (0, 0);
    loop {
        core.check_open()?;
        if cancel.is_some_and(CancelToken::is_cancelled) {
            return Err(Error::Cancelled { done: rows });
        }
        let slice = slice(core, &mut pruning, bounds.max_rows - rows)?;
        rows += slice.rows;
        slices += 1;
        if slice.done || rows == bounds.max_rows || slices == bounds.max_slices {
            return Ok(Pruned {
                rows,
                floor: core.floor(),
                done: slice.done,
                held_by,
                no_policy: false,
            });
        }
    }
}

/// Publishes the floor that may be had, if it is higher than the one there is.
fn raise_floor(core: &Arc<Core>, before: u64) -> Result<Option<FloorHold>> {
    let (wanted, held_by) = core.read(|source| clamped(core, &source, before))?;
    if wanted > core.floor() {
        let mut maintenance = Maintenance::begin(core)?;
        // Tags are put with the seat taken: now none can come in between.
        let (floor, held_by) = clamped(core, &maintenance.source(), before)?;
        let floor = floor.min(maintenance.root().seq);
        if floor > maintenance.root().floor {
            maintenance.raise_floor(floor);
        }
        maintenance.commit()?;
        core.raise_floor(floor);
        return Ok(held_by);
    }
    if held_by.is_some() {
        probe::hit(Probe::PruneHeld);
    }
    Ok(held_by)
}

/// What a slice has done.
struct Slice {
    rows: u64,
    /// Nothing is left to be done under the floor.
    done: bool,
}

fn slice(core: &Arc<Core>, pruning: &mut Pruning, max_rows: u64) -> Result<Slice> {
    let pass = &mut pruning.pass;
    let root = core.group.load_full();
    let source = core.source(&root);
    // Who began to read before the floor rose may have registered below it since.
    let published = root.floor;
    let floor = core.registry.oldest().map_or(published, |oldest| published.min(oldest));
    let mut batch = Batch::default();
    let mut pruned_to = None;
    let mut done_from = None;
    if root.pruned < floor {
        let pass_now = pass
            .get_or_insert_with(|| PrunePass { floor, done_from: keys::all_records_range().end });
        // What any slice of the pass spares waits for the next pass.
        pass_now.floor = pass_now.floor.min(floor);
        let mut bound = pass_now.done_from.clone();
        let through =
            Walk { source, floor }.choose(&mut bound, max_rows.min(SLICE_ROWS), &mut batch)?;
        pruned_to = through.then_some(pass_now.floor);
        done_from = Some(bound);
    }
    let records_done = pruned_to.unwrap_or(root.pruned) >= published;
    let commits = commits_below(&source, floor)?;
    let timeline_done = (commits.len() as u64) < SLICE_ROWS;
    drop(root);
    apply(core, &batch, &commits, pruned_to, &mut pruning.changed_bytes)?;
    // Only now: what an error has kept from being removed is chosen again.
    match (pass.as_mut(), done_from) {
        (Some(pass_now), Some(bound)) if pruned_to.is_none() => pass_now.done_from = bound,
        _ => *pass = None,
    }
    if floor < published {
        // Refused as soon as it looks, it will go.
        spin_while(|| core.registry.oldest().is_some_and(|oldest| oldest < published));
    }
    let done = floor == published && records_done && timeline_done;
    Ok(Slice { rows: batch.rows, done })
}

/// The oldest commits below the floor that the timeline still has, those of one slice.
fn commits_below(source: &Source<'_>, floor: u64) -> Result<Vec<Commit>> {
    let Some(first) = first_commit(source)? else { return Ok(Vec::new()) };
    let seqs = (first..floor).take(SLICE_ROWS as usize);
    seqs.map_while(|seq| commit_at(source, seq).transpose()).collect()
}

fn apply(
    core: &Arc<Core>,
    batch: &Batch,
    commits: &[Commit],
    pruned_to: Option<u64>,
    changed_bytes: &mut u64,
) -> Result<()> {
    if batch.keys.is_empty() && commits.is_empty() && pruned_to.is_none() {
        return Ok(());
    }
    probe::hit(Probe::PruneSlice);
    let mut maintenance = Maintenance::begin(core)?;
    let before = core.pager.resident_bytes();
    for key in &batch.keys {
        maintenance.remove(key)?;
    }
    for commit in commits {
        maintenance.remove_commit(commit.seq, commit.time)?;
    }
    if let Some(pruned) = pruned_to.filter(|pruned| *pruned > maintenance.root().pruned) {
        maintenance.note_pruned(pruned);
    }
    *changed_bytes += core.pager.resident_bytes().saturating_sub(before);
    let write_out = *changed_bytes > core.options.cache_bytes / CHANGED_SHARE;
    if write_out {
        *changed_bytes = 0;
        maintenance.begin_checkpoint();
    }
    maintenance.commit()?;
    if write_out {
        core.finish_checkpoint();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use hexxladb_vfs::MemoryVfs;

    use super::*;
    use crate::options::Options;
    use crate::timeline::newest_at;
    use crate::tx::WriteTx;

    // spec: PRUNE-09, PRUNE-11
    #[test]
    fn what_a_passing_reader_spared_goes_with_the_next_pass() {
        let options = Options::in_memory().page_size(4096);
        let core = crate::recovery::open(Arc::new(MemoryVfs::new()), Path::new("/db"), options);
        let core = Arc::new(core.unwrap());
        for _ in 0..4 {
            let mut tx = WriteTx::begin(&core).unwrap();
            (0..1200u32).for_each(|key| tx.put(key.to_be_bytes(), "value").unwrap());
            tx.commit().unwrap();
        }
        let prune = |max_rows| prune(&core, PruneBefore::Seq(4), max_rows).unwrap().rows;
        assert_eq!(prune(1), 1);
        // It registers, finds that the floor has risen, and goes; meanwhile a slice is chosen.
        let passing = core.registry.begin(2);
        assert_eq!(prune(512), 512);
        for key in 0..1200u32 {
            let logical = keys::raw_key(&key.to_be_bytes(), 8).unwrap();
            let seen = newest_at(&core.source(&core.group.load()), &logical, 2).unwrap();
            assert_eq!(seen.map(|row| row.seq), Some(2), "while it is there, it reads right");
        }
        core.registry.end(&passing);
        let rest: u64 = std::iter::repeat_with(|| prune(10_000)).take_while(|rows| *rows > 0).sum();
        assert_eq!(1 + 512 + rest, 3 * 1200);
    }
}
