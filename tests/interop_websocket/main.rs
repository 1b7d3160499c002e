//! WebSocket and the libraries that people have: the server with aiohttp, websockets, ws, undici and Chromium as clients,
//! and the client with websockets and ws as servers.

#![cfg(feature = "websocket")]

#[path = "../served/mod.rs"]
mod served;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use foster::asyncio::Queue;
use foster::http::{HeaderValue, Response};
use foster::websocket::{self, CloseFrame, Closed, Message, MessageKind, WebSocket, WebSocketError};
use foster::{Handler, Nursery, Request, Result, fail_after, open_nursery, run};

use crate::served::{BOUND, Served, has_program, is_there};

/// What a client has checked, in order; behind it comes `compression` or `no compression`.
const CHECKS: [&str; 9] = [
    "text",
    "binary",
    "empty",
    "large",
    "fragments",
    "pings",
    "subprotocol",
    "closed by the server",
    "closed by the client",
];

// ---- the server

/// The paths that README.md lists.
fn varied() -> impl Handler {
    let config = websocket::Config::new().subprotocols(["chat"]);
    let closes = Rc::new(Queue::new(0));
    move |request: Request| {
        let (config, closes) = (config.clone(), closes.clone());
        async move {
            if request.path() == "/" {
                let html = HeaderValue::from_static("text/html");
                return Ok(Response::with_type(html, "<!doctype html><title>A page</title>"));
            }
            let path = request.path().to_owned();
            websocket::upgrade(request, &config, async |websocket| talk(&path, websocket, &closes).await).await
        }
    }
}

async fn talk(path: &str, websocket: WebSocket, closes: &Queue<String>) -> Result<()> {
    match path {
        "/echo" => loop {
            let message = websocket.receive().await?;
            websocket.send(message).await?;
        },
        "/fragments" => {
            send_in_pieces(&websocket, MessageKind::Text, &["one ", "two ", "three"]).await?;
            send_in_pieces(&websocket, MessageKind::Binary, &[[b'x'; 10_000]; 30]).await?;
        }
        "/ping" => {
            websocket.ping().await?;
            websocket.send("ponged").await?;
        }
        "/close" => drop(websocket.close(4001, "good bye").await?),
        "/closing" => {
            websocket.accept()?;
            let CloseFrame { code, reason } = websocket.closed().await.received;
            closes.put_nowait(format!("{} {reason}", u16::from(code)).trim().to_owned())?;
        }
        "/closed" => {
            let close = closes.get().await?;
            websocket.send(close).await?;
        }
        _ => websocket.reject(Response::text("there is no such path"))?,
    }
    Ok(())
}

async fn send_in_pieces<T: AsRef<[u8]>>(websocket: &WebSocket, kind: MessageKind, pieces: &[T]) -> Result<()> {
    let mut message = websocket.start_message(kind).await?;
    for piece in pieces {
        message.write(piece.as_ref()).await?;
    }
    Ok(message.finish()?)
}

/// Has a script go through the paths of the server, which prints these lines if all is well.
fn is_served(program: &str, script: &str, library: &str, expected: &[&str]) {
    let Some(mut command) = command(program, script, library) else { return };
    let served = Served::new(varied, foster::Config::new().bind("127.0.0.1:0"));
    let output = command.arg(format!("ws://{}", served.address())).output().expect("an installed program starts");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{}: {errors}", output.status);
    assert!(output.status.success(), "{}: {errors}", output.status);
    assert_eq!(served.server.stats().n_failed, 0, "no handler has failed");
    served.stop().unwrap();
}

/// Those with compression, and then those without it.
fn checks_of_both() -> Vec<&'static str> {
    [&CHECKS[..], &["compression"], &CHECKS, &["no compression"]].concat()
}

fn checks_of_standard() -> Vec<&'static str> {
    [&CHECKS[..], &["compression"]].concat()
}

#[test]
fn aiohttp_is_served() {
    is_served("python3", "aiohttp_client.py", "aiohttp", &checks_of_both());
}

#[test]
fn websockets_is_served() {
    is_served("python3", "websockets_client.py", "websockets", &checks_of_both());
}

#[test]
fn ws_is_served() {
    is_served("node", "ws_client.js", "node_modules/ws", &checks_of_both());
}

#[test]
fn undici_is_served() {
    is_served("node", "undici_client.js", "node_modules/undici", &checks_of_standard());
}

#[test]
fn chromium_is_served() {
    if has_program("chromium") {
        is_served("node", "chromium_client.js", "", &checks_of_standard());
    }
}

// ---- the client

/// A server of others, which is ended when this is dropped.
struct Peer {
    process: Child,
    url: String,
}

