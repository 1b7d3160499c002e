//! Applications and tower, both ways: an axum `Router` below a path, and an application behind layers.

#![cfg(all(feature = "app", feature = "testing", feature = "tower"))]

#[path = "websocket/client.rs"]
#[allow(dead_code, reason = "a part of it is needed")]
mod client;
mod stage;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::header::{CONTENT_TYPE, HeaderValue};
use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use foster::app::{App, Request, url_for, websocket};
use foster::http::{HeaderList, HttpError, Response, ResponseBody, StatusCode};
use foster::testing::{InMemoryHttpServer, serve_http};
use foster::tower::{self, ConnectionInfo, RequestBody, RootPath};
use foster::{Error, Handler, Nursery, Result, fail_after, sleep};
use http_body::{Body, Frame};
use tower_service::Service;

use client::{ask, request};
use stage::{Log, config, paused, reports_of, text};

fn in_memory<H: Handler>(nursery: &Nursery, handler: H) -> InMemoryHttpServer<H> {
    serve_http(nursery, handler, config())
}

async fn said<H: Handler>(server: &InMemoryHttpServer<H>, request: impl AsRef<[u8]>) -> String {
    let peer = server.connect();
    peer.send(request);
    peer.close_write();
    text(peer.read_to_end().await)
}

// ---- an axum Router in an application

fn router() -> Router {
    Router::new()
        .route("/", get(async || "the root"))
        .route(
            "/hello/{name}",
            get(async |axum::extract::Path(name): axum::extract::Path<String>| format!("Hello, {name}!")),
        )
        .route(
            "/uri",
            get(async |uri: ::http::Uri, axum::Extension(RootPath(root)): axum::Extension<RootPath>| {
                format!("{uri} below {root}")
            }),
        )
        .route("/upper", post(async |body: String| body.to_uppercase()))
        .route("/pieces", post(async |body: axum::body::Body| axum::body::Body::new(body)))
}

#[test]
fn a_router_of_axum_is_mounted_beside_routes() {
    paused(async |nursery| {
        let mut app = App::new();
        app.get("/", async || "of the application");
        app.mount("/axum", tower::handler(router()));
        let server = in_memory(&nursery, app.into_handler()?);
        for (path, expected) in [
            ("/", "of the application"),
            ("/axum", "the root"),
            ("/axum/", "the root"),
            ("/axum/hello/ada", "Hello, ada!"),
            ("/axum/uri?a=b", "/uri?a=b below /axum"),
            ("http://y/axum/uri", "http://y/uri below /axum"),
        ] {
            let answer = said(&server, stage::get(path)).await;
            assert!(
                answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&format!("\r\n\r\n{expected}")),
                "{path}: {answer}"
            );
        }
        assert!(said(&server, stage::get("/axum/nothing")).await.starts_with("HTTP/1.1 404 "));
        assert!(said(&server, stage::get("/hello/ada")).await.starts_with("HTTP/1.1 404 "));
        assert!(said(&server, stage::post("/axum/upper", "abc")).await.ends_with("\r\n\r\nABC"));
        Ok(())
    });
}

#[test]
fn bodies_stream_through_a_router_that_is_mounted() {
    paused(async |nursery| {
        let mut app = App::new();
        app.mount("/axum", tower::handler(router()));
        let server = in_memory(&nursery, app.into_handler()?);
        echoes_in_pieces(&server, "/axum/pieces").await;
        Ok(())
    });
}

