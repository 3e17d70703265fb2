//! Which roots there are: the published one that readers see, those that are appended but not
//! yet durable, and the oldest one that somebody still holds.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use super::root::Root;
use crate::ids::FrameNo;
use crate::sync::{Mutex, Published, lock};

#[derive(Debug, Default)]
struct Queues {
    /// Committed roots that are not published, oldest first.
    unpublished: VecDeque<Arc<Root>>,
    /// Every root that may still be held, oldest first.
    live: VecDeque<(FrameNo, Weak<Root>)>,
}

/// The roots of an open database.
#[derive(Debug)]
pub(crate) struct Group {
    published: Published<Root>,
    queues: Mutex<Queues>,
}

impl Group {
    /// Starts with a published root.
    pub(crate) fn new(root: Arc<Root>) -> Self {
        let live = VecDeque::from([(root.frame(), Arc::downgrade(&root))]);
        let queues = Queues { unpublished: VecDeque::new(), live };
        Self { published: Published::new(root), queues: Mutex::new(queues) }
    }

    /// The root that readers see, for a short while.
    #[inline]
    pub(crate) fn load(&self) -> impl std::ops::Deref<Target = Arc<Root>> + use<> {
        self.published.load()
    }

    /// The root that readers see, for as long as it takes.
    pub(crate) fn load_full(&self) -> Arc<Root> {
        self.published.load_full()
    }

    /// A transaction has committed this root.
    pub(crate) fn committed(&self, root: &Arc<Root>) {
        let mut queues = lock(&self.queues);
        queues.live.push_back((root.frame(), Arc::downgrade(root)));
        queues.unpublished.push_back(Arc::clone(root));
        if queues.live.len() > 1024 && queues.live.len() > 2 * queues.unpublished.len() {
            queues.live.retain(|(_, root)| root.strong_count() > 0);
        }
    }

    /// Everything up to `frame` may be seen.
    pub(crate) fn publish(&self, frame: FrameNo) {
        let mut queues = lock(&self.queues);
        let mut newest = None;
        while queues.unpublished.front().is_some_and(|root| root.frame() <= frame) {
            newest = queues.unpublished.pop_front();
        }
        if let Some(root) = newest {
            self.published.store(root);
        }
    }

    /// Another form of the newest committed root, the same to readers: `root` stands in for
    /// `old`.
    pub(crate) fn replace(&self, old: &Arc<Root>, root: &Arc<Root>) {
        let mut queues = lock(&self.queues);
        queues.live.push_back((root.frame(), Arc::downgrade(root)));
        if let Some(waiting) = queues.unpublished.iter_mut().find(|found| Arc::ptr_eq(found, old)) {
            *waiting = Arc::clone(root);
        } else if Arc::ptr_eq(&self.published.load(), old) {
            self.published.store(Arc::clone(root));
        }
    }

    /// The oldest root that anybody holds.
    pub(crate) fn oldest_live(&self) -> FrameNo {
        let mut queues = lock(&self.queues);
        while queues.live.front().is_some_and(|(_, root)| root.strong_count() == 0) {
            queues.live.pop_front();
        }
        // Roots are pushed in the order of their frames, but for stand-ins of the newest one.
        queues.live.front().map_or(FrameNo(u64::MAX), |&(frame, _)| frame)
    }
}
