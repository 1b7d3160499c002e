//! The two Python models under Foster: asyncio's callback protocols and trio's nurseries, on one single-threaded loop.
//!
//! - [`run`] runs a future and everything it starts. [`run_here`] and [`run_in_thread`] do so beside other runtimes.
//! - [`open_nursery`] is where tasks live; [`CancelScope`], [`move_on_after`], [`shield`] and [`finally`] are how they
//!   are cancelled and clean up.
//! - [`Protocol`] is what a server's program writes, [`TransportRef`] what it writes to; [`run_server`] and
//!   [`create_server`] accept connections. [`Loop`] is asyncio's loop as ported code expects it.
//! - [`framing`] cuts streams into lines, strings and frames, as Twisted's basic protocols do.
//! - [`asyncio`] holds what asyncio and trio both name, with asyncio's meaning.
//!
//! The README of the package has a row for every Python name, and every difference.
//!
//! Nothing here is `Send`, because nothing has to be: a loop is one thread. Panics are kept apart by unwinding, so a
//! program has to be built with `panic = "unwind"`, which is the default; under `abort` the first panic ends it.

pub mod asyncio;
mod error;
pub mod framing;
mod interrupted;
mod nursery;
mod runtime;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
pub use asyncio::WriterStartTls;
pub use asyncio::{
    Address, BaseTransport, Buffered, BufferedProtocol, CancelledError, ConnectAcceptedSocket, CreateConnection,
    CreateServer, ExtraInfo, Family, Handle, Hosts, IntoProtocol, InvalidStateError, Loop, LoopHandle,
    NotImplementedError, Piece, Protocol, ProtocolCell, ProtocolHandle, ReadTransport, RunServer, Running,
    RuntimeError, Server, Shared, SharedProtocol, StreamSocket, TimeoutError, TimerHandle, Transport, TransportRef,
    TransportSocket, TypeError, ValueError, WriteTransport, connect_accepted_socket, create_connection, create_server,
    get_event_loop, get_running_loop, run_server,
};
pub use asyncio::{
    AsyncIo, ConnectAsyncIo, IncompleteReadError, LimitOverrunError, Lines, OpenConnection, StartServer, StreamReader,
    StreamReaderProtocol, StreamWriter, connect_async_io, open_connection, start_server,
};
#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
pub use asyncio::{
    Cipher, ClientHello, PeerCertificate, SslContext, SslContextBuilder, SslError, SslObject, SslProvider, StartTls,
    TlsVersion, VerifyMode, start_tls,
};
pub use asyncio::{
    CreateDatagramEndpoint, DatagramProtocol, DatagramProtocolCell, DatagramSocket, DatagramTransport,
    DatagramTransportRef, IntoDatagramProtocol, SharedDatagramProtocol, create_datagram_endpoint,
};
#[cfg(unix)]
pub use asyncio::{
    CreateSubprocessExec, CreateSubprocessShell, DEFAULT_KILL_GRACE, DEVNULL, IntoSubprocessProtocol, PIPE, Process,
    STDOUT, SharedSubprocessProtocol, Stdio, SubprocessExec, SubprocessProtocol, SubprocessProtocolCell,
    SubprocessShell, SubprocessTransport, SubprocessTransportRef, TransportPipe, connect_read_pipe, connect_write_pipe,
    create_subprocess_exec, create_subprocess_shell, subprocess_exec, subprocess_shell,
};
#[cfg(unix)]
pub use asyncio::{CreateUnixConnection, CreateUnixServer, create_unix_connection, create_unix_server};
pub use asyncio::{GetAddrInfo, NI_NUMERICHOST, NI_NUMERICSERV, NameInfoFlags, SendFile, SendfileNotAvailableError};
#[cfg(unix)]
pub use asyncio::{OpenUnixConnection, StartUnixServer, open_unix_connection, start_unix_server};
pub use error::{Error, Ok, Result};
pub use interrupted::Interrupted;
pub use nursery::{
    CancelScope, CapacityLimiter, CapacityToken, Closed, DEFAULT_CLEANUP_TIMEOUT, EffectiveDeadline, Event, Gather,
    MemoryChannelStatistics, MemoryReceiveChannel, MemorySendChannel, NotStarted, Nursery, NurseryBuilder,
    NurseryError, Outcome, ReceiveError, RemoteScope, ScopeHandle, SendError, Task, TaskStatus, TooSlow, WouldBlock,
    cancel_reason, checkpoint, current_effective_deadline, dump, fail_after, fail_at, finally, finally_with,
    finally_within, gather, move_on_after, move_on_at, open_memory_channel, open_nursery, shield, sleep, sleep_forever,
    sleep_until, to_thread,
};
#[cfg(unix)]
pub use nursery::{wait_readable, wait_writable};
pub use runtime::{
    CancelReason, CancelSource, Cancelled, Context, ContextVar, ExceptionContext, LoopThread, Panicked, copy_context,
    run, run_here, run_in_thread,
};

/// Compiles the Rust blocks of the README with the documentation tests.
#[cfg(all(doctest, any(feature = "tls", feature = "tls-aws-lc")))]
#[doc = include_str!("../README.md")]
struct Readme;
