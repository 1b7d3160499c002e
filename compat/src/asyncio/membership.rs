//! A transport's place in the cancel tree: one child of its nursery, and the parent of what its protocol starts.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use crate::error::Result;
use crate::nursery::{Closed, Nursery};
use crate::runtime::{CancelReason, Exit, FirstStep, NewTask, NodeId, Source, Supervisor, TaskName, log_warning};

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

    /// As [`start_soon`](Membership::start_soon), with the first step taken at once. A task that ends in it is told to
    /// the transport before this returns, and cost no entry in the queue.
    pub(crate) fn start_eagerly(
        &self,
        transport: Rc<dyn Supervisor>,
        name: &'static str,
        mut task: Pin<Box<dyn Future<Output = Result<()>>>>,
    ) {
        let parent = self.node.get();
        if parent.is_none() {
            return log_warning(&format!("a task of a lost connection was not started: {name}"));
        }
        self.n_children.set(self.n_children.get() + 1);
        let core = self.nursery.core().clone();
        match core.first_step(parent, &mut task) {
            FirstStep::Ended(exit) => {
                let exit = core.drop_future(parent, task, exit);
                transport.child_ended(exit, false);
            }
            FirstStep::Suspended(context) => {
                let name = TaskName::Type(name);
                let new = NewTask { future: task, supervisor: transport, parent, is_background: false, name };
                core.spawn_in(new, context);
            }
        }
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
