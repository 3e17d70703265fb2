//! Operations on records, each beside what it does to the plain state.

use ulid::Ulid;

use super::super::truth::Name;
use super::{MAX_VALUE_BYTES, Op, Run};
use crate::bytes::Bytes;
use crate::content::Record;
use crate::error::{Error, Result};
use crate::lattice::Coord;
use crate::record::{Cell, Edge, Facet, FacetId, ResolutionStatus, Seam, SeamType, Validity};
use crate::time::Timestamp;

const DAY_SECS: i64 = 24 * 60 * 60;
/// Bytes of a text that fits no key of the smallest page.
const LONG_TEXT_BYTES: usize = 200;
/// Bytes that a record takes beside its text at most.
const MAX_FIELD_BYTES: usize = 300;

impl Run {
    pub(super) fn put(&mut self, key: u8, len: u16, fill: u8) {
        let (key, len) = (raw_key(key), usize::from(len) % (MAX_VALUE_BYTES + 20));
        let value = vec![fill; len];
        let put = self.tx().put(&key, &value);
        if len > MAX_VALUE_BYTES {
            assert!(matches!(put, Err(Error::ValueTooLarge { .. })), "{put:?}");
            return;
        }
        put.expect("a put");
        self.insert(Name::Raw(key), Record::Raw(Bytes::from(value)));
    }

    /// Many keys at once, so that pages split.
    pub(super) fn fill(&mut self, op: &Op) {
        for n in 0..op.byte(4) % 64 {
            self.put(op.byte(1).wrapping_add(n), u16::from(op.byte(2)), n);
        }
    }

    pub(super) fn delete(&mut self, key: u8) {
        let key = raw_key(key);
        let removed = self.tx().delete(&key).expect("a delete");
        self.note_delete(&Name::Raw(key), removed);
    }

    pub(super) fn put_cell(&mut self, op: &Op) {
        let at = op.coord(1);
        let text = char::from(op.byte(4)).to_string();
        let tags = op.byte(5);
        let cell = Cell::new(text.repeat(usize::from(op.number() % 300)))
            .with_source(source(op.byte(6)))
            .with_validity(validity(op.byte(7)))
            .with_tags((0..tags % 4).map(|n| tag(tags.wrapping_shr(u32::from(n) + 2))));
        let put = self.tx().put_cell(at, &cell);
        if self.is_put(put, cell.tags.iter().any(|tag| tag.len() >= LONG_TEXT_BYTES), 0) {
            self.state.put_cell(at, cell);
        }
    }

    pub(super) fn delete_cell(&mut self, at: Coord) {
        let removed = self.tx().delete_cell(at).expect("a delete");
        assert_eq!(removed, self.state.delete_cell(at), "{at:?}");
        self.touched |= removed;
    }

    pub(super) fn put_facet(&mut self, op: &Op) {
        let (at, id, facet) = self.facet(op);
        let put = self.tx().put_facet(at, id, &facet);
        self.note_facet(put, at, id, facet);
    }

    /// Puts a facet of the cell as it is, or of one as it is not.
    pub(super) fn update_facet(&mut self, op: &Op) {
        let (at, id, mut facet) = self.facet(op);
        let stale = op.byte(5).is_multiple_of(4);
        if stale {
            facet.derivation_hash[0] ^= 1;
        }
        let put = self.tx().update_facet(at, id, &facet);
        match put {
            Err(Error::CellNotFound { coord }) => {
                assert!(coord == at && self.state.cell(at).is_none());
            }
            Err(Error::FacetDerivationMismatch { coord, .. }) => assert!(coord == at && stale),
            put => {
                assert!(!stale && self.state.cell(at).is_some());
                self.note_facet(put, at, id, facet);
            }
        }
    }

    fn facet(&self, op: &Op) -> (Coord, FacetId, Facet) {
        let (at, id) = (op.coord(1), FacetId::ALL[usize::from(op.byte(4)) % 6]);
        let text = "f".repeat(usize::from(op.number()) % (MAX_VALUE_BYTES + 20));
        let cell = self.state.cell(at).cloned().unwrap_or_default();
        let rotated = Timestamp::from_secs(i64::from(op.byte(6)));
        (at, id, Facet::of(&cell, text).with_last_rotated(rotated))
    }

    fn note_facet(&mut self, put: Result<()>, at: Coord, id: FacetId, facet: Facet) {
        if self.is_put(put, false, facet.derived_content.len()) {
            self.insert(Name::Facet(at.into(), id), Record::Facet(facet));
        }
    }

