//! Which crash states to try: all where there are few, else the telling ones.

use std::collections::BTreeMap;

use super::crash::{CrashChoice, Kept, Pending, Survival, Unit};
use super::names::FileId;
use super::random::{Random, Stream};

/// Up to so many outcomes (12 sectors with one version each) every one is tried.
const MAX_COMBINATIONS: u64 = 1 << 12;

/// How a random crash state is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutProfile {
    /// Sectors hold what was written to them, now or before.
    Plain,
    /// Some sectors that were being written hold garbage.
    Hostile,
}

impl Pending {
    /// Crash states for an exhaustive search: every one if there are at most 4,096; otherwise
    /// none, all, each unit kept alone, each dropped alone, every prefix, every tear of the last
    /// write, and `random` ones drawn from `seed`.
    pub fn states(&self, random: usize, seed: u64) -> Box<dyn Iterator<Item = CrashChoice> + '_> {
        if self.combinations() <= MAX_COMBINATIONS {
            return Box::new((0..self.combinations()).map(|number| self.numbered(number)));
        }
        let mut source = Random::new(seed, Stream::States);
        let drawn = (0..random).map(move |_| self.random(&mut source, CutProfile::Plain));
        Box::new(self.few_states().chain(self.prefixes()).chain(drawn))
    }

    /// Fewer of them, for crashes during the recovery from a crash: none, all, each unit kept
    /// alone, each dropped alone, every tear of the last write.
    pub fn few_states(&self) -> Box<dyn Iterator<Item = CrashChoice> + '_> {
        if self.is_empty() {
            return Box::new(std::iter::once(self.none()));
        }
        let ends = [self.none(), self.all()].into_iter();
        Box::new(ends.chain(self.kept_alone()).chain(self.dropped_alone()).chain(self.tears()))
    }

    /// The outcome of every unit, from the digits of `number`.
    fn numbered(&self, mut number: u64) -> CrashChoice {
        let mut kept = Vec::new();
        for unit in &self.units {
            kept.extend(unit.outcome(number % unit.outcomes()));
            number /= unit.outcomes();
        }
        CrashChoice(kept)
    }

    /// Each outcome alone; a sector past the durable end comes with a length that shows it.
    fn kept_alone(&self) -> impl Iterator<Item = CrashChoice> + '_ {
        self.units.iter().flat_map(|unit| {
            (1..unit.outcomes()).filter_map(|outcome| {
                let kept = unit.outcome(outcome)?;
                let mut choice = vec![kept];
                if let Kept::Sector { file, sector, .. } = kept {
                    choice.extend(self.length_showing(file, sector));
                }
                Some(CrashChoice(choice))
            })
        })
    }

    /// Everything but one unit, which is at its durable state or at one before its newest.
    fn dropped_alone(&self) -> impl Iterator<Item = CrashChoice> + '_ {
        self.units.iter().enumerate().flat_map(move |(dropped, unit)| {
            (0..unit.outcomes()).filter_map(move |outcome| {
                let instead = unit.outcome(outcome);
                if instead == unit.newest() {
                    return None;
                }
                let others = self.units.iter().enumerate().filter(|&(index, _)| index != dropped);
                let kept = others.filter_map(|(_, unit)| unit.newest()).chain(instead);
                Some(CrashChoice(kept.collect()))
            })
        })
    }

    /// What had come about before each moment.
    fn prefixes(&self) -> impl Iterator<Item = CrashChoice> + '_ {
        (1..self.events.len()).map(|count| self.after(&self.events[..count]))
    }

    /// The last write's sectors from one end only, with everything before it.
    fn tears(&self) -> impl Iterator<Item = CrashChoice> + '_ {
        let last = self.events.last().map(|event| event.order);
        let start = self.events.partition_point(|event| Some(event.order) < last);
        let (before, write) = self.events.split_at(start);
        (1..write.len()).flat_map(move |split| {
            let head = self.after(before.iter().chain(&write[..split]));
            let tail = self.after(before.iter().chain(&write[split..]));
            [head, tail]
        })
    }

    fn after<'a>(&self, events: impl IntoIterator<Item = &'a super::crash::Event>) -> CrashChoice {
        let mut newest = vec![None; self.units.len()];
        for event in events {
            newest[event.unit] = Some(event.kept);
        }
        CrashChoice(newest.into_iter().flatten().collect())
    }

    fn length_showing(&self, file: FileId, sector: u64) -> Option<Kept> {
        let end = (sector + 1) * self.sector_bytes;
        self.units.iter().find_map(|unit| match unit {
            Unit::Length { file: other, durable, current, .. }
                if *other == file && *durable < end && durable < current =>
            {
                Some(Kept::Length { file, bytes: end.min(*current) })
            }
            _ => None,
        })
    }

    /// A crash state drawn at random, in one of several styles: independent coins alone would
    /// hardly ever drop or keep just one of many.
    pub(super) fn random(&self, random: &mut Random, profile: CutProfile) -> CrashChoice {
        let style = random.below(8);
        let mut choice = match style {
            0 => self.none(),
            1 => self.all(),
            2 => {
                let count = random.below(self.events.len() as u64 + 1) as usize;
                self.after(&self.events[..count])
            }
            // Of 16: how likely each unit is to be durable rather than to have moved on.
            _ => self.coins(random, [1, 4, 8, 12, 15][style as usize - 3]),
        };
        if profile == CutProfile::Hostile {
            self.soil(&mut choice, random);
        }
        choice
    }

    fn coins(&self, random: &mut Random, durable_of_16: u64) -> CrashChoice {
        let mut kept = Vec::new();
        for unit in &self.units {
            if random.below(16) < durable_of_16 {
                continue;
            }
            kept.extend(match unit {
                Unit::Length { file, durable, others, .. } if random.below(2) == 0 => {
                    let low = others.first().map_or(*durable, |&other| other.min(*durable));
                    let high = others.last().map_or(*durable, |&other| other.max(*durable));
                    let bytes = low + random.below(high - low + 1);
                    Some(Kept::Length { file: *file, bytes })
                }
                _ if random.below(2) == 0 => unit.newest(),
                _ => unit.outcome(1 + random.below(unit.outcomes() - 1)),
            });
        }
        CrashChoice(kept)
    }

    /// Puts garbage into one or two pending sectors.
    fn soil(&self, choice: &mut CrashChoice, random: &mut Random) {
        let sectors: BTreeMap<u64, &Unit> =
            (0..).zip(self.units.iter().filter(|u| matches!(u, Unit::Sector { .. }))).collect();
        if sectors.is_empty() {
            return;
        }
        for _ in 0..=random.below(2) {
            let unit = sectors.get(&random.below(sectors.len() as u64));
            if let Some(Unit::Sector { file, sector, .. }) = unit {
                choice.0.retain(|kept| {
                    !matches!(kept, Kept::Sector { file: f, sector: s, .. } if f == file && s == sector)
                });
                let survival = Survival::Garbage(random.next());
                choice.0.push(Kept::Sector { file: *file, sector: *sector, survival });
                choice.0.extend(self.length_showing(*file, *sector).filter(|_| {
                    !choice.0.iter().any(|k| matches!(k, Kept::Length { file: f, .. } if f == file))
                }));
            }
        }
    }
}
