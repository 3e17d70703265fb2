//! Workers under watch: progress on standard error, and an end to those that hang.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hexxladb_sim::exhaustive::Watch;
use hexxladb_sim::op::Plan;
use hexxladb_sim::oracle::Failure;

/// A worker that is at one thing for longer hangs without doing input or output.
const HANG: Duration = Duration::from_secs(40);

/// Writes a reproduction; returns the file.
pub(super) fn write_plan(dir: &Path, name: &str, plan: &Plan) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(dir)?;
    let file = dir.join(format!("{name}.plan"));
    std::fs::write(&file, plan.to_string())?;
    Ok(file)
}

/// The one line that says what failed and how to see it again.
pub(super) fn line(what: &str, failure: &str, file: &Path) -> String {
    let file = file.display();
    format!(
        "FAILED {what}: {failure}; reproduction {file}; replay: \
         cargo run --release -p hexxladb-sim -- replay {file}"
    )
}

/// Where reproductions go unless told otherwise.
pub(super) fn default_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from).join("sim")
}

/// Adds what failed to the comment of its plan.
pub(super) fn commented(mut plan: Plan, what: &str, failure: &Failure) -> Plan {
    plan.comment = vec![format!("found by {what}: {failure}")];
    plan
}

/// Runs `work` while progress is printed, and ends the program when a worker hangs.
pub(super) fn watched<T>(
    watches: &[Watch],
    dir: &Path,
    progress: impl Fn() -> String + Sync,
    work: impl FnOnce() -> T,
) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let start = Instant::now();
            let ticks = AtomicU64::new(0);
            while !done.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
                if let Some(plan) = watches.iter().find_map(|watch| watch.overdue(HANG)) {
                    hung(dir, plan);
                }
                if ticks.fetch_add(1, Ordering::Relaxed) % 100 == 99 {
                    eprintln!("{:>5} s  {}", start.elapsed().as_secs(), progress());
                }
            }
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        result
    })
}

fn hung(dir: &Path, mut plan: Plan) -> ! {
    plan.comment = vec!["hangs in its last operation without doing input or output".to_owned()];
    match write_plan(dir, "hang", &plan) {
        Ok(file) => println!("{}", line("by hanging", "hang: no end in sight", &file)),
        Err(error) => println!("FAILED by hanging; its plan cannot be written: {error}\n{plan}"),
    }
    std::process::exit(1)
}
