//! Images of the disk after a crash: which were tried, what was found, and trying one.

use std::collections::BTreeSet;

use hexxladb::vfs::sim::{CrashChoice, Kept, Pending, SimVfs, Survival};
use hexxladb::{Db, Error};

use super::seen::Seen;
use super::watch::{Halt, Watch};
use super::{Counts, Found, Point, plan_to};
use crate::model::{Delta, Draft, Model, Story};
use crate::op::{Changelog, Crash, CrashKind, Key, Open, Plan, Survivors, Value};
use crate::oracle::{
    Bounds, Check, Excuses, Failure, Kind, Reach, Shown, Stop, Whole, beside, brief, checked,
    everything, fail, nothing_left_over, same, whole,
};
use crate::runner::{caught, changelog_of, open_for};

/// Random crash states where there are too many to try all.
const RANDOM_STATES: usize = 16;

/// Crash states of one point whose recoveries are crashed in turn.
const NESTED_STATES: usize = 24;

/// Crash states of one file operation of a recovery.
const RECOVERY_STATES: usize = 64;

/// Sectors tried as garbage at each point.
const SOILED_SECTORS: usize = 8;

/// File operations that one recovery with all its reads may take.
const CYCLE_OPS: u64 = 400_000;

/// What the workers on one script share.
pub struct Images<'a> {
    plan: &'a Plan,
    nested: bool,
    counts: &'a Counts,
    seen: Seen,
    seen_nested: Seen,
}

impl<'a> Images<'a> {
    /// None tried yet.
    #[must_use]
    pub fn new(plan: &'a Plan, nested: bool, counts: &'a Counts) -> Self {
        Self { plan, nested, counts, seen: Seen::new(), seen_nested: Seen::new() }
    }

    /// Tries every crash state of a point.
    ///
    /// # Errors
    /// When a promise is broken.
    pub fn crash_at(
        &self,
        point: &Point,
        seed: u64,
        watch: &Watch,
        halt: Halt<'_>,
    ) -> Result<(), Box<Found>> {
        Trier { images: self, point, watch, halt }.crash(seed)
    }
}

/// A worker at one point.
struct Trier<'a> {
    images: &'a Images<'a>,
    point: &'a Point,
    watch: &'a Watch,
    halt: Halt<'a>,
}

