use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use bench_epoll::{Epoll, Interest};

use crate::Options;
use crate::report::Report;

/// Datagrams may be lost: a socket to which nothing comes back for this long sends anew.
const PATIENCE: Duration = Duration::from_millis(100);

pub(crate) fn run(options: &Options) -> io::Result<()> {
    let mut epoll = Epoll::new()?;
    let mut clients = Vec::with_capacity(options.n_connections);
    for token in 0..options.n_connections {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect((Ipv4Addr::LOCALHOST, options.port))?;
        socket.set_nonblocking(true)?;
        epoll.add(&socket, Interest::Read, token)?;
        clients.push(Client { socket, under_way: VecDeque::new() });
    }
    let message = options.message(false);
    let mut buffer = vec![0; 64 * 1024];
    let mut report = Report::start(options);
    let mut looked_at = Instant::now();
    for client in &mut clients {
        client.send(&message, options.depth)?;
    }
    loop {
        let n_ready = epoll.wait(Some(PATIENCE))?;
        let now = Instant::now();
        if !report.tick(now) {
            return report.print(options.size);
        }
        for index in 0..n_ready {
            let client = &mut clients[epoll.ready(index).token];
            let n_received = client.receive(&mut buffer, message.len(), &mut report)?;
            client.send(&message, n_received)?;
        }
        if now.duration_since(looked_at) > PATIENCE {
            looked_at = now;
            for client in &mut clients {
                if client.under_way.front().is_none_or(|sent_at| now.duration_since(*sent_at) > PATIENCE) {
                    client.under_way.clear();
                    client.send(&message, options.depth)?;
                }
            }
        }
    }
}

struct Client {
    socket: UdpSocket,
    /// When the messages were sent to which no answer has come, oldest first.
    under_way: VecDeque<Instant>,
}

impl Client {
    fn send(&mut self, message: &[u8], n_messages: usize) -> io::Result<()> {
        let now = Instant::now();
        for _ in 0..n_messages {
            match self.socket.send(message) {
                Ok(_) => self.under_way.push_back(now),
                // Counts as lost.
                Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                Err(err) => return Err(err),
            }
        }
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], size: usize, report: &mut Report) -> io::Result<usize> {
        let now = Instant::now();
        let mut n_received = 0;
        loop {
            match self.socket.recv(buffer) {
                Ok(n_bytes) if n_bytes == size => {}
                Ok(n_bytes) => return Err(io::Error::other(format!("a datagram of {n_bytes} bytes came back"))),
                Err(err) if err.kind() == ErrorKind::WouldBlock => return Ok(n_received),
                Err(err) => return Err(err),
            }
            // One that was given up may come after all.
            if let Some(sent_at) = self.under_way.pop_front() {
                n_received += 1;
                report.add(now.duration_since(sent_at), 1);
            }
        }
    }
}
