//! Autobahn's test suite, chapter 6: text in UTF-8.

use foster::websocket::{Connection, Role, WebSocketError};

use crate::autobahn_frames::{Case, play_cases};
use crate::wire::*;

const INVALID: u16 = 1007;

/// Five characters of two and three bytes: "κόσμε".
const KOSME: &[u8] = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";

/// A message of text in fragments of one byte, as Autobahn cuts it.
fn by_byte(payload: &[u8]) -> Vec<(u8, &[u8])> {
    let last = payload.len() - 1;
    let first = |at| if at == 0 { TEXT } else { CONTINUATION };
    let fin = |at| if at == last { FIN } else { 0 };
    payload.chunks(1).enumerate().map(|(at, byte)| (fin(at) | first(at), byte)).collect()
}

#[test]
fn sections_1_to_3_text_whole_and_in_fragments() {
    let hello = "Hello-µ@ßöäüàá-UTF-8!!".as_bytes();
    let (start, end) = hello.split_at("Hello-µ@ßöä".len());
    let invalid = [KOSME, b"\xed\xa0\x80", b"edited"].concat();
    let empty = (FIN | TEXT, &b""[..]);
    let middle = &b"middle frame payload"[..];
    play_cases(&[
        Case { name: "6.1.1", sends: &[empty], echoes: &[empty], code: None },
        Case {
            name: "6.1.2",
            sends: &[(TEXT, b""), (CONTINUATION, b""), (FIN | CONTINUATION, b"")],
            echoes: &[empty],
            code: None,
        },
        Case {
            name: "6.1.3",
            sends: &[(TEXT, b""), (CONTINUATION, middle), (FIN | CONTINUATION, b"")],
            echoes: &[(FIN | TEXT, middle)],
            code: None,
        },
        Case { name: "6.2.1", sends: &[(FIN | TEXT, hello)], echoes: &[(FIN | TEXT, hello)], code: None },
        Case {
            name: "6.2.2",
            sends: &[(TEXT, start), (FIN | CONTINUATION, end)],
            echoes: &[(FIN | TEXT, hello)],
            code: None,
        },
        Case { name: "6.2.3", sends: &by_byte(hello), echoes: &[(FIN | TEXT, hello)], code: None },
        Case { name: "6.2.4", sends: &by_byte(KOSME), echoes: &[(FIN | TEXT, KOSME)], code: None },
        Case { name: "6.3.1", sends: &[(FIN | TEXT, &invalid)], echoes: &[], code: Some(INVALID) },
        Case { name: "6.3.2", sends: &by_byte(&invalid), echoes: &[], code: Some(INVALID) },
    ]);
}

#[test]
fn section_4_fails_at_the_byte_that_makes_the_text_invalid() {
    let payload = [KOSME, b"\xf4\x90\x80\x80", b"edited"].concat();
    let is_invalid = |result| result == Err(WebSocketError::InvalidData("text that is not UTF-8"));
    for role in BOTH {
        for (name, cuts) in [("6.4.1", [11, 15]), ("6.4.2", [12, 13])] {
            let mut connection = Connection::new(role, None, None);
            let first = frame(role, TEXT, &payload[..cuts[0]]);
            assert_eq!(connection.receive_data(&mut &first[..]), Ok(None), "{name}");
            let second = frame(role, CONTINUATION, &payload[cuts[0]..cuts[1]]);
            assert!(is_invalid(connection.receive_data(&mut &second[..])), "{name} as {role:?}");
        }
        // The same in pieces of one frame.
        for (name, cuts) in [("6.4.3", [11, 15]), ("6.4.4", [12, 13])] {
            let mut connection = Connection::new(role, None, None);
            let input = frame(role, FIN | TEXT, &payload);
            let n_head = if role == Role::Server { 6 } else { 2 };
            assert_eq!(connection.receive_data(&mut &input[..n_head + cuts[0]]), Ok(None), "{name}");
            let second = &input[n_head + cuts[0]..n_head + cuts[1]];
            assert!(is_invalid(connection.receive_data(&mut &second[..])), "{name} as {role:?}");
        }
    }
}

