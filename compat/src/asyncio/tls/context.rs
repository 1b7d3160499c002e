//! [`SslContext`]: certificates, keys and settings of TLS.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::client_verifier::ClientVerifier;
use super::provider::SslProvider;
use super::ssl_error::SslError;
use super::verifier::{NoVerification, Verifier};
use crate::error::{Error, Result};
use crate::runtime::Failure;

/// Certificates, keys and settings of one side of TLS: Python's `ssl.SSLContext`, a cheap clone that threads may
/// share.
///
/// Made by [`client`](SslContext::client) or [`server`](SslContext::server); it does not change afterwards, so a
/// server that gets a new certificate makes a new context, or chooses with
/// [`sni_callback`](SslContextBuilder::sni_callback).
///
/// # Examples
///
/// ```no_run
/// use foster_compat::SslContext;
///
/// let server = SslContext::server().load_cert_chain("cert.pem", "key.pem").set_alpn_protocols(["http/1.1"]).build()?;
/// // Verifies the server's name and certificate with the system's authorities.
/// let client = SslContext::client().build()?;
/// # foster_compat::Ok(())
/// ```
#[derive(Clone)]
pub struct SslContext {
    state: Arc<State>,
}

struct State {
    side: Side,
    sni_callback: Option<SniCallback>,
    alpn_protocols: Vec<String>,
    verify_mode: VerifyMode,
    check_hostname: bool,
    provider: SslProvider,
}

#[derive(Clone)]
pub(super) enum Side {
    Client(Arc<ClientConfig>),
    Server(Arc<ServerConfig>),
}

type SniCallback = Box<dyn Fn(&ClientHello<'_>) -> Result<Option<SslContext>> + Send + Sync>;

/// What a client has said first, as [`sni_callback`](SslContextBuilder::sni_callback) sees it.
#[derive(Debug)]
pub struct ClientHello<'a> {
    pub(super) server_name: Option<&'a str>,
    pub(super) alpn: Vec<&'a [u8]>,
}

impl<'a> ClientHello<'a> {
    /// The name that the client asks for (SNI), if it gave one.
    pub fn server_name(&self) -> Option<&'a str> {
        self.server_name
    }

    /// The application protocols that the client offers, its favourite first.
    pub fn alpn_protocols(&self) -> &[&'a [u8]] {
        &self.alpn
    }
}

/// Whether the peer has to show a certificate: Python's `ssl.VerifyMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VerifyMode {
    /// `CERT_NONE`: none is asked for by a server; a client takes any.
    None,
    /// `CERT_OPTIONAL`: a client may show none. For a client context the same as `Required`.
    Optional,
    /// `CERT_REQUIRED`.
    Required,
}

/// Python's `ssl.TLSVersion`. Older versions are not spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// RFC 5246.
    TlsV1_2,
    /// RFC 8446.
    TlsV1_3,
}

impl SslContext {
    /// A context for connecting: `ssl.create_default_context()`. It verifies the name and the certificate of the server
    /// with the system's authorities, unless told otherwise.
    pub fn client() -> SslContextBuilder {
        SslContextBuilder::new(true)
    }

    /// A context for accepting: `ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)`. It needs a certificate and asks
    /// for none.
    pub fn server() -> SslContextBuilder {
        SslContextBuilder::new(false)
    }

    /// Whether it is for the side of the server.
    pub fn is_server_side(&self) -> bool {
        matches!(self.state.side, Side::Server(_))
    }

    /// Whether the peer has to show a certificate.
    pub fn verify_mode(&self) -> VerifyMode {
        self.state.verify_mode
    }

    /// Whether the certificate of the server has to bear its name.
    pub fn check_hostname(&self) -> bool {
        self.state.check_hostname
    }

    /// The application protocols, the favourite first.
    pub fn alpn_protocols(&self) -> &[String] {
        &self.state.alpn_protocols
    }

    /// The implementation of the cryptography.
    pub fn provider(&self) -> SslProvider {
        self.state.provider
    }

