//! One scenario, as far as the runner is concerned: what the driver does with it stays JSON.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::peer_step::PeerStep;
use crate::tls_side::TlsVersions;

/// One scenario with its expected traces, see `SCENARIOS.md`.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) group: String,
    pub(crate) kind: Kind,
    /// The fields that the driver is given.
    pub(crate) wire: Value,
    pub(crate) peer: Vec<PeerStep>,
    pub(crate) sockets: SocketOptions,
    pub(crate) completion: Completion,
    pub(crate) normalisation: Normalisation,
    pub(crate) expect: Expectation,
}

impl Scenario {
    /// The id, for example `A01`: the letter of its group and a number.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the scenario shows, in a few words.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The letter of the subject, for example `D` for flow control.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// What the driver sets up, and which side the peer plays.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The expected lines of the driver, without the alternatives of the relaxed rule.
    pub fn expected_trace(&self) -> &[String] {
        &self.expect.trace
    }

    /// The expected lines of the peer.
    pub fn expected_peer(&self) -> &[String] {
        &self.expect.peer
    }
}

/// What the driver sets up before the scenario's callbacks begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A TCP server; the peer connects.
    Tcp,
    /// A unix socket server; the peer connects.
    Unix,
    /// A TLS server; the peer connects.
    Tls,
    /// A datagram endpoint; the peer sends to it.
    Udp,
    /// A datagram endpoint connected to the peer.
    UdpConnected,
    /// A TCP client; the peer accepts.
    TcpClient,
    /// A unix socket client; the peer accepts.
    UnixClient,
    /// A TLS client; the peer accepts.
    TlsClient,
    /// A list of actions that create what they need themselves.
    Program,
}

impl Kind {
    /// Whether the driver connects to the peer, so that the peer must accept before the driver is ready.
    pub(crate) fn is_client(self) -> bool {
        matches!(self, Kind::TcpClient | Kind::UnixClient | Kind::TlsClient)
    }

    /// Whether the peer needs the driver's address before it can do anything.
    pub(crate) fn must_tell_address(self) -> bool {
        matches!(self, Kind::Tcp | Kind::Unix | Kind::Tls | Kind::Udp)
    }

    pub(crate) fn from_name(name: &str) -> Option<Kind> {
        KIND_NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = KIND_NAMES.iter().find(|(kind, _)| kind == self);
        f.write_str(name.map_or("unnamed", |(_, name)| name))
    }
}

const KIND_NAMES: [(Kind, &str); 9] = [
    (Kind::Tcp, "tcp"),
    (Kind::Unix, "unix"),
    (Kind::Tls, "tls"),
    (Kind::Udp, "udp"),
    (Kind::UdpConnected, "udp-connected"),
    (Kind::TcpClient, "tcp-client"),
    (Kind::UnixClient, "unix-client"),
    (Kind::TlsClient, "tls-client"),
    (Kind::Program, "program"),
];

/// What the peer's sockets are like.
#[derive(Debug, Clone)]
pub(crate) struct SocketOptions {
    /// SO_RCVBUF of a connecting peer, in bytes, set before connecting.
    pub(crate) receive_buffer: Option<usize>,
    /// The peer's datagram socket is closed before the driver starts.
    pub(crate) peer_closed: bool,
    /// A program is given an address where connecting hangs.
    pub(crate) blackhole: bool,
    /// The peer of a TLS kind shakes no hands.
    pub(crate) is_raw: bool,
    pub(crate) tls_versions: TlsVersions,
}

/// When the trace counts as complete.
#[derive(Debug, Clone)]
pub(crate) struct Completion {
    /// The snapshot is taken this long after the driver is ready, at the latest.
    pub(crate) limit: Duration,
    /// How long nothing superfluous may come behind a complete trace.
    pub(crate) grace: Duration,
    /// How many `lost` lines make the trace complete; none if it does not matter.
    pub(crate) n_lost: Option<usize>,
}

/// What the scenario leaves uncompared.
#[derive(Debug, Clone)]
pub(crate) struct Normalisation {
    /// The sizes of the chunks in which payloads arrive.
    pub(crate) merge: bool,
    /// The same for the pipes of a subprocess, whose lines may also mix.
    pub(crate) merge_pipes: bool,
    /// Equal adjacent lines count as one line with their number.
    pub(crate) collapse: bool,
}

/// The traces that conform.
#[derive(Debug, Clone)]
pub(crate) struct Expectation {
    pub(crate) trace: Vec<String>,
    pub(crate) peer: Vec<String>,
    /// Traces that also conform under [`Rule::Relaxed`](crate::Rule::Relaxed).
    pub(crate) relaxed: Vec<Vec<String>>,
    /// If present, only these pairs of line starts are ordered.
    pub(crate) order: Option<Vec<(String, String)>>,
}
