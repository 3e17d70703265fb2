//! `hexxladb stats`: the engine's own counters, under the names of the specification.

use std::io::Write;
use std::path::PathBuf;

use hexxladb::Stats;
use serde::Serialize;

use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::{open_to_read, text};

/// Print counts and sizes
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    commit_seq: u64,
    logical_cell_count: u64,
    visible_cell_count: u64,
    versioned_row_count: u64,
    oldest_readable_seq: u64,
    families: Vec<Family>,
    page_size: u32,
    file_pages: u64,
    free_pages: u64,
    wal_bytes: u64,
    cache_bytes_used: u64,
    format_version: u32,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the specification")]
struct Family {
    family: &'static str,
    visible: u64,
    logical: u64,
    rows: u64,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let db = open_to_read(&args.db)?;
    let stats = db.stats_mvcc()?;
    if args.json { print_line(out, &report(&stats)) } else { print(out, &stats) }
}

fn report(stats: &Stats) -> Report {
    Report {
        commit_seq: stats.commit_seq,
        logical_cell_count: stats.logical_cell_count,
        visible_cell_count: stats.visible_cell_count,
        versioned_row_count: stats.versioned_row_count,
        oldest_readable_seq: stats.oldest_readable_seq,
        families: stats
            .families
            .iter()
            .map(|f| Family {
                family: f.family,
                visible: f.visible,
                logical: f.logical,
                rows: f.rows,
            })
            .collect(),
        page_size: stats.page_size,
        file_pages: stats.file_pages,
        free_pages: stats.free_pages,
        wal_bytes: stats.wal_bytes,
        cache_bytes_used: stats.cache_bytes_used,
        format_version: stats.format_version,
    }
}

fn print(out: &mut dyn Write, stats: &Stats) -> Result<(), Failure> {
    let mut line = |name: &str, value: String| writeln!(out, "{name:<22}{value}");
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
    let pages =
        |n: u64| format!("{} ({})", text::count(n), text::size(n * u64::from(stats.page_size)));
    line("file_pages", pages(stats.file_pages))?;
    line("free_pages", pages(stats.free_pages))?;
    line("wal_bytes", text::count(stats.wal_bytes))?;
    line("cache_bytes_used", text::count(stats.cache_bytes_used))?;
    Ok(())
}
