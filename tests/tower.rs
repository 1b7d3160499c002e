//! Services of tower as handlers: axum's router, and services made for one question.

#![cfg(feature = "tower")]

mod served;

use std::convert::Infallible;
use std::future::{Future, Ready, pending, ready};
use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::{HeaderMap, Response, StatusCode, Uri};
use axum::body::Body;
use axum::extract::{Path, Request};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use bytes::Bytes;
use foster::Config;
use foster::http::{BodyError, Limits};
use foster::tower::{self, ConnectionInfo, RequestBody};
use futures::{StreamExt, stream};
use http_body::Frame;
use tokio::time::sleep;
use tower_service::Service;

use crate::served::{Answer, BOUND, Served, say, until};

fn config() -> Config {
    Config::new().bind("127.0.0.1:0")
}

fn app() -> Router {
    Router::new()
        .route("/", get(async || "Hello, World!"))
        .route("/users/{id}", get(async |Path(id): Path<u32>| format!("user {id}")))
        .route("/json", post(async |Json(values): Json<Vec<u32>>| Json(values.iter().sum::<u32>())))
        .route("/text", post(async |text: String| text.to_uppercase()))
        .route(
            "/upper",
            post(async |request: Request| {
                let pieces = request.into_body().into_data_stream();
                Body::from_stream(pieces.map(|piece| piece.map(|piece| Bytes::from(piece.to_ascii_uppercase()))))
            }),
        )
        .route("/unread", post(async || "nobody looked"))
        .route(
            "/stream",
            get(async || {
                let pieces = stream::unfold(0, |n| async move {
                    sleep(Duration::from_millis(1)).await;
                    (n < 3).then(|| (Ok::<_, Infallible>(format!("<{n}>")), n + 1))
                });
                Body::from_stream(pieces)
            }),
        )
        .route(
            "/broken",
            get(async || {
                let pieces = stream::iter([Ok("a"), Err(std::io::Error::other("no"))]);
                Body::from_stream(pieces.then(async |piece| {
                    sleep(Duration::from_millis(1)).await;
                    piece
                }))
            }),
        )
        .route(
            "/who",
            get(async |Extension(connection): Extension<ConnectionInfo>, uri: Uri| {
                let ip = connection.peername.and_then(|peer| peer.ip()).expect("a client of TCP has an address");
                format!("{ip} {} {uri}", connection.is_secure)
            }),
        )
        .route(
            "/headers",
            get(async |headers: HeaderMap| {
                let values: Vec<_> =
                    headers.get_all("x-n").iter().map(|value| value.to_str().unwrap().to_owned()).collect();
                ([("x-joined", values.join("+")), ("content-type", "text/x".to_owned())], StatusCode::ACCEPTED)
            }),
        )
}

/// What `app` says to bytes of a client that then reads to the end.
fn asked(request: &str) -> Answer {
    let served = Served::new(|| tower::handler(app()), config());
    let answer = say(&mut served.connect(), request);
    served.stop().unwrap();
    answer
}

fn get_request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
}

fn post_request(path: &str, rest: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{rest}")
}

#[test]
fn a_router_answers_by_its_routes() {
    let answer = asked(&get_request("/"));
    assert_eq!((answer.status, &*answer.body), (200, "Hello, World!"));
    assert!(answer.head.contains("\r\ncontent-length: 13\r\n"), "{answer:?}");
    assert!(answer.head.contains("\r\ncontent-type: text/plain; charset=utf-8\r\n"), "{answer:?}");
    assert_eq!(asked(&get_request("/users/7")).body, "user 7");
    assert_eq!(asked(&get_request("/users/x")).status, 400);
    assert_eq!(asked(&get_request("/nothing")).status, 404);
    assert_eq!(asked(&post_request("/", "Content-Length: 0\r\n\r\n")).status, 405);
}

#[test]
fn a_router_serves_from_several_workers() {
    let app = app();
    let served = Served::workers(move || tower::handler(app.clone()), config().workers(2)).unwrap();
    for _ in 0..10 {
        assert_eq!(served.get("/users/1").body, "user 1");
    }
    served.stop().unwrap();
}

