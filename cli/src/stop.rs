//! SIGINT and SIGTERM.
//!
//! A command that only reads ends at once. A command that writes ends between two commits: the
//! first signal is a request that it looks at ([`Stop::check`]), a second one ends it at once,
//! which the database survives like any other crash.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hexxladb::CancelToken;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::Failure;

const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// Lets the signals end the process at once, with 128 + signal as its exit code.
pub(crate) fn at_once() -> Result<(), Failure> {
    let always = Arc::new(AtomicBool::new(true));
    for signal in SIGNALS {
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&always))
            .map_err(cannot_handle)?;
    }
    Ok(())
}

/// The request to stop, as the commands that write see it.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    /// The signal that came, 0 before.
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// Turns the signals into a request to stop between two commits.
    pub(crate) fn between_commits() -> Result<Self, Failure> {
        let signal = Arc::new(AtomicUsize::new(0));
        let second = Arc::new(AtomicBool::new(false));
        for number in SIGNALS {
            // In this order: the shutdown sees the flag that an earlier signal has set.
            flag::register_conditional_shutdown(number, 128 + number, Arc::clone(&second))
                .map_err(cannot_handle)?;
            flag::register(number, Arc::clone(&second)).map_err(cannot_handle)?;
            let value = usize::try_from(number).unwrap_or_default();
            flag::register_usize(number, Arc::clone(&signal), value).map_err(cannot_handle)?;
        }
        Ok(Self { signal })
    }

    /// Whether a signal came.
    pub(crate) fn is_requested(&self) -> bool {
        self.signal.load(Ordering::Relaxed) != 0
    }

    /// Sets the token once a signal came.
    pub(crate) fn sets(&self, token: &CancelToken) {
        let (stop, token) = (self.clone(), token.clone());
        std::thread::spawn(move || {
            while !stop.is_requested() {
                std::thread::sleep(Duration::from_millis(10));
            }
            token.cancel();
        });
    }

    /// Takes a failure of git for what it is when a signal came: Ctrl-C goes to a child, too, where
    /// it was just being started.
    pub(crate) fn excuse(&self, result: Result<(), Failure>) -> Result<(), Failure> {
        if !matches!(result, Err(Failure::Input(_))) {
            return result;
        }
        // The child may have had the signal a moment before this process.
        std::thread::sleep(Duration::from_millis(50));
        self.check(|| "git was ended with it; run the same command again to go on".to_owned())?;
        result
    }

    /// Fails once a signal came; `note` says what was done until then.
    pub(crate) fn check(&self, note: impl FnOnce() -> String) -> Result<(), Failure> {
        match self.signal.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => Err(Failure::Stopped {
                signal: i32::try_from(signal).unwrap_or(SIGTERM),
                note: note(),
            }),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn cannot_handle(error: io::Error) -> Failure {
    Failure::Input(format!("cannot handle signals: {error}"))
}
