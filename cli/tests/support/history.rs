//! Makes git histories for tests and measurements, quickly: a stream for `git fast-import`.
//!
//! The same seed makes the same repository, commit ids included. Over the first dozens of commits
//! everything that git can hold appears: text and binary files, empty ones, renames, deletions
//! and paths that come back, symbolic links, executables, submodules, files that become
//! directories and back, names that no tool likes, merges, empty commits, and committers whose
//! clocks run backwards.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// The hash that names the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
}

/// Makes a bare repository at `dir` whose branch `main` has `commits` commits along the first
/// parents.
pub(crate) fn make_repository(dir: &Path, commits: u32, seed: u64, hash: Hash) -> io::Result<()> {
    init(dir, hash)?;
    fast_import(dir, |out| History::new(seed, hash).write(out, commits))
}

/// Makes an empty bare repository at `dir`.
pub(crate) fn init(dir: &Path, hash: Hash) -> io::Result<()> {
    let format = match hash {
        Hash::Sha1 => "--object-format=sha1",
        Hash::Sha256 => "--object-format=sha256",
    };
    let arguments = ["init", "--quiet", "--bare", "--initial-branch=main", "--template=", format];
    expect_success(git().args(arguments).arg(dir).status()?.success(), "git init")
}

/// Feeds a stream to `git fast-import` in the repository at `dir`.
pub(crate) fn fast_import(
    dir: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut child = git()
        .arg("-C")
        .arg(dir)
        .args(["fast-import", "--quiet", "--force"])
        .stdin(Stdio::piped())
        .spawn()?;
    let stdin = child.stdin.take().ok_or_else(|| io::Error::other("no pipe to git"))?;
    let mut out = BufWriter::new(stdin);
    let written = write(&mut out).and_then(|()| out.flush());
    drop(out);
    expect_success(child.wait()?.success(), "git fast-import")?;
    written
}

/// Git without the user's configuration and with a fixed identity.
pub(crate) fn git() -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "A")
        .env("GIT_AUTHOR_EMAIL", "a@example.org")
        .env("GIT_COMMITTER_NAME", "C")
        .env("GIT_COMMITTER_EMAIL", "c@example.org")
        .env("GIT_AUTHOR_DATE", "1600000000 +0000")
        .env("GIT_COMMITTER_DATE", "1600000000 +0000");
    command
}

fn expect_success(success: bool, what: &str) -> io::Result<()> {
    if success { Ok(()) } else { Err(io::Error::other(format!("{what} failed"))) }
}

/// Small, fast, and the same everywhere (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn bytes(&mut self, len: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < len {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        bytes
    }

    fn words(&mut self, lines: u64) -> Vec<u8> {
        const WORDS: [&str; 12] = [
            "lattice",
            "commit",
            "über",
            "snapshot",
            "page",
            "naïve",
            "log",
            "数",
            "tree",
            "epoch",
            "\u{1f980}",
            "tab\there",
        ];
        let mut text = String::new();
        for _ in 0..lines {
            for _ in 0..=self.below(9) {
                text.push_str(WORDS[self.below(WORDS.len() as u64) as usize]);
                text.push(' ');
            }
            text.push('\n');
        }
        text.into_bytes()
    }
}

#[derive(Clone, Debug)]
enum Node {
    File { executable: bool, contents: Vec<u8> },
    Symlink(Vec<u8>),
    Submodule,
}

/// A history in the making: the newest tree and what once was in it.
struct History {
    random: Random,
    hash: Hash,
    tree: BTreeMap<Vec<u8>, Node>,
    gone: Vec<Vec<u8>>,
    named: u64,
}

/// Names that break careless tools; each is used once, in this order.
const ODD_NAMES: [&[u8]; 16] = [
    b"a name with spaces ",
    b"new\nline",
    b"quo\"te",
    b"back\\slash",
    b"\xff\xfe not utf-8",
    "ünïcödé/数据.txt".as_bytes(),
    b"-dash",
    b"tab\tbed",
    b"\x01\x7f control",
    b"glob*?[x]",
    b"colon:name",
    b"'single'",
    b".hidden/.gitignore",
    b"CaSe",
    b"case",
    b"dir.with.dots/..dots",
];

impl History {
    fn new(seed: u64, hash: Hash) -> Self {
        Self { random: Random(seed), hash, tree: BTreeMap::new(), gone: Vec::new(), named: 0 }
    }