#[test]
fn head_has_the_length_and_no_body() {
    let answer = asked("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(answer.head.contains("\r\ncontent-length: 13"), "{answer:?}");
    assert_eq!(answer.body, "");
}

#[test]
fn bodies_of_requests_are_read_whole() {
    let json = "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n[1,2,3]";
    assert_eq!(asked(&post_request("/json", json)).body, "6");
    assert_eq!(asked(&post_request("/text", "Content-Length: 3\r\n\r\nabc")).body, "ABC");
    assert_eq!(asked(&post_request("/text", "Content-Length: 0\r\n\r\n")).body, "");
    let chunked = "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n";
    assert_eq!(asked(&post_request("/text", chunked)).body, "ABC");
}

#[test]
fn a_body_that_comes_slowly_is_read_whole_too() {
    let served = Served::new(|| tower::handler(app()), config());
    let mut client = served.connect();
    client.write_all(post_request("/text", "Content-Length: 6\r\n\r\n").as_bytes()).unwrap();
    for piece in ["ab", "cd", "ef"] {
        std::thread::sleep(Duration::from_millis(5));
        client.write_all(piece.as_bytes()).unwrap();
    }
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nABCDEF"), "{answer}");
    served.stop().unwrap();
}

#[test]
fn bodies_stream_both_ways_at_the_same_time() {
    let served = Served::new(|| tower::handler(app()), config());
    let mut client = served.connect();
    client.write_all(post_request("/upper", "Transfer-Encoding: chunked\r\n\r\n").as_bytes()).unwrap();
    let mut all = String::new();
    for piece in ["abc", "def"] {
        client.write_all(format!("3\r\n{piece}\r\n").as_bytes()).unwrap();
        // Each piece comes back before the next one is sent.
        while !all.ends_with(&format!("3\r\n{}\r\n", piece.to_uppercase())) {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            all.push(char::from(byte[0]));
        }
    }
    client.write_all(b"0\r\n\r\n").unwrap();
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "0\r\n\r\n");
    served.stop().unwrap();
}

#[test]
fn a_large_body_streams_through() {
    let served = Served::new(|| tower::handler(app()), config());
    let mut client = served.connect();
    let body = "x".repeat(3 * 1024 * 1024);
    let head = post_request("/upper", &format!("Content-Length: {}\r\n\r\n", body.len()));
    let mut writer = client.try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        writer.write_all(head.as_bytes()).unwrap();
        writer.write_all(body.as_bytes()).unwrap();
    });
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    writing.join().unwrap();
    assert_eq!(answer.matches('X').count(), 3 * 1024 * 1024);
    served.stop().unwrap();
}

#[test]
fn a_stream_of_unknown_length_is_chunked() {
    let answer = asked(&get_request("/stream"));
    assert!(answer.head.contains("\r\ntransfer-encoding: chunked"), "{answer:?}");
    assert_eq!(answer.body, "3\r\n<0>\r\n3\r\n<1>\r\n3\r\n<2>\r\n0\r\n\r\n");
}

#[test]
fn a_stream_that_fails_cuts_the_connection() {
    let answer = asked(&get_request("/broken"));
    assert_eq!(answer.status, 200);
    assert!(!answer.body.contains("0\r\n\r\n"), "{answer:?}");
}

#[test]
fn fields_of_requests_and_responses_go_through() {
    let answer = asked("GET /headers HTTP/1.1\r\nHost: x\r\nX-N: 1\r\nx-n: 2\r\nConnection: close\r\n\r\n");
    assert_eq!(answer.status, 202);
    assert!(answer.head.contains("\r\nx-joined: 1+2\r\n"), "{answer:?}");
    assert_eq!(answer.head.matches("content-type").count(), 1, "{answer:?}");
}

