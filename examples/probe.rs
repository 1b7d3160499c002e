//! A server of HTTP that answers whatever it is asked: the target of benchmarks and of conformance suites.
//!
//! ```text
//! cargo run --release --example probe -- [--host HOST] [--port PORT] [--workers N] [--cert FILE --key FILE] ...
//! curl localhost:8080/users/7
//! ```
//!
//! `GET /` greets, `GET /json` does it in JSON, `GET /users/<id>` says the id, `GET /stream` sends 1 MiB in 64 pieces.
//! Everything else gets the body of its request back, as it comes in, or `no body`.

#[cfg(test)]
mod child;
mod options;

use std::time::Duration;

use bytes::Bytes;
use foster::http::{HeaderValue, Limits, Method, Response, ResponseBody};
use foster::{AccessLog, Config, HttpServer, Request, Result, run, serve, serve_workers};
use futures::stream;
use options::{Options, Own, wrong_arguments};

const CHUNK_SIZE: usize = 16 * 1024;
const N_CHUNKS: usize = 64;

static CHUNK: [u8; CHUNK_SIZE] = [b'x'; CHUNK_SIZE];

async fn probe(request: Request) -> Response {
    if *request.method() == Method::GET {
        match request.path() {
            "/" => return Response::text("Hello, World!"),
            "/json" => {
                let body = r#"{"message":"Hello, World!"}"#;
                return Response::with_type(HeaderValue::from_static("application/json"), body);
            }
            "/stream" => {
                let chunks = stream::iter((0..N_CHUNKS).map(|_| Ok::<_, foster::Error>(Bytes::from_static(&CHUNK))));
                return Response::bytes(ResponseBody::stream(chunks));
            }
            path => {
                if let Some(id) = path.strip_prefix("/users/") {
                    return Response::text(id.to_owned());
                }
            }
        }
    }
    let body = request.into_body();
    if body.content_length() == Some(0) { Response::text("no body") } else { Response::bytes(body) }
}

const OPTIONS: [Own; 16] = [
    own("--workers", "N", "how many loops, each in a thread of its own (1)"),
    own("--cert", "FILE", "a certificate chain in PEM: serve over TLS"),
    own("--key", "FILE", "its key"),
    own("--access-log", "FILE", "write a line for each request there, - for stdout (off)"),
    own("--keep-alive", "SECONDS", "how long a connection may wait for its next request (5)"),
    own("--max-requests", "N", "how many requests a connection may have (1000)"),
    own("--handshake-timeout", "SECONDS", "how long the TLS handshake may take (60)"),
    own("--head-timeout", "SECONDS", "how long a whole request head may take (10)"),
    own("--body-timeout", "SECONDS", "how long nothing of a body may come (60)"),
    own("--write-timeout", "SECONDS", "how long a client may take nothing of its answer (60)"),
    own("--graceful-timeout", "SECONDS", "how long requests may go on once the server stops (3)"),
    own("--max-connections", "N", "connections at once, of each worker (no limit)"),
    own("--max-request-line", "BYTES", "the longest request line (8192)"),
    own("--max-head-size", "BYTES", "the largest head (16384)"),
    own("--max-headers", "N", "the most header fields (100)"),
    own("--max-body-size", "BYTES", "the largest body (16777216)"),
];

const fn own(option: &'static str, value: &'static str, help: &'static str) -> Own {
    Own { option, value, help }
}

type Values = [Option<String>; OPTIONS.len()];

fn config(options: &Options, values: &Values) -> Result<Config, String> {
    let [workers, cert, key, access_log, keep_alive, max_requests, rest @ ..] = values;
    let [handshake, head, body, write, graceful, max_connections, rest @ ..] = rest;
    let [request_line, head_size, headers, body_size] = rest;
    let host = if options.host.contains(':') { format!("[{}]", options.host) } else { options.host.clone() };
    let mut config = Config::new().bind(format!("{host}:{}", options.port));
    let mut limits = Limits::default();
    macro_rules! set {
        ($target:ident . $method:ident($value:ident, $parse:ident)) => {
            if let Some(value) = $value {
                $target = $target.$method($parse(value)?);
            }
        };
    }
    set!(config.workers(workers, number));
    set!(config.keep_alive_timeout(keep_alive, seconds));
    set!(config.keep_alive_max_requests(max_requests, number));
    set!(config.ssl_handshake_timeout(handshake, seconds));
    set!(config.head_timeout(head, seconds));
    set!(config.body_timeout(body, seconds));
    set!(config.write_timeout(write, seconds));
    set!(config.graceful_timeout(graceful, seconds));
    set!(config.max_connections(max_connections, number));
    set!(limits.max_request_line(request_line, number));
    set!(limits.max_head_size(head_size, number));
    set!(limits.max_headers(headers, number));
    if let Some(size) = body_size {
        limits = limits.max_body_size(Some(number(size)?));
    }
    config = match access_log.as_deref() {
        None => config,
        Some("-") => config.access_log(AccessLog::stdout()),
        Some(path) => config.access_log(AccessLog::file(path).map_err(|err| format!("{path}: {err}"))?),
    };
    match (cert, key) {
        (Some(cert), Some(key)) => config = config.certfile(cert, key).map_err(|err| format!("{err:#}"))?,
        (None, None) => {}
        _ => return Err("--cert and --key go together".to_owned()),
    }
    Ok(config.limits(limits))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number that fits"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is not a number of seconds"))?;
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("{text:?} is not a number of seconds"))
}

fn announce(server: &HttpServer) {
    for address in server.addresses() {
        println!("serving on {address}");
    }
}

fn main() -> Result<()> {
    let (options, values) = Options::from_args_and("probe", 8080, OPTIONS);
    let config = config(&options, &values).unwrap_or_else(|message| wrong_arguments("probe", &message));
    match values[0] {
        Some(_) => run(serve_workers(|| probe, config).on_serving(|server| announce(&server))),
        None => run(serve(probe, config).on_serving(|server| announce(&server))),
    }
}
