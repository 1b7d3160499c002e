//! A listening socket: accepts a bounded number of connections a turn.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::TcpListener as StdTcpListener;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use socket2::{SockRef, Socket};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::extra_info::{SocketAccess, TransportSocket};
use super::loop_state::LoopState;
use super::server::ServerState;
use super::stream_io::StreamIo;
use super::stream_transport::StreamTransport;
use crate::runtime::{Alarm, Core, Event, ExceptionContext, Source, SourceKey, TimerKey};

/// How long accepting pauses when the process or the system is out of descriptors or memory: asyncio's
/// `ACCEPT_RETRY_DELAY`.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_secs(1);

const ACCEPT: u8 = 0;

pub(crate) struct Listener {
    lp: Rc<LoopState>,
    server: Weak<ServerState>,
    socket: RefCell<Listening>,
    kind: Kind,
    /// Also how many connections are accepted in one turn, less one.
    backlog: u32,
    key: Cell<Option<SourceKey>>,
    waker: RefCell<Waker>,
    /// The server has as many connections as it may.
    is_held: Cell<bool>,
    retry: Cell<Option<TimerKey>>,
    /// Removes the file of a Unix socket.
    #[cfg(unix)]
    file: Option<super::unix_socket_file::UnixSocketFile>,
}

/// The kinds of listening sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp,
    #[cfg(unix)]
    Unix,
}

enum Listening {
    /// Bound, and refusing connections.
    Bound(Socket),
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
    Closed,
}

impl Listener {
    pub(crate) fn tcp(lp: &Rc<LoopState>, server: Weak<ServerState>, socket: Socket, backlog: u32) -> Self {
        Listener::new(lp, server, socket, Kind::Tcp, backlog)
    }

    #[cfg(unix)]
    pub(crate) fn unix(
        lp: &Rc<LoopState>,
        server: Weak<ServerState>,
        socket: Socket,
        backlog: u32,
        file: Option<super::unix_socket_file::UnixSocketFile>,
    ) -> Self {
        Listener { file, ..Listener::new(lp, server, socket, Kind::Unix, backlog) }
    }

    fn new(lp: &Rc<LoopState>, server: Weak<ServerState>, socket: Socket, kind: Kind, backlog: u32) -> Self {
        Listener {
            lp: lp.clone(),
            server,
            socket: RefCell::new(Listening::Bound(socket)),
            kind,
            backlog,
            key: Cell::new(None),
            waker: RefCell::new(Waker::noop().clone()),
            is_held: Cell::new(false),
            retry: Cell::new(None),
            #[cfg(unix)]
            file: None,
        }
    }

    /// Starts to listen and to accept.
    pub(crate) fn listen(self: &Rc<Self>) -> io::Result<()> {
        let mut socket = self.socket.borrow_mut();
        let Listening::Bound(bound) = std::mem::replace(&mut *socket, Listening::Closed) else { return Ok(()) };
        if let Err(err) = bound.listen(i32::try_from(self.backlog).unwrap_or(i32::MAX)) {
            *socket = Listening::Bound(bound);
            return Err(err);
        }
        *socket = match self.kind {
            Kind::Tcp => Listening::Tcp(TcpListener::from_std(StdTcpListener::from(bound))?),
            #[cfg(unix)]
            Kind::Unix => {
                Listening::Unix(tokio::net::UnixListener::from_std(std::os::unix::net::UnixListener::from(bound))?)
            }
        };
        drop(socket);
        let key = self.lp.core.register(self.clone());
        self.key.set(Some(key));
        self.waker.replace(self.lp.core.source_waker(key, ACCEPT));
        self.lp.core.recheck(self.clone(), ACCEPT);
        Ok(())
    }

    /// Goes on accepting after the server had as many connections as it may.
    pub(crate) fn resume(self: &Rc<Self>) {
        if self.is_held.replace(false) {
            self.lp.core.recheck(self.clone(), ACCEPT);
        }
    }

