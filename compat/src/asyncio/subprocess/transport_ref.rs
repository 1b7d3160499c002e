//! [`SubprocessTransportRef`]: how protocols hold a subprocess transport.

use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures::FutureExt;

use super::child::{UNKNOWN_RETURNCODE, process_lookup_error};
use super::protocol_cell::{IntoSubprocessProtocol, SubprocessProtocolCell};
use super::transport::SubprocessTransport;
use crate::asyncio::extra_info::ExtraInfo;
use crate::asyncio::transport::BaseTransport;
use crate::asyncio::transport_ref::TransportRef;
use crate::error::{Error, Result};
use crate::nursery::{Outcome, primitive};
use crate::runtime::log_warning;

/// A subprocess transport as protocols hold it: a cheap clone that derefs to
/// [`dyn SubprocessTransport`](SubprocessTransport).
///
/// The default is a detached transport, so that a protocol needs no `Option` before `connection_made`: it is closing, has
/// the process id 0 and no pipes. Equality, hash and `Debug` go by identity.
#[derive(Clone)]
pub struct SubprocessTransportRef(Rc<dyn SubprocessTransport>);

impl SubprocessTransportRef {
    /// Wraps a transport of the program's own.
    pub fn new(transport: Rc<dyn SubprocessTransport>) -> Self {
        SubprocessTransportRef(transport)
    }

    /// Starts a task that is cancelled after `connection_lost`. Its error closes the transport, and so kills the process.
    /// On a transport that is lost already it is dropped, with a warning.
    pub fn start_soon<F>(&self, task: F)
    where
        F: Future + 'static,
        F::Output: Outcome,
    {
        let name = std::any::type_name::<F>();
        self.0.start_soon_boxed(name, Box::pin(task.map(Outcome::into_result)));
    }

    /// Gives the transport another protocol: `transport.set_protocol`. The next callback is the new one's; its
    /// `connection_made` is not called.
    pub fn set_protocol<P: IntoSubprocessProtocol>(&self, protocol: P) -> P::Handle {
        let (cell, handle) = protocol.into_subprocess_protocol();
        self.0.set_protocol_cell(cell);
        handle
    }

    /// Waits until the process has exited, and gives its return code; pipes that a grandchild holds open do not delay
    /// it.
    pub async fn exited(&self) -> i32 {
        primitive("a process to exit", poll_fn(|cx| self.0.poll_exited(cx))).await
    }

    /// Waits until `connection_lost` has been called, and gives what it was given.
    pub async fn closed(&self) -> Option<Error> {
        primitive("a process and its pipes to close", poll_fn(|cx| self.0.poll_closed(cx))).await
    }

    fn address(&self) -> *const () {
        Rc::as_ptr(&self.0).cast()
    }
}

impl Deref for SubprocessTransportRef {
    type Target = dyn SubprocessTransport;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Default for SubprocessTransportRef {
    fn default() -> Self {
        thread_local!(static DETACHED: Rc<Detached> = Rc::new(Detached));
        SubprocessTransportRef(DETACHED.try_with(Rc::clone).unwrap_or_else(|_| Rc::new(Detached)))
    }
}

impl PartialEq for SubprocessTransportRef {
    fn eq(&self, other: &Self) -> bool {
        self.address() == other.address()
    }
}

impl Eq for SubprocessTransportRef {}

impl Hash for SubprocessTransportRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address().hash(state);
    }
}

impl fmt::Debug for SubprocessTransportRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} (", self.get_pid())?;
        match self.get_returncode() {
            Some(code) => write!(f, "returncode {code}")?,
            None => f.write_str("running")?,
        }
        write!(f, ") at {:p}", self.address())
    }
}

/// The transport before `connection_made`.
struct Detached;

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

impl SubprocessTransport for Detached {
    fn get_pid(&self) -> u32 {
        0
    }

    fn get_returncode(&self) -> Option<i32> {
        None
    }

    fn get_pipe_transport(&self, _fd: i32) -> Option<TransportRef> {
        None
    }

    fn send_signal(&self, _signal: i32) -> Result<()> {
        Err(process_lookup_error())
    }

    fn terminate(&self) -> Result<()> {
        Err(process_lookup_error())
    }

    fn kill(&self) -> Result<()> {
        Err(process_lookup_error())
    }

    fn set_protocol_cell(&self, _protocol: SubprocessProtocolCell) {}

    fn get_protocol(&self) -> Option<SubprocessProtocolCell> {
        None
    }

    fn poll_exited(&self, _cx: &mut Context<'_>) -> Poll<i32> {
        Poll::Ready(UNKNOWN_RETURNCODE)
    }
}
