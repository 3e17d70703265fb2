//! The driver: batches, acknowledgements, failures of either side, cancelling.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hexxladb::{CancelToken, ChangelogCursor, ChangelogEntry, ChangelogFilter, Db, Follow};
use hexxladb_sinks::{
    DeliverOptions, Error, JsonLines, LastPosition, Position, PumpOptions, Result, Sink, deliver,
    pump,
};

use crate::source::Source;

/// What a target in memory holds, and when it fails.
#[derive(Default)]
struct Held {
    entries: Vec<Position>,
    batches: Vec<usize>,
    unflushed: usize,
    /// Fails in each of these numbers of sends, after taking half of the batch.
    fail_in: Vec<usize>,
    sends: usize,
    /// Whether it may be sent anything.
    asked: bool,
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Held>>);

impl Memory {
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.lock().expect("nobody panicked")
    }
}

impl Sink for Memory {
    fn last_position(&mut self) -> Result<LastPosition> {
        let mut held = self.held();
        (held.asked, held.unflushed) = (true, 0);
        Ok(held.entries.last().map_or(LastPosition::Empty, |last| LastPosition::At(*last)))
    }

    fn send(&mut self, entries: &[ChangelogEntry]) -> Result<()> {
        let mut held = self.held();
        assert!(held.asked, "sent to without asking where it stands");
        held.sends += 1;
        let fails = held.fail_in.contains(&held.sends);
        let taken = if fails { entries.len() / 2 } else { entries.len() };
        held.entries.extend(entries[..taken].iter().map(Position::of));
        held.batches.push(taken);
        if fails {
            held.asked = false;
            return Err(Error::unreachable("memory", "fails as told"));
        }
        held.unflushed += taken;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.held().unflushed = 0;
        Ok(())
    }
}

fn positions(db: &Db) -> Vec<Position> {
    let entries = db.read_changelog_since(0).expect("entries");
    entries.map(|entry| Position::of(&entry.expect("an entry"))).collect()
}

#[test]
fn batches_are_acknowledged_in_order() {
    let source = Source::with(40);
    let expected = positions(&source.db);
    let memory = Memory::default();
    let mut told = Vec::new();
    let sent = pump(
        &mut source.db.read_changelog_since(0).expect("entries"),
        &mut memory.clone(),
        &{
            memory.held().asked = true;
            PumpOptions::new().batch_entries(7)
        },
        &mut |now| {
            assert_eq!(memory.held().unflushed, 0, "told before the flush");
            assert_eq!(memory.held().entries.last(), Some(&now.position));
            told.push(now.entries);
            Ok(())
        },
    );
    assert_eq!(sent.expect("all is sent"), expected.len() as u64);
    assert_eq!(memory.held().entries, expected);
    assert_eq!(told.last(), Some(&(expected.len() as u64)));
    let (last, full) = memory.held().batches.split_last().map(|(l, f)| (*l, f.to_vec())).unwrap();
    assert!(full.iter().all(|batch| *batch == 7) && last <= 7, "{full:?}, {last}");
}

#[test]
fn large_values_fill_a_batch() {
    let source = Source::new();
    for key in ["a", "b", "c"] {
        source.db.update(|tx| tx.put(key, "x".repeat(1000))).expect("a commit");
    }
    let memory = Memory::default();
    memory.held().asked = true;
    let mut entries = source.db.read_changelog_since(0).expect("entries");
    let options = PumpOptions::new().batch_bytes(1500);
    pump(&mut entries, &mut memory.clone(), &options, &mut |_| Ok(())).expect("all is sent");
    assert_eq!(memory.held().batches, [2, 1]);
}

