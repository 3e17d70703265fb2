//! What entries say of commits: each record once, in order, with operation, value, time, note and
//! hash, in either format and whatever the size of the transaction.

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{
    Cell, ChangelogFilter, ChangelogOp, ChangelogOptions, ChangelogValue, ChangelogValues, Db,
    Edge, Error, Facet, Record, ResolutionStatus, Seam, SeamType, Timestamp, Ulid,
};
use sha2::{Digest, Sha256};

use crate::changelog_support::{
    assert_history, both_on, commits, entries, entries_in_files, kill, on, random_database, seqs,
    shown_of, timed,
};
use crate::support::{Random, coord, get, light, open, put};
use crate::support_records::{Model, all, facet_id, prune_all, random_commits, reopened};

// spec: LOG-01, LOG-02, LOG-04
#[test]
fn entries_are_what_commits_left_in_the_rows() {
    for seed in 0..4 {
        let vfs = SimVfs::new(seed);
        let mut db = open(&vfs, on());
        let mut models = vec![Model::default()];
        let mut random = Random::new(seed);
        for how in 0..6 {
            random_commits(&db, &mut random, &mut models, 12);
            assert_history(&db, 0, &entries(&db));
            assert_eq!(entries(&db), entries_in_files(&vfs));
            db = reopened(&vfs, db, &on(), how);
            assert_history(&db, 0, &entries(&db));
        }
    }
}

/// The same transactions with the same times in a database of either format.
fn twins() -> [Db; 2] {
    let mut models = [Model::default(), Model::default()];
    let mut randoms = [Random::new(5), Random::new(5)];
    let twins = both_on().map(|options| open(&SimVfs::new(1), options));
    for round in 0..40 {
        for ((db, model), random) in twins.iter().zip(&mut models).zip(&mut randoms) {
            timed(db, round, |tx| {
                tx.set_note(round.to_string())?;
                (0..=random.below(9)).try_for_each(|_| model.step(tx, random))
            });
        }
    }
    twins
}

// spec: LOG-01
#[test]
fn either_format_has_the_same_entries() {
    let [v2, v1] = twins();
    assert_eq!((v2.format_version(), v1.format_version()), (2, 1));
    assert_history(&v2, 0, &entries(&v2));
    assert_eq!(entries(&v2), entries(&v1));
}

// spec: LOG-01
#[test]
fn families_come_in_order_and_say_what_was_done() {
    for options in both_on() {
        let vfs = SimVfs::new(1);
        let db = open(&vfs, options);
        let (a, b) = (coord(0, 0), coord(1, 0));
        let id = Ulid(7);
        timed(&db, 10, |tx| {
            tx.set_note("first")?;
            tx.put_seam(id, &Seam::new(a, b, SeamType::Conflict))?;
            tx.put_edge(a, b, "to", &Edge::new(1.0))?;
            tx.put_facet(a, facet_id(2), &Facet::default())?;
            tx.put_cell(b, &Cell::new("b"))?;
            tx.put_cell(a, &Cell::new("a"))?;
            tx.put("k", "v")?;
            tx.put("k", "w")
        });
        timed(&db, 20, |tx| {
            tx.resolve_seam(id, ResolutionStatus::Merged, Some("so"))?;
            tx.delete("k")?;
            tx.delete("never there").map(|_| ())
        });
        timed(&db, 30, |tx| tx.resolve_seam(id, ResolutionStatus::Archived, None));
        let found = entries(&db);
        let expected = [
            "put raw/k",
            "put cell/(0,0)",
            "put cell/(1,0)",
            "put facet/(0,0)/2",
            "put edge/(0,0)/(1,0)/to",
            &format!("put seam/{id}"),
        ];
        assert_eq!(shown_of(&found, 1), expected);
        assert_eq!(shown_of(&found, 2), ["delete raw/k".into(), format!("resolve seam/{id}")]);
        // What is resolved already is not resolved again.
        assert_eq!(shown_of(&found, 3), [format!("put seam/{id}")]);
        let families: Vec<_> = found[..6].iter().map(|entry| entry.family().unwrap()).collect();
        assert_eq!(families, ["raw", "cell", "cell", "facet", "edge", "seam"]);
        let first = &found[0];
        assert_eq!((first.seq, first.index, first.last_in_commit), (1, 0, false));
        assert_eq!(first.time, Timestamp::from_secs(10));
        assert!(found[..6].iter().all(|entry| entry.note.as_deref() == Some("first")));
        assert!(found[6].note.is_none() && found[5].last_in_commit && found[7].last_in_commit);
        assert_eq!(first.record().unwrap(), Some(Record::Raw(b"w".as_slice().into())));
        assert_eq!(found[1].record().unwrap(), Some(Record::Cell(Cell::new("a"))));
        let hashes: Vec<_> = commits(&db).iter().map(|commit| commit.history_hash).collect();
        assert_eq!([found[0].history_hash, found[7].history_hash], hashes[..2]);
        assert_eq!([found[0].previous_hash, found[7].previous_hash], [[0; 16], hashes[0]]);
    }
}

