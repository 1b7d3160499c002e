//! The closing handshake (RFC 6455, 5.5.1 and 7).

use foster::websocket::{CloseCode, CloseFrame, Closed, Connection, Event, Message, Role, WebSocketError};

use crate::wire::*;

fn received(payload: &[u8]) -> CloseFrame {
    match &taken(&[(FIN | CLOSE, payload)])[..] {
        [Event::Close(frame)] => frame.clone(),
        events => panic!("{events:?}"),
    }
}

#[test]
fn a_close_frame_may_say_nothing() {
    assert_eq!(received(b""), CloseFrame::new(CloseCode::NO_STATUS, ""));
}

#[test]
fn a_close_frame_has_a_code_and_a_reason() {
    assert_eq!(received(&close(1000, "")), CloseFrame::new(CloseCode::NORMAL, ""));
    assert_eq!(received(&close(1001, "gone")), CloseFrame::new(CloseCode::GOING_AWAY, "gone"));
    let longest = "ä".repeat(61) + "!";
    assert_eq!(received(&close(4999, &longest)), CloseFrame::new(4999, longest));
}

#[test]
fn a_close_frame_of_one_byte_is_refused() {
    refused(&WebSocketError::Protocol("a close frame of one byte"), &[(FIN | CLOSE, b"\x03")]);
}

#[test]
fn every_code_is_taken_or_refused_as_the_registry_says() {
    let err = WebSocketError::Protocol("a close code that nobody may send");
    for code in 0..=u16::MAX {
        let is_sendable = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        for role in BOTH {
            let outcome = play(role, None, [&frame(role, FIN | CLOSE, close(code, ""))[..]]);
            assert_eq!(outcome.error, (!is_sendable).then(|| err.clone()), "{code}");
        }
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
        refused(&err, &[(FIN | CLOSE, &close(code, "reason"))]);
    }
}

#[test]
fn a_reason_is_utf8() {
    let err = WebSocketError::InvalidData("the reason of a close frame is not UTF-8");
    for reason in [&b"\xff"[..], b"abc\xed\xa0\x80", b"\xe2\x82"] {
        refused(&err, &[(FIN | CLOSE, &close(1000, reason))]);
    }
}

#[test]
fn nothing_is_read_behind_a_close_frame() {
    for role in BOTH {
        let behind = frames(role, &[(FIN | TEXT, b"late"), (FIN | CLOSE, b"")]);
        let input = [&frame(role, FIN | CLOSE, close(1000, ""))[..], &behind, b"\xff\xff\xff"].concat();
        let outcome = every_way(role, None, &input);
        assert_eq!((outcome.events.len(), outcome.error), (1, None));
        assert_eq!(outcome.n_left, behind.len() + 3);
    }
}

#[test]
fn a_close_frame_is_answered_with_its_code_and_reason() {
    for role in BOTH {
        for payload in [close(1001, "going"), close(3333, "x".repeat(123)), close(3333, ""), Vec::new()] {
            let outcome = every_way(role, None, &frame(role, FIN | CLOSE, payload.clone()));
            assert_eq!(outcome.sent, [Sent { first: FIN | CLOSE, payload }]);
        }
    }
}

#[test]
fn there_is_nothing_to_answer_before_a_close_frame_and_after_ones_own() {
    for role in BOTH {
        let mut connection = Connection::new(role, None, None);
        let mut out = Vec::new();
        connection.answer_close(&mut out).unwrap();
        assert!(out.is_empty() && connection.is_open());
        connection.send_close(None, &mut out).unwrap();
        let n_sent = out.len();
        assert!(connection.receive_data(&mut &frame(role, FIN | CLOSE, "")[..]).unwrap().is_some());
        connection.answer_close(&mut out).unwrap();
        assert_eq!(out.len(), n_sent);
        assert!(connection.is_closed());
    }
}

#[test]
fn messages_are_read_after_ones_own_close_frame() {
    for role in BOTH {
        let mut connection = Connection::new(role, None, None);
        connection.send_close(Some(&CloseFrame::new(1000, "")), &mut Vec::new()).unwrap();
        assert!(!connection.is_open() && !connection.is_closed());
        let input = frames(role, &[(FIN | TEXT, b"late"), (FIN | PING, b"p"), (FIN | CLOSE, &close(1000, ""))]);
        let mut data = &input[..];
        assert_eq!(connection.receive_data(&mut data), Ok(Some(Event::Message(Message::from("late")))));
        assert_eq!(connection.receive_data(&mut data), Ok(Some(Event::Ping("p".into()))));
        connection.send_pong(b"p", &mut Vec::new()).unwrap();
        assert!(matches!(connection.receive_data(&mut data), Ok(Some(Event::Close(_)))));
        assert!(connection.is_closed());
    }
}

