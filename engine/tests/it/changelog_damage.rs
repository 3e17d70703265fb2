//! Every bit that flips and every cut of a small changelog: reading gives exactly the intact
//! entries before it, then says what is wrong and where.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{ChangelogEntry, ChangelogReader, Db, Error, Options};

use crate::changelog_support::{
    ACTIVE, bytes_of, entries, fill, kill, on, reader, sealed, until_error,
};
use crate::support::{open, put};

/// A sealed segment of four commits, one of them in several frames, and an active one with a
/// synced part and one after it.
struct Small {
    vfs: SimVfs,
    /// A handle that knows how far the files go.
    db: Db,
    truth: Vec<ChangelogEntry>,
}

fn small() -> Small {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, on());
    put(&db, "a", "1").unwrap();
    db.update(|tx| {
        tx.set_note("several frames")?;
        (0..3u8).try_for_each(|n| tx.put([n], vec![n; 30_000]))
    })
    .unwrap();
    db.update(|tx| tx.set_note("alone")).unwrap();
    fill(&db, 4, 4, 20);
    db.rotate_changelog().unwrap();
    fill(&db, 5, 6, 20);
    db.update(|tx| (0..3u8).try_for_each(|n| tx.put([n], vec![n; 30_000]))).unwrap();
    db.checkpoint().unwrap();
    fill(&db, 8, 9, 20);
    let truth = entries(&db);
    Small { vfs, db, truth }
}

/// A frame of a segment, by its bytes.
#[derive(Clone, Copy, Debug)]
struct Frame {
    start: usize,
    end: usize,
    entries: bool,
    index: u32,
    count: u32,
    total: u32,
    seq: u64,
}

fn frames(bytes: &[u8]) -> Vec<Frame> {
    let (mut at, mut found) = (4096, Vec::new());
    while let Some(head) = bytes.get(at..at + 104) {
        let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
        let end = at + 104 + number(12) as usize;
        let seq = u64::from_le_bytes(head[32..40].try_into().unwrap());
        let (index, count, total) = (number(20), number(24), number(28));
        found.push(Frame { start: at, end, entries: head[8] == 1, index, count, total, seq });
        at = end;
    }
    found
}

/// How many entries of all of them come before the frame with this byte.
fn before(truth: &[ChangelogEntry], frames: &[Frame], at: usize) -> usize {
    let hit = frames.iter().find(|frame| at < frame.end);
    let Some(hit) = hit else { return truth.len() };
    // A mark and the footer come after the whole commit that they name.
    let first = if hit.entries { (hit.seq, hit.index) } else { (hit.seq + 1, 0) };
    truth.iter().take_while(|entry| (entry.seq, entry.index) < first).count()
}

/// Places to damage: all in headers of frames and around them, some in long payloads.
fn places(bytes: &[u8], frames: &[Frame]) -> Vec<usize> {
    let mut places: Vec<usize> =
        (0..80).chain((80..4096).step_by(97)).chain([4091, 4095]).collect();
    for frame in frames {
        let payload = frame.start + 104..frame.end;
        let dense = payload.len().min(120);
        places.extend(frame.start..payload.start + dense);
        places.extend((payload.start + dense..payload.end).step_by(509));
        places.push(frame.end - 1);
    }
    places.retain(|&at| at < bytes.len());
    places
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip(usize),
    Cut(usize),
}

impl Damage {
    fn at(self) -> usize {
        match self {
            Self::Flip(at) | Self::Cut(at) => at,
        }
    }

    fn apply(self, vfs: &SimVfs, file: &Path) {
        match self {
            Self::Flip(at) => {
                let mut bytes = bytes_of(vfs, file);
                bytes[at] ^= 1 << (at % 8);
                vfs.write_file(file, &bytes);
            }
            Self::Cut(at) => vfs.write_file(file, &bytes_of(vfs, file)[..at]),
        }
    }
}

