//! Running other programs.
//!
//! Each command is shown before it runs, stands in the workspace's root, has no standard input,
//! and turns a bad exit into an error that names it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is a member")
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The cargo that runs this program, called with these words.
pub(crate) fn cargo(words: &str) -> Command {
    let mut command = program(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    command.args(words.split_whitespace());
    // What `cargo run` told this program about itself is nothing to a build.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_"]
            .iter()
            .any(|p| text.starts_with(p))
        {
            command.env_remove(&name);
        }
    }
    command
}

/// A program on the search path, in the workspace's root.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Whether `name` can be run at all with these words.
pub(crate) fn works(name: &str, words: &str) -> bool {
    let mut command = program(name);
    command.args(words.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a command, its output going where this program's goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    show(command);
    let status = command.status().map_err(|e| format!("cannot start {}: {e}", text(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", text(command))) }
}

/// Runs a command as [`run`] does and also returns the lines of its output that `keep` accepts.
pub(crate) fn run_keeping(
    command: &mut Command,
    keep: fn(&str) -> bool,
) -> (Vec<String>, Result<()>) {
    show(command);
    let mut child = match command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(e) => return (Vec::new(), Err(format!("cannot start {}: {e}", text(command)))),
    };
    let errors = child.stderr.take();
    let pump =
        std::thread::spawn(move || errors.map(|from| forward(from, keep, |l| eprintln!("{l}"))));
    let mut kept = child
        .stdout
        .take()
        .map(|from| forward(from, keep, |l| println!("{l}")))
        .unwrap_or_default();
    kept.extend(pump.join().ok().flatten().unwrap_or_default());
    let result = match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{} ended with {status}", text(command))),
        Err(e) => Err(format!("cannot wait for {}: {e}", text(command))),
    };
    (kept, result)
}

/// Runs a command in silence and returns its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|e| format!("cannot start {}: {e}", text(command)))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} ended with {}: {}", text(command), output.status, errors.trim()));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("output of {}: {e}", text(command)))
}

/// The command as one would type it.
pub(crate) fn text(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default();
    let mut words = vec![name.to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}

fn show(command: &Command) {
    println!("$ {}", text(command));
}

/// Passes every line on and returns those to keep.
fn forward(from: impl Read, keep: fn(&str) -> bool, show: fn(&str)) -> Vec<String> {
    let mut kept = Vec::new();
    for line in BufReader::new(from).split(b'\n').map_while(std::result::Result::ok) {
        let line = String::from_utf8_lossy(&line);
        show(&line);
        if keep(&line) {
            kept.push(line.trim().to_owned());
        }
    }
    kept
}
