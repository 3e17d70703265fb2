//! Edits in a write transaction: performed on the engine and on the model, and compared.

use hexxladb::{Error, WriteTx};

use crate::model::{Delta, Draft, Id, Model, cell_len};
use crate::op::{Edit, Setup};
use crate::oracle::{Check, Excuses, Kind, brief, fail, point, same, transaction};

/// Performs an edit on both sides.
pub(super) fn perform(
    tx: &mut WriteTx,
    draft: &mut Draft,
    (model, setup, excuses): (&Model, &Setup, &Excuses),
    edit: &Edit,
) -> Check {
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
            let time = hexxladb::Timestamp::from_nanos(*nanos);
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
        _ => Delta::of(edit)
            .iter()
            .try_for_each(|delta| change(tx, draft, (model, setup, excuses), delta)),
    }
}

fn change(
    tx: &mut WriteTx,
    draft: &mut Draft,
    (model, setup, excuses): (&Model, &Setup, &Excuses),
    delta: &Delta,
) -> Check {
    let max_value = setup.max_value_bytes as usize;
    let too_large = |error: &Error| matches!(error, Error::ValueTooLarge { .. });
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
            if value.len as usize > max_value {
                return refused("put of a large value", result, excuses, too_large);
            }
            excuses.take("put", result)?;
        }
        Delta::PutCell(pos, value) => {
            let result = tx.put_cell(pos.coord(), &value.cell());
            if cell_len(&value.cell()) > max_value {
                return refused("put of a large cell", result, excuses, too_large);
            }
            excuses.take("put_cell", result)?;
        }
        Delta::Delete(key) => {
            let removed = excuses.take("delete", tx.delete(&key.0))?;
            same("delete's answer", &removed, &draft.get(model, &delta.id()).is_some())?;
        }
        Delta::DeleteCell(pos) => {
            let removed = excuses.take("delete_cell", tx.delete_cell(pos.coord()))?;
            same("delete_cell's answer", &removed, &draft.get(model, &delta.id()).is_some())?;
        }
    }
    draft.apply(model, delta);
    Ok(())
}

/// A call that must be refused with a certain error, and leaves the transaction usable.
fn refused<T: std::fmt::Debug>(
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
