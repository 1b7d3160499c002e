//! [`Peer::connect`]: the other end of a connection in memory, for a protocol to hold.

use std::cell::Cell;
use std::io::{self, IoSlice, Read};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use socket2::SockRef;

use super::memory_stream::{PEERNAME, SOCKNAME};
use super::peer::{DEFAULT_CAPACITY, Peer};
use super::wire::Wire;
use crate::asyncio::{Address, ConnectionOptions, IntoProtocol, LoopState, StreamIo, StreamTransport, TransportRef};
use crate::nursery::Nursery;

impl Peer {
    /// Gives this end to a protocol, too: two protocols talk to each other without a network, each no faster than the
    /// other takes it. `connection_made` comes in the next turn.
    ///
    /// The connection is a child of `nursery`. What the peer had received comes to the protocol.
    ///
    /// # Panics
    ///
    /// With one sentence if the nursery is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use foster_compat::testing;
    /// use foster_compat::{Protocol, Result, TransportRef, open_nursery, run};
    ///
    /// struct Echo(TransportRef);
    ///
    /// impl Protocol for Echo {
    ///     fn data_received(&mut self, data: &[u8]) -> Result<()> {
    ///         self.0.write(data)
    ///     }
    ///
    ///     fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
    ///         self.0 = transport;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// struct Greeter;
    ///
    /// impl Protocol for Greeter {
    ///     fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
    ///         transport.write(b"hello")?;
    ///         transport.write_eof()
    ///     }
    ///
    ///     fn data_received(&mut self, data: &[u8]) -> Result<()> {
    ///         assert_eq!(data, b"hello");
    ///         Ok(())
    ///     }
    /// }
    ///
    /// run(open_nursery(async |nursery| {
    ///     let server = testing::serve(&nursery, || Echo(TransportRef::default()));
    ///     let (transport, _handle) = server.connect().connect(&nursery, Greeter);
    ///     transport.closed().await;
    ///     Ok(())
    /// }))?;
    /// # foster_compat::Ok(())
    /// ```
    pub fn connect<P: IntoProtocol>(self, nursery: &Nursery, protocol: P) -> (TransportRef, P::Handle) {
        let (cell, handle) = protocol.into_protocol();
        let lp = LoopState::of(nursery.core());
        let options = ConnectionOptions::default();
        let stream = PeerStream { peer: self, is_reset_told: Cell::new(false) };
        let transport: Rc<StreamTransport<PeerStream>> =
            StreamTransport::connected(&lp, nursery, cell, &options, stream)
                .unwrap_or_else(|_| panic!("the nursery is closed: it has ended and takes no new connections"));
        (TransportRef::new(transport), handle)
    }
}

/// A peer that behaves as a connected socket.
struct PeerStream {
    peer: Peer,
    /// A reset is an error once, and the end of the stream from then on.
    is_reset_told: Cell<bool>,
}

impl PeerStream {
    fn poll(&self, cx: &mut Context<'_>, is_ready: impl Fn(&Wire) -> bool) -> Poll<io::Result<()>> {
        let mut wire = self.peer.wire.borrow_mut();
        if is_ready(&wire) {
            return Poll::Ready(Ok(()));
        }
        if !wire.peer_wakers.iter().any(|waker: &Waker| waker.will_wake(cx.waker())) {
            wire.peer_wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let n_wanted = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        let mut room = {
            let wire = self.peer.wire.borrow();
            let room = wire.peer_room(DEFAULT_CAPACITY);
            // Who finds nothing to do wakes nobody: the other direction would find nothing either, and wake this one.
            if room == 0 && n_wanted > 0 {
                let is_mute = wire.is_peer_mute();
                return Err(if is_mute { io::ErrorKind::BrokenPipe } else { io::ErrorKind::WouldBlock }.into());
            }
            room
        };
        self.peer.change(|wire| {
            let mut n_sent = 0;
            for piece in pieces {
                let piece = &piece[..piece.len().min(room)];
                if !piece.is_empty() && !wire.send(piece) {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                n_sent += piece.len();
                room -= piece.len();
            }
            Ok(n_sent)
        })
    }
}

impl StreamIo for PeerStream {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |wire| !wire.outbound.is_empty() || wire.is_over())
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |wire| wire.peer_room(DEFAULT_CAPACITY) > 0 || wire.is_peer_mute())
    }

    fn has_input(&self) -> bool {
        let wire = self.peer.wire.borrow();
        !wire.outbound.is_empty() || wire.is_over()
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        {
            let wire = self.peer.wire.borrow();
            if wire.outbound.is_empty() {
                if wire.is_peer_reset && !self.is_reset_told.replace(true) {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                return if wire.is_over() { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
            }
        }
        self.peer.change(|wire| wire.outbound.read(buffer))
    }

    fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write(pieces)
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.peer.close_write();
        Ok(())
    }

    fn abandon(&self) {
        self.peer.reset();
    }

    fn peername(&self) -> Option<Address> {
        Some(Address::Inet(SocketAddr::from(SOCKNAME)))
    }

    fn sockname(&self) -> Option<Address> {
        Some(Address::Inet(SocketAddr::from((PEERNAME, self.peer.port()))))
    }

    fn with_socket(&self, _look: &mut dyn FnMut(SockRef<'_>)) {}
}
