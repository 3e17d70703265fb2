//! The oracle itself: a database that is right passes, and each way in which it could be wrong is
//! seen. The wrongness is planted in the model, which is the same from where the oracle stands.

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{Db, Error, Timestamp};
use hexxladb_sim::model::{Delta, Draft, Model};
use hexxladb_sim::op::{Key, Open, Pos, Setup, Value};
use hexxladb_sim::oracle::{Bounds, Excuses, Kind, Stop, everything};
use hexxladb_sim::runner::open_for;

/// One commit: its time and what it does.
type Commit = (i64, Option<u32>, Vec<Delta>);

fn put(name: &str, seed: u32) -> Delta {
    Delta::Put(Key::from(name), Value { seed, len: 20 })
}

fn cell(q: i32, seed: u32) -> Delta {
    Delta::PutCell(Pos { q, r: 1 }, Value { seed, len: 10 })
}

fn commits() -> Vec<Commit> {
    vec![
        (100, None, vec![put("a", 1), put("b", 2)]),
        (200, Some(9), vec![put("a", 3), cell(0, 4)]),
        (300, None, vec![Delta::Delete(Key::from("b")), cell(5, 5)]),
        (300, None, vec![Delta::DeleteCell(Pos { q: 0, r: 1 })]),
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
    match everything(&db, &model, model.head(), &Excuses::default()) {
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
fn recoveries_are_judged_by_their_bounds() {
    let bounds = Bounds { durable: 3, shown: 4, created: true, tainted: false };
    let kind = |found| match bounds.judge(found, 6) {
        Ok(()) => None,
        Err(Stop::Failed(failure)) => Some(failure.kind),
        Err(Stop::Excused) => panic!("nothing was to excuse"),
    };
    assert_eq!([3, 4, 6, 7].map(kind), [Some(Kind::Lost), None, None, Some(Kind::Invented)]);
    let mut after = bounds;
    after.cut();
    assert!(after.judge(3, 6).is_ok() && after.judge(2, 6).is_err());
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