/// Each text in one frame: it comes back, or fails the connection.
fn play_texts(section: &str, is_valid: bool, texts: &[&[u8]]) {
    for (nth, text) in texts.iter().enumerate() {
        let name = format!("6.{section}.{}", nth + 1);
        let sends = [(FIN | TEXT, *text)];
        let (echoes, code) = if is_valid { (&sends[..], None) } else { (&[][..], Some(INVALID)) };
        play_cases(&[Case { name: &name, sends: &sends, echoes, code }]);
        play_cases(&[Case { name: &name, sends: &by_byte(text), echoes, code }]);
    }
}

#[test]
fn sections_5_to_8_sequences_of_certain_lengths() {
    play_texts(
        "5",
        true,
        &[b"hello$world", b"hello\xc2\xa2world", b"hello\xe2\x82\xacworld", b"hello\xf0\xa4\xad\xa2world", KOSME],
    );
    for end in 1..=KOSME.len() {
        // The prefixes that end with a character.
        play_texts(&format!("6, prefix {end}"), matches!(end, 2 | 5 | 7 | 9 | 11), &[&KOSME[..end]]);
    }
    play_texts("7", true, &[b"\0", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"]);
    play_texts("8", false, &[b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"]);
}

#[test]
fn sections_9_to_13_boundaries_and_continuation_bytes() {
    play_texts("9", true, &[b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"]);
    play_texts("10", false, &[b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"]);
    play_texts("11", true, &[b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf"]);
    play_texts("11", false, &[b"\xf4\x90\x80\x80"]);
    let all: Vec<u8> = (0x80..0xbf).collect();
    play_texts(
        "12",
        false,
        &[
            b"\x80",
            b"\xbf",
            b"\x80\xbf",
            b"\x80\xbf\x80",
            b"\x80\xbf\x80\xbf",
            b"\x80\xbf\x80\xbf\x80",
            b"\x80\xbf\x80\xbf\x80\xbf",
            &all,
        ],
    );
    for starts in [0xc0..0xdf, 0xe0..0xef, 0xf0..0xf7, 0xf8..0xfb, 0xfc..0xfd_u8] {
        let lonely: Vec<u8> = starts.flat_map(|start| [start, b' ']).collect();
        play_texts("13", false, &[&lonely]);
    }
}

#[test]
fn sections_14_to_19_incomplete_and_overlong_sequences() {
    let incomplete: [&[u8]; 10] = [
        b"\xc0",
        b"\xe0\x80",
        b"\xf0\x80\x80",
        b"\xf8\x80\x80\x80",
        b"\xfc\x80\x80\x80\x80",
        b"\xdf",
        b"\xef\xbf",
        b"\xf7\xbf\xbf",
        b"\xfb\xbf\xbf\xbf",
        b"\xfd\xbf\xbf\xbf\xbf",
    ];
    play_texts("14", false, &incomplete);
    play_texts("15", false, &[&incomplete.concat()]);
    play_texts("16", false, &[b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"]);
    play_texts(
        "17",
        false,
        &[b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf"],
    );
    play_texts(
        "18",
        false,
        &[b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf", b"\xfc\x83\xbf\xbf\xbf\xbf"],
    );
    play_texts(
        "19",
        false,
        &[b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80", b"\xfc\x80\x80\x80\x80\x80"],
    );
}

#[test]
fn sections_20_to_23_surrogates_and_special_characters() {
    let single: [&[u8]; 7] = [
        b"\xed\xa0\x80",
        b"\xed\xad\xbf",
        b"\xed\xae\x80",
        b"\xed\xaf\xbf",
        b"\xed\xb0\x80",
        b"\xed\xbe\x80",
        b"\xed\xbf\xbf",
    ];
    play_texts("20", false, &single);
    for high in &single[..4] {
        for low in [single[4], single[6]] {
            play_texts("21", false, &[&[high, low].concat()]);
        }
    }
    let planes = (0..=16).flat_map(|plane| [plane << 16 | 0xfffe, plane << 16 | 0xffff]);
    for text in planes.map(|code| char::from_u32(code).expect("no surrogate").to_string()) {
        play_texts("22", true, &[text.as_bytes()]);
    }
    for code in 0xfff9..=0xffff_u32 {
        play_texts("23", true, &[char::from_u32(code).expect("no surrogate").to_string().as_bytes()]);
    }
}
