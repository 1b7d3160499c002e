//! [`open_nursery`] and [`Nursery`].

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use futures::FutureExt;

use super::error::NurseryError;
use super::limit::{Limit, Place, Waiting};
use super::outcome::Outcome;
use super::region::{Ended, Region};
use super::scope::{ScopeHandle, give_way};
use crate::error::{Error, Result};
use crate::runtime::{
    CancelReason, CancelSource, Core, Event, ExceptionContext, Exit, Item, Kind, NewTask, NodeId, Owner, Panicked,
    Payload, Source, Supervisor, TaskId, TaskName, current, log_warning,
};

/// Opens a nursery, runs `body` in it, and ends after the body and every child: `trio.open_nursery`.
///
/// The first error or panic of the body or a child cancels the rest; all of them are waited for. `Ok(Some(value))` is
/// the body's value. `Ok(None)` means that the nursery's own scope was cancelled, without errors, before the body
/// ended. Cancelled from outside, without errors, it does not return at all: the scope that was cancelled does.
///
/// # Cancel safety
///
/// Cancelled by a scope, the nursery cancels its children and waits for them, shields included. Dropped outright by
/// foreign code (`tokio::select!`, an abort), it drops its children at once.
///
/// # Errors
///
/// One [`NurseryError`] with every error of the body and the children, first in time first.
///
/// # Panics
///
/// Outside a loop. The first panic of the body or a child is resumed here after everyone has ended; errors and
/// further panics then go to the exception handler.
///
/// # Examples
///
/// asyncio cancels a task once, at the edge: an `except CancelledError` that awaits again goes on. Here, as in trio,
/// a cancelled scope stays cancelled, so the second greeting is never reached:
///
/// ```
/// use std::{cell::RefCell, rc::Rc, time::Duration};
/// use foster_compat::{finally, move_on_after, open_nursery, run, sleep, sleep_forever};
///
/// let said = Rc::new(RefCell::new(vec![]));
/// let log = said.clone();
/// run(async move {
///     let send_hello_msg = async |log: Rc<RefCell<Vec<&str>>>| {
///         sleep_forever().await;
///         log.borrow_mut().push("hello");
///     };
///     let send_goodbye_msg = async |log: Rc<RefCell<Vec<&str>>>| {
///         // The bound of the scope holds for the clean-up too, unless it is shielded.
///         sleep(Duration::from_millis(1)).await;
///         log.borrow_mut().push("goodbye");
///     };
///     move_on_after(Duration::from_millis(5), async {
///         send_hello_msg(log.clone()).await;
///         send_goodbye_msg(log.clone()).await;
///     })
///     .await;
///     assert!(log.borrow().is_empty());
///     // What must be said says so:
///     move_on_after(Duration::from_millis(5), finally(send_hello_msg(log.clone()), send_goodbye_msg(log.clone()))).await;
///     foster_compat::Ok(())
/// })?;
/// assert_eq!(*said.borrow(), ["goodbye"]);
/// # foster_compat::Ok(())
/// ```
pub async fn open_nursery<T, B>(body: B) -> Result<Option<T>, NurseryError>
where
    B: AsyncFnOnce(Nursery) -> Result<T>,
{
    Nursery::builder().open(body).await
}

/// The right to start tasks in a nursery, which may be stored and passed on: a cheap clone.
#[derive(Clone)]
pub struct Nursery {
    pub(super) state: Rc<NurseryState>,
}

/// Options of a nursery.
#[derive(Clone, Debug, Default)]
#[must_use = "the nursery is not open yet"]
pub struct NurseryBuilder {
    concurrency_limit: Option<usize>,
}

impl NurseryBuilder {
    /// At most `limit` ordinary children run at a time, the others wait in line: quattro's `concurrency_limit`.
    ///
    /// Children that wait when the nursery is cancelled are dropped without a step. Background children and
    /// [`start`](Nursery::start) are not counted. Zero is taken as one.
    pub fn concurrency_limit(mut self, limit: usize) -> Self {
        self.concurrency_limit = Some(limit.max(1));
        self
    }

