//! The vocabulary of HTTP that handlers answer with, from outside: return values, redirects, cookies, multi-dicts.

#![cfg(all(feature = "app", feature = "testing"))]

#[path = "../stage/mod.rs"]
mod stage;

mod accepts;
mod answers;
mod authorizations;
mod cookies_read;
mod cookies_set;
mod markup;
mod multi_dicts;
mod redirects;

use std::cell::RefCell;
use std::future::ready;
use std::rc::Rc;

use foster::Error;
use foster::http::IntoResponse;
use foster::testing::serve_http;

use stage::{config, paused, reports_of, text};

/// What a client gets of such an answer, without the fields that every last response has.
fn sent<A: IntoResponse + 'static>(answer: impl Fn() -> A + 'static) -> String {
    let (answer, reports) = sent_and_reported(answer);
    assert_eq!(reports, [] as [&str; 0]);
    answer
}

fn sent_and_reported<A: IntoResponse + 'static>(answer: impl Fn() -> A + 'static) -> (String, Vec<String>) {
    let outcome = Rc::new(RefCell::new((String::new(), Vec::new())));
    let kept = outcome.clone();
    paused(async move |nursery| {
        let reports = reports_of(&nursery);
        let peer = serve_http(&nursery, move |_| ready(answer()), config()).connect();
        peer.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let response = text(peer.read_to_end().await);
        *kept.borrow_mut() = (response.replace("connection: close\r\n", ""), reports.words());
        Ok(())
    });
    outcome.take()
}

/// The message of what an answer is not.
fn error_of(answer: impl IntoResponse) -> Error {
    answer.into_response().expect_err("no response")
}
