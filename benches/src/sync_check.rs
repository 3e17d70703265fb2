//! Whether engines really sync: the same single-put commits under `strace -f -c`, 100 and 1,000 of
//! them, and the difference of the counts, so that what opening and closing sync does not count.
//!
//! LMDB writes its meta page through a descriptor opened with `O_DSYNC`, which syncs without a
//! call of its own; its one `fdatasync` per commit is the sync of the data pages.

use std::fmt::Write;
use std::process::Command;

use crate::Result;
use crate::engines::Engine;
use crate::runner::{self, Run};
use crate::workloads::Step;

/// The calls that make data durable.
const CALLS: &str = "trace=fsync,fdatasync,msync,sync_file_range";
/// Commits of the two runs that are compared.
const COMMITS: [u64; 2] = [100, 1_000];

/// What was counted for one engine.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// The engine.
    pub engine: Engine,
    /// Syncs per commit of one writer.
    pub one_writer: f64,
    /// Syncs per commit of 16 writers.
    pub sixteen_writers: f64,
}

/// Whether `strace` is there.
pub fn is_possible() -> bool {
    Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success())
}

/// Counts the syncs of each engine.
pub fn count(run: &Run, mut progress: impl FnMut(&str)) -> Result<Vec<Counted>> {
    let mut counted = Vec::new();
    for &engine in &run.engines {
        if matches!(engine, Engine::Disk | Engine::OrderedMap) {
            continue;
        }
        progress(&format!("counting the syncs of {}", engine.name()));
        let one_writer = per_commit(run, engine, 1)?;
        let sixteen_writers = per_commit(run, engine, 16)?;
        counted.push(Counted { engine, one_writer, sixteen_writers });
    }
    Ok(counted)
}

fn per_commit(run: &Run, engine: Engine, threads: u64) -> Result<f64> {
    let few = syncs(run, engine, threads, COMMITS[0])?;
    let many = syncs(run, engine, threads, COMMITS[1])?;
    Ok((many as f64 - few as f64) / (COMMITS[1] - COMMITS[0]) as f64)
}

fn syncs(run: &Run, engine: Engine, threads: u64, commits: u64) -> Result<u64> {
    let mut summary = None;
    let outcome = run.in_fresh_dir(|dir| {
        // Outside the directory, which is gone when the child's outcome is here.
        let path = run.dir.join(format!("strace-{}", std::process::id()));
        let child = run.child(Step::Commits(threads, commits), engine, 1, dir)?;
        let mut traced = Command::new("strace");
        traced.args(["-f", "-c", "-e", CALLS, "-o"]).arg(&path);
        traced.arg(child.get_program()).args(child.get_args());
        summary = Some(path);
        Ok(traced)
    })?;
    let path = summary.ok_or("no trace")?;
    let text = std::fs::read_to_string(&path)?;
    std::fs::remove_file(&path)?;
    runner::parse(&outcome)?;
    total_calls(&text)
}

/// The calls in a summary of strace, whose lines end in the call's name after its count and,
/// where there were any, its errors. A sync that failed makes nothing durable.
fn total_calls(summary: &str) -> Result<u64> {
    let mut calls = 0;
    for line in summary.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields.as_slice() {
            [_, _, _, count, name] if CALLS.contains(name) => calls += count.parse::<u64>()?,
            [_, _, _, _, errors, name] if CALLS.contains(name) => {
                return Err(format!("{errors} calls of {name} failed").into());
            }
            _ => {}
        }
    }
    Ok(calls)
}

/// The counts as a table.
pub fn table(counted: &[Counted]) -> String {
    let mut text = String::from(
        "| engine | syncs per commit, 1 writer | syncs per commit, 16 writers |\n| --- | ---: | ---: |\n",
    );
    for it in counted {
        let (one, sixteen) = (it.one_writer, it.sixteen_writers);
        let _ = writeln!(text, "| {} | {one:.2} | {sixteen:.2} |", it.engine.title());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_of_strace_is_read() {
        let summary = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 98.00    0.100000         100      1003           fdatasync
  2.00    0.000100          50         2           fsync
------ ----------- ----------- --------- --------- ----------------
100.00    0.100100         100      1005           total
";
        assert_eq!(total_calls(summary).unwrap(), 1005);
        let failed = " 98.00    0.100000         100      1003         1 fdatasync\n";
        assert!(total_calls(failed).is_err());
        assert_eq!(total_calls("").unwrap(), 0);
    }
}