/// Asserts that an error tells of this segment, from the frame with the byte on.
fn assert_place(error: &Error, file: &Path, ordinal: u64, frames: &[Frame], at: usize, what: &str) {
    let Error::ChangelogCorrupt { path, segment, offset, seq, .. } = error else {
        panic!("{what}: {error:?}");
    };
    assert_eq!(path, file, "{what}");
    if at < 4096 {
        assert_eq!((*segment, *offset), (0, 0), "{what}: of a header nothing is believed");
        return;
    }
    assert_eq!(*segment, ordinal, "{what}");
    let hit = frames.iter().find(|frame| at < frame.end).unwrap();
    // Whole commits are read, so a frame within one may be told of as the commit's first.
    let begins = frames.iter().find(|frame| frame.entries && frame.seq == hit.seq && hit.entries);
    let begins = begins.map_or(hit.start, |frame| frame.start);
    assert!((begins..=hit.start).contains(&(*offset as usize)), "{what}: offset {offset}");
    let last_whole = if hit.entries { hit.seq - 1 } else { hit.seq };
    assert_eq!(*seq, last_whole, "{what}");
}

/// Does every damage to a file, and reads it with `read`; `synced` bytes of it are known to be
/// durable, and what comes after them may just end.
fn matrix(
    small: &Small,
    file: &Path,
    ordinal: u64,
    synced: usize,
    read: impl Fn(&SimVfs) -> (Vec<ChangelogEntry>, Option<Error>),
) {
    let bytes = bytes_of(&small.vfs, file);
    let frames = frames(&bytes);
    assert!(frames.iter().any(|frame| frame.count < frame.total), "several frames of a commit");
    let cuts = places(&bytes, &frames).into_iter().map(Damage::Cut);
    let boundaries = frames.iter().map(|frame| Damage::Cut(frame.start));
    for damage in
        places(&bytes, &frames).into_iter().map(Damage::Flip).chain(cuts).chain(boundaries)
    {
        let world = small.vfs.fork();
        damage.apply(&world, file);
        let what = format!("{damage:?} of {} in {}", bytes.len(), file.display());
        let (found, error) = read(&world);
        let at = damage.at();
        let mut intact =
            if at < 4096 { first_of(small, ordinal) } else { before(&small.truth, &frames, at) };
        // Without its footer nothing says that a segment is complete.
        let footer = frames.last().filter(|frame| !frame.entries && ordinal == 1);
        let unsealed = ordinal != 1
            || matches!(damage, Damage::Cut(_))
            || footer.is_some_and(|footer| at >= footer.start);
        if unsealed && intact > 0 {
            // Up to a whole commit.
            intact -= small.truth[..intact]
                .iter()
                .rev()
                .take_while(|entry| !entry.last_in_commit)
                .count();
        }
        assert_eq!(found.len(), intact, "{what}: {error:?}");
        assert!(found == small.truth[..intact], "{what}: wrong entries");
        if let Some(error) = error {
            assert_place(&error, file, ordinal, &frames, at, &what);
        } else {
            let hit = frames.iter().find(|frame| at < frame.end).unwrap();
            let begins = frames.iter().find(|frame| frame.entries && frame.seq == hit.seq);
            let begins = begins.filter(|_| hit.entries).map_or(hit.start, |frame| frame.start);
            assert!(begins >= synced, "{what}: not a word");
        }
    }
}

/// Entries before a segment.
fn first_of(small: &Small, ordinal: u64) -> usize {
    let base = if ordinal == 1 { 0 } else { 4 };
    small.truth.iter().filter(|entry| entry.seq <= base).count()
}

fn read_files(vfs: &SimVfs) -> (Vec<ChangelogEntry>, Option<Error>) {
    until_error(reader(vfs).read_since(0).unwrap())
}

/// Bytes of the active segment that the header counts on.
fn synced(small: &Small) -> usize {
    let bytes = bytes_of(&small.vfs, ACTIVE);
    let mut marks = frames(&bytes).into_iter().filter(|frame| !frame.entries);
    marks.next_back().unwrap().end
}

// spec: LOG-15
#[test]
fn a_reader_of_files_tells_damage_in_a_sealed_segment() {
    let small = small();
    matrix(&small, &sealed(1), 1, usize::MAX, read_files);
}

// spec: LOG-15
#[test]
fn a_reader_of_files_tells_damage_in_the_active_segment() {
    let small = small();
    let synced = synced(&small);
    assert!(synced < bytes_of(&small.vfs, ACTIVE).len());
    matrix(&small, Path::new(ACTIVE), 2, synced, read_files);
}

