//! Over real sockets.

use std::io::{Read, Write};
use std::net::Shutdown;

use foster::app::App;
use foster::{Handler, Result, sleep};

use crate::served::Served;
use crate::site::answer;
use crate::stage::config;

fn app() -> impl Handler {
    let mut app = App::new();
    app.get("/", async || -> Result<String> {
        sleep(std::time::Duration::from_millis(20)).await;
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
