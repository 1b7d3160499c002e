//! The transport traits.

use std::fs::File;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

use super::exceptions::{NotImplementedError, SendfileNotAvailableError};
use super::extra_info::ExtraInfo;
use super::protocol_cell::ProtocolCell;
use crate::error::{Error, Result};
use crate::nursery::Nursery;

/// What every transport has: `asyncio.BaseTransport`.
pub trait BaseTransport {
    /// What lies under the transport, by asyncio's keys: `"peername"`, `"sockname"`, `"socket"`, and what
    /// [`set_extra_info`](BaseTransport::set_extra_info) has put there. `None` for an unknown key.
    fn get_extra_info(&self, name: &str) -> Option<ExtraInfo>;

    /// Adds an entry of the program's own; it goes before a built-in one of the same name.
    fn set_extra_info(&self, name: &'static str, value: ExtraInfo);

    /// Whether the transport is closing or closed: true from `close`, `abort` and a fatal error on.
    fn is_closing(&self) -> bool;

    /// Closes the transport: reads no more, sends what is written, then `connection_lost(None)`, in the next turn
    /// at the earliest. Idempotent. What the peer has sent and nobody has read makes the kernel answer with a reset.
    fn close(&self);

    /// Starts a task that ends with the connection; the verb for programs is
    /// [`TransportRef::start_soon`](crate::TransportRef::start_soon).
    fn start_soon_boxed(&self, name: &'static str, task: Pin<Box<dyn Future<Output = Result<()>>>>);

    /// Runs `step` in the scope of the connection: see [`TransportRef::in_scope`](crate::TransportRef::in_scope). A
    /// transport without a scope of its own just runs it.
    fn run_in_scope(&self, step: &mut dyn FnMut()) {
        step();
    }

    /// The nursery that the errors of a strict connection end, for a layer on top of this transport.
    #[doc(hidden)]
    fn strict_nursery(&self) -> Option<Nursery> {
        None
    }

    /// Ready once `connection_lost` has been called, with what it was given; the verb for programs is
    /// [`TransportRef::closed`](crate::TransportRef::closed).
    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Option<Error>>;
}

/// The reading side: `asyncio.ReadTransport`.
pub trait ReadTransport: BaseTransport {
    /// Whether bytes are handed to the protocol: not closing and not paused.
    fn is_reading(&self) -> bool;

    /// Hands over no more bytes until `resume_reading`; none come after it has returned. Idempotent, and without
    /// effect on a closing transport. While reading is paused neither the end of the stream nor a reset is noticed.
    fn pause_reading(&self);

    /// Hands over bytes again. Idempotent, and without effect on a closing transport.
    fn resume_reading(&self);

    /// Ready while reading is not paused; who waits is also told when the connection is lost. Not in asyncio: what a
    /// protocol keeps back while reading is paused waits for it.
    fn poll_resumed(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Aborts the connection, with a [`TimeoutError`](crate::TimeoutError) for `connection_lost`, after this long
    /// without a byte read or sent. `None`, the default, waits for ever. Not in asyncio, where every server has its
    /// own; setting it again starts anew.
    fn set_idle_timeout(&self, timeout: Option<Duration>);

    /// Sets the marks, in bytes, at which a transport over TLS reads no further while the protocol has paused reading
    /// (256 KiB unless set), and reads on (a quarter of it).
    ///
    /// # Errors
    ///
    /// A [`ValueError`](crate::ValueError) unless high >= low; a [`NotImplementedError`](crate::NotImplementedError) for
    /// a transport that keeps nothing, as all but those over TLS.
    fn set_read_buffer_limits(&self, high: Option<usize>, low: Option<usize>) -> Result<()> {
        let _ = (high, low);
        Err(NotImplementedError::new("this transport keeps nothing that it has read").into())
    }

    /// The bytes that were read and not handed to the protocol: 0 except over TLS.
    fn get_read_buffer_size(&self) -> usize {
        0
    }
}

/// A piece of what [`WriteTransport::writelines_shared`] sends; dereferences to its bytes.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'a> {
    /// Is copied if it has to wait.
    Lent(&'a [u8]),
    /// Is kept as it is if it has to wait.
    Shared(&'a Bytes),
}

impl Deref for Piece<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Piece::Lent(bytes) => bytes,
            Piece::Shared(bytes) => bytes,
        }
    }
}

/// The writing side: `asyncio.WriteTransport`.
pub trait WriteTransport: BaseTransport {
    /// Sends bytes, or keeps what the socket does not take at once. Never blocks.
    ///
    /// A connection error shows in `connection_lost`, not here. After the connection is lost bytes are counted and
    /// dropped; from the fifth such write on each logs a warning, as asyncio does. After `close` they are sent if
    /// something was still waiting to be sent then, else dropped.
    ///
    /// # Errors
    ///
    /// A [`RuntimeError`](crate::RuntimeError) after `write_eof`.
    fn write(&self, data: &[u8]) -> Result<()>;

