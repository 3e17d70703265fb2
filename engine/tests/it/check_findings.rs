//! `check` finds each kind of damage, each planted with every checksum right that a careless
//! writer would have got right.

use hexxladb::vfs::MemoryVfs;
use hexxladb::{Cell, CheckReport, Error, FindingKind, Options};

use crate::image::{FREE_LIST, HEAD_HASH, Image, PAGE_COUNT, heads_at, put_u64, u16_at, u64_at};
use crate::support::{DB, check_clean, coord, open, options, put, refused, rows_at};

const META: u8 = 0x10;
const RAW: u8 = 0x20;
const CELL: u8 = 0x30;

/// Two trees of several levels, large values, free pages; closed.
fn sound(options: &Options) -> MemoryVfs {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, options.clone());
    for round in 0..100u8 {
        db.update(|tx| {
            tx.set_note("n".repeat(200))?;
            tx.put_cell(coord(i32::from(round), 0), &Cell::new("c".repeat(200)))?;
            tx.put([b'k', round], [round; 250])?;
            if round % 20 == 0 { tx.put([b'z', round], [round; 9000]) } else { Ok(()) }
        })
        .unwrap();
        if round % 30 == 0 {
            db.checkpoint().unwrap();
        }
    }
    check_clean(&db);
    db.close().unwrap();
    vfs
}

fn check(vfs: &MemoryVfs) -> CheckReport {
    let report = open(vfs, options().read_only(true)).check().unwrap();
    assert!(report.findings.iter().all(|finding| finding.file.to_str() == Some(DB)));
    assert_eq!(report.is_clean(), report.findings.is_empty());
    report
}

/// Plants damage in an otherwise sound file; `check` must find it, of this kind, at this page,
/// in words that contain `what`; and nothing else where `alone`.
fn finds(kind: FindingKind, what: &str, alone: bool, plant: impl Fn(&mut Image) -> u64) {
    let vfs = sound(&options());
    let mut image = Image::of(&vfs);
    let page = plant(&mut image);
    image.write_to(&vfs);
    let report = check(&vfs);
    let found = report.findings.iter().any(|finding| {
        finding.kind == kind && finding.offset == page * 4096 && finding.what.contains(what)
    });
    assert!(found, "{kind:?} at {} with {what:?} not in {:#?}", page * 4096, report.findings);
    assert!(!alone || report.findings.len() == 1, "{:#?}", report.findings);
    let text = report.findings[0].to_string();
    assert!(text.contains(DB) && text.contains("at offset "), "{text}");
}

// spec: DUR-12
#[test]
fn a_sound_database_has_no_finding() {
    for mvcc in [true, false] {
        let vfs = sound(&options().mvcc(mvcc));
        let db = open(&vfs, options().mvcc(mvcc));
        let report = db.check().unwrap();
        assert_eq!(report.findings, []);
        assert!(report.pages > 30 && report.rows >= 400, "{} {}", report.pages, report.rows);
        assert!(Image::of(&vfs).branches().len() >= 2);
    }
}

// spec: CHECK-01
#[test]
fn a_page_whose_own_checksum_is_wrong() {
    for family in [META, RAW, CELL] {
        finds(FindingKind::Page, "checksum", false, |image| {
            let leaf = image.leaves(family)[1];
            image.bytes[leaf as usize * 4096 + 3000] ^= 1;
            leaf
        });
    }
}

// spec: CHECK-01
#[test]
fn an_intact_page_that_is_not_the_one_its_parent_names() {
    // An older version of the page, as a lost write leaves it.
    finds(FindingKind::Page, "not the version that its parent names", false, |image| {
        let leaf = image.leaves(RAW)[0];
        let mut elsewhere = image.clone();
        elsewhere.edit(leaf, |bytes| bytes[4090] ^= 1);
        let at = leaf as usize * 4096;
        image.bytes[at..at + 4096].copy_from_slice(elsewhere.page(leaf));
        leaf
    });
    // Another page's bytes, as a misdirected write leaves them.
    finds(FindingKind::Page, "holds page", false, |image| {
        let (from, to) = (image.leaves(RAW)[0], image.leaves(RAW)[1]);
        let bytes = image.page(from).to_vec();
        image.bytes[to as usize * 4096..][..4096].copy_from_slice(&bytes);
        to
    });
}

