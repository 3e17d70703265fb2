//! Random sequences of all record operations on a disk without faults, compared with the model
//! after each step; what fails shrinks.
//!
//! The steps are operations of plans, so that what is found is a plan as well: the runner compares
//! each answer, and a read of everything after each step compares the rest.

use hexxladb::PruneProfile;
use hexxladb_sim::model::Family;
use hexxladb_sim::op::{
    Before, Changelog, Edit, End, Index, Key, Op, Open, Plan, Pos, Read, Setup, Value,
};
use hexxladb_sim::runner::World;
use proptest::collection::vec;
use proptest::prelude::*;

fn pos() -> impl Strategy<Value = Pos> {
    (-1_i32..2, -1_i32..2).prop_map(|(q, r)| Pos { q, r })
}

fn key() -> impl Strategy<Value = Key> {
    prop::sample::select(vec!["", "a", "ab", "b"]).prop_map(Key::from)
}

fn value() -> impl Strategy<Value = Value> {
    // Seeds say which tags, sources and weeks there are; long values have pages of their own.
    (0_u32..420, prop_oneof![4 => 0_u32..30, 1 => 100_u32..700])
        .prop_map(|(seed, len)| Value { seed, len })
}

fn name() -> impl Strategy<Value = Key> {
    prop::sample::select(vec!["t", "u"]).prop_map(Key::from)
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        2 => (key(), value()).prop_map(|(key, value)| Edit::Put(key, value)),
        1 => key().prop_map(Edit::Delete),
        4 => (pos(), value()).prop_map(|(pos, value)| Edit::PutCell(pos, value)),
        2 => (pos(), value()).prop_map(|(pos, value)| Edit::Retag(pos, value)),
        2 => pos().prop_map(Edit::DeleteCell),
        2 => (pos(), 0_u8..6, value()).prop_map(|(pos, id, v)| Edit::PutFacet(pos, id, v)),
        1 => (pos(), 0_u8..2, value()).prop_map(|(pos, id, v)| Edit::UpdateFacet(pos, id, v)),
        1 => (pos(), 0_u8..2).prop_map(|(pos, id)| Edit::DeleteFacet(pos, id)),
        2 => (pos(), pos(), key(), value()).prop_map(|(a, b, r, v)| Edit::PutEdge(a, b, r, v)),
        1 => (pos(), pos(), key(), value()).prop_map(|(a, b, r, v)| Edit::Link(a, b, r, v)),
        1 => (pos(), pos(), key()).prop_map(|(a, b, r)| Edit::DeleteEdge(a, b, r)),
        2 => (0_u32..4, pos(), pos(), value()).prop_map(|(n, a, b, v)| Edit::PutSeam(n, a, b, v)),
        1 => (pos(), pos(), value()).prop_map(|(a, b, v)| Edit::Conflict(a, b, v)),
        2 => (pos(), pos(), value()).prop_map(|(a, b, v)| Edit::Supersede(a, b, v)),
        1 => (0_u32..9, value()).prop_map(|(number, value)| Edit::Resolve(number, value)),
        1 => Just(Edit::Scan),
    ]
}

