//! Where files and commits are on the lattice: two spirals that never meet.
//!
//! Pure functions of the index, for ever: databases depend on them. Files are around the origin,
//! commits around (131072, −65536). All places of files sort before [`FIRST_BEYOND_FILES`], all
//! places of commits behind it, so that either can be scanned without the other.

use hexxladb::{Coord, PackedCoord};

use super::spiral::coord_at;

/// The middle of the commits.
const COMMITS: (i32, i32) = (131_072, -65_536);
/// Rings around either middle: what fits between the two, and within the lattice.
#[cfg(test)]
const RINGS: i32 = 65_535;
/// A place that sorts between both.
const FIRST_BEYOND_FILES: (i32, i32) = (0, -65_536);

/// The place of the n-th path to appear.
///
/// # Errors
/// `CoordOutOfRange` far beyond any repository, as [`coord_at`].
pub(crate) fn of_file(index: u64) -> hexxladb::Result<Coord> {
    coord_at(index)
}

/// The place of the n-th commit, from 0.
///
/// # Errors
/// The same.
pub(crate) fn of_commit(index: u64) -> hexxladb::Result<Coord> {
    let place = coord_at(index)?;
    Coord::new(place.q() + COMMITS.0, place.r() + COMMITS.1)
}

/// Ends the range in which all files are.
///
/// # Errors
/// None: it is a constant.
pub(crate) fn beyond_files() -> hexxladb::Result<PackedCoord> {
    Coord::new(FIRST_BEYOND_FILES.0, FIRST_BEYOND_FILES.1).map(PackedCoord::from)
}

/// Whether a file may be there.
pub(crate) fn is_of_files(coord: Coord) -> bool {
    beyond_files().is_ok_and(|end| PackedCoord::from(coord) < end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The corners and sides of both regions, and all between the corners in steps.
    fn border(center: (i32, i32)) -> impl Iterator<Item = Coord> {
        const CORNERS: [(i32, i32); 6] = [(1, 0), (0, 1), (-1, 1), (-1, 0), (0, -1), (1, -1)];
        let at = move |q: i32, r: i32| Coord::new(center.0 + q, center.1 + r).unwrap();
        let sides = CORNERS.into_iter().zip(CORNERS.into_iter().cycle().skip(1));
        sides.flat_map(move |(a, b)| {
            (0..=RINGS).step_by(13).map(move |step| {
                let along = |a: i32, b: i32| a * (RINGS - step) + b * step;
                at(along(a.0, b.0), along(a.1, b.1))
            })
        })
    }

    #[test]
    fn files_and_commits_never_meet() {
        assert!(border((0, 0)).all(is_of_files));
        assert!(!border(COMMITS).any(is_of_files));
        for index in [0, 1, 6, 1000, 1_000_000, 3 * 65_535 * 65_536] {
            assert!(is_of_files(of_file(index).unwrap()), "{index}");
            assert!(!is_of_files(of_commit(index).unwrap()), "{index}");
        }
    }

    #[test]
    fn commits_are_where_databases_expect_them() {
        let place = |index| of_commit(index).map(|coord| (coord.q(), coord.r())).unwrap();
        assert_eq!([place(0), place(1)], [(131_072, -65_536), (131_071, -65_535)]);
    }
}
