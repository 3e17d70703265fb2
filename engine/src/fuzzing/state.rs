//! One state against its truth: every family and every index from both ends, every name, and what
//! lies around a coordinate.

use std::collections::BTreeSet;

use ulid::Ulid;

use super::reads::{Family, Index, Key, Reads};
use super::truth::{Name, Records};
use super::verdict::Verdict;
use crate::content::Record;
use crate::lattice::{Coord, PackedCoord};

/// Steps from a coordinate that are walked.
const RADIUS: u32 = 1;

/// Where to look, beside scanning everything.
pub(super) struct Places<'a> {
    pub(super) names: &'a mut dyn Iterator<Item = &'a Name>,
    pub(super) coords: &'a mut dyn Iterator<Item = PackedCoord>,
    /// The middle of what is walked.
    pub(super) center: Coord,
}

/// Reads all of a state that ought to hold just `records`; `at` says which state that is.
pub(super) fn check_state(
    tx: &impl Reads,
    records: &Records,
    places: Places<'_>,
    at: &str,
    verdict: &mut Verdict,
) {
    for family in Family::ALL {
        check_family(tx, family, records, at, verdict);
    }
    for index in Index::ALL {
        check_index(tx, index, records, at, verdict);
    }
    for name in places.names {
        let what = || format!("{name:?} at {at}");
        verdict.is(what, tx.record(name), &records.get(name).cloned());
    }
    for coord in places.coords.map(PackedCoord::unpack) {
        check_family(tx, Family::FacetsOf(coord), records, at, verdict);
        check_family(tx, Family::EdgesFrom(coord), records, at, verdict);
        check_index(tx, Index::EdgesTo(coord), records, at, verdict);
        check_index(tx, Index::SeamsOf(coord), records, at, verdict);
    }
    let prefixed = records.iter().filter(|(name, _)| match name {
        Name::Raw(key) => key.starts_with(b"row"),
        _ => false,
    });
    verdict.both_ways(
        || format!("prefix at {at}"),
        || tx.raw_prefix("row"),
        prefixed,
        |found, known| (&found.0, &found.1) == *known,
    );
    check_tagged(tx, records, at, verdict);
    check_ring(tx, places.center, records, at, verdict);
    check_seams_around(tx, places.center, records, at, verdict);
}

fn check_family(
    tx: &impl Reads,
    family: Family,
    records: &Records,
    at: &str,
    verdict: &mut Verdict,
) {
    let known = records.iter().filter(|(name, _)| family.holds(name));
    verdict.both_ways(
        || format!("{family:?} at {at}"),
        || tx.family(family),
        known,
        |found, known| (&found.0, &found.1) == *known,
    );
}

/// Every row of an index, and with each its record as it is in this state.
fn check_index(tx: &impl Reads, index: Index, records: &Records, at: &str, verdict: &mut Verdict) {
    let known = index.rows_of(records);
    verdict.both_ways(
        || format!("{index:?} at {at}"),
        || tx.index(index),
        known.iter(),
        |found, known| (&found.0, &found.1, &found.2) == (&known.0, known.1, known.2),
    );
}

fn check_tagged(tx: &impl Reads, records: &Records, at: &str, verdict: &mut Verdict) {
    let known = Index::Tags.rows_of(records);
    verdict.both_ways(
        || format!("tagged coordinates at {at}"),
        || tx.tagged_coords(),
        known.iter(),
        |(tag, coord), (key, name, _)| {
            *key == Key::Text(tag.clone()) && **name == Name::Cell((*coord).into())
        },
    );
}

fn check_ring(tx: &impl Reads, center: Coord, records: &Records, at: &str, verdict: &mut Verdict) {
    let known =
        center.spiral(RADIUS).filter_map(|coord| match records.get(&Name::Cell(coord.into())) {
            Some(Record::Cell(cell)) => Some((coord, cell)),
            _ => None,
        });
    let what = || format!("ring around {center} at {at}");
    let found = tx.ring(center, RADIUS);
    verdict.items(what, found, known, |found, known| (found.0, &found.1) == *known);
}

/// Each seam within reach once, and nearer ones first.
fn check_seams_around(
    tx: &impl Reads,
    center: Coord,
    records: &Records,
    at: &str,
    verdict: &mut Verdict,
) {
    let distance = |record: &Record| match record {
        Record::Seam(seam) => center.distance(seam.cell_a).min(center.distance(seam.cell_b)),
        _ => u32::MAX,
    };
    let near = records.iter().filter(|(_, record)| distance(record) <= RADIUS);
    let mut missing: BTreeSet<&Name> = near.map(|(name, _)| name).collect();
    let mut last = 0;
    for item in tx.seams_around(center, RADIUS) {
        let (id, seam) = match item {
            Ok((id, seam)) => (id, Record::Seam(seam)),
            Err(error) => return verdict.errors.push(error),
        };
        let expected = missing.remove(&Name::Seam(id)) && is_known(records, id, &seam);
        let now = distance(&seam);
        if !expected || now < last {
            return verdict.blame(|| format!("seam {id} around {center} at {at}: {seam:?}"));
        }
        last = now;
    }
    if !missing.is_empty() {
        verdict.blame(|| format!("seams around {center} at {at} lack {missing:?}"));
    }
}

fn is_known(records: &Records, id: Ulid, seam: &Record) -> bool {
    records.get(&Name::Seam(id)) == Some(seam)
}
