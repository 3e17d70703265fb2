//! Damage of every kind to a small database: whatever is read from it afterwards is the right
//! answer, or an error that names the damaged file and the place.
//!
//! Always, for one flipped bit, a cut, a page from elsewhere or from earlier: no panic, no hang,
//! no wrong data, and a refused open leaves nothing worse. The one exception: damage at the very
//! end of the log, behind which nothing proves that those frames were durable, looks like a torn
//! commit. Then the state is that of an earlier commit, and `recovery_report` says so. The tests
//! count these cases, and bound them by the last synced group.
//!
//! One bit of every byte is flipped, every other time opened for reading alone. With
//! `HEXXLADB_DAMAGE=bits` in the environment it is each bit, opened both ways, which takes some
//! ten minutes in an optimised build.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use hexxladb::fuzzing::{LOG, Outcome, PRIMARY, Sample, Shape, compare, sample, small_options};
use hexxladb::vfs::sim::SimVfs;
use hexxladb::{Db, Error};

/// File operations after which opening or reading is thought never to end.
const MAX_OPS: u64 = 100_000;
const PAGE_BYTES: usize = 512;
const BLOCK_BYTES: usize = 4096;
/// Whether a database is opened for reading alone.
const BOTH_WAYS: [bool; 2] = [true, false];
/// Pages of a sample's largest value.
const MAX_VALUE_PAGES: usize = 6;
/// The header's four slots, in blocks of their own.
const HEADER_BYTES: usize = 4 * BLOCK_BYTES;

const KILLED_V2: Shape = Shape { mvcc: true, page_size: 512, closed: false, large_end: false };
const KILLED_V1: Shape = Shape { mvcc: false, large_end: true, ..KILLED_V2 };
const CLOSED_V2: Shape = Shape { closed: true, ..KILLED_V2 };
const CLOSED_V1: Shape = Shape { closed: true, ..KILLED_V1 };
const SHAPES: [Shape; 4] = [KILLED_V1, KILLED_V2, CLOSED_V1, CLOSED_V2];

fn make(shape: Shape) -> Sample {
    sample(shape).unwrap()
}

fn read(vfs: &SimVfs, name: &str) -> Vec<u8> {
    vfs.read_file(Path::new(name)).unwrap()
}

/// Whether each bit is flipped and opened both ways.
#[expect(clippy::disallowed_methods, reason = "asked for by whoever runs the tests")]
fn every_bit() -> bool {
    match std::env::var("HEXXLADB_DAMAGE").as_deref() {
        Ok("bits") => true,
        Ok(other) => panic!("HEXXLADB_DAMAGE is {other}; it may be bits"),
        Err(_) => false,
    }
}

/// The damage that was done, for judging what comes of it.
struct Damage<'a> {
    what: String,
    how: How,
    /// The file that was damaged.
    file: &'a str,
    /// The damaged bytes.
    range: Range<usize>,
    /// Commits after this one may be missing.
    kept: u64,
}

/// What the damage may be taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// Bytes that nobody wrote: they can be told from all others, and leave a trace.
    Rot,
    /// Bytes that were written, elsewhere or earlier, or the lack of bytes: it may look like files
    /// that do not belong together, and what is missing may be missing without a trace.
    Loss,
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
}

impl Tally {
    /// Opens, reads and checks the files on `vfs`; what is done to them is not seen there.
    fn judge(&mut self, sample: &Sample, vfs: &SimVfs, read_only: bool, damage: &Damage<'_>) {
        let after = vfs.fork();
        after.set_op_limit(Some(MAX_OPS));
        let options = small_options().read_only(read_only);
        match Db::open_with(Arc::new(after.clone()), PRIMARY, options) {
            Ok(db) => self.judge_open(sample, &db, damage),
            Err(error) => {
                damage.accept(sample, &error);
                self.refused += 1;
                let changed = after.view_hash() != vfs.view_hash();
                assert!(!(read_only && changed), "{}: reading changed a file", damage.what);
                if changed {
                    damage.assert_not_worse(sample, &after);
                }
            }
        }
    }

