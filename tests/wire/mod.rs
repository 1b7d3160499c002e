//! A server's connection fed in every way, and what it makes of it.

#![allow(dead_code, reason = "every test file uses a part of it")]

use std::rc::Rc;

use foster::http::{
    DEFAULT_MAX_CHUNK_EXTENSIONS, DEFAULT_MAX_HEAD_SIZE, DEFAULT_MAX_TRAILERS_SIZE, HeaderList, HttpError, Limits,
    Method, StatusCode,
};
use foster::http1::{BodySize, IncomingRequest, ServerConnection, ServerEvent};

/// What a connection gave, with pieces of a body joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Request(Head),
    Data(Vec<u8>),
    End(Vec<(String, Vec<u8>)>),
    Error(HttpError),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) is_11: bool,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) body: BodySize,
    pub(crate) expects_continue: bool,
    pub(crate) has_upgrade: bool,
}

impl Head {
    fn of(request: &IncomingRequest) -> Self {
        let form = request.head.target_form();
        assert_eq!((request.head.path(), request.head.query()), (form.path(), form.query()));
        assert!(request.head.host().is_some() || request.head.version() == foster::http::Version::HTTP_10);
        Head {
            method: request.head.method().to_string(),
            target: request.head.target().to_owned(),
            is_11: request.head.version() == foster::http::Version::HTTP_11,
            fields: request.head.headers().iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect(),
            body: request.body,
            expects_continue: request.expects_continue,
            has_upgrade: request.has_upgrade,
        }
    }
}

/// Everything that can be seen of a connection from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) events: Vec<Event>,
    /// What it has sent: "ok" to each request, and the answer to an error.
    pub(crate) sent: Vec<u8>,
    /// What was left over when it had closed; nothing counts behind an error.
    pub(crate) n_left: usize,
}

impl Outcome {
    /// The error, which is the last event if there is one.
    pub(crate) fn error(&self) -> Option<&HttpError> {
        match self.events.last() {
            Some(Event::Error(err)) => Some(err),
            _ => None,
        }
    }

    pub(crate) fn heads(&self) -> Vec<&Head> {
        self.events
            .iter()
            .filter_map(|event| if let Event::Request(head) = event { Some(head) } else { None })
            .collect()
    }

    /// The bodies of the requests that came to their end.
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        let (mut bodies, mut body) = (Vec::new(), Vec::new());
        for event in &self.events {
            match event {
                Event::Data(data) => body.extend_from_slice(data),
                Event::End(_) => bodies.push(std::mem::take(&mut body)),
                Event::Request(_) | Event::Error(_) => {}
            }
        }
        bodies
    }
}

/// Feeds the pieces in turn, answers every request at its end, and ends the stream.
pub(crate) fn play<'a>(limits: &Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut connection = ServerConnection::new(Rc::new(limits.clone()));
    let (mut events, mut sent, mut held) = (Vec::new(), Vec::new(), Vec::new());
    // How much was taken since the last event: what a client can make the connection keep.
    let mut n_silent = 0;
    for piece in pieces {
        held.extend_from_slice(piece);
        let mut data = &held[..];
        loop {
            let n_before = data.len();
            let event = connection.receive_data(&mut data);
            n_silent += n_before - data.len();
            if *limits == Limits::default() {
                assert!(n_silent <= MOST_SILENT_BYTES, "{n_silent} bytes were taken, and nothing said of them");
            }
            match event {
                Ok(None) => break,
                Ok(Some(event)) => {
                    n_silent = 0;
                    if matches!(note(&mut events, event), Event::End(_)) {
                        answer(&mut connection, &mut sent);
                    }
                }
                Err(err) => {
                    refuse(&mut connection, &mut events, err, &mut sent);
                    break;
                }
            }
        }
        let n_used = held.len() - data.len();
        held.drain(..n_used);
        assert!(held.is_empty() || connection.must_close(), "bytes were left although nothing is to be waited for");
        check_that_nothing_is_read_after_an_error(&mut connection, &events);
    }
    if let Err(err) = connection.receive_eof() {
        refuse(&mut connection, &mut events, err, &mut sent);
    }
    let n_left = if matches!(events.last(), Some(Event::Error(_))) { 0 } else { held.len() };
    Outcome { events, sent, n_left }
}

fn note<'e>(events: &'e mut Vec<Event>, event: ServerEvent<'_>) -> &'e Event {
    match event {
        ServerEvent::Request(request) => events.push(Event::Request(Head::of(&request))),
        ServerEvent::Data(piece) => {
            assert!(!piece.is_empty(), "a piece of a body is never empty");
            match events.last_mut() {
                Some(Event::Data(data)) => data.extend_from_slice(piece),
                _ => events.push(Event::Data(piece.to_vec())),
            }
        }
        ServerEvent::EndOfMessage(trailers) => events.push(Event::End(
            trailers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
        )),
    }
    events.last().expect("one was pushed")
}

fn answer(connection: &mut ServerConnection, sent: &mut Vec<u8>) {
    let none = HeaderList::new();
    connection.send_response(StatusCode::OK, None, &none, BodySize::Known(2), None, sent).expect("a request waits");
    connection.send_data(b"ok", sent).expect("two bytes");
    connection.send_end(&none, sent).expect("all was sent");
}

fn refuse(connection: &mut ServerConnection, events: &mut Vec<Event>, err: HttpError, sent: &mut Vec<u8>) {
    connection.send_error(err.status(), None, sent);
    assert!(connection.must_close(), "a connection closes after {err}");
    events.push(Event::Error(err));
}

