//! Errors as a user meets them: the message of every variant, pinned; and no panic where a file,
//! an argument or the system is bad.

use hexxladb::vfs::sim::{Effect, SimVfs, Target};
use hexxladb::vfs::{MemoryVfs, Vfs};
use hexxladb::{
    CancelToken, Cell, Coord, Db, Error, Facet, FacetId, Options, PutCells, ResolutionStatus,
    Result, Seam, SeamType, Timestamp, Ulid, Validity,
};

use crate::image::Image;
use crate::support::{
    DB, LOG, coord, files, in_memory, light, next, open, options, put, read_file, try_open,
    write_file,
};

/// A closed database with one commit.
fn closed() -> MemoryVfs {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    put(&db, "key", "value").unwrap();
    db.close().unwrap();
    vfs
}

/// A database that a killed process left.
fn in_use() -> MemoryVfs {
    let vfs = MemoryVfs::new();
    put(&open(&vfs, options()), "key", "value").unwrap();
    vfs
}

fn failed_sync() -> (Db, Error) {
    let vfs = SimVfs::new(1);
    let db = open(&vfs, light());
    put(&db, "key", "").unwrap();
    next(&vfs, Target::Sync, Effect::Eio);
    let error = put(&db, "key", "").unwrap_err();
    (db, error)
}

fn pruned() -> Error {
    let db = in_memory();
    for value in ["1", "2"] {
        put(&db, "key", value).unwrap();
    }
    db.prune_cell_versions(2, 1).unwrap();
    db.view_at(1, |_| Ok::<_, Error>(())).unwrap_err()
}

fn damaged() -> Error {
    let vfs = closed();
    let mut image = Image::of(&vfs);
    let leaf = image.leaves(0x20)[0];
    image.bytes[leaf as usize * 4096 + 100] ^= 1;
    image.write_to(&vfs);
    open(&vfs, options()).view(|tx| tx.get("key").map(drop)).unwrap_err()
}

fn newer_format() -> Error {
    let vfs = closed();
    let mut image = Image::of(&vfs);
    image.edit_header(|slot| slot[8] = 9);
    image.write_to(&vfs);
    try_open(&vfs, options()).unwrap_err()
}

fn with_log(vfs: &MemoryVfs, log: Option<&[u8]>) -> Error {
    vfs.remove(LOG.as_ref()).unwrap();
    if let Some(log) = log {
        write_file(vfs, LOG, log);
    }
    try_open(vfs, options()).unwrap_err()
}

