//! Before anything is accepted.

use std::future::pending;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use foster::{Config, Error, TimeoutError, serve, sleep, sleep_forever};
use tokio::time::Instant;

use crate::app::{App, Log, MOMENT, address_of, config, is_refused, paused};
use crate::served::{BOUND, Served, until};

#[test]
fn the_startup_is_awaited_before_anything_is_accepted() {
    let log = Log::default();
    let told = log.clone();
    let app = move || {
        let log = told.clone();
        App::new(&told).on_startup(move |_, server| {
            let log = log.clone();
            async move {
                assert!(is_refused(address_of(&server)));
                sleep(MOMENT).await;
                assert!(is_refused(address_of(&server)));
                log.say("started");
                Ok(())
            }
        })
    };
    let served = Served::new(app.clone(), config());
    assert_eq!(log.all(), ["startup", "started"]);
    assert_eq!(served.get("/x").body, "/x");
    served.stop().unwrap();
    assert_eq!(log.all(), ["startup", "started", "shutdown"]);
    let served = Served::workers(app, config().workers(1)).unwrap();
    assert_eq!(served.get("/x").body, "/x");
    served.stop().unwrap();
    assert_eq!(log.all()[3..], ["startup", "started", "shutdown"]);
}

#[test]
fn a_startup_that_fails_is_the_error_of_the_server_and_nothing_is_left() {
    let (log, seen) = (Log::default(), Arc::new(Mutex::new(None)));
    let (told, address) = (log.clone(), seen.clone());
    let app = move || {
        let (log, address) = (told.clone(), address.clone());
        App::new(&told).on_startup(move |nursery, server| {
            *address.lock().unwrap() = Some(address_of(&server));
            let task = log.at_the_end("task");
            nursery.start_soon(async move {
                let _task = task;
                sleep_forever().await;
            });
            async { Err(Error::msg("no database")) }
        })
    };
    for n_workers in [None, Some(1), Some(3)] {
        log.clear();
        let served = match n_workers {
            None => Served::try_new(app.clone(), config()),
            Some(n) => Served::workers(app.clone(), config().workers(n)),
        };
        assert_eq!(served.err().unwrap().to_string(), "no database");
        TcpListener::bind(seen.lock().unwrap().unwrap()).expect("the address is free again");
        assert_eq!(log.count("shutdown"), 0);
        assert_eq!(log.count("startup") * 2, log.all().len(), "every task has ended: {:?}", log.all());
    }
}

#[test]
fn a_worker_that_fails_to_start_does_not_wait_for_one_that_takes_long() {
    let (log, n) = (Log::default(), AtomicUsize::new(0));
    let told = log.clone();
    let app = move || {
        let is_first = n.fetch_add(1, Ordering::SeqCst) == 0;
        App::new(&told).on_startup(move |_, _| async move {
            if is_first {
                sleep_forever().await;
            }
            Err(Error::msg("no database"))
        })
    };
    let began = Instant::now();
    assert_eq!(Served::workers(app, config().workers(2)).err().unwrap().to_string(), "no database");
    assert!(began.elapsed() < BOUND / 2);
    assert_eq!(log.count("shutdown"), 0);
}

#[test]
fn a_startup_that_panics_is_the_error_of_its_worker() {
    let app = || App::new(&Log::default()).on_startup(|_, _| async { panic!("no database") });
    let err = Served::workers(app, config()).err().unwrap();
    assert!(format!("{err:#}").contains("no database"), "{err:#}");
}

#[test]
fn an_address_that_cannot_be_bound_is_an_error_before_the_startup() {
    let log = Log::default();
    let (one, other) = (log.clone(), log.clone());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = || Config::new().bind(taken.local_addr().unwrap().to_string());
    assert!(Served::try_new(move || App::new(&one), config()).is_err());
    assert!(Served::workers(move || App::new(&other), config()).is_err());
    assert!(log.all().is_empty());
}

#[test]
fn a_startup_that_takes_too_long_is_an_error() {
    let log = Log::default();
    let hanging = || App::new(&log).on_startup(|_, _| pending());
    paused(async {
        for (config, bound) in [
            (config(), Duration::from_secs(60)),
            (config().startup_timeout(Duration::from_millis(70)), Duration::from_millis(70)),
        ] {
            let began = Instant::now();
            let err = serve(hanging(), config).shutdown_trigger(pending()).await.unwrap_err();
            assert_eq!(began.elapsed(), bound);
            assert!(err.is::<TimeoutError>());
            assert_eq!(err.to_string(), format!("the startup took longer than startup_timeout, {bound:?}"));
        }
        assert_eq!(log.all(), ["startup", "startup"]);
        foster::Ok(())
    });
}

#[test]
fn each_worker_has_a_lifespan_and_one_that_is_started_again_another() {
    let log = Log::default();
    let told = log.clone();
    let served = Served::workers(move || App::new(&told), config().workers(2)).unwrap();
    assert_eq!((log.count("startup"), log.count("shutdown")), (2, 0));
    assert_eq!(served.get("/die").status, 200);
    until(|| log.count("startup") == 3);
    assert_eq!(log.count("shutdown"), 1, "that of the worker that died");
    served.stop().unwrap();
    assert_eq!((log.count("startup"), log.count("shutdown")), (3, 3));
}