    /// Opens the nursery; see [`open_nursery`].
    ///
    /// # Errors
    ///
    /// As [`open_nursery`].
    ///
    /// # Panics
    ///
    /// As [`open_nursery`].
    pub async fn open<T, B>(self, body: B) -> Result<Option<T>, NurseryError>
    where
        B: AsyncFnOnce(Nursery) -> Result<T>,
    {
        let mut region = Region::enter(Kind::Nursery, true, false);
        let state = NurseryState::new(region.core().clone(), region.node(), self.concurrency_limit);
        let orphans = Orphans { state: &state };
        let mut value = None;
        {
            let mut slot = pin!(Some(body(Nursery { state: state.clone() })));
            let mut is_body_over = false;
            std::future::poll_fn(|cx| {
                if is_body_over {
                    region.follow();
                } else if let Poll::Ready(ended) = region.poll_caught(slot.as_mut(), cx) {
                    is_body_over = true;
                    match ended {
                        Ended::Value(Ok(body)) => value = Some(body),
                        Ended::Value(Err(err)) => state.fail(err),
                        Ended::Dropped => state.drop_line(),
                        Ended::Panic(payload) => state.panic(payload),
                    }
                    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| slot.set(None))) {
                        state.panic(payload);
                    }
                }
                state.core.waits_for.set("the children of a nursery");
                if !is_body_over {
                    return Poll::Pending;
                }
                region.watch(cx);
                if state.poll_done(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        state.is_closed.set(true);
        drop(orphans);
        let is_cancelled_itself = state.core.tree.borrow()[state.node].own;
        let core = region.leave();
        state.settle(&core)?;
        if value.is_none() || (state.lost_a_child.get() && !is_cancelled_itself) {
            give_way(&core).await;
        }
        Ok(value)
    }
}

impl Nursery {
    /// Options for a nursery.
    pub fn builder() -> NurseryBuilder {
        NurseryBuilder::default()
    }

    /// Starts a child task; its first step comes in the loop's next turn: `nursery.start_soon`.
    ///
    /// The child inherits the nursery's cancellation, not the caller's, and the caller's context variables. Its error
    /// or panic cancels the nursery. In a cancelled nursery it still runs to its first suspension.
    ///
    /// # Panics
    ///
    /// With one sentence if the nursery is closed; while the thread is unwinding that is logged instead.
    pub fn start_soon<F>(&self, child: F)
    where
        F: Future + 'static,
        F::Output: Outcome,
    {
        self.expect_open(self.try_start_soon(child));
    }

    /// As [`start_soon`](Nursery::start_soon), for use where the nursery may have ended.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the nursery has ended.
    pub fn try_start_soon<F>(&self, child: F) -> Result<(), Closed>
    where
        F: Future + 'static,
        F::Output: Outcome,
    {
        self.spawn(TaskName::Type(std::any::type_name::<F>()), false, child).map(drop)
    }

    /// As [`start_soon`](Nursery::start_soon), with a name for [`dump`](crate::dump).
    ///
    /// # Panics
    ///
    /// If the nursery is closed.
    pub fn start_soon_named<F>(&self, name: &str, child: F)
    where
        F: Future + 'static,
        F::Output: Outcome,
    {
        self.expect_open(self.spawn(TaskName::given(name), false, child).map(drop));
    }

    /// Starts a child that is cancelled once the body and the ordinary children are done: quattro's
    /// `create_background_task`, a daemon. Its error still cancels the nursery.
    ///
    /// # Panics
    ///
    /// If the nursery is closed.
    pub fn start_background<F>(&self, child: F)
    where
        F: Future + 'static,
        F::Output: Outcome,
    {
        self.expect_open(self.spawn(TaskName::Type(std::any::type_name::<F>()), true, child).map(drop));
    }

    #[track_caller]
    fn expect_open(&self, started: Result<(), Closed>) {
        match started {
            Ok(()) => {}
            Err(Closed) if std::thread::panicking() || self.state.is_torn.get() => {
                log_warning("a child was not started: its nursery is closed");
            }
            Err(Closed) => panic!("{Closed}"),
        }
    }

    /// The nursery's scope: cancels everything in it.
    ///
    /// Does nothing once the nursery has ended.
    pub fn cancel_scope(&self) -> ScopeHandle {
        self.state.scope.clone()
    }

    /// Cancels everything in the nursery: short for `cancel_scope().cancel()`.
    pub fn cancel(&self) {
        self.state.scope.cancel();
    }

    /// Whether the nursery has ended and takes no new children.
    pub fn is_closed(&self) -> bool {
        self.state.is_closed.get()
    }

    /// How many children live, background ones included.
    pub fn n_children(&self) -> usize {
        self.state.n_live.get() + self.state.n_background.get()
    }

    pub(super) fn spawn<F>(&self, name: TaskName, is_background: bool, child: F) -> Result<Started, Closed>
    where
        F: Future + 'static,
        F::Output: Outcome,
    {
        let state = &self.state;
        if state.is_closed.get() {
            return Err(Closed);
        }
        let count = if is_background { &state.n_background } else { &state.n_live };
        count.set(count.get() + 1);
        let task = NewTask {
            future: Box::pin(child.map(Outcome::into_result)),
            supervisor: state.clone(),
            parent: state.node,
            is_background,
            name,
        };
        Ok(match state.limit.as_ref().filter(|limit| !is_background && !limit.try_admit()) {
            Some(limit) => Started::InLine(limit.line_up(task, state.core.context())),
            None => Started::Running(state.core.spawn(task)),
        })
    }

    // ---- for what lives in a nursery without being a task: a connection

    /// Takes a source in as a child. A cancellation of the nursery queues `Event::CANCELLED` for it.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the nursery has ended.
    pub(crate) fn adopt(&self, source: Rc<dyn Source>) -> Result<NodeId, Closed> {
        self.take_in(source, Kind::Connection, &self.state.n_live)
    }

    /// As [`adopt`](Nursery::adopt), for a source that is cancelled once the body and the ordinary children are done.
    pub(crate) fn adopt_in_background(&self, source: Rc<dyn Source>) -> Result<NodeId, Closed> {
        self.take_in(source, Kind::Watcher, &self.state.n_background)
    }

    fn take_in(&self, source: Rc<dyn Source>, kind: Kind, count: &Cell<usize>) -> Result<NodeId, Closed> {
        let state = &self.state;
        if state.is_closed.get() {
            return Err(Closed);
        }
        count.set(count.get() + 1);
        let core = &state.core;
        core.n_members.set(core.n_members.get() + 1);
        let owner = Owner::Source(source.clone());
        let node = core.tree.borrow_mut().insert(state.node, kind, owner, false);
        if core.tree.borrow().is_cancelled(node) {
            core.push(Item::Event { source, event: Event::CANCELLED });
        }
        Ok(node)
    }

    /// Lets an adopted source go.
    pub(crate) fn release(&self, node: NodeId, exit: Exit) {
        let core = &self.state.core;
        let is_background = core.tree.borrow()[node].kind == Kind::Watcher;
        core.free_node(node);
        core.n_members.set(core.n_members.get() - 1);
        self.state.ended(exit, if is_background { &self.state.n_background } else { &self.state.n_live });
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.state.is_cancelled()
    }

    /// Ends the nursery with an error of something that lives in it.
    pub(crate) fn fail(&self, err: Error) {
        self.state.fail(err);
    }

    pub(crate) fn core(&self) -> &Rc<Core> {
        &self.state.core
    }

    /// The nursery of what belongs to the loop itself, cancelled when the root is done: trio's system nursery.
    pub(crate) fn system() -> Nursery {
        let core = current();
        let known = core.system_nursery.borrow().clone().and_then(|known| known.downcast::<NurseryState>().ok());
        let state = known.unwrap_or_else(|| {
            let state = NurseryState::new(core.clone(), core.base, None);
            state.is_system.set(true);
            *core.system_nursery.borrow_mut() = Some(state.clone());
            state
        });
        Nursery { state }
    }
}

impl fmt::Debug for Nursery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_closed() { "closed" } else { "open" };
        write!(f, "Nursery({state}, {} children)", self.n_children())
    }
}

