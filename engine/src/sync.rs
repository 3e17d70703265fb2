//! Locks, atomics and condition variables: the one place that names them, so that a model
//! checker can stand in for them.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// Takes a lock, also where a thread panicked while it held it: what each lock guards is
/// consistent between any two statements, or is marked as failed by its owner.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits on a condition variable, with the same rule.
pub(crate) fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// Waits on a condition variable for so long at most.
pub(crate) fn wait_for<'a, T>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    at_most: Duration,
) -> MutexGuard<'a, T> {
    condvar.wait_timeout(guard, at_most).unwrap_or_else(PoisonError::into_inner).0
}

/// Sleeps for a while.
pub(crate) fn pause(time: Duration) {
    drop(wait_for(&Condvar::new(), lock(&Mutex::new(())), time));
}

/// Wakes one thread, once. (Parking would do, but for the callers' own use of it.)
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    /// Sleeps until the bell has been rung.
    pub(crate) fn wait(&self) {
        let mut rung = lock(&self.rung);
        while !*rung {
            rung = wait(&self.heard, rung);
        }
    }

    pub(crate) fn ring(&self) {
        *lock(&self.rung) = true;
        self.heard.notify_one();
    }
}

/// How often a condition is looked at before one sleeps: some tens of microseconds.
const SPINS: u32 = 500;

/// Waits a short while for a condition to end.
#[inline]
pub(crate) fn spin_while(condition: impl Fn() -> bool) {
    for _ in 0..SPINS {
        if !condition() {
            break;
        }
        std::hint::spin_loop();
    }
}

/// A number that tells the calling thread from all others; it is used for telling alone, so
/// that nothing depends on its value.
#[inline]
pub(crate) fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}

/// A value that readers take without a lock and a writer replaces.
#[derive(Debug)]
pub(crate) struct Published<T>(arc_swap::ArcSwap<T>);

impl<T> Published<T> {
    /// Starts with this value.
    pub(crate) fn new(value: std::sync::Arc<T>) -> Self {
        Self(arc_swap::ArcSwap::new(value))
    }

    /// The newest value, for a short while.
    pub(crate) fn load(&self) -> impl std::ops::Deref<Target = std::sync::Arc<T>> + use<T> {
        self.0.load()
    }

    /// The newest value, for as long as it takes.
    pub(crate) fn load_full(&self) -> std::sync::Arc<T> {
        self.0.load_full()
    }

    /// Replaces the value.
    pub(crate) fn store(&self, value: std::sync::Arc<T>) {
        self.0.store(value);
    }
}
