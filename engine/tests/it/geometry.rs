//! Distances, neighbours, rings and spirals, against counting steps on the lattice.

use std::collections::{BTreeSet, VecDeque};

use hexxladb::lattice::MAX_COMPONENT;
use hexxladb::{Coord, PackedCoord};
use proptest::prelude::*;

const MAX: i32 = MAX_COMPONENT;
const STEPS: [(i32, i32); 6] = [(1, 0), (1, -1), (0, -1), (-1, 0), (-1, 1), (0, 1)];

fn packed(coords: impl Iterator<Item = Coord>) -> Vec<PackedCoord> {
    coords.map(PackedCoord::from).collect()
}

/// Coordinates anywhere, and many within a few steps of the border.
fn any_coord() -> impl Strategy<Value = Coord> {
    let near_border =
        (0..6usize, 0..MAX, 0..4i32).prop_filter_map("outside", |(side, along, in_by)| {
            let corner = |side: usize| STEPS[side % 6];
            let (from, to) = (corner(side), corner(side + 1));
            let (a, b) = (MAX - along - in_by, along);
            Coord::new(from.0 * a + to.0 * b, from.1 * a + to.1 * b).ok()
        });
    let anywhere =
        (-MAX..=MAX, -MAX..=MAX).prop_filter_map("outside", |(q, r)| Coord::new(q, r).ok());
    prop_oneof![anywhere, near_border]
}

/// All coordinates up to `radius` steps away with their distances, by walking.
fn walked(center: Coord, radius: u32) -> Vec<(PackedCoord, u32)> {
    let mut seen = BTreeSet::from([PackedCoord::from(center)]);
    let mut found = Vec::new();
    let mut queue = VecDeque::from([(center, 0)]);
    while let Some((coord, steps)) = queue.pop_front() {
        found.push((PackedCoord::from(coord), steps));
        if steps == radius {
            continue;
        }
        for (q, r) in STEPS {
            if let Ok(next) = Coord::new(coord.q() + q, coord.r() + r)
                && seen.insert(PackedCoord::from(next))
            {
                queue.push_back((next, steps + 1));
            }
        }
    }
    found.sort_unstable();
    found
}

// spec: LAT-01
proptest! {
    #[test]
    fn rings_are_what_walking_finds(center in any_coord(), radius in 0u32..7) {
        let by_walking = walked(center, radius);
        let at = |distance: u32| {
            let there = by_walking.iter().filter(move |(_, steps)| *steps == distance);
            there.map(|(coord, _)| *coord).collect::<Vec<_>>()
        };
        for distance in 0..=radius {
            let mut ring = packed(center.ring(distance));
            ring.sort_unstable();
            prop_assert_eq!(&ring, &at(distance));
        }
        prop_assert!(by_walking.iter().all(|(coord, steps)| coord.unpack().distance(center) == *steps));
        let in_rings = packed((0..=radius).flat_map(|distance| center.ring(distance)));
        prop_assert_eq!(packed(center.spiral(radius)), in_rings);
    }

    #[test]
    fn distance_is_a_metric(a in any_coord(), b in any_coord(), c in any_coord()) {
        prop_assert_eq!(a.distance(b), b.distance(a));
        prop_assert_eq!(a.distance(b) == 0, a == b);
        prop_assert!(a.distance(c) <= a.distance(b) + b.distance(c));
        prop_assert!(a.distance(b) <= 2 * MAX.unsigned_abs());
    }

    #[test]
    fn a_ring_goes_round_step_by_step(center in any_coord(), radius in 1u32..40) {
        let ring: Vec<Coord> = center.ring(radius).collect();
        if ring.len() == 6 * radius as usize {
            let next = ring.iter().cycle().skip(1);
            prop_assert!(ring.iter().zip(next).all(|(a, b)| a.distance(*b) == 1));
            prop_assert_eq!((ring[0].q(), ring[0].r()), (center.q() - radius.cast_signed(), center.r() + radius.cast_signed()));
        }
        let around: Vec<Coord> = center.neighbors().collect();
        prop_assert!(around.iter().all(|coord| coord.distance(center) == 1));
        prop_assert_eq!(around.len(), center.ring(1).count());
    }
}

// spec: LAT-01
#[test]
fn rings_end_at_the_border_of_the_lattice() {
    let corner = Coord::new(MAX, 0).unwrap();
    assert_eq!(corner.neighbors().count(), 3);
    let farthest = packed(corner.ring(2 * MAX.unsigned_abs()));
    assert!(farthest.contains(&PackedCoord::from(Coord::new(-MAX, 0).unwrap())));
    assert_eq!(corner.ring(2 * MAX.unsigned_abs() + 1).count(), 0);
    assert_eq!(corner.ring(u32::MAX).count(), 0);
    assert_eq!(corner.spiral(u32::MAX).take(1000).count(), 1000);
}
