//! The peer's steps.

use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::driver_link::{Address, DriverLink, Heard, START_TIMEOUT};
use crate::peer::Shared;
use crate::peer_connection::PeerConnection;
use crate::peer_step::PeerStep;
use crate::scenario::{Kind, Scenario};
use crate::shown_bytes::{SHOWN_BYTES, show};
use crate::stage::PeerSockets;
use crate::step_error::{StepError, is_timeout, python_name};
use crate::tls_side::{tls_client, tls_server};

/// What plays the steps, with blocking sockets. It belongs to the peer's thread.
pub(crate) struct Player {
    scenario: Scenario,
    link: Arc<DriverLink>,
    peer: Arc<Shared>,
    listener: Option<Arc<Socket>>,
    datagram: Option<Arc<Socket>>,
    /// The connection that steps are about.
    current: Named,
    others: HashMap<String, Named>,
    /// Those that a later one took the place of: they stay open.
    replaced: Vec<PeerConnection>,
}

/// A connection under its name; without one before it is opened and after it is closed.
#[derive(Default)]
struct Named {
    name: String,
    connection: Option<PeerConnection>,
}

impl Player {
    pub(crate) fn new(scenario: Scenario, link: Arc<DriverLink>, peer: Arc<Shared>, sockets: PeerSockets) -> Player {
        Player {
            scenario,
            link,
            peer,
            listener: sockets.listener,
            datagram: sockets.datagram,
            current: Named::default(),
            others: HashMap::new(),
            replaced: Vec::new(),
        }
    }

    /// Plays to the end and returns itself, because its sockets have to stay open.
    pub(crate) fn play(mut self) -> Player {
        let opened = self.open();
        let result = opened.and_then(|()| self.play_steps());
        match result {
            Ok(()) => {}
            Err(StepError::Io(err)) => self.peer.log(format_args!("failed: {}", python_name(&err))),
            Err(StepError::Tls(_)) => self.peer.log("failed: SSLError"),
            Err(StepError::Impossible(problem)) => self.peer.log(format_args!("PEER ERROR {problem}")),
        }
        self
    }

    fn open(&mut self) -> Result<(), StepError> {
        match self.scenario.kind {
            Kind::Tcp | Kind::Unix | Kind::Tls => {
                let address = self.address("")?;
                self.connect(&address)?;
                if self.scenario.kind == Kind::Tls && !self.scenario.sockets.is_raw {
                    self.begin_tls(tls_client(self.scenario.sockets.tls_versions)?)?;
                }
            }
            Kind::TcpClient | Kind::UnixClient | Kind::TlsClient => {
                self.accept()?;
                if self.scenario.kind == Kind::TlsClient && !self.scenario.sockets.is_raw {
                    self.begin_tls(tls_server(self.scenario.sockets.tls_versions)?)?;
                }
            }
            Kind::Udp => {
                let socket = Arc::new(Socket::new(Domain::IPV4, Type::DGRAM, None)?);
                self.take_datagram_socket(socket)?;
            }
            Kind::UdpConnected => {
                if let Some(socket) = self.datagram.take() {
                    self.take_datagram_socket(socket)?;
                }
            }
            Kind::Program => {}
        }
        Ok(())
    }

    fn play_steps(&mut self) -> Result<(), StepError> {
        for step in self.scenario.peer.clone() {
            if self.link.heard().trace.is_frozen() {
                return Ok(());
            }
            if let Err(err) = self.play_step(&step) {
                let words = err.into_words()?;
                self.peer.log(format_args!("{}: {words}", step.name()));
            }
        }
        Ok(())
    }

