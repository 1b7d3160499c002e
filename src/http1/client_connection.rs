//! [`ClientConnection`]: the client's side of a connection of HTTP/1.1, as a machine.

use std::rc::Rc;

use crate::http::{
    HeaderList, HeaderValue, HttpError, Limits, Method, ResponseHead, StatusCode, Target, Version, header, is_host,
};

use super::chunked::Piece;
use super::encode::{self, BodyFraming};
use super::fields::Framing;
use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::parse::{parse_response, parse_trailers};
use super::server::BodySize;
use super::stash::Stash;

/// The client's side of a connection of HTTP/1.1: requests out, events in. It does no I/O and looks at no clock.
///
/// ```text
///   send:          request ──> data* ──> end ─────────────────────┐
///   receive_data:  Informational* ──> Response ──> Data* ──> EndOfMessage ─┴─> the next request, or closed
///                              └────> Switched
/// ```
///
/// The response may come before the request was sent to its end, and its data beside that of the request. The next
/// request is taken once both are done: there is no pipelining. After an error nothing more is read.
///
/// ```
/// use foster::http::{HeaderList, HeaderValue, Method};
/// use foster::http1::{ClientConnection, ClientEvent};
///
/// let mut connection = ClientConnection::new(Default::default());
/// connection.set_host(Some(HeaderValue::from_static("example.org")));
/// let mut out = Vec::new();
/// connection.send_request(&Method::GET, "/", &HeaderList::new(), None, &mut out)?;
/// connection.send_end(&HeaderList::new(), &mut out)?;
/// assert_eq!(out, b"GET / HTTP/1.1\r\nhost: example.org\r\n\r\n");
///
/// let mut data = &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nHi"[..];
/// let Some(ClientEvent::Response(response)) = connection.receive_data(&mut data)? else { panic!("a response") };
/// assert_eq!(response.head.status(), 200);
/// assert!(matches!(connection.receive_data(&mut data)?, Some(ClientEvent::Data(b"Hi"))));
/// assert!(matches!(connection.receive_data(&mut data)?, Some(ClientEvent::EndOfMessage(_))));
/// assert!(connection.is_idle());
/// # foster::Ok(())
/// ```
#[derive(Debug)]
pub struct ClientConnection {
    limits: Rc<Limits>,
    host: Option<HeaderValue>,
    stash: Stash,
    reading: Reading,
    writing: Writing,
    exchange: Exchange,
}

/// What a server sends.
#[derive(Debug)]
pub enum ClientEvent<'a> {
    /// A response of 1xx but 101: another one follows. `100 Continue` asks for the body.
    Informational(ResponseHead),
    /// The head of the response.
    Response(IncomingResponse),
    /// A piece of its body, never empty.
    Data(&'a [u8]),
    /// Its end, with the trailers. A response without a body has it right after its head.
    EndOfMessage(HeaderList),
    /// 101 to a request with `Upgrade`, or 2xx to CONNECT: what comes from now on belongs to another protocol, and stays
    /// in `data`.
    Switched(ResponseHead),
}

/// A response as its head says it will be.
#[derive(Debug)]
pub struct IncomingResponse {
    /// Status and header fields.
    pub head: ResponseHead,
    /// The size of its body.
    pub body: BodySize,
}

#[derive(Debug)]
enum Reading {
    /// No request is there that could be answered.
    Idle,
    Head,
    Body(Incoming),
    /// The response was read; its request was not sent to its end.
    Done,
    /// Nothing more is read.
    Closed,
    /// What comes belongs to another protocol.
    Switched,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Idle,
    Body(Outgoing),
    /// The rest of the request will not be sent: what is given is dropped.
    Abandoned,
    Done,
}

/// What has to be remembered of the request that is answered.
#[derive(Clone, Copy, Debug, Default)]
struct Exchange {
    is_head: bool,
    is_connect: bool,
    has_upgrade: bool,
    keeps_alive: bool,
    /// The body waits for `100 Continue`.
    expects_continue: bool,
    /// Of a body that nothing but the end of the connection marks off.
    n_received: u64,
}

impl ClientConnection {
    /// A new connection. The limits are those of the responses; of a request nothing is limited.
    pub fn new(limits: Rc<Limits>) -> Self {
        ClientConnection {
            limits,
            host: None,
            stash: Stash::default(),
            reading: Reading::Idle,
            writing: Writing::Idle,
            exchange: Exchange::default(),
        }
    }

    /// What `Host` says in requests that have none of their own and whose target names none.
    pub fn set_host(&mut self, host: Option<HeaderValue>) {
        self.host = host;
    }

