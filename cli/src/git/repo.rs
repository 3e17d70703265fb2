//! A git repository, seen through the git program.
//!
//! Only plumbing commands run, with explicit options, so that a user's configuration changes
//! nothing; replacement objects are ignored, so that an id names one content. Children run in a
//! process group of their own: Ctrl-C is for this program, which ends them in good order.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::thread::JoinHandle;

use crate::failure::Failure;
use crate::git::object::ObjectId;

/// Variables that would turn git to another repository than the one that was asked for.
const FOREIGN_VARIABLES: [&str; 12] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_GRAFT_FILE",
    "GIT_SHALLOW_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_QUARANTINE_PATH",
];

/// A repository that exists.
#[derive(Clone, Debug)]
pub(crate) struct Repo {
    /// Its git directory, absolute.
    git_dir: PathBuf,
}

/// A commit in a list of commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListedCommit {
    pub(crate) id: ObjectId,
    /// The committer's time in seconds since 1970.
    pub(crate) committer_secs: i64,
}

impl Repo {
    /// The repository that `path` is or lies in.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let mut discover = git();
        discover.arg("-C").arg(path).args(["rev-parse", "--absolute-git-dir"]);
        let mut answer = output(discover)?;
        if !answer.status.success() && path.join("HEAD").is_file() && path.join("objects").is_dir()
        {
            // A bare repository that the user's configuration hides from discovery.
            let mut direct = git();
            direct.arg("--git-dir").arg(path).args(["rev-parse", "--absolute-git-dir"]);
            answer = output(direct)?;
        }
        if !answer.status.success() {
            return Err(Failure::Input(format!(
                "{} is not in a git repository that git can read\n  git says: {}\n  \
                 name a repository, bare or not",
                path.display(),
                said(&answer.stderr)
            )));
        }
        let mut dir = answer.stdout;
        while dir.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            dir.pop();
        }
        Ok(Self { git_dir: path_from_bytes(&dir) })
    }

    /// Its git directory.
    pub(crate) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// What people call it: the name of its directory, without `.git`.
    pub(crate) fn name(&self) -> String {
        let dir = if self.git_dir.file_name() == Some(OsStr::new(".git")) {
            self.git_dir.parent().unwrap_or(&self.git_dir)
        } else {
            &self.git_dir
        };
        let name = dir.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
        let name = name.strip_suffix(".git").unwrap_or(&name);
        if name.is_empty() { "repository".to_owned() } else { name.to_owned() }
    }

    /// A git command on this repository.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = git();
        command.arg("--git-dir").arg(&self.git_dir).arg("--no-replace-objects").args(arguments);
        command
    }

    /// The commit that a revision names.
    pub(crate) fn resolve(&self, revision: &str) -> Result<ObjectId, Failure> {
        let spec = format!("{revision}^{{commit}}");
        let arguments = ["rev-parse", "--verify", "--quiet", "--end-of-options", &spec];
        let answer = output(self.command(&arguments))?;
        let id = answer.status.success().then(|| ObjectId::from_hex(answer.stdout.trim_ascii()));
        id.flatten().ok_or_else(|| {
            Failure::Input(format!(
                "{} has no commit {revision}; make a commit first, or name another with --rev",
                self.git_dir.display()
            ))
        })
    }

    /// Whether a commit is there at all.
    pub(crate) fn has_commit(&self, id: ObjectId) -> Result<bool, Failure> {
        let spec = format!("{id}^{{commit}}");
        Ok(output(self.command(&["cat-file", "-e", &spec]))?.status.success())
    }

    /// The commits from the root to `tip` along the first parents, the root first.
    pub(crate) fn first_parents(&self, tip: ObjectId) -> Result<Vec<ListedCommit>, Failure> {
        let tip = tip.to_string();
        let arguments = ["rev-list", "--first-parent", "--reverse", "--timestamp", &tip, "--"];
        let answer = output(self.command(&arguments))?;
        if !answer.status.success() {
            return Err(failed("rev-list", &answer.stderr));
        }
        let lines = answer.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        lines.map(listed_commit).collect()
    }

    /// The tags that name commits, by name: the names and the commits.
    pub(crate) fn tags(&self) -> Result<Vec<(Vec<u8>, ObjectId)>, Failure> {
        let format = "--format=%(objecttype) %(objectname) %(*objecttype) %(*objectname) \
                      %(refname:strip=2)";
        let answer = output(self.command(&["for-each-ref", format, "refs/tags"]))?;
        if !answer.status.success() {
            return Err(failed("for-each-ref", &answer.stderr));
        }
        let lines = answer.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.filter_map(listed_tag).collect())
    }

    /// Starts git with pipes to talk to it.
    pub(crate) fn start(
        &self,
        name: &'static str,
        arguments: &[&str],
        stdin: Stdio,
    ) -> Result<Running, Failure> {
        let mut command = self.command(&[&[name], arguments].concat());
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| cannot_run(&error))?;
        let complaints = child.stderr.take().map(collect);
        Ok(Running { name, child, complaints })
    }
}

