//! What is sent, and what may not be.

use foster::websocket::{
    CloseCode, CloseFrame, Connection, Message, MessageKind, PreparedMessage, Role, WebSocketError,
};

use crate::wire::*;

/// What a connection with this role sends, frame by frame; a refusal sends nothing.
fn sends(role: Role, send: impl FnOnce(&mut Connection, &mut Vec<u8>)) -> Vec<Sent> {
    let mut out = Vec::new();
    send(&mut Connection::new(role, None, None), &mut out);
    sent_frames(role, &out)
}

fn is_refused(result: Result<(), WebSocketError>, out: &[u8], n_before: usize) {
    assert!(matches!(result, Err(WebSocketError::State(_))), "{result:?}");
    assert_eq!(out.len(), n_before, "a refusal sends nothing");
}

#[test]
fn a_message_is_one_frame() {
    for role in BOTH {
        let sent = sends(role, |connection, out| {
            connection.send_text("ä", out).unwrap();
            connection.send_binary(b"\xff", out).unwrap();
            connection.send_message(&Message::from("again"), out).unwrap();
            connection.send_message(&Message::from(Vec::new()), out).unwrap();
        });
        let expected =
            [(FIN | TEXT, "ä".as_bytes()), (FIN | BINARY, b"\xff"), (FIN | TEXT, b"again"), (FIN | BINARY, b"")];
        assert_eq!(sent, expected.map(|(first, payload)| Sent { first, payload: payload.to_vec() }));
    }
}

#[test]
fn messages_have_every_length() {
    for role in BOTH {
        for length in [0, 1, 7, 8, 9, 125, 126, 127, 65_535, 65_536] {
            let payload: Vec<u8> = (0..length).map(|n: u32| (n % 251) as u8).collect();
            let sent = sends(role, |connection, out| connection.send_binary(&payload, out).unwrap());
            assert_eq!(sent, [Sent { first: FIN | BINARY, payload }]);
        }
    }
}

#[test]
fn frames_are_appended() {
    let mut out = b"before".to_vec();
    Connection::new(Role::Server, None, None).send_text("Hi", &mut out).unwrap();
    assert_eq!(out, b"before\x81\x02Hi");
}

#[test]
fn every_frame_of_a_client_has_a_key_of_its_own() {
    let mut connection = Connection::new(Role::Client, None, None);
    let mut keys = std::collections::HashSet::new();
    for _ in 0..2000 {
        let mut out = Vec::new();
        connection.send_binary(b"", &mut out).unwrap();
        keys.insert(out[2..6].to_vec());
    }
    // Two thousand of 2^32: two of them may be the same.
    assert!(keys.len() > 1990, "{} keys", keys.len());
}

#[test]
fn the_head_of_a_large_message_goes_alone_where_nothing_is_masked() {
    let message = Message::from(vec![7; 70_000]);
    let (mut whole, mut out) = (Vec::new(), Vec::new());
    Connection::new(Role::Server, None, None).send_message(&message, &mut whole).unwrap();
    assert_eq!(Connection::new(Role::Server, None, None).send_head(&message, &mut out), Ok(true));
    out.extend_from_slice(message.as_bytes());
    assert_eq!(out, whole);

    out.clear();
    assert_eq!(Connection::new(Role::Client, None, None).send_head(&message, &mut out), Ok(false));
    assert!(out.is_empty());
}

#[test]
fn a_prepared_message_is_sent_as_any_other() {
    for message in [Message::from("text"), Message::from(vec![1, 2, 3]), Message::from(vec![b'a'; 70_000])] {
        let prepared = PreparedMessage::new(&message);
        assert_eq!(prepared.message(), &message);
        for role in BOTH {
            let sent = sends(role, |connection, out| connection.send_prepared(&prepared, out).unwrap());
            assert_eq!(sent, sends(role, |connection, out| connection.send_message(&message, out).unwrap()));
        }
        let mut out = Vec::new();
        Connection::new(Role::Server, None, None).send_prepared(&prepared, &mut out).unwrap();
        let shared = Connection::new(Role::Server, None, None).share_prepared(&prepared).unwrap();
        assert_eq!(shared.as_deref(), Some(&out[..]));
        assert_eq!(Connection::new(Role::Client, None, None).share_prepared(&prepared), Ok(None));
    }
}

#[test]
fn a_message_goes_in_fragments_with_control_frames_between() {
    for role in BOTH {
        let sent = sends(role, |connection, out| {
            connection.send_fragment(MessageKind::Text, b"a", false, out).unwrap();
            assert!(connection.is_sending_fragments());
            connection.send_ping(b"1", out).unwrap();
            connection.send_fragment(MessageKind::Text, b"", false, out).unwrap();
            connection.send_pong(b"2", out).unwrap();
            connection.send_fragment(MessageKind::Text, b"b", true, out).unwrap();
            assert!(!connection.is_sending_fragments());
            connection.send_fragment(MessageKind::Binary, b"whole", true, out).unwrap();
        });
        let expected = [
            (TEXT, &b"a"[..]),
            (FIN | PING, b"1"),
            (CONTINUATION, b""),
            (FIN | PONG, b"2"),
            (FIN | CONTINUATION, b"b"),
            (FIN | BINARY, b"whole"),
        ];
        assert_eq!(sent, expected.map(|(first, payload)| Sent { first, payload: payload.to_vec() }));
    }
}