    /// Sends several pieces with one call of the operating system as far as it takes them.
    ///
    /// # Errors
    ///
    /// As [`write`](WriteTransport::write), also for no piece at all.
    fn writelines(&self, pieces: &[&[u8]]) -> Result<()>;

    /// As [`writelines`](WriteTransport::writelines), but large pieces that are shared are kept, and not copied, until
    /// they are sent; a transport that does not override this copies them. Not in asyncio, where the garbage collector
    /// keeps them.
    ///
    /// # Errors
    ///
    /// As [`writelines`](WriteTransport::writelines).
    fn writelines_shared(&self, pieces: &[Piece<'_>]) -> Result<()> {
        let pieces: Vec<&[u8]> = pieces.iter().map(|piece| &**piece).collect();
        self.writelines(&pieces)
    }

    /// Closes the writing side after what is written was sent; reading goes on. Idempotent.
    ///
    /// # Errors
    ///
    /// A [`NotImplementedError`](crate::NotImplementedError) where [`can_write_eof`](WriteTransport::can_write_eof)
    /// is false.
    fn write_eof(&self) -> Result<()>;

    /// Whether `write_eof` works.
    fn can_write_eof(&self) -> bool;

    /// Drops what is written and not yet sent, then `connection_lost(None)` in the next turn. Idempotent; cuts a
    /// `close` that is still sending.
    fn abort(&self);

    /// As [`abort`](WriteTransport::abort), and `connection_lost` gets `exc`: asyncio's `_force_close(exc)`.
    fn abort_with(&self, exc: Error);

    /// The bytes that the operating system has not taken yet.
    fn get_write_buffer_size(&self) -> usize;

    /// The (low, high) marks in bytes: 16 KiB and 64 KiB unless set.
    fn get_write_buffer_limits(&self) -> (usize, usize);

    /// Sets the marks for `pause_writing` (above high) and `resume_writing` (at or below low).
    ///
    /// Only one given: low is a quarter of high. Lowering them may pause at once; raising them never resumes by
    /// itself.
    ///
    /// # Errors
    ///
    /// A [`ValueError`](crate::ValueError) unless high >= low.
    fn set_write_buffer_limits(&self, high: Option<usize>, low: Option<usize>) -> Result<()>;

    /// Whether `pause_writing` is due or was called, and `resume_writing` was not; exact at once, also inside the
    /// callback that has written.
    fn is_writing_paused(&self) -> bool;

    /// Whether writes of one callback go out as one, when it returns. Off unless set: asyncio sends at once.
    fn set_write_batching(&self, is_on: bool);

    /// Ready once writing is not paused; the verb for programs is
    /// [`TransportRef::drained`](crate::TransportRef::drained).
    fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<Result<()>>;

    /// Begins or ends the sending of a file, during which every write is refused. A transport that does not know of it
    /// refuses none. The verb for programs is [`Loop::sendfile`](crate::Loop::sendfile).
    ///
    /// # Errors
    ///
    /// A [`RuntimeError`](crate::RuntimeError) after `write_eof`, and if a file is being sent already.
    fn set_sending_file(&self, _is_on: bool) -> Result<()> {
        Ok(())
    }

    /// Has the system send at most `count` bytes of `file` from `offset` on, once everything written was sent. Gives
    /// how many it took; none at the end of the file.
    ///
    /// # Errors
    ///
    /// A [`SendfileNotAvailableError`](crate::SendfileNotAvailableError) unless the transport overrides this.
    fn poll_sendfile(&self, _cx: &mut Context<'_>, _file: &File, _offset: u64, _count: usize) -> Poll<Result<usize>> {
        Poll::Ready(Err(SendfileNotAvailableError::new("sendfile syscall is not supported").into()))
    }
}

/// A two-way byte stream: `asyncio.Transport`.
pub trait Transport: ReadTransport + WriteTransport {
    /// Gives the transport another protocol, without calling its `connection_made`; the verb for programs is
    /// [`TransportRef::set_protocol`](crate::TransportRef::set_protocol).
    fn set_protocol_cell(&self, protocol: ProtocolCell);

    /// The protocol; `None` after `connection_lost`.
    fn get_protocol(&self) -> Option<ProtocolCell>;

    /// Whether TLS can be laid on top of it: asyncio's `_start_tls_compatible`. Not so unless a transport says it.
    fn is_start_tls_compatible(&self) -> bool {
        false
    }
}
