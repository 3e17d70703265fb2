//! The promise: what was acknowledged is there after any crash, all of it or none of it, in
//! order; and nothing that was shown is taken back.
//!
//! One script with everything that happens to a database, crashed at every operation that changes
//! the disk, in every state that a power cut may leave there (or the telling ones, where there are
//! many); and crashed again while it recovers.
#![cfg(feature = "sim")]

use hexxladb::vfs::sim::{Applied, CrashAt, CutProfile, SimVfs};
use hexxladb::{Db, Error, Options, ReadTx, Result};

use crate::support::{
    LOG, Rows, all_snapshots, both_light, check_clean, light, open, put, rows, try_open,
};

/// What the script's commits leave, by sequence.
fn states() -> Vec<Rows> {
    let db = open(&SimVfs::new(0), light());
    run(&db, &mut |_| {}).unwrap();
    all_snapshots(&db)
}

/// One transaction, or a checkpoint; the sequence that is acknowledged by then.
fn step(db: &Db, number: usize) -> Result<u64> {
    match number {
        5 | 11 => db.checkpoint()?,
        // Larger than a frame: it goes to the log in parts.
        8 => db.update(|tx| (0..40u8).try_for_each(|key| tx.put([b'l', key], [8; 700])))?,
        // A large one that is rolled back.
        9 => {
            let mut tx = db.begin_write()?;
            (0..40u8).try_for_each(|key| tx.put([b'l', key], [9; 700]))?;
            tx.rollback()?;
        }
        _ => db.update(|tx| {
            tx.put([b'k', number as u8], vec![number as u8; 70 * number])?;
            tx.put("same", [number as u8])?;
            tx.delete([b'k', (number / 2) as u8]).map(|_| ())
        })?,
    }
    db.head()
}

fn run(db: &Db, acknowledged: &mut dyn FnMut(u64)) -> Result<()> {
    for number in 1..=12 {
        let head = step(db, number)?;
        acknowledged(head);
    }
    Ok(())
}

/// Opens what a crash left and checks it: the state after one commit, at least the acknowledged
/// one; earlier snapshots as they were; fit for use.
fn check_recovered(vfs: &SimVfs, options: &Options, states: &[Rows], acknowledged: u64, why: &str) {
    let db = open(vfs, options.clone());
    let head = db.head().unwrap();
    assert!(head >= acknowledged, "commit {acknowledged} was acknowledged, {head} is head: {why}");
    assert!((head as usize) < states.len(), "{why}");
    assert!(rows(&db) == states[head as usize], "not the state after commit {head}: {why}");
    if db.format_version() == 2 {
        assert!(all_snapshots(&db) == states[..=head as usize], "a snapshot below {head}: {why}");
    }
    let report = db.check().unwrap();
    assert!(report.is_clean(), "{why}: {:?}", report.findings);
    assert_eq!(put(&db, "after", "the crash").unwrap(), head + 1, "{why}");
}

/// The script, crashed at operation `at`; the acknowledged sequence.
fn crashed(options: &Options, at: u64, applied: Applied) -> Option<(SimVfs, u64)> {
    let vfs = SimVfs::new(1);
    vfs.set_crash_at(Some(CrashAt { op: at, applied }));
    let mut acknowledged = 0;
    if let Ok(db) = try_open(&vfs, options.clone()) {
        let _ = run(&db, &mut |head| acknowledged = head);
        let _ = db.close();
    }
    vfs.crashed()?;
    Some((vfs, acknowledged))
}

// spec: DUR-01, DUR-02, DUR-05, FILE-20
#[test]
fn every_crash_of_a_script_recovers_to_an_acknowledged_state() {
    let states = states();
    let options = light().checkpoint_wal_bytes(1 << 20);
    let mut points = 0;
    for at in 0.. {
        let Some((vfs, acknowledged)) = crashed(&options, at, Applied::Widest) else { break };
        points += 1;
        let pending = vfs.pending();
        let killed = vfs.fork();
        killed.kill();
        check_recovered(&killed, &options, &states, acknowledged, &format!("killed at {at}"));
        let stride = pending.few_states().count() / 3 + 1;
        for choice in pending.few_states().step_by(stride).chain([pending.all()]) {
            let cut = vfs.fork();
            cut.power_cut_with(&choice);
            let why = format!("cut at {at}, {choice} kept");
            check_recovered(&cut, &options, &states, acknowledged, &why);
        }
    }
    assert!(points > 60, "{points} crash points");
}