    /// Whether both are the same object: Python's `is`.
    pub fn ptr_eq(&self, other: &SslContext) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }

    pub(super) fn side(&self) -> &Side {
        &self.state.side
    }

    /// Whether the program chooses the context of each client.
    pub(super) fn has_sni_callback(&self) -> bool {
        self.state.sni_callback.is_some()
    }

    /// Asks the program which context a client is served with. A panic is an error as any other: it ends one handshake.
    pub(super) fn choose(&self, hello: &ClientHello<'_>) -> Result<SslContext> {
        let Some(choose) = &self.state.sni_callback else { return Ok(self.clone()) };
        let chosen = catch_unwind(AssertUnwindSafe(|| choose(hello)));
        let chosen = chosen.unwrap_or_else(|payload| Err(Failure::Panic(payload).into_error()))?;
        Ok(chosen.unwrap_or_else(|| self.clone()))
    }
}

impl fmt::Debug for SslContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SslContext")
            .field("is_server_side", &self.is_server_side())
            .field("verify_mode", &self.state.verify_mode)
            .field("check_hostname", &self.state.check_hostname)
            .field("alpn_protocols", &self.state.alpn_protocols)
            .field("provider", &self.state.provider)
            .finish_non_exhaustive()
    }
}

/// An [`SslContext`] to be. The first mistake is what [`build`](SslContextBuilder::build) gives.
#[must_use = "it is no context until it is built"]
pub struct SslContextBuilder {
    is_client: bool,
    certificates: Vec<CertificateDer<'static>>,
    key: Option<PrivateKeyDer<'static>>,
    trusted: Vec<CertificateDer<'static>>,
    wants_default_certs: bool,
    verify_mode: VerifyMode,
    check_hostname: bool,
    alpn_protocols: Vec<String>,
    sni_callback: Option<SniCallback>,
    minimum_version: TlsVersion,
    maximum_version: TlsVersion,
    provider: SslProvider,
    mistake: Option<Error>,
}

impl SslContextBuilder {
    fn new(is_client: bool) -> Self {
        SslContextBuilder {
            is_client,
            certificates: Vec::new(),
            key: None,
            trusted: Vec::new(),
            wants_default_certs: false,
            verify_mode: if is_client { VerifyMode::Required } else { VerifyMode::None },
            check_hostname: is_client,
            alpn_protocols: Vec::new(),
            sni_callback: None,
            minimum_version: TlsVersion::TlsV1_2,
            maximum_version: TlsVersion::TlsV1_3,
            provider: SslProvider::default(),
            mistake: None,
        }
    }

    /// The own certificate, with the intermediate ones behind it, and its key, each a PEM file; both may be the same:
    /// `context.load_cert_chain`. A key with a password is not taken.
    pub fn load_cert_chain(self, certfile: impl AsRef<Path>, keyfile: impl AsRef<Path>) -> Self {
        let read = |path: &Path| std::fs::read(path).map_err(|err| cannot_read(path, &err.to_string()));
        match (read(certfile.as_ref()), read(keyfile.as_ref())) {
            (Ok(certificates), Ok(key)) => self.load_cert_chain_pem(certificates, key),
            (Err(err), _) | (_, Err(err)) => self.mistaken(err),
        }
    }

