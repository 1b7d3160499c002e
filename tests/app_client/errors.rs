//! How the errors of an application come out.

use bytes::Bytes;
use foster::app::testing::TestClientError;
use foster::app::{App, abort};
use foster::http::ResponseBody;
use foster::{Error, Nursery, NurseryError, ValueError, move_on_after, open_nursery, sleep, sleep_forever};
use futures::stream;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;

use crate::client_of;
use crate::stage::{Log, paused, reports_of};

async fn failing() -> foster::Result<&'static str> {
    Err(ValueError::new("seven").into())
}

fn app(app: &mut App) {
    app.get("/error", failing);
    app.get("/panic", async || -> &str { panic!("the view has panicked") });
    app.get("/one", async || {
        open_nursery(async |nursery| {
            nursery.start_soon(async { failing().await.map(drop) });
            sleep_forever().await;
            foster::Ok(())
        })
        .await?;
        foster::Ok("x")
    });
    app.get("/two", async || {
        open_nursery(async |nursery| {
            nursery.start_soon(async { failing().await.map(drop) });
            foster::Result::<()>::Err(Error::msg("eight"))
        })
        .await?;
        foster::Ok("x")
    });
    app.get("/abort", async || foster::Result::<&str>::Err(abort(418).into()));
    app.get("/stream", async || {
        ResponseBody::stream(stream::iter([Ok(Bytes::from_static(b"x")), Err(ValueError::new("in the middle"))]))
    });
    app.get("/stream/panic", async || {
        ResponseBody::stream(stream::poll_fn(|_| -> std::task::Poll<Option<foster::Result<Bytes>>> {
            panic!("the stream has panicked")
        }))
    });
}

#[test]
fn an_error_that_nothing_knows_is_that_of_the_request() {
    paused(async |nursery: Nursery| {
        let reports = reports_of(&nursery);
        let client = client_of(&nursery, app);
        let err = client.get("/error").await.unwrap_err();
        assert_eq!((err.is::<ValueError>(), err.to_string().as_str()), (true, "seven"));
        assert_eq!(reports.words(), [] as [&str; 0]);
        Ok(())
    });
}

#[test]
fn an_error_that_is_alone_in_a_nursery_comes_without_it() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        assert!(client.get("/one").await.unwrap_err().is::<ValueError>());
        let err = client.get("/two").await.unwrap_err();
        let group = err.downcast_ref::<NurseryError>().expect("several errors are a group");
        assert_eq!(group.leaves().len(), 2);
        Ok(())
    });
}

#[test]
fn a_panic_of_a_view_is_one_of_the_test() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        let panic = AssertUnwindSafe(client.get("/panic").send()).catch_unwind().await.unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("the view has panicked"));
        let mut response = client.get("/stream/panic").await?;
        let panic = AssertUnwindSafe(response.get_data()).catch_unwind().await.unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("the stream has panicked"));
        Ok(())
    });
}

#[test]
fn errors_that_are_known_are_responses() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |set_up| {
            app(set_up);
            set_up.errorhandler_for::<ValueError, _, _>(async |err: std::sync::Arc<ValueError>| (err.to_string(), 422));
        });
        assert_eq!(client.get("/abort").await?.status_code(), 418);
        let mut known = client.get("/one").await?;
        assert_eq!((known.status_code().as_u16(), known.text().await?.as_str()), (422, "seven"));
        Ok(())
    });
}

#[test]
fn a_handler_for_500_hides_no_error() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |set_up| {
            app(set_up);
            set_up.errorhandler(500, async |_| ("sorry", 500));
        });
        assert!(client.get("/error").await.unwrap_err().is::<ValueError>());
        client.propagate_errors(false);
        assert_eq!(client.get("/error").await?.text().await?, "sorry");
        Ok(())
    });
}

#[test]
fn errors_may_be_answered_as_a_server_answers_them() {
    paused(async |nursery: Nursery| {
        let reports = reports_of(&nursery);
        let client = client_of(&nursery, app);
        client.propagate_errors(false);
        for path in ["/error", "/panic", "/one"] {
            assert_eq!(client.get(path).await?.status_code(), 500, "{path}");
        }
        assert_eq!(reports.words()[0], "a view failed: seven");
        assert_eq!(reports.words()[1], "a view failed: panicked: the view has panicked");
        assert_eq!(reports.len(), 3);
        for path in ["/stream", "/stream/panic"] {
            let err = client.get(path).await?.get_data().await.unwrap_err();
            assert_eq!(err.downcast_ref::<TestClientError>(), Some(&TestClientError::Disconnected), "{path}");
        }
        assert_eq!(reports.words()[3], "a response could not be completed: in the middle");
        // Another client has settings of its own.
        assert!(client.test_client().get("/error").await.is_err());
        Ok(())
    });
}

#[test]
fn an_error_in_a_stream_is_that_of_its_reader() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        let mut response = client.get("/stream").await?;
        assert_eq!(response.chunk().await?.as_deref(), Some(&b"x"[..]));
        assert!(response.chunk().await.unwrap_err().is::<ValueError>());
        let again = response.chunk().await.unwrap_err();
        assert_eq!(again.downcast_ref::<TestClientError>(), Some(&TestClientError::Disconnected));
        Ok(())
    });
}

#[test]
fn a_request_that_is_dropped_cancels_its_view() {
    paused(async |nursery: Nursery| {
        struct Ended(Log);
        impl Drop for Ended {
            fn drop(&mut self) {
                self.0.say("dropped");
            }
        }
        let log = Log::default();
        let (of_view, of_teardown) = (log.clone(), log.clone());
        let client = client_of(&nursery, move |app| {
            app.teardown_request(async move |_: Option<Error>| of_teardown.say("teardown"));
            app.get("/", async move || {
                let _ended = Ended(of_view.clone());
                of_view.say("begun");
                sleep_forever().await;
                "never"
            });
        });
        assert!(move_on_after(Duration::from_secs(1), client.get("/").send()).await.is_none());
        sleep(Duration::from_secs(1)).await;
        assert_eq!(log.words(), ["begun", "dropped", "teardown"]);
        Ok(())
    });
}
