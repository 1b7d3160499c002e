//! After the last connection.

use std::cell::RefCell;
use std::future::pending;
use std::io::Read;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use foster::{Config, Error, TimeoutError, serve, sleep};
use tokio::time::Instant;

use crate::app::{App, Log, MOMENT, address_of, begin, config, is_refused, paused, with_a_task};
use crate::served::{BOUND, Served};

#[test]
fn the_shutdown_comes_after_the_last_connection_and_before_the_end_of_what_the_startup_started() {
    let log = Log::default();
    let told = log.clone();
    let app = move || {
        let log = told.clone();
        with_a_task(&told).on_shutdown(move || {
            let log = log.clone();
            async move {
                sleep(MOMENT).await;
                log.say("shut down");
                Ok(())
            }
        })
    };
    for is_workers in [false, true] {
        log.clear();
        let served = match is_workers {
            false => Served::new(app.clone(), config()),
            true => Served::workers(app.clone(), config()).unwrap(),
        };
        let mut polite = begin(&served, "/polite");
        log.hears("/polite begun");
        assert_eq!(served.get("/x").body, "/x");
        served.stop().unwrap();
        let mut answer = String::new();
        polite.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("/polite"), "{answer}");
        let task = "task: the server has shut down";
        assert_eq!(log.all(), ["startup", "/polite begun", "/polite: ended", "shutdown", "shut down", task]);
    }
}

#[test]
fn the_graceful_timeout_does_not_concern_the_shutdown() {
    let log = Log::default();
    let told = log.clone();
    let app = move || {
        let log = told.clone();
        with_a_task(&told).on_shutdown(move || {
            let log = log.clone();
            async move {
                sleep(Duration::from_millis(50)).await;
                log.say("shut down");
                Ok(())
            }
        })
    };
    let served = Served::new(app, config().graceful_timeout(Duration::from_millis(10)));
    let _never = begin(&served, "/never");
    log.hears("/never begun");
    served.stop().unwrap();
    let never = "/never: the server is shutting down, and its graceful timeout has passed";
    let task = "task: the server has shut down";
    assert_eq!(log.all(), ["startup", "/never begun", never, "shutdown", "shut down", task]);
}

#[test]
fn nobody_listens_any_more_while_it_shuts_down() {
    let log = Log::default();
    let told = log.clone();
    let app = move || {
        let (log, seen) = (told.clone(), Rc::new(RefCell::new(None)));
        let address = seen.clone();
        App::new(&told)
            .on_startup(move |_, server| {
                seen.replace(Some(address_of(&server)));
                async { Ok(()) }
            })
            .on_shutdown(move || {
                let (address, log) = (address.borrow().unwrap(), log.clone());
                async move {
                    // The watcher of the workers gives up its own as soon as it is told. Fewer attempts than a backlog holds.
                    let began = Instant::now();
                    while !is_refused(address) && began.elapsed() < BOUND / 6 {
                        sleep(Duration::from_millis(20)).await;
                    }
                    log.say(format!("refused: {}", is_refused(address)));
                    Ok(())
                }
            })
    };
    for is_workers in [false, true] {
        for is_given in [false, true] {
            log.clear();
            let given = || Config::new().bind_listener(TcpListener::bind("127.0.0.1:0").unwrap());
            let config = if is_given { given() } else { config() };
            let served = match is_workers {
                false => Served::new(app.clone(), config),
                true => Served::workers(app.clone(), config).unwrap(),
            };
            served.stop().unwrap();
            assert_eq!(log.all(), ["startup", "shutdown", "refused: true"], "workers: {is_workers}, given: {is_given}");
        }
    }
}

#[test]
fn a_shutdown_that_takes_too_long_is_cancelled_and_an_error() {
    let log = Log::default();
    let hanging = || with_a_task(&log).on_shutdown(pending);
    paused(async {
        for (config, bound) in [
            (config(), Duration::from_secs(60)),
            (config().shutdown_timeout(Duration::from_millis(70)), Duration::from_millis(70)),
        ] {
            let began = Instant::now();
            let served = serve(hanging(), config).shutdown_trigger(pending()).on_serving(|server| server.shutdown());
            let err = served.await.unwrap_err();
            assert_eq!(began.elapsed(), bound);
            assert!(err.is::<TimeoutError>());
            assert_eq!(err.to_string(), format!("the shutdown took longer than shutdown_timeout, {bound:?}"));
        }
        assert_eq!(log.all(), ["startup", "shutdown", "task: the server has shut down"].repeat(2));
        foster::Ok(())
    });
}

#[test]
fn a_shutdown_that_fails_is_the_error_of_the_server_when_all_has_ended() {
    let log = Log::default();
    let told = log.clone();
    let failing = move || with_a_task(&told).on_shutdown(|| async { Err(Error::msg("not flushed")) });
    assert_eq!(Served::new(failing.clone(), config()).stop().unwrap_err().to_string(), "not flushed");
    assert_eq!(log.all(), ["startup", "shutdown", "task: the server has shut down"]);
    // That of a worker is logged.
    Served::workers(failing, config()).unwrap().stop().unwrap();
    assert_eq!(log.count("shutdown"), 2);
}
