//! `hexxladb git verify`: every imported commit against git itself.
//!
//! Git's trees and blobs are read anew; nothing that the import noted is believed. At every
//! commit the whole listing is compared both ways through `view_at`, and every byte of every file
//! is read from the database; only hashing and fetching what was compared before is saved
//! ([`compare`](crate::git::compare)). Commits that the import did not make are differences, and
//! what they changed is told.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hexxladb::{Commit, Db, ReadTx, Timestamp};
use serde::Serialize;

use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::git::compare::{Comparer, Differences};
use crate::git::layout::{Format, Note, Resume};
use crate::git::pairs::Pairs;
use crate::git::releases;
use crate::git::repo::{ListedCommit, Repo};
use crate::git::trees::Trees;
use crate::progress::Progress;
use crate::stop::Stop;
use crate::{open_to_read, text};

/// Compare every imported commit with git, both ways
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The repository that was imported
    repo: PathBuf,
    /// The database
    db: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What a verification did and found.
#[derive(Debug, Default)]
pub(crate) struct Verified {
    /// Commits compared.
    commits: u64,
    /// Files compared, in all commits together.
    files: u64,
    /// Bytes of theirs read from the database.
    bytes: u64,
    /// Git blobs read and compared byte for byte.
    blobs: u64,
    /// Of the files: only a hash is kept and was compared.
    hash_only: u64,
    /// Pairs of commits whose differences were compared.
    neighbours: u64,
    distant: u64,
    /// Git tags compared.
    tags: u64,
    differences: Differences,
    elapsed: Duration,
}

#[derive(Serialize)]
struct Report<'a> {
    identical: bool,
    commits: u64,
    files: u64,
    bytes: u64,
    blobs: u64,
    hash_only: u64,
    neighbour_diffs: u64,
    distant_diffs: u64,
    tags: u64,
    differences: u64,
    first_differences: &'a [String],
    seconds: f64,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write, stop: &Stop) -> Result<(), Failure> {
    let repo = Repo::open(&args.repo)?;
    let db = open_to_read(&args.db)?;
    let verified = verify(&repo, &db, stop)?;
    let printed = if args.json { verified.print_json(out) } else { verified.print(out, "") };
    printed.and_then(|()| verified.verdict())
}

/// A state to compare: a commit of the database and the git commit it should show.
pub(crate) struct State {
    pub(crate) seq: u64,
    pub(crate) expected: ListedCommit,
    /// The git commit's number on its line, from 0.
    pub(crate) number: u64,
}

/// Compares everything; differences are in the result, not an error.
pub(crate) fn verify(repo: &Repo, db: &Db, stop: &Stop) -> Result<Verified, Failure> {
    let head = db.snapshot()?;
    let format = Format::require(&head)?;
    let resume = Resume::read(&head)?.ok_or_else(|| {
        Failure::No("the row git/resume is gone; import into a new database".to_owned())
    })?;
    let last = resume.commit()?;
    if !format.is_for(last.format()) || !repo.has_commit(last)? {
        return Err(Failure::No(format!(
            "{} has no commit {last}, the last one imported; name the repository that was \
             imported",
            repo.git_dir().display()
        )));
    }
    let started = Instant::now();
    let mut verified = Verified::default();
    let listed = repo.first_parents(last)?;
    let states = match_commits(db, &listed, &mut verified.differences)?;
    let mut comparer = Comparer::start(repo, format.max_file_bytes)?;
    let mut trees = Trees::new(repo, states.iter().map(|state| state.expected.id).collect());
    let mut pairs = Pairs::new(repo, db, &states)?;
    let mut progress = Progress::new("verify", 0, states.len() as u64);
    for (at, state) in states.iter().enumerate() {
        stop.check(|| {
            let done = text::counted(verified.commits, "commit");
            let found = text::counted(verified.differences.count(), "difference");
            format!("{done} of {} verified, {found}", text::count(states.len() as u64))
        })?;
        let listing = trees.next_listing()?;
        db.view_at(state.seq, |tx| comparer.compare(tx, &listing, &mut verified.differences))?;
        pairs.neighbour(at, &mut verified.differences)?;
        verified.take_counts(&comparer);
        let (files, elapsed) = (verified.files, started.elapsed());
        progress.set(verified.commits, || {
            format!("{} files, {}/s", text::count(files), text::count(text::rate(files, elapsed)))
        });
    }
    drop(progress);
    let commits = verified.commits;
    let check = || stop.check(|| format!("{} verified", text::counted(commits, "commit")));
    pairs.distant(check, &mut verified.differences)?;
    (verified.neighbours, verified.distant) = (pairs.neighbours, pairs.distant);
    verified.tags = compare_tags(repo, db, &head, &mut verified.differences)?;
    comparer.compare_names(&head, resume.paths, &mut verified.differences)?;
    verified.elapsed = started.elapsed();
    Ok(verified)
}

