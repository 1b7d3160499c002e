//! Compressed messages (RFC 7692) as frames: the bit, the fragments, the limit, the text.

use foster::websocket::{
    CloseCode, Connection, DeflateConfig, Event, Message, MessageKind, PreparedMessage, Role, WebSocketError,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngSeed};

use crate::wire::*;

/// The bit of compression.
const RSV1: u8 = 0x40;

/// "Hello", as the standard compresses it.
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

fn compressing(role: Role) -> Connection {
    Setup { role, limit: Some(1 << 20), compresses: true }.connection()
}

/// The payload of the first message of an end that compresses.
fn compressed(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(deflate(Role::Server).compress(payload, &mut out), "it gets smaller");
    out
}

/// What both roles make of frames where compression was agreed on, under a limit.
fn outcome_under(limit: usize, input: &[(u8, &[u8])]) -> Outcome {
    let [server, client] =
        BOTH.map(|role| every_way_with(Setup { role, limit: Some(limit), compresses: true }, &frames(role, input)));
    assert_eq!((&server.events, &server.error), (&client.events, &client.error));
    server
}

fn outcome_of(input: &[(u8, &[u8])]) -> Outcome {
    outcome_under(1 << 20, input)
}

fn other(role: Role) -> Role {
    if role == Role::Server { Role::Client } else { Role::Server }
}

/// All that `connection` hears.
fn heard(connection: &mut Connection, mut data: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = connection.receive_data(&mut data).expect("no error") {
        events.push(event);
    }
    events
}

