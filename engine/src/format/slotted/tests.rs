//! Tests of pages of sorted entries.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn value_of(page: &Slotted, index: usize) -> &[u8] {
    &page.bytes[page.value_range(index).0]
}

/// A branch writes its child pointers between arrays and heap. Room that consisted of dead
/// bytes was once taken for it, and the pointers overwrote the separators.
#[test]
fn what_is_reserved_is_contiguous() {
    let mut page = Slotted::new(512, 1);
    for key in 0u8..14 {
        assert!(page.insert(page.count(), &[key; 12], &[], false, 100));
    }
    while page.count() > 6 {
        page.remove(3);
    }
    for key in 100u8..=255 {
        if !page.insert(page.count(), &[key; 12], &[], false, 150) {
            break;
        }
        assert!(page.free_bytes() >= 150);
    }
}

proptest! {
    #[test]
    fn behaves_like_a_sorted_map(
        ops in prop::collection::vec(
            (prop::collection::vec(0u8..4, 0..12), prop::collection::vec(any::<u8>(), 0..20), any::<bool>()),
            1..200,
        ),
    ) {
        let mut page = Slotted::new(1024, 0);
        let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for (key, value, delete) in ops {
            match page.search(&key) {
                Ok(index) if delete => {
                    page.remove(index);
                    model.remove(&key);
                }
                Ok(index) => {
                    if page.replace(index, &value, false, 0) {
                        model.insert(key, value);
                    }
                }
                Err(index) if !delete => {
                    if page.insert(index, &key, &value, false, 0) {
                        prop_assert!(model.insert(key, value).is_none());
                    }
                }
                Err(_) => prop_assert!(!model.contains_key(&key)),
            }
            prop_assert!(page.check().is_ok(), "{:?}", page.check());
            prop_assert_eq!(page.count(), model.len());
            for (index, (key, value)) in model.iter().enumerate() {
                prop_assert_eq!(&page.key(index)[..], &key[..]);
                prop_assert_eq!(value_of(&page, index), &value[..]);
            }
        }
        let entries: Vec<_> = page.entries().collect();
        let rebuilt = Slotted::build(1024, 0, &entries, 0).unwrap();
        prop_assert!(rebuilt.used_bytes() <= page.used_bytes());
        prop_assert!(rebuilt.check().is_ok());
    }

    #[test]
    fn hostile_bytes_are_refused_or_sound(
        seed in prop::collection::vec(any::<u8>(), 1024 - 64),
    ) {
        let mut bytes = vec![0; 64];
        bytes.extend(seed);
        if let Ok(page) = Slotted::from_bytes(bytes.into()) {
            for index in 0..page.count() {
                let _ = page.entry(index).key();
            }
        }
    }
}