/// Compares the line of commits: ids, order, times. Returns what to compare in full.
fn match_commits(
    db: &Db,
    listed: &[ListedCommit],
    differences: &mut Differences,
) -> Result<Vec<State>, Failure> {
    let mut states = Vec::new();
    let mut expected = listed.iter();
    let mut current: Option<(u64, ListedCommit)> = None;
    let mut number = 0;
    let mut last_time = Timestamp::MIN;
    for commit in db.commits(..)? {
        let commit = commit?;
        match commit.note.as_deref().and_then(Note::parse) {
            Some(note) => {
                current = expected.next().map(|listed| (number, *listed));
                number += 1;
                let listed = current.map(|(_, listed)| listed);
                match_one(&commit, &note, listed, last_time, differences);
            }
            None => differences.add(format!(
                "commit {}: not made by the import (note {:?})",
                commit.seq,
                commit.note.as_deref().unwrap_or_default()
            )),
        }
        last_time = commit.time;
        if let Some((number, expected)) = current {
            states.push(State { seq: commit.seq, expected, number });
        }
    }
    for missing in expected {
        differences.add(format!("git commit {}: not in the database", missing.id));
    }
    Ok(states)
}

/// Compares the tags on imported commits; returns how many there are.
fn compare_tags(
    repo: &Repo,
    db: &Db,
    head: &ReadTx,
    differences: &mut Differences,
) -> Result<u64, Failure> {
    let there = db.snapshot_tags()?;
    let releases = releases::releases(repo, head)?;
    for release in &releases {
        let tag = there.iter().find(|tag| tag.name == release.name);
        if tag.is_none_or(|tag| tag.seq != release.seq) {
            let (name, seq) = (text::one_line(&release.name, usize::MAX), release.seq);
            differences.add(format!("tag {name}: git has it at commit {seq}, import again"));
        }
    }
    Ok(releases.len() as u64)
}

fn match_one(
    commit: &Commit,
    note: &Note,
    expected: Option<ListedCommit>,
    last_time: Timestamp,
    differences: &mut Differences,
) {
    let seq = commit.seq;
    let Some(expected) = expected else {
        differences.add(format!("commit {seq}: git has no commit after the last one for it"));
        return;
    };
    if note.commit != expected.id {
        let (noted, id) = (note.commit, expected.id);
        differences.add(format!("commit {seq}: its note names {noted}, git has {id} there"));
    }
    let own = Timestamp::from_secs(expected.committer_secs);
    if note.committer_secs != expected.committer_secs || commit.time != own.max(last_time) {
        differences.add(format!(
            "commit {seq}: its time is {} (committer @{}), git's committer says @{}",
            commit.time, note.committer_secs, expected.committer_secs
        ));
    }
}

impl Verified {
    fn take_counts(&mut self, comparer: &Comparer) {
        self.commits += 1;
        self.files = comparer.files;
        self.bytes = comparer.bytes;
        self.blobs = comparer.blobs;
        self.hash_only = comparer.hash_only;
    }

    /// An error unless all is as git has it.
    pub(crate) fn verdict(&self) -> Result<(), Failure> {
        if self.differences.count() == 0 { Ok(()) } else { Err(Failure::Told) }
    }

    /// Prints what was compared and found, each line behind `indent`.
    pub(crate) fn print(&self, out: &mut dyn Write, indent: &str) -> Result<(), Failure> {
        for difference in self.differences.first() {
            writeln!(out, "{indent}{}", text::one_line(difference, 400))?;
        }
        let more = self.differences.count() - self.differences.first().len() as u64;
        if more > 0 {
            writeln!(out, "{indent}and {}", text::counted(more, "more difference"))?;
        }
        let per_second = |count| text::count(text::rate(count, self.elapsed));
        writeln!(
            out,
            "{indent}{} compared both ways in {}: {}, {} read from the database, {} read from git",
            text::counted(self.commits, "commit"),
            text::span(self.elapsed),
            text::counted(self.files, "file"),
            text::size(self.bytes),
            text::counted(self.blobs, "blob"),
        )?;
        let bytes = text::size(text::rate(self.bytes, self.elapsed));
        writeln!(
            out,
            "{indent}{} commits/s, {} files/s, {bytes}/s",
            per_second(self.commits),
            per_second(self.files),
        )?;
        writeln!(
            out,
            "{indent}snapshot_diff against git diff: {} of neighbours, {} of distant commits; {}",
            text::counted(self.neighbours, "pair"),
            text::count(self.distant),
            text::counted(self.tags, "tag"),
        )?;
        if self.hash_only > 0 {
            let files = text::counted(self.hash_only, "file");
            writeln!(out, "{indent}of {files} too large to keep, the hash was compared")?;
        }
        match self.differences.count() {
            0 => writeln!(out, "{indent}identical: no difference found")?,
            count => writeln!(out, "{indent}DIFFERENT: {}", text::counted(count, "difference"))?,
        }
        Ok(())
    }

    fn print_json(&self, out: &mut dyn Write) -> Result<(), Failure> {
        print_line(
            out,
            &Report {
                identical: self.differences.count() == 0,
                commits: self.commits,
                files: self.files,
                bytes: self.bytes,
                blobs: self.blobs,
                hash_only: self.hash_only,
                neighbour_diffs: self.neighbours,
                distant_diffs: self.distant,
                tags: self.tags,
                differences: self.differences.count(),
                first_differences: self.differences.first(),
                seconds: self.elapsed.as_secs_f64(),
            },
        )
    }
}
