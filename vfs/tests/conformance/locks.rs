//! Locks between handles of one process.

use hexxladb_vfs::{LockKind, LockOutcome, OpenMode};

use super::{Place, on_each};

fn handle(place: &Place) -> std::sync::Arc<dyn hexxladb_vfs::File> {
    place.open("lock", OpenMode::Create)
}

fn is_held(outcome: &LockOutcome) -> bool {
    matches!(outcome, LockOutcome::Held { .. })
}

#[test]
fn every_pair_of_locks_is_judged() {
    use LockKind::{Exclusive, Shared};
    on_each(|place| {
        for (first, second, both) in [
            (Shared, Shared, true),
            (Shared, Exclusive, false),
            (Exclusive, Shared, false),
            (Exclusive, Exclusive, false),
        ] {
            let (one, two) = (handle(place), handle(place));
            assert_eq!(one.try_lock(first).unwrap(), LockOutcome::Acquired);
            let outcome = two.try_lock(second).unwrap();
            assert_eq!(outcome == LockOutcome::Acquired, both, "{first:?}, then {second:?}");
        }
    });
}

#[test]
fn a_lock_ends_with_its_own_handle_only() {
    on_each(|place| {
        let (one, two) = (handle(place), handle(place));
        one.try_lock(LockKind::Exclusive).unwrap();
        assert!(is_held(&two.try_lock(LockKind::Exclusive).unwrap()));
        drop(handle(place));
        drop(two);
        let three = handle(place);
        assert!(is_held(&three.try_lock(LockKind::Shared).unwrap()), "others' end is not its end");
        drop(one);
        assert_eq!(three.try_lock(LockKind::Exclusive).unwrap(), LockOutcome::Acquired);
    });
}

#[test]
fn the_last_reader_makes_way_for_a_writer() {
    on_each(|place| {
        let (one, two, writer) = (handle(place), handle(place), handle(place));
        one.try_lock(LockKind::Shared).unwrap();
        two.try_lock(LockKind::Shared).unwrap();
        drop(one);
        assert!(is_held(&writer.try_lock(LockKind::Exclusive).unwrap()));
        drop(two);
        assert_eq!(writer.try_lock(LockKind::Exclusive).unwrap(), LockOutcome::Acquired);
    });
}

#[test]
fn locks_of_different_files_do_not_meet() {
    on_each(|place| {
        let (one, other) = (handle(place), place.open("other", OpenMode::Create));
        one.try_lock(LockKind::Exclusive).unwrap();
        assert_eq!(other.try_lock(LockKind::Exclusive).unwrap(), LockOutcome::Acquired);
    });
}

#[test]
fn a_lock_is_advisory() {
    on_each(|place| {
        let (one, two) = (handle(place), handle(place));
        one.try_lock(LockKind::Exclusive).unwrap();
        assert_eq!(two.write_at(0, b"x").unwrap(), 1);
        assert_eq!(two.read_at(0, &mut [0; 4]).unwrap(), 1);
    });
}

#[test]
fn a_reader_can_hold_a_lock_through_a_handle_that_only_reads() {
    on_each(|place| {
        drop(handle(place));
        let reader = place.open("lock", OpenMode::Read);
        assert_eq!(reader.try_lock(LockKind::Shared).unwrap(), LockOutcome::Acquired);
        assert!(is_held(&handle(place).try_lock(LockKind::Exclusive).unwrap()));
    });
}

#[test]
fn the_holder_is_named_where_the_system_tells() {
    on_each(|place| {
        let (one, two) = (handle(place), handle(place));
        one.try_lock(LockKind::Exclusive).unwrap();
        let outcome = two.try_lock(LockKind::Shared).unwrap();
        let expected = match place.backend {
            "real" if cfg!(target_os = "linux") => Some(std::process::id()),
            "real" => None,
            "memory" => Some(std::process::id()),
            _ => Some(1),
        };
        assert_eq!(outcome, LockOutcome::Held { holder: expected });
    });
}
