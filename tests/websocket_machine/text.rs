//! Text is UTF-8, and the first byte that makes it none is an error, wherever its frame ends.

use foster::websocket::{Connection, Event, Message, Role, WebSocketError};

use crate::wire::*;

const NOT_UTF8: WebSocketError = WebSocketError::InvalidData("text that is not UTF-8");

/// How many bytes of the payload of one text frame are taken before the error.
fn n_taken(role: Role, is_final: bool, payload: &[u8]) -> Option<usize> {
    let input = frame(role, if is_final { FIN | TEXT } else { TEXT }, payload);
    let mut connection = Connection::new(role, None, None);
    let n_head = input.len() - payload.len();
    for (at, byte) in input.iter().enumerate() {
        if let Err(err) = connection.receive_data(&mut &[*byte][..]) {
            assert_eq!(err, NOT_UTF8);
            return Some(at - n_head);
        }
    }
    None
}

#[test]
fn text_may_be_any_utf8() {
    for text in ["", "a", "\0", "ä", "€", "𝄞", "\u{10ffff}", "\u{fffe}", "Hello-µ@ßöäüàá-UTF-8!!", "κόσμε"]
    {
        assert_eq!(taken(&[(FIN | TEXT, text.as_bytes())]), [Event::Message(Message::from(text))]);
        // Fragments of one byte.
        let bytes = text.as_bytes();
        let mut fragments = vec![(TEXT, &b""[..])];
        fragments.extend(bytes.chunks(1).map(|byte| (CONTINUATION, byte)));
        fragments.push((FIN | CONTINUATION, b""));
        assert_eq!(taken(&fragments), [Event::Message(Message::from(text))]);
    }
}

#[test]
fn the_first_bad_byte_is_an_error_inside_a_frame() {
    let long = [&[b'a'; 200][..], b"\xff", &[b'a'; 200]].concat();
    for (payload, at) in [
        (&b"\xff......"[..], 0),
        (b"abc\x80...", 3),
        (b"ab\xc0\xaf..", 2),
        (b"\xc3\x28...", 1),
        (b"\xe2\x82\x28..", 2),
        (b"\xe0\x80\x80..", 1),
        (b"\xe0\x9f\xbf..", 1),
        (b"\xed\xa0\x80..", 1),
        (b"\xf0\x80\x80\x80", 1),
        (b"\xf0\x8f\xbf\xbf", 1),
        (b"\xf0\x9d\x84\x28", 3),
        (b"\xf4\x90\x80\x80", 1),
        (b"\xf5\x80\x80\x80", 0),
        (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", 12),
        (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited", 12),
        (&long, 200),
    ] {
        for role in BOTH {
            for is_final in [true, false] {
                assert_eq!(n_taken(role, is_final, payload), Some(at), "{}", payload.escape_ascii());
            }
        }
        refused(&NOT_UTF8, &[(FIN | TEXT, payload)]);
        refused(&NOT_UTF8, &[(TEXT, payload)]);
    }
}

#[test]
fn a_bad_byte_is_found_in_the_middle_of_a_piece() {
    for role in BOTH {
        // The frame announces more than has come.
        let input = frame(role, FIN | TEXT, b"Hello \xff and so on");
        let mut connection = Connection::new(role, None, None);
        assert_eq!(connection.receive_data(&mut &input[..input.len() - 3]), Err(NOT_UTF8));
    }
}

#[test]
fn a_character_may_be_cut_by_fragments_and_broken_by_them() {
    for (first, second) in [(&b"\xf0\x9d"[..], &b"\x84\x9e"[..]), (b"\xe2", b"\x82\xac"), (b"\xc3", b"\xa4")] {
        assert_eq!(taken(&[(TEXT, first), (FIN | CONTINUATION, second)]).len(), 1);
        refused(&NOT_UTF8, &[(TEXT, first), (FIN | CONTINUATION, b"a")]);
        refused(&NOT_UTF8, &[(TEXT, first), (CONTINUATION, b"\xff")]);
        refused(&NOT_UTF8, &[(TEXT, first), (CONTINUATION, first)]);
    }
}

#[test]
fn text_does_not_end_within_a_character() {
    for start in [&b"\xc3"[..], b"\xe2\x82", b"a\xe2", b"\xf0\x9d\x84", b"\xf0"] {
        refused(&NOT_UTF8, &[(FIN | TEXT, start)]);
        refused(&NOT_UTF8, &[(TEXT, start), (FIN | CONTINUATION, b"")]);
        refused(&NOT_UTF8, &[(TEXT, b"abc"), (CONTINUATION, start), (CONTINUATION, b""), (FIN | CONTINUATION, b"")]);
    }
}

#[test]
fn a_message_starts_afresh() {
    for role in BOTH {
        let mut connection = Connection::new(role, None, None);
        let input = frames(role, &[(TEXT, b"\xe2\x82"), (FIN | CONTINUATION, b"\xac"), (FIN | TEXT, b"ok")]);
        let mut data = &input[..];
        assert_eq!(connection.receive_data(&mut data), Ok(Some(Event::Message(Message::from("€")))));
        assert_eq!(connection.receive_data(&mut data), Ok(Some(Event::Message(Message::from("ok")))));
    }
}

#[test]
fn bytes_may_be_anything() {
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(taken(&[(FIN | BINARY, &all)]), [Event::Message(Message::from(all))]);
}
