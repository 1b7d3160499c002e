//! [`CancelScope`] and [`shield`].

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::region::{Ended, Region};
use crate::runtime::{Alarm, CancelReason, CancelSource, Core, Door, Kind, Knock, Node, NodeId, current, try_current};

/// Work that can be cancelled as a whole: `trio.CancelScope`.
///
/// Cancellation is level-triggered: what runs inside is dropped at its suspension point, and so is everything in it
/// that would suspend again. It cannot be swallowed. A shielded part inside runs to its end first.
///
/// A scope is entered once. It is not `Send`; [`remote`](CancelScope::remote) gives a handle that is.
///
/// Differs from trio: [`run`](CancelScope::run) takes the work as a future and gives `None` where trio's `with` block
/// would be left; a future that has completed in the same step keeps its value.
///
/// # Examples
///
/// ```
/// use foster_compat::{CancelScope, run, sleep_forever};
///
/// run(async {
///     let scope = CancelScope::new();
///     let inner = scope.clone();
///     let got = scope
///         .run(async move {
///             inner.cancel();
///             sleep_forever().await
///         })
///         .await;
///     assert!(got.is_none() && scope.cancelled_caught());
///     foster_compat::Ok(())
/// })?;
/// # foster_compat::Ok(())
/// ```
#[derive(Clone, Default)]
pub struct CancelScope {
    state: Rc<State>,
}

#[derive(Default)]
struct State {
    /// Set while the scope is entered.
    active: RefCell<Option<ScopeHandle>>,
    is_used: Cell<bool>,
    called: RefCell<Option<CancelReason>>,
    caught: Cell<bool>,
    is_shielded: Cell<bool>,
    deadline: Cell<Deadline>,
}

/// A deadline as it was given.
#[derive(Clone, Copy, Default)]
enum Deadline {
    #[default]
    Never,
    At(Instant),
    /// Counted from entry.
    After(Duration),
}

impl Deadline {
    fn counted_from_now(self) -> Option<Instant> {
        match self {
            Deadline::Never => None,
            Deadline::At(at) => Some(at),
            Deadline::After(timeout) => after(timeout),
        }
    }
}