/// The nursery has ended and takes no new children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the nursery is closed: it has ended and takes no new children")
    }
}

impl std::error::Error for Closed {}

/// What a nursery, its handles and its children share.
pub(crate) struct NurseryState {
    pub(super) core: Rc<Core>,
    pub(super) node: NodeId,
    scope: ScopeHandle,
    /// Ordinary children, those that wait in line for the limit included.
    pub(super) n_live: Cell<usize>,
    n_background: Cell<usize>,
    /// No child can be started and none is left; [`node`](NurseryState::node) may name something else by now.
    is_closed: Cell<bool>,
    /// Foreign code dropped the nursery while it was open.
    is_torn: Cell<bool>,
    /// Belongs to the loop itself: nobody waits for its errors.
    is_system: Cell<bool>,
    /// A child was dropped by a cancellation.
    lost_a_child: Cell<bool>,
    errors: RefCell<Vec<Error>>,
    panics: RefCell<Vec<Payload>>,
    waiter: RefCell<Option<Waker>>,
    pub(super) limit: Option<Limit>,
}

impl NurseryState {
    fn new(core: Rc<Core>, node: NodeId, concurrency_limit: Option<usize>) -> Rc<Self> {
        let generation = core.tree.borrow()[node].generation;
        Rc::new(NurseryState {
            scope: ScopeHandle::from_parts(core.clone(), node, generation),
            core,
            node,
            n_live: Cell::new(0),
            n_background: Cell::new(0),
            is_closed: Cell::new(false),
            is_torn: Cell::new(false),
            is_system: Cell::new(false),
            lost_a_child: Cell::new(false),
            errors: RefCell::default(),
            panics: RefCell::default(),
            waiter: RefCell::default(),
            limit: concurrency_limit.map(Limit::new),
        })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.is_closed.get()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.core.tree.borrow().is_cancelled(self.node)
    }

    /// Keeps an error of the body or a child, and cancels the rest.
    pub(super) fn fail(&self, err: Error) {
        if self.is_torn.get() || self.is_system.get() {
            let context = ExceptionContext::new("An error in a nursery that nobody waits for", Some(err));
            return self.core.call_exception_handler(&context);
        }
        self.errors.borrow_mut().push(err);
        self.scope.cancel_for(|| CancelReason::new(CancelSource::Nursery));
    }

