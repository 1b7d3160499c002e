//! [`ServerConnection`]: the server's side of a connection of HTTP/1.1, as a machine.

use std::rc::Rc;

use crate::http::{HeaderList, HeaderValue, HttpError, Limits, Method, RequestHead, StatusCode, Version, header};

use super::chunked::Piece;
use super::encode::{self, BodyFraming};
use super::incoming::Incoming;
use super::last_head::LastHead;
use super::outgoing::Outgoing;
use super::parse::{parse_any_request, parse_trailers};
use super::plain_request::read_plain_request;
use super::stash::Stash;

/// The server's side of a connection of HTTP/1.1 or 1.0: bytes in, events out, and the other way round. It does no I/O
/// and looks at no clock.
///
/// ```text
///   receive_data:  Request ──> Data* ──> EndOfMessage ─┐
///   send:          [informational*] ──> response ──> data* ──> end ─┴─> the next request, or closed
/// ```
///
/// The next request is read once both sides of the last exchange are done. After an error nothing more is read.
///
/// ```
/// use foster::http::{HeaderList, StatusCode};
/// use foster::http1::{BodySize, ServerConnection, ServerEvent};
///
/// let mut connection = ServerConnection::new(Default::default());
/// let mut data = &b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"[..];
/// let Some(ServerEvent::Request(request)) = connection.receive_data(&mut data)? else { panic!("a request") };
/// assert_eq!(request.head.path(), "/");
/// assert!(matches!(connection.receive_data(&mut data)?, Some(ServerEvent::EndOfMessage(_))));
///
/// let mut out = Vec::new();
/// connection.send_response(StatusCode::OK, None, &HeaderList::new(), BodySize::Known(2), None, &mut out)?;
/// connection.send_data(b"Hi", &mut out)?;
/// connection.send_end(&HeaderList::new(), &mut out)?;
/// assert_eq!(out, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nHi");
/// # foster::Ok(())
/// ```
#[derive(Debug)]
pub struct ServerConnection {
    limits: Rc<Limits>,
    stash: Stash,
    reading: Reading,
    writing: Writing,
    exchange: Exchange,
}

/// What a client sends.
#[derive(Debug)]
pub enum ServerEvent<'a> {
    /// The head of a request.
    Request(IncomingRequest),
    /// A piece of its body, never empty.
    Data(&'a [u8]),
    /// Its end, with the trailers. A request without a body has it right after its head.
    EndOfMessage(HeaderList),
}

/// A request as its head says it will be.
#[derive(Debug)]
pub struct IncomingRequest {
    /// Method, target and header fields.
    pub head: RequestHead,
    /// The size of its body.
    pub body: BodySize,
    /// The client waits for `100 Continue` before it sends the body (RFC 9110, 10.1.1).
    pub expects_continue: bool,
    /// The client would switch protocols: `Connection: upgrade` with `Upgrade`.
    pub has_upgrade: bool,
}

/// How large a body is, as far as it is known before it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodySize {
    /// So many bytes.
    Known(u64),
    /// Found out as it comes: chunked, or up to the end of the connection.
    Unknown,
}

#[derive(Debug)]
enum Reading {
    Head,
    Body(Incoming),
    /// The request was read; its response is not done.
    Done,
    /// Nothing more is read.
    Closed,
    /// What comes belongs to another protocol.
    Switched,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    /// No request is there to answer.
    Idle,
    /// A request waits for its response.
    Head,
    Body(Outgoing),
    /// As `Body` for a response that has none: what is given is not sent.
    Suppressed,
    Done,
}

/// What has to be remembered of the request that is answered.
#[derive(Clone, Copy, Debug, Default)]
struct Exchange {
    is_11: bool,
    is_head: bool,
    is_connect: bool,
    keeps_alive: bool,
    expects_continue: bool,
    takes_trailers: bool,
    has_upgrade: bool,
}

