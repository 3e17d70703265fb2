//! Bytes in files: what is written is read, nothing else is, and the ends behave.

use std::io::{IoSlice, IoSliceMut};

use hexxladb_vfs::{Error, ErrorKind, File, FileExt, Op, OpenMode};

use super::{contents, on_each};

/// Reading at exactly this place, without completing short counts past the end.
fn read(file: &dyn File, offset: u64, count: usize) -> Vec<u8> {
    let mut bytes = vec![0xEE; count];
    let got = file.read_up_to(offset, &mut bytes).unwrap();
    bytes.truncate(got);
    bytes
}

#[test]
fn a_new_file_is_empty() {
    on_each(|place| {
        let file = place.create("a");
        assert_eq!(file.len().unwrap(), 0);
        assert!(file.is_empty().unwrap());
        assert_eq!(file.read_at(0, &mut [0; 8]).unwrap(), 0);
        file.write_all_at(0, b"x").unwrap();
        assert!(!file.is_empty().unwrap());
    });
}

#[test]
fn what_is_written_is_read_at_any_place() {
    on_each(|place| {
        let file = place.create("a");
        // Across the borders of sectors, pages and blocks of every backend.
        let mut model = vec![0; 200_000];
        for (turn, &offset) in [0, 511, 512, 4_000, 65_535, 65_536, 131_000].iter().enumerate() {
            let bytes: Vec<u8> = (0..3_000_usize).map(|i| (i * 7 + turn * 31) as u8).collect();
            file.write_all_at(offset as u64, &bytes).unwrap();
            model[offset..offset + bytes.len()].copy_from_slice(&bytes);
        }
        model.truncate(134_000);
        assert_eq!(contents(&*file), model);
        assert_eq!(read(&*file, 65_000, 1_000), model[65_000..66_000]);
    });
}

#[test]
fn overwriting_changes_just_those_bytes() {
    on_each(|place| {
        let file = place.file_of("a", &[1; 2_000]);
        file.write_all_at(700, &[2; 10]).unwrap();
        let mut model = vec![1; 2_000];
        model[700..710].fill(2);
        assert_eq!(contents(&*file), model);
    });
}

#[test]
fn a_read_ends_with_the_file() {
    on_each(|place| {
        let file = place.file_of("a", b"hello");
        assert_eq!(read(&*file, 3, 100), b"lo");
        assert_eq!(read(&*file, 5, 100), b"");
        assert_eq!(read(&*file, 6, 100), b"");
        assert_eq!(read(&*file, i64::MAX as u64 - 4_096, 100), b"");
        assert_eq!(file.read_at(0, &mut []).unwrap(), 0);
    });
}

#[test]
fn reading_more_than_there_is_is_an_error_when_all_is_wanted() {
    on_each(|place| {
        let file = place.file_of("a", b"hello");
        let mut bytes = [0; 5];
        file.read_exact_at(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"hello");
        let error = file.read_exact_at(1, &mut bytes).unwrap_err();
        assert_eq!((error.op(), error.kind()), (Op::Read, ErrorKind::UnexpectedEof));
        assert_eq!(error.path(), place.path("a"));
    });
}

#[test]
fn an_empty_write_changes_nothing() {
    on_each(|place| {
        let file = place.file_of("a", b"hello");
        assert_eq!(file.write_at(100, b"").unwrap(), 0);
        assert_eq!(file.write_vectored_at(100, &[]).unwrap(), 0);
        assert_eq!(file.write_vectored_at(100, &[IoSlice::new(b"")]).unwrap(), 0);
        assert_eq!(file.len().unwrap(), 5);
    });
}

#[test]
fn a_gap_reads_as_zeros() {
    on_each(|place| {
        let file = place.file_of("a", b"start");
        file.write_all_at(150_000, b"end").unwrap();
        let mut model = vec![0; 150_003];
        model[..5].copy_from_slice(b"start");
        model[150_000..].copy_from_slice(b"end");
        assert_eq!(contents(&*file), model);
    });
}

#[test]
fn cut_bytes_never_come_back() {
    on_each(|place| {
        for len in [0, 1, 511, 512, 700, 4_096, 65_536, 99_999] {
            let name = format!("cut to {len}");
            let file = place.file_of(&name, &vec![9; 100_000]);
            file.set_len(len).unwrap();
            assert_eq!(file.len().unwrap(), len);
            file.set_len(100_000).unwrap();
            let bytes = contents(&*file);
            let kept = usize::try_from(len).unwrap();
            assert!(bytes[..kept].iter().all(|&byte| byte == 9), "{len}");
            assert!(bytes[kept..].iter().all(|&byte| byte == 0), "{len}");
        }
    });
}

#[test]
fn a_write_past_a_cut_leaves_zeros_between() {
    on_each(|place| {
        let file = place.file_of("a", &[9; 3_000]);
        file.set_len(1_000).unwrap();
        file.write_all_at(2_000, &[8; 10]).unwrap();
        let bytes = contents(&*file);
        assert_eq!(bytes.len(), 2_010);
        assert!(bytes[1_000..2_000].iter().all(|&byte| byte == 0));
    });
}