/// Every error that can be met through the public API, with a name for it.
fn all() -> Vec<(&'static str, Error)> {
    let db = in_memory();
    let refused = |act: fn(&mut hexxladb::WriteTx) -> Result<()>| db.update(act).unwrap_err();
    let v1 = MemoryVfs::new();
    let old = open(&v1, options().mvcc(false));
    let held = MemoryVfs::new();
    let holder = open(&held, options());
    let file = MemoryVfs::new();
    write_file(&file, DB, b"SQLite format 3\0");
    let cancel = CancelToken::new();
    cancel.cancel();
    let how = PutCells { cancel: Some(cancel), ..PutCells::default() };
    let vfs = SimVfs::new(2);
    next(&vfs, Target::Open, Effect::Eio);
    let (poisoned, unknown) = failed_sync();
    let reader = open(&closed(), options().read_only(true));
    let gone = in_memory();
    gone.close().unwrap();
    vec![
        ("Io", try_open(&vfs, light()).unwrap_err()),
        ("DatabaseLocked", try_open(&held, options()).unwrap_err()),
        (
            "DatabaseMissing",
            try_open(&MemoryVfs::new(), options().create_if_missing(false)).unwrap_err(),
        ),
        ("NotADatabase", try_open(&file, options()).unwrap_err()),
        ("UnsupportedFormat", newer_format()),
        ("WalMissing", with_log(&in_use(), None)),
        ("WalMismatch", with_log(&in_use(), read_file(&in_use(), LOG).as_deref())),
        ("CorruptDatabase", damaged()),
        ("OptionMismatch", try_open(&closed(), options().page_size(8192)).unwrap_err()),
        ("InvalidArgument", try_open(&MemoryVfs::new(), options().page_size(5000)).unwrap_err()),
        ("InvalidArgument of a note", refused(|tx| tx.set_note("n".repeat(5000)))),
        ("MvccRequired", old.stats_mvcc().unwrap_err()),
        ("MigrationRequired", {
            drop(old);
            try_open(&v1, options().mvcc(true)).unwrap_err()
        }),
        ("ReadSeqFuture", db.snapshot_at(7).unwrap_err()),
        ("SnapshotPruned", pruned()),
        ("CoordOutOfRange", Coord::new(1 << 18, 0).unwrap_err()),
        ("KeyTooLarge", refused(|tx| tx.put(vec![1; 2000], ""))),
        (
            "KeyTooLarge of a tag",
            refused(|tx| tx.put_cell(coord(0, 0), &Cell::new("").with_tags(["t".repeat(256)]))),
        ),
        ("ValueTooLarge", refused(|tx| tx.put("key", vec![1; (1 << 20) + 1]))),
        (
            "InvalidRecord",
            refused(|tx| tx.put_cell(coord(0, 0), &Cell::new("").with_confidence(1.5))),
        ),
        (
            "InvalidRecord of a window",
            refused(|tx| {
                let never =
                    Validity { valid_from: Some(Timestamp::MAX), valid_to: Some(Timestamp::MIN) };
                tx.put_cell(coord(0, 0), &Cell::new("").with_validity(never))
            }),
        ),
        ("CellNotFound", refused(|tx| tx.link_cells(coord(0, 0), coord(1, 0), "r", 1.0))),
        ("FacetDerivationMismatch", {
            refused(|tx| {
                tx.put_cell(coord(0, 0), &Cell::new("now"))?;
                tx.update_facet(coord(0, 0), FacetId::ALL[0], &Facet::of(&Cell::new("then"), ""))
            })
        }),
        ("SeamNotFound", {
            refused(|tx| tx.resolve_seam(Ulid::from(7u128), ResolutionStatus::Merged, None))
        }),
        ("SeamEndpointsFixed", {
            refused(|tx| {
                let seam = |r| Seam::new(coord(0, 0), coord(1, r), SeamType::Conflict);
                tx.put_seam(Ulid::from(7u128), &seam(0))?;
                tx.put_seam(Ulid::from(7u128), &seam(1))
            })
        }),
        ("SupersessionCycle", {
            refused(|tx| {
                let seam = |a, b| Seam::new(coord(a, 0), coord(b, 0), SeamType::Supersedes);
                tx.put_seam(Ulid::from(1u128), &seam(2, 1))?;
                tx.put_seam(Ulid::from(2u128), &seam(3, 2))?;
                tx.put_seam(Ulid::from(3u128), &seam(1, 3))
            })
        }),
        ("SnapshotTagExists", {
            put(&db, "key", "").unwrap();
            db.tag_snapshot_at("release", 0).unwrap();
            db.tag_snapshot("release").unwrap_err()
        }),
        ("SnapshotTagNotFound", db.view_at_tag("no", |_| Ok::<_, Error>(())).unwrap_err()),
        ("NestedWrite", db.update(|_| Ok::<_, Error>(db.begin_write().unwrap_err())).unwrap()),
        ("CommitUnknown", unknown),
        ("Poisoned", poisoned.sync().unwrap_err()),
        ("DatabaseClosed", gone.head().unwrap_err()),
        ("CloseInTransaction", db.view(|_| Ok::<_, Error>(db.close().unwrap_err())).unwrap()),
        ("ReadOnly", put(&reader, "key", "").unwrap_err()),
        ("Cancelled", db.put_cells([(coord(0, 0), Cell::new(""))], &how).unwrap_err()),
        ("HistoryDiverged", {
            drop(holder);
            Error::HistoryDiverged { seq: 41 }
        }),
    ]
}