// spec: CHECK-02
#[test]
fn keys_out_of_order() {
    finds(FindingKind::Page, "out of order", false, |image| {
        let leaf = image.leaves(RAW)[0];
        // The first key is above the second one.
        let entry = image.entries(leaf).swap_remove(0);
        image.edit(leaf, |bytes| {
            bytes[entry.key_at] = 0xF0;
            let head: [u8; 4] = bytes[entry.key_at..entry.key_at + 4].try_into().unwrap();
            let heads = heads_at(bytes);
            bytes[heads..heads + 4].copy_from_slice(&u32::from_be_bytes(head).to_le_bytes());
        });
        leaf
    });
}

// spec: CHECK-02
#[test]
fn keys_outside_of_their_fences() {
    // Above: the last key of a leaf that is not the last.
    finds(FindingKind::Fence, "outside its fence keys", false, |image| {
        let leaf = image.leaves(RAW)[0];
        let entry = image.entries(leaf).pop().unwrap();
        let last = u16_at(image.page(leaf), 64) - 1;
        image.edit(leaf, |bytes| {
            bytes[entry.key_at] = 0xF0;
            let head: [u8; 4] = bytes[entry.key_at..entry.key_at + 4].try_into().unwrap();
            let head = u32::from_be_bytes(head).to_le_bytes();
            let heads = heads_at(bytes);
            bytes[heads + 4 * last..][..4].copy_from_slice(&head);
        });
        leaf
    });
    // Below: a separator that has grown.
    finds(FindingKind::Fence, "outside its fence keys", false, |image| {
        let branch =
            image.branches().into_iter().max_by_key(|page| image.entries(*page).len()).unwrap();
        let last = image.entries(branch).len() - 1;
        let entry = image.entries(branch).pop().unwrap();
        let child = image.child(branch, last + 1);
        image.edit(branch, |bytes| {
            let end = entry.key_at + entry.key_len;
            bytes[end - 1] = 0xFF;
            let mut head = [0; 4];
            let len = entry.key_len.min(4);
            head[..len].copy_from_slice(&bytes[entry.key_at..entry.key_at + len]);
            let head = u32::from_be_bytes(head).to_le_bytes();
            let heads = heads_at(bytes);
            bytes[heads + 4 * last..][..4].copy_from_slice(&head);
        });
        child
    });
}

// spec: CHECK-02
#[test]
fn a_child_that_is_newer_than_its_parent_says() {
    for bound in [24, 32] {
        finds(FindingKind::Bound, "newer than its parent says", true, |image| {
            let branch = image.branches()[0];
            let at = image.children_at(branch) + bound;
            image.edit(branch, |bytes| put_u64(bytes, at, 1 << 40));
            branch
        });
    }
}

/// The first row of a large value: leaf, and where its reference stands.
fn large(image: &Image) -> (u64, usize) {
    let leaves = image.leaves(RAW).into_iter();
    let mut rows = leaves.flat_map(|leaf| image.entries(leaf).into_iter().map(move |e| (leaf, e)));
    rows.find(|(_, entry)| entry.overflow).map(|(leaf, entry)| (leaf, entry.value_at)).unwrap()
}

#[test]
fn a_large_value_that_is_not_what_was_written() {
    // Its page has a right checksum of its own; the reference does not agree.
    finds(FindingKind::Value, "", false, |image| {
        let (leaf, at) = large(image);
        let first = u64_at(image.page(leaf), at + 29);
        image.edit(first, |bytes| bytes[1000] ^= 1);
        // What is told is where the value begins.
        first
    });
}

#[test]
fn a_row_that_cannot_be_understood() {
    for family in [RAW, CELL] {
        finds(FindingKind::Row, "row 0", false, |image| {
            let leaf = image.leaves(family)[0];
            let at = image.entries(leaf)[0].value_at;
            image.edit(leaf, |bytes| bytes[at] = 9);
            leaf
        });
    }
    // A commit of the timeline: time 8 bytes, hash 16, then whether there is a note.
    finds(FindingKind::Row, "", false, |image| {
        let leaf = image.leaves(META)[0];
        let at = image.entries(leaf)[0].value_at;
        image.edit(leaf, |bytes| bytes[at + 1 + 24] = 7);
        leaf
    });
    // Extents that do not add up to the value's length.
    finds(FindingKind::Row, "bytes in", false, |image| {
        let (leaf, at) = large(image);
        image.edit(leaf, |bytes| bytes[at + 1] ^= 0x80);
        leaf
    });
}

