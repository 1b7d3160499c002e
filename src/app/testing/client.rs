//! [`TestClient`]: who asks an application in a test.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use super::jar::Jar;
use super::request::TestRequest;
use super::served::Served;
use super::url::Url;
use super::websocket::TestWebSocketRequest;
use crate::app::{App, SetupError};
use crate::http::{Cookie, CookieError, HeaderList, HeaderValue, Method, Response, header};
use crate::{Nursery, Result};

/// Asks an application without a network: Quart's `QuartClient`. A cheap clone with the same cookies.
///
/// A request is made without a socket and without bytes of HTTP in between, and answered where it is awaited: the view
/// runs in the task of the test, and dropping the request cancels it. Errors that nothing in the application knows come
/// out as the error of the request, and panics as panics. Nothing of it needs real time: a test in paused time sees a view
/// that sleeps for an hour at once.
///
/// What a server adds on its own is not there: its limits for whole connections, its time-outs, `Date`, the access log.
///
/// ```
/// use foster::app::{App, Path};
/// use foster::http::Json;
/// use foster::{Nursery, open_nursery};
/// use serde_json::{Value, json};
///
/// let mut app = App::new();
/// app.get("/users/<int:id>", async |Path(id): Path<i64>| Json(json!({ "id": id })));
///
/// foster::run(open_nursery(async |nursery: Nursery| {
///     let client = app.test_client(&nursery)?;
///     let mut response = client.get("/users/7").await?;
///     assert_eq!(response.status_code(), 200);
///     assert_eq!(response.json::<Value>().await?, json!({ "id": 7 }));
///     assert_eq!(client.get("/users/x").await?.status_code(), 404);
///     foster::Ok(())
/// }))?;
/// # foster::Ok(())
/// ```
#[derive(Clone)]
pub struct TestClient {
    served: Rc<Served>,
    settings: Rc<Settings>,
}

/// What the clones of a client share.
struct Settings {
    /// Absent if the client keeps none.
    jar: RefCell<Option<Jar>>,
    propagates: Cell<bool>,
}

impl App {
    /// A client for tests: Quart's `test_client`. The nursery is where background tasks of the application live, and
    /// connections that the test keeps open.
    ///
    /// The hooks around serving are not called, as in Quart: [`test_app`](App::test_app) does, or the client's
    /// [`startup`](TestClient::startup) and [`shutdown`](TestClient::shutdown).
    ///
    /// # Errors
    ///
    /// [`SetupError`], with everything that is wrong with the application.
    pub fn test_client(self, nursery: &Nursery) -> Result<TestClient, SetupError> {
        Ok(TestClient::new(Served::new(self.set_up()?, nursery)))
    }
}

impl TestClient {
    fn new(served: Rc<Served>) -> Self {
        let settings = Settings { jar: RefCell::new(Some(Jar::default())), propagates: Cell::new(true) };
        TestClient { served, settings: Rc::new(settings) }
    }

    /// Another client of the same application, with cookies and settings of its own.
    pub fn test_client(&self) -> TestClient {
        TestClient::new(self.served.clone())
    }

    // ---- asking

    /// A request, of a path that begins with a slash, or of a URL: await it for its response, or
    /// [begin](TestRequest::begin) it. Quart's `open` and `request`.
    pub fn request(&self, method: Method, path: impl Into<String>) -> TestRequest {
        TestRequest::new(self.clone(), method, path.into())
    }

    /// GET: await it.
    pub fn get(&self, path: impl Into<String>) -> TestRequest {
        self.request(Method::GET, path)
    }

    /// HEAD: await it. The response has no body, where Quart's has.
    pub fn head(&self, path: impl Into<String>) -> TestRequest {
        self.request(Method::HEAD, path)
    }

    /// POST: await it.
    pub fn post(&self, path: impl Into<String>) -> TestRequest {
        self.request(Method::POST, path)
    }

    /// PUT: await it.
    pub fn put(&self, path: impl Into<String>) -> TestRequest {
        self.request(Method::PUT, path)
    }

    /// PATCH: await it.
    pub fn patch(&self, path: impl Into<String>) -> TestRequest {
        self.request(Method::PATCH, path)
    }

    /// DELETE: await it.
    pub fn delete(&self, path: impl Into<String>) -> TestRequest {
        self.request(Method::DELETE, path)
    }

    /// OPTIONS: await it. The path may be `*`.
    pub fn options(&self, path: impl Into<String>) -> TestRequest {
        self.request(Method::OPTIONS, path)
    }

    /// TRACE: await it.
    pub fn trace(&self, path: impl Into<String>) -> TestRequest {
        self.request(Method::TRACE, path)
    }

    /// A WebSocket: await it.
    pub fn websocket(&self, path: impl Into<String>) -> TestWebSocketRequest {
        TestWebSocketRequest::new(self.clone(), path.into())
    }

    // ---- settings

