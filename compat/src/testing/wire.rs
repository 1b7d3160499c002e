//! What lies between the two ends of a connection in memory.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::Waker;

use tokio::time::Instant;

use super::faults::Faults;
use super::peer::DEFAULT_CAPACITY;

/// What lies between the two ends.
pub(super) struct Wire {
    /// Sent by the peer and arrived, not yet read by the transport.
    pub(super) inbound: VecDeque<u8>,
    /// Sent by the peer, with when it arrives; the times never fall.
    in_flight: VecDeque<(Instant, Arrival)>,
    /// Sent by the transport, not yet read by the peer: what the kernel has taken.
    pub(super) outbound: VecDeque<u8>,
    /// How much `outbound` holds.
    pub(super) capacity: usize,
    pub(super) reset: Reset,
    faults: Faults,
    /// Counted since the faults were injected.
    n_read: u64,
    n_written: u64,
    /// The peer can send no more, whether that has arrived or not.
    is_peer_done: bool,
    /// The peer has reset the connection, whether that has arrived or not.
    pub(super) has_peer_reset: bool,
    /// The end of the peer's stream has arrived.
    has_peer_eof: bool,
    /// The peer has gone: a write finds out.
    is_peer_gone: bool,
    /// The transport sends no more.
    pub(super) has_fin: bool,
    /// The transport has gone while bytes of the peer were unread, or the wire has reset the connection.
    pub(super) is_peer_reset: bool,
    pub(super) is_closed: bool,
    pub(super) n_writes: u64,
    pub(super) peer_wakers: Vec<Waker>,
    pub(super) read_waker: Option<Waker>,
    pub(super) write_waker: Option<Waker>,
}

/// A reset of the connection as the transport's end sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reset {
    None,
    /// The next call gets the error.
    Pending,
    /// Reads give the end of the stream, writes a broken pipe.
    Told,
}

/// What arrives at the transport.
enum Arrival {
    Bytes(Vec<u8>),
    Eof,
    Reset,
}

impl Wire {
    pub(super) fn new() -> Self {
        Wire {
            inbound: VecDeque::new(),
            in_flight: VecDeque::new(),
            outbound: VecDeque::new(),
            capacity: DEFAULT_CAPACITY,
            reset: Reset::None,
            faults: Faults::default(),
            n_read: 0,
            n_written: 0,
            is_peer_done: false,
            has_peer_reset: false,
            has_peer_eof: false,
            is_peer_gone: false,
            has_fin: false,
            is_peer_reset: false,
            is_closed: false,
            n_writes: 0,
            peer_wakers: Vec::new(),
            read_waker: None,
            write_waker: None,
        }
    }

    // ---- the peer's end

    /// Sends bytes of the peer; `false` if it can send no more.
    pub(super) fn send(&mut self, data: &[u8]) -> bool {
        let is_open = !self.is_peer_done;
        if is_open && self.reset == Reset::None {
            self.dispatch(Arrival::Bytes(data.to_vec()));
        }
        is_open
    }

    pub(super) fn send_eof(&mut self) {
        if !self.is_peer_done {
            self.is_peer_done = true;
            self.dispatch(Arrival::Eof);
        }
    }

    pub(super) fn send_reset(&mut self) {
        self.is_peer_done = true;
        self.outbound.clear();
        if !self.has_peer_reset {
            self.has_peer_reset = true;
            self.dispatch(Arrival::Reset);
        }
    }

    /// The peer goes: it sends the end of its stream, or a reset if it leaves bytes unread.
    pub(super) fn leave(&mut self) {
        if !self.outbound.is_empty() && self.reset == Reset::None && !self.is_peer_gone {
            self.send_reset();
        }
        self.send_eof();
        self.is_peer_gone = true;
    }

    pub(super) fn inject(&mut self, faults: Faults) {
        (self.faults, self.n_read, self.n_written) = (faults, 0, 0);
        self.reset_if_due();
    }

    /// Whether there will be nothing more for the peer to read.
    pub(super) fn is_over(&self) -> bool {
        self.has_fin || self.is_peer_reset || self.has_peer_reset || self.is_peer_gone || self.reset != Reset::None
    }

    /// How much more of the peer the transport's kernel would take, if `capacity` is its buffer.
    pub(super) fn peer_room(&self, capacity: usize) -> usize {
        let n_in_flight = self.in_flight.iter().map(|(_, arrival)| match arrival {
            Arrival::Bytes(data) => data.len(),
            Arrival::Eof | Arrival::Reset => 0,
        });
        capacity.saturating_sub(self.inbound.len() + n_in_flight.sum::<usize>())
    }

    /// Whether the peer can send no more, or nobody takes what it sends.
    pub(super) fn is_peer_mute(&self) -> bool {
        self.is_peer_done || self.is_closed || self.is_peer_reset
    }

    fn dispatch(&mut self, arrival: Arrival) {
        if self.faults.delay.is_zero() && self.in_flight.is_empty() {
            return self.arrive(arrival);
        }
        let at = Instant::now() + self.faults.delay;
        let at = self.in_flight.back().map_or(at, |(last, _)| at.max(*last));
        self.in_flight.push_back((at, arrival));
    }

    fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Bytes(_) if self.is_closed => self.is_peer_reset = true,
            Arrival::Bytes(data) => self.inbound.extend(data),
            Arrival::Eof => self.has_peer_eof = true,
            Arrival::Reset if self.reset == Reset::None => self.reset = Reset::Pending,
            Arrival::Reset => {}
        }
    }

    // ---- the transport's end

    /// Lets arrive what is due; gives when something is due next.
    pub(super) fn deliver(&mut self) -> Option<Instant> {
        while let Some((at, arrival)) = self.in_flight.pop_front() {
            if at > Instant::now() {
                self.in_flight.push_front((at, arrival));
                return Some(at);
            }
            self.arrive(arrival);
        }
        None
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.deliver();
        // What came before a reset can still be read.
        if self.has_bytes() {
            let n_most = self.faults.max_read.unwrap_or(usize::MAX).min(buffer.len());
            let n_most = left(self.faults.reset_after_reading, self.n_read).min(n_most);
            let n = io::Read::read(&mut self.inbound, &mut buffer[..n_most])?;
            self.n_read += n as u64;
            self.reset_if_due();
            return Ok(n);
        }
        match self.reset {
            Reset::Pending => {
                self.reset = Reset::Told;
                Err(io::ErrorKind::ConnectionReset.into())
            }
            Reset::Told => Ok(0),
            Reset::None if self.has_eof() => Ok(0),
            Reset::None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    pub(super) fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.deliver();
        match self.reset {
            Reset::None if self.has_fin => return Err(io::ErrorKind::BrokenPipe.into()),
            Reset::None => {}
            Reset::Pending => {
                self.reset = Reset::Told;
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Reset::Told => return Err(io::ErrorKind::BrokenPipe.into()),
        }
        let wanted = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        let wanted = wanted.min(self.faults.max_write.unwrap_or(usize::MAX));
        let n = if self.is_peer_gone { wanted } else { self.room().min(wanted) };
        if n == 0 || self.faults.is_writing_stalled {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if !self.has_peer_reset {
            if self.is_peer_gone {
                // The kernel takes the bytes; what comes back is a reset.
                self.has_peer_reset = true;
                self.dispatch(Arrival::Reset);
            } else {
                self.outbound.extend(pieces.iter().flat_map(|piece| piece.iter().copied()).take(n));
            }
        }
        self.n_writes += 1;
        self.n_written += n as u64;
        self.reset_if_due();
        Ok(n)
    }

    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.has_fin = true;
        // As the kernel: whoever closes with bytes unread answers with a reset, and so do bytes that come later.
        let has_bytes_in_flight = self.in_flight.iter().any(|(_, arrival)| matches!(arrival, Arrival::Bytes(_)));
        self.is_peer_reset |= !self.inbound.is_empty() || has_bytes_in_flight;
        (self.inbound, self.in_flight) = Default::default();
    }

    pub(super) fn is_read_ready(&self) -> bool {
        self.has_bytes() || self.has_eof() || self.reset != Reset::None
    }

    pub(super) fn is_write_ready(&self) -> bool {
        let has_room = !self.faults.is_writing_stalled && (self.room() > 0 || self.is_peer_gone);
        has_room || self.reset != Reset::None || self.has_fin
    }

    /// Everybody who may find something changed, to be woken when the borrow has ended.
    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        let mut wakers = std::mem::take(&mut self.peer_wakers);
        // Who waits for what is in flight waits for a time.
        let is_in_flight = !self.in_flight.is_empty();
        if is_in_flight || self.is_read_ready() {
            wakers.extend(self.read_waker.take());
        }
        if is_in_flight || self.is_write_ready() {
            wakers.extend(self.write_waker.take());
        }
        wakers
    }

    fn has_bytes(&self) -> bool {
        !self.inbound.is_empty() && !self.faults.is_reading_stalled
    }

    fn has_eof(&self) -> bool {
        self.has_peer_eof && !self.faults.is_reading_stalled
    }

    fn room(&self) -> usize {
        let room = self.capacity.saturating_sub(self.outbound.len());
        left(self.faults.reset_after_writing, self.n_written).min(room)
    }

    fn reset_if_due(&mut self) {
        let is_due = |n: Option<u64>, n_so_far: u64| n.is_some_and(|n| n_so_far >= n);
        let is_due = is_due(self.faults.reset_after_reading, self.n_read)
            || is_due(self.faults.reset_after_writing, self.n_written);
        if is_due && self.reset == Reset::None {
            self.reset = Reset::Pending;
            self.is_peer_reset = true;
            (self.inbound, self.in_flight) = Default::default();
        }
    }
}

/// How many of `n` bytes are left.
fn left(n: Option<u64>, n_so_far: u64) -> usize {
    n.map_or(usize::MAX, |n| usize::try_from(n.saturating_sub(n_so_far)).unwrap_or(usize::MAX))
}
