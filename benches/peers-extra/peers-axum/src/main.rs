//! `peers-axum --port P [--routes N] [--middleware]`: a server of HTTP/1.1 on axum, on one thread, on 127.0.0.1. Ended by
//! a signal.
//!
//! With `--routes` it has that many more, of several segments each; with `--middleware` a function before and behind each
//! request, which notes a value in it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Json, Path, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use serde::Serialize;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

#[derive(Serialize)]
struct Greeting {
    message: &'static str,
}

fn main() -> io::Result<()> {
    let number = |name: &str| std::env::args().skip_while(|argument| argument != name).nth(1)?.parse().ok();
    let port = number("--port").ok_or_else(|| io::Error::other("--port needs a number"))?;
    let n_routes = number("--routes").unwrap_or(0);
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::from_std(listen(port)?)?;
        let routes = if std::env::args().any(|argument| argument == "--middleware") {
            routes(n_routes).layer(middleware::from_fn(note))
        } else {
            routes(n_routes)
        };
        axum::serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), routes).await
    })
}

/// What a request notes before its handler.
#[derive(Clone)]
struct Seen;

async fn note(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Seen);
    next.run(request).await
}

fn routes(n_more: u16) -> Router {
    let mut routes = Router::new()
        .route("/", get(async || "Hello, World!"))
        .route("/json", get(async || Json(Greeting { message: "Hello, World!" })))
        .route("/users/{id}", get(async |Path(id): Path<i64>| id.to_string()))
        .route("/echo", post(async |body: Bytes| body));
    for n in 0..n_more {
        let path = format!("/area{}/thing{n}/{{id}}/part", n % 20);
        routes = routes.route(&path, get(async |Path(id): Path<i64>| id.to_string()));
    }
    routes
}

fn listen(port: u16) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}
