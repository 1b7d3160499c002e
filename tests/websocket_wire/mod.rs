//! A WebSocket's connection fed in every way, and what it makes of it.

#![allow(dead_code, reason = "every test file uses a part of it")]

use foster::websocket::{CloseCode, Connection, Deflate, DeflateConfig, Event, Message, Role, WebSocketError};

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;
pub(crate) const FIN: u8 = 0x80;

pub(crate) const BOTH: [Role; 2] = [Role::Server, Role::Client];

/// The key of every masked frame here, that of RFC 6455's examples.
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame for `reader`, with a first byte of any bits: masked for a server, and not for a client.
pub(crate) fn frame(reader: Role, first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let masked = if reader == Role::Server { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(masked | length as u8),
        length @ 126..=0xffff => {
            bytes.push(masked | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(masked | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    if reader == Role::Server {
        bytes.extend_from_slice(&KEY);
        bytes.extend(payload.chunks(4).flat_map(|chunk| chunk.iter().zip(KEY).map(|(byte, key)| byte ^ key)));
    } else {
        bytes.extend_from_slice(payload);
    }
    bytes
}

/// Frames in a row, each with its first byte.
pub(crate) fn frames(reader: Role, frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames.iter().flat_map(|(first, payload)| frame(reader, *first, payload)).collect()
}

/// The payload of a close frame.
pub(crate) fn close(code: u16, reason: impl AsRef<[u8]>) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_ref()].concat()
}

/// A frame that a connection has sent, as a reader of its own finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

/// Takes apart what an end with this role has sent: whole frames, with lengths as short as they can be, masked by a
/// client alone.
pub(crate) fn sent_frames(sender: Role, mut bytes: &[u8]) -> Vec<Sent> {
    let mut sent = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        assert_eq!(second & 0x80 != 0, sender == Role::Client, "a client masks, and nobody else");
        let (length, rest) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => (u64::from_be_bytes(rest[..8].try_into().expect("eight bytes")) as usize, &rest[8..]),
            short => (usize::from(short), rest),
        };
        let (key, rest) = if sender == Role::Client { rest.split_at(4) } else { (&[0; 4][..], rest) };
        let (payload, rest) = rest.split_at(length);
        let payload: Vec<u8> = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        let head_is_short = match second & 0x7f {
            126 => length > 125,
            127 => length > 0xffff,
            _ => true,
        };
        assert!(head_is_short, "a length takes as few bytes as it can");
        sent.push(Sent { first: *first, payload });
        bytes = rest;
    }
    assert!(bytes.is_empty(), "whole frames were sent");
    sent
}

/// Everything that can be seen of a connection from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) events: Vec<Event>,
    pub(crate) error: Option<WebSocketError>,
    /// What it has sent: messages and pings back, the answer to a close frame, what is wrong.
    pub(crate) sent: Vec<Sent>,
    /// What was left over when it had closed; nothing counts behind an error.
    pub(crate) n_left: usize,
}

impl Outcome {
    /// The messages, which are all the events there are.
    pub(crate) fn messages(&self) -> Vec<Message> {
        let message = |event: &Event| match event {
            Event::Message(message) => message.clone(),
            event => panic!("{event:?} is no message"),
        };
        self.events.iter().map(message).collect()
    }

    /// The code that the other end is told, if it is told one.
    pub(crate) fn told(&self) -> Option<CloseCode> {
        let last = self.sent.last().filter(|sent| sent.first == FIN | CLOSE)?;
        let code = last.payload.get(..2)?;
        Some(CloseCode::from(u16::from_be_bytes([code[0], code[1]])))
    }
}

/// How a connection is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) role: Role,
    pub(crate) limit: Option<usize>,
    /// Whether compression was agreed on: of every message, however small.
    pub(crate) compresses: bool,
}

impl Setup {
    pub(crate) fn connection(self) -> Connection {
        Connection::new(self.role, self.limit, self.compresses.then(|| deflate(self.role)))
    }
}

/// What an end with this role has of an agreement on compression.
pub(crate) fn deflate(role: Role) -> Deflate {
    let config = DeflateConfig { min_size: 0, ..DeflateConfig::default() };
    let offer = config.offer().expect("within the budget");
    let offered = offer.to_header_value();
    let (server, answer) = config.accept([offered.as_bytes()]).expect("an offer").expect("within the budget");
    match role {
        Role::Server => server,
        Role::Client => offer.accepted([answer.as_bytes()]).expect("an answer").expect("accepted"),
    }
}

/// Feeds the pieces in turn to an end that echoes messages, pongs and closes.
pub(crate) fn play<'a>(role: Role, limit: Option<usize>, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    play_with(Setup { role, limit, compresses: false }, pieces)
}

