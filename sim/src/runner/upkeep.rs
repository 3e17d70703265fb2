//! Tags and pruning, and what holds the floor.

use std::time::Duration;

use hexxladb::{
    CancelToken, Db, Error, FloorHold, FloorHolder, PrunePlan, PruneProfile, PruneScheduler,
    Pruned, Timestamp,
};

use super::{Session, World};
use crate::model::{Change, Mark, Upkeep};
use crate::op::{Before, Key};
use crate::oracle::{
    Check, Excuses, Kind, Shown, Stop, brief, counters, fail, is_pruned, judge, nothing_left_over,
    same, version_one,
};

/// What keeps the floor from rising: at which sequence, and the tag if it is one.
type Hold = (u64, Option<String>);

/// A retention policy: commits and nanoseconds to keep.
pub(super) type Policy = (Option<u64>, Option<u64>);

/// The sequence below which to prune; `Err` with what it is at most where the timeline may have
/// lost what it follows from.
type Wanted = Result<u64, u64>;

/// What pruning will do.
struct Forecast {
    before: Wanted,
    hold: Option<Hold>,
    /// Rows that go altogether.
    left: u64,
    /// The floor that there will be.
    becomes: u64,
}

fn hold_of(hold: &FloorHold) -> Hold {
    match &hold.by {
        FloorHolder::Tag(name) => (hold.seq, Some(name.clone())),
        FloorHolder::Consumer(name) => (hold.seq, Some(consumer_hold(name))),
        FloorHolder::Snapshot => (hold.seq, None),
        other => unreachable!("a holder of no kind known: {other:?}"),
    }
}

/// A consumer among those that hold the floor, told from tags.
fn consumer_hold(name: &str) -> String {
    format!("consumer {name}")
}

impl Session {
    /// The lowest of what keeps the floor: at one sequence the first of tags, then of consumers,
    /// before snapshots.
    fn lowest_hold(&self) -> Option<Hold> {
        let tags = self.upkeep.tags.iter().map(|(name, seq)| (*seq, Some(name.clone())));
        let snapshots = self.snapshots.values().map(|(seq, _)| *seq);
        let diffs = self.diffs.values().flat_map(|diff| diff.between);
        let held = self.upkeep.consumers.iter().filter(|(_, (_, holds))| *holds);
        let consumers = held
            .map(|(name, (next, _))| (next.saturating_sub(1).max(1), Some(consumer_hold(name))));
        let holds = tags.chain(consumers).chain(snapshots.chain(diffs).map(|seq| (seq, None)));
        holds.filter(|(seq, _)| *seq > 0).min_by_key(|(seq, _)| *seq)
    }
}

impl World {
    /// The sequence that a policy leads to.
    fn suggested(&self, (commits, nanos): Policy, head: u64, floor: u64) -> Option<Wanted> {
        let by_commits = commits.filter(|n| *n > 0).map(|n| Ok(head.saturating_sub(n)));
        let by_time = nanos.filter(|n| *n > 0).map(|nanos| {
            let now = self.clock_nanos().min(self.model.time_at(head).max(0));
            let back = i64::try_from(nanos).unwrap_or(i64::MAX);
            let seq = self.model.seq_at_time(now.saturating_sub(back), head);
            if seq >= floor { Ok(seq) } else { Err(seq) }
        });
        match (by_commits, by_time) {
            (Some(Ok(a)), Some(Ok(b))) => Some(Ok(a.min(b))),
            (Some(Ok(a)), Some(Err(b))) => Some(Err(a.min(b))),
            (a, b) => a.or(b),
        }
    }

    fn forecast(&self, session: &Session, before: Wanted) -> Forecast {
        let upkeep = &session.upkeep;
        let most = before.unwrap_or_else(|most| most);
        let hold = session.lowest_hold().filter(|(seq, _)| *seq < most);
        let floor = hold.as_ref().map_or(most, |(seq, _)| *seq);
        let becomes = floor.max(upkeep.floor);
        let left = self.model.prunable_rows(becomes) - upkeep.removed;
        Forecast { before, hold, left, becomes }
    }