    fn play_step(&mut self, step: &PeerStep) -> Result<(), StepError> {
        match step {
            PeerStep::Send(text) => self.connection()?.send(text.as_bytes()),
            PeerStep::SendRaw(text) => self.connection()?.send_raw(text.as_bytes()),
            PeerStep::SendN(n_bytes) => self.connection()?.send(&vec![b'c'; *n_bytes]),
            PeerStep::Sleep(duration) => {
                thread::sleep(*duration);
                Ok(())
            }
            PeerStep::ShutWr => Ok(self.connection()?.socket().shutdown(Shutdown::Write)?),
            PeerStep::Close => {
                self.current.connection = None;
                Ok(())
            }
            PeerStep::Rst => self.take_connection()?.reset(),
            PeerStep::TlsWrap => self.begin_tls(tls_client(self.scenario.sockets.tls_versions)?),
            PeerStep::TlsUnwrap => self.connection()?.end_tls(),
            PeerStep::Recv => self.recv(),
            PeerStep::RecvN(n_bytes) => self.recv_n(*n_bytes),
            PeerStep::RecvAll { inexact, any_end } => self.recv_all(*inexact, *any_end),
            PeerStep::Until { prefix, n_lines } => {
                self.until(prefix, *n_lines);
                Ok(())
            }
            PeerStep::SendTo(text) => self.send_to(text.as_bytes()),
            PeerStep::SendToN(n_bytes) => self.send_to(&vec![b'd'; *n_bytes]),
            PeerStep::RecvFrom => {
                let mut datagram = vec![0; RECEIVE_BYTES];
                let n_bytes = self.connection()?.receive(&mut datagram)?;
                self.peer.log(format_args!("dgram {}", show(&datagram[..n_bytes])));
                Ok(())
            }
            PeerStep::Connect { server, name } => self.connect_to(server, name),
            PeerStep::Accept { name } => {
                self.put_aside();
                self.accept()?;
                self.current.name.clone_from(name);
                Ok(())
            }
            PeerStep::Use(name) => {
                self.put_aside();
                let connection = self.others.remove(name);
                let connection = connection.ok_or_else(|| format!("use: there is no connection {name}"))?;
                self.current = connection;
                Ok(())
            }
            PeerStep::Go(name) => {
                self.link.send(&format!("GO {name}"));
                Ok(())
            }
            PeerStep::Mark(text) => {
                self.peer.log(format_args!("mark {text}"));
                Ok(())
            }
        }
    }

    // ---- opening connections

    fn connect_to(&mut self, server: &str, name: &str) -> Result<(), StepError> {
        self.link.wait_until(UNTIL_TIMEOUT, |heard| {
            heard.addresses.contains_key(server) || heard.is_done || heard.has_ended
        });
        let Ok(address) = self.address(server) else {
            self.peer.log(format_args!("connect: no address of {server}"));
            return Ok(());
        };
        self.put_aside();
        self.current.name = name.to_owned();
        self.connect(&address)?;
        self.peer.log("connected");
        Ok(())
    }

    fn connect(&mut self, address: &Address) -> Result<(), StepError> {
        let address = address.to_socket_address()?;
        let socket = Socket::new(address.domain(), Type::STREAM, None)?;
        if let Some(n_bytes) = self.scenario.sockets.receive_buffer {
            socket.set_recv_buffer_size(n_bytes)?;
        }
        let socket = self.take_stream_socket(socket)?;
        if address.is_unix() {
            // Connecting to a unix socket is done at once or refused.
            socket.connect(&address)?;
        } else {
            socket.connect_timeout(&address, OPERATION_TIMEOUT)?;
        }
        Ok(())
    }

    fn accept(&mut self) -> Result<(), StepError> {
        let listener = self.listener.as_ref().ok_or("accept: the peer does not listen")?;
        self.peer.register(listener);
        // The driver may take longer to start than the peer waits for a connection.
        self.link.wait_until(START_TIMEOUT, |heard| heard.is_ready || heard.has_ended);
        listener.set_read_timeout(Some(OPERATION_TIMEOUT))?;
        let (socket, _) = listener.accept()?;
        self.take_stream_socket(socket)?;
        Ok(())
    }

    fn take_stream_socket(&mut self, socket: Socket) -> io::Result<Arc<Socket>> {
        socket.set_write_timeout(Some(OPERATION_TIMEOUT))?;
        self.take_socket(Arc::new(socket), OPERATION_TIMEOUT)
    }

    fn take_datagram_socket(&mut self, socket: Arc<Socket>) -> io::Result<()> {
        self.take_socket(socket, DATAGRAM_TIMEOUT).map(drop)
    }

    fn take_socket(&mut self, socket: Arc<Socket>, timeout: Duration) -> io::Result<Arc<Socket>> {
        socket.set_read_timeout(Some(timeout))?;
        self.peer.register(&socket);
        self.replaced.extend(self.current.connection.replace(PeerConnection::new(Arc::clone(&socket))));
        Ok(socket)
    }

    fn begin_tls(&mut self, side: rustls::Connection) -> Result<(), StepError> {
        let mut connection = self.take_connection()?;
        connection.begin_tls(side)?;
        self.current.connection = Some(connection);
        Ok(())
    }

