//! What a run has found: every figure of every round, their medians, and what failed.

use std::collections::BTreeMap;

use crate::engines::Engine;
use crate::rows::{ROWS, Row};
use crate::workloads::{Figures, Workload};

/// A workload that an engine did not get through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which workload.
    pub workload: Workload,
    /// Which engine.
    pub engine: Engine,
    /// In which round, from 1.
    pub round: u64,
    /// What happened.
    pub what: String,
}

/// All that was measured.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    figures: BTreeMap<(Workload, Engine, String), Vec<f64>>,
    /// What failed.
    pub failures: Vec<Failure>,
}

impl Measured {
    /// Adds one round's figures of one engine.
    pub fn add(&mut self, workload: Workload, engine: Engine, figures: Figures) {
        for (name, figure) in figures {
            self.figures.entry((workload, engine, name)).or_default().push(figure);
        }
    }

    /// The figures of a row, round by round.
    pub fn rounds(&self, row: &Row, engine: Engine) -> &[f64] {
        let key = (row.workload, engine, row.figure.to_owned());
        self.figures.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Whether `engine` failed at `workload` in any round.
    pub fn has_failed(&self, workload: Workload, engine: Engine) -> bool {
        self.failures.iter().any(|it| it.workload == workload && it.engine == engine)
    }

    /// The medians over the rounds.
    pub fn medians(&self) -> Medians {
        let mut medians = Medians::default();
        for row in ROWS {
            for engine in Engine::ALL {
                if let Some(median) = median(self.rounds(row, engine)) {
                    medians.by_row.insert((row.id, engine), median);
                }
            }
        }
        medians
    }
}

/// The median of each row and engine.
#[derive(Clone, Debug, Default)]
pub struct Medians {
    by_row: BTreeMap<(&'static str, Engine), f64>,
}

impl Medians {
    /// The median of this engine in the row of this id.
    pub fn of(&self, row: &str, engine: Engine) -> Option<f64> {
        let found = self.by_row.iter().find(|((id, of), _)| *id == row && *of == engine);
        found.map(|(_, &median)| median)
    }

    /// The best rival in a row.
    pub fn best_rival(&self, row: &Row) -> Option<(Engine, f64)> {
        let rivals = Engine::ALL.into_iter().filter(|engine| engine.is_rival());
        let known = rivals.filter_map(|engine| Some((engine, self.of(row.id, engine)?)));
        known.reduce(
            |best, other| {
                if (other.1 > best.1) == row.unit.more_is_better() { other } else { best }
            },
        )
    }

    /// How many times better than the best rival `HexxlaDB` is: above 1 it is ahead.
    pub fn ratio(&self, row: &Row) -> Option<f64> {
        let ours = self.of(row.id, Engine::Hexxladb)?;
        let (_, best) = self.best_rival(row)?;
        Some(if row.unit.more_is_better() { ours / best } else { best / ours })
    }
}

fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        even if even % 2 == 0 => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
        _ => Some(sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(row: &Row, figures: &[(Engine, f64)]) -> Measured {
        let mut measured = Measured::default();
        for &(engine, figure) in figures {
            measured.add(row.workload, engine, [(row.figure.to_owned(), figure)].into());
        }
        measured
    }

    fn row(id: &str) -> &'static Row {
        ROWS.iter().find(|row| row.id == id).unwrap()
    }

    #[test]
    fn the_median_takes_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_ratio_above_one_is_ahead_whichever_way_the_unit_runs() {
        let (us, redb, lmdb) = (Engine::Hexxladb, Engine::Redb, Engine::Lmdb);
        let speed = row("read-1");
        let medians = measured(speed, &[(us, 30.0), (redb, 10.0), (lmdb, 20.0)]).medians();
        assert_eq!(medians.best_rival(speed), Some((lmdb, 20.0)));
        assert_eq!(medians.ratio(speed), Some(1.5));
        assert_eq!((speed.reached)(&medians), Some(true));

        let size = row("size");
        let medians = measured(size, &[(us, 2.0), (redb, 1.0), (lmdb, 4.0)]).medians();
        assert_eq!(medians.best_rival(size), Some((redb, 1.0)));
        assert_eq!(medians.ratio(size), Some(0.5));
        assert_eq!((size.reached)(&medians), Some(false));
    }

    #[test]
    fn references_are_no_rivals_and_targets_need_their_figures() {
        let commits = row("commit-1");
        let medians = measured(commits, &[(Engine::Hexxladb, 9.0), (Engine::Disk, 10.0)]).medians();
        assert_eq!(medians.ratio(commits), None);
        assert_eq!((commits.reached)(&medians), None);
    }
}