/// A git process that runs; it ends with this value.
pub(crate) struct Running {
    name: &'static str,
    child: Child,
    complaints: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits for the end; an error unless it was a good one.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        drop(self.child.stdin.take());
        let status = self.child.wait().map_err(|error| cannot_run(&error))?;
        if status.success() { Ok(()) } else { Err(self.failure("ended early")) }
    }

    /// What went wrong with it, in its own words where it has any.
    pub(crate) fn failure(&mut self, what: &str) -> Failure {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let said = self.complaints.take().and_then(|thread| thread.join().ok());
        match said.filter(|text| !text.trim_ascii().is_empty()) {
            Some(text) => failed(self.name, &text),
            None => Failure::Input(format!(
                "git {} {what}; run `git fsck` on the repository",
                self.name
            )),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing it could still do matters; only a zombie would be left.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn git() -> Command {
    let mut command = Command::new("git");
    for name in FOREIGN_VARIABLES {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").stdin(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

fn output(mut command: Command) -> Result<Output, Failure> {
    command.output().map_err(|error| cannot_run(&error))
}

fn cannot_run(error: &io::Error) -> Failure {
    Failure::Input(format!(
        "cannot run the git program: {error}\n  install git and see that it is on the PATH"
    ))
}

fn failed(name: &str, stderr: &[u8]) -> Failure {
    Failure::Input(format!("git {name} failed: {}", said(stderr)))
}

/// What git complained about, on one line.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let shown = crate::text::one_line(&lines.join(" / "), 400);
    if shown.is_empty() { "nothing".to_owned() } else { shown }
}

/// Reads a child's complaints in the background, so that it never waits for us to.
fn collect(mut stderr: ChildStderr) -> JoinHandle<Vec<u8>> {
    const KEPT_BYTES: usize = 8 << 10;
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        let mut piece = [0; 1024];
        while let Ok(len @ 1..) = stderr.read(&mut piece) {
            if kept.len() < KEPT_BYTES {
                kept.extend_from_slice(&piece[..len]);
            }
        }
        kept
    })
}

/// `SECONDS ID`, as `rev-list --timestamp` prints it.
fn listed_commit(line: &[u8]) -> Result<ListedCommit, Failure> {
    let parsed = line.split(|&byte| byte == b' ').collect::<Vec<_>>();
    if let [secs, id] = parsed[..]
        && let Some(id) = ObjectId::from_hex(id)
        && let Ok(secs) = std::str::from_utf8(secs).unwrap_or_default().parse::<i128>()
    {
        let bound = |secs: i128| secs.clamp(i64::MIN.into(), i64::MAX.into());
        return Ok(ListedCommit { id, committer_secs: bound(secs) as i64 });
    }
    let line = String::from_utf8_lossy(line);
    Err(Failure::Input(format!("git rev-list printed a line that is no commit: {line:?}")))
}

/// `TYPE ID TYPE ID NAME`, the second pair of what an annotated tag names; `None` for a tag that
/// names no commit.
fn listed_tag(line: &[u8]) -> Option<(Vec<u8>, ObjectId)> {
    let mut words = line.splitn(5, |&byte| byte == b' ');
    let mut next = || words.next();
    let (own, own_id, named, named_id) = (next()?, next()?, next()?, next()?);
    let id = match (own, named) {
        (b"commit", _) => own_id,
        (b"tag", b"commit") => named_id,
        _ => return None,
    };
    Some((next()?.to_vec(), ObjectId::from_hex(id)?))
}

#[cfg(unix)]
fn path_from_bytes(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
fn path_from_bytes(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}
