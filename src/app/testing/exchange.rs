//! [`Exchange`]: a request of a test as its view sees the connection.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::answering::{Overheard, answer};
use super::asked::Asked;
use super::client::TestClient;
use super::failure::Failure;
use super::making::Making;
use super::served::Served;
use crate::app::dispatch::Answered;
use crate::handler::{self, Connected, Ends, Upgraded};
use crate::http::{
    Body, HeaderList, HeaderName, HeaderValue, HttpError, Method, RequestHead, Response, ResponseBody, StatusCode,
    Version, header,
};
use crate::{Error, Event, TransportRef};

/// What stands in for the connection of one request.
pub(super) struct Exchange {
    pub(super) served: Rc<Served>,
    /// The transport that the view runs on; a detached one for a request that is answered in its place.
    transport: TransportRef,
    /// Other ends than those of all.
    ends: Option<Box<Ends>>,
    is_secure: bool,
    is_11: bool,
    is_head: bool,
    takes_trailers: bool,
    /// Whether errors go to the test.
    pub(super) propagates: bool,
    is_answered: Cell<bool>,
    overheard: Overheard,
    informational: RefCell<Vec<Informational>>,
}

/// An informational response, as 103 Early Hints: status and header fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Informational {
    /// 1xx.
    pub status_code: StatusCode,
    /// Its header fields.
    pub headers: HeaderList,
}

/// What a view has answered, as a client sees it.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderList,
    pub(super) body: Making,
    pub(super) informational: Vec<Informational>,
}

impl Exchange {
    /// Makes the request that is to be answered, and the transport for it once nothing is wrong.
    ///
    /// # Errors
    ///
    /// [`HttpError`] for a head that no server takes.
    pub(super) fn begin(
        client: &TestClient,
        asked: &Asked,
        transport: impl FnOnce() -> TransportRef,
        body: Body,
    ) -> Result<(Rc<Self>, handler::Request), HttpError> {
        let served = client.served();
        let head = write_head(client, asked, &body)?;
        let ends = asked.remote_addr.clone().map(|peername| {
            let ends = served.ends(asked.url.is_secure);
            Box::new(Ends { peername: Some(peername), sockname: ends.sockname.clone(), is_secure: ends.is_secure })
        });
        let exchange = Rc::new(Exchange {
            served: served.clone(),
            transport: transport(),
            ends,
            is_secure: asked.url.is_secure,
            is_11: asked.version == Version::HTTP_11,
            is_head: asked.method == Method::HEAD,
            takes_trailers: asked.headers.has_token(&header::TE, "trailers"),
            propagates: client.propagates(),
            is_answered: Cell::new(false),
            overheard: Overheard::new(client.propagates()),
            informational: RefCell::default(),
        });
        served.settle_in();
        let request = handler::Request::new(head, body, exchange.clone());
        Ok((exchange, request))
    }

    /// Has the request answered.
    pub(super) async fn answer(&self, request: handler::Request) -> Answered {
        answer(self.served.shared.clone(), request, &self.overheard).await
    }

    /// Makes of what a view has answered what a client sees of it, by the rules of the connections that servers have.
    pub(super) fn settle(self: &Rc<Self>, answered: Answered) -> Result<Answer, Failure> {
        let mut answered = answered;
        match answered.unknown.take() {
            Some(err) if self.propagates => return Err(Failure::of(err)),
            Some(err) => self.report("a view failed", err),
            None => {}
        }
        self.is_answered.set(true);
        let mut response = answered.into_response();
        let framed = match frame(&response, self.is_head) {
            Ok(framed) => framed,
            Err(err) if self.propagates => return Err(Failure::Error(err.into())),
            Err(err) => {
                self.report("a response was refused", err.into());
                response = Response::text("Internal Server Error").with_status(StatusCode::INTERNAL_SERVER_ERROR);
                Framed { length: response.body().content_length(), has_body: !self.is_head }
            }
        };
        let body = response.take_body();
        let is_chunked = framed.length.is_none() && self.is_11;
        let (body, length) = if framed.has_body { (body, framed.length) } else { (ResponseBody::empty(), Some(0)) };
        let takes_trailers = self.takes_trailers && is_chunked && framed.has_body;
        Ok(Answer {
            status: response.status(),
            headers: headers(response, framed.length),
            body: Making::new(self.clone(), body, length, takes_trailers),
            informational: self.informational.take(),
        })
    }
}

