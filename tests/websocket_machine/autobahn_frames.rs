//! Autobahn's test suite, chapters 1 to 5: frames, pings and pongs, reserved bits, opcodes, fragments. Each case as the
//! fuzzing client plays it to a server, and as the fuzzing server plays it to a client.

use crate::wire::*;

/// What is sent to an end that echoes; what comes back before it closes, and the code of a failure, or nothing.
pub(crate) struct Case<'a> {
    pub(crate) name: &'a str,
    pub(crate) sends: &'a [(u8, &'a [u8])],
    pub(crate) echoes: &'a [(u8, &'a [u8])],
    pub(crate) code: Option<u16>,
}

/// Plays each case in every way, in both roles.
pub(crate) fn play_cases(cases: &[Case<'_>]) {
    for case in cases {
        for role in BOTH {
            let outcome = every_way(role, None, &frames(role, case.sends));
            let sent: Vec<(u8, &[u8])> = outcome.sent.iter().map(|sent| (sent.first, &sent.payload[..])).collect();
            let (echoes, rest) = sent.split_at(case.echoes.len().min(sent.len()));
            assert_eq!(echoes, case.echoes, "{} as {role:?}", case.name);
            let code = rest.first().map(|(first, payload)| {
                assert_eq!(*first, FIN | CLOSE, "{} as {role:?}", case.name);
                u16::from_be_bytes([payload[0], payload[1]])
            });
            assert_eq!((code, rest.len()), (case.code, case.code.iter().len()), "{} as {role:?}", case.name);
        }
    }
}

/// The same comes back.
fn echo<'a>(name: &'a str, sends: &'a [(u8, &'a [u8])]) -> Case<'a> {
    Case { name, sends, echoes: sends, code: None }
}

fn fails<'a>(name: &'a str, sends: &'a [(u8, &'a [u8])], echoes: &'a [(u8, &'a [u8])]) -> Case<'a> {
    Case { name, sends, echoes, code: Some(1002) }
}

const HELLO: (u8, &[u8]) = (FIN | TEXT, b"Hello, world!");
const PING_OF_NOTHING: (u8, &[u8]) = (FIN | PING, b"");

#[test]
fn chapter_1_frames_of_every_length() {
    for (text, binary, length) in [
        ("1.1.1", "1.2.1", 0),
        ("1.1.2", "1.2.2", 125),
        ("1.1.3", "1.2.3", 126),
        ("1.1.4", "1.2.4", 127),
        ("1.1.5", "1.2.5", 128),
        ("1.1.6", "1.2.6", 65_535),
        ("1.1.7", "1.2.7", 65_536),
    ] {
        let (stars, thorns) = ("*".repeat(length), vec![0xfe; length]);
        play_cases(&[echo(text, &[(FIN | TEXT, stars.as_bytes())]), echo(binary, &[(FIN | BINARY, &thorns)])]);
    }
    for (first, payload) in [(FIN | TEXT, [b'*'; 65_536]), (FIN | BINARY, [0xfe; 65_536])] {
        for role in BOTH {
            let input = frame(role, first, payload);
            let outcome = play(role, None, input.chunks(997));
            assert_eq!(outcome.sent, [Sent { first, payload: payload.to_vec() }], "1.1.8, 1.2.8");
        }
    }
}

fn pong(payload: &[u8]) -> [(u8, &[u8]); 1] {
    [(FIN | PONG, payload)]
}

#[test]
fn chapter_2_pings_and_pongs() {
    let payloads: Vec<String> = (0..10).map(|n| format!("payload-{n}")).collect();
    let ten_pings: Vec<_> = payloads.iter().map(|payload| (FIN | PING, payload.as_bytes())).collect();
    let ten_pongs: Vec<_> = payloads.iter().map(|payload| (FIN | PONG, payload.as_bytes())).collect();
    let binary = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff";
    let unsolicited = (FIN | PONG, &b"unsolicited pong payload"[..]);
    play_cases(&[
        Case { name: "2.1", sends: &[PING_OF_NOTHING], echoes: &pong(b""), code: None },
        Case { name: "2.2", sends: &[(FIN | PING, b"Hello, world!")], echoes: &pong(b"Hello, world!"), code: None },
        Case { name: "2.3", sends: &[(FIN | PING, binary)], echoes: &pong(binary), code: None },
        Case { name: "2.4, 2.6", sends: &[(FIN | PING, &[0xfe; 125])], echoes: &pong(&[0xfe; 125]), code: None },
        fails("2.5", &[(FIN | PING, &[0xfe; 126])], &[]),
        Case { name: "2.7", sends: &[(FIN | PONG, b"")], echoes: &[], code: None },
        Case { name: "2.8", sends: &[unsolicited], echoes: &[], code: None },
        Case { name: "2.9", sends: &[unsolicited, (FIN | PING, b"ping")], echoes: &pong(b"ping"), code: None },
        Case { name: "2.10, 2.11", sends: &ten_pings, echoes: &ten_pongs, code: None },
    ]);
}

