//! A SOCKS5 proxy (RFC 1928): connects its clients to where they want to go, and passes everything on.
//!
//! ```text
//! cargo run --example socks5 -- [--host HOST] [--port PORT]
//! curl --socks5-hostname localhost:1080 http://example.com/
//! ```
//!
//! The two protocols of every asyncio proxy: `Server` is the side of who asks, `Client` the side of where it goes, and
//! their two transports are wired back to back. Neither is read faster than the other takes it, so a tunnel costs a few
//! buffers, whatever goes through it.

#[cfg(test)]
mod child;
#[cfg(test)]
mod clients;
#[path = "socks5/messages.rs"]
mod messages;
mod options;
#[cfg(test)]
#[path = "socks5/tests.rs"]
mod tests;

use std::cell::{Cell, RefCell};
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use foster::{
    Error, Loop, NurseryError, Protocol, Result, TimerHandle, TransportRef, create_server, fail_after, open_nursery,
    run, sleep,
};
use messages::{Refusal, Reply, Request};
use options::{Options, announce};

/// How much of a client is kept ahead of its connection, but for what one read brings: a transport pauses there too.
const MAX_EARLY: usize = 64 * 1024;

/// When the next address of a name is tried as well: what RFC 8305 recommends.
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// What clients may cost.
#[derive(Clone, Copy)]
struct Limits {
    /// How many may be connected; more wait to be accepted.
    n_clients: usize,
    /// From the connection to the whole request.
    handshake: Duration,
    /// From the request to the connection.
    connect: Duration,
    /// Without a byte either way.
    idle: Duration,
    /// From the refusal to the end.
    leave: Duration,
}

const LIMITS: Limits = Limits {
    // Each has two sockets, and a process may have 1024 files open unless more are asked for.
    n_clients: 500,
    // nginx's client_header_timeout.
    handshake: Duration::from_secs(60),
    // nginx's proxy_connect_timeout.
    connect: Duration::from_secs(60),
    // Squid's read_timeout, which ends its tunnels.
    idle: Duration::from_secs(15 * 60),
    // RFC 1928 closes "no more than 10 seconds after detecting the condition".
    leave: Duration::from_secs(10),
};

/// What all connections share.
struct Proxy {
    loop_: Loop,
    limits: Limits,
}

/// The side of who asks, to whom this is a server.
struct Server {
    proxy: Rc<Proxy>,
    transport: TransportRef,
    state: State,
    /// What has come of a message whose end has not.
    buffer: Vec<u8>,
    /// Runs until the request is there.
    handshake: Option<TimerHandle>,
}

/// What a server waits for.
enum State {
    Methods,
    Request,
    Data(Rc<Tunnel>),
}

/// The side of where it goes, to which this is a client.
struct Client {
    tunnel: Rc<Tunnel>,
}

/// What the two sides share, and the task that connects the second.
struct Tunnel {
    proxy: Rc<Proxy>,
    server: End,
    client: End,
    is_connected: Cell<bool>,
    /// What has come ahead of the connection.
    early: RefCell<Vec<u8>>,
}

/// One end of a tunnel.
#[derive(Default)]
struct End {
    /// Detached until it is connected.
    transport: RefCell<TransportRef>,
    /// Its peer will send no more.
    has_ended: Cell<bool>,
}

/// Who was refused, and has read why or will not.
struct Dismissed;

impl Proxy {
    /// Ends a connection with last words. What its client still sends is read, or else the system would take them back.
    fn dismiss(&self, transport: &TransportRef, refusal: &Refusal) -> Result<()> {
        transport.set_protocol(Dismissed);
        transport.write(refusal.last_words())?;
        transport.write_eof()?;
        // Brings the end of the stream again, if it has come already.
        transport.pause_reading();
        transport.resume_reading();
        let (dismissed, patience) = (transport.clone(), self.limits.leave);
        transport.start_soon(async move {
            sleep(patience).await;
            dismissed.abort();
        });
        Ok(())
    }
}

impl Server {
    fn new(proxy: Rc<Proxy>) -> Self {
        let transport = TransportRef::default();
        Server { proxy, transport, state: State::Methods, buffer: Vec::new(), handshake: None }
    }

    /// Answers the whole messages in the buffer.
    fn answer(&mut self) -> Result<()> {
        loop {
            match self.state {
                State::Methods => match messages::take_methods(&mut self.buffer)? {
                    Some(methods) => self.methods_received(&methods)?,
                    None => return Ok(()),
                },
                State::Request => match messages::take_request(&mut self.buffer)? {
                    Some(request) => self.request_received(request)?,
                    None => return Ok(()),
                },
                State::Data(_) => return Ok(()),
            }
        }
    }

    fn methods_received(&mut self, methods: &[u8]) -> Result<()> {
        if !methods.contains(&messages::NO_AUTHENTICATION) {
            return Err(Refusal::no_acceptable_method().into());
        }
        self.state = State::Request;
        self.transport.write(&[messages::VERSION, messages::NO_AUTHENTICATION])
    }

    /// Starts to connect, in a task of this connection: a client that leaves takes it along.
    fn request_received(&mut self, request: Request) -> Result<()> {
        self.stop_waiting();
        let tunnel = Rc::new(Tunnel::new(self.proxy.clone(), self.transport.clone()));
        self.state = State::Data(tunnel.clone());
        tunnel.forward(&mem::take(&mut self.buffer))?;
        self.transport.start_soon(tunnel.connect(request));
        Ok(())
    }

    fn stop_waiting(&mut self) {
        if let Some(handshake) = self.handshake.take() {
            handshake.cancel();
        }
    }
}

