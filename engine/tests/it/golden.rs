//! Files of every format version open, and read what was written into them.
//!
//! `corpus/format/v<N>` holds small databases: one that was closed, one whose process was killed
//! with commits in its log, each with a text of what must be read from it.
//!
//! When one of these tests fails, what this version reads has changed. If that was not on purpose,
//! it is a bug. Until the first release the format may still change: then run the tests once with
//! `HEXXLADB_BLESS=1` in the environment, which writes files and texts anew, look at the difference
//! of the texts, and say in the changelog what changed on disk. From the first release on the files
//! never change: a new format gets a new directory beside them.

#![expect(clippy::disallowed_methods, reason = "golden files are real files")]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use hexxladb::fuzzing::{LOG, PRIMARY, Shape, compare, sample};
use hexxladb::{
    Bytes, Cell, Db, Error, Facet, Options, Provenance, ReadTx, Seam, Timestamp, Validity,
};

const PAGE_BYTES: u32 = 4096;

/// A database of the corpus.
struct Golden {
    shape: Shape,
    name: &'static str,
}

impl Golden {
    fn new(mvcc: bool, closed: bool) -> Self {
        let shape = Shape { mvcc, page_size: PAGE_BYTES, closed, large_end: false };
        Self { shape, name: if closed { "closed" } else { "killed" } }
    }

    fn dir(&self) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        root.join("corpus/format").join(if self.shape.mvcc { "v2" } else { "v1" })
    }

    /// The files that there are: their names here, and how the name ends.
    fn files(&self) -> Vec<(&'static str, PathBuf)> {
        let file = |end: &str| self.dir().join(format!("{}.db{end}", self.name));
        let primary = ("", file(""));
        // A closed primary is complete alone.
        if self.shape.closed { vec![primary] } else { vec![primary, ("-wal", file("-wal"))] }
    }

    fn text(&self) -> PathBuf {
        self.dir().join(format!("{}.txt", self.name))
    }

    /// Writes files and text anew.
    fn bless(&self) {
        let sample = sample(self.shape).unwrap();
        fs::create_dir_all(self.dir()).unwrap();
        for (end, file) in self.files() {
            let name = if end.is_empty() { PRIMARY } else { LOG };
            fs::write(file, sample.vfs.read_file(Path::new(name)).unwrap()).unwrap();
        }
        let copy = self.copy();
        let db = Db::open(copy.path().join("db"), Options::new()).unwrap();
        fs::write(self.text(), listing(&db)).unwrap();
    }

    /// Copies of the files, which a test may change.
    fn copy(&self) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (end, file) in self.files() {
            let read = fs::read(&file);
            let bytes = read.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            fs::write(dir.path().join(format!("db{end}")), bytes).unwrap();
        }
        dir
    }

    fn check(&self) {
        if std::env::var("HEXXLADB_BLESS").is_ok_and(|value| value == "1") {
            self.bless();
        }
        let expected = fs::read_to_string(self.text()).unwrap();
        let oracle = sample(self.shape).unwrap().oracle;
        let copy = self.copy();
        let path = copy.path().join("db");
        let before = fs::read(&path).unwrap();
        for read_only in [true, false] {
            let db = Db::open(&path, Options::new().read_only(read_only)).unwrap();
            assert_eq!(db.recovery_report().clean, self.shape.closed);
            self.assert_listing(&listing(&db), &expected);
            let outcome = compare(&db, &oracle).unwrap();
            assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
            assert_eq!(outcome.head, oracle.head());
            let report = db.check().unwrap();
            assert!(report.is_clean(), "{:?}", report.findings);
            drop(db);
            assert!(!read_only || fs::read(&path).unwrap() == before, "reading changed the file");
        }
        self.write_on(&path, oracle.head() + 1);
    }

    /// The old file takes new commits.
    fn write_on(&self, path: &Path, seq: u64) {
        for reopened in [false, true] {
            let db = Db::open(path, Options::new()).unwrap();
            if !reopened {
                let put = db.update(|tx| {
                    tx.put("new", "value")?;
                    Ok::<_, Error>(tx.commit_seq())
                });
                assert_eq!(put.unwrap(), seq);
            }
            assert_eq!(db.view(|tx| tx.get("new")).unwrap().unwrap(), b"value");
            assert!(db.check().unwrap().is_clean());
            assert_eq!(db.head().unwrap(), seq);
            assert_eq!(db.format_version(), if self.shape.mvcc { 2 } else { 1 });
            db.close().unwrap();
        }
    }

    fn assert_listing(&self, found: &str, expected: &str) {
        let mut lines = found.lines().zip(expected.lines()).enumerate();
        if let Some((number, (found, expected))) = lines.find(|(_, (a, b))| a != b) {
            panic!(
                "{}:{}: expected\n{expected}\nfound\n{found}\nSee the head of tests/it/golden.rs.",
                self.text().display(),
                number + 1
            );
        }
        assert_eq!(found.len(), expected.len(), "{}", self.text().display());
    }
}

