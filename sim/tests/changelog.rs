//! The oracle of the changelog: one that is right passes, and each way in which it could be wrong
//! is seen. The wrongness is planted in the model, which is the same from where the oracle stands.

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{ChangelogFilter, Db, Error};
use hexxladb_sim::model::{Act, Delta, Draft, Kept, Model, Story, Told};
use hexxladb_sim::op::{Changelog, Key, Open, Setup, Spot, Value};
use hexxladb_sim::oracle::{
    Check, Entries, Excuses, Kind, Reach, Stop, beside, changelog_filter, from_spot, whole,
};
use hexxladb_sim::runner::{changelog_of, open_for};

/// What the commits put, by the letters of their keys; `-` is a delete, none of any a note alone.
const COMMITS: [&str; 5] = ["ab", "", "a-b", "c", "abc"];

fn deltas(commit: &str, seed: u32) -> Vec<Delta> {
    let mut letters = commit.chars().peekable();
    let mut deltas = Vec::new();
    while let Some(letter) = letters.next() {
        let key = |letter: char| Key::from(letter.to_string().as_str());
        match letters.next_if(|_| letter == '-') {
            Some(deleted) => deltas.push(Delta::Delete(key(deleted))),
            None => deltas.push(Delta::Put(key(letter), Value { seed, len: 20 })),
        }
    }
    deltas
}

fn push(model: &mut Model, commit: &str, seed: u32) {
    let mut draft = Draft::default();
    draft.time = Some(i64::from(seed));
    draft.set_note(seed);
    for delta in deltas(commit, seed) {
        draft.apply(model, &delta);
    }
    model.push(&draft, 0);
}

/// The model, of which the commits from `off` on up to `on` are made without a changelog.
fn model_of(commits: &[&str], (off, on): (usize, usize)) -> Model {
    let mut model = Model::new(true);
    model.opened(Changelog::Full);
    for (at, (commit, seed)) in commits.iter().zip(1..).enumerate() {
        if at == off && off < on {
            model.opened(Changelog::Off);
        }
        if at == on && off < on {
            model.opened(Changelog::Full);
        }
        push(&mut model, commit, seed);
    }
    model
}

fn setup() -> Setup {
    Setup { changelog: Changelog::Full, ..Setup::default() }
}

fn database(disk: &SimVfs, (off, on): (usize, usize)) -> Db {
    let open = |changelog| {
        let open = Open { changelog, ..Open::default() };
        open_for(&setup(), disk, open, false).unwrap()
    };
    let mut db = open(None);
    for (at, (commit, seed)) in COMMITS.iter().zip(1..).enumerate() {
        if at == off && off < on {
            drop(db);
            db = open(Some(Changelog::Off));
        }
        if at == on && off < on {
            drop(db);
            db = open(None);
        }
        let written: Result<(), Error> = db.update(|tx| {
            tx.set_commit_time(hexxladb::Timestamp::from_nanos(i64::from(seed)))?;
            tx.set_note(hexxladb_sim::op::note_text(seed))?;
            for delta in deltas(commit, seed) {
                match delta {
                    Delta::Put(key, value) => tx.put(&key.0, value.bytes())?,
                    Delta::Delete(key) => assert!(tx.delete(&key.0)?),
                    other => panic!("{other:?}"),
                }
            }
            Ok(())
        });
        written.unwrap();
    }
    db
}

fn told(check: Check) -> Option<(Kind, String)> {
    match check {
        Ok(()) => None,
        Err(Stop::Failed(failure)) => Some((failure.kind, failure.detail)),
        Err(Stop::Excused) => panic!("nothing excuses anything here"),
    }
}

fn verdict(db: &Db, model: &Model, story: &Story) -> Option<Kind> {
    let reach = Reach { least: model.head(), most: model.head(), loose: false };
    let read = |cursor| changelog_of(db, cursor);
    let check = whole("changelog", read, (model, story), reach, &Excuses::default());
    told(check.map(drop)).map(|(kind, _)| kind)
}

