//! The surroundings of a scenario, which the runner has made.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// `params` of the start message: section 2 of `SCENARIOS.md`.
#[derive(Debug)]
pub(crate) struct Params {
    /// The directory that files are made in.
    pub(crate) directory: PathBuf,
    /// Where a Unix server listens.
    pub(crate) path: PathBuf,
    /// The certificate of a TLS server, in PEM.
    pub(crate) certificate: PathBuf,
    /// The private key of the certificate.
    pub(crate) key: PathBuf,
    /// The peer's address, for a client of the kind.
    pub(crate) connect: Option<PeerAddress>,
    /// Where a program may connect, by the names that it uses.
    destinations: Vec<(&'static str, PeerAddress)>,
}

/// Where to connect.
#[derive(Clone, Debug)]
pub(crate) enum PeerAddress {
    Inet { host: String, port: u16 },
    Unix(PathBuf),
}

impl Params {
    pub(crate) fn parse(params: &Map<String, Value>) -> Result<Self, String> {
        let path = |key: &str| PathBuf::from(params.get(key).and_then(Value::as_str).unwrap_or_default());
        let address = |key: &str| params.get(key).map(PeerAddress::parse).transpose();
        let mut destinations = Vec::new();
        for name in DESTINATIONS {
            destinations.extend(address(name)?.map(|address| (name, address)));
        }
        Ok(Params {
            directory: path("dir"),
            path: path("path"),
            certificate: path("cert"),
            key: path("key"),
            connect: address("connect")?,
            destinations,
        })
    }

    /// Where `to` leads.
    pub(crate) fn destination(&self, to: &str) -> Option<&PeerAddress> {
        self.destinations.iter().find(|(name, _)| *name == to).map(|(_, address)| address)
    }

    /// A file in the directory of the scenario.
    pub(crate) fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.join(name)
    }
}

impl PeerAddress {
    pub(crate) fn parse(address: &Value) -> Result<Self, String> {
        let wrong = || format!("not an address: {address}");
        match address {
            Value::String(path) => Ok(PeerAddress::Unix(path.into())),
            Value::Array(parts) => {
                let [host, port] = parts.as_slice() else { return Err(wrong()) };
                let host = host.as_str().ok_or_else(wrong)?.to_owned();
                let port = port.as_u64().and_then(|port| u16::try_from(port).ok()).ok_or_else(wrong)?;
                Ok(PeerAddress::Inet { host, port })
            }
            _ => Err(wrong()),
        }
    }
}

const DESTINATIONS: [&str; 3] = ["listen", "refused", "blackhole"];
