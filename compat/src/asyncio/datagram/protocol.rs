//! The datagram protocol traits: what a program implements.

use super::transport_ref::DatagramTransportRef;
use crate::asyncio::extra_info::Address;
use crate::error::{Error, Result};

/// A datagram protocol: `asyncio.DatagramProtocol`.
///
/// ```text
/// connection_made  (datagram_received | error_received)*  connection_lost    (pause_writing resume_writing)* in between
/// ```
///
/// Every `connection_made` is followed by exactly one `connection_lost`, on every path. All callbacks run on the
/// loop's thread, one at a time; nothing else runs between two statements of a callback.
///
/// An error is what an exception is in asyncio: from every callback it is reported to the exception handler, and the
/// transport lives on. A panic ends the transport, and the protocol then gets `connection_lost` and nothing else.
///
/// Differs from asyncio: the methods take `&mut self`, so `pause_writing`, `resume_writing` and `error_received`, which
/// asyncio calls from inside `sendto`, come when the outermost running callback returns, before anything else.
/// [`SharedDatagramProtocol`], with `&self`, has no such difference.
///
/// See [`create_datagram_endpoint`](crate::create_datagram_endpoint) for an example.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no datagram protocol",
    label = "the factory has to return a datagram protocol",
    note = "implement `DatagramProtocol` for it, or wrap a `SharedDatagramProtocol`: `Shared(p)`"
)]
pub trait DatagramProtocol: 'static {
    /// The endpoint is there. Nothing is received before this has returned.
    fn connection_made(&mut self, transport: DatagramTransportRef) -> Result<()> {
        let _ = transport;
        Ok(())
    }

    /// A datagram has come, perhaps an empty one. `addr` is who sent it.
    fn datagram_received(&mut self, data: &[u8], addr: Address) -> Result<()> {
        let _ = (data, addr);
        Ok(())
    }

    /// A send or a receive has failed, and the transport lives on: a datagram that was too long
    /// (`EMSGSIZE`), one for which the kernel had no memory (`ENOBUFS`; it is lost, as any datagram may be), or, of a
    /// connected endpoint, an answer that nobody listens there (`ECONNREFUSED`).
    fn error_received(&mut self, exc: Error) -> Result<()> {
        let _ = exc;
        Ok(())
    }

    /// More than the high-water mark (64 KiB) waits to be sent: send no more.
    fn pause_writing(&mut self) -> Result<()> {
        Ok(())
    }

    /// What waits to be sent has fallen to the low-water mark (16 KiB). Comes once for each `pause_writing`, except
    /// when the transport ends before.
    fn resume_writing(&mut self) -> Result<()> {
        Ok(())
    }

    /// The transport has ended: `None` after `close` or `abort`, else what ended it, which no datagram and no error of
    /// the network does.
    ///
    /// The transport still gives its extra information; the socket is closed when this has returned.
    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        let _ = exc;
        Ok(())
    }
}

/// A datagram protocol with `&self` methods, whose `pause_writing`, `resume_writing` and `error_received` are called
/// from inside `sendto` exactly as asyncio does. Wrap it in [`Shared`](crate::Shared); state lives in `Cell` and
/// `RefCell`.
pub trait SharedDatagramProtocol: 'static {
    /// As [`DatagramProtocol::connection_made`].
    fn connection_made(&self, transport: DatagramTransportRef) -> Result<()> {
        let _ = transport;
        Ok(())
    }

    /// As [`DatagramProtocol::datagram_received`].
    fn datagram_received(&self, data: &[u8], addr: Address) -> Result<()> {
        let _ = (data, addr);
        Ok(())
    }

    /// As [`DatagramProtocol::error_received`], but from inside the `sendto` that has failed, which gives what this
    /// gives.
    fn error_received(&self, exc: Error) -> Result<()> {
        let _ = exc;
        Ok(())
    }

    /// As [`DatagramProtocol::pause_writing`], but from inside the `sendto` that filled the queue.
    fn pause_writing(&self) -> Result<()> {
        Ok(())
    }

    /// As [`DatagramProtocol::resume_writing`], at once.
    fn resume_writing(&self) -> Result<()> {
        Ok(())
    }

    /// As [`DatagramProtocol::connection_lost`].
    fn connection_lost(&self, exc: Option<Error>) -> Result<()> {
        let _ = exc;
        Ok(())
    }
}
