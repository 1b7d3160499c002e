//! [`HttpException`]: an error that is a response.

use std::borrow::Cow;
use std::fmt;

use crate::Error;
use crate::http::{HeaderList, HeaderName, HeaderValue, Response, StatusCode, client_fault, header};

/// An error that says which status answers it: Werkzeug's `HTTPException`. Make one with [`abort`].
///
/// Unless a handler of errors knows better, it is answered with a small page that has the status and the description.
#[derive(Clone, Debug)]
pub struct HttpException {
    status: StatusCode,
    description: Option<Cow<'static, str>>,
    headers: HeaderList,
    original: Option<Error>,
}

/// An error with that status, for a view to return: Quart's `abort`.
///
/// It is a value, and not raised: write `return Err(abort(404).into())`, or `find(id).ok_or_else(|| abort(404))?`.
///
/// # Panics
///
/// If the number is no status from 400 to 599, which are those of errors.
///
/// ```
/// use foster::app::{HttpException, Path, abort};
///
/// async fn user(Path(id): Path<i64>) -> Result<String, HttpException> {
///     if id == 1 { Ok("ada".to_owned()) } else { Err(abort(404).description("there is one user, with the number 1")) }
/// }
/// ```
#[track_caller]
pub fn abort(status: impl TryInto<StatusCode>) -> HttpException {
    let status = status.try_into().ok().filter(|status| status.is_client_error() || status.is_server_error());
    HttpException::new(status.expect("abort is given a status from 400 to 599"))
}

impl HttpException {
    pub(super) fn new(status: StatusCode) -> Self {
        HttpException { status, description: None, headers: HeaderList::new(), original: None }
    }

    /// An error that no handler has answered: Werkzeug's `InternalServerError(original_exception=err)`.
    pub(super) fn internal(original: Error) -> Self {
        HttpException { original: Some(original), ..HttpException::new(StatusCode::INTERNAL_SERVER_ERROR) }
    }

    /// An error as an exception, if it is one or the client is to blame for it, as for a body that is too long.
    pub(super) fn of(err: &Error) -> Option<Error> {
        if err.is::<HttpException>() {
            return Some(err.clone());
        }
        let exception = HttpException::new(client_fault(err)?).description(sentence(&err.to_string()));
        Some(HttpException { original: Some(err.clone()), ..exception }.into())
    }

    /// The status of an error that [is an exception](HttpException::of).
    pub(super) fn status_of(err: &Error) -> Option<StatusCode> {
        err.downcast_ref().map(HttpException::status).or_else(|| client_fault(err))
    }

    /// Says more than the reason phrase: for the page that answers it.
    pub fn description(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// A header field for the response, as `WWW-Authenticate` or `Retry-After`.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The header fields for the response.
    pub fn headers(&self) -> &HeaderList {
        &self.headers
    }

    /// What was said with [`description`](HttpException::description).
    pub fn get_description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The error that this stands for, which no handler knows, or for which the client is to blame: Werkzeug's
    /// `original_exception`.
    pub fn original(&self) -> Option<&Error> {
        self.original.as_ref()
    }

    /// The small page with status and description: Werkzeug's `get_response`.
    pub fn to_response(&self) -> Response {
        let name = self.status.canonical_reason().unwrap_or("Unknown Error");
        let mut page = format!(
            "<!doctype html>\n<html lang=en>\n<title>{} {name}</title>\n<h1>{name}</h1>\n",
            self.status.as_u16()
        );
        if let Some(description) = &self.description {
            page += "<p>";
            page += &crate::http::escape(description);
            page += "</p>\n";
        }
        let mut response = Response::with_type(HeaderValue::from_static("text/html; charset=utf-8"), page);
        response.set_status(self.status);
        for (name, value) in self.headers.iter() {
            if *name == header::CONTENT_TYPE {
                response.set_content_type(Some(value.clone()));
            } else {
                response.headers_mut().append(name.clone(), value.clone());
            }
        }
        response
    }
}

/// A message as a sentence for people.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

impl fmt::Display for HttpException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        self.description.as_ref().map_or(Ok(()), |description| write!(f, ": {description}"))
    }
}

impl std::error::Error for HttpException {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.original.as_ref().map(|err| &**err as &(dyn std::error::Error + 'static))
    }
}