// spec: LOG-01
#[test]
fn a_transaction_is_told_net() {
    for options in both_on() {
        let db = open(&SimVfs::new(1), options);
        put(&db, "old", "1").unwrap();
        db.update(|tx| {
            tx.put("new", "1")?;
            tx.delete("new")?;
            tx.delete("old")?;
            tx.put("old", "2")?;
            tx.put("z", "1")
        })
        .unwrap();
        // One that is put and deleted again leaves a delete, the rest what it came to.
        let expected = ["delete raw/new", "put raw/old", "put raw/z"];
        assert_eq!(shown_of(&entries(&db), 2), expected);
        // A transaction that changes nothing is no commit.
        db.update(|tx| tx.delete("not there").map(|_| ())).unwrap();
        assert_eq!(seqs(&entries(&db)), [1, 2]);
        db.update(|tx| tx.put("x", "").and_then(|()| tx.delete("x").map(|_| ()))).unwrap();
        let head = db.head().unwrap();
        assert_eq!(shown_of(&entries(&db), 3), vec!["delete raw/x"; head as usize - 2]);
    }
}

// spec: LOG-01
#[test]
fn a_seam_is_resolved_only_from_unresolved() {
    let db = open(&SimVfs::new(1), on());
    let (a, b) = (coord(0, 0), coord(1, 0));
    let mut resolved = Seam::new(a, b, SeamType::Conflict);
    resolved.resolution_status = ResolutionStatus::Merged;
    let id = |n: u128| Ulid(n << 64);
    // Begun as resolved; begun and resolved in one transaction; resolved by overwriting it.
    db.update(|tx| tx.put_seam(id(1), &resolved)).unwrap();
    db.update(|tx| {
        tx.put_seam(id(2), &Seam::new(a, b, SeamType::Conflict))?;
        tx.resolve_seam(id(2), ResolutionStatus::Merged, None)
    })
    .unwrap();
    db.update(|tx| tx.put_seam(id(3), &Seam::new(a, b, SeamType::Conflict))).unwrap();
    db.update(|tx| tx.put_seam(id(3), &resolved)).unwrap();
    db.update(|tx| tx.put_seam(id(3), &Seam::new(a, b, SeamType::Conflict))).unwrap();
    let ops: Vec<_> = entries(&db).iter().map(|entry| entry.op).collect();
    let [put, resolve] = [ChangelogOp::Put, ChangelogOp::Resolve];
    assert_eq!(ops, [put, put, put, resolve, put]);
}

