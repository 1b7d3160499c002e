//! Autobahn's test suite, chapters 9 and 10: large messages, many fragments, small pieces, many messages, fragments of
//! what is sent. Messages are smaller, or fewer, than Autobahn's where only the time would grow.

use foster::websocket::{Connection, DEFAULT_MAX_MESSAGE_SIZE, Event, Message, MessageKind, Role};

use crate::wire::*;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The payloads of chapter 9, which do not repeat with the key of a mask.
fn payload(kind: MessageKind, length: usize) -> Vec<u8> {
    let pattern = match kind {
        MessageKind::Text => &b"BAsd7&jh23"[..],
        MessageKind::Binary => b"\x00\xfe\x23\xfa\xf0",
    };
    pattern.iter().copied().cycle().take(length).collect()
}

fn opcode(kind: MessageKind) -> u8 {
    if kind == MessageKind::Text { TEXT } else { BINARY }
}

/// The one message that comes of these pieces, under the limit that nobody has set.
fn the_message<'a>(role: Role, pieces: impl IntoIterator<Item = &'a [u8]>) -> Message {
    let mut connection = Connection::new(role, Some(DEFAULT_MAX_MESSAGE_SIZE), None);
    let mut message = None;
    for mut piece in pieces {
        while let Some(event) = connection.receive_data(&mut piece).expect("no error") {
            match event {
                Event::Message(one) => assert!(message.replace(one).is_none()),
                event => panic!("{event:?}"),
            }
        }
    }
    message.expect("a message")
}

fn is_it(message: &Message, kind: MessageKind, payload: &[u8]) {
    assert_eq!(message.kind(), kind);
    assert!(message.as_bytes() == payload, "a message of {} bytes is another", payload.len());
}

#[test]
fn sections_1_and_2_messages_of_up_to_16_mib() {
    for kind in [MessageKind::Text, MessageKind::Binary] {
        for size in [64 * KIB, 256 * KIB, MIB] {
            let payload = payload(kind, size);
            for role in BOTH {
                let input = frame(role, FIN | opcode(kind), &payload);
                is_it(&the_message(role, input.chunks(100 * KIB)), kind, &payload);
                if size <= 256 * KIB {
                    is_it(&the_message(role, [&input[..]]), kind, &payload);
                }
            }
        }
        let payload = payload(kind, 16 * MIB);
        let input = frame(Role::Client, FIN | opcode(kind), &payload);
        is_it(&the_message(Role::Client, input.chunks(256 * KIB)), kind, &payload);
    }
}

#[test]
fn sections_3_and_4_a_message_in_fragments() {
    for kind in [MessageKind::Text, MessageKind::Binary] {
        let payload = payload(kind, 256 * KIB);
        for size in [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB] {
            for role in BOTH {
                let mut input = frame(role, opcode(kind), "");
                input.extend(payload.chunks(size).flat_map(|piece| frame(role, CONTINUATION, piece)));
                input.extend(frame(role, FIN | CONTINUATION, ""));
                is_it(&the_message(role, input.chunks(64 * KIB)), kind, &payload);
            }
        }
    }
}

#[test]
fn sections_5_and_6_a_frame_in_small_pieces() {
    for kind in [MessageKind::Text, MessageKind::Binary] {
        let payload = payload(kind, 256 * KIB);
        for role in BOTH {
            let input = frame(role, FIN | opcode(kind), &payload);
            for size in [64, 128, 256, 512, KIB, 2 * KIB] {
                is_it(&the_message(role, input.chunks(size)), kind, &payload);
            }
        }
    }
}

#[test]
fn sections_7_and_8_many_messages() {
    for kind in [MessageKind::Text, MessageKind::Binary] {
        for size in [0, 16, 64, 256, KIB, 4 * KIB] {
            for role in BOTH {
                let sent = Sent { first: FIN | opcode(kind), payload: payload(kind, size) };
                let input = frame(role, sent.first, &sent.payload).repeat(200);
                let outcome = play(role, None, input.chunks(64 * KIB));
                assert_eq!(outcome.sent.len(), 200);
                assert!(outcome.sent.iter().all(|one| *one == sent));
            }
        }
    }
}

#[test]
fn chapter_10_a_message_sent_in_fragments_of_a_given_size() {
    let payload = vec![b'*'; 65_536];
    for (sender, reader) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
        let mut connection = Connection::new(sender, None, None);
        let mut out = Vec::new();
        let n_fragments = payload.chunks(1300).count();
        for (nth, piece) in payload.chunks(1300).enumerate() {
            connection.send_fragment(MessageKind::Text, piece, nth + 1 == n_fragments, &mut out).unwrap();
        }
        let sent = sent_frames(sender, &out);
        assert_eq!((sent.len(), sent[0].first, sent[50].first), (51, TEXT, FIN | CONTINUATION), "10.1.1");
        is_it(&the_message(reader, [&out[..]]), MessageKind::Text, &payload);
    }
}
