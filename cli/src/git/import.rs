//! `hexxladb git import`: every commit along the first parents becomes one transaction.
//!
//! What always holds: a transaction carries the files of its commit, the rows that name new
//! paths, and the point to go on from. Whatever ends the program, the database holds whole
//! commits and knows which; run again it goes on with the next.

use std::collections::VecDeque;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hexxladb::{Db, Options, PendingCommit};

use crate::failure::Failure;
use crate::git::batch::Batch;
use crate::git::content::MAX_VALUE_BYTES;
use crate::git::diff::TreeDiff;
use crate::git::import_commit::{Counts, ImportCommit};
use crate::git::layout::{Format, Note, Resume};
use crate::git::object::ObjectId;
use crate::git::releases;
use crate::git::repo::{ListedCommit, Repo};
use crate::keeping::Keeping;
use crate::progress::Progress;
use crate::stop::Stop;
use crate::text;

/// Commits under way at most: they share the syncs of the log.
const PENDING_COMMITS: usize = 64;
/// Bytes under way at most.
const PENDING_BYTES: u64 = 16 << 20;
/// Commit objects read ahead.
const READ_AHEAD: usize = 240;

/// Import the history along the first parents, or what is new of it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The repository: a work tree, a directory in it, or a bare repository
    repo: PathBuf,
    /// The database; made if there is none
    db: PathBuf,
    /// The commit to import up to
    #[arg(long, value_name = "REVISION", default_value = "HEAD")]
    rev: String,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    keeping: Keeping,
}

/// What a new history is kept with.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Limits {
    /// Keep only the hash of files over this size
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = clap::value_parser!(u64).range(..=MAX_FILE_BYTES)
    )]
    max_file_bytes: Option<u64>,
}

/// Largest file that is kept whole.
pub(crate) const MAX_FILE_BYTES: u64 = 64 << 20;

/// What an import did.
#[derive(Debug, Default)]
pub(crate) struct Imported {
    /// Commits that were there before.
    pub(crate) commits_before: u64,
    /// Commits in all.
    pub(crate) commits: u64,
    pub(crate) counts: Counts,
    /// Git tags that are new or moved.
    pub(crate) tags: u64,
    pub(crate) elapsed: Duration,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write, stop: &Stop) -> Result<(), Failure> {
    let repo = Repo::open(&args.repo)?;
    let tip = repo.resolve(&args.rev)?;
    let db = open_for_import(&args.db, args.keeping)?;
    let result = import(&repo, tip, &db, &args.limits, stop);
    // Closed cleanly whatever came; the first failure is the one to tell.
    let closed = db.close().map_err(Failure::from);
    let imported = result?;
    closed?;
    imported.print(out, "")
}

/// Opens the database of an import, new or begun; refuses one that holds something else.
pub(crate) fn open_for_import(path: &Path, keeping: Keeping) -> Result<Db, Failure> {
    refuse_foreign(path)?;
    keeping.open(path, Options::new().mvcc(true).max_value_bytes(MAX_VALUE_BYTES))
}

/// Looks at an existing database without changing a byte. What cannot be read yet (a file that
/// was being made when the power went) is left to the opening proper to judge.
fn refuse_foreign(path: &Path) -> Result<(), Failure> {
    let options = Options::new().create_if_missing(false).read_only(true);
    let Ok(db) = Db::open(path, options) else { return Ok(()) };
    let head = db.snapshot()?;
    if head.seq() > 0 && Format::read(&head)?.is_none() {
        return Err(Failure::Usage(format!(
            "{} holds something else than a git history; name another file",
            path.display()
        )));
    }
    Ok(())
}

/// Imports what the database does not have of the history up to `tip`.
pub(crate) fn import(
    repo: &Repo,
    tip: ObjectId,
    db: &Db,
    limits: &Limits,
    stop: &Stop,
) -> Result<Imported, Failure> {
    let listed = repo.first_parents(tip)?;
    let head = db.snapshot()?;
    let format = agreed_format(Format::read(&head)?, tip, limits)?;
    let resume = Resume::read(&head)?;
    drop(head);
    let begun = begun(resume.as_ref(), &listed)?;
    let mut import = Import {
        db,
        repo,
        batch: Batch::start(repo)?,
        diff: TreeDiff::new(repo),
        format,
        paths: resume.as_ref().map_or(0, |resume| resume.paths),
        last_tree: tip.format().empty_tree(),
        pending: VecDeque::new(),
        pending_bytes: 0,
        imported: Imported {
            commits_before: begun as u64,
            commits: begun as u64,
            ..Imported::default()
        },
        progress: Progress::new("import", begun as u64, listed.len() as u64),
    };
    if let Some(last) = begun.checked_sub(1).and_then(|last| listed.get(last)) {
        import.last_tree = import.batch.commits(&[last.id])?[0].tree;
    }
    let started = Instant::now();
    let result = import.all(&listed[begun..], stop);
    // What is under way is waited for in any case; a commit that failed matters most.
    let waited = import.wait_for(0);
    import.imported.elapsed = started.elapsed();
    waited.and(result)?;
    import.imported.tags = releases::tag(repo, db)?;
    Ok(import.imported)
}

