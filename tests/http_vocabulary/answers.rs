//! What handlers may give, and what the client gets of it: Quart's return values.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use foster::http::{
    HeaderList, HeaderName, HeaderValue, Html, IntoResponse, Json, PartError, Response, ResponseBody, ResponsePart,
    StatusCode, header,
};
use foster::{Error, Handler, Result};
use futures::stream;
use serde_json::{Value, json};

use crate::{error_of, sent, sent_and_reported};

const OCTETS: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

fn type_of(answer: impl IntoResponse) -> String {
    let response = answer.into_response().expect("a response");
    assert_eq!(response.status(), StatusCode::OK);
    let content_type = response.content_type().and_then(|value| value.to_str().ok());
    format!("{} {}", response.body().content_length().expect("a length"), content_type.expect("a type"))
}

#[test]
fn every_kind_of_body_has_its_type_and_its_length() {
    let no_text: Cow<'static, str> = Cow::Borrowed("");
    for (found, expected) in [
        (type_of("four"), format!("4 {TEXT}")),
        (type_of(String::from("caf\u{e9}")), format!("5 {TEXT}")),
        (type_of(Box::<str>::from("four")), format!("4 {TEXT}")),
        (type_of(no_text), format!("0 {TEXT}")),
        (type_of(Cow::<str>::Owned("four".into())), format!("4 {TEXT}")),
        (type_of(vec![0u8; 3]), format!("3 {OCTETS}")),
        (type_of(Bytes::from_static(b"\0")), format!("1 {OCTETS}")),
        (type_of(b"\0\x01"), format!("2 {OCTETS}")),
        (type_of(&b"\0\x01"[..]), format!("2 {OCTETS}")),
        (type_of(ResponseBody::from("four")), format!("4 {OCTETS}")),
        (type_of(Html("<p>")), format!("3 {HTML}")),
        (type_of(Html(String::from("<p>"))), format!("3 {HTML}")),
        (type_of(Html(Cow::Borrowed("<p>"))), format!("3 {HTML}")),
        (type_of(Json(())), format!("4 {JSON}")),
        (type_of(Value::Null), format!("4 {JSON}")),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn text_that_looks_like_markup_stays_plain() {
    assert!(sent(|| "<script>").contains(&format!("content-type: {TEXT}\r\n")));
}

#[test]
fn a_status_may_be_a_literal_number() {
    assert_eq!(
        sent(|| ("Started", 201)),
        format!("HTTP/1.1 201 Created\r\ncontent-type: {TEXT}\r\ncontent-length: 7\r\n\r\nStarted")
    );
}

#[test]
fn an_async_handler_may_give_a_literal_number() {
    async fn started() -> (&'static str, u16) {
        ("Started", 201)
    }

    fn is_handler(_: impl Handler) {}
    is_handler(|_| async { ("Started", 201) });
    is_handler(async |_| ("Started", 201, [("x-job", "7")]));
    is_handler(|_| started());
}

#[test]
fn status_and_headers_are_set_over_those_of_the_body() {
    let inner = || {
        let mut response = Response::text("page");
        response.set_status(StatusCode::ACCEPTED);
        for (name, value) in [(header::ETAG, "\"1\""), (header::VARY, "accept"), (header::VARY, "cookie")] {
            response.headers_mut().append(name, HeaderValue::from_static(value));
        }
        response
    };
    assert_eq!(
        sent(move || (inner(), 404, [("Vary", "*"), ("Content-Type", "text/html"), ("X-A", "1"), ("x-a", "2")])),
        "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\netag: \"1\"\r\nvary: *\r\nx-a: 1\r\nx-a: 2\r\n\
         content-length: 4\r\n\r\npage"
    );
    let untouched = (inner(), HeaderList::new()).into_response().expect("a response");
    assert_eq!((untouched.status(), untouched.headers().len()), (StatusCode::ACCEPTED, 3));
}

#[test]
fn header_fields_come_in_every_form_that_makes_one() {
    let list: HeaderList = [(header::ETAG, HeaderValue::from_static("\"1\""))].into_iter().collect();
    let of = |answer: Result<Response>| answer.expect("a response").headers().clone();
    let name = || HeaderName::from_static("etag");
    assert_eq!(of(("", list.clone()).into_response()), list);
    assert_eq!(of(("", [(name(), HeaderValue::from_static("\"1\""))]).into_response()), list);
    assert_eq!(of(("", [("ETag", "\"1\"")]).into_response()), list);
    assert_eq!(of(("", [(header::ETAG, "\"1\"")]).into_response()), list);
    assert_eq!(of(("", [("etag", String::from("\"1\""))]).into_response()), list);
    assert_eq!(of(("", StatusCode::OK, [(name(), "\"1\"")]).into_response()), list);
}

#[test]
fn the_content_type_stands_in_one_place_only() {
    let types = [("content-type", "a/b"), ("Content-Type", "c/d")];
    let mut inner = Response::new(StatusCode::OK);
    inner.headers_mut().append(header::CONTENT_TYPE, HeaderValue::from_static("e/f"));
    assert_eq!(
        sent(move || (Response::new(StatusCode::OK), types)),
        "HTTP/1.1 200 OK\r\ncontent-type: c/d\r\ncontent-length: 0\r\n\r\n"
    );
    let response = (inner, types).into_response().expect("a response");
    assert_eq!((response.headers().len(), response.content_type()), (0, Some(&HeaderValue::from_static("c/d"))));
}

#[test]
fn a_number_that_is_no_final_status_is_an_error_that_says_so() {
    for status in [0, 1, 99, 100, 101, 199, 1000, u16::MAX] {
        let err = error_of(("body", status));
        assert_eq!(err.downcast_ref(), Some(&PartError::Status(status)), "{status}");
    }
    assert_eq!(error_of(("", 1000)).to_string(), "1000 is no status of a response: it has three digits, from 200");
    assert!(error_of(("", StatusCode::EARLY_HINTS)).to_string().contains("Request::send_informational"));
    assert_eq!(("", 200).into_response().expect("a response").status(), StatusCode::OK);
    assert_eq!(("", 299).into_response().expect("a response").status().as_u16(), 299);
}

#[test]
fn a_header_field_that_is_none_is_an_error_that_names_it_and_not_its_value() {
    for name in ["", "a b", "a:", "a\r\nb", "caf\u{e9}"] {
        let err = error_of(("", [("x-fine", "1"), (name, "secret")]));
        assert_eq!(err.downcast_ref(), Some(&PartError::HeaderName(format!("{name:?}"))), "{name:?}");
        assert!(!err.to_string().contains(['\r', '\n']) && !err.to_string().contains("secret"), "{err}");
    }
    for value in ["secret\r\nSet-Cookie: a=b", "secret\n", "secret\0", "secret\u{7f}"] {
        let err = error_of(("", 201, [("X-Key", value)]));
        assert_eq!(err.downcast_ref(), Some(&PartError::HeaderValue(HeaderName::from_static("x-key"))), "{value:?}");
        assert!(!err.to_string().contains("secret"), "{err}");
    }
}

#[test]
fn a_handler_that_gives_a_bad_part_has_failed_and_sends_nothing_of_it() {
    let (answer, reports) = sent_and_reported(|| ("body", [("x-a", "1\r\nx-b: 2")]));
    assert!(answer.starts_with("HTTP/1.1 500 ") && !answer.contains("x-a") && !answer.contains("body"), "{answer}");
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].contains("the value of the header field x-a"), "{reports:?}");
}

