//! [`CancelScope`] and [`shield`].

use std::cell::Cell;
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
use crate::runtime::{Alarm, CancelReason, CancelSource, Core, Door, Kind, Knock, NodeId, Tree, current, try_current};

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
    place: Cell<Place>,
    caught: Cell<bool>,
    is_shielded: Cell<bool>,
}

impl State {
    /// Looks at where the scope stands, without asking the scope itself.
    fn with_place<R>(&self, look: impl FnOnce(&mut Place) -> R) -> R {
        let mut place = self.place.take();
        let seen = look(&mut place);
        self.place.set(place);
        seen
    }
}

/// Where a scope stands, and what it has become there.
enum Place {
    /// It was not entered, but may have been cancelled.
    Before {
        deadline: Deadline,
        called: Option<Rc<CancelReason>>,
    },
    Inside(ScopeHandle),
    Behind {
        deadline: Option<Instant>,
        called: Option<Rc<CancelReason>>,
    },
}

impl Default for Place {
    fn default() -> Self {
        Place::Before { deadline: Deadline::Never, called: None }
    }
}

/// A deadline as it was given.
#[derive(Clone, Copy)]
enum Deadline {
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

    /// `None` for never, and for a timeout that has not begun.
    fn at(self) -> Option<Instant> {
        if let Deadline::At(at) = self { Some(at) } else { None }
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
        CancelScope::until(Deadline::At(deadline))
    }

    /// A scope that is cancelled `timeout` after it was entered: trio's `relative_deadline`.
    pub fn with_timeout(timeout: Duration) -> Self {
        CancelScope::until(Deadline::After(timeout))
    }

    fn until(deadline: Deadline) -> Self {
        let place = Cell::new(Place::Before { deadline, called: None });
        CancelScope { state: Rc::new(State { place, ..State::default() }) }
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
        Run { slot: Some(future), stage: Stage::New(&self.state) }
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
        if let Some(active) = self.active() {
            return active.core.cancel(active.node, reason);
        }
        self.state.with_place(|place| {
            if let Place::Before { called, .. } = place {
                called.get_or_insert_with(|| Rc::new(reason()));
            }
        });
    }

    /// The handle, while the scope is entered.
    fn active(&self) -> Option<ScopeHandle> {
        self.state.with_place(|place| match place {
            Place::Inside(active) => Some(active.clone()),
            Place::Before { .. } | Place::Behind { .. } => None,
        })
    }

    /// Whether the scope was cancelled or its deadline has passed, whatever came of it. A deadline that passes after
    /// the scope was left does not count.
    pub fn cancel_called(&self) -> bool {
        self.state.with_place(|place| match place {
            Place::Before { deadline, called } => called.is_some() || has_passed(deadline.at()),
            Place::Inside(active) => active.cancel_called(),
            Place::Behind { called, .. } => called.is_some(),
        })
    }

    /// Whether the scope stopped its work: true exactly when [`run`](CancelScope::run) gave `None`.
    pub fn cancelled_caught(&self) -> bool {
        self.state.caught.get()
    }

    /// Why the scope was cancelled, if it was.
    pub fn reason(&self) -> Option<CancelReason> {
        self.state.with_place(|place| match place {
            Place::Inside(active) => active.reason(),
            Place::Before { called, .. } | Place::Behind { called, .. } => called.as_deref().cloned(),
        })
    }

    /// When the scope will be cancelled. `None` for never, and for a timeout that has not begun.
    pub fn deadline(&self) -> Option<Instant> {
        self.state.with_place(|place| match place {
            Place::Before { deadline, .. } => deadline.at(),
            Place::Inside(active) => active.deadline(),
            Place::Behind { deadline, .. } => *deadline,
        })
    }

    /// Moves the deadline, at any time; `None` removes it. Moving it after it has passed does not un-cancel.
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        if let Some(active) = self.active() {
            return active.set_deadline(deadline);
        }
        self.state.with_place(|place| match place {
            Place::Before { deadline: known, .. } => *known = deadline.map_or(Deadline::Never, Deadline::At),
            Place::Behind { deadline: known, .. } => *known = deadline,
            Place::Inside(_) => {}
        });
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
        if let Some(ScopeHandle { core, node, .. }) = self.active() {
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
        self.active().map(|active| active.remote())
    }
}

