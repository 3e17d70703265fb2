//! Faults and crashes of a run: which exist, how often, and drawing them.

use std::path::Path;
use std::sync::Arc;

use hexxladb::vfs::sim::{Effect, Fault, Target};

use crate::op::{Crash, CrashKind, Damage, Survivors};
use crate::random::Random;
use crate::runner::{FileView, View};

/// A kind of fault that a run may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Menu {
    /// An operation fails once.
    Eio,
    /// Operations of a kind fail until the faults are healed.
    EioForever,
    /// A sync fails; the cache keeps the bytes.
    SyncKeep,
    /// A sync fails; the cache reverts.
    SyncRevert,
    /// Short reads and writes.
    Short,
    /// Interrupted reads and writes.
    Interrupted,
    /// No space.
    NoSpace,
    /// Bits flip.
    Rot,
    /// A write is lost.
    Lost,
    /// A write goes astray.
    Misdirected,
    /// A read sees old bytes.
    Stale,
}

impl Menu {
    /// Those that errors come from, and those that ought to have no effect; the rarer ones twice.
    const TRANSIENT: [Self; 9] = [
        Self::Eio,
        Self::EioForever,
        Self::EioForever,
        Self::SyncKeep,
        Self::SyncRevert,
        Self::Short,
        Self::Interrupted,
        Self::NoSpace,
        Self::NoSpace,
    ];

    /// Those that damage what is stored.
    const MEDIA: [Self; 4] = [Self::Rot, Self::Lost, Self::Misdirected, Self::Stale];
}

/// What can go wrong in a run, and how often.
#[derive(Clone, Debug)]
pub struct Rates {
    /// Kinds of faults; empty for none.
    pub menu: Vec<Menu>,
    /// Percent of operations that a fault is armed before.
    pub fault_percent: u32,
    /// Kinds of crashes; empty for none.
    pub crashes: Vec<CrashKind>,
    /// Percent of operations that a crash follows or interrupts.
    pub crash_percent: u32,
    /// Percent of steps at which damage or mixed files are tried on a copy.
    pub trial_percent: u32,
}

impl Rates {
    /// A kind world.
    #[must_use]
    pub fn none() -> Self {
        Self {
            menu: Vec::new(),
            fault_percent: 0,
            crashes: Vec::new(),
            crash_percent: 0,
            trial_percent: 0,
        }
    }

    /// The rates of a run. Every other run has no faults but crashes; damaged media are for few,
    /// as they excuse much.
    #[must_use]
    pub fn draw(random: &mut Random) -> Self {
        let mut menu = Vec::new();
        if random.percent(55) {
            menu.extend(Menu::TRANSIENT.into_iter().filter(|_| random.percent(40)));
        }
        if random.percent(20) {
            menu.push(*random.pick(&Menu::MEDIA));
        }
        let mut crashes: Vec<_> = [CrashKind::Kill, CrashKind::Cut, CrashKind::Hostile]
            .into_iter()
            .filter(|_| random.percent(65))
            .collect();
        if crashes.is_empty() {
            crashes.push(CrashKind::Cut);
        }
        Self {
            menu,
            fault_percent: 4 + random.small(12),
            crashes,
            crash_percent: 5 + random.small(16),
            trial_percent: if random.percent(30) { 8 } else { 0 },
        }
    }

    /// Whether a fault comes now, and which.
    pub fn fault(&self, random: &mut Random, view: &View) -> Option<Fault> {
        if self.menu.is_empty() || !random.percent(self.fault_percent) {
            return None;
        }
        let kind = *random.pick(&self.menu);
        Some(draw(kind, random, view))
    }

    /// A crash: in the midst of an operation, or after it.
    pub fn crash(&self, random: &mut Random) -> Option<Crash> {
        if self.crashes.is_empty() {
            return None;
        }
        let kind = *random.pick(&self.crashes);
        let at = random.percent(75).then(|| {
            // Mostly early: most operations have few file operations.
            let bound = *random.pick(&[2, 5, 12, 40]);
            random.below(bound)
        });
        Some(Crash { kind, at, survivors: Survivors::Random })
    }
}

