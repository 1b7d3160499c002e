use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use socket2::Socket;

/// What a connection's bytes go through: the socket alone, or TLS on it.
pub(crate) enum Wire {
    Plain(Socket),
    Tls(Box<Secure>),
}

pub(crate) struct Secure {
    socket: Socket,
    connection: ClientConnection,
}

impl Wire {
    /// A connection over TLS, after its handshake; the socket blocks.
    pub(crate) fn secure(mut socket: Socket, config: &Arc<ClientConfig>) -> io::Result<Wire> {
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let mut connection = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(Wire::Tls(Box::new(Secure { socket, connection })))
    }

    pub(crate) fn socket(&self) -> &Socket {
        match self {
            Wire::Plain(socket) => socket,
            Wire::Tls(secure) => &secure.socket,
        }
    }

    /// Whether another read may give bytes before the socket is ready again.
    pub(crate) fn reads_on(&self) -> bool {
        matches!(self, Wire::Tls(_))
    }

    /// Whether records wait for the socket to take them.
    pub(crate) fn has_records(&self) -> bool {
        matches!(self, Wire::Tls(secure) if secure.connection.wants_write())
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Secure { socket, connection } = match self {
            Wire::Plain(socket) => return socket.read(buffer),
            Wire::Tls(secure) => &mut **secure,
        };
        loop {
            match connection.reader().read(buffer) {
                Err(err) if err.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            if connection.read_tls(socket)? == 0 {
                return Ok(0);
            }
            connection.process_new_packets().map_err(io::Error::other)?;
        }
    }
}

impl Write for Wire {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if let Wire::Plain(socket) = self {
            return socket.write(data);
        }
        self.flush()?;
        let Wire::Tls(secure) = self else { return Ok(0) };
        let n_taken = secure.connection.writer().write(data)?;
        match self.flush() {
            Err(err) if err.kind() != ErrorKind::WouldBlock => Err(err),
            _ => Ok(n_taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Wire::Tls(secure) = self {
            while secure.connection.wants_write() {
                secure.connection.write_tls(&mut secure.socket)?;
            }
        }
        Ok(())
    }
}

/// TLS 1.3 with the one suite that every server then takes. Any certificate will do: what is measured is the server.
pub(crate) fn client_config() -> io::Result<Arc<ClientConfig>> {
    let provider = CryptoProvider { cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256], ..default_provider() };
    let anybody = AnyServer(provider.signature_verification_algorithms);
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(anybody))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct AnyServer(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
