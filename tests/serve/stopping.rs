//! How it stops: in two phases, at once, or cancelled from outside.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use bytes::Bytes;
use foster::http::{Response, ResponseBody};
use foster::{Config, Handler, Request, cancel_reason, open_nursery, run, serve, sleep_forever};
use futures::stream;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::served::{BOUND, Served, until};

/// Says what happens to it.
struct Teller {
    words: Sender<String>,
    path: String,
}

impl Drop for Teller {
    fn drop(&mut self) {
        let reason = cancel_reason().map_or("ended".to_owned(), |reason| reason.to_string());
        let _ = self.words.send(format!("{}: {reason}", self.path));
    }
}

/// Answers at once, when it is notified, when the server stops, or never.
fn varied(words: &Sender<String>) -> impl Fn() -> Box<Boxed> + Send + Clone + 'static {
    let words = words.clone();
    move || Box::new(Boxed { words: words.clone() })
}

struct Boxed {
    words: Sender<String>,
}

static GO: Notify = Notify::const_new();

impl Handler for Box<Boxed> {
    type Future = std::pin::Pin<Box<dyn Future<Output = Response>>>;

    fn call(&self, request: Request) -> Self::Future {
        let words = self.words.clone();
        Box::pin(async move {
            let teller = Teller { words, path: request.path().to_owned() };
            let _ = teller.words.send(format!("{}: begun", teller.path));
            match request.path() {
                "/notified" => GO.notified().await,
                "/polite" => request.shutdown().wait().await,
                "/never" => sleep_forever().await,
                "/endless" => {
                    let chunks = stream::repeat_with(|| foster::Ok(Bytes::from_static(&[b'x'; 10_000])));
                    return Response::bytes(ResponseBody::stream(chunks));
                }
                _ => {}
            }
            Response::text(teller.path.clone())
        })
    }
}

fn hears(words: &Receiver<String>, wanted: &str) {
    let mut heard = Vec::new();
    loop {
        match words.recv_timeout(BOUND) {
            Ok(word) if word == wanted => return,
            Ok(word) => heard.push(word),
            Err(_) => panic!("{wanted:?} is not among {heard:?}"),
        }
    }
}

fn send(stream: &mut TcpStream, path: &str) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
}

/// Reads to the end, which may be a reset.
fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    if let Err(err) = stream.read_to_end(&mut all) {
        assert_eq!(err.kind(), ErrorKind::ConnectionReset, "{err}");
    }
    String::from_utf8_lossy(&all).into_owned()
}

fn read_answer(stream: &mut TcpStream, body: &str) {
    let mut all = Vec::new();
    while !all.ends_with(format!("\r\n\r\n{body}").as_bytes()) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        all.push(byte[0]);
    }
}

fn config() -> Config {
    Config::new().bind("127.0.0.1:0").graceful_timeout(BOUND)
}

#[test]
fn what_is_idle_is_closed_at_once_and_what_is_busy_finishes_and_says_close() {
    let (words, heard) = channel();
    let served = Served::new(varied(&words), config());
    let (mut silent, mut idle, mut busy, mut polite) =
        (served.connect(), served.connect(), served.connect(), served.connect());
    send(&mut idle, "/idle");
    read_answer(&mut idle, "/idle");
    send(&mut busy, "/notified");
    send(&mut polite, "/polite");
    hears(&heard, "/notified: begun");
    hears(&heard, "/polite: begun");
    until(|| served.server.stats().n_connections == 4);
    let address = served.address();

    served.server.shutdown();
    assert!(served.server.is_stopping());
    assert_eq!((rest(&mut silent), rest(&mut idle)), Default::default());
    let told = rest(&mut polite);
    assert!(told.contains("\r\nconnection: close\r\n") && told.ends_with("/polite"), "{told}");
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    GO.notify_one();
    let finished = rest(&mut busy);
    assert!(finished.contains("\r\nconnection: close\r\n") && finished.ends_with("/notified"), "{finished}");
    let stats = served.server.stats();
    served.stop().unwrap();
    assert_eq!((stats.n_cancelled, stats.n_failed), (0, 0));
}

#[test]
fn what_is_busy_beyond_the_graceful_timeout_is_cancelled_with_that_reason() {
    let (words, heard) = channel();
    let served = Served::new(varied(&words), config().graceful_timeout(Duration::from_millis(100)));
    let mut busy = served.connect();
    send(&mut busy, "/never");
    hears(&heard, "/never: begun");
    let server = served.server.clone();
    served.stop().unwrap();
    assert_eq!(rest(&mut busy), "");
    hears(&heard, "/never: the server is shutting down, and its graceful timeout has passed");
    assert_eq!((server.stats().n_cancelled, server.stats().n_connections), (1, 0));
}

