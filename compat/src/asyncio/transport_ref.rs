//! [`TransportRef`]: how protocols hold a transport.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt;

use super::extra_info::{Address, ExtraInfo, TransportSocket};
use super::protocol_cell::{IntoProtocol, ProtocolCell};
use super::transport::{BaseTransport, ReadTransport, Transport, WriteTransport};
use crate::error::{Error, Result};
use crate::nursery::{Outcome, primitive};
use crate::runtime::log_warning;

/// A transport as protocols hold it: a cheap clone that derefs to [`dyn Transport`](Transport).
///
/// The default is a detached transport, so that a protocol needs no `Option` before `connection_made`: it is closing,
/// and what is written to it is counted and dropped with a warning. Equality, hash and `Debug` go by identity.
#[derive(Clone)]
pub struct TransportRef(Rc<dyn Transport>);

impl TransportRef {
    /// Wraps a transport of the program's own.
    pub fn new(transport: Rc<dyn Transport>) -> Self {
        TransportRef(transport)
    }

    /// Starts a task that is cancelled when the connection is lost. Its error ends the connection, as one of
    /// `data_received` does. On a connection that is lost already it is dropped, with a warning.
    pub fn start_soon<F>(&self, task: F)
    where
        F: Future + 'static,
        F::Output: Outcome,
    {
        let name = std::any::type_name::<F>();
        self.0.start_soon_boxed(name, Box::pin(task.map(Outcome::into_result)));
    }

    /// As [`start_soon`](TransportRef::start_soon), but the first step is taken at once, before this returns: Python
    /// 3.12's `eager_start`. A task that ends in it is never queued; one that fails or panics in it ends the connection
    /// a turn later, as it would have.
    pub fn start_eagerly<F>(&self, task: F)
    where
        F: Future + 'static,
        F::Output: Outcome,
    {
        let name = std::any::type_name::<F>();
        let mut task: Pin<Box<dyn Future<Output = Result<()>>>> = Box::pin(task.map(Outcome::into_result));
        self.in_scope(|| {
            // The first step of the task asks everything again, so nobody has to be woken by this one.
            let mut cx = Context::from_waker(Waker::noop());
            match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(&mut cx))) {
                Ok(Poll::Pending) => self.0.start_soon_boxed(name, task),
                Ok(Poll::Ready(Ok(()))) => {}
                Ok(Poll::Ready(Err(err))) => self.0.start_soon_boxed(name, Box::pin(async { Err(err) })),
                Err(payload) => self.0.start_soon_boxed(name, Box::pin(async { resume_unwind(payload) })),
            }
        });
    }

    /// Calls `step` as the first step of a task of this connection would be: in the connection's scope, and with context
    /// variables of its own, which tasks started inside inherit. Not in asyncio.
    ///
    /// A future may be polled here with a waker that wakes nobody, and handed to
    /// [`start_soon`](TransportRef::start_soon) if it was not ready: that is how
    /// [`start_eagerly`](TransportRef::start_eagerly) does it.
    pub fn in_scope<R>(&self, step: impl FnOnce() -> R) -> R {
        let mut step = Some(step);
        let mut value = None;
        self.0.run_in_scope(&mut || value = step.take().map(|step| step()));
        value.expect("a transport runs what it is given")
    }

    /// Gives the transport another protocol: `transport.set_protocol`. The next callback is the new one's; its
    /// `connection_made` is not called. What a switch of protocols has read too much, hand over by calling the new
    /// one's callbacks through the handle.
    pub fn set_protocol<P: IntoProtocol>(&self, protocol: P) -> P::Handle {
        let (cell, handle) = protocol.into_protocol();
        self.0.set_protocol_cell(cell);
        handle
    }

    /// Waits until `connection_lost` has been called, and gives what it was given.
    pub async fn closed(&self) -> Option<Error> {
        primitive("a connection to close", poll_fn(|cx| self.0.poll_closed(cx))).await
    }

    /// Waits until the protocol may write again: `StreamWriter.drain`.
    ///
    /// # Errors
    ///
    /// A connection reset error, `Connection lost`, if the connection is lost.
    pub async fn drained(&self) -> Result<()> {
        primitive("a connection to drain", poll_fn(|cx| self.0.poll_drained(cx))).await
    }

    /// The address of the peer: `get_extra_info("peername")`.
    pub fn peername(&self) -> Option<Address> {
        self.get_extra_info("peername").and_then(ExtraInfo::into_address)
    }

    /// The own address: `get_extra_info("sockname")`.
    pub fn sockname(&self) -> Option<Address> {
        self.get_extra_info("sockname").and_then(ExtraInfo::into_address)
    }

    /// The socket, for its options: `get_extra_info("socket")`.
    pub fn socket(&self) -> Option<TransportSocket> {
        self.get_extra_info("socket").and_then(ExtraInfo::into_socket)
    }

    fn address(&self) -> *const () {
        Rc::as_ptr(&self.0).cast()
    }
}

