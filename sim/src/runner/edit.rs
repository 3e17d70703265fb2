//! Edits in a write transaction: performed on the engine and on the model, and compared.

use hexxladb::{Error, Timestamp, WriteTx};

use super::edit_record;
use crate::model::{Delta, Draft, Id, Model};
use crate::op::{Edit, Setup};
use crate::oracle::{Check, Excuses, Kind, brief, facet_id, fail, point, same, transaction};

/// What an edit is judged by, beside the transaction itself.
#[derive(Clone, Copy)]
pub(super) struct Base<'a> {
    /// What the transaction builds on.
    pub(super) model: &'a Model,
    pub(super) setup: &'a Setup,
    pub(super) excuses: &'a Excuses,
    /// The clock.
    pub(super) now: i64,
}

/// Performs an edit on both sides.
pub(super) fn perform(tx: &mut WriteTx, draft: &mut Draft, base: Base<'_>, edit: &Edit) -> Check {
    let Base { model, excuses, .. } = base;
    match edit {
        Edit::Note(bytes) => {
            let mut noted = draft.clone();
            noted.set_note(*bytes);
            let result = tx.set_note(noted.note.clone().unwrap_or_default());
            if *bytes > 4096 {
                return refused("set_note", result, excuses, |error| {
                    matches!(error, Error::InvalidArgument { .. } | Error::ValueTooLarge { .. })
                });
            }
            excuses.take("set_note", result)?;
            *draft = noted;
            Ok(())
        }
        Edit::Time(nanos) => {
            let time = Timestamp::from_nanos(*nanos);
            excuses.take("set_commit_time", tx.set_commit_time(time))?;
            draft.time = Some(*nanos);
            Ok(())
        }
        Edit::Get(key) => {
            let id = Id::Raw(key.0.clone());
            point(tx, &id, draft.get(model, &id), excuses)
        }
        Edit::GetCell(pos) => {
            let id = Id::cell(*pos);
            point(tx, &id, draft.get(model, &id), excuses)
        }
        Edit::Scan => transaction(tx, model, draft, excuses),
        _ => {
            Delta::of(edit).iter().try_for_each(|delta| change(tx, draft, base, delta))?;
            edit_record::perform(tx, draft, base, edit)
        }
    }
}

fn change(tx: &mut WriteTx, draft: &mut Draft, base: Base<'_>, delta: &Delta) -> Check {
    let Base { model, setup, excuses, .. } = base;
    let there = draft.get(model, &delta.id()).is_some();
    match delta {
        Delta::Put(key, value) => {
            let result = tx.put(&key.0, value.bytes());
            // Between the two lengths the exact limit is the engine's affair.
            let max_key = (setup.page_bytes as usize / 4).min(1024);
            let key_too_large = |error: &Error| matches!(error, Error::KeyTooLarge { .. });
            if key.0.len() > max_key {
                return refused("put of a long key", result, excuses, key_too_large);
            }
            if key.0.len() > max_key / 2 && result.as_ref().is_err_and(key_too_large) {
                return Ok(());
            }
            return put("put", result, draft, base, delta);
        }
        Delta::PutCell(pos, value) => {
            let result = tx.put_cell(pos.coord(), &value.cell());
            return put("put_cell", result, draft, base, delta);
        }
        Delta::Delete(key) => {
            let removed = excuses.take("delete", tx.delete(&key.0))?;
            same("delete's answer", &removed, &there)?;
        }
        Delta::DeleteCell(pos) => {
            let removed = excuses.take("delete_cell", tx.delete_cell(pos.coord()))?;
            same("delete_cell's answer", &removed, &there)?;
        }
        Delta::DeleteRecord(Id::Facet(place, id)) => {
            let result = tx.delete_facet(place.pos.coord(), facet_id(*id));
            same("delete_facet's answer", &excuses.take("delete_facet", result)?, &there)?;
        }
        Delta::DeleteRecord(Id::Edge(from, to, relation)) => {
            let result = tx.delete_edge(from.pos.coord(), to.pos.coord(), relation);
            same("delete_edge's answer", &excuses.take("delete_edge", result)?, &there)?;
        }
        Delta::Record(..) | Delta::DeleteRecord(_) => {}
    }
    draft.apply(model, delta);
    Ok(())
}

/// Judges a put by the length of what was put, and applies it.
pub(super) fn put(
    call: &'static str,
    result: Result<(), Error>,
    draft: &mut Draft,
    base: Base<'_>,
    delta: &Delta,
) -> Check {
    let len = delta.content().map_or(0, |content| content.stored_len());
    if len > base.setup.max_value_bytes as usize {
        let too_large = |error: &Error| matches!(error, Error::ValueTooLarge { .. });
        return refused(call, result, base.excuses, too_large);
    }
    base.excuses.take(call, result)?;
    draft.apply(base.model, delta);
    Ok(())
}

/// A call that must be refused with a certain error, and leaves the transaction usable.
pub(super) fn refused<T: std::fmt::Debug>(
    call: &'static str,
    result: Result<T, Error>,
    excuses: &Excuses,
    expected: impl Fn(&Error) -> bool,
) -> Check {
    match result {
        Err(error) if expected(&error) => Ok(()),
        Err(error) => Err(excuses.stop(call, &error)),
        Ok(value) => fail(Kind::Accepted, call, brief(&value)),
    }
}
