//! Edits of cells' tags, facets, edges and seams, and what each must refuse.

use std::sync::Arc;

use hexxladb::{Coord, Error, Facet, Seam, SeamType, Timestamp, Ulid, WriteTx};

use super::edit::{Base, put, refused};
use crate::model::{Content, Delta, Draft, Id};
use crate::op::{Edit, Key, Pos, Value, seam_id};
use crate::oracle::{Check, Kind, brief, facet_id, fail};

/// Relation types up to this length must be accepted, whatever the page size.
const SHORT_RELATION_BYTES: usize = 40;

/// No relation type is longer.
const LONGEST_RELATION_BYTES: usize = 255;

/// Performs an edit on both sides, if it is one of these.
pub(super) fn perform(tx: &mut WriteTx, draft: &mut Draft, base: Base<'_>, edit: &Edit) -> Check {
    match edit {
        Edit::Retag(pos, value) => retag(tx, draft, base, (*pos, *value)),
        Edit::PutFacet(pos, id, value) => {
            let mut facet = value.facet("");
            facet.derivation_hash = [value.seed as u8; 32];
            let result = tx.put_facet(pos.coord(), facet_id(*id), &facet);
            let delta = Delta::Record(Id::facet(*pos, *id), Content::Facet(Arc::new(facet)));
            put("put_facet", result, draft, base, &delta)
        }
        Edit::UpdateFacet(pos, id, value) => update_facet(tx, draft, base, (*pos, *id, *value)),
        Edit::PutEdge(from, to, relation, value) => {
            let result = tx.put_edge(from.coord(), to.coord(), &relation.text(), &value.edge());
            put_edge(result, draft, base, ((*from, *to, relation), value.edge()))
        }
        Edit::Link(from, to, relation, value) => {
            let text = relation.text();
            let result = tx.link_cells(from.coord(), to.coord(), &text, value.weight());
            if let Some(coord) = missing(draft, base, [*from, *to]) {
                return refused("link_cells", result, base.excuses, not_found(coord));
            }
            let edge = hexxladb::Edge::new(value.weight());
            put_edge(result, draft, base, ((*from, *to, relation), edge))
        }
        Edit::PutSeam(number, a, b, value) => {
            let (id, seam) = (seam_id(*number), value.seam(*a, *b));
            let result = tx.put_seam(Ulid(id), &seam);
            put_seam(result, draft, base, (id, seam))
        }
        Edit::Conflict(a, b, value) => {
            let result = tx.mark_conflict(a.coord(), b.coord(), &value.text());
            mark(result, draft, base, (SeamType::Conflict, *a, *b, *value))
        }
        Edit::Supersede(a, b, value) => {
            let result = tx.mark_supersedes(a.coord(), b.coord(), &value.text());
            mark(result, draft, base, (SeamType::Supersedes, *a, *b, *value))
        }
        Edit::Resolve(number, value) => resolve(tx, draft, base, (*number, *value)),
        _ => Ok(()),
    }
}

fn retag(tx: &mut WriteTx, draft: &mut Draft, base: Base<'_>, (pos, value): (Pos, Value)) -> Check {
    let found = base.excuses.take("get_cell", tx.get_cell(pos.coord()))?;
    let known = match draft.get(base.model, &Id::cell(pos)) {
        Some(Content::Cell(cell)) => Some(Arc::clone(cell)),
        _ => None,
    };
    crate::oracle::same("cell to be tagged", &found.as_ref(), &known.as_deref())?;
    let Some(mut cell) = found else { return Ok(()) };
    value.mark_cell(&mut cell);
    let result = tx.put_cell(pos.coord(), &cell);
    let delta = Delta::Record(Id::cell(pos), Content::cell(cell));
    put("put_cell with other tags", result, draft, base, &delta)
}

fn update_facet(
    tx: &mut WriteTx,
    draft: &mut Draft,
    base: Base<'_>,
    (pos, id, value): (Pos, u8, Value),
) -> Check {
    let cell = match draft.get(base.model, &Id::cell(pos)) {
        Some(Content::Cell(cell)) => Some(cell.raw_content.clone()),
        _ => None,
    };
    let stale = value.seed % 5 == 4;
    let from = cell.clone().unwrap_or_default();
    let facet: Facet = value.facet(&if stale { format!("{from}, once") } else { from });
    let result = tx.update_facet(pos.coord(), facet_id(id), &facet);
    if cell.is_none() {
        return refused("update_facet", result, base.excuses, not_found(pos.coord()));
    }
    if stale {
        return refused("update_facet of another text", result, base.excuses, |error| {
            matches!(error, Error::FacetDerivationMismatch { coord, found, .. }
                if *coord == pos.coord() && *found == facet.derivation_hash)
        });
    }
    let delta = Delta::Record(Id::facet(pos, id), Content::Facet(Arc::new(facet)));
    put("update_facet", result, draft, base, &delta)
}

/// The first of two coordinates that has no cell.
fn missing(draft: &Draft, base: Base<'_>, both: [Pos; 2]) -> Option<Coord> {
    let missing = both.into_iter().find(|pos| draft.get(base.model, &Id::cell(*pos)).is_none());
    missing.map(Pos::coord)
}

