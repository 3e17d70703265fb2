//! Faults by chance: which kinds exist in a run, how likely each is, and drawing them.
//!
//! What is drawn is a concrete [`Fault`](super::Fault), recorded as if it had been planned.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::fault::{Effect, FaultKind, Target};
use super::random::Random;

const MILLION: u32 = 1_000_000;

/// Chances of faults, for a random campaign.
///
/// ```
/// use hexxladb_vfs::sim::{FaultKind, SimVfs, Swarm};
///
/// let vfs = SimVfs::new(1);
/// let mut swarm = Swarm::default();
/// swarm.per_million.insert(FaultKind::Eio, 1_000);
/// swarm.max_faults = 3;
/// vfs.set_swarm(Some(&swarm));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swarm {
    /// For each kind, its chance at each operation that can suffer it, in millionths. Kinds that
    /// are not [`FaultKind::is_drawn`] are passed over.
    pub per_million: BTreeMap<FaultKind, u32>,
    /// No more faults than this are drawn.
    pub max_faults: u64,
}

/// What drawing a fault needs to know of the world.
pub(super) struct Scene {
    /// What the operation acts on: place and size.
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) sector_bytes: u64,
    /// Files that could rot, by name, with their durable lengths; never empty files.
    pub(super) files: Vec<(Arc<Path>, u64)>,
}

/// A swarm made ready: for each target, the kinds it can suffer with their cumulated chances.
#[derive(Clone, Debug)]
pub(super) struct Dice {
    tables: Vec<Vec<(u32, FaultKind)>>,
    left: u64,
}

impl Dice {
    pub(super) fn new(swarm: &Swarm) -> Self {
        let table = |target: Target| {
            let mut sum = 0_u32;
            let mut table = Vec::new();
            for (&kind, &chance) in &swarm.per_million {
                if chance > 0 && applies(kind, target) {
                    sum = sum.saturating_add(chance);
                    table.push((sum, kind));
                }
            }
            table
        };
        Self { tables: Target::ALL.into_iter().map(table).collect(), left: swarm.max_faults }
    }

    /// The kind of fault to suffer now, if any.
    pub(super) fn roll(&mut self, target: Target, random: &mut Random) -> Option<FaultKind> {
        let table = &self.tables[target as usize];
        let total = table.last()?.0;
        if self.left == 0 {
            return None;
        }
        let rolled = random.below_u32(MILLION.max(total));
        Some(table.iter().find(|&&(sum, _)| rolled < sum)?.1)
    }

    /// One fault was drawn.
    pub(super) fn spend(&mut self) {
        self.left = self.left.saturating_sub(1);
    }
}

fn applies(kind: FaultKind, target: Target) -> bool {
    match kind {
        FaultKind::SyncKeep | FaultKind::SyncRevert => target == Target::Sync,
        FaultKind::Short | FaultKind::Interrupted => {
            matches!(target, Target::Read | Target::Write)
        }
        FaultKind::Lost | FaultKind::Misdirected => target == Target::Write,
        FaultKind::Stale => target == Target::Read,
        // A bare failure of a sync is one of its two profiles.
        FaultKind::Eio => target != Target::Sync,
        _ => kind.is_drawn(),
    }
}

/// Fills in the details of a fault; `None` where there is nothing for it to hit.
pub(super) fn draw(kind: FaultKind, scene: &Scene, random: &mut Random) -> Option<Effect> {
    Some(match kind {
        FaultKind::Eio => Effect::Eio,
        FaultKind::EioForever => Effect::EioForever,
        FaultKind::SyncKeep => Effect::EioKeep { seed: sync_seed(random) },
        FaultKind::SyncRevert => Effect::EioRevert { seed: sync_seed(random) },
        FaultKind::Short if scene.bytes > 1 => Effect::Short(1 + random.below(scene.bytes - 1)),
        FaultKind::Interrupted => Effect::Interrupted,
        FaultKind::SpaceOut => Effect::Free(Some(random.below(16))),
        FaultKind::SpaceBack => Effect::Free(None),
        FaultKind::Rot => {
            let (path, len) = pick(&scene.files, random)?;
            Effect::Rot {
                path: Arc::clone(path),
                offset: random.below(*len),
                mask: 1 << random.below(8),
            }
        }
        FaultKind::Lost => Effect::Lost { evict: random.below(2) == 0 },
        FaultKind::Misdirected => return misdirected(scene, random),
        FaultKind::Stale => Effect::Stale { age: 1 + random.below_u32(4) },
        FaultKind::ClockStop => Effect::ClockStop,
        FaultKind::ClockRun => Effect::ClockRun,
        FaultKind::ClockStep => {
            let seconds = [1, 60, 86_400, 400 * 86_400][random.below(4) as usize];
            let nanos = 1 + random.below(seconds * 1_000_000_000).cast_signed();
            Effect::ClockStep(if random.below(2) == 0 { nanos } else { -nanos })
        }
        _ => return None,
    })
}

/// Half of the failing syncs wrote nothing at all.
fn sync_seed(random: &mut Random) -> u64 {
    if random.below(2) == 0 { 0 } else { random.next() }
}

fn pick<'a, T>(items: &'a [T], random: &mut Random) -> Option<&'a T> {
    items.get(random.below(items.len() as u64) as usize)
}

/// To another sector of some file; mostly nearby in the same one, as with a flipped address bit.
fn misdirected(scene: &Scene, random: &mut Random) -> Option<Effect> {
    let evict = random.below(2) == 0;
    if random.below(4) == 0 {
        let (path, len) = pick(&scene.files, random)?;
        let offset = random.below(*len) / scene.sector_bytes * scene.sector_bytes;
        return Some(Effect::Misdirected { offset, path: Some(Arc::clone(path)), evict });
    }
    let from = scene.offset / scene.sector_bytes * scene.sector_bytes;
    let bit = scene.sector_bytes << random.below(8);
    Some(Effect::Misdirected { offset: from ^ bit, path: None, evict })
}
