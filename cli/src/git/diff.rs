//! What changed between two trees, out of one long-lived `git diff-tree --stdin`.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Stdio};

use hexxladb::ChangeKind;

use crate::failure::Failure;
use crate::git::object::{Mode, ObjectId};
use crate::git::repo::{Repo, Running};

/// Comparisons by one process: git keeps every tree it has read, so it is replaced in time.
const COMPARISONS_EACH: u32 = 1000;

/// A line that is no tree: git repeats it, which marks the end of an answer.
const END: &[u8] = b"end\n";

/// One path that differs.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) path: Vec<u8>,
    pub(crate) old_mode: Mode,
    pub(crate) new_mode: Mode,
    pub(crate) old_id: ObjectId,
    pub(crate) new_id: ObjectId,
}

impl Change {
    /// What it does to files; `None` where it is about submodules alone.
    pub(crate) fn kind(&self) -> Option<ChangeKind> {
        match (self.old_mode.is_file(), self.new_mode.is_file()) {
            (true, true) => Some(ChangeKind::Modified),
            (false, true) => Some(ChangeKind::Added),
            (true, false) => Some(ChangeKind::Removed),
            (false, false) => None,
        }
    }
}

/// Compares trees.
pub(crate) struct TreeDiff {
    repo: Repo,
    process: Option<Process>,
}

struct Process {
    running: Running,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    comparisons: u32,
}

impl TreeDiff {
    pub(crate) fn new(repo: &Repo) -> Self {
        Self { repo: repo.clone(), process: None }
    }

    /// Every path that differs between the trees, in the order of their bytes; a rename is a
    /// deletion and an addition.
    pub(crate) fn changes(&mut self, old: ObjectId, new: ObjectId) -> Result<Vec<Change>, Failure> {
        if old == new {
            return Ok(Vec::new());
        }
        if self.process.as_ref().is_some_and(|p| p.comparisons == COMPARISONS_EACH) {
            self.process = None;
        }
        let process = match &mut self.process {
            Some(process) => process,
            none => none.insert(Process::start(&self.repo)?),
        };
        let mut changes = process.compare(old, new)?;
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(changes)
    }
}

impl Process {
    fn start(repo: &Repo) -> Result<Self, Failure> {
        let arguments = ["--stdin", "-r", "-z", "--raw", "--no-renames", "--no-abbrev"];
        let mut running = repo.start("diff-tree", &arguments, Stdio::piped())?;
        let pipes = (running.child().stdin.take(), running.child().stdout.take());
        let (Some(stdin), Some(stdout)) = pipes else {
            return Err(running.failure("has no pipes"));
        };
        let stdout = BufReader::with_capacity(64 << 10, stdout);
        Ok(Self { running, stdin, stdout, comparisons: 0 })
    }

    fn compare(&mut self, old: ObjectId, new: ObjectId) -> Result<Vec<Change>, Failure> {
        self.comparisons += 1;
        let request = format!("{old} {new}\nend\n");
        let sent = self.stdin.write_all(request.as_bytes()).and_then(|()| self.stdin.flush());
        sent.map_err(|_| self.running.failure("ended early"))?;
        let expected = format!("{old} {new}\n");
        if self.until(b'\n')? != expected.as_bytes() {
            return Err(self.running.failure("answered something else than was asked"));
        }
        let mut changes = Vec::new();
        loop {
            let next = self.stdout.fill_buf().ok().and_then(|bytes| bytes.first().copied());
            match next {
                Some(b':') => changes.push(self.change()?),
                Some(_) if self.until(b'\n')? == END => return Ok(changes),
                _ => return Err(self.running.failure("ended in the middle of an answer")),
            }
        }
    }

    fn change(&mut self) -> Result<Change, Failure> {
        let mut fields = self.until(b'\0')?;
        fields.pop();
        let mut path = self.until(b'\0')?;
        path.pop();
        parse_change(&fields, path).ok_or_else(|| {
            Failure::Input(format!(
                "git diff-tree printed a line that is no change: {:?}",
                String::from_utf8_lossy(&fields)
            ))
        })
    }

    /// The bytes up to and with the next `end`, which must come.
    fn until(&mut self, end: u8) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        match self.stdout.read_until(end, &mut bytes) {
            Ok(_) if bytes.last() == Some(&end) => Ok(bytes),
            _ => Err(self.running.failure("ended early")),
        }
    }
}

/// `:OLDMODE NEWMODE OLDID NEWID STATUS`
fn parse_change(fields: &[u8], path: Vec<u8>) -> Option<Change> {
    let words: Vec<_> = fields.strip_prefix(b":")?.split(|&byte| byte == b' ').collect();
    let [old_mode, new_mode, old_id, new_id, _] = words[..] else { return None };
    Some(Change {
        path,
        old_mode: Mode::from_octal(old_mode)?,
        new_mode: Mode::from_octal(new_mode)?,
        old_id: ObjectId::from_hex(old_id)?,
        new_id: ObjectId::from_hex(new_id)?,
    })
}
