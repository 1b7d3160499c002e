//! The heads of frames (RFC 6455, 5.2), their masks and control frames.

use foster::websocket::{Connection, Event, Message, Role, WebSocketError};

use crate::wire::*;

const PROTOCOL: fn(&'static str) -> WebSocketError = WebSocketError::Protocol;

/// A frame for `reader` whose length is written in `n_bytes`, however many it needs.
fn frame_with_length(reader: Role, first: u8, n_bytes: usize, length: u64, payload: &[u8]) -> Vec<u8> {
    let mark = if n_bytes == 2 { 126 } else { 127 };
    let mut bytes = vec![first, if reader == Role::Server { 0x80 | mark } else { mark }];
    bytes.extend_from_slice(&length.to_be_bytes()[8 - n_bytes..]);
    if reader == Role::Server {
        bytes.extend_from_slice(&[0; 4]);
    }
    bytes.extend_from_slice(payload);
    bytes
}

#[test]
fn the_examples_of_the_standard_are_read() {
    let hello = Event::Message(Message::from("Hello"));
    let (client, server) = (Role::Client, Role::Server);
    for (role, bytes, event) in [
        (client, &b"\x81\x05Hello"[..], hello.clone()),
        (server, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", hello.clone()),
        (client, b"\x01\x03Hel\x80\x02lo", hello),
        (client, b"\x89\x05Hello", Event::Ping("Hello".into())),
        (server, b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", Event::Pong("Hello".into())),
    ] {
        let outcome = every_way(role, None, bytes);
        assert_eq!((outcome.events, outcome.error), (vec![event], None));
    }
}

#[test]
fn payloads_have_every_length() {
    for length in [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 64, 124, 125, 126, 127, 128, 255, 65_535, 65_536] {
        let payload: Vec<u8> = (0..length).map(|n: u32| (n % 251) as u8).collect();
        let events = taken(&[(FIN | BINARY, &payload)]);
        assert_eq!(events, [Event::Message(Message::from(payload))]);
    }
}

#[test]
fn frames_stand_back_to_back() {
    let events = taken(&[
        (FIN | BINARY, b"a"),
        (FIN | PING, b""),
        (FIN | TEXT, "ä".as_bytes()),
        (FIN | PONG, b"p"),
        (FIN | BINARY, b""),
        (FIN | CLOSE, b""),
    ]);
    assert_eq!(events.len(), 6);
    assert_eq!(events[2], Event::Message(Message::from("ä")));
    assert_eq!(events[4], Event::Message(Message::from(Vec::new())));
}

#[test]
fn a_reserved_bit_is_refused() {
    for opcode in [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] {
        for bits in [0x10, 0x20, 0x30, 0x50, 0x60, 0x70] {
            refused(&PROTOCOL("a reserved bit is set"), &[(FIN | bits | opcode, b"")]);
        }
    }
}

#[test]
fn a_compressed_frame_is_refused_without_an_agreement() {
    let err = PROTOCOL("a compressed frame without an agreement on compression");
    for opcode in [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] {
        refused(&err, &[(FIN | 0x40 | opcode, b"\xf2\x48\xcd\xc9\xc9\x07\x00")]);
    }
}

#[test]
fn a_reserved_opcode_is_refused() {
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        for first in [opcode, FIN | opcode] {
            refused(&PROTOCOL("a reserved opcode"), &[(first, b"")]);
            refused(&PROTOCOL("a reserved opcode"), &[(first, b"payload")]);
        }
    }
}

#[test]
fn a_client_masks_and_a_server_does_not() {
    for opcode in [TEXT, BINARY, CLOSE, PING, PONG] {
        for (role, what) in
            [(Role::Server, "a frame of a client is not masked"), (Role::Client, "a frame of a server is masked")]
        {
            let other = if role == Role::Server { Role::Client } else { Role::Server };
            for payload in [&b""[..], b"payload"] {
                let outcome = every_way(role, None, &frame(other, FIN | opcode, payload));
                assert_eq!(outcome.error, Some(PROTOCOL(what)));
                assert!(outcome.events.is_empty());
            }
        }
    }
}

#[test]
fn a_mask_of_zeros_is_a_mask() {
    let input = [&[0x82, 0x83, 0, 0, 0, 0][..], b"abc"].concat();
    let outcome = every_way(Role::Server, None, &input);
    assert_eq!(outcome.messages(), [Message::from(&b"abc"[..])]);
}

#[test]
fn a_length_takes_as_few_bytes_as_it_can() {
    let err = PROTOCOL("a length takes more bytes than it needs");
    for opcode in [TEXT, BINARY] {
        for length in [0, 1, 124, 125] {
            refused_after(0, &err, |role| frame_with_length(role, FIN | opcode, 2, length, &[b'a'; 125]));
        }
        for length in [0, 125, 126, 65_535] {
            refused_after(0, &err, |role| frame_with_length(role, FIN | opcode, 8, length, &[b'a'; 125]));
        }
    }
    for (n_bytes, length) in [(2, 126), (2, 65_535), (8, 65_536)] {
        for role in BOTH {
            let payload = vec![b'a'; length as usize];
            let input = frame_with_length(role, FIN | TEXT, n_bytes, length, &payload);
            assert_eq!(every_way(role, None, &input).error, None);
        }
    }
}

#[test]
fn the_top_bit_of_a_length_is_zero() {
    let err = PROTOCOL("the top bit of a length is set");
    for length in [1 << 63, u64::MAX, (1 << 63) + 5] {
        refused_after(0, &err, |role| frame_with_length(role, FIN | BINARY, 8, length, b"hello"));
    }
}

#[test]
fn a_control_frame_is_not_fragmented() {
    for opcode in [CLOSE, PING, PONG] {
        let err = PROTOCOL("a control frame is fragmented");
        refused(&err, &[(opcode, b"")]);
        refused(&err, &[(opcode, b"a"), (FIN | CONTINUATION, b"b")]);
    }
}

#[test]
fn a_control_frame_holds_125_bytes() {
    let err = PROTOCOL("a control frame is longer than 125 bytes");
    for opcode in [CLOSE, PING, PONG] {
        refused(&err, &[(FIN | opcode, &close(1000, [b'a'; 124]))]);
        refused(&err, &[(FIN | opcode, &close(1000, [b'a'; 70_000]))]);
        assert_eq!(taken(&[(FIN | opcode, &close(1000, [b'a'; 123]))]).len(), 1);
        // The mark of a longer length is enough, also before a length that would be short.
        refused_after(0, &err, |role| frame_with_length(role, FIN | opcode, 2, 5, b"hello"));
    }
}

#[test]
fn a_head_is_refused_before_its_payload() {
    for (role, input) in [
        (Role::Server, &b"\x83\x80"[..]),
        (Role::Client, b"\x83\x00"),
        (Role::Server, b"\x82\x05"),
        (Role::Client, b"\x82\x85"),
        (Role::Server, b"\x89\xfe"),
        (Role::Client, b"\x82\x7e\x00\x7d"),
        (Role::Client, b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00"),
    ] {
        let mut connection = Connection::new(role, None, None);
        let (last, start) = input.split_last().expect("bytes");
        let mut data = start;
        assert_eq!(connection.receive_data(&mut data), Ok(None), "{}", input.escape_ascii());
        assert!(connection.receive_data(&mut &[*last][..]).is_err(), "{}", input.escape_ascii());
    }
}

#[test]
fn nothing_is_read_after_an_error() {
    for role in BOTH {
        let mut connection = Connection::new(role, None, None);
        let input = [&frame(role, FIN | 0x3, "")[..], &frame(role, FIN | PING, "")].concat();
        let mut data = &input[..];
        assert!(connection.receive_data(&mut data).is_err());
        let n_left = data.len();
        assert_eq!(connection.receive_data(&mut data), Ok(None));
        assert_eq!(data.len(), n_left, "nothing is taken");
        assert!(!connection.is_open() && !connection.is_closed());

        // What is still to be said to the messages before may be sent until the connection is failed.
        let mut out = Vec::new();
        connection.send_text("late", &mut out).expect("no close frame was sent");
        connection.fail(&WebSocketError::Protocol("a reserved opcode"), &mut out);
        assert!(connection.is_closed());
        assert!(connection.send_text("later", &mut out).is_err());
    }
}