/// The instant `timeout` from now; `None` beyond what the clock can count, which is never.
#[inline]
pub(crate) fn after(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

impl CancelScope {
    /// A scope without a deadline.
    pub fn new() -> Self {
        CancelScope::default()
    }

    /// A scope that is cancelled at `deadline`; one in the past cancels at the first suspension.
    pub fn with_deadline(deadline: Instant) -> Self {
        let scope = CancelScope::new();
        scope.state.deadline.set(Deadline::At(deadline));
        scope
    }

    /// A scope that is cancelled `timeout` after it was entered: trio's `relative_deadline`.
    pub fn with_timeout(timeout: Duration) -> Self {
        let scope = CancelScope::new();
        scope.state.deadline.set(Deadline::After(timeout));
        scope
    }

    /// The innermost scope or nursery of the running task; `None` outside a loop.
    ///
    /// A task that has entered none gets its own, which ends with it: cancelling that cancels the task. Shields and
    /// clean-ups are passed over: they cannot be cancelled.
    pub fn current() -> Option<ScopeHandle> {
        let core = try_current()?;
        let scope = core.scope();
        let node = core.tree.borrow().innermost_scope(scope);
        ScopeHandle::new(core, node)
    }

    /// Runs `future` inside the scope. `None` if the scope was cancelled before it completed.
    ///
    /// A scope cancelled before it is entered lets the future run to its first suspension. If a scope further out is
    /// cancelled as well, this does not return at all: the outer one takes it.
    ///
    /// # Panics
    ///
    /// With one sentence if the scope was entered before, or outside a loop. Resumes a panic of the future.
    pub fn run<F: Future>(&self, future: F) -> impl Future<Output = Option<F::Output>> {
        Run { state: &self.state, slot: Some(future), stage: Stage::New }
    }

    /// Cancels the scope; nothing happens the second time. Before entry it is remembered.
    pub fn cancel(&self) {
        self.cancel_for(|| CancelReason::new(CancelSource::Explicit));
    }

    /// As [`cancel`](CancelScope::cancel), with a text that [`reason`](CancelScope::reason) shows.
    pub fn cancel_with(&self, reason: &str) {
        self.cancel_for(|| CancelReason::explicit(reason));
    }

    fn cancel_for(&self, reason: impl FnOnce() -> CancelReason) {
        let active = self.state.active.borrow().clone();
        match active {
            Some(active) => active.core.cancel(active.node, reason),
            None if self.state.is_used.get() => {}
            None => {
                self.state.called.borrow_mut().get_or_insert_with(reason);
            }
        }
    }

    /// Whether the scope was cancelled or its deadline has passed, whatever came of it. A deadline that passes after
    /// the scope was left does not count.
    pub fn cancel_called(&self) -> bool {
        let active = self.state.active.borrow().clone();
        match active {
            Some(active) => active.cancel_called(),
            None if self.state.called.borrow().is_some() => true,
            None => !self.state.is_used.get() && has_passed(self.deadline()),
        }
    }

    /// Whether the scope stopped its work: true exactly when [`run`](CancelScope::run) gave `None`.
    pub fn cancelled_caught(&self) -> bool {
        self.state.caught.get()
    }

    /// Why the scope was cancelled, if it was.
    pub fn reason(&self) -> Option<CancelReason> {
        let active = self.state.active.borrow().clone();
        active.and_then(|active| active.reason()).or_else(|| self.state.called.borrow().clone())
    }

    /// When the scope will be cancelled. `None` for never, and for a timeout that has not begun.
    pub fn deadline(&self) -> Option<Instant> {
        let active = self.state.active.borrow().clone();
        match (active, self.state.deadline.get()) {
            (Some(active), _) => active.deadline(),
            (None, Deadline::At(at)) => Some(at),
            (None, Deadline::Never | Deadline::After(_)) => None,
        }
    }

    /// Moves the deadline, at any time; `None` removes it. Moving it after it has passed does not un-cancel.
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        self.state.deadline.set(deadline.map_or(Deadline::Never, Deadline::At));
        let active = self.state.active.borrow().clone();
        if let Some(active) = active {
            active.set_deadline(deadline);
        }
    }

    /// Whether the scope hides the cancellation of the scopes around it.
    pub fn shield(&self) -> bool {
        self.state.is_shielded.get()
    }

    /// Hides the cancellation of the scopes around it, or lets it through again, at any time.
    pub fn set_shield(&self, is_shielded: bool) {
        if self.state.is_shielded.replace(is_shielded) == is_shielded {
            return;
        }
        let active = self.state.active.borrow().clone();
        if let Some(ScopeHandle { core, node, .. }) = active {
            let parent = {
                let mut tree = core.tree.borrow_mut();
                tree[node].shield = is_shielded;
                tree[node].parent
            };
            if is_shielded {
                core.tree.borrow_mut().raise_guards(parent, 1);
                core.refresh(node);
            } else {
                core.refresh(node);
                core.lower_guards(parent, 1);
            }
        }
    }

    /// A handle that cancels the scope from any thread, queued like `call_soon_threadsafe`.
    ///
    /// `None` unless the scope is entered.
    pub fn remote(&self) -> Option<RemoteScope> {
        let active = self.state.active.borrow();
        active.as_ref().map(ScopeHandle::remote)
    }
}

pin_project! {
    /// Work in its scope. Written by hand, because an `async fn` has room for its argument twice.
    struct Run<'a, F> {
        state: &'a State,
        #[pin]
        slot: Option<F>,
        // Dropped behind the future.
        stage: Stage<'a>,
    }
}

