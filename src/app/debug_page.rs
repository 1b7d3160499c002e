//! The page that shows an error to who develops the application.

use super::request::Request;
use crate::http::{HeaderValue, Response, StatusCode, escape};
use crate::{Error, dump};

/// Everything that is known of an error that nothing has answered: its causes, the request, the tree of tasks.
pub(super) fn debug_page(request: &Request, err: &Error) -> Response {
    let causes: String = err.chain().map(|cause| format!("<li>{}</li>\n", escape(&cause.to_string()))).collect();
    let head = request.head();
    let fields: String = head
        .headers()
        .iter()
        .map(|(name, value)| format!("{}: {}\n", escape(name), escape(&String::from_utf8_lossy(value))))
        .collect();
    let page = format!(
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         <h1>{title}</h1>\n<ol>\n{causes}</ol>\n<h2>Request</h2>\n<pre>{line}\n{fields}</pre>\n\
         <p>endpoint {endpoint:?}, values {values}</p>\n<h2>Tasks</h2>\n<pre>{tasks}</pre>\n",
        title = escape(&err.to_string()),
        line = escape(&String::from_utf8_lossy(head.request_line())),
        endpoint = request.endpoint().unwrap_or_default(),
        values = escape(&format!("{:?}", request.view_args())),
        tasks = escape(&dump()),
    );
    Response::with_type(HeaderValue::from_static("text/html; charset=utf-8"), page)
        .with_status(StatusCode::INTERNAL_SERVER_ERROR)
}

const STYLE: &str = "body{font:1rem/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
                     pre{background:#f4f2ee;padding:1rem;overflow:auto}h1{overflow-wrap:anywhere}";
