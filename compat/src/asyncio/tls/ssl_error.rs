//! [`SslError`]: what goes wrong in TLS.

use std::fmt;

use rustls::CertificateError;

use crate::error::Error;

/// An error of TLS: Python's `ssl.SSLError`. Like Python's it counts among the operating system's errors, so it goes to
/// `connection_lost` or to who connects, and not to the exception handler.
#[derive(Clone, Debug)]
pub struct SslError {
    kind: Kind,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The certificate of the peer was not accepted.
    Verification,
    /// A configuration that cannot be used.
    Configuration,
    /// The peer has broken the protocol, or sent an alert.
    Protocol,
}

impl SslError {
    /// Whether the peer's certificate was not accepted: Python's `ssl.SSLCertVerificationError`.
    pub fn is_certificate_verification(&self) -> bool {
        self.kind == Kind::Verification
    }

    pub(super) fn configuration(message: impl Into<String>) -> Error {
        SslError { kind: Kind::Configuration, message: message.into() }.into()
    }

    pub(super) fn protocol(message: impl Into<String>) -> Error {
        SslError { kind: Kind::Protocol, message: message.into() }.into()
    }

    /// The own certificate, or its key, is of no use.
    pub(super) fn own_certificate(err: &rustls::Error) -> Error {
        SslError::configuration(format!("the own certificate and key cannot be used: {}", words(err)))
    }

    pub(super) fn from_rustls(err: &rustls::Error) -> Error {
        let kind = match err {
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => Kind::Verification,
            rustls::Error::General(_) => Kind::Configuration,
            _ => Kind::Protocol,
        };
        SslError { kind, message: words(err) }.into()
    }
}

impl fmt::Display for SslError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Verification => write!(f, "certificate verify failed: {}", self.message),
            Kind::Configuration | Kind::Protocol => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for SslError {}

/// What rustls says, but in words where it has only the name of a value.
fn words(err: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(CertificateError::Other(other)) = err else { return err.to_string() };
    match other.0.downcast_ref() {
        // What `openssl x509 -req` signs without extensions.
        Some(webpki::Error::UnsupportedCertVersion) => {
            "a certificate of version 3 is needed, with extensions such as subjectAltName".to_owned()
        }
        Some(webpki::Error::CaUsedAsEndEntity) => {
            "the certificate is that of an authority, and was not itself given as trusted".to_owned()
        }
        _ => err.to_string(),
    }
}
