//! Commits of 1, 10 and 1,000 puts under random keys, into a database that holds 100,000 records.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hexxladb_benches::data::record;

mod common;

const RECORDS: u64 = 100_000;

fn commit(c: &mut Criterion) {
    for bench in common::both() {
        common::fill(&bench.db, RECORDS);
        let mut next = RECORDS;
        let mut group = c.benchmark_group(format!("commit/{}", bench.name));
        // The database grows meanwhile, so not for long.
        group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
        for puts in [1, 10, 1_000] {
            group.throughput(Throughput::Elements(puts));
            group.bench_function(BenchmarkId::from_parameter(puts), |b| {
                b.iter(|| {
                    common::put(&bench.db, (next..next + puts).map(record));
                    next += puts;
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, commit);
criterion_main!(benches);
