//! The calls that make things durable succeed and change nothing that can be read.

use hexxladb_vfs::OpenMode;

use super::{contents, on_each};

#[test]
fn syncs_succeed_and_change_no_byte() {
    on_each(|place| {
        let file = place.file_of("a", b"hello");
        file.sync_data().unwrap();
        file.sync_all().unwrap();
        file.sync_data().unwrap();
        place.vfs.sync_dir(&place.dir).unwrap();
        assert_eq!(contents(&*file), b"hello");
        file.set_len(2).unwrap();
        file.sync_all().unwrap();
        assert_eq!(contents(&*file), b"he");
    });
}

/// Opening read-only syncs before it shows anything, so a reader's handle must be able to.
#[test]
fn a_handle_for_reading_syncs() {
    on_each(|place| {
        place.file_of("a", b"hello");
        let reader = place.open("a", OpenMode::Read);
        reader.sync_data().unwrap();
        reader.sync_all().unwrap();
    });
}

#[test]
fn syncing_a_directory_follows_every_change() {
    on_each(|place| {
        place.create("a");
        place.vfs.sync_dir(&place.dir).unwrap();
        place.vfs.rename(&place.path("a"), &place.path("b")).unwrap();
        place.vfs.sync_dir(&place.dir).unwrap();
        place.vfs.remove(&place.path("b")).unwrap();
        place.vfs.sync_dir(&place.dir).unwrap();
        assert!(place.vfs.list(&place.dir).unwrap().is_empty());
    });
}
