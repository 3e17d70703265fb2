//! One state of the database against one listing of git, both ways.
//!
//! Every cell is read whole at every commit. Bytes whose fingerprint was seen at their path
//! before, and was then found byte for byte equal to the blob that git names there now, are not
//! hashed and fetched again; that alone keeps thousands of commits from taking hours.

use std::collections::HashMap;
use std::rc::Rc;

use hexxladb::{Cell, Coord, ReadTx};
use xxhash_rust::xxh3::Xxh3;

use crate::failure::Failure;
use crate::git::batch::Batch;
use crate::git::content::{Kept, Stored, digest_text, read_pieces};
use crate::git::layout::{LONG_PREFIX, NAME_PREFIX, PATH_PREFIX, coord_text, name_key, path_key};
use crate::git::object::{Mode, ObjectId};
use crate::git::places;
use crate::git::quote::quoted;
use crate::git::repo::Repo;
use crate::git::trees::Listing;

/// Differences told in full; the others are counted.
const TOLD: usize = 20;

/// What was found to differ.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    first: Vec<String>,
    count: u64,
}

impl Differences {
    pub(crate) fn add(&mut self, what: String) {
        self.count += 1;
        if self.first.len() < TOLD {
            self.first.push(what);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn first(&self) -> &[String] {
        &self.first
    }
}

/// What is known of a path.
struct Known {
    path: Rc<[u8]>,
    /// The listing in which git last had the path, by its number, and what it had there.
    listed_in: u64,
    mode: Mode,
    id: ObjectId,
    /// The listing in which the database last had it.
    found_in: u64,
    /// Contents that were compared with a blob, byte for byte, and are the same.
    compared: Option<(u128, ObjectId)>,
}

/// Compares states, one after the other.
pub(crate) struct Comparer {
    batch: Batch,
    max_file_bytes: u64,
    /// The number of the listing under comparison.
    listing: u64,
    known: Vec<Known>,
    by_path: HashMap<Rc<[u8]>, usize>,
    by_coord: HashMap<Coord, usize>,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) blobs: u64,
    pub(crate) hash_only: u64,
}

impl Comparer {
    pub(crate) fn start(repo: &Repo, max_file_bytes: u64) -> Result<Self, Failure> {
        Ok(Self {
            batch: Batch::start(repo)?,
            max_file_bytes,
            listing: 0,
            known: Vec::new(),
            by_path: HashMap::new(),
            by_coord: HashMap::new(),
            files: 0,
            bytes: 0,
            blobs: 0,
            hash_only: 0,
        })
    }

    /// Compares the state that `tx` reads with a listing.
    pub(crate) fn compare(
        &mut self,
        tx: &ReadTx,
        listing: &Listing,
        differences: &mut Differences,
    ) -> Result<(), Failure> {
        self.listing += 1;
        let place = format!("commit {} ({})", tx.seq(), listing.commit.short());
        let mut missing = self.learn(listing)?;
        for entry in tx.cells(..places::beyond_files()?) {
            let (coord, cell) = entry?;
            match self.compare_cell(tx, coord, &cell) {
                Ok(()) => missing -= 1,
                Err(Mismatch::Listed(what)) => {
                    missing -= 1;
                    differences.add(format!("{place}: {what}"));
                }
                Err(Mismatch::Extra(what)) => differences.add(format!("{place}: {what}")),
                Err(Mismatch::Failed(failure)) => return Err(failure),
            }
        }
        if missing > 0 {
            for entry in listing.entries() {
                let path = entry?.path;
                if self.by_path.get(path).is_some_and(|&at| self.known[at].found_in < self.listing)
                {
                    let path = quoted(path);
                    differences.add(format!("{place}: {path}: git has it, the database does not"));
                }
            }
        }
        Ok(())
    }

    /// Notes what git lists; returns how many files that is.
    fn learn(&mut self, listing: &Listing) -> Result<u64, Failure> {
        let mut files = 0;
        for entry in listing.entries() {
            let entry = entry?;
            files += 1;
            let at = self.place_of(entry.path, entry.mode, entry.id);
            let known = &mut self.known[at];
            (known.listed_in, known.mode, known.id) = (self.listing, entry.mode, entry.id);
        }
        Ok(files)
    }

    fn place_of(&mut self, path: &[u8], mode: Mode, id: ObjectId) -> usize {
        if let Some(&at) = self.by_path.get(path) {
            return at;
        }
        let at = self.known.len();
        let path: Rc<[u8]> = path.into();
        self.by_path.insert(Rc::clone(&path), at);
        self.known.push(Known { path, listed_in: 0, mode, id, found_in: 0, compared: None });
        at
    }

    fn compare_cell(&mut self, tx: &ReadTx, coord: Coord, cell: &Cell) -> Result<(), Mismatch> {
        let at = self.place_at(tx, coord)?;
        let listing = self.listing;
        let known = &mut self.known[at];
        if known.listed_in < listing {
            return Err(self.extra(coord, at));
        }
        let was_found = std::mem::replace(&mut known.found_in, listing) == listing;
        if was_found {
            return Err(Mismatch::Extra(format!("cell {coord} has the path of another cell")));
        }
        let (mode, id, compared) = (known.mode, known.id, known.compared);
        let Some(kept) = Kept::of(cell) else {
            return Err(self.listed(at, "its cell is not a file of the import"));
        };
        if kept.mode != mode {
            let (have, git) = (kept.mode, mode);
            return Err(self.listed(at, &format!("its mode is {have}, git says {git}")));
        }
        let fingerprint = self.fingerprint(tx, coord, cell, &kept, at)?;
        if compared != Some((fingerprint, id)) {
            self.compare_contents(tx, coord, cell, &kept, at)?;
            self.known[at].compared = Some((fingerprint, id));
        }
        self.files += 1;
        self.hash_only += u64::from(kept.stored == Stored::Hash);
        Ok(())
    }

