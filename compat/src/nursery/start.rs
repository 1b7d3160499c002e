//! `nursery.start`: a child that says when it is ready.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use super::nursery::{Closed, Nursery, NurseryState, Started, Unlimited, open_nursery};
use crate::error::Result;
use crate::runtime::{Supervisor, TaskId, TaskName};

/// What a child started with [`Nursery::start`] says that it is ready with: `trio.TaskStatus`.
///
/// [`started`](TaskStatus::started) consumes it, so it is called at most once.
pub struct TaskStatus<V> {
    value: Rc<RefCell<Option<V>>>,
    child: Rc<Cell<Option<TaskId>>>,
    /// Where the child lives until it has started: a nursery of the caller of `start`.
    lodging: Rc<NurseryState>,
    target: Rc<NurseryState>,
}

impl<V> TaskStatus<V> {
    /// Hands `value` to the caller of `start` and moves the child to its nursery.
    ///
    /// If the caller was cancelled meanwhile the child stays where it is, and ends with it.
    pub fn started(self, value: V) {
        self.value.replace(Some(value));
        let core = &self.lodging.core;
        let can_move = self.lodging.is_open() && !self.lodging.is_cancelled() && self.target.is_open();
        let Some(child) = self.child.get().filter(|_| can_move) else {
            return;
        };
        let target: Rc<dyn Supervisor> = Rc::new(Unlimited(self.target.clone()));
        let moved = core.with_slot(child, |slot| (slot.node, std::mem::replace(&mut slot.supervisor, target)));
        let Some((node, lodging)) = moved else { return };
        core.tree.borrow_mut().reparent(node, self.target.node);
        core.refresh(node);
        self.target.n_live.set(self.target.n_live.get() + 1);
        lodging.child_ended(crate::runtime::Exit::Finished, false);
    }
}

impl<V> fmt::Debug for TaskStatus<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskStatus")
    }
}

/// A child given to [`Nursery::start`] ended without calling [`TaskStatus::started`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotStarted;

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the child ended without calling task_status.started()")
    }
}

impl std::error::Error for NotStarted {}

impl Nursery {
    /// Starts a child and waits until it says that it is ready: `nursery.start`.
    ///
    /// Until then the child lives in a nursery of the caller, so that cancelling the caller cancels it, and keeps
    /// this nursery open. After it, its error belongs to this nursery.
    ///
    /// # Errors
    ///
    /// The child's own error if it fails first, [`NotStarted`] if it ends without having started, [`Closed`] if the
    /// nursery has ended.
    ///
    /// # Panics
    ///
    /// Resumes a panic of the child before it has started.
    ///
    /// # Examples
    ///
    /// ```
    /// use foster_compat::{TaskStatus, open_nursery, run};
    ///
    /// run(async {
    ///     open_nursery(async |nursery| {
    ///         let port = nursery
    ///             .start(async |task_status: TaskStatus<u16>| {
    ///                 task_status.started(8888);
    ///                 Ok(())
    ///             })
    ///             .await?;
    ///         assert_eq!(port, 8888);
    ///         Ok(())
    ///     })
    ///     .await
    /// })?;
    /// # foster_compat::Ok(())
    /// ```
    pub async fn start<V, F>(&self, child: F) -> Result<V>
    where
        V: 'static,
        F: AsyncFnOnce(TaskStatus<V>) -> Result<()> + 'static,
    {
        let target = self.state.clone();
        if !target.is_open() {
            return Err(Closed.into());
        }
        let value = Rc::new(RefCell::new(None));
        let promised = value.clone();
        target.n_live.set(target.n_live.get() + 1);
        let _keep_open = KeepOpen { target: &target };
        let lodged = open_nursery(async |nursery: Nursery| {
            let id = Rc::new(Cell::new(None));
            let status = TaskStatus {
                value: promised,
                child: id.clone(),
                lodging: nursery.state.clone(),
                target: target.clone(),
            };
            let name = TaskName::Type(std::any::type_name::<F>());
            if let Started::Running(child) = nursery.spawn(name, false, async move { child(status).await })? {
                id.set(Some(child));
            }
            Ok(())
        })
        .await;
        match lodged {
            Err(group) if group.errors().len() == 1 => Err(group.into_errors().remove(0)),
            Err(group) => Err(group.into()),
            Ok(_) => value.take().ok_or_else(|| NotStarted.into()),
        }
    }
}

/// Counts as a child of the target while a start is pending.
struct KeepOpen<'a> {
    target: &'a Rc<NurseryState>,
}

impl Drop for KeepOpen<'_> {
    fn drop(&mut self) {
        self.target.n_live.set(self.target.n_live.get() - 1);
        self.target.wake_waiter_if_few();
    }
}
