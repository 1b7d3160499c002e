//! Messages in fragments (RFC 6455, 5.4), with control frames between them.

use foster::websocket::{Connection, Event, Message, WebSocketError};

use crate::wire::*;

#[test]
fn fragments_are_put_together() {
    let abc = [Event::Message(Message::from("abc"))];
    assert_eq!(taken(&[(TEXT, b"a"), (FIN | CONTINUATION, b"bc")]), abc);
    assert_eq!(taken(&[(TEXT, b"a"), (CONTINUATION, b"b"), (FIN | CONTINUATION, b"c")]), abc);
    assert_eq!(taken(&[(TEXT, b""), (CONTINUATION, b"abc"), (FIN | CONTINUATION, b"")]), abc);
    assert_eq!(taken(&[(TEXT, b"abc"), (CONTINUATION, b""), (CONTINUATION, b""), (FIN | CONTINUATION, b"")]), abc);
    let binary = [Event::Message(Message::from(&b"a\xffb"[..]))];
    assert_eq!(taken(&[(BINARY, b"a\xff"), (FIN | CONTINUATION, b"b")]), binary);
}

#[test]
fn fragments_may_all_be_empty() {
    let empty = [(TEXT, Message::from("")), (BINARY, Message::from(Vec::new()))];
    for (opcode, message) in empty {
        assert_eq!(taken(&[(opcode, b""), (CONTINUATION, b""), (FIN | CONTINUATION, b"")]), [Event::Message(message)]);
    }
}

#[test]
fn the_first_fragment_says_which_kind_it_is() {
    let events = taken(&[(BINARY, b"a"), (FIN | CONTINUATION, b"b"), (TEXT, b"a"), (FIN | CONTINUATION, b"b")]);
    assert_eq!(events, [Event::Message(Message::from(&b"ab"[..])), Event::Message(Message::from("ab"))]);
}

#[test]
fn control_frames_come_between_fragments() {
    let events = taken(&[
        (TEXT, "€".as_bytes().split_at(1).0),
        (FIN | PING, b"ping"),
        (CONTINUATION, "€".as_bytes().split_at(1).1),
        (FIN | PONG, b""),
        (FIN | PING, b""),
        (FIN | CONTINUATION, b"!"),
    ]);
    assert_eq!(
        events,
        [
            Event::Ping("ping".into()),
            Event::Pong("".into()),
            Event::Ping("".into()),
            Event::Message(Message::from("€!"))
        ]
    );
}

#[test]
fn a_close_frame_between_fragments_ends_the_message() {
    let events = taken(&[(TEXT, b"half"), (FIN | CLOSE, &close(1001, "bye"))]);
    assert!(matches!(&events[..], [Event::Close(frame)] if frame.reason == "bye"));
}

#[test]
fn a_continuation_continues_something() {
    let err = WebSocketError::Protocol("a continuation of no message");
    for first in [CONTINUATION, FIN | CONTINUATION] {
        refused(&err, &[(first, b"")]);
        refused(&err, &[(first, b"payload")]);
        refused_after(1, &err, |role| frames(role, &[(FIN | TEXT, b"a"), (first, b"b")]));
        refused_after(1, &err, |role| {
            frames(role, &[(BINARY, b"a"), (FIN | CONTINUATION, b"b"), (first, b"c"), (FIN | CONTINUATION, b"d")])
        });
    }
}

#[test]
fn a_message_does_not_begin_inside_another() {
    let err = WebSocketError::Protocol("a message begins inside a fragmented one");
    for first in [TEXT, BINARY] {
        for second in [TEXT, BINARY, FIN | TEXT, FIN | BINARY] {
            refused(&err, &[(first, b"a"), (second, b"b")]);
            refused(&err, &[(first, b""), (second, b"")]);
            refused_after(1, &err, |role| frames(role, &[(first, b"a"), (FIN | PING, b""), (second, b"b")]));
        }
    }
}

#[test]
fn a_stream_that_ends_inside_a_message_gives_no_message() {
    for role in BOTH {
        let whole = frames(role, &[(TEXT, b"ab"), (CONTINUATION, b"cd"), (FIN | CONTINUATION, b"ef")]);
        for at in 0..whole.len() {
            let mut connection = Connection::new(role, None, None);
            assert_eq!(connection.receive_data(&mut &whole[..at]), Ok(None));
            assert!(matches!(connection.receive_eof(), Err(WebSocketError::Closed(_))));
        }
    }
}
