//! Pruning by policy: profiles, plans to look at before they are carried out, and a scheduler for
//! the application's timer.

use std::fmt;
use std::sync::Arc;

use super::{Bounds, plan_before, run, suggested};
use crate::cancel::CancelToken;
use crate::core::Core;
use crate::error::Result;
use crate::options::Retention;
use crate::stats::FloorHold;

/// Slices that one batch takes at most, so that it ends soon where there is little to remove.
const BATCH_SLICES: u64 = 64;

/// How to prune by policy. No profile keeps less than the policy promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum PruneProfile {
    /// The policy's window exactly, 512 rows at a time.
    LowLatency,
    /// The window and a quarter more, 2,048 rows at a time.
    #[default]
    Balanced,
    /// Twice the window, 256 rows at a time.
    LongHistory,
}

impl PruneProfile {
    /// By how many percent the window is longer than the policy's.
    fn extra_percent(self) -> u32 {
        match self {
            Self::LowLatency => 0,
            Self::Balanced => 25,
            Self::LongHistory => 100,
        }
    }

    fn batch_rows(self) -> u64 {
        match self {
            Self::LowLatency => 512,
            Self::Balanced => 2048,
            Self::LongHistory => 256,
        }
    }
}

/// What pruning would do, as things are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PrunePlan {
    /// The sequence that was asked for, or that the policy leads to; 0 removes nothing.
    pub before: u64,
    /// The oldest sequence that would be readable: `before`, or what keeps the floor lower.
    pub floor: u64,
    /// What keeps it lower than `before`, if anything does.
    pub held_by: Option<FloorHold>,
    /// The policy that the plan follows; `None` for a plan without one.
    pub policy: Option<Retention>,
    /// Rows that one call removes at most.
    pub batch_rows: u64,
    /// Versions of records that would go, all calls together.
    pub rows: u64,
    /// Bytes of their keys and values, index rows included.
    pub bytes: u64,
    /// Commits that would go from the timeline.
    pub commits: u64,
}

/// What a call of pruning has done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Pruned {
    /// Versions of records that were removed.
    pub rows: u64,
    /// The oldest sequence that is readable.
    pub floor: u64,
    /// Nothing more can be removed below the floor.
    pub done: bool,
    /// What keeps the floor lower than asked for, if anything does.
    pub held_by: Option<FloorHold>,
    /// Nothing was done because the options have no retention policy.
    pub no_policy: bool,
}

impl fmt::Display for Pruned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.no_policy {
            return f.write_str("nothing removed: the database is open without a retention policy");
        }
        write!(f, "{} rows removed; the oldest readable commit is {}", self.rows, self.floor)?;
        if let Some(hold) = &self.held_by {
            write!(f, ", held by {hold}")?;
        }
        if !self.done {
            f.write_str("; more can be removed")?;
        }
        Ok(())
    }
}

/// The policy under a profile, and the sequence to which it leads.
fn policy_now(core: &Core, profile: PruneProfile) -> Result<Option<(Retention, u64)>> {
    core.check_open()?;
    let policy = core.options.retention.and_then(|policy| policy.widened(profile.extra_percent()));
    let before = core.read(|source| suggested(core, &source, policy))?;
    Ok(policy.zip(before))
}

/// What pruning by a profile would do.
pub(crate) fn plan_by_profile(core: &Arc<Core>, profile: PruneProfile) -> Result<PrunePlan> {
    let batch_rows = profile.batch_rows();
    match policy_now(core, profile)? {
        Some((policy, before)) => plan_before(core, before, Some(policy), batch_rows),
        None => Ok(PrunePlan {
            before: 0,
            floor: core.floor(),
            held_by: None,
            policy: None,
            batch_rows,
            rows: 0,
            bytes: 0,
            commits: 0,
        }),
    }
}

/// One batch of a plan, as far as the policy allows now: the plan may be another policy's.
pub(crate) fn carry_out(core: &Arc<Core>, plan: &PrunePlan) -> Result<Pruned> {
    core.check_open()?;
    let allowed = core.read(|source| suggested(core, &source, core.options.retention))?;
    let before = allowed.map(|allowed| plan.before.min(allowed));
    batch(core, before, plan.batch_rows, None)
}

/// One batch under a profile, as far as the policy allows now.
pub(crate) fn tick(
    core: &Arc<Core>,
    profile: PruneProfile,
    cancel: &CancelToken,
) -> Result<Pruned> {
    let before = policy_now(core, profile)?.map(|(_, before)| before);
    batch(core, before, profile.batch_rows(), Some(cancel))
}

fn batch(
    core: &Arc<Core>,
    before: Option<u64>,
    max_rows: u64,
    cancel: Option<&CancelToken>,
) -> Result<Pruned> {
    if let Some(before) = before {
        return run(core, before, Bounds { max_rows, max_slices: BATCH_SLICES }, cancel);
    }
    core.check_open()?;
    core.check_writable()?;
    Ok(Pruned { rows: 0, floor: core.floor(), done: true, held_by: None, no_policy: true })
}