#[test]
fn the_connection_is_an_extension_and_the_target_a_uri() {
    assert_eq!(asked(&get_request("/who?a=b")).body, "127.0.0.1 false /who?a=b");
    assert_eq!(asked(&get_request("http://x/who")).body, "127.0.0.1 false http://x/who");
}

#[test]
fn a_target_that_is_no_uri_is_a_bad_request() {
    let config = config().limits(Limits::default().allow_unusual_targets(true));
    let served = Served::new(|| tower::handler(app()), config);
    for target in ["/a<b", "/%zz", "/\u{fc}"] {
        let status = served.get(target).status;
        assert!([400, 404].contains(&status), "{target}: {status}");
    }
    assert_eq!(served.get("/").status, 200);
    served.stop().unwrap();
}

#[test]
fn a_body_that_nobody_reads_leaves_the_connection_usable() {
    let request = "POST /unread HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let answer = asked(&format!("{request}{}", get_request("/")));
    assert!(answer.body.starts_with("nobody lookedHTTP/1.1 200 "), "{answer:?}");
}

#[test]
fn a_client_is_told_to_continue_when_the_service_asks_for_the_body() {
    let served = Served::new(|| tower::handler(app()), config());
    let mut client = served.connect();
    client.write_all(post_request("/text", "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n").as_bytes()).unwrap();
    let mut told = [0; 25];
    client.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert!(say(&mut client, "ok").body.ends_with("OK"));
    let mut client = served.connect();
    let request = post_request("/unread", "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(say(&mut client, &request).status, 200, "and not if it does not");
    served.stop().unwrap();
}

#[test]
fn a_body_beyond_the_limit_is_answered_with_413() {
    let config = config().limits(Limits::default().max_body_size(Some(4)));
    let served = Served::new(|| tower::handler(app()), config);
    let declared = post_request("/text", "Content-Length: 5\r\n\r\nabcde");
    assert_eq!(say(&mut served.connect(), &declared).status, 413);
    let mut client = served.connect();
    client.write_all(post_request("/text", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(say(&mut client, "3\r\nabc\r\n0\r\n\r\n").status, 413);
    served.stop().unwrap();
}

#[test]
fn a_body_that_does_not_come_is_answered_with_408() {
    let served = Served::new(|| tower::handler(app()), config().body_timeout(Duration::from_millis(50)));
    let request = post_request("/text", "Content-Length: 5\r\n\r\nabc");
    assert_eq!(say(&mut served.connect(), &request).status, 408);
    served.stop().unwrap();
}

// ---- services of its own

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A service made of a closure.
#[derive(Clone)]
struct Answers<F>(F);

impl<F, B> Service<::http::Request<RequestBody>> for Answers<F>
where
    F: Fn(::http::Request<RequestBody>) -> Boxed<Result<Response<B>, BoxError>>,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Boxed<Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: ::http::Request<RequestBody>) -> Self::Future {
        (self.0)(request)
    }
}

async fn read(mut body: RequestBody) -> Result<(String, Option<HeaderMap>), BodyError> {
    let (mut text, mut trailers) = (String::new(), None);
    while let Some(frame) = std::future::poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx)).await {
        match frame?.into_data() {
            Ok(data) => text.push_str(std::str::from_utf8(&data).unwrap()),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok((text, trailers))
}

#[test]
fn an_error_of_a_service_is_a_500_and_that_of_a_body_has_its_own_status() {
    let service = Answers(|request: ::http::Request<RequestBody>| {
        Box::pin(async move {
            if request.uri().path() == "/fail" {
                return Err(BoxError::from("of its own"));
            }
            let (text, _) = read(request.into_body()).await?;
            Ok(Response::new(Body::from(text)))
        }) as Boxed<_>
    });
    let config = config().limits(Limits::default().max_body_size(Some(4)));
    let served = Served::new(move || tower::handler(service), config);
    assert_eq!(served.get("/fail").status, 500);
    assert_eq!(served.server.stats().n_failed, 1);
    let request = post_request("/", "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n");
    let answer = say(&mut served.connect(), &request);
    assert_eq!(answer.status, 413);
    assert_eq!(served.server.stats().n_failed, 1);
    served.stop().unwrap();
}

#[test]
fn trailers_go_through_both_ways() {
    let service = Answers(|request: ::http::Request<RequestBody>| {
        Box::pin(async move {
            let (text, trailers) = read(request.into_body()).await?;
            let frames = [Ok::<_, Infallible>(Frame::data(Bytes::from(text))), Ok(Frame::trailers(trailers.unwrap()))];
            Ok(Response::new(Frames(frames.into_iter())))
        }) as Boxed<_>
    });
    let served = Served::new(move || tower::handler(service), config());
    let request =
        post_request("/", "TE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n");
    assert_eq!(say(&mut served.connect(), &request).body, "3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n");
    served.stop().unwrap();
}

/// A body of frames that are there.
struct Frames<I>(I);

impl<I: Iterator<Item = Result<Frame<Bytes>, Infallible>> + Unpin> http_body::Body for Frames<I> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next())
    }
}