fn step() -> impl Strategy<Value = Op> {
    let edits = || vec(edit(), 1..6);
    prop_oneof![
        8 => edits().prop_map(|edits| Op::Update(End::Ok, edits)),
        1 => edits().prop_map(|edits| Op::Update(End::Fail, edits)),
        3 => (0_u64..12, 1_u64..6).prop_map(|(seq, rows)| Op::Prune(Before::Seq(seq), rows)),
        1 => (0_u64..12).prop_map(|seq| Op::Prune(Before::Seq(seq), 1000)),
        1 => any::<bool>().prop_map(|tick| Op::PruneBy(PruneProfile::LowLatency, tick)),
        2 => (name(), prop::option::of(0_u64..12)).prop_map(|(name, seq)| Op::Tag(name, seq)),
        1 => name().prop_map(Op::Untag),
        1 => (0_u8..2, prop::option::of(0_u64..12)).prop_map(|(slot, seq)| Op::Snap(slot, seq)),
        1 => (0_u8..2).prop_map(Op::ReadSnap),
        1 => (0_u8..2).prop_map(Op::DropSnap),
        1 => (0_u64..12, 0_u64..12).prop_map(|(a, b)| Op::HoldDiff(0, a, b)),
        1 => (1_u32..9).prop_map(|count| Op::ReadDiff(0, count)),
        1 => Just(Op::Checkpoint),
        1 => Just(Op::Close),
        2 => any::<bool>().prop_map(|keep| Op::Open(Open {
            keep_commits: keep.then_some(2),
            ..Open::default()
        })),
        1 => (pos(), 0_u32..4, prop::option::of(0_u8..6)).prop_map(|(center, radius, facet)| {
            Op::Read(Read::Ring { center, radius, valid_at: Some(9), facet })
        }),
        1 => (pos(), 0_u32..4, 0_u32..256)
            .prop_map(|(center, radius, filter)| Op::Read(Read::FindSeams(center, radius, filter))),
        1 => (0_usize..5, 0_u8..4, 0_u8..4).prop_map(|(index, from, to)| {
            let (index, _) = Index::ALL[index];
            let end = |n: u8| match index {
                Index::CellTag => Key::from(format!("tag{n}").as_str()),
                Index::CellWeek | Index::SeamWeek => Key::from(n.to_string().as_str()),
                _ => Key::from(format!("source-{n}").as_str()),
            };
            Op::Read(Read::Index { index, from: end(from), to: end(to), limit: 2 })
        }),
    ]
}

fn run(ops: Vec<Op>, setup: Setup) -> Result<(), TestCaseError> {
    let mut world = World::new(setup);
    let mut done = Plan { comment: Vec::new(), setup, ops: Vec::new() };
    for op in [Op::Open(Open::default())].into_iter().chain(ops) {
        done.ops.push(op.clone());
        let stepped = world.step(&op, None);
        let compared = stepped.and_then(|()| world.step(&Op::Read(Read::All), None));
        if let Err(failure) = compared {
            return Err(TestCaseError::fail(format!("{failure}\n{done}")));
        }
    }
    world.settle().map_err(|failure| TestCaseError::fail(format!("{failure}\n{done}")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    // spec: REC-12, REC-13, IDX-01, IDX-02, IDX-03, DIFF-01, DIFF-02, PRUNE-04, PRUNE-10, PRUNE-11
    #[test]
    fn all_records_do_as_the_model_does(
        ops in vec(step(), 1..40),
        page_bytes in prop::sample::select(vec![512_u32, 4096]),
        mvcc in prop::bool::weighted(0.85),
    ) {
        run(ops, Setup { page_bytes, mvcc, cut: false, cache_bytes: 16 << 10, changelog: Changelog::Full, ..Setup::default() })?;
    }
}

// spec: SEAM-04
/// The steps reach what they are for: each kind of them comes to pass with the state that it needs.
#[test]
fn a_long_sequence_prunes_tags_and_supersedes() {
    let text = "setup page=512 cut=no
        open keep=1
        update ok: put_cell 0,0 1x9; put_cell 1,0 7x9; put_cell 0,1 3x9
        update ok: supersede 0,0 1,0 1x3; supersede 1,0 0,1 2x3; supersede 0,1 0,0 3x3
        update ok: put_edge 0,0 1,0 a 1x0; put_facet 0,0 2 5x9; retag 0,0 3x0; delete_cell 0,0
        tag t 2
        prune 3 1000
        prune_by low_latency
        untag t
        prune_by low_latency tick
        prune 3 1000
        read stats";
    let plan: Plan = text.parse().unwrap();
    let mut world = World::new(plan.setup);
    for op in &plan.ops {
        world.step(op, None).unwrap_or_else(|failure| panic!("{op}: {failure}"));
    }
    let seams = world.model().state(3).filter(|(id, _)| id.family() == Family::Seam);
    assert_eq!(seams.count(), 2, "the third closes a circle");
    assert_eq!(world.view().floor, 3);
    assert_eq!(
        world.model().begun().removed,
        1,
        "the cell as it was; what hides it is at the floor"
    );
}
