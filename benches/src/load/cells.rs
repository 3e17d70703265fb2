//! The cells that every workload stores: a filled lattice around the origin, each cell with a
//! source, a tag of a hundred and content of its own.

use std::path::Path;

use hexxladb::{Cell, Coord, Db, Durability, Error, Options, PackedCoord};

use crate::Result;

/// Cells of one transaction of the load.
const BATCH_CELLS: usize = 10_000;

/// The first `count` coordinates of the spiral around the origin, in Morton order.
pub(super) fn coords(count: u64) -> Result<Vec<Coord>> {
    let spiral = Coord::new(0, 0)?.spiral(u32::MAX).take(count as usize);
    let mut packed: Vec<PackedCoord> = spiral.map(PackedCoord::from).collect();
    packed.sort_unstable();
    Ok(packed.into_iter().map(Coord::from).collect())
}

/// The cell at a coordinate in its version `version`.
pub(super) fn cell(coord: Coord, version: u64) -> Cell {
    let number = coord.q().unsigned_abs() * 7 + coord.r().unsigned_abs();
    let text =
        format!("{coord} says what it said {version} times before, and a little more of it.");
    Cell::new(text).with_source("load").with_tags([format!("tag{}", number % 100)])
}

/// Options of the load and of what is measured.
pub(super) fn options() -> Options {
    Options::new()
}

/// Puts a version of every cell, in batches; `decorate` may change each cell first.
pub(super) fn fill(
    db: &Db,
    coords: &[Coord],
    version: u64,
    decorate: impl Fn(usize, Cell) -> Cell,
) -> Result<()> {
    for (batch, coords) in coords.chunks(BATCH_CELLS).enumerate() {
        db.update(|tx| {
            coords.iter().enumerate().try_for_each(|(index, &coord)| {
                let cell = decorate(batch * BATCH_CELLS + index, cell(coord, version));
                tx.put_cell(coord, &cell)
            })
        })?;
    }
    Ok(())
}

/// A database with one version of every cell, closed and opened again.
pub(super) fn filled(
    dir: &Path,
    coords: &[Coord],
    decorate: impl Fn(usize, Cell) -> Cell,
) -> Result<Db> {
    let path = dir.join("db");
    let db = Db::open(&path, options().durability(Durability::Buffered))?;
    fill(&db, coords, 0, decorate)?;
    db.close()?;
    Ok(Db::open(&path, options())?)
}

/// A cell that must be there.
pub(super) fn expect(cell: Option<Cell>, coord: Coord) -> Result<Cell> {
    Ok(cell.ok_or(Error::CellNotFound { coord })?)
}