#[test]
fn what_comes_live_is_sent_until_the_token_is_set() {
    let source = Source::with(10);
    let (cancel, memory) = (CancelToken::new(), Memory::default());
    let sender = {
        let (db, cancel, memory) = (source.db.clone(), cancel.clone(), memory.clone());
        std::thread::spawn(move || {
            let follow = Follow::new().cancel(cancel.clone());
            deliver(
                &mut || Ok(Box::new(memory.clone())),
                &mut |cursor| db.follow(cursor, follow.clone()),
                &DeliverOptions::new().pump(PumpOptions::new().cancel(cancel.clone())),
                &mut |_| Ok(()),
            )
        })
    };
    let mut source = source;
    for _ in 0..20 {
        source.commit(1);
        let (expected, begun) = (positions(&source.db), Instant::now());
        while memory.held().entries != expected {
            assert!(begun.elapsed() < Duration::from_secs(20), "what was committed is not sent");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    cancel.cancel();
    let sent = sender.join().expect("no panic").expect("all is sent");
    assert_eq!(sent, positions(&source.db).len() as u64);
}

#[test]
fn a_token_ends_a_long_backlog_between_batches() {
    let source = Source::with(80);
    let (cancel, memory) = (CancelToken::new(), Memory::default());
    memory.held().asked = true;
    let options = PumpOptions::new().batch_entries(3).cancel(cancel.clone());
    let mut entries = source.db.read_changelog_since(0).expect("entries");
    let sent = pump(&mut entries, &mut memory.clone(), &options, &mut |now| {
        if now.entries >= 9 {
            cancel.cancel();
        }
        Ok(())
    });
    assert_eq!(sent.expect("what was sent is there"), 9);
    assert_eq!(memory.held().entries.len(), 9);
}

#[test]
fn a_target_that_fails_is_opened_again_and_gets_each_entry_once() {
    let source = Source::with(60);
    let memory = Memory::default();
    memory.held().fail_in = vec![1, 3, 4, 5, 9];
    let mut opened = 0;
    let options = DeliverOptions::new()
        .pump(PumpOptions::new().batch_entries(10))
        .retry_for(Duration::from_mins(1))
        .retry_pause(Duration::from_millis(1));
    let sent = deliver(
        &mut || {
            opened += 1;
            Ok(Box::new(memory.clone()))
        },
        &mut |cursor| source.db.read_changelog(cursor, ChangelogFilter::new()),
        &options,
        &mut |_| Ok(()),
    );
    assert_eq!(opened, 6);
    assert_eq!(memory.held().entries, positions(&source.db));
    // What arrived of a batch that failed was never acknowledged.
    assert!(sent.expect("all is sent") < positions(&source.db).len() as u64);
    // Without retrying, the first failure is the answer.
    let next = memory.held().sends + 1;
    memory.held().fail_in = vec![next];
    source.db.update(|tx| tx.put("more", "")).expect("a commit");
    let once = deliver(
        &mut || Ok(Box::new(memory.clone())),
        &mut |cursor| source.db.read_changelog(cursor, ChangelogFilter::new()),
        &DeliverOptions::new(),
        &mut |_| Ok(()),
    );
    assert!(once.expect_err("it fails").may_pass());
}

#[test]
fn entries_before_a_failure_of_reading_are_sent() {
    /// Three entries, then an error.
    struct Broken(Vec<ChangelogEntry>);
    impl hexxladb_sinks::Source for Broken {
        fn ready(&mut self) -> hexxladb::Result<Option<ChangelogEntry>> {
            if self.0.is_empty() {
                Err(hexxladb::Error::ChangelogDisabled)
            } else {
                Ok(self.0.pop())
            }
        }
        fn wait(&mut self) -> hexxladb::Result<Option<ChangelogEntry>> {
            self.ready()
        }
    }
    let source = Source::with(20);
    let entries = source.db.read_changelog_since(0).expect("entries").take(3);
    let mut broken = Broken(entries.map(|entry| entry.expect("an entry")).collect());
    broken.0.reverse();
    let memory = Memory::default();
    memory.held().asked = true;
    let mut told = 0;
    let error = pump(&mut broken, &mut memory.clone(), &PumpOptions::new(), &mut |now| {
        told = now.entries;
        Ok(())
    });
    assert!(matches!(error, Err(Error::Database(hexxladb::Error::ChangelogDisabled))), "{error:?}");
    assert_eq!((told, memory.held().entries.len()), (3, 3));
}

#[test]
fn a_target_that_cannot_tell_begins_where_it_is_told() {
    let source = Source::with(20);
    let mut out = Vec::new();
    for from in [ChangelogCursor::START, ChangelogCursor::after(7)] {
        let mut lines = JsonLines::new(Vec::new(), "memory");
        let from = lines.last_position().expect("none").resume(from);
        let mut entries = source.db.read_changelog(from, ChangelogFilter::new()).expect("entries");
        pump(&mut entries, &mut lines, &PumpOptions::new(), &mut |_| Ok(())).expect("all is sent");
        out.push(String::from_utf8(lines.into_inner()).expect("text"));
    }
    assert_eq!(out[0].lines().collect::<Vec<_>>(), source.lines());
    assert!(out[0].ends_with(&out[1]) && out[1].starts_with("{\"seq\":8,\"index\":0,"));
}
