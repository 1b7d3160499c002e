//! An application on a loop whose clock is paused, and what is said of its life.

use std::cell::Cell;
use std::fmt::Display;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use foster::app::App;
use foster::{Config, HttpServer, Result, cancel_reason, open_nursery};
use tokio::time::Instant;

use crate::stage::{Log, paused, reports_of};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// An address that nobody else has, for a server that nobody calls.
pub(crate) fn config() -> Config {
    Config::new().bind("127.0.0.1:0")
}

/// How the application ended, and what the exception handler was told.
pub(crate) struct Lived {
    pub(crate) ended: Result<()>,
    pub(crate) reports: Vec<String>,
    /// From the moment it was told to stop, or from the start.
    pub(crate) took: Duration,
}

/// Serves on a loop whose clock is paused. `meanwhile` runs once it serves, and tells it to stop.
pub(crate) fn live(app: App, meanwhile: impl AsyncFnOnce(&HttpServer) + 'static) -> Lived {
    live_with(app, config(), meanwhile)
}

pub(crate) fn live_with(app: App, config: Config, meanwhile: impl AsyncFnOnce(&HttpServer) + 'static) -> Lived {
    let mut lived = None;
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let began = Rc::new(Cell::new(Instant::now()));
        let told = began.clone();
        let inner = nursery.clone();
        let serving = app.run_task(config).shutdown_trigger(pending()).on_serving(move |server| {
            inner.start_soon(async move {
                meanwhile(&server).await;
                told.set(Instant::now());
                server.shutdown();
            });
        });
        let ended = serving.await;
        lived = Some(Lived { ended, reports: reports.words(), took: began.get().elapsed() });
        Ok(())
    });
    lived.expect("it has ended")
}

/// Serves until it stops itself.
pub(crate) fn live_on(app: App) -> Lived {
    let mut lived = None;
    paused(async |nursery| {
        let (reports, began) = (reports_of(&nursery), Instant::now());
        let ended = app.run_task(config()).shutdown_trigger(pending()).await;
        lived = Some(Lived { ended, reports: reports.words(), took: began.elapsed() });
        Ok(())
    });
    lived.expect("it has ended")
}

/// Says when it is dropped, and whether it was cancelled.
pub(crate) struct AtTheEnd(pub(crate) Log, pub(crate) String);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        let how = if cancel_reason().is_some() { "cancelled" } else { "ended" };
        self.0.say(format!("{} {how}", self.1));
    }
}

pub(crate) fn at_the_end(log: &Log, name: impl Display) -> AtTheEnd {
    AtTheEnd(log.clone(), name.to_string())
}

/// Runs a test that a nursery ends, on a loop whose clock is paused.
pub(crate) fn in_a_nursery(test: impl AsyncFnOnce(foster::Nursery) -> Result<()>) {
    paused(async |_| {
        open_nursery(test).await?;
        Ok(())
    });
}
