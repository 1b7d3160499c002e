//! Protocols as a transport holds them: behind one of several doors, and called one way.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use super::layer::{Layer, call_layer};
use super::loop_state::LoopState;
use super::protocol::{BufferedProtocol, Protocol, SharedProtocol};
use super::transport_ref::TransportRef;
use crate::error::{Error, Result};
use crate::runtime::Failure;

/// A protocol of any kind with its type erased, as transports hold it.
#[derive(Clone)]
pub struct ProtocolCell(pub(crate) Kind, pub(super) Option<Rc<dyn Any>>);

/// The kinds, which differ in how they are borrowed and how they take data.
#[derive(Clone)]
pub(crate) enum Kind {
    Exclusive(Rc<RefCell<dyn Protocol>>),
    Buffered(Rc<RefCell<dyn BufferedProtocol>>),
    Shared(Rc<dyn SharedProtocol>),
    /// A layer of the library's own, with the program's protocol behind it.
    #[cfg_attr(not(any(feature = "tls", feature = "tls-aws-lc")), expect(dead_code, reason = "TLS is the one layer"))]
    Layer(Rc<dyn Layer>),
}

/// A callback that every kind has.
pub(crate) enum Call {
    Made(TransportRef),
    Lost(Option<Error>),
    Pause,
    Resume,
    Eof,
}

impl ProtocolCell {
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    pub(crate) fn layer(layer: Rc<dyn Layer>) -> Self {
        ProtocolCell(Kind::Layer(layer), None)
    }

    /// The handle of the protocol if its type is `P`: what `transport.get_protocol()` gives in asyncio, and, called by
    /// the protocol itself, what a callback of a timer captures as `self`. `P` is what the factory returns, for example
    /// `Shared<MyProtocol>`.
    ///
    /// ```
    /// # use foster_compat::{Loop, Protocol, Result, TransportRef};
    /// # use std::time::Duration;
    /// struct Greeter {
    ///     loop_: Loop,
    /// }
    ///
    /// impl Protocol for Greeter {
    ///     fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
    ///         // self.loop.call_later(60, self.time_out)
    ///         let Some(this) = transport.get_protocol().and_then(|protocol| protocol.downcast::<Self>()) else {
    ///             return Ok(());
    ///         };
    ///         self.loop_.call_later(Duration::from_secs(60), move || this.with(Greeter::time_out));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// impl Greeter {
    ///     fn time_out(&mut self) {}
    /// }
    /// ```
    pub fn downcast<P: IntoProtocol>(&self) -> Option<P::Handle> {
        P::handle_of(self.1.clone()?)
    }

    /// Whether a callback borrows the protocol for itself, so that none can come from inside another.
    pub(crate) fn is_exclusive(&self) -> bool {
        matches!(self.0, Kind::Exclusive(_) | Kind::Buffered(_))
    }

    /// Makes the call on behalf of a transport, which a panic poisons.
    pub(crate) fn call_in(&self, lp: &Rc<LoopState>, is_poisoned: &Cell<bool>, call: Call) -> Result<bool, Failure> {
        match &self.0 {
            Kind::Layer(layer) => Ok(call_layer(layer, call)),
            _ => lp.call_poisoning(is_poisoned, || self.call(call)),
        }
    }

    /// Makes the call; only `Eof` gives anything but `false`.
    fn call(&self, call: Call) -> Result<bool> {
        match (&self.0, call) {
            (Kind::Exclusive(p), Call::Made(transport)) => p.borrow_mut().connection_made(transport)?,
            (Kind::Exclusive(p), Call::Lost(exc)) => p.borrow_mut().connection_lost(exc)?,
            (Kind::Exclusive(p), Call::Pause) => p.borrow_mut().pause_writing()?,
            (Kind::Exclusive(p), Call::Resume) => p.borrow_mut().resume_writing()?,
            (Kind::Exclusive(p), Call::Eof) => return p.borrow_mut().eof_received(),
            (Kind::Buffered(p), Call::Made(transport)) => p.borrow_mut().connection_made(transport)?,
            (Kind::Buffered(p), Call::Lost(exc)) => p.borrow_mut().connection_lost(exc)?,
            (Kind::Buffered(p), Call::Pause) => p.borrow_mut().pause_writing()?,
            (Kind::Buffered(p), Call::Resume) => p.borrow_mut().resume_writing()?,
            (Kind::Buffered(p), Call::Eof) => return p.borrow_mut().eof_received(),
            (Kind::Shared(p), Call::Made(transport)) => p.connection_made(transport)?,
            (Kind::Shared(p), Call::Lost(exc)) => p.connection_lost(exc)?,
            (Kind::Shared(p), Call::Pause) => p.pause_writing()?,
            (Kind::Shared(p), Call::Resume) => p.resume_writing()?,
            (Kind::Shared(p), Call::Eof) => return p.eof_received(),
            (Kind::Layer(layer), call) => return Ok(call_layer(layer, call)),
        }
        Ok(false)
    }

    /// Whether both are the same protocol object: `is`.
    pub fn ptr_eq(&self, other: &ProtocolCell) -> bool {
        self.address() == other.address()
    }

    fn address(&self) -> *const () {
        match &self.0 {
            Kind::Exclusive(p) => Rc::as_ptr(p).cast(),
            Kind::Buffered(p) => Rc::as_ptr(p).cast(),
            Kind::Shared(p) => Rc::as_ptr(p).cast(),
            Kind::Layer(layer) => Rc::as_ptr(layer).cast(),
        }
    }
}

