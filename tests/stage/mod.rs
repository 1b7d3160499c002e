//! What the tests of the server have in common: a loop with a bound, and bytes of HTTP.

#![allow(dead_code, reason = "each test binary needs only a part")]

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

use foster::{Config, ExceptionContext, Loop, Nursery, Result, checkpoint, fail_after, open_nursery, run_here};

/// Longer than anything takes on a loaded machine.
pub(crate) const BOUND: Duration = Duration::from_secs(60);
/// Passes at once when nothing else is left to happen.
const PAUSED_BOUND: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs a test in a nursery on a loop whose clock is paused: only for wires in memory.
pub(crate) fn paused(test: impl AsyncFnOnce(Nursery) -> Result<()>) {
    bounded(true, test);
}

/// Runs a test in a nursery on a loop with real sockets.
pub(crate) fn real(test: impl AsyncFnOnce(Nursery) -> Result<()>) {
    bounded(false, test);
}

fn bounded(is_paused: bool, test: impl AsyncFnOnce(Nursery) -> Result<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(is_paused).build();
    let bound = if is_paused { PAUSED_BOUND } else { BOUND };
    let test = async { fail_after(bound, async { foster::Ok(open_nursery(test).await.map(drop)?) }).await? };
    runtime.expect("a runtime").block_on(run_here(test)).expect("the test ends well");
}

/// Lets the loop take its next turns, for what happens without anybody waiting.
pub(crate) async fn turns(n: usize) {
    for _ in 0..n {
        checkpoint().await;
    }
}

/// Waits until something is so; the bound of the test ends it otherwise.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        foster::sleep(Duration::from_millis(1)).await;
    }
}

/// A configuration whose responses say no date.
pub(crate) fn config() -> Config {
    Config::new().include_date_header(false)
}

/// A request without a body.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

/// A request with a body.
pub(crate) fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A response of text, of a connection that goes on.
pub(crate) fn answer(body: impl Display) -> String {
    text_response("200 OK", "", &body.to_string())
}

/// A response of text, and the last one.
pub(crate) fn last_answer(body: impl Display) -> String {
    text_response("200 OK", "connection: close\r\n", &body.to_string())
}

/// The server's own answer with a status that closes.
pub(crate) fn refusal(status: &str) -> String {
    let reason = status.split_once(' ').expect("a number and a reason").1;
    text_response(status, "connection: close\r\n", reason)
}

/// What a handler's failure is answered with, on a connection that goes on.
pub(crate) fn failure(status: &str) -> String {
    let reason = status.split_once(' ').expect("a number and a reason").1;
    text_response(status, "", reason)
}

fn text_response(status: &str, connection: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n{connection}\r\n{body}",
        body.len()
    )
}

pub(crate) fn text(bytes: impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(bytes.as_ref()).into_owned()
}

/// Words in the order they were said.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(crate) fn say(&self, word: impl Into<String>) {
        self.0.borrow_mut().push(word.into());
    }

    pub(crate) fn words(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

/// What the exception handler of a loop was told, one line each.
pub(crate) fn reports_of(nursery: &Nursery) -> Log {
    let reports = Log::default();
    let lines = reports.clone();
    Loop::new(nursery).set_exception_handler(Some(move |_: &Loop, context: &ExceptionContext| {
        let exception = context.exception().map(|err| format!(": {err:#}")).unwrap_or_default();
        lines.say(format!("{}{exception}", context.message()));
    }));
    reports
}
