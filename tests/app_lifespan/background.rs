//! The nursery of an application.

use std::cell::Cell;
use std::future::pending;

use foster::app::{App, AppNursery, current_app, g, has_app_context, has_request_context};
use foster::testing::serve_http;
use foster::{Closed, ContextVar, Error, Result, sleep, sleep_forever};

use crate::life::{SECOND, at_the_end, in_a_nursery, live};
use crate::stage::{self, Log, answer, get, paused, reports_of, text, turns};

thread_local! {
    static USER: ContextVar<&'static str> = const { ContextVar::new() };
}

/// Says so when it is let go.
struct Kept(Log);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.say("let go");
    }
}

/// Panics when it is let go.
struct Mine;

impl Drop for Mine {
    fn drop(&mut self) {
        panic!("stepped on a mine");
    }
}

#[test]
fn background_task_crash_isolated_keeps_app_nursery_open() {
    let log = Log::default();
    let mut app = App::new();
    app.get("/fail", async || {
        current_app().nursery().start_soon(async { Err::<(), _>(Error::msg("it broke")) });
        "Started"
    });
    app.get("/panic", async || {
        current_app().nursery().start_soon(async { panic!("it fell") });
        "Started"
    });
    app.get("/mine", async || {
        let mine = Mine;
        current_app().nursery().start_soon(async move { drop(mine) });
        "Started"
    });
    app.get("/later", async || {
        let (mine, never) = (Mine, pending::<()>());
        current_app().nursery().start_soon(async move {
            never.await;
            drop(mine);
        });
        "Started"
    });
    let told = log.clone();
    app.get("/work", async move || {
        let told = told.clone();
        current_app().nursery().start_soon(async move { told.say("worked") });
        "Started"
    });
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let server = serve_http(&nursery, app.into_handler()?, stage::config());
        server.lifespan_startup().await?;
        let client = server.connect();
        for path in ["/fail", "/work", "/panic", "/work", "/mine", "/work", "/later", "/work"] {
            client.send(get(path));
            turns(20).await;
        }
        assert_eq!(text(client.received()).matches("HTTP/1.1 ").count(), 8);
        assert_eq!(log.words(), ["worked"; 4]);
        let failed = "a background task failed: ";
        let mine = "panicked: stepped on a mine";
        assert_eq!(
            reports.words(),
            [format!("{failed}it broke"), format!("{failed}panicked: it fell"), format!("{failed}{mine}")]
        );
        server.lifespan_shutdown().await?;
        assert_eq!(reports.words()[3..], [format!("a background task that was cancelled failed: {mine}")]);
        nursery.cancel();
        Ok(())
    });
}

#[test]
fn a_task_has_a_context_of_its_own_and_keeps_nothing_of_its_request() {
    let log = Log::default();
    let told = log.clone();
    let mut app = App::new();
    app.state(7u8);
    app.get("/", async move || {
        g().insert(Kept(told.clone()));
        USER.with(|user| user.set("ada"));
        for name in ["one", "two"] {
            let log = told.clone();
            current_app().nursery().start_soon(async move {
                assert!(has_app_context() && !has_request_context());
                assert_eq!(USER.with(ContextVar::get), None);
                assert!(g().get::<Kept>().is_none() && g().insert(name).is_none());
                sleep(SECOND).await;
                let state = current_app().state::<u8>().expect("it was given");
                log.say(format!("{} {state}", g().get::<&str>().expect("it was put in")));
            });
        }
        "Started"
    });
    paused(async |nursery| {
        let server = serve_http(&nursery, app.into_handler()?, stage::config());
        server.lifespan_startup().await?;
        let client = server.connect();
        client.send(get("/"));
        turns(20).await;
        assert_eq!(text(client.received()), answer("Started"));
        assert_eq!(log.words(), ["let go"]);
        drop(client);
        sleep(2 * SECOND).await;
        assert_eq!(log.words()[1..], ["one 7", "two 7"]);
        nursery.cancel();
        Ok(())
    });
}

#[test]
fn tasks_started_before_serving_wait_for_the_hooks_and_those_of_the_hooks_do_not() {
    let log = Log::default();
    let mut app = App::new();
    let say = |word: &str| {
        let (log, word) = (log.clone(), word.to_owned());
        async move { log.say(word) }
    };
    let nursery = app.nursery();
    nursery.start_soon(say("waited 1"));
    let added = log.clone();
    app.add_background_task(async move || added.say("waited 2"));
    nursery.start_soon(say("waited 3"));
    let (told, of_hook) = (log.clone(), Cell::new(Some(say("of the hook"))));
    app.before_serving(async move || {
        nursery.start_soon(of_hook.take().expect("it is called once"));
        sleep(SECOND).await;
        told.say("hook");
    });
    assert!(live(app, async |_| turns(10).await).ended.is_ok());
    assert_eq!(log.words(), ["of the hook", "hook", "waited 1", "waited 2", "waited 3"]);
}