    fn judge_both(&mut self, sample: &Sample, vfs: &SimVfs, damage: &Damage<'_>) {
        for read_only in BOTH_WAYS {
            self.judge(sample, vfs, read_only, damage);
        }
    }

    fn judge_open(&mut self, sample: &Sample, db: &Db, damage: &Damage<'_>) {
        let what = &damage.what;
        let report = db.recovery_report().clone();
        let Outcome { head, errors } = compare(db, &sample.oracle)
            .unwrap_or_else(|wrong| panic!("{what}: {wrong}; {report:?}"));
        for error in &errors {
            damage.accept(sample, error);
        }
        match db.check() {
            Ok(check) => {
                for finding in &check.findings {
                    assert_eq!(finding.file, Path::new(damage.file), "{what}: {finding}");
                }
                let silent = check.is_clean() && !errors.is_empty();
                assert!(!silent, "{what}: a check does not see {errors:?}");
            }
            Err(error) => damage.accept(sample, &error),
        }
        if head < sample.oracle.head() {
            assert!(damage.file == LOG && head >= damage.kept, "{what}: head {head}, {report:?}");
            let reported = report.reason.is_some() && report.bytes_discarded > 0;
            assert!(reported || damage.how == How::Loss, "{what}: {report:?}");
            self.shortened += 1;
        } else if errors.is_empty() {
            self.right += 1;
        } else {
            self.partly += 1;
        }
    }
}

impl Damage<'_> {
    /// An error must name the damaged file, and the page, header slot or frame where the damage is.
    /// Of a log that lacks something it may name the place where the next frame ought to be,
    /// wherever that is.
    fn accept(&self, sample: &Sample, error: &Error) {
        let lost = self.how == How::Loss;
        let (file, offset) = match error {
            Error::CorruptDatabase { file, offset, .. } => (file, *offset as usize),
            Error::WalMismatch { .. } | Error::WalMissing { .. } if lost => return,
            Error::NotADatabase { .. } if lost && self.range.start < HEADER_BYTES => return,
            _ => panic!("{}: {error:?}", self.what),
        };
        assert_eq!(file, Path::new(self.file), "{}: {error}", self.what);
        if self.file == LOG && !lost {
            let frame = frame_around(&read(&sample.vfs, LOG), self.range.start);
            assert_eq!(Some(offset), frame, "{}: {error}", self.what);
        }
        let unit = if self.range.start < HEADER_BYTES { BLOCK_BYTES } else { PAGE_BYTES };
        // A page of a large value that is intact but not the right one: the value's first page.
        let value_bytes = if lost && unit == PAGE_BYTES { MAX_VALUE_PAGES * PAGE_BYTES } else { 0 };
        let first = (self.range.start / unit * unit).saturating_sub(value_bytes);
        let end = self.range.end.max(first + 1).next_multiple_of(unit);
        let right = self.file == LOG || (first..end).contains(&offset);
        assert!(right, "{}: {error}", self.what);
    }

    /// A refused open may have left bytes in pages that nothing refers to: once the damage is
    /// repaired, everything is there.
    fn assert_not_worse(&self, sample: &Sample, after: &SimVfs) {
        let right = read(&sample.vfs, self.file);
        after.edit(Path::new(self.file), |bytes| {
            bytes.resize(bytes.len().max(right.len()), 0);
            bytes[self.range.clone()].copy_from_slice(&right[self.range.clone()]);
        });
        let db = Db::open_with(Arc::new(after.fork()), PRIMARY, small_options());
        let db = db.unwrap_or_else(|error| panic!("{}: worse by opening: {error}", self.what));
        let outcome = compare(&db, &sample.oracle);
        let outcome = outcome.unwrap_or_else(|wrong| panic!("{}: {wrong}", self.what));
        assert!(outcome.errors.is_empty(), "{}: {:?}", self.what, outcome.errors);
        assert_eq!(outcome.head, sample.oracle.head(), "{}", self.what);
    }
}

