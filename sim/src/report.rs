//! What a campaign covered and what it missed, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::runner::Tally;

/// A campaign of so many seeds must have everything in it.
pub const CAMPAIGN_SEEDS: u64 = 5_000;

/// How often each kind of fault must fire in a campaign.
const FAULT_FLOOR: u64 = 100;

/// Kinds of faults that a campaign must have, as tallies name them.
pub const FAULTS: [&str; 25] = [
    "input/output error",
    "input/output error for good",
    "failed sync, cache kept",
    "failed sync, cache reverted",
    "short read or write",
    "interruption",
    "no space",
    "rot",
    "rot at rest",
    "lost write",
    "misdirected write",
    "stale read",
    "process kill",
    "power cut",
    "power cut with garbage",
    "kill, then power cut",
    "clock stands still",
    "clock goes ahead",
    "clock steps back",
    "second opener",
    "mixed files",
    "partial log",
    "partial changelog",
    "changelog missing",
    "lock refused",
];

/// Everything a run of the simulator has to say.
#[derive(Debug, Default)]
pub struct Report {
    /// Seeds run.
    pub seeds: u64,
    /// What the seeds' runs did.
    pub tally: Tally,
    /// How often each probe was reached.
    pub probes: BTreeMap<&'static str, u64>,
    /// Counters of the exhaustive mode, by name.
    pub exhaustive: Vec<(&'static str, u64)>,
    /// Crash-and-recover cycles.
    pub cycles: u64,
    /// Time it took.
    pub elapsed: Duration,
    /// What failed, in a line each.
    pub failures: Vec<String>,
    /// What was missed.
    pub missed: Vec<String>,
}

impl Report {
    /// Adds reached probes.
    pub fn merge_probes(&mut self, probes: &BTreeMap<&'static str, u64>) {
        for (probe, count) in probes {
            *self.probes.entry(probe).or_default() += count;
        }
    }

    /// Notes what a campaign with faults must have and has not.
    pub fn judge_campaign(&mut self) {
        self.judge_probes();
        let floor = FAULT_FLOOR * self.seeds / CAMPAIGN_SEEDS;
        for kind in FAULTS {
            let count = self.tally.faults.get(kind).copied().unwrap_or(0);
            if count < floor {
                self.missed
                    .push(format!("fault \"{kind}\" fired {count} times, less than {floor}"));
            }
        }
        if self.tally.crashes < self.seeds {
            let (crashes, seeds) = (self.tally.crashes, self.seeds);
            self.missed.push(format!("{crashes} crashes in {seeds} seeds"));
        }
    }

    /// Notes probes that were not reached.
    pub fn judge_probes(&mut self) {
        let all = hexxladb::probe::all().iter();
        let missed = all.filter(|probe| !self.probes.contains_key(*probe));
        self.missed.extend(missed.map(|probe| format!("probe \"{probe}\" was not reached")));
    }

    /// Whether anything failed or was missed.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        !self.failures.is_empty() || !self.missed.is_empty()
    }

    /// Cycles per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        per_second(self.cycles, self.elapsed)
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let counts = |map: &BTreeMap<&'static str, u64>| {
            map.iter()
                .map(|(name, count)| ((*name).to_owned(), json!(count)))
                .collect::<Map<_, _>>()
        };
        json!({
            "seeds": self.seeds,
            "seconds": self.elapsed.as_secs_f64(),
            "cycles": self.cycles,
            "cycles_per_second": self.rate(),
            "crashes": self.tally.crashes,
            "recoveries": self.tally.recoveries,
            "exceptions": self.tally.exceptions,
            "operations": self.tally.ops,
            "faults": counts(&self.tally.faults),
            "probes": counts(&self.probes),
            "exhaustive": self.exhaustive.iter().copied().collect::<BTreeMap<_, _>>(),
            "failures": self.failures,
            "missed": self.missed,
        })
    }
}

/// How many of something there were in a second.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "it is shown without decimals")]
pub fn per_second(count: u64, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64().max(1e-9)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        for (what, count) in &self.exhaustive {
            writeln!(f, "{count:>12} {what}")?;
        }
        if self.seeds > 0 {
            writeln!(f, "{:>12} seeds", self.seeds)?;
            writeln!(
                f,
                "{:>12} crashes, {} recoveries",
                self.tally.crashes, self.tally.recoveries
            )?;
            writeln!(f, "{:>12} falls back that damaged media excuse", self.tally.exceptions)?;
            writeln!(f, "operations:")?;
            for (op, count) in &self.tally.ops {
                writeln!(f, "{count:>12} {op}")?;
            }
            writeln!(f, "faults:")?;
            for (kind, count) in &self.tally.faults {
                writeln!(f, "{count:>12} {kind}")?;
            }
        }
        let all = hexxladb::probe::all().len();
        writeln!(f, "probes: {} of {all}", self.probes.len())?;
        for (probe, count) in &self.probes {
            writeln!(f, "{count:>12} {probe}")?;
        }
        writeln!(
            f,
            "{} crash-and-recover cycles in {seconds:.1} s: {:.0} per second",
            self.cycles,
            self.rate()
        )?;
        for missed in &self.missed {
            writeln!(f, "MISSED {missed}")?;
        }
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        writeln!(f, "{}", if self.is_bad() { "FAILED" } else { "passed" })
    }
}
