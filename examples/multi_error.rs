//! A view whose children fail, each in its way: which of the errors is answered is no accident, and none is lost.
//!
//! ```text
//! cargo run --example multi_error -- [--host HOST] [--port PORT]
//! curl -i localhost:5000
//! ```
//!
//! The stock of three shelves is asked for at once. Of the errors, the first in time that a handler knows is answered; the
//! others go to the log, on standard error here.

#[cfg(test)]
mod child;
mod options;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use foster::app::App;
use foster::{Config, Result, open_nursery, run, sleep};
use options::{Options, announce_all};

/// A shelf that nobody answers for.
#[derive(Debug)]
struct Unreachable(&'static str);

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} cannot be reached", self.0)
    }
}

impl std::error::Error for Unreachable {}

/// A shelf with nothing on it.
#[derive(Debug)]
struct SoldOut(&'static str);

impl fmt::Display for SoldOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} is sold out", self.0)
    }
}

impl std::error::Error for SoldOut {}

async fn stock() -> Result<&'static str> {
    open_nursery(async |nursery| {
        sleep(Duration::from_millis(1)).await;
        nursery.start_soon(async { Err(foster::Error::msg("the scales are broken")) });
        nursery.start_soon(async { Err(SoldOut("tea").into()) });
        nursery.start_soon(async { Err(Unreachable("milk").into()) });
        Ok(())
    })
    .await?;
    Ok("all is there")
}

fn app() -> App {
    let mut app = App::new();
    app.get("/", stock);
    app.errorhandler_for(async |err: Arc<Unreachable>| (format!("Ask again later: {err}.\n"), 503));
    app.errorhandler_for(async |err: Arc<SoldOut>| (format!("Come again tomorrow: {err}.\n"), 409));
    app
}

fn main() -> Result<()> {
    let options = Options::from_args("multi_error", 5000);
    let config = Config::new().bind(options.bind());
    run(app().run_task(config).on_serving(|server| announce_all(server.addresses())))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::Write;
    use std::rc::Rc;

    use foster::testing::serve_http;
    use foster::{ExceptionContext, Loop, Nursery};

    use super::child::{Child, receive_all};
    use super::*;

    const ANSWER: &str = "\r\n\r\nCome again tomorrow: the tea is sold out.\n";

    #[test]
    fn the_answer_is_the_same_a_thousand_times_and_the_rest_is_reported() {
        let reported = Rc::new(RefCell::new(Vec::new()));
        let reports = reported.clone();
        let served = open_nursery(async |nursery: Nursery| {
            Loop::new(&nursery).set_exception_handler(Some(move |_: &Loop, context: &ExceptionContext| {
                reports.borrow_mut().extend(context.exception().map(ToString::to_string));
            }));
            let server = serve_http(&nursery, app().into_handler()?, Config::new());
            let client = server.connect();
            for _ in 0..1000 {
                client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
                let mut all = String::new();
                while !all.ends_with(".\n") {
                    all += &String::from_utf8_lossy(&client.read().await);
                }
                assert!(all.starts_with("HTTP/1.1 409 Conflict\r\n") && all.ends_with(ANSWER), "{all}");
                assert_eq!(reported.take(), ["the scales are broken", "the milk cannot be reached"]);
            }
            nursery.cancel();
            foster::Ok(())
        });
        run(async { foster::Ok(served.await.map(drop)?) }).expect("it ends");
    }

    #[test]
    fn what_is_not_answered_stands_on_standard_error() {
        let server = Child::serve("multi_error");
        let mut client = server.connect();
        client.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("the server reads");
        let answer = receive_all(&client);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.ends_with(ANSWER), "{answer}");
        let mut lines = String::new();
        while !lines.contains("the milk cannot be reached") {
            lines += &server.error_line();
        }
        assert!(lines.contains("the scales are broken"), "{lines}");
    }
}
