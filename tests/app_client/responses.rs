//! What a test sees of what a view answers.

use bytes::Bytes;
use foster::app::{Request, after_this_request};
use foster::http::{HeaderList, HeaderValue, Html, Json, Response, ResponseBody, StatusCode, Version, header};
use foster::{Nursery, sleep};
use futures::stream;
use serde_json::{Value, json};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::client_of;
use crate::stage::paused;

#[test]
fn status_header_fields_and_body_are_there() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.get("/json", async || (Json(json!({ "a": 1 })), 201, [("x-a", "1"), ("x-a", "2")]));
            app.get("/html", async || Html("<p>"));
        });
        let mut response = client.get("/json").await?;
        assert_eq!(response.status_code(), 201);
        assert_eq!(response.status_code(), StatusCode::CREATED);
        assert_eq!(response.json::<Value>().await?, json!({ "a": 1 }));
        assert_eq!(response.mimetype(), "application/json");
        assert_eq!(response.header("X-A"), Some("1"));
        assert_eq!(response.get_all("X-A"), ["1", "2"]);
        assert_eq!(response.header("content-length"), Some("7"));
        assert_eq!(response.headers().len(), 4);
        // It is kept.
        assert_eq!(response.get_data().await?, "{\"a\":1}");
        assert_eq!(response.text().await?, "{\"a\":1}");
        assert_eq!(response.location(), None);
        assert_eq!(response.url(), "http://localhost/json");
        let html = client.get("/html").await?;
        assert_eq!((html.mimetype().as_str(), html.content_type()), ("text/html", Some("text/html; charset=utf-8")));
        Ok(())
    });
}

#[test]
fn what_is_not_what_was_asked_for_is_an_error() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.get("/", async || Bytes::from_static(b"\xff"));
        });
        let mut response = client.get("/").await?;
        assert_eq!(response.text().await.unwrap_err().to_string(), "the body is not UTF-8");
        assert!(response.json::<Value>().await.is_err());
        assert_eq!(response.get_data().await?, b"\xff"[..]);
        Ok(())
    });
}

#[test]
fn a_stream_is_made_piece_by_piece_as_it_is_asked_for() {
    paused(async |nursery: Nursery| {
        let made = Rc::new(Cell::new(0));
        let n_made = made.clone();
        let client = client_of(&nursery, move |app| {
            app.get("/", async move || {
                let made = made.clone();
                let pieces = stream::unfold(0, move |n| {
                    let made = made.clone();
                    async move {
                        sleep(Duration::from_secs(1)).await;
                        made.set(n);
                        (n < 3).then(|| (foster::Ok(Bytes::from(n.to_string())), n + 1))
                    }
                });
                ResponseBody::stream(pieces)
            });
        });
        let mut response = client.get("/").await?;
        assert_eq!(response.header("content-length"), None);
        assert_eq!(response.chunk().await?.as_deref(), Some(&b"0"[..]));
        sleep(Duration::from_secs(60)).await;
        assert_eq!(n_made.get(), 0);
        assert_eq!(response.chunk().await?.as_deref(), Some(&b"1"[..]));
        assert_eq!(response.get_data().await?, "2");
        assert_eq!(response.chunk().await?, None);
        assert_eq!(client.get("/").await?.text().await?, "012");
        Ok(())
    });
}

#[test]
fn a_stream_finds_its_request_and_ends_before_its_teardown() {
    paused(async |nursery: Nursery| {
        let said = Rc::new(std::cell::RefCell::new(Vec::new()));
        let (of_stream, of_teardown) = (said.clone(), said.clone());
        let client = client_of(&nursery, move |app| {
            app.teardown_request(async move |err: Option<foster::Error>| {
                of_teardown.borrow_mut().push(format!("teardown {}", err.is_none()));
            });
            app.get("/", async move || {
                let said = of_stream.clone();
                let piece = async move {
                    said.borrow_mut().push(foster::app::request().path().to_owned());
                    foster::Ok(Bytes::from_static(b"x"))
                };
                ResponseBody::stream(stream::once(piece))
            });
        });
        let mut response = client.get("/").await?;
        assert!(said.borrow().is_empty());
        response.get_data().await?;
        assert_eq!(*said.borrow(), ["/", "teardown true"]);
        said.borrow_mut().clear();
        drop(client.get("/").await?);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(*said.borrow(), ["teardown true"]);
        said.borrow_mut().clear();
        client.head("/").await?;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(*said.borrow(), ["teardown true"]);
        Ok(())
    });
}

