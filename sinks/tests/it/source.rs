//! A database that commits a bit of everything.

use std::path::{Path, PathBuf};

use hexxladb::{
    Cell, ChangelogOptions, Coord, Db, Error, Facet, FacetId, Options, ResolutionStatus,
};
use hexxladb_sinks::json::entry_line;
use tempfile::TempDir;

/// A database in a directory of its own, with a changelog.
pub(crate) struct Source {
    pub(crate) db: Db,
    dir: TempDir,
    commits: u32,
}

impl Source {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let options = Options::new().changelog(ChangelogOptions::new());
        let db = Db::open(dir.path().join("source.hexx"), options).expect("a database");
        Self { db, dir, commits: 0 }
    }

    /// One with so many commits.
    pub(crate) fn with(commits: u32) -> Self {
        let mut source = Self::new();
        source.commit(commits);
        source
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("source.hexx")
    }

    /// A file beside the database.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Commits so many times more.
    pub(crate) fn commit(&mut self, commits: u32) {
        for _ in 0..commits {
            self.commits += 1;
            commit(&self.db, self.commits).expect("a commit");
        }
    }

    /// Each entry of the changelog as its line.
    pub(crate) fn lines(&self) -> Vec<String> {
        let entries = self.db.read_changelog_since(0).expect("a changelog");
        entries.map(|entry| entry_line(&entry.expect("an entry")).expect("a line")).collect()
    }
}

/// A database without commits, in a file of its own.
pub(crate) fn same_length(path: &Path, commits: u32) -> Db {
    let options = Options::new().changelog(ChangelogOptions::new());
    let db = Db::open(path, options).expect("a database");
    for number in 1..=commits {
        db.update(|tx| tx.put("other", number.to_string())).expect("a commit");
    }
    db
}

/// Commit `number`: cells with what hangs on them, their deletion, seams, raw records, notes.
fn commit(db: &Db, number: u32) -> Result<(), Error> {
    // Each round of eight has a place of its own; the middle is there for good.
    let round = 1 + i32::try_from(number / 8).expect("small");
    let (middle, coord) = (Coord::new(0, 0)?, Coord::new(round, 0)?);
    db.update(|tx| {
        match number % 8 {
            0 => {
                tx.put_cell(coord, &Cell::new("The kettle is on.\n\"é\"").with_tags(["tea"]))?;
                for facet in FacetId::ALL {
                    tx.put_facet(coord, facet, &Facet::default())?;
                }
                tx.link_cells(coord, middle, "warms / \\ \u{1f980}", 0.1)?;
            }
            1 => {
                tx.put(format!("plain/{number}"), "text")?;
                tx.put_cell(middle, &Cell::new("The stove."))?;
            }
            2 => tx.put([0xff, 0x00, number.to_le_bytes()[0]], [0x80, 0x81])?,
            3 => tx.set_note(format!("a note alone, {number}"))?,
            4 => {
                let other = Coord::new(0, round)?;
                tx.put_cell(other, &Cell::new("The kettle is off."))?;
                let seam = tx.mark_conflict(middle, other, "both cannot be")?;
                tx.set_note("contradicted")?;
                tx.put(b"seam", seam.to_string())?;
            }
            5 => {
                let known = tx.get("seam")?.map(|id| String::from_utf8_lossy(&id).into_owned());
                if let Some(id) = known.and_then(|id| hexxladb::Ulid::from_string(&id).ok()) {
                    tx.resolve_seam(id, ResolutionStatus::Merged, Some("asked"))?;
                }
                tx.put("resolved", number.to_string())?;
            }
            6 => {
                tx.delete_cell(coord)?;
                tx.delete("resolved")?;
                tx.put("large", "x".repeat(number as usize * 7))?;
            }
            _ => {
                for part in 0..30 {
                    tx.put(format!("many/{part:02}"), number.to_string())?;
                }
            }
        }
        Ok(())
    })
}
