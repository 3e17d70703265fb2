//! One commit of the import: its changes as one transaction.
//!
//! What to do with each change is decided first, from git's answer alone; then it is done.

use hexxladb::{ChangeKind, Coord, Db, Edge, PendingCommit, WriteTx};

use crate::failure::Failure;
use crate::git::batch::Batch;
use crate::git::content::{self, FileCell, Kept, PIECE_BYTES, Stored};
use crate::git::diff::Change;
use crate::git::layout::{
    FORMAT_KEY, Format, Note, PARENT, RENAMED_TO, RESUME_KEY, Resume, altered, commit_cell,
    commit_key, coord_text, name_key, parse_coord, path_key, piece_key,
};
use crate::git::object::{Mode, ObjectId};
use crate::git::places;
use crate::git::renames::renames;
use crate::stop::Stop;

/// What was done, counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// File versions written.
    pub(crate) files: u64,
    /// Bytes of theirs that were kept.
    pub(crate) bytes: u64,
    pub(crate) deletions: u64,
    /// Of the files: kept as bytes.
    pub(crate) not_text: u64,
    /// Of the files: symbolic links.
    pub(crate) symlinks: u64,
    /// Of the files: too large, only the hash was kept.
    pub(crate) hash_only: u64,
    /// Files that went to another path as they were.
    pub(crate) renames: u64,
    /// Submodules added, moved or removed, which are left out.
    pub(crate) submodules: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, more: &Self) {
        self.files += more.files;
        self.bytes += more.bytes;
        self.deletions += more.deletions;
        self.not_text += more.not_text;
        self.symlinks += more.symlinks;
        self.hash_only += more.hash_only;
        self.renames += more.renames;
        self.submodules += more.submodules;
    }
}

/// What a change asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Write(Mode, ObjectId),
    Delete,
    Nothing,
}

fn decide(change: &Change) -> Step {
    match change.kind() {
        Some(ChangeKind::Removed) => Step::Delete,
        Some(_) => Step::Write(change.new_mode, change.new_id),
        None => Step::Nothing,
    }
}

/// A commit in the making; dropped before `finish`, it leaves nothing behind.
pub(crate) struct ImportCommit<'a> {
    tx: WriteTx,
    note: &'a Note,
    /// Paths that have a coordinate, those of this commit included.
    paths: u64,
    counts: Counts,
}

impl<'a> ImportCommit<'a> {
    pub(crate) fn begin(db: &Db, paths: u64, note: &'a Note) -> Result<Self, Failure> {
        Ok(Self { tx: db.begin_write()?, note, paths, counts: Counts::default() })
    }

    /// Applies the changes; `false` when a signal came before the end.
    pub(crate) fn apply(
        &mut self,
        changes: &[Change],
        batch: &mut Batch,
        max_file_bytes: u64,
        stop: &Stop,
    ) -> Result<bool, Failure> {
        let mut writes = Vec::new();
        for change in changes {
            let submodule = change.old_mode.is_submodule() || change.new_mode.is_submodule();
            self.counts.submodules += u64::from(submodule);
            match decide(change) {
                Step::Write(mode, id) => writes.push((change.path.as_slice(), mode, id)),
                Step::Delete => self.delete(&change.path)?,
                Step::Nothing => {}
            }
        }
        for some in writes.chunks(READ_AT_ONCE) {
            if stop.is_requested() {
                return Ok(false);
            }
            let ids: Vec<_> = some.iter().map(|&(_, _, id)| id).collect();
            batch.blobs(&ids, max_file_bytes, |place, blob| {
                let (path, mode, _) = some[place];
                self.write(path, mode, content::plan(path, mode, blob))
            })?;
        }
        self.link_renames(changes)?;
        Ok(true)
    }

    /// Adds what makes the commit whole and hands it to the log.
    pub(crate) fn finish(
        mut self,
        format: &Format,
        commits: u64,
    ) -> Result<(PendingCommit, u64, Counts), Failure> {
        if commits == 1 {
            self.put_json(FORMAT_KEY, format)?;
        }
        self.put_json(RESUME_KEY, &Resume::new(self.note.commit, commits, self.paths))?;
        self.put_commit(commits)?;
        let seq = self.tx.commit_seq().to_string();
        self.tx.put(commit_key(self.note.commit), seq)?;
        self.tx.set_commit_time(self.note.committer_time())?;
        self.tx.set_note(self.note.to_text())?;
        Ok((self.tx.commit_pipelined()?, self.paths, self.counts))
    }

