//! [`Upgraded`]: a connection that belongs to another protocol now.

use std::fmt;

use bytes::Bytes;
use foster_compat::{Protocol, ProtocolHandle, Result, TransportRef};

use crate::serve::Seat;

/// A connection after `101 Switching Protocols` or the 200 to CONNECT. Its reading is paused until it has a protocol.
///
/// Dropped without one, it is closed.
pub struct Upgraded {
    transport: TransportRef,
    leftover: Bytes,
    has_eof: bool,
    is_taken: bool,
    /// Its place among the connections of the server, until it has its protocol.
    #[cfg_attr(not(feature = "websocket"), expect(dead_code, reason = "held until it is dropped"))]
    seat: Option<Seat>,
}

impl Upgraded {
    pub(crate) fn new(transport: TransportRef, leftover: Bytes, has_eof: bool, seat: Option<Seat>) -> Self {
        transport.pause_reading();
        Upgraded { transport, leftover, has_eof, is_taken: false, seat }
    }

    /// The transport.
    pub fn transport(&self) -> &TransportRef {
        &self.transport
    }

    /// What the client has sent behind its request already: the first bytes of the other protocol.
    pub fn leftover(&self) -> &Bytes {
        &self.leftover
    }

    /// Whether the client has ended its stream behind them.
    pub fn is_eof(&self) -> bool {
        self.has_eof
    }

    /// Gives the connection to `protocol`: `transport.set_protocol`, with `connection_made`, the bytes that came too
    /// early in `data_received`, and `eof_received` if their end came, too; then reading goes on.
    ///
    /// # Errors
    ///
    /// What these callbacks return; the connection is aborted with it.
    pub fn set_protocol<P: Protocol>(mut self, protocol: P) -> Result<ProtocolHandle<P>> {
        self.is_taken = true;
        let transport = self.transport.clone();
        let handle = transport.set_protocol(protocol);
        let made = handle.with(|protocol| {
            protocol.connection_made(transport.clone())?;
            if !self.leftover.is_empty() {
                protocol.data_received(&self.leftover)?;
            }
            if self.has_eof { protocol.eof_received() } else { Ok(true) }
        });
        match made {
            Ok(true) => transport.resume_reading(),
            Ok(false) => transport.close(),
            Err(err) => {
                transport.abort_with(err.clone());
                return Err(err);
            }
        }
        Ok(handle)
    }

    /// The place among the connections of the server, for a protocol that stops with it.
    #[cfg(feature = "websocket")]
    pub(crate) fn take_seat(&mut self) -> Option<Seat> {
        self.seat.take()
    }

    /// The transport and the bytes that came too early, for who sets a protocol of another kind. Reading is paused.
    pub fn into_parts(mut self) -> (TransportRef, Bytes) {
        self.is_taken = true;
        (self.transport.clone(), std::mem::take(&mut self.leftover))
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded")
            .field("transport", &self.transport)
            .field("leftover", &self.leftover)
            .field("is_eof", &self.has_eof)
            .finish_non_exhaustive()
    }
}

impl Drop for Upgraded {
    fn drop(&mut self) {
        if !self.is_taken {
            self.transport.close();
        }
    }
}
