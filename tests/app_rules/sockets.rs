//! Over real sockets.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use foster::app::{App, request};
use foster::http::ResponseBody;
use foster::{Error, Handler, Result, sleep, sleep_forever};
use futures::{StreamExt, stream};

use crate::served::{Served, until};
use crate::site::answer;
use crate::stage::config;

fn app() -> impl Handler {
    let mut app = App::new();
    app.get("/", async || -> Result<String> {
        sleep(Duration::from_millis(20)).await;
        Ok("x".repeat(100_000))
    });
    app.into_handler().expect("the application starts")
}

#[test]
fn a_client_that_half_closes_behind_its_request_gets_the_whole_response() {
    let served = Served::new(app, config().bind("127.0.0.1:0"));
    let mut client = served.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").expect("the server reads");
    client.shutdown(Shutdown::Write).expect("a socket closes half");
    let mut all = Vec::new();
    client.read_to_end(&mut all).expect("the server answers, and closes");
    let answer = answer(&all);
    assert_eq!((answer.status, answer.body.len()), (200, 100_000));
    served.stop().expect("the server stops");
}

#[test]
fn what_a_server_that_stops_has_cancelled_is_torn_down_before_its_application_ends() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let words = said.clone();
    let say = move |word: String| words.lock().expect("nobody panics").push(word);
    let make = move || {
        let mut app = App::new();
        let viewed = say.clone();
        app.get("/view", async move || -> &str {
            viewed("view".to_owned());
            sleep_forever().await;
            ""
        });
        app.get("/body", async || {
            let pieces = stream::once(async { foster::Ok(Bytes::from_static(b"one")) });
            ResponseBody::stream(pieces.chain(stream::pending()))
        });
        let torn_down = say.clone();
        app.teardown_request(async move |err: Option<Error>| {
            sleep(Duration::from_millis(50)).await;
            torn_down(format!("{} torn down with {err:?}", request().path()));
        });
        let ended = say.clone();
        app.after_serving(async move || ended("after serving".to_owned()));
        app.into_handler().expect("the application starts")
    };
    let config = config().bind("127.0.0.1:0").graceful_timeout(Duration::from_millis(50));
    let served = Served::new(make, config);
    let (mut view, mut body) = (served.connect(), served.connect());
    view.write_all(b"GET /view HTTP/1.1\r\nHost: x\r\n\r\n").expect("the server reads");
    body.write_all(b"GET /body HTTP/1.1\r\nHost: x\r\n\r\n").expect("the server reads");
    let mut first = [0; 1];
    body.read_exact(&mut first).expect("the body has begun");
    until(|| said.lock().expect("nobody panics").len() == 1);
    served.stop().expect("the server stops");
    let mut said = said.lock().expect("nobody panics").clone();
    assert_eq!(said.pop().as_deref(), Some("after serving"));
    said.sort();
    let expected = ["/body torn down with Some(cancelled)", "/view torn down with Some(cancelled)", "view"];
    assert_eq!(said, expected);
}
