//! Seams around a coordinate.

use ulid::Ulid;

use super::index_scan::SeamsBy;
use super::scan::{Names, ReadState, damaged};
use crate::error::Result;
use crate::keys;
use crate::lattice::{Coord, Spiral};
use crate::record::{ResolutionStatus, Seam, SeamType};
use crate::time::Timestamp;

/// Which seams to see; the default is all.
///
/// ```
/// use hexxladb::{ResolutionStatus, SeamFilter, SeamType};
/// let open_conflicts = SeamFilter::default()
///     .with_type(SeamType::Conflict)
///     .with_status(ResolutionStatus::Unresolved);
/// # let _ = open_conflicts;
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SeamFilter {
    /// Only seams of this type.
    pub seam_type: Option<SeamType>,
    /// Only seams of which this has become.
    pub status: Option<ResolutionStatus>,
    /// Only seams from this source.
    pub source: Option<String>,
    /// Only seams that hold at this time.
    pub valid_at: Option<Timestamp>,
}

impl SeamFilter {
    /// Only seams of this type.
    #[must_use]
    pub fn with_type(mut self, seam_type: SeamType) -> Self {
        self.seam_type = Some(seam_type);
        self
    }

    /// Only seams of which this has become.
    #[must_use]
    pub fn with_status(mut self, status: ResolutionStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Only seams from this source.
    #[must_use]
    pub fn with_source(mut self, source_id: impl Into<String>) -> Self {
        self.source = Some(source_id.into());
        self
    }

    /// Only seams that hold at this time.
    #[must_use]
    pub fn with_valid_at(mut self, time: Timestamp) -> Self {
        self.valid_at = Some(time);
        self
    }

    fn passes(&self, seam: &Seam) -> bool {
        self.seam_type.as_ref().is_none_or(|wanted| *wanted == seam.seam_type)
            && self.status.is_none_or(|wanted| wanted == seam.resolution_status)
            && self.source.as_ref().is_none_or(|wanted| *wanted == seam.provenance.source_id)
            && self.valid_at.is_none_or(|time| seam.validity.contains(time))
    }
}

/// Seams around a coordinate, from the center outwards. Ends after an error.
pub struct FindSeams<'a> {
    state: ReadState<'a>,
    seq: u64,
    center: Coord,
    radius: u32,
    filter: SeamFilter,
    coords: Spiral,
    /// The coordinate that is being looked at, and its seams.
    here: Option<(Coord, SeamsBy<'a, Coord>)>,
    failed: bool,
}

impl<'a> FindSeams<'a> {
    pub(super) fn new(
        state: ReadState<'a>,
        seq: u64,
        (center, radius): (Coord, u32),
        filter: SeamFilter,
    ) -> Self {
        let coords = center.spiral(radius);
        Self { state, seq, center, radius, filter, coords, here: None, failed: false }
    }

    /// Whether a seam is told at this end of it: the nearer one, of equally near ones the first.
    fn told_at(&self, coord: Coord, seam: &Seam) -> Result<bool> {
        if coord != seam.cell_a && coord != seam.cell_b {
            return Err(damaged(self.state.pager(), "an index names a seam of other cells"));
        }
        let distance = |end: Coord| self.center.distance(end);
        let b_is_nearer = distance(seam.cell_b) < distance(seam.cell_a);
        Ok(coord == if b_is_nearer { seam.cell_b } else { seam.cell_a })
    }
}

impl Iterator for FindSeams<'_> {
    type Item = Result<(Ulid, Seam)>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            let Some((coord, seams)) = &mut self.here else {
                let coord = self.coords.next()?;
                let seams =
                    SeamsBy::over(Names::new(self.state, keys::seams_of_range(coord), self.seq));
                self.here = Some((coord, seams));
                continue;
            };
            let coord = *coord;
            match seams.next() {
                None => self.here = None,
                Some(item) => {
                    let told = item.and_then(|(_, id, seam)| {
                        let told = self.told_at(coord, &seam)? && self.filter.passes(&seam);
                        Ok(told.then_some((id, seam)))
                    });
                    self.failed = told.is_err();
                    if let Some(item) = told.transpose() {
                        return Some(item);
                    }
                }
            }
        }
        None
    }
}

impl std::iter::FusedIterator for FindSeams<'_> {}

impl std::fmt::Debug for FindSeams<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FindSeams")
            .field("center", &self.center)
            .field("radius", &self.radius)
            .finish_non_exhaustive()
    }
}
