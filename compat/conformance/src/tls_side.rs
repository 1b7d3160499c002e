//! The two sides of TLS that the peer can take, before their handshake.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, ServerConfig, ServerConnection, SignatureScheme,
    SupportedProtocolVersion,
};

use crate::package_files::{certificate_file, key_file};
use crate::step_error::StepError;

/// Which versions of TLS the peer speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsVersions {
    /// 1.2 and 1.3.
    All,
    /// 1.2: `tls_max` is `"1.2"`.
    Only12,
}

/// The client's side; it takes any certificate and names no host.
pub(crate) fn tls_client(versions: TlsVersions) -> Result<Connection, StepError> {
    let connect = || -> Result<ClientConnection, rustls::Error> {
        let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions.supported())?;
        let trust = Arc::new(AnyCertificate { provider: provider() });
        let config = builder.dangerous().with_custom_certificate_verifier(trust).with_no_client_auth();
        ClientConnection::new(Arc::new(config), ServerName::from(IpAddr::V4(Ipv4Addr::LOCALHOST)))
    };
    Ok(connect().map_err(|err| impossible(&err))?.into())
}

/// The server's side, with the certificate of this package.
pub(crate) fn tls_server(versions: TlsVersions) -> Result<Connection, StepError> {
    let accept = || -> Result<ServerConnection, Box<dyn Error>> {
        let certificate = CertificateDer::from_pem_file(certificate_file())?;
        let key = PrivateKeyDer::from_pem_file(key_file())?;
        let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions.supported())?;
        let config = builder.with_no_client_auth().with_single_cert(vec![certificate], key)?;
        Ok(ServerConnection::new(Arc::new(config))?)
    };
    Ok(accept().map_err(|err| impossible(err.as_ref()))?.into())
}

impl TlsVersions {
    fn supported(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            TlsVersions::All => ALL_VERSIONS,
            TlsVersions::Only12 => ONLY_12,
        }
    }
}

static ALL_VERSIONS: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
static ONLY_12: &[&SupportedProtocolVersion] = &[&TLS12];

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn impossible(err: &dyn Error) -> StepError {
    format!("TLS cannot be set up: {err}").into()
}

/// Trusts whoever answers: scenarios are not about the peer's trust.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
