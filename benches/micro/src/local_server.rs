//! What the connections of a measurement go to.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};

/// A server in a thread of its own, whose processor time does not count: it accepts, and closes when the client has.
pub(crate) struct LocalServer {
    pub(crate) port: u16,
    hosts: Vec<String>,
}

impl LocalServer {
    pub(crate) fn start() -> LocalServer {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        // Never joined: it ends with the process.
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                // Waits until the client has closed; a reset will do.
                let _ = stream.read(&mut [0]);
            }
        });
        LocalServer { port, hosts: (1..=N_ADDRESSES).map(|last| format!("127.0.0.{last}")).collect() }
    }

    /// Another address for each connection: those that were closed keep their ports for a minute.
    pub(crate) fn host(&self, index: usize) -> &str {
        &self.hosts[index % self.hosts.len()]
    }
}

/// At 20,000 connections each then has 100 ports in use.
const N_ADDRESSES: usize = 200;
