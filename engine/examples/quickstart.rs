//! The first ten minutes: write, read, look back, close. Needs nothing but the library.

use hexxladb::{Cell, Coord, Db, Error, Options};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::temp_dir().join(format!("hexxladb-quickstart-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let db = Db::open(dir.join("kitchen.hexxladb"), Options::new())?;
    let stove = Coord::new(3, -1)?;

    // Each `update` is one transaction: all of it is on disk when the call returns, or none.
    db.update(|tx| tx.put_cell(stove, &Cell::new("The kettle is on.").with_tags(["tea"])))?;
    db.update(|tx| {
        tx.set_note("smelled it")?;
        tx.put_cell(stove, &Cell::new("The kettle has boiled dry."))?;
        tx.put("alarms/1", "kitchen")
    })?;

    let now = db.view(|tx| tx.get_cell(stove))?.map(|cell| cell.raw_content);
    let then = db.view_at(1, |tx| tx.get_cell(stove))?.map(|cell| cell.raw_content);
    println!("now: {now:?}\nat commit 1: {then:?}");

    db.view(|tx| {
        for item in tx.scan_prefix("alarms/") {
            let (key, value) = item?;
            println!("{} -> {}", key.escape_ascii(), value.escape_ascii());
        }
        Ok::<_, Error>(())
    })?;

    db.close()?;
    Ok(std::fs::remove_dir_all(dir)?)
}
