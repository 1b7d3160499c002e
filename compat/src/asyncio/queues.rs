//! [`Queue`]: what tasks hand each other.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use super::exceptions::ValueError;
use super::locks::{Event, Waiters};
use crate::error::Result;
use crate::nursery::primitive;

/// Hands items from task to task, first in, first out: `asyncio.Queue`, a cheap clone of one shared queue.
///
/// Full, it makes [`put`](Queue::put) wait; empty, [`get`](Queue::get). Both end with [`QueueShutDown`] after
/// [`shutdown`](Queue::shutdown), `get` once the queue is empty.
///
/// An item that cannot be put is dropped. Nothing runs between [`full`](Queue::full) and
/// [`put_nowait`](Queue::put_nowait), so ask first where it is still wanted.
///
/// # Examples
///
/// ```
/// use foster_compat::asyncio::Queue;
/// use foster_compat::{open_nursery, run};
///
/// run(async {
///     open_nursery(async |nursery| {
///         let queue = Queue::new(10);
///         let work = queue.clone();
///         nursery.start_background(async move {
///             loop {
///                 let n: u32 = work.get().await?;
///                 assert!(n < 20);
///                 work.task_done()?;
///             }
///         });
///         for n in 0..20 {
///             queue.put(n).await?;
///         }
///         queue.join().await;
///         Ok(())
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
pub struct Queue<T> {
    state: Rc<State<T>>,
}

struct State<T> {
    items: RefCell<VecDeque<T>>,
    /// Zero for no limit.
    maxsize: usize,
    /// Items that were put and not yet reported done.
    n_unfinished: Cell<usize>,
    /// Set while nothing is unfinished.
    finished: Event,
    is_shut_down: Cell<bool>,
    getters: Waiters,
    putters: Waiters,
}

impl<T> Queue<T> {
    /// An empty queue for at most `maxsize` items; zero is no limit, as in asyncio.
    pub fn new(maxsize: usize) -> Self {
        let finished = Event::new();
        finished.set();
        Queue {
            state: Rc::new(State {
                items: RefCell::default(),
                maxsize,
                n_unfinished: Cell::new(0),
                finished,
                is_shut_down: Cell::new(false),
                getters: Waiters::default(),
                putters: Waiters::default(),
            }),
        }
    }

    /// Puts an item, waiting for room: `queue.put`. Does not give way if there is room.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has not put the item, which goes with it; room that it was given goes to the
    /// next. In a cancelled scope it stays pending.
    ///
    /// # Errors
    ///
    /// [`QueueShutDown`] if the queue is shut down, also while it waits.
    ///
    /// # Panics
    ///
    /// Outside a loop.
    pub async fn put(&self, item: T) -> Result<(), QueueShutDown> {
        primitive("room in a queue", async {
            while self.full() && !self.is_shut_down() {
                self.state.putters.wait(|| self.wake_putter()).await;
            }
            self.insert(item)
        })
        .await
    }

    /// Puts an item at once: `queue.put_nowait`.
    ///
    /// # Errors
    ///
    /// [`QueueFull`] if there is no room, [`QueueShutDown`] if the queue is shut down.
    pub fn put_nowait(&self, item: T) -> Result<()> {
        if self.full() && !self.is_shut_down() {
            return Err(QueueFull.into());
        }
        Ok(self.insert(item)?)
    }

    /// Takes the oldest item, waiting for one: `queue.get`. Does not give way if there is one.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has taken nothing; an item that it was woken for wakes the next.
    /// In a cancelled scope it stays pending.
    ///
    /// # Errors
    ///
    /// [`QueueShutDown`] if the queue is shut down and empty.
    ///
    /// # Panics
    ///
    /// Outside a loop.
    pub async fn get(&self) -> Result<T, QueueShutDown> {
        primitive("an item of a queue", async {
            loop {
                if let Some(item) = self.remove() {
                    return Ok(item);
                }
                if self.is_shut_down() {
                    return Err(QueueShutDown);
                }
                self.state.getters.wait(|| self.wake_getter()).await;
            }
        })
        .await
    }

