//! The state of one loop, and which loop the running code belongs to.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use slab::Slab;
use tokio::time::Instant;

use super::context::Context;
use super::fresh::Fresh;
use super::ready::{Callback, Event, Item, Source};
use super::report::{ExceptionContext, ExceptionHandler, Failure, Panicked};
use super::tasks::{Payload, Slot, TaskId};
use super::timers::{TimerKey, Timers};
use super::tree::{CancelReason, CancelSource, Kind, NodeId, Owner, Tree};
use super::wake::{Door, Knock, SourceKey, SourceWaker, TaskWaker};

/// What happens when a timer is due.
pub(crate) enum Alarm {
    Cancel { node: NodeId, generation: u32 },
    Wake(Waker),
    Call(Rc<Callback>),
    Event { source: Rc<dyn Source>, event: Event },
}

/// One loop. Everything in it belongs to one thread; only the [`Door`] is shared.
///
/// No borrow of a field is held while user code runs: not a poll, not a callback, not a `Drop`, not a waker.
pub(crate) struct Core {
    pub(crate) door: Arc<Door>,
    ready: RefCell<VecDeque<Item>>,
    pub(super) tasks: RefCell<Slab<Slot>>,
    pub(crate) tree: RefCell<Tree>,
    timers: RefCell<Timers<Alarm>>,
    sources: RefCell<Slab<(u32, Rc<dyn Source>)>>,
    /// Sources to be asked again when the next batch is gathered, as a level-triggered poll would report them again.
    recheck: RefCell<Vec<(Rc<dyn Source>, u8)>>,
    spare_knocks: RefCell<Vec<Knock>>,
    spare_recheck: RefCell<Vec<(Rc<dyn Source>, u8)>>,
    pub(super) waker_pool: RefCell<Vec<Arc<TaskWaker>>>,
    pub(super) doomed: RefCell<VecDeque<TaskId>>,
    pub(super) is_killing: Cell<bool>,
    /// The waker of the future given to `run`.
    pub(super) root_waker: (Arc<TaskWaker>, Waker),
    /// The task's own waker, by its address, while a step is taken.
    pub(super) own_waker: Cell<*const ()>,
    /// Parent of everything: of the root task, and of what belongs to the loop itself.
    pub(crate) base: NodeId,
    /// The innermost scope, nursery or task of the code that runs.
    pub(super) scope: Cell<NodeId>,
    /// Scopes in their first poll, innermost last.
    pub(super) fresh: RefCell<Vec<Fresh>>,
    pub(super) task: Cell<TaskId>,
    /// The running step was asked for by a cancellation only.
    pub(crate) by_cancel: Cell<bool>,
    /// The running step was queued before its task was cancelled: what it finds done stays done.
    pub(super) keeps_result: Cell<bool>,
    /// What the running step says it waits for.
    pub(crate) waits_for: Cell<&'static str>,
    context: RefCell<Context>,
    /// The loop's own poll is on the stack; a change made at any other time has to wake it.
    is_polling: Cell<bool>,
    /// The loop was woken since its last poll.
    is_roused: Cell<bool>,
    /// The loop has ended: what is still queued would never run, and keep the loop alive by what it holds.
    is_over: Cell<bool>,
    numbers: Cell<u32>,
    handler: RefCell<Option<ExceptionHandler>>,
    /// The nursery of what belongs to the loop itself, kept here for the layer above.
    pub(crate) system_nursery: RefCell<Option<Rc<dyn Any>>>,
    /// The default limiter of `to_thread`, kept here for the layer above.
    pub(crate) thread_limiter: RefCell<Option<Box<dyn Any>>>,
    /// What the asyncio layer keeps for the loop.
    extension: RefCell<Option<Rc<dyn Any>>>,
    /// Tasks and adopted sources that are alive: `run` ends at zero.
    pub(crate) n_members: Cell<usize>,
    pub(crate) n_turns: Cell<u64>,
    /// Where the loop's clock begins.
    origin: Instant,
    /// Signals that have a handler of the program's own.
    handled_signals: RefCell<Vec<i32>>,
}

