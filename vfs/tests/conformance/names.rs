//! Names: opening, renaming, removing and listing.

use std::path::PathBuf;

use hexxladb_vfs::{ErrorKind, FileExt, Op, OpenMode};

use super::{Place, contents, on_each, real};

const MODES: [OpenMode; 4] =
    [OpenMode::Read, OpenMode::ReadWrite, OpenMode::Create, OpenMode::CreateNew];

fn open_error(place: &Place, name: &str, mode: OpenMode) -> ErrorKind {
    let error = place.vfs.open(&place.path(name), mode).unwrap_err();
    assert_eq!((error.op(), error.path()), (Op::Open, place.path(name).as_path()));
    error.kind()
}

#[test]
fn a_missing_file_opens_only_where_it_may_be_made() {
    on_each(|place| {
        for mode in MODES {
            let name = format!("{mode:?}");
            if matches!(mode, OpenMode::Create | OpenMode::CreateNew) {
                place.open(&name, mode).write_all_at(0, b"x").unwrap();
                assert!(place.vfs.exists(&place.path(&name)).unwrap());
            } else {
                assert_eq!(open_error(place, &name, mode), ErrorKind::NotFound);
                assert!(!place.vfs.exists(&place.path(&name)).unwrap());
            }
        }
    });
}

#[test]
fn an_existing_file_opens_untouched_unless_it_must_be_new() {
    on_each(|place| {
        place.file_of("a", b"hello");
        for mode in MODES {
            if mode == OpenMode::CreateNew {
                assert_eq!(open_error(place, "a", mode), ErrorKind::AlreadyExists);
            } else {
                assert_eq!(contents(&*place.open("a", mode)), b"hello");
            }
        }
        assert_eq!(contents(&*place.open("a", OpenMode::Read)), b"hello");
    });
}

#[test]
fn a_renamed_file_keeps_its_bytes_and_handles() {
    on_each(|place| {
        let file = place.file_of("a", b"hello");
        place.vfs.rename(&place.path("a"), &place.path("b")).unwrap();
        assert!(!place.vfs.exists(&place.path("a")).unwrap());
        file.write_all_at(0, b"J").unwrap();
        assert_eq!(contents(&*place.open("b", OpenMode::Read)), b"Jello");
        assert_eq!(open_error(place, "a", OpenMode::Read), ErrorKind::NotFound);
    });
}

#[test]
fn renaming_over_an_open_file_leaves_its_handles_the_old_one() {
    on_each(|place| {
        let old = place.file_of("a", b"old");
        let new = place.file_of("b", b"new!");
        place.vfs.rename(&place.path("b"), &place.path("a")).unwrap();
        old.write_all_at(3, b"er").unwrap();
        assert_eq!(contents(&*old), b"older");
        assert_eq!(contents(&*place.open("a", OpenMode::Read)), b"new!");
        new.write_all_at(0, b"N").unwrap();
        assert_eq!(contents(&*place.open("a", OpenMode::Read)), b"New!");
        assert_eq!(place.vfs.list(&place.dir).unwrap(), [PathBuf::from("a")]);
    });
}

#[test]
fn renaming_to_its_own_name_changes_nothing() {
    on_each(|place| {
        place.file_of("a", b"hello");
        place.vfs.rename(&place.path("a"), &place.path("a")).unwrap();
        assert_eq!(contents(&*place.open("a", OpenMode::Read)), b"hello");
    });
}

#[test]
fn a_missing_file_is_neither_renamed_nor_removed() {
    on_each(|place| {
        place.file_of("b", b"kept");
        let error = place.vfs.rename(&place.path("a"), &place.path("b")).unwrap_err();
        assert_eq!((error.op(), error.kind()), (Op::Rename, ErrorKind::NotFound));
        assert_eq!(error.path(), place.path("a"));
        let error = place.vfs.remove(&place.path("a")).unwrap_err();
        assert_eq!((error.op(), error.kind()), (Op::Remove, ErrorKind::NotFound));
        assert_eq!(contents(&*place.open("b", OpenMode::Read)), b"kept");
    });
}

#[test]
fn a_removed_file_lives_on_in_its_handles_only() {
    on_each(|place| {
        let old = place.file_of("a", b"old");
        place.vfs.remove(&place.path("a")).unwrap();
        assert!(!place.vfs.exists(&place.path("a")).unwrap());
        assert_eq!(contents(&*old), b"old");
        let new = place.create("a");
        old.write_all_at(0, b"O").unwrap();
        assert!(new.is_empty().unwrap());
        assert_eq!(contents(&*old), b"Old");
        old.sync_all().unwrap();
    });
}

#[test]
fn a_list_is_sorted_and_of_one_directory() {
    on_each(|place| {
        let empty: [PathBuf; 0] = [];
        assert_eq!(place.vfs.list(&place.dir).unwrap(), empty);
        for name in ["b", "a-2", "a", "B", "a10", "a2"] {
            place.create(name);
        }
        place.vfs.remove(&place.path("B")).unwrap();
        let names = place.vfs.list(&place.dir).unwrap();
        assert_eq!(names, ["a", "a-2", "a10", "a2", "b"].map(PathBuf::from));
        let parent = place.vfs.list(place.dir.parent().unwrap()).unwrap();
        assert!(!parent.contains(&PathBuf::from("a10")), "of that directory, not below");
    });
}

#[test]
fn free_space_is_some_or_unknown() {
    on_each(|place| {
        let free = place.vfs.free_space(&place.dir).unwrap();
        assert!(free.is_none_or(|bytes| bytes > 4_096), "{free:?}");
    });
}

/// Only the real file system has directories that can be missing.
#[test]
fn a_missing_directory_is_an_error_of_the_real_file_system() {
    let place = real();
    let missing = place.path("missing");
    let vfs = &place.vfs;
    let inside = missing.join("a");
    let errors = [
        (Op::List, vfs.list(&missing).unwrap_err()),
        (Op::SyncDir, vfs.sync_dir(&missing).unwrap_err()),
        (Op::FreeSpace, vfs.free_space(&missing).unwrap_err()),
        (Op::Open, vfs.open(&inside, OpenMode::Create).unwrap_err()),
    ];
    for (op, error) in errors {
        assert_eq!((error.op(), error.kind()), (op, ErrorKind::NotFound), "{error}");
    }
    assert!(!vfs.exists(&inside).unwrap());
}

#[test]
fn directories_are_not_listed_among_the_files() {
    let place = real();
    std::fs::create_dir(place.path("below")).unwrap();
    place.create("a");
    assert_eq!(place.vfs.list(&place.dir).unwrap(), [PathBuf::from("a")]);
}

#[test]
fn an_error_says_what_was_tried_on_which_file() {
    on_each(|place| {
        let error = place.vfs.open(&place.path("a"), OpenMode::Read).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("cannot open "), "{text}");
        assert!(text.contains(&place.path("a").display().to_string()), "{text}");
        assert!(std::error::Error::source(&error).is_some());
    });
}