    fn write(&mut self, out: &mut dyn Write, commits: u32) -> io::Result<()> {
        // Marks: commit n of the line is 2n, its merged side commit 2n + 1.
        for number in 1..=commits {
            // Now and then a committer's clock is some hours behind.
            let behind = if self.random.one_in(7) { self.random.below(20_000) } else { 0 };
            let secs = 1_500_000_000 + u64::from(number) * 3_000 - behind;
            let from = (number > 1).then(|| (number - 1) * 2);
            let merged = match from {
                Some(from) if self.random.one_in(11) => {
                    self.side_commit(out, number * 2 + 1, from, secs)?;
                    Some(number * 2 + 1)
                }
                _ => None,
            };
            let message = match self.random.below(12) {
                0 => String::new(),
                1 => format!("Change {number}\n\nwith a body\n"),
                _ => format!("Change {number}: ünïcode"),
            };
            header(out, "main", number * 2, secs, &message)?;
            if let Some(from) = from {
                writeln!(out, "from :{from}")?;
            }
            if let Some(merged) = merged {
                writeln!(out, "merge :{merged}")?;
            }
            // One commit in twenty changes nothing.
            if !self.random.one_in(20) {
                for _ in 0..=self.random.below(6) {
                    self.step(out)?;
                }
            }
            writeln!(out)?;
        }
        Ok(())
    }

    /// A commit on a side branch, whose files never reach the line of first parents.
    fn side_commit(
        &mut self,
        out: &mut dyn Write,
        mark: u32,
        from: u32,
        secs: u64,
    ) -> io::Result<()> {
        header(out, "side", mark, secs, "On the side")?;
        writeln!(out, "from :{from}")?;
        let contents = self.random.words(3);
        let node = Node::File { executable: false, contents };
        self.put(out, b"only/on/the/side", &node)?;
        writeln!(out)
    }

    fn step(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match self.random.below(20) {
            0..=7 => self.edit(out),
            8..=10 => self.add_file(out),
            11 => self.rename(out),
            12 => self.delete(out),
            13 => self.bring_back(out),
            14 => self.change_mode(out),
            15 => self.add_symlink(out),
            16 => self.add_submodule(out),
            17 => self.change_kind(out),
            18 => self.file_to_directory(out),
            _ => self.add_binary(out),
        }
    }

    fn pick(&mut self) -> Option<Vec<u8>> {
        let len = self.tree.len() as u64;
        if len == 0 {
            return None;
        }
        let nth = self.random.below(len) as usize;
        self.tree.keys().nth(nth).cloned()
    }

    /// A path that is free: not taken, not a directory, not below a file.
    fn new_path(&mut self) -> Vec<u8> {
        loop {
            self.named += 1;
            let nth = self.named / 3;
            let path = match usize::try_from(nth).ok().and_then(|nth| ODD_NAMES.get(nth)) {
                Some(odd) if self.named.is_multiple_of(3) => odd.to_vec(),
                _ if self.named.is_multiple_of(40) => self.long_path(),
                _ => {
                    let dir = self.random.below(12);
                    format!("dir{dir}/sub{}/file{}.txt", dir % 3, self.named).into_bytes()
                }
            };
            if self.is_free(&path) {
                return path;
            }
        }
    }

    fn long_path(&mut self) -> Vec<u8> {
        let part = format!("{:-<180}", self.named);
        [part.as_str(); 4].join("/").into_bytes()
    }

    fn is_free(&self, path: &[u8]) -> bool {
        let below = |dir: &[u8], path: &[u8]| {
            path.len() > dir.len() && path.starts_with(dir) && path[dir.len()] == b'/'
        };
        !self.tree.keys().any(|taken| taken == path || below(taken, path) || below(path, taken))
    }

    fn put(&mut self, out: &mut dyn Write, path: &[u8], node: &Node) -> io::Result<()> {
        let name = quote(path);
        let (mode, contents) = match node {
            Node::File { executable: false, contents } => ("100644", contents),
            Node::File { executable: true, contents } => ("100755", contents),
            Node::Symlink(target) => ("120000", target),
            Node::Submodule => {
                let digits = if self.hash == Hash::Sha1 { 40 } else { 64 };
                let id = format!("{:016x}", self.random.next()).repeat(4);
                return writeln!(out, "M 160000 {} {name}", &id[..digits]);
            }
        };
        writeln!(out, "M {mode} inline {name}\ndata {}", contents.len())?;
        out.write_all(contents)?;
        writeln!(out)
    }