    /// As [`load_cert_chain`](SslContextBuilder::load_cert_chain), from PEM text in memory.
    pub fn load_cert_chain_pem(mut self, certificates: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        match certificates_in(certificates.as_ref()) {
            Ok(chain) => self.certificates = chain,
            Err(err) => return self.mistaken(err),
        }
        match PrivateKeyDer::from_pem_slice(key.as_ref()) {
            Ok(key) => self.key = Some(key),
            Err(err) => {
                let has_password = key.as_ref().windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED);
                let reason =
                    if has_password { "it has a password, write it without one".into() } else { err.to_string() };
                return self.mistaken(SslError::configuration(format!("no usable private key: {reason}")));
            }
        }
        self
    }

    /// Trusts the certificates of a PEM file: `context.load_verify_locations(cafile)`.
    pub fn load_verify_locations(self, cafile: impl AsRef<Path>) -> Self {
        let path = cafile.as_ref();
        match std::fs::read(path) {
            Ok(pem) => self.load_verify_pem(pem),
            Err(err) => self.mistaken(cannot_read(path, &err.to_string())),
        }
    }

    /// As [`load_verify_locations`](SslContextBuilder::load_verify_locations), from PEM text in memory: `cadata`.
    pub fn load_verify_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        match certificates_in(pem.as_ref()) {
            Ok(mut trusted) => self.trusted.append(&mut trusted),
            Err(err) => return self.mistaken(err),
        }
        self
    }

    /// Trusts the system's authorities as well: `context.load_default_certs`. A client context that was given nothing
    /// to trust does so anyway. `SSL_CERT_FILE` and `SSL_CERT_DIR` replace them, as in OpenSSL.
    pub fn load_default_certs(mut self) -> Self {
        self.wants_default_certs = true;
        self
    }

    /// Whether the peer has to show a certificate: `context.verify_mode`. `Required` for a client, `None` for a server. A
    /// client that takes any certificate has to say `check_hostname(false)` too, as in Python.
    pub fn verify_mode(mut self, mode: VerifyMode) -> Self {
        self.verify_mode = mode;
        self
    }

    /// Whether the certificate of the server has to bear the name that was connected to: `context.check_hostname`. So
    /// unless set.
    pub fn check_hostname(mut self, is_on: bool) -> Self {
        self.check_hostname = is_on;
        self
    }

    /// The application protocols to offer or to take, the favourite first: `context.set_alpn_protocols`. A client that
    /// offers none of a server's is refused; one that offers nothing is served.
    pub fn set_alpn_protocols<T: Into<String>>(mut self, protocols: impl IntoIterator<Item = T>) -> Self {
        self.alpn_protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Called on a server with the first words of each client, to choose another context by the name it asks for:
    /// `context.sni_callback`. `None` keeps this one; an error or a panic ends the handshake, and the exception handler
    /// is told unless it is one that connections have anyway.
    pub fn sni_callback<F>(mut self, choose: F) -> Self
    where
        F: Fn(&ClientHello<'_>) -> Result<Option<SslContext>> + Send + Sync + 'static,
    {
        self.sni_callback = Some(Box::new(choose));
        self
    }

    /// The oldest version to speak: `context.minimum_version`, TLS 1.2 unless set.
    pub fn minimum_version(mut self, version: TlsVersion) -> Self {
        self.minimum_version = version;
        self
    }

    /// The newest version to speak: `context.maximum_version`, TLS 1.3 unless set.
    pub fn maximum_version(mut self, version: TlsVersion) -> Self {
        self.maximum_version = version;
        self
    }

    /// The implementation of the cryptography: ring, where it is compiled in, unless set.
    pub fn provider(mut self, provider: SslProvider) -> Self {
        self.provider = provider;
        self
    }

    /// The context.
    ///
    /// # Errors
    ///
    /// An [`SslError`] that says what cannot be used: a file that cannot be read or holds no certificate or key, a key
    /// that does not fit its certificate, a server without a certificate, nothing to verify the peer with, a name
    /// to check in a certificate that is not verified, a minimum above the maximum version, an application protocol that
    /// is empty or longer than 255 bytes.
    pub fn build(mut self) -> Result<SslContext> {
        if let Some(mistake) = self.mistake.take() {
            return Err(mistake);
        }
        if self.is_client && self.verify_mode == VerifyMode::None && self.check_hostname {
            let message = "cannot set verify_mode to CERT_NONE when check_hostname is enabled";
            return Err(SslError::configuration(message));
        }
        if self.minimum_version > self.maximum_version {
            let (low, high) = (self.minimum_version, self.maximum_version);
            return Err(SslError::configuration(format!("minimum_version {low:?} is above maximum_version {high:?}")));
        }
        // RFC 7301, section 3.1: a name is 1 to 255 bytes.
        if let Some(name) = self.alpn_protocols.iter().find(|name| !(1..=255).contains(&name.len())) {
            let len = name.len();
            return Err(SslError::configuration(format!("an ALPN protocol has 1 to 255 bytes, not {len}")));
        }
        let side = if self.is_client { self.client_side()? } else { self.server_side()? };
        Ok(SslContext {
            state: Arc::new(State {
                side,
                sni_callback: self.sni_callback,
                alpn_protocols: self.alpn_protocols,
                verify_mode: self.verify_mode,
                check_hostname: self.is_client && self.check_hostname,
                provider: self.provider,
            }),
        })
    }

    fn client_side(&mut self) -> Result<Side> {
        let provider = self.provider.provider();
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&self.versions())
            .map_err(|err| SslError::from_rustls(&err))?
            .dangerous();
        let builder = if self.verify_mode == VerifyMode::None {
            builder.with_custom_certificate_verifier(Arc::new(NoVerification(provider)))
        } else {
            self.wants_default_certs |= self.trusted.is_empty();
            let (roots, trusted) = (self.roots(), self.trusted.clone());
            let verifier = Verifier::new(roots, trusted, self.check_hostname, provider);
            builder.with_custom_certificate_verifier(Arc::new(verifier.map_err(SslError::configuration)?))
        };
        let mut config = match self.key.take() {
            Some(key) => builder
                .with_client_auth_cert(std::mem::take(&mut self.certificates), key)
                .map_err(|err| SslError::own_certificate(&err))?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn();
        // Python resumes a session only if it is given one.
        config.resumption = Resumption::disabled();
        Ok(Side::Client(Arc::new(config)))
    }

    fn server_side(&mut self) -> Result<Side> {
        let provider = self.provider.provider();
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&self.versions())
            .map_err(|err| SslError::from_rustls(&err))?;
        let builder = match self.verify_mode {
            VerifyMode::None => builder.with_no_client_auth(),
            mode => {
                let is_optional = mode == VerifyMode::Optional;
                let clients = ClientVerifier::new(self.roots(), self.trusted.clone(), is_optional, provider);
                builder.with_client_cert_verifier(Arc::new(clients.map_err(SslError::configuration)?))
            }
        };
        let Some(key) = self.key.take() else {
            return Err(SslError::configuration("a server needs a certificate and its key: load_cert_chain"));
        };
        let config = builder.with_single_cert(std::mem::take(&mut self.certificates), key);
        let mut config = config.map_err(|err| SslError::own_certificate(&err))?;
        config.alpn_protocols = self.alpn();
        Ok(Side::Server(Arc::new(config)))
    }

    /// What is trusted, without what rustls cannot read, which there is in every system's store.
    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.trusted.iter().cloned());
        if self.wants_default_certs {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        roots
    }

    fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let all = [(TlsVersion::TlsV1_2, &rustls::version::TLS12), (TlsVersion::TlsV1_3, &rustls::version::TLS13)];
        let wanted = self.minimum_version..=self.maximum_version;
        all.into_iter().filter(|(version, _)| wanted.contains(version)).map(|(_, version)| version).collect()
    }

    fn alpn(&self) -> Vec<Vec<u8>> {
        self.alpn_protocols.iter().map(|name| name.clone().into_bytes()).collect()
    }

    fn mistaken(mut self, mistake: Error) -> Self {
        self.mistake.get_or_insert(mistake);
        self
    }
}

impl fmt::Debug for SslContextBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SslContextBuilder").field("is_client", &self.is_client).finish_non_exhaustive()
    }
}

/// In a PEM file's headers, old or new, where the key has a password.
const ENCRYPTED: &[u8] = b"ENCRYPTED";

fn certificates_in(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(SslError::configuration("there is no certificate in the PEM text")),
        Ok(found) => Ok(found),
        Err(err) => Err(SslError::configuration(format!("the PEM text cannot be read: {err}"))),
    }
}

fn cannot_read(path: &Path, reason: &str) -> Error {
    SslError::configuration(format!("cannot read {}: {reason}", path.display()))
}
