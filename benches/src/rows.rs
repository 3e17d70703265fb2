//! The rows of the table: which figure of which workload, in which unit, and the target it was
//! given in the design.

use crate::engines::Engine;
use crate::summary::Medians;
use crate::workloads::Workload;

/// What a figure counts, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Events a second.
    PerSecond,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Bytes.
    Bytes,
    /// A multiple of something named in the title.
    Times,
}

impl Unit {
    /// Whether more of it is better.
    pub const fn more_is_better(self) -> bool {
        matches!(self, Self::PerSecond)
    }

    /// A figure with its unit.
    pub fn show(self, figure: f64) -> String {
        match self {
            Self::PerSecond => short(figure),
            Self::Milliseconds => format!("{} ms", significant(figure)),
            Self::Microseconds if figure >= 10_000.0 => format!("{} ms", significant(figure / 1e3)),
            Self::Microseconds => format!("{} µs", significant(figure)),
            Self::Bytes if figure >= 1e6 => format!("{} MB", significant(figure / 1e6)),
            Self::Bytes => format!("{} kB", significant(figure / 1e3)),
            Self::Times => format!("{figure:.2} ×"),
        }
    }
}

fn short(figure: f64) -> String {
    match figure {
        f if f >= 999_500.0 => format!("{:.2} M", f / 1e6),
        f if f >= 10_000.0 => format!("{:.0} k", f / 1e3),
        f if f >= 1_000.0 => format!("{:.1} k", f / 1e3),
        f => format!("{f:.0}"),
    }
}

fn significant(figure: f64) -> String {
    match figure {
        f if f >= 100.0 => format!("{f:.0}"),
        f if f >= 10.0 => format!("{f:.1}"),
        f => format!("{f:.2}"),
    }
}

/// Says of the medians whether the target is reached; `None` where a figure for it is missing.
type Reached = fn(&Medians) -> Option<bool>;

/// A row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Name, for JSON and for targets that span rows.
    pub id: &'static str,
    /// The workload that measures it.
    pub workload: Workload,
    /// The figure's name among the workload's figures.
    pub figure: &'static str,
    /// What it says in the table.
    pub title: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// The target in words, where there is one.
    pub target: &'static str,
    /// Whether it is reached.
    pub reached: Reached,
    /// Its title in the chart, where it stands alone; `None`: not there.
    pub chart_title: Option<&'static str>,
}

const US: Engine = Engine::Hexxladb;

const fn row(
    id: &'static str,
    workload: Workload,
    figure: &'static str,
    title: &'static str,
    unit: Unit,
) -> Row {
    Row { id, workload, figure, title, unit, target: "", reached: |_| None, chart_title: None }
}

impl Row {
    const fn target(mut self, target: &'static str, reached: Reached) -> Self {
        self.target = target;
        self.reached = reached;
        self
    }

    const fn charted(mut self, title: &'static str) -> Self {
        self.chart_title = Some(title);
        self
    }
}

