//! Loading 20,000 records into a new database in one transaction, in key order and in random
//! order, opening and closing included.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hexxladb_benches::data::{record, sorted_numbers};

mod common;

const RECORDS: u64 = 20_000;

fn load(c: &mut Criterion) {
    let sorted = sorted_numbers(RECORDS);
    let random: Vec<u64> = (0..RECORDS).collect();
    let mut group = c.benchmark_group("load");
    group.throughput(Throughput::Elements(RECORDS)).sample_size(20);
    for (medium, open) in [("memory", common::in_memory as fn() -> _), ("file", common::in_file)] {
        for (order, numbers) in [("sorted", &sorted), ("random", &random)] {
            group.bench_function(format!("{medium}/{order}"), |b| {
                let routine = |bench: common::Bench| {
                    common::put(&bench.db, numbers.iter().copied().map(record));
                    bench.db.close().unwrap();
                    bench
                };
                b.iter_batched(open, routine, BatchSize::PerIteration);
            });
        }
    }
    group.finish();
}

criterion_group!(benches, load);
criterion_main!(benches);
