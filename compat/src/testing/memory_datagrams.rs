//! The transport's end of datagrams in memory.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Waker};

use socket2::SockRef;

use super::datagram_peer::DatagramPeer;
use super::datagram_wire::DatagramWire;
use super::memory_stream::{FIRST_PORT, PEERNAME, SOCKNAME};
use crate::asyncio::{Address, DatagramIo};

/// A datagram socket that behaves as one of Linux for UDP does, without one.
pub(super) struct MemoryDatagrams {
    wire: Rc<RefCell<DatagramWire>>,
}

impl MemoryDatagrams {
    /// One that is bound, and may be connected to its peer.
    pub(super) fn pair(is_connected: bool) -> (Self, DatagramPeer) {
        let address = Address::Inet(SocketAddr::from((PEERNAME, FIRST_PORT)));
        let wire = Rc::new(RefCell::new(DatagramWire::new(is_connected.then(|| address.clone()))));
        (MemoryDatagrams { wire: wire.clone() }, DatagramPeer::new(wire, address))
    }
}

impl DatagramIo for MemoryDatagrams {
    fn is_unix(&self) -> bool {
        false
    }

    fn poll_recv_ready(&self, on_datagram: &mut Context<'_>, _on_error: &mut Context<'_>) -> bool {
        let mut wire = self.wire.borrow_mut();
        if wire.is_recv_ready() {
            return true;
        }
        wire.read_waker = Some(on_datagram.waker().clone());
        false
    }

    fn saw_error(&self) {}

    fn wait_for_room(&self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut wire = self.wire.borrow_mut();
        wire.write_waker = Some(cx.waker().clone());
        let wakers = wire.take_wakers();
        drop(wire);
        wake(wakers);
        Ok(())
    }

    fn has_room(&self) {
        self.wire.borrow_mut().write_waker = None;
    }

    fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        self.wire.borrow_mut().receive(buffer)
    }

    fn try_send(&self, data: &[u8], addr: Option<&Address>) -> io::Result<()> {
        let mut wire = self.wire.borrow_mut();
        let to = addr.cloned().or_else(|| wire.remote.clone()).ok_or(io::ErrorKind::InvalidInput)?;
        wire.send(data, &to)?;
        let wakers = std::mem::take(&mut wire.peer_wakers);
        drop(wire);
        wake(wakers);
        Ok(())
    }

    fn peername(&self) -> Option<Address> {
        self.wire.borrow().remote.clone()
    }

    fn sockname(&self) -> Option<Address> {
        Some(Address::Inet(SocketAddr::from(SOCKNAME)))
    }

    fn with_socket(&self, _look: &mut dyn FnMut(SockRef<'_>)) {}
}

impl Drop for MemoryDatagrams {
    fn drop(&mut self) {
        let mut wire = self.wire.borrow_mut();
        wire.close();
        let wakers = std::mem::take(&mut wire.peer_wakers);
        drop(wire);
        wake(wakers);
    }
}

fn wake(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}
