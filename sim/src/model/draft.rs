//! A write transaction of the model: what it changes, on top of the state it builds on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Content, Id, Model};
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
    /// Delete a cell.
    DeleteCell(Pos),
}

impl Delta {
    /// The changes of an edit, one by one; none for a read, a note or a time.
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
            Edit::Note(_) | Edit::Time(_) | Edit::Get(_) | Edit::GetCell(_) | Edit::Scan => vec![],
        }
    }

    /// The record it changes.
    #[must_use]
    pub fn id(&self) -> Id {
        match self {
            Self::Put(key, _) | Self::Delete(key) => Id::Raw(key.0.clone()),
            Self::PutCell(pos, _) | Self::DeleteCell(pos) => Id::cell(*pos),
        }
    }

    /// What the record holds afterwards.
    #[must_use]
    pub fn content(&self) -> Option<Content> {
        match self {
            Self::Put(_, value) => Some(Content::Raw(value.bytes().into())),
            Self::PutCell(_, value) => {
                let mut cell = value.cell();
                cell.tags.sort();
                cell.tags.dedup();
                Some(Content::Cell(Arc::new(cell)))
            }
            Self::Delete(_) | Self::DeleteCell(_) => None,
        }
    }
}

/// A write transaction in the making.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    writes: BTreeMap<Id, Option<Content>>,
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
        let id = delta.id();
        let existed = self.get(base, &id).is_some();
        match delta.content() {
            Some(content) => {
                self.writes.insert(id, Some(content));
            }
            // What this transaction put itself leaves a tombstone, too.
            None if existed => {
                self.writes.insert(id, None);
            }
            None => {}
        }
        existed
    }

    /// Sets the note of so many bytes.
    pub fn set_note(&mut self, bytes: u32) {
        self.note = Some(note_text(bytes));
    }
}