/// Where the frame begins that has the byte at `at`.
fn frame_around(log: &[u8], at: usize) -> Option<usize> {
    let mut starts = (BLOCK_BYTES..=at).step_by(BLOCK_BYTES).filter(|start| {
        let frame = &log[*start..];
        let payload = u32::from_le_bytes(frame[8..12].try_into().unwrap()) as usize;
        let size = (136 + payload).next_multiple_of(8);
        let intact = frame.get(4..size).map(crc32fast::hash);
        at < start + size && intact.is_some_and(|crc| frame[..4] == crc.to_le_bytes())
    });
    starts.next()
}

/// Flips bits of every byte of a file, each alone.
fn flip_bytes(shape: Shape, file: &'static str) -> Tally {
    let sample = make(shape);
    let len = read(&sample.vfs, file).len();
    let mut tally = Tally::default();
    let mut flip = |at: usize, bit: usize, ways: &[bool]| {
        let vfs = sample.vfs.fork();
        vfs.flip(Path::new(file), at as u64, 1 << bit);
        let what = format!("bit {bit} of byte {at} of {file}, {shape:?}");
        let kept = sample.oracle.head() - 1;
        let damage = Damage { what, how: How::Rot, file, range: at..at + 1, kept };
        for &read_only in ways {
            tally.judge(&sample, &vfs, read_only, &damage);
        }
    };
    for at in 0..len {
        if every_bit() {
            (0..8).for_each(|bit| flip(at, bit, &BOTH_WAYS));
        } else {
            // From page to page the other way, so that each kind of byte is met both ways.
            let turn = at + at / PAGE_BYTES;
            flip(at, turn / 2 % 8, &[turn.is_multiple_of(2)]);
        }
    }
    println!("{file} of {len} bytes, {shape:?}: {tally:?}");
    tally
}

#[test]
fn undamaged_samples_read_right() {
    for shape in SHAPES {
        let sample = make(shape);
        let mut tally = Tally::default();
        let what = format!("{shape:?}");
        let damage = Damage { what, file: LOG, range: 0..0, kept: u64::MAX, how: How::Rot };
        tally.judge_both(&sample, &sample.vfs, &damage);
        assert_eq!(tally.right, 2, "{shape:?}");
    }
}

#[test]
fn flips_in_the_primary_of_a_killed_v2() {
    let tally = flip_bytes(KILLED_V2, PRIMARY);
    assert!(tally.right > 0 && tally.refused > 0 && tally.partly > 0 && tally.shortened == 0);
}

#[test]
fn flips_in_the_log_of_a_killed_v2() {
    let tally = flip_bytes(KILLED_V2, LOG);
    // Its last group is in the log twice.
    assert!(tally.right > 0 && tally.refused > 0 && tally.partly == 0 && tally.shortened == 0);
}

#[test]
fn flips_in_the_primary_of_a_killed_v1() {
    flip_bytes(KILLED_V1, PRIMARY);
}

#[test]
fn flips_in_the_log_of_a_killed_v1() {
    let tally = flip_bytes(KILLED_V1, LOG);
    // The last group is there once: a header of 136 bytes, the commit's prefix, one change.
    let most = if every_bit() { 2600 * 16 } else { 2600 };
    assert!(tally.shortened > 0 && tally.shortened <= most, "{tally:?}");
}

#[test]
fn flips_in_the_primary_of_a_closed_v2() {
    let tally = flip_bytes(CLOSED_V2, PRIMARY);
    assert!(tally.right > 0 && tally.refused > 0 && tally.partly > 0 && tally.shortened == 0);
}

#[test]
fn flips_in_the_primary_of_a_closed_v1() {
    flip_bytes(CLOSED_V1, PRIMARY);
}