thread_local!(static CURRENT: RefCell<Option<Rc<Core>>> = const { RefCell::new(None) });

/// The loop whose poll is on this thread's stack.
#[inline]
pub(crate) fn try_current() -> Option<Rc<Core>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// The loop whose poll is on this thread's stack.
///
/// # Panics
///
/// Outside a loop, with one sentence that says so.
#[inline]
#[track_caller]
pub(crate) fn current() -> Rc<Core> {
    try_current().expect("no foster loop is running on this thread: call this from inside foster::run")
}

/// Queues a step if the loop `door_id` is the one that runs here; `false` if it must be told through its door.
pub(super) fn queue_step_locally(door_id: u64, id: TaskId) -> bool {
    CURRENT
        .try_with(|current| {
            let Ok(current) = current.try_borrow() else {
                return false;
            };
            let Some(core) = current.as_ref().filter(|core| core.door.id() == door_id && core.is_polling.get()) else {
                return false;
            };
            core.ready.borrow_mut().push_back(Item::Task { id, by_cancel: false });
            true
        })
        .unwrap_or(false)
}

thread_local!(static HOME: RefCell<Option<Rc<Core>>> = const { RefCell::new(None) });

/// Tells a source that its waker fired, if the loop `door_id` was polled on this thread last and is not being polled:
/// then it is tokio's driver that speaks, and the event goes into the queue without the door. `false` if the loop must
/// be told through its door.
pub(super) fn wake_source_at_home(door_id: u64, key: SourceKey, kind: u8) -> bool {
    HOME.try_with(|home| {
        let Ok(home) = home.try_borrow() else {
            return false;
        };
        let Some(core) = home.as_ref().filter(|core| core.door.id() == door_id && !core.is_polling.get()) else {
            return false;
        };
        if let Some(source) = core.source(key) {
            source.woken(core, kind);
        }
        true
    })
    .unwrap_or(false)
}

/// Makes a loop the current one until it is dropped.
pub(super) struct MakeCurrent {
    previous: Option<Rc<Core>>,
    core: Rc<Core>,
    was_polling: bool,
}

impl MakeCurrent {
    pub(super) fn new(core: &Rc<Core>) -> Self {
        let previous = CURRENT.with(|current| current.replace(Some(core.clone())));
        MakeCurrent { previous, core: core.clone(), was_polling: core.is_polling.replace(true) }
    }
}

impl Drop for MakeCurrent {
    fn drop(&mut self) {
        self.core.is_polling.set(self.was_polling);
        let previous = self.previous.take();
        // At thread exit there may be no current loop to restore.
        let _ = CURRENT.try_with(|current| current.replace(previous));
    }
}

/// Makes a node the current scope until it is dropped.
pub(crate) struct Inside<'a> {
    core: &'a Core,
    previous: NodeId,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.core.scope.set(self.previous);
    }
}

impl Core {
    pub(super) fn new() -> Rc<Self> {
        let door = Door::new();
        let root_waker = TaskWaker::new(TaskId::ROOT, &door);
        let mut tree = Tree::new();
        let base = tree.insert(NodeId::NONE, Kind::Loop, Owner::Task(TaskId::ROOT), false);
        Rc::new(Core {
            door,
            ready: RefCell::default(),
            tasks: RefCell::default(),
            tree: RefCell::new(tree),
            timers: RefCell::new(Timers::new()),
            sources: RefCell::default(),
            recheck: RefCell::default(),
            spare_knocks: RefCell::default(),
            spare_recheck: RefCell::default(),
            waker_pool: RefCell::default(),
            doomed: RefCell::default(),
            is_killing: Cell::new(false),
            own_waker: Cell::new(Arc::as_ptr(&root_waker).cast()),
            root_waker: (root_waker.clone(), root_waker.into()),
            base,
            scope: Cell::new(NodeId::NONE),
            fresh: RefCell::default(),
            task: Cell::new(TaskId::ROOT),
            by_cancel: Cell::new(false),
            keeps_result: Cell::new(false),
            waits_for: Cell::new(""),
            context: RefCell::default(),
            is_polling: Cell::new(false),
            is_roused: Cell::new(false),
            is_over: Cell::new(false),
            numbers: Cell::new(0),
            handler: RefCell::new(None),
            system_nursery: RefCell::new(None),
            thread_limiter: RefCell::new(None),
            extension: RefCell::new(None),
            n_members: Cell::new(0),
            n_turns: Cell::new(0),
            origin: Instant::now(),
            handled_signals: RefCell::default(),
        })
    }