    pub(super) fn prune(&mut self, before: Before, max_rows: u64) -> Check {
        let Some((db, shown)) = self.shown()? else { return Ok(()) };
        if !self.model.mvcc() {
            return version_one(&db);
        }
        let (head, excuses) = (shown.head, self.excuses());
        let (asked, wanted): (hexxladb::PruneBefore, Wanted) = match before {
            Before::Seq(seq) => (seq.into(), Ok(seq)),
            Before::Time(nanos) => {
                let seq = self.model.seq_at_time(nanos, head);
                let known = seq >= shown.floor();
                (Timestamp::from_nanos(nanos).into(), if known { Ok(seq) } else { Err(seq) })
            }
        };
        let Some(session) = &self.session else { return Ok(()) };
        let forecast = self.forecast(session, wanted);
        if wanted.is_ok_and(|seq| seq <= head) {
            let plan = excuses.take("plan_prune", db.plan_prune(asked))?;
            as_planned(&plan, &forecast)?;
        }
        let result = db.prune_cell_versions(asked, max_rows);
        if max_rows == 0 {
            return match result {
                Err(Error::InvalidArgument { .. }) => Ok(()),
                other => fail(Kind::Accepted, "prune of no rows", brief(&other)),
            };
        }
        match result {
            Err(Error::ReadSeqFuture { .. }) if wanted.is_ok_and(|seq| seq > head) => Ok(()),
            Ok(_) if wanted.is_ok_and(|seq| seq > head) => {
                fail(Kind::Accepted, "prune above head", brief(&wanted))
            }
            result => self.has_pruned("prune_cell_versions", &forecast, max_rows, result),
        }
    }

    pub(super) fn prune_by(&mut self, profile: PruneProfile, tick: bool) -> Check {
        let Some((db, shown)) = self.shown()? else { return Ok(()) };
        if !self.model.mvcc() {
            return version_one(&db);
        }
        let excuses = self.excuses();
        let Some(session) = &self.session else { return Ok(()) };
        let (percent, batch_rows) = match profile {
            PruneProfile::LowLatency => (0, 512),
            PruneProfile::Balanced => (25, 2048),
            PruneProfile::LongHistory => (100, 256),
        };
        let (commits, nanos) = session.keep;
        let longer = |n: u64| n.saturating_add((n.saturating_mul(percent)).div_ceil(100));
        let later = |n: u64| n.saturating_add(n.saturating_mul(percent) / 100);
        let policy = (commits.map(longer), nanos.map(later));
        let wanted = self.suggested(policy, shown.head, shown.floor());
        let forecast = self.forecast(session, wanted.unwrap_or(Ok(0)));
        let plan = excuses.take("plan_prune_by_profile", db.plan_prune_by_profile(profile))?;
        same("rows of a batch", &plan.batch_rows, &batch_rows)?;
        same("whether a plan has a policy", &plan.policy.is_some(), &wanted.is_some())?;
        if wanted.is_some() {
            as_planned(&plan, &forecast)?;
        }
        let result = if tick {
            PruneScheduler::new(&db, profile).tick(&CancelToken::new())
        } else {
            db.prune_cell_versions_by_profile(&plan)
        };
        if let (None, Ok(Pruned { rows, floor, done, no_policy, .. })) = (&wanted, &result) {
            let found = (*rows, *floor, *done, *no_policy);
            return same("pruning without a policy", &found, &(0, shown.floor(), true, true));
        }
        if let Ok(pruned) = &result {
            same("whether there is a policy", &pruned.no_policy, &false)?;
            let hold = pruned.held_by.as_ref().map(hold_of);
            same("what holds the floor", &hold, &forecast.hold)?;
            same("floor after pruning", &pruned.floor, &forecast.becomes)?;
            // Where so many rows went, nobody has looked whether more can.
            if forecast.left < batch_rows {
                same("whether pruning is done", &pruned.done, &true)?;
            }
        }
        let result = result.map(|pruned| pruned.rows);
        self.has_pruned("prune by profile", &forecast, batch_rows, result)
    }

    /// What the end of pruning means.
    fn has_pruned(
        &mut self,
        call: &'static str,
        forecast: &Forecast,
        max_rows: u64,
        result: Result<u64, Error>,
    ) -> Check {
        let Some(session) = &self.session else { return Ok(()) };
        let raised = forecast.becomes > session.upkeep.floor;
        let change = raised.then_some(Change::Floor(forecast.becomes));
        let rows = forecast.left.min(max_rows);
        if let Err(stop) = may_write(session, call, &result, raised || rows > 0) {
            return stop;
        }
        let removed = session.upkeep.removed + rows;
        match result {
            _ if self.disk.crashed().is_some() => self.begun(change, removed),
            Ok(found) => {
                same("rows pruned", &found, &rows)?;
                self.changed(call, change, rows)?;
                match self.shown()? {
                    Some((db, shown)) if rows < max_rows && shown.floor() == shown.head => {
                        nothing_left_over(&db, &self.model, &shown, &self.excuses())
                    }
                    _ => Ok(()),
                }
            }
            Err(error) => self.not_changed(call, &error, change, removed),
        }
    }

