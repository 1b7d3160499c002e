//! A server of HTTP that answers whatever it is asked: the target of benchmarks and of conformance suites.
//!
//! ```text
//! cargo run --release --example probe -- [--host HOST] [--port PORT] [--workers N] [--cert FILE --key FILE] ...
//! curl localhost:8080/users/7
//! ```
//!
//! `/ws` sends back every message of a WebSocket, `/broadcast` sends it to all that are there.
//! `GET /` greets, `GET /json` does it in JSON, `GET /users/<id>` says the id, `GET /stream` sends 1 MiB in 64 pieces.
//! Everything else gets the body of its request back, as it comes in, or `no body`.

#[cfg(test)]
mod child;
mod options;

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use foster::http::{HeaderValue, Limits, Method, Response, ResponseBody};
use foster::websocket::{self, Broadcast, WebSocket};
use foster::{AccessLog, Config, Handler, Request, Result, run, serve, serve_workers};
use futures::stream;
use options::{Options, Own, announce_all, wrong_arguments};

const CHUNK_SIZE: usize = 16 * 1024;
const N_CHUNKS: usize = 64;

static CHUNK: [u8; CHUNK_SIZE] = [b'x'; CHUNK_SIZE];

/// What a worker answers with.
struct Probe {
    websockets: websocket::Config,
    room: Broadcast,
}

impl Probe {
    fn handler(websockets: websocket::Config) -> impl Handler {
        let probe = Rc::new(Probe { websockets, room: Broadcast::new() });
        move |request| answer(probe.clone(), request)
    }
}

async fn answer(probe: Rc<Probe>, request: Request) -> Result<Response> {
    let is_get = *request.method() == Method::GET;
    Ok(match request.path() {
        "/" if is_get => Response::text("Hello, World!"),
        "/json" if is_get => {
            let body = r#"{"message":"Hello, World!"}"#;
            Response::with_type(HeaderValue::from_static("application/json"), body)
        }
        "/stream" if is_get => {
            let chunks = stream::iter((0..N_CHUNKS).map(|_| Ok::<_, foster::Error>(Bytes::from_static(&CHUNK))));
            Response::bytes(ResponseBody::stream(chunks))
        }
        "/ws" => websocket::upgrade(request, &probe.websockets, echo).await?,
        "/broadcast" => {
            websocket::upgrade(request, &probe.websockets, async |websocket| shout(&probe.room, &websocket).await)
                .await?
        }
        path => match path.strip_prefix("/users/").filter(|_| is_get) {
            Some(id) => Response::text(id.to_owned()),
            None => send_back(request),
        },
    })
}

async fn echo(websocket: WebSocket) -> Result<()> {
    loop {
        let message = websocket.receive().await?;
        websocket.send(message).await?;
    }
}

async fn shout(room: &Broadcast, websocket: &WebSocket) -> Result<()> {
    let _membership = room.join(websocket)?;
    loop {
        let message = websocket.receive().await?;
        room.send(message);
    }
}

