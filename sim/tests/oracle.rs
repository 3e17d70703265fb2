//! The oracle itself: a database that is right passes, and each way in which it could be wrong is
//! seen. The wrongness is planted in the model, which is the same from where the oracle stands.

use std::sync::Arc;

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{Db, Error, Timestamp, Ulid};
use hexxladb_sim::model::{Change, Content, Delta, Draft, Id, Mark, Model, Upkeep};
use hexxladb_sim::op::{Key, Open, Pos, Setup, Value, seam_id};
use hexxladb_sim::oracle::{Bounds, Excuses, Kind, Shown, Stop, everything, facet_id};
use hexxladb_sim::runner::open_for;

/// One commit: its time and what it does.
type Commit = (i64, Option<u32>, Vec<Delta>);

fn put(name: &str, seed: u32) -> Delta {
    Delta::Put(Key::from(name), Value { seed, len: 20 })
}

fn cell(q: i32, seed: u32) -> Delta {
    Delta::PutCell(Pos { q, r: 1 }, Value { seed, len: 10 })
}

const HERE: Pos = Pos { q: 0, r: 1 };

fn facet(seed: u32) -> Delta {
    let facet = Value { seed, len: 6 }.facet("of something");
    Delta::Record(Id::facet(HERE, 3), Content::Facet(Arc::new(facet)))
}

fn edge(to: i32, seed: u32) -> Delta {
    let edge = Value { seed, len: 0 }.edge();
    Delta::Record(Id::edge(HERE, Pos { q: to, r: 0 }, "near"), Content::Edge(Arc::new(edge)))
}

fn seam(number: u32, seed: u32) -> Delta {
    let seam = Value { seed, len: 4 }.seam(HERE, Pos { q: 5, r: 1 });
    Delta::Record(Id::Seam(seam_id(number)), Content::Seam(Arc::new(seam)))
}

fn commits() -> Vec<Commit> {
    vec![
        (100, None, vec![put("a", 1), put("b", 2)]),
        (200, Some(9), vec![put("a", 3), cell(0, 4), facet(1), edge(4, 2), seam(1, 3)]),
        (300, None, vec![Delta::Delete(Key::from("b")), cell(5, 5)]),
        (300, None, vec![Delta::DeleteCell(HERE), seam(1, 4)]),
    ]
}

fn model_of(commits: &[Commit]) -> Model {
    let mut model = Model::new(true);
    for (nanos, note, deltas) in commits {
        let mut draft = Draft::default();
        draft.time = Some(*nanos);
        if let Some(bytes) = note {
            draft.set_note(*bytes);
        }
        for delta in deltas {
            draft.apply(&model, delta);
        }
        model.push(&draft, 0);
    }
    model
}

fn database_of(commits: &[Commit]) -> Db {
    let db = open_for(&Setup::default(), &SimVfs::new(5), Open::default(), false).unwrap();
    for (nanos, note, deltas) in commits {
        let written: Result<(), Error> = db.update(|tx| {
            tx.set_commit_time(Timestamp::from_nanos(*nanos))?;
            if let Some(bytes) = note {
                tx.set_note(hexxladb_sim::op::note_text(*bytes))?;
            }
            for delta in deltas {
                match delta {
                    Delta::Put(key, value) => tx.put(&key.0, value.bytes())?,
                    Delta::PutCell(pos, value) => tx.put_cell(pos.coord(), &value.cell())?,
                    Delta::Delete(key) => assert!(tx.delete(&key.0)?),
                    Delta::DeleteCell(pos) => assert!(tx.delete_cell(pos.coord())?),
                    Delta::Record(Id::Facet(place, id), Content::Facet(facet)) => {
                        tx.put_facet(place.pos.coord(), facet_id(*id), facet)?;
                    }
                    Delta::Record(Id::Edge(from, to, relation), Content::Edge(edge)) => {
                        tx.put_edge(from.pos.coord(), to.pos.coord(), relation, edge)?;
                    }
                    Delta::Record(Id::Seam(id), Content::Seam(seam)) => {
                        tx.put_seam(Ulid(*id), seam)?;
                    }
                    other => panic!("not in these commits: {other:?}"),
                }
            }
            Ok(())
        });
        written.unwrap();
    }
    db
}