/// Sends pieces, each of which has to come back before the next.
async fn echoes_in_pieces<H: Handler>(server: &InMemoryHttpServer<H>, path: &str) {
    let peer = server.connect();
    peer.send(format!("POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
    for piece in ["abc", "def"] {
        peer.send(format!("3\r\n{piece}\r\n"));
        let echoed = async {
            let mut came = String::new();
            while !came.ends_with(&format!("3\r\n{piece}\r\n")) {
                came += &text(peer.read().await);
            }
        };
        fail_after(Duration::from_secs(1), echoed).await.expect("the piece comes back");
    }
    peer.send("0\r\n\r\n");
    assert_eq!(text(peer.read().await), "0\r\n\r\n");
}

// ---- an application as a service

fn app() -> App {
    let mut app = App::new();
    app.get("/", async || "Hello, World!");
    app.get("/users/<int:id>", async |request: Request| {
        let url = url_for("users").value("id", 8).build().expect("it has a URL");
        format!("{} {url} {} {:?}", request.url(), request.scheme(), request.remote_addr().map(|peer| peer.to_string()))
    })
    .endpoint("users");
    app.post("/length", async |body: Bytes| body.len().to_string());
    app.post("/pieces", async |body: foster::http::Body| ResponseBody::stream(body));
    app.get("/stream", async || {
        ResponseBody::stream(futures::stream::iter(["one", "two"].map(|piece| foster::Ok(Bytes::from(piece)))))
            .with_trailers(|| [("x-sum".parse().expect("a name"), HeaderValue::from_static("6"))].into_iter().collect())
    });
    app.get("/fails", async || Err::<&str, _>(Error::msg("as asked")));
    app.get("/hints", async |request: Request| {
        let mut headers = HeaderList::new();
        headers.append("link".parse().expect("a name"), HeaderValue::from_static("</style.css>"));
        request.send_informational(StatusCode::EARLY_HINTS, &headers)?;
        foster::Ok("hinted")
    });
    app.websocket("/ws", async || -> Result<()> {
        loop {
            websocket().send(websocket().receive().await?).await?;
        }
    });
    app
}

async fn collected<B>(response: ::http::Response<B>) -> (u16, String, Option<String>)
where
    B: Body<Data = Bytes, Error = Error>,
{
    let (parts, body) = response.into_parts();
    let (mut body, mut text, mut trailers) = (Box::pin(body), String::new(), None);
    while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        match frame.expect("a body to its end").into_data() {
            Ok(data) => text += std::str::from_utf8(&data).expect("text"),
            Err(frame) => trailers = frame.into_trailers().ok().map(|trailers| format!("{trailers:?}")),
        }
    }
    assert!(std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await.is_none());
    (parts.status.as_u16(), text, trailers)
}

#[test]
fn an_application_is_called_as_a_service() {
    paused(async |_| {
        let mut service = app().into_service()?;
        let mut other = service.clone();
        let response = service.call(::http::Request::get("/").body(String::new())?).await?;
        assert_eq!(response.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
        assert_eq!((response.body().is_end_stream(), response.body().size_hint().exact()), (false, Some(13)));
        assert_eq!(collected(response).await, (200, "Hello, World!".to_owned(), None));
        let request = ::http::Request::get("https://ada:secret@example.org/users/7").version(::http::Version::HTTP_2);
        let response = other.call(request.body(String::new())?).await?;
        assert_eq!(collected(response).await.1, "https://example.org/users/7 /users/8 https None");
        let response = service.call(::http::Request::post("/length").body("x".repeat(100_000))?).await?;
        assert_eq!(collected(response).await.1, "100000");
        let response = service.call(::http::Request::get("/stream").body(String::new())?).await?;
        assert_eq!(response.body().size_hint().exact(), None);
        assert_eq!(collected(response).await, (200, "onetwo".to_owned(), Some(r#"{"x-sum": "6"}"#.to_owned())));
        for (path, status) in [("/nothing", 404), ("/hints", 200), ("/length", 405)] {
            let response = service.call(::http::Request::get(path).body(String::new())?).await?;
            assert_eq!(response.status(), status, "{path}");
        }
        Ok(())
    });
}

#[test]
fn what_no_request_of_http_could_be_is_an_error_of_the_service() {
    paused(async |_| {
        let mut service = app().into_service()?;
        let mut request = ::http::Request::get("/").body(String::new())?;
        request.headers_mut().append("host", HeaderValue::from_static("a b"));
        let err = service.call(request).await.map(drop).expect_err("a host without spaces");
        assert_eq!(err.downcast_ref(), Some(&HttpError::Host));
        let mut request = ::http::Request::get("/").body(String::new())?;
        request.headers_mut().append("x-long", HeaderValue::from_str(&"x".repeat(100_000))?);
        let err = service.call(request).await.map(drop).expect_err("a head of a bounded size");
        assert!(matches!(err.downcast_ref(), Some(HttpError::HeadTooLarge { .. })), "{err}");
        Ok(())
    });
}

#[test]
fn a_websocket_that_came_on_no_connection_is_not_opened() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let mut service = app().into_service()?;
        let request = ::http::Request::get("/ws")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let response = fail_after(Duration::from_secs(60), service.call(request.body(String::new())?)).await??;
        assert_eq!(response.status(), 501);
        assert_eq!(reports.words(), [] as [&str; 0]);
        Ok(())
    });
}

#[test]
fn a_body_that_is_too_long_or_broken_is_refused() {
    paused(async |_| {
        let mut app = app();
        app.max_content_length(Some(10));
        let mut service = app.into_service()?;
        let response = service.call(::http::Request::post("/length").body("x".repeat(11))?).await?;
        assert_eq!(response.status(), 413);
        let pieces = |n: usize| Pieces((0..n).map(|_| Ok(Bytes::from_static(b"abc"))).collect());
        assert_eq!(service.call(::http::Request::post("/length").body(pieces(4))?).await?.status(), 413);
        let response = service.call(::http::Request::post("/length").body(pieces(3))?).await?;
        assert_eq!(collected(response).await.1, "9");
        let broken = Pieces(vec![Ok(Bytes::from_static(b"abc")), Err(Error::msg("broken"))]);
        assert_eq!(service.call(::http::Request::post("/length").body(broken)?).await?.status(), 400);
        Ok(())
    });
}

/// A body of pieces, of unknown length.
struct Pieces(Vec<Result<Bytes>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let first = (!self.0.is_empty()).then(|| self.0.remove(0));
        Poll::Ready(first.map(|piece| piece.map(Frame::data)))
    }
}

// ---- an application behind layers

/// Says what passes, and waits before it calls.
#[derive(Clone)]
struct Logged<S> {
    log: Log,
    inner: S,
}

impl<S, B, C> Service<::http::Request<B>> for Logged<S>
where
    S: Service<::http::Request<B>, Response = ::http::Response<C>> + Clone + 'static,
    B: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: ::http::Request<B>) -> Self::Future {
        let (log, mut inner) = (self.log.clone(), self.inner.clone());
        Box::pin(async move {
            sleep(Duration::from_millis(1)).await;
            log.say(request.uri().to_string());
            request.headers_mut().insert("x-layer", HeaderValue::from_static("1"));
            let mut response = inner.call(request).await?;
            log.say(response.status().as_u16().to_string());
            response.headers_mut().insert("x-logged", HeaderValue::from_static("1"));
            Ok(response)
        })
    }
}

