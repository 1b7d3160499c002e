//! [`Session`]: the one place that talks to rustls about a connection.
//!
//! TLS bytes go in with [`receive`](Session::receive) and come out with [`send_output`](Session::send_output); plain
//! bytes go in with [`encrypt`](Session::encrypt) and come out of `receive`. It does no I/O and holds no clock.

use std::io::{self, BufRead, IoSlice, Write};

use rustls::pki_types::ServerName;
use rustls::server::Acceptor;
use rustls::{ClientConnection, Connection, ServerConnection};

use super::context::{ClientHello, Side, SslContext, TlsVersion};
use super::ssl_error::SslError;
use super::ssl_object::{Cipher, PeerCertificate, SslObject};
use crate::error::{Error, Result};

pub(super) struct Session {
    context: SslContext,
    server_hostname: Option<String>,
    state: State,
    /// The peer's close_notify has come.
    has_peer_closed: bool,
}

enum State {
    /// The context is chosen by what the client says first.
    Choosing(Acceptor),
    Connected(Connection),
    /// The client was refused before there was a connection; its alert is still to be sent.
    Refused(Vec<u8>),
}

impl Session {
    /// # Errors
    ///
    /// An [`SslError`] for a context of the other side, and for a name that cannot be one.
    pub(super) fn new(context: &SslContext, server_side: bool, server_hostname: Option<&str>) -> Result<Self> {
        let state = match context.side() {
            Side::Server(_) if !server_side => return Err(wrong_side("client")),
            Side::Client(_) if server_side => return Err(wrong_side("server")),
            Side::Server(_) if context.has_sni_callback() => State::Choosing(Acceptor::default()),
            Side::Server(config) => State::Connected(connection(ServerConnection::new(config.clone()))?),
            Side::Client(config) => {
                let name = server_name(server_hostname)?;
                State::Connected(connection(ClientConnection::new(config.clone(), name))?)
            }
        };
        let server_hostname = server_hostname.map(str::to_owned);
        Ok(Session { context: context.clone(), server_hostname, state, has_peer_closed: false })
    }

    /// Takes TLS bytes in, and appends the plain bytes that they hold. After the peer's close_notify all else is
    /// dropped.
    ///
    /// # Errors
    ///
    /// An [`SslError`]; what was decrypted before is in `plain`, and an alert may be waiting to be sent.
    pub(super) fn receive(&mut self, mut data: &[u8], plain: &mut Vec<u8>) -> Result<()> {
        if matches!(self.state, State::Choosing(_)) {
            self.choose(&mut data)?;
        }
        let State::Connected(connection) = &mut self.state else { return Ok(()) };
        loop {
            // rustls takes a read of nothing for the end of the stream.
            let n_taken = match data {
                [] => 0,
                _ => connection.read_tls(&mut data).map_err(|err| SslError::protocol(err.to_string()))?,
            };
            let processed = connection.process_new_packets();
            read_plain(connection, plain);
            match processed {
                Ok(state) => self.has_peer_closed = state.peer_has_closed(),
                Err(err) => return Err(SslError::from_rustls(&err)),
            }
            if n_taken == 0 || data.is_empty() {
                return Ok(());
            }
        }
    }

