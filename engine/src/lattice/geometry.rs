//! Distances, and the coordinates around one in a fixed order.
//!
//! Directions go round from east: (1,0), (1,−1), (0,−1), (−1,0), (−1,1), (0,1). A ring begins
//! at its corner in direction (−1,1) and follows the directions, a side each. What lies outside
//! of the lattice is left out.

use std::iter::FusedIterator;

use super::coord::MAX_COMPONENT;
use crate::ids::Coord;

const DIRECTIONS: [(i64, i64); 6] = [(1, 0), (1, -1), (0, -1), (-1, 0), (-1, 1), (0, 1)];

/// The direction of a ring's first corner.
const FIRST_CORNER: usize = 4;

/// No two coordinates are farther apart.
const MAX_DISTANCE: u32 = 2 * MAX_COMPONENT.unsigned_abs();

impl Coord {
    /// Steps from one coordinate to the other.
    ///
    /// ```
    /// use hexxladb::Coord;
    /// assert_eq!(Coord::new(0, 0)?.distance(Coord::new(3, -1)?), 3);
    /// # Ok::<(), hexxladb::Error>(())
    /// ```
    #[must_use]
    pub const fn distance(self, other: Self) -> u32 {
        let q = self.q().abs_diff(other.q());
        let r = self.r().abs_diff(other.r());
        let s = self.s().abs_diff(other.s());
        // The two smaller ones add up to the largest.
        (q + r + s) / 2
    }

    /// The coordinates one step away, from east against the clock: six, fewer at the lattice's
    /// border.
    ///
    /// ```
    /// use hexxladb::Coord;
    /// let around: Vec<String> = Coord::new(0, 0)?.neighbors().map(|c| c.to_string()).collect();
    /// assert_eq!(around, ["(1,0)", "(1,-1)", "(0,-1)", "(-1,0)", "(-1,1)", "(0,1)"]);
    /// # Ok::<(), hexxladb::Error>(())
    /// ```
    pub fn neighbors(self) -> impl Iterator<Item = Self> {
        DIRECTIONS.into_iter().filter_map(move |direction| self.moved(direction, 1))
    }

    /// The coordinates exactly `radius` steps away: 6 × `radius` of them, one for 0, fewer at the
    /// lattice's border. They begin south-west and go round against the clock.
    ///
    /// ```
    /// use hexxladb::Coord;
    /// let center = Coord::new(2, 5)?;
    /// assert_eq!(center.ring(3).count(), 18);
    /// assert!(center.ring(3).all(|coord| coord.distance(center) == 3));
    /// # Ok::<(), hexxladb::Error>(())
    /// ```
    #[must_use]
    pub const fn ring(self, radius: u32) -> Ring {
        let end = match radius {
            0 => 1,
            1..=MAX_DISTANCE => 6 * radius,
            _ => 0,
        };
        Ring { center: self, radius, next: 0, end }
    }

    /// The coordinates up to `radius` steps away, ring by ring from this one outwards.
    ///
    /// ```
    /// use hexxladb::Coord;
    /// assert_eq!(Coord::new(0, 0)?.spiral(2).count(), 1 + 6 + 12);
    /// # Ok::<(), hexxladb::Error>(())
    /// ```
    #[must_use]
    pub const fn spiral(self, radius: u32) -> Spiral {
        let last = if radius < MAX_DISTANCE { radius } else { MAX_DISTANCE };
        Spiral { ring: self.ring(0), last }
    }

    /// `steps` steps in a direction, if that is on the lattice.
    fn moved(self, (q, r): (i64, i64), steps: u32) -> Option<Self> {
        let steps = i64::from(steps);
        Self::from_wide(i64::from(self.q()) + q * steps, i64::from(self.r()) + r * steps).ok()
    }
}

/// The coordinates at one distance. See [`Coord::ring`].
#[derive(Clone, Debug)]
pub struct Ring {
    center: Coord,
    radius: u32,
    next: u32,
    end: u32,
}

impl Ring {
    /// Place `number` of the ring, if it is on the lattice.
    fn at(&self, number: u32) -> Option<Coord> {
        if self.radius == 0 {
            return Some(self.center);
        }
        let side = (number / self.radius) as usize;
        let step = i64::from(number % self.radius);
        let radius = i64::from(self.radius);
        let corner = DIRECTIONS[(FIRST_CORNER + side) % DIRECTIONS.len()];
        let along = DIRECTIONS[side % DIRECTIONS.len()];
        let offset = (corner.0 * radius + along.0 * step, corner.1 * radius + along.1 * step);
        self.center.moved(offset, 1)
    }
}

impl Iterator for Ring {
    type Item = Coord;

    fn next(&mut self) -> Option<Coord> {
        while self.next < self.end {
            let number = self.next;
            self.next += 1;
            if let Some(coord) = self.at(number) {
                return Some(coord);
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some((self.end - self.next) as usize))
    }
}

impl FusedIterator for Ring {}

/// Rings around one coordinate, from the inside out. See [`Coord::spiral`].
#[derive(Clone, Debug)]
pub struct Spiral {
    ring: Ring,
    last: u32,
}

impl Iterator for Spiral {
    type Item = Coord;

    fn next(&mut self) -> Option<Coord> {
        loop {
            if let Some(coord) = self.ring.next() {
                return Some(coord);
            }
            if self.ring.radius >= self.last {
                return None;
            }
            self.ring = self.ring.center.ring(self.ring.radius + 1);
        }
    }
}

impl FusedIterator for Spiral {}
