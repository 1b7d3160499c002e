//! A server by hand: the opening handshake, and then frames as a test makes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use foster::websocket::{Connect, Connection, Event, Role, WebSocketError, connect};
use foster::{Nursery, open_nursery};
use sha1::{Digest, Sha1};

use crate::scripted::{self, bounded, start};

/// What `GET` and the key are answered with, with more fields.
pub(crate) fn switching_protocols(head: &str, fields: &str) -> String {
    let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).expect("a key");
    let accept = STANDARD.encode(Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: {accept}\r\n{fields}\r\n"
    )
}

/// The server's side of an open WebSocket.
pub(crate) struct Peer<'a> {
    pub(crate) raw: &'a mut scripted::Peer,
    pub(crate) machine: Connection,
    /// What has come and was not looked at.
    unread: Vec<u8>,
    /// All that has come.
    pub(crate) received: Vec<u8>,
}

impl<'a> Peer<'a> {
    pub(crate) fn new(raw: &'a mut scripted::Peer, machine: Connection) -> Self {
        Peer { raw, machine, unread: Vec::new(), received: Vec::new() }
    }

    /// Sends frames.
    pub(crate) fn send(&mut self, make: impl FnOnce(&mut Connection, &mut Vec<u8>) -> Result<(), WebSocketError>) {
        let mut out = Vec::new();
        make(&mut self.machine, &mut out).expect("frames to send");
        self.raw.send(out);
    }

    pub(crate) fn event(&mut self) -> Event {
        loop {
            let mut data = &self.unread[..];
            let event = self.machine.receive_data(&mut data).expect("a client that follows the rules");
            self.unread = data.to_vec();
            if let Some(event) = event {
                return event;
            }
            let more = self.raw.once();
            assert!(!more.is_empty(), "the client has closed");
            self.received.extend_from_slice(&more);
            self.unread.extend_from_slice(&more);
        }
    }

    pub(crate) fn text(&mut self) -> String {
        match self.event() {
            Event::Message(message) => message.as_text().expect("text").to_owned(),
            other => panic!("{other:?} instead of a message"),
        }
    }

    /// The code of the close frame that comes next.
    pub(crate) fn closed(&mut self) -> u16 {
        match self.event() {
            Event::Close(frame) => frame.code.into(),
            other => panic!("{other:?} instead of a close frame"),
        }
    }

    /// Answers the client's close frame.
    pub(crate) fn answer_close(&mut self) {
        self.send(Connection::answer_close);
    }
}

/// Runs `test` with a client to be, whose server switches protocols and then does what `script` says.
pub(crate) fn with_peer(
    script: impl FnOnce(Peer<'_>) + Send + 'static,
    test: impl AsyncFnOnce(&Nursery, Connect<'_>) -> foster::Result<()> + 'static,
) {
    let script = move |raw: &mut scripted::Peer| {
        let head = raw.head();
        raw.send(switching_protocols(&head, ""));
        script(Peer::new(raw, Connection::new(Role::Server, None, None)));
    };
    with_script(script, test);
}

/// Runs `test` with a client to be, whose server does what `script` says from the first byte.
pub(crate) fn with_script(
    script: impl FnOnce(&mut scripted::Peer) + Send + 'static,
    test: impl AsyncFnOnce(&Nursery, Connect<'_>) -> foster::Result<()> + 'static,
) {
    let (port, thread) = start(script);
    bounded(async move {
        open_nursery(async |nursery| test(&nursery, connect(&nursery, format!("ws://127.0.0.1:{port}/"))).await)
            .await?;
        Ok(())
    });
    thread.join().expect("the script of the server");
}
