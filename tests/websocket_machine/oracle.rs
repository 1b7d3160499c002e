//! Random frames, whole and broken, read by tungstenite, too.
//!
//! What both take gives the same events. tungstenite refuses nothing that is taken here, and it takes what is refused
//! here in these cases, which [`is_laxer`] names:
//!
//! - a length that takes more bytes than it needs, or whose top bit is set: RFC 6455, 5.2, forbids both;
//! - a close code that may not be sent: it answers 1002 and counts the connection as closed;
//! - text that is not UTF-8 is found at the end of its message, which may not come;
//! - a head that is refused before its payload, or before all of it, has come.

use std::io::{self, Read, Write};

use foster::websocket::{Connection, Event, Role, WebSocketError};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed};
use tungstenite::protocol::WebSocketConfig;

use crate::wire::*;

const LIMIT: usize = 200;

/// The same cases in every run: what is new is for the fuzzer to find.
fn config() -> Config {
    Config { cases: 2000, failure_persistence: None, rng_seed: RngSeed::Fixed(6455), ..Config::default() }
}

/// What has come, and then the end of the stream. What is written goes nowhere.
struct Wire<'a>(&'a [u8]);

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a reader makes of bytes: events in words, and whether it then found something wrong.
#[derive(Debug, PartialEq, Eq)]
struct Reading {
    events: Vec<String>,
    is_refused: bool,
}

fn tungstenite_reads(role: Role, input: &[u8]) -> Reading {
    let role = match role {
        Role::Server => tungstenite::protocol::Role::Server,
        Role::Client => tungstenite::protocol::Role::Client,
    };
    let config = WebSocketConfig::default().max_message_size(Some(LIMIT)).max_frame_size(Some(LIMIT));
    let mut socket = tungstenite::WebSocket::from_raw_socket(Wire(input), role, Some(config));
    let mut events = Vec::new();
    loop {
        use tungstenite::{Error, Message, error::ProtocolError};
        let event = match socket.read() {
            Ok(Message::Text(text)) => format!("text {:?}", text.as_str()),
            Ok(Message::Binary(bytes)) => format!("binary {bytes:?}"),
            Ok(Message::Ping(bytes)) => format!("ping {bytes:?}"),
            Ok(Message::Pong(bytes)) => format!("pong {bytes:?}"),
            Ok(Message::Close(None)) => "close 1005 \"\"".to_owned(),
            Ok(Message::Close(Some(frame))) => {
                format!("close {} {:?}", u16::from(frame.code), frame.reason.as_str())
            }
            Ok(Message::Frame(_)) => panic!("frames are not read"),
            Err(Error::ConnectionClosed | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                return Reading { events, is_refused: false };
            }
            Err(_) => return Reading { events, is_refused: true },
        };
        // Behind a close frame a client of tungstenite still looks at what comes.
        let is_close = event.starts_with("close");
        events.push(event);
        if is_close {
            return Reading { events, is_refused: false };
        }
    }
}

fn foster_reads(role: Role, mut input: &[u8]) -> (Reading, Option<WebSocketError>) {
    let mut connection = Connection::new(role, Some(LIMIT), None);
    let mut events = Vec::new();
    loop {
        let event = match connection.receive_data(&mut input) {
            Ok(Some(Event::Message(message))) => match message.as_text() {
                Some(text) => format!("text {text:?}"),
                None => format!("binary {:?}", message.into_bytes()),
            },
            Ok(Some(Event::Ping(bytes))) => format!("ping {bytes:?}"),
            Ok(Some(Event::Pong(bytes))) => format!("pong {bytes:?}"),
            Ok(Some(Event::Close(frame))) => format!("close {} {:?}", frame.code, &*frame.reason),
            Ok(None) => return (Reading { events, is_refused: false }, None),
            Err(err) => return (Reading { events, is_refused: true }, Some(err)),
        };
        events.push(event);
    }
}

