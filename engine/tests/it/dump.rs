//! Every row as it lies on disk, in keys that a person can read.

use hexxladb::vfs::MemoryVfs;
use hexxladb::{Cell, Error, Timestamp};

use crate::support::{both_formats, coord, open};

// spec: KEY-05
#[test]
fn keys_are_readable() {
    let texts = both_formats().map(|options| {
        let vfs = MemoryVfs::new();
        let db = open(&vfs, options);
        let at = |nanos: i64| Timestamp::from_nanos(1_700_000_000_000_000_000 + nanos);
        db.update(|tx| {
            tx.set_commit_time(at(0))?;
            tx.put_cell(coord(3, 1), &Cell::new("one"))?;
            tx.put_cell(coord(-2, 5), &Cell::new("far"))?;
            tx.put("name", "value")?;
            tx.put(b"\x00\xff\"\\\n", "odd bytes")?;
            tx.put("Straße", "not ASCII")?;
            tx.put("", "the empty key")
        })
        .unwrap();
        db.update(|tx| {
            tx.set_commit_time(at(5))?;
            tx.put_cell(coord(3, 1), &Cell::new("two"))?;
            assert!(tx.delete_cell(coord(-2, 5))? && tx.delete("name")?);
            Ok::<_, Error>(())
        })
        .unwrap();
        let rows: Vec<_> = db.dump().unwrap().map(|row| row.unwrap()).collect();
        let lines = rows.iter().map(|row| {
            let hidden = if row.tombstone { " tombstone" } else { "" };
            assert!(!row.tombstone || row.value.is_empty());
            format!("{row}{hidden}")
        });
        let lines: Vec<String> = lines.collect();
        assert!(rows.iter().any(|row| row.value == b"not ASCII"));
        // From disk as from memory.
        db.close().unwrap();
        let again = open(&vfs, crate::support::options().mvcc(db.format_version() == 2));
        let from_disk = again.dump().unwrap().map(|row| row.unwrap().to_string());
        assert!(from_disk.eq(rows.iter().map(ToString::to_string)));
        format!("format {}\n{}\n", db.format_version(), lines.join("\n"))
    });
    insta::assert_snapshot!(texts.concat());
}