/// Everything that a database holds, as text.
fn listing(db: &Db) -> String {
    let head = db.head().unwrap();
    let mut out = format!("format {}\nhead {head}\n", db.format_version());
    for commit in db.commits(..).unwrap() {
        let commit = commit.unwrap();
        let hash = u128::from_be_bytes(commit.history_hash);
        let (seq, time, note) = (commit.seq, commit.time.as_nanos(), commit.note);
        writeln!(out, "commit {seq} at {time} hash {hash:032x} note {note:?}").unwrap();
    }
    if db.format_version() == 1 {
        db.view(|tx| list_snapshot(&mut out, tx)).unwrap();
        return out;
    }
    for tag in db.snapshot_tags().unwrap() {
        writeln!(out, "tag {:?} at {}", tag.name, tag.seq).unwrap();
    }
    for seq in 0..=head {
        match db.view_at(seq, |tx| list_snapshot(&mut out, tx)) {
            Err(Error::SnapshotPruned { .. }) => writeln!(out, "snapshot {seq} is pruned").unwrap(),
            listed => listed.unwrap(),
        }
    }
    out
}

fn list_snapshot(out: &mut String, tx: &ReadTx) -> Result<(), Error> {
    writeln!(out, "snapshot {}", tx.seq()).unwrap();
    for row in tx.scan::<&[u8]>(..) {
        let (key, value) = row?;
        writeln!(out, "  raw {key:?} = {}", shown(&value)).unwrap();
    }
    for row in tx.cells(..) {
        let (at, cell) = row?;
        writeln!(out, "  cell {at} = {}", shown_cell(&cell)).unwrap();
    }
    for row in tx.facets(..) {
        let (at, id, facet) = row?;
        writeln!(out, "  facet {at}/{id} = {}", shown_facet(&facet)).unwrap();
    }
    for row in tx.edges(..) {
        let (id, edge) = row?;
        writeln!(out, "  edge {id} = {} {}", edge.weight, shown_provenance(&edge.provenance))
            .unwrap();
    }
    for row in tx.seams(..) {
        let (id, seam) = row?;
        writeln!(out, "  seam {id} = {}", shown_seam(&seam)).unwrap();
    }
    list_indexes(out, tx)
}

fn list_indexes(out: &mut String, tx: &ReadTx) -> Result<(), Error> {
    for row in tx.cells_by_tag(..).coords() {
        let (tag, at) = row?;
        writeln!(out, "  by tag {tag:?} {at}").unwrap();
    }
    for row in tx.cells_by_source(..).coords() {
        let (source, at) = row?;
        writeln!(out, "  by source {source:?} {at}").unwrap();
    }
    for row in tx.cells_by_week(..).coords() {
        let (week, at) = row?;
        writeln!(out, "  by week {week} {at}").unwrap();
    }
    for row in tx.seams_by_source(..) {
        let (source, id, _) = row?;
        writeln!(out, "  by source {source:?} {id}").unwrap();
    }
    for row in tx.seams_by_week(..) {
        let (week, id, _) = row?;
        writeln!(out, "  by week {week} {id}").unwrap();
    }
    Ok(())
}

/// A value's beginning, its length, and a checksum over all of it.
fn shown(value: &Bytes) -> String {
    let start = &value[..value.len().min(24)];
    let sum = value.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, &byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("\"{}\" of {} bytes, fnv {sum:016x}", start.escape_ascii(), value.len())
}

fn nanos(time: Timestamp) -> i64 {
    time.as_nanos()
}

fn shown_cell(cell: &Cell) -> String {
    let Cell { raw_content, provenance, validity, tags, cluster_hint, .. } = cell;
    format!(
        "{raw_content:?} {} {} tags {tags:?} hint {cluster_hint:?}",
        shown_provenance(provenance),
        shown_validity(*validity),
    )
}

fn shown_provenance(provenance: &Provenance) -> String {
    let Provenance { source_id, confidence, created_at, updated_at } = provenance;
    let (created, updated) = (nanos(*created_at), nanos(*updated_at));
    format!("source {source_id:?} confidence {confidence} created {created} updated {updated}")
}

fn shown_validity(validity: Validity) -> String {
    format!("valid {:?}..{:?}", validity.valid_from.map(nanos), validity.valid_to.map(nanos))
}

fn shown_facet(facet: &Facet) -> String {
    let hash = Bytes::from(facet.derivation_hash.to_vec());
    let rotated = nanos(facet.last_rotated);
    format!("{:?} of {} rotated {rotated}", facet.derived_content, shown(&hash))
}

fn shown_seam(seam: &Seam) -> String {
    format!(
        "{} {} {} {:?} delta {} detected {} {} {:?} {} {}",
        seam.cell_a,
        seam.seam_type,
        seam.cell_b,
        seam.reason,
        seam.confidence_delta,
        nanos(seam.detected_at),
        seam.resolution_status,
        seam.resolution_note,
        shown_provenance(&seam.provenance),
        shown_validity(seam.validity),
    )
}

#[test]
fn a_closed_v1_reads_as_it_did() {
    Golden::new(false, true).check();
}

#[test]
fn a_killed_v1_reads_as_it_did() {
    Golden::new(false, false).check();
}

#[test]
fn a_closed_v2_reads_as_it_did() {
    Golden::new(true, true).check();
}

#[test]
fn a_killed_v2_reads_as_it_did() {
    Golden::new(true, false).check();
}