// spec: DUR-01, DUR-02
#[test]
fn format_1_keeps_its_promise_too() {
    let states = states();
    let options = light().mvcc(false);
    for at in (0..).step_by(5) {
        let Some((vfs, acknowledged)) = crashed(&options, at, Applied::Everything) else { break };
        for profile in [CutProfile::Plain, CutProfile::Hostile] {
            let cut = vfs.fork();
            let choice = cut.power_cut(profile);
            check_recovered(
                &cut,
                &options,
                &states,
                acknowledged,
                &format!("cut at {at}, {choice}"),
            );
        }
    }
}

// spec: DUR-10
#[test]
fn a_crash_of_the_recovery_is_one_more_crash() {
    let states = states();
    let options = light();
    for at in (10..).step_by(17) {
        let Some((vfs, acknowledged)) = crashed(&options, at, Applied::Widest) else { break };
        vfs.power_cut(CutProfile::Plain);
        let undisturbed = vfs.fork();
        let (expected, head) = {
            let db = open(&undisturbed, options.clone());
            (rows(&db), db.head().unwrap())
        };
        // Opening twice changes nothing that can be read.
        let again = open(&undisturbed, options.clone());
        assert_eq!((rows(&again), again.head().unwrap()), (expected.clone(), head));
        for second in 0.. {
            let world = vfs.fork();
            let op = world.mutating_ops() + second;
            world.set_crash_at(Some(CrashAt { op, applied: Applied::Widest }));
            let opened = try_open(&world, options.clone());
            if world.crashed().is_none() {
                break;
            }
            drop(opened);
            world.power_cut(CutProfile::Plain);
            let why = format!("crashed at {at}, and at {second} of the recovery");
            let db = open(&world, options.clone());
            assert_eq!((rows(&db), db.head().unwrap()), (expected.clone(), head), "{why}");
            drop(db);
            check_recovered(&world, &options, &states, acknowledged, &why);
        }
    }
}

// spec: DUR-04
#[test]
fn a_sequence_that_was_acknowledged_or_read_names_one_commit_for_ever() {
    let options = light();
    let vfs = SimVfs::new(4);
    let mut known: Vec<[u8; 16]> = Vec::new();
    let mut cut = 0;
    for round in 0..40u64 {
        let db = open(&vfs, options.clone());
        let commits: Vec<_> = db.commits(..).unwrap().map(|commit| commit.unwrap()).collect();
        // What was known is there, in its place; there may be one that was not acknowledged.
        assert!(commits.len() >= known.len() && commits.len() <= known.len() + 1);
        let hashes: Vec<_> = commits.iter().map(|commit| commit.history_hash).collect();
        assert_eq!(hashes[..known.len()], known[..]);
        known = hashes;
        for _ in 0..3 {
            put(&db, "key", round.to_be_bytes()).unwrap();
            known.push(db.view(ReadTx::history_hash).unwrap());
        }
        // A commit that is cut off somewhere.
        let op = vfs.mutating_ops() + round % 2;
        vfs.set_crash_at(Some(CrashAt { op, applied: Applied::Widest }));
        cut += u64::from(put(&db, "cut off", round.to_be_bytes()).is_err());
        drop(db);
        vfs.power_cut(CutProfile::Plain);
    }
    assert_eq!(cut, 40);
}

// spec: DUR-03, SNAP-07
#[test]
fn what_a_reader_saw_beside_a_writer_survives() {
    let vfs = SimVfs::new(5);
    let db = open(&vfs, light());
    put(&db, "first", "").unwrap();
    for round in 0..30u64 {
        let mut tx = db.begin_write().unwrap();
        tx.put("key", round.to_be_bytes()).unwrap();
        let pending = tx.commit_pipelined().unwrap();
        if round % 3 == 0 {
            db.sync().unwrap();
        }
        let (seen, head) = (rows(&db), db.head().unwrap());
        let world = vfs.fork();
        world.power_cut_with(&world.pending().none());
        let after = open(&world, light());
        assert!(after.head().unwrap() >= head);
        assert_eq!(crate::support::rows_at(&after, head), seen);
        pending.wait().unwrap();
    }
}

// spec: DUR-05
#[test]
fn a_snapshot_reads_the_same_for_ever() {
    let vfs = SimVfs::new(6);
    let mut expected = vec![Rows::new()];
    for round in 0..24u8 {
        let db = open(&vfs, light());
        assert!(all_snapshots(&db) == expected, "round {round}");
        db.update(|tx| {
            tx.put([round % 7], vec![round; 300])?;
            tx.delete([(round + 3) % 7]).map(|_| ())
        })
        .unwrap();
        expected.push(rows(&db));
        match round % 4 {
            0 => db.checkpoint().unwrap(),
            1 => db.close().unwrap(),
            2 => {
                drop(db);
                vfs.power_cut(CutProfile::Plain);
                continue;
            }
            _ => {}
        }
        if round % 4 != 1 {
            assert!(all_snapshots(&db) == expected, "round {round}");
        }
        drop(db);
        vfs.kill();
    }
}

