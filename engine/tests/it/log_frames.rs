//! The log's bytes: second copies that step in for damaged frames, frames that later ones prove to
//! be missing, and the place that an error names.
//!
//! Frames are found here by what the format says of them, without the engine.

use std::ops::Range;

use hexxladb::vfs::sim::{Effect, SimVfs, Target};
use hexxladb::vfs::{MemoryVfs, Vfs};
use hexxladb::{Db, Error, Options};

use crate::gate::GateVfs;
use crate::support::{
    LOG, files, next, open, options, put, read_file, refused, rows, try_open, write_file,
};

const BLOCK: usize = 4096;
const COPY: usize = BLOCK / 2;
const SEGMENT: usize = 1 << 20;
/// Three groups of such a value fill a segment.
const LARGE: usize = 300_000;

/// A frame where it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    number: u64,
    at: usize,
    size: usize,
    commit: bool,
}

impl Found {
    fn bytes(&self) -> Range<usize> {
        self.at..self.at + self.size
    }

    fn begins_a_segment(&self) -> bool {
        self.at % SEGMENT == BLOCK
    }
}

/// The intact frames that begin at `at` and follow each other from there.
fn frames_from(log: &[u8], mut at: usize) -> Vec<Found> {
    let u32_at = |at: usize| u32::from_le_bytes(log[at..at + 4].try_into().unwrap());
    let mut found = Vec::new();
    while at + 136 <= log.len() {
        let size = (136 + u32_at(at + 8) as usize).next_multiple_of(8);
        if at + size > log.len() || crc32fast::hash(&log[at + 4..at + size]) != u32_at(at) {
            break;
        }
        let number = u64::from_le_bytes(log[at + 16..at + 24].try_into().unwrap());
        found.push(Found { number, at, size, commit: log[at + 4] == 3 });
        at += size;
    }
    found
}

/// Every frame, in its first copy.
fn frames(log: &[u8]) -> Vec<Found> {
    let mut found = Vec::<Found>::new();
    for block in (0..log.len()).step_by(BLOCK).filter(|block| block % SEGMENT != 0) {
        if found.last().is_none_or(|last| last.bytes().end <= block) {
            found.extend(frames_from(log, block));
        }
    }
    found.sort_by_key(|frame| frame.number);
    found
}

fn log_of(vfs: &dyn Vfs) -> Vec<u8> {
    read_file(vfs, LOG).unwrap()
}

/// Opens the files of `vfs` with this log in a world of their own.
fn open_with_log(vfs: &dyn Vfs, log: &[u8]) -> hexxladb::Result<Db> {
    let world = MemoryVfs::new();
    let [primary, _] = files(vfs);
    write_file(&world, crate::support::DB, &primary.unwrap());
    write_file(&world, LOG, log);
    try_open(&world, roomy())
}

/// Options with which no checkpoint begins by itself.
fn roomy() -> Options {
    options().cache_bytes(64 << 20).checkpoint_wal_bytes(64 << 20)
}

/// An acknowledged commit was dropped although its second copy was whole: the frame behind the
/// first of a small group was looked for in the first copy alone.
#[test]
fn one_flipped_bit_anywhere_in_a_doubled_group_loses_no_commit_of_it() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, roomy());
    put(&db, "first", "").unwrap();
    let mut pending = Vec::new();
    for key in ["second", "third", "fourth"] {
        let mut tx = db.begin_write().unwrap();
        tx.put(key, "value").unwrap();
        pending.push(tx.commit_pipelined().unwrap());
    }
    for pending in pending {
        assert!(pending.wait().unwrap() > 1);
    }
    let expected = rows(&db);
    drop(db);
    let log = log_of(&vfs);
    let commits: Vec<Found> = frames(&log).into_iter().filter(|frame| frame.commit).collect();
    let group = commits[1].at..commits[3].bytes().end;
    assert!(commits.len() == 4 && group.start % BLOCK == 0 && group.len() <= COPY, "{commits:?}");
    let second = group.start + COPY..group.end + COPY;
    assert_eq!(log[group.clone()], log[second.clone()]);
    for at in group.clone().chain(second).step_by(5) {
        let mut damaged = log.clone();
        damaged[at] ^= 1 << (at % 8);
        let db = open_with_log(&vfs, &damaged).unwrap();
        assert_eq!((db.head().unwrap(), rows(&db)), (4, expected.clone()), "flip at {at}");
        assert_eq!(db.recovery_report().frames_discarded, 0, "flip at {at}");
    }
    // Each commit has a copy left, one here and one there.
    let mut damaged = log.clone();
    damaged[commits[1].at + 140] ^= 1;
    damaged[commits[2].at + COPY + 140] ^= 1;
    damaged[commits[3].at + 140] ^= 1;
    assert_eq!(rows(&open_with_log(&vfs, &damaged).unwrap()), expected);
}

