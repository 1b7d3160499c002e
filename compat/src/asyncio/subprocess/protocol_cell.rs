//! Subprocess protocols as a transport holds them: behind one of two doors, and called one way.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use super::protocol::{SharedSubprocessProtocol, SubprocessProtocol};
use super::transport_ref::SubprocessTransportRef;
use crate::asyncio::protocol_cell::{ProtocolHandle, Shared};
use crate::error::{Error, Result};

/// A subprocess protocol of any kind with its type erased, as transports hold it.
#[derive(Clone)]
pub struct SubprocessProtocolCell(Kind);

#[derive(Clone)]
enum Kind {
    Exclusive(Rc<RefCell<dyn SubprocessProtocol>>),
    Shared(Rc<dyn SharedSubprocessProtocol>),
}

/// A callback.
pub(super) enum Call<'a> {
    Made(SubprocessTransportRef),
    PipeData(i32, &'a [u8]),
    PipeLost(i32, Option<Error>),
    Exited,
    Pause,
    Resume,
    Lost(Option<Error>),
}

impl Call<'_> {
    /// What is reported when the callback fails, in asyncio's words.
    pub(super) fn failure_message(&self) -> &'static str {
        match self {
            Call::Made(_) => "Exception in callback connection_made",
            Call::PipeData(..) => "Exception in callback pipe_data_received",
            Call::PipeLost(..) => "Exception in callback pipe_connection_lost",
            Call::Exited => "Exception in callback process_exited",
            Call::Pause => "protocol.pause_writing() failed",
            Call::Resume => "protocol.resume_writing() failed",
            Call::Lost(_) => "Exception in callback connection_lost",
        }
    }
}

impl SubprocessProtocolCell {
    /// Whether a callback borrows the protocol for itself, so that none can come from inside another.
    pub(super) fn is_exclusive(&self) -> bool {
        matches!(self.0, Kind::Exclusive(_))
    }

    pub(super) fn call(&self, call: Call<'_>) -> Result<()> {
        match &self.0 {
            Kind::Exclusive(protocol) => {
                let mut protocol = protocol.borrow_mut();
                match call {
                    Call::Made(transport) => protocol.connection_made(transport),
                    Call::PipeData(fd, data) => protocol.pipe_data_received(fd, data),
                    Call::PipeLost(fd, exc) => protocol.pipe_connection_lost(fd, exc),
                    Call::Exited => protocol.process_exited(),
                    Call::Pause => protocol.pause_writing(),
                    Call::Resume => protocol.resume_writing(),
                    Call::Lost(exc) => protocol.connection_lost(exc),
                }
            }
            Kind::Shared(protocol) => match call {
                Call::Made(transport) => protocol.connection_made(transport),
                Call::PipeData(fd, data) => protocol.pipe_data_received(fd, data),
                Call::PipeLost(fd, exc) => protocol.pipe_connection_lost(fd, exc),
                Call::Exited => protocol.process_exited(),
                Call::Pause => protocol.pause_writing(),
                Call::Resume => protocol.resume_writing(),
                Call::Lost(exc) => protocol.connection_lost(exc),
            },
        }
    }

    /// Whether both are the same protocol object: `is`.
    pub fn ptr_eq(&self, other: &SubprocessProtocolCell) -> bool {
        self.address() == other.address()
    }

    fn address(&self) -> *const () {
        match &self.0 {
            Kind::Exclusive(protocol) => Rc::as_ptr(protocol).cast(),
            Kind::Shared(protocol) => Rc::as_ptr(protocol).cast(),
        }
    }
}

impl fmt::Debug for SubprocessProtocolCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "subprocess protocol at {:p}", self.address())
    }
}

/// What the factory of a subprocess protocol may return: a [`SubprocessProtocol`], or a [`SharedSubprocessProtocol`] in
/// [`Shared`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no subprocess protocol",
    label = "the factory has to return a subprocess protocol",
    note = "implement `SubprocessProtocol` for it, or wrap it: `Shared(p)` for a `SharedSubprocessProtocol`"
)]
pub trait IntoSubprocessProtocol {
    /// The program's way to the protocol while the transport holds it.
    type Handle: Clone + 'static;

    /// The protocol erased, and the handle.
    #[doc(hidden)]
    fn into_subprocess_protocol(self) -> (SubprocessProtocolCell, Self::Handle);
}

impl<P: SubprocessProtocol> IntoSubprocessProtocol for P {
    type Handle = ProtocolHandle<P>;

    fn into_subprocess_protocol(self) -> (SubprocessProtocolCell, Self::Handle) {
        let protocol = Rc::new(RefCell::new(self));
        (SubprocessProtocolCell(Kind::Exclusive(protocol.clone())), ProtocolHandle::new(protocol))
    }
}

impl<P: SharedSubprocessProtocol> IntoSubprocessProtocol for Shared<P> {
    type Handle = Rc<P>;

    fn into_subprocess_protocol(self) -> (SubprocessProtocolCell, Self::Handle) {
        let protocol = Rc::new(self.0);
        (SubprocessProtocolCell(Kind::Shared(protocol.clone())), protocol)
    }
}
