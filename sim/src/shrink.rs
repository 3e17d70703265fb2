//! Cuts a failing plan down to what matters: operations first, then faults, then what survives a
//! power cut, then values, always keeping the same failure.

use hexxladb::vfs::sim::CrashChoice;

use crate::op::{
    Changelog, Crash, CrashKind, Edit, Op, Open, Plan, Read, Setup, Spot, Survivors, Value,
};
use crate::oracle::Failure;
use crate::runner::Outcome;

/// Tries candidates and keeps those that fail the same way.
struct Shrinker<'a> {
    best: Plan,
    failure: Failure,
    runs_left: u32,
    run: &'a mut dyn FnMut(&Plan) -> Outcome,
}

/// A smaller plan with the same failure, and that failure; `None` when the plan does not fail.
/// At most `max_runs` candidates are `run`.
pub fn shrink(
    plan: &Plan,
    max_runs: u32,
    run: &mut dyn FnMut(&Plan) -> Outcome,
) -> Option<(Plan, Failure)> {
    let mut plan = plan.clone();
    let outcome = run(&plan);
    let (at, failure) = outcome.failure.clone()?;
    plan.ops.truncate(at + 2);
    let mut shrinker = Shrinker { best: plan, failure, runs_left: max_runs, run };
    shrinker.name_survivors(&outcome);
    loop {
        let before = (shrinker.best.clone(), shrinker.runs_left);
        shrinker.drop_operations();
        shrinker.simplify_operations();
        shrinker.drop_survivors();
        shrinker.simplify_values();
        shrinker.simplify_setup();
        if shrinker.best == before.0 || shrinker.runs_left == 0 {
            break;
        }
    }
    Some((shrinker.best, shrinker.failure))
}

impl Shrinker<'_> {
    /// Runs a candidate; keeps it when it fails the same way.
    fn attempt(&mut self, candidate: Plan) -> bool {
        if self.runs_left == 0 || candidate == self.best {
            return false;
        }
        self.runs_left -= 1;
        match (self.run)(&candidate).failure {
            Some((at, failure)) if failure.same(&self.failure) => {
                self.best = candidate;
                self.best.ops.truncate(at + 2);
                self.failure = failure;
                true
            }
            _ => false,
        }
    }

    /// As [`Self::attempt`], with one operation replaced.
    fn attempt_op(&mut self, index: usize, op: Op) -> bool {
        let mut candidate = self.best.clone();
        let Some(place) = candidate.ops.get_mut(index) else { return false };
        *place = op;
        self.attempt(candidate)
    }

    /// Power cuts that drew what survives say it outright from now on, so that the rest can
    /// change around them.
    fn name_survivors(&mut self, outcome: &Outcome) {
        let mut cuts = outcome.cuts.iter();
        let mut candidate = self.best.clone();
        for op in &mut candidate.ops {
            if let Op::Crash(Crash { kind: CrashKind::Cut | CrashKind::Hostile, survivors, .. }) =
                op
                && *survivors == Survivors::Random
                && let Some(choice) = cuts.next()
            {
                *survivors = Survivors::These(choice.clone());
            }
        }
        self.attempt(candidate);
    }

    /// Leaves out runs of operations, long ones first.
    fn drop_operations(&mut self) {
        let mut len = self.best.ops.len().div_ceil(2).max(1);
        loop {
            let mut start = 0;
            while start < self.best.ops.len() {
                let mut candidate = self.best.clone();
                let end = (start + len).min(candidate.ops.len());
                candidate.ops.drain(start..end);
                if !self.attempt(candidate) {
                    start += len;
                }
            }
            if len == 1 {
                return;
            }
            len = len.div_ceil(2);
        }
    }

    fn simplify_operations(&mut self) {
        let mut index = 0;
        while index < self.best.ops.len() {
            while let Some(op) = self.best.ops.get(index) {
                let simpler = simpler_ops(op);
                if !simpler.into_iter().any(|op| self.attempt_op(index, op)) {
                    break;
                }
            }
            index += 1;
        }
    }

    fn drop_survivors(&mut self) {
        for index in 0..self.best.ops.len() {
            let mut place = 0;
            while let Some(Op::Crash(crash)) = self.best.ops.get(index) {
                let Survivors::These(choice) = &crash.survivors else { break };
                if place >= choice.0.len() {
                    break;
                }
                let mut fewer = choice.clone();
                fewer.0.remove(place);
                let crash = Crash { survivors: Survivors::These(fewer), ..crash.clone() };
                if !self.attempt_op(index, Op::Crash(crash)) {
                    place += 1;
                }
            }
        }
    }

    fn simplify_values(&mut self) {
        for index in 0..self.best.ops.len() {
            while let Some(op) = self.best.ops.get(index) {
                let smaller = smaller_values(op);
                if !smaller.into_iter().any(|op| self.attempt_op(index, op)) {
                    break;
                }
            }
        }
    }

    fn simplify_setup(&mut self) {
        let plain = Setup::default();
        let changes: [fn(&mut Setup, &Setup); 11] = [
            |setup, plain| setup.disk_seed = plain.disk_seed,
            |setup, plain| setup.sector_bytes = plain.sector_bytes,
            |setup, plain| setup.segment_bytes = plain.segment_bytes,
            |setup, plain| setup.cache_bytes = plain.cache_bytes,
            |setup, plain| setup.checkpoint_bytes = plain.checkpoint_bytes,
            |setup, plain| setup.max_value_bytes = plain.max_value_bytes,
            |setup, plain| setup.page_bytes = plain.page_bytes,
            |setup, plain| (setup.mvcc, setup.buffered) = (plain.mvcc, plain.buffered),
            |setup, plain| setup.changelog_bytes = plain.changelog_bytes,
            |setup, _| setup.changelog = Changelog::Full,
            |setup, plain| setup.changelog = plain.changelog,
        ];
        for change in changes {
            let mut candidate = self.best.clone();
            change(&mut candidate.setup, &plain);
            self.attempt(candidate);
        }
    }
}