    // ---- the queue

    /// Appends to the queue: what is appended during a batch runs in the next. Dropped once the loop has ended.
    #[inline]
    pub(crate) fn push(&self, item: Item) {
        if self.is_over.get() {
            return;
        }
        self.ready.borrow_mut().push_back(item);
        self.wake_if_idle();
    }

    pub(crate) fn push_event(&self, source: Rc<dyn Source>, kind: u8, generation: u32) {
        self.push(Item::Event { source, event: Event { kind, generation } });
    }

    /// Asks the source again when the next batch is gathered.
    pub(crate) fn recheck(&self, source: Rc<dyn Source>, kind: u8) {
        self.recheck.borrow_mut().push((source, kind));
        self.wake_if_idle();
    }

    #[inline]
    fn wake_if_idle(&self) {
        if !self.is_polling.get() && !self.is_roused.replace(true) {
            self.door.wake();
        }
    }

    /// A poll of the loop begins, on this thread.
    pub(super) fn begin_poll(self: &Rc<Self>) {
        self.is_roused.set(false);
        HOME.with(|home| {
            let is_home = home.borrow().as_ref().is_some_and(|core| Rc::ptr_eq(core, self));
            if !is_home {
                let old = home.replace(Some(self.clone()));
                drop(old);
            }
        });
    }

    /// The loop has ended: nothing is handed to it on this thread any more.
    pub(super) fn leave_home(self: &Rc<Self>) {
        let home = HOME.try_with(|home| {
            let is_home = home.borrow().as_ref().is_some_and(|core| Rc::ptr_eq(core, self));
            if is_home { home.take() } else { None }
        });
        drop(home);
    }

    /// Gathers the next batch: readiness and what came through the door, then timers. Gives its length.
    pub(super) fn gather(&self) -> usize {
        let mut knocks = self.spare_knocks.take();
        self.door.swap_knocks(&mut knocks);
        for knock in knocks.drain(..) {
            match knock {
                Knock::Task(id) => self.ready.borrow_mut().push_back(Item::Task { id, by_cancel: false }),
                Knock::Source { key, kind } => {
                    let source = self.source(key);
                    if let Some(source) = source {
                        source.woken(self, kind);
                    }
                }
                Knock::Call(call) => self.push(Item::Call(Callback::without_context(call))),
            }
        }
        self.spare_knocks.replace(knocks);

        let mut recheck = self.spare_recheck.take();
        std::mem::swap(&mut recheck, &mut self.recheck.borrow_mut());
        for (source, kind) in recheck.drain(..) {
            source.woken(self, kind);
        }
        self.spare_recheck.replace(recheck);

        if !self.timers.borrow().is_empty() {
            self.fire_timers(Instant::now());
        }
        self.ready.borrow().len()
    }

    /// Whether the next batch would be empty as things stand, timers aside.
    pub(super) fn is_idle(&self) -> bool {
        self.ready.borrow().is_empty() && self.recheck.borrow().is_empty()
    }