#[test]
fn allocating_lengthens_with_zeros_and_never_cuts() {
    on_each(|place| {
        let file = place.file_of("a", b"hello");
        file.allocate(0).unwrap();
        file.allocate(3).unwrap();
        assert_eq!(contents(&*file), b"hello");
        file.allocate(70_000).unwrap();
        let mut model = vec![0; 70_000];
        model[..5].copy_from_slice(b"hello");
        assert_eq!(contents(&*file), model);
    });
}

#[test]
fn vectored_writes_and_reads_are_those_of_one_buffer() {
    on_each(|place| {
        let file = place.create("a");
        let parts: [&[u8]; 4] = [b"one", b"", b"two", &[3; 5_000]];
        let whole = parts.concat();
        let slices = parts.map(IoSlice::new);
        assert_eq!(file.write_vectored_at(7, &slices).unwrap(), whole.len());
        assert_eq!(read(&*file, 7, 10_000), whole);
        let (mut a, mut b, mut c) = ([0; 4], [0; 0], [0; 1_000]);
        let mut bufs = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b), IoSliceMut::new(&mut c)];
        assert_eq!(file.read_vectored_at(8, &mut bufs).unwrap(), 1_004);
        assert_eq!([&a[..], &c[..]].concat(), whole[1..1_005]);
    });
}

#[test]
fn a_vectored_read_ends_with_the_file() {
    on_each(|place| {
        let file = place.file_of("a", b"hello");
        let (mut a, mut b) = ([0xEE; 3], [0xEE; 3]);
        let mut bufs = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
        assert_eq!(file.read_vectored_at(1, &mut bufs).unwrap(), 4);
        assert_eq!((&a, &b[..1]), (b"ell", &b"o"[..]));
        assert_eq!(file.read_vectored_at(5, &mut [IoSliceMut::new(&mut a)]).unwrap(), 0);
        assert_eq!(file.read_vectored_at(0, &mut []).unwrap(), 0);
    });
}

/// More buffers than the system takes at once are a short count, not an error.
#[test]
fn very_many_buffers_are_served_at_least_in_part() {
    on_each(|place| {
        let file = place.create("a");
        let slices = vec![IoSlice::new(b"ab"); 3_000];
        let written = file.write_vectored_at(0, &slices).unwrap();
        assert!(written > 0 && written <= 6_000);
        assert_eq!(contents(&*file), b"ab".repeat(written / 2));
        let mut bytes = vec![0; 6_000];
        let mut bufs: Vec<_> = bytes.chunks_mut(2).map(IoSliceMut::new).collect();
        assert_eq!(file.read_vectored_at(0, &mut bufs).unwrap(), written);
    });
}

#[test]
fn a_handle_for_reading_does_not_write() {
    on_each(|place| {
        place.file_of("a", b"hello");
        let file = place.open("a", OpenMode::Read);
        let refused = |op: Op, error: Error| {
            assert_eq!((error.op(), error.kind()), (op, ErrorKind::PermissionDenied));
            assert_eq!(error.path(), place.path("a"));
        };
        refused(Op::Write, file.write_at(0, b"x").unwrap_err());
        refused(Op::Write, file.write_vectored_at(0, &[IoSlice::new(b"x")]).unwrap_err());
        refused(Op::SetLen, file.set_len(0).unwrap_err());
        refused(Op::Allocate, file.allocate(100).unwrap_err());
        assert_eq!(contents(&*file), b"hello");
    });
}

#[test]
fn offsets_beyond_every_disk_are_errors() {
    on_each(|place| {
        let file = place.file_of("a", b"hello");
        for offset in [i64::MAX as u64, u64::MAX - 3, u64::MAX] {
            let error = file.write_at(offset, b"xyz!").unwrap_err();
            assert_eq!(error.op(), Op::Write);
            let known = [ErrorKind::InvalidInput, ErrorKind::FileTooLarge];
            assert!(known.contains(&error.kind()), "{error}");
        }
        assert_eq!(file.set_len(u64::MAX).unwrap_err().op(), Op::SetLen);
        assert_eq!(file.allocate(u64::MAX).unwrap_err().op(), Op::Allocate);
        assert_eq!(contents(&*file), b"hello");
    });
}

#[test]
fn handles_of_one_file_see_each_other() {
    on_each(|place| {
        let one = place.file_of("a", b"hello");
        let two = place.open("a", OpenMode::ReadWrite);
        let reader = place.open("a", OpenMode::Read);
        two.write_all_at(0, b"J").unwrap();
        assert_eq!(contents(&*one), b"Jello");
        assert_eq!(contents(&*reader), b"Jello");
        one.set_len(2).unwrap();
        assert_eq!(reader.len().unwrap(), 2);
    });
}

#[test]
fn a_handle_knows_its_path_and_sector() {
    on_each(|place| {
        let file = place.create("a");
        assert_eq!(file.path(), place.path("a"));
        assert!(file.sector_bytes() >= 512 && file.sector_bytes().is_power_of_two());
    });
}
