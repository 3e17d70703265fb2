//! Point reads, found and not found, and scans both ways, over 100,000 records.

use std::ops::Deref;

use criterion::{Bencher, Criterion, Throughput, criterion_group, criterion_main};
use hexxladb::{Bytes, ReadTx, Result};
use hexxladb_benches::data::{Key, Random, Tally};

mod common;

const RECORDS: u64 = 100_000;
const SCAN_RECORDS: usize = 100;

fn read(c: &mut Criterion) {
    for bench in common::both() {
        common::fill(&bench.db, RECORDS);
        let snapshot = bench.db.snapshot().unwrap();
        let mut group = c.benchmark_group(format!("read/{}", bench.name));
        group.bench_function("hit", |b| point(b, &snapshot, 0..RECORDS));
        group.bench_function("miss", |b| point(b, &snapshot, RECORDS..2 * RECORDS));
        group.bench_function("view of one", |b| {
            let mut random = Random::new(1);
            b.iter(|| {
                let key = Key::of(random.below(RECORDS));
                bench.db.view(|tx| tx.get(key)).unwrap()
            });
        });
        group.throughput(Throughput::Elements(SCAN_RECORDS as u64));
        group.bench_function("scan 100", |b| scan(b, &snapshot, false));
        group.bench_function("scan 100 backwards", |b| scan(b, &snapshot, true));
        group.finish();
    }
}

fn point(b: &mut Bencher<'_>, tx: &ReadTx, numbers: std::ops::Range<u64>) {
    let mut random = Random::new(1);
    let count = numbers.end - numbers.start;
    b.iter(|| tx.get(Key::of(numbers.start + random.below(count))).unwrap());
}

fn scan(b: &mut Bencher<'_>, tx: &ReadTx, backwards: bool) {
    let mut random = Random::new(1);
    b.iter(|| {
        let at = Key::of(random.below(RECORDS));
        if backwards {
            sum(tx.scan(..at).rev().take(SCAN_RECORDS))
        } else {
            sum(tx.scan(at..).take(SCAN_RECORDS))
        }
    });
}

fn sum<K: Deref<Target = [u8]>>(records: impl Iterator<Item = Result<(K, Bytes)>>) -> Tally {
    let mut found = Tally::default();
    for record in records {
        let (key, value) = record.unwrap();
        found.see(&key, &value);
    }
    found
}

criterion_group!(benches, read);
criterion_main!(benches);