pin_project! {
    /// Work in its scope. Written by hand, because an `async fn` has room for its argument twice.
    struct Run<'a, F> {
        #[pin]
        slot: Option<F>,
        // Dropped behind the future.
        stage: Stage<'a>,
    }
}

enum Stage<'a> {
    New(&'a State),
    Entered(Entered<'a>),
    /// The future was dropped.
    GivesWay(&'a State, Rc<Core>),
    Over,
}

impl<F: Future> Future for Run<'_, F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Stage::New(state) = this.stage {
            *this.stage = Stage::Entered(Entered::enter(state));
        }
        if let Stage::Entered(entered) = this.stage {
            let ended = ready!(entered.poll(this.slot.as_mut(), cx));
            let (state, core) = (entered.state, entered.region.core().clone());
            this.slot.set(None);
            *this.stage = Stage::Over;
            match ended {
                Ended::Value(value) => return Poll::Ready(Some(value)),
                Ended::Panic(payload) => resume_unwind(payload),
                Ended::Dropped => *this.stage = Stage::GivesWay(state, core),
            }
        }
        if let Stage::GivesWay(state, core) = this.stage {
            ready!(poll_give_way(core));
            state.caught.set(true);
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
        let before = state.with_place(|place| match place {
            Place::Before { deadline, called } => Some((*deadline, called.take())),
            Place::Inside(_) | Place::Behind { .. } => None,
        });
        let (deadline, called) = before.expect("this CancelScope was entered before: make a new one for each use");
        let deadline = deadline.counted_from_now();
        let is_shielded = state.is_shielded.get();
        let region = Region::enter_until(deadline, Kind::Scope, is_shielded, is_shielded);
        let active = ScopeHandle::of(&region);
        state.place.replace(Place::Inside(active.clone()));
        let entered = Entered { state, region };
        if let Some(reason) = called {
            active.core.cancel(active.node, || Rc::unwrap_or_clone(reason));
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
        let (deadline, called) = {
            let tree = self.region.core().tree.borrow();
            let rest = tree.rest(self.region.node());
            (rest.and_then(|rest| rest.deadline), rest.and_then(|rest| rest.reason.clone()))
        };
        let entered = self.state.place.replace(Place::Behind { deadline, called });
        drop(entered);
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

    fn of(region: &Region) -> Self {
        let (core, node) = (region.core().clone(), region.node());
        let generation = core.tree.borrow()[node].generation;
        ScopeHandle { core, node, generation }
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
        self.look(|tree| tree[self.node].own).unwrap_or(false) || has_passed(self.deadline())
    }

    /// Why the scope was cancelled.
    pub fn reason(&self) -> Option<CancelReason> {
        self.look(|tree| tree.reason(self.node)).flatten()
    }

    /// When the scope will be cancelled.
    pub fn deadline(&self) -> Option<Instant> {
        self.look(|tree| tree.deadline(self.node)).flatten()
    }

    /// Moves the deadline; `None` removes it.
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        if !self.is_active() {
            return;
        }
        let (timer, is_cancelled) = {
            let mut tree = self.core.tree.borrow_mut();
            tree.set_deadline(self.node, deadline);
            let timer = match deadline {
                Some(_) => tree.rest(self.node).and_then(|rest| rest.timer),
                None => tree.take_timer(self.node),
            };
            (timer, tree[self.node].own)
        };
        match (timer, deadline) {
            (Some(timer), Some(deadline)) => self.core.reset_timer(timer, deadline),
            (Some(timer), None) => self.core.clear_timer(timer),
            (None, Some(deadline)) if !is_cancelled => {
                let alarm = Alarm::Cancel { node: self.node, generation: self.generation };
                let timer = self.core.set_timer(deadline, alarm);
                self.core.tree.borrow_mut().rest_mut(self.node).timer = Some(timer);
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

    fn look<R>(&self, look: impl FnOnce(&Tree) -> R) -> Option<R> {
        let tree = self.core.tree.borrow();
        tree.get(self.node).filter(|node| node.generation == self.generation)?;
        Some(look(&tree))
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
    tree.cancelled_by(scope).and_then(|node| tree.reason(node))
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
