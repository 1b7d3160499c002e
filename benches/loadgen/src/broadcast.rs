use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use bench_epoll::{Epoll, Interest};

use crate::Options;
use crate::frames::Frames;
use crate::report::Report;
use crate::socket;
use crate::websocket::WebSocket;
use crate::wire::Wire;

/// The first connection keeps messages under way, each of which the server sends to all. One is over when the slowest
/// has it: that is its latency, and it counts once for each connection.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let Some(websocket) = &options.websocket else {
        return Err(io::Error::other("broadcast needs --ws"));
    };
    let mut receivers = open(options, websocket)?;
    let mut epoll = Epoll::new()?;
    for (token, receiver) in receivers.iter().enumerate() {
        receiver.wire.socket().set_nonblocking(true)?;
        epoll.add(receiver.wire.socket(), Interest::Read, token)?;
    }
    let outgoing = websocket.message().repeat(options.depth);
    let size = outgoing.len() / options.depth;
    let mut room = Room { under_way: VecDeque::new(), n_over: 0 };
    let mut report = Report::start(options);
    room.send(&outgoing, options.depth, &mut receivers[0])?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let n_ready = epoll.wait(Some(Duration::from_millis(100)))?;
        if !report.tick(Instant::now()) {
            return report.print(options.size);
        }
        for index in 0..n_ready {
            let receiver = &mut receivers[epoll.ready(index).token];
            let n_messages = receiver.receive(&mut buffer)?;
            room.count(receiver, n_messages)?;
            let n_over = room.finish(options.n_connections, &mut report);
            room.send(&outgoing[..n_over * size], n_over, &mut receivers[0])?;
        }
    }
}

/// Opens the connections one after the other. The last greets them all, which a server that is ready for it was ready
/// for before with the others.
fn open(options: &Options, websocket: &WebSocket) -> io::Result<Vec<Receiver>> {
    let mut receivers = Vec::with_capacity(options.n_connections);
    for _ in 0..options.n_connections {
        let wire = options.wire(socket::connect(options.port)?)?;
        receivers.push(Receiver { wire, frames: Frames::new(options.size), n_received: 0 });
    }
    if let Some(last) = receivers.last_mut() {
        websocket.send_hello(&mut last.wire)?;
    }
    for receiver in receivers.iter_mut().rev() {
        websocket.receive_hello(&mut receiver.wire)?;
    }
    Ok(receivers)
}

struct Receiver {
    wire: Wire,
    frames: Frames,
    n_received: usize,
}

impl Receiver {
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.wire.read(buffer) {
            Ok(0) => Err(io::Error::other("the server closed a connection")),
            Ok(n_bytes) => self.frames.count(&buffer[..n_bytes]),
            Err(err) if err.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(err) => Err(err),
        }
    }
}

/// The messages that not everybody has.
struct Room {
    /// When each was sent and how many have it, oldest first.
    under_way: VecDeque<(Instant, usize)>,
    n_over: usize,
}

impl Room {
    fn send(&mut self, messages: &[u8], n_messages: usize, sender: &mut Receiver) -> io::Result<()> {
        if n_messages > 0 && sender.wire.write(messages)? < messages.len() {
            return Err(io::Error::other("messages under way have to fit a socket buffer: use a smaller --depth"));
        }
        self.under_way.extend(std::iter::repeat_n((Instant::now(), 0), n_messages));
        Ok(())
    }

    fn count(&mut self, receiver: &mut Receiver, n_messages: usize) -> io::Result<()> {
        for _ in 0..n_messages {
            let Some((_, n_have)) = self.under_way.get_mut(receiver.n_received - self.n_over) else {
                return Err(io::Error::other("more came than was sent"));
            };
            *n_have += 1;
            receiver.n_received += 1;
        }
        Ok(())
    }

    /// How many messages everybody has now.
    fn finish(&mut self, n_connections: usize, report: &mut Report) -> usize {
        let (now, mut n_finished) = (Instant::now(), 0);
        while let Some((sent_at, n_have)) = self.under_way.front() {
            if *n_have < n_connections {
                break;
            }
            report.add(now.duration_since(*sent_at), n_connections as u64);
            self.under_way.pop_front();
            n_finished += 1;
        }
        self.n_over += n_finished;
        n_finished
    }
}
