//! Panics of the engine are failures, not the end of the simulator; panics that a plan asks for
//! are neither.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};

use crate::oracle::{Failure, Kind};

/// What the panic that ends an `update panic` carries.
pub(super) struct Planned;

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the message of each panic for [`caught`] instead of printing it. Call it once, early.
pub fn quiet_panics() {
    panic::set_hook(Box::new(|info| {
        LAST.with(|last| *last.borrow_mut() = info.to_string());
    }));
}

/// Runs `f`; the message of its panic, if it panics.
///
/// # Errors
/// The message.
pub fn caught<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let text = payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default();
        let kept = LAST.with(|last| std::mem::take(&mut *last.borrow_mut()));
        if kept.is_empty() { text } else { kept }
    })
}

/// Runs `f`, which may end in a [`Planned`] panic: then there is no value.
pub(super) fn planned<T>(f: impl FnOnce() -> T) -> Option<T> {
    match panic::catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<Planned>() => {
            LAST.with(|last| last.borrow_mut().clear());
            None
        }
        Err(payload) => panic::resume_unwind(payload),
    }
}

/// The failure that a panic with this message is.
#[must_use]
pub fn failure(message: &str) -> Failure {
    if message.contains("operation budget") {
        return Failure::new(Kind::Hang, "file operations without end", message);
    }
    Failure::new(Kind::Panic, "the engine panicked", message.replace('\n', " "))
}
