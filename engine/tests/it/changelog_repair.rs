//! Repair: what is intact stays, what the primary knows is written anew, the rest is declared
//! lost; what does not fit is set aside, and no damaged file is removed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{ChangelogEntry, ChangelogRepair, Db, Error, Options, Result};

use crate::changelog_support::{
    ACTIVE, assert_history, both_on, bytes_of, changelog_files, entries, entries_in_files, fill,
    kill, on, reader, sealed, segmented, seqs, until_error,
};
use crate::support::{DB, LOG, check_clean, get, light, open, put, refused, try_open, write_file};
use crate::support_records::{all, prune_all, reopened};

fn try_repair(vfs: &SimVfs, options: &Options) -> Result<ChangelogRepair> {
    Db::repair_changelog_with(Arc::new(vfs.clone()), DB, options.clone())
}

/// Repairs, and asserts that there is nothing to be repaired after that.
fn repair(vfs: &SimVfs, options: &Options) -> ChangelogRepair {
    let done = try_repair(vfs, options).unwrap();
    let again = try_repair(vfs, options).unwrap();
    assert!(again.is_clean(), "{done:#?}\nthen {again:#?}");
    assert!(again.set_aside.is_empty() && again.rebuilt.is_empty(), "{again:#?}");
    done
}

/// Everything, with the gaps that reading was told of.
fn across_gaps(db: &Db) -> (Vec<ChangelogEntry>, Vec<(u64, u64)>) {
    let (mut found, mut gaps, mut since) = (Vec::new(), Vec::new(), 0);
    loop {
        let (more, error) = until_error(db.read_changelog_since(since).unwrap());
        found.extend(more);
        match error {
            None => return (found, gaps),
            Some(Error::ChangelogGap { first, last }) => {
                assert!(last > since);
                gaps.push((first, last));
                since = last;
            }
            Some(error) => panic!("{error:?}"),
        }
    }
}

// spec: LOG-15
#[test]
fn what_is_whole_is_left_alone() {
    for options in both_on() {
        for closed in [true, false] {
            let vfs = SimVfs::new(1);
            let db = segmented(&vfs, options.clone(), 2);
            let truth = entries(&db);
            if closed {
                db.close().unwrap();
            } else {
                kill(&vfs, db);
            }
            let segments = [bytes_of(&vfs, sealed(1)), bytes_of(&vfs, sealed(2))];
            let done = repair(&vfs, &options);
            assert!(done.is_clean(), "{done:#?}");
            assert_eq!(done, ChangelogRepair::default());
            assert!(segments == [bytes_of(&vfs, sealed(1)), bytes_of(&vfs, sealed(2))]);
            assert_eq!(entries(&open(&vfs, options.clone())), truth);
        }
    }
}

/// Flips a bit of every `step`th byte of a file, and repairs each time what came of it. What can
/// be rebuilt must be; what must not be lost never is.
fn flips(options: &Options, file: &Path, closed: bool, step: usize) {
    let vfs = SimVfs::new(1);
    let db = segmented(&vfs, options.clone(), 2);
    db.checkpoint().unwrap();
    fill(&db, 9, 10, 100);
    let truth = entries(&db);
    if closed {
        db.close().unwrap();
    } else {
        kill(&vfs, db);
    }
    let v2 = open(&vfs.fork(), options.clone()).format_version() == 2;
    for at in (0..bytes_of(&vfs, file).len()).step_by(step) {
        let world = vfs.fork();
        world.flip(file, at as u64, 1 << (at % 8));
        let done = repair(&world, options);
        let db = open(&world, options.clone());
        let (found, gaps) = across_gaps(&db);
        let lost: Vec<u64> = gaps.iter().flat_map(|&(first, last)| first..=last).collect();
        let oldest = found.first().map_or(0, |entry| entry.seq);
        let kept: Vec<_> = truth
            .iter()
            .filter(|entry| !lost.contains(&entry.seq) && entry.seq >= oldest)
            .cloned()
            .collect();
        assert_eq!(found, kept, "flip at {at} of {}: {done:#?}", file.display());
        // Without the first segment it is no gap: the changelog begins later.
        let told = |run: &(u64, u64)| at >= 4096 || run.1 >= oldest;
        let within: Vec<_> = done.lost.iter().copied().filter(told).collect();
        assert_eq!(gaps, within, "flip at {at}: {done:#?}");
        if v2 {
            assert_eq!(found, truth, "flip at {at}: all could be rebuilt: {done:#?}");
        }
        // Never a damaged file removed.
        assert_eq!(done.is_clean(), done.set_aside.is_empty() && done.rebuilt.is_empty());
        fill(&db, 11, 12, 10);
        db.close().unwrap();
        assert_eq!(all(reader(&world).read_since(10).unwrap()).len(), 2);
        reader(&world).verify(None).unwrap();
    }
}

