//! Following what happens: one thread writes, another sees every commit as it becomes durable, and a
//! reader that stopped goes on where it was.

#![expect(clippy::disallowed_methods, reason = "an application starts threads, and waits")]

use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use hexxladb::{
    Cell, ChangelogCursor, ChangelogEntry, ChangelogFilter, ChangelogOp, ChangelogOptions, Coord,
    Db, Error, Follow, Options, Record,
};

/// An entry as a line for people.
fn told(entry: &ChangelogEntry) -> Result<String, Error> {
    let key = entry.key.as_ref().map_or_else(String::new, ToString::to_string);
    let held = match entry.record()? {
        Some(Record::Cell(cell)) => format!(": {}", cell.raw_content),
        _ => String::new(),
    };
    let note = entry.note.as_ref().map_or_else(String::new, |note| format!(" ({note})"));
    Ok(format!("{}/{} {} {key}{held}{note}", entry.seq, entry.index, entry.op))
}

/// An hour in the kitchen.
fn cook(db: &Db) -> Result<(), Error> {
    let (stove, kettle) = (Coord::new(0, 0)?, Coord::new(1, 0)?);
    db.update(|tx| {
        tx.set_note("came home")?;
        tx.put_cell(stove, &Cell::new("The stove is on."))?;
        tx.put_cell(kettle, &Cell::new("The kettle is cold."))?;
        tx.link_cells(stove, kettle, "warms", 1.0)
    })?;
    for state in ["The kettle hums.", "The kettle sings.", "The kettle boils."] {
        thread::sleep(Duration::from_millis(100));
        db.update(|tx| tx.put_cell(kettle, &Cell::new(state)))?;
    }
    thread::sleep(Duration::from_millis(100));
    // The edge goes with the cell that it hangs on, and the changelog says so.
    db.update(|tx| tx.delete_cell(stove).map(|_| ()))
}

fn main() -> Result<(), Error> {
    // spec: LOG-09
    let db = Db::open("kitchen", Options::in_memory().changelog(ChangelogOptions::new()))?;

    println!("live, until nothing comes for half a second:");
    let follow = Follow::new().timeout(Duration::from_millis(500));
    let live = db.follow(ChangelogCursor::START, follow)?;
    let mut seen = Vec::new();
    thread::scope(|scope| {
        let writer = scope.spawn(|| cook(&db));
        for entry in live {
            let entry = entry?;
            println!("  {}", told(&entry)?);
            seen.push(entry);
        }
        writer.join().unwrap_or_else(|panic| resume_unwind(panic))
    })?;
    assert_eq!(seen.len(), 3 + 3 + 2);

    // A cursor is two numbers and a hash: kept anywhere, it is where reading goes on. The hash makes
    // sure that it is the history which was read.
    let read_first = &seen[1];
    println!("after {}/{}, what came to pass with cells alone:", read_first.seq, read_first.index);
    let filter = ChangelogFilter::new().family("cell");
    let mut ops = Vec::new();
    for entry in db.read_changelog(read_first.next(), filter)? {
        let entry = entry?;
        println!("  {}", told(&entry)?);
        ops.push(entry.op);
    }
    assert_eq!(ops, [ChangelogOp::Put, ChangelogOp::Put, ChangelogOp::Put, ChangelogOp::Delete]);

    let other = Db::open("another", Options::in_memory().changelog(ChangelogOptions::new()))?;
    other.update(|tx| tx.put("something", "else"))?;
    let refused = other.read_changelog(read_first.next(), ChangelogFilter::new())?.next();
    assert!(matches!(refused, Some(Err(Error::HistoryDiverged { .. }))));
    println!("in another database it leads nowhere");
    db.close()
}
