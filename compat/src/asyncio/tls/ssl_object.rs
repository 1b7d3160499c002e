//! What is known of a TLS connection after its handshake.

use std::fmt;

use rustls::pki_types::CertificateDer;

use super::context::{SslContext, TlsVersion};
use crate::asyncio::transport_ref::TransportRef;

/// The facts of a TLS connection, as its handshake has found them: what `get_extra_info("ssl_object")` is asked for.
#[derive(Clone)]
pub struct SslObject {
    pub(super) context: SslContext,
    pub(super) server_side: bool,
    pub(super) server_hostname: Option<String>,
    pub(super) version: Option<TlsVersion>,
    pub(super) cipher: Option<Cipher>,
    pub(super) alpn_protocol: Option<String>,
    pub(super) peercert: Option<PeerCertificate>,
}

impl SslObject {
    /// The context of the connection; the chosen one after an `sni_callback`.
    pub fn context(&self) -> &SslContext {
        &self.context
    }

    /// Whether this is the side of the server.
    pub fn server_side(&self) -> bool {
        self.server_side
    }

    /// The name of the server: on a client the one connected to, on a server the one that the client has asked for.
    pub fn server_hostname(&self) -> Option<&str> {
        self.server_hostname.as_deref()
    }

    /// The version that is spoken: `version()`.
    pub fn version(&self) -> Option<TlsVersion> {
        self.version
    }

    /// The cipher suite in use.
    pub fn cipher(&self) -> Option<Cipher> {
        self.cipher
    }

    /// The application protocol that both sides have agreed on.
    pub fn selected_alpn_protocol(&self) -> Option<&str> {
        self.alpn_protocol.as_deref()
    }

    /// The certificate of the peer, if it has shown one; like Python's `getpeercert(binary_form=True)` also one that
    /// was not verified.
    pub fn getpeercert(&self) -> Option<&PeerCertificate> {
        self.peercert.as_ref()
    }
}

impl fmt::Debug for SslObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SslObject")
            .field("server_side", &self.server_side)
            .field("server_hostname", &self.server_hostname)
            .field("version", &self.version)
            .field("cipher", &self.cipher)
            .field("alpn_protocol", &self.alpn_protocol)
            .finish_non_exhaustive()
    }
}

/// The cipher suite of a connection: what Python gives as a tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cipher {
    pub(super) name: &'static str,
    pub(super) version: TlsVersion,
}

impl Cipher {
    /// The name in the registry of IANA, such as `TLS_AES_256_GCM_SHA384`; Python gives OpenSSL's, which differs for
    /// TLS 1.2.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The version of TLS that the suite belongs to.
    pub fn protocol(&self) -> TlsVersion {
        self.version
    }

    /// The length of the key in bits.
    pub fn secret_bits(&self) -> u16 {
        if self.name.contains("AES_128") { 128 } else { 256 }
    }
}

/// The certificate that a peer has shown, and the chain behind it.
#[derive(Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    pub(super) chain: Vec<CertificateDer<'static>>,
}

impl PeerCertificate {
    /// The certificate in DER. Python's dictionary of its fields is what a parser of X.509 makes of it.
    pub fn der(&self) -> &[u8] {
        self.chain.first().map_or(&[], |certificate| certificate.as_ref())
    }

    /// The certificate and those behind it, as the peer has sent them, in DER.
    pub fn chain(&self) -> impl Iterator<Item = &[u8]> {
        self.chain.iter().map(|certificate| certificate.as_ref())
    }
}

impl fmt::Debug for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerCertificate({} bytes, {} in the chain)", self.der().len(), self.chain.len())
    }
}

impl TransportRef {
    /// The facts of a connection over TLS: `get_extra_info("ssl_object")`. `None` before the end of the handshake and
    /// without TLS.
    pub fn ssl_object(&self) -> Option<SslObject> {
        self.get_extra_info("ssl_object")?.downcast()
    }

    /// The certificate of the peer: `get_extra_info("peercert")`. `None` if it has shown none.
    pub fn peercert(&self) -> Option<PeerCertificate> {
        self.get_extra_info("peercert")?.downcast()
    }

    /// The cipher suite: `get_extra_info("cipher")`.
    pub fn cipher(&self) -> Option<Cipher> {
        self.get_extra_info("cipher")?.downcast()
    }

    /// The context, from the start: `get_extra_info("sslcontext")`.
    pub fn sslcontext(&self) -> Option<SslContext> {
        self.get_extra_info("sslcontext")?.downcast()
    }
}
