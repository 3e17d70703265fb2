//! Differences between snapshots: net of what lies between, the inverse backwards, and as cheap as
//! what changed.

use std::collections::{BTreeMap, BTreeSet};

use hexxladb::vfs::sim::{Effect, SimVfs, Target};
use hexxladb::{Cell, ChangeKind, Db, EdgeId, Error, Record, RecordChange, RecordId, SnapshotDiff};

use crate::support::{Random, check_clean, coord, light, next, open, options, refused};
use crate::support_records::{
    Model, all, delete_cell, prune_all, put_cell, random_commits, reopened, tagged,
};

/// Every record of a model by its name as the diff shows it, in the order of keys.
fn records(model: &Model) -> Vec<(RecordId, Record)> {
    let raw = model
        .raw
        .iter()
        .map(|(key, value)| (RecordId::Raw(key.clone()), Record::Raw(value.as_slice().into())));
    let cells =
        model.cells.iter().map(|(at, cell)| (at.unpack().into(), Record::Cell(cell.clone())));
    let facets = model
        .facets
        .iter()
        .map(|((at, id), facet)| ((at.unpack(), *id).into(), Record::Facet(facet.clone())));
    let edges = model.edges.iter().map(|((from, to, relation), edge)| {
        let id = EdgeId::new(from.unpack(), to.unpack(), relation.as_str());
        (id.into(), Record::Edge(edge.clone()))
    });
    let seams = model.seams.iter().map(|(id, seam)| ((*id).into(), Record::Seam(seam.clone())));
    raw.chain(cells).chain(facets).chain(edges).chain(seams).collect()
}

/// What must be told of two models, by name.
fn expected(a: &Model, b: &Model) -> BTreeMap<String, (Option<Record>, Option<Record>)> {
    let mut changes: BTreeMap<String, (Option<Record>, Option<Record>)> = BTreeMap::new();
    for (id, record) in records(a) {
        changes.entry(id.to_string()).or_default().0 = Some(record);
    }
    for (id, record) in records(b) {
        changes.entry(id.to_string()).or_default().1 = Some(record);
    }
    changes.retain(|_, (old, new)| old != new);
    changes
}

fn family(id: &RecordId) -> u8 {
    match id {
        RecordId::Raw(_) => 0,
        RecordId::Cell(_) => 1,
        RecordId::Facet(..) => 2,
        RecordId::Edge(_) => 3,
        _ => 4,
    }
}

fn check(db: &Db, models: &[Model], a: u64, b: u64) {
    let changes = all(db.snapshot_diff(a, b).unwrap());
    assert!(changes.iter().is_sorted_by_key(|change| family(&change.id)), "in key order");
    for change in &changes {
        let kind = match (&change.old, &change.new) {
            (None, Some(_)) => ChangeKind::Added,
            (Some(_), Some(_)) => ChangeKind::Modified,
            (Some(_), None) => ChangeKind::Removed,
            (None, None) => panic!("{} is in neither", change.id),
        };
        assert_eq!(change.kind(), kind);
    }
    let names = changes.iter().map(|change| change.id.to_string()).collect::<BTreeSet<_>>();
    assert_eq!(names.len(), changes.len(), "each once");
    let found: BTreeMap<_, _> =
        changes.into_iter().map(|c| (c.id.to_string(), (c.old, c.new))).collect();
    let expected = expected(&models[a as usize], &models[b as usize]);
    assert_eq!(found, expected, "from {a} to {b}");
}

// spec: DIFF-01, DIFF-02, REC-13
#[test]
fn a_diff_is_what_differs_between_two_snapshots_of_all_families() {
    for seed in 0..3 {
        let vfs = SimVfs::new(seed);
        let mut db = open(&vfs, light());
        let (mut random, mut models) = (Random::new(seed + 50), vec![Model::default()]);
        random_commits(&db, &mut random, &mut models, 60);
        for how in 0..3 {
            for _ in 0..60 {
                let (a, b) = (random.below(61), random.below(61));
                check(&db, &models, a, b);
            }
            for seq in [0, 1, 30, 60] {
                assert_eq!(db.snapshot_diff(seq, seq).unwrap().count(), 0);
                check(&db, &models, 0, seq);
                check(&db, &models, seq, 0);
            }
            db = reopened(&vfs, db, &light(), how);
        }
        // What is above the floor is told as before, from the empty database on too.
        prune_all(&db, 40, 9);
        for _ in 0..60 {
            let (a, b) = (40 + random.below(21), 40 + random.below(21));
            check(&db, &models, a, b);
            check(&db, &models, 0, b);
            check(&db, &models, a, 0);
        }
        refused!(db.snapshot_diff(39, 50), Error::SnapshotPruned { seq: 39, oldest: 40 });
        refused!(db.snapshot_diff(50, 39), Error::SnapshotPruned { seq: 39, oldest: 40 });
        refused!(db.snapshot_diff(50, 61), Error::ReadSeqFuture { seq: 61, head: 60 });
        refused!(db.snapshot_diff(61, 50), Error::ReadSeqFuture { seq: 61, head: 60 });
        check_clean(&db);
    }
}