// spec: LOG-02
#[test]
fn a_cascade_tells_each_record_that_it_hides() {
    for options in both_on() {
        let vfs = SimVfs::new(1);
        let mut db = open(&vfs, options.clone());
        let (a, b) = (coord(0, 0), coord(1, 0));
        db.update(|tx| {
            tx.put_cell(a, &Cell::new("a"))?;
            tx.put_cell(b, &Cell::new("b"))?;
            tx.put_facet(a, facet_id(0), &Facet::default())?;
            tx.put_facet(a, facet_id(5), &Facet::default())?;
            tx.put_facet(b, facet_id(0), &Facet::default())?;
            tx.put_edge(a, b, "to", &Edge::new(1.0))?;
            tx.put_edge(a, a, "self", &Edge::new(1.0))?;
            tx.put_edge(b, a, "back", &Edge::new(1.0))?;
            tx.put_seam(Ulid(1), &Seam::new(a, b, SeamType::Conflict))
        })
        .unwrap();
        db.update(|tx| tx.delete_cell(a)).unwrap();
        let expected = [
            "delete cell/(0,0)",
            "delete facet/(0,0)/0",
            "delete facet/(0,0)/5",
            "delete edge/(0,0)/(0,0)/self",
            "delete edge/(0,0)/(1,0)/to",
        ];
        for how in 0..3 {
            assert_eq!(shown_of(&entries(&db), 2), expected);
            db = reopened(&vfs, db, &options, how);
        }
    }
}

// spec: LOG-02, LOG-20
#[test]
fn tags_pruning_and_consumers_write_no_entry_and_change_none() {
    let vfs = SimVfs::new(1);
    let (mut db, _) = random_database(&vfs, on(), 30);
    let before = entries(&db);
    db.tag_snapshot("tag").unwrap();
    db.delete_snapshot_tag("tag").unwrap();
    db.changelog_consumer("someone").unwrap();
    db.remove_changelog_consumer("someone").unwrap();
    assert!(prune_all(&db, 25, 10) > 0);
    assert_eq!(entries(&db), before);
    // Also where they are replayed between the commits.
    put(&db, "after", "1").unwrap();
    for how in 0..4 {
        db = reopened(&vfs, db, &on(), how);
        let after = entries(&db);
        assert_eq!(after[..before.len()], before);
        assert_eq!(shown_of(&after, 31), ["put raw/after"]);
    }
}

// spec: LOG-01
#[test]
fn a_note_alone_is_an_entry_without_record() {
    for options in both_on() {
        let vfs = SimVfs::new(1);
        let mut db = open(&vfs, options.clone());
        let long = "n".repeat(4096);
        for note in ["", "why", &long] {
            db.update(|tx| tx.set_note(note)).unwrap();
        }
        for how in 0..3 {
            let found = entries(&db);
            let notes: Vec<_> = found.iter().map(|entry| entry.note.as_deref().unwrap()).collect();
            assert_eq!(notes, ["", "why", &long]);
            for entry in &found {
                assert_eq!((entry.op, &entry.key, entry.index), (ChangelogOp::Note, &None, 0));
                assert_eq!((entry.last_in_commit, entry.commit_entries()), (true, 0));
                assert_eq!((entry.family(), entry.record().unwrap()), (None, None));
            }
            db = reopened(&vfs, db, &options, how);
        }
    }
}

// spec: LOG-01, OPT-17
#[test]
fn values_are_full_hashed_or_left_out_as_of_their_commit() {
    let vfs = SimVfs::new(1);
    let with = |values| light().changelog(ChangelogOptions::new().values(values));
    for (n, values) in [ChangelogValues::Full, ChangelogValues::Hash, ChangelogValues::None]
        .into_iter()
        .enumerate()
    {
        let db = open(&vfs, with(values));
        put(&db, "k", format!("value {n}")).unwrap();
        // Killed: what the log holds is written anew under the policy that it was committed with.
        kill(&vfs, db);
    }
    let db = open(&vfs, with(ChangelogValues::Full));
    let found = entries(&db);
    assert_eq!(found[0].value, ChangelogValue::Full(b"value 0".as_slice().into()));
    assert_eq!(found[1].value, ChangelogValue::Hash(Sha256::digest(b"value 1").into()));
    assert_eq!(found[2].value, ChangelogValue::None);
    assert!(found[1].record().unwrap().is_none() && found[2].record().unwrap().is_none());
    assert_eq!(found[2].op, ChangelogOp::Put);
    db.update(|tx| tx.delete("k")).unwrap();
    assert_eq!(entries(&db)[3].value, ChangelogValue::None);
}

