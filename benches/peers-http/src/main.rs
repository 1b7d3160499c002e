//! `peers-http hyper|hyper-flush --port P`: an HTTP/1.1 server on hyper, on 127.0.0.1. Ended by a signal.
//!
//! A task for each connection on the current-thread runtime. `hyper-flush` gathers the answers to requests that came
//! together (`pipeline_flush`) and writes them with one call.

mod answer;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use answer::Answer;

fn main() -> io::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let gathers = match name.as_str() {
        "hyper" => false,
        "hyper-flush" => true,
        _ => return Err(io::Error::other(format!("unknown server {name:?}: use hyper or hyper-flush"))),
    };
    let port = std::env::args().skip_while(|argument| argument != "--port").nth(1);
    let port = port.and_then(|port| port.parse().ok()).ok_or_else(|| io::Error::other("--port needs a number"))?;
    let listener = listen(port)?;
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        tokio::spawn(accept(listener, gathers)).await.map_err(io::Error::other)
    })
}

async fn accept(listener: TcpListener, gathers: bool) {
    let mut connections = http1::Builder::new();
    // With a timer hyper keeps its limit of 30 s for the head of a request, which a server in the open needs.
    connections.pipeline_flush(gathers).timer(TokioTimer::new());
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        if stream.set_nodelay(true).is_ok() {
            let connection = connections.serve_connection(TokioIo::new(stream), service_fn(answer));
            // A connection that fails just ends.
            tokio::spawn(async move { drop(connection.await) });
        }
    }
}

async fn answer(request: Request<Incoming>) -> hyper::Result<Response<Answer>> {
    Ok(match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => respond(TEXT, Answer::whole(Bytes::from_static(b"Hello, World!"))),
        (&Method::GET, "/json") => {
            respond("application/json", Answer::whole(Bytes::from_static(br#"{"message":"Hello, World!"}"#)))
        }
        (&Method::GET, "/stream") => respond(BYTES, Answer::stream()),
        (&Method::POST, "/echo") => {
            let body = request.into_body().collect().await?.to_bytes();
            respond(BYTES, Answer::whole(body))
        }
        (&Method::GET, path) if path.starts_with("/users/") => {
            respond(TEXT, Answer::whole(Bytes::copy_from_slice(&path.as_bytes()["/users/".len()..])))
        }
        _ => {
            let mut response = respond(TEXT, Answer::whole(Bytes::new()));
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    })
}

fn respond(content_type: &'static str, answer: Answer) -> Response<Answer> {
    let mut response = Response::new(answer);
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static(content_type));
    response
}

fn listen(port: u16) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    // The kernel's default limit (net.core.somaxconn), as of the echo servers.
    socket.listen(4096)?;
    Ok(socket.into())
}

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
