//! `hexxladb demo`: the history of a git repository in a database, travelled and proved.
//!
//! Imports (or goes on where it was stopped), shows states by sequence and by time and the
//! history of a file, renames, types, releases and differences, then verifies every commit against git.

use std::io::Write;
use std::path::{Path, PathBuf};

use hexxladb::{ChangeKind, Coord, Db, ReadTx, Record, RecordId, Timestamp};
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::git::content::{Kept, TYPE_PREFIX};
use crate::git::import::{self, Limits};
use crate::git::layout::{Note, name_key};
use crate::git::places;
use crate::git::quote::quoted;
use crate::git::repo::Repo;
use crate::git::verify;
use crate::keeping::Keeping;
use crate::log::hex;
use crate::stop::Stop;
use crate::{text, time};

/// Files among which the one with the most versions is shown.
const CANDIDATES: usize = 64;
/// Versions that are counted while choosing.
const VERSIONS_COUNTED: usize = 200;
/// Renames and types that are shown.
const RENAMES_SHOWN: usize = 3;
const TYPES_SHOWN: usize = 6;
/// Versions that are shown.
const VERSIONS_SHOWN: usize = 6;

/// Import the history of a git repository, travel in it, and verify it against git
///
/// Stopped at any moment and run again, it goes on where it stopped.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The repository [default: the one around the current directory]
    #[arg(long, value_name = "PATH")]
    repo: Option<PathBuf>,
    /// The database [default: a file of this repository's own in the system's temporary directory]
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    #[command(flatten)]
    limits: Limits,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write, stop: &Stop) -> Result<(), Failure> {
    let repo = find_repo(args.repo.as_deref())?;
    let tip = repo.resolve("HEAD")?;
    let path = match &args.db {
        Some(path) => path.clone(),
        None => default_database(&repo)?,
    };
    writeln!(out, "repository  {}", repo.git_dir().display())?;
    writeln!(out, "database    {}\n", path.display())?;
    writeln!(out, "1. Import: every commit along the first parents is one transaction")?;
    out.flush()?;
    let db = import::open_for_import(&path, Keeping::default())
        .map_err(|failure| name_file(failure, &path))?;
    let result = (|| {
        import::import(&repo, tip, &db, &args.limits, stop)
            .map_err(|failure| name_file(failure, &path))?
            .print(out, "   ")?;
        travel(&db, out)?;
        relations(&db, out)?;
        writeln!(out, "\n6. Verify: every commit against git's trees and blobs, both ways")?;
        out.flush()?;
        let verified = verify::verify(&repo, &db, stop)?;
        verified.print(out, "   ")?;
        verified.verdict()
    })();
    // Closed cleanly whatever came; the first failure is the one to tell.
    let closed = db.close().map_err(Failure::from);
    result.and(closed)?;
    farewell(&path, out)
}

fn find_repo(asked: Option<&Path>) -> Result<Repo, Failure> {
    match asked {
        Some(path) => Repo::open(path),
        None => Repo::open(Path::new(".")).map_err(|failure| match failure {
            Failure::Input(text) => {
                Failure::Input(format!("{text}, for example: hexxladb demo --repo PATH"))
            }
            other => other,
        }),
    }
}

/// Adds what the demo's user can do about a database that does not fit.
fn name_file(failure: Failure, path: &Path) -> Failure {
    match failure {
        Failure::Usage(text) => Failure::Usage(format!(
            "{text}\n  for the demo: give --db FILE with a new name, or remove {}",
            path.display()
        )),
        other => other,
    }
}

/// The same file for the same repository, so that a stopped demo finds what it began.
fn default_database(repo: &Repo) -> Result<PathBuf, Failure> {
    let dir = std::env::temp_dir().join("hexxladb-demo");
    std::fs::create_dir_all(&dir).map_err(|error| {
        Failure::Input(format!("cannot make {}: {error}; give --db FILE", dir.display()))
    })?;
    let place = hex(&Sha256::digest(repo.git_dir().as_os_str().as_encoded_bytes()));
    Ok(dir.join(format!("{}-{}.hexxladb", repo.name(), &place[..8])))
}