    /// The process stopped within a change: it may be there or not.
    pub(super) fn begun(&mut self, change: Option<Change>, removed: u64) -> Check {
        if let Some(change) = change {
            self.model.change(change);
        }
        self.model.begin_removing(removed);
        Err(Stop::Excused)
    }

    /// A change without a sequence was acknowledged.
    pub(super) fn changed(
        &mut self,
        call: &'static str,
        change: Option<Change>,
        rows: u64,
    ) -> Check {
        if self.must_not_acknowledge() && (change.is_some() || rows > 0) {
            return fail(Kind::Accepted, "change after a failed sync", call);
        }
        let Some(session) = &mut self.session else { return Ok(()) };
        if let Some(change) = change {
            session.upkeep.apply(&change);
            self.model.change(change);
        }
        session.upkeep.removed += rows;
        self.model.removed(session.upkeep.removed);
        let mark = Mark { head: 0, ..self.model.begun() };
        self.bounds.show_all(mark, !session.buffered);
        self.note(&format!("{call} {:?}", self.bounds.shown));
        Ok(())
    }

    /// A change without a sequence ended with an error: asks how far it has got.
    pub(super) fn not_changed(
        &mut self,
        call: &'static str,
        error: &Error,
        change: Option<Change>,
        removed: u64,
    ) -> Check {
        let excuses = self.excuses();
        let stop = excuses.stop(call, error);
        let Some(session) = &mut self.session else { return Err(stop) };
        if let Stop::Failed(_) = stop {
            return Err(stop);
        }
        if !session.unknown {
            self.model.begin_removing(removed);
            if let Some(change) = change {
                self.model.change(change);
            }
        }
        session.unknown |= matches!(error, Error::Poisoned { .. });
        match Shown::of(&session.db, &self.model, &excuses) {
            Ok(found) => {
                let mark = judge(&found, &self.model, self.bounds.shown, "changes that failed")?;
                session.upkeep = found.upkeep;
                self.bounds.show_all(Mark { head: 0, ..mark }, !session.buffered);
                // A handle that goes on writing has left nothing behind that may yet come to be.
                if !session.unknown {
                    self.model.forget_changes(mark.changes);
                    self.model.removed(mark.removed);
                }
            }
            // Nobody goes on without knowing.
            Err(Stop::Excused) => self.drop_session(),
            Err(failed) => return Err(failed),
        }
        Err(stop)
    }

    pub(super) fn tag(&mut self, name: &Key, seq: Option<u64>) -> Check {
        let Some(session) = &self.session else { return Ok(()) };
        let (db, name, base) = (session.db.clone(), name.text(), self.model.head());
        if !self.model.mvcc() {
            return version_one(&db);
        }
        let Upkeep { floor, tags, removed, .. } = session.upkeep.clone();
        let result = match seq {
            None => db.tag_snapshot(&name),
            Some(seq) => db.tag_snapshot_at(&name, seq),
        };
        if name.is_empty() {
            return match result {
                Err(Error::InvalidArgument { .. }) => Ok(()),
                other => fail(Kind::Accepted, "tag without a name", brief(&other)),
            };
        }
        if let Err(verdict) = may_write(session, "tag_snapshot", &result, true) {
            return verdict;
        }
        let seq = seq.unwrap_or(base);
        let old = tags.get(&name).copied();
        let change = old.is_none().then(|| Change::Tag(name.clone(), seq));
        let (future, pruned) = (seq > base, seq > 0 && seq < floor);
        let other = old.filter(|old| *old != seq && !future && !pruned);
        let legal = !future && !pruned && other.is_none();
        match result {
            _ if self.disk.crashed().is_some() => self.begun(change.filter(|_| legal), removed),
            Ok(found) if legal => {
                same("answer of tag_snapshot", &found, &seq)?;
                self.changed("tag_snapshot", change, 0)
            }
            Err(Error::ReadSeqFuture { .. }) if future => Ok(()),
            Err(Error::SnapshotPruned { .. }) if pruned => {
                is_pruned("tag below the floor", result, floor, &self.excuses())
            }
            Err(Error::SnapshotTagExists { seq: told, .. }) if other == Some(told) => Ok(()),
            Err(error) => {
                self.not_changed("tag_snapshot", &error, change.filter(|_| legal), removed)
            }
            Ok(found) => fail(Kind::Accepted, "tag_snapshot", format!("{name} at {found}")),
        }
    }

