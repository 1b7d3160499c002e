//! [`Loop`]: asyncio's loop as code that is being ported expects it, on a nursery.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::connect_accepted_socket::{ConnectAcceptedSocket, connect_accepted_socket};
use super::create_connection::{CreateConnection, create_connection};
use super::create_server::{CreateServer, Hosts, create_server};
use super::datagram::{CreateDatagramEndpoint, IntoDatagramProtocol, create_datagram_endpoint};
use super::exceptions::RuntimeError;
use super::future::Future;
use super::handle::{Handle, TimerHandle};
use super::protocol_cell::IntoProtocol;
use super::stream_socket::StreamSocket;
use super::task::{Task, TaskOutput};
use crate::error::{Error, Result};
use crate::nursery::{Nursery, Outcome};
use crate::runtime::{Callback, Core, Door, ExceptionContext, ExceptionHandler, Item, Knock, log_warning, try_current};

/// asyncio's loop for code that expects one: a view of the running loop whose work lives in a nursery, a cheap clone.
///
/// Tasks are children of the nursery, so they end with it. Callbacks and timers do not keep the nursery open; once it
/// was cancelled or has ended they are dropped instead of run.
///
/// Who gets an error: that of a callback or timer goes to the exception handler; that of a task to its [`Task`], and
/// if nobody ever asks, to the handler once.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use foster_compat::{Loop, open_nursery, run};
///
/// run(async {
///     open_nursery(async |nursery| {
///         let loop_ = Loop::new(&nursery);
///         let future = loop_.create_future();
///         let resolved = future.clone();
///         loop_.call_later(Duration::from_millis(1), move || Ok(resolved.set_result(42)?));
///         assert_eq!(future.await?, 42);
///         Ok(())
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
#[derive(Clone)]
pub struct Loop {
    nursery: Nursery,
    is_closed: Rc<Cell<bool>>,
}

impl Loop {
    /// The loop as seen by code whose work shall live in `nursery`.
    pub fn new(nursery: &Nursery) -> Self {
        Loop { nursery: nursery.clone(), is_closed: Rc::default() }
    }

    /// The nursery that the loop's work lives in.
    pub fn nursery(&self) -> &Nursery {
        &self.nursery
    }

    fn core(&self) -> &Rc<Core> {
        self.nursery.core()
    }

    // ---- callbacks and timers

    /// Runs `call` in the loop's next turn, first come, first served: `loop.call_soon`.
    ///
    /// Inherits the context variables of now. After [`close`](Loop::close), and after the end of [`run`](crate::run),
    /// it is dropped with a warning, where asyncio raises.
    pub fn call_soon<F, R>(&self, call: F) -> Handle
    where
        F: FnOnce() -> R + 'static,
        R: Outcome,
    {
        let callback = self.callback(call);
        if !callback.is_cancelled() {
            self.core().push(Item::Call(callback.clone()));
        }
        Handle::new(callback)
    }

    /// Runs `call` after `delay`: `loop.call_later`. Timers due at the same time run in the order they were made.
    ///
    /// Differs from asyncio: the delay is a `Duration`. One beyond what the clock can count never ends.
    pub fn call_later<F, R>(&self, delay: Duration, call: F) -> TimerHandle
    where
        F: FnOnce() -> R + 'static,
        R: Outcome,
    {
        let when = Instant::now().checked_add(delay);
        TimerHandle::new(self.core(), self.callback(call), when)
    }

    /// Runs `call` when [`time`](Loop::time) says `when`, in seconds: `loop.call_at`. A time that has passed, or is not a
    /// number, is due in the next turn.
    pub fn call_at<F, R>(&self, when: f64, call: F) -> TimerHandle
    where
        F: FnOnce() -> R + 'static,
        R: Outcome,
    {
        TimerHandle::new(self.core(), self.callback(call), instant_at(self.core(), when))
    }

    /// The loop's clock in seconds, from an origin of its own: `loop.time`. Stands still in tests with a paused clock.
    pub fn time(&self) -> f64 {
        Instant::now().saturating_duration_since(self.core().origin()).as_secs_f64()
    }

