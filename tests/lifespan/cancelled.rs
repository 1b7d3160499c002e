//! When the server is cancelled from outside.

use std::future::pending;
use std::time::Duration;

use foster::{finally, move_on_after, serve, sleep, sleep_forever};
use tokio::time::Instant;

use crate::app::{App, Log, MOMENT, begin, config, is_refused, paused, with_a_task};
use crate::served::Served;

#[test]
fn a_server_that_is_cancelled_aborts_its_connections_and_shuts_down_all_the_same() {
    let log = Log::default();
    let told = log.clone();
    let app = move || {
        let log = told.clone();
        App::new(&told).on_shutdown(move || {
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
        let _never = begin(&served, "/never");
        log.hears("/never begun");
        let address = served.address();
        assert!(served.cancel().is_err());
        assert!(is_refused(address));
        let all = log.all();
        assert!(all[2].starts_with("/never: ") && all[2] != "/never: ended", "{all:?}");
        assert_eq!(all[3..], ["shutdown", "shut down"]);
    }
}

#[test]
fn the_shutdown_of_a_server_that_is_cancelled_has_the_bound_of_a_clean_up() {
    let log = Log::default();
    paused(async {
        let began = Instant::now();
        let serving = serve(with_a_task(&log).on_shutdown(pending), config()).shutdown_trigger(pending());
        assert!(move_on_after(Duration::from_secs(1), serving.into_future()).await.is_none());
        assert_eq!(began.elapsed(), Duration::from_secs(1) + foster::DEFAULT_CLEANUP_TIMEOUT);
        foster::Ok(())
    });
    assert_eq!(log.count("shutdown"), 1);
}

#[test]
fn a_shutdown_that_has_begun_is_cancelled_with_the_server_and_not_begun_again() {
    let log = Log::default();
    let told = log.clone();
    let app = App::new(&log).on_shutdown(move || {
        let ended = told.at_the_end("shut down");
        async move {
            let _ended = ended;
            pending().await
        }
    });
    paused(async {
        let began = Instant::now();
        let serving = serve(app, config()).shutdown_trigger(pending()).on_serving(|server| server.shutdown());
        assert!(move_on_after(Duration::from_secs(1), serving.into_future()).await.is_none());
        assert_eq!(began.elapsed(), Duration::from_secs(1));
        foster::Ok(())
    });
    assert_eq!(log.count("shutdown"), 1);
    assert_eq!(log.all().len(), 3, "{:?}", log.all());
}

#[test]
fn a_startup_that_is_cancelled_has_no_shutdown() {
    let log = Log::default();
    let told = log.clone();
    let app = App::new(&log).on_startup(move |_, _| {
        let told = told.clone();
        async move {
            finally(sleep_forever(), async { told.say("clean") }).await;
            Ok(())
        }
    });
    paused(async {
        let serving = serve(app, config()).shutdown_trigger(pending());
        assert!(move_on_after(Duration::from_secs(1), serving.into_future()).await.is_none());
        foster::Ok(())
    });
    assert_eq!(log.all(), ["startup", "clean"]);
}