#[test]
fn an_error_in_the_body_is_the_answer_whatever_stands_behind_it() {
    let failed: Result<&'static str> = Err(Error::msg("no page"));
    assert_eq!(error_of((failed, 200, [("x-a", "1")])).to_string(), "no page");
}

#[test]
fn a_result_may_hold_a_tuple_and_a_tuple_a_result() {
    assert_eq!(foster::Ok(("a", 201)).into_response().expect("a response").status(), StatusCode::CREATED);
    assert_eq!((foster::Ok("a"), 202).into_response().expect("a response").status(), StatusCode::ACCEPTED);
}

#[test]
fn a_status_alone_has_no_body_and_takes_headers() {
    assert_eq!(
        sent(|| (StatusCode::NO_CONTENT, [(header::ETAG, "\"1\"")])),
        "HTTP/1.1 204 No Content\r\netag: \"1\"\r\n\r\n"
    );
    assert_eq!(sent(|| ("not sent", 204)), format!("HTTP/1.1 204 No Content\r\ncontent-type: {TEXT}\r\n\r\n"));
}

#[test]
fn a_stream_is_an_answer_with_a_status_and_a_type() {
    let pieces = || stream::iter(["one", "two"].map(|piece| foster::Ok(Bytes::from_static(piece.as_bytes()))));
    assert_eq!(
        sent(move || (ResponseBody::sized_stream(6, pieces()), 203, [("content-type", "text/csv")])),
        "HTTP/1.1 203 Non Authoritative Information\r\ncontent-type: text/csv\r\ncontent-length: 6\r\n\r\nonetwo"
    );
}

#[test]
fn json_is_compact_and_keeps_what_is_not_ascii() {
    let values = BTreeMap::from([("b", json!([1, null])), ("a", json!("caf\u{e9}</script>"))]);
    assert_eq!(
        sent(move || (Json(values.clone()), 201)),
        format!(
            "HTTP/1.1 201 Created\r\ncontent-type: {JSON}\r\ncontent-length: 35\r\n\r\n\
             {{\"a\":\"caf\u{e9}</script>\",\"b\":[1,null]}}"
        )
    );
    assert!(sent(|| json!({"a": 1})).ends_with("\r\n\r\n{\"a\":1}"));
}

#[test]
fn a_value_that_has_no_json_is_an_error_of_the_handlers() {
    let (answer, reports) = sent_and_reported(|| Json(BTreeMap::from([((1, 2), 3)])));
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert_eq!(reports, ["a handler failed: key must be a string"]);
}

/// A part of one's own: as an application has it for what it sets often.
struct NotCached;

impl ResponsePart for NotCached {
    fn apply(self, response: &mut Response) -> Result<()> {
        [(header::CACHE_CONTROL, "no-store")].apply(response)
    }
}

#[test]
fn an_application_may_have_parts_of_its_own() {
    let response = ("secret", NotCached).into_response().expect("a response");
    assert_eq!(response.headers().get(&header::CACHE_CONTROL), Some(&HeaderValue::from_static("no-store")));
}
