//! The life of an application around a test.

use foster::app::{App, Request};
use foster::{Error, Nursery, Result, ValueError, move_on_after, open_nursery, run_here, sleep};
use std::time::Duration;

use crate::client_of;
use crate::stage::{Log, paused};

fn background(log: &Log) -> App {
    let mut app = App::new();
    let (nursery, log) = (app.nursery(), log.clone());
    app.get("/", async move || {
        let log = log.clone();
        nursery.start_soon(async move {
            sleep(Duration::from_secs(1)).await;
            log.say("done");
        });
        "started"
    });
    app
}

#[test]
fn background_tasks_run_in_the_nursery_of_the_client() {
    paused(async |nursery: Nursery| {
        let log = Log::default();
        let app = background(&log);
        let early = log.clone();
        app.nursery().start_soon(async move { early.say("waited") });
        let client = app.test_client(&nursery)?;
        assert_eq!(client.get("/").await?.text().await?, "started");
        sleep(Duration::from_secs(2)).await;
        assert_eq!(log.words(), ["waited", "done"]);
        Ok(())
    });
}

/// An application that says everything of its life.
fn telling(log: &Log) -> App {
    let mut app = App::new();
    let say = |word: &'static str| {
        let log = log.clone();
        move || log.say(word)
    };
    let (before, after, around) = (say("before serving"), say("after serving"), log.clone());
    app.before_serving(async move || before());
    app.while_serving(async move |serving: foster::app::Serving| {
        around.say("up");
        serving.until_shutdown().await;
        around.say("down");
    });
    app.after_serving(async move || after());
    let (nursery, tasks) = (app.nursery(), log.clone());
    nursery.start_soon(async move {
        sleep(Duration::from_secs(2)).await;
        tasks.say("task done");
    });
    app.get("/", async || "x");
    app
}

#[test]
fn a_test_is_in_the_middle_of_the_life_of_its_application() {
    paused(async |_: Nursery| {
        let log = Log::default();
        let said = log.clone();
        telling(&log)
            .test_app(async |client| {
                said.say(client.get("/").await?.text().await?);
                Ok(())
            })
            .await?;
        assert_eq!(log.words(), ["before serving", "up", "x", "task done", "down", "after serving"]);

        let log = Log::default();
        let failed = telling(&log).test_app(async |_| Result::<()>::Err(Error::msg("failed"))).await;
        assert_eq!(failed.unwrap_err().to_string(), "failed");
        assert_eq!(log.words().last().map(String::as_str), Some("after serving"));

        let log = Log::default();
        let cut = telling(&log).test_app(async |_| {
            foster::sleep_forever().await;
            Ok(())
        });
        assert!(move_on_after(Duration::from_secs(1), cut).await.is_none());
        assert_eq!(log.words().last().map(String::as_str), Some("after serving"));
        Ok(())
    });
}

#[test]
fn a_client_alone_calls_no_hooks_until_it_is_asked_to() {
    paused(async |nursery: Nursery| {
        let log = Log::default();
        let client = telling(&log).test_client(&nursery)?;
        client.get("/").await?;
        sleep(Duration::from_secs(5)).await;
        assert_eq!(log.words(), ["task done"]);
        // It is late for that.
        assert!(client.startup().await.is_err());

        let log = Log::default();
        let client = telling(&log).test_client(&nursery)?;
        client.startup().await?;
        assert_eq!(log.words(), ["before serving", "up"]);
        client.shutdown().await?;
        assert_eq!(log.words(), ["before serving", "up", "task done", "down", "after serving"]);
        Ok(())
    });
}

#[test]
fn the_error_of_a_hook_is_that_of_the_test() {
    paused(async |_: Nursery| {
        let mut app = App::new();
        app.before_serving(async || Result::<()>::Err(ValueError::new("not today").into()));
        let err = app.test_app(async |_| -> Result<()> { panic!("it is not reached") }).await.unwrap_err();
        assert!(err.is::<ValueError>(), "{err}");
        let mut app = App::new();
        app.after_serving(async || Result::<()>::Err(ValueError::new("not today").into()));
        assert!(app.test_app(async |_| Ok(())).await.unwrap_err().is::<ValueError>());
        Ok(())
    });
}

#[test]
fn a_test_gives_its_value_and_its_error() {
    paused(async |_: Nursery| {
        let value = App::new().test_app(async |_| Ok(7)).await?;
        assert_eq!(value, 7);
        let err = App::new().test_app(async |_| Result::<()>::Err(ValueError::new("seven").into())).await.unwrap_err();
        assert!(err.is::<ValueError>());
        let cut = move_on_after(
            Duration::from_secs(1),
            App::new().test_app(async |_| {
                foster::sleep_forever().await;
                Ok(())
            }),
        );
        assert!(cut.await.is_none());
        Ok(())
    });
}

#[test]
#[should_panic(expected = "the test has failed")]
fn a_test_that_panics_panics() {
    paused(async |_: Nursery| App::new().test_app(async |_| -> Result<()> { panic!("the test has failed") }).await);
}

#[test]
fn an_application_that_is_set_up_wrongly_says_so() {
    paused(async |nursery: Nursery| {
        let broken = || {
            let mut app = App::new();
            app.get("/<", async || "x");
            app
        };
        let err = broken().test_client(&nursery).unwrap_err();
        assert_eq!(err.messages().len(), 1);
        let err = broken().test_app(async |_| Ok(())).await.unwrap_err();
        assert!(err.is::<foster::app::SetupError>(), "{err}");
        Ok(())
    });
}

#[test]
fn views_that_wait_for_the_end_are_told() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.get("/", async |request: Request| {
                request.shutdown().wait().await;
                "over"
            });
        });
        let stopping = client.clone();
        nursery.start_soon(async move {
            sleep(Duration::from_secs(1)).await;
            stopping.shutdown().await
        });
        assert_eq!(client.get("/").await?.text().await?, "over");
        Ok(())
    });
}

#[tokio::test(start_paused = true)]
async fn a_test_of_tokio_in_paused_time_is_enough() -> Result<()> {
    let log = Log::default();
    run_here(background(&log).test_app(async |client| {
        assert_eq!(client.get("/").await?.text().await?, "started");
        sleep(Duration::from_secs(3600)).await;
        Ok::<(), Error>(())
    }))
    .await?;
    assert_eq!(log.words(), ["done"]);
    Ok(())
}

#[test]
fn a_client_may_outlive_nothing_but_its_nursery() {
    paused(async |_: Nursery| {
        let mut kept = None;
        open_nursery(async |nursery: Nursery| {
            kept = Some(client_of(&nursery, |app| {
                app.get("/", async || "x");
            }));
            Ok(())
        })
        .await?;
        // A view that starts nothing needs no nursery.
        assert_eq!(kept.unwrap().get("/").await?.text().await?, "x");
        Ok(())
    });
}
