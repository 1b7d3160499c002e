use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use bench_epoll::{Epoll, Interest};

use crate::READ_SIZE;
use crate::accepting::{LISTENER, accept_all};

/// Level-triggered, one read and one write for each wake-up, one buffer for all connections, no allocation for a
/// message that the kernel takes whole.
pub(crate) fn run(listener: TcpListener) -> io::Result<()> {
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
                    Ok(Connection { stream, unsent: Vec::new() })
                })?;
                continue;
            }
            let connection = connections[token].as_mut();
            if !connection.is_some_and(|connection| connection.echo(&mut buffer, &epoll, token)) {
                connections[token] = None;
            }
        }
    }
}

struct Connection {
    stream: TcpStream,
    /// What the kernel has not taken. Nothing is read until it is empty, so it never exceeds one read.
    unsent: Vec<u8>,
}

impl Connection {
    /// False when the connection has ended.
    fn echo(&mut self, buffer: &mut [u8], epoll: &Epoll, token: usize) -> bool {
        let result = if self.unsent.is_empty() { self.read(buffer, epoll, token) } else { self.flush(epoll, token) };
        match result {
            Ok(is_open) => is_open,
            Err(err) => err.kind() == ErrorKind::WouldBlock,
        }
    }

    fn read(&mut self, buffer: &mut [u8], epoll: &Epoll, token: usize) -> io::Result<bool> {
        let n_read = self.stream.read(buffer)?;
        if n_read == 0 {
            return Ok(false);
        }
        let n_written = match self.stream.write(&buffer[..n_read]) {
            Err(err) if err.kind() == ErrorKind::WouldBlock => 0,
            result => result?,
        };
        if n_written < n_read {
            self.unsent = buffer[n_written..n_read].to_vec();
            epoll.modify(&self.stream, Interest::Write, token)?;
        }
        Ok(true)
    }

    fn flush(&mut self, epoll: &Epoll, token: usize) -> io::Result<bool> {
        let n_written = self.stream.write(&self.unsent)?;
        self.unsent.drain(..n_written);
        if self.unsent.is_empty() {
            // The memory too: an idle connection holds none.
            self.unsent = Vec::new();
            epoll.modify(&self.stream, Interest::Read, token)?;
        }
        Ok(true)
    }
}
