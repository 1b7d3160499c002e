//! For tests of protocols: connections without a network, peers that follow a script, and a record of the callbacks.
//!
//! [`connect`] gives a protocol the very transport that it has on a socket, over a wire in memory whose other end the
//! test holds as a [`Peer`]. Nothing leaves the process, so a test may run in paused time, where an idle time-out of an
//! hour passes at once. [`Trace`] writes down which callbacks came, and checks that they came in asyncio's order.
//!
//! - [`Script`] is what a peer says and expects, step by step; its error says what was expected and what came.
//! - [`Faults`] are what may go wrong on the way: short reads and writes, resets, silence, delay. A protocol that keeps
//!   its word only if what was sent together also comes together fails with `split_reads(1)`.
//! - [`serve`] gives a factory any number of clients.
//! - [`bind_datagram`] and [`connect_datagram`] do for a datagram protocol what [`connect`] does: the test holds a
//!   [`DatagramPeer`], which sends as anybody and reads what was sent to whom.
//!
//! # Examples
//!
//! ```
//! use foster_compat::testing::{self, Trace};
//! use foster_compat::{Protocol, Result, TransportRef, open_nursery, run_here};
//!
//! #[derive(Default)]
//! struct Echo {
//!     transport: TransportRef,
//! }
//!
//! impl Protocol for Echo {
//!     fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
//!         self.transport = transport;
//!         Ok(())
//!     }
//!
//!     fn data_received(&mut self, data: &[u8]) -> Result<()> {
//!         self.transport.write(data)
//!     }
//! }
//!
//! // In a test: #[tokio::test(start_paused = true)]
//! #[tokio::main(flavor = "current_thread", start_paused = true)]
//! async fn main() -> Result<()> {
//!     run_here(open_nursery(async |nursery| {
//!         let trace = Trace::new();
//!         let (_transport, _handle, peer) = testing::connect(&nursery, trace.wrap(Echo::default()));
//!         peer.send(b"hello");
//!         assert_eq!(peer.read().await, b"hello");
//!         peer.close_write();
//!         assert_eq!(peer.read().await, b"");
//!         assert_eq!(trace.lines(), ["made", "data 'hello'", "eof", "lost None"]);
//!         trace.assert_complete();
//!         Ok(())
//!     }))
//!     .await?;
//!     Ok(())
//! }
//! ```
//!
//! A server, three clients side by side, and a wire that cuts everything to pieces and takes its time:
//!
//! ```
//! use std::time::Duration;
//!
//! use foster_compat::framing::{LineBase, LineProtocol, LineReceiver};
//! use foster_compat::testing::{self, Faults, Script};
//! use foster_compat::{Result, open_nursery, run_here};
//!
//! #[derive(Default)]
//! struct Answers;
//!
//! impl LineReceiver for Answers {
//!     fn line_received(&mut self, base: &LineBase, line: &[u8]) -> Result<()> {
//!         match line {
//!             b"quit" => base.transport.close(),
//!             line => base.send_line(line)?,
//!         }
//!         Ok(())
//!     }
//! }
//!
//! // In a test: #[tokio::test(start_paused = true)]
//! #[tokio::main(flavor = "current_thread", start_paused = true)]
//! async fn main() -> Result<()> {
//!     run_here(open_nursery(async |nursery| {
//!         let server = testing::serve(&nursery, LineProtocol::<Answers>::default);
//!         let script = Script::new().send("one\r\ntwo\r\n").expect("one\r\ntwo\r\n").send("quit\r\n").expect_eof();
//!         server
//!             .run_clients(3, async |n, peer| {
//!                 peer.inject(Faults::new().split_reads(1 + n).split_writes(2).delay(Duration::from_secs(1)));
//!                 Ok(script.run(&peer).await?)
//!             })
//!             .await?;
//!         Ok(())
//!     }))
//!     .await?;
//!     Ok(())
//! }
//! ```

mod datagram_peer;
mod datagram_wire;
mod faults;
mod in_memory_server;
mod memory_datagrams;
mod memory_stream;
mod peer;
mod peer_stream;
mod script;
mod script_error;
mod trace;
mod traced_datagrams;
mod wire;

pub use datagram_peer::{DatagramPeer, MAX_DATAGRAM, bind_datagram, connect_datagram};
pub use faults::Faults;
pub use in_memory_server::{InMemoryServer, serve};
pub use peer::{DEFAULT_CAPACITY, Peer};
pub use script::{DEFAULT_PATIENCE, Script};
pub use script_error::ScriptError;
pub use trace::{Silent, Trace, Traced};

use std::rc::Rc;

use crate::asyncio::{ConnectionOptions, IntoProtocol, LoopState, StreamTransport, TransportRef};
use crate::nursery::Nursery;
use memory_stream::{FIRST_PORT, MemoryStream};

/// Connects `protocol` to the [`Peer`] that the test keeps; `connection_made` comes in the next turn.
///
/// A protocol knows its transport from `connection_made` on. A test that uses the transport it gets here lets that turn
/// pass first, with a [`checkpoint`](crate::checkpoint) or by waiting for the peer.
///
/// The connection is a child of `nursery`, as one that a server has accepted. If it is closed or cancelled before
/// that turn, neither `connection_made` nor `connection_lost` is called. Its addresses are made up, from the range
/// that is kept for documentation, and its `"socket"` has no options.
///
/// # Panics
///
/// With one sentence if the nursery is closed.
pub fn connect<P: IntoProtocol>(nursery: &Nursery, protocol: P) -> (TransportRef, P::Handle, Peer) {
    connect_from(nursery, protocol, FIRST_PORT)
}

/// As [`connect`], of a peer with this port.
fn connect_from<P: IntoProtocol>(nursery: &Nursery, protocol: P, port: u16) -> (TransportRef, P::Handle, Peer) {
    let (cell, handle) = protocol.into_protocol();
    let (stream, peer) = MemoryStream::pair(port);
    let lp = LoopState::of(nursery.core());
    let options = ConnectionOptions::default();
    let transport: Rc<StreamTransport<MemoryStream>> = StreamTransport::connected(&lp, nursery, cell, &options, stream)
        .unwrap_or_else(|_| panic!("the nursery is closed: it has ended and takes no new connections"));
    (TransportRef::new(transport), handle, peer)
}
