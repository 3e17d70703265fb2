//! Reads of the past: 1,000 records with 100 versions each, as of a random one, in the newest, and
//! the whole history of one record.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hexxladb_benches::data::{Key, Random, value};

mod common;

const RECORDS: u64 = 1_000;
const VERSIONS: u64 = 100;

fn history(c: &mut Criterion) {
    for bench in common::both() {
        let db = &bench.db;
        for version in 1..=VERSIONS {
            common::put(db, (0..RECORDS).map(|n| (Key::of(n), value(n, version))));
        }
        let mut random = Random::new(1);
        let mut group = c.benchmark_group(format!("history/{}", bench.name));
        let snapshots: Vec<_> = (1..=VERSIONS).map(|seq| db.snapshot_at(seq).unwrap()).collect();
        group.bench_function("as of", |b| {
            b.iter(|| {
                let snapshot = &snapshots[random.below(VERSIONS) as usize];
                snapshot.get(Key::of(random.below(RECORDS))).unwrap()
            });
        });
        let newest = db.snapshot().unwrap();
        group.bench_function("newest", |b| {
            b.iter(|| newest.get(Key::of(random.below(RECORDS))).unwrap());
        });
        group.throughput(Throughput::Elements(VERSIONS));
        group.bench_function("all versions", |b| {
            b.iter(|| {
                let key = Key::of(random.below(RECORDS));
                let versions = db.history(key.as_ref()).unwrap();
                versions.map(|version| version.unwrap().seq).sum::<u64>()
            });
        });
        group.finish();
    }
}

criterion_group!(benches, history);
criterion_main!(benches);
