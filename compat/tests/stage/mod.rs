//! What the tests of connections have in common: a loop with a bound, a protocol made of closures, and a connection over
//! either kind of wire.

#![allow(dead_code, reason = "each test binary needs only a part")]

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use foster_compat::testing::{self, Peer, Traced};
use foster_compat::{
    Address, Error, Loop, Nursery, Protocol, Result, Server, TransportRef, checkpoint, connect_async_io, create_server,
    fail_after, open_nursery, run_here,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longer than anything takes on a loaded machine.
const BOUND: Duration = Duration::from_secs(60);
/// Passes at once when nothing else is left to happen.
const PAUSED_BOUND: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs a test in a nursery on a loop whose clock is paused: only for wires in memory.
pub(crate) fn paused(test: impl AsyncFnOnce(Nursery) -> Result<()>) {
    bounded(true, async { Ok(open_nursery(test).await.map(drop)?) }).expect("the test ends well");
}

/// Runs a test in a nursery on a loop with real sockets.
pub(crate) fn real(test: impl AsyncFnOnce(Nursery) -> Result<()>) {
    bounded(false, async { Ok(open_nursery(test).await.map(drop)?) }).expect("the test ends well");
}

/// Runs a future on a loop of its own, within the bound.
pub(crate) fn bounded<T>(is_paused: bool, future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(is_paused).build()?;
    let bound = if is_paused { PAUSED_BOUND } else { BOUND };
    runtime.block_on(run_here(async { fail_after(bound, future).await? }))
}

/// Runs the same test over a wire in memory, over a socket, and over a socket behind tokio's traits.
pub(crate) fn over_each_wire(test: impl AsyncFn(Wire, Nursery) -> Result<()>) {
    paused(async |nursery| test(Wire::Memory, nursery).await);
    real(async |nursery| test(Wire::Socket, nursery).await);
    real(async |nursery| test(Wire::AsyncIo, nursery).await);
}

/// Lets the loop take its next turns, for what happens without anybody waiting.
pub(crate) async fn turns(n: usize) {
    for _ in 0..n {
        checkpoint().await;
    }
}

/// Waits, a turn at a time, until something is so; the bound of the test ends it otherwise.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        foster_compat::sleep(Duration::from_millis(1)).await;
    }
}

// ---- the exception handler

/// What the exception handler of a loop was told, one line each.
#[derive(Clone, Default)]
pub(crate) struct Reports(Rc<RefCell<Vec<String>>>);

impl Reports {
    /// Sets the handler of the loop that `nursery` is on.
    pub(crate) fn of(nursery: &Nursery) -> Self {
        let reports = Reports::default();
        let lines = reports.0.clone();
        Loop::new(nursery).set_exception_handler(Some(move |_: &Loop, context: &foster_compat::ExceptionContext| {
            let exception = context.exception().map(|err| format!(": {err}")).unwrap_or_default();
            lines.borrow_mut().push(format!("{}{exception}", context.message()));
        }));
        reports
    }

    /// Everything told so far, which is then forgotten.
    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

// ---- a protocol

type OnEvent = Box<dyn FnMut(&TransportRef) -> Result<()>>;
type OnData = Box<dyn FnMut(&TransportRef, &[u8]) -> Result<()>>;
type OnEof = Box<dyn FnMut(&TransportRef) -> Result<bool>>;
type OnLost = Box<dyn FnMut(&TransportRef, Option<Error>) -> Result<()>>;

/// A protocol made of closures, which get its transport.
#[derive(Default)]
pub(crate) struct Scripted {
    pub(crate) transport: TransportRef,
    announce: Option<Rc<RefCell<Option<TransportRef>>>>,
    made: Option<OnEvent>,
    data: Option<OnData>,
    eof: Option<OnEof>,
    pause: Option<OnEvent>,
    resume: Option<OnEvent>,
    lost: Option<OnLost>,
}

impl Scripted {
    pub(crate) fn new() -> Self {
        Scripted::default()
    }

    pub(crate) fn on_made(mut self, call: impl FnMut(&TransportRef) -> Result<()> + 'static) -> Self {
        self.made = Some(Box::new(call));
        self
    }

    pub(crate) fn on_data(mut self, call: impl FnMut(&TransportRef, &[u8]) -> Result<()> + 'static) -> Self {
        self.data = Some(Box::new(call));
        self
    }

    pub(crate) fn on_eof(mut self, call: impl FnMut(&TransportRef) -> Result<bool> + 'static) -> Self {
        self.eof = Some(Box::new(call));
        self
    }

    pub(crate) fn on_pause(mut self, call: impl FnMut(&TransportRef) -> Result<()> + 'static) -> Self {
        self.pause = Some(Box::new(call));
        self
    }

