//! Filling a database: in durable batches of random keys, in key order, and with a small cache,
//! and what the files and the process weigh then.

use std::path::Path;

use super::{Figures, Plan, check_contents, figures, time};
use crate::Result;
use crate::data::{RECORD_BYTES, record, sorted_numbers};
use crate::engines::Engine;
use crate::store::{Compacted, Config, Session};
use crate::usage;

/// Puts of a batch.
const BATCH_RECORDS: u64 = 1_000;

/// Durable batches of random keys; then the files' size, closed, and once more after compaction.
pub(super) fn batches(engine: Engine, dir: &Path, plan: &Plan) -> Result<Figures> {
    let store = engine.open(dir, Config::roomy())?;
    let seconds = time(|| load_in_batches(store.session()?.as_mut(), plan.records))?;
    check_contents(store.as_ref(), 0..plan.records)?;
    store.close()?;

    let data_bytes = (plan.records * RECORD_BYTES) as f64;
    let size = usage::disk_bytes(dir)? as f64 / data_bytes;
    let mut figures = figures([("puts_per_s", plan.records as f64 / seconds), ("size", size)]);
    if let Some(bytes) = compacted_bytes(engine, dir, plan)? {
        figures.insert("compacted_size".to_owned(), bytes as f64 / data_bytes);
    }
    Ok(figures)
}

/// The size after the engine's own compaction, if it has one.
fn compacted_bytes(engine: Engine, dir: &Path, plan: &Plan) -> Result<Option<u64>> {
    let mut store = engine.open(dir, Config::roomy())?;
    let compacted = store.compact()?;
    check_contents(store.as_ref(), 0..plan.records)?;
    store.close()?;
    Ok(match compacted {
        Compacted::InPlace => Some(usage::disk_bytes(dir)?),
        Compacted::Copy(path) => Some(usage::disk_bytes(&path)?),
        Compacted::Unsupported => None,
    })
}

/// The same load with a small cache: the peak of the process's memory.
pub(super) fn memory(engine: Engine, dir: &Path, plan: &Plan) -> Result<Figures> {
    let (store, own) = usage::with_peak_memory(|| {
        let store = engine.open(dir, Config::frugal())?;
        load_in_batches(store.session()?.as_mut(), plan.records)?;
        Ok(store)
    })?;
    let resident = usage::peak_resident_bytes();
    check_contents(store.as_ref(), 0..plan.records)?;
    store.close()?;

    let known = [("own_bytes", own), ("resident_bytes", resident)];
    let known =
        known.into_iter().filter_map(|(name, bytes)| Some((name.to_owned(), bytes? as f64)));
    Ok(known.collect())
}

/// Records in key order by the engine's own best way.
pub(super) fn sorted(engine: Engine, dir: &Path, plan: &Plan) -> Result<Figures> {
    let numbers = sorted_numbers(plan.records);
    let store = engine.open(dir, Config::roomy())?;
    let seconds = time(|| store.load_sorted(&mut numbers.iter().copied().map(record)))?;
    check_contents(store.as_ref(), 0..plan.records)?;
    store.close()?;
    Ok(figures([("puts_per_s", plan.records as f64 / seconds)]))
}

fn load_in_batches(session: &mut dyn Session, records: u64) -> Result<()> {
    for from in (0..records).step_by(BATCH_RECORDS as usize) {
        session.commit(&mut (from..records.min(from + BATCH_RECORDS)).map(record))?;
    }
    Ok(())
}
