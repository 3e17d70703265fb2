//! What the changelog must hold: the entries of each commit, and which commits it has.
//!
//! A commit is in the changelog when the handle that made it kept one. The changelog begins where
//! it was first turned on; where it was off for some commits it lacks them and says so. When a
//! process died while it turned the changelog on, it may have got so far or not: such a beginning
//! is possible until somebody has read on past it.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use sha2::{Digest, Sha256};

use super::{Content, Id, Model, record_bytes};
use crate::op::Changelog;

/// What a commit did to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Put it.
    Put,
    /// Deleted it.
    Delete,
    /// Resolved a seam.
    Resolve,
    /// Nothing; there is only a note.
    Note,
}

/// A value as an entry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing of it.
    Nothing,
    /// Its bytes.
    Full(Vec<u8>),
    /// Their SHA-256.
    Hash([u8; 32]),
}

/// An entry of the changelog, beside what the commit says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The commit.
    pub seq: u64,
    /// Its place within the commit.
    pub index: u32,
    /// Entries of the commit.
    pub of: u32,
    /// What was done.
    pub act: Act,
    /// To which record.
    pub id: Option<Id>,
    /// The record's value.
    pub value: Kept,
}

/// What reading the changelog tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// An entry.
    Entry(Entry),
    /// Commits that it lacks, both ends inclusive.
    Gap(u64, u64),
}

/// Since when there is a changelog, and where it begins anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// Commits after which it began, or begins anew.
    starts: BTreeSet<u64>,
    /// Commits after which it may begin anew.
    possible: Vec<RangeInclusive<u64>>,
    /// Its files went missing: what comes after that begins somewhere.
    missing: bool,
}

impl Story {
    /// Whether there was ever a changelog, so that reading tells of it.
    #[must_use]
    pub fn begun(&self) -> bool {
        self.missing || !self.starts.is_empty()
    }

    /// Whether the files may tell of a changelog.
    #[must_use]
    pub fn may_be(&self) -> bool {
        self.begun() || !self.possible.is_empty()
    }

    /// Somebody tries to open a database that may be at any of these commits, for writing.
    pub fn attempt(&mut self, heads: RangeInclusive<u64>, changelog: Changelog) {
        if changelog != Changelog::Off {
            self.possible.push(heads);
        }
    }

    /// The database was opened for writing and found at this commit.
    pub fn opened(&mut self, model: &Model, head: u64, changelog: Changelog) {
        self.possible.retain(|range| *range.start() <= head);
        if changelog == Changelog::Off || self.missing {
            return;
        }
        let level = model.commit(head).is_some_and(|commit| commit.logged != Changelog::Off);
        if !self.begun() || !level {
            self.starts.insert(head);
        }
    }

    /// The changelog's files are gone, of a database that is at one of these commits.
    pub fn lose(&mut self, head: u64) {
        self.starts.clear();
        self.possible = vec![0..=head];
        self.missing = true;
    }

    /// Reading told that it begins after just these commits.
    pub fn learn(&mut self, starts: &BTreeSet<u64>) {
        if !starts.is_empty() {
            self.starts.clone_from(starts);
            self.possible.clear();
            self.missing = false;
        }
    }

    /// The commits after which it begins, as far as that is known.
    #[must_use]
    pub fn starts(&self) -> &BTreeSet<u64> {
        &self.starts
    }

    /// Whether it may begin after just these commits; or, where reading was not `complete`, after
    /// these first.
    #[must_use]
    pub fn allows(&self, starts: &BTreeSet<u64>, complete: bool) -> bool {
        let possible = |start: &u64| {
            self.starts.contains(start) || self.possible.iter().any(|range| range.contains(start))
        };
        starts.iter().all(possible) && (!complete || self.starts.is_subset(starts))
    }
}

impl Model {
    /// What handles keep of the commits that follow.
    pub fn log_into(&mut self, changelog: Changelog) {
        self.logging = changelog;
    }

    /// Since when there is a changelog.
    #[must_use]
    pub fn story(&self) -> &Story {
        &self.story
    }

    /// Since when there is a changelog, to be changed.
    pub fn story_mut(&mut self) -> &mut Story {
        &mut self.story
    }

    /// The database was opened for writing at this commit, everything after it being forgotten.
    pub fn opened(&mut self, changelog: Changelog) {
        let mut story = std::mem::take(&mut self.story);
        story.opened(self, self.head(), changelog);
        self.story = story;
        self.log_into(changelog);
    }

    /// What reading tells up to a commit, of a changelog that begins after these.
    #[must_use]
    pub fn told(&self, starts: &BTreeSet<u64>, last: u64) -> Vec<Told> {
        let mut told = Vec::new();
        let Some(mut at) = starts.first().map(|start| start + 1) else { return told };
        while at <= last.min(self.head()) {
            if self.commit(at).is_some_and(|commit| commit.logged != Changelog::Off) {
                told.extend(self.entries(at).into_iter().map(Told::Entry));
                at += 1;
                continue;
            }
            // It says so only once it goes on.
            let Some(start) = starts.range(at..).next() else { break };
            told.push(Told::Gap(at, *start));
            at = start + 1;
        }
        told
    }

    /// The entries of a commit.
    #[must_use]
    pub fn entries(&self, seq: u64) -> Vec<Entry> {
        self.entries_as(seq, self.commit(seq).map_or(Changelog::Off, |commit| commit.logged))
    }

    /// The entries that a commit has in a changelog that keeps this of values.
    #[must_use]
    pub fn entries_as(&self, seq: u64, kept: Changelog) -> Vec<Entry> {
        let Some(commit) = self.commit(seq) else { return Vec::new() };
        let of = commit.touched.len() as u32;
        if of == 0 {
            let (act, id, value) = (Act::Note, None, Kept::Nothing);
            return vec![Entry { seq, index: 0, of, act, id, value }];
        }
        let entry = |(index, id): (usize, &Id)| {
            let content = self.get(id, seq);
            let act = match content {
                None => Act::Delete,
                Some(new) if resolves(self.get(id, seq - 1), new) => Act::Resolve,
                Some(_) => Act::Put,
            };
            let value = content.map_or(Kept::Nothing, |content| keep(kept, content));
            Entry { seq, index: index as u32, of, act, id: Some(id.clone()), value }
        };
        commit.touched.iter().enumerate().map(entry).collect()
    }
}

fn keep(changelog: Changelog, content: &Content) -> Kept {
    match changelog {
        Changelog::Full => Kept::Full(record_bytes::encode(content)),
        Changelog::Hash => Kept::Hash(Sha256::digest(record_bytes::encode(content)).into()),
        Changelog::Off | Changelog::Bare => Kept::Nothing,
    }
}

/// Whether a seam was there, unresolved, and is resolved now.
fn resolves(old: Option<&Content>, new: &Content) -> bool {
    let open = |content: &Content| match content {
        Content::Seam(seam) => {
            Some(seam.resolution_status == hexxladb::ResolutionStatus::Unresolved)
        }
        _ => None,
    };
    old.and_then(open) == Some(true) && open(new) == Some(false)
}