/// The same operation with less in it, the least first.
fn simpler_ops(op: &Op) -> Vec<Op> {
    match op {
        Op::Update(end, edits) => {
            let without = |skip: usize| {
                let kept = edits.iter().enumerate().filter(|(index, _)| *index != skip);
                Op::Update(*end, kept.map(|(_, edit)| edit.clone()).collect())
            };
            let mut ops: Vec<_> = (0..edits.len()).map(without).collect();
            for (index, edit) in edits.iter().enumerate() {
                for fewer in fewer_records(edit) {
                    let mut edits = edits.clone();
                    edits[index] = fewer;
                    ops.push(Op::Update(*end, edits));
                }
            }
            ops
        }
        Op::Do(edit) => fewer_records(edit).into_iter().map(Op::Do).collect(),
        Op::PutCells { from, count, batch, value } if *count > 1 => [1, count / 2, count - 1]
            .map(|count| Op::PutCells { from: *from, count, batch: *batch, value: *value })
            .to_vec(),
        Op::Open(open) if *open != Open::default() => {
            let only = Open { changelog: open.changelog, ..Open::default() };
            let full = open.changelog.map(|_| Changelog::Full);
            [Open::default(), only, Open { changelog: full, ..*open }]
                .into_iter()
                .filter(|simpler| simpler != open)
                .map(Op::Open)
                .collect()
        }
        Op::Read(Read::Changelog(way, spot)) if *spot != Spot::default() => {
            vec![Op::Read(Read::Changelog(*way, Spot::default()))]
        }
        Op::Replicate(Some(_)) => vec![Op::Replicate(None)],
        Op::HoldFollow(slot, spot) if *spot != Spot::default() => {
            vec![Op::HoldFollow(*slot, Spot::default())]
        }
        Op::Crash(crash) => simpler_crashes(crash),
        _ => Vec::new(),
    }
}

