//! `hexxladb prune`: gives up old states to win space; shows what it would do unless told to act.
//!
//! What always holds: without `--yes` no byte changes. With it the work is done in batches, each
//! of which leaves a whole database behind; a signal ends it between two of them.

use std::io::Write;
use std::path::PathBuf;

use hexxladb::{Db, PrunePlan, PruneProfile};
use serde::Serialize;

use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::policy::{self, Policy};
use crate::progress::Progress;
use crate::stop::Stop;
use crate::{at, text};

/// Rows that a batch removes at most, where no profile says.
const BATCH_ROWS: u64 = 2048;

/// Give up old states: show what would go, and with --yes remove it
///
/// The newest state is never touched. Snapshot tags keep their states and all later ones.
#[derive(Debug, clap::Args)]
#[command(group(
    clap::ArgGroup::new("what")
        .args(["before", "keep_commits", "keep_duration"])
        .required(true)
        .multiple(true)
))]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    /// Give up the states before this commit: a sequence, a time, or a snapshot tag
    #[arg(
        long,
        value_name = "SEQ|TIME|TAG",
        allow_hyphen_values = true,
        conflicts_with_all = ["keep_commits", "keep_duration", "profile"]
    )]
    before: Option<String>,
    #[command(flatten)]
    policy: Policy,
    /// How to follow the policy: low-latency keeps just what it says, balanced a quarter more,
    /// long-history twice as much
    #[arg(long, value_enum, default_value_t = Profile::Balanced)]
    profile: Profile,
    /// Remove it
    #[arg(long)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Profile {
    LowLatency,
    Balanced,
    LongHistory,
}

impl From<Profile> for PruneProfile {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::LowLatency => Self::LowLatency,
            Profile::Balanced => Self::Balanced,
            Profile::LongHistory => Self::LongHistory,
        }
    }
}

/// What is printed with `--json`.
#[derive(Serialize)]
struct Report<'a> {
    plan: &'a PrunePlan,
    done: Option<Done>,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Done {
    rows: u64,
    oldest_readable_seq: u64,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write, stop: &Stop) -> Result<(), Failure> {
    let db = args.policy.open(&args.db, !args.yes)?;
    let result = prune(args, &db, out, stop);
    // Closed cleanly whatever came; the first failure is the one to tell.
    let closed = db.close().map_err(Failure::from);
    result.and(closed)
}

fn prune(args: &Args, db: &Db, out: &mut dyn Write, stop: &Stop) -> Result<(), Failure> {
    let plan = match &args.before {
        Some(before) => db.plan_prune(at::sequence(db, before)?)?,
        None => db.plan_prune_by_profile(args.profile.into())?,
    };
    if !args.json {
        print_plan(&plan, out)?;
        // Before the work begins, for whoever reads along.
        out.flush()?;
    }
    let done = if args.yes { Some(act(db, &plan, stop)?) } else { None };
    if args.json {
        return print_line(out, &Report { plan: &plan, done });
    }
    match done {
        Some(done) => print_done(out, done),
        None if plan.rows == 0 && plan.commits == 0 => {
            writeln!(out, "nothing would go; nothing was changed")?;
            Ok(())
        }
        None => {
            writeln!(out, "nothing was changed; the same command with --yes removes this")?;
            Ok(())
        }
    }
}

fn act(db: &Db, plan: &PrunePlan, stop: &Stop) -> Result<Done, Failure> {
    let mut progress = Progress::of("prune", "rows", 0, plan.rows);
    let mut rows = 0;
    loop {
        stop.check(|| {
            format!(
                "{} of {} are removed; run the same command again to go on",
                text::count(rows),
                text::counted(plan.rows, "row")
            )
        })?;
        let (removed, is_done) = batch(db, plan)?;
        rows += removed;
        progress.set(rows, || "removed".to_owned());
        if is_done {
            drop(progress);
            return Ok(Done { rows, oldest_readable_seq: db.stats_mvcc()?.oldest_readable_seq });
        }
    }
}

/// Removes one batch: how many rows that were, and whether it was the last.
fn batch(db: &Db, plan: &PrunePlan) -> Result<(u64, bool), Failure> {
    if plan.policy.is_some() {
        let pruned = db.prune_cell_versions_by_profile(plan)?;
        return Ok((pruned.rows, pruned.done));
    }
    let removed = db.prune_cell_versions(plan.before, BATCH_ROWS)?;
    Ok((removed, removed < BATCH_ROWS))
}

fn print_plan(plan: &PrunePlan, out: &mut dyn Write) -> Result<(), Failure> {
    if plan.policy.is_some() {
        writeln!(out, "keep              {}", policy::show(plan.policy))?;
    }
    writeln!(out, "prune before      {}", text::count(plan.before))?;
    writeln!(out, "oldest readable   {}", text::count(plan.floor))?;
    let held = plan.held_by.as_ref().map_or("nothing".to_owned(), ToString::to_string);
    writeln!(out, "held by           {}", text::one_line(&held, usize::MAX))?;
    let bytes = text::size(plan.bytes);
    writeln!(out, "goes              {} ({bytes})", text::counted(plan.rows, "row"))?;
    writeln!(out, "from the timeline {}", text::counted(plan.commits, "commit"))?;
    Ok(())
}

fn print_done(out: &mut dyn Write, done: Done) -> Result<(), Failure> {
    let (rows, oldest) = (text::counted(done.rows, "row"), text::count(done.oldest_readable_seq));
    writeln!(out, "removed {rows}; the oldest readable commit is {oldest}")?;
    Ok(())
}
