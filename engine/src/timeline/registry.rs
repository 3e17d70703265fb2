//! Which snapshots are being read. Pruning must not pass them, and `close` waits for those that
//! belong to running transactions.
//!
//! Short reads take one of a fixed number of places without a lock; owned snapshots, and reads
//! beyond that number, go into a map.

use std::collections::BTreeMap;

use crate::sync::{AtomicBool, AtomicU64, Condvar, Mutex, Ordering, lock, thread_number, wait};

const PLACES: usize = 64;

/// One reader's place, on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Place {
    /// The sequence being read plus one; zero when free.
    seq: AtomicU64,
    /// Whose read it is; zero when free, and until the one who has just taken it says so.
    thread: AtomicU64,
}

#[derive(Debug, Default)]
struct Held {
    next: u64,
    /// Owned snapshots and overflowing reads: sequence, and the thread of a running one.
    held: BTreeMap<u64, (u64, Option<u64>)>,
}

/// The snapshots being read.
#[derive(Debug)]
pub(crate) struct Registry {
    places: Box<[Place]>,
    held: Mutex<Held>,
    ended: Condvar,
    closing: AtomicBool,
}

/// A registered snapshot; give it back to [`Registry::end`].
#[derive(Debug)]
pub(crate) enum Ticket {
    Place(usize),
    Held(u64),
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            places: (0..PLACES).map(|_| Place::default()).collect(),
            held: Mutex::default(),
            ended: Condvar::new(),
            closing: AtomicBool::new(false),
        }
    }

    /// A read that ends soon, on this thread.
    #[inline]
    pub(crate) fn begin(&self, seq: u64) -> Ticket {
        let thread = thread_number();
        for step in 0..PLACES {
            let index = (thread as usize).wrapping_add(step) % PLACES;
            let place = &self.places[index];
            if place.seq.load(Ordering::Relaxed) == 0
                && place
                    .seq
                    .compare_exchange(0, seq.saturating_add(1), Ordering::SeqCst, Ordering::Relaxed)
                    .is_ok()
            {
                place.thread.store(thread, Ordering::Relaxed);
                return Ticket::Place(index);
            }
        }
        self.hold(seq, Some(thread))
    }

    /// An owned snapshot, for as long as its owner likes.
    pub(crate) fn begin_owned(&self, seq: u64) -> Ticket {
        self.hold(seq, None)
    }

    fn hold(&self, seq: u64, thread: Option<u64>) -> Ticket {
        let mut held = lock(&self.held);
        held.next += 1;
        let id = held.next;
        held.held.insert(id, (seq, thread));
        Ticket::Held(id)
    }

    /// The read is over.
    #[inline]
    pub(crate) fn end(&self, ticket: &Ticket) {
        match ticket {
            Ticket::Place(index) => {
                // Before the place is free: the next one to take it must not pass for this thread.
                self.places[*index].thread.store(0, Ordering::Relaxed);
                self.places[*index].seq.store(0, Ordering::SeqCst);
            }
            Ticket::Held(id) => {
                lock(&self.held).held.remove(id);
            }
        }
        if self.closing.load(Ordering::SeqCst) {
            drop(lock(&self.held));
            self.ended.notify_all();
        }
    }

    /// Whether the calling thread is inside of a read.
    pub(crate) fn inside(&self) -> bool {
        let thread = thread_number();
        let in_place = self.places.iter().any(|place| {
            place.seq.load(Ordering::SeqCst) != 0 && place.thread.load(Ordering::Relaxed) == thread
        });
        in_place || lock(&self.held).held.values().any(|&(_, owner)| owner == Some(thread))
    }

    /// Waits until no read is running; owned snapshots are not waited for.
    pub(crate) fn wait_for_reads(&self) {
        self.closing.store(true, Ordering::SeqCst);
        let mut held = lock(&self.held);
        while self.places.iter().any(|place| place.seq.load(Ordering::SeqCst) != 0)
            || held.held.values().any(|(_, thread)| thread.is_some())
        {
            held = wait(&self.ended, held);
        }
    }

    /// The oldest sequence above 0 that anybody reads; 0 is empty for ever.
    pub(crate) fn oldest(&self) -> Option<u64> {
        let held = lock(&self.held);
        let places = self.places.iter().map(|place| place.seq.load(Ordering::SeqCst));
        let places = places.map(|seq| seq.saturating_sub(1));
        places.chain(held.held.values().map(|&(seq, _)| seq)).filter(|&seq| seq > 0).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_then_map_and_the_oldest_counts() {
        let registry = Registry::new();
        let tickets: Vec<_> = (0..PLACES as u64 + 3).map(|seq| registry.begin(seq + 5)).collect();
        assert!(matches!(tickets[PLACES], Ticket::Held(_)));
        assert!(registry.inside());
        assert_eq!(registry.oldest(), Some(5));
        registry.end(&tickets[0]);
        assert_eq!(registry.oldest(), Some(6));
        tickets[1..].iter().for_each(|ticket| registry.end(ticket));
        assert!(!registry.inside());
        let owned = registry.begin_owned(3);
        assert!(!registry.inside());
        registry.wait_for_reads();
        assert_eq!(registry.oldest(), Some(3));
        registry.end(&owned);
        assert_eq!(registry.oldest(), None);
    }
    /// A place that another thread has taken, but not yet marked as its own, passed for that of
    /// the thread that had it before: `close` there was refused as if inside of a transaction.
    #[test]
    fn a_place_that_another_thread_is_taking_is_not_the_one_before() {
        let registry = Registry::new();
        let ticket = registry.begin(5);
        let Ticket::Place(index) = ticket else { panic!("{ticket:?}") };
        registry.end(&ticket);
        // What `begin` of the other thread does first.
        registry.places[index].seq.store(8, Ordering::SeqCst);
        assert!(!registry.inside());
        assert_eq!(registry.oldest(), Some(7), "it is a read all the same");
    }
}
