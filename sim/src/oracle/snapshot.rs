//! One snapshot against the model: forwards, backwards, from both ends at once, by key.

use std::ops::Bound;
use std::sync::Arc;

use hexxladb::{Bytes, Cell, Coord, Error, PackedCoord, ReadTx, WriteTx};

use super::{Check, Excuses, Kind, brief, fail, same};
use crate::model::{Content, Draft, Id, Model, morton};
use crate::op::{Key, Pos};

/// Point reads per snapshot; of more records every n-th is read.
const POINT_READS: usize = 48;

type Result<T> = std::result::Result<T, Error>;

/// The reads that snapshots and write transactions share.
pub trait Reads {
    /// A raw record.
    ///
    /// # Errors
    /// The engine's.
    fn raw(&self, key: &[u8]) -> Result<Option<Bytes>>;
    /// A cell.
    ///
    /// # Errors
    /// The engine's.
    fn cell(&self, coord: Coord) -> Result<Option<Cell>>;
    /// Raw records of a range.
    fn raws(
        &self,
        range: (Bound<&[u8]>, Bound<&[u8]>),
    ) -> impl DoubleEndedIterator<Item = Result<(Id, Content)>>;
    /// Cells of a range.
    fn cells_in(
        &self,
        range: (Bound<PackedCoord>, Bound<PackedCoord>),
    ) -> impl DoubleEndedIterator<Item = Result<(Id, Content)>>;
}

/// A raw record as the model names and holds it.
fn raw_item(key: &[u8], value: &[u8]) -> (Id, Content) {
    (Id::Raw(key.to_vec()), Content::Raw(value.into()))
}

/// A cell as the model names and holds it.
fn cell_item(coord: Coord, cell: Cell) -> (Id, Content) {
    (Id::cell(Pos { q: coord.q(), r: coord.r() }), Content::Cell(Arc::new(cell)))
}

macro_rules! reads {
    ($($type:ty),*) => {$(
        impl Reads for $type {
            fn raw(&self, key: &[u8]) -> Result<Option<Bytes>> {
                self.get(key)
            }
            fn cell(&self, coord: Coord) -> Result<Option<Cell>> {
                self.get_cell(coord)
            }
            fn raws(
                &self,
                range: (Bound<&[u8]>, Bound<&[u8]>),
            ) -> impl DoubleEndedIterator<Item = Result<(Id, Content)>> {
                self.scan::<&[u8]>(range).map(|item| item.map(|(key, value)| raw_item(&key, &value)))
            }
            fn cells_in(
                &self,
                range: (Bound<PackedCoord>, Bound<PackedCoord>),
            ) -> impl DoubleEndedIterator<Item = Result<(Id, Content)>> {
                self.cells(range).map(|item| item.map(|(coord, cell)| cell_item(coord, cell)))
            }
        }
    )*};
}
reads!(ReadTx, WriteTx);

/// Reads a snapshot in every way and compares it with the model at `seq`.
///
/// # Errors
/// When they differ, or at an error.
pub fn snapshot(view: &ReadTx, model: &Model, seq: u64, excuses: &Excuses) -> Check {
    same("sequence of a snapshot", &view.seq(), &seq)?;
    let state: Vec<_> = model.state(seq).collect();
    whole(view, &state, excuses)?;
    let ids: Vec<_> = model.ids(model.head()).collect();
    for id in ids.iter().step_by(ids.len().div_ceil(POINT_READS).max(1)) {
        point(view, id, model.get(id, seq), excuses)?;
    }
    let hash = excuses.take("history_hash", view.history_hash())?;
    same("history hash of a snapshot", &hash, &model.hash_at(seq))?;
    let commit = excuses.take("commit of a snapshot", view.commit(seq))?;
    same(
        "commit of a snapshot",
        &commit.map(|commit| (commit.seq, commit.time.as_nanos(), commit.note)),
        &model.commit(seq).map(|commit| (seq, commit.time, commit.note.clone())),
    )
}

