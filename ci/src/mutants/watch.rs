//! Running a program that may hang: its output, its status, and how long it took.

use std::io::Read;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::Result;
use crate::sh;

/// How a watched program ended.
pub(super) struct End {
    /// None: it had to be stopped.
    pub(super) status: Option<ExitStatus>,
    pub(super) output: String,
    pub(super) took: Duration,
}

impl End {
    pub(super) fn passed(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// The line that says what failed.
    pub(super) fn report(&self) -> String {
        let failed = self.output.lines().find(|line| line.starts_with("FAILED "));
        let ended =
            || self.status.map_or("hung".to_owned(), |status| format!("ended with {status}"));
        let line = failed.map_or_else(ended, str::to_owned);
        line.split("; reproduction")
            .next()
            .unwrap_or(&line)
            .trim_start_matches("FAILED ")
            .to_owned()
    }
}

/// Runs a program and stops it when it takes longer than `limit`.
pub(super) fn watch(command: &mut Command, limit: Duration) -> Result<End> {
    println!("$ {}", sh::text(command));
    let start = Instant::now();
    let mut child =
        command.spawn().map_err(|e| format!("cannot start {}: {e}", sh::text(command)))?;
    let stdout = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut output = Vec::new();
        stdout.map(|mut from| from.read_to_end(&mut output));
        String::from_utf8_lossy(&output).into_owned()
    });
    let status = wait(&mut child, limit)
        .map_err(|e| format!("cannot wait for {}: {e}", sh::text(command)))?;
    let took = start.elapsed();
    Ok(End { status, output: reader.join().unwrap_or_default(), took })
}

fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    while start.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    #[test]
    fn a_program_that_hangs_is_stopped() {
        let mut sleep = Command::new("sleep");
        sleep.arg("60").stdout(Stdio::piped());
        let end = watch(&mut sleep, Duration::from_millis(50)).unwrap();
        assert!(end.status.is_none() && !end.passed() && end.took < Duration::from_secs(30));
        assert_eq!(end.report(), "hung");
    }

    #[test]
    fn the_line_that_says_what_failed_is_found() {
        let mut echo = Command::new("sh");
        echo.args([
            "-c",
            "echo x; echo 'FAILED seed 7: lost: commit 3; reproduction a.plan; replay: b'; exit 1",
        ]);
        let end = watch(echo.stdout(Stdio::piped()), Duration::from_secs(30)).unwrap();
        assert!(!end.passed());
        assert_eq!(end.report(), "seed 7: lost: commit 3");
    }
}