/// Whether tungstenite may have read on where that was found.
fn is_laxer(err: &WebSocketError, is_whole: bool) -> bool {
    match err {
        WebSocketError::Protocol(what) => {
            !is_whole
                || matches!(
                    *what,
                    "a length takes more bytes than it needs"
                        | "the top bit of a length is set"
                        | "a close code that nobody may send"
                )
        }
        WebSocketError::InvalidData(what) => !is_whole || *what == "text that is not UTF-8",
        _ => !is_whole,
    }
}

/// A frame, mostly as it should be.
fn piece() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let data = prop_oneof![
        6 => ".{0,12}".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..12),
        1 => vec(Just(b'a'), 100..230),
    ];
    let closing = (select(vec![1000_u16, 1001, 1005, 1006, 1011, 1016, 2999, 3000, 4999, 5000]), ".{0,8}");
    prop_oneof![
        6 => (select(vec![FIN | TEXT, FIN | BINARY, FIN | PING, FIN | PONG]), data.clone()),
        6 => (select(vec![TEXT, BINARY, CONTINUATION, CONTINUATION, FIN | CONTINUATION]), data.clone()),
        1 => (any::<u8>(), data),
        1 => closing.prop_map(|(code, reason)| (FIN | CLOSE, close(code, reason))),
        1 => vec(any::<u8>(), 0..4).prop_map(|payload| (FIN | CLOSE, payload)),
    ]
}

/// Whole frames for `role`, in fragments that belong together: what is not in place is left to chance.
fn input_for(role: Role, pieces: &[(u8, Vec<u8>)], is_tidy: bool) -> Vec<u8> {
    let mut is_open = false;
    let mut input = Vec::new();
    for (first, payload) in pieces {
        let opcode = first & 0x0f;
        let first = match (opcode, is_open) {
            (TEXT | BINARY, true) if is_tidy => first & 0xf0,
            (CONTINUATION, false) if is_tidy => first | BINARY,
            _ => *first,
        };
        if opcode <= BINARY {
            is_open = first & FIN == 0;
        }
        input.extend_from_slice(&frame(role, first, payload));
    }
    input
}

fn compare(role: Role, input: &[u8], is_whole: bool) -> Result<(), TestCaseError> {
    let theirs = tungstenite_reads(role, input);
    let (ours, err) = foster_reads(role, input);
    match err {
        Some(err) if is_laxer(&err, is_whole) => {
            prop_assert!(theirs.events.starts_with(&ours.events), "{:?} and {:?} after {}", ours, theirs, err);
        }
        _ => prop_assert_eq!(ours, theirs, "{}", input.escape_ascii()),
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn frames_are_read_as_tungstenite_reads_them(pieces in vec(piece(), 0..8), is_tidy in any::<bool>()) {
        for role in BOTH {
            compare(role, &input_for(role, &pieces, is_tidy), true)?;
        }
    }

    #[test]
    fn streams_that_end_anywhere_are_read_as_tungstenite_reads_them(
        pieces in vec(piece(), 0..8),
        end in 0..400_usize,
    ) {
        for role in BOTH {
            let input = input_for(role, &pieces, true);
            compare(role, &input[..end.min(input.len())], false)?;
        }
    }

    #[test]
    fn noise_is_read_as_tungstenite_reads_it(input in vec(any::<u8>(), 0..40)) {
        for role in BOTH {
            compare(role, &input, false)?;
        }
    }

    #[test]
    fn tungstenite_hears_what_is_sent(
        texts in vec((".{0,40}", vec(any::<u8>(), 0..LIMIT), vec(any::<u8>(), 0..=125)), 0..6),
    ) {
        for (sender, reader) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
            let mut connection = Connection::new(sender, None, None);
            let mut out = Vec::new();
            let mut expected = Vec::new();
            for (text, bytes, payload) in &texts {
                connection.send_text(text, &mut out).unwrap();
                connection.send_binary(bytes, &mut out).unwrap();
                connection.send_ping(payload, &mut out).unwrap();
                expected.push(format!("text {text:?}"));
                expected.push(format!("binary {:?}", bytes::Bytes::from(bytes.clone())));
                expected.push(format!("ping {:?}", bytes::Bytes::from(payload.clone())));
            }
            prop_assert_eq!(tungstenite_reads(reader, &out), Reading { events: expected, is_refused: false });
        }
    }
}