#[test]
fn flips_in_the_log_of_a_closed_database_do_no_harm() {
    for shape in [CLOSED_V1, CLOSED_V2] {
        let tally = flip_bytes(shape, LOG);
        assert_eq!((tally.refused, tally.partly, tally.shortened), (0, 0, 0), "{shape:?}");
    }
}

/// Lengths at and around every boundary of `unit`, and some in between.
fn cuts(len: usize, unit: usize) -> impl Iterator<Item = usize> {
    let near = move |at: usize| [at.saturating_sub(1), at, at + 1, at + unit / 3];
    (0..=len).step_by(unit).flat_map(near).filter(move |&at| at < len)
}

#[test]
fn a_primary_that_was_cut() {
    for shape in SHAPES {
        let sample = make(shape);
        let len = read(&sample.vfs, PRIMARY).len();
        let mut tally = Tally::default();
        for at in cuts(len, PAGE_BYTES) {
            let vfs = sample.vfs.fork();
            vfs.cut_file(Path::new(PRIMARY), at as u64);
            let what = format!("{PRIMARY} cut at {at}, {shape:?}");
            if at == 0 {
                refuse_empty(&vfs, shape);
                continue;
            }
            let damage =
                Damage { what, file: PRIMARY, range: at..len, kept: u64::MAX, how: How::Loss };
            tally.judge_both(&sample, &vfs, &damage);
        }
        println!("primary cut, {shape:?}: {tally:?}");
        assert!(tally.refused > 0, "{shape:?}: {tally:?}");
    }
}

/// A primary without a byte is lost, not new, where a log with frames lies beside it.
fn refuse_empty(vfs: &SimVfs, shape: Shape) {
    for read_only in BOTH_WAYS {
        let options = small_options().read_only(read_only);
        let opened = Db::open_with(Arc::new(vfs.fork()), PRIMARY, options);
        let refused = matches!(
            opened,
            Err(Error::CorruptDatabase { .. }
                | Error::NotADatabase { .. }
                | Error::DatabaseMissing { .. }
                | Error::WalMismatch { .. })
        );
        assert!(refused, "{shape:?}: {opened:?}");
    }
}

#[test]
fn a_log_that_was_cut_keeps_the_commits_before_the_cut() {
    for shape in [KILLED_V1, KILLED_V2] {
        let sample = make(shape);
        let log = read(&sample.vfs, LOG);
        let mut tally = Tally::default();
        for at in cuts(log.len(), 512) {
            let vfs = sample.vfs.fork();
            vfs.cut_file(Path::new(LOG), at as u64);
            let kept = commits_before(&log, at);
            let what = format!("{LOG} cut at {at}, {shape:?}");
            let damage = Damage { what, file: LOG, range: at..log.len(), kept, how: How::Loss };
            tally.judge_both(&sample, &vfs, &damage);
        }
        println!("log cut, {shape:?}: {tally:?}");
        assert!(tally.refused > 0 && tally.shortened > 0 && tally.right > 0, "{tally:?}");
    }
}

/// The highest commit whose frame lies whole before `at`; a commit's frame says which it is.
fn commits_before(log: &[u8], at: usize) -> u64 {
    let commit_frame = |start: &usize| {
        let frame = &log[*start..];
        let payload = u32::from_le_bytes(frame[8..12].try_into().unwrap()) as usize;
        (frame[4] == 3 && start + 136 + payload <= at)
            .then(|| u64::from_le_bytes(frame[72..80].try_into().unwrap()))
    };
    let starts = (0..log.len() - 136).step_by(BLOCK_BYTES);
    starts
        .filter(|start| start % (16 << 10) != 0)
        .filter_map(|at| commit_frame(&at))
        .max()
        .unwrap_or(0)
}