#[test]
fn an_application_is_served_behind_a_layer() {
    paused(async |nursery| {
        let (log, reports) = (Log::default(), reports_of(&nursery));
        let mut app = app();
        app.get("/layer", async |request: Request| {
            request.headers().get("x-layer").map(str::to_owned).unwrap_or_default()
        });
        let logging = log.clone();
        let server = in_memory(&nursery, tower::layered(app.into_handler()?, |inner| Logged { log: logging, inner }));
        let answer = said(&server, stage::get("/layer?a")).await;
        assert!(answer.contains("\r\nx-logged: 1\r\n") && answer.ends_with("\r\n\r\n1"), "{answer}");
        assert_eq!(answer.matches("content-type").count(), 1, "{answer}");
        let answer = said(&server, stage::get("/users/7")).await;
        assert!(answer.ends_with("http://x/users/7 /users/8 http Some(\"192.0.2.2:50001\")"), "{answer}");
        assert!(said(&server, stage::post("/length", &"x".repeat(1000))).await.ends_with("\r\n\r\n1000"));
        assert!(said(&server, stage::get("/stream")).await.ends_with("3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"));
        let hints = said(&server, stage::get("/hints")).await;
        assert!(
            hints.starts_with("HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\nHTTP/1.1 200 OK\r\n"),
            "{hints}"
        );
        assert!(said(&server, stage::get("/fails")).await.starts_with("HTTP/1.1 500 "));
        assert_eq!(
            log.words(),
            [
                "/layer?a", "200", "/users/7", "200", "/length", "200", "/stream", "200", "/hints", "200", "/fails",
                "500"
            ]
        );
        assert_eq!(reports.words(), ["a view failed: as asked"]);
        echoes_in_pieces(&server, "/pieces").await;
        Ok(())
    });
}

#[test]
fn a_websocket_opens_through_a_layer_and_ends_as_ever() {
    paused(async |nursery| {
        let (log, reports) = (Log::default(), reports_of(&nursery));
        let logging = log.clone();
        let server = in_memory(&nursery, tower::layered(app().into_handler()?, |inner| Logged { log: logging, inner }));
        let (client, head) = ask(&server, "/ws", "").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        for word in ["a", "b"] {
            client.send(word);
            assert_eq!(client.text_message().await, word);
        }
        client.send_close(4000, "enough");
        client.ended_after_close().await;
        stage::turns(10).await;
        assert_eq!((log.words()[0].as_str(), reports.len(), server.stats().n_connections), ("/ws", 0, 0));
        let refused = said(&server, request("/nothing", "Connection: close\r\n")).await;
        assert!(refused.starts_with("HTTP/1.1 404 ") && refused.contains("x-logged"), "{refused}");
        Ok(())
    });
}