    /// Whether a request can be sent: nothing of the last one is left, and the connection is not to be closed.
    pub fn is_idle(&self) -> bool {
        matches!(self.reading, Reading::Idle)
    }

    /// Whether the connection has to be closed: the last response was read, or never will be. What is left of a request
    /// need not be sent.
    pub fn must_close(&self) -> bool {
        matches!(self.reading, Reading::Closed)
    }

    /// Whether the body of a request is to be sent, or its end.
    pub fn is_sending(&self) -> bool {
        matches!(self.writing, Writing::Body(_))
    }

    /// Whether the body of the request waits for `100 Continue`. It may be sent nevertheless, and should be after a
    /// while (RFC 9110, 10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.exchange.expects_continue
    }

    /// Writes the head of a request. `size` is `None` for a request without a body; end it with
    /// [`send_end`](ClientConnection::send_end) all the same.
    ///
    /// `Content-Length` among the headers counts with a body of unknown size; `Transfer-Encoding` there never counts. Of
    /// `Connection` there only `close` counts: the members that `Upgrade` and `TE` ask for are written by themselves.
    ///
    /// # Errors
    ///
    /// [`HttpError::State`] if the connection is not [idle](ClientConnection::is_idle), for a target that is in none of
    /// the forms that its method may have, and if there is not exactly one host; [`HttpError::Framing`] for a
    /// `Content-Length` that is no number or not the size of the body, and for a body of CONNECT. Nothing was written
    /// then.
    pub fn send_request(
        &mut self,
        method: &Method,
        target: &str,
        headers: &HeaderList,
        size: Option<BodySize>,
        out: &mut Vec<u8>,
    ) -> Result<(), HttpError> {
        if !self.is_idle() {
            return Err(HttpError::State("the last request is not done, or the connection is to be closed"));
        }
        let host = self.host_of(method, target, headers)?;
        let framing = frame(method, headers, size)?;
        let closes = headers.has_token(&header::CONNECTION, "close");
        let has_upgrade = headers.contains(&header::UPGRADE);
        let expects_continue = headers.has_token(&header::EXPECT, "100-continue")
            && !matches!(framing, BodyFraming::Nothing | BodyFraming::Length(0));

        out.reserve(256);
        out.extend_from_slice(method.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(target.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        if let Some(host) = host {
            encode::field(&header::HOST, &host, out);
        }
        encode::fields(headers, out);
        encode::framing(framing, out);
        let options = [(has_upgrade, "upgrade"), (headers.contains(&header::TE), "TE"), (closes, "close")];
        write_connection(&options, out);
        out.extend_from_slice(b"\r\n");

        (self.reading, self.writing) = (Reading::Head, Writing::Body(Outgoing::new(framing)));
        self.exchange = Exchange {
            is_head: *method == Method::HEAD,
            is_connect: *method == Method::CONNECT,
            has_upgrade,
            keeps_alive: !closes,
            expects_continue,
            n_received: 0,
        };
        Ok(())
    }

    /// The host that has to be written, unless it is among the headers.
    fn host_of(&self, method: &Method, target: &str, headers: &HeaderList) -> Result<Option<HeaderValue>, HttpError> {
        const NO_HOST: HttpError = HttpError::State("a request has exactly one Host: a name or an address, and a port");
        let is_sendable = target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        let form = Target::parse(target, *method == Method::CONNECT, *method == Method::OPTIONS);
        let Some(form) = form.filter(|_| is_sendable) else {
            return Err(HttpError::State("the target of a request is a path, \"*\" or a URL, percent-encoded"));
        };
        let mut given = headers.iter().filter(|(name, _)| **name == header::HOST).map(|(_, value)| value);
        match (given.next(), form.authority(), &self.host) {
            (Some(host), _, _) if given.next().is_some() || !is_host(host.as_bytes()) => Err(NO_HOST),
            (Some(_), _, _) => Ok(None),
            (None, Some(authority), _) => HeaderValue::from_str(authority).map(Some).map_err(|_| NO_HOST),
            (None, None, Some(host)) if is_host(host.as_bytes()) => Ok(Some(host.clone())),
            (None, None, _) => Err(NO_HOST),
        }
    }

    /// Writes a piece of the body.
    ///
    /// # Errors
    ///
    /// As [`frame_data`](ClientConnection::frame_data).
    pub fn send_data(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), HttpError> {
        if let Some(behind) = self.frame_data(data.len(), out)? {
            out.extend_from_slice(data);
            out.extend_from_slice(behind);
        }
        Ok(())
    }

    /// Writes what stands before `n` bytes of the body, and gives what the caller has to write behind them; `None` if
    /// the server will not read them and they are not to be sent.
    ///
    /// # Errors
    ///
    /// [`HttpError::TooMuchBody`] if they are more than `Content-Length` said, [`HttpError::State`] before
    /// [`send_request`](ClientConnection::send_request): close the connection, the request cannot be completed.
    pub fn frame_data(&mut self, n: usize, out: &mut Vec<u8>) -> Result<Option<&'static [u8]>, HttpError> {
        self.exchange.expects_continue = false;
        match &mut self.writing {
            Writing::Body(body) => body.frame(n, out).map(Some),
            Writing::Abandoned => Ok(None),
            Writing::Idle | Writing::Done => Err(HttpError::State("there is no request whose body this could be")),
        }
    }

    /// Writes the end of the request, with trailers if it is chunked.
    ///
    /// # Errors
    ///
    /// [`HttpError::TooLittleBody`] if less was sent than `Content-Length` said, [`HttpError::State`] before
    /// [`send_request`](ClientConnection::send_request).
    pub fn send_end(&mut self, trailers: &HeaderList, out: &mut Vec<u8>) -> Result<(), HttpError> {
        self.exchange.expects_continue = false;
        match self.writing {
            Writing::Body(body) => body.end(trailers, out)?,
            Writing::Abandoned => return Ok(()),
            Writing::Idle | Writing::Done => return Err(HttpError::State("there is no request that could end")),
        }
        self.writing = Writing::Done;
        self.go_on();
        Ok(())
    }

    /// Takes the next event from the start of `data`, which it shortens by what was used. `None`: with `data` empty more
    /// is needed; with `data` left over, it belongs to another protocol, or to nobody.
    ///
    /// # Errors
    ///
    /// What is wrong with the response: close the connection. [`HttpError::Unexpected`] for data that no request has
    /// asked for.
    pub fn receive_data<'a>(&mut self, data: &mut &'a [u8]) -> Result<Option<ClientEvent<'a>>, HttpError> {
        let event = match &mut self.reading {
            Reading::Head => self.receive_head(data),
            Reading::Body(body) => match body.next(data, &mut self.stash, &self.limits) {
                Ok(Some(Piece::Data(piece))) if matches!(body, Incoming::Close) => {
                    self.exchange.n_received = self.exchange.n_received.saturating_add(piece.len() as u64);
                    self.check_size(self.exchange.n_received).map(|()| Some(ClientEvent::Data(piece)))
                }
                Ok(Some(Piece::Data(piece))) => Ok(Some(ClientEvent::Data(piece))),
                Ok(Some(Piece::End(trailers))) => {
                    self.reading = Reading::Done;
                    self.go_on();
                    Ok(Some(ClientEvent::EndOfMessage(trailers)))
                }
                Ok(None) => Ok(None),
                Err(err) => Err(err),
            },
            Reading::Idle | Reading::Done if !data.is_empty() => Err(HttpError::Unexpected),
            Reading::Idle | Reading::Done | Reading::Closed | Reading::Switched => Ok(None),
        };
        if event.is_err() {
            self.close();
        }
        event
    }

    /// The stream of the server has ended. That may be the end of a body, which has no trailers then.
    ///
    /// # Errors
    ///
    /// Before the end of a response: what is wrong with it if that can be said, else [`HttpError::Incomplete`].
    pub fn receive_eof(&mut self) -> Result<Option<ClientEvent<'static>>, HttpError> {
        let begun = self.stash.bytes();
        let event = match &self.reading {
            Reading::Body(Incoming::Close | Incoming::Length(0)) => {
                Ok(Some(ClientEvent::EndOfMessage(HeaderList::new())))
            }
            Reading::Head => parse_response(begun, &self.limits).and(Err(HttpError::Incomplete)),
            Reading::Body(_) => parse_trailers(begun, &self.limits).and(Err(HttpError::Incomplete)),
            Reading::Idle | Reading::Done | Reading::Closed => Ok(None),
            Reading::Switched => return Ok(None),
        };
        self.close();
        event
    }

    fn close(&mut self) {
        self.reading = Reading::Closed;
        self.exchange.keeps_alive = false;
        self.stash.clear();
    }

    fn check_size(&self, n: u64) -> Result<(), HttpError> {
        match self.limits.body {
            Some(limit) if n > limit => Err(HttpError::BodyTooLarge { limit }),
            _ => Ok(()),
        }
    }

    fn receive_head<'a>(&mut self, data: &mut &'a [u8]) -> Result<Option<ClientEvent<'a>>, HttpError> {
        // The parser lets empty lines pass, which no server sends in front of a response.
        if self.stash.is_empty() && matches!(data.first(), Some(b'\r' | b'\n')) {
            return Err(HttpError::StatusLine);
        }
        let Some(read) = self.stash.take_head(data, &self.limits, parse_response)? else { return Ok(None) };
        let (head, framing) = (read.head, read.framing);
        let status = head.status;
        let has_asked_to_switch = self.exchange.has_upgrade && self.writing == Writing::Done;
        if status == StatusCode::SWITCHING_PROTOCOLS && !has_asked_to_switch {
            return Err(HttpError::Unexpected);
        }
        if status == StatusCode::SWITCHING_PROTOCOLS || (self.exchange.is_connect && status.is_success()) {
            (self.reading, self.writing) = (Reading::Switched, Writing::Done);
            return Ok(Some(ClientEvent::Switched(head)));
        }
        if status.is_informational() {
            self.exchange.expects_continue &= status != StatusCode::CONTINUE;
            return Ok(Some(ClientEvent::Informational(head)));
        }

        let body = self.incoming(status, &framing)?;
        let is_11 = head.version == Version::HTTP_11;
        self.exchange.keeps_alive &= framing.keeps_alive(is_11) && !matches!(body, Incoming::Close);
        // Whether the server, which did not ask for the body, will read it or take it for the next request cannot be
        // known (RFC 9110, 10.1.1); one that refuses the request and closes will not (RFC 9112, 9.3).
        let is_refused = !self.exchange.keeps_alive && (status.is_client_error() || status.is_server_error());
        if self.is_sending() && (std::mem::take(&mut self.exchange.expects_continue) || is_refused) {
            self.writing = Writing::Abandoned;
            self.exchange.keeps_alive = false;
        }
        let size = match body {
            Incoming::Length(length) => BodySize::Known(length),
            Incoming::Chunked(_) | Incoming::Close => BodySize::Unknown,
        };
        self.reading = Reading::Body(body);
        Ok(Some(ClientEvent::Response(IncomingResponse { head, body: size })))
    }

    /// How the body of the response is marked off (RFC 9112, 6.3).
    fn incoming(&self, status: StatusCode, framing: &Framing) -> Result<Incoming, HttpError> {
        if self.exchange.is_head || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
            return Ok(Incoming::Length(0));
        }
        match framing.content_length {
            _ if framing.is_chunked => Ok(Incoming::chunked()),
            Some(length) => self.check_size(length).map(|()| Incoming::Length(length)),
            None => Ok(Incoming::Close),
        }
    }

    /// Goes on to the next request once both sides are done.
    fn go_on(&mut self) {
        match (&self.reading, self.writing) {
            (Reading::Done, Writing::Done) if self.exchange.keeps_alive => {
                (self.reading, self.writing) = (Reading::Idle, Writing::Idle);
            }
            (Reading::Done, _) if !self.exchange.keeps_alive => self.reading = Reading::Closed,
            _ => {}
        }
    }
}

