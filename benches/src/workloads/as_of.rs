//! Reads of the past: records with 100 versions each, read as they were at a random one of them,
//! and in their newest.
//!
//! Engines without versions get them as an application makes them by hand: the version's number,
//! inverted, appended to the key, so that one seek finds the newest version at or below another.

use std::path::Path;
use std::time::Instant;

use super::{Figures, Plan, READS_PER_TRANSACTION, figures};
use crate::Result;
use crate::data::{Key, Random, Tally, value};
use crate::engines::Engine;
use crate::store::{Config, Session};

/// Versions of each record.
const VERSIONS: u64 = 100;

pub(super) fn run(engine: Engine, dir: &Path, plan: &Plan) -> Result<Figures> {
    let config = Config::roomy().with_versions();
    let keys = (plan.records / VERSIONS).max(1);
    let store = engine.open(dir, config)?;
    let mut session = store.session()?;
    for version in 1..=VERSIONS {
        session.commit_version(version, &mut (0..keys).map(|n| (Key::of(n), value(n, version))))?;
    }
    drop(session);
    store.close()?;

    let store = engine.open(dir, config)?;
    let mut session = store.session()?;
    let lookups = Lookups { keys, count: plan.reads, seed: plan.seed };
    let warm_up = Lookups { count: plan.reads / 2, seed: plan.seed ^ 0xaaaa, ..lookups };
    warm_up.run(session.as_mut(), Some(VERSIONS))?;
    let as_of = lookups.run(session.as_mut(), Some(VERSIONS))?;
    let newest = lookups.run(session.as_mut(), None)?;
    drop(session);
    store.close()?;
    Ok(figures([("as_of_per_s", as_of), ("newest_per_s", newest), ("slowdown", newest / as_of)]))
}

#[derive(Clone, Copy)]
struct Lookups {
    keys: u64,
    count: u64,
    seed: u64,
}

impl Lookups {
    /// Random lookups, each read transaction at another of the `versions`, or all at the newest;
    /// lookups a second.
    fn run(self, session: &mut dyn Session, versions: Option<u64>) -> Result<f64> {
        let mut random = Random::new(self.seed);
        let mut found = Tally::default();
        let start = Instant::now();
        for group in self.groups() {
            let version = versions.map(|versions| 1 + random.below(versions));
            let mut keys = (0..group).map(|_| Key::of(random.below(self.keys)));
            match version {
                Some(version) => session.read_as_of(version, &mut keys, &mut found)?,
                None => session.read_newest(&mut keys, &mut found)?,
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let what = if versions.is_some() { "as-of reads" } else { "reads of the newest" };
        found.check(self.expected(versions), what)?;
        Ok(self.count as f64 / seconds)
    }

    fn expected(self, versions: Option<u64>) -> Tally {
        let mut random = Random::new(self.seed);
        let mut due = Tally::default();
        for group in self.groups() {
            let version = versions.map_or(VERSIONS, |versions| 1 + random.below(versions));
            (0..group).for_each(|_| due.expect(random.below(self.keys), version));
        }
        due
    }

    fn groups(self) -> impl Iterator<Item = u64> {
        let starts = (0..self.count).step_by(READS_PER_TRANSACTION as usize);
        starts.map(move |start| READS_PER_TRANSACTION.min(self.count - start))
    }
}
