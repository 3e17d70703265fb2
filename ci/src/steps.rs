//! The steps of a check: each announced, timed, and summed up at the end.
//!
//! A failed step does not stop the others, so that one run tells everything. A step that cannot
//! run here says so on a line of its own, and fails where everything is required.

use std::time::{Duration, Instant};

use crate::Result;

/// How a step ended, unless with an error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All of it ran, and passed.
    Passed,
    /// Part of it could not run here, for this reason; the rest passed.
    Skipped(String),
}

/// One step: a name to call it by, what it does in a few words, and the doing. The lines that
/// it adds to the list it is given are shown once more at the very end.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) run: fn(&mut Vec<String>) -> Result<Outcome>,
}

/// What was found of one step.
struct Verdict {
    name: &'static str,
    took: Duration,
    outcome: Result<Outcome>,
}

/// Runs `steps` in order and prints the summary. With `require_all` a skipped part is a failure.
pub(crate) fn run_all(steps: &[&Step], require_all: bool) -> Result<()> {
    let start = Instant::now();
    let mut closing = Vec::new();
    let mut verdicts = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        println!("\n==> [{}/{}] {}: {}", index + 1, steps.len(), step.name, step.what);
        let begun = Instant::now();
        let outcome = settle((step.run)(&mut closing), require_all);
        let verdict = Verdict { name: step.name, took: begun.elapsed(), outcome };
        println!("{}", line(&verdict));
        verdicts.push(verdict);
    }
    println!("\n==> summary");
    for verdict in &verdicts {
        println!("{}", line(verdict));
    }
    for text in closing {
        println!("  {text}");
    }
    let failed: Vec<&str> =
        verdicts.iter().filter(|v| v.outcome.is_err()).map(|v| v.name).collect();
    let seconds = start.elapsed().as_secs_f64();
    if failed.is_empty() {
        println!("check: {} steps passed in {seconds:.0} s", verdicts.len());
        Ok(())
    } else {
        Err(format!(
            "check: {} of {} steps failed in {seconds:.0} s: {}",
            failed.len(),
            verdicts.len(),
            failed.join(", ")
        ))
    }
}

/// A skipped part is a failure where everything is required.
fn settle(outcome: Result<Outcome>, require_all: bool) -> Result<Outcome> {
    match outcome {
        Ok(Outcome::Skipped(reason)) if require_all => {
            Err(format!("REQUIRE_ALL is set, but {reason}"))
        }
        other => other,
    }
}

fn line(verdict: &Verdict) -> String {
    let (word, reason) = match &verdict.outcome {
        Ok(Outcome::Passed) => ("ok", String::new()),
        Ok(Outcome::Skipped(reason)) => ("SKIPPED", format!("  {reason}")),
        Err(reason) => ("FAILED", format!("  {reason}")),
    };
    format!("{word:<8} {:<16} {:>7.1} s{reason}", verdict.name, verdict.took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Step = Step { name: "good", what: "", run: |_| Ok(Outcome::Passed) };
    const PART: Step =
        Step { name: "part", what: "", run: |_| Ok(Outcome::Skipped("no tool".into())) };
    const BAD: Step = Step { name: "bad", what: "", run: |_| Err("broken".into()) };

    #[test]
    fn a_failure_names_its_step_and_the_others_run_all_the_same() {
        assert!(run_all(&[&GOOD], true).is_ok());
        let error = run_all(&[&BAD, &GOOD, &BAD], false).unwrap_err();
        assert!(
            error.starts_with("check: 2 of 3 steps failed") && error.ends_with(": bad, bad"),
            "{error}"
        );
    }

    #[test]
    fn a_skipped_part_fails_only_where_everything_is_required() {
        assert!(run_all(&[&PART], false).is_ok());
        let error = run_all(&[&GOOD, &PART], true).unwrap_err();
        assert!(error.ends_with(": part"), "{error}");
        let reason = settle(Ok(Outcome::Skipped("no tool".into())), true).unwrap_err();
        assert!(reason.contains("REQUIRE_ALL") && reason.contains("no tool"), "{reason}");
    }
}
