//! Looking back: by commit, by time, one record through its life, and with a snapshot in hand
//! while others write.

use hexxladb::{Cell, Coord, Db, Error, Options, Record, Timestamp};

fn main() -> Result<(), Error> {
    let db = Db::open("warehouse", Options::in_memory())?;
    let shelf = Coord::new(2, 5)?;

    // An import keeps the times at which things happened.
    let days = [(1, Some("12 boxes")), (2, Some("7 boxes")), (5, None), (9, Some("40 boxes"))];
    for (day, content) in days {
        db.update(|tx| {
            tx.set_commit_time(Timestamp::from_secs(day * 86_400))?;
            tx.set_note(format!("stocktaking of day {day}"))?;
            match content {
                Some(text) => tx.put_cell(shelf, &Cell::new(text)),
                None => tx.delete_cell(shelf).map(|_| ()),
            }
        })?;
    }

    println!("every commit, the newest first:");
    for commit in db.commits(..)?.rev() {
        let commit = commit?;
        println!("  {} at {}: {}", commit.seq, commit.time, commit.note.unwrap_or_default());
    }

    println!("the shelf as it was on");
    for day in [0, 1, 3, 6, 30] {
        let time = Timestamp::from_secs(day * 86_400);
        let cell = db.view_at_time(time, |tx| tx.get_cell(shelf))?;
        println!("  day {day}: {}", cell.map_or("nothing".into(), |cell| cell.raw_content));
    }

    println!("all that was ever on it:");
    for version in db.history(shelf)? {
        let version = version?;
        match version.record {
            Some(Record::Cell(cell)) => println!("  {}: {}", version.seq, cell.raw_content),
            _ => println!("  {}: taken away", version.seq),
        }
    }

    // A snapshot stays what it is, for as long as somebody holds it.
    let before = db.snapshot()?;
    db.update(|tx| tx.put_cell(shelf, &Cell::new("39 boxes")))?;
    let held = before.get_cell(shelf)?.map(|cell| cell.raw_content);
    let head = db.view(|tx| tx.get_cell(shelf))?.map(|cell| cell.raw_content);
    println!("held since commit {}: {held:?}; head: {head:?}", before.seq());
    assert_eq!((held.as_deref(), head.as_deref()), (Some("40 boxes"), Some("39 boxes")));
    db.close()
}
