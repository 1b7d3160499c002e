//! `serve_workers`: several loops, each with a handler of its own, on the same addresses.

#![cfg(feature = "http1")]

mod served;

use std::cell::Cell;
use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use foster::http::Response;
use foster::{CancelScope, Config, Error, Handler, Request, Result, sleep, sleep_forever};
use tokio::time::Instant;

use crate::served::{BOUND, Served, ask, until};

fn config(n_workers: usize) -> Config {
    Config::new().bind("127.0.0.1:0").workers(n_workers)
}

/// Says which thread answers, and how many requests its handler has had.
fn which_thread() -> impl Handler {
    let n = Rc::new(Cell::new(0));
    move |_: Request| {
        n.set(n.get() + 1);
        let answer = format!("{:?} {}", thread::current().id(), n.get());
        async move { Response::text(answer) }
    }
}

/// As [`which_thread`]; `/die` ends the loop of the worker that gets it, `/wait` never answers.
fn mortal() -> impl Handler {
    let worker = CancelScope::current().expect("a factory runs in its worker");
    let id = format!("{:?}", thread::current().id());
    move |request: Request| {
        let (worker, id) = (worker.clone(), id.clone());
        async move {
            match request.path() {
                "/die" => worker.cancel_with("a request asked for it"),
                "/wait" => sleep_forever().await,
                "/panic" => panic!("of a handler"),
                _ => {}
            }
            Response::text(id)
        }
    }
}

/// The threads that answer, asked until there are so many.
fn threads(served: &Served, n: usize) -> HashSet<String> {
    let mut threads = HashSet::new();
    until(|| {
        let body = served.get("/").body;
        threads.extend(body.split(' ').next().map(str::to_owned));
        threads.len() >= n
    });
    threads
}

#[test]
fn every_worker_answers_on_the_one_port_that_the_system_chose() {
    let served = Served::workers(which_thread, config(3)).unwrap();
    assert_eq!(served.server.addresses().len(), 1);
    assert_eq!(threads(&served, 3).len(), 3);
    served.stop().unwrap();
}

#[test]
fn each_worker_has_a_handler_of_its_own() {
    let n_made = Arc::new(AtomicUsize::new(0));
    let factory = {
        let n_made = n_made.clone();
        move || {
            n_made.fetch_add(1, Ordering::SeqCst);
            which_thread()
        }
    };
    let served = Served::workers(factory, config(3)).unwrap();
    assert_eq!(n_made.load(Ordering::SeqCst), 3);
    served.stop().unwrap();
}

#[test]
fn without_a_number_there_is_one_worker() {
    let served = Served::workers(which_thread, Config::new().bind("127.0.0.1:0")).unwrap();
    let answers: HashSet<_> = (0..10).map(|_| served.get("/").body.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(answers.len(), 1);
    served.stop().unwrap();
}

#[test]
fn an_address_that_is_taken_is_an_error_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = Config::new().bind(taken.local_addr().unwrap().to_string()).workers(2);
    let err = Served::workers(which_thread, config).err().unwrap();
    assert!(format!("{err:#}").contains("bind"), "{err:#}");
}

#[test]
fn a_factory_that_panics_at_the_first_start_is_an_error_and_stops_the_others() {
    let n_made = AtomicUsize::new(0);
    let factory = move || {
        assert!(n_made.fetch_add(1, Ordering::SeqCst) < 2, "no third handler");
        which_thread()
    };
    let err = Served::workers(factory, config(3)).err().unwrap();
    assert!(format!("{err:#}").contains("no third handler"), "{err:#}");
}

#[test]
fn a_worker_that_dies_is_started_again() {
    let served = Served::workers(mortal, config(2)).unwrap();
    let before = threads(&served, 2);
    assert_eq!(served.get("/die").status, 200);
    let mut all = before.clone();
    until(|| {
        // One that the dead worker had not accepted yet has no answer.
        all.extend(Some(served.get("/").body).filter(|body| !body.is_empty()));
        all.len() >= 3
    });
    let stats = served.server.stats();
    assert!(stats.n_requests_total > 2, "what the dead worker counted is kept: {stats:?}");
    served.stop().unwrap();
}

#[test]
fn a_factory_that_panics_at_a_restart_is_tried_again() {
    let n_made = Arc::new(AtomicUsize::new(0));
    let factory = {
        let n_made = n_made.clone();
        move || {
            assert_ne!(n_made.fetch_add(1, Ordering::SeqCst), 1, "not the second time");
            mortal()
        }
    };
    let served = Served::workers(factory, config(1)).unwrap();
    let before = served.get("/").body;
    let began = Instant::now();
    assert_eq!(served.get("/die").status, 200);
    until(|| n_made.load(Ordering::SeqCst) >= 3);
    assert!(began.elapsed() >= Duration::from_millis(300), "0.1 s, then 0.2 s");
    until(|| TcpStream::connect(served.address()).is_ok());
    assert_ne!(served.get("/").body, before);
    served.stop().unwrap();
}