fn check_that_nothing_is_read_after_an_error(connection: &mut ServerConnection, events: &[Event]) {
    if matches!(events.last(), Some(Event::Error(_))) {
        let mut more = &b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"[..];
        let n = more.len();
        assert!(matches!(connection.receive_data(&mut more), Ok(None)), "nothing is parsed after an error");
        assert_eq!(more.len(), n, "nothing is taken after an error");
    }
}

/// A head, or what stands between two pieces of a body: the end of a chunk, a size, extensions, trailers.
const MOST_SILENT_BYTES: usize = DEFAULT_MAX_HEAD_SIZE + DEFAULT_MAX_TRAILERS_SIZE + DEFAULT_MAX_CHUNK_EXTENSIONS + 64;

/// Feeds `input` whole, byte by byte and cut in two at every place (of a long one, at some), and gives the outcome, which
/// is the same each way.
pub(crate) fn every_way(limits: &Limits, input: &[u8]) -> Outcome {
    let whole = play(limits, [input]);
    let by_byte = play(limits, input.chunks(1));
    assert_eq!(whole, by_byte, "whole and byte by byte: {}", input.escape_ascii());
    let step = if input.len() <= 1024 { 1 } else { input.len() / 64 };
    for at in (1..input.len()).step_by(step) {
        let (first, second) = input.split_at(at);
        let cut = play(limits, [first, second]);
        assert_eq!(whole, cut, "whole and cut at {at}: {}", input.escape_ascii());
    }
    whole
}

/// Checks what has to hold of any input, under the limits that nobody has set and under small ones.
pub(crate) fn check_invariants(input: &[u8]) {
    let small = Limits::default()
        .max_request_line(48)
        .max_head_size(SMALL_HEAD)
        .max_headers(6)
        .max_body_size(Some(40))
        .max_chunk_extensions(12)
        .max_trailers_size(32);
    for (limits, head) in [(Limits::default(), DEFAULT_MAX_HEAD_SIZE), (small, SMALL_HEAD)] {
        let whole = play(&limits, [input]);
        for size in [1, 2, 3, 7, 61] {
            assert_eq!(whole, play(&limits, input.chunks(size)), "in pieces of {size}: {}", input.escape_ascii());
        }
        check_behind_an_empty_line(limits.max_head_size(head + 2), &whole, input);
    }
}

const SMALL_HEAD: usize = 160;

/// Checks that the first request is the same behind an empty line, where none is read as a plain one. The line counts:
/// `limits` are those of `whole` with room for it.
pub(crate) fn check_behind_an_empty_line(limits: Limits, whole: &Outcome, input: &[u8]) {
    if input.starts_with(b"\r") || input.starts_with(b"\n") {
        // Empty lines have a limit of their own.
        return;
    }
    let behind = play(&limits, [&[b"\r\n", input].concat()[..]]);
    // It says the limit.
    let is_too_large = |first: &Event| matches!(first, Event::Error(HttpError::HeadTooLarge { .. }));
    if whole.events.first().is_some_and(is_too_large) && behind.events.first().is_some_and(is_too_large) {
        return;
    }
    assert_eq!(whole.events.first(), behind.events.first(), "behind an empty line: {}", input.escape_ascii());
}

/// As [`every_way`] under the limits that nobody has set.
pub(crate) fn play_every_way(input: &[u8]) -> Outcome {
    every_way(&Limits::default(), input)
}

/// A connection that has read all of `input`, one request, which waits for its response.
pub(crate) fn asked(input: &str) -> ServerConnection {
    let mut connection = ServerConnection::new(Default::default());
    let mut data = input.as_bytes();
    while let Some(event) = connection.receive_data(&mut data).expect("a request") {
        if matches!(event, ServerEvent::EndOfMessage(_)) {
            break;
        }
    }
    assert!(data.is_empty() && connection.must_respond());
    connection
}

/// A connection that was asked by a client of HTTP/1.1.
pub(crate) fn asked_for(method: Method) -> ServerConnection {
    let target = if method == Method::CONNECT { "a:1" } else { "/" };
    asked(&format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n"))
}

/// Checks that each input is refused with that error and status, fed in every way, and that what stands behind it is not
/// taken for another request.
pub(crate) fn refused(status: u16, err: HttpError, inputs: &[&str]) {
    for input in inputs {
        refused_under(&Limits::default(), status, &err, input.as_bytes());
    }
}

/// As [`refused`], under limits of its own.
pub(crate) fn refused_under(limits: &Limits, status: u16, err: &HttpError, input: &[u8]) {
    let input_and_more = [input, b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
    for input in [input, &input_and_more] {
        let outcome = every_way(limits, input);
        assert_eq!(outcome.error(), Some(err), "{}", input.escape_ascii());
        assert!(outcome.heads().iter().all(|head| head.target != "/smuggled"), "{}", input.escape_ascii());
        let line = format!("HTTP/1.1 {status} ");
        let answers = String::from_utf8(outcome.sent).expect("all that was sent is text");
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "one answer: {answers}");
        assert!(answers.starts_with(&line) && answers.contains("\r\nconnection: close\r\n"), "{status}: {answers}");
    }
}

/// Checks that each input is taken as one whole request, fed in every way, and gives their heads.
pub(crate) fn taken(inputs: &[&str]) -> Vec<Head> {
    let take = |input: &&str| {
        let outcome = play_every_way(input.as_bytes());
        assert_eq!(outcome.error(), None, "{}", input.escape_debug());
        assert!(matches!(outcome.events[..], [Event::Request(_), .., Event::End(_)]), "{}", input.escape_debug());
        assert_eq!(outcome.heads().len(), 1, "{}", input.escape_debug());
        outcome.heads()[0].clone()
    };
    inputs.iter().map(take).collect()
}