// spec: DIFF-01, DIFF-02
#[test]
fn what_was_changed_and_changed_back_is_no_difference() {
    let db = open(&SimVfs::new(1), options());
    let (at, other) = (coord(0, 0), coord(1, 0));
    put_cell(&db, at, &tagged("one", ["a"]));
    put_cell(&db, at, &tagged("two", ["b"]));
    put_cell(&db, at, &tagged("one", ["a"]));
    delete_cell(&db, at);
    put_cell(&db, at, &tagged("one", ["a"]));
    put_cell(&db, other, &Cell::new("here"));
    delete_cell(&db, other);
    for (a, b) in [(1, 3), (3, 1), (1, 5), (3, 5), (5, 7), (1, 7), (0, 0), (4, 0), (0, 4)] {
        assert_eq!(all(db.snapshot_diff(a, b).unwrap()), [], "from {a} to {b}");
    }
    let one = |a, b| {
        let changes = all(db.snapshot_diff(a, b).unwrap());
        assert_eq!(changes.len(), 1, "from {a} to {b}");
        assert_eq!(changes[0].id, RecordId::Cell(at));
        changes.into_iter().next().unwrap()
    };
    let RecordChange { old, new, .. } = one(1, 2);
    let cell = |text, tag| Some(Record::Cell(tagged(text, [tag])));
    assert_eq!((old, new), (cell("one", "a"), cell("two", "b")));
    assert_eq!((one(3, 4).kind(), one(4, 3).kind()), (ChangeKind::Removed, ChangeKind::Added));
    assert_eq!((one(0, 7).kind(), one(7, 0).kind()), (ChangeKind::Added, ChangeKind::Removed));
    let back = one(2, 1);
    assert_eq!((back.old, back.new), (cell("two", "b"), cell("one", "a")));
}

// spec: DIFF-03
#[test]
fn a_diff_costs_what_changed_and_not_what_there_is() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, options());
    db.update(|tx| (0..100_000u32).try_for_each(|key| tx.put(key.to_be_bytes(), [1; 60]))).unwrap();
    db.update(|tx| (0..10).try_for_each(|index| tx.put((index * 9973u32).to_be_bytes(), [2; 60])))
        .unwrap();
    db.update(|tx| tx.set_note("nothing")).unwrap();
    db.close().unwrap();
    // Each on a handle whose cache knows nothing yet.
    let cost = |a: u64, b: u64, found: usize, take: usize| {
        let db = open(&vfs, options());
        let before = db.stats_mvcc().unwrap().page_reads;
        let diff: SnapshotDiff = db.snapshot_diff(a, b).unwrap();
        assert_eq!(all(diff.take(take)).len(), found);
        let reads = db.stats_mvcc().unwrap().page_reads - before;
        db.close().unwrap();
        reads
    };
    let pages = open(&vfs, options()).stats_mvcc().unwrap().file_pages;
    assert!(pages > 1500, "{pages} pages");
    let ten = cost(1, 3, 10, 100);
    assert!(ten <= 40, "{ten} pages for ten changes");
    assert!(cost(3, 1, 10, 100) <= 40);
    assert!(cost(2, 3, 0, 100) <= 4, "nothing changed");
    assert!(cost(1, 2, 1, 1) <= 8, "the first alone");
    assert!(cost(0, 3, 5, 5) <= 8, "lazy");
}

// spec: DIFF-01, API-03
#[test]
fn a_diff_ends_with_its_first_error_and_goes_on_over_its_snapshots_meanwhile() {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, light());
    for round in 0..3u8 {
        db.update(|tx| (0..600u32).try_for_each(|key| tx.put(key.to_be_bytes(), [round; 40])))
            .unwrap();
    }
    let mut diff = db.snapshot_diff(1, 2).unwrap();
    let mut seen = 0;
    for change in diff.by_ref() {
        let change = change.unwrap();
        let record = |round: u8| Some(Record::Raw([round; 40][..].into()));
        assert_eq!((change.old, change.new), (record(0), record(1)));
        seen += 1;
        if seen % 20 == 0 {
            db.update(|tx| {
                (0..600u32).step_by(7).try_for_each(|key| tx.put(key.to_be_bytes(), [9; 300]))
            })
            .unwrap();
            db.checkpoint().unwrap();
        }
    }
    assert!(seen == 600 && diff.next().is_none());
    drop(diff);
    db.close().unwrap();
    drop(db);
    let db = open(&vfs, light());
    let mut diff = db.snapshot_diff(1, 3).unwrap();
    assert!(diff.next().unwrap().is_ok());
    next(&vfs, Target::Read, Effect::EioForever);
    let error = diff.by_ref().find_map(Result::err);
    assert!(matches!(error, Some(Error::Io(_))), "{error:?}");
    assert!((0..3).all(|_| diff.next().is_none()));
    // Closing ends a diff that somebody still has.
    vfs.heal();
    let mut diff = db.snapshot_diff(1, 3).unwrap();
    db.close().unwrap();
    refused!(diff.next().unwrap(), Error::DatabaseClosed);
    assert!(diff.next().is_none());
}
