//! What a startup gets: a nursery, and the server.

use std::io::Read;
use std::sync::{Arc, Mutex};

use foster::http::Limits;
use foster::{Error, HttpServer, run_here, serve, serve_workers, sleep};
use tokio::sync::Notify;

use crate::app::{App, Log, MOMENT, address_of, begin, config, is_refused, with_a_task};
use crate::served::{Served, say, until};

#[test]
fn an_error_of_a_task_ends_the_server_and_the_shutdown_runs_all_the_same() {
    let (log, go) = (Log::default(), Arc::new(Notify::new()));
    let (told, gone) = (log.clone(), go.clone());
    let app = move || {
        let log = told.clone();
        App::new(&told)
            .on_startup(move |nursery, _| {
                let gone = gone.clone();
                nursery.start_soon(async move {
                    gone.notified().await;
                    Err::<(), _>(Error::msg("the task broke"))
                });
                async { Ok(()) }
            })
            .on_shutdown(move || {
                let log = log.clone();
                async move {
                    sleep(MOMENT).await;
                    log.say("shut down");
                    Ok(())
                }
            })
    };
    let served = Served::new(app, config());
    let _never = begin(&served, "/never");
    log.hears("/never begun");
    go.notify_one();
    log.hears("shut down");
    assert_eq!(served.stop().unwrap_err().to_string(), "the task broke");
    let never = log.all().into_iter().find(|word| word.starts_with("/never: "));
    assert_ne!(never.as_deref(), Some("/never: ended"));
    assert_eq!(log.all()[3..], ["shutdown", "shut down"]);
}

#[test]
fn a_server_that_its_startup_stops_never_accepts_and_shuts_down() {
    let log = Log::default();
    let app = |log: &Log| {
        with_a_task(log).on_startup(|_, server| async move {
            server.shutdown();
            sleep(MOMENT).await;
            assert!(server.is_stopping() && is_refused(address_of(&server)));
            Ok(())
        })
    };
    let served = |server: HttpServer| panic!("it serves on {server:?}");
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let serving = serve(app(&log), config()).on_serving(served);
    runtime().block_on(run_here(serving)).unwrap();
    assert_eq!(log.all(), ["startup", "shutdown"]);
    let told = log.clone();
    let serving = serve_workers(move || app(&told), config().workers(3)).on_serving(served);
    runtime().block_on(run_here(serving)).unwrap();
    assert_eq!((log.count("startup"), log.count("shutdown")), (4, 4));
}

#[test]
fn a_task_of_the_startup_stops_the_server_with_all_its_workers() {
    let (log, go) = (Log::default(), Arc::new(Notify::new()));
    let (told, gone) = (log.clone(), go.clone());
    let app = move || {
        let gone = gone.clone();
        App::new(&told).on_startup(move |nursery, server| {
            let gone = gone.clone();
            nursery.start_soon(async move {
                gone.notified().await;
                server.shutdown();
            });
            async { Ok(()) }
        })
    };
    for n_workers in [None, Some(1), Some(3)] {
        log.clear();
        let served = match n_workers {
            None => Served::new(app.clone(), config()),
            Some(n) => Served::workers(app.clone(), config().workers(n)).unwrap(),
        };
        let mut polite = begin(&served, "/polite");
        log.hears("/polite begun");
        // One of them has heard it.
        go.notify_one();
        let mut answer = String::new();
        polite.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("/polite"), "{answer}");
        until(|| log.count("shutdown") == n_workers.unwrap_or(1));
        assert!(served.server.is_stopping());
        served.stop().unwrap();
    }
}

#[test]
fn the_server_that_a_startup_gets_counts_for_all() {
    let seen = Arc::new(Mutex::new(None));
    let told = seen.clone();
    let app = move || {
        let told = told.clone();
        App::new(&Log::default()).on_startup(move |_, server| {
            *told.lock().unwrap() = Some(server);
            async { Ok(()) }
        })
    };
    let served = Served::workers(app, config().workers(2)).unwrap();
    for _ in 0..10 {
        assert_eq!(served.get("/").status, 200);
    }
    let server = seen.lock().unwrap().clone().unwrap();
    assert_eq!(server.stats().n_requests_total, 10);
    assert_eq!(server.addresses(), served.server.addresses());
    served.stop().unwrap();
}

#[test]
fn a_handler_may_let_larger_bodies_through_than_the_configuration() {
    let config = || config().limits(Limits::default().max_body_size(Some(10)));
    for (own, length, status) in [(None, 10, 200), (None, 11, 413), (Some(100), 100, 200), (Some(100), 101, 413)] {
        let app = move || App::new(&Log::default()).with_max_body_size(own);
        let served = Served::new(app, config());
        let body = "x".repeat(length);
        let request =
            format!("POST /length HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
        let answer = say(&mut served.connect(), &request);
        assert_eq!(answer.status, status, "{own:?} {length}: {answer:?}");
        served.stop().unwrap();
    }
}
