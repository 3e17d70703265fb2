//! Objects out of one long-lived `git cat-file --batch`.
//!
//! Requests go ahead of their answers in small windows: what is under way never exceeds the
//! smallest pipe a system gives, so that the two processes cannot wait for each other. After an
//! error the process is of no more use.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{ChildStdin, ChildStdout, Stdio};

use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::git::object::ObjectId;
use crate::git::repo::{Repo, Running};

/// Ids under way at most: 60 lines of 65 bytes fit one page, the least a pipe holds.
const WINDOW: usize = 60;

/// The contents of a file, or what is kept of one that is too large.
pub(crate) enum Blob {
    Whole(Vec<u8>),
    Large { bytes: u64, sha256: [u8; 32] },
}

/// What an import needs of a commit.
pub(crate) struct CommitObject {
    pub(crate) tree: ObjectId,
    /// The first line of its message.
    pub(crate) subject: String,
}

/// A running `git cat-file --batch`.
pub(crate) struct Batch {
    running: Running,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

struct Header {
    kind: Vec<u8>,
    bytes: u64,
}

impl Batch {
    pub(crate) fn start(repo: &Repo) -> Result<Self, Failure> {
        let mut running = repo.start("cat-file", &["--batch"], Stdio::piped())?;
        let pipes = (running.child().stdin.take(), running.child().stdout.take());
        let (Some(stdin), Some(stdout)) = pipes else {
            return Err(running.failure("has no pipes"));
        };
        Ok(Self { running, stdin, stdout: BufReader::with_capacity(256 << 10, stdout) })
    }

    /// Gives the files of these ids to `each`, in order, with their place in `ids`. Of a file
    /// over `max_bytes` it gives the hash, without ever holding the whole.
    pub(crate) fn blobs(
        &mut self,
        ids: &[ObjectId],
        max_bytes: u64,
        mut each: impl FnMut(usize, Blob) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for (nth_window, window) in ids.chunks(WINDOW).enumerate() {
            self.ask(window)?;
            for (place, &id) in window.iter().enumerate() {
                let header = self.header(id, "blob")?;
                let blob = self.blob(&header, max_bytes)?;
                each(nth_window * WINDOW + place, blob)?;
            }
        }
        Ok(())
    }

    /// One file, whole.
    pub(crate) fn whole_blob(&mut self, id: ObjectId) -> Result<Vec<u8>, Failure> {
        self.ask(&[id])?;
        let header = self.header(id, "blob")?;
        self.contents(header.bytes)
    }

    /// One file's size and SHA-256.
    pub(crate) fn blob_hash(&mut self, id: ObjectId) -> Result<(u64, [u8; 32]), Failure> {
        self.ask(&[id])?;
        let header = self.header(id, "blob")?;
        Ok((header.bytes, self.hash(header.bytes)?))
    }

    /// These commits, in order.
    pub(crate) fn commits(&mut self, ids: &[ObjectId]) -> Result<Vec<CommitObject>, Failure> {
        let mut commits = Vec::with_capacity(ids.len());
        for window in ids.chunks(WINDOW) {
            self.ask(window)?;
            for &id in window {
                let header = self.header(id, "commit")?;
                let contents = self.contents(header.bytes)?;
                let commit = parse_commit(&contents)
                    .ok_or_else(|| Failure::Input(format!("commit {id} names no tree")))?;
                commits.push(commit);
            }
        }
        Ok(commits)
    }

    fn ask(&mut self, ids: &[ObjectId]) -> Result<(), Failure> {
        let mut lines = String::with_capacity(ids.len() * 65);
        for id in ids {
            lines.push_str(&id.to_string());
            lines.push('\n');
        }
        let sent = self.stdin.write_all(lines.as_bytes()).and_then(|()| self.stdin.flush());
        sent.map_err(|_| self.running.failure("ended early"))
    }

