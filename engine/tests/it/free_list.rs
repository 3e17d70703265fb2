//! The free list that a checkpoint leaves on disk: nothing is missing from it, whatever its length.

use hexxladb::Options;
use hexxladb::vfs::MemoryVfs;

use crate::image::{Image, u16_at, u64_at};
use crate::support::{DB, LOG, check_clean, files, open, options, put, write_file};

/// Extents that one page of the list holds, with pages of 4 KiB.
const CAPACITY: usize = 250;
/// Values of one page each, that lie one after the other.
const VALUES: u16 = 640;

fn roomy() -> Options {
    options().mvcc(false).cache_bytes(64 << 20).checkpoint_wal_bytes(64 << 20)
}

fn world([primary, log]: &[Option<Vec<u8>>; 2]) -> MemoryVfs {
    let vfs = MemoryVfs::new();
    write_file(&vfs, DB, primary.as_ref().unwrap());
    write_file(&vfs, LOG, log.as_ref().unwrap());
    vfs
}

/// A database of [`VALUES`]; of the first 90 every third is free, in extents of one page.
fn prepared() -> [Option<Vec<u8>>; 2] {
    let vfs = MemoryVfs::new();
    let db = open(&vfs, roomy());
    db.update(|tx| (0..VALUES).try_for_each(|key| tx.put(key.to_be_bytes(), [1; 3000]))).unwrap();
    db.checkpoint().unwrap();
    let thirds = (0..90u16).filter(|key| key % 3 == 1);
    db.update(|tx| thirds.clone().try_for_each(|key| tx.delete(key.to_be_bytes()).map(drop)))
        .unwrap();
    db.checkpoint().unwrap();
    db.close().unwrap();
    files(&vfs)
}

/// Pages of the durable free list, and extents in it.
fn list_of(vfs: &MemoryVfs) -> (usize, usize) {
    let image = Image::of(vfs);
    let (mut page, mut pages, mut extents) = (image.free_list(), 0, 0);
    while page != 0 {
        pages += 1;
        extents += u16_at(image.page(page), 88);
        page = u64_at(image.page(page), 64);
    }
    (pages, extents)
}

/// Pages leaked: the checkpoint counted the free extents, took the pages for a list of so many,
/// and taking one from the middle of an extent made two of it. Where the count was an exact
/// multiple of what a page holds, the last extents were left out of the list.
#[test]
fn no_extent_is_left_out_of_a_list_of_any_length() {
    let prepared = prepared();
    let mut lists = Vec::new();
    for singles in 200..=260u16 {
        let vfs = world(&prepared);
        let db = open(&vfs, roomy());
        // Around the free pages everything becomes free, so that they lie within one extent;
        // behind them every other page.
        let around = (0..90).filter(|key| key % 3 != 1);
        let others = (0..singles).map(|single| 100 + 2 * single);
        let keys: Vec<u16> = around.chain(others).collect();
        db.update(|tx| keys.iter().try_for_each(|key| tx.delete(key.to_be_bytes()).map(drop)))
            .unwrap();
        db.checkpoint().unwrap();
        lists.push(list_of(&vfs));
        // What the process leaves if it ends now.
        let left = world(&files(&vfs));
        let again = open(&left, roomy());
        check_clean(&again);
        put(&again, "later", "").unwrap();
        again.checkpoint().unwrap();
        check_clean(&again);
    }
    let full = |pages| move |list: &(usize, usize)| *list == (pages, CAPACITY);
    assert!(lists.iter().any(full(1)) || lists.iter().any(full(2)), "{lists:?}");
    assert!(lists[0].1 < CAPACITY && lists.last().unwrap().1 > CAPACITY, "{lists:?}");
}
