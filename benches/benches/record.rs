//! Encoding and decoding of cells, as the public interface pays for them: a put into a
//! transaction that is rolled back, and a read, of a small cell and of one with everything set.

use criterion::{Criterion, criterion_group, criterion_main};
use hexxladb::{Cell, Coord, Timestamp, Validity};

mod common;

fn record(c: &mut Criterion) {
    let bench = common::in_memory();
    let coord = Coord::new(3, 1).unwrap();
    for (name, cell) in [("small", Cell::new("a fact")), ("full", full_cell())] {
        bench.db.update(|tx| tx.put_cell(coord, &cell)).unwrap();
        let mut group = c.benchmark_group(format!("record/{name}"));
        let mut tx = bench.db.begin_write().unwrap();
        group.bench_function("put", |b| b.iter(|| tx.put_cell(coord, &cell).unwrap()));
        tx.rollback().unwrap();
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
