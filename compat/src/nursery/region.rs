//! One place in a future where a cancellation takes effect.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::time::Instant;

use crate::runtime::{Alarm, CancelReason, CancelSource, Core, Kind, NodeId, Owner, current};

/// A node of the cancel tree and the future that is polled inside it.
///
/// Cancelled, it drops the future in place, before or after a poll, unless a guarded region is active inside in the
/// same task. It leaves the tree when it is dropped, on every path.
///
/// A guarded region (`is_guard`) asks the scopes around it, up to the task, to be left alone: they wait until it is
/// gone.
pub(crate) struct Region {
    core: Rc<Core>,
    node: NodeId,
    is_guard: bool,
    /// The future was polled: before that the region stands where it was entered, and a cancellation waits for the
    /// first suspension.
    has_begun: bool,
}

/// How the future of a region ended.
pub(crate) enum Ended<T> {
    Value(T),
    Panic(Box<dyn Any + Send>),
    /// Dropped by a cancellation.
    Dropped,
}

impl Region {
    /// Enters a region inside the current scope.
    #[track_caller]
    pub(crate) fn enter(kind: Kind, is_guard: bool, is_shielded: bool) -> Self {
        Region::enter_until(None, kind, is_guard, is_shielded)
    }

    /// As [`enter`](Region::enter), with a deadline.
    #[track_caller]
    pub(crate) fn enter_until(deadline: Option<Instant>, kind: Kind, is_guard: bool, is_shielded: bool) -> Self {
        let core = current();
        let parent = core.scope();
        let mut tree = core.tree.borrow_mut();
        let node = tree.insert(parent, kind, Owner::Task(core.current_task()), is_shielded);
        tree.set_deadline(node, deadline);
        if is_guard {
            tree.raise_guards(parent, 1);
        }
        drop(tree);
        Region { core, node, is_guard, has_begun: false }
    }

    /// Takes over the node of a scope whose first poll has suspended.
    pub(crate) fn suspended(core: Rc<Core>, node: NodeId) -> Self {
        Region { core, node, is_guard: false, has_begun: true }
    }

    pub(crate) fn core(&self) -> &Rc<Core> {
        &self.core
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    /// Leaves the tree.
    pub(crate) fn leave(self) -> Rc<Core> {
        self.core.clone()
    }

    /// Polls the future in `slot` inside the region; `None` if a cancellation dropped it. Its panic unwinds.
    pub(crate) fn poll<F: Future>(
        &mut self,
        mut slot: Pin<&mut Option<F>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<F::Output>> {
        let has_begun = std::mem::replace(&mut self.has_begun, true);
        if has_begun {
            self.follow();
        }
        let core = &*self.core;
        let Some(future) = slot.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        if !(has_begun && core.by_cancel.get() && core.tree.borrow().must_drop(self.node)) {
            let _inside = core.enter(self.node);
            if let Poll::Ready(value) = future.poll(cx) {
                return Poll::Ready(Some(value));
            }
        }
        self.suspend(slot, cx)
    }

    /// As [`poll`](Region::poll), for a region that has something to do after a panic.
    pub(crate) fn poll_caught<F: Future>(
        &mut self,
        slot: Pin<&mut Option<F>>,
        cx: &mut Context<'_>,
    ) -> Poll<Ended<F::Output>> {
        match catch_unwind(AssertUnwindSafe(|| self.poll(slot, cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Some(value))) => Poll::Ready(Ended::Value(value)),
            Ok(Poll::Ready(None)) => Poll::Ready(Ended::Dropped),
            Err(payload) => Poll::Ready(Ended::Panic(payload)),
        }
    }

    /// The future waits: arms the deadline, and drops the future if the region is cancelled.
    pub(crate) fn suspend<F: Future>(
        &mut self,
        mut slot: Pin<&mut Option<F>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<F::Output>> {
        let core = &*self.core;
        // Most have no deadline, and are polled by their task itself.
        if core.tree.borrow().is_plain(self.node) && core.is_own_waker(cx.waker()) {
            return Poll::Pending;
        }
        self.arm();
        if core.tree.borrow().must_drop(self.node) {
            let _inside = core.enter(self.node);
            slot.set(None);
            return Poll::Ready(None);
        }
        self.watch(cx);
        Poll::Pending
    }

    /// Leaves the waker for a cancellation, if it is not the task's own.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        let waker = Some(cx.waker()).filter(|waker| !self.core.is_own_waker(waker));
        let old = self.core.tree.borrow_mut().set_waker(self.node, waker);
        drop(old);
    }

    /// Hides the cancellation of the scopes around the region from now on.
    pub(crate) fn raise_shield(&mut self) {
        self.core.tree.borrow_mut()[self.node].shield = true;
        self.core.refresh(self.node);
    }

    /// Sets the timer for a deadline at the first suspension, and cancels at once if it has passed.
    fn arm(&self) {
        let mut tree = self.core.tree.borrow_mut();
        let node = &tree[self.node];
        let (generation, own) = (node.generation, node.own);
        let unarmed = tree.rest(self.node).filter(|rest| rest.timer.is_none() && !own);
        let Some(deadline) = unarmed.and_then(|rest| rest.deadline) else {
            return;
        };
        if deadline <= Instant::now() {
            drop(tree);
            self.core.cancel(self.node, || CancelReason::new(CancelSource::Deadline));
        } else {
            let alarm = Alarm::Cancel { node: self.node, generation };
            tree.rest_mut(self.node).timer = Some(self.core.set_timer(deadline, alarm));
        }
    }

    /// Moves the region to where it is polled now: a future may be polled in one task and then handed to another.
    #[inline]
    pub(crate) fn follow(&mut self) {
        let here = self.core.scope();
        let parent = self.core.tree.borrow()[self.node].parent;
        if parent != here {
            self.move_from(parent, here);
        }
    }

    #[cold]
    fn move_from(&mut self, parent: NodeId, here: NodeId) {
        let core = &*self.core;
        let task = core.current_task();
        let mut tree = core.tree.borrow_mut();
        let n_guards = tree[self.node].guards + u32::from(self.is_guard);
        if n_guards > 0 {
            drop(tree);
            core.lower_guards(parent, n_guards);
            tree = core.tree.borrow_mut();
        }
        tree.reparent(self.node, here);
        tree.raise_guards(here, n_guards);
        tree.set_task(self.node, task);
        drop(tree);
        core.refresh(self.node);
    }

    /// Takes over a guard that was raised, or lowered, on the tree directly.
    pub(crate) fn adopt_guard(&mut self, is_guard: bool) {
        self.is_guard = is_guard;
    }

    fn set_guard(&mut self, is_guard: bool) {
        if std::mem::replace(&mut self.is_guard, is_guard) != is_guard {
            let parent = self.core.tree.borrow()[self.node].parent;
            if is_guard {
                self.core.tree.borrow_mut().raise_guards(parent, 1);
            } else {
                self.core.lower_guards(parent, 1);
            }
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.set_guard(false);
        self.core.free_node(self.node);
    }
}