// spec: CHECK-03
#[test]
fn a_page_that_is_reachable_and_free() {
    finds(FindingKind::DoublyUsed, "both reachable and free", false, |image| {
        let leaf = image.leaves(RAW)[0];
        let list = image.free_list();
        assert_ne!(list, 0, "there are free pages");
        image.edit(list, |bytes| put_u64(bytes, 96, leaf));
        leaf
    });
}

// spec: CHECK-03
#[test]
fn a_page_that_is_reachable_twice() {
    finds(FindingKind::DoublyUsed, "reachable twice", false, |image| {
        let branch = image.branches()[0];
        let at = image.children_at(branch);
        let child = image.child(branch, 0);
        image.edit(branch, |bytes| bytes.copy_within(at..at + 40, at + 40));
        child
    });
}

// spec: CHECK-03
#[test]
fn a_page_that_is_neither_reachable_nor_free() {
    // The free list forgets an extent.
    finds(FindingKind::Leaked, "neither reachable nor free", false, |image| {
        let list = image.free_list();
        let extents = u64_at(image.page(list), 88) as u32;
        let lost = u64_at(image.page(list), 96 + 16 * (extents as usize - 1));
        image.edit(list, |bytes| bytes[88..92].copy_from_slice(&(extents - 1).to_le_bytes()));
        lost
    });
    // The whole list is forgotten, and the file is longer than anybody knows why.
    let vfs = sound(&options());
    let mut image = Image::of(&vfs);
    let pages = u64_at(image.header(), PAGE_COUNT);
    image.edit_header(|slot| {
        slot[FREE_LIST..FREE_LIST + 24].fill(0);
        put_u64(slot, PAGE_COUNT, pages + 2);
    });
    image.bytes.resize((pages as usize + 2) * 4096, 0);
    image.write_to(&vfs);
    let report = check(&vfs);
    let leaked = |page: u64| {
        report.findings.iter().any(|f| f.kind == FindingKind::Leaked && f.offset == page * 4096)
    };
    assert!(leaked(pages) && leaked(pages + 1) && report.findings.len() > 3, "{report:#?}");
}

#[test]
fn counters_that_disagree_with_a_recount() {
    for family in [RAW, CELL] {
        for counter in 0..3 {
            let named = format!("family {family:#04x}");
            finds(FindingKind::Counter, &named, true, |image| {
                let at = image.counters_at(family) + 8 * counter;
                image.edit(image.catalog(), |bytes| put_u64(bytes, at, u64_at(bytes, at) + 1));
                0
            });
        }
    }
    // The number of rows of a tree, after its name and kind.
    finds(FindingKind::Counter, "a tree counts", true, |image| {
        let at = 92 + 1 + "records".len() + 4;
        image.edit(image.catalog(), |bytes| put_u64(bytes, at, u64_at(bytes, at) + 1));
        0
    });
}

/// Wrong counters are for `check` to tell: nothing overflows on their account.
#[test]
fn a_database_with_wrong_counters_can_be_written() {
    for (wrong, mvcc) in [(0, true), (u64::MAX, true), (0, false), (u64::MAX, false)] {
        let vfs = sound(&options().mvcc(mvcc));
        let mut image = Image::of(&vfs);
        for family in [RAW, CELL] {
            let at = image.counters_at(family);
            image.edit(image.catalog(), |bytes| {
                (0..3).for_each(|counter| put_u64(bytes, at + 8 * counter, wrong));
            });
        }
        image.write_to(&vfs);
        let db = open(&vfs, options());
        db.update(|tx| {
            assert!(tx.delete(b"k\x01")? && tx.delete_cell(coord(1, 0))?);
            assert!(tx.delete(b"z\x14")?);
            tx.put("new", "")?;
            tx.put_cell(coord(-1, 0), &Cell::new("new"))
        })
        .unwrap();
        db.close().unwrap();
        let report = check(&vfs);
        assert!(!report.is_clean());
        let counters = |finding: &hexxladb::Finding| finding.kind == FindingKind::Counter;
        assert!(report.findings.iter().all(counters), "{:#?}", report.findings);
    }
}