/// The same behind a break: only the second copy of a group's second frame was left to tell that
/// the commit before them had been durable.
#[expect(clippy::disallowed_methods, reason = "a commit is held up in its sync")]
#[test]
fn the_second_copy_of_a_later_frame_proves_that_a_damaged_one_was_durable() {
    let vfs = GateVfs::default();
    let db = open(&vfs, roomy());
    put(&db, "first", "").unwrap();
    vfs.gate.shut();
    let third = std::thread::scope(|scope| {
        let second = scope.spawn(|| put(&db, "second", ""));
        vfs.gate.wait_for_one();
        // Appended before the second commit is durable, the fourth when it is.
        let mut tx = db.begin_write().unwrap();
        tx.put("third", "").unwrap();
        let third = tx.commit_pipelined().unwrap();
        vfs.gate.open();
        assert_eq!(second.join().unwrap().unwrap(), 2);
        third
    });
    let mut tx = db.begin_write().unwrap();
    tx.put("fourth", "").unwrap();
    assert_eq!(tx.commit_pipelined().unwrap().wait().unwrap(), 4);
    assert_eq!(third.wait().unwrap(), 3);
    drop(db);
    let log = log_of(&vfs);
    let commits: Vec<Found> = frames(&log).into_iter().filter(|frame| frame.commit).collect();
    let [_, second, third, fourth] = &commits[..] else { panic!("{commits:?}") };
    assert_eq!(fourth.at, third.bytes().end, "one group");
    let mut damaged = log.clone();
    damaged[second.at + 140] ^= 1;
    damaged[second.at + COPY + 140] ^= 1;
    for copy in [0, COPY] {
        let mut damaged = damaged.clone();
        damaged[fourth.at + copy + 140] ^= 1;
        let opened = open_with_log(&vfs, &damaged);
        refused!(opened, Error::CorruptDatabase { offset, .. } if offset == second.at as u64);
    }
    // With neither copy nothing proves it, and it looks like a torn commit.
    damaged[fourth.at + 140] ^= 1;
    damaged[fourth.at + COPY + 140] ^= 1;
    let db = open_with_log(&vfs, &damaged).unwrap();
    assert_eq!((db.head().unwrap(), rows(&db).len()), (1, 1));
    assert!(db.recovery_report().frames_discarded >= 2, "{:?}", db.recovery_report());
}

/// A commit of [`LARGE`] bytes in rows so small that they go to the log alone.
fn put_rows(db: &Db, round: u8) {
    let rows = (0..LARGE as u32 / 900).map(|row| [&[round], &row.to_be_bytes()[..]].concat());
    db.update(|tx| rows.clone().try_for_each(|key| tx.put(key, [round; 880]))).unwrap();
}

