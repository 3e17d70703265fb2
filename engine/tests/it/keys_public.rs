//! The raw keyspace and ranges of cells as a user sees them: order, ranges and prefixes of keys
//! with every awkward byte, against ordered maps.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};

use hexxladb::{Cell, Coord, Db, Error, Options, PackedCoord, ReadTx, Result};
use proptest::prelude::*;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn open(options: Options) -> Db {
    Db::open("keys", options).unwrap()
}

/// A database in either format with these keys, each twice written, the value the key itself.
fn filled(mvcc: bool, keys: &BTreeMap<Vec<u8>, Vec<u8>>) -> Db {
    let db = open(Options::in_memory().mvcc(mvcc));
    for old in [true, false] {
        db.update(|tx| {
            keys.iter()
                .try_for_each(|(key, value)| tx.put(key, if old { b"old" } else { &value[..] }))
        })
        .unwrap();
    }
    db
}

fn view<T>(db: &Db, f: impl FnOnce(&ReadTx) -> Result<T>) -> T {
    db.view(f).unwrap()
}

/// The range forwards, having seen that backwards it is the same.
fn scan(db: &Db, range: (Bound<Vec<u8>>, Bound<Vec<u8>>)) -> Pairs {
    let pair = |item: Result<(_, _)>| pair_of(&item.unwrap());
    view(db, |tx| {
        let forwards: Pairs = tx.scan(range.clone()).map(pair).collect();
        let mut backwards: Pairs = tx.scan(range).rev().map(pair).collect();
        backwards.reverse();
        assert_eq!(forwards, backwards);
        Ok(forwards)
    })
}

fn scan_prefix(db: &Db, prefix: &[u8]) -> Pairs {
    view(db, |tx| Ok(tx.scan_prefix(prefix).map(|item| pair_of(&item.unwrap())).collect()))
}

fn pair_of(pair: &(impl AsBytes, impl AsBytes)) -> (Vec<u8>, Vec<u8>) {
    (pair.0.bytes(), pair.1.bytes())
}

/// Whatever a scan hands out as key or value.
trait AsBytes {
    fn bytes(&self) -> Vec<u8>;
}

impl<T: std::ops::Deref<Target = [u8]>> AsBytes for T {
    fn bytes(&self) -> Vec<u8> {
        self.to_vec()
    }
}

fn map_of(keys: Vec<Vec<u8>>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    keys.into_iter().map(|key| (key.clone(), key)).collect()
}

fn any_key() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0u8), Just(1), Just(0xFF), any::<u8>()];
    prop::collection::vec(byte, 0..6)
}

fn any_bound<T: Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Bound<T>> {
    (0..3u8, value).prop_map(|(kind, value)| match kind {
        0 => Bound::Included(value),
        1 => Bound::Excluded(value),
        _ => Bound::Unbounded,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    // spec: REC-08, KEY-03
    #[test]
    fn ranges_and_prefixes_of_raw_keys(
        mvcc: bool,
        keys in prop::collection::vec(any_key(), 0..12),
        start in any_bound(any_key()),
        end in any_bound(any_key()),
        prefix in any_key(),
    ) {
        let model = map_of(keys);
        let db = filled(mvcc, &model);
        let within = |range: &dyn Fn(&Vec<u8>) -> bool| -> Pairs {
            model.clone().into_iter().filter(|(key, _)| range(key)).collect()
        };
        let range = (start, end);
        prop_assert_eq!(scan(&db, (Bound::Unbounded, Bound::Unbounded)), within(&|_| true));
        prop_assert_eq!(scan(&db, range.clone()), within(&|key| range.contains(key)));
        prop_assert_eq!(scan_prefix(&db, &prefix), within(&|key| key.starts_with(&prefix)));
        // A prefix and a bound that stand in the database.
        for key in model.keys() {
            prop_assert_eq!(scan_prefix(&db, key), within(&|other| other.starts_with(key)));
            let after = (Bound::Excluded(key.clone()), Bound::Unbounded);
            prop_assert_eq!(scan(&db, after), within(&|other| other > key));
            let upto = (Bound::Unbounded, Bound::Included(key.clone()));
            prop_assert_eq!(scan(&db, upto), within(&|other| other <= key));
        }
    }

    // spec: REC-05, REC-08
    #[test]
    fn ranges_of_cells(
        mvcc: bool,
        at in prop::collection::vec((-9..=9, -9..=9), 0..12),
        start in any_bound((-9..=9, -9..=9)),
        end in any_bound((-9..=9, -9..=9)),
    ) {
        let packed = |(q, r): (i32, i32)| PackedCoord::from(Coord::new(q, r).unwrap());
        let mut model: Vec<PackedCoord> = at.into_iter().map(packed).collect();
        let db = open(Options::in_memory().mvcc(mvcc));
        db.update(|tx| {
            // A raw key that looks like a cell's key must not show up among the cells.
            tx.put(b"\x30\0\0\0\0", b"raw")?;
            model.iter().try_for_each(|at| tx.put_cell(at.unpack(), &Cell::new(at.to_string())))
        }).unwrap();
        model.sort_unstable();
        model.dedup();
        let range = (start.map(packed), end.map(packed));
        model.retain(|at| range.contains(at));
        let read: Vec<(Coord, Cell)> = view(&db, |tx| tx.cells(range).collect());
        let mut back: Vec<(Coord, Cell)> = view(&db, |tx| tx.cells(range).rev().collect());
        back.reverse();
        let expected: Vec<(Coord, Cell)> =
            model.iter().map(|at| (at.unpack(), Cell::new(at.to_string()))).collect();
        prop_assert_eq!(&read, &expected);
        prop_assert_eq!(&back, &expected);
    }
}

// spec: REC-08
#[test]
fn raw_keys_of_every_byte_are_kept_apart() {
    let keys: Vec<Vec<u8>> = (0..=255)
        .flat_map(|byte| [vec![byte], vec![byte, 0], vec![0, byte], vec![byte, 0xFF]])
        .chain([vec![]])
        .collect();
    let model = map_of(keys);
    let db = filled(true, &model);
    for key in model.keys() {
        let read = view(&db, |tx| tx.get(key)).expect("a key just put");
        assert_eq!(read.to_vec(), *key);
    }
    let all = scan(&db, (Bound::Unbounded, Bound::Unbounded));
    assert!(all.iter().map(|(key, _)| key).eq(model.keys()));
}

// spec: REC-09
#[test]
fn raw_keys_have_a_limit() {
    for (page_size, max) in [(4096, 900), (8192, 1024)] {
        let db = open(Options::in_memory().page_size(page_size));
        let put = |key: Vec<u8>| db.update(|tx| tx.put(&key, b"value"));
        put(vec![b'x'; max]).unwrap();
        put(vec![0; max / 2]).unwrap();
        for (key, encoded) in [(vec![b'x'; max + 1], max + 1), (vec![0; max / 2 + 1], max + 2)] {
            match put(key) {
                Err(Error::KeyTooLarge { len, max: limit, .. }) => {
                    assert_eq!((len, limit), (encoded, max));
                }
                other => panic!("{other:?}"),
            }
        }
        // Bounds are no keys, and may be longer.
        let long = Bound::Included(vec![b'x'; 5000]);
        assert_eq!(scan(&db, (Bound::Unbounded, long.clone())).len(), 2);
        assert_eq!(scan(&db, (long, Bound::Unbounded)).len(), 0);
    }
}
