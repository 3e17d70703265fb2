//! One snapshot against the model: every family and every index, from either end and from both at
//! once, by key, around coordinates.

use std::ops::Bound;

use hexxladb::{PackedCoord, ReadTx, RingFilter, SeamFilter, SeamType, Timestamp, WriteTx};

use super::reads::{Reads, Span, facet_id};
use super::walk::{Way, limited, walk};
use super::{Check, Excuses, Kind, Shown, brief, fail, same};
use crate::model::{
    Content, Draft, Family, Id, Index, IndexKey, Model, Place, around, distance, indexed, morton,
};
use crate::op::{Key, Pos};

/// Point reads per snapshot; of more records every n-th is read.
const POINT_READS: usize = 48;

/// How far walks around a coordinate go.
const RING: u32 = 2;

type State<'a> = [(&'a Id, &'a Content)];

/// Reads a snapshot in every way and compares it with the model at `seq`; index by index in one
/// way or, of the newest, in all.
///
/// # Errors
/// When they differ, or at an error.
pub fn snapshot(view: &ReadTx, model: &Model, seq: u64, shown: &Shown, excuses: &Excuses) -> Check {
    same("sequence of a snapshot", &view.seq(), &seq)?;
    let state: Vec<_> = model.state(seq).collect();
    let ways = if seq == shown.head { &Way::ALL[..] } else { &Way::ALL[seq as usize % 3..][..1] };
    whole(view, &state, (model, seq), ways, excuses)?;
    let ids: Vec<_> = model.ids(model.head()).collect();
    for id in ids.iter().step_by(ids.len().div_ceil(POINT_READS).max(1)) {
        point(view, id, model.get(id, seq), excuses)?;
    }
    let hash = excuses.take("history_hash", view.history_hash())?;
    same("history hash of a snapshot", &hash, &model.hash_at(seq))?;
    // What the timeline has lost below the floor is for the check of all commits.
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
    whole(tx, &state, (model, model.head()), &Way::ALL, excuses)
}

const fn scan_label(family: Family) -> &'static str {
    match family {
        Family::Raw => "raw scan",
        Family::Cell => "cell scan",
        Family::Facet => "facet scan",
        Family::Edge => "edge scan",
        Family::Seam => "seam scan",
    }
}

const fn index_label(index: Index) -> &'static str {
    match index {
        Index::CellTag => "cells by tag",
        Index::CellSource => "cells by source",
        Index::CellWeek => "cells by week",
        Index::EdgeTarget => "edges by target",
        Index::SeamCell => "seams by cell",
        Index::SeamSource => "seams by source",
        Index::SeamWeek => "seams by week",
    }
}

fn whole(
    view: &impl Reads,
    state: &State<'_>,
    (model, turn): (&Model, u64),
    index_ways: &[Way],
    excuses: &Excuses,
) -> Check {
    for family in Family::ALL {
        let records = records(state, |id| id.family() == family);
        let ways = if family <= Family::Cell { &Way::ALL[..] } else { index_ways };
        for way in ways {
            walk(scan_label(family), view.family(family), &records, *way, excuses)?;
        }
    }
    let linked = model.linked();
    for index in Index::ALL {
        let entries = entries(index, state, |_| true);
        for way in index_ways {
            match index {
                Index::EdgeTarget | Index::SeamCell => {
                    each_place(view, index, (&linked, &entries), *way, excuses)?;
                }
                _ => {
                    let found = view.index(index, &Span::All);
                    walk(index_label(index), found, &entries, *way, excuses)?;
                }
            }
        }
    }
    let places = if linked.is_empty() || turn % 2 == 0 { model.places() } else { linked };
    if let Some(place) = places.get(turn as usize % places.len().max(1)) {
        let pos = place.pos;
        ring(view, state, (pos, RING), RingFilter::default(), excuses)?;
        seams_around(view, state, (pos, RING), &SeamFilter::default(), excuses)?;
    }
    Ok(())
}

/// An index that is asked coordinate by coordinate, at all that ever stood in it.
fn each_place(
    view: &impl Reads,
    index: Index,
    (places, entries): (&[Place], &[(IndexKey, Id, Content)]),
    way: Way,
    excuses: &Excuses,
) -> Check {
    for place in places {
        let key = IndexKey::Place(*place);
        let from = entries.partition_point(|entry| entry.0 < key);
        let to = entries.partition_point(|entry| entry.0 <= key);
        let found = view.index(index, &Span::At(place.pos));
        walk(index_label(index), found, &entries[from..to], way, excuses)?;
    }
    Ok(())
}

