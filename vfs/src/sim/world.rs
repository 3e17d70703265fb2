//! The state that all handles of one simulated world share, and its clock and random bytes.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::fault::Effect;
use super::state::State;
use super::stop::is_over_budget;
use super::trace::{Answer, Call};
use crate::{Clock, Entropy, Error, Op, Result};

#[derive(Debug)]
pub(super) struct World {
    state: Mutex<State>,
}

impl World {
    pub(super) fn new(state: State) -> Self {
        Self { state: Mutex::new(state) }
    }

    /// The state. A panic elsewhere while it was locked leaves it usable: a test that fails
    /// still wants its trace.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one operation of `process`, or of the running one.
    ///
    /// # Panics
    /// If it is one operation too many ([`SimVfs::set_op_limit`](super::SimVfs::set_op_limit)),
    /// with nothing locked.
    pub(super) fn run(
        &self,
        process: Option<u64>,
        call: &Call<'_>,
        act: impl FnOnce(&mut State, Option<&Effect>) -> std::io::Result<Answer>,
    ) -> Result<u64> {
        let result = {
            let mut state = self.lock();
            let process = process.unwrap_or(state.process);
            state.run(process, call, act)
        };
        let over = result.as_ref().is_err_and(is_over_budget);
        // While unwinding already, the error must do: a second panic would end the program.
        assert!(!over || std::thread::panicking(), "operation budget used up at {call:?}");
        let failed = |source| Error::new(call.op, call.path, source);
        result.map(|answer| answer.value).map_err(failed)
    }
}

impl Clock for World {
    fn wall_nanos(&self) -> i64 {
        self.lock().time.wall_nanos
    }

    fn monotonic_nanos(&self) -> u64 {
        self.lock().time.monotonic_nanos
    }
}

impl Entropy for World {
    fn fill(&self, buf: &mut [u8]) -> Result<()> {
        let bytes = buf.len() as u64;
        let call = Call { bytes, ..Call::on_path(Op::Entropy, Path::new("entropy")) };
        self.run(None, &call, |state, _| {
            state.entropy.fill(buf);
            Ok(Answer::default())
        })
        .map(drop)
    }
}
