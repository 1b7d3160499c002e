//! `run` and `run_here`: the loop as one future.

use std::cell::Cell;
use std::future::{Future, IntoFuture};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;
use tokio::runtime::{Builder, Handle, LocalOptions};
use tokio::task::coop;
use tokio::time::{Instant, Sleep};

use super::context::Context;
use super::core::{self, Core, MakeCurrent};
use super::interrupt::Interrupts;
use super::ready::Item;
use super::tasks::{Exit, NewTask, Payload, Supervisor, TaskId, TaskName};
use super::tree::{CancelReason, CancelSource, Kind, NodeId, Owner};
use crate::error::{Error, Result};
use crate::interrupted::Interrupted;

/// Runs a future to its end on a new loop, and everything it starts: `trio.run`, `asyncio.run`.
///
/// Returns after every task has ended. What still lives when the future completes (timers and tasks of a
/// [`Loop`](crate::Loop) that [`get_running_loop`](crate::get_running_loop) gave) is cancelled and waited for.
///
/// Ctrl-C and SIGTERM cancel the future and wait for all its children; unless it completes all the same, the result
/// is an error for which [`is_interrupt`](Error::is_interrupt) is true. Returned from `main`, that error makes the process exit with 130
/// or 143 (1 if the binary was stripped of its symbols, see [`Error::exit_code`]). A second signal, and one that
/// comes after `run` has returned, ends the process at once with the same status.
///
/// The future need not be `Send` and may borrow from its surroundings. `tokio::spawn` by libraries works inside.
///
/// # Errors
///
/// What the future returned; an interrupt; an error of the operating system while the loop was set up; or a
/// sentence that says what to write instead if a tokio runtime runs on this thread already: [`run_here`] inside a
/// current-thread runtime, [`run_in_thread`](crate::run_in_thread) anywhere else.
///
/// # Panics
///
/// Resumes the panic of the future after everything has ended.
///
/// # Examples
///
/// ```
/// let answer = foster_compat::run(async { foster_compat::Ok(42) })?;
/// assert_eq!(answer, 42);
/// # foster_compat::Ok(())
/// ```
pub fn run<F, T, E>(future: F) -> Result<T>
where
    F: IntoFuture<Output = Result<T, E>>,
    E: Into<Error>,
{
    if core::try_current().is_some() {
        return Err(Error::msg("a foster loop runs on this thread already: await the future instead of calling run"));
    }
    if Handle::try_current().is_ok() {
        return Err(Error::msg(
            "a tokio runtime runs on this thread already: write run_here(future).await at the root of a \
             current-thread runtime or of block_on, and run_in_thread(|| future) anywhere else",
        ));
    }
    block_on(future.into_future(), true)
}

/// Runs a loop on a tokio runtime of its own.
pub(super) fn block_on<F, T, E>(future: F, listen: bool) -> Result<T>
where
    F: Future<Output = Result<T, E>>,
    E: Into<Error>,
{
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let interrupts = if listen { Some(Interrupts::listen()?) } else { None };
        Run::new(future, interrupts).await.into_result()
    })
}

/// Runs a future on a new loop inside the tokio runtime that is already there.
///
/// For a current-thread runtime (`#[tokio::main(flavor = "current_thread")]`, `#[tokio::test]`) or the root of a
/// multi-threaded `block_on` (`#[tokio::main]`), where the order of socket events is only approximate because other
/// workers drive them. Signals stay the host's business.
///
/// # Cancel safety
///
/// Dropping the future drops every task of the loop at once, without waiting for clean-up: a
/// [`finally`](crate::finally) does not run, and connections get their `connection_lost` while the loop ends. Cancel a
/// scope inside instead.
///
/// # Errors
///
/// What the future returned, or a sentence that says what is wrong: no tokio runtime, or a loop inside a loop.
///
/// # Panics
///
/// Resumes the panic of the future after everything has ended.
pub async fn run_here<F, T, E>(future: F) -> Result<T>
where
    F: IntoFuture<Output = Result<T, E>>,
    E: Into<Error>,
{
    if core::try_current().is_some() {
        return Err(Error::msg(
            "a foster loop runs on this thread already: await the future instead of calling run_here",
        ));
    }
    if Handle::try_current().is_err() {
        return Err(Error::msg("no tokio runtime runs on this thread: call run(future) instead of run_here"));
    }
    Run::new(future.into_future(), None).await.into_result()
}

