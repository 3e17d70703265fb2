//! The text form of plans: whatever is written reads back the same, and what is wrong is refused
//! with its line.

use hexxladb_sim::op::{Key, Op, Plan, Pos, Value};
use hexxladb_sim::random::Random;
use hexxladb_sim::runner::{FileView, View};
use hexxladb_sim::swarm::Profile;
use hexxladb_sim::workload::Generator;
use proptest::prelude::*;

/// Somewhere a run might stand.
fn view(bits: u64) -> View {
    let bit = |n: u32| bits >> n & 1 == 1;
    let slots = |n: u32| if bit(n) { vec![0, 2] } else { vec![] };
    View {
        open: bit(0),
        read_only: bit(1) && bit(2),
        in_tx: bit(3),
        waiting: slots(4),
        snapshots: slots(5),
        diffs: slots(13),
        tags: if bit(14) { vec![Key::from("t")] } else { vec![] },
        floor: (bits >> 44 & 15).min(bits >> 40 & 15),
        stashes: slots(6),
        head: bits >> 40 & 15,
        clock_nanos: 1_704_067_200_000_000_000,
        poisoned: bit(7) && bit(8),
        disturbed: bit(9),
        stuck: bit(10) && bit(11),
        created: bit(12),
        primary: FileView::new("/db/main", &vec![7; 40_000]),
        log: FileView::new("/db/main-wal", &vec![7; 16_384]),
        changelog: if bit(15) {
            vec![FileView::new("/db/main-changelog", &vec![7; 8192])]
        } else {
            vec![]
        },
        follows: slots(16),
        sector_bytes: 512,
    }
}

/// The operations that a seed draws, wherever they would lead.
fn drawn(seed: u64, count: usize) -> Plan {
    let mut random = Random::new(seed);
    let profile = Profile::new(&mut random, !seed.is_multiple_of(4));
    let setup = profile.setup;
    let mut places = Random::new(!seed);
    let mut generator = Generator::new(random, profile);
    let mut ops = Vec::new();
    for _ in 0..count {
        let (op, crash) = generator.next(&view(places.word()));
        ops.push(op);
        ops.extend(crash.map(Op::Crash));
    }
    Plan { comment: vec!["what it found".into(), String::new(), "more".into()], setup, ops }
}

proptest! {
    #[test]
    fn plans_read_back_as_they_were_written(seed: u64) {
        let plan = drawn(seed, 60);
        let read: Plan = plan.to_string().parse().unwrap();
        prop_assert_eq!(read, plan);
    }

    #[test]
    fn keys_read_back(bytes in proptest::collection::vec(any::<u8>(), 0..40), run in 0_usize..60) {
        let mut key = bytes;
        if let Some(&last) = key.last() {
            key.extend(vec![last; run]);
        }
        let text = Key(key.clone()).to_string();
        prop_assert!(!text.contains([' ', ';', ':', '\n']), "{}", text);
        prop_assert_eq!(text.parse::<Key>().unwrap(), Key(key));
    }

    #[test]
    fn values_and_coordinates_read_back(seed: u32, len in 0_u32..1 << 20, q in -99_i32..99, r: i16) {
        let value = Value { seed, len };
        prop_assert_eq!(value.to_string().parse::<Value>().unwrap(), value);
        let pos = Pos { q, r: i32::from(r) };
        prop_assert_eq!(pos.to_string().parse::<Pos>().unwrap(), pos);
    }
}

/// Every first word that an operation can have is drawn by some seed: the round trip above
/// covers them all.
#[test]
fn every_operation_is_drawn() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..400 {
        for op in drawn(seed, 60).ops {
            let text = op.to_string();
            let words: Vec<&str> = text.split([' ', ':']).collect();
            let two =
                ["prune_by", "read", "update", "crash", "damage", "clock"].contains(&words[0]);
            seen.insert(words[..words.len().min(1 + usize::from(two))].join("_"));
        }
    }
    let expected = "abandon begin check checkpoint clear clock_run clock_step clock_stop close \
        commit conflict consumer crash_cut crash_hostile crash_kill damage_cut_log damage_cut_segment \
        damage_empty_primary damage_foreign_changelog damage_remove_changelog damage_remove_log \
        damage_remove_segment damage_repeat_log damage_rot_log damage_rot_primary \
        damage_rot_segment damage_zero_log delete delete_cell delete_edge delete_facet diff drop \
        drop_diff drop_follow drop_snap fault fill follow forget get get_cell heal link \
        lose_changelog note open open_wrong pipeline prune prune_by_balanced \
        prune_by_long_history prune_by_low_latency prune_time put put_cell put_cells put_edge \
        put_facet put_seam read_all read_at read_beside read_cells read_changelog read_commits \
        read_diff read_edges read_facets read_find_seams read_follow read_get read_get_cell \
        read_history read_history_cell read_history_nth \
        read_index read_index_prefix read_prefix read_range read_ring read_seams read_snap read_stats \
        read_tag read_time replicate resolve restore retag rollback scan second_open snap stash supersede sync \
        tag time untag update_facet update_fail update_ok update_panic wait";
    let seen: Vec<String> = seen.into_iter().collect();
    let expected: Vec<&str> = expected.split_whitespace().collect();
    assert_eq!(seen, expected);
}

#[test]
fn mistakes_are_refused_with_their_line() {
    let refused = |text: &str, message: &str| {
        let error = text.parse::<Plan>().expect_err(text).to_string();
        assert_eq!(error, message);
    };
    refused("open\n", "line 1: a plan starts with `setup …`");
    refused("# only this\n", "a plan starts with `setup …`");
    refused("setup page=512\nopen\nput a\n", "line 3: `put a` ends too early");
    refused("setup\nput a 1x2 3\n", "line 2: `3` is too much in `put a 1x2 3`");
    refused("setup\nput a 12\n", "line 2: `12` in `put a 12` is not understood");
    refused("setup\ncommit now\n", "line 2: `now` is too much in `commit now`");
    refused("setup\njump\n", "line 2: `jump` in `jump` is unknown");
    refused("setup pages=4\n", "line 1: `pages=4` in `setup pages=4` is unknown");
    refused(
        "setup\nput_cell 70000,1 1x1\n",
        "line 2: `70000,1` in `put_cell 70000,1 1x1` is not understood",
    );
    refused("setup\nput_facet 0,0 6 1x1\n", "line 2: facet 6 is not 0 to 5");
    refused("setup\nprune_by luck\n", "line 2: `luck` in `prune_by luck` is unknown");
    refused("setup\nprune 3\n", "line 2: `prune 3` ends too early");
    refused("setup\nread ring 0,0 1 facet=9\n", "line 2: `facet=9`: 0 to 5");
    refused("setup\ncrash cut at 2 keep x7\n", "line 2: `x7` names no survivors");
    refused("setup\nupdate maybe: put a 1x1\n", "line 2: `maybe` in `update maybe` is unknown");
    refused("setup changelog=some\n", "line 1: `changelog=some`: off, full, hash or none");
    refused("setup\nrestore 1 half\n", "line 2: `half` in `restore 1 half` is unknown");
    refused("setup\nfault 1 sync melt\n", "line 2: `fault 1 sync melt` is no fault");
}
