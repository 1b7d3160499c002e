//! Clients that an HTTP server in the open has to bear, and that must not harm the others:
//!
//! - idle ones keep their connection after one request;
//! - slow ones send a byte every second of a head that never ends;
//! - ones that do not read ask for `/stream` as often as the server takes it, and let the answers lie.
//!
//! One that the server has ended starts anew at its next turn, but for the idle ones, which are only counted. Prints a
//! line of JSON when all are there, and another when standard input, which has to be a pipe, has ended.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use bench_epoll::{Epoll, Interest};
use socket2::Socket;

use crate::Options;
use crate::idle;
use crate::socket;

pub(crate) fn run(options: &Options) -> io::Result<()> {
    let started_at = Instant::now();
    let mut epoll = Epoll::new()?;
    epoll.add(&io::stdin(), Interest::Read, STDIN)?;
    let mut idle = idle::open(options)?.into_iter().map(Some).collect::<Vec<_>>();
    for (token, wire) in idle.iter().enumerate() {
        if let Some(wire) = wire {
            wire.socket().set_nonblocking(true)?;
            epoll.add(wire.socket(), Interest::Read, token)?;
        }
    }
    let open = |index| Abuser::open(options, idle.len() + index);
    let mut slow = (0..options.n_slow).map(open).collect::<io::Result<Vec<_>>>()?;
    let mut non_readers =
        (options.n_slow..options.n_slow + options.n_non_readers).map(open).collect::<io::Result<Vec<_>>>()?;
    let n_open = idle.len() + slow.len() + non_readers.len();
    println!("{{\"open\":{n_open},\"secs\":{:.3}}}", started_at.elapsed().as_secs_f64());

    let mut counts = Counts::default();
    let mut buffer = vec![0; 4096];
    let requests = REQUEST.repeat(REQUESTS_PER_WRITE);
    let mut next_turn = Instant::now();
    for turn in 0.. {
        next_turn += TURN;
        loop {
            let n_ready = epoll.wait(Some(next_turn.saturating_duration_since(Instant::now())))?;
            for index in 0..n_ready {
                let token = epoll.ready(index).token;
                if token == STDIN {
                    return counts.print();
                }
                // Its last answer was read, so all that can come is the end.
                if idle[token].as_mut().is_some_and(|wire| !matches!(wire.read(&mut buffer), Ok(1..))) {
                    idle[token] = None;
                    counts.n_idle_ended += 1;
                }
            }
            if Instant::now() >= next_turn {
                break;
            }
        }
        // A tenth of the slow ones at each of ten turns a second.
        for client in slow.iter_mut().skip(turn % TURNS_PER_SECOND).step_by(TURNS_PER_SECOND) {
            let byte = SLOW_HEAD.get(client.n_sent).copied().unwrap_or(b'x');
            if !client.is_ended(&mut buffer) && client.send(&[byte]).is_ok() {
                continue;
            }
            counts.n_slow_ended += 1;
            client.reopen(options)?;
        }
        for client in &mut non_readers {
            match client.send(&requests[client.n_sent % REQUEST.len()..]) {
                Ok(n_sent) => counts.n_bytes_asked += n_sent as u64,
                Err(_) => {
                    counts.n_non_readers_ended += 1;
                    client.reopen(options)?;
                }
            }
        }
    }
    Ok(())
}

struct Abuser {
    socket: Socket,
    index: usize,
    n_sent: usize,
}

impl Abuser {
    fn open(options: &Options, index: usize) -> io::Result<Abuser> {
        let socket = socket::connect_from(options.source(index), options.port)?;
        socket.set_nonblocking(true)?;
        Ok(Abuser { socket, index, n_sent: 0 })
    }

    fn reopen(&mut self, options: &Options) -> io::Result<()> {
        *self = Abuser::open(options, self.index)?;
        Ok(())
    }

    /// An answer does not end it: a server may say why it will.
    fn is_ended(&mut self, buffer: &mut [u8]) -> bool {
        loop {
            match self.socket.read(buffer) {
                Ok(1..) => {}
                Err(err) if err.kind() == ErrorKind::WouldBlock => return false,
                _ => return true,
            }
        }
    }

    /// 0 where the kernel takes no more.
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n_sent = match self.socket.write(bytes) {
            Err(err) if err.kind() == ErrorKind::WouldBlock => 0,
            result => result?,
        };
        self.n_sent += n_sent;
        Ok(n_sent)
    }
}

/// What became of the clients.
#[derive(Default)]
struct Counts {
    n_idle_ended: u64,
    n_slow_ended: u64,
    n_non_readers_ended: u64,
    n_bytes_asked: u64,
}

impl Counts {
    fn print(&self) -> io::Result<()> {
        println!(
            "{{\"idle_ended\":{},\"slow_ended\":{},\"non_readers_ended\":{},\"requests_unread\":{}}}",
            self.n_idle_ended,
            self.n_slow_ended,
            self.n_non_readers_ended,
            self.n_bytes_asked / REQUEST.len() as u64,
        );
        Ok(())
    }
}

const STDIN: usize = usize::MAX;
const TURNS_PER_SECOND: usize = 10;
const TURN: Duration = Duration::from_millis(1000 / TURNS_PER_SECOND as u64);

const SLOW_HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ";
const REQUEST: &[u8] = b"GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/// About 40 KiB for each client and turn: 400 KiB a second bound what one costs here, and ask for 10 GiB.
const REQUESTS_PER_WRITE: usize = 1024;
