//! The reference model by itself: what it says must be plain from the specification.

use hexxladb::{Coord, PackedCoord};
use hexxladb_sim::model::{Content, Delta, Draft, Family, Id, Model, morton};
use hexxladb_sim::op::{Edit, Key, Pos, Value};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn key(name: &str) -> Key {
    Key::from(name)
}

fn id(name: &str) -> Id {
    Id::Raw(name.as_bytes().to_vec())
}

/// Commits the edits at a clock of `nanos`.
fn commit(model: &mut Model, nanos: i64, edits: &[Edit]) -> u64 {
    let mut draft = Draft::default();
    for edit in edits {
        match edit {
            Edit::Note(bytes) => draft.set_note(*bytes),
            Edit::Time(time) => draft.time = Some(*time),
            _ => Delta::of(edit).iter().for_each(|delta| {
                draft.apply(model, delta);
            }),
        }
    }
    model.push(&draft, nanos)
}

fn put(name: &str, seed: u32) -> Edit {
    Edit::Put(key(name), Value { seed, len: 5 })
}

fn raw(seed: u32) -> Content {
    Content::Raw(Value { seed, len: 5 }.bytes().into())
}

#[test]
fn a_snapshot_reads_what_was_committed_up_to_it() {
    let mut model = Model::new(true);
    assert_eq!(commit(&mut model, 10, &[put("a", 1), put("b", 2)]), 1);
    assert_eq!(commit(&mut model, 20, &[put("a", 3)]), 2);
    assert_eq!(commit(&mut model, 30, &[Edit::Delete(key("a"))]), 3);
    assert_eq!(model.get(&id("a"), 0), None);
    assert_eq!(model.get(&id("a"), 1), Some(&raw(1)));
    assert_eq!(model.get(&id("a"), 2), Some(&raw(3)));
    assert_eq!(model.get(&id("a"), 3), None);
    assert_eq!(model.state(3).map(|(id, _)| id.clone()).collect::<Vec<_>>(), [id("b")]);
    let history: Vec<_> = model.history(&id("a"), 3).cloned().collect();
    assert_eq!(history, [(3, None), (2, Some(raw(3))), (1, Some(raw(1)))]);
    let (counts, _) = model.counts(Family::Raw, 3, 0);
    assert_eq!((counts.visible, counts.logical, counts.rows), (1, 2, 4));
}

#[test]
fn commit_times_never_go_backwards() {
    let mut model = Model::new(true);
    commit(&mut model, 100, &[put("a", 1)]);
    commit(&mut model, 50, &[put("a", 2)]);
    commit(&mut model, 60, &[put("a", 3), Edit::Time(700)]);
    commit(&mut model, 800, &[put("a", 4), Edit::Time(3)]);
    let times: Vec<i64> = (1..=4).map(|seq| model.time_at(seq)).collect();
    assert_eq!(times, [100, 100, 700, 700]);
    let at = |nanos| model.seq_at_time(nanos, 4);
    assert_eq!([at(99), at(100), at(699), at(700), at(i64::MAX)], [0, 2, 2, 4, 4]);
    assert_eq!(model.seq_at_time(i64::MAX, 3), 3);
}

#[test]
fn a_transaction_counts_net_changes_and_reads_its_own_writes() {
    let mut model = Model::new(true);
    commit(&mut model, 1, &[put("a", 1)]);
    let mut draft = Draft::default();
    let mut apply = |edit: Edit| Delta::of(&edit).iter().map(|d| draft.apply(&model, d)).next();
    assert_eq!(apply(put("a", 2)), Some(true));
    assert_eq!(apply(Edit::Delete(key("a"))), Some(true));
    assert_eq!(apply(Edit::Delete(key("a"))), Some(false));
    assert_eq!(apply(put("b", 3)), Some(false));
    assert_eq!(apply(Edit::Delete(key("b"))), Some(true));
    assert_eq!(apply(Edit::Delete(key("nothing"))), Some(false));
    let writes: Vec<_> =
        draft.writes().map(|(id, content)| (id.clone(), content.clone())).collect();
    assert_eq!(writes, [(id("a"), None), (id("b"), None)]);
    assert_eq!(draft.state(&model), []);
}

#[test]
fn the_history_hash_covers_what_a_commit_says() {
    let mut model = Model::new(true);
    commit(&mut model, 7, &[put("k", 1), Edit::Note(3)]);
    let mut bytes = vec![0; 16];
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(7_i64.to_le_bytes());
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(b"not");
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend([1, 1]);
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(b"k");
    bytes.extend(Sha256::digest(Value { seed: 1, len: 5 }.bytes()));
    assert_eq!(model.hash_at(1), Sha256::digest(&bytes)[..16]);
    assert_eq!(model.hash_at(0), [0; 16]);
    // A commit that repeats it in every word still differs by its sequence and what went before.
    commit(&mut model, 7, &[put("k", 1), Edit::Note(3)]);
    assert_ne!(model.hash_at(2), model.hash_at(1));
}

proptest! {
    #[test]
    fn forgotten_commits_leave_no_trace(seeds in proptest::collection::vec(0_u32..6, 1..12), cut in 0_i64..12) {
        let mut whole = Model::new(true);
        let mut part = Model::new(true);
        for (n, seed) in (0_i64..).zip(&seeds) {
            let name = format!("k{}", seed % 3);
            let edit = if *seed == 5 { Edit::Delete(key(&name)) } else { put(&name, *seed) };
            commit(&mut whole, n, std::slice::from_ref(&edit));
            if n < cut {
                commit(&mut part, n, &[edit]);
            }
        }
        let head = part.head();
        whole.truncate(head);
        prop_assert_eq!(whole.head(), head);
        prop_assert_eq!(whole.hash_at(head), part.hash_at(head));
        let state = |model: &Model| model.state(head).map(|(id, c)| (id.clone(), c.clone())).collect::<Vec<_>>();
        prop_assert_eq!(state(&whole), state(&part));
        prop_assert_eq!(whole.counts(Family::Raw, head, 0), part.counts(Family::Raw, head, 0));
        prop_assert_eq!(whole.ids(head).count(), part.ids(head).count());
    }

    /// The model packs coordinates on its own; both must agree on the order.
    #[test]
    fn cells_sort_as_the_engine_sorts_them(
        a in (-60_000_i32..60_000, -60_000_i32..60_000),
        b in (-60_000_i32..60_000, -60_000_i32..60_000),
    ) {
        let packed = |(q, r)| PackedCoord::from(Coord::new(q, r).unwrap());
        let placed = |(q, r)| morton(Pos { q, r });
        prop_assert_eq!(packed(a).cmp(&packed(b)), placed(a).cmp(&placed(b)));
    }
}
