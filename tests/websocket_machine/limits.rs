//! What a message may cost.

use foster::websocket::{Connection, DEFAULT_MAX_MESSAGE_SIZE, Event, Message, Role, WebSocketError};

use crate::wire::*;

fn under(limit: usize, input: &[(u8, &[u8])]) -> Outcome {
    let [server, client] = BOTH.map(|role| every_way(role, Some(limit), &frames(role, input)));
    assert_eq!((&server.events, &server.error), (&client.events, &client.error));
    server
}

#[test]
fn a_message_has_a_limit() {
    let too_big = Some(WebSocketError::MessageTooBig { limit: 5 });
    for opcode in [TEXT, BINARY] {
        assert_eq!(under(5, &[(FIN | opcode, b"hello")]).error, None);
        let outcome = under(5, &[(FIN | opcode, b"hello!")]);
        assert_eq!((outcome.error.clone(), outcome.told()), (too_big.clone(), Some(1009.into())));
        assert_eq!(under(5, &[(opcode, b"hel"), (FIN | CONTINUATION, b"lo")]).error, None);
        assert_eq!(under(5, &[(opcode, b"hel"), (FIN | CONTINUATION, b"lo!")]).error, too_big);
        assert_eq!(under(5, &[(opcode, b"hello"), (CONTINUATION, b""), (CONTINUATION, b"!")]).error, too_big);
        assert_eq!(under(0, &[(FIN | opcode, b"")]).error, None);
        assert_eq!(under(0, &[(FIN | opcode, b"a")]).error, Some(WebSocketError::MessageTooBig { limit: 0 }));
    }
}

#[test]
fn the_limit_counts_one_message_and_no_control_frame() {
    let outcome =
        under(5, &[(FIN | TEXT, b"hello"), (TEXT, b"hel"), (FIN | PING, &[0; 125]), (FIN | CONTINUATION, b"lo")]);
    assert_eq!((outcome.events.len(), outcome.error), (3, None));
}

#[test]
fn a_frame_above_the_limit_is_refused_before_its_payload() {
    for role in BOTH {
        let mut connection = Connection::new(role, Some(DEFAULT_MAX_MESSAGE_SIZE), None);
        let mut head = frame(role, FIN | BINARY, vec![0; DEFAULT_MAX_MESSAGE_SIZE + 1]);
        head.truncate(if role == Role::Server { 14 } else { 10 });
        let err = WebSocketError::MessageTooBig { limit: DEFAULT_MAX_MESSAGE_SIZE };
        assert_eq!(connection.receive_data(&mut &head[..]), Err(err));
    }
}

/// The address space of this process, in bytes.
#[cfg(target_os = "linux")]
fn address_space() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let n_pages = statm.split(' ').next().expect("a size");
    n_pages.parse::<usize>().expect("a number") * 4096
}

#[test]
#[cfg(target_os = "linux")]
fn what_a_head_announces_is_not_reserved() {
    const GIB: usize = 1 << 30;
    let mut connections = Vec::new();
    let before = address_space();
    for role in BOTH.into_iter().cycle().take(200) {
        for length in [1_u64 << 62, 1 << 30] {
            let mut input = vec![FIN | BINARY, if role == Role::Server { 0xff } else { 0x7f }];
            input.extend_from_slice(&length.to_be_bytes());
            input.extend_from_slice(&[7; 100]);
            let mut connection = Connection::new(role, None, None);
            assert_eq!(connection.receive_data(&mut &input[..]), Ok(None));
            connections.push(connection);
        }
    }
    // Other tests run meanwhile, and the allocator reserves for each of their threads.
    let n_reserved = address_space().saturating_sub(before);
    assert!(n_reserved < 20 * GIB, "{} GiB were reserved for 200 frames of one each", n_reserved / GIB);
}

#[test]
fn empty_fragments_may_go_on_for_ever() {
    for role in BOTH {
        let mut connection = Connection::new(role, Some(1024), None);
        assert_eq!(connection.receive_data(&mut &frame(role, BINARY, "")[..]), Ok(None));
        let fragments = frame(role, CONTINUATION, "").repeat(100_000);
        assert_eq!(connection.receive_data(&mut &fragments[..]), Ok(None));
        let last = frame(role, FIN | CONTINUATION, "");
        assert_eq!(connection.receive_data(&mut &last[..]), Ok(Some(Event::Message(Message::from(Vec::new())))));
    }
}

#[test]
fn fragments_of_one_byte_end_at_the_limit() {
    const LIMIT: usize = 100_000;
    for role in BOTH {
        let mut connection = Connection::new(role, Some(LIMIT), None);
        assert_eq!(connection.receive_data(&mut &frame(role, BINARY, "a")[..]), Ok(None));
        let fragment = frame(role, CONTINUATION, "a");
        for _ in 1..LIMIT {
            assert_eq!(connection.receive_data(&mut &fragment[..]), Ok(None));
        }
        let err = WebSocketError::MessageTooBig { limit: LIMIT };
        assert_eq!(connection.receive_data(&mut &fragment[..]), Err(err));
    }
}

#[test]
fn a_connection_is_small() {
    // An idle WebSocket is to cost at most 2 KiB: most of it is the transport's.
    let size = size_of::<Connection>();
    assert!(size <= 160, "{size} bytes");
}