#[test]
fn a_right_changelog_passes_and_a_wrong_one_does_not() {
    let db = database(&SimVfs::new(1), (9, 9));
    let judged = |commits: &[&str]| {
        let model = model_of(commits, (9, 9));
        verdict(&db, &model, model.story())
    };
    assert_eq!(judged(&COMMITS), None);
    assert_eq!(judged(&["ab", "", "a-b", "b", "abc"]), Some(Kind::Wrong), "another key");
    assert_eq!(judged(&["ab", "a", "a-b", "c", "abc"]), Some(Kind::Wrong), "no note alone");
    assert_eq!(judged(&["ab", "", "ab", "c", "abc"]), Some(Kind::Wrong), "no delete");
    assert_eq!(judged(&["ab", "", "a-b", "c", "abcd"]), Some(Kind::Wrong), "one more");
    assert_eq!(judged(&["ab", "", "a-b", "c"]), Some(Kind::Invented), "a commit too many");
    assert_eq!(judged(&["ab", "", "a-b", "c", "abc", "d"]), Some(Kind::Lost), "one too few");
    let mut other_values = model_of(&COMMITS[..4], (9, 9));
    other_values.log_into(Changelog::Hash);
    push(&mut other_values, COMMITS[4], 5);
    assert_eq!(verdict(&db, &other_values, other_values.story()), Some(Kind::Wrong));
    let mut off = model_of(&COMMITS[..4], (9, 9));
    off.log_into(Changelog::Off);
    push(&mut off, COMMITS[4], 5);
    assert_eq!(verdict(&db, &off, off.story()), Some(Kind::Wrong), "it was off");
}

#[test]
fn gaps_are_where_it_was_off_and_nowhere_else() {
    let disk = SimVfs::new(2);
    let db = database(&disk, (2, 4));
    let model = model_of(&COMMITS, (2, 4));
    assert_eq!(verdict(&db, &model, model.story()), None);
    assert_eq!(model.story().starts().iter().copied().collect::<Vec<_>>(), [0, 4]);
    for other in [(2, 3), (1, 4), (3, 4), (9, 9)] {
        let other = model_of(&COMMITS, other);
        assert_eq!(verdict(&db, &other, other.story()), Some(Kind::Wrong));
    }
    // An attempt to turn it on may have got so far; what was turned on for certain must be there.
    let mut story = model.story().clone();
    story.attempt(0..=3, Changelog::Full);
    assert_eq!(verdict(&db, &model, &story), None);
    story.learn(&[0, 3, 4].into());
    assert_eq!(verdict(&db, &model, &story), Some(Kind::Wrong));
    let mut lost = model.story().clone();
    lost.lose(4);
    assert_eq!(verdict(&db, &model, &lost), None, "it may begin anywhere");
    // Beside the handle the same is told.
    let reach = Reach { least: 5, most: 5, loose: false };
    let none = Excuses::default();
    let seen = beside(&disk, (&model, model.story()), (true, reach), &none);
    let seen = seen.ok().flatten().expect("the files tell of it");
    assert_eq!((seen.last, seen.starts), (5, [0, 4].into()));
}

#[test]
fn spots_are_read_from_as_the_model_says() {
    let db = database(&SimVfs::new(3), (2, 4));
    let model = model_of(&COMMITS, (2, 4));
    let judged = |spot: Spot, starts: &[u64]| {
        let starts = starts.iter().copied().collect();
        let reach = Reach { least: 5, most: 5, loose: false };
        let read = |cursor, filter: ChangelogFilter| {
            Ok(Box::new(db.read_changelog(cursor, filter)?) as Entries<'_>)
        };
        let known = (&model, &starts);
        let check = from_spot("spot", read, known, spot, reach, &Excuses::default());
        told(check).map(|(kind, _)| kind)
    };
    for seq in 0..9 {
        for index in 0..4 {
            for filter in [0, 1, 17, 2, 6, 4, 20, 40] {
                let spot = Spot { seq, index, filter };
                assert_eq!(judged(spot, &[0, 4]), None, "{spot:?}");
            }
        }
    }
    let at = |seq| Spot { seq, index: 0, filter: 0 };
    assert_eq!(judged(at(3), &[0, 3, 4]), Some(Kind::Wrong), "another gap");
    assert_eq!(
        judged(at(1), &[1, 4]),
        Some(Kind::Error),
        "what ends it is not that it is below the oldest"
    );
}

#[test]
fn entries_are_those_of_the_definition() {
    let model = model_of(&COMMITS, (9, 9));
    let acts = |seq| model.entries(seq).iter().map(|entry| entry.act).collect::<Vec<_>>();
    assert_eq!(acts(1), [Act::Put, Act::Put]);
    assert_eq!(acts(2), [Act::Note]);
    assert_eq!(acts(3), [Act::Put, Act::Delete]);
    assert!(matches!(&model.entries(4)[0].value, Kept::Full(bytes) if bytes.len() == 20));
    assert_eq!(model.entries(3)[1].value, Kept::Nothing);
    assert_eq!(model.told(&[1].into(), 3).len(), 3, "the note and two records");
    assert_eq!(model.told(&[0, 3].into(), 9).len(), 9);
    let off = model_of(&COMMITS, (1, 3));
    assert_eq!(off.told(off.story().starts(), 3)[2..], [Told::Gap(2, 3)]);
    let (_, passes) = changelog_filter(1 + 16);
    assert!(passes(&model.entries(3)[1]) && !passes(&model.entries(3)[0]));
}
