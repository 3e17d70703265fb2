//! When workers end, and whether they go on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::op::Plan;

/// What a worker is at, for whoever watches that it goes on.
#[derive(Debug, Default)]
pub struct Watch(Mutex<Option<(Instant, Plan)>>);

impl Watch {
    /// The worker starts on this plan.
    pub fn start(&self, plan: impl FnOnce() -> Plan) {
        if let Ok(mut now) = self.0.lock() {
            *now = Some((Instant::now(), plan()));
        }
    }

    /// The worker gets on with it.
    pub fn beat(&self) {
        if let Ok(mut now) = self.0.lock()
            && let Some((since, _)) = now.as_mut()
        {
            *since = Instant::now();
        }
    }

    /// The worker has nothing to do.
    pub fn rest(&self) {
        if let Ok(mut now) = self.0.lock() {
            *now = None;
        }
    }

    /// The plan that it has not got on with for longer than `limit`.
    #[must_use]
    pub fn overdue(&self, limit: Duration) -> Option<Plan> {
        let now = self.0.lock().ok()?;
        now.as_ref().filter(|(since, _)| since.elapsed() > limit).map(|(_, plan)| plan.clone())
    }
}

/// When to end although there is more to try.
#[derive(Clone, Copy, Debug)]
pub struct Halt<'a> {
    /// Somebody has found something.
    pub stop: &'a AtomicBool,
    /// The time is up.
    pub deadline: Option<Instant>,
}

impl Halt<'_> {
    /// Whether to end now.
    #[must_use]
    pub fn now(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
            || self.deadline.is_some_and(|deadline| Instant::now() > deadline)
    }

    /// Something was found: everybody ends.
    pub fn found(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