impl Protocol for Server {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.transport = transport.clone();
        let handshake = self.proxy.limits.handshake;
        self.handshake = Some(self.proxy.loop_.call_later(handshake, move || transport.abort()));
        Ok(())
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        if let State::Data(tunnel) = &self.state {
            return tunnel.forward(data);
        }
        self.buffer.extend_from_slice(data);
        let answered = self.answer();
        match answered.as_ref().err().and_then(Error::downcast_ref::<Refusal>) {
            Some(refusal) => {
                self.stop_waiting();
                self.proxy.dismiss(&self.transport, refusal)
            }
            None => answered,
        }
    }

    fn eof_received(&mut self) -> Result<bool> {
        match &self.state {
            State::Data(tunnel) => tunnel.half_close(&tunnel.server, &tunnel.client),
            _ => Ok(false),
        }
    }

    fn pause_writing(&mut self) -> Result<()> {
        if let State::Data(tunnel) = &self.state {
            tunnel.client.transport().pause_reading();
        }
        Ok(())
    }

    fn resume_writing(&mut self) -> Result<()> {
        if let State::Data(tunnel) = &self.state {
            tunnel.client.transport().resume_reading();
        }
        Ok(())
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        self.stop_waiting();
        if let State::Data(tunnel) = &self.state {
            tunnel.client.peer_lost(exc);
        }
        Ok(())
    }
}

impl Protocol for Dismissed {}

impl Protocol for Client {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.tunnel.connected(transport)
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.tunnel.server.transport().write(data)
    }

    fn eof_received(&mut self) -> Result<bool> {
        self.tunnel.half_close(&self.tunnel.client, &self.tunnel.server)
    }

    fn pause_writing(&mut self) -> Result<()> {
        self.tunnel.server.transport().pause_reading();
        Ok(())
    }

    fn resume_writing(&mut self) -> Result<()> {
        self.tunnel.server.transport().resume_reading();
        Ok(())
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        self.tunnel.server.peer_lost(exc);
        Ok(())
    }
}

impl Tunnel {
    fn new(proxy: Rc<Proxy>, server: TransportRef) -> Self {
        let server = End { transport: RefCell::new(server), has_ended: Cell::new(false) };
        Tunnel { proxy, server, client: End::default(), is_connected: Cell::default(), early: RefCell::default() }
    }

    /// Connects the client, or says why not.
    async fn connect(self: Rc<Self>, request: Request) -> Result<()> {
        let Request { host, port } = request;
        let client = || Client { tunnel: self.clone() };
        let connecting =
            self.proxy.loop_.create_connection(client, host, port).happy_eyeballs_delay(NEXT_ADDRESS_AFTER);
        let reply = match fail_after(self.proxy.limits.connect, async { connecting.await }).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(err)) => Reply::of(&err),
            Err(_) => Reply::TtlExpired,
        };
        if self.is_connected.get() {
            return Ok(());
        }
        self.proxy.dismiss(&self.server.transport(), &Refusal::reply(reply))
    }

    /// Says so to the server side, and hands over what has come meanwhile.
    fn connected(&self, client: TransportRef) -> Result<()> {
        let server = self.server.transport();
        self.client.transport.replace(client.clone());
        self.is_connected.set(true);
        for transport in [&server, &client] {
            transport.set_idle_timeout(Some(self.proxy.limits.idle));
        }
        server.write(&messages::succeeded(client.sockname()))?;
        client.write(&self.early.take())?;
        if self.server.has_ended.get() {
            client.write_eof()?;
        }
        if !client.is_writing_paused() {
            server.resume_reading();
        }
        Ok(())
    }

    /// Passes on what the server side has got.
    fn forward(&self, data: &[u8]) -> Result<()> {
        if self.is_connected.get() {
            return self.client.transport().write(data);
        }
        let mut early = self.early.borrow_mut();
        early.extend_from_slice(data);
        if early.len() > MAX_EARLY {
            self.server.transport().pause_reading();
        }
        Ok(())
    }

    /// Passes the end of a stream on. The first keeps the other direction open; with the second both ends are closed.
    fn half_close(&self, from: &End, to: &End) -> Result<bool> {
        from.has_ended.set(true);
        if !self.is_connected.get() {
            return Ok(true);
        }
        to.transport().write_eof()?;
        let is_over = to.has_ended.get();
        if is_over {
            to.transport().close();
        }
        Ok(!is_over)
    }
}

impl End {
    fn transport(&self) -> TransportRef {
        self.transport.borrow().clone()
    }

    /// The other end is no more: what was on its way here still arrives, unless that end has failed.
    fn peer_lost(&self, exc: Option<Error>) {
        let transport = self.transport();
        match exc {
            Some(_) => reset(&transport),
            None => transport.close(),
        }
    }
}

/// Aborts so that the peer hears of a failure, and not of an end.
fn reset(transport: &TransportRef) {
    if let Some(socket) = transport.socket() {
        // It fails only if the socket is closed.
        let _ = socket.set_zero_linger();
    }
    transport.abort();
}

async fn app(
    options: Options,
    limits: Limits,
    on_serving: impl FnOnce(&foster::Server) -> Result<()>,
) -> Result<Option<()>, NurseryError> {
    open_nursery(async |nursery| {
        let proxy = Rc::new(Proxy { loop_: Loop::new(&nursery), limits });
        let server = create_server(&nursery, move || Server::new(proxy.clone()), options.host, options.port)
            .max_connections(limits.n_clients)
            .await?;
        on_serving(&server)
    })
    .await
}

fn main() -> Result<()> {
    run(app(Options::from_args("socks5", 1080), LIMITS, announce))?;
    Ok(())
}