#[test]
fn a_service_is_called_on_the_clone_that_said_that_it_is_ready() {
    /// Panics if it is called without having been ready.
    #[derive(Default)]
    struct Careful {
        is_ready: bool,
        n_asked: usize,
    }

    impl Clone for Careful {
        fn clone(&self) -> Self {
            Careful::default()
        }
    }

    impl Service<::http::Request<RequestBody>> for Careful {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = Ready<Result<Response<Body>, Infallible>>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            self.n_asked += 1;
            if self.n_asked < 3 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.is_ready = true;
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: ::http::Request<RequestBody>) -> Self::Future {
            assert!(std::mem::take(&mut self.is_ready));
            ready(Ok(Response::new(Body::from("ready"))))
        }
    }

    let served = Served::new(|| tower::handler(Careful::default()), config());
    assert_eq!(served.get("/").body, "ready");
    assert_eq!(served.get("/").body, "ready");
    served.stop().unwrap();
}

/// Counts those of its kind that live.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Counted(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn a_client_that_goes_away_drops_the_body_it_was_sent() {
    let alive = Arc::new(AtomicUsize::new(0));
    let app = {
        let alive = alive.clone();
        Router::new().route(
            "/",
            get(async move || {
                let counted = Counted::new(&alive);
                let pieces = stream::repeat_with(move || {
                    let _ = &counted;
                    Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 16 * 1024]))
                });
                Body::from_stream(pieces).into_response()
            }),
        )
    };
    let served = Served::new(move || tower::handler(app), config());
    let mut client = served.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    client.read_exact(&mut [0; 1000]).unwrap();
    assert_eq!(alive.load(Ordering::SeqCst), 1);
    drop(client);
    until(|| alive.load(Ordering::SeqCst) == 0);
    served.stop().unwrap();
}

#[test]
fn a_body_may_be_read_on_another_thread_and_ends_with_the_response() {
    let (sender, receiver) = mpsc::channel();
    let service = Answers(move |request: ::http::Request<RequestBody>| {
        let sender = sender.clone();
        let is_waiting = request.uri().path() == "/wait";
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let read = runtime.block_on(read(request.into_body()));
            sender.send(read.map(|(text, _)| text)).unwrap();
        });
        Box::pin(async move {
            if is_waiting {
                pending::<()>().await;
            }
            sleep(Duration::from_millis(20)).await;
            Ok(Response::new(Body::from("done")))
        }) as Boxed<_>
    });
    let served = Served::new(move || tower::handler(service), config());
    let mut client = served.connect();
    client.write_all(b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc").unwrap();
    std::thread::sleep(Duration::from_millis(10));
    client.write_all(b"def").unwrap();
    assert_eq!(receiver.recv_timeout(BOUND).unwrap(), Ok("abcdef".to_owned()));
    let mut client = served.connect();
    client.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc").unwrap();
    assert_eq!(receiver.recv_timeout(BOUND).unwrap(), Err(BodyError::Disconnected));
    drop(client);
    // The request of the first client never ends by itself.
    assert!(served.cancel().is_err());
}