/// Commits were missing without a word: the write that began a used segment anew was lost, later
/// groups in it said so, and nobody looked at a segment whose beginning is older than the chain.
#[test]
fn a_lost_write_that_begins_a_used_segment_anew_is_told_by_what_follows_in_it() {
    // Two segments are full and retired; the commits after that come back to them.
    let prepared = || {
        let vfs = SimVfs::new(2);
        let db = open(&vfs, roomy());
        (0..8).for_each(|round| put_rows(&db, round));
        db.checkpoint().unwrap();
        (vfs, db)
    };
    let (vfs, db) = prepared();
    let before = log_of(&vfs);
    (8..20).for_each(|round| put_rows(&db, round));
    let after = log_of(&vfs);
    let newest = frames(&before).last().unwrap().number;
    let later: Vec<Found> =
        frames(&after).into_iter().filter(|frame| frame.number > newest).collect();
    assert_eq!(later.len(), 12);
    let reuses = |frame: &Found| {
        frame.begins_a_segment() && before.get(frame.at).is_some_and(|&byte| byte != 0)
    };
    let lost: Vec<usize> = (0..10).filter(|&index| reuses(&later[index])).collect();
    assert!(lost.len() >= 2, "segments are used again: {later:?}");
    for index in lost {
        let (vfs, db) = prepared();
        for round in 0..index + 3 {
            if round == index {
                next(&vfs, Target::Write, Effect::Lost { evict: false });
            }
            put_rows(&db, 8 + round as u8);
        }
        assert_eq!(vfs.damages().len(), 1);
        drop(db);
        vfs.power_cut_with(&vfs.pending().none());
        let at = later[index].at as u64;
        refused!(try_open(&vfs, roomy()), Error::CorruptDatabase { file, offset, .. }
            if file.to_str() == Some(LOG) && offset == at);
    }
}

/// Acknowledged commits were gone after a kill: frames were cut to what the options of this open
/// allow, the segments had the size that the header names.
#[cfg(feature = "sim")]
#[test]
fn a_file_with_small_segments_keeps_its_commits_under_default_options() {
    let vfs = SimVfs::new(3);
    let small = Options::new().small_limits(16 << 10).checkpoint_wal_bytes(1 << 20);
    let db = open(&vfs, small);
    put(&db, "first", "").unwrap();
    db.close().unwrap();
    drop(db);
    for round in 0..3u8 {
        let db = open(&vfs, Options::new());
        for (index, len) in [5_000, 12_000, 17_000, 100_000, 700_000].into_iter().enumerate() {
            db.update(|tx| {
                tx.set_note("n".repeat(4096))?;
                tx.put([round, index as u8], vec![round; len])
            })
            .unwrap();
        }
        let expected = rows(&db);
        assert_eq!(expected.len(), 1 + 5 * (usize::from(round) + 1));
        drop(db);
        vfs.kill();
        let db = open(&vfs, Options::new());
        assert_eq!(db.head().unwrap(), 1 + 5 * (u64::from(round) + 1));
        assert!(rows(&db) == expected, "round {round}");
        assert_eq!(db.recovery_report().frames_discarded, 0);
        crate::support::check_clean(&db);
    }
}

/// Commits small and large over several segments, by a process that was killed.
fn several_segments() -> (MemoryVfs, Vec<u8>, Vec<Found>) {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, roomy());
    for round in 0..18u8 {
        let len = [10, LARGE, 3000, LARGE, 5000, LARGE][usize::from(round) % 6];
        put(&db, [round], vec![round + 1; len]).unwrap();
    }
    drop(db);
    let log = log_of(&vfs);
    let commits: Vec<Found> = frames(&log).into_iter().filter(|frame| frame.commit).collect();
    assert_eq!(commits.len(), 18);
    assert!(commits.iter().filter(|frame| frame.begins_a_segment()).count() >= 2, "{commits:?}");
    (vfs, log, commits)
}

/// Something done to the bytes of a frame.
type Damage = fn(&mut [u8]);

