//! Where the n-th path of a history lives: a spiral over the lattice, out from the origin.
//!
//! A pure function of the index, for ever: databases depend on it. Index 0 is the origin; ring k
//! (k ≥ 1) holds the 6·k indices from 3·k·(k − 1) + 1 on, starts at the corner (−k, k) and runs
//! along its six sides, each k steps long.

use hexxladb::Coord;

/// The steps along the sides of a ring, in order, from the corner (−k, k).
const SIDES: [(i64, i64); 6] = [(1, 0), (1, -1), (0, -1), (-1, 0), (-1, 1), (0, 1)];

/// The coordinate of an index.
///
/// # Errors
/// `CoordOutOfRange` from the first ring outside the lattice on, some 2·10¹¹ indices away.
pub(crate) fn coord_at(index: u64) -> hexxladb::Result<Coord> {
    if index == 0 {
        return Coord::new(0, 0);
    }
    let ring = ring_of(index);
    let place = index - first_of(ring);
    let (ring, side, steps) = (to_i64(ring), place / ring, to_i64(place % ring));
    let (mut q, mut r) = (-ring, ring);
    for (at, (dq, dr)) in SIDES.into_iter().enumerate() {
        let along = match (at as u64).cmp(&side) {
            std::cmp::Ordering::Less => ring,
            std::cmp::Ordering::Equal => steps,
            std::cmp::Ordering::Greater => 0,
        };
        q += dq * along;
        r += dr * along;
    }
    let clamp = |v: i64| i32::try_from(v).unwrap_or(i32::MAX);
    Coord::new(clamp(q), clamp(r))
}

/// The first index of ring `ring`.
fn first_of(ring: u64) -> u64 {
    3 * ring * (ring - 1) + 1
}

/// The ring that holds `index`, which is 1 or more: the largest k with `first_of(k) <= index`.
fn ring_of(index: u64) -> u64 {
    // 3k² − 3k + 1 ≤ n ⇔ k ≤ 1/2 + √((n − 1)/3 + 1/4); the root is whole-numbered to within one.
    let mut ring = ((index - 1) / 3).isqrt().max(1);
    while first_of(ring + 1) <= index {
        ring += 1;
    }
    ring
}

/// Rings and their steps stay far below the bounds of either type.
fn to_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(index: u64) -> (i32, i32) {
        let coord = coord_at(index).unwrap();
        (coord.q(), coord.r())
    }

    #[test]
    fn starts_where_databases_expect_it() {
        let start: Vec<_> = (0..8).map(at).collect();
        assert_eq!(start, [(0, 0), (-1, 1), (0, 1), (1, 0), (1, -1), (0, -1), (-1, 0), (-2, 2)]);
    }

    #[test]
    fn fills_ring_after_ring_without_a_gap_or_a_repeat() {
        let mut seen = std::collections::BTreeSet::new();
        let mut last_radius = 0;
        for index in 0..=3 * 40 * 41 {
            let (q, r) = at(index);
            assert!(seen.insert((q, r)), "{index} repeats ({q},{r})");
            let radius = q.abs().max(r.abs()).max((q + r).abs());
            assert!(radius == last_radius || radius == last_radius + 1, "{index}");
            last_radius = radius;
        }
        // 40 whole rings hold exactly as many places as were asked for.
        assert_eq!(last_radius, 40);
        assert!(seen.iter().all(|(q, r)| q.abs().max(r.abs()).max((q + r).abs()) <= 40));
    }

    #[test]
    fn neighbours_in_order_are_neighbours_on_the_ring() {
        for index in 2..5_000 {
            let ((q1, r1), (q2, r2)) = (at(index - 1), at(index));
            let (dq, dr) = (q2 - q1, r2 - r1);
            let distance = dq.abs().max(dr.abs()).max((dq + dr).abs());
            let new_ring = first_of(ring_of(index)) == index;
            assert!(distance == 1 || new_ring, "{index}: {distance}");
        }
    }

    #[test]
    fn ends_at_the_edge_of_the_lattice() {
        let edge = u64::from(hexxladb::lattice::MAX_COMPONENT.unsigned_abs());
        let last = first_of(edge + 1) - 1;
        assert!(coord_at(last).is_ok());
        assert!(coord_at(last + 1).is_err());
        assert!(coord_at(u64::from(u32::MAX) * 1000).is_err());
    }
}
