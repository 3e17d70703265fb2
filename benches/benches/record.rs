//! Encoding and decoding of cells, as the public interface pays for them: puts into a
//! transaction that is rolled back, and a read, of a small cell and of one with everything set.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hexxladb::{Cell, Coord, Timestamp, Validity};

mod common;

/// Puts of a transaction: few enough that nothing of it reaches the log before it is rolled back.
const PUTS: u64 = 100;

fn record(c: &mut Criterion) {
    let bench = common::in_memory();
    let coord = Coord::new(3, 1).unwrap();
    for (name, cell) in [("small", Cell::new("a fact")), ("full", full_cell())] {
        bench.db.update(|tx| tx.put_cell(coord, &cell)).unwrap();
        let mut group = c.benchmark_group(format!("record/{name}"));
        group.throughput(Throughput::Elements(PUTS));
        group.bench_function("100 puts", |b| {
            b.iter(|| {
                let mut tx = bench.db.begin_write().unwrap();
                for _ in 0..PUTS {
                    tx.put_cell(coord, &cell).unwrap();
                }
                tx.rollback().unwrap();
            });
        });
        group.throughput(Throughput::Elements(1));
        let snapshot = bench.db.snapshot().unwrap();
        assert_eq!(snapshot.get_cell(coord).unwrap().as_ref(), Some(&cell));
        group.bench_function("get", |b| b.iter(|| snapshot.get_cell(coord).unwrap()));
        group.finish();
    }
}

fn full_cell() -> Cell {
    let validity = Validity {
        valid_from: Some(Timestamp::from_nanos(1)),
        valid_to: Some(Timestamp::from_nanos(1 << 60)),
    };
    let mut cell = Cell::new("a fact of some length, ".repeat(40))
        .with_tags(["botany", "field-notes", "unconfirmed"])
        .with_source("survey/2024")
        .with_confidence(0.75)
        .with_validity(validity);
    cell.cluster_hint = Some("valley".to_owned());
    cell
}

criterion_group!(benches, record);
criterion_main!(benches);