#[test]
fn an_application_behind_a_layer_has_its_lifespan_and_its_limits() {
    paused(async |nursery| {
        let log = Log::default();
        let (up, down) = (log.clone(), log.clone());
        let mut app = app();
        app.before_serving(async move || up.say("up"));
        app.after_serving(async move || down.say("down"));
        app.max_content_length(Some(5));
        let layer = |inner| Logged { log: Log::default(), inner };
        let limits = foster::http::Limits::default().max_body_size(Some(1));
        let server = serve_http(&nursery, tower::layered(app.into_handler()?, layer), config().limits(limits));
        server.lifespan_startup().await?;
        assert!(said(&server, stage::post("/length", "12345")).await.ends_with("\r\n\r\n5"));
        assert!(said(&server, stage::post("/length", "123456")).await.starts_with("HTTP/1.1 413 "));
        server.lifespan_shutdown().await?;
        assert_eq!(log.words(), ["up", "down"]);
        Ok(())
    });
}

#[test]
fn an_application_behind_a_layer_may_be_mounted_and_builds_its_urls_with_that() {
    paused(async |nursery| {
        let layer = |inner| Logged { log: Log::default(), inner };
        let mut outer = App::new();
        outer.mount("/in/side", tower::layered(app().into_handler()?, layer));
        let server = in_memory(&nursery, outer.into_handler()?);
        for target in ["/in/side/users/7", "http://x/in/side/users/7"] {
            let answer = said(&server, stage::get(target)).await;
            assert!(answer.contains("\r\n\r\nhttp://x/in/side/users/7 /in/side/users/8 http "), "{target}: {answer}");
        }
        assert!(said(&server, stage::get("/in/side")).await.ends_with("\r\n\r\nHello, World!"));
        Ok(())
    });
}

/// One that answers by itself, without calling what is behind it.
#[derive(Clone)]
struct Closed;

impl Service<::http::Request<RequestBody>> for Closed {
    type Response = ::http::Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<::http::Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: ::http::Request<RequestBody>) -> Self::Future {
        let peer = request.extensions().get::<ConnectionInfo>().and_then(|info| info.peername.clone());
        std::future::ready(Ok(::http::Response::new(format!("closed for {}", peer.is_some()))))
    }
}

#[test]
fn a_layer_may_answer_by_itself() {
    paused(async |nursery| {
        let server = in_memory(&nursery, tower::layered(app().into_handler()?, |_| Closed));
        assert!(said(&server, stage::get("/")).await.ends_with("\r\n\r\nclosed for true"));
        Ok(())
    });
}

#[test]
fn an_error_of_a_handler_passes_layers_as_it_is() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let too_large = async |_: foster::Request| Err::<Response, _>(foster::http::BodyError::TooLarge { limit: 1 });
        let server = in_memory(&nursery, tower::layered(too_large, |inner| Logged { log: Log::default(), inner }));
        assert!(said(&server, stage::get("/")).await.starts_with("HTTP/1.1 413 "));
        let of_its_own = async |_: foster::Request| Err::<Response, _>(Error::msg("as asked"));
        let server = in_memory(&nursery, tower::layered(of_its_own, |inner| Logged { log: Log::default(), inner }));
        assert!(said(&server, stage::get("/")).await.starts_with("HTTP/1.1 500 "));
        assert_eq!(reports.words(), ["a handler failed: as asked"]);
        Ok(())
    });
}

#[test]
fn a_request_that_is_kept_finds_its_own_connection_or_none() {
    paused(async |nursery| {
        let mut app = App::new();
        app.get("/peer", async |request: Request| format!("{:?}", request.remote_addr().map(|peer| peer.to_string())));
        let mut service = app.into_service()?;
        let kept = Kept::default();
        let server = in_memory(&nursery, tower::handler(Keep(kept.clone())));
        let first = server.connect();
        first.send(stage::get("/peer"));
        stage::turns(5).await;
        let request = || kept.borrow()[0].clone();
        assert_eq!(collected(service.call(request()).await?).await.1, "Some(\"192.0.2.2:50000\")");
        first.reset();
        stage::turns(5).await;
        // The place of the first goes to another, who waits, too.
        let second = server.connect();
        second.send(stage::get("/peer"));
        stage::turns(5).await;
        assert_eq!(kept.borrow().len(), 2);
        assert_eq!(collected(service.call(request()).await?).await.1, "None");
        second.reset();
        Ok(())
    });
}

/// Requests as they came, but for the body and what is known of their connections.
type Kept = std::rc::Rc<std::cell::RefCell<Vec<::http::Request<String>>>>;

/// Keeps requests, and answers none.
#[derive(Clone)]
struct Keep(Kept);

impl Service<::http::Request<RequestBody>> for Keep {
    type Response = ::http::Response<String>;
    type Error = Infallible;
    type Future = std::future::Pending<Result<::http::Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: ::http::Request<RequestBody>) -> Self::Future {
        let mut request = request.map(|_| String::new());
        request.extensions_mut().remove::<ConnectionInfo>();
        self.0.borrow_mut().push(request);
        std::future::pending()
    }
}
