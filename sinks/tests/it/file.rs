//! Files of lines: torn ends, killed senders, files of somebody else.

use std::path::Path;
use std::time::Duration;

use hexxladb::{ChangelogFilter, Db};
use hexxladb_sinks::{DeliverOptions, Error, JsonFile, PumpOptions, Result, Sink, deliver};

use crate::sender;
use crate::source::{Source, same_length};

fn deliver_to(file: &Path, db: &Db) -> Result<u64> {
    deliver(
        &mut || Ok(Box::new(JsonFile::open(file)?)),
        &mut |cursor| db.read_changelog(cursor, ChangelogFilter::new()),
        &DeliverOptions::new().pump(PumpOptions::new().batch_entries(5)),
        &mut |_| Ok(()),
    )
}

#[test]
fn wherever_the_file_was_cut_it_comes_out_whole() {
    let source = Source::with(24);
    let file = source.beside("changes.jsonl");
    let sent = deliver_to(&file, &source.db).expect("all is sent");
    let whole = std::fs::read(&file).expect("a file");
    let lines = source.lines();
    assert_eq!(sent, lines.len() as u64);
    assert_eq!(whole, (lines.join("\n") + "\n").into_bytes());
    // The last entries byte by byte, and now and then one further up.
    let near = (whole.len() - 1500..=whole.len()).chain((0..whole.len()).step_by(997));
    for cut in near {
        std::fs::write(&file, &whole[..cut]).expect("a file");
        let missing = whole[cut..].split(|byte| *byte == b'\n').count() - 1;
        assert_eq!(deliver_to(&file, &source.db).expect("the rest is sent"), missing as u64);
        assert!(std::fs::read(&file).expect("a file") == whole, "cut at {cut}");
    }
}

/// Whoever reads the file finds whole lines, also when the one who cut it has nothing to send, or
/// something else than what was there.
#[test]
fn what_was_half_written_is_taken_away_before_anything_is_sent() {
    let source = Source::with(3);
    let file = source.beside("changes.jsonl");
    deliver_to(&file, &source.db).expect("all is sent");
    let whole = std::fs::read_to_string(&file).expect("a file");
    std::fs::write(&file, format!("{whole}{{\"seq\":4,\"index\":0,\"last")).expect("a file");
    assert_eq!(deliver_to(&file, &source.db).expect("nothing is sent"), 0);
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), whole);
}

#[test]
fn killed_senders_leave_each_entry_once() {
    let mut source = Source::new();
    let file = source.beside("changes.jsonl");
    let expected = sender::kill_many(&mut source, &file.to_string_lossy(), 20, Duration::ZERO);
    let sent = std::fs::read_to_string(&file).expect("a file");
    assert_eq!(sent.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_line_longer_than_any_buffer() {
    let source = Source::with(1);
    source.db.update(|tx| tx.put("large", "x".repeat(1 << 20))).expect("a commit");
    let file = source.beside("changes.jsonl");
    assert_eq!(deliver_to(&file, &source.db).expect("all is sent"), 3);
    assert_eq!(deliver_to(&file, &source.db).expect("nothing is sent"), 0);
    source.db.update(|tx| tx.put("small", "x")).expect("a commit");
    assert_eq!(deliver_to(&file, &source.db).expect("one is sent"), 1);
    let text = std::fs::read_to_string(&file).expect("a file");
    assert_eq!(text.lines().collect::<Vec<_>>(), source.lines());
}

#[test]
fn files_of_somebody_else_stay_as_they_are() {
    let source = Source::with(3);
    let file = source.beside("letters.txt");
    for text in ["dear reader", "dear reader\n", "{\"seq\":1}\n", "\n", "{\"seq\":1}\n{\"s\n"] {
        std::fs::write(&file, text).expect("a file");
        let error = deliver_to(&file, &source.db).expect_err("refused");
        assert!(matches!(error, Error::Refused { .. }), "{text:?}: {error}");
        assert_eq!(std::fs::read_to_string(&file).expect("a file"), text);
    }
}

#[test]
fn two_senders_do_not_write_to_one_file() {
    let source = Source::with(3);
    let file = source.beside("changes.jsonl");
    let _first = JsonFile::open(&file).expect("a file");
    let error = deliver_to(&file, &source.db).expect_err("refused");
    assert!(error.to_string().contains("another process writes to it"), "{error}");
}

#[test]
fn a_file_of_another_history_is_refused() {
    // spec: LOG-17
    let source = Source::with(5);
    let file = source.beside("changes.jsonl");
    deliver_to(&file, &source.db).expect("all is sent");
    let before = std::fs::read(&file).expect("a file");
    let other = same_length(&source.beside("other.hexx"), 9);
    let error = deliver_to(&file, &other).expect_err("diverged");
    assert!(
        matches!(error, Error::Database(hexxladb::Error::HistoryDiverged { seq: 5 })),
        "{error:?}"
    );
    assert_eq!(std::fs::read(&file).expect("a file"), before);
}

#[test]
fn after_an_error_nothing_more_is_written_before_it_is_asked_again() {
    let source = Source::with(9);
    let file = source.beside("changes.jsonl");
    let mut sink = JsonFile::open(&file).expect("a file");
    let entries: Vec<_> =
        source.db.read_changelog_since(0).expect("entries").map(|e| e.expect("an entry")).collect();
    let error = sink.send(&entries[..1]).expect_err("it was not asked where it stands");
    assert!(error.may_pass(), "{error}");
    sink.last_position().expect("a position");
    sink.send(&entries[..1]).and_then(|()| sink.flush()).expect("one is sent");
}
