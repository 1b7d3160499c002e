//! The receiving side: one callback for each datagram.

use super::{DatagramEndpoint, READ};
use crate::asyncio::datagram::datagram_io::DatagramIo;
use crate::asyncio::datagram::protocol_cell::Call;
use crate::asyncio::stream_transport::would_block;

/// The datagrams that are handed over in one turn at most: as many as libuv takes from a socket at a time.
const MAX_BATCH: usize = 32;

impl<S: DatagramIo> DatagramEndpoint<S> {
    /// Receives as asyncio does, a datagram for each turn of the loop; but a turn that would hold nothing else need not
    /// be waited for, and nobody can tell.
    pub(super) fn on_read(&self) {
        if self.n_lost.get() > 0 {
            return;
        }
        let generation = self.reader.generation.get();
        let mut buffer = self.lp.take_read_buffer();
        for _ in 0..MAX_BATCH {
            let Some(outcome) = self.io.borrow().as_ref().map(|io| io.try_recv_from(&mut buffer)) else { break };
            match outcome {
                Ok((n, addr)) => {
                    if let Err(failure) = self.call(Call::Received(&buffer[..n], addr)) {
                        self.report_or_end(failure, "Exception in callback datagram_received");
                    }
                }
                Err(err) if would_block(&err) => break,
                Err(err) => self.deliver_error(err.into()),
            }
            let is_wanted = self.reader.is_on.get() && self.reader.generation.get() == generation;
            if !is_wanted || !self.lp.core.is_quiet() {
                break;
            }
        }
        self.lp.put_read_buffer(buffer);
        self.watch_read();
    }

    pub(super) fn add_reader(&self) {
        if !self.is_closing.get() && !self.is_reading_paused.get() {
            self.reader.switch(true);
            self.watch_read();
        }
    }

    /// Asks to be told when there is something to receive, or looks again in the next turn if there is already.
    fn watch_read(&self) {
        if self.reader.is_on.get() && self.poll_recv_ready() {
            self.lp.core.recheck(self.me(), READ);
        }
    }
}
