//! Child processes with a time limit: whatever an engine does in one, the run goes on.

use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

/// How often the parent looks whether the child has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(2);
/// Bytes of a child's error output that are worth repeating.
const ERROR_TAIL_BYTES: usize = 300;

/// How a child ended.
#[derive(Debug)]
pub enum Ending {
    /// By itself.
    Exited(ExitStatus),
    /// It took longer than it was given and was killed.
    TimedOut,
}

/// What a child left behind.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Outcome {
    /// The last words of standard error, on one line.
    pub fn last_words(&self) -> String {
        let text = self.stderr.trim().replace('\n', "; ");
        let from = text.len().saturating_sub(ERROR_TAIL_BYTES);
        let from = (from..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text[from..].to_owned()
    }
}

/// Runs `command` for at most `limit`. Its output goes through files in `scratch`, so that a full
/// pipe can never make it wait.
pub fn run(mut command: Command, scratch: &Path, limit: Duration) -> Result<Outcome> {
    let (out, err) = (scratch.join("stdout"), scratch.join("stderr"));
    command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&err)?);
    let mut child = command.spawn()?;
    let start = Instant::now();
    let ending = loop {
        if let Some(status) = child.try_wait()? {
            break Ending::Exited(status);
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            break Ending::TimedOut;
        }
        std::thread::sleep(POLL_INTERVAL);
    };
    let (out, err) = (std::fs::read(out)?, std::fs::read(err)?);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Outcome { ending, stdout: text(&out), stderr: text(&err) })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Outcome {
        let scratch = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, scratch.path(), limit).unwrap()
    }

    #[test]
    fn output_of_any_size_comes_back() {
        let outcome = shell(
            "i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done",
            Duration::from_mins(1),
        );
        assert!(matches!(outcome.ending, Ending::Exited(status) if status.success()));
        assert_eq!(outcome.stdout.len(), 220_000);
    }

    #[test]
    fn a_hanging_child_is_killed_and_a_dying_one_noticed() {
        let start = Instant::now();
        let outcome = shell("exec sleep 60", Duration::from_millis(100));
        assert!(matches!(outcome.ending, Ending::TimedOut));
        assert!(start.elapsed() < Duration::from_secs(30));

        let outcome = shell("echo last words >&2; kill -9 $$", Duration::from_mins(1));
        assert!(matches!(outcome.ending, Ending::Exited(status) if !status.success()));
        assert_eq!(outcome.last_words(), "last words");
    }
}