// spec: LOG-15
#[test]
fn a_handle_tells_damage() {
    for (file, ordinal) in [(sealed(1), 1), (PathBuf::from(ACTIVE), 2)] {
        let small = small();
        let bytes = bytes_of(&small.vfs, &file);
        let frames = frames(&bytes);
        let boundaries = frames.iter().map(|frame| Damage::Cut(frame.start));
        let cuts = places(&bytes, &frames).into_iter().map(Damage::Cut);
        for damage in
            places(&bytes, &frames).into_iter().map(Damage::Flip).chain(cuts).chain(boundaries)
        {
            // The handle is open, and reads what lies there now.
            damage.apply(&small.vfs, &file);
            let what = format!("{damage:?} in {}", file.display());
            let (found, error) = until_error(small.db.read_changelog_since(0).unwrap());
            let at = damage.at();
            let intact = if at < 4096 {
                first_of(&small, ordinal)
            } else {
                before(&small.truth, &frames, at)
            };
            assert_eq!(found.len(), intact, "{what}: {error:?}");
            assert!(found == small.truth[..intact], "{what}: wrong entries");
            assert_place(&error.expect(&what), &file, ordinal, &frames, at, &what);
            small.vfs.write_file(&file, &bytes);
        }
        assert_eq!(entries(&small.db), small.truth);
    }
}

// spec: LOG-15
#[test]
fn bytes_after_a_footer_hide_nothing() {
    let small = small();
    let mut bytes = bytes_of(&small.vfs, sealed(1));
    for more in [vec![0; 3], vec![7; 5000], bytes.clone()] {
        let before = bytes.len();
        bytes.extend(more);
        small.vfs.write_file(&sealed(1), &bytes);
        let (found, error) = read_files(&small.vfs);
        assert!(error.is_none() && found == small.truth, "{} read: {error:?}", found.len());
        assert!(entries(&small.db) == small.truth);
        bytes.truncate(before);
    }
}

// spec: LOG-15
#[test]
fn an_archive_tells_damage() {
    let mut small = small();
    small.db.archive_changelog("/archive").unwrap();
    small.truth.retain(|entry| entry.seq <= 4);
    let file = Path::new("/archive/db-changelog.000001");
    // The one segment that there is; without its header there is no archive.
    matrix_of_archive(&small, file);
}

fn matrix_of_archive(small: &Small, file: &Path) {
    let open = |vfs: &SimVfs| ChangelogReader::open_archive_with(Arc::new(vfs.clone()), "/archive");
    let read = |vfs: &SimVfs| match open(vfs) {
        Ok(archive) => until_error(archive.read_since(0).unwrap()),
        Err(error) => (Vec::new(), Some(error)),
    };
    matrix(small, file, 1, usize::MAX, read);
}

// spec: LOG-15, LOG-04
#[test]
fn opening_what_is_damaged_tells_of_it_or_mends_it_and_never_loses_silently() {
    // The active segment of a killed process, whose log has the last two commits.
    let mut small = small();
    let db = std::mem::replace(&mut small.db, open(&SimVfs::new(2), on()));
    kill(&small.vfs, db);
    opened(&small, Path::new(ACTIVE), &on());
}

fn opened(small: &Small, file: &Path, options: &Options) {
    let bytes = bytes_of(&small.vfs, file);
    let frames = frames(&bytes);
    let boundaries = frames.iter().map(|frame| Damage::Cut(frame.start));
    let cuts = places(&bytes, &frames).into_iter().step_by(9).map(Damage::Cut);
    let flips = places(&bytes, &frames).into_iter().step_by(3).map(Damage::Flip);
    let (mut mended, mut told) = (0, 0);
    for damage in flips.chain(cuts).chain(boundaries) {
        let world = small.vfs.fork();
        damage.apply(&world, file);
        let what = format!("{damage:?} in {}", file.display());
        let db = match crate::support::try_open(&world, options.clone()) {
            Ok(db) => db,
            Err(Error::ChangelogCorrupt { path, .. }) => {
                assert_eq!(path, file, "{what}");
                told += 1;
                continue;
            }
            Err(error) => panic!("{what}: {error:?}"),
        };
        fill(&db, 10, 10, 5);
        let (found, error) = until_error(db.read_changelog_since(0).unwrap());
        if error.is_none() {
            assert!(found[..small.truth.len()] == small.truth, "{what}");
            assert_eq!(found.len(), small.truth.len() + 1, "{what}");
            mended += 1;
        } else {
            assert!(matches!(error, Some(Error::ChangelogCorrupt { .. })), "{what}: {error:?}");
            assert!(found == small.truth[..found.len()], "{what}");
            told += 1;
        }
    }
    assert!(mended > 0 && told > 0, "{mended} mended, {told} told");
}