/// How the body of a request is marked off.
fn frame(method: &Method, headers: &HeaderList, size: Option<BodySize>) -> Result<BodyFraming, HttpError> {
    let given = headers.content_length()?;
    if *method == Method::CONNECT {
        let has_body = given.unwrap_or(0) > 0 || !matches!(size, None | Some(BodySize::Known(0)));
        return if has_body { Err(HttpError::Framing) } else { Ok(BodyFraming::Nothing) };
    }
    match (size, given) {
        (None, Some(1..)) => Err(HttpError::Framing),
        // Of these a server may expect a body, and wants to be told that there is none (RFC 9110, 8.6).
        (None, None) if !matches!(*method, Method::POST | Method::PUT | Method::PATCH) => Ok(BodyFraming::Nothing),
        (None, _) => Ok(BodyFraming::Length(0)),
        (Some(BodySize::Known(length)), Some(given)) if length != given => Err(HttpError::Framing),
        (Some(BodySize::Known(length)), _) | (Some(BodySize::Unknown), Some(length)) => Ok(BodyFraming::Length(length)),
        (Some(BodySize::Unknown), None) => Ok(BodyFraming::Chunked),
    }
}

/// Writes `Connection` with those of its options that are on.
fn write_connection(options: &[(bool, &str)], out: &mut Vec<u8>) {
    let mut before = "connection: ";
    for (_, option) in options.iter().filter(|(is_on, _)| *is_on) {
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(option.as_bytes());
        before = ", ";
    }
    if before == ", " {
        out.extend_from_slice(b"\r\n");
    }
}
