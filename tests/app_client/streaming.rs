//! Requests that are made piece by piece.

use bytes::Bytes;
use foster::app::testing::TestClientError;
use foster::app::{App, Request};
use foster::http::{HeaderList, HeaderValue, Method, ResponseBody, StatusCode, header};
use foster::{Error, Nursery, ValueError, cancel_reason, move_on_after, shield, sleep, sleep_forever};
use futures::{FutureExt, StreamExt, stream};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use crate::client_of;
use crate::stage::{Log, paused, reports_of, turns};

struct AtTheEnd(Log);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        self.0.say(cancel_reason().map_or("ended".to_owned(), |_| "cancelled".to_owned()));
    }
}

fn echo(app: &mut App) {
    app.post("/echo", async |request: Request| request.body().map(ResponseBody::from));
    app.post("/gather", async |request: Request| request.get_text().await);
    app.post("/head", async |request: Request| String::from_utf8_lossy(request.head().request_line()).into_owned());
}

#[test]
fn both_bodies_stream_side_by_side() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, echo);
        let mut connection = client.request(Method::POST, "/echo").begin()?;
        for piece in ["one", "two", "three"] {
            connection.send(piece).await?;
            assert_eq!(connection.receive().await?.as_deref(), Some(piece.as_bytes()));
        }
        assert!(move_on_after(Duration::from_secs(9), connection.receive()).await.is_none());
        connection.send("four").await?;
        connection.send_complete();
        assert_eq!(connection.receive().await?.as_deref(), Some(&b"four"[..]));
        assert_eq!(connection.receive().await?, None);
        assert_eq!(connection.receive().await?, None);
        assert_eq!(connection.response().await?.status_code(), 200);
        Ok(())
    });
}

#[test]
fn a_response_waits_for_the_end_of_the_body_if_its_view_does() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, echo);
        let mut connection = client.post("/gather").data("a").begin()?;
        connection.send("b").await?;
        assert!(move_on_after(Duration::from_secs(9), connection.response()).await.is_none());
        connection.send("c").await?;
        let mut response = connection.as_response().await?;
        assert_eq!(response.text().await?, "abc");
        Ok(())
    });
}

#[test]
fn content_length_is_kept_to() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, echo);
        let mut connection = client.post("/gather").header("content-length", "3").begin()?;
        connection.send("ab").await?;
        assert_eq!(connection.send("cd").await, Err(TestClientError::BodyLength { declared: 3 }));
        connection.send("c").await?;
        let mut response = connection.as_response().await?;
        assert_eq!(response.text().await?, "abc");

        let mut short = client.post("/gather").header("content-length", "3").begin()?;
        short.send("ab").await?;
        assert_eq!(short.as_response().await?.status_code(), 400);

        let mut whole = client.post("/gather").begin()?;
        whole.send_complete();
        whole.send_complete();
        assert_eq!(whole.send("x").await, Err(TestClientError::Complete));
        assert_eq!(whole.as_response().await?.get_data().await?.len(), 0);
        Ok(())
    });
}

#[test]
fn the_head_says_how_the_body_is_sent() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.post("/", async |request: Request| {
                let length = request.headers().get("content-length").unwrap_or("none").to_owned();
                format!("{length} {}", request.headers().get("transfer-encoding").unwrap_or("none"))
            });
        });
        assert_eq!(client.post("/").begin()?.as_response().await?.text().await?, "none chunked");
        let sized = client.post("/").header("content-length", "2").begin()?;
        assert_eq!(sized.as_response().await?.text().await?, "2 none");
        Ok(())
    });
}

