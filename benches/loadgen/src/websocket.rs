use std::io::{self, Read, Write};

use crate::socket;
use crate::wire::Wire;

/// What is sent over WebSocket: binary messages of one frame each, without compression.
pub(crate) struct WebSocket {
    path: String,
    size: usize,
}

impl WebSocket {
    pub(crate) fn new(path: &str, size: usize) -> WebSocket {
        WebSocket { path: path.to_string(), size }
    }

    /// The opening handshake, on a connection that blocks.
    pub(crate) fn shake_hands(&self, wire: &mut Wire) -> io::Result<()> {
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n",
            self.path
        );
        wire.write_all(request.as_bytes())?;
        let (mut head, mut n_bytes) = ([0; LARGEST_HEAD], 0);
        while !head[..n_bytes].ends_with(b"\r\n\r\n") {
            match wire.read(&mut head[n_bytes..])? {
                0 => return Err(io::Error::other("there is no end of the answer to the handshake")),
                n_read => n_bytes += n_read,
            }
        }
        let head = String::from_utf8_lossy(&head[..n_bytes]);
        if !head.starts_with("HTTP/1.1 101") || !head.contains(ACCEPT) {
            return Err(io::Error::other(format!("the server does not shake hands: {}", head.escape_debug())));
        }
        Ok(())
    }

    pub(crate) fn message(&self) -> Vec<u8> {
        masked(&vec![b'x'; self.size])
    }

    /// Sends a message and compares what comes back.
    pub(crate) fn check(&self, wire: &mut Wire) -> io::Result<()> {
        self.send_hello(wire)?;
        self.receive_hello(wire)
    }

    /// A message whose bytes all differ from their neighbours.
    pub(crate) fn send_hello(&self, wire: &mut Wire) -> io::Result<()> {
        wire.write_all(&masked(&socket::message(self.size)))
    }

    pub(crate) fn receive_hello(&self, wire: &mut Wire) -> io::Result<()> {
        let mut expected = head(self.size, 0);
        expected.extend_from_slice(&socket::message(self.size));
        let mut frame = vec![0; expected.len()];
        wire.read_exact(&mut frame)?;
        if frame != expected {
            return Err(io::Error::other("the message differs from what was sent, or is not one binary frame"));
        }
        Ok(())
    }
}

/// The head of a whole binary message, without the key.
pub(crate) fn head(size: usize, mask_bit: u8) -> Vec<u8> {
    let mut head = vec![0x82];
    match (u8::try_from(size), u16::try_from(size)) {
        (Ok(size @ ..=125), _) => head.push(mask_bit | size),
        (_, Ok(size)) => {
            head.push(mask_bit | 126);
            head.extend_from_slice(&size.to_be_bytes());
        }
        _ => {
            head.push(mask_bit | 127);
            head.extend_from_slice(&(size as u64).to_be_bytes());
        }
    }
    head
}

fn masked(payload: &[u8]) -> Vec<u8> {
    let mut frame = head(payload.len(), 0x80);
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Those of the example in RFC 6455, section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// That of the examples in its section 5.7.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Many times what any server here sends.
const LARGEST_HEAD: usize = 4096;
