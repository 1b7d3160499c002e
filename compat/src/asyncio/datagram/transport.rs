//! The datagram transport trait.

use std::task::{Context, Poll};

use super::protocol_cell::DatagramProtocolCell;
use crate::asyncio::extra_info::Address;
use crate::asyncio::transport::BaseTransport;
use crate::error::Result;

/// A datagram endpoint: `asyncio.DatagramTransport`, with what asyncio's implementation has beside it.
pub trait DatagramTransport: BaseTransport {
    /// Sends a datagram, or keeps it if the socket does not take it at once. Never blocks; an empty datagram is sent.
    ///
    /// `addr` may be `None` if the endpoint has a remote address. An error of the network shows in `error_received`,
    /// not here. After `close` an endpoint without a remote address still sends until `connection_lost` was called;
    /// else what is sent after the end is counted and dropped, and from the fifth on each logs a warning.
    ///
    /// The queue has no bound but the program's heed of `pause_writing`, as in asyncio.
    ///
    /// # Errors
    ///
    /// A [`ValueError`](crate::ValueError), `Invalid address: must be None or ...`, for an address that is not the
    /// remote address of the endpoint; also for no address where it has none, and for a path where it takes addresses or
    /// the other way round, both of which end the transport in asyncio. What
    /// [`SharedDatagramProtocol::error_received`](crate::SharedDatagramProtocol::error_received) gives.
    fn sendto(&self, data: &[u8], addr: Option<&Address>) -> Result<()>;

    /// Drops what is not yet sent, then `connection_lost(None)` in the next turn. Idempotent; cuts a `close` that is
    /// still sending.
    fn abort(&self);

    /// What the operating system has not taken yet: the bytes of the datagrams that wait, and 8 more for each.
    fn get_write_buffer_size(&self) -> usize;

    /// The (low, high) marks in bytes: 16 KiB and 64 KiB unless set.
    fn get_write_buffer_limits(&self) -> (usize, usize);

    /// Sets the marks for `pause_writing` (above high) and `resume_writing` (at or below low), as
    /// [`WriteTransport::set_write_buffer_limits`](crate::WriteTransport::set_write_buffer_limits).
    ///
    /// # Errors
    ///
    /// A [`ValueError`](crate::ValueError) unless high >= low.
    fn set_write_buffer_limits(&self, high: Option<usize>, low: Option<usize>) -> Result<()>;

    /// Whether `pause_writing` is due or was called, and `resume_writing` was not; exact at once, also inside the
    /// callback that has sent.
    fn is_writing_paused(&self) -> bool;

    /// Whether datagrams are handed to the protocol: not closing and not paused. In asyncio not of the abstract class,
    /// but of every transport there is; so are the next two.
    fn is_reading(&self) -> bool;

    /// Hands over no more datagrams until `resume_reading`; the kernel keeps what fits into its buffer and drops the
    /// rest. Idempotent, and without effect on a closing transport.
    fn pause_reading(&self);

    /// Hands over datagrams again. Idempotent, and without effect on a closing transport.
    fn resume_reading(&self);

    /// Ready once writing is not paused; the verb for programs is
    /// [`DatagramTransportRef::drained`](crate::DatagramTransportRef::drained).
    fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<Result<()>>;

    /// Gives the transport another protocol, without calling its `connection_made`; the verb for programs is
    /// [`DatagramTransportRef::set_protocol`](crate::DatagramTransportRef::set_protocol).
    fn set_protocol_cell(&self, protocol: DatagramProtocolCell);

    /// The protocol; `None` after `connection_lost`.
    fn get_protocol(&self) -> Option<DatagramProtocolCell>;
}
