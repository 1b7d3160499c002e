//! Before the first request.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;

use foster::app::{App, Blueprint, Serving, current_app, g, has_request_context};
use foster::testing::serve_http;
use foster::{Config, Error, RuntimeError, TimeoutError, finally, open_nursery, sleep, sleep_forever};

use crate::life::{SECOND, at_the_end, config, in_a_nursery, live, live_on, live_with};
use crate::stage::{Log, paused, turns};

#[test]
fn hooks_come_in_the_order_of_quart() {
    let log = Log::default();
    let say = |word: &'static str| {
        let log = log.clone();
        async move || {
            log.say(format!("{word} begins"));
            sleep(SECOND).await;
            log.say(word);
        }
    };
    let go_on = |word: &'static str| {
        let log = log.clone();
        async move |serving: Serving| {
            log.say(format!("{word} begins"));
            sleep(SECOND).await;
            serving.until_shutdown().await;
            log.say(format!("{word} ends"));
            sleep(SECOND).await;
            log.say(format!("{word} ended"));
        }
    };
    let mut child = Blueprint::new("child");
    child.before_app_serving(say("before child")).while_app_serving(go_on("while child"));
    let mut parent = Blueprint::new("parent");
    parent.after_app_serving(say("after parent")).before_app_serving(say("before parent"));
    parent.register_blueprint(&child);
    let mut app = App::new();
    app.register_blueprint(&parent);
    // Hooks of a blueprint that stands there twice are called once.
    app.register_blueprint(&parent).name("again").url_prefix("/again");
    app.after_serving(say("after 1")).while_serving(go_on("while 1")).before_serving(say("before 1"));
    app.after_serving(say("after 2")).while_serving(go_on("while 2")).before_serving(say("before 2"));
    let task = log.clone();
    app.add_background_task(async move || {
        let _ended = at_the_end(&task, "task");
        task.say("task begins");
        current_app().shutdown_event().wait().await;
        sleep(SECOND).await;
    });
    let told = log.clone();
    let lived = live(app, async move |_| {
        told.say("serving");
        sleep(SECOND).await;
        told.say("told to stop");
    });
    assert!(lived.ended.is_ok() && lived.reports.is_empty());
    let startup = ["before 1", "before 2", "before parent", "before child"];
    let startup = startup.iter().flat_map(|word| [format!("{word} begins"), word.to_string()]);
    let began = ["while 1", "while 2", "while child"].map(|word| format!("{word} begins"));
    let running = ["task begins", "serving", "told to stop", "task ended"].map(str::to_owned);
    let ended = ["while child", "while 2", "while 1"];
    let ended = ended.iter().flat_map(|word| [format!("{word} ends"), format!("{word} ended")]);
    let shutdown = ["after 1", "after 2", "after parent"];
    let shutdown = shutdown.iter().flat_map(|word| [format!("{word} begins"), word.to_string()]);
    let expected: Vec<String> = startup.chain(began).chain(running).chain(ended).chain(shutdown).collect();
    assert_eq!(log.words(), expected);
    assert_eq!(lived.took, (1 + 3 + 3) * SECOND);
}

#[test]
fn hooks_have_the_application_and_one_place_for_values() {
    let log = Log::default();
    let mut app = App::new();
    app.state(7u8);
    app.before_serving(async || {
        assert!(!has_request_context());
        assert!(g().insert("of the hooks").is_none());
    });
    app.while_serving(async |serving: Serving| {
        assert_eq!(g().get::<&str>().as_deref(), Some(&"of the hooks"));
        serving.until_shutdown().await;
        g().insert("at the end");
    });
    let told = log.clone();
    app.after_serving(async move || {
        let state = current_app().state::<u8>().expect("it was given");
        told.say(format!("{} {state}", g().get::<&str>().expect("it is there")));
    });
    assert!(live(app, async |_| {}).ended.is_ok());
    assert_eq!(log.words(), ["at the end 7"]);
}

#[test]
fn a_start_that_fails_stops_what_had_started_and_never_serves() {
    type Failure = (&'static str, &'static str, fn(&mut App));
    let failures: [Failure; 6] = [
        ("it broke", "hook", |app| _ = app.before_serving(async || Err::<(), _>(Error::msg("it broke")))),
        ("panicked: it fell", "hook", |app| _ = app.before_serving(async || panic!("it fell"))),
        ("it broke", "while", |app| _ = app.while_serving(async |_| Err::<(), _>(Error::msg("it broke")))),
        ("panicked: it fell", "while", |app| _ = app.while_serving(async |_| panic!("it fell"))),
        (
            "a hook of while_serving has ended before the application serves: it has to await serving.until_shutdown()",
            "while",
            |app| _ = app.while_serving(async |_| {}),
        ),
        ("it broke", "while", |app| {
            app.while_serving(async |_| {
                sleep(SECOND).await;
                Err::<(), _>(Error::msg("it broke"))
            });
        }),
    ];
    for (error, which, fail) in failures {
        let log = Log::default();
        let mut app = App::new();
        let nursery = app.nursery();
        let of_hook = log.clone();
        app.before_serving(async move || {
            let ended = at_the_end(&of_hook, "task of a hook");
            nursery.start_soon(async move {
                let _ended = ended;
                sleep_forever().await;
            });
            sleep(SECOND).await;
        });
        for name in ["one", "two"] {
            let log = log.clone();
            app.while_serving(async move |serving: Serving| {
                log.say(format!("{name} begins"));
                serving.until_shutdown().await;
                sleep(SECOND).await;
                log.say(format!("{name} ended"));
            });
        }
        fail(&mut app);
        let (told, never, after) = (log.clone(), log.clone(), log.clone());
        app.while_serving(async move |_| told.say("never"));
        app.nursery().start_soon(async move { never.say("never") });
        app.after_serving(async move || after.say("never"));
        let lived = live(app, async |server| panic!("it serves on {server:?}"));
        let err = lived.ended.unwrap_err();
        assert_eq!(err.to_string(), error);
        assert_eq!(err.is::<RuntimeError>(), error.contains("until_shutdown"));
        let expected: &[&str] = match which {
            "hook" => &["task of a hook cancelled"],
            _ => &["one begins", "two begins", "task of a hook cancelled", "two ended", "one ended"],
        };
        assert_eq!(log.words(), expected, "{error}");
        assert!(lived.reports.is_empty(), "{:?}", lived.reports);
    }
}