fn send_back(request: Request) -> Response {
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
    let mut config = Config::new().bind(options.bind());
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

fn main() -> Result<()> {
    let (options, values) = Options::from_args_and("probe", 8080, OPTIONS);
    let config = config(&options, &values).unwrap_or_else(|message| wrong_arguments("probe", &message));
    match values[0] {
        Some(_) => run(serve_workers(|| Probe::handler(websocket::Config::new()), config)
            .on_serving(|server| announce_all(server.addresses()))),
        None => run(serve(Probe::handler(websocket::Config::new()), config)
            .on_serving(|server| announce_all(server.addresses()))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::child::{self, Child, receive, receive_all};
    use super::*;

    fn send(mut client: &TcpStream, text: &str) {
        client.write_all(text.as_bytes()).expect("the server reads");
    }

    fn get(path: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
    }

    /// The answer to a request that is the last of its connection, head and body.
    fn last_answer(server: &Child, request: &str) -> (String, Vec<u8>) {
        let client = server.connect();
        send(&client, &request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
        let all = receive_all(&client);
        let at = all.windows(4).position(|window| window == b"\r\n\r\n").expect("a head ends") + 4;
        (String::from_utf8_lossy(&all[..at]).into_owned(), all[at..].to_vec())
    }

    /// Reads one answer whose body is known.
    fn read_answer(mut client: &TcpStream, body: &str) {
        let mut all = Vec::new();
        while !all.ends_with(format!("\r\n\r\n{body}").as_bytes()) {
            let mut byte = [0];
            client.read_exact(&mut byte).expect("there is more of the answer");
            all.push(byte[0]);
        }
    }

    #[test]
    fn it_answers_each_path_as_it_says() {
        let server = Child::serve("probe");
        let body = |request: &str| String::from_utf8_lossy(&last_answer(&server, request).1).into_owned();
        assert_eq!(body(&get("/")), "Hello, World!");
        assert_eq!(body(&get("/users/7")), "7");
        assert_eq!(body(&get("/nothing")), "no body");
        assert_eq!(body("POST /anything HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"), "no body");
        let (head, json) = last_answer(&server, &get("/json"));
        assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
        assert_eq!(json, br#"{"message":"Hello, World!"}"#);
        let (head, stream) = last_answer(&server, "GET /stream HTTP/1.0\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(stream.len(), N_CHUNKS * CHUNK_SIZE);
        let client = server.connect();
        send(&client, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nthere");
        read_answer(&client, "there");
    }

    #[test]
    fn a_signal_closes_idle_clients_at_once_and_ends_it_well() {
        for (signal, workers) in [("INT", None), ("TERM", None), ("TERM", Some("2"))] {
            let args: &[&str] = if let Some(n) = workers { &["--workers", n] } else { &[] };
            let server = Child::serve_with("probe", args);
            let clients = [server.connect(), server.connect(), server.connect()];
            for client in &clients[1..] {
                send(client, &get("/"));
                read_answer(client, "Hello, World!");
                client.set_read_timeout(Some(child::STOPS_WITHIN)).expect("the time-out is not zero");
            }
            server.signal(signal);
            for client in &clients {
                assert_eq!(receive_all(client), b"");
            }
            let ended = server.ends();
            assert_eq!((ended.code, &*ended.stderr), (Some(0), &[][..]), "{signal}");
        }
    }

    #[test]
    fn a_busy_client_gets_its_answer_after_the_signal_and_the_connection_closes() {
        let server = Child::serve("probe");
        let client = server.connect();
        send(&client, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello");
        let idle = server.connect();
        send(&idle, &get("/"));
        read_answer(&idle, "Hello, World!");
        read_answer(&client, "hello");
        server.signal("TERM");
        assert_eq!(receive_all(&idle), b"");
        assert!(TcpStream::connect(server.address).is_err(), "nobody is accepted any more");
        send(&client, "world");
        assert_eq!(receive(&client, 5), b"world");
        assert_eq!(receive_all(&client), b"");
        let ended = server.ends();
        assert_eq!((ended.code, &*ended.stderr), (Some(0), &[][..]));
    }

    #[test]
    fn what_takes_longer_than_the_graceful_timeout_or_a_second_signal_is_cut() {
        for is_told_twice in [true, false] {
            let timeout = if is_told_twice { "1000" } else { "0.05" };
            let server = Child::serve_with("probe", &["--graceful-timeout", timeout]);
            let client = server.connect();
            send(&client, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello");
            read_answer(&client, "hello");
            let idle = server.connect();
            send(&idle, &get("/"));
            read_answer(&idle, "Hello, World!");
            server.signal("INT");
            // The first has arrived once this is closed, so that the second is not merged with it.
            assert_eq!(receive_all(&idle), b"");
            if is_told_twice {
                server.signal("INT");
            }
            assert_eq!(receive_all(&client), b"");
            let ended = server.ends();
            assert_eq!((ended.code, &*ended.stderr), (Some(0), &[][..]), "told twice: {is_told_twice}");
        }
    }

    #[test]
    fn its_limits_are_the_servers() {
        let args = ["--max-request-line", "100", "--max-headers", "3", "--max-body-size", "10", "--max-requests", "1"];
        let server = Child::serve_with("probe", &args);
        let status = |request: &str| last_answer(&server, request).0[9..12].to_owned();
        assert_eq!(status(&get(&format!("/{}", "x".repeat(100)))), "414");
        assert_eq!(status("GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\n\r\n"), "431", "Connection is the fourth");
        assert_eq!(status("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n"), "413");
        let client = server.connect();
        send(&client, &get("/"));
        let all = receive_all(&client);
        assert!(String::from_utf8_lossy(&all).contains("\r\nconnection: close\r\n"));
    }

    #[test]
    fn what_cannot_be_is_said_in_one_sentence() {
        let server = Child::serve("probe");
        let port = server.address.port().to_string();
        let output = child::run("probe", &["--port", &port]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1));
        assert!(said.contains(&format!("address 127.0.0.1:{port}")) && said.lines().count() == 1, "{said}");
        for (args, wanted) in [
            (&["--workers", "x"], "probe: \"x\" is not a number that fits\n"),
            (&["--keep-alive", "-1"], "probe: \"-1\" is not a number of seconds\n"),
            (&["--cert", "x"], "probe: --cert and --key go together\n"),
        ] {
            let output = child::run("probe", args);
            assert_eq!((output.status.code(), &*String::from_utf8_lossy(&output.stderr)), (Some(2), wanted));
        }
    }
}
