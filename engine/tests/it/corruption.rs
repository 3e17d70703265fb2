//! Damage of every kind to a small database: whatever is read from it afterwards is the right
//! answer or an error that names the damaged file and the place.
//!
//! Always, for one flipped bit, a cut, a page from elsewhere or from earlier: no panic, no hang,
//! no wrong data, and a file that could not be opened stays as it is. The one exception: damage at
//! the very end of the log, behind which nothing proves that those frames were durable, looks like
//! a torn commit. Then the state is that of an earlier commit, and `recovery_report` says so. The
//! tests count these cases, and bound them by what lay in the last synced group.
//!
//! By default each test flips every byte of small files, or every n-th in builds without
//! optimisation. `HEXXLADB_DAMAGE=all` flips each bit of every byte.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hexxladb::fuzzing::{LOG, Outcome, PRIMARY, Sample, Shape, compare, sample, small_options};
use hexxladb::vfs::sim::SimVfs;
use hexxladb::{Db, Error};

/// File operations after which opening or reading is thought never to end.
const MAX_OPS: u64 = 100_000;

const KILLED_V2: Shape = Shape { mvcc: true, page_size: 512, closed: false };
const KILLED_V1: Shape = Shape { mvcc: false, page_size: 512, closed: false };
const CLOSED_V2: Shape = Shape { mvcc: true, page_size: 512, closed: true };
const CLOSED_V1: Shape = Shape { mvcc: false, page_size: 512, closed: true };

fn make(shape: Shape) -> Sample {
    sample(shape).unwrap()
}

fn read(vfs: &SimVfs, name: &str) -> Vec<u8> {
    vfs.read_file(Path::new(name)).unwrap()
}

/// What became of damaged files.
#[derive(Debug, Default)]
struct Tally {
    /// Everything was read, and was right.
    right: u64,
    /// The open was refused.
    refused: u64,
    /// It opened, and some reads were refused.
    partly: u64,
    /// The exception: commits at the end of the log were discarded.
    shortened: u64,
    /// The fewest commits that were left.
    shortest: Option<u64>,
}

/// The damage that was done, for judging what comes of it.
struct Damage<'a> {
    what: String,
    /// The file that was damaged.
    file: &'a str,
    /// First damaged byte, and the one after the last.
    range: std::ops::Range<u64>,
    /// Commits that may be missing afterwards begin after this one.
    kept: u64,
}

impl Tally {
    /// Opens, reads and checks the files on `vfs`, for writing and for reading alone.
    fn judge(&mut self, sample: &Sample, vfs: &SimVfs, damage: &Damage<'_>) {
        for read_only in [true, false] {
            let after = vfs.fork();
            after.set_op_limit(Some(MAX_OPS));
            let options = small_options().read_only(read_only);
            match Db::open_with(Arc::new(after.clone()), PRIMARY, options) {
                Ok(db) => self.judge_open(sample, &db, damage),
                Err(error) => {
                    damage.accept(&error);
                    self.refused += 1;
                    let changed = after.view_hash() != vfs.view_hash();
                    assert!(!(read_only && changed), "{}: reading changed a file", damage.what);
                    if changed {
                        damage.assert_not_worse(sample, &after);
                    }
                }
            }
        }
    }

    fn judge_open(&mut self, sample: &Sample, db: &Db, damage: &Damage<'_>) {
        let what = &damage.what;
        let report = db.recovery_report().clone();
        let Outcome { head, errors } = compare(db, &sample.oracle)
            .unwrap_or_else(|wrong| panic!("{what}: {wrong}; {report:?}"));
        errors.iter().for_each(|error| damage.accept(error));
        match db.check() {
            Ok(check) => {
                for finding in &check.findings {
                    assert_eq!(finding.file, Path::new(damage.file), "{what}: {finding}");
                }
                let silent = check.is_clean() && !errors.is_empty();
                assert!(!silent, "{what}: a check does not see {errors:?}");
            }
            Err(error) => damage.accept(&error),
        }
        if head < sample.oracle.head() {
            assert!(damage.file == LOG && head >= damage.kept, "{what}: head {head}, {report:?}");
            assert!(report.reason.is_some() && report.bytes_discarded > 0, "{what}: {report:?}");
            self.shortened += 1;
            self.shortest = Some(self.shortest.map_or(head, |shortest| shortest.min(head)));
        } else if errors.is_empty() {
            self.right += 1;
        } else {
            self.partly += 1;
        }
    }
}