fn draw(kind: Menu, random: &mut Random, view: &View) -> Fault {
    let at = random.below(*random.clone().pick(&[1, 4, 16]));
    let any_of = |random: &mut Random, targets: &[Target]| *random.pick(targets);
    let transfer = [Target::Read, Target::Write];
    let (on, effect) = match kind {
        Menu::Eio | Menu::EioForever => {
            let on = any_of(
                random,
                &[
                    Target::Read,
                    Target::Read,
                    Target::Write,
                    Target::Write,
                    Target::Write,
                    Target::Open,
                    Target::Exists,
                    Target::SyncDir,
                    Target::Len,
                    Target::SetLen,
                    Target::Allocate,
                    Target::FreeSpace,
                    Target::Lock,
                    Target::Entropy,
                    Target::Rename,
                    Target::Remove,
                    Target::List,
                ],
            );
            (on, if kind == Menu::Eio { Effect::Eio } else { Effect::EioForever })
        }
        Menu::SyncKeep => (Target::Sync, Effect::EioKeep { seed: random.below(2) * random.word() }),
        Menu::SyncRevert => {
            (Target::Sync, Effect::EioRevert { seed: random.below(2) * random.word() })
        }
        Menu::Short => (any_of(random, &transfer), Effect::Short(1 + random.below(700))),
        Menu::Interrupted => (any_of(random, &transfer), Effect::Interrupted),
        Menu::NoSpace => {
            let sectors = random.below(*random.clone().pick(&[1, 8, 64]));
            (any_of(random, &[Target::Write, Target::Any]), Effect::Free(Some(sectors)))
        }
        Menu::Rot => {
            let file = any_file(random, view);
            let effect = Effect::Rot {
                path: Arc::from(Path::new(&file.path)),
                offset: file.place(random, u64::MAX),
                mask: 1 << random.small(8),
            };
            (Target::Any, effect)
        }
        Menu::Lost => (Target::Write, Effect::Lost { evict: random.percent(50) }),
        Menu::Misdirected => {
            let sector = u64::from(view.sector_bytes);
            let file = any_file(random, view);
            let effect = Effect::Misdirected {
                offset: file.place(random, u64::MAX) / sector * sector,
                path: random.percent(30).then(|| Arc::from(Path::new(&file.path))),
                evict: random.percent(50),
            };
            (Target::Write, effect)
        }
        Menu::Stale => (Target::Read, Effect::Stale { age: 1 + random.small(4) }),
    };
    Fault { at, on, effect }
}

fn any_file<'v>(random: &mut Random, view: &'v View) -> &'v FileView {
    if !view.changelog.is_empty() && random.percent(35) {
        return random.pick(&view.changelog);
    }
    if random.percent(50) { &view.primary } else { &view.log }
}

/// The headers of a primary.
const HEADER_BYTES: u64 = 16 << 10;

/// Damage to a copy of the files, somewhere in them.
pub fn damage(random: &mut Random, view: &View) -> Damage {
    let place = |random: &mut Random| view.log.place(random, u64::MAX);
    let mask = 1_u8 << random.small(8);
    if !view.changelog.is_empty() && random.percent(40) {
        return damage_to_changelog(random, view);
    }
    match random.small(15) {
        0 | 1 => Damage::CutLog(place(random)),
        2 | 3 => {
            let from = place(random);
            Damage::ZeroLog { from, to: from + 1 + random.below(5000) }
        }
        4 | 5 => {
            let from = place(random);
            Damage::RepeatLog { from, to: from + 1 + random.below(5000), at: place(random) }
        }
        6 => Damage::RemoveLog,
        7..=9 => Damage::RotPrimary { offset: view.primary.place(random, HEADER_BYTES), mask },
        10 | 11 => Damage::RotPrimary { offset: view.primary.place(random, u64::MAX), mask },
        12 => Damage::EmptyPrimary,
        _ => Damage::RotLog { offset: place(random), mask },
    }
}

fn damage_to_changelog(random: &mut Random, view: &View) -> Damage {
    let file = random.small(view.changelog.len() as u32) as u8;
    let place = |random: &mut Random| view.changelog[usize::from(file)].place(random, u64::MAX);
    match random.small(8) {
        0 => Damage::RemoveChangelog,
        1 => Damage::RemoveSegment(file),
        2 | 3 => Damage::CutSegment(file, place(random)),
        4 => Damage::ForeignChangelog,
        _ => Damage::RotSegment { file, offset: place(random), mask: 1 << random.small(8) },
    }
}