// spec: LOG-15
#[test]
fn any_flip_in_a_sealed_segment_is_repaired() {
    for options in both_on() {
        flips(&options, &sealed(1), true, 61);
        flips(&options, &sealed(2), false, 61);
    }
}

// spec: LOG-15
#[test]
fn any_flip_in_the_active_segment_is_repaired() {
    for options in both_on() {
        for closed in [true, false] {
            flips(&options, Path::new(ACTIVE), closed, 61);
        }
    }
}

// spec: LOG-15
#[test]
fn a_cut_at_any_place_is_repaired() {
    for file in [sealed(1), sealed(2), PathBuf::from(ACTIVE)] {
        let vfs = SimVfs::new(1);
        let db = segmented(&vfs, on(), 2);
        let truth = entries(&db);
        db.close().unwrap();
        let len = bytes_of(&vfs, &file).len() as u64;
        let frames = frame_ends(&bytes_of(&vfs, &file));
        let cuts = (0..len).step_by(67).chain(frames).filter(|&at| at < len);
        for cut in cuts {
            let world = vfs.fork();
            world.cut_file(&file, cut);
            let done = repair(&world, &on());
            assert!(!done.is_clean(), "cut at {cut} of {}", file.display());
            let db = open(&world, on());
            let (found, gaps) = across_gaps(&db);
            assert_eq!(gaps, done.lost);
            assert_eq!(found, truth, "cut at {cut} of {}: {done:#?}", file.display());
        }
    }
}

/// Where frames of a segment end.
fn frame_ends(bytes: &[u8]) -> Vec<u64> {
    let (mut at, mut ends) = (4096, vec![4096]);
    while let Some(head) = bytes.get(at..at + 104) {
        at += 104 + u32::from_le_bytes(head[12..16].try_into().unwrap()) as usize;
        ends.push(at as u64);
    }
    ends
}

// spec: LOG-15, LOG-07
#[test]
fn what_was_pruned_is_declared_lost() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, on());
    for n in 1..=9 {
        put(&db, "k", n.to_string()).unwrap();
        if n % 3 == 0 {
            db.rotate_changelog().unwrap();
        }
    }
    assert!(prune_all(&db, 8, 100) > 0);
    let truth = entries(&db);
    db.close().unwrap();
    // The second entry of the second segment.
    let second = frame_ends(&bytes_of(&vfs, sealed(2)))[1];
    vfs.flip(&sealed(2), second + 8, 1);
    let (found, error) = until_error(reader(&vfs).read_since(0).unwrap());
    assert_eq!(seqs(&found), [1, 2, 3, 4]);
    let place = |error: &Error| match error {
        Error::ChangelogCorrupt { path, segment, offset, seq, .. } => {
            Some((path.clone(), *segment, *offset, *seq))
        }
        _ => None,
    };
    assert_eq!(error.as_ref().and_then(place), Some((sealed(2), 2, second, 4)), "{error:?}");
    let done = repair(&vfs, &on());
    assert_eq!((done.lost.clone(), done.rebuilt.len(), done.set_aside.len()), (vec![(5, 6)], 0, 1));
    assert!(done.found[0].contains("000002"), "{done:#?}");
    let db = open(&vfs, on());
    let (found, gaps) = across_gaps(&db);
    assert_eq!(gaps, [(5, 6)]);
    assert_eq!(seqs(&found), [1, 2, 3, 4, 7, 8, 9]);
    assert!(found.iter().all(|entry| truth.contains(entry)));
    for seq in [4, 5] {
        let (found, error) = until_error(db.read_changelog_since(seq).unwrap());
        assert!(found.is_empty());
        assert!(matches!(error, Some(Error::ChangelogGap { first: 5, last: 6 })), "{error:?}");
    }
    assert_eq!(reader(&vfs).verify(None).unwrap().gaps, [(5, 6)]);
    // It stays declared.
    let mut db = db;
    for how in 0..3 {
        db = reopened(&vfs, db, &on(), how);
        assert_eq!(across_gaps(&db).1, [(5, 6)]);
    }
}

