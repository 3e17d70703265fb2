//! Keys of facets, edges, seams and indexes as the dump prints them.

use hexxladb::vfs::MemoryVfs;
use hexxladb::{Edge, Facet, Seam, SeamType, Ulid};

use crate::support::{both_formats, check_clean, coord, open};
use crate::support_records::{delete_cell, dumped, facet_id, from_secs, tagged};

// spec: KEY-07, KEY-05
#[test]
fn keys_of_records_and_indexes_are_readable() {
    for options in both_formats() {
        let db = open(&MemoryVfs::new(), options);
        let (a, b) = (coord(3, 1), coord(-2, 5));
        let id = Ulid(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        db.update(|tx| {
            let cell = tagged("x", ["tag", "a\0b"]).with_source("src").with_validity(from_secs(0));
            tx.put_cell(a, &cell)?;
            tx.put_facet(a, facet_id(5), &Facet::default())?;
            tx.put_edge(a, b, "part/of", &Edge::default())?;
            let seam = Seam::new(a, b, SeamType::Conflict).with_source("who");
            tx.put_seam(id, &seam.with_validity(from_secs(0)))
        })
        .unwrap();
        let mvcc = db.format_version() == 2;
        let shown = |key: &str, seq: u64, gone: &str| {
            if mvcc { format!("{key}#{seq}{gone}") } else { key.to_owned() }
        };
        let records = ["facet/(3,1)/5", "edge/(3,1)/(-2,5)/part/of", &format!("seam/{id}")]
            .map(|key| (key.to_owned(), shown(key, 1, "")));
        for (key, expected) in &records {
            assert_eq!(dumped(&db, key), [expected.as_str()]);
        }
        let mut index = [
            "__index/cell-by-tag/tag/(3,1)",
            "__index/cell-by-tag/a\\x00b/(3,1)",
            "__index/cell-by-source/src/(3,1)",
            "__index/cell-by-week/1970-W01/(3,1)",
            "__index/edge-by-target/(-2,5)/(3,1)/part/of",
            &format!("__index/seam-by-cell/(3,1)/{id}"),
            &format!("__index/seam-by-cell/(-2,5)/{id}"),
            &format!("__index/seam-by-source/who/{id}"),
            &format!("__index/seam-by-week/1970-W01/{id}"),
        ]
        .map(|key| shown(key, 1, ""));
        let mut found = dumped(&db, "__index/");
        index.sort();
        found.sort();
        assert_eq!(found, index);
        if mvcc {
            // A deleted cell's rows say so, those of its facets, edges and indexes too.
            delete_cell(&db, a);
            for (key, first) in &records[..2] {
                assert_eq!(dumped(&db, key), [shown(key, 2, " gone"), first.clone()]);
            }
            let key = "__index/cell-by-tag/tag/(3,1)";
            assert_eq!(dumped(&db, key), [shown(key, 2, " gone"), shown(key, 1, "")]);
            db.tag_snapshot("a\0name").unwrap();
            assert_eq!(dumped(&db, "__meta/tag/").len(), 1);
        }
        check_clean(&db);
    }
}
