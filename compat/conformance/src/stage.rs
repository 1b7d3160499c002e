//! What exists before the driver starts: a directory, and the addresses it is told.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::package_files::{certificate_file, key_file};
use crate::scenario::{Kind, Scenario};
use crate::scenario_directory::ScenarioDirectory;

/// The surroundings of one playing of a scenario.
pub(crate) struct Stage {
    start_message: Value,
    sockets: PeerSockets,
    /// Open until the driver has ended: they keep addresses refusing or hanging.
    _kept: Vec<Socket>,
    _directory: ScenarioDirectory,
}

/// The sockets that the peer has from the start.
#[derive(Clone, Default)]
pub(crate) struct PeerSockets {
    /// Where the peer accepts.
    pub(crate) listener: Option<Arc<Socket>>,
    /// The peer's end of `udp-connected`; none if it is closed on purpose.
    pub(crate) datagram: Option<Arc<Socket>>,
}

impl Stage {
    pub(crate) fn set_up(scenario: &Scenario) -> io::Result<Stage> {
        let directory = ScenarioDirectory::create()?;
        let mut sockets = PeerSockets::default();
        let mut kept = Vec::new();
        let mut params = json!({
            "cert": certificate_file(),
            "key": key_file(),
            "dir": directory.path(),
        });
        match scenario.kind {
            Kind::Tcp | Kind::Tls | Kind::Udp => {}
            Kind::Unix => params["path"] = json!(directory.path().join("s.sock")),
            Kind::TcpClient | Kind::TlsClient => {
                let listener = listening(USUAL_BACKLOG)?;
                params["connect"] = host_and_port(&listener)?;
                sockets.listener = Some(Arc::new(listener));
            }
            Kind::UnixClient => {
                let path = directory.path().join("p.sock");
                let listener = Socket::new(Domain::UNIX, Type::STREAM, None)?;
                listener.bind(&SockAddr::unix(&path)?)?;
                listener.listen(USUAL_BACKLOG)?;
                params["connect"] = json!(path);
                sockets.listener = Some(Arc::new(listener));
            }
            Kind::UdpConnected => {
                let datagram = bound(Type::DGRAM)?;
                params["connect"] = host_and_port(&datagram)?;
                sockets.datagram = (!scenario.sockets.peer_closed).then(|| Arc::new(datagram));
            }
            Kind::Program => {
                let listener = listening(USUAL_BACKLOG)?;
                params["listen"] = host_and_port(&listener)?;
                sockets.listener = Some(Arc::new(listener));
                let refusing = bound(Type::STREAM)?;
                params["refused"] = host_and_port(&refusing)?;
                kept.push(refusing);
                if scenario.sockets.blackhole {
                    let hanging = black_hole()?;
                    params["blackhole"] = host_and_port(&hanging[0])?;
                    kept.extend(hanging);
                }
            }
        }
        let start_message = json!({"version": 1, "scenario": scenario.wire, "params": params});
        Ok(Stage { start_message, sockets, _kept: kept, _directory: directory })
    }

    /// What the driver is sent first.
    pub(crate) fn start_message(&self) -> &Value {
        &self.start_message
    }

    pub(crate) fn sockets(&self) -> PeerSockets {
        self.sockets.clone()
    }
}

/// A socket bound to a free port. Connecting to it is refused as long as it does not listen.
fn bound(kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, kind, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    Ok(socket)
}

fn listening(backlog: i32) -> io::Result<Socket> {
    let socket = bound(Type::STREAM)?;
    socket.listen(backlog)?;
    Ok(socket)
}

/// A listening socket, the first, whose queue is full: Linux drops further connection requests without an answer.
fn black_hole() -> io::Result<Vec<Socket>> {
    let listener = listening(0)?;
    let address = listener.local_addr()?;
    let mut sockets = vec![listener];
    for _ in 0..QUEUE_FILLERS {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        // It says that connecting is in progress, which is all it is for.
        drop(socket.connect(&address));
        sockets.push(socket);
    }
    thread::sleep(QUEUE_SETTLES);
    Ok(sockets)
}

fn host_and_port(socket: &Socket) -> io::Result<Value> {
    let address = socket.local_addr()?.as_socket();
    let address = address.ok_or_else(|| io::Error::other("the socket has no port"))?;
    Ok(json!([address.ip().to_string(), address.port()]))
}

/// More than any scenario's driver connects at once.
const USUAL_BACKLOG: i32 = 5;
/// A backlog of 0 leaves room for one connection; the others are on the safe side.
const QUEUE_FILLERS: usize = 3;
const QUEUE_SETTLES: Duration = Duration::from_millis(50);