/// The files of an older primary beside a newer changelog.
fn ahead(options: &Options, rotate: bool) -> (SimVfs, Vec<ChangelogEntry>) {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, options.clone());
    fill(&db, 1, 3, 10);
    db.close().unwrap();
    let older = bytes_of(&vfs, DB);
    let db = open(&vfs, options.clone());
    if rotate {
        db.rotate_changelog().unwrap();
    }
    fill(&db, 4, 6, 10);
    let truth = entries(&db);
    db.close().unwrap();
    write_file(&vfs, DB, &older);
    vfs.remove_file(Path::new(LOG));
    (vfs, truth)
}

// spec: LOG-12
#[test]
fn one_that_is_ahead_is_set_aside_and_a_fresh_one_begun() {
    for options in both_on() {
        for rotate in [false, true] {
            let (vfs, truth) = ahead(&options, rotate);
            let active = bytes_of(&vfs, ACTIVE);
            refused!(
                try_open(&vfs, options.clone()),
                Error::ChangelogMismatch { last: 6, head: 3 }
            );
            let done = repair(&vfs, &options);
            assert_eq!(done.found.len(), 1, "{done:#?}");
            assert_eq!(done.set_aside.len(), if rotate { 2 } else { 1 });
            let aside = done.set_aside.last().unwrap();
            assert!(bytes_of(&vfs, aside) == active, "kept as it was");
            assert!(aside.display().to_string().contains("aside"));
            let db = open(&vfs, options.clone());
            assert_eq!(get(&db, "k4"), None);
            fill(&db, 4, 5, 77);
            let found = entries(&db);
            assert_eq!(seqs(&found), [4, 5]);
            assert!(found.iter().all(|entry| !truth.contains(entry)));
            let below = db.read_changelog_since(1).unwrap().next().unwrap();
            refused!(below, Error::ChangelogTruncated { oldest: 4 });
            assert_eq!(entries_in_files(&vfs), found);
            check_clean(&db);
        }
    }
}

// spec: LOG-12, LOG-15
#[test]
fn a_foreign_one_is_set_aside() {
    let other = SimVfs::new(2);
    let db = segmented(&other, on(), 1);
    db.close().unwrap();
    let vfs = SimVfs::new(1);
    let db = segmented(&vfs, on(), 1);
    let truth = entries(&db);
    db.close().unwrap();
    for (file, other_file) in
        [(PathBuf::from(ACTIVE), PathBuf::from(ACTIVE)), (sealed(1), sealed(1))]
    {
        let world = vfs.fork();
        let foreign = bytes_of(&other, &other_file);
        world.write_file(&file, &foreign);
        let done = repair(&world, &on());
        assert_eq!(done.set_aside.len(), 1, "{done:#?}");
        assert!(bytes_of(&world, &done.set_aside[0]) == foreign);
        let db = open(&world, on());
        let (found, gaps) = across_gaps(&db);
        assert!(gaps.is_empty() && found.iter().all(|entry| truth.contains(entry)));
        if file == Path::new(ACTIVE) {
            assert_eq!(found, truth, "rebuilt after the sealed one: {done:#?}");
        }
    }
}

// spec: LOG-15
#[test]
fn a_segment_without_its_header_says_what_is_lost() {
    for options in both_on() {
        let vfs = SimVfs::new(1);
        let db = segmented(&vfs, options.clone(), 3);
        let truth = entries(&db);
        let v2 = db.format_version() == 2;
        db.close().unwrap();
        for (file, commits) in
            [(sealed(1), 1..=3), (sealed(2), 4..=6), (sealed(3), 7..=9), (ACTIVE.into(), 10..=11)]
        {
            let world = vfs.fork();
            world.zero_file(&file, 0..4096);
            let refused = try_open(&world, options.clone())
                .and_then(|db| db.read_changelog_since(0)?.collect::<Result<Vec<_>>>());
            assert!(matches!(refused, Err(Error::ChangelogCorrupt { .. })), "{refused:?}");
            let done = repair(&world, &options);
            assert_eq!(done.set_aside.len(), 1, "{done:#?}");
            let db = open(&world, options.clone());
            let (found, gaps) = across_gaps(&db);
            let told: Vec<u64> =
                done.lost.iter().chain(&done.rebuilt).flat_map(|run| run.0..=run.1).collect();
            assert_eq!(told, commits.clone().collect::<Vec<_>>(), "{}: {done:#?}", file.display());
            let kept = truth
                .iter()
                .filter(|entry| !done.lost.iter().any(|run| (run.0..=run.1).contains(&entry.seq)));
            assert_eq!(found, kept.cloned().collect::<Vec<_>>());
            assert!(gaps == done.lost || file == sealed(1), "{gaps:?}");
            if v2 {
                assert_eq!(found, truth);
            }
        }
    }
}