    /// Whether a turn that began now would hold nothing but what the driver brings: nothing is queued and no timer is due.
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_idle() && self.next_deadline().is_none_or(|deadline| deadline > Instant::now())
    }

    /// Whether the loop has ended and runs nothing any more.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.get()
    }

    pub(super) fn pop(&self) -> Option<Item> {
        self.ready.borrow_mut().pop_front()
    }

    /// Runs one entry of the queue, except a step of the root, which is the caller's.
    #[inline]
    pub(super) fn run_item(&self, item: Item) {
        match item {
            Item::Task { id, by_cancel } => self.step(id, by_cancel),
            Item::Event { source, event } => {
                source.run(event);
                self.set_context(Context::new());
            }
            Item::Call(callback) => self.run_callback(&callback),
        }
    }

    fn run_callback(&self, callback: &Rc<Callback>) {
        let Some(call) = callback.take() else { return };
        self.set_context(callback.context().clone());
        let _inside = self.enter(self.base);
        let err = match catch_unwind(AssertUnwindSafe(call)) {
            Ok(Ok(())) => None,
            Ok(Err(err)) => Some(err),
            Err(payload) => Some(Panicked::new(payload).into()),
        };
        self.set_context(Context::new());
        if let Some(err) = err {
            self.call_exception_handler(&ExceptionContext::new("Exception in callback", Some(err)));
        }
    }

    /// Ends every source and drops everything that is queued, for the end of the loop.
    pub(super) fn clear(&self) {
        let sources: Vec<_> = self.sources.borrow().iter().map(|(_, (_, source))| source.clone()).collect();
        for source in sources {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| source.abandoned())) {
                self.report_panic("Exception while a loop was dropped", payload);
            }
        }
        self.is_over.set(true);
        while let Some(item) = self.pop() {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(item)));
        }
        let sources: Vec<_> = self.sources.borrow_mut().drain().collect();
        let recheck = self.recheck.take();
        let timers = self.timers.replace(Timers::new());
        let system = self.system_nursery.take();
        let (handler, extension) = (self.handler.take(), self.extension.take());
        let _ = catch_unwind(AssertUnwindSafe(|| drop((sources, recheck, timers, system, handler, extension))));
    }

    // ---- timers

    pub(crate) fn set_timer(&self, deadline: Instant, alarm: Alarm) -> TimerKey {
        let key = self.timers.borrow_mut().insert(deadline, alarm);
        self.wake_if_idle();
        key
    }

    pub(crate) fn reset_timer(&self, key: TimerKey, deadline: Instant) {
        self.timers.borrow_mut().reset(key, deadline);
        self.wake_if_idle();
    }

    pub(crate) fn has_timer(&self, key: TimerKey) -> bool {
        self.timers.borrow().contains(key)
    }

    pub(crate) fn clear_timer(&self, key: TimerKey) {
        let alarm = self.timers.borrow_mut().remove(key);
        drop(alarm);
    }

    /// Where the loop's clock begins.
    pub(crate) fn origin(&self) -> Instant {
        self.origin
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let mut timers = self.timers.borrow_mut();
        if timers.is_empty() { None } else { timers.next_deadline() }
    }

    fn fire_timers(&self, now: Instant) {
        loop {
            let due = self.timers.borrow_mut().pop_due(now);
            match due {
                None => return,
                Some(Alarm::Wake(waker)) => waker.wake(),
                Some(Alarm::Call(callback)) => self.push(Item::Call(callback)),
                Some(Alarm::Event { source, event }) => self.push(Item::Event { source, event }),
                Some(Alarm::Cancel { node, generation }) => {
                    let mut tree = self.tree.borrow_mut();
                    if tree.get(node).is_none_or(|node| node.generation != generation) {
                        continue;
                    }
                    tree.take_timer(node);
                    drop(tree);
                    self.cancel(node, || CancelReason::new(CancelSource::Deadline));
                }
            }
        }
    }

    // ---- sources

    pub(crate) fn register(&self, source: Rc<dyn Source>) -> SourceKey {
        let generation = self.next_number();
        let index = self.sources.borrow_mut().insert((generation, source)) as u32;
        SourceKey { index, generation }
    }

    pub(crate) fn deregister(&self, key: SourceKey) {
        let mut sources = self.sources.borrow_mut();
        let is_there = sources.get(key.index as usize).is_some_and(|(generation, _)| *generation == key.generation);
        let removed = is_there.then(|| sources.remove(key.index as usize));
        drop(sources);
        drop(removed);
    }

    pub(crate) fn source_waker(&self, key: SourceKey, kind: u8) -> Waker {
        SourceWaker::waker(key, kind, &self.door)
    }

    fn source(&self, key: SourceKey) -> Option<Rc<dyn Source>> {
        let sources = self.sources.borrow();
        let (generation, source) = sources.get(key.index as usize)?;
        (*generation == key.generation).then(|| source.clone())
    }

    // ---- scopes

    pub(crate) fn current_task(&self) -> TaskId {
        self.task.get()
    }

    /// Whether a waker is that of the running task itself, and of nobody whom it polls its parts for.
    #[inline]
    pub(crate) fn is_own_waker(&self, waker: &Waker) -> bool {
        waker.data() == self.own_waker.get()
    }

    pub(crate) fn enter(&self, node: NodeId) -> Inside<'_> {
        Inside { core: self, previous: self.scope.replace(node) }
    }

    /// Whether the running code stands in a cancelled scope.
    pub(crate) fn is_cancelled(&self) -> bool {
        let scope = self.scope();
        self.tree.borrow().is_cancelled(scope)
    }

    /// Whether a wait of Foster's own must stay pending whatever has come to it, so that cancelled code goes no
    /// further. One that had begun to wait may end in a step that was queued before the cancellation.
    pub(crate) fn holds_wait(&self, has_begun: bool) -> bool {
        self.is_cancelled() && !(has_begun && self.keeps_result.get())
    }

    /// Cancels a node, once.
    pub(crate) fn cancel(&self, id: NodeId, reason: impl FnOnce() -> CancelReason) {
        {
            let mut tree = self.tree.borrow_mut();
            let Some(node) = tree.get_mut(id) else { return };
            if node.own {
                return;
            }
            node.own = true;
            tree.rest_mut(id).reason = Some(Rc::new(reason()));
        }
        self.refresh(id);
    }

    /// Brings the effective cancellation below `id` up to date and gives everybody concerned a step.
    pub(crate) fn refresh(&self, id: NodeId) {
        self.summon(|tree, summon| tree.refresh(id, summon));
    }

    /// Takes back `n` guards from `from` upwards, and gives a step to whatever that leaves to be dropped.
    pub(crate) fn lower_guards(&self, from: NodeId, n: u32) {
        let mut released = Vec::new();
        self.tree.borrow_mut().lower_guards(from, n, &mut released);
        self.summon_released(&released);
    }

    fn summon_released(&self, released: &[NodeId]) {
        if !released.is_empty() {
            self.summon(|tree, summon| {
                for id in released {
                    if tree.get(*id).is_some() {
                        summon(tree, *id);
                    }
                }
            });
        }
    }

    /// Lets `choose` name nodes, and gives each one's owner a step.
    fn summon(&self, choose: impl FnOnce(&mut Tree, &mut dyn FnMut(&mut Tree, NodeId))) {
        let mut wakers = Vec::new();
        {
            let mut tree = self.tree.borrow_mut();
            let mut ready = self.ready.borrow_mut();
            let tasks = self.tasks.borrow();
            choose(&mut tree, &mut |tree, id| match &tree[id].owner {
                Owner::Source(source) => {
                    if tree[id].cancelled {
                        ready.push_back(Item::Event { source: source.clone(), event: Event::CANCELLED });
                    }
                }
                Owner::Task(task) => {
                    let (task, by_cancel) = (*task, tree[id].cancelled);
                    let task_waker = if task == TaskId::ROOT {
                        &self.root_waker.0
                    } else if let Some(slot) = Slot::of(&tasks, task) {
                        &slot.task_waker
                    } else {
                        return;
                    };
                    if task_waker.queue() {
                        ready.push_back(Item::Task { id: task, by_cancel });
                    } else if by_cancel {
                        task_waker.cancel_late();
                    }
                    wakers.extend(tree.set_waker(id, None));
                }
            });
        }
        for waker in wakers {
            waker.wake();
        }
        self.wake_if_idle();
    }

    /// Cancels the children of a nursery that count as background.
    pub(crate) fn cancel_background(&self, nursery: NodeId) {
        let children: Vec<NodeId> = self.tree.borrow().children(nursery).collect();
        for child in children {
            let is_background = match self.tree.borrow()[child].owner {
                Owner::Task(id) => self.with_slot(id, |slot| slot.is_background && slot.node == child),
                Owner::Source(_) => Some(self.tree.borrow()[child].kind == Kind::Watcher),
            };
            if is_background == Some(true) {
                self.cancel(child, || CancelReason::new(CancelSource::Nursery));
            }
        }
    }

    /// Ends the children of a nursery that foreign code has dropped: tasks at once, sources soon.
    pub(crate) fn orphan_children(&self, nursery: NodeId) {
        let (mut tasks, mut sources) = (Vec::new(), Vec::new());
        {
            let tree = self.tree.borrow();
            for child in tree.children(nursery) {
                match &tree[child].owner {
                    Owner::Task(id) if tree[child].kind.is_root() => tasks.push(*id),
                    Owner::Task(_) => {}
                    Owner::Source(source) => sources.push(source.clone()),
                }
            }
        }
        for source in sources {
            source.orphaned();
        }
        self.kill(tasks);
    }

    pub(crate) fn free_node(&self, id: NodeId) {
        let mut released = Vec::new();
        let leftovers = self.tree.borrow_mut().remove(id, &mut released);
        if let Some(key) = leftovers.as_ref().and_then(|leftovers| leftovers.rest.as_ref()?.timer) {
            self.clear_timer(key);
        }
        if !released.is_empty() {
            self.summon_released(&released);
        }
    }

    // ---- the running task

    pub(crate) fn context(&self) -> Context {
        self.context.borrow().clone()
    }

    pub(crate) fn with_context<R>(&self, look: impl FnOnce(&Context) -> R) -> R {
        look(&self.context.borrow())
    }

    pub(crate) fn take_context(&self) -> Context {
        self.context.take()
    }

    pub(crate) fn set_context(&self, context: Context) {
        drop(self.swap_context(context));
    }

    pub(crate) fn swap_context(&self, context: Context) -> Context {
        self.context.replace(context)
    }

    pub(crate) fn next_number(&self) -> u32 {
        self.numbers.set(self.numbers.get().wrapping_add(1));
        self.numbers.get()
    }

    pub(super) fn is_handled_by_program(&self, signal: i32) -> bool {
        self.handled_signals.borrow().contains(&signal)
    }

    /// Says whether the program handles a signal itself, which then no longer ends the loop.
    #[cfg(unix)]
    pub(crate) fn set_handled_by_program(&self, signal: i32, is_handled: bool) -> std::io::Result<()> {
        let mut handled = self.handled_signals.borrow_mut();
        if is_handled == handled.contains(&signal) {
            return Ok(());
        }
        if is_handled {
            handled.push(signal);
        } else {
            handled.retain(|other| *other != signal);
        }
        super::interrupt::Interrupts::set_handled_by_program(signal, is_handled)
    }

    /// What the asyncio layer keeps for the loop, made at first use.
    pub(crate) fn extension<T: 'static>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        let known = self.extension.borrow().clone().and_then(|known| known.downcast::<T>().ok());
        known.unwrap_or_else(|| {
            let made = Rc::new(make());
            self.extension.replace(Some(made.clone()));
            made
        })
    }

    // ---- errors that nobody waits for

    pub(crate) fn set_exception_handler(&self, handler: Option<ExceptionHandler>) {
        let old = self.handler.replace(handler);
        drop(old);
    }

    pub(crate) fn exception_handler(&self) -> Option<ExceptionHandler> {
        self.handler.borrow().clone()
    }

    /// Tells the exception handler, or the default one; nothing unwinds out of here.
    pub(crate) fn call_exception_handler(&self, context: &ExceptionContext) {
        let Some(handler) = self.exception_handler() else {
            return context.log();
        };
        match catch_unwind(AssertUnwindSafe(|| handler(context))) {
            Ok(Ok(())) => {}
            Ok(Err(err)) => context.log_handler_failure(Failure::Error(err)),
            Err(payload) => context.log_handler_failure(Failure::Panic(payload)),
        }
    }

    /// Tells the exception handler of a panic that nobody else can be told of.
    pub(crate) fn report_panic(&self, message: &'static str, payload: Payload) {
        self.call_exception_handler(&ExceptionContext::new(message, Some(Panicked::new(payload).into())));
    }
}