impl ServerConnection {
    /// A new connection.
    pub fn new(limits: Rc<Limits>) -> Self {
        ServerConnection {
            limits,
            stash: Stash::default(),
            reading: Reading::Head,
            writing: Writing::Idle,
            exchange: Exchange::default(),
        }
    }

    /// Takes the next event from the start of `data`, which it shortens by what was used. `None`: with `data` empty
    /// more is needed; with `data` left over, it belongs to the next request, which waits for the response, or to
    /// nobody.
    ///
    /// # Errors
    ///
    /// What is wrong with the request: answer it with [`send_error`](ServerConnection::send_error) and close.
    pub fn receive_data<'a>(&mut self, data: &mut &'a [u8]) -> Result<Option<ServerEvent<'a>>, HttpError> {
        let event = match &mut self.reading {
            Reading::Head => self.receive_head(data),
            Reading::Body(body) => match body.next(data, &mut self.stash, &self.limits) {
                Ok(Some(Piece::Data(piece))) => {
                    self.exchange.expects_continue = false;
                    Ok(Some(ServerEvent::Data(piece)))
                }
                Ok(Some(Piece::End(trailers))) => {
                    self.reading = Reading::Done;
                    self.exchange.expects_continue = false;
                    self.go_on();
                    Ok(Some(ServerEvent::EndOfMessage(trailers)))
                }
                Ok(None) => Ok(None),
                Err(err) => Err(err),
            },
            Reading::Done | Reading::Closed | Reading::Switched => Ok(None),
        };
        if event.is_err() {
            self.reading = Reading::Closed;
            self.exchange.keeps_alive = false;
            self.stash.clear();
        }
        event
    }

    /// The stream of the client has ended: what it sent before has to be taken first, a request that waits for the
    /// response before it included.
    ///
    /// # Errors
    ///
    /// Within a request: what is wrong with it if that can be said, else [`HttpError::Incomplete`].
    pub fn receive_eof(&mut self) -> Result<(), HttpError> {
        let end = match self.reading {
            Reading::Head if self.stash.has_only_line_ends() => Ok(()),
            Reading::Head => parse_any_request(self.stash.bytes(), &self.limits).and(Err(HttpError::Incomplete)),
            Reading::Body(_) => parse_trailers(self.stash.bytes(), &self.limits).and(Err(HttpError::Incomplete)),
            Reading::Done | Reading::Closed | Reading::Switched => Ok(()),
        };
        if matches!(self.reading, Reading::Head) {
            self.forget_exchange();
        }
        if !matches!(self.reading, Reading::Switched) {
            self.reading = Reading::Closed;
        }
        self.stash.clear();
        self.exchange.keeps_alive = false;
        end
    }

    fn receive_head<'a>(&mut self, data: &mut &'a [u8]) -> Result<Option<ServerEvent<'a>>, HttpError> {
        let plain = if self.stash.is_empty() { read_plain_request(data, &self.limits) } else { None };
        let read = match plain {
            Some(read) => {
                *data = &data[read.n..];
                read
            }
            None => match self.stash.take_head(data, &self.limits, parse_any_request) {
                Ok(Some(read)) => read,
                Ok(None) => return Ok(None),
                Err(err) => {
                    self.forget_exchange();
                    return Err(err);
                }
            },
        };
        let framing = read.framing;
        let is_11 = read.head.version() == Version::HTTP_11;
        let size = match framing.content_length {
            _ if framing.is_chunked => BodySize::Unknown,
            length => BodySize::Known(length.unwrap_or(0)),
        };
        if let (BodySize::Known(length), Some(limit)) = (size, self.limits.body) {
            if length > limit {
                return self.refuse(read.head, is_11, HttpError::BodyTooLarge { limit });
            }
        }
        self.reading = Reading::Body(match size {
            BodySize::Known(length) => Incoming::Length(length),
            BodySize::Unknown => Incoming::chunked(),
        });
        self.writing = Writing::Head;
        // An expectation of HTTP/1.0 is ignored (RFC 9110, 10.1.1), and one without a body has nothing to wait for.
        let expects_continue = framing.expects_continue && is_11 && size != BodySize::Known(0);
        // An upgrade of HTTP/1.0 is ignored (RFC 9110, 7.8).
        let has_upgrade = framing.has_upgrade() && is_11;
        self.exchange = Exchange {
            is_11,
            is_head: *read.head.method() == Method::HEAD,
            is_connect: *read.head.method() == Method::CONNECT,
            keeps_alive: framing.keeps_alive(is_11),
            expects_continue,
            takes_trailers: framing.takes_trailers,
            has_upgrade,
        };
        let request = IncomingRequest { head: read.head, body: size, expects_continue, has_upgrade };
        Ok(Some(ServerEvent::Request(request)))
    }

    /// The answer to a head that is none has nothing to do with the request before it.
    fn forget_exchange(&mut self) {
        self.exchange = Exchange { is_11: true, ..Exchange::default() };
    }

    /// A request that is well-formed and not taken: its answer has to follow its method and version.
    fn refuse<T>(&mut self, head: RequestHead, is_11: bool, err: HttpError) -> Result<T, HttpError> {
        self.writing = Writing::Head;
        self.exchange = Exchange { is_11, is_head: *head.method() == Method::HEAD, ..Exchange::default() };
        Err(err)
    }

    /// Takes the end of a request without a body, which [`receive_data`](ServerConnection::receive_data) would give
    /// next: nearly every request has none.
    pub(crate) fn take_empty_body(&mut self) -> bool {
        let is_empty = matches!(self.reading, Reading::Body(Incoming::Length(0)));
        if is_empty {
            self.reading = Reading::Done;
        }
        is_empty
    }

    /// Whether a request waits for its response.
    pub fn must_respond(&self) -> bool {
        self.writing == Writing::Head
    }

    /// Whether nothing of the next request has come and nothing of the last one is left: the connection is idle.
    pub fn is_idle(&self) -> bool {
        matches!(self.reading, Reading::Head) && self.stash.has_only_line_ends() && self.writing == Writing::Idle
    }

    /// Whether an error may still be answered.
    pub(crate) fn may_refuse(&self) -> bool {
        matches!(self.writing, Writing::Idle | Writing::Head)
    }

    /// Whether the body of the request that is answered, or was, is still coming.
    pub fn is_receiving_body(&self) -> bool {
        matches!(self.reading, Reading::Body(_))
    }

    /// Whether the client was promised nothing and waits before it sends the body.
    pub fn expects_continue(&self) -> bool {
        self.exchange.expects_continue
    }

    /// Whether nothing more is read.
    pub fn is_closed(&self) -> bool {
        matches!(self.reading, Reading::Closed)
    }

    /// Whether the connection has to be closed once everything was sent.
    pub fn must_close(&self) -> bool {
        matches!(self.writing, Writing::Idle | Writing::Done) && matches!(self.reading, Reading::Closed)
    }

    /// Whether the client spoke HTTP/1.1, asked for trailers, and gets them behind this response.
    pub fn takes_trailers(&self) -> bool {
        self.exchange.takes_trailers && matches!(self.writing, Writing::Body(body) if body.is_chunked())
    }

    /// Closes after the response that comes: it says so, if its head was not sent. With no request to answer nothing
    /// more is read.
    pub fn close_after_response(&mut self) {
        self.exchange.keeps_alive = false;
        if matches!(self.reading, Reading::Head) {
            self.reading = Reading::Closed;
            self.stash.clear();
        }
    }

    /// Reads nothing more, and closes after the response: the rest of the request is not worth its bytes.
    pub fn abandon_request(&mut self) {
        self.exchange.keeps_alive = false;
        self.reading = Reading::Closed;
        self.stash.clear();
    }

    /// How much of the body of the request is still to come, if its head has said so.
    pub fn body_left(&self) -> Option<u64> {
        match self.reading {
            Reading::Body(Incoming::Length(left)) => Some(left),
            Reading::Body(_) => None,
            Reading::Head | Reading::Done | Reading::Closed | Reading::Switched => Some(0),
        }
    }

    /// Writes `100 Continue`, once, if the client waits for it.
    pub fn send_continue(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.exchange.expects_continue) && self.writing == Writing::Head {
            out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    /// Writes an informational response, as 103 Early Hints. A client of HTTP/1.0 gets none (RFC 9110, 15.2).
    ///
    /// # Errors
    ///
    /// [`HttpError::State`] for a status that is not 1xx, for 101, which is
    /// [`send_switching_protocols`](ServerConnection::send_switching_protocols), and if the response has begun.
    pub fn send_informational(
        &mut self,
        status: StatusCode,
        headers: &HeaderList,
        out: &mut Vec<u8>,
    ) -> Result<(), HttpError> {
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(HttpError::State("an informational response has a status of 1xx, and not 101"));
        }
        if self.writing != Writing::Head {
            return Err(HttpError::State("there is no request that waits for its response"));
        }
        if self.exchange.is_11 {
            if status == StatusCode::CONTINUE {
                self.exchange.expects_continue = false;
            }
            encode::status_line(status, out);
            encode::fields(headers, out);
            out.extend_from_slice(b"\r\n");
        }
        Ok(())
    }

    /// Writes `101 Switching Protocols`. What the client sends from then on is not read here: `data` keeps it.
    ///
    /// # Errors
    ///
    /// [`HttpError::State`] if no request waits for its response, its body has not come yet, or it did not ask for
    /// another protocol (RFC 9110, 15.2.2).
    pub fn send_switching_protocols(&mut self, headers: &HeaderList, out: &mut Vec<u8>) -> Result<(), HttpError> {
        if !self.exchange.has_upgrade {
            return Err(HttpError::State("only a request with Connection: upgrade and Upgrade switches protocols"));
        }
        self.begin_switch()?;
        encode::status_line(StatusCode::SWITCHING_PROTOCOLS, out);
        out.extend_from_slice(b"connection: upgrade\r\n");
        encode::fields(headers, out);
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Writes `200 OK` to CONNECT. What the client sends from then on is the tunnel's.
    ///
    /// # Errors
    ///
    /// As [`send_switching_protocols`](ServerConnection::send_switching_protocols), and for any other method.
    pub fn send_connected(&mut self, headers: &HeaderList, out: &mut Vec<u8>) -> Result<(), HttpError> {
        if !self.exchange.is_connect {
            return Err(HttpError::State("only CONNECT opens a tunnel"));
        }
        self.begin_switch()?;
        encode::status_line(StatusCode::OK, out);
        encode::fields(headers, out);
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn begin_switch(&mut self) -> Result<(), HttpError> {
        if self.writing != Writing::Head || !matches!(self.reading, Reading::Done) {
            return Err(HttpError::State("a request that was read as a whole has to wait for its response"));
        }
        (self.reading, self.writing) = (Reading::Switched, Writing::Done);
        Ok(())
    }

    /// Writes the head of a response. `date` is the value of its `Date`, if it has none of its own.
    ///
    /// `Content-Length` among the headers counts where there is no body to say it: to HEAD, with 304, and with a body
    /// of unknown size; `Transfer-Encoding` there never counts. `Connection: close` there closes.
    ///
    /// # Errors
    ///
    /// [`HttpError::State`] if no request waits for a response, or for a status of 1xx; [`HttpError::Framing`] for a
    /// `Content-Length` that is no number or not the size of the body. Nothing was written then.
    pub fn send_response(
        &mut self,
        status: StatusCode,
        content_type: Option<&HeaderValue>,
        headers: &HeaderList,
        size: BodySize,
        date: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), HttpError> {
        let framing = self.begin_response(status, headers, size)?;
        out.reserve(256);
        encode::status_and_type(status, content_type, out);
        if !headers.is_empty() {
            encode::fields(headers, out);
        }
        encode::date(date.filter(|_| headers.is_empty() || !headers.contains(&header::DATE)), out);
        encode::framing(framing, out);
        if !self.exchange.keeps_alive {
            out.extend_from_slice(b"connection: close\r\n");
        } else if !self.exchange.is_11 {
            out.extend_from_slice(b"connection: keep-alive\r\n");
        }
        // Who sends `Upgrade` has to say that it is for this connection alone (RFC 9110, 7.8).
        if !headers.is_empty() && headers.contains(&header::UPGRADE) {
            out.extend_from_slice(b"connection: upgrade\r\n");
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Writes the head of a response with no fields but these, and counts a body of `length` bytes, which the caller
    /// writes behind it, as sent: nearly every response is like that, and its head that of the one before. `last` has
    /// to be cleared when the date changes.
    ///
    /// `false` for one that is not so simple: nothing was written, and [`send_response`](ServerConnection::send_response)
    /// is asked.
    pub(crate) fn send_whole(
        &mut self,
        status: StatusCode,
        content_type: Option<&HeaderValue>,
        length: u64,
        date: Option<&[u8]>,
        last: &mut LastHead,
        out: &mut Vec<u8>,
    ) -> bool {
        let Exchange { is_11, keeps_alive, expects_continue, is_head, is_connect, .. } = self.exchange;
        let goes_on = self.writing == Writing::Head && is_11 && keeps_alive && !expects_continue;
        if !goes_on || is_head || is_connect || !has_length(status) {
            return false;
        }
        last.write(status, content_type, length, date, out);
        self.writing = Writing::Done;
        self.go_on();
        true
    }

    /// Goes on to the body of a response, and says how it is marked off.
    fn begin_response(
        &mut self,
        status: StatusCode,
        headers: &HeaderList,
        size: BodySize,
    ) -> Result<BodyFraming, HttpError> {
        if self.writing != Writing::Head || status.is_informational() {
            return Err(HttpError::State("there is no request that waits for this response"));
        }
        let (framing, is_suppressed) = self.frame(status, headers, size)?;
        if !headers.is_empty() {
            self.exchange.keeps_alive &= !headers.has_token(&header::CONNECTION, "close");
        }
        // A client that is told that its tunnel is open sends no more requests.
        if framing == BodyFraming::Close || (self.exchange.is_connect && status.is_success()) {
            self.exchange.keeps_alive = false;
        }
        // The client was told to wait, and will now send its body or not: nobody can tell (RFC 9110, 10.1.1).
        if std::mem::take(&mut self.exchange.expects_continue) {
            self.abandon_request();
        }
        self.writing = if is_suppressed { Writing::Suppressed } else { Writing::Body(Outgoing::new(framing)) };
        Ok(framing)
    }

    /// How the body is marked off, and whether there is none although the head speaks of one.
    fn frame(
        &self,
        status: StatusCode,
        headers: &HeaderList,
        size: BodySize,
    ) -> Result<(BodyFraming, bool), HttpError> {
        let given = headers.content_length()?;
        if status == StatusCode::NO_CONTENT || (self.exchange.is_connect && status.is_success()) {
            return Ok((BodyFraming::Nothing, true));
        }
        if status == StatusCode::RESET_CONTENT && !self.exchange.is_head {
            // It has no content, and has to say so (RFC 9110, 15.3.6).
            return Ok((BodyFraming::Length(0), true));
        }
        if self.exchange.is_head || status == StatusCode::NOT_MODIFIED {
            let length = match (given, size) {
                (Some(length), _) => Some(length),
                // A handler may answer HEAD, and 304, with no body: that says nothing about the body it stands for.
                (None, BodySize::Known(0)) if status == StatusCode::NOT_MODIFIED => None,
                (None, BodySize::Known(length)) => Some(length),
                (None, BodySize::Unknown) => None,
            };
            return Ok((length.map_or(BodyFraming::Nothing, BodyFraming::Length), true));
        }
        let framing = match (size, given) {
            (BodySize::Known(length), Some(given)) if length != given => return Err(HttpError::Framing),
            (BodySize::Known(length), _) | (BodySize::Unknown, Some(length)) => BodyFraming::Length(length),
            (BodySize::Unknown, None) if self.exchange.is_11 => BodyFraming::Chunked,
            (BodySize::Unknown, None) => BodyFraming::Close,
        };
        Ok((framing, false))
    }

    /// Writes a piece of the body.
    ///
    /// # Errors
    ///
    /// As [`frame_data`](ServerConnection::frame_data).
    pub fn send_data(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), HttpError> {
        if let Some(behind) = self.frame_data(data.len(), out)? {
            out.extend_from_slice(data);
            out.extend_from_slice(behind);
        }
        Ok(())
    }

    /// Writes what stands before `n` bytes of the body, and gives what the caller has to write behind them; `None` if
    /// the response has no body and they are not to be sent.
    ///
    /// # Errors
    ///
    /// [`HttpError::TooMuchBody`] if they are more than `Content-Length` said, [`HttpError::State`] before
    /// [`send_response`](ServerConnection::send_response): close the connection, the response cannot be completed.
    pub fn frame_data(&mut self, n: usize, out: &mut Vec<u8>) -> Result<Option<&'static [u8]>, HttpError> {
        match &mut self.writing {
            Writing::Body(body) => body.frame(n, out).map(Some),
            Writing::Suppressed => Ok(None),
            _ => Err(HttpError::State("there is no response whose body this could be")),
        }
    }

    /// Writes the end of the response, with trailers if it is chunked.
    ///
    /// # Errors
    ///
    /// [`HttpError::TooLittleBody`] if less was sent than `Content-Length` said, [`HttpError::State`] before
    /// [`send_response`](ServerConnection::send_response).
    pub fn send_end(&mut self, trailers: &HeaderList, out: &mut Vec<u8>) -> Result<(), HttpError> {
        match self.writing {
            Writing::Body(body) => body.end(trailers, out)?,
            Writing::Suppressed => {}
            _ => return Err(HttpError::State("there is no response that could end")),
        }
        self.writing = Writing::Done;
        self.go_on();
        Ok(())
    }

    /// Writes the whole answer to a request that was refused, unless a response has begun. Close after it. A status of
    /// 1xx answers nothing: it becomes 500.
    pub fn send_error(&mut self, status: StatusCode, date: Option<&[u8]>, out: &mut Vec<u8>) {
        if !matches!(self.writing, Writing::Idle | Writing::Head) {
            return;
        }
        self.exchange.keeps_alive = false;
        self.exchange.expects_continue = false;
        self.writing = Writing::Head;
        let status = if status.is_informational() { StatusCode::INTERNAL_SERVER_ERROR } else { status };
        let reason = status.canonical_reason().unwrap_or("Error");
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        let size = BodySize::Known(reason.len() as u64);
        let sent = self
            .send_response(status, Some(&text), &HeaderList::new(), size, date, out)
            .and_then(|()| self.send_data(reason.as_bytes(), out))
            .and_then(|()| self.send_end(&HeaderList::new(), out));
        debug_assert_eq!(sent, Ok(()), "a response of one piece is always complete");
        self.reading = Reading::Closed;
        self.stash.clear();
    }

    /// Goes on to the next request once both sides are done.
    fn go_on(&mut self) {
        if self.writing != Writing::Done {
            return;
        }
        match self.reading {
            Reading::Done if self.exchange.keeps_alive => {
                (self.reading, self.writing) = (Reading::Head, Writing::Idle);
            }
            // The rest of a body is read only for the sake of what comes behind it.
            Reading::Done | Reading::Body(_) if !self.exchange.keeps_alive => self.reading = Reading::Closed,
            Reading::Head | Reading::Body(_) | Reading::Done | Reading::Closed | Reading::Switched => {}
        }
    }
}

/// Whether a final response with this status has a body.
fn has_length(status: StatusCode) -> bool {
    let never = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    !never && !status.is_informational()
}