impl Connected for Exchange {
    fn transport(&self) -> TransportRef {
        self.transport.clone()
    }

    fn ends(&self) -> &Ends {
        self.ends.as_deref().unwrap_or_else(|| self.served.ends(self.is_secure))
    }

    fn shutdown(&self) -> Event {
        self.served.stopping.clone()
    }

    fn send_informational(&self, status: StatusCode, headers: &HeaderList) -> Result<(), HttpError> {
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(HttpError::State("an informational response has a status of 1xx, and not 101"));
        }
        if self.is_answered.get() {
            return Err(HttpError::State("there is no request that waits for its response"));
        }
        if self.is_11 {
            let informational = Informational { status_code: status, headers: headers.clone() };
            self.informational.borrow_mut().push(informational);
        }
        Ok(())
    }

    fn switch(&self, _: &HeaderList, _: bool) -> Result<Upgraded, HttpError> {
        Err(HttpError::State("a request of a test switches no protocols: TestClient::websocket() opens a WebSocket"))
    }

    fn report(&self, message: &'static str, err: Error) {
        if let Some(err) = self.overheard.listen(message, err) {
            self.served.report(message, err);
        }
    }
}

/// The head, with what the client says of the body, and its cookies.
fn write_head(client: &TestClient, asked: &Asked, body: &Body) -> Result<RequestHead, HttpError> {
    const HOST: HeaderName = header::HOST;
    const LENGTH: HeaderName = header::CONTENT_LENGTH;
    const CODING: HeaderName = header::TRANSFER_ENCODING;
    const COOKIE: HeaderName = header::COOKIE;
    let host = HeaderValue::try_from(&asked.url.host).map_err(|_| HttpError::Host)?;
    let has_length = asked.declared.is_some() || asked.body.is_some();
    let length = body.content_length().filter(|_| has_length).map(HeaderValue::from);
    let is_chunked = body.content_length().is_none() && asked.version == Version::HTTP_11;
    let coding = is_chunked.then(|| HeaderValue::from_static("chunked"));
    let cookies = client.cookies_for(&asked.url);
    let fields = std::iter::once((&HOST, &host))
        .chain(asked.headers.iter())
        .chain(length.as_ref().map(|length| (&LENGTH, length)))
        .chain(coding.as_ref().map(|coding| (&CODING, coding)))
        .chain(cookies.as_ref().map(|cookies| (&COOKIE, cookies)));
    RequestHead::write(&asked.method, &asked.url.target, asked.version, fields)
}

/// What a response has behind its head.
struct Framed {
    /// What `Content-Length` says.
    length: Option<u64>,
    has_body: bool,
}

/// How a response is marked off: as a connection of HTTP/1.1 does it.
fn frame(response: &Response, is_head: bool) -> Result<Framed, HttpError> {
    let status = response.status();
    if status.is_informational() {
        return Err(HttpError::State("there is no request that waits for this response"));
    }
    let given = response.headers().content_length()?;
    let made = response.body().content_length();
    if status == StatusCode::NO_CONTENT {
        return Ok(Framed { length: None, has_body: false });
    }
    if status == StatusCode::RESET_CONTENT && !is_head {
        return Ok(Framed { length: Some(0), has_body: false });
    }
    if is_head || status == StatusCode::NOT_MODIFIED {
        let is_silent = status == StatusCode::NOT_MODIFIED && made == Some(0);
        return Ok(Framed { length: given.or(made.filter(|_| !is_silent)), has_body: false });
    }
    match (made, given) {
        (Some(made), Some(given)) if made != given => Err(HttpError::Framing),
        (made, given) => Ok(Framed { length: made.or(given), has_body: true }),
    }
}

/// The header fields as a client sees them, but for those of the connection itself and `Date`.
fn headers(mut response: Response, length: Option<u64>) -> HeaderList {
    let mut headers = HeaderList::new();
    if let Some(content_type) = response.content_type.take() {
        headers.append(header::CONTENT_TYPE, content_type);
    }
    for (name, value) in std::mem::take(response.headers_mut()) {
        if !matches!(name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::CONNECTION) {
            headers.append(name, value);
        }
    }
    if let Some(length) = length {
        headers.append(header::CONTENT_LENGTH, length.into());
    }
    headers
}
