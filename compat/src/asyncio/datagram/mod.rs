//! Datagrams, over UDP and Unix sockets: the protocols, the transport, and `create_datagram_endpoint`.
//!
//! Read `protocol.rs` for what a program writes, then `endpoint/mod.rs` for the life of an endpoint.

mod create_datagram_endpoint;
mod datagram_io;
mod datagram_socket;
mod endpoint;
mod open_socket;
mod protocol;
mod protocol_cell;
mod send_queue;
#[cfg_attr(not(unix), path = "socket_io_without_descriptors.rs")]
mod socket_io;
mod socket_options;
mod transport;
mod transport_ref;

pub use create_datagram_endpoint::{CreateDatagramEndpoint, create_datagram_endpoint};
pub use datagram_socket::DatagramSocket;
pub use protocol::{DatagramProtocol, SharedDatagramProtocol};
pub use protocol_cell::{DatagramProtocolCell, IntoDatagramProtocol};
pub use transport::DatagramTransport;
pub use transport_ref::DatagramTransportRef;

#[cfg(feature = "testing")]
pub(crate) use {datagram_io::DatagramIo, endpoint::DatagramEndpoint};