impl Trier<'_> {
    fn crash(&self, seed: u64) -> Result<(), Box<Found>> {
        let point = self.point;
        let found = |crash: Crash| {
            move |broken: Broken| {
                Box::new(Found {
                    plan: plan_to(
                        self.images.plan,
                        point.step,
                        &crash,
                        broken.again.as_ref().map(|(open, crash)| (*open, crash)),
                    ),
                    failure: broken.failure,
                })
            }
        };
        let crash = |kind, survivors| Crash { kind, at: point.at, survivors };
        let killed = point.disk.fork();
        killed.kill();
        let kill = crash(CrashKind::Kill, Survivors::Random);
        self.watch.start(|| plan_to(self.images.plan, point.step, &kill, None));
        self.cycle(&killed, point.bounds, (self.images.nested, false)).map_err(found(kill))?;
        let reader = crash(CrashKind::Kill, Survivors::Random);
        let outcome = caught(|| self.read_and_cut());
        let cut = Crash {
            kind: CrashKind::Cut,
            at: None,
            survivors: Survivors::These(CrashChoice::default()),
        };
        flatten(outcome)
            .map_err(|broken| Broken { again: Some((READ_ONLY, cut)), ..broken })
            .map_err(found(reader))?;
        let cut_to_nothing = crash(CrashKind::Cut, Survivors::These(CrashChoice::default()));
        let seen = caught(|| self.with_seen(&point.disk, point.model.story(), point.bounds));
        let mut bounds = flatten(seen).map_err(found(cut_to_nothing))?;
        bounds.cut();
        let pending = point.disk.pending();
        let telling: BTreeSet<_> =
            spread_states(&pending, NESTED_STATES).into_iter().map(sorted).collect();
        for choice in pending.states(RANDOM_STATES, seed).chain(soiled(&pending)) {
            if self.halt.now() {
                break;
            }
            let nested = self.images.nested && telling.contains(&sorted(choice.clone()));
            let disk = point.disk.fork();
            disk.power_cut_with(&choice);
            let cut = crash(CrashKind::Cut, Survivors::These(choice));
            self.watch.start(|| plan_to(self.images.plan, point.step, &cut, None));
            self.image(&disk, bounds, nested).map_err(found(cut))?;
        }
        Ok(())
    }

    /// Judges one image; recovers it unless an equal one was.
    fn image(&self, disk: &SimVfs, bounds: Bounds, nested: bool) -> Result<(), Broken> {
        Counts::add(&self.images.counts.states);
        let hash = disk.image_hash();
        if self.images.seen.covers(hash, self.point, bounds, None) {
            return Ok(());
        }
        Counts::add(&self.images.counts.images);
        let found = self.cycle(disk, bounds, (nested, true))?;
        self.images.seen.enter(hash, self.point, &found);
        Ok(())
    }

    /// A recovery and what must hold after it. `cut` says that the power was cut before: then
    /// nothing is pending, and every further recovery finds the same.
    fn cycle(
        &self,
        disk: &SimVfs,
        bounds: Bounds,
        (nested, cut): (bool, bool),
    ) -> Result<Shown, Broken> {
        disk.set_op_limit(Some(CYCLE_OPS));
        disk.set_capture(nested);
        let hash = disk.image_hash();
        let captured = std::cell::RefCell::new(Vec::new());
        let outcome = caught(|| {
            let found = self.recover(disk, bounds, None, Some(&captured))?;
            self.kept(disk, &found, hash)?;
            Ok(found)
        });
        let found = flatten(outcome)?;
        self.within_recovery(captured.into_inner(), bounds, (&found, cut))?;
        Ok(found)
    }

    /// Opens and reads everything; `exactly` when it is known what must be found, `captured` where
    /// this recovery is not one of a recovery.
    fn recover(
        &self,
        disk: &SimVfs,
        bounds: Bounds,
        exactly: Option<&Shown>,
        captured: Option<&std::cell::RefCell<Vec<(u64, SimVfs)>>>,
    ) -> Check<Shown> {
        Counts::add(&self.images.counts.cycles);
        self.watch.beat();
        let none = Excuses::default();
        // A recovery that was crashed may have begun to turn the changelog on.
        let mut story = self.point.model.story().clone();
        if captured.is_none() {
            let heads = bounds.durable.head..=self.point.model.head();
            story.attempt(heads, self.images.plan.setup.changelog);
        }
        let bounds = self.with_seen(disk, &story, bounds)?;
        let db = none.take(
            "open",
            open_for(&self.images.plan.setup, disk, Open::default(), bounds.created),
        )?;
        if let Some(captured) = captured {
            captured.borrow_mut().extend(disk.take_captures());
        }
        disk.set_capture(false);
        let found = Shown::of(&db, &self.point.model, &none)?;
        bounds.judge(&found, &self.point.model)?;
        if let Some(exactly) = exactly
            && found != *exactly
        {
            let what =
                format!("{} was there, and after another crash {}", brief(exactly), brief(&found));
            return fail(Kind::Lost, "recovery of a recovery", what);
        }
        everything(&db, &self.point.model, &found, &none)?;
        story.opened(&self.point.model, found.head, self.images.plan.setup.changelog);
        self.changelog(&db, (&self.point.model, &story), found.head)?;
        Ok(found)
    }

    /// The whole changelog, where one is kept.
    fn changelog(&self, db: &Db, known: (&Model, &Story), head: u64) -> Check<Whole> {
        if self.images.plan.setup.changelog == Changelog::Off {
            return Ok(Whole::default());
        }
        let reach = Reach { least: head, most: head, loose: false };
        let none = Excuses::default();
        whole("changelog", |cursor| changelog_of(db, cursor), known, reach, &none)
    }

    /// What somebody reads in the changelog beside is shown.
    fn with_seen(&self, disk: &SimVfs, story: &Story, mut bounds: Bounds) -> Check<Bounds> {
        let (model, none) = (&self.point.model, Excuses::default());
        if story.may_be() {
            let disk = disk.fork();
            disk.kill();
            let reach = Reach { least: 0, most: model.head(), loose: false };
            let known = (&**model, story);
            if let Some(seen) = beside(&disk, known, (bounds.created, reach), &none)? {
                bounds.show(seen.last, true);
            }
        }
        Ok(bounds)
    }

    /// What a process that only reads shows after a kill survives a power cut, too.
    fn read_and_cut(&self) -> Check {
        let (disk, bounds) = (self.point.disk.fork(), self.point.bounds);
        disk.kill();
        disk.set_op_limit(Some(CYCLE_OPS));
        Counts::add(&self.images.counts.cycles);
        self.watch.beat();
        let none = Excuses::default();
        let db = match open_for(&self.images.plan.setup, &disk, READ_ONLY, true) {
            Err(Error::DatabaseMissing { .. }) if !bounds.created => return Ok(()),
            opened => none.take("read-only open", opened)?,
        };
        let found = Shown::of(&db, &self.point.model, &none)?;
        bounds.judge(&found, &self.point.model)?;
        everything(&db, &self.point.model, &found, &none)?;
        drop(db);
        // Neither can it mend a failed sync, nor end a creation.
        if bounds.tainted || !bounds.created {
            return Ok(());
        }
        disk.power_cut_with(&CrashChoice::default());
        self.reopen(&disk, &self.point.model, &found).map(drop)
    }

    /// What was shown survives a power cut; for some images also: pruning goes on where it was, a
    /// commit is accepted and kept, and the database closes and opens clean.
    fn kept(&self, disk: &SimVfs, found: &Shown, hash: u128) -> Check {
        let nothing = CrashChoice::default();
        let none = Excuses::default();
        disk.power_cut_with(&nothing);
        let db = self.reopen(disk, &self.point.model, found)?;
        checked(&db, &none)?;
        if !hash.is_multiple_of(4) {
            return Ok(());
        }
        let mut model = (*self.point.model).clone();
        model.truncate(found.head);
        model.opened(self.images.plan.setup.changelog);
        let mut found = found.clone();
        if model.mvcc() && hash.is_multiple_of(8) {
            Self::prune_on(&db, &model, &mut found)?;
        }
        let mut draft = Draft::default();
        let value = Value { seed: 77, len: 33 };
        draft.apply(&model, &Delta::Put(Key::from("kept"), value));
        let now = hexxladb::vfs::Vfs::clock(disk).wall_nanos();
        let put = db.update(|tx| tx.put(b"kept", value.bytes()));
        none.take("update after a recovery", put)?;
        if self.images.plan.setup.buffered {
            none.take("sync after a recovery", db.sync())?;
        }
        drop(db);
        found.head = model.push(&draft, now);
        disk.power_cut_with(&nothing);
        let db = self.reopen(disk, &model, &found)?;
        everything(&db, &model, &found, &none)?;
        self.changelog(&db, (&model, model.story()), found.head)?;
        checked(&db, &none)?;
        none.take("close", db.close())?;
        drop(db);
        disk.power_cut_with(&nothing);
        let db = self.reopen(disk, &model, &found)?;
        if !db.recovery_report().clean {
            return fail(Kind::Wrong, "report after a clean close", "not clean");
        }
        everything(&db, &model, &found, &none)?;
        self.changelog(&db, (&model, model.story()), found.head).map(drop)
    }

    /// Prunes as far as tags allow, a row at a time first.
    fn prune_on(db: &Db, model: &Model, found: &mut Shown) -> Check {
        let none = Excuses::default();
        let holds = found.upkeep.tags.values().copied().filter(|seq| *seq > 0);
        let floor = holds.chain([found.head]).min().unwrap_or(0).max(found.upkeep.floor);
        let left = model.prunable_rows(floor) - found.upkeep.removed;
        found.upkeep.floor = floor;
        for (max_rows, rows) in [(1, left.min(1)), (u64::MAX, left.saturating_sub(1)), (1, 0)] {
            let pruned = db.prune_cell_versions(found.head, max_rows);
            same("rows pruned after a recovery", &none.take("prune", pruned)?, &rows)?;
            found.upkeep.removed += rows;
        }
        if floor == found.head {
            nothing_left_over(db, model, found, &none)?;
        }
        everything(db, model, found, &none)
    }

    fn reopen(&self, disk: &SimVfs, model: &Model, found: &Shown) -> Check<Db> {
        Counts::add(&self.images.counts.cycles);
        self.watch.beat();
        let none = Excuses::default();
        let db =
            none.take("open", open_for(&self.images.plan.setup, disk, Open::default(), true))?;
        let again = Shown::of(&db, model, &none)?;
        if again != *found {
            let what =
                format!("{} was there, and after a power cut {}", brief(found), brief(&again));
            return fail(Kind::Lost, "reopening", what);
        }
        Ok(db)
    }

    /// Crash states at every file operation of a recovery that found this.
    fn within_recovery(
        &self,
        captured: Vec<(u64, SimVfs)>,
        bounds: Bounds,
        (found, cut): (&Shown, bool),
    ) -> Result<(), Broken> {
        let Some(start) = captured.first().map(|(index, _)| *index) else { return Ok(()) };
        let mut cut_bounds = bounds;
        cut_bounds.cut();
        let mut story = self.point.model.story().clone();
        let heads = bounds.durable.head..=self.point.model.head();
        story.attempt(heads, self.images.plan.setup.changelog);
        for (index, disk) in captured {
            let seen =
                flatten(caught(|| self.with_seen(&disk, &story, cut_bounds))).map_err(|broken| {
                    let survivors = Survivors::These(CrashChoice::default());
                    let crash = Crash { kind: CrashKind::Cut, at: Some(index - start), survivors };
                    Broken { again: Some((Open::default(), crash)), ..broken }
                });
            let cut_bounds = seen?;
            for choice in spread_states(&disk.pending(), RECOVERY_STATES) {
                if self.halt.now() {
                    return Ok(());
                }
                Counts::add(&self.images.counts.nested_states);
                let again = disk.fork();
                again.power_cut_with(&choice);
                let hash = again.image_hash();
                if self.images.seen_nested.covers(
                    hash,
                    self.point,
                    cut_bounds,
                    cut.then_some(found),
                ) {
                    continue;
                }
                Counts::add(&self.images.counts.nested_images);
                again.set_op_limit(Some(CYCLE_OPS));
                let outcome =
                    caught(|| self.recover(&again, cut_bounds, cut.then_some(found), None));
                let recovered = flatten(outcome).map_err(|broken| {
                    let survivors = Survivors::These(choice.clone());
                    let at = Some(index - start);
                    let crash = Crash { kind: CrashKind::Cut, at, survivors };
                    Broken { again: Some((Open::default(), crash)), ..broken }
                })?;
                self.images.seen_nested.enter(hash, self.point, &recovered);
            }
        }
        Ok(())
    }
}

