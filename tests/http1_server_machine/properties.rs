//! Random requests, whole and broken, in random pieces.

use foster::http::{DEFAULT_MAX_HEAD_SIZE, Limits};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed};

use crate::wire::{Event, Outcome, check_behind_an_empty_line, play};

/// The same cases in every run: what is new is for the fuzzer to find, and not for a check of something else.
fn config() -> Config {
    Config { cases: 400, failure_persistence: None, rng_seed: RngSeed::Fixed(9112), ..Config::default() }
}

#[derive(Clone, Debug)]
struct Sent {
    method: String,
    target: String,
    is_11: bool,
    fields: Vec<(String, String)>,
    body: SentBody,
}

#[derive(Clone, Debug)]
enum SentBody {
    Nothing,
    Length(Vec<u8>),
    Chunks { chunks: Vec<(Vec<u8>, String)>, trailers: Vec<(String, String)> },
}

impl Sent {
    fn bytes(&self) -> Vec<u8> {
        let version = if self.is_11 { "HTTP/1.1" } else { "HTTP/1.0" };
        let mut text = format!("{} {} {version}\r\nHost: example.org\r\n", self.method, self.target);
        if !self.is_11 {
            text += "Connection: keep-alive\r\n";
        }
        text += &lines(&self.fields);
        match &self.body {
            SentBody::Nothing => (text + "\r\n").into_bytes(),
            SentBody::Length(body) => {
                [format!("{text}Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
            }
            SentBody::Chunks { chunks, trailers } => {
                let mut bytes = (text + "Transfer-Encoding: chunked\r\n\r\n").into_bytes();
                for (data, extension) in chunks {
                    bytes.extend_from_slice(format!("{:x}{extension}\r\n", data.len()).as_bytes());
                    bytes.extend_from_slice(data);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(format!("0\r\n{}\r\n", lines(trailers)).as_bytes());
                bytes
            }
        }
    }

    fn body(&self) -> Vec<u8> {
        match &self.body {
            SentBody::Nothing => Vec::new(),
            SentBody::Length(body) => body.clone(),
            SentBody::Chunks { chunks, .. } => chunks.iter().flat_map(|(data, _)| data.clone()).collect(),
        }
    }

    fn trailers(&self) -> Vec<(String, Vec<u8>)> {
        let SentBody::Chunks { trailers, .. } = &self.body else { return Vec::new() };
        trailers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.trim().as_bytes().to_vec())).collect()
    }
}

fn lines(fields: &[(String, String)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}:{value}\r\n")).collect()
}

/// Fields that mean nothing to the connection.
fn fields() -> impl Strategy<Value = Vec<(String, String)>> {
    vec(("[xX]-[!#$%&'*+.^_`|~0-9A-Za-z-]{0,12}", "[ \t]{0,2}([!-~é][ -~é]{0,20}[!-~é])?[ \t]{0,2}"), 0..6)
}

fn sent_body() -> impl Strategy<Value = SentBody> {
    let data = || vec(any::<u8>(), 1..60);
    let extension = "([ \t]{0,2};[a-z]{0,4}(=[a-z]{1,3}|=\"[ -!#-\\[\\]-~]{0,6}\")?)?";
    prop_oneof![
        Just(SentBody::Nothing),
        vec(any::<u8>(), 0..200).prop_map(SentBody::Length),
        (vec((data(), extension), 0..5), fields()).prop_map(|(chunks, trailers)| SentBody::Chunks { chunks, trailers }),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let target = prop_oneof![
        "/[a-zA-Z0-9._~!$&'()*+,;=:@/%-]{0,30}(\\?[a-z=&%/?]{0,10})?",
        "http://[a-z0-9.-]{1,10}(:[0-9]{1,4})?(/[a-z]{0,8})?(\\?[a-z=]{0,8})?",
    ];
    ("[A-Z][A-Z-]{0,9}", target, any::<bool>(), fields(), sent_body()).prop_map(
        |(method, target, is_11, fields, body)| {
            let method = if method == "CONNECT" { "PATCH".to_owned() } else { method };
            let is_11 = is_11 || matches!(body, SentBody::Chunks { .. });
            Sent { method, target, is_11, fields, body }
        },
    )
}

/// Plays `input` cut at those places.
fn play_cut(input: &[u8], cuts: &[Index]) -> Outcome {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    cuts.extend([0, input.len()]);
    cuts.sort_unstable();
    play(&Limits::default(), cuts.windows(2).map(|ends| &input[ends[0]..ends[1]]).filter(|piece| !piece.is_empty()))
}

/// What breaks requests.
#[derive(Clone, Debug)]
enum Mutation {
    Put(Index, u8),
    Insert(Index, &'static [u8]),
    Remove(Index, usize),
    Repeat(Index, usize),
    CutOff(Index),
}

const NASTY: [&[u8]; 28] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\n\n",
    b" ",
    b"\t",
    b"\x0b",
    b"\0",
    b":",
    b";",
    b",",
    b"\x80",
    b"\xff",
    b"0\r\n\r\n",
    b"\r\nContent-Length: 5",
    b"\r\nContent-Length: 0",
    b"\r\nTransfer-Encoding: chunked",
    b"\r\nTransfer-Encoding: gzip, chunked",
    b"\r\nHost: a",
    b"\r\n folded",
    b"\r\nExpect: 100-continue",
    b"\r\nConnection: close",
    b"HTTP/2.0",
    b"0x",
    b"ffffffffffffffff",
    b"#",
    b"@",
];

impl Mutation {
    fn apply(&self, input: &mut Vec<u8>) {
        match *self {
            Mutation::Put(at, byte) if !input.is_empty() => {
                let at = at.index(input.len());
                input[at] = byte;
            }
            Mutation::Insert(at, bytes) => {
                let at = at.index(input.len() + 1);
                input.splice(at..at, bytes.iter().copied());
            }
            Mutation::Remove(at, n) => {
                let at = at.index(input.len() + 1);
                input.drain(at..input.len().min(at + n));
            }
            Mutation::Repeat(at, n) => {
                let at = at.index(input.len() + 1);
                let piece = input[at..input.len().min(at + n)].to_vec();
                input.splice(at..at, piece);
            }
            Mutation::CutOff(at) => input.truncate(at.index(input.len() + 1)),
            Mutation::Put(..) => {}
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        3 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Put(at, byte)),
        6 => (any::<Index>(), select(&NASTY[..])).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        3 => (any::<Index>(), 1..8usize).prop_map(|(at, n)| Mutation::Remove(at, n)),
        2 => (any::<Index>(), 1..40usize).prop_map(|(at, n)| Mutation::Repeat(at, n)),
        1 => any::<Index>().prop_map(Mutation::CutOff),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn requests_come_out_as_they_were_sent_however_they_are_cut(
        requests in vec(sent(), 1..4),
        cuts in vec(any::<Index>(), 0..12),
    ) {
        let input: Vec<u8> = requests.iter().flat_map(Sent::bytes).collect();
        let outcome = play_cut(&input, &cuts);
        prop_assert_eq!(outcome.error(), None);
        prop_assert_eq!(outcome.bodies(), requests.iter().map(Sent::body).collect::<Vec<_>>());
        let heads = outcome.heads();
        prop_assert_eq!(heads.len(), requests.len());
        for (head, sent) in heads.iter().zip(&requests) {
            prop_assert_eq!((&head.method, &head.target, head.is_11), (&sent.method, &sent.target, sent.is_11));
            for (name, value) in &sent.fields {
                let value = value.trim_matches([' ', '\t']).as_bytes().to_vec();
                prop_assert!(head.fields.contains(&(name.clone(), value)));
            }
        }
        let trailers = outcome.events.iter().filter_map(|event| match event {
            Event::End(trailers) => Some(trailers.clone()),
            _ => None,
        });
        prop_assert_eq!(trailers.collect::<Vec<_>>(), requests.iter().map(Sent::trailers).collect::<Vec<_>>());
    }

    #[test]
    fn broken_requests_give_the_same_however_they_are_cut(
        requests in vec(sent(), 1..3),
        mutations in vec(mutation(), 1..5),
        cuts in vec(any::<Index>(), 0..12),
    ) {
        let mut input: Vec<u8> = requests.iter().flat_map(Sent::bytes).collect();
        for mutation in &mutations {
            mutation.apply(&mut input);
        }
        let whole = play(&Limits::default(), [&input[..]]);
        prop_assert_eq!(&whole, &play_cut(&input, &cuts), "cut: {}", input.escape_ascii());
        prop_assert_eq!(&whole, &play(&Limits::default(), input.chunks(1)), "by byte: {}", input.escape_ascii());
        check_behind_an_empty_line(Limits::default().max_head_size(DEFAULT_MAX_HEAD_SIZE + 2), &whole, &input);
    }

    #[test]
    fn noise_gives_the_same_however_it_is_cut(input in vec(any::<u8>(), 0..300), cuts in vec(any::<Index>(), 0..12)) {
        let whole = play(&Limits::default(), [&input[..]]);
        prop_assert_eq!(&whole, &play_cut(&input, &cuts));
        prop_assert_eq!(&whole, &play(&Limits::default(), input.chunks(1)));
    }
}