impl fmt::Debug for ProtocolCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "protocol at {:p}", self.address())
    }
}

/// Chooses [`BufferedProtocol`]: `|| Buffered(MyProtocol::new())` is a factory of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Buffered<P>(pub P);

/// Chooses [`SharedProtocol`]: `|| Shared(MyProtocol::new())` is a factory of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shared<P>(pub P);

/// What a protocol factory may return: a [`Protocol`], a [`Buffered`] or a [`Shared`] one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no protocol",
    label = "a protocol factory has to return a protocol",
    note = "implement `Protocol` for it, or wrap it: `Buffered(p)` for a `BufferedProtocol`, `Shared(p)` for a \
            `SharedProtocol`"
)]
pub trait IntoProtocol: 'static {
    /// The program's way to the protocol while the transport holds it.
    type Handle: Clone + 'static;

    /// The protocol erased, and the handle.
    #[doc(hidden)]
    fn into_protocol(self) -> (ProtocolCell, Self::Handle);

    /// The handle again, from what the erased protocol keeps.
    #[doc(hidden)]
    fn handle_of(object: Rc<dyn Any>) -> Option<Self::Handle> {
        let _ = object;
        None
    }
}

impl<P: Protocol> IntoProtocol for P {
    type Handle = ProtocolHandle<P>;

    fn into_protocol(self) -> (ProtocolCell, Self::Handle) {
        let protocol = Rc::new(RefCell::new(self));
        (ProtocolCell(Kind::Exclusive(protocol.clone()), Some(protocol.clone())), ProtocolHandle { protocol })
    }

    fn handle_of(object: Rc<dyn Any>) -> Option<Self::Handle> {
        Some(ProtocolHandle { protocol: object.downcast().ok()? })
    }
}

impl<P: BufferedProtocol> IntoProtocol for Buffered<P> {
    type Handle = ProtocolHandle<P>;

    fn into_protocol(self) -> (ProtocolCell, Self::Handle) {
        let protocol = Rc::new(RefCell::new(self.0));
        (ProtocolCell(Kind::Buffered(protocol.clone()), Some(protocol.clone())), ProtocolHandle { protocol })
    }

    fn handle_of(object: Rc<dyn Any>) -> Option<Self::Handle> {
        Some(ProtocolHandle { protocol: object.downcast().ok()? })
    }
}

impl<P: SharedProtocol> IntoProtocol for Shared<P> {
    type Handle = Rc<P>;

    fn into_protocol(self) -> (ProtocolCell, Self::Handle) {
        Rc::new(self.0).into_protocol()
    }

    fn handle_of(object: Rc<dyn Any>) -> Option<Self::Handle> {
        object.downcast().ok()
    }
}

/// A [`SharedProtocol`] that is there already: its own handle.
impl<P: SharedProtocol> IntoProtocol for Rc<P> {
    type Handle = Rc<P>;

    fn into_protocol(self) -> (ProtocolCell, Self::Handle) {
        (ProtocolCell(Kind::Shared(self.clone()), Some(self.clone())), self)
    }

    fn handle_of(object: Rc<dyn Any>) -> Option<Self::Handle> {
        object.downcast().ok()
    }
}

/// A program's way to its protocol while a transport holds it: a cheap clone.
///
/// Tasks and timers look at the protocol between its callbacks. What they share with it for longer belongs in an
/// `Rc<RefCell<_>>` of its own.
pub struct ProtocolHandle<P> {
    protocol: Rc<RefCell<P>>,
}

impl<P: 'static> ProtocolHandle<P> {
    pub(super) fn new(protocol: Rc<RefCell<P>>) -> Self {
        ProtocolHandle { protocol }
    }

    /// Runs `look` on the protocol. A `pause_writing` or `resume_writing` that this causes comes before it returns.
    ///
    /// # Panics
    ///
    /// With one sentence if the protocol is being called: use [`try_with`](ProtocolHandle::try_with) in code that
    /// a callback of this protocol may reach.
    pub fn with<R>(&self, look: impl FnOnce(&mut P) -> R) -> R {
        match self.try_with(look) {
            Ok(value) => value,
            Err(Running) => panic!("{Running}"),
        }
    }

    /// As [`with`](ProtocolHandle::with), for use where the protocol may be running.
    ///
    /// # Errors
    ///
    /// [`Running`] if the protocol is being called, or borrowed by an outer `with`.
    pub fn try_with<R>(&self, look: impl FnOnce(&mut P) -> R) -> Result<R, Running> {
        let lp = LoopState::try_current();
        let depth = lp.as_ref().map(LoopState::go_deeper);
        let value = {
            let mut protocol = self.protocol.try_borrow_mut().map_err(|_| Running)?;
            look(&mut protocol)
        };
        drop(depth);
        Ok(value)
    }
}

impl<P> Clone for ProtocolHandle<P> {
    fn clone(&self) -> Self {
        ProtocolHandle { protocol: self.protocol.clone() }
    }
}

impl<P> fmt::Debug for ProtocolHandle<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProtocolHandle({})", std::any::type_name::<P>())
    }
}

/// The protocol is being called, so nobody else can look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running;

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the protocol is being called: use try_with where one of its callbacks may be running")
    }
}

impl std::error::Error for Running {}