    /// The commit's own cell, linked with that of the one before.
    fn put_commit(&mut self, commits: u64) -> Result<(), Failure> {
        let place = places::of_commit(commits - 1)?;
        let mut cell = commit_cell(self.note);
        content::stamp(&mut cell, None, self.note.committer_time());
        self.tx.put_cell(place, &cell)?;
        if commits > 1 {
            let before = places::of_commit(commits - 2)?;
            self.tx.put_edge(place, before, PARENT, &Edge::default())?;
        }
        Ok(())
    }

    /// Links the old names of files with the new ones, after what deleting the old ones took.
    fn link_renames(&mut self, changes: &[Change]) -> Result<(), Failure> {
        for (old, new) in renames(changes) {
            let (old, new) = (self.place(old)?, self.place(new)?);
            self.tx.put_edge(old, new, RENAMED_TO, &Edge::default())?;
            self.counts.renames += 1;
        }
        Ok(())
    }

    /// Where a path is that has a coordinate.
    fn place(&self, path: &[u8]) -> Result<Coord, Failure> {
        let text = self.tx.get(path_key(path))?.ok_or_else(|| unreadable(path))?;
        parse_coord(&text).ok_or_else(|| unreadable(path))
    }

    fn put_json(&mut self, key: &str, value: &impl serde::Serialize) -> Result<(), Failure> {
        let json = serde_json::to_vec(value).map_err(|error| altered(key, &error.to_string()))?;
        Ok(self.tx.put(key, json)?)
    }

    fn write(&mut self, path: &[u8], mode: Mode, mut file: FileCell) -> Result<(), Failure> {
        let coord = match self.tx.get(path_key(path))? {
            Some(text) => parse_coord(&text).ok_or_else(|| unreadable(path))?,
            None => self.name(path)?,
        };
        let before = self.tx.get_cell(coord)?;
        content::stamp(&mut file.cell, before.as_ref(), self.note.committer_time());
        let old_pieces = before.as_ref().and_then(Kept::of).map_or(0, |kept| kept.pieces());
        let new_pieces = file.bytes.len().div_ceil(PIECE_BYTES) as u64;
        for (number, piece) in file.bytes.chunks(PIECE_BYTES).enumerate() {
            self.tx.put(piece_key(coord, number as u64), piece)?;
        }
        for number in new_pieces..old_pieces {
            self.tx.delete(piece_key(coord, number))?;
        }
        self.tx.put_cell(coord, &file.cell)?;
        self.count(mode, &file);
        Ok(())
    }

    fn count(&mut self, mode: Mode, file: &FileCell) {
        let counts = &mut self.counts;
        counts.files += 1;
        counts.symlinks += u64::from(mode.is_symlink());
        match file.stored {
            Stored::Text => counts.bytes += file.cell.raw_content.len() as u64,
            Stored::Bytes => {
                counts.bytes += file.bytes.len() as u64;
                counts.not_text += 1;
            }
            Stored::Hash => counts.hash_only += 1,
        }
    }

    /// Gives a path that appears for the first time the next coordinate of the spiral.
    fn name(&mut self, path: &[u8]) -> Result<Coord, Failure> {
        let coord = places::of_file(self.paths)?;
        self.paths += 1;
        self.tx.put(path_key(path), coord_text(coord))?;
        self.tx.put(name_key(coord), path)?;
        Ok(coord)
    }

    fn delete(&mut self, path: &[u8]) -> Result<(), Failure> {
        let coord = self.place(path)?;
        let before = self.tx.get_cell(coord)?;
        for number in 0..before.as_ref().and_then(Kept::of).map_or(0, |kept| kept.pieces()) {
            self.tx.delete(piece_key(coord, number))?;
        }
        self.tx.delete_cell(coord)?;
        self.counts.deletions += 1;
        Ok(())
    }
}

/// Files read between two looks for a signal.
const READ_AT_ONCE: usize = 60;

fn unreadable(path: &[u8]) -> Failure {
    altered(&String::from_utf8_lossy(&path_key(path)), "it names no coordinate")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submodules_are_nothing_and_hide_nothing() {
        let id = crate::git::object::ObjectFormat::Sha1.empty_tree();
        let step = |old: &str, new: &str| {
            let mode = |text: &str| Mode::from_octal(text.as_bytes()).unwrap();
            let (old_mode, new_mode) = (mode(old), mode(new));
            decide(&Change { path: b"a".to_vec(), old_mode, new_mode, old_id: id, new_id: id })
        };
        assert_eq!(step("000000", "160000"), Step::Nothing);
        assert_eq!(step("160000", "000000"), Step::Nothing);
        assert_eq!(step("160000", "160000"), Step::Nothing);
        assert_eq!(step("100644", "160000"), Step::Delete);
        assert_eq!(step("120000", "000000"), Step::Delete);
        assert!(matches!(step("160000", "120000"), Step::Write(..)));
        assert!(matches!(step("100644", "100755"), Step::Write(..)));
    }
}
