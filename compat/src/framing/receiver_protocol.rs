//! [`ReceiverProtocol`]: drives a receiver.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::rc::{Rc, Weak};

use super::base::{Base, Core, Deliver};
use super::receives::{Receives, Step};
use crate::asyncio::{LoopState, Protocol, Running, TransportRef};
use crate::error::{Error, Result};

/// The protocol that drives a receiver: one for all framings, of which `M` says which. The aliases
/// [`LineProtocol`](super::LineProtocol), [`Int32StringProtocol`](super::Int32StringProtocol) and so on are what to write.
///
/// ```text
/// connection_made  (line_received | string_received | ..)*  [eof_received]  connection_lost
/// ```
///
/// Frames are handed over while `data_received` runs, and in a turn of their own after `resume_reading` and
/// `resume_writing`. Where `connection_made` comes a second time, as after `start_tls`, what the old transport has sent
/// is dropped.
///
/// # Examples
///
/// ```
/// use foster_compat::framing::{NetstringBase, NetstringProtocol, NetstringReceiver};
/// use foster_compat::{Protocol, Result};
///
/// #[derive(Default)]
/// struct Counter(usize);
///
/// impl NetstringReceiver for Counter {
///     fn string_received(&mut self, _base: &NetstringBase, string: &[u8]) -> Result<()> {
///         self.0 += string.len();
///         Ok(())
///     }
/// }
///
/// // What a transport does:
/// let mut protocol = NetstringProtocol::new(Counter(0));
/// protocol.data_received(b"5:hello,6: wor")?;
/// protocol.data_received(b"ld,")?;
/// assert_eq!(protocol.with(|counter| counter.0), 11);
/// # foster_compat::Ok(())
/// ```
pub struct ReceiverProtocol<M: 'static, R: Receives<M>> {
    slot: Rc<Slot<M, R>>,
}

/// Where the receiver lives, so that also the task that goes on after a pause reaches it.
struct Slot<M, R: Receives<M>> {
    /// Borrowed while the receiver is called.
    receiver: RefCell<R>,
    base: RefCell<Base<R::State>>,
    framing: PhantomData<M>,
}

impl<M: 'static, R: Receives<M>> ReceiverProtocol<M, R> {
    /// A protocol around a receiver.
    pub fn new(receiver: R) -> Self {
        let slot = Rc::new_cyclic(|me: &Weak<Slot<M, R>>| Slot {
            base: RefCell::new(Base::new(receiver.state(), me.clone())),
            receiver: RefCell::new(receiver),
            framing: PhantomData,
        });
        ReceiverProtocol { slot }
    }

    /// What the receiver's callbacks get.
    pub fn base(&self) -> Base<R::State> {
        self.slot.base()
    }

    /// Runs `look` on the receiver.
    ///
    /// # Panics
    ///
    /// With one sentence if the receiver is being called: use [`try_with`](ReceiverProtocol::try_with) in code that one
    /// of its callbacks may reach.
    pub fn with<T>(&self, look: impl FnOnce(&mut R) -> T) -> T {
        match self.try_with(look) {
            Ok(value) => value,
            Err(Running) => panic!("{Running}"),
        }
    }

    /// As [`with`](ReceiverProtocol::with), for use where the receiver may be running.
    ///
    /// # Errors
    ///
    /// [`Running`] if the receiver is being called, or borrowed by an outer `with`.
    pub fn try_with<T>(&self, look: impl FnOnce(&mut R) -> T) -> Result<T, Running> {
        self.slot.with(|receiver, _base| look(receiver))
    }
}

impl<M: 'static, R: Receives<M> + Default> Default for ReceiverProtocol<M, R> {
    fn default() -> Self {
        ReceiverProtocol::new(R::default())
    }
}

impl<M, R: Receives<M>> fmt::Debug for ReceiverProtocol<M, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceiverProtocol({}, {:?})", std::any::type_name::<R>(), self.slot.base())
    }
}

impl<M: 'static, R: Receives<M>> Protocol for ReceiverProtocol<M, R> {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        let base = self.slot.base().made(transport);
        let old = self.slot.base.replace(base);
        drop(old);
        self.slot.with(R::connection_made)?
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.slot.base().push(data);
        self.slot.deliver().map(drop)
    }

    fn eof_received(&mut self) -> Result<bool> {
        let core = self.slot.base().core;
        core.is_eof.set(true);
        let is_held = self.slot.deliver()?;
        core.is_eof_due.set(is_held);
        if is_held { Ok(true) } else { self.slot.with(R::eof_received)? }
    }

    fn pause_writing(&mut self) -> Result<()> {
        self.slot.with(R::pause_writing)?
    }

    fn resume_writing(&mut self) -> Result<()> {
        let resumed = self.slot.with(R::resume_writing)?;
        self.slot.base().deliver_later();
        resumed
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        let lost = self.slot.with(|receiver, base| receiver.connection_lost(base, exc))?;
        self.slot.base().clear();
        lost
    }
}

impl<M: 'static, R: Receives<M>> Slot<M, R> {
    fn base(&self) -> Base<R::State> {
        self.base.borrow().clone()
    }

    /// Calls the receiver. What that puts off, `pause_writing` above all, comes before this returns, unless an outer
    /// callback is running.
    fn with<T>(&self, call: impl FnOnce(&mut R, &Base<R::State>) -> T) -> Result<T, Running> {
        let base = self.base();
        let lp = LoopState::try_current();
        let depth = lp.as_ref().map(LoopState::go_deeper);
        let value = {
            let mut receiver = self.receiver.try_borrow_mut().map_err(|_| Running)?;
            call(&mut receiver, &base)
        };
        drop(depth);
        Ok(value)
    }

    /// Hands over every whole frame; gives whether some may be left, for later.
    fn deliver(&self) -> Result<bool> {
        let base = self.base();
        if base.core.is_delivering.get() {
            return Ok(false);
        }
        self.with(deliver).unwrap_or_else(|Running| {
            base.deliver_soon();
            Ok(true)
        })
    }
}

impl<M: 'static, R: Receives<M>> Deliver for Slot<M, R> {
    fn deliver_due(&self) -> Result<()> {
        let is_held = self.deliver()?;
        let base = self.base();
        if !is_held && base.core.is_eof_due.take() && !self.with(R::eof_received)?? {
            base.transport.close();
        }
        Ok(())
    }
}

fn deliver<M, R: Receives<M>>(receiver: &mut R, base: &Base<R::State>) -> Result<bool> {
    let _delivering = Delivering::begin(&base.core);
    loop {
        if base.is_held(R::HOLDS_FRAMES) {
            // A closing transport gets nothing any more.
            return Ok(!base.transport.is_closing());
        }
        match receiver.step(base)? {
            Step::Done => base.core.has_moved.set(true),
            Step::Starved => {
                base.compact();
                return Ok(false);
            }
        }
    }
}

/// Says that frames are being handed over, until it is dropped.
struct Delivering<'a, S>(&'a Core<S>);

impl<'a, S> Delivering<'a, S> {
    fn begin(core: &'a Core<S>) -> Self {
        core.is_delivering.set(true);
        Delivering(core)
    }
}

impl<S> Drop for Delivering<'_, S> {
    fn drop(&mut self) {
        self.0.is_delivering.set(false);
    }
}
