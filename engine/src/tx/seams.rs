//! Writing seams: contradictions, supersessions and what becomes of them.
//!
//! Always: following supersessions from newer to older never leads back to where it began.

use std::collections::BTreeSet;

use ulid::Ulid;

use super::put::IndexChange;
use super::scan::decoded;
use super::write::WriteTx;
use crate::error::{Error, Result};
use crate::index::{self, IndexKeys};
use crate::keys;
use crate::lattice::{Coord, PackedCoord};
use crate::probe::{self, Probe};
use crate::record::{ResolutionStatus, Seam, SeamType, decode_seam, encode_seam};
use crate::time::Timestamp;

impl WriteTx {
    /// Puts a seam. The options' `after_put_seam` hears of it.
    ///
    /// # Errors
    /// [`Error::SeamEndpointsFixed`] where a seam of this id joins other cells,
    /// [`Error::SupersessionCycle`] where it would close a circle of supersessions,
    /// [`Error::InvalidRecord`], [`Error::KeyTooLarge`] and [`Error::ValueTooLarge`] refuse the
    /// put and leave the transaction usable; an I/O error does not.
    pub fn put_seam(&mut self, id: Ulid, seam: &Seam) -> Result<()> {
        let mut value = Vec::with_capacity(seam.reason.len() + 128);
        encode_seam(seam, &mut value)?;
        let logical = keys::seam_key(id);
        let newest = self.newest(&logical)?;
        let old = match newest.as_ref().and_then(|newest| newest.value.as_ref()) {
            Some(old) => Some(decoded(&self.core.pager, decode_seam(old))?),
            None => None,
        };
        let ends = |seam: &Seam| (seam.cell_a, seam.cell_b);
        if old.as_ref().is_some_and(|old| ends(old) != ends(seam)) {
            return Err(Error::SeamEndpointsFixed { id });
        }
        let supersedes = |seam: &Seam| seam.seam_type == SeamType::Supersedes;
        if supersedes(seam) && !old.as_ref().is_some_and(supersedes) {
            self.refuse_circle(seam.cell_a, seam.cell_b)?;
        }
        let before = old.map_or_else(IndexKeys::new, |old| index::of_seam(id, &old));
        let index = IndexChange::new(newest.as_ref(), before, index::of_seam(id, seam));
        self.put_record(logical, &value, &index)?;
        if let Some(hook) = &self.core.options.hooks.after_put_seam {
            hook(id, seam);
        }
        Ok(())
    }

    /// An id for a new seam, from the clock and the random numbers of the file system given to
    /// open; above every one that this transaction was given before.
    ///
    /// # Errors
    /// I/O errors of the source of random numbers.
    pub fn new_seam_id(&mut self) -> Result<Ulid> {
        let mut random = [0; 16];
        self.core.vfs.entropy().fill(&mut random[6..])?;
        let millis = u64::try_from(self.now().as_nanos() / 1_000_000).unwrap_or(0);
        let drawn = Ulid::from_parts(millis, u128::from_be_bytes(random));
        let next = self.last_seam_id.and_then(|last| last.increment().ok()).unwrap_or_default();
        let id = drawn.max(next);
        self.last_seam_id = Some(id);
        Ok(id)
    }

    /// Notes that two cells contradict each other; returns the new seam's id.
    ///
    /// # Errors
    /// [`Error::CellNotFound`], and as [`WriteTx::put_seam`].
    pub fn mark_conflict(&mut self, a: Coord, b: Coord, reason: &str) -> Result<Ulid> {
        self.mark(Seam::new(a, b, SeamType::Conflict).with_reason(reason))
    }

    /// Notes that one cell takes the place of another; returns the new seam's id. The older cell
    /// stays as it is.
    ///
    /// # Errors
    /// [`Error::CellNotFound`], [`Error::SupersessionCycle`] where the older cell already
    /// supersedes the newer one, directly or through others, and as [`WriteTx::put_seam`].
    pub fn mark_supersedes(&mut self, newer: Coord, older: Coord, reason: &str) -> Result<Ulid> {
        self.mark(Seam::new(newer, older, SeamType::Supersedes).with_reason(reason))
    }

    fn mark(&mut self, mut seam: Seam) -> Result<Ulid> {
        self.require_cells([seam.cell_a, seam.cell_b])?;
        seam.detected_at = self.now();
        let id = self.new_seam_id()?;
        self.put_seam(id, &seam)?;
        Ok(id)
    }

    /// Says what has become of a seam.
    ///
    /// # Errors
    /// [`Error::SeamNotFound`], and as [`WriteTx::put_seam`].
    pub fn resolve_seam(
        &mut self,
        id: Ulid,
        status: ResolutionStatus,
        note: Option<&str>,
    ) -> Result<()> {
        let Some(mut seam) = self.get_seam(id)? else { return Err(Error::SeamNotFound { id }) };
        seam.resolution_status = status;
        seam.resolution_note = note.map(str::to_owned);
        self.put_seam(id, &seam)
    }

    /// Refuses a supersession whose older cell leads to the newer one already.
    fn refuse_circle(&self, newer: Coord, older: Coord) -> Result<()> {
        let mut seen = BTreeSet::from([PackedCoord::from(older)]);
        let mut ahead = vec![older];
        while let Some(coord) = ahead.pop() {
            if coord == newer {
                probe::hit(Probe::CircleRefused);
                return Err(Error::SupersessionCycle { newer, older });
            }
            for item in self.seams_of(coord) {
                let (_, _, seam) = item?;
                let leads = seam.seam_type == SeamType::Supersedes && seam.cell_a == coord;
                if leads && seen.insert(seam.cell_b.into()) {
                    ahead.push(seam.cell_b);
                }
            }
        }
        Ok(())
    }

    /// The time by the clock of the file system given to open.
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.core.vfs.clock().wall_nanos())
    }
}
