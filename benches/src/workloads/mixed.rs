//! One reader alone, and beside a writer that commits batches of 10 new records.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::reads::{Expected, read_group};
use super::{Figures, Plan, READS_PER_TRANSACTION, check_contents, figures, join, preload};
use crate::Result;
use crate::data::{Random, Tally, record};
use crate::engines::Engine;
use crate::store::{Config, Session, Store};
use crate::usage::RaiseOnDrop;

/// Puts of each of the writer's commits.
const BATCH_RECORDS: u64 = 10;

pub(super) fn run(engine: Engine, dir: &Path, plan: &Plan) -> Result<Figures> {
    let store = engine.open(dir, Config::roomy())?;
    preload(store.session()?.as_mut(), plan.records)?;
    store.close()?;
    let store = engine.open(dir, Config::roomy())?;
    check_contents(store.as_ref(), 0..plan.records)?;
    let records = Expected::new(plan.records);

    let reader = Reader { plan, records: &records };
    let alone = reader.run(store.session()?.as_mut(), plan.stretch)?;
    let stop = AtomicBool::new(false);
    let (beside, (commits, commits_per_s)) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_until(store.as_ref(), plan.records, &stop));
        let beside = {
            let _stop = RaiseOnDrop(&stop);
            reader.run(store.session()?.as_mut(), plan.stretch)?
        };
        Ok::<_, crate::Error>((beside, join(writer)?))
    })?;
    check_contents(store.as_ref(), 0..plan.records + commits * BATCH_RECORDS)?;
    store.close()?;
    Ok(figures([
        ("reads_alone_per_s", alone),
        ("reads_beside_per_s", beside),
        ("reads_kept", beside / alone),
        ("commits_beside_per_s", commits_per_s),
    ]))
}

struct Reader<'a> {
    plan: &'a Plan,
    records: &'a Expected,
}

impl Reader<'_> {
    /// Random lookups of the records that were there from the start; lookups a second.
    fn run(&self, session: &mut dyn Session, stretch: Duration) -> Result<f64> {
        let mut random = Random::new(self.plan.seed);
        let mut found = Tally::default();
        let mut count = 0;
        let start = Instant::now();
        while start.elapsed() < stretch {
            let group = READS_PER_TRANSACTION;
            read_group(session, &mut random, self.plan.records, group, &mut found)?;
            count += group;
        }
        let seconds = start.elapsed().as_secs_f64();
        found.check(self.records.picked(count, self.plan.seed), "reads beside a writer")?;
        Ok(count as f64 / seconds)
    }
}

/// Commits new records until told to stop; how many commits, and how many a second.
fn write_until(store: &dyn Store, base: u64, stop: &AtomicBool) -> Result<(u64, f64)> {
    let mut session = store.session()?;
    let mut commits = 0;
    let start = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let from = base + commits * BATCH_RECORDS;
        session.commit(&mut (from..from + BATCH_RECORDS).map(record))?;
        commits += 1;
    }
    Ok((commits, commits as f64 / start.elapsed().as_secs_f64()))
}