#[test]
fn a_close_frame_may_end_a_fragmented_message() {
    let sent = sends(Role::Server, |connection, out| {
        connection.send_fragment(MessageKind::Text, b"a", false, out).unwrap();
        connection.send_close(None, out).unwrap();
        let n_sent = out.len();
        is_refused(connection.send_fragment(MessageKind::Text, b"b", true, out), out, n_sent);
    });
    assert_eq!(sent.len(), 2);
}

#[test]
fn a_message_may_not_begin_inside_a_fragmented_one() {
    for role in BOTH {
        let mut connection = Connection::new(role, None, None);
        let mut out = Vec::new();
        connection.send_fragment(MessageKind::Binary, b"a", false, &mut out).unwrap();
        let n_sent = out.len();
        is_refused(connection.send_text("no", &mut out), &out, n_sent);
        is_refused(connection.send_prepared(&PreparedMessage::new(&Message::from("no")), &mut out), &out, n_sent);
        is_refused(connection.send_head(&Message::from("no"), &mut out).map(|_| ()), &out, n_sent);
        is_refused(connection.send_fragment(MessageKind::Text, b"no", true, &mut out), &out, n_sent);
        connection.send_fragment(MessageKind::Binary, b"b", true, &mut out).unwrap();
        connection.send_text("yes", &mut out).unwrap();
    }
}

#[test]
fn text_in_fragments_is_utf8_and_may_be_cut_anywhere() {
    let euro = "€".as_bytes();
    for role in BOTH {
        let mut connection = Connection::new(role, None, None);
        let mut out = Vec::new();
        connection.send_fragment(MessageKind::Text, &euro[..1], false, &mut out).unwrap();
        let n_sent = out.len();
        is_refused(connection.send_fragment(MessageKind::Text, b"a", true, &mut out), &out, n_sent);
        is_refused(connection.send_fragment(MessageKind::Text, &euro[1..2], true, &mut out), &out, n_sent);
        connection.send_fragment(MessageKind::Text, &euro[1..], true, &mut out).unwrap();
        let n_sent = out.len();
        is_refused(connection.send_fragment(MessageKind::Text, b"\xff", true, &mut out), &out, n_sent);
        connection.send_fragment(MessageKind::Binary, b"\xff", true, &mut out).unwrap();
    }
}

#[test]
fn nothing_but_pings_and_pongs_follows_a_close_frame() {
    for role in BOTH {
        let mut connection = Connection::new(role, None, None);
        let mut out = Vec::new();
        connection.send_close(Some(&CloseFrame::new(1000, "done")), &mut out).unwrap();
        let n_sent = out.len();
        assert_eq!(sent_frames(role, &out), [Sent { first: FIN | CLOSE, payload: close(1000, "done") }]);
        let message = Message::from("no");
        is_refused(connection.send_message(&message, &mut out), &out, n_sent);
        is_refused(connection.send_binary(b"no", &mut out), &out, n_sent);
        is_refused(connection.send_head(&message, &mut out).map(|_| ()), &out, n_sent);
        is_refused(connection.send_fragment(MessageKind::Text, b"no", true, &mut out), &out, n_sent);
        is_refused(connection.send_prepared(&PreparedMessage::new(&message), &mut out), &out, n_sent);
        connection.send_close(Some(&CloseFrame::new(4000, "again")), &mut out).unwrap();
        assert_eq!(out.len(), n_sent, "a second close frame is none");
        assert_eq!(connection.closed().sent, Some(CloseFrame::new(1000, "done")));
        connection.send_pong(b"", &mut out).unwrap();
        connection.send_ping(b"", &mut out).unwrap();
    }
}

#[test]
fn a_ping_holds_125_bytes() {
    for role in BOTH {
        let mut connection = Connection::new(role, None, None);
        let mut out = Vec::new();
        connection.send_ping(&[1; 125], &mut out).unwrap();
        connection.send_pong(&[1; 125], &mut out).unwrap();
        let n_sent = out.len();
        is_refused(connection.send_ping(&[1; 126], &mut out), &out, n_sent);
        is_refused(connection.send_pong(&[1; 126], &mut out), &out, n_sent);
        assert_eq!(sent_frames(role, &out).len(), 2);
    }
}

#[test]
fn a_close_frame_is_one_that_may_be_sent() {
    for role in BOTH {
        let mut connection = Connection::new(role, None, None);
        let mut out = Vec::new();
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
            is_refused(connection.send_close(Some(&CloseFrame::new(code, "")), &mut out), &out, 0);
        }
        is_refused(connection.send_close(Some(&CloseFrame::new(1000, "x".repeat(124))), &mut out), &out, 0);
        assert!(connection.is_open(), "nothing was said");
        connection.send_close(Some(&CloseFrame::new(CloseCode::NORMAL, "x".repeat(123))), &mut out).unwrap();
        assert_eq!(sent_frames(role, &out)[0].payload.len(), 125);
    }
}

#[test]
fn a_close_frame_may_have_no_code() {
    for role in BOTH {
        let mut out = Vec::new();
        let mut connection = Connection::new(role, None, None);
        connection.send_close(None, &mut out).unwrap();
        assert_eq!(sent_frames(role, &out), [Sent { first: FIN | CLOSE, payload: Vec::new() }]);
        assert_eq!(connection.closed().sent, Some(CloseFrame::new(CloseCode::NO_STATUS, "")));
    }
}