    pub(super) fn delete_facet(&mut self, op: &Op) {
        let (at, id) = (op.coord(1), FacetId::ALL[usize::from(op.byte(4)) % 6]);
        let removed = self.tx().delete_facet(at, id).expect("a delete");
        self.note_delete(&Name::Facet(at.into(), id), removed);
    }

    pub(super) fn put_edge(&mut self, op: &Op) {
        let (from, to, relation) = edge(op);
        let edge = Edge::new(f64::from(op.number())).with_source(source(op.byte(6)));
        let put = self.tx().put_edge(from, to, &relation, &edge);
        if self.is_put(put, relation.len() >= LONG_TEXT_BYTES, 0) {
            self.insert(Name::edge(from, to, &relation), Record::Edge(edge));
        }
    }

    pub(super) fn link_cells(&mut self, op: &Op) {
        let (from, to, relation) = edge(op);
        let weight = -f64::from(op.number());
        let put = self.tx().link_cells(from, to, &relation, weight);
        if !self.both_are_there(&put, from, to) {
            return;
        }
        if self.is_put(put, relation.len() >= LONG_TEXT_BYTES, 0) {
            self.insert(Name::edge(from, to, &relation), Record::Edge(Edge::new(weight)));
        }
    }

    pub(super) fn delete_edge(&mut self, op: &Op) {
        let (from, to, relation) = edge(op);
        let removed = self.tx().delete_edge(from, to, &relation).expect("a delete");
        self.note_delete(&Name::edge(from, to, &relation), removed);
    }

    pub(super) fn put_seam(&mut self, op: &Op) {
        let id = seam_id(op);
        let kind = match op.byte(6) % 3 {
            0 => SeamType::Conflict,
            1 => SeamType::Supersedes,
            _ => SeamType::Other("overlap".into()),
        };
        let seam = Seam::new(op.coord(4), op.coord(5), kind)
            .with_source(source(op.byte(2)))
            .with_validity(validity(op.byte(7)))
            .with_reason("r".repeat(usize::from(op.byte(3))));
        let due = self.why_refused(id, &seam);
        let put = self.tx().put_seam(id, &seam);
        match (&put, due) {
            (Err(Error::InvalidRecord { .. }), Some(Refusal::Invalid))
            | (Err(Error::SeamEndpointsFixed { .. }), Some(Refusal::Endpoints))
            | (Err(Error::SupersessionCycle { .. }), Some(Refusal::Cycle)) => {}
            (put, Some(due)) => panic!("{put:?}, not {due:?}"),
            (_, None) => {
                put.expect("a put");
                self.insert(Name::Seam(id), Record::Seam(seam));
            }
        }
    }

    fn why_refused(&self, id: Ulid, seam: &Seam) -> Option<Refusal> {
        let ends = |seam: &Seam| (seam.cell_a, seam.cell_b);
        let old = self.state.seam(id);
        if seam.cell_a == seam.cell_b {
            Some(Refusal::Invalid)
        } else if old.is_some_and(|old| ends(old) != ends(seam)) {
            Some(Refusal::Endpoints)
        } else if seam.seam_type == SeamType::Supersedes
            && self.supersedes(seam.cell_b, seam.cell_a)
        {
            Some(Refusal::Cycle)
        } else {
            None
        }
    }

    /// Whether a cell supersedes another, directly or through others.
    fn supersedes(&self, newer: Coord, older: Coord) -> bool {
        let mut reached = vec![newer];
        let mut next = 0;
        while let Some(from) = reached.get(next).copied() {
            next += 1;
            for (_, seam) in self.state.seams() {
                let leads = seam.seam_type == SeamType::Supersedes && seam.cell_a == from;
                if leads && !reached.contains(&seam.cell_b) {
                    reached.push(seam.cell_b);
                }
            }
        }
        reached.contains(&older)
    }

    /// A seam with an id and a time that the database chooses.
    pub(super) fn mark(&mut self, op: &Op) {
        let (a, b) = (op.coord(1), op.coord(4));
        let supersedes = op.byte(5) & 1 == 1;
        let due = a == b || supersedes && self.supersedes(b, a);
        let tx = self.tx();
        let marked =
            if supersedes { tx.mark_supersedes(a, b, "m") } else { tx.mark_conflict(a, b, "m") };
        if !self.both_are_there(&marked, a, b) {
            return;
        }
        let id = match marked {
            Err(Error::InvalidRecord { .. } | Error::SupersessionCycle { .. }) if due => return,
            marked => marked.expect("a seam"),
        };
        assert!(!due && self.state.seam(id).is_none(), "{id}");
        let kind = if supersedes { SeamType::Supersedes } else { SeamType::Conflict };
        let mut seam = Seam::new(a, b, kind).with_reason("m");
        let found = self.tx().get_seam(id).expect("a read").expect("the seam is there");
        seam.detected_at = found.detected_at;
        assert_eq!(found, seam);
        self.insert(Name::Seam(id), Record::Seam(seam));
    }