fn travel(db: &Db, out: &mut dyn Write) -> Result<(), Failure> {
    let head = db.head()?;
    writeln!(out, "\n2. Travel by sequence")?;
    let mut seqs = vec![1, head.div_ceil(4), head.div_ceil(2), head];
    seqs.dedup();
    for seq in seqs {
        let line = db.view_at(seq, describe)?;
        writeln!(out, "   {line}")?;
    }
    writeln!(out, "\n3. Travel by time")?;
    for time in chosen_times(db)? {
        let line = db.view_at_time(time, describe)?;
        writeln!(out, "   {} shows {line}", time::show(time))?;
    }
    out.flush()?;
    show_file_history(db, out)?;
    out.flush()?;
    Ok(())
}

/// A moment before the history, one in its middle, and its end.
fn chosen_times(db: &Db) -> Result<Vec<Timestamp>, Failure> {
    let commits = db.commits(..)?;
    let mut ends = Vec::new();
    for commit in [db.commits(..)?.next(), { commits }.next_back()].into_iter().flatten() {
        ends.push(commit?.time.as_nanos());
    }
    let (Some(&first), Some(&last)) = (ends.first(), ends.last()) else { return Ok(Vec::new()) };
    let second = 1_000_000_000;
    let middle = first.midpoint(last).div_euclid(second) * second;
    let times = [first.saturating_sub(second), middle.max(first), last];
    Ok(times.into_iter().map(Timestamp::from_nanos).collect())
}

/// The state that `tx` reads, on a line.
fn describe(tx: &ReadTx) -> Result<String, Failure> {
    let (mut files, mut bytes) = (0_u64, 0_u64);
    for entry in tx.cells(..places::beyond_files()?) {
        files += 1;
        bytes += Kept::of(&entry?.1).map_or(0, |kept| kept.bytes);
    }
    let contents = format!("{}, {}", text::counted(files, "file"), text::size(bytes));
    let Some(commit) = tx.commit(tx.seq())? else {
        return Ok(format!("commit 0, before the first: {contents}"));
    };
    let (id, subject) = match commit.note.as_deref().and_then(Note::parse) {
        Some(note) => (note.commit.short(), text::one_line(&note.subject, 50)),
        None => ("not of the import".to_owned(), String::new()),
    };
    let when = time::show(commit.time);
    Ok(format!("commit {} ({id}, {when}): {contents}  {subject}", commit.seq))
}

fn show_file_history(db: &Db, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "\n4. The history of one file")?;
    let head = db.snapshot()?;
    let Some(coord) = busiest_file(db, &head)? else {
        writeln!(out, "   the newest state has no files")?;
        return Ok(());
    };
    let path = head.get(name_key(coord))?.map(|path| quoted(&path)).unwrap_or_default();
    let mut versions = 0;
    let mut lines = Vec::new();
    for version in db.history(coord)? {
        let version = version?;
        versions += 1;
        if lines.len() == VERSIONS_SHOWN {
            continue;
        }
        let note = head.commit(version.seq)?.and_then(|commit| commit.note);
        let id = note.as_deref().and_then(Note::parse).map(|note| note.commit.short());
        let what = match &version.record {
            Some(Record::Cell(cell)) => text::size(Kept::of(cell).map_or(0, |kept| kept.bytes)),
            _ => "deleted".to_owned(),
        };
        let (seq, when) = (version.seq, time::show_known(version.time));
        lines.push(format!("commit {seq} ({}, {when}): {what}", id.unwrap_or_default()));
    }
    writeln!(out, "   {path}, the cell at {coord}: {}", text::counted(versions, "version"))?;
    for line in &lines {
        writeln!(out, "   {line}")?;
    }
    if versions > lines.len() as u64 {
        writeln!(out, "   and {} older", text::count(versions - lines.len() as u64))?;
    }
    Ok(())
}