/// None, all, each unit alone kept or dropped, tears of the last write; of more than `most` some,
/// evenly spread.
fn spread_states(pending: &Pending, most: usize) -> Vec<CrashChoice> {
    let all: Vec<_> = pending.few_states().collect();
    if all.len() <= most {
        return all;
    }
    // None and all come first.
    let step = all.len().div_ceil(most);
    all.iter().take(2).chain(all.iter().skip(2).step_by(step)).cloned().collect()
}

fn sorted(mut choice: CrashChoice) -> Vec<Kept> {
    choice.0.sort_unstable();
    choice.0
}

/// Each of the last pending sectors as garbage, beside all of the rest and beside none of it.
fn soiled(pending: &Pending) -> impl Iterator<Item = CrashChoice> {
    let all = pending.all();
    let mut sectors: Vec<Kept> =
        all.0.iter().filter(|kept| matches!(kept, Kept::Sector { .. })).copied().collect();
    sectors.drain(..sectors.len().saturating_sub(SOILED_SECTORS));
    sectors.into_iter().flat_map(move |sector| {
        let garbage = |kept: &Kept| match *kept {
            Kept::Sector { file, sector, .. } => {
                Kept::Sector { file, sector, survival: Survival::Garbage(9) }
            }
            other => other,
        };
        let rest = all.0.iter().map(|kept| if *kept == sector { garbage(kept) } else { *kept });
        let rest = CrashChoice(rest.collect());
        let lengths = all.0.iter().filter(|kept| !matches!(kept, Kept::Sector { .. })).copied();
        let alone = CrashChoice(lengths.chain([garbage(&sector)]).collect());
        [rest, alone]
    })
}

/// How a reader opens.
const READ_ONLY: Open = Open {
    read_only: true,
    buffered: None,
    cache_bytes: None,
    checkpoint_bytes: None,
    keep_commits: None,
    keep_nanos: None,
    changelog: None,
};

/// A failure, and the further crash that it took, with the open before it.
struct Broken {
    failure: Failure,
    again: Option<(Open, Crash)>,
}

fn flatten<T>(outcome: Result<Check<T>, String>) -> Result<T, Broken> {
    let failure = match outcome {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(Stop::Failed(failure))) => *failure,
        Ok(Err(Stop::Excused)) => {
            Failure::new(Kind::Error, "an excuse without a fault", "the simulator is wrong")
        }
        Err(message) => crate::runner::panic_failure(&message),
    };
    Err(Broken { failure, again: None })
}