impl Peer {
    fn start(mut command: Command) -> Peer {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("an installed program starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut line).expect("the server says its port");
        let address = line.trim_end().strip_prefix("serving on ").unwrap_or_else(|| panic!("it says {line:?}"));
        Peer { process, url: format!("ws://{address}") }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Either fails only if it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Has the client go through the paths of a server.
fn serves(program: &str, script: &str, library: &str) {
    let Some(command) = command(program, script, library) else { return };
    let peer = Peer::start(command);
    let url = peer.url.clone();
    run(async move {
        let checked = open_nursery(async |nursery| {
            let config = websocket::Config::new();
            check(&nursery, &url, &config, "permessage-deflate").await?;
            check(&nursery, &url, &config.compression(None), "").await
        });
        fail_after(BOUND, checked).await??;
        foster::Ok(())
    })
    .unwrap();
}

async fn check(nursery: &Nursery, url: &str, config: &websocket::Config, extensions: &str) -> Result<()> {
    let connect = |path: &str| websocket::connect(nursery, format!("{url}{path}")).config(config.clone());

    let websocket = connect("/echo").await?;
    let large: Vec<u8> = (0..1_048_576).map(|n| (n * 131 % 251) as u8).collect();
    for text in ["grüße, 世界 🦀", "", &"large ".repeat(150_000)] {
        echoes(&websocket, text).await?;
    }
    for bytes in [(0..=255).collect(), Vec::new(), large] {
        echoes(&websocket, bytes).await?;
    }
    let mut message = websocket.start_message(MessageKind::Text).await?;
    message.write(b"one ").await?;
    websocket.ping().await?;
    message.write(b"two ").await?;
    message.write(b"three").await?;
    message.finish()?;
    assert_eq!(websocket.receive().await?, Message::from("one two three"));
    // Each message after the first is a reference to it.
    for _ in 0..20 {
        echoes(&websocket, "again and again".repeat(100)).await?;
    }
    let closed = websocket.close(1000, "").await?;
    assert_eq!(closed.received, CloseFrame::new(1000, ""));

    let websocket = connect("/fragments").await?;
    assert_eq!(websocket.receive().await?, Message::from("one two three"));
    assert_eq!(websocket.receive().await?, Message::from(vec![b'x'; 300_000]));
    assert_eq!(end(&websocket).await.received, CloseFrame::new(1000, ""));

    let websocket = connect("/ping").await?;
    assert_eq!(websocket.receive().await?, Message::from("ponged"));
    websocket.closed().await;

    let websocket = connect("/echo").subprotocols(["unknown", "chat"]).await?;
    assert_eq!(websocket.subprotocol(), Some("chat"));
    let websocket = connect("/echo").await?;
    assert_eq!(websocket.subprotocol(), None);

    let websocket = connect("/close").await?;
    let closed = end(&websocket).await;
    assert_eq!(closed.received, CloseFrame::new(4001, "good bye"));
    assert_eq!(closed.sent, Some(CloseFrame::new(4001, "good bye")));

    let websocket = connect("/closing").await?;
    assert_eq!(websocket.close(4002, "see you").await?.received, CloseFrame::new(4002, "see you"));
    let websocket = connect("/closed").await?;
    assert_eq!(websocket.receive().await?, Message::from("4002 see you"));

    let websocket = connect("/extensions").await?;
    assert_eq!(websocket.receive().await?, Message::from(extensions));
    Ok(())
}

async fn echoes(websocket: &WebSocket, message: impl Into<Message>) -> Result<()> {
    let message = message.into();
    websocket.send(message.clone()).await?;
    assert!(websocket.receive().await? == message, "{} bytes come back as they were sent", message.len());
    Ok(())
}

/// How a WebSocket ends that has no more messages.
async fn end(websocket: &WebSocket) -> Closed {
    match websocket.receive().await {
        Err(WebSocketError::Closed(closed)) => *closed,
        other => panic!("{other:?} in the place of the end"),
    }
}

#[test]
fn websockets_serves() {
    serves("python3", "websockets_server.py", "websockets");
}

#[test]
fn ws_serves() {
    serves("node", "ws_server.js", "node_modules/ws");
}

// ---- programs

/// A script with the library that it needs, which lies where `.ci/run` has put it: in `websocket-clients` in the target
/// folder. `None` where either is missing.
fn command(program: &str, script: &str, library: &str) -> Option<Command> {
    if !has_program(program) {
        return None;
    }
    let folder = libraries().filter(|folder| folder.join(library).is_dir());
    if !library.is_empty() && !is_there(library, folder.is_some()) {
        return None;
    }
    let folder = folder.unwrap_or_default();
    let mut command = Command::new(program);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop_websocket").join(script))
        .env("PYTHONPATH", &folder)
        .env("NODE_PATH", folder.join("node_modules"))
        .stdin(Stdio::null());
    Some(command)
}

fn libraries() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    test.ancestors().map(|folder| folder.join("websocket-clients")).find(|folder| folder.is_dir())
}