#[test]
fn trailers_come_to_who_takes_them() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.get("/", async || {
                let pieces = stream::iter([foster::Ok(Bytes::from_static(b"x"))]);
                ResponseBody::stream(pieces)
                    .with_trailers(|| HeaderList::from_iter([(header::ETAG, HeaderValue::from_static("\"1\""))]))
            });
        });
        let mut response = client.get("/").header("te", "trailers").await?;
        assert!(response.trailers().is_none());
        response.get_data().await?;
        let trailers = response.trailers().expect("there are trailers");
        assert_eq!(trailers.get(&header::ETAG), Some(&HeaderValue::from_static("\"1\"")));
        for request in [client.get("/"), client.get("/").header("te", "trailers").http_version(Version::HTTP_10)] {
            let mut response = request.await?;
            response.get_data().await?;
            assert!(response.trailers().is_none());
        }
        Ok(())
    });
}

#[test]
fn early_hints_are_kept_with_the_response() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.get("/", async |request: Request| {
                let hints = HeaderList::from_iter([(header::LINK, HeaderValue::from_static("</a.css>"))]);
                request.send_informational(StatusCode::EARLY_HINTS, &hints)?;
                assert!(request.send_informational(StatusCode::OK, &hints).is_err());
                assert!(request.send_informational(StatusCode::SWITCHING_PROTOCOLS, &hints).is_err());
                foster::Ok("page")
            });
        });
        let response = client.get("/").await?;
        let [hints] = response.informational() else { panic!("one informational response") };
        assert_eq!(hints.status_code, 103);
        assert_eq!(hints.headers.get(&header::LINK), Some(&HeaderValue::from_static("</a.css>")));
        let old = client.get("/").http_version(Version::HTTP_10).await?;
        assert!(old.informational().is_empty());
        Ok(())
    });
}

#[test]
fn responses_are_marked_off_as_on_a_wire() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.get("/204", async || ("nothing", 204));
            app.get("/205", async || ("nothing", 205));
            app.get("/304", async || ("nothing", 304));
            app.get("/304/length", async || (StatusCode::NOT_MODIFIED, [("content-length", "9")]));
            app.get("/given", async || ("four", 200, [("content-length", "4"), ("transfer-encoding", "chunked")]));
            app.get("/sized", async || {
                ResponseBody::sized_stream(2, stream::iter([foster::Ok(Bytes::from_static(b"ab"))]))
            });
        });
        for (path, length) in [
            ("/204", None),
            ("/205", Some("0")),
            ("/304", Some("7")),
            ("/304/length", Some("9")),
            ("/given", Some("4")),
            ("/sized", Some("2")),
        ] {
            let mut response = client.get(path).await?;
            assert_eq!(response.header("content-length"), length, "{path}");
            assert_eq!(response.header("transfer-encoding"), None, "{path}");
            let n_bytes = response.get_data().await?.len();
            let has_body = response.status_code() == 200;
            assert_eq!(n_bytes, if has_body { length.unwrap().parse().unwrap() } else { 0 }, "{path}");
        }
        Ok(())
    });
}

#[test]
fn a_response_that_no_server_would_send_is_an_error() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.get("/length", async || ("four", 200, [("content-length", "5")]));
            app.get("/1xx", async || Response::new(StatusCode::PROCESSING));
            app.get("/long", async || {
                ResponseBody::sized_stream(1, stream::iter([foster::Ok(Bytes::from_static(b"ab"))]))
            });
            app.get("/short", async || {
                ResponseBody::sized_stream(3, stream::iter([foster::Ok(Bytes::from_static(b"ab"))]))
            });
        });
        for path in ["/length", "/1xx"] {
            assert!(client.get(path).await.unwrap_err().is::<foster::http::HttpError>(), "{path}");
        }
        for (path, message) in [("/long", "longer than it was declared"), ("/short", "before its declared length")] {
            let mut response = client.get(path).await?;
            let err = response.get_data().await.unwrap_err();
            assert!(err.to_string().contains(message), "{err}");
        }
        client.propagate_errors(false);
        for path in ["/length", "/1xx"] {
            let mut response = client.get(path).await?;
            assert_eq!((response.status_code().as_u16(), &*response.text().await?), (500, "Internal Server Error"));
        }
        Ok(())
    });
}

#[test]
fn hooks_around_a_request_are_called() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.after_request(async |response: Response| response.header(header::VARY, HeaderValue::from_static("a")));
            app.get("/", async || {
                after_this_request(async |response: Response| response.with_status(StatusCode::ACCEPTED));
                "x"
            });
        });
        let response = client.get("/").await?;
        assert_eq!((response.status_code().as_u16(), response.header("vary")), (202, Some("a")));
        assert_eq!(client.get("/none").await?.header("vary"), Some("a"));
        Ok(())
    });
}