#[test]
fn the_examples_of_the_standard_are_read() {
    let hello = [Message::from("Hello")];
    for input in [
        &[(FIN | RSV1 | TEXT, HELLO)][..],
        &[(RSV1 | TEXT, b"\xf2\x48\xcd"), (FIN | CONTINUATION, b"\xc9\xc9\x07\x00")],
        &[(FIN | RSV1 | TEXT, b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00")],
        &[(FIN | RSV1 | TEXT, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00")],
        &[(FIN | RSV1 | TEXT, b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")],
    ] {
        assert_eq!(outcome_of(input).messages(), hello);
    }
    let twice = [(FIN | RSV1 | TEXT, HELLO), (FIN | RSV1 | TEXT, b"\xf2\x00\x11\x00\x00")];
    assert_eq!(outcome_of(&twice).messages(), [&hello[..], &hello].concat());
}

#[test]
fn messages_come_compressed_and_not_side_by_side() {
    let outcome = outcome_of(&[
        (FIN | TEXT, b"plain"),
        (FIN | RSV1 | TEXT, HELLO),
        (BINARY, b"pl"),
        (FIN | PING, b"p"),
        (FIN | CONTINUATION, b"ain"),
        (RSV1 | BINARY, b""),
        (CONTINUATION, HELLO),
        (FIN | PING, b"p"),
        (FIN | CONTINUATION, b""),
        (FIN | RSV1 | BINARY, b"\x00"),
        (FIN | CLOSE, b""),
    ]);
    let ping = Event::Ping("p".into());
    let expected = [
        Event::Message(Message::from("plain")),
        Event::Message(Message::from("Hello")),
        ping.clone(),
        Event::Message(Message::from(&b"plain"[..])),
        ping,
        Event::Message(Message::from(&b"Hello"[..])),
        Event::Message(Message::from(Vec::new())),
    ];
    assert_eq!(outcome.events[..7], expected);
    assert!(matches!(outcome.events[7..], [Event::Close(_)]));
}

#[test]
fn the_bit_stands_on_the_first_frame_of_a_message_alone() {
    let err = Some(WebSocketError::Protocol("the bit of compression is not on the first frame of a message"));
    for opcode in [CLOSE, PING, PONG] {
        assert_eq!(outcome_of(&[(FIN | RSV1 | opcode, b"")]).error, err);
    }
    for first in [TEXT, RSV1 | TEXT] {
        assert_eq!(outcome_of(&[(first, b""), (FIN | RSV1 | CONTINUATION, HELLO)]).error, err);
    }
}

#[test]
fn the_other_reserved_bits_stay_reserved() {
    for bits in [0x10, 0x20, 0x50, 0x60, 0x70] {
        let err = Some(WebSocketError::Protocol("a reserved bit is set"));
        assert_eq!(outcome_of(&[(FIN | bits | TEXT, HELLO)]).error, err);
    }
}

#[test]
fn compressed_data_that_is_none_is_invalid() {
    for payload in [&b"\xff\xff\xff"[..], b"\xf2\x48\xcd", b"\x07"] {
        for input in [
            &[(FIN | RSV1 | BINARY, payload)][..],
            &[(RSV1 | BINARY, payload), (FIN | CONTINUATION, b"")],
            &[(RSV1 | BINARY, b""), (FIN | CONTINUATION, payload)],
        ] {
            let outcome = outcome_of(input);
            assert!(matches!(outcome.error, Some(WebSocketError::InvalidData(_))), "{}", payload.escape_ascii());
            assert_eq!(outcome.told(), Some(CloseCode::INVALID_DATA));
        }
    }
}

#[test]
fn the_limit_counts_what_is_decompressed() {
    let payload = compressed(&[b'a'; 1000]);
    for input in [&[(FIN | RSV1 | TEXT, &payload[..])][..], &[(RSV1 | TEXT, &payload), (FIN | CONTINUATION, b"")]] {
        assert_eq!(outcome_under(1000, input).messages(), [Message::from("a".repeat(1000))]);
        let outcome = outcome_under(999, input);
        assert_eq!(outcome.error, Some(WebSocketError::MessageTooBig { limit: 999 }));
        assert_eq!(outcome.told(), Some(CloseCode::MESSAGE_TOO_BIG));
    }
    // A compressed message that is longer than what it holds.
    let stored = b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00";
    assert_eq!(outcome_under(5, &[(FIN | RSV1 | TEXT, stored)]).messages(), [Message::from("Hello")]);
}

#[test]
fn a_bomb_is_refused_at_the_limit() {
    let zeros = compressed(&vec![0; 8 << 20]);
    assert!(zeros.len() < 1 << 17);
    for role in BOTH {
        let mut connection = compressing(role);
        let input = frame(role, FIN | RSV1 | BINARY, &zeros);
        let err = WebSocketError::MessageTooBig { limit: 1 << 20 };
        assert_eq!(connection.receive_data(&mut &input[..]), Err(err));
    }
}

#[test]
fn compressed_text_fails_at_its_first_bad_byte() {
    let err = WebSocketError::InvalidData("text that is not UTF-8");
    let text = [&b"Hello, Hello, Hello, Hello, Hello, \xed\xa0\x80 "[..], &[b'a'; 600]].concat();
    let payload = compressed(&text);
    assert_eq!(outcome_of(&[(FIN | RSV1 | TEXT, &payload)]).error, Some(err.clone()));
    // Also under a limit that the message is above, and before its end has come.
    assert_eq!(outcome_under(100, &[(FIN | RSV1 | TEXT, &payload)]).error, Some(err.clone()));
    for role in BOTH {
        let input = frame(role, FIN | RSV1 | TEXT, &payload);
        let result = compressing(role).receive_data(&mut &input[..input.len() - 1]);
        assert_eq!(result, Err(err.clone()));
    }
}

#[test]
fn compressed_text_does_not_end_within_a_character() {
    let payload = compressed("€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€".as_bytes().split_last().expect("bytes").1);
    for input in [&[(FIN | RSV1 | TEXT, &payload[..])][..], &[(RSV1 | TEXT, &payload), (FIN | CONTINUATION, b"")]] {
        assert_eq!(outcome_of(input).error, Some(WebSocketError::InvalidData("text that is not UTF-8")));
    }
}

#[test]
fn what_gets_smaller_is_sent_compressed() {
    for role in BOTH {
        let (mut talker, mut listener) = (compressing(role), compressing(other(role)));
        for payload in [&b"a"[..], &[b'a'; 200], &[b'a'; 200], &[b'b'; 70_000], b""] {
            let mut out = b"before".to_vec();
            talker.send_binary(payload, &mut out).unwrap();
            assert_eq!(&out[..6], b"before");
            let sent = sent_frames(role, &out[6..]);
            let is_smaller = payload.len() > 1;
            assert_eq!(sent[0].first, if is_smaller { FIN | RSV1 | BINARY } else { FIN | BINARY });
            assert_eq!(sent[0].payload.len() < payload.len(), is_smaller);
            let message = Message::from(payload.to_vec());
            assert_eq!(heard(&mut listener, &out[6..]), [Event::Message(message)]);
        }
    }
}

#[test]
fn a_message_is_compressed_in_fragments_or_in_none() {
    for role in BOTH {
        let (mut talker, mut listener) = (compressing(role), compressing(other(role)));
        let mut out = Vec::new();
        let text = "Übermut ".repeat(40);
        let (start, end) = text.as_bytes().split_at(101);
        talker.send_fragment(MessageKind::Text, start, false, &mut out).unwrap();
        talker.send_ping(b"", &mut out).unwrap();
        talker.send_fragment(MessageKind::Text, end, false, &mut out).unwrap();
        talker.send_fragment(MessageKind::Text, b"", true, &mut out).unwrap();
        // A message whose first fragment is not worth it.
        talker.send_fragment(MessageKind::Binary, b"", false, &mut out).unwrap();
        talker.send_fragment(MessageKind::Binary, &[b'a'; 500], true, &mut out).unwrap();
        let firsts: Vec<u8> = sent_frames(role, &out).iter().map(|sent| sent.first).collect();
        let expected = [RSV1 | TEXT, FIN | PING, CONTINUATION, FIN | CONTINUATION, BINARY, FIN | CONTINUATION];
        assert_eq!(firsts, expected);
        let events = heard(&mut listener, &out);
        let messages = [Event::Message(Message::from(text)), Event::Message(Message::from(vec![b'a'; 500]))];
        assert_eq!(events[1..], messages);
    }
}

#[test]
fn a_refused_fragment_leaves_the_compressor_as_it_was() {
    for role in BOTH {
        let (mut talker, mut listener) = (compressing(role), compressing(other(role)));
        let mut out = Vec::new();
        talker.send_fragment(MessageKind::Text, &[b'a'; 300], false, &mut out).unwrap();
        let n_sent = out.len();
        assert!(talker.send_fragment(MessageKind::Text, b"\xff", true, &mut out).is_err());
        assert!(talker.send_text("no", &mut out).is_err());
        assert_eq!(out.len(), n_sent);
        talker.send_fragment(MessageKind::Text, &[b'b'; 300], true, &mut out).unwrap();
        let text = "a".repeat(300) + &"b".repeat(300);
        assert_eq!(heard(&mut listener, &out), [Event::Message(Message::from(text))]);
    }
}

#[test]
fn a_head_does_not_go_alone_where_messages_are_compressed() {
    let mut out = Vec::new();
    assert_eq!(compressing(Role::Server).send_head(&Message::from(vec![0; 1000]), &mut out), Ok(false));
    assert!(out.is_empty());
}

/// A server and a client whose window for what the server sends is of `bits`.
fn pair_with_window(bits: u8) -> (Connection, Connection) {
    let config = DeflateConfig { server_max_window_bits: bits, min_size: 0, ..DeflateConfig::default() };
    let offer = config.offer().expect("within the budget");
    let offered = offer.to_header_value();
    let (server, answer) = config.accept([offered.as_bytes()]).expect("an offer").expect("within the budget");
    let client = offer.accepted([answer.as_bytes()]).expect("an answer").expect("accepted");
    (Connection::new(Role::Server, None, Some(server)), Connection::new(Role::Client, None, Some(client)))
}

#[test]
fn a_prepared_message_goes_compressed_to_those_who_agreed_on_it() {
    let text = "to all of you ".repeat(100);
    let message = Message::from(text);
    let prepared = PreparedMessage::new(&message);
    let mut pairs: Vec<(Connection, Connection)> = (8..=15).chain([15, 8]).map(pair_with_window).collect();
    pairs.push((Connection::new(Role::Server, None, None), Connection::new(Role::Client, None, None)));
    for (server, client) in &mut pairs {
        for round in 0..3 {
            let mut out = Vec::new();
            server.send_prepared(&prepared, &mut out).unwrap();
            let shared = server.share_prepared(&prepared).unwrap().expect("a server shares");
            assert_eq!(shared, out, "round {round}");
            out.extend_from_slice(&shared);
            // Messages of its own before and after it, which refer to each other, and not to it.
            let own = Message::from(format!("{round}: and this is for you alone. ").repeat(4));
            server.send_message(&own, &mut out).unwrap();
            server.send_message(&own, &mut out).unwrap();
            let expected = [&message, &message, &own, &own].map(|message| Event::Message(message.clone()));
            assert_eq!(heard(client, &out), expected);
        }
    }
    let mut out = Vec::new();
    pairs[0].0.send_prepared(&prepared, &mut out).unwrap();
    assert!(out.len() < 200, "{} bytes", out.len());
}

/// The same cases in every run: what is new is for the fuzzer to find.
fn config() -> Config {
    Config { cases: 150, failure_persistence: None, rng_seed: RngSeed::Fixed(7692), ..Config::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn compressed_messages_are_heard_as_they_were_said(
        said in vec((".{0,80}", 1..5_usize, any::<bool>()), 1..6),
        size in 1..200_usize,
    ) {
        for role in BOTH {
            let (mut talker, mut listener) = (compressing(role), compressing(other(role)));
            let (mut out, mut expected) = (Vec::new(), Vec::new());
            for (text, times, is_whole) in &said {
                let text = text.repeat(*times);
                if *is_whole {
                    talker.send_text(&text, &mut out).unwrap();
                } else {
                    for piece in text.as_bytes().chunks(31) {
                        talker.send_fragment(MessageKind::Text, piece, false, &mut out).unwrap();
                    }
                    talker.send_fragment(MessageKind::Text, b"", true, &mut out).unwrap();
                }
                expected.push(Event::Message(Message::from(text)));
            }
            let events: Vec<Event> = out.chunks(size).flat_map(|piece| heard(&mut listener, piece)).collect();
            prop_assert_eq!(events, expected);
        }
    }

    #[test]
    fn broken_compressed_frames_are_read_the_same_however_they_are_cut(
        text in ".{1,60}",
        times in 1..4_usize,
        broken in vec((any::<Index>(), any::<u8>()), 0..3),
        opcode in prop_oneof![Just(TEXT), Just(BINARY)],
    ) {
        let mut payload = Vec::new();
        assert!(deflate(Role::Server).compress_piece(text.repeat(times).as_bytes(), true, false, &mut payload));
        for (at, byte) in &broken {
            let at = at.index(payload.len());
            payload[at] = *byte;
        }
        let (start, end) = payload.split_at(payload.len() / 2);
        for role in BOTH {
            check_invariants(&frames(role, &[(FIN | RSV1 | opcode, &payload), (FIN | TEXT, b"more")]));
            check_invariants(&frames(role, &[(RSV1 | opcode, start), (FIN | CONTINUATION, end), (FIN | TEXT, b"more")]));
        }
    }
}