/// A message without this process's number and the checksums of this run.
fn timeless(message: &str) -> String {
    let own = format!("(process {})", std::process::id());
    let words = message.replace(&own, "(process N)");
    let is_checksum = |word: &str| {
        let digits = word.trim_end_matches(',');
        digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let words = words.split(' ').map(|word| if is_checksum(word) { "CHECKSUM" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

// spec: ERR-01, ERR-02, ERR-04
#[test]
fn messages_say_what_was_found_and_what_to_do() {
    let line = |(name, error): (&str, Error)| format!("{name}: {}", timeless(&error.to_string()));
    insta::assert_snapshot!(all().into_iter().map(line).collect::<Vec<_>>().join("\n"));
}

// spec: ERR-01, ERR-02
#[test]
fn each_variant_is_there_to_match_on() {
    for (name, error) in all() {
        let debug = format!("{error:?}");
        let variant = name.split(' ').next().unwrap();
        assert!(debug.starts_with(variant), "{name}: {debug}");
        // A system's error is kept as the source.
        let source = std::error::Error::source(&error);
        assert_eq!(source.is_some(), variant == "Io", "{name}");
    }
}

// spec: ERR-04
#[test]
fn corruption_names_file_offset_salvage_and_backup() {
    match damaged() {
        error @ Error::CorruptDatabase { .. } => {
            let text = error.to_string();
            let Error::CorruptDatabase { file, offset, what } = error else { unreachable!() };
            assert!(file.to_str() == Some(DB) && offset > 0 && offset % 4096 == 0);
            for part in [DB, &offset.to_string(), &what, "salvage", "last backup"] {
                assert!(text.contains(part), "no {part} in {text}");
            }
        }
        other => panic!("{other:?}"),
    }
}

// spec: ERR-03, DUR-06
#[test]
fn no_argument_makes_a_call_panic() {
    let db = in_memory();
    put(&db, "", "").unwrap();
    put(&db, [0; 450], [0xFF; 3]).unwrap();
    let extremes = [0, 1, 2, 3, u64::MAX - 1, u64::MAX];
    for seq in extremes {
        assert_eq!(db.view_at(seq, |_| Ok::<_, Error>(())).is_ok(), seq <= 2);
        for other in extremes {
            let _ = db.commits(seq..other).unwrap().count();
            let _ = db.commits(seq..=other).unwrap().rev().count();
        }
    }
    for nanos in [i64::MIN, -1, 0, 1, i64::MAX] {
        let time = Timestamp::from_nanos(nanos);
        db.seq_at_time(time).unwrap();
        db.update(|tx| tx.set_commit_time(time).and(tx.put("time", ""))).unwrap();
    }
    db.view(|tx| {
        for bytes in [&b""[..], &[0], &[0xFF], &[0xFF; 2000]] {
            tx.scan(bytes..).count();
            tx.scan(..=bytes).rev().count();
            tx.scan_prefix(bytes).count();
            let _ = tx.get(bytes);
        }
        Ok::<_, Error>(())
    })
    .unwrap();
    let _ = db.history(vec![0xFF; 5000]).map(|_| ());
    let how = PutCells { batch_cells: usize::MAX, ..PutCells::default() };
    db.put_cells([(coord(0, 0), Cell::new(""))], &how).unwrap();
}

// spec: ERR-03, DUR-06
#[test]
fn no_file_content_makes_a_call_panic_or_show_other_data() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options());
    for round in 0..12u8 {
        db.update(|tx| (0..12u8).try_for_each(|key| tx.put([key], vec![round; 500]))).unwrap();
        if round == 6 {
            db.checkpoint().unwrap();
        }
    }
    let mut states = crate::support::all_snapshots(&db);
    states.dedup();
    drop(db);
    let [primary, log] = files(&vfs).map(Option::unwrap);
    let mut random = crate::support::Random::new(1);
    let (mut opened, mut refused) = (0, 0);
    for _ in 0..400 {
        let mut bytes = [primary.clone(), log.clone()];
        for _ in 0..=random.below(2) {
            let bytes = &mut bytes[random.below(2) as usize];
            // Where there is something: the log's tail is all zeros.
            let at = random.below(bytes.len().min(160_000) as u64) as usize;
            match random.below(4) {
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 1 << random.below(8),
                2 => bytes[at..].iter_mut().take(512).for_each(|byte| *byte = 0),
                _ => {
                    let from = random.below(bytes.len() as u64 / 4096) as usize * 4096;
                    let to = at / 4096 * 4096;
                    let end = bytes.len().min(from + 4096).min(bytes.len() - to + from);
                    bytes.copy_within(from..end, to);
                }
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        let damaged = MemoryVfs::new();
        write_file(&damaged, DB, &bytes[0]);
        write_file(&damaged, LOG, &bytes[1]);
        match try_open(&damaged, Options::new()) {
            Ok(db) => {
                opened += 1;
                let _ = db.check().unwrap();
                let _ = db.dump().unwrap().count();
                if let Ok(rows) = db.view(crate::support::rows_of) {
                    assert!(states.contains(&rows), "data that was never there");
                }
            }
            Err(_) => refused += 1,
        }
    }
    assert!(opened > 50 && refused > 50, "{opened} opened, {refused} refused");
}
