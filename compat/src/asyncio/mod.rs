//! asyncio's side: protocols, transports, servers and the loop that ported code expects.
//!
//! The names are asyncio's. Read `protocol.rs` for what a program writes, then `stream_transport/mod.rs` for the life of
//! a connection, then `server.rs` and `listener.rs`.

mod acceptor;
mod client_options;
mod connect_accepted_socket;
mod create_connection;
mod create_server;
#[cfg(unix)]
mod create_unix_connection;
#[cfg(unix)]
mod create_unix_server;
mod ensure_future;
mod establish;
mod event_loop;
mod exceptions;
mod executor;
mod extra_info;
mod future;
mod handle;
mod layer;
mod listener;
mod locks;
mod loop_state;
mod membership;
mod out_buffer;
mod own_extras;
mod protocol;
mod protocol_cell;
mod queues;
mod resolver;
mod run_coroutine_threadsafe;
mod run_server;
mod server;
#[cfg(unix)]
mod signals;
mod stream_io;
mod stream_socket;
mod stream_transport;
mod task;
mod timeouts;
#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
mod tls;
#[cfg(not(any(feature = "tls", feature = "tls-aws-lc")))]
#[path = "tls_absent.rs"]
mod tls;
mod transport;
mod transport_ref;
#[cfg(unix)]
mod unix_socket_file;
mod wait;
mod waiters;

pub use connect_accepted_socket::{ConnectAcceptedSocket, connect_accepted_socket};
pub use create_connection::{CreateConnection, create_connection};
pub use create_server::{CreateServer, Hosts, create_server};
#[cfg(unix)]
pub use create_unix_connection::{CreateUnixConnection, create_unix_connection};
#[cfg(unix)]
pub use create_unix_server::{CreateUnixServer, create_unix_server};
pub use ensure_future::{create_task, ensure_future, shield};
pub use event_loop::{Loop, LoopHandle, get_event_loop, get_running_loop};
pub use exceptions::{
    CancelledError, InvalidStateError, NotImplementedError, RuntimeError, TimeoutError, TypeError, ValueError,
};
pub use executor::InExecutor;
pub use extra_info::{Address, ExtraInfo, TransportSocket};
pub use future::{CallbackId, Future};
pub use handle::{Handle, TimerHandle};
pub use locks::{BoundedSemaphore, Condition, ConditionGuard, Event, Lock, LockGuard, Semaphore, SemaphoreGuard};
pub use protocol::{BufferedProtocol, Protocol, SharedProtocol};
pub use protocol_cell::{Buffered, IntoProtocol, ProtocolCell, ProtocolHandle, Running, Shared};
pub use queues::{Queue, QueueEmpty, QueueFull, QueueShutDown};
pub use resolver::Family;
pub use run_coroutine_threadsafe::ConcurrentFuture;
pub use run_server::{RunServer, run_server};
pub use server::Server;
pub use stream_socket::StreamSocket;
pub use task::{Task, TaskOutput};
pub use timeouts::{timeout, timeout_at, wait_for};
#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
pub use tls::{
    Cipher, ClientHello, PeerCertificate, SslContext, SslContextBuilder, SslError, SslObject, SslProvider, StartTls,
    TlsVersion, VerifyMode, start_tls,
};
pub use transport::{BaseTransport, ReadTransport, Transport, WriteTransport};
pub use transport_ref::TransportRef;
pub use wait::{ALL_COMPLETED, Awaited, FIRST_COMPLETED, FIRST_EXCEPTION, ReturnWhen, Wait, wait};

pub use crate::nursery::{Gather, gather, sleep};

#[cfg(feature = "testing")]
pub(crate) use {
    acceptor::ConnectionOptions, loop_state::LoopState, stream_io::StreamIo, stream_transport::StreamTransport,
};