    /// The path that the database gives a coordinate, which must be one that git had some time.
    fn place_at(&mut self, tx: &ReadTx, coord: Coord) -> Result<usize, Mismatch> {
        if let Some(&at) = self.by_coord.get(&coord) {
            return Ok(at);
        }
        let Some(path) = tx.get(name_key(coord))? else {
            return Err(Mismatch::Extra(format!("cell {coord} has no path, git nothing for it")));
        };
        let Some(&at) = self.by_path.get(&*path) else {
            let path = quoted(&path);
            return Err(Mismatch::Extra(format!("{path}: the database has it, git does not")));
        };
        self.by_coord.insert(coord, at);
        Ok(at)
    }

    /// Reads all of a file and tells it from others.
    fn fingerprint(
        &mut self,
        tx: &ReadTx,
        coord: Coord,
        cell: &Cell,
        kept: &Kept,
        at: usize,
    ) -> Result<u128, Mismatch> {
        let mut hash = Xxh3::new();
        hash.update(&[kept.stored as u8]);
        hash.update(cell.raw_content.as_bytes());
        let mut bytes = cell.raw_content.len() as u64;
        let read = read_pieces(tx, coord, kept, |piece| {
            hash.update(piece);
            bytes += piece.len() as u64;
            Ok(())
        });
        self.bytes += bytes;
        match read {
            Ok(()) => Ok(hash.digest128()),
            Err(Failure::No(what)) => Err(self.listed(at, &what)),
            Err(failure) => Err(Mismatch::Failed(failure)),
        }
    }

    /// Compares a file with the blob that git lists for it, byte for byte.
    fn compare_contents(
        &mut self,
        tx: &ReadTx,
        coord: Coord,
        cell: &Cell,
        kept: &Kept,
        at: usize,
    ) -> Result<(), Mismatch> {
        let id = self.known[at].id;
        self.blobs += 1;
        if kept.stored == Stored::Hash {
            let (bytes, sha256) = self.batch.blob_hash(id)?;
            if bytes <= self.max_file_bytes {
                return Err(self.listed(at, "only its hash is kept, though it is small enough"));
            }
            return self.same(at, digest_text(&sha256, bytes) == cell.raw_content);
        }
        let mut contents = Vec::new();
        read_pieces(tx, coord, kept, |piece| {
            contents.extend_from_slice(piece);
            Ok(())
        })?;
        let ours =
            if kept.stored == Stored::Text { cell.raw_content.as_bytes() } else { &contents };
        // The id first: it needs nothing of git's but the listing.
        self.same(at, id.format().blob_id(ours) == id)?;
        let theirs = self.batch.whole_blob(id)?;
        self.same(at, theirs == ours)?;
        if kept.stored == Stored::Bytes {
            let digest = sha2::Digest::finalize(sha2::Digest::chain_update(
                <sha2::Sha256 as sha2::Digest>::new(),
                ours,
            ));
            self.same(at, digest_text(&digest.into(), ours.len() as u64) == cell.raw_content)?;
        }
        Ok(())
    }

    fn same(&self, at: usize, same: bool) -> Result<(), Mismatch> {
        if same { Ok(()) } else { Err(self.listed(at, "its contents are not what git has")) }
    }

    fn listed(&self, at: usize, what: &str) -> Mismatch {
        Mismatch::Listed(format!("{}: {what}", self.path(at)))
    }

    fn extra(&self, coord: Coord, at: usize) -> Mismatch {
        let path = self.path(at);
        Mismatch::Extra(format!("{path} (cell {coord}): the database has it, git does not"))
    }

    fn path(&self, at: usize) -> String {
        quoted(&self.known[at].path)
    }

    /// Checks that the newest state maps every path to its coordinate and back.
    pub(crate) fn compare_names(
        &self,
        head: &ReadTx,
        paths: u64,
        differences: &mut Differences,
    ) -> Result<(), Failure> {
        let mut names = 0;
        for row in head.scan_prefix(NAME_PREFIX) {
            let (key, path) = row?;
            names += 1;
            let key: &[u8] = key.as_ref();
            let coord = &key[NAME_PREFIX.len()..];
            let back = head.get(path_key(&path))?;
            if back.is_none_or(|back| &*back != coord) {
                let path = quoted(&path);
                differences.add(format!("{path}: its path and its coordinate do not match"));
            }
        }
        let mut keys = 0;
        for prefix in [PATH_PREFIX, LONG_PREFIX] {
            for row in head.scan_prefix(prefix) {
                row?;
                keys += 1;
            }
        }
        if names != paths || keys != paths {
            differences.add(format!(
                "{paths} paths were imported, {names} coordinates have a path, {keys} paths a \
                 coordinate"
            ));
        }
        for (coord, &at) in &self.by_coord {
            let path = head.get(name_key(*coord))?;
            if path.is_none_or(|path| *path != *self.known[at].path) {
                let coord = coord_text(*coord);
                differences.add(format!("cell {coord}: its path was changed"));
            }
        }
        Ok(())
    }
}

/// How a cell fails the comparison.
enum Mismatch {
    /// Git lists its path, and something differs.
    Listed(String),
    /// Git does not list it.
    Extra(String),
    /// The comparison itself failed.
    Failed(Failure),
}

impl From<hexxladb::Error> for Mismatch {
    fn from(error: hexxladb::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Failure> for Mismatch {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