/// All rows, in the order of the table.
pub const ROWS: &[Row] = &[
    row(
        "commit-1",
        Workload::Commit1,
        "commits_per_s",
        "durable single-put commits, 1 writer, /s",
        Unit::PerSecond,
    )
    .target("≥ 0.9 × the disk, ahead of all", |m| {
        Some(
            m.ours("commit-1")? >= 0.9 * m.of("commit-1", Engine::Disk)?
                && m.is_ahead("commit-1")?,
        )
    })
    .charted("durable commits, 1 writer, /s"),
    row(
        "commit-1-growing",
        Workload::Commit1,
        "growing_commits_per_s",
        "the disk into a growing file, /s",
        Unit::PerSecond,
    ),
    row(
        "commit-16",
        Workload::Commit16,
        "commits_per_s",
        "the same, 16 writers, /s",
        Unit::PerSecond,
    )
    .target("≥ 7 × one writer, ahead of all", |m| {
        Some(m.ours("commit-16")? >= 7.0 * m.ours("commit-1")? && m.is_ahead("commit-16")?)
    })
    .charted("durable commits, 16 writers, /s"),
    row(
        "commit-bytes",
        Workload::Commit1,
        "bytes_per_commit",
        "bytes written per commit, 1 writer",
        Unit::Bytes,
    )
    .target("one block", |m| Some(m.ours("commit-bytes")? <= 1.1 * 4096.0)),
    row(
        "latency-p50",
        Workload::Latency,
        "p50_us",
        "commit latency, steady load: p50",
        Unit::Microseconds,
    ),
    row("latency-p99", Workload::Latency, "p99_us", "p99", Unit::Microseconds),
    row("latency-p99.9", Workload::Latency, "p99.9_us", "p99.9", Unit::Microseconds)
        .target("≤ 10 × p50", |m| {
            Some(m.ours("latency-p99.9")? <= 10.0 * m.ours("latency-p50")?)
        }),
    row("latency-max", Workload::Latency, "max_us", "longest", Unit::Microseconds)
        .target("≤ 50 ms", |m| Some(m.ours("latency-max")? <= 50_000.0)),
    row(
        "batch",
        Workload::Batch,
        "puts_per_s",
        "1,000-put durable batches, random keys, puts/s",
        Unit::PerSecond,
    )
    .target("≥ 1.5 × canopydb, ≥ fjall", |m| {
        let ours = m.ours("batch")?;
        Some(
            ours >= 1.5 * m.of("batch", Engine::Canopydb)?
                && ours >= m.of("batch", Engine::Fjall)?,
        )
    })
    .charted("durable batches of 1,000, puts/s"),
    row("load", Workload::Load, "puts_per_s", "sorted bulk load, puts/s", Unit::PerSecond)
        .target("≥ LMDB", |m| Some(m.ours("load")? >= m.of("load", Engine::Lmdb)?))
        .charted("sorted bulk load, puts/s"),
    row(
        "read-1",
        Workload::Read,
        "reads_per_s",
        "random point reads, warm, 1 thread, /s",
        Unit::PerSecond,
    )
    .target("≥ 1.5 × LMDB", |m| m.at_least("read-1", 1.5, Engine::Lmdb))
    .charted("random point reads, 1 thread, /s"),
    row(
        "read-2",
        Workload::Read,
        "reads_2_threads_per_s",
        "the same, 2 threads, /s",
        Unit::PerSecond,
    )
    .target("≥ 1.5 × LMDB", |m| m.at_least("read-2", 1.5, Engine::Lmdb))
    .charted("random point reads, 2 threads, /s"),
    row(
        "scan-100",
        Workload::Read,
        "scan_100_keys_per_s",
        "scans of 100 keys, keys/s",
        Unit::PerSecond,
    )
    .target("ahead of all", |m| m.is_ahead("scan-100"))
    .charted("scans of 100 keys, keys/s"),
    row(
        "scan-all",
        Workload::Read,
        "scan_all_keys_per_s",
        "scan of everything, keys/s",
        Unit::PerSecond,
    )
    .target("ahead of all", |m| m.is_ahead("scan-all"))
    .charted("scan of everything, keys/s"),
    row(
        "as-of",
        Workload::AsOf,
        "as_of_per_s",
        "as-of reads over 100 versions, /s",
        Unit::PerSecond,
    )
    .target("≥ 1.2 × LMDB", |m| m.at_least("as-of", 1.2, Engine::Lmdb))
    .charted("reads as of a past version, /s"),
    row(
        "newest",
        Workload::AsOf,
        "newest_per_s",
        "the newest of 100 versions, /s",
        Unit::PerSecond,
    )
    .target("≥ 1.2 × LMDB", |m| m.at_least("newest", 1.2, Engine::Lmdb)),
    row(
        "as-of-slowdown",
        Workload::AsOf,
        "slowdown",
        "time of an as-of read ÷ of the newest",
        Unit::Times,
    )
    .target("≤ 1.3", |m| Some(m.ours("as-of-slowdown")? <= 1.3)),
    row(
        "reads-alone",
        Workload::Mixed,
        "reads_alone_per_s",
        "one reader alone, reads/s",
        Unit::PerSecond,
    ),
    row(
        "reads-beside",
        Workload::Mixed,
        "reads_beside_per_s",
        "the reader beside a writer of batches of 10, reads/s",
        Unit::PerSecond,
    )
    .target("≥ 0.9 × alone", |m| Some(m.ours("reads-beside")? >= 0.9 * m.ours("reads-alone")?)),
    row(
        "commits-beside",
        Workload::Mixed,
        "commits_beside_per_s",
        "the writer beside the reader, commits/s",
        Unit::PerSecond,
    )
    .target("≥ 6,000", |m| Some(m.ours("commits-beside")? >= 6_000.0))
    .charted("commits beside a reader, /s"),
    row(
        "open-clean",
        Workload::Open,
        "clean_ms",
        "open + first read after a clean close",
        Unit::Milliseconds,
    )
    .target("≤ 1 ms", |m| Some(m.ours("open-clean")? <= 1.0)),
    row(
        "open-killed",
        Workload::Open,
        "killed_4_mib_ms",
        "the same after a kill, 4 MiB of records since the open",
        Unit::Milliseconds,
    )
    .target("≤ 80 ms", |m| Some(m.ours("open-killed")? <= 80.0))
    .charted("open after a kill, 4 MiB since"),
    row(
        "open-killed-16",
        Workload::Open,
        "killed_16_mib_ms",
        "the same with 16 MiB",
        Unit::Milliseconds,
    ),
    row("size", Workload::Batch, "size", "files after the random load ÷ the data", Unit::Times)
        .target("≤ 1.5 ×", |m| Some(m.ours("size")? <= 1.5))
        .charted("files after a random load ÷ data"),
    row(
        "compacted-size",
        Workload::Batch,
        "compacted_size",
        "the same after compaction",
        Unit::Times,
    )
    .target("≤ 1.1 ×", |m| Some(m.ours("compacted-size")? <= 1.1)),
    row(
        "memory",
        Workload::Memory,
        "own_bytes",
        "peak of own memory in that load, 64 MiB of cache",
        Unit::Bytes,
    )
    .target("≤ 129 MiB", |m| Some(m.ours("memory")? <= f64::from(129 << 20)))
    .charted("own memory at the peak of that load"),
    row(
        "resident",
        Workload::Memory,
        "resident_bytes",
        "peak of resident memory, mapped files included",
        Unit::Bytes,
    ),
];

impl Medians {
    fn ours(&self, row: &str) -> Option<f64> {
        self.of(row, US)
    }

    fn at_least(&self, row: &str, times: f64, rival: Engine) -> Option<bool> {
        Some(self.ours(row)? >= times * self.of(row, rival)?)
    }

    fn is_ahead(&self, row: &str) -> Option<bool> {
        Some(self.ratio(ROWS.iter().find(|known| known.id == row)?)? >= 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!(Unit::PerSecond.show(12_345.0), "12 k");
        assert_eq!(Unit::PerSecond.show(2_100_000.0), "2.10 M");
        assert_eq!(Unit::PerSecond.show(791.3), "791");
        assert_eq!(Unit::Microseconds.show(12_000.0), "12.0 ms");
        assert_eq!(Unit::Bytes.show(4_301.0), "4.30 kB");
        assert_eq!(Unit::Times.show(1.5), "1.50 ×");
    }

    #[test]
    fn rows_have_ids_of_their_own() {
        for (at, row) in ROWS.iter().enumerate() {
            assert!(ROWS[..at].iter().all(|other| other.id != row.id), "{}", row.id);
        }
    }
}