/// The offset of "frame N is damaged" was where the frame before it ends.
#[test]
fn a_damaged_frame_is_told_with_its_own_place() {
    let (vfs, log, commits) = several_segments();
    let kinds: [(&str, Damage); 6] = [
        ("its checksum", |frame| frame[0] ^= 1),
        ("its type", |frame| frame[4] = 0xEE),
        ("its length", |frame| frame[11] ^= 0x80),
        ("its number", |frame| frame[16] ^= 1),
        ("its payload", |frame| frame[150] ^= 1),
        ("all of its header", |frame| frame[..136].fill(0xA5)),
    ];
    for (index, frame) in commits[..commits.len() - 1].iter().enumerate() {
        let doubled = frame.size <= COPY;
        let zeros = ("every byte", (|frame: &mut [u8]| frame.fill(0)) as Damage);
        for (what, damage) in kinds.into_iter().chain([zeros]) {
            let mut damaged = log.clone();
            damage(&mut damaged[frame.bytes()]);
            if doubled {
                damage(&mut damaged[frame.at + COPY..frame.at + COPY + frame.size]);
            }
            match open_with_log(&vfs, &damaged) {
                Err(Error::CorruptDatabase { file, offset, what: told }) => {
                    let right = file.to_str() == Some(LOG) && offset == frame.at as u64;
                    assert!(right, "{what} of commit {index} at {}: {offset}, {told}", frame.at);
                    assert!(told.contains(&format!("frame {} is damaged", frame.number)), "{told}");
                }
                other => panic!("{what} of commit {index}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_segment_whose_beginning_was_never_written_is_the_place_of_the_frame_that_begins_it() {
    let (vfs, log, commits) = several_segments();
    let mut met = 0;
    for pair in commits.windows(2) {
        let [frame, after] = pair else { unreachable!() };
        if !frame.begins_a_segment() || after.at / SEGMENT != frame.at / SEGMENT {
            continue;
        }
        met += 1;
        let mut damaged = log.clone();
        damaged[frame.at - BLOCK..frame.bytes().end].fill(0);
        let offset_is = frame.at as u64;
        refused!(open_with_log(&vfs, &damaged), Error::CorruptDatabase { offset, .. }
            if offset == offset_is);
    }
    assert!(met >= 2);
}

/// The second of two frames in one group, with nothing left of its header.
#[test]
fn a_frame_inside_of_a_group_is_told_with_its_own_place() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, roomy());
    put(&db, "first", "").unwrap();
    for len in [100, 3000] {
        let mut pending = Vec::new();
        for key in ["left", "right"] {
            let mut tx = db.begin_write().unwrap();
            tx.put(key, vec![7; len]).unwrap();
            pending.push(tx.commit_pipelined().unwrap());
        }
        for pending in pending {
            pending.wait().unwrap();
        }
    }
    put(&db, "last", "").unwrap();
    drop(db);
    let log = log_of(&vfs);
    let commits: Vec<Found> = frames(&log).into_iter().filter(|frame| frame.commit).collect();
    assert_eq!(commits.len(), 6);
    for frame in [&commits[2], &commits[4]] {
        assert_ne!(frame.at % BLOCK, 0, "behind another one: {commits:?}");
        let mut damaged = log.clone();
        damaged[frame.at..frame.at + 136].fill(0x5A);
        if frame.size <= 500 {
            damaged[frame.at + COPY..frame.at + COPY + 136].fill(0x5A);
        }
        let at = frame.at as u64;
        refused!(open_with_log(&vfs, &damaged), Error::CorruptDatabase { offset, .. }
            if offset == at);
    }
}

/// Makes the checksum of the frame at `at` right.
fn seal(log: &mut [u8], frame: &Found) {
    let crc = crc32fast::hash(&log[frame.at + 4..frame.bytes().end]);
    log[frame.at..frame.at + 4].copy_from_slice(&crc.to_le_bytes());
}

/// A frame with a right checksum that says nothing that can be replayed was told with offset 0.
#[test]
fn an_intact_frame_that_cannot_be_replayed_is_told_with_its_own_place() {
    let (vfs, log, commits) = several_segments();
    for frame in [&commits[1], commits.last().unwrap()] {
        let mut damaged = log.clone();
        // The operation behind hash and length of the note.
        damaged[frame.at + 136 + 20] = 9;
        seal(&mut damaged, frame);
        let at = frame.at as u64;
        refused!(open_with_log(&vfs, &damaged), Error::CorruptDatabase { offset, what, .. }
            if offset == at && what.contains("operation 9"));
    }
}
