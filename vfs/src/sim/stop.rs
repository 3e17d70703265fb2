//! Errors that only the simulator makes, recognisable behind whatever wraps them.

use std::fmt;

/// Why an operation failed that would have succeeded in a kind world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Simulated {
    /// The process that calls has crashed or was killed.
    Stopped,
    /// An injected I/O error.
    Eio,
    /// The operation after the last one allowed: the caller is told by a panic.
    Budget,
}

impl fmt::Display for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "the simulated process has stopped",
            Self::Eio => "simulated input/output error",
            Self::Budget => "operation budget of the simulated process used up",
        })
    }
}

impl std::error::Error for Simulated {}

impl From<Simulated> for std::io::Error {
    fn from(simulated: Simulated) -> Self {
        Self::other(simulated)
    }
}

fn contains(error: &(dyn std::error::Error + 'static), wanted: Simulated) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let found = inner.and_then(|inner| inner.downcast_ref::<Simulated>());
        if found == Some(&wanted) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Whether this very error is the operation budget's.
pub(super) fn is_over_budget(error: &std::io::Error) -> bool {
    contains(error, Simulated::Budget)
}

/// Whether an error comes from a simulated process that has crashed or was killed: nothing that
/// it says about the disk counts.
#[must_use]
pub fn is_stopped(error: &(dyn std::error::Error + 'static)) -> bool {
    contains(error, Simulated::Stopped)
}

/// Whether an error is, or comes from, an injected I/O error.
#[must_use]
pub fn is_injected(error: &(dyn std::error::Error + 'static)) -> bool {
    contains(error, Simulated::Eio)
}