    /// Takes the oldest item at once: `queue.get_nowait`.
    ///
    /// # Errors
    ///
    /// [`QueueEmpty`] if there is none, [`QueueShutDown`] if there is none and the queue is shut down.
    pub fn get_nowait(&self) -> Result<T> {
        match self.remove() {
            Some(item) => Ok(item),
            None if self.is_shut_down() => Err(QueueShutDown.into()),
            None => Err(QueueEmpty.into()),
        }
    }

    /// How many items wait: `queue.qsize`.
    pub fn qsize(&self) -> usize {
        self.state.items.borrow().len()
    }

    /// The most items that may wait, zero for no limit: `queue.maxsize`.
    pub fn maxsize(&self) -> usize {
        self.state.maxsize
    }

    /// Whether no item waits: `queue.empty`.
    pub fn empty(&self) -> bool {
        self.qsize() == 0
    }

    /// Whether there is no room: `queue.full`.
    pub fn full(&self) -> bool {
        self.state.maxsize > 0 && self.qsize() >= self.state.maxsize
    }

    /// Says that an item which was taken is dealt with: `queue.task_done`.
    ///
    /// # Errors
    ///
    /// A [`ValueError`](crate::ValueError), `task_done() called too many times`, if no item is unfinished.
    pub fn task_done(&self) -> Result<(), ValueError> {
        if self.state.n_unfinished.get() == 0 {
            return Err(ValueError::new("task_done() called too many times"));
        }
        self.finish_one();
        Ok(())
    }

    /// Waits until [`task_done`](Queue::task_done) was called for every item that was put: `queue.join`.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing.
    ///
    /// # Panics
    ///
    /// Outside a loop.
    pub async fn join(&self) {
        self.state.finished.wait().await
    }

    /// Takes no more items: `queue.shutdown` of Python 3.13. Idempotent.
    ///
    /// Who waits in [`put`](Queue::put) gets [`QueueShutDown`], who waits in [`get`](Queue::get) as well. What waits in
    /// the queue can still be taken, unless it `is_immediate`: then it is dropped and counts as done.
    pub fn shutdown(&self, is_immediate: bool) {
        let state = &self.state;
        state.is_shut_down.set(true);
        if is_immediate {
            let dropped = state.items.take();
            for _ in &dropped {
                // One that was reported done before it was taken is finished already.
                if state.n_unfinished.get() > 0 {
                    self.finish_one();
                }
            }
            drop(dropped);
        }
        state.getters.wake_all();
        state.putters.wake_all();
    }

    fn is_shut_down(&self) -> bool {
        self.state.is_shut_down.get()
    }

    fn insert(&self, item: T) -> Result<(), QueueShutDown> {
        if self.is_shut_down() {
            return Err(QueueShutDown);
        }
        let state = &self.state;
        state.items.borrow_mut().push_back(item);
        state.n_unfinished.set(state.n_unfinished.get() + 1);
        state.finished.clear();
        state.getters.wake_one();
        Ok(())
    }

    fn remove(&self) -> Option<T> {
        let item = self.state.items.borrow_mut().pop_front();
        if item.is_some() {
            self.state.putters.wake_one();
        }
        item
    }

    fn finish_one(&self) {
        let n_unfinished = self.state.n_unfinished.get() - 1;
        self.state.n_unfinished.set(n_unfinished);
        if n_unfinished == 0 {
            self.state.finished.set();
        }
    }

    /// Whoever was woken for an item went away.
    fn wake_getter(&self) {
        if !self.empty() {
            self.state.getters.wake_one();
        }
    }

    /// Whoever was woken for room went away.
    fn wake_putter(&self) {
        if !self.full() {
            self.state.putters.wake_one();
        }
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Queue { state: self.state.clone() }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Queue({} of {}, {} unfinished)", self.qsize(), self.maxsize(), self.state.n_unfinished.get())
    }
}

macro_rules! exception {
    ($(#[$doc:meta])* $name:ident, $message:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name;

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($message)
            }
        }

        impl std::error::Error for $name {}
    };
}

exception! {
    /// There is no item to take at once: `asyncio.QueueEmpty`.
    QueueEmpty, "the queue is empty"
}

exception! {
    /// There is no room to put an item at once: `asyncio.QueueFull`.
    QueueFull, "the queue is full"
}

exception! {
    /// The queue takes no more items, or will never have another: `asyncio.QueueShutDown`.
    QueueShutDown, "the queue is shut down"
}