    pub(crate) fn on_resume(mut self, call: impl FnMut(&TransportRef) -> Result<()> + 'static) -> Self {
        self.resume = Some(Box::new(call));
        self
    }

    pub(crate) fn on_lost(mut self, call: impl FnMut(&TransportRef, Option<Error>) -> Result<()> + 'static) -> Self {
        self.lost = Some(Box::new(call));
        self
    }

    /// A protocol that sends back what it gets.
    pub(crate) fn echo() -> Self {
        Scripted::new().on_data(|transport, data| transport.write(data))
    }
}

impl Protocol for Scripted {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        if let Some(announce) = self.announce.take() {
            announce.replace(Some(transport.clone()));
        }
        self.transport = transport;
        self.made.as_mut().map_or(Ok(()), |call| call(&self.transport))
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.data.as_mut().map_or(Ok(()), |call| call(&self.transport, data))
    }

    fn eof_received(&mut self) -> Result<bool> {
        self.eof.as_mut().map_or(Ok(false), |call| call(&self.transport))
    }

    fn pause_writing(&mut self) -> Result<()> {
        self.pause.as_mut().map_or(Ok(()), |call| call(&self.transport))
    }

    fn resume_writing(&mut self) -> Result<()> {
        self.resume.as_mut().map_or(Ok(()), |call| call(&self.transport))
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        self.lost.as_mut().map_or(Ok(()), |call| call(&self.transport, exc))
    }
}

// ---- a connection

/// What a connection runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Memory,
    Socket,
    /// A socket that the transport knows only as `AsyncRead + AsyncWrite`.
    AsyncIo,
}

impl Wire {
    /// Connects a protocol; `connection_made` was called when this returns.
    pub(crate) async fn connect(
        self,
        nursery: &Nursery,
        mut protocol: Traced<Scripted>,
    ) -> Result<(TransportRef, End)> {
        let announced = Rc::new(RefCell::new(None));
        protocol.announce = Some(announced.clone());
        let end = match self {
            Wire::Memory => End::Memory(testing::connect(nursery, protocol).2),
            Wire::Socket => {
                let mut protocol = Some(protocol);
                let server = create_server(nursery, Scripted::new, "127.0.0.1", 0)
                    .try_factory(move || protocol.take().ok_or_else(|| Error::msg("a second client")))
                    .await?;
                let client = TcpStream::connect(address(&server)).await?;
                until(|| announced.borrow().is_some()).await;
                server.close();
                End::Socket(client)
            }
            Wire::AsyncIo => {
                let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
                let client = TcpStream::connect(listener.local_addr()?).await?;
                let (accepted, _) = listener.accept().await?;
                connect_async_io(nursery, || protocol, accepted).await?;
                End::Socket(client)
            }
        };
        until(|| announced.borrow().is_some()).await;
        let transport = announced.take().unwrap_or_default();
        Ok((transport, end))
    }
}

/// The other end of a connection.
pub(crate) enum End {
    Memory(Peer),
    Socket(TcpStream),
}

impl End {
    pub(crate) async fn send(&mut self, data: &[u8]) -> Result<()> {
        match self {
            End::Memory(peer) => peer.send(data),
            End::Socket(client) => client.write_all(data).await?,
        }
        Ok(())
    }

    pub(crate) async fn close_write(&mut self) -> Result<()> {
        match self {
            End::Memory(peer) => peer.close_write(),
            End::Socket(client) => client.shutdown().await?,
        }
        Ok(())
    }

    pub(crate) fn reset(self) {
        match self {
            End::Memory(peer) => peer.reset(),
            End::Socket(client) => {
                socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("a socket can be reset");
            }
        }
    }

    pub(crate) async fn read_exactly(&mut self, n: usize) -> Result<Vec<u8>> {
        match self {
            End::Memory(peer) => Ok(peer.read_exactly(n).await),
            End::Socket(client) => {
                let mut data = vec![0; n];
                client.read_exact(&mut data).await?;
                Ok(data)
            }
        }
    }

    /// Reads to the end; says whether that was a reset.
    pub(crate) async fn read_to_end(&mut self) -> Result<(Vec<u8>, bool)> {
        match self {
            End::Memory(peer) => Ok((peer.read_to_end().await, peer.is_reset())),
            End::Socket(client) => {
                let mut data = Vec::new();
                match client.read_to_end(&mut data).await {
                    Ok(_) => Ok((data, false)),
                    Err(err) if err.kind() == io::ErrorKind::ConnectionReset => Ok((data, true)),
                    Err(err) => Err(err.into()),
                }
            }
        }
    }
}

/// Where a server listens.
pub(crate) fn address(server: &Server) -> SocketAddr {
    match server.sockets()[0].getsockname() {
        Ok(Address::Inet(address)) => address,
        other => panic!("not an internet address: {other:?}"),
    }
}