#[test]
fn chapter_3_reserved_bits() {
    play_cases(&[
        fails("3.1", &[(0x90 | TEXT, HELLO.1)], &[]),
        fails("3.2", &[HELLO, (0xa0 | TEXT, HELLO.1), PING_OF_NOTHING], &[HELLO]),
        fails("3.3", &[HELLO, (0xb0 | TEXT, HELLO.1), PING_OF_NOTHING], &[HELLO]),
        fails("3.4", &[HELLO, (0xc0 | TEXT, HELLO.1), PING_OF_NOTHING], &[HELLO]),
        fails("3.5", &[(0xd0 | BINARY, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")], &[]),
        fails("3.6", &[(0xe0 | BINARY, HELLO.1)], &[]),
        fails("3.7", &[(0xf0 | CLOSE, b"")], &[]),
    ]);
}

#[test]
fn chapter_4_reserved_opcodes() {
    for (names, first) in
        [(["4.1.1", "4.1.2", "4.1.3", "4.1.4", "4.1.5"], 0x3), (["4.2.1", "4.2.2", "4.2.3", "4.2.4", "4.2.5"], 0xb)]
    {
        let reserved = |nth: u8| FIN | (first + nth);
        play_cases(&[
            fails(names[0], &[(reserved(0), b"")], &[]),
            fails(names[1], &[(reserved(1), b"reserved opcode payload")], &[]),
            fails(names[2], &[HELLO, (reserved(2), b""), PING_OF_NOTHING], &[HELLO]),
            fails(names[3], &[HELLO, (reserved(3), HELLO.1), PING_OF_NOTHING], &[HELLO]),
            fails(names[4], &[HELLO, (reserved(4), HELLO.1), PING_OF_NOTHING], &[HELLO]),
        ]);
    }
}

#[test]
fn chapter_5_fragments() {
    let [one, two, three, four, five] = [&b"fragment1"[..], b"fragment2", b"fragment3", b"fragment4", b"fragment5"];
    let both = (FIN | TEXT, &b"fragment1fragment2"[..]);
    let nothing_to_continue = &b"non-continuation payload"[..];
    play_cases(&[
        fails("5.1", &[(PING, one), (FIN | CONTINUATION, two)], &[]),
        fails("5.2", &[(PONG, one), (FIN | CONTINUATION, two)], &[]),
        Case { name: "5.3, 5.4, 5.5", sends: &[(TEXT, one), (FIN | CONTINUATION, two)], echoes: &[both], code: None },
        Case {
            name: "5.6, 5.7, 5.8",
            sends: &[(TEXT, one), (FIN | PING, b"ping payload"), (FIN | CONTINUATION, two)],
            echoes: &[(FIN | PONG, b"ping payload"), both],
            code: None,
        },
        fails("5.9, 5.10, 5.11", &[(FIN | CONTINUATION, nothing_to_continue), HELLO], &[]),
        fails("5.12, 5.13, 5.14", &[(CONTINUATION, nothing_to_continue), HELLO], &[]),
        fails("5.15", &[(TEXT, one), (FIN | CONTINUATION, two), (CONTINUATION, three), (FIN | TEXT, four)], &[both]),
        fails("5.16", &[(CONTINUATION, one), (TEXT, two), (FIN | CONTINUATION, three)].repeat(2), &[]),
        fails("5.17", &[(FIN | CONTINUATION, one), (TEXT, two), (FIN | CONTINUATION, three)].repeat(2), &[]),
        fails("5.18", &[(TEXT, one), (FIN | TEXT, two)], &[]),
        Case {
            name: "5.19, 5.20",
            sends: &[
                (TEXT, one),
                (CONTINUATION, two),
                (FIN | PING, b"pongme 1!"),
                (CONTINUATION, three),
                (CONTINUATION, four),
                (FIN | PING, b"pongme 2!"),
                (FIN | CONTINUATION, five),
            ],
            echoes: &[
                (FIN | PONG, b"pongme 1!"),
                (FIN | PONG, b"pongme 2!"),
                (FIN | TEXT, b"fragment1fragment2fragment3fragment4fragment5"),
            ],
            code: None,
        },
    ]);
}
