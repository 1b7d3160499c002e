//! The protocol traits: what a program implements.

use super::transport_ref::TransportRef;
use crate::error::{Error, Result};

/// A stream protocol: `asyncio.Protocol`.
///
/// ```text
/// connection_made  data_received*  [eof_received]  connection_lost      (pause_writing resume_writing)* in between
/// ```
///
/// Every `connection_made` is followed by exactly one `connection_lost`, on every path. All callbacks run on the
/// loop's thread, one at a time; nothing else runs between two statements of a callback.
///
/// An error is what an exception is in asyncio. From `data_received` and `eof_received` it is fatal: it is reported
/// to the exception handler unless it is an `io::Error`, what is still to be written is dropped, and
/// `connection_lost` gets it. From the other callbacks it is reported and the connection lives on. A panic is fatal
/// in every callback, and the protocol then gets `connection_lost` and nothing else.
///
/// Differs from asyncio: the methods take `&mut self`, so `pause_writing` and `resume_writing`, which asyncio calls
/// from inside `write`, come when the outermost running callback returns, before anything else.
/// [`SharedProtocol`], with `&self`, has no such difference.
///
/// # Examples
///
/// ```no_run
/// use foster_compat::{Protocol, Result, TransportRef, run, run_server};
///
/// #[derive(Default)]
/// struct Echo {
///     transport: TransportRef,
/// }
///
/// impl Protocol for Echo {
///     fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
///         self.transport = transport;
///         Ok(())
///     }
///
///     fn data_received(&mut self, data: &[u8]) -> Result<()> {
///         self.transport.write(data)
///     }
/// }
///
/// fn main() -> Result<()> {
///     run(run_server(Echo::default, "127.0.0.1", 8888))
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no protocol",
    label = "the factory has to return a protocol",
    note = "implement `Protocol` for it, or wrap it: `Buffered(p)` for a `BufferedProtocol`, `Shared(p)` for a \
            `SharedProtocol`"
)]
pub trait Protocol: 'static {
    /// The connection is there. Nothing is read before this has returned.
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        let _ = transport;
        Ok(())
    }

    /// Some bytes have come, at least one and at most 256 KiB; how the peer cut them says nothing.
    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        let _ = data;
        Ok(())
    }

    /// The peer will send no more. `false` closes the transport after what is written was sent; `true` keeps the
    /// writing side open.
    ///
    /// After `true` nobody watches the socket: that the peer went away altogether shows only when something is
    /// written. `pause_reading` and `resume_reading` then bring this callback again.
    fn eof_received(&mut self) -> Result<bool> {
        Ok(false)
    }

    /// More than the high-water mark (64 KiB) waits to be sent: write no more.
    fn pause_writing(&mut self) -> Result<()> {
        Ok(())
    }

    /// What waits to be sent has fallen to the low-water mark (16 KiB). Comes once for each `pause_writing`, except
    /// when the connection is lost before.
    fn resume_writing(&mut self) -> Result<()> {
        Ok(())
    }

    /// The connection has ended: `None` after the end of the peer's stream, `close` or `abort`, else what ended it.
    ///
    /// The transport still gives its extra information; the socket is closed when this has returned.
    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        let _ = exc;
        Ok(())
    }
}

/// A stream protocol that is read into its own buffer: `asyncio.BufferedProtocol`. Wrap it in
/// [`Buffered`](crate::Buffered).
///
/// ```text
/// connection_made  (get_buffer [buffer_updated])*  [eof_received]  connection_lost
/// ```
///
/// Errors are treated as in [`Protocol`]; those of `get_buffer` and `buffer_updated` are fatal.
pub trait BufferedProtocol: 'static {
    /// As [`Protocol::connection_made`].
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        let _ = transport;
        Ok(())
    }

    /// Where to read to; an empty buffer is a fatal error. `sizehint` is the size that would be good, or `None`.
    ///
    /// Called once for every read, also for the one that finds the end of the stream.
    fn get_buffer(&mut self, sizehint: Option<usize>) -> Result<&mut [u8]>;

    /// The first `nbytes` of the buffer were filled.
    fn buffer_updated(&mut self, nbytes: usize) -> Result<()>;

    /// As [`Protocol::eof_received`].
    fn eof_received(&mut self) -> Result<bool> {
        Ok(false)
    }

    /// As [`Protocol::pause_writing`].
    fn pause_writing(&mut self) -> Result<()> {
        Ok(())
    }

    /// As [`Protocol::resume_writing`].
    fn resume_writing(&mut self) -> Result<()> {
        Ok(())
    }

    /// As [`Protocol::connection_lost`].
    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        let _ = exc;
        Ok(())
    }
}

/// A stream protocol with `&self` methods, whose `pause_writing` and `resume_writing` are called from inside `write`
/// exactly as asyncio does. Wrap it in [`Shared`](crate::Shared); state lives in `Cell` and `RefCell`.
pub trait SharedProtocol: 'static {
    /// As [`Protocol::connection_made`].
    fn connection_made(&self, transport: TransportRef) -> Result<()> {
        let _ = transport;
        Ok(())
    }

    /// As [`Protocol::data_received`].
    fn data_received(&self, data: &[u8]) -> Result<()> {
        let _ = data;
        Ok(())
    }

    /// As [`Protocol::eof_received`].
    fn eof_received(&self) -> Result<bool> {
        Ok(false)
    }

    /// As [`Protocol::pause_writing`], but from inside the `write` that filled the buffer.
    fn pause_writing(&self) -> Result<()> {
        Ok(())
    }

    /// As [`Protocol::resume_writing`], at once.
    fn resume_writing(&self) -> Result<()> {
        Ok(())
    }

    /// As [`Protocol::connection_lost`].
    fn connection_lost(&self, exc: Option<Error>) -> Result<()> {
        let _ = exc;
        Ok(())
    }
}