/// What the oracle says of the right database when the model was made by `plant`.
fn verdict(plant: impl FnOnce(&mut Vec<Commit>)) -> Option<(Kind, &'static str)> {
    let db = database_of(&commits());
    let mut planted = commits();
    plant(&mut planted);
    let model = model_of(&planted);
    told(everything(&db, &model, &Shown::plain(model.head()), &Excuses::default()))
}

fn told(verdict: Result<(), Stop>) -> Option<(Kind, &'static str)> {
    match verdict {
        Ok(()) => None,
        Err(Stop::Failed(failure)) => Some((failure.kind, failure.label)),
        Err(Stop::Excused) => panic!("nothing was to excuse"),
    }
}

#[test]
fn a_right_database_passes() {
    assert_eq!(verdict(|_| {}), None);
}

#[test]
fn wrong_values_are_seen_wherever_they_are() {
    assert_eq!(verdict(|all| all[1].2[0] = put("a", 7)), Some((Kind::Wrong, "raw scan")));
    assert_eq!(verdict(|all| all[2].2[1] = cell(5, 6)), Some((Kind::Wrong, "cell scan")));
    // Only an old snapshot differs.
    assert_eq!(
        verdict(|all| all[0].2[0] = put("a", 7)),
        Some((Kind::Wrong, "history hash of a snapshot"))
    );
}

#[test]
fn missing_and_extra_records_are_seen() {
    assert_eq!(verdict(|all| all[2].2.push(put("c", 1))), Some((Kind::Wrong, "raw scan")));
    assert_eq!(verdict(|all| drop(all[2].2.remove(0))), Some((Kind::Wrong, "raw scan")));
    assert_eq!(verdict(|all| all[3].2[0] = cell(-1, 1)), Some((Kind::Wrong, "cell scan")));
    assert_eq!(verdict(|all| drop(all.pop())), Some((Kind::Wrong, "sequence of a snapshot")));
}

#[test]
fn wrong_notes_and_times_are_seen() {
    let hash = Some((Kind::Wrong, "history hash of a snapshot"));
    assert_eq!(verdict(|all| all[3].0 = 301), hash);
    assert_eq!(verdict(|all| all[3].1 = Some(0)), Some((Kind::Wrong, "commit of a snapshot")));
    assert_eq!(verdict(|all| all[1].1 = None), hash);
}

#[test]
fn every_family_and_index_is_looked_at() {
    let wrong = |label| Some((Kind::Wrong, label));
    assert_eq!(verdict(|all| all[1].2[4] = seam(2, 3)), wrong("seam scan"));
    assert_eq!(verdict(|all| all[3].2[1] = seam(1, 8)), wrong("seam scan"));
    assert_eq!(verdict(|all| all[3].2[0] = facet(9)), wrong("cell scan"));
    assert_eq!(verdict(|all| all[3].2.push(edge(4, 2))), wrong("edge scan"));
    assert_eq!(verdict(|all| all[3].2.push(facet(1))), wrong("facet scan"));
    // The cell that was there at 2 took these along at 4.
    let hash = wrong("history hash of a snapshot");
    assert_eq!(verdict(|all| all[1].2[2] = facet(2)), hash);
    assert_eq!(verdict(|all| all[1].2[3] = edge(4, 7)), hash);
}

/// What the oracle says when pruning and tags are said to be so.
fn with_upkeep(db: &Db, upkeep: Upkeep) -> Option<(Kind, &'static str)> {
    let model = model_of(&commits());
    told(everything(db, &model, &Shown { head: 4, upkeep }, &Excuses::default()))
}

#[test]
fn what_is_pruned_and_tagged_is_looked_at() {
    let db = database_of(&commits());
    let tagged = |seq| [("t".to_owned(), seq)].into();
    assert_eq!(db.tag_snapshot_at("t", 3).unwrap(), 3);
    assert_eq!(db.prune_cell_versions(4, 100).unwrap(), 2, "the tag holds it");
    let right = Upkeep { floor: 3, removed: 2, tags: tagged(3), ..Upkeep::default() };
    assert_eq!(with_upkeep(&db, right.clone()), None);
    let planted = |plant: fn(&mut Upkeep)| {
        let mut upkeep = right.clone();
        plant(&mut upkeep);
        with_upkeep(&db, upkeep)
    };
    assert_eq!(planted(|upkeep| upkeep.tags.clear()), Some((Kind::Wrong, "snapshot tags")));
    assert_eq!(planted(|upkeep| upkeep.removed = 3), Some((Kind::Counters, "statistics")));
    assert_eq!(planted(|upkeep| upkeep.floor = 4), Some((Kind::Wrong, "commit")));
    assert_eq!(planted(|upkeep| upkeep.floor = 2), Some((Kind::Wrong, "commit of a view")));
    // What was deleted at 3 is gone for good now; what was deleted at 4 has its tombstones.
    assert!(db.delete_snapshot_tag("t").unwrap());
    assert_eq!(db.prune_cell_versions(4, 100).unwrap(), 5);
    assert_eq!(with_upkeep(&db, Upkeep { floor: 4, removed: 7, ..Upkeep::default() }), None);
}