#[test]
fn a_handler_that_panics_costs_its_own_request_alone() {
    let served = Served::workers(mortal, config(1)).unwrap();
    let before = served.get("/").body;
    assert_eq!(served.get("/panic").status, 500);
    assert_eq!(served.get("/").body, before);
    assert_eq!(served.server.stats().n_failed, 1);
    served.stop().unwrap();
}

#[test]
fn a_server_that_is_stopping_starts_no_worker_again() {
    let n_made = Arc::new(AtomicUsize::new(0));
    let factory = {
        let n_made = n_made.clone();
        move || {
            n_made.fetch_add(1, Ordering::SeqCst);
            mortal()
        }
    };
    let served = Served::workers(factory, config(1)).unwrap();
    assert_eq!(served.get("/die").status, 200);
    served.stop().unwrap();
    thread::sleep(Duration::from_millis(300));
    assert!(n_made.load(Ordering::SeqCst) <= 2);
}

#[test]
fn what_is_under_way_is_finished_within_the_grace() {
    let slow = || {
        |_: Request| async move {
            sleep(Duration::from_millis(200)).await;
            Response::text("done")
        }
    };
    let served = Served::workers(slow, config(2).graceful_timeout(BOUND)).unwrap();
    let mut clients: Vec<_> = (0..8).map(|_| served.connect()).collect();
    for client in &mut clients {
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    }
    until(|| served.server.stats().n_requests_total == 8);
    let address = served.address();
    served.stop().unwrap();
    for mut client in clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("done"), "{answer}");
    }
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn what_is_not_finished_within_the_grace_is_cancelled() {
    let served = Served::workers(mortal, config(2).graceful_timeout(Duration::from_millis(50))).unwrap();
    let mut client = served.connect();
    client.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    until(|| served.server.stats().n_requests == 1);
    let (began, server) = (Instant::now(), served.server.clone());
    served.stop().unwrap();
    assert!(began.elapsed() >= Duration::from_millis(50));
    assert_eq!((server.stats().n_cancelled, server.stats().n_requests), (1, 0));
}

#[test]
fn the_caller_that_is_cancelled_has_stopped_all_workers_when_it_returns() {
    let served = Served::workers(mortal, config(3)).unwrap();
    let mut client = served.connect();
    client.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    until(|| served.server.stats().n_requests == 1);
    let (address, server) = (served.address(), served.server.clone());
    assert!(served.cancel().is_err());
    assert!(TcpStream::connect(address).is_err());
    assert_eq!(server.stats().n_cancelled, 1);
}

#[test]
fn the_counts_of_all_workers_are_summed() {
    let served = Served::workers(which_thread, config(3)).unwrap();
    for _ in 0..30 {
        assert_eq!(served.get("/").status, 200);
    }
    let idle: Vec<_> = (0..5).map(|_| served.connect()).collect();
    until(|| served.server.stats().n_connections == 5);
    let stats = served.server.stats();
    assert_eq!((stats.n_requests_total, stats.n_connections_total, stats.n_requests), (30, 35, 0));
    drop(idle);
    served.stop().unwrap();
}

#[test]
fn a_listener_that_was_given_is_shared() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = Served::workers(which_thread, Config::new().bind_listener(listener).workers(2)).unwrap();
    assert_eq!(served.address(), address);
    assert_eq!(served.get("/").status, 200);
    served.stop().unwrap();
    assert!(TcpStream::connect(address).is_err());
}

#[cfg(unix)]
mod unix {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn a_unix_socket_is_shared_and_its_file_removed_at_the_end() {
        let directory = std::env::temp_dir().join(format!("foster-workers-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("sock");
        // One that an earlier server has left.
        drop(UnixListener::bind(&path).unwrap());
        let served =
            Served::workers(mortal, Config::new().bind(format!("unix:{}", path.display())).workers(2)).unwrap();
        assert_eq!(served.server.addresses()[0].to_string(), format!("unix:{}", path.display()));
        let get = |target: &str| ask(&mut UnixStream::connect(&path).unwrap(), target);
        assert_eq!(get("/").status, 200);
        assert_eq!(get("/die").status, 200);
        assert_eq!(get("/").status, 200);
        assert!(path.exists());
        served.stop().unwrap();
        assert!(!path.exists());
        std::fs::remove_dir_all(&directory).unwrap();
    }
}

#[test]
fn a_handler_need_not_be_send_and_an_error_of_it_is_a_500() {
    let factory = || {
        let local = Rc::new(());
        move |_: Request| {
            let local = local.clone();
            async move {
                drop(local);
                let failed: Result<Response> = Err(Error::from(std::io::Error::other("no")));
                failed
            }
        }
    };
    let served = Served::workers(factory, config(2)).unwrap();
    assert_eq!(served.get("/").status, 500);
    served.stop().unwrap();
}
