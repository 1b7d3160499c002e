//! A client by hand: the machine on a wire in memory, which does only what it is told.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use foster::testing::{InMemoryHttpServer, Peer};
use foster::websocket::{CloseFrame, Connection, DeflateOffer, Event, Message, Role, WebSocketError};
use foster::{Handler, fail_after};

/// Longer than any time-out of a test's configuration, on a clock that jumps.
const PATIENCE: Duration = Duration::from_secs(3600);

const HANDSHAKE: &str = "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

pub(crate) struct Client {
    pub(crate) peer: Peer,
    machine: RefCell<Connection>,
    unread: RefCell<Vec<u8>>,
    /// The byte that the last event began with.
    first_byte: Cell<u8>,
}

/// A request for a WebSocket, with more header fields.
pub(crate) fn request(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\n{HANDSHAKE}{fields}\r\n")
}

/// Connects and asks for a WebSocket; gives the client and the head of the answer.
pub(crate) async fn ask<H: Handler>(server: &InMemoryHttpServer<H>, path: &str, fields: &str) -> (Client, String) {
    let peer = server.connect();
    peer.send(request(path, fields));
    let client = Client::on(peer);
    let head = client.read_head().await;
    (client, head)
}

/// Connects a client to a server that accepts.
pub(crate) async fn open<H: Handler>(server: &InMemoryHttpServer<H>) -> Client {
    let (client, head) = ask(server, "/", "").await;
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    client
}

/// Connects a client that offers compression; gives the client and the head of the answer.
pub(crate) async fn open_compressing<H: Handler>(
    server: &InMemoryHttpServer<H>,
    offer: DeflateOffer,
) -> (Client, String) {
    let value = offer.to_header_value();
    let field = format!("Sec-WebSocket-Extensions: {}\r\n", value.to_str().expect("tokens"));
    let (client, head) = ask(server, "/", &field).await;
    let chosen = head.lines().filter_map(|line| line.strip_prefix("sec-websocket-extensions: "));
    let deflate = offer.accepted(chosen.map(str::as_bytes)).expect("an answer to the offer");
    client.machine.replace(Connection::new(Role::Client, None, deflate));
    (client, head)
}

impl Client {
    pub(crate) fn on(peer: Peer) -> Self {
        let machine = RefCell::new(Connection::new(Role::Client, None, None));
        Client { peer, machine, unread: RefCell::default(), first_byte: Cell::default() }
    }

    pub(crate) async fn read_head(&self) -> String {
        let mut data = Vec::new();
        loop {
            if let Some(end) = data.windows(4).position(|four| four == b"\r\n\r\n") {
                self.unread.borrow_mut().extend_from_slice(&data[end + 4..]);
                data.truncate(end + 4);
                return String::from_utf8(data).expect("a head");
            }
            let more = self.peer.read().await;
            assert!(!more.is_empty(), "the answer ends in its head: {data:?}");
            data.extend_from_slice(&more);
        }
    }

    /// Makes frames without sending them.
    pub(crate) fn make(
        &self,
        make: impl FnOnce(&mut Connection, &mut Vec<u8>) -> Result<(), WebSocketError>,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        make(&mut self.machine.borrow_mut(), &mut out).expect("frames to send");
        out
    }

    pub(crate) fn text(&self, text: &str) -> Vec<u8> {
        self.make(|machine, out| machine.send_text(text, out))
    }

    pub(crate) fn send(&self, text: &str) {
        self.peer.send(self.text(text));
    }

    pub(crate) fn send_close(&self, code: u16, reason: &str) {
        let frame = CloseFrame::new(code, reason);
        self.peer.send(self.make(|machine, out| machine.send_close(Some(&frame), out)));
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) async fn event(&self) -> Option<Event> {
        let read = async {
            loop {
                let unread = self.unread.take();
                let mut data = &unread[..];
                let first_byte = unread.first().copied();
                let event = self.machine.borrow_mut().receive_data(&mut data).expect("a server that follows the rules");
                self.unread.replace(data.to_vec());
                if event.is_some() {
                    self.first_byte.set(first_byte.unwrap_or_default());
                    return event;
                }
                let more = self.peer.read().await;
                if more.is_empty() {
                    return None;
                }
                self.unread.borrow_mut().extend_from_slice(&more);
            }
        };
        fail_after(PATIENCE, read).await.expect("an event in time")
    }

    /// The first byte of the frame that the last event came in, if it has come as a whole.
    pub(crate) fn first_byte(&self) -> u8 {
        self.first_byte.get()
    }

    pub(crate) async fn message(&self) -> Message {
        match self.event().await {
            Some(Event::Message(message)) => message,
            other => panic!("{other:?} instead of a message"),
        }
    }

    pub(crate) async fn text_message(&self) -> String {
        self.message().await.as_text().expect("text").to_owned()
    }

    /// The code and the reason of the close frame that comes next, and then the end of the stream.
    pub(crate) async fn closed(&self) -> (u16, String) {
        match self.event().await {
            Some(Event::Close(frame)) => (frame.code.into(), frame.reason.to_string()),
            other => panic!("{other:?} instead of a close frame"),
        }
    }

    /// Answers the server's close frame.
    pub(crate) fn answer_close(&self) {
        self.peer.send(self.make(Connection::answer_close));
    }

    /// Waits for the server's answer to the client's close frame, and for the end of its stream.
    pub(crate) async fn ended_after_close(&self) {
        self.closed().await;
        self.ended().await;
    }

    /// Waits until the server has ended its stream, behind everything else.
    pub(crate) async fn ended(&self) {
        assert_eq!(self.event().await, None);
    }
}
