//! A write transaction of the model: what it changes, on top of the state it builds on.

use std::collections::BTreeMap;
use std::sync::Arc;

use hexxladb::{Coord, Seam, SeamType};

use super::{Content, Id, Model, Place};
use crate::op::{Edit, Key, Pos, Value, note_text};

/// One step of an edit, as both model and engine perform it.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// Put a raw record.
    Put(Key, Value),
    /// Delete a raw record.
    Delete(Key),
    /// Put a cell.
    PutCell(Pos, Value),
    /// Delete a cell, with its facets and the edges that leave it.
    DeleteCell(Pos),
    /// Put any record.
    Record(Id, Content),
    /// Delete a record, and it alone.
    DeleteRecord(Id),
}

impl Delta {
    /// The changes of an edit, one by one, where they follow from it alone; none for others.
    #[must_use]
    pub fn of(edit: &Edit) -> Vec<Self> {
        match edit {
            Edit::Put(key, value) => vec![Self::Put(key.clone(), *value)],
            Edit::Delete(key) => vec![Self::Delete(key.clone())],
            Edit::PutCell(pos, value) => vec![Self::PutCell(*pos, *value)],
            Edit::DeleteCell(pos) => vec![Self::DeleteCell(*pos)],
            Edit::Fill { stem, from, count, value } => (0..*count)
                .map(|n| Self::Put(stem.numbered(from.saturating_add(n)), value.offset(n)))
                .collect(),
            Edit::Clear { stem, from, count } => {
                (0..*count).map(|n| Self::Delete(stem.numbered(from.saturating_add(n)))).collect()
            }
            Edit::DeleteFacet(pos, id) => vec![Self::DeleteRecord(Id::facet(*pos, *id))],
            Edit::DeleteEdge(from, to, relation) => {
                vec![Self::DeleteRecord(Id::edge(*from, *to, relation.text()))]
            }
            _ => Vec::new(),
        }
    }

    /// The record it changes.
    #[must_use]
    pub fn id(&self) -> Id {
        match self {
            Self::Put(key, _) | Self::Delete(key) => Id::Raw(key.0.clone()),
            Self::PutCell(pos, _) | Self::DeleteCell(pos) => Id::cell(*pos),
            Self::Record(id, _) | Self::DeleteRecord(id) => id.clone(),
        }
    }

    /// What the record holds afterwards.
    #[must_use]
    pub fn content(&self) -> Option<Content> {
        match self {
            Self::Put(_, value) => Some(Content::Raw(value.bytes().into())),
            Self::PutCell(_, value) => Some(Content::cell(value.cell())),
            Self::Record(_, content) => Some(content.clone()),
            Self::Delete(_) | Self::DeleteCell(_) | Self::DeleteRecord(_) => None,
        }
    }
}

/// A write transaction in the making.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    writes: BTreeMap<Id, Option<Content>>,
    /// The newest id that the engine drew for a seam.
    last_seam: Option<u128>,
    /// The note, once set.
    pub note: Option<String>,
    /// The commit time in nanoseconds, once set.
    pub time: Option<i64>,
}

impl Draft {
    /// Net changes, in order.
    pub fn writes(&self) -> impl Iterator<Item = (&Id, &Option<Content>)> {
        self.writes.iter()
    }

    /// Whether a commit of it takes no sequence.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.note.is_none()
    }

    /// What the transaction reads.
    #[must_use]
    pub fn get<'a>(&'a self, base: &'a Model, id: &Id) -> Option<&'a Content> {
        match self.writes.get(id) {
            Some(content) => content.as_ref(),
            None => base.get(id, base.head()),
        }
    }

    /// Everything the transaction reads, in order.
    #[must_use]
    pub fn state(&self, base: &Model) -> Vec<(Id, Content)> {
        let mut state: BTreeMap<Id, Content> =
            base.state(base.head()).map(|(id, content)| (id.clone(), content.clone())).collect();
        for (id, content) in &self.writes {
            match content {
                Some(content) => state.insert(id.clone(), content.clone()),
                None => state.remove(id),
            };
        }
        state.into_iter().collect()
    }

    /// Applies a change; returns whether there was a record before.
    pub fn apply(&mut self, base: &Model, delta: &Delta) -> bool {
        let existed = self.set(base, delta.id(), delta.content());
        if let (Delta::DeleteCell(pos), true) = (delta, existed) {
            for id in self.hanging_on(base, *pos) {
                self.set(base, id, None);
            }
        }
        existed
    }

    fn set(&mut self, base: &Model, id: Id, content: Option<Content>) -> bool {
        let existed = self.get(base, &id).is_some();
        // What this transaction put itself leaves a tombstone, too; what is not there leaves none.
        if content.is_some() || existed {
            self.writes.insert(id, content);
        }
        existed
    }

    /// What goes with the cell at a coordinate: its facets, and the edges that leave it.
    fn hanging_on(&self, base: &Model, pos: Pos) -> Vec<Id> {
        let at = Place::from(pos);
        let hangs = |id: &Id| match id {
            Id::Facet(place, _) | Id::Edge(place, _, _) => *place == at,
            _ => false,
        };
        self.state(base).into_iter().map(|(id, _)| id).filter(hangs).collect()
    }

    /// Whether a seam that says `newer` supersedes `older` would close a circle.
    #[must_use]
    pub fn closes_circle(&self, base: &Model, newer: Coord, older: Coord) -> bool {
        let state = self.state(base);
        let seams: Vec<&Seam> = state
            .iter()
            .filter_map(|(_, content)| match content {
                Content::Seam(seam) if seam.seam_type == SeamType::Supersedes => Some(&**seam),
                _ => None,
            })
            .collect();
        let mut reached = vec![older];
        let mut at = 0;
        while let Some(from) = reached.get(at).copied() {
            at += 1;
            for seam in seams.iter().filter(|seam| seam.cell_a == from) {
                if !reached.contains(&seam.cell_b) {
                    reached.push(seam.cell_b);
                }
            }
        }
        reached.contains(&newer)
    }

    /// Whether an id that the engine drew is one that nothing has had, above those that it drew
    /// for this transaction before. Counts it among them.
    pub fn is_new_seam(&mut self, base: &Model, id: u128) -> bool {
        let last = self.last_seam.replace(id);
        let known = Id::Seam(id);
        last.is_none_or(|last| last < id)
            && !self.writes.contains_key(&known)
            && base.history(&known, base.head()).next().is_none()
    }

    /// The seams that the transaction reads.
    #[must_use]
    pub fn seams(&self, base: &Model) -> Vec<(u128, Arc<Seam>)> {
        let seam = |(id, content)| match (id, content) {
            (Id::Seam(id), Content::Seam(seam)) => Some((id, seam)),
            _ => None,
        };
        self.state(base).into_iter().filter_map(seam).collect()
    }

    /// Sets the note of so many bytes.
    pub fn set_note(&mut self, bytes: u32) {
        self.note = Some(note_text(bytes));
    }
}
