//! `peers-actix --port P [--middleware]`: a server of HTTP/1.1 and WebSocket on actix-web with one worker, on 127.0.0.1.
//! Ended by a signal. With `--middleware` there is a function before and behind each request, which notes a value in it.

mod chunks;
mod websocket;

use std::io;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::ContentType;
use actix_web::web::{self, Bytes, Path};
use actix_web::{App, HttpMessage, HttpResponse, HttpServer, Responder, middleware};

use chunks::Chunks;

fn main() -> io::Result<()> {
    let port = std::env::args().skip_while(|argument| argument != "--port").nth(1);
    let port: u16 = port.and_then(|port| port.parse().ok()).ok_or_else(|| io::Error::other("--port needs a number"))?;
    actix_web::rt::System::new().block_on(async {
        let has_middleware = std::env::args().any(|argument| argument == "--middleware");
        let server = HttpServer::new(move || {
            let note = middleware::from_fn(note);
            App::new()
                .wrap(middleware::Condition::new(has_middleware, note))
                .route("/", web::get().to(hello))
                .route("/json", web::get().to(json))
                .route("/users/{id}", web::get().to(user))
                .route("/echo", web::post().to(echo))
                .route("/stream", web::get().to(stream))
                .route("/ws", web::get().to(websocket::echo))
                .route("/broadcast", web::get().to(websocket::broadcast))
        });
        server
            .workers(1)
            .backlog(4096)
            .tcp_nodelay(true)
            // The default of 5 s would end idle connections while others are still being opened; nginx has 75 s.
            .keep_alive(Duration::from_secs(75))
            .bind(("127.0.0.1", port))?
            .run()
            .await
    })
}

/// What a request notes before its handler.
struct Seen;

async fn note(
    request: ServiceRequest,
    next: middleware::Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    request.extensions_mut().insert(Seen);
    next.call(request).await
}

async fn hello() -> &'static str {
    "Hello, World!"
}

async fn json() -> impl Responder {
    HttpResponse::Ok().insert_header(ContentType::json()).body(r#"{"message":"Hello, World!"}"#)
}

async fn user(id: Path<String>) -> String {
    id.into_inner()
}

async fn echo(body: Bytes) -> Bytes {
    body
}

async fn stream() -> HttpResponse {
    HttpResponse::Ok().insert_header(ContentType::octet_stream()).body(Chunks::default())
}