    pub(crate) fn close(&self) {
        let socket = self.socket.replace(Listening::Closed);
        drop(socket);
        if let Some(key) = self.key.take() {
            self.lp.core.deregister(key);
        }
        if let Some(retry) = self.retry.take() {
            self.lp.core.clear_timer(retry);
        }
        self.waker.replace(Waker::noop().clone());
        #[cfg(unix)]
        if let Some(file) = &self.file {
            file.remove();
        }
    }

    fn accept(self: &Rc<Self>) {
        for _ in 0..=self.backlog {
            let Some(server) = self.server.upgrade().filter(|server| !server.is_closed()) else { return };
            if server.is_full() {
                self.is_held.set(true);
                return;
            }
            match self.accept_one(&server) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) => {}
                // The client was gone before it was accepted.
                Poll::Ready(Err(err)) if is_about_the_connection(&err) => {}
                Poll::Ready(Err(err)) => return self.retry_later(err),
            }
        }
        self.lp.core.recheck(self.clone(), ACCEPT);
    }

    fn accept_one(&self, server: &Rc<ServerState>) -> Poll<io::Result<()>> {
        let socket = self.socket.borrow();
        let waker = self.waker.borrow();
        let mut cx = Context::from_waker(&waker);
        match &*socket {
            Listening::Tcp(listener) => listener.poll_accept(&mut cx).map_ok(|(stream, _)| {
                // As asyncio: an option that cannot be set is no reason to refuse a connection.
                let _ = stream.set_nodelay(true);
                self.take_in(server, stream);
            }),
            #[cfg(unix)]
            Listening::Unix(listener) => {
                listener.poll_accept(&mut cx).map_ok(|(stream, _)| self.take_in(server, stream))
            }
            Listening::Bound(_) | Listening::Closed => Poll::Pending,
        }
    }

    fn take_in<S: StreamIo>(&self, server: &Rc<ServerState>, stream: S) {
        let taken = StreamTransport::accepted(&self.lp, &server.nursery, server.clone(), stream);
        // A nursery that has ended was told to close its servers first.
        debug_assert!(taken.is_ok());
    }

    /// Out of descriptors or memory: reports once and tries again after a second, as asyncio means to.
    fn retry_later(self: &Rc<Self>, err: io::Error) {
        let deadline = Instant::now() + ACCEPT_RETRY_DELAY;
        let event = Event { kind: ACCEPT, generation: 0 };
        self.retry.set(Some(self.lp.core.set_timer(deadline, Alarm::Event { source: self.clone(), event })));
        let context = ExceptionContext::new("socket.accept() out of system resource", Some(err.into()))
            .with("socket", TransportSocket::new(self.clone()));
        self.lp.core.call_exception_handler(&context);
    }
}

impl Source for Listener {
    fn woken(self: Rc<Self>, core: &Core, kind: u8) {
        if self.retry.get().is_none() {
            core.push_event(self, kind, 0);
        }
    }

    fn run(self: Rc<Self>, _event: Event) {
        self.retry.set(None);
        self.accept();
    }

    fn orphaned(self: Rc<Self>) {
        self.close();
    }

    fn abandoned(self: Rc<Self>) {
        self.close();
    }
}

impl SocketAccess for Listener {
    fn with_socket(&self, look: &mut dyn FnMut(SockRef<'_>)) {
        match &*self.socket.borrow() {
            Listening::Bound(socket) => look(SockRef::from(socket)),
            Listening::Tcp(listener) => look(SockRef::from(listener)),
            #[cfg(unix)]
            Listening::Unix(listener) => look(SockRef::from(listener)),
            Listening::Closed => {}
        }
    }
}

/// Errors that concern the connection that was to be accepted, not the listener: the next may be fine.
fn is_about_the_connection(err: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, PermissionDenied, TimedOut,
    };
    matches!(
        err.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted | PermissionDenied | TimedOut
    )
}
