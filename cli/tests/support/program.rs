//! Runs the built program and looks at all it answers.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// What a run of the program answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).expect("text on standard output")
    }

    /// The lines of standard output as JSON.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// Asserts that all went well.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.lossy(), self.stderr);
        self
    }

    /// Asserts how it ended.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.lossy(), self.stderr);
        self
    }

    fn lossy(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).expect("text on standard error");
        assert!(!stderr.contains("panicked"), "{stderr}");
        Self { code: output.status.code().unwrap_or(-1), stdout: output.stdout, stderr }
    }
}

/// The program, away from the user's settings.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hexxladb"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env_remove("COLUMNS")
        .stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Answer {
    program().args(arguments).output().expect("the program runs").into()
}

/// Runs it to its end with this input.
pub(crate) fn run_with<A: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = A>,
    input: &[u8],
) -> Answer {
    let mut child = program()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // The program may end before it has read everything.
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let answer = child.wait_with_output().expect("an end").into();
    writer.join().expect("written");
    answer
}

/// Sends a signal by its number.
pub(crate) fn signal(child: &Child, number: i32) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args([&format!("-{number}"), &pid]).status();
    assert!(status.expect("kill runs").success());
}

/// Sends a signal to a child that leads a process group, and to all in the group.
pub(crate) fn signal_group(child: &Child, number: i32) {
    let group = format!("-{}", child.id());
    let status = Command::new("kill").args([&format!("-{number}"), "--", &group]).status();
    assert!(status.expect("kill runs").success());
}

/// Waits for an end that must come.
pub(crate) fn wait(child: Child) -> Answer {
    let mut child = child;
    let started = Instant::now();
    while child.try_wait().expect("a child to wait for").is_none() {
        if started.elapsed() > Duration::from_mins(2) {
            let _ = child.kill();
            panic!("the program does not end");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().expect("an end").into()
}

/// Runs the program and sends it a signal after so many milliseconds, unless it has ended by then.
pub(crate) fn run_signalled(
    arguments: impl IntoIterator<Item = OsString>,
    number: i32,
    delay_millis: u64,
) -> Answer {
    let mut child = program()
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program to start");
    std::thread::sleep(Duration::from_millis(delay_millis));
    if child.try_wait().expect("a child to look at").is_none() {
        signal(&child, number);
    }
    wait(child)
}

/// A directory of the test's own.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a temporary directory"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn dir(&self) -> &Path {
        self.0.path()
    }

    /// A text with the directory's name taken out.
    pub(crate) fn strip(&self, text: &str) -> String {
        text.replace(&*self.dir().to_string_lossy(), "[dir]")
    }
}

/// Lines for `ingest`: cells (n, 0) with these texts, which need no escapes.
pub(crate) fn cell_lines(cells: usize, text: impl Fn(usize) -> String) -> String {
    use std::fmt::Write as _;
    let mut lines = String::new();
    for n in 0..cells {
        let text = text(n);
        writeln!(lines, "{{\"q\":{n},\"r\":0,\"raw_content\":\"{text}\"}}").expect("text");
    }
    lines
}

/// Makes an argument list of values that are not all of one type.
macro_rules! args {
    ($($argument:expr),* $(,)?) => { [$(::std::ffi::OsString::from($argument)),*] };
}
pub(crate) use args;
