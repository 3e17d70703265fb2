//! Options: their defaults and bounds, what is persisted, and what disagrees with a file.

use hexxladb::vfs::{MemoryVfs, Vfs};
use hexxladb::{Db, Durability, Error, Options};

use crate::support::{
    DB, check_clean, get, in_memory, open, options, put, refused, rows, try_open,
};

// spec: OPT-05, OPT-06, OPT-14
#[test]
fn options_out_of_bounds_are_refused_with_what_is_accepted() {
    let pages = "4096, 8192, 16384, 32768, 65536";
    let values = "512 to 67108864";
    let megabyte = "1048576 or more";
    let cases = [
        (Options::new().page_size(2048), "page_size", "2048", pages),
        (Options::new().page_size(0), "page_size", "0", pages),
        (Options::new().page_size(8191), "page_size", "8191", pages),
        (Options::new().page_size(12288), "page_size", "12288", pages),
        (Options::new().page_size(131_072), "page_size", "131072", pages),
        (Options::new().max_value_bytes(511), "max_value_bytes", "511", values),
        (Options::new().max_value_bytes((64 << 20) + 1), "max_value_bytes", "67108865", values),
        (Options::new().cache_bytes((1 << 20) - 1), "cache_bytes", "1048575", megabyte),
        (Options::new().cache_bytes(0), "cache_bytes", "0", megabyte),
        (Options::new().checkpoint_wal_bytes(9), "checkpoint_wal_bytes", "9", megabyte),
    ];
    for (options, option, value, bounds) in cases {
        let vfs = MemoryVfs::new();
        match try_open(&vfs, options).map(|_| ()) {
            Err(Error::InvalidArgument { what, given, accepted }) => {
                assert_eq!((what, &given[..], &accepted[..]), (option, value, bounds));
            }
            other => panic!("{option} {value}: {other:?}"),
        }
        assert!(!vfs.exists(DB.as_ref()).unwrap(), "nothing is created");
    }
}

// spec: OPT-05, OPT-06, OPT-07
#[test]
fn options_at_their_bounds_work() {
    for page_size in [4096, 8192, 16384, 32768, 65536] {
        for max_value in [512, 64 << 20] {
            let vfs = MemoryVfs::new();
            let options = Options::new().page_size(page_size).max_value_bytes(max_value);
            let db = open(&vfs, options);
            // Values in the leaf, around what a leaf takes, in one overflow page, in several.
            let page = page_size as usize;
            let sizes = [0, 1, 500, 512, page / 4 - 40, page / 4, page, page * 2 + 1, 300_000];
            let sizes: Vec<_> =
                sizes.into_iter().filter(|size| *size <= max_value as usize).collect();
            let value = |size: usize| (0..size).map(|at| (at % 251) as u8).collect::<Vec<u8>>();
            for &size in &sizes {
                put(&db, size.to_be_bytes(), value(size)).unwrap();
            }
            for close in [false, true] {
                if close {
                    db.close().unwrap();
                }
                let db = if close { open(&vfs, Options::new()) } else { db.clone() };
                for &size in &sizes {
                    assert!(
                        get(&db, size.to_be_bytes()).unwrap() == value(size),
                        "{page_size}, {size}"
                    );
                }
                assert_eq!(db.stats_mvcc().unwrap().page_size, page_size);
                check_clean(&db);
            }
        }
    }
}

// spec: OPT-06, OPT-07
#[test]
fn a_value_up_to_the_limit_is_kept_and_a_larger_one_refused_with_both_sizes() {
    let vfs = MemoryVfs::new();
    let max = (2 << 20) + 3;
    let db = open(&vfs, options().max_value_bytes(max));
    let largest: Vec<u8> =
        (0..max).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let max = max as usize;
    put(&db, "largest", &largest).unwrap();
    assert!(get(&db, "largest").unwrap() == largest);
    drop(db);
    let db = open(&vfs, options());
    assert!(get(&db, "largest").unwrap() == largest, "after the log was replayed");
    let larger = put(&db, "larger", [&largest[..], b"x"].concat());
    refused!(larger, Error::ValueTooLarge { len, max: limit } if (len, limit) == (max + 1, max));
    // The default is 1 MiB.
    let db = in_memory();
    put(&db, "key", vec![0; 1 << 20]).unwrap();
    let larger = put(&db, "key", vec![0; (1 << 20) + 1]);
    refused!(larger, Error::ValueTooLarge { len, max } if (len, max) == ((1 << 20) + 1, 1 << 20));
    assert_eq!(get(&db, "key").unwrap().len(), 1 << 20);
}