#[test]
fn a_client_that_never_reads_does_not_put_off_the_end() {
    let (words, heard) = channel();
    let served = Served::new(varied(&words), config().graceful_timeout(Duration::from_millis(100)));
    let mut deaf = served.connect();
    send(&mut deaf, "/endless");
    hears(&heard, "/endless: ended");
    // Its answer fills every buffer on the way.
    std::thread::sleep(Duration::from_millis(20));
    let began = Instant::now();
    served.stop().unwrap();
    assert!(began.elapsed() < BOUND / 2, "{:?}", began.elapsed());
    drop(deaf);
}

#[test]
fn a_trigger_stops_it() {
    run(async {
        let address = std::rc::Rc::new(std::cell::Cell::new(None));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stop = std::cell::Cell::new(Some(stop));
        let handler = move |_: Request| {
            let stop = stop.take();
            async move {
                drop(stop);
                "stopping"
            }
        };
        open_nursery(async |nursery| {
            let seen = address.clone();
            nursery.start_soon(async move {
                let serving = serve(handler, config())
                    .shutdown_trigger(async {
                        let _ = stopped.await;
                    })
                    .on_serving(move |server| seen.set(server.addresses()[0].port()));
                serving.await
            });
            while address.get().is_none() {
                foster::checkpoint().await;
            }
            let (reader, writer) = foster::open_connection(&nursery, "127.0.0.1", address.get().unwrap_or(0)).await?;
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
            let all = reader.read_to_end().await?;
            assert!(all.ends_with(b"stopping"), "{}", String::from_utf8_lossy(&all));
            Ok(())
        })
        .await
        .map(drop)
        .map_err(foster::Error::from)
    })
    .unwrap();
}

#[test]
fn cancelled_from_outside_it_leaves_nothing() {
    let (words, heard) = channel();
    let served = Served::new(varied(&words), config());
    let (mut idle, mut busy) = (served.connect(), served.connect());
    send(&mut idle, "/idle");
    read_answer(&mut idle, "/idle");
    send(&mut busy, "/never");
    hears(&heard, "/never: begun");
    let (server, address) = (served.server.clone(), served.address());
    let began = Instant::now();
    let _ = served.cancel();
    assert!(began.elapsed() < BOUND / 2);
    assert_eq!((rest(&mut idle), rest(&mut busy)), Default::default());
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    TcpListener::bind(address).expect("the address is free again");
    let stats = server.stats();
    assert_eq!((stats.n_connections, stats.n_requests, stats.n_cancelled), (0, 0, 1));
}

#[test]
fn a_listener_that_was_given_is_closed_at_the_beginning_of_the_end() {
    let (words, heard) = channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = Served::new(varied(&words), Config::new().bind_listener(listener).graceful_timeout(BOUND));
    let mut polite = served.connect();
    send(&mut polite, "/never");
    hears(&heard, "/never: begun");
    served.server.shutdown();
    until(|| TcpStream::connect(address).is_err_and(|err| err.kind() == ErrorKind::ConnectionRefused));
    let _ = served.cancel();
}

#[test]
fn shutdown_before_anybody_came_and_again_is_fine() {
    let (words, _heard) = channel();
    let served = Served::new(varied(&words), config());
    served.server.shutdown();
    served.server.shutdown();
    let server = served.server.clone();
    served.stop().unwrap();
    server.shutdown();
    assert!(server.is_stopping());
}

#[test]
fn connections_beyond_the_most_wait_until_another_goes() {
    let (words, heard) = channel();
    let served = Served::new(varied(&words), config().max_connections(2));
    let (one, mut two, mut three) = (served.connect(), served.connect(), served.connect());
    send(&mut two, "/two");
    read_answer(&mut two, "/two");
    until(|| served.server.stats().n_connections == 2);
    send(&mut three, "/three");
    assert!(heard.try_iter().all(|word| !word.starts_with("/three")));
    assert_eq!(served.server.stats().n_connections_total, 2);
    drop(one);
    read_answer(&mut three, "/three");
    assert_eq!(served.server.stats().n_connections_total, 3);
    served.stop().unwrap();
}