/// How the root ended.
pub(super) enum RootExit<T> {
    Returned(T),
    Panicked(Payload),
    /// Dropped because a signal (if given) or [`LoopThread::cancel`](crate::LoopThread::cancel) cancelled it.
    Cancelled(Option<i32>),
}

impl<T, E: Into<Error>> RootExit<Result<T, E>> {
    pub(super) fn into_result(self) -> Result<T> {
        match self {
            RootExit::Returned(result) => result.map_err(Into::into),
            RootExit::Panicked(payload) => resume_unwind(payload),
            RootExit::Cancelled(Some(signal)) => Err(Interrupted::new(signal).into()),
            RootExit::Cancelled(None) => Err(Cancelled.into()),
        }
    }
}

/// The awaited work was cancelled: what awaiting a cancelled [`Task`](crate::Task) gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl std::fmt::Display for Cancelled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cancelled")
    }
}

impl std::error::Error for Cancelled {}

pin_project! {
    /// The loop as one future.
    ///
    /// A turn: gather readiness, then due timers, behind what is queued; run exactly what stood in the queue then.
    /// What a batch schedules runs in the next turn, after tokio's driver was polled once.
    pub(super) struct Run<F: Future> {
        core: Rc<Core>,
        #[pin]
        root: Option<F>,
        root_node: NodeId,
        root_context: Context,
        exit: Option<RootExit<F::Output>>,
        signal: Rc<Cell<Option<i32>>>,
        interrupts: Option<Interrupts>,
        // Wakes the loop for its next timer.
        #[pin]
        sleep: Option<Sleep>,
        armed: Option<Instant>,
        // How much of the current batch is still to run.
        rest: usize,
    }

    impl<F: Future> PinnedDrop for Run<F> {
        fn drop(this: Pin<&mut Self>) {
            this.tear_down();
        }
    }
}

impl<F: Future> Run<F> {
    pub(super) fn new(future: F, interrupts: Option<Interrupts>) -> Self {
        let core = Core::new();
        let root_node = core.tree.borrow_mut().insert(core.base, Kind::Task, Owner::Task(TaskId::ROOT), false);
        core.push(Item::Task { id: TaskId::ROOT, by_cancel: false });
        Run {
            core,
            root: Some(future),
            root_node,
            root_context: Context::new(),
            exit: None,
            signal: Rc::default(),
            interrupts,
            sleep: None,
            armed: None,
            rest: 0,
        }
    }

    /// A handle that cancels the root from any thread.
    pub(super) fn stopper(&self) -> impl Fn() + Send + Sync + use<F> {
        let (door, root) = (self.core.door.clone(), self.root_node);
        move || {
            // A loop that has ended has nothing left to cancel.
            let _ = door.push(super::wake::Knock::Call(Box::new(move || {
                core::current().cancel(root, || CancelReason::new(CancelSource::Explicit));
                Ok(())
            })));
        }
    }

    fn step_root(self: Pin<&mut Self>, by_cancel: bool) {
        let mut this = self.project();
        let core = &**this.core;
        let (task_waker, waker) = &core.root_waker;
        let is_late = task_waker.begin_step();
        let node = *this.root_node;
        let Some(root) = this.root.as_mut().as_pin_mut() else {
            return;
        };
        core.set_context(std::mem::take(this.root_context));
        core.task.set(TaskId::ROOT);
        core.by_cancel.set(by_cancel);
        core.keeps_result.set(is_late && !by_cancel);
        let inside = core.enter(node);
        let mut exit = None;
        if !(by_cancel && core.tree.borrow().must_drop(node)) {
            match catch_unwind(AssertUnwindSafe(|| root.poll(&mut TaskContext::from_waker(waker)))) {
                Ok(Poll::Ready(output)) => exit = Some(RootExit::Returned(output)),
                Ok(Poll::Pending) => {}
                Err(payload) => exit = Some(RootExit::Panicked(payload)),
            }
        }
        if exit.is_none() {
            if !core.tree.borrow().must_drop(node) {
                *this.root_context = core.take_context();
                return;
            }
            exit = Some(RootExit::Cancelled(this.signal.get()));
        }
        match catch_unwind(AssertUnwindSafe(|| this.root.set(None))) {
            Err(payload) if !matches!(exit, Some(RootExit::Panicked(_))) => exit = Some(RootExit::Panicked(payload)),
            _ => {}
        }
        drop(inside);
        core.set_context(Context::new());
        *this.exit = exit;
        core.free_node(node);
        // Whatever is left belongs to the loop itself, or to a nursery that foreign code leaked.
        let roots = core.tree.borrow().roots();
        for root in roots {
            core.cancel(root, || CancelReason::new(CancelSource::Shutdown));
        }
    }