    fn choose(&mut self, data: &mut &[u8]) -> Result<()> {
        let State::Choosing(acceptor) = &mut self.state else { return Ok(()) };
        while !data.is_empty() {
            acceptor.read_tls(data).map_err(|err| SslError::protocol(err.to_string()))?;
            match acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => {
                    let hello = accepted.client_hello();
                    let name = hello.server_name().map(str::to_owned);
                    let alpn = hello.alpn().into_iter().flatten().collect();
                    let hello = ClientHello { server_name: name.as_deref(), alpn };
                    let context = self.context.choose(&hello);
                    let context = context.inspect_err(|_| self.state = State::Refused(UNRECOGNIZED_NAME.to_vec()))?;
                    let Side::Server(config) = context.side() else {
                        self.state = State::Refused(INTERNAL_ERROR.to_vec());
                        return Err(wrong_side("server"));
                    };
                    let connection = match accepted.into_connection(config.clone()) {
                        Ok(connection) => connection,
                        Err((err, alert)) => return Err(self.refuse(&err, alert)),
                    };
                    self.context = context;
                    self.state = State::Connected(connection.into());
                    return Ok(());
                }
                Err((err, alert)) => return Err(self.refuse(&err, alert)),
            }
        }
        Ok(())
    }

    fn refuse(&mut self, err: &rustls::Error, mut alert: rustls::server::AcceptedAlert) -> Error {
        let mut bytes = Vec::new();
        // Writing to memory does not fail.
        let _ = alert.write_all(&mut bytes);
        self.state = State::Refused(bytes);
        SslError::from_rustls(err)
    }

    pub(super) fn is_handshaking(&self) -> bool {
        match &self.state {
            State::Choosing(_) | State::Refused(_) => true,
            State::Connected(connection) => connection.is_handshaking(),
        }
    }

    /// Whether the peer's close_notify has come.
    pub(super) fn has_peer_closed(&self) -> bool {
        self.has_peer_closed
    }

    /// Encrypts plain bytes, to be sent; before the end of the handshake they are kept.
    pub(super) fn encrypt(&mut self, data: &[u8]) -> Result<()> {
        match &mut self.state {
            State::Connected(connection) => Ok(connection.writer().write_all(data)?),
            State::Choosing(_) | State::Refused(_) => Ok(()),
        }
    }

    /// Says that nothing more will be sent: close_notify.
    pub(super) fn close(&mut self) {
        if let State::Connected(connection) = &mut self.state {
            connection.send_close_notify();
        }
    }

    /// Hands over what is to be sent, a few pieces at a time.
    pub(super) fn send_output(&mut self, send: &mut dyn FnMut(&[&[u8]])) {
        match &mut self.state {
            State::Choosing(_) => {}
            State::Refused(alert) if alert.is_empty() => {}
            State::Refused(alert) => send(&[&std::mem::take(alert)]),
            State::Connected(connection) => {
                let mut sink = Sink { send };
                while connection.wants_write() {
                    // The sink takes everything.
                    if connection.write_tls(&mut sink).is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// What the handshake has found.
    pub(super) fn ssl_object(&self) -> SslObject {
        let mut object = SslObject {
            context: self.context.clone(),
            server_side: self.context.is_server_side(),
            server_hostname: self.server_hostname.clone(),
            version: None,
            cipher: None,
            alpn_protocol: None,
            peercert: None,
        };
        let State::Connected(connection) = &self.state else { return object };
        if let Connection::Server(server) = connection {
            object.server_hostname = server.server_name().map(str::to_owned);
        }
        object.version = connection.protocol_version().and_then(|version| match version {
            rustls::ProtocolVersion::TLSv1_2 => Some(TlsVersion::TlsV1_2),
            rustls::ProtocolVersion::TLSv1_3 => Some(TlsVersion::TlsV1_3),
            _ => None,
        });
        object.cipher = connection.negotiated_cipher_suite().zip(object.version).and_then(|(suite, version)| {
            // TLS 1.3 suites carry the version in rustls's names only.
            let name = suite.suite().as_str()?;
            Some(Cipher {
                name: IANA.iter().find(|(rustls, _)| *rustls == name).map_or(name, |(_, iana)| iana),
                version,
            })
        });
        object.alpn_protocol = connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
        object.peercert = connection
            .peer_certificates()
            .filter(|chain| !chain.is_empty())
            .map(|chain| PeerCertificate { chain: chain.iter().map(|cert| cert.clone().into_owned()).collect() });
        object
    }
}

fn connection<C: Into<Connection>>(made: Result<C, rustls::Error>) -> Result<Connection> {
    let mut connection = made.map_err(|err| SslError::from_rustls(&err))?.into();
    // The bound is that of the transport, which has taken the bytes to be encrypted.
    connection.set_buffer_limit(None);
    Ok(connection)
}

fn server_name(server_hostname: Option<&str>) -> Result<ServerName<'static>> {
    // An address is not sent as a name, so this one says nothing.
    let name = server_hostname.unwrap_or("0.0.0.0").to_owned();
    let shown = name.clone();
    ServerName::try_from(name)
        .map_err(|_| SslError::configuration(format!("server_hostname cannot be a name of a server: {shown:?}")))
}

fn wrong_side(side: &str) -> Error {
    SslError::configuration(format!("cannot create a {side} socket with a context of the other side"))
}

/// Moves the plain bytes that there are; neither the end of the stream nor its absence is an error here.
fn read_plain(connection: &mut Connection, plain: &mut Vec<u8>) {
    let mut reader = connection.reader();
    while let Ok(chunk) = reader.fill_buf() {
        let n = chunk.len();
        if n == 0 {
            return;
        }
        plain.extend_from_slice(chunk);
        reader.consume(n);
    }
}

/// Takes what rustls wants to send.
struct Sink<'a> {
    send: &'a mut dyn FnMut(&[&[u8]]),
}

impl Write for Sink<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        (self.send)(&[data]);
        Ok(data.len())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut pieces: [&[u8]; MAX_SLICES] = [&[]; MAX_SLICES];
        let n_pieces = slices.len().min(MAX_SLICES);
        for (piece, slice) in pieces.iter_mut().zip(slices) {
            *piece = slice;
        }
        (self.send)(&pieces[..n_pieces]);
        Ok(pieces[..n_pieces].iter().map(|piece| piece.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As many as rustls hands over at once.
const MAX_SLICES: usize = 64;

/// RFC 6066, section 3: a fatal alert, `unrecognized_name`, in a plain record of TLS 1.2 (RFC 8446, section 5.1).
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];
/// The same with `internal_error` (RFC 8446, section 6): the program chose a context that cannot serve.
const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// The suites whose names in rustls are not those of the registry.
const IANA: [(&str, &str); 3] = [
    ("TLS13_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
    ("TLS13_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
    ("TLS13_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),
];
