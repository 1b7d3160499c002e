//! asyncio's side: protocols, transports, servers and the loop that ported code expects.
//!
//! The names are asyncio's. Read `protocol.rs` for what a program writes, then `stream_transport/mod.rs` for the life of
//! a connection, then `server.rs` and `listener.rs`.

mod acceptor;
#[cfg(unix)]
mod add_reader;
mod client_options;
mod connect_accepted_socket;
mod create_connection;
mod create_server;
#[cfg(unix)]
mod create_unix_connection;
#[cfg(unix)]
mod create_unix_server;
mod datagram;
mod ensure_future;
mod establish;
mod event_loop;
mod exceptions;
mod executor;
mod extra_info;
mod future;
mod getaddrinfo;
mod handle;
mod layer;
mod listener;
mod locks;
mod loop_state;
mod lost_writes;
mod membership;
mod out_buffer;
mod own_extras;
#[cfg(unix)]
mod pipes;
mod protocol;
mod protocol_cell;
mod queues;
#[cfg(unix)]
mod repeated_call;
mod reporting;
mod resolver;
mod run_coroutine_threadsafe;
mod run_server;
mod sendfile;
mod server;
#[cfg(unix)]
mod signals;
mod stream_io;
mod stream_socket;
mod stream_transport;
mod streams;
#[cfg(unix)]
mod subprocess;
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
mod watch;

pub use connect_accepted_socket::{ConnectAcceptedSocket, connect_accepted_socket};
pub use create_connection::{CreateConnection, create_connection};
pub use create_server::{CreateServer, Hosts, create_server};
#[cfg(unix)]
pub use create_unix_connection::{CreateUnixConnection, create_unix_connection};
#[cfg(unix)]
pub use create_unix_server::{CreateUnixServer, create_unix_server};
pub use datagram::{
    CreateDatagramEndpoint, DatagramProtocol, DatagramProtocolCell, DatagramSocket, DatagramTransport,
    DatagramTransportRef, IntoDatagramProtocol, SharedDatagramProtocol, create_datagram_endpoint,
};
pub use ensure_future::{create_task, ensure_future, shield};
pub use event_loop::{Loop, LoopHandle, get_event_loop, get_running_loop};
pub use exceptions::{
    CancelledError, InvalidStateError, NotImplementedError, RuntimeError, SendfileNotAvailableError, TimeoutError,
    TypeError, ValueError,
};
pub use executor::InExecutor;
pub use extra_info::{Address, ExtraInfo, TransportPipe, TransportSocket};
pub use future::{CallbackId, Future};
pub use getaddrinfo::{GetAddrInfo, NI_NUMERICHOST, NI_NUMERICSERV, NameInfoFlags};
pub use handle::{Handle, TimerHandle};
pub use locks::{BoundedSemaphore, Condition, ConditionGuard, Event, Lock, LockGuard, Semaphore, SemaphoreGuard};
#[cfg(unix)]
pub use pipes::{connect_read_pipe, connect_write_pipe};
pub use protocol::{BufferedProtocol, Protocol, SharedProtocol};
pub use protocol_cell::{Buffered, IntoProtocol, ProtocolCell, ProtocolHandle, Running, Shared};
pub use queues::{Queue, QueueEmpty, QueueFull, QueueShutDown};
pub use resolver::Family;
pub use run_coroutine_threadsafe::ConcurrentFuture;
pub use run_server::{RunServer, run_server};
pub use sendfile::SendFile;
pub use server::Server;
pub use stream_socket::StreamSocket;
#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
pub use streams::WriterStartTls;
pub use streams::{
    AsyncIo, ConnectAsyncIo, IncompleteReadError, LimitOverrunError, Lines, OpenConnection, StartServer, StreamReader,
    StreamReaderProtocol, StreamWriter, connect_async_io, open_connection, start_server,
};
#[cfg(unix)]
pub use streams::{OpenUnixConnection, StartUnixServer, open_unix_connection, start_unix_server};
#[cfg(unix)]
pub use subprocess::{
    CreateSubprocessExec, CreateSubprocessShell, DEFAULT_KILL_GRACE, DEVNULL, IntoSubprocessProtocol, PIPE, Process,
    STDOUT, SharedSubprocessProtocol, Stdio, SubprocessExec, SubprocessProtocol, SubprocessProtocolCell,
    SubprocessShell, SubprocessTransport, SubprocessTransportRef, create_subprocess_exec, create_subprocess_shell,
    subprocess_exec, subprocess_shell,
};
pub use task::{Task, TaskOutput};
pub use timeouts::{timeout, timeout_at, wait_for};
#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
pub use tls::{
    Cipher, ClientHello, PeerCertificate, SslContext, SslContextBuilder, SslError, SslObject, SslProvider, StartTls,
    TlsVersion, VerifyMode, start_tls,
};
pub use transport::{BaseTransport, Piece, ReadTransport, Transport, WriteTransport};
pub use transport_ref::TransportRef;
pub use wait::{ALL_COMPLETED, Awaited, FIRST_COMPLETED, FIRST_EXCEPTION, ReturnWhen, Wait, wait};

pub use crate::nursery::{Gather, gather, sleep};

pub(crate) use loop_state::LoopState;
#[cfg(feature = "testing")]
pub(crate) use {
    acceptor::ConnectionOptions,
    datagram::{DatagramEndpoint, DatagramIo},
    stream_io::StreamIo,
    stream_transport::StreamTransport,
};
