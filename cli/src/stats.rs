//! `hexxladb stats`: the engine's own counters, under the names of the specification.

use std::io::Write;
use std::path::PathBuf;

use hexxladb::Stats;
use serde::Serialize;

use crate::cell_json::print_line;
use crate::changelog::state::{Consumer, State};
use crate::failure::Failure;
use crate::policy::{self, Policy};
use crate::text;

/// Print counts and sizes
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    #[command(flatten)]
    policy: Policy,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let db = args.policy.open(&args.db, true)?;
    let report = Report {
        stats: db.stats_mvcc()?,
        changelog: State::of(&args.db)?,
        consumers: Consumer::all(&db)?,
    };
    if args.json {
        return print_line(out, &report);
    }
    print(out, &report.stats)?;
    print_changelog(out, &report)
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    stats: Stats,
    changelog: Option<State>,
    consumers: Vec<Consumer>,
}

fn print_changelog(out: &mut dyn Write, report: &Report) -> Result<(), Failure> {
    let mut line = |name: &str, value: &str| writeln!(out, "{name:<24}{value}");
    let Some(changelog) = &report.changelog else { return Ok(line("changelog", "off")?) };
    line("changelog", changelog.values)?;
    line("changelog_commits", &changelog.commits())?;
    let segments = text::counted(changelog.segments as u64, "segment");
    let bytes = text::count(changelog.bytes);
    line("changelog_bytes", &format!("{bytes} in {segments}"))?;
    for consumer in &report.consumers {
        line(&format!("  {}", text::one_line(&consumer.name, 60)), &consumer.show())?;
    }
    Ok(())
}

fn print(out: &mut dyn Write, stats: &Stats) -> Result<(), Failure> {
    let mut line = |name: &str, value: String| writeln!(out, "{name:<24}{value}");
    line("commit_seq", text::count(stats.commit_seq))?;
    line("oldest_readable_seq", text::count(stats.oldest_readable_seq))?;
    line("visible_cell_count", text::count(stats.visible_cell_count))?;
    line("logical_cell_count", text::count(stats.logical_cell_count))?;
    line("versioned_row_count", text::count(stats.versioned_row_count))?;
    for f in &stats.families {
        let counts = format!(
            "{} visible, {} logical, {} rows",
            text::count(f.visible),
            text::count(f.logical),
            text::count(f.rows)
        );
        line(&format!("  {}", f.family), counts)?;
    }
    line("format_version", stats.format_version.to_string())?;
    line("page_size", stats.page_size.to_string())?;
    line("retention", policy::show(stats.retention))?;
    let suggested = stats.suggested_prune_before_seq.map_or("none".to_owned(), text::count);
    line("suggested_prune_before", suggested)?;
    let held = stats.floor_held_by.as_ref().map_or("nothing".to_owned(), ToString::to_string);
    line("floor_held_by", text::one_line(&held, usize::MAX))?;
    let rate = stats.commits_per_hour.map_or("unknown".to_owned(), |rate| format!("{rate:.1}"));
    line("commits_per_hour", rate)?;
    let pages =
        |n: u64| format!("{} ({})", text::count(n), text::size(n * u64::from(stats.page_size)));
    line("file_pages", pages(stats.file_pages))?;
    line("free_pages", pages(stats.free_pages))?;
    line("reclaimable_pages", pages(stats.reclaimable_pages))?;
    line("wal_bytes", text::count(stats.wal_bytes))?;
    line("cache_bytes_used", text::count(stats.cache_bytes_used))?;
    Ok(())
}