// spec: LOG-15
#[test]
fn a_sealed_segment_that_is_gone_is_rebuilt_or_declared() {
    for options in both_on() {
        let vfs = SimVfs::new(1);
        let db = segmented(&vfs, options.clone(), 3);
        let truth = entries(&db);
        let v2 = db.format_version() == 2;
        db.close().unwrap();
        vfs.remove_file(&sealed(2));
        let refused = entries_until(&open(&vfs, options.clone()));
        assert_eq!(seqs(&refused.0), [1, 2, 3]);
        assert!(matches!(refused.1, Some(Error::ChangelogCorrupt { .. })), "{refused:?}");
        let done = try_repair(&vfs, &options).unwrap();
        let db = open(&vfs, options.clone());
        let (found, gaps) = across_gaps(&db);
        if v2 {
            assert_eq!((done.rebuilt, found), (vec![(4, 6)], truth));
        } else {
            assert_eq!((done.lost.clone(), gaps), (vec![(4, 6)], done.lost));
            assert_eq!(seqs(&found), [1, 2, 3, 7, 8, 9, 10, 11]);
        }
    }
}

fn entries_until(db: &Db) -> (Vec<ChangelogEntry>, Option<Error>) {
    until_error(db.read_changelog_since(0).unwrap())
}

// spec: LOG-15
#[test]
fn repair_asks_for_options_and_the_file_alone() {
    let vfs = SimVfs::new(1);
    refused!(try_repair(&vfs, &on()), Error::DatabaseMissing { .. });
    let db = segmented(&vfs, on(), 1);
    refused!(try_repair(&vfs, &on()), Error::DatabaseLocked { .. });
    db.close().unwrap();
    refused!(try_repair(&vfs, &light()), Error::ChangelogDisabled);
    refused!(try_repair(&vfs, &on().read_only(true)), Error::ChangelogDisabled);
    let before = changelog_files(&vfs);
    assert!(repair(&vfs, &on()).is_clean());
    assert_eq!(changelog_files(&vfs), before);
    // It turns it on where it was off.
    let vfs = SimVfs::new(2);
    let db = open(&vfs, light());
    fill(&db, 1, 2, 10);
    db.close().unwrap();
    assert!(repair(&vfs, &on()).is_clean());
    let db = open(&vfs, on());
    fill(&db, 3, 3, 10);
    assert_eq!(seqs(&entries(&db)), [3]);
}

// spec: LOG-15, LOG-04
#[test]
fn a_repair_that_crashes_can_be_repeated() {
    let vfs = SimVfs::new(1);
    let db = segmented(&vfs, on(), 2);
    let truth = entries(&db);
    db.close().unwrap();
    let second = frame_ends(&bytes_of(&vfs, sealed(1)))[1];
    vfs.flip(&sealed(1), second + 8, 1);
    let active = frame_ends(&bytes_of(&vfs, ACTIVE))[1];
    vfs.flip(Path::new(ACTIVE), active + 8, 1);
    vfs.set_capture(true);
    try_repair(&vfs, &on()).unwrap();
    vfs.set_capture(false);
    let captures = vfs.take_captures();
    assert!(captures.len() > 20);
    for (op, crashed) in captures {
        for keep in [false, true] {
            let world = crashed.fork();
            let pending = world.pending();
            world.power_cut_with(&if keep { pending.all() } else { pending.none() });
            try_repair(&world, &on()).unwrap_or_else(|error| panic!("at {op}: {error:?}"));
            let db = open(&world, on());
            assert_eq!(across_gaps(&db), (truth.clone(), vec![]), "crash at {op}, {keep}");
            assert_history(&db, 0, &truth);
        }
    }
}