fn simpler_crashes(crash: &Crash) -> Vec<Op> {
    let mut crashes = Vec::new();
    if crash.at.is_some() {
        crashes.push(Crash { at: None, ..crash.clone() });
    }
    match crash.kind {
        CrashKind::Hostile => crashes.push(Crash { kind: CrashKind::Cut, ..crash.clone() }),
        CrashKind::Cut if crash.survivors == Survivors::Random => {
            let survivors = Survivors::These(CrashChoice::default());
            crashes.push(Crash { survivors, ..crash.clone() });
        }
        _ => {}
    }
    crashes.into_iter().map(Op::Crash).collect()
}

fn fewer_records(edit: &Edit) -> Vec<Edit> {
    match edit {
        Edit::Fill { stem, from, count, value } if *count > 1 => [1, count / 2, count - 1]
            .map(|count| Edit::Fill { stem: stem.clone(), from: *from, count, value: *value })
            .to_vec(),
        Edit::Clear { stem, from, count } if *count > 1 => [1, count / 2, count - 1]
            .map(|count| Edit::Clear { stem: stem.clone(), from: *from, count })
            .to_vec(),
        _ => Vec::new(),
    }
}

/// The same operation with shorter values, the shortest first.
fn smaller_values(op: &Op) -> Vec<Op> {
    match op {
        Op::Do(edit) => smaller_edits(edit).into_iter().map(Op::Do).collect(),
        Op::Update(end, edits) => {
            let mut ops = Vec::new();
            for (index, edit) in edits.iter().enumerate() {
                for smaller in smaller_edits(edit) {
                    let mut edits = edits.clone();
                    edits[index] = smaller;
                    ops.push(Op::Update(*end, edits));
                }
            }
            ops
        }
        Op::PutCells { from, count, batch, value } => smaller(*value)
            .into_iter()
            .map(|value| Op::PutCells { from: *from, count: *count, batch: *batch, value })
            .collect(),
        _ => Vec::new(),
    }
}

fn smaller_edits(edit: &Edit) -> Vec<Edit> {
    let (value, with): (Value, Box<dyn Fn(Value) -> Edit>) = match edit.clone() {
        Edit::Put(key, value) => (value, Box::new(move |value| Edit::Put(key.clone(), value))),
        Edit::PutCell(pos, value) => (value, Box::new(move |value| Edit::PutCell(pos, value))),
        Edit::PutFacet(pos, id, value) => {
            (value, Box::new(move |value| Edit::PutFacet(pos, id, value)))
        }
        Edit::UpdateFacet(pos, id, value) => {
            (value, Box::new(move |value| Edit::UpdateFacet(pos, id, value)))
        }
        Edit::PutSeam(number, a, b, value) => {
            (value, Box::new(move |value| Edit::PutSeam(number, a, b, value)))
        }
        Edit::Conflict(a, b, value) => (value, Box::new(move |value| Edit::Conflict(a, b, value))),
        Edit::Supersede(a, b, value) => {
            (value, Box::new(move |value| Edit::Supersede(a, b, value)))
        }
        Edit::Fill { stem, from, count, value } => {
            let fill = move |value| Edit::Fill { stem: stem.clone(), from, count, value };
            (value, Box::new(fill))
        }
        Edit::Note(bytes) if bytes > 0 => return vec![Edit::Note(0), Edit::Note(bytes / 2)],
        _ => return Vec::new(),
    };
    smaller(value).into_iter().map(with).collect()
}

fn smaller(value: Value) -> Vec<Value> {
    if value.len == 0 {
        return Vec::new();
    }
    let lens = [0, value.len / 2, value.len - value.len.div_ceil(8), value.len - 1];
    let mut lens: Vec<u32> = lens.into_iter().filter(|len| *len < value.len).collect();
    lens.dedup();
    lens.into_iter().map(|len| Value { len, ..value }).collect()
}