#[test]
fn nobody_runs_far_ahead_of_the_other() {
    paused(async |nursery: Nursery| {
        let log = Log::default();
        let made = log.clone();
        let client = client_of(&nursery, move |app| {
            app.post("/slow", async |request: Request| {
                let mut body = request.body()?;
                let mut n = 0;
                while let Some(piece) = body.chunk().await? {
                    sleep(Duration::from_secs(1)).await;
                    n += piece.len();
                }
                foster::Ok(n.to_string())
            });
            app.get("/endless", async move || {
                let made = made.clone();
                ResponseBody::stream(stream::repeat_with(move || {
                    made.say("made");
                    foster::Ok(Bytes::from(vec![b'x'; 16 * 1024]))
                }))
            });
        });
        let mut connection = client.post("/slow").begin()?;
        let began = tokio::time::Instant::now();
        for _ in 0..20 {
            connection.send(vec![b'x'; 16 * 1024]).await?;
        }
        assert!(began.elapsed() >= Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(connection.as_response().await?.text().await?, (20 * 16 * 1024).to_string());

        let mut endless = client.get("/endless").begin()?;
        endless.response().await?;
        turns(100).await;
        let n_made = log.len();
        assert!((4..=8).contains(&n_made), "{n_made}");
        for _ in 0..20 {
            endless.receive().await?;
        }
        turns(100).await;
        assert!(log.len() > n_made + 10);
        Ok(())
    });
}

#[test]
fn a_stream_goes_on_by_itself() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.get("/", async || {
                let ticks = stream::iter(0..3).then(|n| async move {
                    sleep(Duration::from_secs(1)).await;
                    foster::Ok(Bytes::from(n.to_string()))
                });
                ResponseBody::stream(ticks)
            });
        });
        let mut connection = client.get("/").begin()?;
        sleep(Duration::from_secs(60)).await;
        assert_eq!(connection.receive().await?.as_deref(), Some(&b"012"[..]));
        assert_eq!(connection.receive().await?, None);
        Ok(())
    });
}

#[test]
fn who_disconnects_cancels_the_view() {
    paused(async |nursery: Nursery| {
        let log = Log::default();
        let (of_view, of_stream, of_teardown) = (log.clone(), log.clone(), log.clone());
        let client = client_of(&nursery, move |app| {
            app.teardown_request(async move |_: Option<Error>| of_teardown.say("teardown"));
            app.get("/view", async move || {
                let _end = AtTheEnd(of_view.clone());
                sleep_forever().await;
                "never"
            });
            app.get("/stream", async move || {
                let end = AtTheEnd(of_stream.clone());
                ResponseBody::stream(stream::once(async { foster::Ok(Bytes::from_static(b"x")) }).chain(stream::once(
                    async move {
                        let _end = end;
                        sleep_forever().await;
                        foster::Ok(Bytes::new())
                    },
                )))
            });
        });
        for path in ["/view", "/stream"] {
            let mut connection = client.get(path).begin()?;
            if path == "/stream" {
                assert_eq!(connection.receive().await?.as_deref(), Some(&b"x"[..]));
            } else {
                sleep(Duration::from_secs(1)).await;
            }
            connection.disconnect().await?;
            turns(5).await;
            assert_eq!(log.words(), ["cancelled", "teardown"].repeat(if path == "/view" { 1 } else { 2 }), "{path}");
        }
        Ok(())
    });
}

#[test]
fn who_drops_a_connection_or_its_response_has_vanished() {
    paused(async |nursery: Nursery| {
        let log = Log::default();
        let of_stream = log.clone();
        let client = client_of(&nursery, move |app| {
            app.get("/", async move || {
                let end = AtTheEnd(of_stream.clone());
                let endless = stream::once(async move {
                    let _end = end;
                    sleep_forever().await;
                    foster::Ok(Bytes::new())
                });
                ResponseBody::stream(endless)
            });
        });
        let connection = client.get("/").begin()?;
        sleep(Duration::from_secs(1)).await;
        drop(connection);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(log.words(), ["cancelled"]);
        let response = client.get("/").begin()?.as_response().await?;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(log.len(), 1);
        drop(response);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(log.len(), 2);
        Ok(())
    });
}

#[test]
fn who_is_shielded_hears_that_the_client_has_gone() {
    paused(async |nursery: Nursery| {
        let log = Log::default();
        let of_view = log.clone();
        let client = client_of(&nursery, move |app| {
            app.post("/", async move |request: Request| {
                let read = shield(request.get_data()).await;
                of_view.say(read.unwrap_err().to_string());
                "x"
            });
        });
        let mut connection = client.post("/").begin()?;
        connection.send("a").await?;
        sleep(Duration::from_secs(1)).await;
        connection.disconnect().await?;
        assert_eq!(log.words(), ["the peer went away before the end of the body"]);
        Ok(())
    });
}