    fn set(&mut self, out: &mut dyn Write, path: Vec<u8>, node: Node) -> io::Result<()> {
        self.put(out, &path, &node)?;
        self.tree.insert(path, node);
        Ok(())
    }

    fn remove(&mut self, out: &mut dyn Write, path: &[u8]) -> io::Result<()> {
        self.tree.remove(path);
        self.gone.push(path.to_vec());
        writeln!(out, "D {}", quote(path))
    }

    fn add_file(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let lines = if self.random.one_in(9) { 0 } else { 1 + self.random.below(60) };
        let node = Node::File { executable: false, contents: self.random.words(lines) };
        let path = self.new_path();
        self.set(out, path, node)
    }

    fn add_binary(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let len = 1 + self.random.below(6_000);
        let mut contents = self.random.bytes(len);
        contents.push(0xff);
        let path = self.new_path();
        self.set(out, path, Node::File { executable: false, contents })
    }

    fn add_symlink(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let target: &[u8] = if self.random.one_in(4) { b"\xfe/target" } else { b"../some/target" };
        let path = self.new_path();
        self.set(out, path, Node::Symlink(target.to_vec()))
    }

    fn add_submodule(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let path = self.new_path();
        self.set(out, path, Node::Submodule)
    }

    fn edit(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let Some(path) = self.pick() else { return self.add_file(out) };
        let Some(Node::File { executable, mut contents }) = self.tree.get(&path).cloned() else {
            return self.add_file(out);
        };
        if contents.len() > 20_000 {
            contents.truncate(1_000);
        }
        let more = if self.random.one_in(25) { vec![0x80] } else { self.random.words(2) };
        contents.extend_from_slice(&more);
        self.set(out, path, Node::File { executable, contents })
    }

    fn rename(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let Some(path) = self.pick() else { return self.add_file(out) };
        let to = self.new_path();
        let Some(node) = self.tree.get(&path).cloned() else { return Ok(()) };
        self.remove(out, &path)?;
        self.set(out, to, node)
    }

    fn delete(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match self.pick() {
            Some(path) => self.remove(out, &path),
            None => self.add_file(out),
        }
    }

    fn bring_back(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match self.gone.pop() {
            Some(path) if self.is_free(&path) => {
                let contents = self.random.words(4);
                self.set(out, path, Node::File { executable: false, contents })
            }
            _ => self.add_file(out),
        }
    }

    fn change_mode(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let Some(path) = self.pick() else { return self.add_file(out) };
        let Some(Node::File { executable, contents }) = self.tree.get(&path).cloned() else {
            return self.add_file(out);
        };
        self.set(out, path, Node::File { executable: !executable, contents })
    }

    /// A file becomes a link, a link a submodule, a submodule a file, under one name.
    fn change_kind(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let Some(path) = self.pick() else { return self.add_file(out) };
        let node = match self.tree.get(&path) {
            Some(Node::File { .. }) => Node::Symlink(b"elsewhere".to_vec()),
            Some(Node::Symlink(_)) => Node::Submodule,
            _ => Node::File { executable: false, contents: self.random.words(2) },
        };
        self.set(out, path, node)
    }

    fn file_to_directory(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let Some(path) = self.pick().filter(|path| path.len() < 400) else {
            return self.add_file(out);
        };
        self.remove(out, &path)?;
        let below = [path.as_slice(), b"/now a directory"].concat();
        let contents = self.random.words(2);
        self.set(out, below, Node::File { executable: false, contents })
    }
}

fn header(
    out: &mut dyn Write,
    branch: &str,
    mark: u32,
    secs: u64,
    message: &str,
) -> io::Result<()> {
    writeln!(out, "commit refs/heads/{branch}\nmark :{mark}")?;
    writeln!(out, "author A <a@example.org> 1400000000 +0000")?;
    writeln!(out, "committer C <c@example.org> {secs} +0200")?;
    writeln!(out, "data {}\n{message}", message.len())
}

/// A path as fast-import reads it.
pub(crate) fn quote(path: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("\"");
    for &byte in path {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' '..0x7f => text.push(char::from(byte)),
            other => {
                let _ = write!(text, "\\{other:03o}");
            }
        }
    }
    text.push('"');
    text
}
