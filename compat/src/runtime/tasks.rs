//! Tasks: futures that the loop polls from its queue.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use slab::Slab;

use super::context::Context;
use super::core::Core;
use super::ready::Item;
use super::tree::{Kind, NodeId, Owner};
use super::wake::TaskWaker;
use crate::error::{Error, Result};

/// Recycled wakers kept per loop; a burst larger than this allocates again.
const MAX_POOLED_WAKERS: usize = 1024;

/// Names a task for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskId {
    index: u32,
    generation: u32,
}

impl TaskId {
    /// The future given to `run`, which the loop holds itself.
    pub(crate) const ROOT: TaskId = TaskId { index: u32::MAX, generation: 0 };

    pub(crate) fn to_bits(self) -> u64 {
        u64::from(self.index) | u64::from(self.generation) << 32
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        TaskId { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

pub(crate) type TaskFuture = Pin<Box<dyn Future<Output = Result<()>>>>;

/// How a task ended.
pub(crate) enum Exit {
    Finished,
    Failed(Error),
    Panicked(Payload),
    /// Dropped before it had a result.
    Cancelled,
}

/// What the code around a [`run_inside`](Core::run_inside) finds again.
struct Outside<'a> {
    core: &'a Core,
    context: Context,
    by_cancel: bool,
    keeps_result: bool,
}

impl Drop for Outside<'_> {
    fn drop(&mut self) {
        self.core.set_context(std::mem::take(&mut self.context));
        self.core.by_cancel.set(self.by_cancel);
        self.core.keeps_result.set(self.keeps_result);
    }
}

/// Who is told when a task ends: the state of a nursery.
pub(crate) trait Supervisor {
    fn child_ended(&self, exit: Exit, is_background: bool);
}

/// A task as it is handed to the loop.
pub(crate) struct NewTask {
    pub(crate) future: TaskFuture,
    pub(crate) supervisor: Rc<dyn Supervisor>,
    pub(crate) parent: NodeId,
    pub(crate) is_background: bool,
    pub(crate) name: TaskName,
}

/// The name of a task as `dump` prints it: the type of its future unless it was given one.
#[derive(Clone)]
pub(crate) enum TaskName {
    Type(&'static str),
    /// Behind two pointers: few tasks have one, and all carry the room for it.
    Given(Rc<Box<str>>),
}

impl TaskName {
    pub(crate) fn given(name: &str) -> Self {
        TaskName::Given(Rc::new(name.into()))
    }
}

impl TaskName {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            TaskName::Type(name) => name,
            TaskName::Given(name) => name,
        }
    }
}

pub(crate) struct Slot {
    pub(crate) node: NodeId,
    /// Absent while it is polled or dropped.
    future: Option<TaskFuture>,
    /// It knows which task the slot is of, too.
    pub(crate) task_waker: Arc<TaskWaker>,
    pub(crate) supervisor: Rc<dyn Supervisor>,
    context: Context,
    pub(crate) name: TaskName,
    /// What the task said it waits for when it was last polled.
    pub(crate) waits_for: &'static str,
    pub(super) is_background: bool,
    /// Foreign code dropped its nursery while it was polled: it is dropped when that poll returns.
    is_doomed: bool,
}

impl Slot {
    pub(super) fn of(tasks: &Slab<Slot>, id: TaskId) -> Option<&Slot> {
        tasks.get(id.index as usize).filter(|slot| slot.task_waker.task() == id)
    }
}

impl Core {
    /// Queues a new task; its first step comes in the next turn.
    pub(crate) fn spawn(&self, new: NewTask) -> TaskId {
        self.spawn_in(new, self.context())
    }

    /// As [`spawn`](Core::spawn), with the context variables of an earlier moment.
    pub(crate) fn spawn_in(&self, new: NewTask, context: Context) -> TaskId {
        let generation = self.next_number();
        let mut tasks = self.tasks.borrow_mut();
        let entry = tasks.vacant_entry();
        let id = TaskId { index: entry.key() as u32, generation };
        let task_waker = match self.waker_pool.borrow_mut().pop() {
            Some(task_waker) => {
                task_waker.recycle(id);
                task_waker
            }
            None => TaskWaker::new(id, &self.door),
        };
        let node = self.tree.borrow_mut().insert(new.parent, Kind::Task, Owner::Task(id), false);
        entry.insert(Slot {
            node,
            future: Some(new.future),
            task_waker,
            supervisor: new.supervisor,
            context,
            name: new.name,
            waits_for: "its first step",
            is_background: new.is_background,
            is_doomed: false,
        });
        drop(tasks);
        self.n_members.set(self.n_members.get() + 1);
        self.push(Item::Task { id, by_cancel: false });
        id
    }

    /// Runs `step` as the first step of a task below `node` would be run: in its scope, with the context variables of
    /// the caller, and whatever it sets in them is its own.
    pub(crate) fn run_inside(&self, node: NodeId, step: &mut dyn FnMut()) {
        let _outside = Outside {
            core: self,
            context: self.context(),
            by_cancel: self.by_cancel.replace(false),
            keeps_result: self.keeps_result.replace(false),
        };
        let _inside = self.enter(node);
        step();
    }