    /// Listens for signals as a task of the loop.
    fn listen(self: Pin<&mut Self>) {
        let this = self.project();
        let Some(mut interrupts) = this.interrupts.take() else {
            return;
        };
        let (core, root, signal) = (this.core.clone(), *this.root_node, this.signal.clone());
        let cancels = core.clone();
        core.spawn(NewTask {
            future: Box::pin(async move {
                loop {
                    let number = interrupts.recv().await;
                    if !cancels.is_handled_by_program(number) {
                        signal.set(Some(number));
                        cancels.cancel(root, || CancelReason::new(CancelSource::Shutdown));
                    }
                }
            }),
            supervisor: Rc::new(Unsupervised { core: core.clone() }),
            parent: core.base,
            is_background: true,
            name: TaskName::Type("the loop's signal listener"),
        });
    }

    /// Waits for the next timer, or for somebody at the door. `false` if somebody has come already.
    fn park(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> bool {
        let mut this = self.project();
        let next = this.core.next_deadline();
        if next != *this.armed {
            *this.armed = next;
            match (next, this.sleep.as_mut().as_pin_mut()) {
                (Some(deadline), Some(sleep)) => sleep.reset(deadline),
                (Some(deadline), None) => this.sleep.set(Some(tokio::time::sleep_until(deadline))),
                (None, _) => this.sleep.set(None),
            }
        }
        if this.sleep.as_mut().as_pin_mut().is_some_and(|sleep| sleep.poll(cx).is_ready()) {
            *this.armed = None;
            return false;
        }
        this.core.door.wait(cx.waker())
    }

    /// Ends everything without waiting: for a loop that is dropped before its end, and to break cycles after it.
    fn tear_down(self: Pin<&mut Self>) {
        let mut this = self.project();
        let core = this.core.clone();
        let _current = MakeCurrent::new(&core);
        core.leave_home();
        core.door.close();
        {
            let _inside = core.enter(*this.root_node);
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| this.root.set(None))) {
                core.report_panic("Exception while a loop was dropped", payload);
            }
        }
        loop {
            let tasks = core.all_tasks();
            if tasks.is_empty() {
                break;
            }
            core.kill(tasks);
        }
        core.clear();
    }
}

impl<F: Future> Future for Run<F> {
    type Output = RootExit<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let core = self.core.clone();
        let _current = MakeCurrent::new(&core);
        core.begin_poll();
        self.as_mut().listen();
        loop {
            if self.rest == 0 {
                let n_ready = core.gather();
                if n_ready == 0 {
                    if self.as_mut().park(cx) {
                        return Poll::Pending;
                    }
                    continue;
                }
                core.n_turns.set(core.n_turns.get() + 1);
                *self.as_mut().project().rest = n_ready;
            }
            while self.rest > 0 {
                // Below a spent budget tokio's resources pretend not to be ready: the rest of the batch waits for a
                // fresh one.
                if !coop::has_budget_remaining() {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                *self.as_mut().project().rest -= 1;
                match core.pop() {
                    Some(Item::Task { id: TaskId::ROOT, by_cancel }) => self.as_mut().step_root(by_cancel),
                    Some(item) => core.run_item(item),
                    None => *self.as_mut().project().rest = 0,
                }
            }
            if self.exit.is_some() && core.n_members.get() == 0 {
                let this = self.as_mut().project();
                return this.exit.take().map_or(Poll::Pending, Poll::Ready);
            }
            if core.is_idle() && self.as_mut().park(cx) {
                return Poll::Pending;
            }
            // One turn a poll: tokio's driver is polled in between, as asyncio selects between two batches.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
    }
}

/// Stands in for the nursery of the loop's own tasks.
struct Unsupervised {
    core: Rc<Core>,
}

impl Supervisor for Unsupervised {
    fn child_ended(&self, exit: Exit, _is_background: bool) {
        if let Exit::Panicked(payload) = exit {
            self.core.report_panic("A task of the loop itself panicked", payload);
        }
    }
}