/// As [`play`], with compression or without.
pub(crate) fn play_with<'a>(setup: Setup, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut connection = setup.connection();
    let mut outcome = Outcome { events: Vec::new(), error: None, sent: Vec::new(), n_left: 0 };
    let mut sent = Vec::new();
    for piece in pieces {
        let mut data = piece;
        loop {
            match connection.receive_data(&mut data) {
                Ok(Some(event)) => {
                    answer(&mut connection, &event, &mut sent);
                    outcome.events.push(event);
                }
                Ok(None) => break,
                Err(err) => {
                    assert_eq!(outcome.error, None, "an error is the last there is");
                    connection.fail(&err, &mut sent);
                    assert!(connection.is_closed() && connection.is_close_sent());
                    outcome.error = Some(err);
                }
            }
        }
        assert!(data.is_empty() || connection.is_closed(), "bytes were left although nothing is to be waited for");
        outcome.n_left += if outcome.error.is_some() { 0 } else { data.len() };
    }
    assert_eq!(connection.receive_eof().is_ok(), connection.is_close_received());
    outcome.sent = sent_frames(setup.role, &sent);
    outcome
}

fn answer(connection: &mut Connection, event: &Event, sent: &mut Vec<u8>) {
    match event {
        Event::Message(message) => connection.send_message(message, sent),
        Event::Ping(payload) => connection.send_pong(payload, sent),
        Event::Pong(_) => Ok(()),
        Event::Close(frame) => {
            assert!(frame.code.is_sendable() || frame.code == CloseCode::NO_STATUS);
            connection.answer_close(sent)
        }
    }
    .expect("nothing was closed before");
}

/// Feeds `input` whole, byte by byte and cut in two at every place (of a long one, at some), and gives the outcome, which
/// is the same each way.
pub(crate) fn every_way(role: Role, limit: Option<usize>, input: &[u8]) -> Outcome {
    every_way_with(Setup { role, limit, compresses: false }, input)
}

/// As [`every_way`], with compression or without.
pub(crate) fn every_way_with(setup: Setup, input: &[u8]) -> Outcome {
    let whole = play_with(setup, [input]);
    let by_byte = play_with(setup, input.chunks(1));
    assert_eq!(whole, by_byte, "whole and byte by byte: {}", input.escape_ascii());
    let step = if input.len() <= 1024 { 1 } else { input.len() / 16 };
    for at in (1..input.len()).step_by(step) {
        let (first, second) = input.split_at(at);
        let cut = play_with(setup, [first, second]);
        assert_eq!(whole, cut, "whole and cut at {at}: {}", input.escape_ascii());
    }
    whole
}

/// Checks what has to hold of any input, in both roles, with compression and without, under a generous limit and under a
/// small one.
pub(crate) fn check_invariants(input: &[u8]) {
    for (role, compresses) in BOTH.into_iter().flat_map(|role| [(role, false), (role, true)]) {
        for limit in [Some(1 << 20), Some(16)] {
            let setup = Setup { role, limit, compresses };
            let whole = play_with(setup, [input]);
            for size in [1, 2, 3, 7, 61] {
                let cut = play_with(setup, input.chunks(size));
                assert_eq!(whole, cut, "{setup:?} in pieces of {size}: {}", input.escape_ascii());
            }
            for event in &whole.events {
                if let (Event::Message(message), Some(limit)) = (event, limit) {
                    assert!(message.len() <= limit, "a message is above the limit");
                }
            }
        }
    }
}

/// Checks that the frames are refused with that error, fed in every way and in both roles, after `n_events` events, and
/// that what stands behind them is not read.
pub(crate) fn refused_after(n_events: usize, err: &WebSocketError, input: impl Fn(Role) -> Vec<u8>) {
    for role in BOTH {
        let input = input(role);
        let input_and_more = [&input[..], &frame(role, FIN | BINARY, "smuggled")].concat();
        for input in [input, input_and_more] {
            let outcome = every_way(role, Some(1 << 20), &input);
            assert_eq!(outcome.error.as_ref(), Some(err), "{role:?}: {}", input.escape_ascii());
            assert_eq!(outcome.events.len(), n_events, "{role:?}: {}", input.escape_ascii());
            assert_eq!(outcome.told(), err.close_code(), "{role:?}: {}", input.escape_ascii());
        }
    }
}

/// As [`refused_after`] without an event.
pub(crate) fn refused(err: &WebSocketError, input: &[(u8, &[u8])]) {
    refused_after(0, err, |role| frames(role, input));
}

/// Checks that the frames are taken without an error, fed in every way and in both roles with another message behind
/// them, and gives the events, which are the same in both.
pub(crate) fn taken(input: &[(u8, &[u8])]) -> Vec<Event> {
    let [server, client] = BOTH.map(|role| {
        let bytes = frames(role, input);
        let outcome = every_way(role, Some(1 << 20), &bytes);
        assert_eq!(outcome.error, None, "{role:?}: {}", bytes.escape_ascii());
        if !matches!(outcome.events.last(), Some(Event::Close(_))) {
            let more = [&bytes[..], &frame(role, FIN | BINARY, "more")].concat();
            let events = every_way(role, Some(1 << 20), &more).events;
            assert_eq!(events.last(), Some(&Event::Message(Message::from(&b"more"[..]))));
            assert_eq!(events[..events.len() - 1], outcome.events);
        }
        outcome.events
    });
    assert_eq!(server, client);
    server
}