    pub(super) fn untag(&mut self, name: &Key) -> Check {
        let Some(session) = &self.session else { return Ok(()) };
        let (db, name) = (session.db.clone(), name.text());
        if !self.model.mvcc() || name.is_empty() {
            return Ok(());
        }
        let result = db.delete_snapshot_tag(&name);
        if let Err(verdict) = may_write(session, "delete_snapshot_tag", &result, true) {
            return verdict;
        }
        let Upkeep { tags, removed, .. } = session.upkeep.clone();
        let there = tags.contains_key(&name);
        let change = there.then_some(Change::Untag(name));
        match result {
            _ if self.disk.crashed().is_some() => self.begun(change, removed),
            Ok(found) => {
                same("answer of delete_snapshot_tag", &found, &there)?;
                self.changed("delete_snapshot_tag", change, 0)
            }
            Err(error) => self.not_changed("delete_snapshot_tag", &error, change, removed),
        }
    }

    /// Counters, and what the statistics say of retention.
    pub(super) fn statistics(&self, db: &Db, shown: &Shown, excuses: &Excuses) -> Check {
        counters(db, &self.model, shown, None, excuses)?;
        let Some(session) = &self.session else { return Ok(()) };
        let stats = excuses.take("stats_mvcc", db.stats_mvcc())?;
        let hold = stats.floor_held_by.as_ref().map(hold_of);
        same("what holds the floor", &hold, &session.lowest_hold())?;
        same("retention of the statistics", &stats.retention, &retention(session.keep))?;
        let (head, floor) = (shown.head, shown.floor());
        let suggested = self.suggested(session.keep, head, floor);
        is_wanted("suggested sequence", stats.suggested_prune_before_seq, suggested)?;
        let first = floor.max(1);
        let nanos = self.model.time_at(head).saturating_sub(self.model.time_at(first));
        let rate = (head > 0 && nanos > 0).then(|| per_hour(head - first, nanos));
        same("commits per hour", &stats.commits_per_hour, &rate)?;
        let pages = stats.free_pages + stats.freed_pages;
        same("reclaimable pages", &stats.reclaimable_pages, &pages)
    }
}

/// Refusals that have nothing to do with what was asked. `Err` with the judgement of one.
pub(super) fn may_write<T: std::fmt::Debug>(
    session: &Session,
    call: &'static str,
    result: &Result<T, Error>,
    writes: bool,
) -> Result<(), Check> {
    let refused = match result {
        Err(Error::ReadOnly) => session.read_only,
        Err(Error::NestedWrite) => session.tx.is_some(),
        // Within a transaction there may be nothing to do, and then nothing is refused.
        Ok(_) if session.tx.is_some() && !writes => return Err(Ok(())),
        Ok(_) if session.read_only || session.tx.is_some() => {
            return Err(fail(Kind::Accepted, call, brief(result)));
        }
        _ => return Ok(()),
    };
    if refused { Err(Ok(())) } else { Ok(()) }
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn per_hour(commits: u64, nanos: i64) -> f64 {
    commits as f64 * 3_600_000_000_000.0 / nanos as f64
}

/// As the engine takes a policy.
pub(super) fn retention((commits, nanos): Policy) -> Option<hexxladb::Retention> {
    use hexxladb::Retention;
    match (commits, nanos.map(Duration::from_nanos)) {
        (Some(commits), Some(time)) => Some(Retention::both(commits, time)),
        (Some(commits), None) => Some(Retention::Commits(commits)),
        (None, Some(time)) => Some(Retention::Duration(time)),
        (None, None) => None,
    }
}

fn is_wanted(label: &'static str, found: Option<u64>, wanted: Option<Wanted>) -> Check {
    match (found, wanted) {
        (Some(found), Some(Err(most))) if found <= most => Ok(()),
        (found, Some(Ok(wanted))) => same(label, &found, &Some(wanted)),
        (found, wanted) => same(label, &found, &wanted.and_then(Result::ok)),
    }
}

/// Judges a plan: what would go, and what holds the floor.
fn as_planned(plan: &PrunePlan, forecast: &Forecast) -> Check {
    is_wanted("sequence of a plan", Some(plan.before), Some(forecast.before))?;
    if forecast.before.is_ok() {
        same("floor of a plan", &plan.floor, &forecast.becomes)?;
    }
    same("holder of a plan", &plan.held_by.as_ref().map(hold_of), &forecast.hold)?;
    same("rows of a plan", &plan.rows, &forecast.left)?;
    same("whether a plan has bytes", &(plan.bytes > 0), &(forecast.left > 0))
}