fn not_found(coord: Coord) -> impl Fn(&Error) -> bool {
    move |error| matches!(error, Error::CellNotFound { coord: found } if *found == coord)
}

fn put_edge(
    result: Result<(), Error>,
    draft: &mut Draft,
    base: Base<'_>,
    ((from, to, relation), edge): ((Pos, Pos, &Key), hexxladb::Edge),
) -> Check {
    let key_too_large = |error: &Error| matches!(error, Error::KeyTooLarge { .. });
    if relation.0.len() > LONGEST_RELATION_BYTES {
        return refused("edge of a long relation type", result, base.excuses, key_too_large);
    }
    if relation.0.len() > SHORT_RELATION_BYTES && result.as_ref().is_err_and(key_too_large) {
        return Ok(());
    }
    let id = Id::edge(from, to, relation.text());
    put("put_edge", result, draft, base, &Delta::Record(id, Content::Edge(Arc::new(edge))))
}

fn put_seam(
    result: Result<(), Error>,
    draft: &mut Draft,
    base: Base<'_>,
    (id, seam): (u128, Seam),
) -> Check {
    let name = Id::Seam(id);
    let old = match draft.get(base.model, &name) {
        Some(Content::Seam(old)) => Some(Arc::clone(old)),
        _ => None,
    };
    if seam.cell_a == seam.cell_b {
        return refused("seam of one cell", result, base.excuses, |error| {
            matches!(error, Error::InvalidRecord { .. })
        });
    }
    if old.as_ref().is_some_and(|old| (old.cell_a, old.cell_b) != (seam.cell_a, seam.cell_b)) {
        return refused(
            "seam of other cells",
            result,
            base.excuses,
            |error| matches!(error, Error::SeamEndpointsFixed { id: told } if *told == Ulid(id)),
        );
    }
    let is_new = old.is_none_or(|old| old.seam_type != SeamType::Supersedes);
    if is_new && closes_circle(draft, base, &seam) {
        return refused("put_seam in a circle", result, base.excuses, is_circle(&seam));
    }
    put("put_seam", result, draft, base, &Delta::Record(name, Content::Seam(Arc::new(seam))))
}

fn closes_circle(draft: &Draft, base: Base<'_>, seam: &Seam) -> bool {
    seam.seam_type == SeamType::Supersedes
        && draft.closes_circle(base.model, seam.cell_a, seam.cell_b)
}

fn is_circle(seam: &Seam) -> impl Fn(&Error) -> bool {
    let (a, b) = (seam.cell_a, seam.cell_b);
    move |error| matches!(error, Error::SupersessionCycle { newer, older } if (*newer, *older) == (a, b))
}

/// A seam that the engine was to give an id.
fn mark(
    result: Result<Ulid, Error>,
    draft: &mut Draft,
    base: Base<'_>,
    (kind, a, b, value): (SeamType, Pos, Pos, Value),
) -> Check {
    if let Some(coord) = missing(draft, base, [a, b]) {
        return refused("seam without cells", result, base.excuses, not_found(coord));
    }
    if a == b {
        return refused("mark of one cell", result, base.excuses, |error| {
            matches!(error, Error::InvalidRecord { .. })
        });
    }
    let mut seam = Seam::new(a.coord(), b.coord(), kind).with_reason(value.text());
    seam.detected_at = Timestamp::from_nanos(base.now);
    if closes_circle(draft, base, &seam) {
        return refused("mark in a circle", result, base.excuses, is_circle(&seam));
    }
    // What the engine answers is the name; one that was given before is none.
    let id = result.as_ref().map_or(0, |id| id.0);
    if result.is_ok() && !draft.is_new_seam(base.model, id) {
        return fail(Kind::Wrong, "id of a new seam", brief(&id));
    }
    let delta = Delta::Record(Id::Seam(id), Content::Seam(Arc::new(seam)));
    put("mark of a seam", result.map(drop), draft, base, &delta)
}

fn resolve(
    tx: &mut WriteTx,
    draft: &mut Draft,
    base: Base<'_>,
    (number, value): (u32, Value),
) -> Check {
    let seams = draft.seams(base.model);
    let (status, note) = value.resolution();
    let chosen = seams.get(number as usize % seams.len().max(1));
    let Some((id, old)) = chosen else {
        let id = Ulid(seam_id(number));
        let result = tx.resolve_seam(id, status, note.as_deref());
        return refused(
            "resolve of no seam",
            result,
            base.excuses,
            |error| matches!(error, Error::SeamNotFound { id: told } if *told == id),
        );
    };
    let mut seam = Seam::clone(old);
    (seam.resolution_status, seam.resolution_note) = (status, note.clone());
    let result = tx.resolve_seam(Ulid(*id), status, note.as_deref());
    let delta = Delta::Record(Id::Seam(*id), Content::Seam(Arc::new(seam)));
    put("resolve_seam", result, draft, base, &delta)
}