#[test]
fn recoveries_are_judged_by_their_bounds() {
    let mark = |head| Mark { head, ..Mark::default() };
    let bounds = Bounds { durable: mark(3), shown: mark(4), created: true, tainted: false };
    let mut model = Model::new(true);
    for _ in 0..6 {
        let mut draft = Draft::default();
        draft.set_note(1);
        model.push(&draft, 0);
    }
    let kind =
        |found| told(bounds.judge(&Shown::plain(found), &model).map(drop)).map(|told| told.0);
    assert_eq!([3, 4, 6, 7].map(kind), [Some(Kind::Lost), None, None, Some(Kind::Invented)]);
    let mut after = bounds;
    after.cut();
    let judged = |found| after.judge(&Shown::plain(found), &model).is_ok();
    assert!(judged(3) && !judged(2));
}

#[test]
fn changes_without_a_sequence_are_those_of_a_prefix_of_the_log() {
    let commit = |model: &mut Model| {
        let mut draft = Draft::default();
        draft.set_note(1);
        model.push(&draft, 0);
    };
    let mut model = Model::new(true);
    commit(&mut model);
    model.change(Change::Tag("a".into(), 1));
    commit(&mut model);
    model.change(Change::Floor(2));
    model.change(Change::Untag("a".into()));
    let upkeep = |floor, tagged: bool| Upkeep {
        floor,
        tags: tagged.then(|| ("a".to_owned(), 1)).into_iter().collect(),
        ..Upkeep::default()
    };
    let changes = |head, found: &Upkeep, least| model.changes_of(head, found, least);
    assert_eq!(changes(1, &upkeep(0, false), 0), Some(0));
    assert_eq!(changes(1, &upkeep(0, true), 0), Some(1));
    assert_eq!(changes(1, &upkeep(2, true), 0), None, "the floor rose after the second commit");
    assert_eq!(changes(2, &upkeep(0, false), 0), None, "the tag came before the second commit");
    assert_eq!(changes(2, &upkeep(0, true), 0), Some(1));
    assert_eq!(changes(2, &upkeep(0, true), 2), None, "more was shown");
    assert_eq!(changes(2, &upkeep(2, false), 0), Some(3));
    assert_eq!(changes(2, &upkeep(0, false), 0), None, "the tag was there when the floor rose");
}

#[test]
fn errors_need_the_fault_that_causes_them() {
    let corrupt = Error::CorruptDatabase { file: "f".into(), offset: 0, what: String::new() };
    let poisoned = Error::Poisoned { cause: String::new() };
    let none = Excuses::default();
    assert!(!none.cover(&corrupt) && !none.cover(&poisoned));
    let media = Excuses { media: true, ..Excuses::default() };
    assert!(media.cover(&corrupt) && !media.cover(&Error::NestedWrite));
    let failing = Excuses { failing: true, ..Excuses::default() };
    assert!(failing.cover(&poisoned) && !failing.cover(&corrupt));
    // A fault counts from when the handle was opened.
    let disk = SimVfs::new(1);
    let before = disk.fired();
    let fault = "fault 0 any rot 0 01 /f".parse().unwrap();
    disk.write_file("/f".as_ref(), b"f");
    disk.arm(fault);
    let excuses = Excuses { disk: Some((disk.clone(), before)), ..Excuses::default() };
    assert!(!excuses.cover(&corrupt));
    assert!(hexxladb::vfs::Vfs::exists(&disk, "/f".as_ref()).unwrap());
    assert!(excuses.cover(&corrupt) && !excuses.cover(&Error::NestedWrite));
}
