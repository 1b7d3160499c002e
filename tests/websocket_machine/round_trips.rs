//! A client and a server wired back to back.

use foster::websocket::{CloseFrame, Connection, Event, Message, MessageKind, Role};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

/// The same cases in every run.
fn config() -> Config {
    Config { cases: 100, failure_persistence: None, rng_seed: RngSeed::Fixed(6455), ..Config::default() }
}

#[derive(Clone, Debug)]
enum Said {
    Message(Message),
    Fragments(MessageKind, Vec<Vec<u8>>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

impl Said {
    fn send(&self, connection: &mut Connection, out: &mut Vec<u8>) {
        match self {
            Said::Message(message) => connection.send_message(message, out).unwrap(),
            Said::Fragments(kind, pieces) => {
                for piece in pieces {
                    connection.send_fragment(*kind, piece, false, out).unwrap();
                    connection.send_ping(b"between", out).unwrap();
                }
                connection.send_fragment(*kind, b"", true, out).unwrap();
            }
            Said::Ping(payload) => connection.send_ping(payload, out).unwrap(),
            Said::Pong(payload) => connection.send_pong(payload, out).unwrap(),
        }
    }

    fn heard(&self) -> Vec<Event> {
        match self {
            Said::Message(message) => vec![Event::Message(message.clone())],
            Said::Fragments(kind, pieces) => {
                let message = match kind {
                    MessageKind::Text => Message::from(String::from_utf8(pieces.concat()).expect("text")),
                    MessageKind::Binary => Message::from(pieces.concat()),
                };
                let pings = pieces.iter().map(|_| Event::Ping("between".into()));
                pings.chain([Event::Message(message)]).collect()
            }
            Said::Ping(payload) => vec![Event::Ping(payload.clone().into())],
            Said::Pong(payload) => vec![Event::Pong(payload.clone().into())],
        }
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![20 => vec(any::<u8>(), 0..40), 4 => vec(any::<u8>(), 120..130), 1 => (65_530..65_540_usize).prop_map(|n| vec![b'a'; n])]
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        bytes().prop_map(|bytes| Said::Message(Message::from(bytes))),
        ".{0,60}".prop_map(|text| Said::Message(Message::from(text))),
        vec(bytes(), 0..4).prop_map(|pieces| Said::Fragments(MessageKind::Binary, pieces)),
        // Text cut anywhere, also within characters.
        (".{0,60}", 1..7_usize).prop_map(|(text, size)| {
            Said::Fragments(MessageKind::Text, text.as_bytes().chunks(size).map(<[u8]>::to_vec).collect())
        }),
        vec(any::<u8>(), 0..=125).prop_map(Said::Ping),
        vec(any::<u8>(), 0..=125).prop_map(Said::Pong),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_one_says_the_other_hears(said in vec(said(), 0..8), reason in ".{0,30}", size in 1..4000_usize) {
        for (talker, listener) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
            let mut talker = Connection::new(talker, None, None);
            let mut listener = Connection::new(listener, Some(1 << 20), None);
            let mut wire = Vec::new();
            for one in &said {
                one.send(&mut talker, &mut wire);
            }
            let frame = CloseFrame::new(4001, reason.clone());
            talker.send_close(Some(&frame), &mut wire).unwrap();

            let mut heard = Vec::new();
            for mut piece in wire.chunks(size) {
                while let Some(event) = listener.receive_data(&mut piece).unwrap() {
                    heard.push(event);
                }
                prop_assert!(piece.is_empty());
            }
            let mut expected: Vec<Event> = said.iter().flat_map(Said::heard).collect();
            expected.push(Event::Close(frame.clone()));
            prop_assert_eq!(heard, expected);

            let mut answer = Vec::new();
            listener.answer_close(&mut answer).unwrap();
            let event = talker.receive_data(&mut &answer[..]).unwrap();
            prop_assert_eq!(event, Some(Event::Close(frame.clone())));
            prop_assert!(talker.is_closed() && listener.is_closed());
            prop_assert_eq!(listener.closed().received, frame);
        }
    }
}
