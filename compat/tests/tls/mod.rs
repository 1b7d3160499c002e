//! Certificates for the tests of TLS, made when they run.

#![allow(dead_code, reason = "each test binary needs only a part")]

use std::sync::atomic::{AtomicU32, Ordering};

use foster_compat::{Result, SslContext, SslContextBuilder};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, date_time_ymd,
};

/// An authority, and what it has signed.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM text.
pub(crate) struct Identity {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        static N_AUTHORITIES: AtomicU32 = AtomicU32::new(0);
        params.distinguished_name = called(&format!("authority {}", N_AUTHORITIES.fetch_add(1, Ordering::Relaxed)));
        let key = KeyPair::generate().expect("a key");
        Authority { issuer: CertifiedIssuer::self_signed(params, key).expect("a certificate") }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(crate) fn sign(&self, names: &[&str]) -> Identity {
        let all: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(all).expect("names");
        // OpenSSL takes a certificate whose subject is its issuer for one that has signed itself.
        params.distinguished_name = called(names[0]);
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.issuer).expect("signed");
        Identity { cert: cert.pem(), key: key.serialize_pem() }
    }

    /// A server called `localhost` and `127.0.0.1`.
    pub(crate) fn server(&self) -> SslContextBuilder {
        let Identity { cert, key } = self.sign(&["localhost", "127.0.0.1"]);
        SslContext::server().load_cert_chain_pem(cert, key)
    }

    /// A client that trusts this authority only.
    pub(crate) fn client(&self) -> SslContextBuilder {
        SslContext::client().load_verify_pem(self.pem())
    }
}

fn called(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// Both sides, each trusting the other as far as it has to.
pub(crate) fn contexts() -> Result<(SslContext, SslContext)> {
    let authority = Authority::new();
    Ok((authority.server().build()?, authority.client().build()?))
}

/// What `openssl req -x509` makes: signed by itself, and an authority by its own words.
pub(crate) fn self_signed_authority(name: &str) -> Identity {
    self_signed_until(name, 4096)
}

/// As [`self_signed_authority`], valid until the beginning of a year.
pub(crate) fn self_signed_until(name: &str, year: i32) -> Identity {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let cert = params.self_signed(&key).expect("a certificate");
    Identity { cert: cert.pem(), key: key.serialize_pem() }
}
