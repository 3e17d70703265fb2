//! How far a recovery may fall back, and how far it may reach.
//!
//! Three marks carry the promise: what a power cut must leave (`durable`), what a kill must leave
//! (`shown`: acknowledged, or seen by any reader), and everything that was begun, which the model
//! knows. With `Sync` durability the first two move together.

use super::{Check, Kind, Shown, brief, fail};
use crate::model::{Mark, Model};

/// The bounds of what a recovery may find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// What survives a power cut.
    pub durable: Mark,
    /// What anybody was told of or could read.
    pub shown: Mark,
    /// The database was opened for writing once and therefore exists.
    pub created: bool,
    /// A sync failed: what is not durable may be gone from the cache, or be there alone, marked
    /// clean, which a process that only reads cannot tell and cannot mend.
    pub tainted: bool,
}

impl Bounds {
    /// Somebody was told of a commit, or could read it.
    pub fn show(&mut self, seq: u64, durable: bool) {
        self.show_all(Mark { head: seq, ..Mark::default() }, durable);
    }

    /// Somebody was told of so much, or could read it.
    pub fn show_all(&mut self, mark: Mark, durable: bool) {
        self.shown = self.shown.max(mark);
        if durable {
            self.durable = self.durable.max(mark);
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
    pub fn least(&self) -> Mark {
        if self.tainted { self.durable } else { self.shown }
    }

    /// Judges what a recovery found; how far that is.
    ///
    /// # Errors
    /// When it is too little or too much.
    pub fn judge(&self, found: &Shown, model: &Model) -> Check<Mark> {
        judge(found, model, self.least(), "recovery")
    }
}

/// Judges what was found by what there must be at least, and by what was begun; how far it is.
///
/// # Errors
/// When it is too little or too much.
pub fn judge(found: &Shown, model: &Model, least: Mark, label: &'static str) -> Check<Mark> {
    let begun = model.begun();
    let Shown { head, upkeep } = found;
    if *head < least.head {
        let what = format!("head is {head}, but {} was shown", least.head);
        return fail(Kind::Lost, label, what);
    }
    if *head > begun.head {
        let what = format!("head is {head}, but only {} was begun", begun.head);
        return fail(Kind::Invented, label, what);
    }
    if upkeep.removed < least.removed || upkeep.removed > begun.removed {
        let (least, most) = (least.removed, begun.removed);
        let what = format!("{} rows are pruned, not {least} to {most}", upkeep.removed);
        return fail(Kind::Counters, label, what);
    }
    let Some(changes) = model.changes_of(*head, upkeep, least.changes) else {
        let what = format!("no changes lead to {}, {} shown", brief(found), least.changes);
        return fail(Kind::Lost, label, what);
    };
    Ok(Mark { head: *head, changes, removed: upkeep.removed })
}
