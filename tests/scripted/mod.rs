//! A server that does what a test says, byte by byte: a thread on a plain socket.

#![allow(dead_code, reason = "each test binary needs only a part")]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use foster::http1::Client;
use foster::{Result, fail_after, open_nursery, run};

/// Longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server's side of one connection.
pub(crate) struct Peer {
    stream: TcpStream,
}

impl Peer {
    /// Reads a head, and no byte more.
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.read(1));
        }
        String::from_utf8(head).expect("a head is ASCII")
    }

    /// Reads so many bytes.
    pub(crate) fn read(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        self.stream.read_exact(&mut bytes).expect("the client has sent it");
        bytes
    }

    /// What comes with one read.
    pub(crate) fn once(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 64 * 1024];
        let n = self.stream.read(&mut bytes).expect("the client has sent something");
        bytes.truncate(n);
        bytes
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the client is there");
    }

    /// As [`send`](Peer::send), to a client that may have gone: gives whether it has not.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Reads a request without a body, and answers it.
    pub(crate) fn answer(&mut self, response: impl AsRef<[u8]>) -> String {
        let head = self.head();
        self.send(response);
        head
    }

    /// The socket, for another library.
    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// What comes until the client closes the connection, in order or not.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        if let Err(err) = self.stream.read_to_end(&mut rest) {
            assert!(!matches!(err.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "the client has not closed");
        }
        rest
    }
}

/// Starts a server that takes one connection.
pub(crate) fn start(script: impl FnOnce(&mut Peer) + Send + 'static) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        drop(listener);
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        stream.set_write_timeout(Some(PATIENCE)).expect("an option");
        script(&mut Peer { stream });
    });
    (port, thread)
}

/// Runs `test` with a client whose server does what `script` says. The nursery of the client has to end by itself.
pub(crate) fn with_client(
    script: impl FnOnce(&mut Peer) + Send + 'static,
    test: impl AsyncFnOnce(Client) -> Result<()> + 'static,
) {
    let (port, thread) = start(script);
    bounded(async move {
        open_nursery(async |nursery| {
            let client = Client::connect(&nursery, format!("http://127.0.0.1:{port}")).await?;
            test(client).await
        })
        .await?;
        Ok(())
    });
    thread.join().expect("the script of the server");
}

/// Runs a future on a loop of its own.
pub(crate) fn bounded(future: impl Future<Output = Result<()>> + 'static) {
    run(async { fail_after(PATIENCE, future).await? }).expect("the test");
}