// spec: OPT-01, OPT-05
#[test]
fn the_defaults() {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, Options::new());
    assert_eq!((db.format_version(), db.stats_mvcc().unwrap().page_size), (2, 8192));
    put(&db, "key", "1").unwrap();
    put(&db, "key", "2").unwrap();
    assert_eq!(db.view_at(1, |tx| tx.get("key")).unwrap().unwrap(), b"1");
    assert_eq!(Durability::default(), Durability::Sync);
    assert_eq!(format!("{:?}", Options::default()), format!("{:?}", Options::new()));
}

// spec: OPT-13, OPT-02
#[test]
fn a_persisted_option_must_agree_with_the_file() {
    let vfs = MemoryVfs::new();
    let made = options().max_value_bytes(5000);
    put(&open(&vfs, made.clone()), "key", "").unwrap();
    let cases = [
        (Options::new().page_size(8192), "page_size", "4096", "8192"),
        (Options::new().max_value_bytes(5001), "max_value_bytes", "5000", "5001"),
        (Options::new().mvcc(false), "mvcc", "true", "false"),
    ];
    for read_only in [false, true] {
        for (options, name, in_file, asked) in cases.clone() {
            match try_open(&vfs, options.read_only(read_only)).map(|_| ()) {
                Err(Error::OptionMismatch { option, file, given }) => {
                    assert_eq!((option, &file[..], &given[..]), (name, in_file, asked));
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    // What agrees, or is not given, is no matter; what is not persisted may change.
    for options in [
        made.mvcc(true),
        Options::new(),
        Options::new().cache_bytes(2 << 20).checkpoint_wal_bytes(2 << 20),
        Options::new().durability(Durability::Buffered),
    ] {
        let db = open(&vfs, options);
        assert_eq!(rows(&db).len(), 1);
        refused!(put(&db, "key", vec![0; 5001]), Error::ValueTooLarge { max: 5000, .. });
    }
}

// spec: OPT-04, OPT-02
#[test]
fn mvcc_on_a_file_without_versions_names_the_migration() {
    let vfs = MemoryVfs::new();
    put(&open(&vfs, options().mvcc(false)), "key", "").unwrap();
    let error = try_open(&vfs, Options::new().mvcc(true)).unwrap_err();
    assert!(error.to_string().contains("migrate"), "{error}");
    refused!(Err::<(), _>(error), Error::MigrationRequired { path } if path.to_str() == Some(DB));
    for options in [Options::new(), Options::new().mvcc(false)] {
        assert_eq!(open(&vfs, options).format_version(), 1);
    }
}

// spec: FILE-19
#[test]
fn a_missing_database_is_created_only_if_it_may_be() {
    let vfs = MemoryVfs::new();
    for options in [Options::new().create_if_missing(false), Options::new().read_only(true)] {
        let missing = try_open(&vfs, options.clone());
        refused!(missing, Error::DatabaseMissing { path } if path.to_str() == Some(DB));
        assert_eq!(vfs.list("/".as_ref()).unwrap().len(), 0, "nothing is created");
        // An empty file is no database either, and stays as it is.
        crate::support::write_file(&vfs, DB, b"");
        refused!(try_open(&vfs, options), Error::DatabaseMissing { .. });
        assert_eq!(crate::support::files(&vfs), [Some(vec![]), None]);
        vfs.remove(DB.as_ref()).unwrap();
    }
    put(&open(&vfs, Options::new()), "key", "").unwrap();
    assert_eq!(rows(&open(&vfs, Options::new().create_if_missing(false))).len(), 1);
    assert_eq!(rows(&open(&vfs, Options::new().read_only(true))).len(), 1);
}

// spec: FILE-19
#[test]
fn a_file_that_is_not_a_database_is_refused_and_left_alone() {
    let png = [&b"\x89PNG\r\n\x1a\n"[..], &vec![7; 60_000]].concat();
    let cases = [&b"x"[..], b"SQLite format 3\0", &[0xFF; 4096], &png, &[b'#'; 16_384]];
    for bytes in cases {
        for read_only in [false, true] {
            let vfs = MemoryVfs::new();
            crate::support::write_file(&vfs, DB, bytes);
            let error = try_open(&vfs, Options::new().read_only(read_only)).unwrap_err();
            assert!(
                matches!(&error, Error::NotADatabase { path, .. } if path.to_str() == Some(DB)),
                "{error:?}"
            );
            assert_eq!(crate::support::files(&vfs), [Some(bytes.to_vec()), None]);
        }
    }
}

/// A database whose header had been zeroed, and any file that begins with zeros, was taken for a
/// creation that had not come to its end, and cut to nothing.
// spec: FILE-19
#[test]
fn a_file_that_begins_with_zeros_is_refused_and_left_alone() {
    let zeroed = |[primary, log]: [Option<Vec<u8>>; 2]| {
        let mut primary = primary.unwrap();
        primary[..16_384].fill(0);
        (primary, log)
    };
    let made = |options: Options, close: bool| {
        let vfs = MemoryVfs::new();
        let db = open(&vfs, options);
        (0..40u8)
            .for_each(|key| assert_eq!(put(&db, [key], [key; 900]).unwrap(), 1 + u64::from(key)));
        if close {
            db.close().unwrap();
        }
        zeroed(crate::support::files(&vfs))
    };
    let empty = {
        let vfs = MemoryVfs::new();
        open(&vfs, Options::new()).close().unwrap();
        zeroed(crate::support::files(&vfs))
    };
    let mut cases = vec![empty];
    for mvcc in [true, false] {
        let (primary, log) = made(options().mvcc(mvcc), true);
        cases.push((primary.clone(), None));
        cases.push((primary, log));
        cases.push(made(options().mvcc(mvcc), false));
    }
    for len in [1, 512, 4096, 16_383, 16_384, 16_385, 20_480, 32_768, 100_000] {
        cases.push((vec![0; len], None));
    }
    cases.push(([&[0; 16_384][..], b"and then a letter"].concat(), None));
    cases.push(([&[0; 8192][..], &[1; 8192]].concat(), None));
    for (primary, log) in cases {
        for read_only in [false, true] {
            let vfs = MemoryVfs::new();
            crate::support::write_file(&vfs, DB, &primary);
            if let Some(log) = &log {
                crate::support::write_file(&vfs, crate::support::LOG, log);
            }
            let refused = try_open(&vfs, Options::new().read_only(read_only));
            refused!(refused, Error::NotADatabase { path, .. } if path.to_str() == Some(DB));
            assert!(crate::support::files(&vfs) == [Some(primary.clone()), log.clone()]);
        }
    }
}

// spec: FILE-08
#[test]
fn an_in_memory_database_is_the_same_engine() {
    let open = || Db::open("/no/such/directory/label", Options::in_memory()).unwrap();
    let (one, other) = (open(), open());
    put(&one, "key", "1").unwrap();
    put(&one, "key", "2").unwrap();
    assert_eq!(rows(&other).len(), 0, "equal labels are different databases");
    assert_eq!(one.view_at(1, |tx| tx.get("key")).unwrap().unwrap(), b"1");
    one.checkpoint().unwrap();
    one.sync().unwrap();
    check_clean(&one);
    assert_eq!(one.path().to_str(), Some("/no/such/directory/label"));
    one.close().unwrap();
    refused!(one.head(), Error::DatabaseClosed);
}