/// Pages of a large value that are no pages of values were given back as free with it.
#[test]
fn a_large_value_in_pages_that_cannot_be_its_own_is_not_given_back() {
    let lies: [fn(u64) -> u64; 3] = [|_| 0, |_| 3, |pages| pages - 1];
    for lie in lies {
        let vfs = sound(&options().mvcc(false));
        let mut image = Image::of(&vfs);
        let (leaf, at) = large(&image);
        let pages = u64_at(image.header(), PAGE_COUNT);
        // The value's first run is elsewhere.
        image.edit(leaf, |bytes| put_u64(bytes, at + 29, lie(pages)));
        image.write_to(&vfs);
        let db = open(&vfs, options());
        for _ in 0..2 {
            let deleted = db.update(|tx| tx.delete(b"z\0"));
            refused!(deleted, Error::CorruptDatabase { file, .. } if file.to_str() == Some(DB));
        }
        assert_eq!(put(&db, "other", "").unwrap(), 101);
        let free = db.check().unwrap().findings.into_iter();
        assert_eq!(free.filter(|found| found.kind == FindingKind::DoublyUsed).count(), 0);
    }
}

#[test]
fn a_timeline_that_does_not_fit() {
    finds(FindingKind::Timeline, "", true, |image| {
        image.edit_header(|slot| slot[HEAD_HASH] ^= 1);
        0
    });
    // A commit that is later than the one after it.
    finds(FindingKind::Timeline, "in order", true, |image| {
        let leaf = image.leaves(META)[0];
        let at = image.entries(leaf)[3].value_at + 1;
        image.edit(leaf, |bytes| put_u64(bytes, at, i64::MAX as u64));
        0
    });
    // A commit that is counted twice, and the one after it not at all.
    finds(FindingKind::Timeline, "expected", false, |image| {
        let leaf = image.leaves(META)[0];
        let entry = &image.entries(leaf)[0];
        let (at, len) = (entry.key_at, entry.key_len);
        image.edit(leaf, |bytes| {
            bytes[at + len - 1] = 0;
            let mut head = [0; 4];
            head[..len.min(4)].copy_from_slice(&bytes[at..at + len.min(4)]);
            let heads = heads_at(bytes);
            bytes[heads..heads + 4].copy_from_slice(&u32::from_be_bytes(head).to_le_bytes());
        });
        0
    });
}

// spec: CHECK-04
#[test]
fn all_findings_are_reported() {
    let vfs = sound(&options());
    let mut image = Image::of(&vfs);
    let (raw, cells, meta) = (image.leaves(RAW), image.leaves(CELL), image.leaves(META));
    for leaf in [raw[0], raw[2], cells[1], meta[2]] {
        image.bytes[leaf as usize * 4096 + 2000] ^= 4;
    }
    let row = image.entries(cells[0])[0].value_at;
    image.edit(cells[0], |bytes| bytes[row] = 9);
    image.edit_header(|slot| slot[HEAD_HASH] ^= 1);
    image.write_to(&vfs);
    let report = check(&vfs);
    let at =
        |kind, page: u64| report.findings.iter().any(|f| f.kind == kind && f.offset == page * 4096);
    for leaf in [raw[0], raw[2], cells[1], meta[2]] {
        assert!(at(FindingKind::Page, leaf), "{leaf} is not in {report:#?}");
    }
    assert!(at(FindingKind::Row, cells[0]) && at(FindingKind::Timeline, 0), "{report:#?}");
    assert!(at(FindingKind::Counter, 0), "rows below damaged pages are missing: {report:#?}");
}

// spec: SNAP-04
#[test]
fn below_the_prune_floor_nothing_is_read() {
    let vfs = sound(&options());
    let mut image = Image::of(&vfs);
    image.edit(image.catalog(), |bytes| put_u64(bytes, 68, 40));
    image.write_to(&vfs);
    let db = open(&vfs, options());
    assert_eq!(db.stats_mvcc().unwrap().oldest_readable_seq, 40);
    for seq in [1, 2, 39] {
        let view = db.view_at(seq, |_| Ok::<_, Error>(()));
        refused!(view, Error::SnapshotPruned { seq: s, oldest: 40 } if s == seq);
        refused!(db.snapshot_at(seq), Error::SnapshotPruned { seq: s, oldest: 40 } if s == seq);
    }
    assert_eq!(rows_at(&db, 0).len(), 0);
    assert_eq!(rows_at(&db, 40).len(), 42);
    assert_eq!(db.commits(..).unwrap().next().unwrap().unwrap().seq, 40);
    put(&db, "later", "").unwrap();
    drop(db);
    refused!(open(&vfs, options()).snapshot_at(39), Error::SnapshotPruned { seq: 39, oldest: 40 });
}
