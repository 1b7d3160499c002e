//! The transport's end of a connection in memory.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use socket2::SockRef;
use tokio::time::{Instant, Sleep, sleep_until};

use super::peer::Peer;
use super::wire::Wire;
use crate::asyncio::{Address, StreamIo};

/// What the addresses of the two ends are, from the block for documentation (RFC 5737).
pub(super) const SOCKNAME: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 8888);
pub(super) const PEERNAME: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// The port of the first peer; those of its server's next ones follow.
pub(super) const FIRST_PORT: u16 = 50000;

/// A stream that behaves as a connected socket of Linux does, without one.
pub(super) struct MemoryStream {
    wire: Rc<RefCell<Wire>>,
    peer_port: u16,
    /// Until what is in flight arrives; two, because each has the waker of one half.
    read_timer: Timer,
    write_timer: Timer,
}

type Timer = RefCell<Option<Pin<Box<Sleep>>>>;

impl MemoryStream {
    pub(super) fn pair(peer_port: u16) -> (Self, Peer) {
        let wire = Rc::new(RefCell::new(Wire::new()));
        let stream =
            MemoryStream { wire: wire.clone(), peer_port, read_timer: Timer::default(), write_timer: Timer::default() };
        (stream, Peer::new(wire, peer_port))
    }

    fn change<R>(&self, change: impl FnOnce(&mut Wire) -> R) -> R {
        let mut wire = self.wire.borrow_mut();
        let result = change(&mut wire);
        let wakers = wire.take_wakers();
        drop(wire);
        wakers.into_iter().for_each(Waker::wake);
        result
    }
}

impl StreamIo for MemoryStream {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut wire = self.wire.borrow_mut();
        loop {
            let next = wire.deliver();
            if wire.is_read_ready() {
                return Poll::Ready(Ok(()));
            }
            if !has_passed(&self.read_timer, next, cx) {
                wire.read_waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut wire = self.wire.borrow_mut();
        loop {
            let next = wire.deliver();
            if wire.is_write_ready() {
                return Poll::Ready(Ok(()));
            }
            if !has_passed(&self.write_timer, next, cx) {
                wire.write_waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
    }

    fn has_input(&self) -> bool {
        let mut wire = self.wire.borrow_mut();
        wire.deliver();
        wire.is_read_ready()
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.change(|wire| wire.read(buffer))
    }

    fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.change(|wire| wire.write(pieces))
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.change(|wire| wire.has_fin = true);
        Ok(())
    }

    fn peername(&self) -> Option<Address> {
        Some(Address::Inet(SocketAddr::from((PEERNAME, self.peer_port))))
    }

    fn sockname(&self) -> Option<Address> {
        Some(Address::Inet(SocketAddr::from(SOCKNAME)))
    }

    fn with_socket(&self, _look: &mut dyn FnMut(SockRef<'_>)) {}
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        let mut wire = self.wire.borrow_mut();
        wire.close();
        let wakers = std::mem::take(&mut wire.peer_wakers);
        drop(wire);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Whether `at` has come; if not, the task of `cx` is woken then.
fn has_passed(timer: &Timer, at: Option<Instant>, cx: &mut Context<'_>) -> bool {
    let mut timer = timer.borrow_mut();
    let Some(at) = at else {
        *timer = None;
        return false;
    };
    let sleep = timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
    if sleep.deadline() != at {
        sleep.as_mut().reset(at);
    }
    sleep.as_mut().poll(cx).is_ready()
}
