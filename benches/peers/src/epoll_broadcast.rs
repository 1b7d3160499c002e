use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bench_epoll::{Epoll, Interest};
use sha1::{Digest, Sha1};

use crate::READ_SIZE;
use crate::accepting::{LISTENER, accept_all};

/// A WebSocket server whose clients all get what any of them sends: level-triggered, one read for each wake-up, and for
/// everybody one write of all messages of the turn, which are encoded once.
///
/// The least that can be done: any path will do, a message is binary and of one frame, whoever sends anything else is
/// dropped, and so is who does not take a write whole. The load never has as much under way as a socket buffer holds.
pub(crate) fn run(listener: TcpListener) -> io::Result<()> {
    let mut epoll = Epoll::new()?;
    epoll.add(&listener, Interest::Read, LISTENER)?;
    // By descriptor, which is also the token.
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut buffer = vec![0; READ_SIZE];
    // The frames of one turn, for everybody.
    let mut outgoing = Vec::new();
    loop {
        for index in 0..epoll.wait(None)? {
            let token = epoll.ready(index).token;
            if token == LISTENER {
                accept_all(&listener, &epoll, &mut connections, |stream| {
                    Ok(Connection { stream, received: Vec::new(), is_member: false })
                })?;
                continue;
            }
            let connection = connections[token].as_mut();
            if !connection.is_some_and(|connection| connection.receive(&mut buffer, &mut outgoing).unwrap_or(false)) {
                connections[token] = None;
            }
        }
        if !outgoing.is_empty() {
            for place in &mut connections {
                if place.as_mut().is_some_and(|connection| !connection.takes(&outgoing)) {
                    *place = None;
                }
            }
            outgoing.clear();
        }
    }
}

struct Connection {
    stream: TcpStream,
    /// What is not a whole handshake or frame yet.
    received: Vec<u8>,
    /// It has shaken hands.
    is_member: bool,
}

impl Connection {
    /// Adds what is for everybody. False when the connection has ended.
    fn receive(&mut self, buffer: &mut [u8], outgoing: &mut Vec<u8>) -> io::Result<bool> {
        let n_read = match self.stream.read(buffer) {
            Err(err) if err.kind() == ErrorKind::WouldBlock => return Ok(true),
            result => result?,
        };
        self.received.extend_from_slice(&buffer[..n_read]);
        if !self.is_member && !self.shake_hands()? {
            return Ok(n_read > 0 && self.received.len() < READ_SIZE);
        }
        let mut n_taken = 0;
        while let Some(n_bytes) = add_message(&self.received[n_taken..], outgoing)? {
            n_taken += n_bytes;
        }
        self.received.drain(..n_taken);
        Ok(n_read > 0)
    }

    /// Answers the handshake if it is there whole.
    fn shake_hands(&mut self) -> io::Result<bool> {
        let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(false) };
        let head = String::from_utf8_lossy(&self.received[..end]);
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        let key = fields.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key")).map(|(_, key)| key.trim());
        let key = key.ok_or_else(|| io::Error::other("a request that is no handshake"))?;
        let accept = STANDARD.encode(Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
        self.stream.write_all(
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            )
            .as_bytes(),
        )?;
        self.received.drain(..end + 4);
        self.is_member = true;
        Ok(true)
    }

    fn takes(&mut self, outgoing: &[u8]) -> bool {
        !self.is_member || self.stream.write(outgoing).is_ok_and(|n_written| n_written == outgoing.len())
    }
}

/// Adds the message that `received` begins with, as a server sends it. Gives its bytes, or `None` if there is more to come.
fn add_message(received: &[u8], outgoing: &mut Vec<u8>) -> io::Result<Option<usize>> {
    let &[first, second, ref rest @ ..] = received else { return Ok(None) };
    let (n_length, size) = match (second & 0x7f, rest) {
        (126, &[high, low, ..]) => (2, usize::from(u16::from_be_bytes([high, low]))),
        (126, _) => return Ok(None),
        (127, _) => return Err(io::Error::other("a message of 64 KiB or more")),
        (size, _) => (0, usize::from(size)),
    };
    if first != BINARY || second & MASKED == 0 {
        return Err(io::Error::other("no whole binary message of a client"));
    }
    let Some((mask, rest)) = rest[n_length..].split_first_chunk::<4>() else { return Ok(None) };
    let Some(payload) = rest.get(..size) else { return Ok(None) };
    outgoing.extend_from_slice(&[first, second & !MASKED]);
    outgoing.extend_from_slice(&received[2..2 + n_length]);
    outgoing.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    Ok(Some(2 + n_length + mask.len() + size))
}

/// The first byte of a binary message of one frame.
const BINARY: u8 = 0x82;
const MASKED: u8 = 0x80;