    fn callback<F, R>(&self, call: F) -> Rc<Callback>
    where
        F: FnOnce() -> R + 'static,
        R: Outcome,
    {
        let nursery = self.nursery.clone();
        let guarded = move || {
            if nursery.is_closed() || nursery.is_cancelled() {
                return Ok(());
            }
            call().into_result()
        };
        let callback = Callback::new(guarded, self.core().context());
        if self.is_closed() || self.core().is_over() {
            log_warning("a callback was dropped: the event loop is closed");
            callback.cancel();
        }
        callback
    }

    /// A handle for other threads.
    pub fn handle(&self) -> LoopHandle {
        LoopHandle { door: self.core().door.clone() }
    }

    /// Queues `call` from any thread: `loop.call_soon_threadsafe`; see [`LoopHandle`], which other threads hold.
    ///
    /// # Errors
    ///
    /// A [`RuntimeError`], `Event loop is closed`, if the loop has ended or was closed; `call` is dropped.
    pub fn call_soon_threadsafe<F, R>(&self, call: F) -> Result<()>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Outcome,
    {
        if self.is_closed() {
            return Err(RuntimeError::new("Event loop is closed").into());
        }
        self.handle().call_soon_threadsafe(call)
    }

    // ---- tasks and futures

    /// Starts a task in the nursery: `loop.create_task`. Its first step comes in the next turn.
    ///
    /// The future gives `()` or a [`Result`]; its error, and a panic as [`Panicked`](crate::Panicked), belong to the
    /// [`Task`]. In a nursery that has ended the task is cancelled at once.
    pub fn create_task<F>(&self, future: F) -> Task<<F::Output as TaskOutput>::Value>
    where
        F: std::future::Future + 'static,
        F::Output: TaskOutput,
    {
        Task::start(&self.nursery, future)
    }

    /// A future that callbacks resolve: `loop.create_future`.
    pub fn create_future<T: 'static>(&self) -> Future<T> {
        Future::new(self.core())
    }

    // ---- errors

    /// Sets who is told of errors that nobody waits for, on the whole loop: `loop.set_exception_handler`. `None`
    /// brings back the default one, which logs.
    ///
    /// If the handler itself fails, that and what it was told are logged.
    pub fn set_exception_handler<R>(&self, handler: Option<impl Fn(&Loop, &ExceptionContext) -> R + 'static>)
    where
        R: Outcome,
    {
        let loop_ = self.clone();
        self.core().set_exception_handler(handler.map(|handler| {
            let handler: ExceptionHandler = Rc::new(move |context| handler(&loop_, context).into_result());
            handler
        }));
    }

    /// Tells the exception handler: `loop.call_exception_handler`.
    pub fn call_exception_handler(&self, context: &ExceptionContext) {
        self.core().call_exception_handler(context);
    }

    /// What happens without a handler: one error event with everything in the context.
    pub fn default_exception_handler(&self, context: &ExceptionContext) {
        context.log();
    }

    // ---- servers

    /// As [`create_server`], in the loop's nursery.
    pub fn create_server<P, F>(&self, factory: F, host: impl Into<Hosts>, port: u16) -> CreateServer<'_>
    where
        F: FnMut() -> P + 'static,
        P: IntoProtocol,
    {
        create_server(&self.nursery, factory, host, port)
    }

    /// As [`create_unix_server`](crate::create_unix_server), in the loop's nursery.
    #[cfg(unix)]
    pub fn create_unix_server<P, F>(
        &self,
        factory: F,
        path: impl Into<std::path::PathBuf>,
    ) -> super::create_unix_server::CreateUnixServer<'_>
    where
        F: FnMut() -> P + 'static,
        P: IntoProtocol,
    {
        super::create_unix_server::create_unix_server(&self.nursery, factory, path)
    }

    // ---- clients

    /// As [`create_connection`], in the loop's nursery.
    pub fn create_connection<'a, P, F>(
        &'a self,
        factory: F,
        host: impl Into<String>,
        port: u16,
    ) -> CreateConnection<'a, P>
    where
        F: FnOnce() -> P + 'a,
        P: IntoProtocol,
    {
        create_connection(&self.nursery, factory, host, port)
    }

    /// As [`create_unix_connection`](crate::create_unix_connection), in the loop's nursery.
    #[cfg(unix)]
    pub fn create_unix_connection<'a, P, F>(
        &'a self,
        factory: F,
        path: impl Into<std::path::PathBuf>,
    ) -> super::create_unix_connection::CreateUnixConnection<'a, P>
    where
        F: FnOnce() -> P + 'a,
        P: IntoProtocol,
    {
        super::create_unix_connection::create_unix_connection(&self.nursery, factory, path)
    }

    /// As [`connect_accepted_socket`], in the loop's nursery.
    pub fn connect_accepted_socket<'a, P, F>(
        &'a self,
        factory: F,
        sock: impl Into<StreamSocket>,
    ) -> ConnectAcceptedSocket<'a, P>
    where
        F: FnOnce() -> P + 'a,
        P: IntoProtocol,
    {
        connect_accepted_socket(&self.nursery, factory, sock)
    }

    // ---- datagrams

    /// As [`create_datagram_endpoint`](crate::create_datagram_endpoint), in the loop's nursery.
    pub fn create_datagram_endpoint<'a, P, F>(&'a self, factory: F) -> CreateDatagramEndpoint<'a, P>
    where
        F: FnOnce() -> P + 'a,
        P: IntoDatagramProtocol,
    {
        create_datagram_endpoint(&self.nursery, factory)
    }

    // ---- life

    /// Cancels the nursery, and with it all of the loop's work: what `loop.stop` is for.
    pub fn stop(&self) {
        self.nursery.cancel();
    }

    /// Whether the loop takes work: not closed, and its nursery open.
    pub fn is_running(&self) -> bool {
        !self.is_closed() && !self.nursery.is_closed()
    }

    /// Whether [`close`](Loop::close) was called on this loop or a clone of it.
    pub fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Stops the loop and takes no more callbacks. Unlike asyncio's it may be called while the loop runs.
    pub fn close(&self) {
        if !self.is_closed.replace(true) {
            self.stop();
        }
    }
}

