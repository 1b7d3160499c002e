use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use bench_epoll::{Epoll, Interest};
use socket2::Socket;

use crate::Options;
use crate::answers::Answers;
use crate::report::Report;
use crate::socket;
use crate::wire::Wire;

pub(crate) fn run(options: &Options) -> io::Result<()> {
    options.check(&mut Wire::Plain(socket::connect(options.port)?), true)?;
    let message = options.message(true);
    let mut buffer = vec![0; 64 * 1024];
    let mut epoll = Epoll::new()?;
    let mut report = Report::start(options);
    let mut visits =
        (0..options.n_connections).map(|token| Visit::start(options, &epoll, token)).collect::<io::Result<Vec<_>>>()?;
    loop {
        let n_ready = epoll.wait(Some(Duration::from_millis(100)))?;
        if !report.tick(Instant::now()) {
            return report.print(options.reported_size());
        }
        for index in 0..n_ready {
            let token = epoll.ready(index).token;
            let visit = &mut visits[token];
            if !visit.has_sent {
                visit.send(&message, &epoll, token)?;
            } else if visit.receive(&mut buffer)? {
                report.add(visit.started_at.elapsed(), 1);
                // The old connection is closed by the assignment, after the new one has started.
                *visit = Visit::start(options, &epoll, token)?;
            }
        }
    }
}

/// One connection: connect, send one message, read its answer, close. Where the server is told that the message is the
/// last, its end of the stream is waited for.
struct Visit {
    socket: Socket,
    started_at: Instant,
    has_sent: bool,
    answers: Answers,
    is_answered: bool,
    waits_for_end: bool,
}

impl Visit {
    fn start(options: &Options, epoll: &Epoll, token: usize) -> io::Result<Visit> {
        let started_at = Instant::now();
        let socket = socket::start_connect(options.port)?;
        epoll.add(&socket, Interest::Write, token)?;
        let (answers, waits_for_end) = (options.answers(), options.http.is_some());
        Ok(Visit { socket, started_at, has_sent: false, answers, is_answered: false, waits_for_end })
    }

    /// Called when the connection is made (or has failed, which the call then says).
    fn send(&mut self, message: &[u8], epoll: &Epoll, token: usize) -> io::Result<()> {
        let n_sent = self.socket.write(message)?;
        if n_sent < message.len() {
            return Err(io::Error::other("a message for churn has to fit a socket buffer: use a smaller --size"));
        }
        self.has_sent = true;
        epoll.modify(&self.socket, Interest::Read, token)
    }

    /// True when nothing more is to come.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        match self.socket.read(buffer) {
            Ok(0) if self.is_answered => return Ok(true),
            Ok(0) => return Err(io::Error::other("the server closed a connection before its answer")),
            Ok(n_bytes) => self.is_answered |= self.answers.count(&buffer[..n_bytes])? > 0,
            Err(err) if err.kind() == ErrorKind::WouldBlock => {}
            Err(err) => return Err(err),
        }
        Ok(self.is_answered && !self.waits_for_end)
    }
}