/// Reads a write transaction in every way and compares it with the model's.
///
/// # Errors
/// When they differ, or at an error.
pub fn transaction(tx: &WriteTx, model: &Model, draft: &Draft, excuses: &Excuses) -> Check {
    let state = draft.state(model);
    let state: Vec<_> = state.iter().map(|(id, content)| (id, content)).collect();
    whole(tx, &state, excuses)
}

fn whole(view: &impl Reads, state: &[(&Id, &Content)], excuses: &Excuses) -> Check {
    let (raws, cells) = state.split_at(state.partition_point(|(id, _)| matches!(id, Id::Raw(_))));
    let every_raw = || view.raws((Bound::Unbounded, Bound::Unbounded));
    let every_cell = || view.cells_in((Bound::Unbounded, Bound::Unbounded));
    forwards("raw scan", every_raw(), raws, excuses)?;
    backwards("raw scan", every_raw(), raws, excuses)?;
    both_ends("raw scan", every_raw(), raws, excuses)?;
    forwards("cell scan", every_cell(), cells, excuses)?;
    backwards("cell scan", every_cell(), cells, excuses)?;
    both_ends("cell scan", every_cell(), cells, excuses)
}

/// Reads one record by its name.
///
/// # Errors
/// When it is not what is expected, or at an error.
pub fn point(view: &impl Reads, id: &Id, expected: Option<&Content>, excuses: &Excuses) -> Check {
    let right = match (id, expected) {
        (Id::Raw(key), expected) => {
            let found = excuses.take("get", view.raw(key))?;
            match (&found, expected) {
                (None, None) => true,
                (Some(found), Some(Content::Raw(expected))) => found[..] == expected[..],
                _ => false,
            }
        }
        (Id::Cell(_, pos), expected) => {
            let found = excuses.take("get_cell", view.cell(pos.coord()))?;
            match (&found, expected) {
                (None, None) => true,
                (Some(found), Some(Content::Cell(expected))) => found == &**expected,
                _ => false,
            }
        }
    };
    if right {
        return Ok(());
    }
    let expected = if expected.is_some() { "another value" } else { "none" };
    fail(Kind::Wrong, "point read", format!("{}: expected {expected}", brief(id)))
}

type Item = Result<(Id, Content)>;

fn forwards(
    label: &'static str,
    mut items: impl DoubleEndedIterator<Item = Item>,
    expected: &[(&Id, &Content)],
    excuses: &Excuses,
) -> Check {
    for wanted in expected {
        take_one(label, "forwards", items.next(), Some(*wanted), excuses, || {
            items.next().is_none()
        })?;
    }
    take_one(label, "forwards", items.next(), None, excuses, || true)
}

fn backwards(
    label: &'static str,
    mut items: impl DoubleEndedIterator<Item = Item>,
    expected: &[(&Id, &Content)],
    excuses: &Excuses,
) -> Check {
    for wanted in expected.iter().rev() {
        take_one(label, "backwards", items.next_back(), Some(*wanted), excuses, || {
            items.next_back().is_none()
        })?;
    }
    take_one(label, "backwards", items.next_back(), None, excuses, || true)
}

/// One from the front, two from the back, until they meet.
fn both_ends(
    label: &'static str,
    mut items: impl DoubleEndedIterator<Item = Item>,
    expected: &[(&Id, &Content)],
    excuses: &Excuses,
) -> Check {
    let mut left = expected;
    let mut turn = 0;
    while let Some((&first, &last)) = left.first().zip(left.last()) {
        let front = turn % 3 == 0;
        let (item, wanted) = if front {
            left = &left[1..];
            (items.next(), first)
        } else {
            left = &left[..left.len() - 1];
            (items.next_back(), last)
        };
        take_one(label, "from both ends", item, Some(wanted), excuses, || true)?;
        turn += 1;
    }
    take_one(label, "from both ends", items.next_back(), None, excuses, || true)?;
    take_one(label, "from both ends", items.next(), None, excuses, || true)
}