enum Stage<'a> {
    New,
    Entered(Entered<'a>),
    /// The future was dropped.
    GivesWay(Rc<Core>),
    Over,
}

impl<F: Future> Future for Run<'_, F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Stage::New = this.stage {
            *this.stage = Stage::Entered(Entered::enter(this.state));
        }
        if let Stage::Entered(entered) = this.stage {
            let ended = ready!(entered.poll(this.slot.as_mut(), cx));
            let core = entered.region.core().clone();
            this.slot.set(None);
            *this.stage = Stage::Over;
            match ended {
                Ended::Value(value) => return Poll::Ready(Some(value)),
                Ended::Panic(payload) => resume_unwind(payload),
                Ended::Dropped => *this.stage = Stage::GivesWay(core),
            }
        }
        if let Stage::GivesWay(core) = this.stage {
            ready!(poll_give_way(core));
            this.state.caught.set(true);
        }
        *this.stage = Stage::Over;
        Poll::Ready(None)
    }
}

/// The region of an entered scope; leaving it keeps for the scope what it has become.
struct Entered<'a> {
    state: &'a State,
    region: Region,
}

impl<'a> Entered<'a> {
    fn enter(state: &'a State) -> Self {
        assert!(!state.is_used.replace(true), "this CancelScope was entered before: make a new one for each use");
        let (deadline, is_shielded) = (state.deadline.get().counted_from_now(), state.is_shielded.get());
        let region = Region::enter_until(deadline, Kind::Scope, is_shielded, is_shielded);
        let (core, node) = (region.core().clone(), region.node());
        *state.active.borrow_mut() = ScopeHandle::new(core.clone(), node);
        let entered = Entered { state, region };
        let called = state.called.borrow().clone();
        if let Some(reason) = called {
            core.cancel(node, || reason);
        }
        entered
    }

    fn poll<F: Future>(&mut self, slot: Pin<&mut Option<F>>, cx: &mut Context<'_>) -> Poll<Ended<F::Output>> {
        // The shield may be set and cleared while the scope is entered; its guard is counted by the scope.
        self.region.adopt_guard(self.state.is_shielded.get());
        self.region.poll_caught(slot, cx)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.region.adopt_guard(self.state.is_shielded.get());
        let active = self.state.active.take();
        if let Some(active) = active {
            if let Some(deadline) = active.deadline() {
                self.state.deadline.set(Deadline::At(deadline));
            }
            if let Some(reason) = active.reason() {
                self.state.called.replace(Some(reason));
            }
        }
    }
}

/// A handle of an entered scope or nursery: cancels it and moves its deadline, and does nothing once it has ended.
#[derive(Clone)]
pub struct ScopeHandle {
    core: Rc<Core>,
    node: NodeId,
    generation: u32,
}

impl ScopeHandle {
    pub(crate) fn new(core: Rc<Core>, node: NodeId) -> Option<Self> {
        let generation = core.tree.borrow().get(node)?.generation;
        Some(ScopeHandle { core, node, generation })
    }

    pub(crate) fn from_parts(core: Rc<Core>, node: NodeId, generation: u32) -> Self {
        ScopeHandle { core, node, generation }
    }

    /// Cancels the scope.
    pub fn cancel(&self) {
        self.cancel_for(|| CancelReason::new(CancelSource::Explicit));
    }

    /// Cancels the scope with a text for whoever asks why.
    pub fn cancel_with(&self, reason: &str) {
        self.cancel_for(|| CancelReason::explicit(reason));
    }

    pub(crate) fn cancel_for(&self, reason: impl FnOnce() -> CancelReason) {
        if self.is_active() {
            self.core.cancel(self.node, reason);
        }
    }

    /// Whether the scope was cancelled itself or its deadline has passed.
    pub fn cancel_called(&self) -> bool {
        self.look(|node| node.own).unwrap_or(false) || has_passed(self.deadline())
    }

