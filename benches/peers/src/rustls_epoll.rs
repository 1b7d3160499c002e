use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use bench_epoll::{Epoll, Interest};
use rustls::{ServerConfig, ServerConnection};

use crate::READ_SIZE;
use crate::accepting::{LISTENER, accept_all};

/// A rustls connection for each client, on epoll, and nothing around it: what TLS itself takes.
pub(crate) fn run(listener: TcpListener, config: &Arc<ServerConfig>) -> io::Result<()> {
    let mut epoll = Epoll::new()?;
    epoll.add(&listener, Interest::Read, LISTENER)?;
    // By descriptor, which is also the token.
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut buffer = vec![0; READ_SIZE];
    loop {
        for index in 0..epoll.wait(None)? {
            let token = epoll.ready(index).token;
            if token == LISTENER {
                accept_all(&listener, &epoll, &mut connections, |stream| {
                    let tls = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
                    Ok(Connection { stream, tls: Box::new(tls), waits_to_write: false })
                })?;
                continue;
            }
            let connection = connections[token].as_mut();
            if !connection.is_some_and(|connection| connection.echo(&mut buffer, &epoll, token).unwrap_or(false)) {
                connections[token] = None;
            }
        }
    }
}

struct Connection {
    stream: TcpStream,
    tls: Box<ServerConnection>,
    /// Nothing is read until the records are sent, so rustls keeps no more than one read is answered with.
    waits_to_write: bool,
}

impl Connection {
    /// False when the connection has ended.
    fn echo(&mut self, buffer: &mut [u8], epoll: &Epoll, token: usize) -> io::Result<bool> {
        if !self.waits_to_write {
            match self.tls.read_tls(&mut self.stream) {
                Ok(0) => return Ok(false),
                Err(err) if err.kind() == ErrorKind::WouldBlock => return Ok(true),
                result => result?,
            };
            self.tls.process_new_packets().map_err(io::Error::other)?;
            loop {
                match self.tls.reader().read(buffer) {
                    Ok(0) => return Ok(false),
                    Ok(n_bytes) => self.tls.writer().write_all(&buffer[..n_bytes])?,
                    Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                    Err(err) => return Err(err),
                }
            }
        }
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.stream) {
                Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                result => result?,
            };
        }
        if self.tls.wants_write() != self.waits_to_write {
            self.waits_to_write = !self.waits_to_write;
            let interest = if self.waits_to_write { Interest::Write } else { Interest::Read };
            epoll.modify(&self.stream, interest, token)?;
        }
        Ok(true)
    }
}
