//! How far a recovery may fall back, and how far it may reach.
//!
//! Three numbers carry the promise: what a power cut must leave (`durable`), what a kill must
//! leave (`shown`: acknowledged, or seen by any reader), and the newest commit begun, which is
//! the model's head. With `Sync` durability the first two move together.

use super::{Check, Kind, fail};

/// The bounds of what a recovery may find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Newest commit that survives a power cut.
    pub durable: u64,
    /// Newest commit that anybody was told of or could read.
    pub shown: u64,
    /// The database was opened for writing once and therefore exists.
    pub created: bool,
    /// A sync failed: what is not durable may be gone from the cache, or be there alone, marked
    /// clean, which a process that only reads cannot tell and cannot mend.
    pub tainted: bool,
}

impl Bounds {
    /// Somebody was told of a commit, or could read it.
    pub fn show(&mut self, seq: u64, durable: bool) {
        self.shown = self.shown.max(seq);
        if durable {
            self.durable = self.durable.max(seq);
        }
    }

    /// Everything shown is durable now.
    pub fn sync(&mut self) {
        self.durable = self.durable.max(self.shown);
    }

    /// The power was cut.
    pub fn cut(&mut self) {
        self.shown = self.durable;
        self.tainted = false;
    }

    /// What a recovery must at least find.
    #[must_use]
    pub fn least(&self) -> u64 {
        if self.tainted { self.durable } else { self.shown }
    }

    /// Judges what a recovery found.
    ///
    /// # Errors
    /// When it is too little or too much.
    pub fn judge(&self, found: u64, begun: u64) -> Check {
        let (durable, shown) = (self.durable, self.shown);
        if found < self.least() {
            return fail(
                Kind::Lost,
                "recovery",
                format!("head is {found}, but {shown} was shown ({durable} durable)"),
            );
        }
        if found > begun {
            return fail(
                Kind::Invented,
                "recovery",
                format!("head is {found}, but only {begun} was begun"),
            );
        }
        Ok(())
    }
}