    /// Why the scope was cancelled.
    pub fn reason(&self) -> Option<CancelReason> {
        self.look(|node| node.reason.as_deref().cloned()).flatten()
    }

    /// When the scope will be cancelled.
    pub fn deadline(&self) -> Option<Instant> {
        self.look(|node| node.deadline).flatten()
    }

    /// Moves the deadline; `None` removes it.
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        if !self.is_active() {
            return;
        }
        let (timer, is_cancelled) = {
            let node = &mut self.core.tree.borrow_mut()[self.node];
            node.deadline = deadline;
            (if deadline.is_some() { node.timer } else { node.timer.take() }, node.own)
        };
        match (timer, deadline) {
            (Some(timer), Some(deadline)) => self.core.reset_timer(timer, deadline),
            (Some(timer), None) => self.core.clear_timer(timer),
            (None, Some(deadline)) if !is_cancelled => {
                let alarm = Alarm::Cancel { node: self.node, generation: self.generation };
                let timer = self.core.set_timer(deadline, alarm);
                self.core.tree.borrow_mut()[self.node].timer = Some(timer);
            }
            (None, _) => {}
        }
    }

    /// A handle that cancels the scope from any thread.
    pub fn remote(&self) -> RemoteScope {
        RemoteScope { door: self.core.door.clone(), node: self.node, generation: self.generation }
    }

    fn is_active(&self) -> bool {
        self.look(|_| ()).is_some()
    }

    fn look<R>(&self, look: impl FnOnce(&Node) -> R) -> Option<R> {
        let tree = self.core.tree.borrow();
        tree.get(self.node).filter(|node| node.generation == self.generation).map(look)
    }
}

/// Cancels a scope from any thread.
#[derive(Clone)]
pub struct RemoteScope {
    door: Arc<Door>,
    node: NodeId,
    generation: u32,
}

impl RemoteScope {
    /// Queues the cancellation; nothing happens if the scope or its loop has ended.
    pub fn cancel(&self) {
        let (node, generation) = (self.node, self.generation);
        // A loop that has ended has nothing left to cancel.
        let _ = self.door.push(Knock::Call(Box::new(move || {
            let core = current();
            ScopeHandle { core, node, generation }.cancel();
            Ok(())
        })));
    }
}

/// Why the running code is being cancelled, if it is: for a `Drop` that wants to know.
///
/// `None` inside a shield and in the clean-up of a [`finally`](crate::finally), which are not being cancelled.
pub fn cancel_reason() -> Option<CancelReason> {
    let core = try_current()?;
    let scope = core.scope();
    let tree = core.tree.borrow();
    tree.cancelled_by(scope).and_then(|node| node.reason.as_deref().cloned())
}

/// Runs `future` to its end although the scopes around it are cancelled; they wait for it.
///
/// What follows runs up to its next suspension, as in trio. A shield without a bound can hold up a whole shutdown:
/// put a [`move_on_after`](crate::move_on_after) inside, or use [`finally`](crate::finally).
///
/// # Panics
///
/// Outside a loop. Resumes a panic of the future.
pub async fn shield<F: Future>(future: F) -> F::Output {
    let mut region = Region::enter(Kind::Guard, true, true);
    let mut slot = pin!(Some(future));
    let ended = poll_fn(|cx| region.poll(slot.as_mut(), cx)).await;
    drop(region);
    match ended {
        Some(value) => value,
        // Nobody can cancel a shield itself.
        None => std::future::pending().await,
    }
}

/// After a region lost its work: does not come back while a scope further out is cancelled too, because that one
/// takes the whole.
pub(crate) async fn give_way(core: &Core) {
    poll_fn(|_| poll_give_way(core)).await
}

fn poll_give_way(core: &Core) -> Poll<()> {
    if core.is_cancelled() {
        core.waits_for.set("to be dropped by a cancelled scope");
        return Poll::Pending;
    }
    Poll::Ready(())
}

fn has_passed(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= Instant::now())
}