/// What the records beside the files say: renames, types, releases, differences.
fn relations(db: &Db, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "\n5. Renames, types, releases, differences")?;
    let head = db.snapshot()?;
    let mut renames = Vec::new();
    for edge in head.edges(..places::beyond_files()?) {
        renames.push(edge?.0);
    }
    writeln!(out, "   {} in the newest state", text::counted(renames.len() as u64, "rename"))?;
    for rename in renames.iter().take(RENAMES_SHOWN) {
        let path = |coord| head.get(name_key(coord));
        if let (Some(old), Some(new)) = (path(rename.from)?, path(rename.to)?) {
            writeln!(out, "   {} went to {}", quoted(&old), quoted(&new))?;
        }
    }
    let types = types(&head)?;
    let shown = types.iter().take(TYPES_SHOWN).map(|(files, tag)| format!("{files} × {tag}"));
    let shown: Vec<_> = shown.collect();
    writeln!(out, "   types: {}", if shown.is_empty() { "none".into() } else { shown.join(", ") })?;
    let tags = db.snapshot_tags()?;
    let last = tags.iter().max_by_key(|tag| tag.seq).map(|tag| {
        format!(", the last one {} at commit {}", text::one_line(&tag.name, 60), tag.seq)
    });
    let tags = text::counted(tags.len() as u64, "release");
    writeln!(out, "   {tags}{}", last.unwrap_or_default())?;
    let half = head.seq().div_ceil(2);
    let (mut added, mut modified, mut removed) = (0_u64, 0_u64, 0_u64);
    for change in db.snapshot_diff(half, head.seq())? {
        let change = change?;
        if !matches!(&change.id, RecordId::Cell(coord) if places::is_of_files(*coord)) {
            continue;
        }
        match change.kind() {
            ChangeKind::Added => added += 1,
            ChangeKind::Modified => modified += 1,
            ChangeKind::Removed => removed += 1,
        }
    }
    writeln!(
        out,
        "   from commit {half} to {}: {} added, {modified} written again, {removed} removed",
        head.seq(),
        text::counted(added, "file"),
    )?;
    Ok(())
}

/// How many files of the newest state have a type, the most frequent first.
fn types(head: &ReadTx) -> Result<Vec<(u64, String)>, Failure> {
    let mut counts: Vec<(u64, String)> = Vec::new();
    for entry in head.cells_by_tag_prefix(TYPE_PREFIX).coords() {
        let (tag, _) = entry?;
        let name = tag.strip_prefix(TYPE_PREFIX).unwrap_or(&tag);
        match counts.last_mut() {
            Some((count, last)) if last == name => *count += 1,
            _ => counts.push((1, name.to_owned())),
        }
    }
    counts.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    Ok(counts)
}

/// Of some files of the newest state the one with the most versions.
fn busiest_file(db: &Db, head: &ReadTx) -> Result<Option<Coord>, Failure> {
    let mut busiest = None;
    for entry in head.cells(..places::beyond_files()?).take(CANDIDATES) {
        let coord = entry?.0;
        let versions = db.history(coord)?.take(VERSIONS_COUNTED).count();
        if busiest.is_none_or(|(most, _)| versions > most) {
            busiest = Some((versions, coord));
        }
    }
    Ok(busiest.map(|(_, coord)| coord))
}

fn farewell(path: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let file = path.display();
    writeln!(out, "\nThe database stays where it is; look around in it:")?;
    writeln!(out, "   hexxladb git log '{file}'")?;
    writeln!(out, "   hexxladb git ls '{file}' --at 1")?;
    writeln!(out, "   hexxladb stats '{file}'")?;
    writeln!(out, "   hexxladb check '{file}'")?;
    Ok(())
}