#[test]
fn messages_are_sent_after_the_peers_close_frame_until_it_is_answered() {
    for role in BOTH {
        let mut connection = Connection::new(role, None, None);
        assert!(connection.receive_data(&mut &frame(role, FIN | CLOSE, "")[..]).unwrap().is_some());
        let mut out = Vec::new();
        connection.send_text("last words", &mut out).unwrap();
        connection.answer_close(&mut out).unwrap();
        assert_eq!(sent_frames(role, &out).len(), 2);
        assert!(matches!(connection.send_text("more", &mut out), Err(WebSocketError::State(_))));
    }
}

#[test]
fn a_stream_that_ends_without_a_close_frame_is_lost() {
    for role in BOTH {
        let lost = CloseFrame::new(CloseCode::ABNORMAL, "");
        let mut connection = Connection::new(role, None, None);
        let closed = Closed { received: lost.clone(), sent: None };
        assert_eq!(connection.receive_eof(), Err(WebSocketError::Closed(Box::new(closed.clone()))));
        assert_eq!(connection.receive_eof(), Err(WebSocketError::Closed(Box::new(closed))), "also the second time");
        assert!(connection.is_closed());

        let mut connection = Connection::new(role, None, None);
        let frame = CloseFrame::new(1001, "shutting down");
        connection.send_close(Some(&frame), &mut Vec::new()).unwrap();
        let closed = Closed { received: lost, sent: Some(frame) };
        assert_eq!(connection.receive_eof(), Err(WebSocketError::Closed(Box::new(closed))));
    }
}

#[test]
fn a_stream_may_end_behind_a_close_frame() {
    for role in BOTH {
        let mut connection = Connection::new(role, None, None);
        assert!(connection.receive_data(&mut &frame(role, FIN | CLOSE, close(1000, "bye"))[..]).unwrap().is_some());
        assert_eq!(connection.receive_eof(), Ok(()));
        assert!(!connection.is_closed(), "its answer may still go");
        connection.answer_close(&mut Vec::new()).unwrap();
        let sent = Some(CloseFrame::new(1000, "bye"));
        assert_eq!(connection.closed(), Closed { received: CloseFrame::new(1000, "bye"), sent });
        assert!(connection.is_closed());
    }
}

#[test]
fn a_failure_tells_the_peer_what_is_wrong_once() {
    for role in BOTH {
        for (err, code, reason) in [
            (WebSocketError::Protocol("a reserved opcode"), 1002, "a reserved opcode"),
            (WebSocketError::InvalidData("text that is not UTF-8"), 1007, "text that is not UTF-8"),
            (WebSocketError::MessageTooBig { limit: 7 }, 1009, "a message is larger than 7 bytes"),
        ] {
            let mut connection = Connection::new(role, None, None);
            let mut out = Vec::new();
            connection.fail(&err, &mut out);
            connection.fail(&err, &mut out);
            assert_eq!(sent_frames(role, &out), [Sent { first: FIN | CLOSE, payload: close(code, reason) }]);
            assert!(connection.is_closed());
            assert!(matches!(connection.send_binary(b"", &mut out), Err(WebSocketError::State(_))));
            assert!(matches!(connection.send_ping(b"", &mut out), Err(WebSocketError::State(_))));
            assert_eq!(connection.receive_data(&mut &frame(role, FIN | CLOSE, "")[..]), Ok(None));
            assert_eq!(connection.closed().sent, Some(CloseFrame::new(code, reason)));
        }
    }
}

#[test]
fn a_failure_without_a_code_or_after_a_close_frame_sends_nothing() {
    let mut connection = Connection::new(Role::Server, None, None);
    let mut out = Vec::new();
    connection.fail(&WebSocketError::State("never mind"), &mut out);
    assert!(out.is_empty() && connection.is_closed());

    let mut connection = Connection::new(Role::Server, None, None);
    connection.send_close(None, &mut Vec::new()).unwrap();
    connection.fail(&WebSocketError::Protocol("late"), &mut out);
    assert!(out.is_empty() && connection.is_closed());
}

#[test]
fn a_long_reason_of_a_failure_is_cut_between_characters() {
    let mut connection = Connection::new(Role::Server, None, None);
    let mut out = Vec::new();
    let long = "€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€";
    connection.fail(&WebSocketError::Protocol(long), &mut out);
    assert_eq!(sent_frames(Role::Server, &out)[0].payload, close(1002, &long[..123]));
}
