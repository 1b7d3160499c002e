//! When the server is cancelled: from outside, or by a second signal, which does the same.

use std::future::{IntoFuture, pending};

use foster::app::{App, Serving};
use foster::{finally, move_on_after, sleep, sleep_forever};
use tokio::time::Instant;

use crate::life::{SECOND, at_the_end, config};
use crate::stage::{Log, paused, reports_of};

/// Cancels the server a second after its start; tells it to stop `stop_after` before that.
fn cancel(app: App, stops: bool) -> (Vec<String>, std::time::Duration) {
    let mut said = None;
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let began = Instant::now();
        let serving = app.run_task(config()).shutdown_trigger(pending()).on_serving(move |server| {
            if stops {
                server.shutdown();
            }
        });
        assert!(move_on_after(SECOND, serving.into_future()).await.is_none());
        said = Some((reports.words(), began.elapsed()));
        Ok(())
    });
    said.expect("it has ended")
}

#[test]
fn a_server_that_is_cancelled_cancels_background_tasks_and_ends_its_hooks_in_order() {
    // Also while it waits for the background tasks.
    for stops in [false, true] {
        let log = Log::default();
        let mut app = App::new();
        let (task, after) = (log.clone(), log.clone());
        app.add_background_task(async move || {
            let _ended = at_the_end(&task, "task");
            sleep(9 * SECOND).await;
        });
        for name in ["outer", "inner"] {
            let log = log.clone();
            app.while_serving(async move |serving: Serving| {
                serving.until_shutdown().await;
                sleep(SECOND).await;
                log.say(name);
            });
        }
        app.after_serving(async move || {
            let _ended = at_the_end(&after, "after");
            sleep(SECOND).await;
        });
        let (reports, took) = cancel(app, stops);
        assert_eq!(log.words(), ["task cancelled", "inner", "outer", "after ended"], "{stops}");
        assert_eq!((reports, took), (Vec::new(), 4 * SECOND));
    }
}

#[test]
fn the_hooks_at_the_end_are_cancelled_with_the_server_when_they_have_begun() {
    let log = Log::default();
    let mut app = App::new();
    let (told, after) = (log.clone(), log.clone());
    app.while_serving(async move |serving: Serving| {
        let _ended = at_the_end(&told, "while");
        serving.until_shutdown().await;
        sleep_forever().await;
    });
    app.after_serving(async move || after.say("never"));
    let (reports, took) = cancel(app, true);
    assert_eq!((log.words(), reports, took), (vec!["while cancelled".to_owned()], Vec::new(), SECOND));
}

#[test]
fn hooks_that_hang_hold_a_server_that_is_cancelled_no_longer_than_a_clean_up() {
    let log = Log::default();
    let mut app = App::new();
    let told = log.clone();
    app.add_background_task(async || finally(sleep_forever(), sleep(9 * SECOND)).await);
    app.while_serving(async move |serving: Serving| {
        let _ended = at_the_end(&told, "while");
        serving.until_shutdown().await;
        sleep_forever().await;
    });
    let (_, took) = cancel(app, false);
    assert_eq!((log.words(), took), (vec!["while cancelled".to_owned()], 6 * SECOND));
}

#[test]
fn a_start_that_is_cancelled_stops_what_had_started() {
    let log = Log::default();
    let mut app = App::new();
    let (told, hangs, after) = (log.clone(), log.clone(), log.clone());
    app.while_serving(async move |serving: Serving| {
        serving.until_shutdown().await;
        sleep(SECOND).await;
        told.say("while");
    });
    app.while_serving(async move |_| {
        let _ended = at_the_end(&hangs, "hook");
        sleep_forever().await;
    });
    app.after_serving(async move || after.say("never"));
    let (reports, took) = cancel(app, false);
    assert_eq!(log.words(), ["hook cancelled", "while"]);
    assert_eq!((reports, took), (Vec::new(), 2 * SECOND));
}
