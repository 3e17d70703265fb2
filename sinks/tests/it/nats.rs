//! NATS JetStream: a real server, senders and servers that are killed, messages that come late.

use std::time::Duration;

use hexxladb::{ChangelogEntry, ChangelogFilter, Db, Follow};
use hexxladb_sinks::{
    DeliverOptions, Error, LastPosition, Position, PumpOptions, Result, Sink, Target, deliver, open,
};

use crate::nats_server::Server;
use crate::sender;
use crate::source::{Source, same_length};

/// The shortest window in which the server drops repeats by their ids.
const SHORTEST_WINDOW: Duration = Duration::from_millis(100);
/// Long enough for the server to forget an id.
const BEYOND_IT: Duration = Duration::from_millis(400);

fn sink(url: &str) -> Box<dyn Sink> {
    open(&url.parse().expect("a target")).expect("a sink")
}

fn deliver_all(url: &str, db: &Db) -> Result<u64> {
    let target: Target = url.parse()?;
    deliver(
        &mut || open(&target),
        &mut |cursor| db.read_changelog(cursor, ChangelogFilter::new()),
        &DeliverOptions::new(),
        &mut |_| Ok(()),
    )
}

fn entries(db: &Db) -> Vec<ChangelogEntry> {
    let entries = db.read_changelog_since(0).expect("entries");
    entries.map(|entry| entry.expect("an entry")).collect()
}

/// Each message is the next entry, once, with headers that say the same.
fn assert_holds(server: &Server, stream: &str, expected: &[String]) {
    let messages = server.messages(stream);
    for (index, ((payload, headers), line)) in messages.iter().zip(expected).enumerate() {
        assert_eq!(payload, line, "message {}", index + 1);
        let place = Position::from_json(line.as_bytes()).expect("an entry");
        let mut said: Vec<String> = place.headers().into_iter().map(|(_, value)| value).collect();
        said.push(place.message_id());
        assert_eq!(*headers, said);
    }
    assert_eq!(messages.len(), expected.len());
}

#[test]
fn killed_senders_leave_each_entry_once() {
    let Some(server) = Server::start() else { return };
    let mut source = Source::new();
    let expected = sender::kill_many(&mut source, &server.url("KILLED"), 25, Duration::ZERO);
    assert_holds(&server, "KILLED", &expected);
}

/// What the server forgot cannot be what drops the repeats.
#[test]
fn killed_senders_leave_each_entry_once_past_the_duplicate_window() {
    let Some(server) = Server::start() else { return };
    server.make_stream("SHORT", SHORTEST_WINDOW);
    let mut source = Source::new();
    let expected = sender::kill_many(&mut source, &server.url("SHORT"), 15, BEYOND_IT);
    assert_holds(&server, "SHORT", &expected);
}

/// A message of a sender that was killed arrives after its successor has looked: the server knows
/// nothing of ids any more, and yet there is no repeat.
#[test]
fn a_message_that_comes_late_is_not_repeated() {
    let Some(server) = Server::start() else { return };
    server.make_stream("LATE", SHORTEST_WINDOW);
    let (source, url) = (Source::with(16), server.url("LATE"));
    let entries = entries(&source.db);
    for (sent, late) in [(0, 3), (3, 4), (4, 20)] {
        let (mut old, mut new) = (sink(&url), sink(&url));
        let place = |sink: &mut dyn Sink| sink.last_position().expect("a position");
        assert_eq!(place(&mut *old), place(&mut *new));
        old.send(&entries[sent..late]).and_then(|()| old.flush()).expect("the late ones arrive");
        std::thread::sleep(BEYOND_IT);
        assert_rejected(&mut *new, &entries[sent..late]);
        let last = LastPosition::At(Position::of(&entries[late - 1]));
        assert_eq!(place(&mut *new), last);
    }
    assert_eq!(deliver_all(&url, &source.db).expect("the rest"), entries.len() as u64 - 20);
    assert_holds(&server, "LATE", &source.lines());
}

/// In a stream that others publish to as well, a message of theirs never stands for one of ours.
#[test]
fn messages_of_others_make_no_gap() {
    let Some(server) = Server::start() else { return };
    server.make_shared_stream("SHARED");
    let (source, url) = (Source::with(16), server.url("SHARED"));
    let entries = entries(&source.db);
    for sent in 0..4 {
        let mut sink = sink(&url);
        sink.last_position().expect("a position");
        server.publish("SHARED.others", "dear reader");
        assert_rejected(&mut *sink, &entries[sent..]);
        sink.last_position().expect("a position");
        sink.send(&entries[sent..=sent]).and_then(|()| sink.flush()).expect("it goes on");
    }
    deliver_all(&url, &source.db).expect("the rest");
    let messages = server.messages("SHARED");
    let lines = messages.into_iter().map(|(line, _)| line).filter(|line| line != "dear reader");
    assert_eq!(lines.collect::<Vec<_>>(), source.lines());
}

