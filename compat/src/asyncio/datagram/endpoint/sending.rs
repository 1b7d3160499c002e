//! The sending side: at once what the socket takes, the rest when it is ready.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::{DatagramEndpoint, WRITE};
use crate::asyncio::acceptor::water_marks;
use crate::asyncio::create_connection::connect_error::as_python;
use crate::asyncio::datagram::datagram_io::DatagramIo;
use crate::asyncio::datagram::protocol_cell::DatagramProtocolCell;
use crate::asyncio::datagram::transport::DatagramTransport;
use crate::asyncio::exceptions::{ValueError, connection_lost};
use crate::asyncio::extra_info::Address;
use crate::asyncio::lost_writes::{SEND_FAILED, count_lost_write};
use crate::asyncio::stream_transport::would_block;
use crate::asyncio::waiters::add_waiter;
use crate::error::Result;
use crate::runtime::{Alarm, Event};

/// When to try again if nobody will tell that there is room: the finest step of the clock.
const SEND_RETRY_DELAY: Duration = Duration::from_millis(1);

impl<S: DatagramIo> DatagramEndpoint<S> {
    /// Sends what waits until the socket takes no more, as asyncio's `_sendto_ready`.
    pub(super) fn on_write(&self) {
        if self.n_lost.get() > 0 {
            return;
        }
        if let Some(retry) = self.retry.take() {
            self.lp.core.clear_timer(retry);
        }
        while let Some(sent) = self.send_front() {
            match sent {
                Ok(()) => self.queue.borrow_mut().pop(),
                Err(err) if would_block(&err) => {
                    self.wait_for_room();
                    break;
                }
                Err(err) => {
                    self.queue.borrow_mut().pop();
                    self.deliver_error(err.into());
                    // The others follow in the next turn.
                    if self.writer.is_on.get() {
                        self.lp.core.recheck(self.me(), WRITE);
                    }
                    return;
                }
            }
        }
        self.maybe_resume();
        if self.queue.borrow().is_empty() {
            self.writer.switch(false);
            self.io.borrow().iter().for_each(DatagramIo::has_room);
            if self.is_closing.get() && self.n_lost.get() == 0 {
                self.n_lost.set(1);
                self.call_lost_or_queue();
            }
        }
    }

    fn send_front(&self) -> Option<std::io::Result<()>> {
        let (io, queue) = (self.io.borrow(), self.queue.borrow());
        let datagram = queue.front()?;
        Some(io.as_ref()?.try_send(&datagram.data, datagram.addr.as_ref()))
    }

    /// Has a write queued when the socket takes more.
    fn wait_for_room(&self) {
        let is_waiting = {
            let io = self.io.borrow();
            let (Some(io), Some([_, on_room, _])) = (&*io, self.wakers.get()) else { return };
            // The kernel tells a Unix sender of room at the peer that it is connected to, and at no other.
            let is_told = self.is_connected || !io.is_unix();
            is_told && io.wait_for_room(&mut Context::from_waker(on_room)).is_ok()
        };
        if !is_waiting {
            let event = Event { kind: WRITE, generation: self.writer.generation.get() };
            let deadline = Instant::now() + SEND_RETRY_DELAY;
            self.retry.set(Some(self.lp.core.set_timer(deadline, Alarm::Event { source: self.me(), event })));
        }
    }

    /// The address for the kernel: none on a connected socket.
    fn check_address<'a>(&'a self, addr: Option<&'a Address>) -> Result<Option<&'a Address>> {
        match (&self.remote, addr) {
            (Some(remote), Some(addr)) if addr != remote => {
                let shown = match remote {
                    Address::Inet(inet) => as_python(*inet),
                    Address::Unix(path) => path.clone(),
                };
                Err(ValueError::new(format!("Invalid address: must be None or {shown}")).into())
            }
            (Some(_), _) if self.is_connected => Ok(None),
            (Some(remote), _) => Ok(Some(remote)),
            (None, None) => Err(ValueError::new(
                "Invalid address: this endpoint has no remote address, so sendto needs the address of the receiver",
            )
            .into()),
            (None, Some(addr)) => {
                let is_path = matches!(addr, Address::Unix(_));
                if self.io.borrow().as_ref().is_some_and(|io| io.is_unix() != is_path) {
                    let wanted = if is_path { "an IP address and a port" } else { "a path" };
                    return Err(ValueError::new(format!("Invalid address: must be {wanted}, not {addr}")).into());
                }
                Ok(Some(addr))
            }
        }
    }
}

impl<S: DatagramIo> DatagramTransport for DatagramEndpoint<S> {
    fn sendto(&self, data: &[u8], addr: Option<&Address>) -> Result<()> {
        if self.is_lost.get() && self.remote.is_none() {
            count_lost_write(&self.n_lost, SEND_FAILED);
            return Ok(());
        }
        let addr = self.check_address(addr)?;
        if self.n_lost.get() > 0 && self.remote.is_some() {
            count_lost_write(&self.n_lost, SEND_FAILED);
            return Ok(());
        }
        if self.queue.borrow().is_empty() {
            let Some(sent) = self.io.borrow().as_ref().map(|io| io.try_send(data, addr)) else { return Ok(()) };
            match sent {
                Ok(()) => return Ok(()),
                // Nobody will be there to send it later.
                Err(err) if would_block(&err) && self.n_lost.get() > 0 => return Ok(()),
                Err(err) if would_block(&err) => {}
                Err(err) => return self.send_failed(err),
            }
            self.queue.borrow_mut().push(data, addr);
            // A turn of the loop tries once more, and then asks the driver, for which this may be the wrong place.
            self.writer.switch(true);
            self.lp.core.recheck(self.me(), WRITE);
        } else {
            self.queue.borrow_mut().push(data, addr);
        }
        self.maybe_pause();
        Ok(())
    }

    fn abort(&self) {
        self.force_close(None);
    }

    fn get_write_buffer_size(&self) -> usize {
        self.queue.borrow().size()
    }

    fn get_write_buffer_limits(&self) -> (usize, usize) {
        self.marks.get()
    }

    fn set_write_buffer_limits(&self, high: Option<usize>, low: Option<usize>) -> Result<()> {
        self.marks.set(water_marks(high, low)?);
        self.maybe_pause();
        Ok(())
    }

    fn is_writing_paused(&self) -> bool {
        self.is_writing_paused.get()
    }

    fn is_reading(&self) -> bool {
        !self.is_closing.get() && !self.is_reading_paused.get()
    }

    fn pause_reading(&self) {
        if self.is_reading() {
            self.is_reading_paused.set(true);
            self.reader.switch(false);
        }
    }

    fn resume_reading(&self) {
        if !self.is_closing.get() && self.is_reading_paused.replace(false) {
            self.add_reader();
        }
    }

    fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.is_lost.get() {
            return Poll::Ready(Err(connection_lost()));
        }
        if !self.is_writing_paused.get() {
            return Poll::Ready(Ok(()));
        }
        add_waiter(&mut self.drain_waiters.borrow_mut(), cx.waker());
        Poll::Pending
    }

    fn set_protocol_cell(&self, protocol: DatagramProtocolCell) {
        if !self.is_lost.get() {
            let old = self.protocol.replace(Some(protocol));
            drop(old);
        }
    }

    fn get_protocol(&self) -> Option<DatagramProtocolCell> {
        self.protocol.borrow().clone()
    }
}
