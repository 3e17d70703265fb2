//! Random point reads by one thread and by two, scans of 100 records and of everything.
//!
//! The database was filled in random order, closed and opened again, and has been read through
//! once, so that every engine reads what it keeps on disk from memory.

use std::path::Path;
use std::time::Instant;

use super::{Figures, Plan, READS_PER_TRANSACTION, check_contents, figures, join, preload, time};
use crate::Result;
use crate::data::{Key, Random, Tally, sorted_numbers};
use crate::engines::Engine;
use crate::store::{Config, Session, Store};

/// Records of a short scan.
const SCAN_RECORDS: usize = 100;
/// Short scans that share a read transaction.
const SCANS_PER_TRANSACTION: u64 = 10;
/// How often everything is scanned.
const WHOLE_SCANS: u64 = 3;

pub(super) fn run(engine: Engine, dir: &Path, plan: &Plan) -> Result<Figures> {
    let mut store = engine.open(dir, Config::roomy())?;
    preload(store.session()?.as_mut(), plan.records)?;
    if engine != Engine::OrderedMap {
        store.close()?;
        store = engine.open(dir, Config::roomy())?;
    }
    check_contents(store.as_ref(), 0..plan.records)?;
    let records = Expected::new(plan.records);
    let mut session = store.session()?;
    point_reads(session.as_mut(), &records, plan.reads / 4, plan.seed ^ 0xaaaa)?;

    let one = point_reads(session.as_mut(), &records, plan.reads, plan.seed)?;
    let two = two_threads(store.as_ref(), &records, plan)?;
    let short = short_scans(session.as_mut(), &records, plan.reads / 20, plan.seed)?;
    let whole = time(|| {
        for _ in 0..WHOLE_SCANS {
            let mut found = Tally::default();
            session.scan(&mut std::iter::once(Key::zero()), usize::MAX, &mut found)?;
            found.check(records.all(), "a scan of everything")?;
        }
        Ok(())
    })?;
    drop(session);
    store.close()?;
    Ok(figures([
        ("reads_per_s", one),
        ("reads_2_threads_per_s", two),
        ("scan_100_keys_per_s", short),
        ("scan_all_keys_per_s", (plan.records * WHOLE_SCANS) as f64 / whole),
    ]))
}

/// What reads must find, worked out beforehand so that no timed stretch pays for it.
pub(super) struct Expected {
    /// Record numbers in key order.
    sorted: Vec<u64>,
    /// `up_to[i]` is the tally of the first `i` records in key order.
    up_to: Vec<Tally>,
    /// The tally of each record, by number.
    single: Vec<Tally>,
}

impl Expected {
    pub(super) fn new(records: u64) -> Self {
        let single: Vec<Tally> = (0..records)
            .map(|number| {
                let mut tally = Tally::default();
                tally.expect(number, 0);
                tally
            })
            .collect();
        let sorted = sorted_numbers(records);
        let mut up_to = vec![Tally::default()];
        let mut sum = Tally::default();
        for &number in &sorted {
            sum.add(single[number as usize]);
            up_to.push(sum);
        }
        Self { sorted, up_to, single }
    }

    pub(super) fn all(&self) -> Tally {
        self.up_to[self.sorted.len()]
    }

    /// The tally of `count` lookups of the records that `seed` picks.
    pub(super) fn picked(&self, count: u64, seed: u64) -> Tally {
        let mut random = Random::new(seed);
        let mut due = Tally::default();
        for _ in 0..count {
            due.add(self.single[random.below(self.single.len() as u64) as usize]);
        }
        due
    }

    fn scan(&self, at: usize) -> Tally {
        let end = self.sorted.len().min(at + SCAN_RECORDS);
        self.up_to[end].minus(self.up_to[at])
    }
}

/// `count` lookups of random records; lookups a second.
fn point_reads(
    session: &mut dyn Session,
    records: &Expected,
    count: u64,
    seed: u64,
) -> Result<f64> {
    let mut random = Random::new(seed);
    let mut found = Tally::default();
    let start = Instant::now();
    let mut done = 0;
    while done < count {
        let group = READS_PER_TRANSACTION.min(count - done);
        read_group(session, &mut random, records.single.len() as u64, group, &mut found)?;
        done += group;
    }
    let seconds = start.elapsed().as_secs_f64();
    found.check(records.picked(count, seed), "point reads")?;
    Ok(count as f64 / seconds)
}

/// One read transaction of `count` lookups of random records.
pub(super) fn read_group(
    session: &mut dyn Session,
    random: &mut Random,
    records: u64,
    count: u64,
    found: &mut Tally,
) -> Result<()> {
    session.read(&mut (0..count).map(|_| Key::of(random.below(records))), found)
}

/// The plan's lookups by each of two threads at once; lookups a second of both.
fn two_threads(store: &dyn Store, records: &Expected, plan: &Plan) -> Result<f64> {
    std::thread::scope(|scope| {
        let threads = [1, 2].map(|thread| {
            scope.spawn(move || -> Result<f64> {
                let mut session = store.session()?;
                point_reads(session.as_mut(), records, plan.reads, plan.seed ^ thread)
            })
        });
        threads.into_iter().map(join).sum()
    })
}

/// `count` scans of 100 records from random ones on; records a second.
fn short_scans(
    session: &mut dyn Session,
    records: &Expected,
    count: u64,
    seed: u64,
) -> Result<f64> {
    let mut random = Random::new(seed);
    let mut due = Tally::default();
    let starts: Vec<usize> =
        (0..count).map(|_| random.below(records.sorted.len() as u64) as usize).collect();
    for &at in &starts {
        due.add(records.scan(at));
    }
    let mut found = Tally::default();
    let seconds = time(|| {
        for group in starts.chunks(SCANS_PER_TRANSACTION as usize) {
            let mut keys = group.iter().map(|&at| Key::of(records.sorted[at]));
            session.scan(&mut keys, SCAN_RECORDS, &mut found)?;
        }
        Ok(())
    })?;
    found.check(due, "short scans")?;
    Ok(found.count as f64 / seconds)
}