fn records(state: &State<'_>, wanted: impl Fn(&Id) -> bool) -> Vec<(Id, Content)> {
    let wanted = state.iter().filter(|(id, _)| wanted(id));
    wanted.map(|(id, content)| ((*id).clone(), (*content).clone())).collect()
}

fn entries(
    index: Index,
    state: &State<'_>,
    wanted: impl Fn(&IndexKey) -> bool,
) -> Vec<(IndexKey, Id, Content)> {
    let entries = indexed(index, state).into_iter().filter(|(key, _, _)| wanted(key));
    entries.map(|(key, id, content)| (key, id.clone(), content.clone())).collect()
}

/// Reads one record by its name.
///
/// # Errors
/// When it is not what is expected, or at an error.
pub fn point(view: &impl Reads, id: &Id, expected: Option<&Content>, excuses: &Excuses) -> Check {
    let found = excuses.take("point read", view.one(id))?;
    if found.as_ref() == expected {
        return Ok(());
    }
    let expected = if expected.is_some() { "another value" } else { "none" };
    fail(Kind::Wrong, "point read", format!("{}: expected {expected}", brief(id)))
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
    let wanted = of_model(view, model, inside);
    // A range that ends before it starts is empty, however the engine says so.
    let items = || view.raws((Bound::Included(from), Bound::Excluded(to.max(from))));
    limited("raw range", items, &wanted, limit, excuses)
}

fn of_model(view: &ReadTx, model: &Model, wanted: impl Fn(&Id) -> bool) -> Vec<(Id, Content)> {
    let state: Vec<_> = model.state(view.seq()).collect();
    records(&state, wanted)
}

/// All raw records with a prefix.
///
/// # Errors
/// When they are not the model's, or at an error.
pub fn prefix(view: &ReadTx, model: &Model, prefix: &Key, excuses: &Excuses) -> Check {
    let inside = |id: &Id| matches!(id, Id::Raw(key) if key.starts_with(&prefix.0));
    let wanted = of_model(view, model, inside);
    let raw = |(key, value): (hexxladb::Bytes, hexxladb::Bytes)| {
        (Id::Raw(key.to_vec()), Content::Raw(value[..].into()))
    };
    Way::ALL.iter().try_for_each(|way| {
        let items = view.scan_prefix(&prefix.0).map(|item| item.map(raw));
        walk("prefix scan", Box::new(items), &wanted, *way, excuses)
    })
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
    let places = Place::from(from)..=Place::from(to);
    let wanted =
        of_model(view, model, |id| matches!(id, Id::Cell(place) if places.contains(place)));
    let packed = (PackedCoord::from(from.coord()), PackedCoord::from(to.coord()));
    let items = || view.cells_in((Bound::Included(packed.0), Bound::Included(packed.1)));
    limited("cell range", items, &wanted, limit, excuses)
}

/// The facets of a cell, all together and one by one.
///
/// # Errors
/// When they are not the model's, or at an error.
pub fn facets(view: &ReadTx, model: &Model, pos: Pos, excuses: &Excuses) -> Check {
    let at = Place::from(pos);
    let wanted = of_model(view, model, |id| matches!(id, Id::Facet(place, _) if *place == at));
    limited("facets of a cell", || view.facets_at(pos), &wanted, u32::MAX, excuses)?;
    (0..6)
        .map(|id| Id::facet(pos, id))
        .try_for_each(|id| point(view, &id, model.get(&id, view.seq()), excuses))
}

/// The edges that leave a coordinate, and those that lead there.
///
/// # Errors
/// When they are not the model's, or at an error.
pub fn edges(view: &ReadTx, model: &Model, pos: Pos, excuses: &Excuses) -> Check {
    let at = Place::from(pos);
    let wanted = of_model(view, model, |id| matches!(id, Id::Edge(from, _, _) if *from == at));
    limited("edges of a cell", || view.edges_at(pos), &wanted, u32::MAX, excuses)?;
    index(view, model, Index::EdgeTarget, (&Span::At(pos), u32::MAX), excuses)
}

/// The first and the last `limit` entries of a part of an index.
///
/// # Errors
/// When they are not what the records say, or at an error.
pub fn index(
    view: &ReadTx,
    model: &Model,
    index: Index,
    (span, limit): (&Span, u32),
    excuses: &Excuses,
) -> Check {
    let inside = |key: &IndexKey| match (span, key) {
        (Span::Texts(from, to), IndexKey::Text(text)) => from <= text && text < to,
        (Span::Prefix(prefix), IndexKey::Text(text)) => text.starts_with(prefix.as_str()),
        (Span::Weeks(from, to), IndexKey::Week(week)) => (from..to).contains(&week),
        (Span::At(pos), IndexKey::Place(place)) => place.pos == *pos,
        _ => matches!(span, Span::All),
    };
    let state: Vec<_> = model.state(view.seq()).collect();
    let wanted = entries(index, &state, inside);
    limited(index_label(index), || view.index(index, span), &wanted, limit, excuses)
}