// spec: OPT-17, LOG-03
#[test]
fn it_is_off_unless_asked_for() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, light());
    put(&db, "k", "1").unwrap();
    for error in [
        db.read_changelog_since(0).err(),
        db.read_changelog(hexxladb::ChangelogCursor::START, ChangelogFilter::new()).err(),
        db.follow(hexxladb::ChangelogCursor::START, hexxladb::Follow::new()).err(),
        db.changelog_consumer("c").err(),
        db.rotate_changelog().err(),
        db.trim_changelog().err(),
        db.changelog_info().err(),
        db.archive_changelog("/archive").err(),
    ] {
        assert!(matches!(error, Some(Error::ChangelogDisabled)), "{error:?}");
    }
    db.close().unwrap();
    assert_eq!(crate::changelog_support::changelog_files(&vfs), Vec::<String>::new());
    let reader = hexxladb::ChangelogReader::open_with(std::sync::Arc::new(vfs.clone()), "/db");
    assert!(matches!(reader, Err(Error::ChangelogDisabled)));
    let least = ChangelogOptions::new().segment_bytes(1);
    let refused = crate::support::try_open(&vfs, light().changelog(least));
    assert!(matches!(refused, Err(Error::InvalidArgument { .. })), "{refused:?}");
}

/// Puts `count` records with values of `bytes`.
fn large(db: &Db, count: u32, bytes: usize) {
    db.update(|tx| {
        tx.set_note("large")?;
        (0..count).try_for_each(|n| tx.put(n.to_be_bytes(), vec![n as u8; bytes]))
    })
    .unwrap();
}

// spec: LOG-01, LOG-04
#[test]
fn a_transaction_in_parts_is_told_whole() {
    for options in both_on() {
        let vfs = SimVfs::new(1);
        let mut db = open(&vfs, options.clone());
        put(&db, "before", "1").unwrap();
        // More than the log takes in a frame, and than a frame of the changelog takes.
        large(&db, 900, 300);
        put(&db, "after", "1").unwrap();
        for how in 0..4 {
            let found = entries(&db);
            assert_eq!(seqs(&found), [1, 2, 3]);
            let of_large = &found[1..found.len() - 1];
            assert_eq!(of_large.len(), 900);
            for (n, entry) in (0..900u32).zip(of_large) {
                assert_eq!((entry.index, entry.commit_entries()), (n, 900));
                assert_eq!(entry.last_in_commit, n == 899);
                assert_eq!(entry.note.as_deref(), Some("large"));
                let value = vec![n as u8; 300];
                assert_eq!(entry.record().unwrap(), Some(Record::Raw(value.into())));
            }
            // From any place in the midst of it.
            for at in [0, 1, 200, 511, 898, 899] {
                let cursor = hexxladb::ChangelogCursor::at(2, at);
                let rest = all(db.read_changelog(cursor, ChangelogFilter::new()).unwrap());
                assert_eq!(rest, found[1 + at as usize..]);
            }
            assert_eq!(entries_in_files(&vfs), found);
            db = reopened(&vfs, db, &options, how);
        }
    }
}

// spec: LOG-01, LOG-04
#[test]
fn values_of_every_size_are_told() {
    let vfs = SimVfs::new(1);
    let mut db = open(&vfs, on());
    let sizes = [0, 1, 127, 128, 65_000, 65_535, 65_536, 65_537, 300_000, 1 << 20];
    for size in sizes {
        put(&db, "k", vec![7; size]).unwrap();
    }
    db.update(|tx| sizes.iter().try_for_each(|&size| tx.put(size.to_string(), vec![8; size])))
        .unwrap();
    for how in 0..3 {
        assert_history(&db, 0, &entries(&db));
        assert_eq!(get(&db, "k").unwrap().len(), 1 << 20);
        db = reopened(&vfs, db, &on(), how);
    }
}
