//! [`ResponsePart`]: what stands behind a body in the answer of a handler.

use std::fmt;

use ::http::{HeaderName, HeaderValue, StatusCode, header};

use super::header_list::HeaderList;
use super::response::Response;
use crate::Result;

/// What may stand behind a body in the answer of a handler: a status, as [`StatusCode`] or as its number, or header
/// fields, as a [`HeaderList`] or an array of pairs.
///
/// As in Quart, a status takes the place of the one that was there, and header fields take the place of all others of
/// their names, `Content-Type` and `Set-Cookie`, too. Several of one name in the same list all stay; of `Content-Type`
/// the last one does.
///
/// ```
/// use foster::http::{HeaderValue, IntoResponse, header};
///
/// let feed = ("<feed/>", [(header::CONTENT_TYPE, "application/atom+xml")]).into_response()?;
/// assert_eq!(feed.content_type(), Some(&HeaderValue::from_static("application/atom+xml")));
/// assert!(("Who?", 99).into_response().is_err());
/// # foster::Ok(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither the status nor the header fields of a response",
    label = "this cannot stand behind a body",
    note = "a status is a `StatusCode` or a number that fits `u16`",
    note = "header fields are a `HeaderList` or an array of pairs, as `[(header::ETAG, \"\\\"1\\\"\")]`",
    note = "the body comes first: `(body, status)`, `(body, headers)` or `(body, status, headers)`"
)]
pub trait ResponsePart {
    /// Sets the part over what the response has.
    ///
    /// # Errors
    ///
    /// [`PartError`] for what no response has; it has not changed then. The handler has failed, and the client gets 500.
    fn apply(self, response: &mut Response) -> Result<()>;
}

impl ResponsePart for StatusCode {
    fn apply(self, response: &mut Response) -> Result<()> {
        if self.is_informational() {
            return Err(PartError::Status(self.as_u16()).into());
        }
        response.set_status(self);
        Ok(())
    }
}

/// A status by its number. No other integer is a part, so that a literal is of this type.
impl ResponsePart for u16 {
    fn apply(self, response: &mut Response) -> Result<()> {
        StatusCode::from_u16(self).map_err(|_| PartError::Status(self))?.apply(response)
    }
}

impl ResponsePart for HeaderList {
    fn apply(self, response: &mut Response) -> Result<()> {
        for (name, _) in self.iter() {
            response.headers_mut().remove(name);
        }
        for (name, value) in self {
            if name == header::CONTENT_TYPE {
                response.set_content_type(Some(value));
            } else {
                response.headers_mut().append(name, value);
            }
        }
        Ok(())
    }
}

/// Pairs of names and values: as [`HeaderName`] and [`HeaderValue`], or as text that is checked.
impl<K, V, const N: usize> ResponsePart for [(K, V); N]
where
    K: TryInto<HeaderName> + fmt::Debug + Clone,
    V: TryInto<HeaderValue>,
{
    fn apply(self, response: &mut Response) -> Result<()> {
        let fields: Result<HeaderList, PartError> = self.into_iter().map(checked).collect();
        fields?.apply(response)
    }
}

fn checked<K, V>((name, value): (K, V)) -> Result<(HeaderName, HeaderValue), PartError>
where
    K: TryInto<HeaderName> + fmt::Debug + Clone,
    V: TryInto<HeaderValue>,
{
    let Ok(parsed) = name.clone().try_into() else { return Err(PartError::HeaderName(format!("{name:?}"))) };
    match value.try_into() {
        Ok(value) => Ok((parsed, value)),
        Err(_) => Err(PartError::HeaderValue(parsed)),
    }
}

/// A part that no response has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartError {
    /// A number that is no status, or the status of an informational response.
    Status(u16),
    /// A name that is no token, in quotes.
    HeaderName(String),
    /// The field of that name has a value with a control byte. The value is not told: it may be a secret.
    HeaderValue(HeaderName),
}

impl fmt::Display for PartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartError::Status(status @ 100..200) => {
                write!(f, "{status} is no final status: `Request::send_informational` sends informational responses")
            }
            PartError::Status(status) => {
                write!(f, "{status} is no status of a response: it has three digits, from 200")
            }
            PartError::HeaderName(name) => {
                write!(f, "{name} is no name of a header field: it is made of letters, digits and !#$%&'*+-.^_`|~")
            }
            PartError::HeaderValue(name) => {
                write!(f, "the value of the header field {name} has a control byte: it is one line of text")
            }
        }
    }
}

impl std::error::Error for PartError {}