/// Nothing of this is taken, and nothing more is before the sink has looked again.
#[track_caller]
fn assert_rejected(sink: &mut dyn Sink, entries: &[ChangelogEntry]) {
    let error = sink.send(entries).and_then(|()| sink.flush()).expect_err("rejected");
    assert!(error.may_pass() && error.to_string().contains("something else"), "{error}");
    assert!(sink.send(entries).is_err());
}

#[test]
fn a_server_that_is_killed_and_comes_back_gets_each_entry_once() {
    let Some(mut server) = Server::start() else { return };
    let (mut source, url) = (Source::with(8), server.url("RESTARTED"));
    let sender = {
        let (db, target) = (source.db.clone(), url.parse::<Target>().expect("a target"));
        std::thread::spawn(move || {
            let follow = Follow::new().timeout(Duration::from_secs(3));
            let options = DeliverOptions::new()
                .pump(PumpOptions::new().batch_entries(20))
                .retry_for(Duration::from_mins(1))
                .retry_pause(Duration::from_millis(20));
            deliver(
                &mut || open(&target),
                &mut |cursor| db.follow(cursor, follow.clone()),
                &options,
                &mut |_| Ok(()),
            )
        })
    };
    for round in 0..4 {
        source.commit(24);
        std::thread::sleep(Duration::from_millis(20 * round));
        server.kill();
        source.commit(8);
        server.start_again();
        source.commit(8);
    }
    sender.join().expect("no panic").expect("all is sent");
    assert_holds(&server, "RESTARTED", &source.lines());
}

#[test]
fn another_history_is_refused() {
    // spec: LOG-17
    let Some(server) = Server::start() else { return };
    let (source, url) = (Source::with(5), server.url("DIVERGED"));
    deliver_all(&url, &source.db).expect("all is sent");
    let other = same_length(&source.beside("other.hexx"), 9);
    let error = deliver_all(&url, &other).expect_err("diverged");
    assert!(
        matches!(error, Error::Database(hexxladb::Error::HistoryDiverged { seq: 5 })),
        "{error:?}"
    );
    assert_holds(&server, "DIVERGED", &source.lines());
}

#[test]
fn a_stream_that_lost_its_messages_cannot_tell_and_one_of_somebody_else_is_refused() {
    let Some(server) = Server::start() else { return };
    let (source, url) = (Source::with(5), server.url("PURGED"));
    assert_eq!(sink(&url).last_position().expect("a position"), LastPosition::Empty);
    deliver_all(&url, &source.db).expect("all is sent");
    server.purge("PURGED");
    assert_eq!(sink(&url).last_position().expect("a position"), LastPosition::Unknown);
    // Within the window the server knows the ids and stores nothing; it says so, and that is seen.
    let error = deliver_all(&url, &source.db).expect_err("known ids");
    assert!(error.may_pass(), "{error}");
    server.make_stream("FOREIGN", SHORTEST_WINDOW);
    server.publish("FOREIGN", "dear reader");
    let error = deliver_all(&server.url("FOREIGN"), &source.db).expect_err("refused");
    assert!(error.to_string().contains("no entry of a changelog"), "{error}");
}

#[test]
fn what_is_too_large_for_a_message_is_named_and_what_came_before_is_there() {
    let Some(server) = Server::start() else { return };
    let (mut source, url) = (Source::with(3), server.url("LARGE"));
    let before = source.lines();
    source.db.update(|tx| tx.put("large", "x".repeat(1 << 20))).expect("a commit");
    source.commit(1);
    let target: Target = url.parse().expect("a target");
    let error = deliver(
        &mut || open(&target),
        &mut |cursor| source.db.read_changelog(cursor, ChangelogFilter::new()),
        &DeliverOptions::new().pump(PumpOptions::new().batch_entries(1)),
        &mut |_| Ok(()),
    );
    let error = error.expect_err("too large");
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("entry 4/0 is larger than a message may be"), "{error}");
    assert_holds(&server, "LARGE", &before);
}

#[test]
fn a_server_that_is_not_there_may_come() {
    let Some(mut server) = Server::start() else { return };
    let url = server.url("GONE");
    server.kill();
    let error = deliver_all(&url, &Source::with(1).db).expect_err("no server");
    assert!(error.may_pass() && error.to_string().starts_with(&url), "{error}");
}
