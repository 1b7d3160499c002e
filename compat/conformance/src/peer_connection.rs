//! One connection of the peer: a socket, and TLS on it while it is spoken.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::Connection;
use socket2::Socket;

use crate::step_error::StepError;
use crate::tls_session::TlsSession;

/// A connection that is open. What it sends and receives goes through TLS from a handshake to the end of TLS.
pub(crate) struct PeerConnection {
    socket: Arc<Socket>,
    tls: Option<TlsSession>,
}

impl PeerConnection {
    pub(crate) fn new(socket: Arc<Socket>) -> PeerConnection {
        PeerConnection { socket, tls: None }
    }

    /// What is below TLS.
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(crate) fn send(&mut self, payload: &[u8]) -> Result<(), StepError> {
        match &mut self.tls {
            Some(tls) => tls.send(&self.socket, payload),
            None => self.send_raw(payload),
        }
    }

    pub(crate) fn send_raw(&self, payload: &[u8]) -> Result<(), StepError> {
        Ok((&*self.socket).write_all(payload)?)
    }

    /// Receives once; 0 bytes at the end.
    pub(crate) fn receive(&mut self, into: &mut [u8]) -> Result<usize, StepError> {
        match &mut self.tls {
            Some(tls) => tls.receive(&self.socket, into),
            None => Ok((&*self.socket).read(into)?),
        }
    }

    /// Shakes hands. A connection whose handshake has failed is of no more use.
    pub(crate) fn begin_tls(&mut self, side: Connection) -> Result<(), StepError> {
        // Rustls answers a flight record by record. Without this, the rest of the answer waits for a delayed
        // acknowledgement, and then comes together with the first payload.
        self.socket.set_tcp_nodelay(true)?;
        self.tls = Some(TlsSession::open(side, &self.socket)?);
        Ok(())
    }

    /// Exchanges close_notify; the connection goes on in plain.
    pub(crate) fn end_tls(&mut self) -> Result<(), StepError> {
        let tls = self.tls.as_mut().ok_or("tls_unwrap: the connection does not speak TLS")?;
        tls.close(&self.socket)?;
        self.tls = None;
        Ok(())
    }

    /// Closes with a reset.
    pub(crate) fn reset(self) -> Result<(), StepError> {
        Ok(self.socket.set_linger(Some(Duration::ZERO))?)
    }
}
