//! `hexxladb changelog info`, `repair`, `rotate`, `trim` and `archive`: the files of the changelog.
//!
//! What always holds: nothing but `trim` removes a file, and it keeps what a consumer has not read.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use hexxladb::{ChangelogReader, ChangelogSegment, Db, Options};
use serde::Serialize;

use super::open_reader;
use super::state::State;
use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::keeping::{Keeping, open_kept};
use crate::policy::{parse_bytes, parse_duration};
use crate::text;

/// Show the segments: commits, bytes, and whether the changelog is on
#[derive(Debug, clap::Args)]
pub(crate) struct InfoArgs {
    /// The database, or a directory that `changelog archive` filled
    db: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Mend the files: keep what is intact, write anew what the database still knows, declare the rest
/// lost
///
/// Damaged files stay, under new names. A changelog that does not belong to the database, or is
/// ahead of it, is set aside, and a fresh one begun.
#[derive(Debug, clap::Args)]
pub(crate) struct RepairArgs {
    /// The database
    db: PathBuf,
    #[command(flatten)]
    keeping: Keeping,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Seal the segment that is being written and begin another
#[derive(Debug, clap::Args)]
pub(crate) struct RotateArgs {
    /// The database
    db: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Remove sealed segments, oldest first
///
/// Each option lets segments go by itself. What a consumer has not read stays, and so does the
/// segment that is being written: `changelog rotate` seals it.
#[derive(Debug, clap::Args)]
#[command(group(
    clap::ArgGroup::new("what")
        .args(["keep_for", "keep_bytes", "consumed"])
        .required(true)
        .multiple(true)
))]
pub(crate) struct TrimArgs {
    /// The database
    db: PathBuf,
    /// Those whose last commit is older: 90s, 30m, 12h, 7d, 4w
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    keep_for: Option<Duration>,
    /// As many as it takes until all together are no larger: 500000, 64K, 10M, 2G
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    keep_bytes: Option<u64>,
    /// Those that every consumer has read
    #[arg(long)]
    consumed: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Copy the sealed segments to a directory, as far as it does not have them
///
/// Reads beside a program that writes. The other commands that take a directory read the copies;
/// `changelog rotate` seals the segment that is being written.
#[derive(Debug, clap::Args)]
pub(crate) struct ArchiveArgs {
    /// The database
    db: PathBuf,
    /// The directory; made if there is none
    dir: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Info {
    #[serde(flatten)]
    state: State,
    files: Vec<ChangelogSegment>,
}

pub(crate) fn info(args: &InfoArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let (state, info) = State::read(&open_reader(&args.db)?)?;
    let info = Info { state, files: info.segments };
    if args.json { print_line(out, &info) } else { print_info(out, args.db.is_dir(), &info) }
}

fn print_info(out: &mut dyn Write, archive: bool, info: &Info) -> Result<(), Failure> {
    if !archive {
        writeln!(out, "values    {}", info.state.values)?;
    }
    writeln!(out, "commits   {}", info.state.commits())?;
    let (size, count) = (text::size(info.state.bytes), info.state.segments as u64);
    writeln!(out, "size      {size} in {}", text::counted(count, "segment"))?;
    for file in &info.files {
        let commits = if file.last > file.base {
            text::commits(file.base + 1, file.last)
        } else {
            format!("no commits, begins after {}", text::count(file.base))
        };
        let sealed = if file.sealed { "sealed" } else { "open" };
        let (size, name) = (text::size(file.bytes), file.path.display());
        writeln!(out, "  {:06}  {commits}\t{size}\t{sealed}\t{name}", file.ordinal)?;
    }
    Ok(())
}

pub(crate) fn repair(args: &RepairArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let options = args.keeping.options(&args.db, Options::new().create_if_missing(false))?;
    let done = Db::repair_changelog(&args.db, options)?;
    if args.json {
        return print_line(out, &done);
    }
    for found in &done.found {
        writeln!(out, "found: {found}")?;
    }
    for path in &done.set_aside {
        writeln!(out, "set aside: {}", path.display())?;
    }
    for (what, runs) in [("written anew", &done.rebuilt), ("lost", &done.lost)] {
        for (first, last) in runs {
            writeln!(out, "{what}: {}", text::commits(*first, *last))?;
        }
    }
    writeln!(out, "{}", if done.is_clean() { "nothing to mend" } else { "mended" })?;
    Ok(())
}

pub(crate) fn rotate(args: &RotateArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let db = open_kept(&args.db, |changelog| changelog)?;
    let before = db.changelog_info().map_err(Failure::from);
    let done = db.rotate_changelog().map_err(Failure::from);
    let after = db.changelog_info().map_err(Failure::from);
    // Closed cleanly whatever came; the first failure is the one to tell.
    let closed = db.close().map_err(Failure::from);
    let (before, after) = (before?, done.and(after)?);
    closed?;
    let was_sealed = |ordinal| before.segments.iter().any(|s| s.ordinal == ordinal && s.sealed);
    let sealed = after.segments.into_iter().find(|s| s.sealed && !was_sealed(s.ordinal));
    if args.json {
        return print_line(out, &serde_json::json!({ "sealed": sealed }));
    }
    match sealed {
        Some(segment) => writeln!(out, "sealed {}", segment.path.display())?,
        None => writeln!(out, "nothing to seal: the segment that is being written is empty")?,
    }
    Ok(())
}

pub(crate) fn trim(args: &TrimArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let db = open_kept(&args.db, |mut changelog| {
        if let Some(age) = args.keep_for {
            changelog = changelog.keep_for(age);
        }
        if let Some(bytes) = args.keep_bytes {
            changelog = changelog.keep_bytes(bytes);
        }
        changelog.drop_consumed(args.consumed)
    })?;
    let done = (|| {
        let removed = db.trim_changelog()?;
        Ok::<_, Failure>((removed, db.changelog_info()?.oldest))
    })();
    // Closed cleanly whatever came; the first failure is the one to tell.
    let closed = db.close().map_err(Failure::from);
    let (removed, oldest) = done.and_then(|done| closed.map(|()| done))?;
    if args.json {
        return print_line(out, &serde_json::json!({ "removed": removed, "oldest": oldest }));
    }
    let removed = text::counted(removed, "segment");
    match oldest {
        Some(oldest) => {
            writeln!(out, "removed {removed}; the oldest commit is {}", text::count(oldest))?;
        }
        None => writeln!(out, "removed {removed}; no commits are left")?,
    }
    Ok(())
}

pub(crate) fn archive(args: &ArchiveArgs, out: &mut dyn Write) -> Result<(), Failure> {
    // Before the directory is made.
    let reader = ChangelogReader::open(&args.db)?;
    std::fs::create_dir_all(&args.dir).map_err(|error| {
        Failure::Input(format!("cannot make the directory {}: {error}", args.dir.display()))
    })?;
    let copied = reader.archive(&args.dir)?;
    if args.json {
        return print_line(out, &serde_json::json!({ "copied": copied }));
    }
    for path in &copied {
        writeln!(out, "{}", path.display())?;
    }
    if copied.is_empty() {
        let open = reader.info()?.segments.iter().filter(|s| !s.sealed && s.last > s.base).count();
        let hint =
            if open > 0 { "; `changelog rotate` seals the one that is written to" } else { "" };
        writeln!(out, "nothing new to copy{hint}")?;
    }
    Ok(())
}