#[test]
fn a_task_is_refused_once_the_application_has_ended() {
    let log = Log::default();
    let mut app = App::new();
    let (nursery, told) = (app.nursery(), log.clone());
    let late = nursery.clone();
    app.after_serving(async move || {
        assert_eq!(late.try_start_soon(pending::<()>()), Err(Closed));
        told.say("refused");
        late.start_soon(pending::<()>());
    });
    let lived = live(app, async |_| {});
    let refusal = "the application has shut down and takes no more background tasks: await the work where it is to be \
                   done";
    assert_eq!(lived.ended.unwrap_err().to_string(), format!("panicked: {refusal}"));
    assert_eq!(nursery.try_start_soon(pending::<()>()), Err(Closed));
    assert_eq!(log.words(), ["refused"]);
}

#[test]
fn what_is_started_from_a_destructor_while_a_panic_unwinds_is_refused_without_another() {
    struct Starts(AppNursery);
    impl Drop for Starts {
        fn drop(&mut self) {
            self.0.start_soon(pending::<()>());
        }
    }
    let mut app = App::new();
    let nursery = app.nursery();
    app.after_serving(async move || {
        let _starts = Starts(nursery.clone());
        panic!("first");
    });
    assert_eq!(live(app, async |_| {}).ended.unwrap_err().to_string(), "panicked: first");
}

#[test]
fn an_application_that_is_never_served_lets_its_tasks_go() {
    let log = Log::default();
    let mut app = App::new();
    let kept = Kept(log.clone());
    // A task may start others: it has the nursery that it waits in.
    let (nursery, of_task) = (app.nursery(), app.nursery());
    app.add_background_task(async move || {
        let _kept = &kept;
        of_task.start_soon(async {});
    });
    let handler = app.into_handler().unwrap();
    assert!(log.words().is_empty());
    drop(handler);
    assert_eq!(log.words(), ["let go"]);
    assert_eq!(nursery.try_start_soon(async {}), Err(Closed));
}

#[test]
fn an_application_that_was_served_is_let_go_while_its_nursery_is_kept() {
    let log = Log::default();
    let mut app = App::new();
    let nursery = app.nursery();
    app.state(Kept(log.clone()));
    let kept = nursery.clone();
    app.get("/", async move || {
        kept.start_soon(async {});
        "Started"
    });
    assert!(live(app, async |_| {}).ended.is_ok());
    assert_eq!(log.words(), ["let go"]);
    assert_eq!(nursery.try_start_soon(async {}), Err(Closed));
}

#[test]
fn the_teardown_of_a_request_whose_client_has_gone_is_called_with_or_without_a_lifespan() {
    for has_lifespan in [true, false] {
        let log = Log::default();
        let mut app = App::new();
        let (told, ending) = (log.clone(), log.clone());
        app.get("/", async move || {
            g().insert("kept for the teardown");
            let _ended = at_the_end(&told, "view");
            sleep_forever().await;
            "never"
        });
        app.teardown_request(async move |_| {
            let value = g().get::<&str>().expect("it is the request's");
            sleep(SECOND).await;
            ending.say(format!("{} {value}", foster::app::request().path()));
        });
        in_a_nursery(async |nursery| -> Result<()> {
            let server = serve_http(&nursery, app.into_handler()?, stage::config());
            if has_lifespan {
                server.lifespan_startup().await?;
            }
            let client = server.connect();
            client.send(get("/"));
            turns(20).await;
            client.reset();
            turns(20).await;
            assert_eq!(log.words(), ["view cancelled"]);
            if has_lifespan {
                // It is one of the tasks that have five seconds.
                server.lifespan_shutdown().await?;
            } else {
                sleep(2 * SECOND).await;
            }
            assert_eq!(log.words()[1..], ["/ kept for the teardown"]);
            nursery.cancel();
            Ok(())
        });
    }
}

#[test]
fn the_teardown_of_a_request_is_called_when_all_is_cancelled_at_once() {
    for has_lifespan in [true, false] {
        let log = Log::default();
        let mut app = App::new();
        let ending = log.clone();
        app.get("/", async || {
            sleep_forever().await;
            "never"
        });
        app.teardown_request(async move |_| {
            ending.say("begun");
            sleep(SECOND).await;
            ending.say(foster::app::request().path());
        });
        in_a_nursery(async |nursery| -> Result<()> {
            let server = serve_http(&nursery, app.into_handler()?, stage::config());
            if has_lifespan {
                server.lifespan_startup().await?;
            }
            server.connect().send(get("/"));
            turns(20).await;
            nursery.cancel();
            Ok(())
        });
        assert_eq!(log.words(), ["begun", "/"], "{has_lifespan}");
    }
}

#[test]
fn a_task_of_a_request_begins_also_where_there_was_no_startup() {
    let log = Log::default();
    let mut app = App::new();
    let told = log.clone();
    app.get("/", async move || {
        let told = told.clone();
        current_app().nursery().start_soon(async move {
            told.say(format!("worked, with a request: {}, with g: {}", has_request_context(), has_app_context()));
        });
        "Started"
    });
    paused(async |nursery| {
        let server = serve_http(&nursery, app.into_handler()?, stage::config());
        let client = server.connect();
        client.send(get("/"));
        turns(20).await;
        assert_eq!(log.words(), ["worked, with a request: false, with g: true"]);
        Ok(())
    });
}
