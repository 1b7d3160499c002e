//! Wakers that push keys into the loop's queue, from any thread.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use super::core;
use super::tasks::TaskId;
use crate::error::Result;

/// The part of a loop that other threads, and tokio's driver, may touch.
pub(crate) struct Door {
    /// Tells loops apart, so that a wake knows whether it comes from inside its own loop.
    id: u64,
    /// Set with every push: a turn looks at it before it takes the lock.
    knocked: AtomicBool,
    inbox: Mutex<Inbox>,
}

#[derive(Default)]
struct Inbox {
    knocks: Vec<Knock>,
    /// Wakes the task that polls the loop; taken when it is used.
    waker: Option<Waker>,
    /// The loop has ended: nothing is accepted any more.
    closed: bool,
}

/// Something from outside the loop's own poll.
pub(crate) enum Knock {
    Task(TaskId),
    Source { key: SourceKey, kind: u8 },
    Call(Box<dyn FnOnce() -> Result<()> + Send>),
}

/// Names a registered source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceKey {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl Door {
    pub(crate) fn new() -> Arc<Self> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        Arc::new(Door {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            knocked: AtomicBool::new(false),
            inbox: Mutex::default(),
        })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Hands `knock` to the loop and wakes it; gives it back if the loop has ended.
    pub(crate) fn push(&self, knock: Knock) -> Result<(), Knock> {
        let mut inbox = self.lock();
        if inbox.closed {
            return Err(knock);
        }
        inbox.knocks.push(knock);
        self.knocked.store(true, Ordering::Release);
        let waker = inbox.waker.take();
        drop(inbox);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Wakes the loop, which finds something in its own queue.
    pub(crate) fn wake(&self) {
        let waker = self.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Swaps what has come in with the empty `spare`, so that capacity is kept and no turn allocates.
    pub(crate) fn swap_knocks(&self, spare: &mut Vec<Knock>) {
        if self.knocked.swap(false, Ordering::AcqRel) {
            std::mem::swap(spare, &mut self.lock().knocks);
        }
    }

    /// Leaves the waker for whoever comes next; `false` if somebody has come already.
    pub(crate) fn wait(&self, waker: &Waker) -> bool {
        let mut inbox = self.lock();
        if !inbox.knocks.is_empty() {
            return false;
        }
        if !inbox.waker.as_ref().is_some_and(|old| old.will_wake(waker)) {
            inbox.waker = Some(waker.clone());
        }
        true
    }

    /// The loop has ended: refuses and forgets everything.
    pub(crate) fn close(&self) {
        let mut inbox = self.lock();
        inbox.closed = true;
        let knocks = std::mem::take(&mut inbox.knocks);
        let waker = inbox.waker.take();
        drop(inbox);
        drop((knocks, waker));
    }

    /// Nothing that runs under the lock can panic, so a poisoned lock still holds a sound inbox.
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The waker of a task: queues one step however often it fires before that step.
pub(crate) struct TaskWaker {
    /// Changes when the waker is recycled for another task, which happens only when nobody else holds it.
    id: AtomicU64,
    queued: AtomicBool,
    /// The task was cancelled while its step was queued.
    cancelled_late: AtomicBool,
    door: Arc<Door>,
}

impl TaskWaker {
    /// Made already queued, as the first step of a task always is.
    pub(crate) fn new(id: TaskId, door: &Arc<Door>) -> Arc<Self> {
        Arc::new(TaskWaker {
            id: id.to_bits().into(),
            queued: true.into(),
            cancelled_late: false.into(),
            door: door.clone(),
        })
    }

    pub(crate) fn recycle(&self, id: TaskId) {
        self.id.store(id.to_bits(), Ordering::Relaxed);
        self.queued.store(true, Ordering::Relaxed);
        self.cancelled_late.store(false, Ordering::Relaxed);
    }

    /// The task that it wakes.
    pub(crate) fn task(&self) -> TaskId {
        TaskId::from_bits(self.id.load(Ordering::Relaxed))
    }

    /// Marks a step as queued; `true` if none was.
    pub(crate) fn queue(&self) -> bool {
        !self.queued.swap(true, Ordering::AcqRel)
    }

    /// A cancellation found the step queued already. Only the loop's own thread calls this.
    pub(crate) fn cancel_late(&self) {
        self.cancelled_late.store(true, Ordering::Relaxed);
    }

    /// The queued step begins: the next wake queues another. Gives whether a cancellation came after it was queued.
    pub(crate) fn begin_step(&self) -> bool {
        self.queued.store(false, Ordering::Release);
        let is_late = self.cancelled_late.load(Ordering::Relaxed);
        if is_late {
            self.cancelled_late.store(false, Ordering::Relaxed);
        }
        is_late
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queue() {
            let id = self.task();
            if !core::queue_step_locally(self.door.id, id) {
                // A loop that has ended has no task left to wake.
                let _ = self.door.push(Knock::Task(id));
            }
        }
    }
}

/// The waker of a source for one kind of event.
pub(crate) struct SourceWaker {
    key: SourceKey,
    kind: u8,
    door: Arc<Door>,
}

impl SourceWaker {
    pub(crate) fn waker(key: SourceKey, kind: u8, door: &Arc<Door>) -> Waker {
        Arc::new(SourceWaker { key, kind, door: door.clone() }).into()
    }
}

impl Wake for SourceWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !core::wake_source_at_home(self.door.id, self.key, self.kind) {
            // A loop that has ended has no source left to wake.
            let _ = self.door.push(Knock::Source { key: self.key, kind: self.kind });
        }
    }
}
