//! The full listings of commits, read from git with `ls-tree` a little ahead of their use.

use std::collections::VecDeque;
use std::io::Read;
use std::process::Stdio;

use crate::failure::Failure;
use crate::git::object::{Mode, ObjectId};
use crate::git::repo::{Repo, Running};

/// Listings that git works on while another is compared.
const AHEAD: usize = 2;

/// A file in a listing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) mode: Mode,
    pub(crate) id: ObjectId,
}

/// Everything in a commit's tree, submodules left out.
pub(crate) struct Listing {
    /// The commit.
    pub(crate) commit: ObjectId,
    /// What `ls-tree -r -z` printed.
    lines: Vec<u8>,
}

/// The listings of some commits, in their order.
pub(crate) struct Trees {
    repo: Repo,
    to_start: VecDeque<ObjectId>,
    running: VecDeque<(ObjectId, Running)>,
}

impl Trees {
    pub(crate) fn new(repo: &Repo, commits: VecDeque<ObjectId>) -> Self {
        Self { repo: repo.clone(), to_start: commits, running: VecDeque::new() }
    }

    /// The listing of the next commit.
    pub(crate) fn next_listing(&mut self) -> Result<Listing, Failure> {
        while self.running.len() <= AHEAD
            && let Some(commit) = self.to_start.pop_front()
        {
            let arguments = ["-r", "-z", "--full-tree", &commit.to_string()];
            let running = self.repo.start("ls-tree", &arguments, Stdio::null())?;
            self.running.push_back((commit, running));
        }
        let Some((commit, mut running)) = self.running.pop_front() else {
            return Err(Failure::Input("git was asked for no further tree".to_owned()));
        };
        let mut lines = Vec::new();
        if let Some(stdout) = &mut running.child().stdout
            && let Err(error) = stdout.read_to_end(&mut lines)
        {
            return Err(running.failure(&format!("cannot be read: {error}")));
        }
        running.finish()?;
        Ok(Listing { commit, lines })
    }
}

impl Listing {
    /// Its files, in the order of their paths' bytes.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Result<Entry<'_>, Failure>> {
        let lines = self.lines.split(|&byte| byte == 0).filter(|line| !line.is_empty());
        lines.filter_map(|line| match parse_entry(line) {
            Some(entry) if entry.mode.is_submodule() => None,
            Some(entry) => Some(Ok(entry)),
            None => Some(Err(Failure::Input(format!(
                "git ls-tree printed a line that is no entry: {:?}",
                String::from_utf8_lossy(line)
            )))),
        })
    }
}

/// `MODE TYPE ID<tab>PATH`
fn parse_entry(line: &[u8]) -> Option<Entry<'_>> {
    let tab = line.iter().position(|&byte| byte == b'\t')?;
    let words: Vec<_> = line[..tab].split(|&byte| byte == b' ').collect();
    let [mode, _, id] = words[..] else { return None };
    let (mode, id) = (Mode::from_octal(mode)?, ObjectId::from_hex(id)?);
    Some(Entry { path: &line[tab + 1..], mode, id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_may_have_any_name_and_submodules_are_left_out() {
        let commit = crate::git::object::ObjectFormat::Sha1.empty_tree();
        let mut lines = Vec::new();
        for line in ["100644 blob ID\ta\tb\nc", "160000 commit ID\tsub", "120000 blob ID\tl"] {
            lines.extend_from_slice(line.replace("ID", &commit.to_string()).as_bytes());
            lines.push(0);
        }
        let listing = Listing { commit, lines };
        let paths: Vec<_> = listing.entries().map(|entry| entry.unwrap().path).collect();
        assert_eq!(paths, [b"a\tb\nc".as_slice(), b"l"]);
        let bad = Listing { commit, lines: b"100644 blob\tx\0".to_vec() };
        assert!(bad.entries().all(|entry| entry.is_err()));
    }
}