/// Judges one step of an iterator; `fused` says whether it ends after an error.
fn take_one(
    label: &'static str,
    way: &str,
    item: Option<Item>,
    wanted: Option<(&Id, &Content)>,
    excuses: &Excuses,
    fused: impl FnOnce() -> bool,
) -> Check {
    match (item, wanted) {
        (None, None) => Ok(()),
        (Some(Ok(found)), Some(wanted)) if (&found.0, &found.1) == wanted => Ok(()),
        (Some(Err(error)), _) => {
            if !fused() {
                return fail(Kind::Wrong, label, format!("goes on {way} after {error}"));
            }
            Err(excuses.stop(label, &error))
        }
        (Some(Ok((id, content))), wanted) => {
            let (id, content) = (brief(&id), brief(&content));
            let wanted = wanted.map_or("the end".into(), |item| brief(&item));
            fail(Kind::Wrong, label, format!("{way}: {id} {content}, expected {wanted}"))
        }
        (None, Some((id, _))) => {
            fail(Kind::Wrong, label, format!("{way}: the end, expected {}", brief(id)))
        }
    }
}

/// The first and the last `limit` raw records of a range.
///
/// # Errors
/// When they are not the model's, or at an error.
pub fn raw_range(
    view: &ReadTx,
    model: &Model,
    range: (&Key, &Key),
    limit: u32,
    excuses: &Excuses,
) -> Check {
    let (from, to) = (range.0.0.as_slice(), range.1.0.as_slice());
    let inside =
        |id: &Id| matches!(id, Id::Raw(key) if from <= key.as_slice() && key.as_slice() < to);
    let wanted: Vec<_> = model.state(view.seq()).filter(|(id, _)| inside(id)).collect();
    // A range that ends before it starts is empty, however the engine says so.
    let items = || view.raws((Bound::Included(from), Bound::Excluded(to.max(from))));
    limited("raw range", items, &wanted, limit, excuses)
}

/// All raw records with a prefix.
///
/// # Errors
/// When they are not the model's, or at an error.
pub fn prefix(view: &ReadTx, model: &Model, prefix: &Key, excuses: &Excuses) -> Check {
    let inside = |id: &Id| matches!(id, Id::Raw(key) if key.starts_with(&prefix.0));
    let wanted: Vec<_> = model.state(view.seq()).filter(|(id, _)| inside(id)).collect();
    let items =
        || view.scan_prefix(&prefix.0).map(|item| item.map(|(key, value)| raw_item(&key, &value)));
    forwards("prefix scan", items(), &wanted, excuses)?;
    backwards("prefix scan", items(), &wanted, excuses)
}

/// The first and the last `limit` cells of a range in Morton order.
///
/// # Errors
/// When they are not the model's, or at an error.
pub fn cell_range(
    view: &ReadTx,
    model: &Model,
    range: (Pos, Pos),
    limit: u32,
    excuses: &Excuses,
) -> Check {
    let (from, to) = if morton(range.0) <= morton(range.1) { range } else { (range.1, range.0) };
    let inside =
        |id: &Id| matches!(id, Id::Cell(place, _) if (morton(from)..=morton(to)).contains(place));
    let wanted: Vec<_> = model.state(view.seq()).filter(|(id, _)| inside(id)).collect();
    let packed = (PackedCoord::from(from.coord()), PackedCoord::from(to.coord()));
    let items = || view.cells_in((Bound::Included(packed.0), Bound::Included(packed.1)));
    limited("cell range", items, &wanted, limit, excuses)
}

fn limited<I: DoubleEndedIterator<Item = Item>>(
    label: &'static str,
    items: impl Fn() -> I,
    wanted: &[(&Id, &Content)],
    limit: u32,
    excuses: &Excuses,
) -> Check {
    let limit = limit as usize;
    if wanted.len() <= limit {
        forwards(label, items(), wanted, excuses)?;
        return backwards(label, items(), wanted, excuses);
    }
    let mut front = items();
    for item in &wanted[..limit] {
        take_one(label, "forwards", front.next(), Some(*item), excuses, || true)?;
    }
    let mut back = items();
    for item in wanted[wanted.len() - limit..].iter().rev() {
        take_one(label, "backwards", back.next_back(), Some(*item), excuses, || true)?;
    }
    Ok(())
}
