//! What is mounted is started up and shut down with the application.

use std::future::ready;

use foster::app::App;
use foster::http::Response;
use foster::testing::serve_http;
use foster::{Error, Handler, HttpServer, Nursery, Request, Result, move_on_after, sleep_forever};
use futures::future::LocalBoxFuture;
use std::time::Duration;

use crate::stage::{Log, config, paused, reports_of};

/// A handler that says when it is started up and shut down.
struct Spoken {
    name: &'static str,
    log: Log,
    startup: fn() -> LocalBoxFuture<'static, Result<()>>,
    shutdown: fn() -> Result<()>,
}

fn spoken(name: &'static str, log: &Log) -> Spoken {
    Spoken { name, log: log.clone(), startup: || Box::pin(ready(Ok(()))), shutdown: || Ok(()) }
}

impl Handler for Spoken {
    type Future = std::future::Ready<Response>;

    fn call(&self, _: Request) -> Self::Future {
        ready(Response::text(self.name))
    }

    fn startup(&self, _: Nursery, _: HttpServer) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(async move {
            (self.startup)().await?;
            self.log.say(format!("{} up", self.name));
            Ok(())
        })
    }

    fn shutdown(&self) -> LocalBoxFuture<'_, Result<()>> {
        self.log.say(format!("{} down", self.name));
        Box::pin(ready((self.shutdown)()))
    }
}

/// An application that says the same, and what it goes up with.
fn app(log: &Log, startup: Result<()>) -> App {
    let (up, down) = (log.clone(), log.clone());
    let mut app = App::new();
    app.before_serving(async move || {
        up.say("app up");
        startup.clone()
    });
    app.after_serving(async move || down.say("app down"));
    app
}

#[test]
fn they_go_up_in_order_before_the_application_and_down_behind_it_the_last_first() {
    paused(async |nursery| {
        let log = Log::default();
        let mut app = app(&log, Ok(()));
        app.mount("/long/path", spoken("one", &log)).mount("/b", spoken("two", &log));
        let server = serve_http(&nursery, app.into_handler()?, config());
        server.lifespan_startup().await?;
        assert_eq!(log.words(), ["one up", "two up", "app up"]);
        server.lifespan_shutdown().await?;
        assert_eq!(log.words()[3..], ["app down", "two down", "one down"]);
        Ok(())
    });
}

#[test]
fn one_that_does_not_go_up_takes_those_before_it_down() {
    paused(async |nursery| {
        let log = Log::default();
        let mut app = app(&log, Ok(()));
        let ill = Spoken { startup: || Box::pin(ready(Err(Error::msg("ill")))), ..spoken("ill", &log) };
        app.mount("/a", spoken("one", &log)).mount("/b", spoken("two", &log)).mount("/c", ill);
        let server = serve_http(&nursery, app.into_handler()?, config());
        assert_eq!(server.lifespan_startup().await.map_err(|err| err.to_string()), Err("ill".to_owned()));
        assert_eq!(log.words(), ["one up", "two up", "two down", "one down"]);
        Ok(())
    });
}

#[test]
fn an_application_that_does_not_go_up_takes_all_of_them_down() {
    paused(async |nursery| {
        let log = Log::default();
        let mut app = app(&log, Err(Error::msg("ill")));
        app.mount("/a", spoken("one", &log));
        let server = serve_http(&nursery, app.into_handler()?, config());
        assert_eq!(server.lifespan_startup().await.map_err(|err| err.to_string()), Err("ill".to_owned()));
        assert_eq!(log.words(), ["one up", "app up", "one down"]);
        Ok(())
    });
}

#[test]
fn a_startup_that_is_cancelled_takes_those_down_that_are_up() {
    paused(async |nursery| {
        let log = Log::default();
        let mut app = app(&log, Ok(()));
        let slow = Spoken { startup: || Box::pin(async { Ok(sleep_forever().await) }), ..spoken("slow", &log) };
        app.mount("/a", spoken("one", &log)).mount("/b", slow);
        let server = serve_http(&nursery, app.into_handler()?, config());
        let started = move_on_after(Duration::from_secs(1), server.lifespan_startup()).await;
        assert!(started.is_none());
        assert_eq!(log.words(), ["one up", "one down"]);
        Ok(())
    });
}

#[test]
fn an_error_of_a_shutdown_hinders_none_and_the_first_is_given() {
    paused(async |nursery| {
        let (log, reports) = (Log::default(), reports_of(&nursery));
        let mut app = app(&log, Ok(()));
        let ill = Spoken { shutdown: || Err(Error::msg("first")), ..spoken("ill", &log) };
        let worse = Spoken { shutdown: || Err(Error::msg("second")), ..spoken("worse", &log) };
        app.mount("/a", worse).mount("/b", spoken("fine", &log)).mount("/c", ill);
        let server = serve_http(&nursery, app.into_handler()?, config());
        server.lifespan_startup().await?;
        assert_eq!(server.lifespan_shutdown().await.map_err(|err| err.to_string()), Err("first".to_owned()));
        assert_eq!(log.words()[4..], ["app down", "ill down", "fine down", "worse down"]);
        assert_eq!(reports.words(), ["the shutdown of a mounted handler failed: second"]);
        Ok(())
    });
}

#[test]
fn an_application_that_is_mounted_has_its_hooks_around_serving() {
    paused(async |nursery| {
        let (log, inner) = (Log::default(), Log::default());
        let mut outer = app(&log, Ok(()));
        outer.mount("/inner", app(&inner, Ok(())).into_handler()?);
        let server = serve_http(&nursery, outer.into_handler()?, config());
        server.lifespan_startup().await?;
        server.lifespan_shutdown().await?;
        assert_eq!((log.words(), inner.words()), (vec!["app up".to_owned(), "app down".to_owned()], log.words()));
        Ok(())
    });
}
