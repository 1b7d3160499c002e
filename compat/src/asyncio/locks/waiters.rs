//! Tasks that stand in line.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Tasks that wait until somebody wakes them, first come, first served.
///
/// A wake-up is never lost: a task that was woken and is dropped before it went on passes the wake-up to whoever
/// `pass_on` chooses.
#[derive(Default)]
pub(in crate::asyncio) struct Waiters {
    line: RefCell<VecDeque<Rc<Waiter>>>,
}

#[derive(Default)]
struct Waiter {
    /// Set when it is taken out of the line, and only then.
    is_woken: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Waiters {
    /// Joins the line at the first poll and is ready once it was woken. Dropped between the two, it calls `pass_on`.
    pub(in crate::asyncio) fn wait<P: Fn()>(&self, pass_on: P) -> Wait<'_, P> {
        Wait { waiters: self, waiter: None, pass_on }
    }

    /// Wakes the first in line; `false` if nobody waits.
    pub(in crate::asyncio) fn wake_one(&self) -> bool {
        let first = self.line.borrow_mut().pop_front();
        first.is_some_and(|waiter| {
            waiter.wake();
            true
        })
    }

    /// Wakes all who wait now.
    pub(in crate::asyncio) fn wake_all(&self) {
        for waiter in self.line.take() {
            waiter.wake();
        }
    }
}

impl Waiter {
    fn wake(&self) {
        self.is_woken.set(true);
        let waker = self.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A place in line.
pub(in crate::asyncio) struct Wait<'a, P: Fn()> {
    waiters: &'a Waiters,
    /// Absent before the first poll and after the end.
    waiter: Option<Rc<Waiter>>,
    pass_on: P,
}

// The closure is called, never pinned.
impl<P: Fn()> Unpin for Wait<'_, P> {}

impl<P: Fn()> Future for Wait<'_, P> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waiters = self.waiters;
        let waiter = self.waiter.get_or_insert_with(|| {
            let waiter = Rc::<Waiter>::default();
            waiters.line.borrow_mut().push_back(waiter.clone());
            waiter
        });
        if waiter.is_woken.get() {
            self.waiter = None;
            return Poll::Ready(());
        }
        let is_known = waiter.waker.borrow().as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if !is_known {
            let old = waiter.waker.replace(Some(cx.waker().clone()));
            drop(old);
        }
        Poll::Pending
    }
}

impl<P: Fn()> Drop for Wait<'_, P> {
    fn drop(&mut self) {
        let Some(waiter) = self.waiter.take() else { return };
        if waiter.is_woken.get() {
            (self.pass_on)();
        } else {
            self.waiters.line.borrow_mut().retain(|other| !Rc::ptr_eq(other, &waiter));
        }
    }
}