/// The cells around a coordinate.
///
/// # Errors
/// When they are not the model's, or at an error.
pub fn ring(
    view: &impl Reads,
    state: &State<'_>,
    (center, radius): (Pos, u32),
    filter: RingFilter,
    excuses: &Excuses,
) -> Check {
    let there =
        |id: &Id| state.binary_search_by(|(other, _)| (*other).cmp(id)).ok().map(|at| state[at].1);
    let passes = |pos: Pos, content: &Content| {
        let Content::Cell(cell) = content else { return false };
        let (from, to) = (cell.validity.valid_from, cell.validity.valid_to);
        let valid =
            |time: Timestamp| from.is_none_or(|from| from <= time) && to.is_none_or(|to| time < to);
        filter.valid_at.is_none_or(valid)
            && filter.facet.is_none_or(|id| there(&Id::facet(pos, id.get())).is_some())
    };
    let wanted: Vec<_> = around(center, radius)
        .into_iter()
        .filter_map(|pos| {
            let id = Id::cell(pos);
            let content = there(&id).filter(|content| passes(pos, content))?;
            Some((id, content.clone()))
        })
        .collect();
    let found = Box::new(view.ring(center, radius, filter).into_iter());
    walk("ring walk", found, &wanted, Way::Forwards, excuses)
}

/// The seams around a coordinate.
///
/// # Errors
/// When they are not the model's, or at an error.
pub fn seams_around(
    view: &impl Reads,
    state: &State<'_>,
    (center, radius): (Pos, u32),
    filter: &SeamFilter,
    excuses: &Excuses,
) -> Check {
    let pos = |coord: hexxladb::Coord| Pos { q: coord.q(), r: coord.r() };
    let order = around(center, radius);
    let mut wanted: Vec<(usize, Id, Content)> = Vec::new();
    for (id, content) in state {
        let Content::Seam(seam) = content else { continue };
        let ends = [pos(seam.cell_a), pos(seam.cell_b)];
        let nearer = usize::from(distance(center, ends[1]) < distance(center, ends[0]));
        let valid = |time: Timestamp| {
            seam.validity.valid_from.is_none_or(|from| from <= time)
                && seam.validity.valid_to.is_none_or(|to| time < to)
        };
        let passes = filter.seam_type.as_ref().is_none_or(|kind| *kind == seam.seam_type)
            && filter.status.is_none_or(|status| status == seam.resolution_status)
            && filter.source.as_ref().is_none_or(|from| *from == seam.provenance.source_id)
            && filter.valid_at.is_none_or(valid);
        if let Some(at) = order.iter().position(|pos| *pos == ends[nearer])
            && passes
        {
            wanted.push((at, (*id).clone(), (*content).clone()));
        }
    }
    // From the center outwards, then in the order of ids; within one ring, coordinate by
    // coordinate.
    wanted.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let wanted: Vec<_> = wanted.into_iter().map(|(_, id, content)| (id, content)).collect();
    let found = Box::new(view.seams_around(center, radius, filter).into_iter());
    walk("seams around a coordinate", found, &wanted, Way::Forwards, excuses)
}

/// What a plan's number stands for as a filter of seams; 0 is none.
#[must_use]
pub fn seam_filter(number: u32) -> SeamFilter {
    let mut filter = SeamFilter::default();
    if number & 1 == 1 {
        let kinds = [SeamType::Conflict, SeamType::Supersedes, SeamType::Other("overlap".into())];
        filter.seam_type = Some(kinds[number as usize / 16 % 3].clone());
    }
    if number & 2 == 2 {
        filter.status = Some(hexxladb::ResolutionStatus::ALL[number as usize / 16 % 4]);
    }
    if number & 4 == 4 {
        filter.source = Some(format!("source-{}", number / 16 % 4));
    }
    if number & 8 == 8 {
        let week = i64::from(number / 16 % 5) - 1;
        filter.valid_at = Some(Timestamp::from_nanos(week * 7 * 86_400_000_000_000));
    }
    filter
}

/// What a plan says of a walk.
#[must_use]
pub fn ring_filter(valid_at: Option<i64>, facet: Option<u8>) -> RingFilter {
    let mut filter = RingFilter::default();
    filter.valid_at = valid_at.map(Timestamp::from_nanos);
    filter.facet = facet.map(facet_id);
    filter
}
