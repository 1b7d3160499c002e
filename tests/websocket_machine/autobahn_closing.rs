//! Autobahn's test suite, chapter 7: how a connection closes.

use crate::autobahn_frames::{Case, play_cases};
use crate::wire::*;

const HELLO: (u8, &[u8]) = (FIN | TEXT, b"Hello World!");
const CLOSE_1000: (u8, &[u8]) = (FIN | CLOSE, b"\x03\xe8");

/// The close frame is answered with its code, and nothing behind it is.
fn closes<'a>(name: &'a str, sends: &'a [(u8, &'a [u8])], echoes: &'a [(u8, &'a [u8])], code: u16) -> Case<'a> {
    Case { name, sends, echoes, code: Some(code) }
}

#[test]
fn section_1_close_frames_among_others() {
    let large = b"BAsd7&jh23".repeat(256 * 1024 / 10);
    let large = (FIN | TEXT, &large[..]);
    play_cases(&[
        closes("7.1.1", &[HELLO, CLOSE_1000], &[HELLO], 1000),
        closes("7.1.2", &[CLOSE_1000, (FIN | CLOSE, b"")], &[], 1000),
        closes("7.1.3", &[CLOSE_1000, (FIN | PING, b"")], &[], 1000),
        closes("7.1.4", &[CLOSE_1000, HELLO], &[], 1000),
        closes("7.1.5", &[(TEXT, b"fragment1"), CLOSE_1000, (FIN | CONTINUATION, b"fragment2")], &[], 1000),
    ]);
    for role in BOTH {
        let input = frames(role, &[large, HELLO, CLOSE_1000, (FIN | PING, b"")]);
        let outcome = play(role, None, input.chunks(4096));
        assert_eq!((outcome.events.len(), outcome.sent.len(), outcome.error), (3, 3, None), "7.1.6");
    }
}

#[test]
fn section_3_payloads_of_close_frames() {
    let reason = close(1000, "Hello World!");
    let longest = close(1000, [b'*'; 123]);
    let too_long = close(1000, [b'*'; 124]);
    let nothing = (FIN | CLOSE, &b""[..]);
    play_cases(&[
        Case { name: "7.3.1", sends: &[nothing], echoes: &[nothing], code: None },
        closes("7.3.2", &[(FIN | CLOSE, b"a")], &[], 1002),
        closes("7.3.3", &[CLOSE_1000], &[], 1000),
        closes("7.3.4", &[(FIN | CLOSE, &reason)], &[], 1000),
        closes("7.3.5", &[(FIN | CLOSE, &longest)], &[], 1000),
        closes("7.3.6", &[(FIN | CLOSE, &too_long)], &[], 1002),
    ]);
}

#[test]
fn section_5_a_reason_that_is_not_utf8() {
    let reason = close(1000, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited");
    play_cases(&[closes("7.5.1", &[(FIN | CLOSE, &reason)], &[], 1007)]);
}

#[test]
fn section_7_codes_that_may_be_sent() {
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        play_cases(&[closes(&format!("7.7, {code}"), &[(FIN | CLOSE, &close(code, ""))], &[], code)]);
    }
}

#[test]
fn sections_9_and_13_codes_that_may_not_be_sent() {
    for code in [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535] {
        play_cases(&[closes(&format!("7.9, 7.13, {code}"), &[(FIN | CLOSE, &close(code, ""))], &[], 1002)]);
    }
}