    fn header(&mut self, id: ObjectId, kind: &str) -> Result<Header, Failure> {
        let mut line = Vec::new();
        if let Err(error) = self.stdout.read_until(b'\n', &mut line) {
            return Err(self.broken(&error));
        }
        let Some(line) = line.strip_suffix(b"\n") else {
            return Err(self.running.failure("ended early"));
        };
        let words: Vec<_> = line.split(|&byte| byte == b' ').collect();
        let header = match words[..] {
            [_, kind, bytes] => std::str::from_utf8(bytes)
                .ok()
                .and_then(|bytes| bytes.parse().ok())
                .map(|bytes| Header { kind: kind.to_vec(), bytes }),
            _ => None,
        };
        match header {
            Some(header) if header.kind == kind.as_bytes() => Ok(header),
            _ => Err(Failure::Input(format!(
                "git has no {kind} {id} (it says {:?}); run `git fsck` on the repository",
                String::from_utf8_lossy(line)
            ))),
        }
    }

    fn blob(&mut self, header: &Header, max_bytes: u64) -> Result<Blob, Failure> {
        if header.bytes <= max_bytes {
            return Ok(Blob::Whole(self.contents(header.bytes)?));
        }
        Ok(Blob::Large { bytes: header.bytes, sha256: self.hash(header.bytes)? })
    }

    /// The `bytes` bytes that follow, and the line break behind them.
    fn contents(&mut self, bytes: u64) -> Result<Vec<u8>, Failure> {
        let mut contents = Vec::new();
        let result = (&mut self.stdout).take(bytes).read_to_end(&mut contents);
        match result {
            Ok(_) if contents.len() as u64 == bytes => {}
            Ok(_) => return Err(self.running.failure("ended early")),
            Err(error) => return Err(self.broken(&error)),
        }
        self.line_break()?;
        Ok(contents)
    }

    /// The hash of the `bytes` bytes that follow, and the line break behind them.
    fn hash(&mut self, bytes: u64) -> Result<[u8; 32], Failure> {
        let mut hash = Sha256::new();
        let mut left = bytes;
        while left > 0 {
            let piece = match self.stdout.fill_buf() {
                Ok([]) => return Err(self.running.failure("ended early")),
                Ok(piece) => piece,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.broken(&error)),
            };
            let len = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            hash.update(&piece[..len]);
            self.stdout.consume(len);
            left -= len as u64;
        }
        self.line_break()?;
        Ok(hash.finalize().into())
    }

    fn line_break(&mut self) -> Result<(), Failure> {
        let mut byte = [0];
        match self.stdout.read_exact(&mut byte) {
            Ok(()) if byte == *b"\n" => Ok(()),
            Ok(()) => Err(self.running.failure("gave more bytes than it announced")),
            Err(error) => Err(self.broken(&error)),
        }
    }

    fn broken(&mut self, error: &io::Error) -> Failure {
        self.running.failure(&format!("cannot be read: {error}"))
    }
}

/// The tree and the subject out of a commit object.
fn parse_commit(contents: &[u8]) -> Option<CommitObject> {
    let (first_line, _) = split_line(contents);
    let tree = ObjectId::from_hex(first_line.strip_prefix(b"tree ")?)?;
    let mut rest = contents;
    // The message begins behind the first empty line.
    while !rest.is_empty() {
        let (line, after) = split_line(rest);
        rest = after;
        if line.is_empty() {
            break;
        }
    }
    let subject = rest.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    let subject = String::from_utf8_lossy(subject.unwrap_or_default()).trim().to_owned();
    Some(CommitObject { tree, subject })
}

fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_commit;

    const TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    #[test]
    fn finds_the_subject_behind_odd_headers() {
        let object = format!("tree {TREE}\nauthor a\ngpgsig x\n y\n \n z\n\n\n  Subject \nbody\n");
        let commit = parse_commit(object.as_bytes()).unwrap();
        assert_eq!(commit.tree.to_string(), TREE);
        assert_eq!(commit.subject, "Subject");
    }

    #[test]
    fn a_commit_may_say_nothing_but_needs_a_tree() {
        let commit = parse_commit(format!("tree {TREE}\nauthor a\n\n").as_bytes()).unwrap();
        assert_eq!(commit.subject, "");
        let commit = parse_commit(format!("tree {TREE}\nauthor a").as_bytes()).unwrap();
        assert_eq!(commit.subject, "");
        assert!(parse_commit(b"author a\n\nx").is_none());
    }
}
