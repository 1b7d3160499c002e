//! After the last request.

use std::future::pending;
use std::time::Duration;

use foster::app::{App, Serving, current_app};
use foster::{Error, TimeoutError, finally, shield, sleep, sleep_forever};

use crate::life::{SECOND, at_the_end, config, live, live_with};
use crate::stage::{Log, turns};

#[test]
fn shutdown_lets_a_background_task_of_three_seconds_finish_and_after_serving_runs_last_and_uncancelled() {
    let log = Log::default();
    let mut app = App::new();
    let (task, goes_on, after) = (log.clone(), log.clone(), log.clone());
    app.add_background_task(async move || {
        let _ended = at_the_end(&task, "task");
        sleep(3 * SECOND).await;
        task.say("work done");
    });
    app.while_serving(async move |serving: Serving| {
        serving.until_shutdown().await;
        goes_on.say("while");
    });
    app.after_serving(async move || {
        let _ended = at_the_end(&after, "after");
        sleep(2 * SECOND).await;
        after.say("after done");
    });
    let lived = live(app, async |_| turns(10).await);
    assert!(lived.ended.is_ok() && lived.reports.is_empty());
    assert_eq!(log.words(), ["work done", "task ended", "while", "after done", "after ended"]);
    assert_eq!(lived.took, 5 * SECOND);
}

#[test]
fn a_background_task_that_takes_longer_than_its_time_is_cancelled_then_and_cleans_up_before_the_hooks() {
    for (timeout, took) in [(Some(5 * SECOND), 6 * SECOND), (Some(SECOND), 2 * SECOND), (None, SECOND)] {
        let log = Log::default();
        let mut app = App::new();
        if timeout != Some(5 * SECOND) {
            app.background_task_shutdown_timeout(timeout);
        }
        let (task, after) = (log.clone(), log.clone());
        app.add_background_task(async move || {
            let _ended = at_the_end(&task, "task");
            finally(sleep_forever(), sleep(SECOND)).await;
        });
        app.after_serving(async move || {
            turns(10).await;
            after.say("after");
        });
        let lived = live(app, async |_| turns(10).await);
        assert!(lived.ended.is_ok());
        assert_eq!((log.words(), lived.took), (vec!["task cancelled".to_owned(), "after".to_owned()], took));
    }
}

#[test]
fn a_background_task_that_is_started_while_the_others_end_is_waited_for_within_their_time() {
    let log = Log::default();
    let mut app = App::new();
    let told = log.clone();
    app.add_background_task(async move || {
        current_app().shutdown_event().wait().await;
        sleep(SECOND).await;
        for (name, time) in [("short", 3 * SECOND), ("long", 9 * SECOND)] {
            let log = told.clone();
            current_app().nursery().start_soon(async move {
                let _ended = at_the_end(&log, name);
                sleep(time).await;
            });
        }
    });
    let lived = live(app, async |_| turns(10).await);
    assert!(lived.ended.is_ok());
    assert_eq!((log.words(), lived.took), (vec!["short ended".to_owned(), "long cancelled".to_owned()], 5 * SECOND));
}

#[test]
fn a_background_task_that_cannot_be_cancelled_is_not_waited_for_without_end() {
    let log = Log::default();
    let mut app = App::new();
    let (task, after) = (log.clone(), log.clone());
    app.add_background_task(async move || {
        let _ended = at_the_end(&task, "task");
        shield(sleep(20 * SECOND)).await;
    });
    app.after_serving(async move || after.say("after"));
    let lived = live(app, async |_| turns(10).await);
    assert!(lived.ended.is_ok());
    assert_eq!(log.words(), ["after", "task cancelled"]);
    assert_eq!(lived.took, 20 * SECOND);
}

#[test]
fn every_hook_is_called_at_the_end_and_the_first_error_is_that_of_the_server() {
    let log = Log::default();
    let mut app = App::new();
    for name in ["outer", "inner"] {
        app.while_serving(async move |serving: Serving| {
            serving.until_shutdown().await;
            Err::<(), _>(Error::msg(name))
        });
    }
    app.after_serving(async || panic!("after"));
    let told = log.clone();
    app.after_serving(async move || told.say("last"));
    let lived = live(app, async |_| {});
    assert_eq!(lived.ended.unwrap_err().to_string(), "inner");
    assert_eq!(log.words(), ["last"]);
    let further = "a further error of an application that shuts down: ";
    assert_eq!(lived.reports, [format!("{further}outer"), format!("{further}panicked: after")]);
}

#[test]
fn hooks_that_hang_at_the_end_are_cancelled_after_the_time_of_the_server() {
    for is_while in [false, true] {
        let log = Log::default();
        let mut app = App::new();
        let (hangs, first) = (log.clone(), log.clone());
        app.while_serving(async move |serving: Serving| {
            let _ended = at_the_end(&first, "first");
            serving.until_shutdown().await;
        });
        if is_while {
            app.while_serving(async move |serving: Serving| {
                let _ended = at_the_end(&hangs, "hook");
                serving.until_shutdown().await;
                pending::<()>().await;
            });
        } else {
            app.after_serving(async move || {
                let _ended = at_the_end(&hangs, "hook");
                pending::<()>().await;
            });
        }
        let lived = live_with(app, config().shutdown_timeout(2 * SECOND), async |_| {});
        assert!(lived.ended.unwrap_err().is::<TimeoutError>());
        assert_eq!(lived.took, 2 * SECOND);
        let mut words = log.words();
        words.sort();
        let first = if is_while { "first cancelled" } else { "first ended" };
        assert_eq!(words, [first, "hook cancelled"]);
    }
}

#[test]
fn background_tasks_that_take_the_time_of_the_whole_shutdown_leave_the_hooks_that_of_a_clean_up() {
    let log = Log::default();
    let mut app = App::new();
    app.background_task_shutdown_timeout(Some(Duration::MAX));
    app.add_background_task(async || sleep_forever().await);
    let told = log.clone();
    app.after_serving(async move || {
        sleep(SECOND).await;
        told.say("after");
    });
    let lived = live_with(app, config().shutdown_timeout(2 * SECOND), async |_| turns(10).await);
    assert!(lived.ended.unwrap_err().is::<TimeoutError>());
    assert_eq!((log.words(), lived.took), (vec!["after".to_owned()], 3 * SECOND));
}