    pub(crate) fn with_slot<R>(&self, id: TaskId, look: impl FnOnce(&mut Slot) -> R) -> Option<R> {
        let mut tasks = self.tasks.borrow_mut();
        let slot = tasks.get_mut(id.index as usize).filter(|slot| slot.task_waker.task() == id)?;
        Some(look(slot))
    }

    /// The task at the top of which `node` stands, if it is one.
    pub(crate) fn node_of(&self, id: TaskId) -> Option<NodeId> {
        self.with_slot(id, |slot| slot.node)
    }

    /// Takes one step of a task. Whatever it ends with goes to its supervisor; nothing unwinds out of here.
    #[inline(never)]
    pub(crate) fn step(&self, id: TaskId, by_cancel: bool) {
        let begun = self.with_slot(id, |slot| {
            let is_late = slot.task_waker.begin_step();
            let future = slot.future.take()?;
            let waker = Waker::from(slot.task_waker.clone());
            Some((future, slot.node, waker, std::mem::take(&mut slot.context), is_late))
        });
        let Some(Some((mut future, node, waker, context, is_late))) = begun else {
            return;
        };
        self.set_context(context);
        self.task.set(id);
        self.own_waker.set(waker.data());
        self.by_cancel.set(by_cancel);
        self.keeps_result.set(is_late && !by_cancel);
        self.waits_for.set("");

        let mut exit = None;
        if !(by_cancel && self.tree.borrow().must_drop(node)) {
            let _inside = self.enter(node);
            let poll = || future.as_mut().poll(&mut TaskContext::from_waker(&waker));
            match catch_unwind(AssertUnwindSafe(poll)) {
                Ok(Poll::Ready(Ok(()))) => exit = Some(Exit::Finished),
                Ok(Poll::Ready(Err(err))) => exit = Some(Exit::Failed(err)),
                Ok(Poll::Pending) => {}
                Err(payload) => exit = Some(Exit::Panicked(payload)),
            }
        }
        drop(waker);
        self.task.set(TaskId::ROOT);
        self.own_waker.set(self.root_waker.1.data());
        let context = self.take_context();

        if exit.is_none() {
            let must_drop = self.tree.borrow().must_drop(node);
            let mut future = Some(future);
            self.with_slot(id, |slot| {
                if !slot.is_doomed && !must_drop {
                    slot.future = future.take();
                    slot.context = context;
                    slot.waits_for = self.waits_for.get();
                }
            });
            if let Some(future) = future {
                let exit = self.drop_future(node, future, Exit::Cancelled);
                self.retire(id, exit);
            }
        } else {
            let exit = self.drop_future(node, future, exit.unwrap_or(Exit::Cancelled));
            self.retire(id, exit);
        }
    }

    /// Drops tasks whose nursery is gone, at once: the clean-up for nursery futures dropped by foreign code.
    ///
    /// A task that is being polled is dropped when its poll returns. Nurseries inside the dropped tasks land in the
    /// same list, so a deep tree takes no stack.
    pub(crate) fn kill(&self, ids: Vec<TaskId>) {
        self.doomed.borrow_mut().extend(ids);
        if self.is_killing.replace(true) {
            return;
        }
        loop {
            let Some(id) = self.doomed.borrow_mut().pop_front() else {
                break;
            };
            let future = self.with_slot(id, |slot| {
                slot.is_doomed = true;
                slot.future.take().map(|future| (future, slot.node))
            });
            if let Some(Some((future, node))) = future {
                let exit = self.drop_future(node, future, Exit::Cancelled);
                self.retire(id, exit);
            }
        }
        self.is_killing.set(false);
    }

    /// All tasks that are not being polled.
    pub(crate) fn all_tasks(&self) -> Vec<TaskId> {
        let tasks = self.tasks.borrow();
        tasks.iter().map(|(_, slot)| slot.task_waker.task()).collect()
    }

    /// Drops a future with its own scope current, so that a `Drop` inside sees where it is. A panic there counts as
    /// the task's.
    fn drop_future(&self, node: NodeId, future: TaskFuture, exit: Exit) -> Exit {
        let _inside = self.enter(node);
        match catch_unwind(AssertUnwindSafe(|| drop(future))) {
            Err(payload) if !matches!(exit, Exit::Panicked(_)) => Exit::Panicked(payload),
            _ => exit,
        }
    }

    fn retire(&self, id: TaskId, exit: Exit) {
        let slot = self.tasks.borrow_mut().remove(id.index as usize);
        self.free_node(slot.node);
        let Slot { task_waker, supervisor, is_background, context, .. } = slot;
        let mut pool = self.waker_pool.borrow_mut();
        // One reference is ours; another would let somebody wake the wrong task.
        if Arc::strong_count(&task_waker) == 1 && pool.len() < MAX_POOLED_WAKERS {
            pool.push(task_waker);
        }
        drop(pool);
        drop(context);
        self.n_members.set(self.n_members.get() - 1);
        supervisor.child_ended(exit, is_background);
    }
}