    /// Makes room for another connection; the step `use` comes back to this one.
    fn put_aside(&mut self) {
        let aside = std::mem::take(&mut self.current);
        let replaced = self.others.insert(aside.name.clone(), aside);
        self.replaced.extend(replaced.and_then(|named| named.connection));
    }

    // ---- sending and receiving

    fn send_to(&mut self, payload: &[u8]) -> Result<(), StepError> {
        let address = self.address("")?.to_socket_address()?;
        self.connection()?.socket().send_to(payload, &address)?;
        Ok(())
    }

    fn recv(&mut self) -> Result<(), StepError> {
        let mut chunk = vec![0; RECEIVE_BYTES];
        match self.connection()?.receive(&mut chunk)? {
            0 => self.peer.log("EOF"),
            n_bytes => self.peer.log(format_args!("recv {}", show(&chunk[..n_bytes]))),
        }
        Ok(())
    }

    fn recv_n(&mut self, n_wanted: usize) -> Result<(), StepError> {
        let mut chunk = vec![0; RECEIVE_BYTES];
        let mut n_received = 0;
        while n_received < n_wanted {
            let n_at_most = RECEIVE_BYTES.min(n_wanted - n_received);
            match self.connection()?.receive(&mut chunk[..n_at_most])? {
                0 => break,
                n_bytes => n_received += n_bytes,
            }
        }
        let end = if n_received == n_wanted { "" } else { " then EOF" };
        self.peer.log(format_args!("got <{n_received}>{end}"));
        Ok(())
    }

    fn recv_all(&mut self, inexact: bool, any_end: bool) -> Result<(), StepError> {
        let mut chunk = vec![0; RECEIVE_BYTES];
        let mut beginning = Vec::new();
        let mut n_received = 0;
        let end = loop {
            match self.connection()?.receive(&mut chunk) {
                Ok(0) => break "EOF".to_owned(),
                Ok(n_bytes) => {
                    n_received += n_bytes;
                    let n_missing = SHOWN_BYTES.saturating_sub(beginning.len());
                    beginning.extend_from_slice(&chunk[..n_bytes.min(n_missing)]);
                }
                Err(StepError::Tls(reason)) => break format!("SSL:{reason}"),
                Err(StepError::Io(err)) if err.kind() == io::ErrorKind::ConnectionReset => break "RST".to_owned(),
                Err(StepError::Io(err)) if is_timeout(&err) => break "(open)".to_owned(),
                Err(err) => return Err(err),
            }
        };
        let end = if any_end && ["EOF", "RST"].contains(&end.as_str()) { "EOF|RST" } else { &end };
        let payload = match n_received {
            0..=SHOWN_BYTES => show(&beginning),
            _ if inexact => "<...>".to_owned(),
            _ => format!("<{n_received}>"),
        };
        self.peer.log(format_args!("all {payload} {end}"));
        Ok(())
    }

    fn until(&mut self, prefix: &str, n_lines: usize) {
        let is_there = |heard: &Heard| heard.trace.count(prefix) >= n_lines;
        self.link.wait_until(UNTIL_TIMEOUT, |heard| is_there(heard) || heard.has_ended);
        let heard = self.link.heard();
        if !is_there(&heard) && !heard.trace.is_frozen() {
            self.peer.log(format_args!("until-timeout {prefix}"));
        }
    }

    fn connection(&mut self) -> Result<&mut PeerConnection, StepError> {
        self.current.connection.as_mut().ok_or_else(closed)
    }

    fn take_connection(&mut self) -> Result<PeerConnection, StepError> {
        self.current.connection.take().ok_or_else(closed)
    }

    fn address(&self, server: &str) -> Result<Address, StepError> {
        let heard = self.link.heard();
        let address = heard.addresses.get(server);
        Ok(address.ok_or_else(|| format!("no address of '{server}'"))?.clone())
    }
}

/// What the operating system says about a closed descriptor.
fn closed() -> StepError {
    io::Error::other("the connection is closed").into()
}

/// Of every blocking operation on a stream. Linux ends it up to 256 ms late, because its timers are coarse, and it has
/// to end before the usual limit of a scenario, 3 s.
const OPERATION_TIMEOUT: Duration = Duration::from_millis(2700);
/// Of receiving a datagram: shorter than the limit of a scenario, so that a lost one becomes a line.
const DATAGRAM_TIMEOUT: Duration = Duration::from_secs(2);
/// Of waiting for lines of the driver.
const UNTIL_TIMEOUT: Duration = Duration::from_secs(3);
/// At most this much is received at once.
const RECEIVE_BYTES: usize = 65536;
