//! The page that shows an error to who develops the application.

use std::fmt::Write;

use super::request::Request;
use crate::http::{HeaderValue, Response, StatusCode, escape};
use crate::{Error, NurseryError, dump};

/// Everything that is known of an error that nothing has answered: its causes, the request, the tree of tasks. All of it
/// is text, whatever a client has put into it.
pub(super) fn debug_page(request: &Request, err: &Error) -> Response {
    let mut page = String::from("<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n");
    // Writing to a String cannot fail.
    let _ = write!(page, "<title>{}</title>\n<style>{STYLE}</style>\n", escape(&err.to_string()));
    push_error(err, &mut page);
    page += "<h2>Request</h2>\n";
    push_text(&request_text(request), &mut page);
    let endpoint = request.endpoint().unwrap_or("none");
    push_text(&format!("endpoint {endpoint}, values {:?}", request.view_args()), &mut page);
    page += "<h2>Tasks</h2>\n";
    push_text(&dump(), &mut page);
    page +=
        "<p>This page is shown because <code>debug</code> is on. Everybody else gets a page that says nothing.</p>\n";
    Response::with_type(HeaderValue::from_static("text/html; charset=utf-8"), page)
        .with_status(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The error with its causes, and those that it is a group of.
fn push_error(err: &Error, page: &mut String) {
    let _ = writeln!(page, "<h1>{}</h1>", escape(&err.to_string()));
    if let Some(group) = err.downcast_ref::<NurseryError>() {
        page.push_str("<h2>Errors, first in time first</h2>\n<ol>\n");
        for leaf in group.leaves() {
            let _ = writeln!(page, "<li>{}", escape(&leaf.to_string()));
            push_causes(leaf, page);
        }
        page.push_str("</ol>\n");
    }
    push_causes(err, page);
}

fn push_causes(err: &Error, page: &mut String) {
    let mut causes = err.chain().skip(1).peekable();
    if causes.peek().is_none() {
        return;
    }
    page.push_str("<p>Caused by</p>\n<ol>\n");
    for cause in causes {
        let _ = writeln!(page, "<li>{}</li>", escape(&cause.to_string()));
    }
    page.push_str("</ol>\n");
}

/// The head of the request as it came.
fn request_text(request: &Request) -> String {
    let head = request.head();
    let mut text = String::from_utf8_lossy(head.request_line()).into_owned();
    for (name, value) in head.headers().iter() {
        let _ = write!(text, "\n{name}: {}", String::from_utf8_lossy(value));
    }
    text
}

fn push_text(text: &str, page: &mut String) {
    let _ = writeln!(page, "<pre>{}</pre>", escape(text));
}

const STYLE: &str = "body{font:1rem/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
                     pre{background:#f4f2ee;padding:1rem;overflow:auto}h1{overflow-wrap:anywhere}";
