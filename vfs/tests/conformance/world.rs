//! Clocks, random bytes, and use from several threads.

use std::sync::Arc;

use hexxladb_vfs::{FileExt, MemoryVfs, OpenMode, RealVfs, Vfs};

use super::{contents, on_each};

#[test]
fn monotonic_time_never_decreases() {
    on_each(|place| {
        let mut last = place.vfs.clock().monotonic_nanos();
        let file = place.create("a");
        for offset in 0..200 {
            file.write_all_at(offset, b"x").unwrap();
            let now = place.vfs.clock().monotonic_nanos();
            assert!(now >= last);
            last = now;
        }
        assert!(last > 0, "it goes at all");
    });
}

#[test]
fn the_wall_clock_is_of_this_age() {
    const YEAR_2020: i64 = 1_577_836_800_000_000_000;
    on_each(|place| assert!(place.vfs.clock().wall_nanos() > YEAR_2020));
}

#[test]
fn random_bytes_fill_the_whole_buffer_anew() {
    on_each(|place| {
        for count in [0, 1, 16, 1_000] {
            let (mut one, mut two) = (vec![0; count], vec![0; count]);
            place.vfs.entropy().fill(&mut one).unwrap();
            place.vfs.entropy().fill(&mut two).unwrap();
            if count >= 16 {
                assert_ne!(one, two);
                assert_ne!(one[count - 8..], [0; 8]);
            }
        }
    });
}

#[test]
fn clones_of_a_memory_backend_share_its_files() {
    let vfs = MemoryVfs::new();
    let path = std::path::Path::new("/a");
    vfs.open(path, OpenMode::Create).unwrap().write_all_at(0, b"shared").unwrap();
    let file = vfs.clone().open(path, OpenMode::Read).unwrap();
    assert_eq!(contents(&*file), b"shared");
    assert!(!MemoryVfs::new().exists(path).unwrap());
}

#[test]
fn threads_write_to_their_own_ranges() {
    on_each(|place| {
        let file = place.create("a");
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let file = Arc::clone(&file);
                scope.spawn(move || {
                    for turn in 0..50 {
                        let offset = (turn * 4 + u64::from(thread)) * 1_000;
                        file.write_all_at(offset, &[thread + 1; 1_000]).unwrap();
                    }
                });
            }
        });
        let bytes = contents(&*file);
        assert_eq!(bytes.len(), 200_000);
        for (index, piece) in bytes.chunks(1_000).enumerate() {
            assert!(piece.iter().all(|&byte| usize::from(byte) == index % 4 + 1));
        }
    });
}

#[test]
fn default_backends_are_new_ones() {
    assert!(RealVfs::default().clock().wall_nanos() > 0);
    assert!(MemoryVfs::default().list("/".as_ref()).unwrap().is_empty());
}
