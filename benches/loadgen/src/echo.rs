use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use crate::Options;
use crate::answers::Answers;
use crate::report::Report;
use crate::socket;
use crate::wire::Wire;
use bench_epoll::{Epoll, Interest};

pub(crate) fn run(options: &Options) -> io::Result<()> {
    let mut first = options.wire(socket::connect(options.port)?)?;
    options.check(&mut first, false)?;
    drop(first);
    let outgoing = Outgoing::new(options);
    let mut epoll = Epoll::new()?;
    let mut connections = Vec::with_capacity(options.n_connections);
    for token in 0..options.n_connections {
        let wire = options.wire(socket::connect(options.port)?)?;
        wire.socket().set_nonblocking(true)?;
        epoll.add(wire.socket(), Interest::Read, token)?;
        connections.push(Connection {
            wire,
            token,
            under_way: VecDeque::new(),
            n_unsent: 0,
            send_from: 0,
            answers: options.answers(),
            waits_to_write: false,
        });
    }

    let mut report = Report::start(options);
    let start = Instant::now();
    for connection in &mut connections {
        connection.send(options.depth, start, &outgoing, &epoll)?;
    }
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let n_ready = epoll.wait(Some(Duration::from_millis(100)))?;
        let now = Instant::now();
        if !report.tick(now) {
            return report.print(options.reported_size());
        }
        for index in 0..n_ready {
            let ready = epoll.ready(index);
            let connection = &mut connections[ready.token];
            if ready.writable {
                connection.flush(&outgoing, &epoll)?;
            }
            if !ready.readable {
                continue;
            }
            let n_messages = connection.receive(&mut buffer, options, &mut report)?;
            if n_messages > 0 {
                connection.send(n_messages, now, &outgoing, &epoll)?;
            }
        }
    }
}

struct Connection {
    wire: Wire,
    token: usize,
    /// When messages were sent and how many at that time, oldest first.
    under_way: VecDeque<(Instant, usize)>,
    /// Bytes that the kernel has not taken yet.
    n_unsent: usize,
    /// Where in its message the next byte to send is.
    send_from: usize,
    answers: Answers,
    waits_to_write: bool,
}

impl Connection {
    fn send(&mut self, n_messages: usize, now: Instant, outgoing: &Outgoing, epoll: &Epoll) -> io::Result<()> {
        self.under_way.push_back((now, n_messages));
        self.n_unsent += n_messages * outgoing.size;
        self.flush(outgoing, epoll)
    }

    fn flush(&mut self, outgoing: &Outgoing, epoll: &Epoll) -> io::Result<()> {
        while self.n_unsent > 0 {
            let end = outgoing.bytes.len().min(self.send_from + self.n_unsent);
            match self.wire.write(&outgoing.bytes[self.send_from..end]) {
                Ok(n_sent) => {
                    self.n_unsent -= n_sent;
                    self.send_from = (self.send_from + n_sent) % outgoing.size;
                }
                Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                Err(err) => return Err(err),
            }
        }
        if self.wire.has_records() {
            match self.wire.flush() {
                Err(err) if err.kind() != ErrorKind::WouldBlock => return Err(err),
                _ => {}
            }
        }
        let waits_to_write = self.n_unsent > 0 || self.wire.has_records();
        if waits_to_write != self.waits_to_write {
            self.waits_to_write = waits_to_write;
            let interest = if waits_to_write { Interest::Both } else { Interest::Read };
            epoll.modify(self.wire.socket(), interest, self.token)?;
        }
        Ok(())
    }

    /// Reads what one readiness event stands for and returns how many messages that completed.
    fn receive(&mut self, buffer: &mut [u8], options: &Options, report: &mut Report) -> io::Result<usize> {
        let mut n_messages = 0;
        loop {
            match self.wire.read(buffer) {
                Ok(0) => return Err(io::Error::other("the server closed a connection")),
                Ok(n_bytes) => n_messages += self.answers.count(&buffer[..n_bytes])?,
                Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                Err(err) => return Err(err),
            }
            if !self.wire.reads_on() {
                break;
            }
        }
        let now = Instant::now();
        let mut n_left = n_messages;
        while n_left > 0 {
            let Some((sent_at, n_sent)) = self.under_way.front_mut() else {
                return Err(io::Error::other("more came back than was sent"));
            };
            let n_taken = n_left.min(*n_sent);
            report.add(now.duration_since(*sent_at), (n_taken * options.n_lines.max(1)) as u64);
            *n_sent -= n_taken;
            n_left -= n_taken;
            if *n_sent == 0 {
                self.under_way.pop_front();
            }
        }
        Ok(n_messages)
    }
}

/// As many copies of the message as are sent with one call.
struct Outgoing {
    size: usize,
    bytes: Vec<u8>,
}

impl Outgoing {
    fn new(options: &Options) -> Outgoing {
        let message = options.message(false);
        let n_copies = options.depth.min((LARGEST_WRITE / message.len()).max(1));
        Outgoing { size: message.len(), bytes: message.repeat(n_copies) }
    }
}

const READ_SIZE: usize = 256 * 1024;

/// A call with more than a socket buffer holds is cut short by the kernel anyway.
const LARGEST_WRITE: usize = 1024 * 1024;