#[test]
fn errors_of_what_is_stopped_because_the_start_failed_are_reported() {
    let mut app = App::new();
    app.while_serving(async |serving: Serving| {
        serving.until_shutdown().await;
        Err::<(), _>(Error::msg("it did not close"))
    });
    app.while_serving(async |_| Err::<(), _>(Error::msg("it did not open")));
    let lived = live(app, async |_| {});
    assert_eq!(lived.ended.unwrap_err().to_string(), "it did not open");
    assert_eq!(lived.reports, ["an error of an application that did not start: it did not close"]);
}

#[test]
fn a_start_that_takes_too_long_stops_what_had_started() {
    for is_while in [false, true] {
        let log = Log::default();
        let mut app = App::new();
        let (first, hangs) = (log.clone(), log.clone());
        app.while_serving(async move |serving: Serving| {
            serving.until_shutdown().await;
            sleep(SECOND).await;
            first.say("first ended");
        });
        if is_while {
            app.while_serving(async move |_| {
                let clean = async {
                    sleep(SECOND).await;
                    hangs.say("clean");
                };
                finally(sleep_forever(), clean).await;
            });
        } else {
            app.before_serving(async move || {
                let _ended = at_the_end(&hangs, "hook");
                pending::<()>().await;
            });
        }
        let lived = live_with(app, config().startup_timeout(SECOND), async |_| {});
        assert!(lived.ended.unwrap_err().is::<TimeoutError>());
        let expected: &[&str] = if is_while { &["clean", "first ended"] } else { &["hook cancelled"] };
        assert_eq!(log.words(), expected);
    }
}

#[test]
fn an_application_that_stops_itself_while_it_starts_never_accepts_and_ends_in_order() {
    let log = Log::default();
    let mut app = App::new();
    let (task, after) = (log.clone(), log.clone());
    app.before_serving(async || {
        current_app().shutdown();
        sleep(SECOND).await;
    });
    app.nursery().start_soon(async move {
        sleep(SECOND).await;
        task.say("task");
    });
    app.after_serving(async move || after.say("after"));
    let lived = live(app, async |_| panic!("it serves"));
    assert!(lived.ended.is_ok());
    assert_eq!(log.words(), ["task", "after"]);
}

#[test]
fn a_hook_that_goes_on_has_a_nursery_of_its_own_and_its_error_stops_the_application() {
    let log = Log::default();
    let mut app = App::new();
    let (told, after) = (log.clone(), log.clone());
    app.while_serving(async move |serving: Serving| {
        let told = told.clone();
        open_nursery(async |nursery| {
            let beats = told.clone();
            nursery.start_soon(async move {
                for n in 1..=3 {
                    sleep(SECOND).await;
                    beats.say(format!("beat {n}"));
                }
                Err::<(), _>(Error::msg("it broke"))
            });
            serving.until_shutdown().await;
            told.say("never");
            Ok(())
        })
        .await?;
        foster::Ok(())
    });
    app.after_serving(async move || after.say("after"));
    let lived = live_on(app);
    assert_eq!(lived.ended.unwrap_err().to_string(), "1 error in a nursery: it broke");
    assert_eq!(log.words(), ["beat 1", "beat 2", "beat 3", "after"]);
    assert_eq!(lived.took, 3 * SECOND);
}

#[test]
fn an_application_is_started_once() {
    let n = Rc::new(Cell::new(0));
    let mut app = App::new();
    let counted = n.clone();
    app.before_serving(async move || counted.set(counted.get() + 1));
    paused(async |nursery| {
        let server = serve_http(&nursery, app.into_handler()?, Config::new());
        server.lifespan_startup().await?;
        let err = server.lifespan_startup().await.unwrap_err();
        assert_eq!(err.to_string(), "the application has been served before: make another one");
        server.lifespan_shutdown().await?;
        server.lifespan_shutdown().await?;
        assert_eq!(n.get(), 1);
        nursery.cancel();
        Ok(())
    });
}

#[test]
fn an_application_that_a_test_starts_and_never_stops_ends_with_its_nursery() {
    let log = Log::default();
    let mut app = App::new();
    let (task, goes_on, after) = (log.clone(), log.clone(), log.clone());
    app.nursery().start_soon(async move {
        let _ended = at_the_end(&task, "task");
        sleep_forever().await;
    });
    app.while_serving(async move |serving: Serving| {
        serving.until_shutdown().await;
        sleep(SECOND).await;
        goes_on.say("while ended");
    });
    app.after_serving(async move || after.say("after"));
    in_a_nursery(async |nursery| {
        let server = serve_http(&nursery, app.into_handler()?, Config::new());
        server.lifespan_startup().await?;
        turns(10).await;
        nursery.cancel();
        Ok(())
    });
    assert_eq!(log.words(), ["task cancelled", "while ended", "after"]);
}