#[test]
fn pages_in_each_others_places() {
    for shape in SHAPES {
        let sample = make(shape);
        let bytes = read(&sample.vfs, PRIMARY);
        let first = HEADER_BYTES / PAGE_BYTES;
        let pages = bytes.len() / PAGE_BYTES;
        let mut tally = Tally::default();
        for (a, b) in (first..pages).flat_map(|a| (first..pages).map(move |b| (a, b))) {
            let at = |page: usize| page * PAGE_BYTES..(page + 1) * PAGE_BYTES;
            if bytes[at(a)] == bytes[at(b)] || (a + b) % 3 != 0 {
                continue;
            }
            let vfs = sample.vfs.fork();
            vfs.edit(Path::new(PRIMARY), |file| file[at(a)].copy_from_slice(&bytes[at(b)]));
            let what = format!("page {b} over page {a}, {shape:?}");
            let damage =
                Damage { what, file: PRIMARY, range: at(a), kept: u64::MAX, how: How::Rot };
            tally.judge(&sample, &vfs, b % 2 == 0, &damage);
        }
        println!("misdirected, {shape:?}: {tally:?}");
        assert!(tally.partly + tally.refused > 0, "{shape:?}: {tally:?}");
    }
}

#[test]
fn header_slots_in_each_others_places() {
    for shape in SHAPES {
        let sample = make(shape);
        let bytes = read(&sample.vfs, PRIMARY);
        let at = |slot: usize| slot * BLOCK_BYTES..(slot + 1) * BLOCK_BYTES;
        for (a, b) in (0..4).flat_map(|a| (0..4).map(move |b| (a, b))) {
            let vfs = sample.vfs.fork();
            vfs.edit(Path::new(PRIMARY), |file| file[at(a)].copy_from_slice(&bytes[at(b)]));
            let what = format!("header slot {b} over {a}, {shape:?}");
            let damage =
                Damage { what, file: PRIMARY, range: at(a), kept: u64::MAX, how: How::Loss };
            Tally::default().judge_both(&sample, &vfs, &damage);
        }
    }
}

/// Each page, header slot or block of a file as it was at some earlier time: a write that the disk
/// lost although it said otherwise.
#[test]
fn parts_as_they_were_earlier() {
    for shape in SHAPES {
        let sample = make(shape);
        for file in [PRIMARY, LOG] {
            let mut tally = Tally::default();
            let now = read(&sample.vfs, file);
            for (index, (primary, log)) in sample.earlier.iter().enumerate() {
                let then = if file == PRIMARY { primary } else { log };
                for range in stale_parts(file, &now, then) {
                    let vfs = sample.vfs.fork();
                    vfs.edit(Path::new(file), |bytes| {
                        bytes[range.clone()].copy_from_slice(&then[range.clone()]);
                    });
                    let what = format!("{range:?} of {file} as at {index}, {shape:?}");
                    let kept = sample.oracle.head() - 1;
                    let damage = Damage { what, file, range, kept, how: How::Loss };
                    tally.judge_both(&sample, &vfs, &damage);
                }
            }
            println!("stale, {file}, {shape:?}: {tally:?}");
            assert!(tally.right + tally.partly + tally.refused > 0, "{file}, {shape:?}");
        }
    }
}

/// Parts of both versions that differ: header slots and the log's blocks whole, pages.
fn stale_parts(file: &str, now: &[u8], then: &[u8]) -> Vec<Range<usize>> {
    let slots = (0..HEADER_BYTES).step_by(BLOCK_BYTES).map(|at| at..at + BLOCK_BYTES);
    let blocks = (0..now.len()).step_by(BLOCK_BYTES).map(|at| at..at + BLOCK_BYTES);
    let pages = (HEADER_BYTES..now.len()).step_by(PAGE_BYTES).map(|at| at..at + PAGE_BYTES);
    let parts: Vec<_> = if file == LOG { blocks.collect() } else { slots.chain(pages).collect() };
    let differs = |range: &Range<usize>| {
        then.get(range.clone()).is_some_and(|then| now.get(range.clone()) != Some(then))
    };
    parts.into_iter().filter(|range| range.end <= now.len() && differs(range)).collect()
}
