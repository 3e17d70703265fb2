//! Packing of coordinates into keys.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hexxladb::lattice::MAX_COMPONENT;
use hexxladb::{Coord, PackedCoord};
use hexxladb_benches::data::Random;

const COORDS: usize = 1_000;

fn lattice(c: &mut Criterion) {
    let mut random = Random::new(1);
    let mut component = || random.below(MAX_COMPONENT as u64) as i32 - MAX_COMPONENT / 2;
    let coords: Vec<Coord> =
        (0..COORDS).map(|_| Coord::new(component(), component()).unwrap()).collect();
    let mut group = c.benchmark_group("lattice");
    group.throughput(Throughput::Elements(COORDS as u64));
    group.bench_function("pack", |b| {
        b.iter(|| {
            for &coord in &coords {
                black_box(PackedCoord::from(black_box(coord)));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, lattice);
criterion_main!(benches);