/// The instant at which the clock of the loop says `when`; `None` for one that it will never say. A time before the
/// loop began, and what is not a number, is its beginning.
pub(super) fn instant_at(core: &Core, when: f64) -> Option<Instant> {
    match Duration::try_from_secs_f64(when) {
        Ok(since) => core.origin().checked_add(since),
        Err(_) if when > 0.0 => None,
        Err(_) => Some(core.origin()),
    }
}

impl fmt::Debug for Loop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loop(running: {}, closed: {}, {:?})", self.is_running(), self.is_closed(), self.nursery)
    }
}

/// The running loop, bound to a nursery of its own: `asyncio.get_running_loop`. What is started there is cancelled and
/// waited for when the future given to [`run`](crate::run) is done.
///
/// Prefer [`Loop::new`] with a nursery of the program's: then it is visible who waits for the work.
///
/// # Errors
///
/// A [`RuntimeError`], `no running event loop`, outside a loop.
pub fn get_running_loop() -> Result<Loop> {
    match try_current() {
        Some(_) => Ok(Loop::new(&Nursery::system())),
        None => Err(RuntimeError::new("no running event loop").into()),
    }
}

/// As [`get_running_loop`]: there is no loop to be had where none runs.
///
/// # Errors
///
/// As [`get_running_loop`].
pub fn get_event_loop() -> Result<Loop> {
    get_running_loop()
}

/// The loop for other threads: `Send`, and a cheap clone.
#[derive(Clone)]
pub struct LoopHandle {
    door: Arc<Door>,
}

impl LoopHandle {
    /// Queues `call` and wakes the loop. Calls of one thread run in their order. An error goes to the exception
    /// handler.
    ///
    /// # Errors
    ///
    /// A [`RuntimeError`], `Event loop is closed`, if the loop has ended; `call` is dropped.
    pub fn call_soon_threadsafe<F, R>(&self, call: F) -> Result<()>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Outcome,
    {
        self.door
            .push(Knock::Call(Box::new(move || call().into_result())))
            .map_err(|_| Error::new(RuntimeError::new("Event loop is closed")))
    }
}

impl fmt::Debug for LoopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoopHandle")
    }
}
