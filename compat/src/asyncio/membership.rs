//! A transport's place in the cancel tree: one child of its nursery, and the parent of what its protocol starts.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use crate::error::Result;
use crate::nursery::{Closed, Nursery};
use crate::runtime::{CancelReason, Exit, NewTask, NodeId, Source, Supervisor, TaskName, log_warning};

/// From [`join`](Membership::join) to the end of the last task after [`leave`](Membership::leave).
pub(crate) struct Membership {
    nursery: Nursery,
    /// The tasks of the transport are below it. None before it has joined and once it has left.
    node: Cell<NodeId>,
    n_children: Cell<u32>,
    /// A cancellation has ended it, which its nursery has to know.
    is_cancelled: Cell<bool>,
}

impl Membership {
    pub(crate) fn new(nursery: &Nursery) -> Self {
        Membership {
            nursery: nursery.clone(),
            node: Cell::new(NodeId::NONE),
            n_children: Cell::new(0),
            is_cancelled: Cell::new(false),
        }
    }

    /// Makes the transport a child of the nursery, whose cancellation it is told by `Event::CANCELLED`.
    pub(crate) fn join(&self, transport: Rc<dyn Source>) -> Result<(), Closed> {
        self.node.set(self.nursery.adopt(transport)?);
        Ok(())
    }

    pub(crate) fn nursery(&self) -> &Nursery {
        &self.nursery
    }

    /// Remembers that it was a cancellation that ended the transport.
    pub(crate) fn mark_cancelled(&self) {
        self.is_cancelled.set(true);
    }

    /// Starts a task below the transport, which is told of its end and has to hand that to
    /// [`child_ended`](Membership::child_ended). A transport that has left takes none.
    pub(crate) fn start_soon(
        &self,
        transport: Rc<dyn Supervisor>,
        name: &'static str,
        task: Pin<Box<dyn Future<Output = Result<()>>>>,
    ) {
        if self.node.get().is_none() {
            return log_warning(&format!("a task of a lost connection was not started: {name}"));
        }
        self.n_children.set(self.n_children.get() + 1);
        self.nursery.core().spawn(NewTask {
            future: task,
            supervisor: transport,
            parent: self.node.get(),
            is_background: false,
            name: TaskName::Type(name),
        });
    }

    /// Runs `step` where the first step of a task would run; a transport that has left has no scope any more.
    pub(crate) fn run_in_scope(&self, step: &mut dyn FnMut()) {
        let node = self.node.get();
        if node.is_none() { step() } else { self.nursery.core().run_inside(node, step) }
    }

    /// One of the tasks has ended; `is_over` says that the transport has left and waits for the last of them.
    pub(crate) fn child_ended(&self, is_over: bool) {
        self.n_children.set(self.n_children.get() - 1);
        if is_over && self.n_children.get() == 0 {
            self.leave_nursery();
        }
    }

    /// The transport is over: cancels its tasks, and leaves the nursery once the last of them has ended.
    pub(crate) fn leave(&self) {
        if self.n_children.get() > 0 {
            self.nursery.core().cancel(self.node.get(), || CancelReason::explicit("the connection was lost"));
        } else {
            self.leave_nursery();
        }
    }

    fn leave_nursery(&self) {
        let node = self.node.replace(NodeId::NONE);
        if !node.is_none() {
            self.nursery.release(node, if self.is_cancelled.get() { Exit::Cancelled } else { Exit::Finished });
        }
    }
}