impl Deref for TransportRef {
    type Target = dyn Transport;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Default for TransportRef {
    fn default() -> Self {
        thread_local!(static DETACHED: Rc<Detached> = Rc::default());
        TransportRef(DETACHED.try_with(Rc::clone).unwrap_or_default())
    }
}

impl PartialEq for TransportRef {
    fn eq(&self, other: &Self) -> bool {
        self.address() == other.address()
    }
}

impl Eq for TransportRef {}

impl Hash for TransportRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address().hash(state);
    }
}

impl fmt::Debug for TransportRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_closing() { "closing" } else { "open" };
        match self.peername() {
            Some(peer) => write!(f, "transport to {peer} ({state}) at {:p}", self.address()),
            None => write!(f, "transport ({state}) at {:p}", self.address()),
        }
    }
}

/// The transport before `connection_made`, shared by a thread's protocols.
#[derive(Default)]
struct Detached {
    n_writes: Cell<u64>,
}

impl Detached {
    fn drop_write(&self) -> Result<()> {
        self.n_writes.set(self.n_writes.get() + 1);
        let n = self.n_writes.get();
        log_warning(&format!("a write to a detached transport was dropped, the {n}. on this thread"));
        Ok(())
    }
}

impl BaseTransport for Detached {
    fn get_extra_info(&self, _name: &str) -> Option<ExtraInfo> {
        None
    }

    fn set_extra_info(&self, _name: &'static str, _value: ExtraInfo) {}

    fn is_closing(&self) -> bool {
        true
    }

    fn close(&self) {}

    fn start_soon_boxed(&self, name: &'static str, _task: Pin<Box<dyn Future<Output = Result<()>>>>) {
        log_warning(&format!("a task of a detached transport was not started: {name}"));
    }

    fn poll_closed(&self, _cx: &mut Context<'_>) -> Poll<Option<Error>> {
        Poll::Ready(None)
    }
}

impl Transport for Detached {
    fn set_protocol_cell(&self, _protocol: ProtocolCell) {}

    fn get_protocol(&self) -> Option<ProtocolCell> {
        None
    }
}

impl ReadTransport for Detached {
    fn is_reading(&self) -> bool {
        false
    }

    fn pause_reading(&self) {}

    fn resume_reading(&self) {}

    fn poll_resumed(&self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn set_idle_timeout(&self, _timeout: Option<Duration>) {}
}

impl WriteTransport for Detached {
    fn write(&self, _data: &[u8]) -> Result<()> {
        self.drop_write()
    }

    fn writelines(&self, _pieces: &[&[u8]]) -> Result<()> {
        self.drop_write()
    }

    fn write_eof(&self) -> Result<()> {
        Ok(())
    }

    fn can_write_eof(&self) -> bool {
        true
    }

    fn abort(&self) {}

    fn abort_with(&self, _exc: Error) {}

    fn get_write_buffer_size(&self) -> usize {
        0
    }

    fn get_write_buffer_limits(&self) -> (usize, usize) {
        (0, 0)
    }

    fn set_write_buffer_limits(&self, _high: Option<usize>, _low: Option<usize>) -> Result<()> {
        Ok(())
    }

    fn is_writing_paused(&self) -> bool {
        false
    }

    fn set_write_batching(&self, _is_on: bool) {}

    fn poll_drained(&self, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Err(super::exceptions::connection_lost()))
    }
}