#[test]
fn the_failures_of_a_view_come_to_whoever_asks() {
    paused(async |nursery: Nursery| {
        let reports = reports_of(&nursery);
        let client = client_of(&nursery, |app| {
            app.get("/error", async || foster::Result::<&str>::Err(ValueError::new("seven").into()));
            app.get("/panic", async || -> &str { panic!("the view has panicked") });
            app.get("/stream", async || {
                ResponseBody::stream(stream::iter([Ok(Bytes::from_static(b"x")), Err(ValueError::new("eight"))]))
            });
            app.get("/stream/panic", async || {
                ResponseBody::stream(stream::poll_fn(|_| -> std::task::Poll<Option<foster::Result<Bytes>>> {
                    panic!("the stream has panicked")
                }))
            });
        });
        assert!(client.get("/error").begin()?.as_response().await.unwrap_err().is::<ValueError>());
        let panic = AssertUnwindSafe(client.get("/panic").begin()?.as_response()).catch_unwind().await.unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("the view has panicked"));
        let mut stream = client.get("/stream").begin()?;
        assert_eq!(stream.receive().await?.as_deref(), Some(&b"x"[..]));
        assert_eq!(stream.receive().await.unwrap_err().to_string(), "eight");
        assert!(stream.receive().await.unwrap_err().is::<TestClientError>());
        let mut stream = client.get("/stream/panic").begin()?;
        let panic = AssertUnwindSafe(stream.receive()).catch_unwind().await.unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("the stream has panicked"));

        let failed = client.get("/error").begin()?;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(failed.disconnect().await.unwrap_err().to_string(), "seven");
        assert_eq!(reports.words(), [] as [&str; 0]);

        // Who does not ask has it told to the loop.
        let failed = client.get("/error").begin()?;
        sleep(Duration::from_secs(1)).await;
        drop(failed);
        assert_eq!(reports.words(), ["a view failed, and its test did not ask: seven"]);
        client.propagate_errors(false);
        assert_eq!(client.get("/error").begin()?.as_response().await?.status_code(), 500);
        assert_eq!(reports.words()[1], "a view failed: seven");
        Ok(())
    });
}

#[test]
fn hints_trailers_and_cookies_come_over_a_connection_too() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.get("/", async |request: Request| {
                let hints = HeaderList::from_iter([(header::LINK, HeaderValue::from_static("</a.css>"))]);
                request.send_informational(StatusCode::EARLY_HINTS, &hints)?;
                let body = ResponseBody::stream(stream::iter([foster::Ok(Bytes::from_static(b"x"))]));
                let body =
                    body.with_trailers(|| HeaderList::from_iter([(header::ETAG, HeaderValue::from_static("\"1\""))]));
                let mut response = foster::http::Response::bytes(body);
                response.set_cookie(("a", "1"))?;
                foster::Ok(response)
            });
        });
        let mut response = client.get("/").header("te", "trailers").begin()?.as_response().await?;
        assert_eq!(response.informational().len(), 1);
        assert_eq!(response.get_data().await?, "x");
        assert_eq!(response.trailers().map(HeaderList::len), Some(1));
        assert_eq!(client.get_cookie("a").unwrap().value(), "1");
        Ok(())
    });
}

#[test]
fn a_connection_ends_with_its_nursery() {
    paused(async |nursery: Nursery| {
        let log = Log::default();
        let of_view = log.clone();
        let mut connection = None;
        foster::open_nursery(async |inner: Nursery| {
            let client = client_of(&inner, move |app| {
                app.get("/", async move || {
                    let _end = AtTheEnd(of_view.clone());
                    sleep_forever().await;
                    "never"
                });
            });
            connection = Some(client.get("/").begin()?);
            sleep(Duration::from_secs(1)).await;
            inner.cancel();
            Ok(())
        })
        .await?;
        assert_eq!(log.words(), ["cancelled"]);
        let err = connection.unwrap().receive().await.unwrap_err();
        assert_eq!(err.downcast_ref::<TestClientError>(), Some(&TestClientError::Disconnected));
        assert_eq!(nursery.n_children(), 0);
        Ok(())
    });
}