    pub(super) fn resolve_seam(&mut self, op: &Op) {
        let ids: Vec<Ulid> = self.state.seams().map(|(id, _)| id).collect();
        let id = ids.get(usize::from(op.byte(1)) % (ids.len() + 1)).copied();
        let status = ResolutionStatus::ALL[usize::from(op.byte(4)) % 4];
        let note = (op.byte(5) & 1 == 1).then_some("seen to");
        let done = self.tx().resolve_seam(id.unwrap_or_default(), status, note);
        let known = id.and_then(|id| Some((id, self.state.seam(id)?.clone())));
        let Some((id, mut seam)) = known else {
            assert!(matches!(done, Err(Error::SeamNotFound { .. })), "{done:?}");
            return;
        };
        done.expect("a put");
        seam.resolution_status = status;
        seam.resolution_note = note.map(str::to_owned);
        self.insert(Name::Seam(id), Record::Seam(seam));
    }

    fn insert(&mut self, name: Name, record: Record) {
        self.state.records.insert(name, record);
        self.touched = true;
    }

    fn note_delete(&mut self, name: &Name, removed: bool) {
        assert_eq!(removed, self.state.delete(name), "{name:?}");
        self.touched |= removed;
    }

    /// Whether a put was made; one with a text or a value that is too long must be refused.
    fn is_put(&mut self, put: Result<()>, long_text: bool, value_bytes: usize) -> bool {
        let key_too_large = long_text && self.page_size == 512;
        match put {
            Ok(()) => {
                assert!(!key_too_large && value_bytes < MAX_VALUE_BYTES);
                self.touched = true;
                true
            }
            Err(Error::KeyTooLarge { .. }) if key_too_large => false,
            Err(Error::ValueTooLarge { .. }) if value_bytes > MAX_VALUE_BYTES - MAX_FIELD_BYTES => {
                false
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Whether the state has both cells; what asks for them must be refused where one is missing.
    fn both_are_there<T: std::fmt::Debug>(&self, put: &Result<T>, a: Coord, b: Coord) -> bool {
        let missing = [a, b].into_iter().find(|at| self.state.cell(*at).is_none());
        match (put, missing) {
            (Err(Error::CellNotFound { coord }), Some(missing)) => assert_eq!(*coord, missing),
            (put, missing) => {
                let refused = matches!(put, Err(Error::CellNotFound { .. }));
                assert!(missing.is_none() && !refused, "{put:?} where {missing:?} is missing");
            }
        }
        missing.is_none()
    }
}

/// Why a seam must not be put.
#[derive(Debug)]
enum Refusal {
    Invalid,
    Endpoints,
    Cycle,
}

fn edge(op: &Op) -> (Coord, Coord, String) {
    let relation = match op.byte(5) % 4 {
        0 => "r".to_owned(),
        1 => String::new(),
        2 => "a\0b".to_owned(),
        _ => "r".repeat(LONG_TEXT_BYTES),
    };
    (op.coord(1), op.coord(4), relation)
}

fn seam_id(op: &Op) -> Ulid {
    Ulid::from_parts(u64::from(op.byte(1) % 8), 5)
}

/// Keys of several lengths, many with a common start, some with zeros.
fn raw_key(number: u8) -> Vec<u8> {
    match number % 4 {
        0 => vec![number],
        1 => format!("key {number:03}").into_bytes(),
        2 => [&b"a long common start \0"[..], &[number; 30]].concat(),
        _ => vec![0; usize::from(number / 16)],
    }
}

fn source(number: u8) -> String {
    ["", "kitchen", "kit"][usize::from(number) % 3].to_owned()
}

fn tag(number: u8) -> String {
    match number % 8 {
        0 => String::new(),
        1 => "a\0b".to_owned(),
        2 => "t".repeat(LONG_TEXT_BYTES),
        other => format!("tag {other}"),
    }
}

/// Always, or from one of few days on, for ever or for some days.
fn validity(number: u8) -> Validity {
    let day = |days: u8| Some(Timestamp::from_secs(i64::from(days) * DAY_SECS));
    let valid_from = if number & 1 == 1 { day(number >> 2) } else { None };
    let valid_to = if number & 2 == 2 { day((number >> 2) + 9) } else { None };
    Validity { valid_from, valid_to }
}
