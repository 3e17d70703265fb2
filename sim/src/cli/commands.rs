//! What the commands do.

use std::error::Error;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hexxladb_sim::campaign::{self, Campaign, Results};
use hexxladb_sim::exhaustive::{Counts, Effort, ROTTEN, Watch, points, rot, run_script, scripts};
use hexxladb_sim::op::Plan;
use hexxladb_sim::oracle::Failure;
use hexxladb_sim::report::{CAMPAIGN_SEEDS, Report, per_second};
use hexxladb_sim::runner;
use hexxladb_sim::shrink::shrink;

use super::Common;
use super::watch::{commented, default_dir, line, watched, write_plan};

type Outcome = Result<bool, Box<dyn Error>>;

/// Candidate plans that shrinking may try.
const SHRINK_RUNS: u32 = 3_000;

/// How long a campaign spends on shrinking one failure; `shrink` takes its time.
const SHRINK_TIME: Duration = Duration::from_secs(10);

/// Failures of one campaign that are shrunk; the rest are only listed.
const SHRUNK_FAILURES: usize = 5;

fn watches(common: &Common) -> Vec<Watch> {
    (0..common.threads.max(1)).map(|_| Watch::default()).collect()
}

fn out_dir(common: &Common) -> PathBuf {
    common.out.clone().unwrap_or_else(default_dir)
}

/// Shrinks a failure, writes it down, and says so in one line.
fn reproduce(dir: &Path, what: &str, plan: &Plan, failure: &Failure) -> String {
    let until = Instant::now() + SHRINK_TIME;
    let name = what.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let watch = [Watch::default()];
    let (plan, failure) = watched(
        &watch,
        dir,
        || "shrinking".to_owned(),
        || {
            let smaller = shrink(plan, SHRINK_RUNS, &mut |candidate| {
                if Instant::now() > until {
                    return runner::Outcome::default();
                }
                watch[0].start(|| candidate.clone());
                runner::run(candidate, false)
            });
            watch[0].rest();
            smaller.unwrap_or_else(|| (plan.clone(), failure.clone()))
        },
    );
    match write_plan(dir, &name, &commented(plan, what, &failure)) {
        Ok(file) => line(what, &failure.to_string(), &file),
        Err(error) => format!("FAILED {what}: {failure}; no reproduction: {error}"),
    }
}

fn finish(common: &Common, report: &Report) -> Outcome {
    print!("{report}");
    if let Some(file) = &common.json {
        std::fs::write(file, format!("{:#}\n", report.json()))?;
    }
    Ok(!report.is_bad())
}