impl Damage<'_> {
    /// An open that was refused may have left bytes in pages that nothing refers to: once the
    /// damage is repaired, everything is there.
    fn assert_not_worse(&self, sample: &Sample, after: &SimVfs) {
        let right = read(&sample.vfs, self.file);
        let range = self.range.start as usize..self.range.end as usize;
        after.edit(Path::new(self.file), |bytes| {
            bytes[range.clone()].copy_from_slice(&right[range]);
        });
        let db = Db::open_with(Arc::new(after.fork()), PRIMARY, small_options());
        let db = db.unwrap_or_else(|error| panic!("{}: worse by opening: {error}", self.what));
        let outcome = compare(&db, &sample.oracle);
        let outcome = outcome.unwrap_or_else(|wrong| panic!("{}: {wrong}", self.what));
        assert!(outcome.errors.is_empty(), "{}: {:?}", self.what, outcome.errors);
        assert_eq!(outcome.head, sample.oracle.head(), "{}", self.what);
    }

    /// An error must name the damaged file, and a place in the same page or block.
    fn accept(&self, error: &Error) {
        let Error::CorruptDatabase { file, offset, .. } = error else {
            panic!("{}: {error:?}", self.what);
        };
        assert_eq!(file, Path::new(self.file), "{}: {error}", self.what);
        // Of a header slot and of a page that is where it begins; of the log where the last good
        // frame before it ends.
        let unit = if self.range.start < 4 * 4096 || self.file == LOG { 4096 } else { 512 };
        let first = if self.file == LOG { 0 } else { self.range.start / unit * unit };
        let end = self.range.end.max(first + 1).next_multiple_of(unit);
        assert!((first..end).contains(offset), "{}: {error}", self.what);
    }
}

/// Which bytes are flipped: every n-th, by how fast the build is.
fn step() -> usize {
    if all_bits() || !cfg!(debug_assertions) { 1 } else { 7 }
}

#[expect(clippy::disallowed_methods, reason = "asked for by whoever runs the tests")]
fn all_bits() -> bool {
    std::env::var("HEXXLADB_DAMAGE").is_ok_and(|value| value == "all")
}

/// Flips bits of every byte of a file, each alone.
fn flip_every_byte(shape: Shape, file: &'static str) -> Tally {
    let sample = make(shape);
    let bytes = read(&sample.vfs, file);
    let kept = sample.oracle.head() - 1;
    let mut tally = Tally::default();
    for at in (0..bytes.len()).step_by(step()) {
        let bits = if all_bits() { 0..8 } else { at % 8..at % 8 + 1 };
        for bit in bits {
            let vfs = sample.vfs.fork();
            vfs.flip(Path::new(file), at as u64, 1 << bit);
            let what = format!("bit {bit} of byte {at} of {file}, {shape:?}");
            let range = at as u64..at as u64 + 1;
            tally.judge(&sample, &vfs, &Damage { what, file, range, kept });
        }
    }
    println!("{file} of {} bytes, {shape:?}: {tally:?}", bytes.len());
    tally
}

#[test]
fn undamaged_samples_read_right() {
    for shape in [KILLED_V1, KILLED_V2, CLOSED_V1, CLOSED_V2] {
        let sample = make(shape);
        let mut tally = Tally::default();
        let damage = Damage { what: format!("{shape:?}"), file: LOG, range: 0..0, kept: 8 };
        tally.judge(&sample, &sample.vfs, &damage);
        assert_eq!(tally.right, 2, "{shape:?}");
    }
}

#[test]
fn flips_in_the_primary_of_a_killed_v2() {
    let tally = flip_every_byte(KILLED_V2, PRIMARY);
    assert!(tally.right > 0 && tally.refused > 0 && tally.partly > 0 && tally.shortened == 0);
}

#[test]
fn flips_in_the_log_of_a_killed_v2() {
    flip_every_byte(KILLED_V2, LOG);
}

#[test]
fn flips_in_a_killed_v1() {
    flip_every_byte(KILLED_V1, PRIMARY);
    flip_every_byte(KILLED_V1, LOG);
}

#[test]
fn flips_in_a_closed_v2() {
    let tally = flip_every_byte(CLOSED_V2, PRIMARY);
    assert!(tally.partly > 0);
    let tally = flip_every_byte(CLOSED_V2, LOG);
    assert_eq!((tally.refused, tally.partly, tally.shortened), (0, 0, 0));
}

#[test]
fn flips_in_a_closed_v1() {
    flip_every_byte(CLOSED_V1, PRIMARY);
    flip_every_byte(CLOSED_V1, LOG);
}