/// The format to go on with, where what is there and what was asked for agree.
fn agreed_format(
    existing: Option<Format>,
    tip: ObjectId,
    limits: &Limits,
) -> Result<Format, Failure> {
    let max_file_bytes = limits.max_file_bytes.unwrap_or(MAX_FILE_BYTES);
    let Some(existing) = existing else {
        return Ok(Format::new(tip.format(), max_file_bytes));
    };
    if !existing.is_for(tip.format()) {
        return Err(Failure::Usage(format!(
            "the database holds a history that is not named by {}; import into a new file",
            tip.format().name()
        )));
    }
    if limits.max_file_bytes.is_some_and(|asked| asked != existing.max_file_bytes) {
        return Err(Failure::Usage(format!(
            "the history was begun with --max-file-bytes {}; drop the option or import into a new \
             file",
            existing.max_file_bytes
        )));
    }
    Ok(existing)
}

/// How many of the listed commits are imported.
fn begun(resume: Option<&Resume>, listed: &[ListedCommit]) -> Result<usize, Failure> {
    let Some(resume) = resume else { return Ok(0) };
    let last = resume.commit()?;
    let begun = usize::try_from(resume.commits).unwrap_or(usize::MAX);
    let in_place = begun.checked_sub(1).and_then(|at| listed.get(at)).map(|commit| commit.id);
    if in_place == Some(last) {
        return Ok(begun);
    }
    Err(Failure::Usage(format!(
        "the database holds the {begun} commits up to {}, which is not on the line of first \
         parents here\n  another repository, another branch, or history was rewritten: import \
         into a new file",
        last.short()
    )))
}

struct Import<'a> {
    db: &'a Db,
    repo: &'a Repo,
    batch: Batch,
    diff: TreeDiff,
    format: Format,
    /// Paths that have a coordinate.
    paths: u64,
    last_tree: ObjectId,
    /// Commits appended and not yet durable, oldest first.
    pending: VecDeque<PendingCommit>,
    pending_bytes: u64,
    imported: Imported,
    progress: Progress,
}

impl Import<'_> {
    fn all(&mut self, listed: &[ListedCommit], stop: &Stop) -> Result<(), Failure> {
        for ahead in listed.chunks(READ_AHEAD) {
            let ids: Vec<_> = ahead.iter().map(|commit| commit.id).collect();
            let objects = self.batch.commits(&ids)?;
            for (commit, object) in ahead.iter().zip(objects) {
                let note = Note {
                    commit: commit.id,
                    committer_secs: commit.committer_secs,
                    subject: object.subject,
                };
                self.one(&note, object.tree, stop)?;
            }
        }
        Ok(())
    }

    /// Imports one commit.
    fn one(&mut self, note: &Note, tree: ObjectId, stop: &Stop) -> Result<(), Failure> {
        stop.check(|| self.stopped())?;
        let changes = self.diff.changes(self.last_tree, tree)?;
        let mut commit = ImportCommit::begin(self.db, self.paths, note)?;
        if !commit.apply(&changes, &mut self.batch, self.format.max_file_bytes, stop)? {
            drop(commit);
            return stop.check(|| self.stopped());
        }
        let number = self.imported.commits + self.pending.len() as u64 + 1;
        let (pending, paths, counts) = commit.finish(&self.format, number)?;
        self.paths = paths;
        self.last_tree = tree;
        self.pending_bytes += counts.bytes;
        self.imported.counts.add(&counts);
        self.pending.push_back(pending);
        if self.pending_bytes >= PENDING_BYTES {
            self.wait_for(0)?;
        }
        self.wait_for(PENDING_COMMITS - 1)
    }

    /// Waits until at most `most` commits are not durable.
    fn wait_for(&mut self, most: usize) -> Result<(), Failure> {
        while self.pending.len() > most {
            let Some(oldest) = self.pending.pop_front() else { break };
            oldest.wait()?;
            self.imported.commits += 1;
        }
        if self.pending.is_empty() {
            self.pending_bytes = 0;
        }
        let counts = &self.imported.counts;
        self.progress.set(self.imported.commits, || {
            format!("{} files, {}", text::count(counts.files), text::size(counts.bytes))
        });
        Ok(())
    }

    fn stopped(&self) -> String {
        let done = self.imported.commits + self.pending.len() as u64;
        format!(
            "{} of {} are in the database; run the same command again to go on",
            text::counted(done, "commit"),
            self.repo.name()
        )
    }
}

impl Imported {
    /// Prints what was done, each line behind `indent`.
    pub(crate) fn print(&self, out: &mut dyn Write, indent: &str) -> Result<(), Failure> {
        let new = self.commits - self.commits_before;
        if self.commits_before > 0 {
            let before = text::counted(self.commits_before, "commit");
            writeln!(out, "{indent}already there: {before}")?;
        }
        let counts = &self.counts;
        writeln!(
            out,
            "{indent}{} in {} ({}/s): {} written ({}), {}",
            text::counted(new, "new commit"),
            text::span(self.elapsed),
            text::count(text::rate(new, self.elapsed)),
            text::counted(counts.files, "file version"),
            text::size(counts.bytes),
            text::counted(counts.deletions, "deletion"),
        )?;
        writeln!(
            out,
            "{indent}{} linked, {}",
            text::counted(counts.renames, "rename"),
            text::counted(self.tags, "new tag"),
        )?;
        writeln!(
            out,
            "{indent}of these {} not UTF-8, {}; left out: {}, the contents of {}",
            text::count(counts.not_text),
            text::counted(counts.symlinks, "symlink"),
            text::counted(counts.submodules, "submodule change"),
            text::counted(counts.hash_only, "too large file"),
        )?;
        Ok(())
    }
}