/// Runs a campaign and shrinks what fails.
fn seeds(common: &Common, campaign: &Campaign) -> (Report, Results) {
    let start = Instant::now();
    let (done, cycles, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let watches = watches(common);
    let dir = out_dir(common);
    let progress = || {
        let (done, cycles) = (done.load(Ordering::Relaxed), cycles.load(Ordering::Relaxed));
        let rate = per_second(cycles, start.elapsed());
        format!("{done} seeds, {rate:.0} cycles per second")
    };
    let work = || campaign::run(campaign, &watches, (&done, &cycles), &stop);
    let results = watched(&watches, &dir, progress, work);
    let mut report = Report {
        seeds: results.seeds,
        tally: results.tally.clone(),
        probes: results.probes.clone(),
        cycles: results.tally.recoveries,
        elapsed: start.elapsed(),
        ..Report::default()
    };
    for (index, failed) in results.failed.iter().enumerate() {
        let what = format!("seed {}", failed.seed);
        report.failures.push(if index < SHRUNK_FAILURES {
            reproduce(&dir, &what, &failed.plan, &failed.failure)
        } else {
            format!("FAILED {what}: {}", failed.failure)
        });
    }
    (report, results)
}

pub(super) fn run(
    common: &Common,
    range: Range<u64>,
    (twice, keep_going): (bool, bool),
    hash: Option<&Path>,
) -> Outcome {
    let count = range.end - range.start;
    let campaign = Campaign {
        seeds: range,
        threads: common.threads,
        faults: !common.no_faults,
        twice,
        keep_going,
        until: None,
    };
    let (mut report, results) = seeds(common, &campaign);
    if let Some(file) = hash {
        let lines = results.hashes.iter().map(|(seed, hash)| format!("{seed} {hash:032x}\n"));
        std::fs::write(file, lines.collect::<String>())?;
    }
    if count >= CAMPAIGN_SEEDS && !common.no_faults && report.failures.is_empty() {
        report.judge_campaign();
    }
    finish(common, &report)
}

pub(super) fn soak(common: &Common, minutes: u64, from: u64) -> Outcome {
    let campaign = Campaign {
        seeds: from..u64::MAX,
        threads: common.threads,
        faults: !common.no_faults,
        twice: false,
        keep_going: false,
        until: Some(Instant::now() + Duration::from_secs(minutes * 60)),
    };
    let (mut report, _) = seeds(common, &campaign);
    if report.seeds >= CAMPAIGN_SEEDS && !common.no_faults && report.failures.is_empty() {
        report.judge_campaign();
    }
    finish(common, &report)
}

pub(super) fn list_scripts() {
    for (name, plan) in scripts() {
        println!("{name} ({} operations)", plan.ops.len());
    }
}

/// Scripts under the exhaustive mode, each within its share of the time when there is a limit.
fn try_scripts(common: &Common, chosen: &[(&'static str, Plan)], time: Option<Duration>) -> Report {
    let start = Instant::now();
    let counts = Counts::default();
    let watches = watches(common);
    let dir = out_dir(common);
    let stop = AtomicBool::new(false);
    let mut report = Report::default();
    let now = std::sync::Mutex::new("");
    let progress = || {
        let cycles = counts.cycles.load(Ordering::Relaxed);
        let rate = per_second(cycles, start.elapsed());
        let name = now.lock().map_or("", |name| *name);
        let points = counts.points.load(Ordering::Relaxed);
        format!("{name}: {points} points, {cycles} cycles, {rate:.0} per second")
    };
    let found = watched(&watches, &dir, progress, || {
        for (index, (name, plan)) in chosen.iter().enumerate() {
            if let Ok(mut now) = now.lock() {
                *now = *name;
            }
            if common.no_faults {
                if let Err(found) = points(plan) {
                    return Some((*name, found));
                }
                continue;
            }
            let share = |time: Duration| {
                let left = (start + time).saturating_duration_since(Instant::now());
                left / (chosen.len() - index) as u32
            };
            let deadline = time.map(|time| Instant::now() + share(time));
            let effort = Effort { threads: common.threads, deadline, nested: true };
            let mut tried = run_script(plan, effort, &counts, &watches, &stop);
            if tried.is_ok() && ROTTEN.contains(name) {
                let deadline = time.map(|time| Instant::now() + share(time) / 2);
                tried = rot(plan, Effort { deadline, ..effort }, &counts, &watches, &stop);
            }
            if let Err(found) = tried {
                return Some((*name, found));
            }
        }
        None
    });
    report.elapsed = start.elapsed();
    report.cycles = counts.cycles.load(Ordering::Relaxed);
    report.exhaustive = vec![
        ("places to crash at", counts.points.load(Ordering::Relaxed)),
        ("crash states", counts.states.load(Ordering::Relaxed)),
        ("different images recovered", counts.images.load(Ordering::Relaxed)),
        ("crash states within recoveries", counts.nested_states.load(Ordering::Relaxed)),
        ("different images of those recovered", counts.nested_images.load(Ordering::Relaxed)),
        ("bytes flipped", counts.flips.load(Ordering::Relaxed)),
        ("flips that fell back and said so", counts.exceptions.load(Ordering::Relaxed)),
    ];
    report.probes = counts.probes.lock().map(|probes| probes.clone()).unwrap_or_default();
    report.merge_probes(&hexxladb::probe::take());
    if let Some((name, found)) = found {
        let what = format!("script {name}");
        report.failures.push(reproduce(&dir, &what, &found.plan, &found.failure));
    }
    report
}

pub(super) fn exhaustive(common: &Common, names: &[String]) -> Outcome {
    let mut chosen = scripts();
    if let Some(unknown) = names.iter().find(|name| !chosen.iter().any(|(known, _)| known == name))
    {
        return Err(format!("there is no script {unknown}; see exhaustive --list").into());
    }
    if !names.is_empty() {
        chosen.retain(|(name, _)| names.iter().any(|wanted| wanted == name));
    }
    let report = try_scripts(common, &chosen, None);
    finish(common, &report)
}

/// Half the time for scripts, half for seeds, some of them twice.
pub(super) fn smoke(common: &Common, seconds: u64) -> Outcome {
    let start = Instant::now();
    let time = Duration::from_secs(seconds);
    let campaign = |seeds: Range<u64>, twice, until| Campaign {
        seeds,
        threads: common.threads,
        faults: !common.no_faults,
        twice,
        keep_going: false,
        until: Some(until),
    };
    let (first, _) = seeds(common, &campaign(0..100, true, start + time / 4));
    let mut report = first;
    if report.failures.is_empty() {
        let scripts = try_scripts(common, &scripts(), Some(time / 2));
        add(&mut report, scripts);
    }
    if report.failures.is_empty() {
        let (rest, _) = seeds(common, &campaign(100..u64::MAX, false, start + time));
        add(&mut report, rest);
    }
    report.elapsed = start.elapsed();
    finish(common, &report)
}

fn add(report: &mut Report, other: Report) {
    report.seeds += other.seeds;
    report.tally.merge(&other.tally);
    report.merge_probes(&other.probes);
    report.exhaustive.extend(other.exhaustive);
    report.cycles += other.cycles;
    report.failures.extend(other.failures);
    report.missed.extend(other.missed);
}

fn read_plan(file: &Path) -> Result<Plan, Box<dyn Error>> {
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(text.parse().map_err(|error| format!("{}: {error}", file.display()))?)
}

pub(super) fn replay(files: &[PathBuf], trace: bool) -> Outcome {
    let mut well = true;
    let watch = [Watch::default()];
    for file in files {
        let plan = read_plan(file)?;
        watch[0].start(|| plan.clone());
        let dir = default_dir();
        let outcome =
            watched(&watch, &dir, || "replaying".to_owned(), || runner::run(&plan, trace));
        watch[0].rest();
        for line in &outcome.trace {
            println!("{line}");
        }
        let name = file.display();
        match outcome.failure {
            None => println!("{name}: passed, {:032x}", outcome.hash),
            Some((at, failure)) => {
                well = false;
                let op = plan.ops.get(at).map_or("(settle)".into(), ToString::to_string);
                println!("{name}: FAILED at operation {at}, {op}: {failure}");
            }
        }
    }
    Ok(well)
}

pub(super) fn shrink_file(file: &Path, out: Option<&Path>) -> Outcome {
    let plan = read_plan(file)?;
    let watch = [Watch::default()];
    let dir = default_dir();
    let smaller = watched(
        &watch,
        &dir,
        || "shrinking".to_owned(),
        || {
            let smaller = shrink(&plan, SHRINK_RUNS, &mut |candidate| {
                watch[0].start(|| candidate.clone());
                runner::run(candidate, false)
            });
            watch[0].rest();
            smaller
        },
    );
    let Some((smaller, failure)) = smaller else {
        println!("{}: passes; there is nothing to shrink", file.display());
        return Ok(true);
    };
    let out = out.map_or_else(|| file.with_extension("small.plan"), Path::to_path_buf);
    let (from, to) = (plan.ops.len(), smaller.ops.len());
    std::fs::write(&out, commented(smaller, "shrinking", &failure).to_string())?;
    println!("{from} operations became {to}: {failure}; written to {}", out.display());
    Ok(false)
}
