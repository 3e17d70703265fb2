//! Files changed while nothing runs.

use std::path::{Path, PathBuf};

use hexxladb_vfs::sim::{FaultKind, SimVfs};
use hexxladb_vfs::{FileExt, OpenMode, Vfs};

use super::{A, B, durable_file, in_cache, on_disk, open};

#[test]
fn every_edit_is_durable_and_seen() {
    let vfs = SimVfs::new(1);
    durable_file(&vfs, A, b"abcdefgh");
    let a = Path::new(A);
    vfs.power_cut_with(&"-".parse().unwrap());
    let steps: [(&dyn Fn() -> bool, &[u8]); 8] = [
        (&|| vfs.zero_file(a, 2..4), b"ab\0\0efgh"),
        (&|| vfs.flip(a, 0, 1), b"`b\0\0efgh"),
        (&|| vfs.duplicate_range(a, 4..6, 0), b"ef\0\0efgh"),
        (&|| vfs.duplicate_range(a, 4..8, 6), b"ef\0\0efefgh"),
        (&|| vfs.cut_file(a, 5), b"ef\0\0e"),
        (&|| vfs.cut_file(a, 50), b"ef\0\0e"),
        (&|| vfs.edit(a, |bytes| bytes.extend(b"!")), b"ef\0\0e!"),
        (&|| vfs.zero_file(a, 4..400) && vfs.flip(a, 400, 1), b"ef\0\0\0\0"),
    ];
    for (step, expected) in steps {
        assert!(step());
        assert_eq!(on_disk(&vfs, A).unwrap(), expected);
        assert_eq!(in_cache(&*open(&vfs, A)), expected);
        assert!(vfs.pending().is_empty());
    }
    assert!(vfs.fired().count(FaultKind::Edit) >= 8);
    assert!(!vfs.cut_file(Path::new(B), 0), "there is no such file");
}

#[test]
fn files_of_two_worlds_can_be_mixed() {
    let (one, two) = (SimVfs::new(1), SimVfs::new(2));
    durable_file(&one, A, b"of one");
    durable_file(&two, A, b"of two");
    two.write_file(Path::new(B), &one.read_file(Path::new(A)).unwrap());
    assert_eq!(two.files(), [A, B].map(PathBuf::from));
    assert_eq!(in_cache(&*two.open(Path::new(B), OpenMode::Read).unwrap()), b"of one");
    assert!(two.remove_file(Path::new(A)));
    assert!(!two.remove_file(Path::new(A)));
    two.power_cut_with(&"-".parse().unwrap());
    assert_eq!(two.files(), [PathBuf::from(B)]);
    assert_eq!(on_disk(&one, A).unwrap(), b"of one");
}

#[test]
fn writing_goes_on_after_an_edit() {
    let vfs = SimVfs::new(1);
    durable_file(&vfs, A, &[1; 1000]);
    vfs.cut_file(Path::new(A), 10);
    let file = open(&vfs, A);
    file.write_all_at(20, b"x").unwrap();
    file.sync_data().unwrap();
    let mut expected = vec![1; 10];
    expected.extend([0; 10]);
    expected.push(b'x');
    assert_eq!(on_disk(&vfs, A).unwrap(), expected);
}