// spec: DUR-07
#[test]
fn damage_at_the_very_end_of_the_log_is_a_torn_commit_and_anywhere_before_it_an_error() {
    let vfs = SimVfs::new(7);
    let db = open(&vfs, light());
    for round in 0..8u8 {
        put(&db, [round], [round; 100]).unwrap();
    }
    drop(db);
    vfs.power_cut_with(&vfs.pending().all());
    let log = vfs.read_file(LOG.as_ref()).unwrap();
    for round in 0..8u8 {
        let needle = [round; 100];
        let mut damaged = log.clone();
        // Both copies of a small commit.
        for at in 0..log.len() - 100 {
            if log[at..at + 100] == needle {
                damaged[at + 50] ^= 1;
            }
        }
        assert!(damaged != log);
        let world = vfs.fork();
        world.write_file(LOG.as_ref(), &damaged);
        match try_open(&world, light()) {
            Ok(db) if round == 7 => {
                let report = db.recovery_report();
                assert_eq!((db.head().unwrap(), report.commits_replayed), (7, 7));
                assert!(report.frames_discarded > 0 && report.bytes_discarded > 100, "{report:?}");
                assert!(report.reason.is_some());
            }
            Err(Error::CorruptDatabase { file, offset, .. }) if round < 7 => {
                assert!(file.to_str() == Some(LOG) && offset > 0 && offset < log.len() as u64);
            }
            Ok(db) => panic!("commit {round} damaged: {:?}", db.recovery_report()),
            Err(other) => panic!("commit {round} damaged: {other:?}"),
        }
    }
}

// spec: DUR-12, TXN-16
#[test]
fn after_a_clean_close_every_page_is_reachable_or_free() {
    for options in both_light() {
        let vfs = SimVfs::new(8);
        for round in 0..6u32 {
            let db = open(&vfs, options.clone());
            check_clean(&db);
            let end = db.update(|tx| {
                (0..80u32).try_for_each(|key| {
                    tx.put((key * round % 97).to_be_bytes(), vec![1; 37 * (key as usize % 90)])
                })?;
                if round % 3 == 2 { Err(Error::Cancelled { done: 0 }) } else { Ok(()) }
            });
            assert_eq!(end.is_err(), round % 3 == 2);
            if round % 4 == 1 {
                db.checkpoint().unwrap();
            }
            db.update(|tx| {
                (0..97u32).step_by(2).try_for_each(|key| tx.delete(key.to_be_bytes()).map(|_| ()))
            })
            .unwrap();
            db.close().unwrap();
            check_clean(&open(&vfs, options.clone().read_only(true)));
        }
    }
}

// spec: DUR-14
#[test]
fn the_same_calls_make_the_same_operations() {
    let trace = |seed: u64| {
        let vfs = SimVfs::new(seed);
        for _ in 0..2 {
            let db = open(&vfs, light());
            run(&db, &mut |_| {}).unwrap();
            db.check().unwrap();
            drop(db);
            vfs.power_cut(CutProfile::Hostile);
        }
        (vfs.trace_hash(), vfs.image_hash(), vfs.ops())
    };
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2), "the hash covers what depends on the seed");
}

// spec: DUR-06, DUR-08
#[test]
fn no_half_of_a_commit_is_ever_seen() {
    let both = |rows: &Rows| (rows.get(&b"a"[..]).cloned(), rows.get(&b"b"[..]).cloned());
    for seed in 0..20 {
        let vfs = SimVfs::new(seed);
        let db = open(&vfs, light());
        for round in 0..6u8 {
            let at = vfs.mutating_ops() + seed % 3;
            if round == 5 {
                vfs.set_crash_at(Some(CrashAt { op: at, applied: Applied::Bytes(512 * seed) }));
            }
            let _ = db.update(|tx| tx.put("a", [round; 40]).and(tx.put("b", vec![round; 9000])));
        }
        drop(db);
        vfs.power_cut(CutProfile::Hostile);
        let (a, b) = both(&rows(&open(&vfs, light())));
        assert_eq!(a.unwrap()[0], b.unwrap()[0]);
    }
}