    /// Whether errors that nothing in the application knows are those of the request: Quart's `PROPAGATE_EXCEPTIONS`. They
    /// are, unless set; otherwise the request is answered as a server answers it, with 500, and the exception handler of
    /// the loop is told.
    pub fn propagate_errors(&self, is_on: bool) -> &Self {
        self.settings.propagates.set(is_on);
        self
    }

    /// Whether cookies are kept, and sent. They are, unless set. Those that were kept are gone with `false`.
    pub fn use_cookies(&self, is_on: bool) -> &Self {
        let mut jar = self.settings.jar.borrow_mut();
        match (is_on, jar.is_some()) {
            (true, false) => *jar = Some(Jar::default()),
            (false, true) => *jar = None,
            _ => {}
        }
        self
    }

    // ---- cookies

    /// Sets a cookie as if the application had: a pair of name and value, or a [`Cookie`] with attributes. Quart's
    /// `set_cookie`, whose server name is the domain of the cookie, or the host of the application. Nothing happens if the
    /// client keeps none.
    ///
    /// Cookies are kept and sent by the rules of RFC 6265: domain, path, `Secure`, `Max-Age` on the clock of the loop, which
    /// tests may pause, and `Expires`. As in browsers, `localhost` gets `Secure` ones without encryption, too. There is no
    /// list of public suffixes, and `HttpOnly`, `SameSite` and the prefixes of names mean nothing here. Quart sends every
    /// cookie to everybody.
    ///
    /// # Errors
    ///
    /// [`CookieError`], and no cookie is set.
    pub fn set_cookie<'c>(&self, cookie: impl Into<Cookie<'c>>) -> Result<(), CookieError> {
        let cookie = cookie.into();
        let host = cookie.domain().unwrap_or(self.served.home()).to_owned();
        let mut response = Response::new(crate::http::StatusCode::OK);
        response.set_cookie(cookie)?;
        self.keep_cookies(&Url { is_secure: true, host, target: "/".to_owned() }, response.headers());
        Ok(())
    }

    /// Forgets a cookie: the name of one with the path `/` and no domain, or a [`Cookie`] with its path and domain. Quart's
    /// `delete_cookie`.
    ///
    /// # Errors
    ///
    /// As [`set_cookie`](TestClient::set_cookie).
    pub fn delete_cookie<'c>(&self, cookie: impl Into<Cookie<'c>>) -> Result<(), CookieError> {
        let cookie = cookie.into();
        let host = cookie.domain().unwrap_or(self.served.home()).to_owned();
        let mut response = Response::new(crate::http::StatusCode::OK);
        response.delete_cookie(cookie)?;
        self.keep_cookies(&Url { is_secure: true, host, target: "/".to_owned() }, response.headers());
        Ok(())
    }

    /// The first cookie of that name that is kept, with its value as the application has set it and the attributes it came
    /// with: Werkzeug's `get_cookie`.
    pub fn get_cookie(&self, name: &str) -> Option<Cookie<'static>> {
        let jar = self.settings.jar.borrow();
        let mut cookie = jar.as_ref()?.iter(self.served.loop_.time()).find(|cookie| cookie.name() == name)?.clone();
        let value = crate::http::unquoted(cookie.value().as_bytes()).into_owned();
        cookie.set_value(value);
        Some(cookie)
    }

    // ---- the application's life

    /// Calls the hooks that come before serving, and starts the background tasks that wait for it: Quart's
    /// `test_app.startup()`. Before the first request.
    ///
    /// # Errors
    ///
    /// As the hooks; a [`TimeoutError`](crate::TimeoutError) after a minute.
    pub async fn startup(&self) -> Result<()> {
        self.served.startup().await
    }

    /// Ends the application as a server that stops: views that [wait for it](crate::app::Request::shutdown) are told,
    /// WebSockets are closed with 1001, background tasks have their time, then the hooks that come after serving are called.
    /// Quart's `test_app.shutdown()`. Requests that are under way are the test's to end.
    ///
    /// # Errors
    ///
    /// As the hooks; a [`TimeoutError`](crate::TimeoutError) after a minute.
    pub async fn shutdown(&self) -> Result<()> {
        self.served.shutdown().await
    }

    // ---- for what it makes

    pub(super) fn served(&self) -> &Rc<Served> {
        &self.served
    }

    pub(super) fn propagates(&self) -> bool {
        self.settings.propagates.get()
    }

    pub(super) fn cookies_for(&self, url: &Url) -> Option<HeaderValue> {
        self.settings.jar.borrow().as_ref()?.field(url, self.served.loop_.time())
    }

    pub(super) fn keep_cookies(&self, url: &Url, headers: &HeaderList) {
        let set = headers.iter().filter(|(name, _)| **name == header::SET_COOKIE);
        for (_, field) in set {
            if let Some(jar) = &mut *self.settings.jar.borrow_mut() {
                jar.store(url, field, self.served.loop_.time());
            }
        }
    }
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClient").field("propagates", &self.propagates()).finish_non_exhaustive()
    }
}