    fn panic(&self, payload: Payload) {
        if self.is_torn.get() || self.is_system.get() {
            return self.fail(Panicked::new(payload).into());
        }
        self.panics.borrow_mut().push(payload);
        self.scope.cancel_for(|| CancelReason::new(CancelSource::Nursery));
    }

    fn is_done(&self) -> bool {
        self.n_live.get() == 0 && self.n_background.get() == 0
    }

    /// Whether the last child has ended, once the body is over; else leaves the waker for it. Once only background
    /// children are left, they are cancelled.
    fn poll_done(&self, waker: &Waker) -> bool {
        if self.is_cancelled() {
            self.drop_line();
        }
        if self.is_done() {
            return true;
        }
        if !self.waiter.borrow().as_ref().is_some_and(|old| old.will_wake(waker)) {
            let old = self.waiter.replace(Some(waker.clone()));
            drop(old);
        }
        if self.n_live.get() == 0 {
            self.core.cancel_background(self.node);
        }
        false
    }

    /// Drops the children in line for the limit: the nursery ended before their first step.
    fn drop_line(&self) {
        let Some(limit) = &self.limit else { return };
        while let Some(waiting) = limit.pop() {
            self.drop_waiting(waiting);
        }
    }

    /// Drops a child that has left the line. A panic there counts as the child's.
    fn drop_waiting(&self, waiting: Waiting) {
        match catch_unwind(AssertUnwindSafe(|| drop(waiting))) {
            Ok(()) => self.ended(Exit::Cancelled, &self.n_live),
            Err(payload) => self.ended(Exit::Panicked(payload), &self.n_live),
        }
    }

    /// Cancels a child that may still stand in line.
    pub(super) fn cancel_in_line(&self, place: &Place) {
        if let Some(waiting) = self.limit.as_ref().and_then(|limit| limit.remove(place)) {
            self.drop_waiting(waiting);
        }
    }

    pub(super) fn wake_waiter_if_few(&self) {
        if self.n_live.get() == 0 {
            let waiter = self.waiter.take();
            if let Some(waiter) = waiter {
                waiter.wake();
            }
        }
    }

    /// Resumes the first panic, or gives the errors.
    fn settle(&self, core: &Core) -> Result<(), NurseryError> {
        let errors = self.errors.take();
        let mut panics = self.panics.take().into_iter();
        if let Some(first) = panics.next() {
            for err in errors {
                core.call_exception_handler(&ExceptionContext::new("An error beside a panic in a nursery", Some(err)));
            }
            for payload in panics {
                core.report_panic("A further panic in a nursery", payload);
            }
            resume_unwind(first);
        }
        NurseryError::from_errors(errors).map_or(Ok(()), Err)
    }
}

impl NurseryState {
    /// A child that `count` counts has ended.
    fn ended(&self, exit: Exit, count: &Cell<usize>) {
        match exit {
            Exit::Finished => {}
            Exit::Failed(err) => self.fail(err),
            Exit::Panicked(payload) => self.panic(payload),
            Exit::Cancelled => self.lost_a_child.set(true),
        }
        count.set(count.get() - 1);
        self.wake_waiter_if_few();
    }

    /// A child under the limit has ended: the next one begins, unless the nursery is cancelled.
    fn release_limit(&self, limit: &Limit) {
        if !self.is_open() || self.is_cancelled() {
            self.drop_line();
        }
        if let Some(Waiting { task, context, place }) = limit.release() {
            place.set(Some(self.core.spawn_in(task, context)));
        }
    }
}

impl Supervisor for NurseryState {
    fn child_ended(&self, exit: Exit, is_background: bool) {
        if is_background {
            return self.ended(exit, &self.n_background);
        }
        self.ended(exit, &self.n_live);
        if let Some(limit) = &self.limit {
            self.release_limit(limit);
        }
    }
}

/// A nursery as the supervisor of a child that its limit does not count: one that came by `start`.
pub(super) struct Unlimited(pub(super) Rc<NurseryState>);

impl Supervisor for Unlimited {
    fn child_ended(&self, exit: Exit, _is_background: bool) {
        self.0.ended(exit, &self.0.n_live);
    }
}

/// What became of a new child.
pub(super) enum Started {
    Running(TaskId),
    InLine(Place),
}

/// Ends the children of a nursery that foreign code drops; does nothing after a regular end.
struct Orphans<'a> {
    state: &'a Rc<NurseryState>,
}

impl Drop for Orphans<'_> {
    fn drop(&mut self) {
        let state = self.state;
        if state.is_closed.replace(true) {
            return;
        }
        state.is_torn.set(true);
        state.drop_line();
        state.core.orphan_children(state.node);
    }
}
