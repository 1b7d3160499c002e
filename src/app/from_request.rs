//! [`FromRequest`]: what a view may take as an argument.

use std::any::TypeId;
use std::future::{Future, ready};

use super::exception::HttpException;
use super::request::Request;
use super::routing::BoundRule;
use super::type_map::TypeMap;
use crate::Result;

/// What an argument of a view can be: it is taken from the request before the view is called.
///
/// There are [`Path`](super::Path), [`Query`](super::Query), [`Json`](crate::http::Json), [`State`](super::State),
/// [`Request`], [`WebSocket`](super::WebSocket), `Bytes` and `String` for the whole body, and
/// [`Body`](crate::http::Body) for a body that is read as it comes. `Option<T>` is `None` where a `T` cannot be taken for
/// a fault of the client, `Result<T, Error>` has the error. Header fields and cookies are asked of a [`Request`].
///
/// ```
/// use std::future::{Future, ready};
///
/// use foster::Result;
/// use foster::app::{App, FromRequest, Request, abort};
///
/// /// Who sends the request.
/// struct User(String);
///
/// impl FromRequest for User {
///     fn from_request(request: &Request) -> impl Future<Output = Result<Self>> {
///         let name = request.headers().get("x-user").map(|name| User(name.to_owned()));
///         ready(name.ok_or_else(|| abort(401).into()))
///     }
/// }
///
/// let mut app = App::new();
/// app.get("/me", async |User(name): User| name);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a view: it cannot be taken from a request",
    label = "a view takes `Path<T>`, `Query<T>`, `Json<T>`, `State<T>`, `Request`, `Bytes`, `String` or `Body`",
    note = "wrap it: `Path<{Self}>` for values of the path, `Query<{Self}>` for those of the query, `Json<{Self}>` for \
            the body, `State<{Self}>` for what the application was given",
    note = "an argument owns what it has: a `String`, and no `&str`",
    note = "or implement `foster::app::FromRequest` for it"
)]
pub trait FromRequest: Sized {
    /// Takes it.
    ///
    /// # Errors
    ///
    /// What is answered instead of calling the view: an [`HttpException`](super::HttpException) with its status, any
    /// other error with 500, unless a handler of errors knows it.
    fn from_request(request: &Request) -> impl Future<Output = Result<Self>>;

    /// Says what has to be there for it: looked at when the application starts, for each of its routes.
    fn require(requirements: &mut Requirements<'_>) {
        let _ = requirements;
    }
}

/// What the arguments of a view need of the application and of the rule that they stand at.
pub struct Requirements<'a> {
    pub(super) state: &'a TypeMap,
    /// Absent for a hook.
    pub(super) rule: Option<&'a BoundRule>,
    pub(super) is_websocket: bool,
    /// No hook may change the values of the path.
    pub(super) are_values_final: bool,
    pub(super) missing: Vec<String>,
}

impl Requirements<'_> {
    /// The rule that the view stands at; none for a hook.
    pub fn rule(&self) -> Option<&BoundRule> {
        self.rule
    }

    /// Whether the view is for WebSockets.
    pub fn is_websocket(&self) -> bool {
        self.is_websocket
    }

    /// Whether the application has [state](super::App::state) of that type.
    pub fn has_state(&self, of: TypeId) -> bool {
        self.state.contains(of)
    }

    /// Says in a sentence what is missing: the application does not start.
    pub fn missing(&mut self, what: impl Into<String>) {
        self.missing.push(what.into());
    }
}

impl FromRequest for Request {
    fn from_request(request: &Request) -> impl Future<Output = Result<Self>> {
        ready(Ok(request.clone()))
    }
}

/// `None` where it cannot be taken for a fault of the client: an error with a status below 500. Any other stays one.
impl<T: FromRequest> FromRequest for Option<T> {
    async fn from_request(request: &Request) -> Result<Self> {
        match T::from_request(request).await {
            Ok(taken) => Ok(Some(taken)),
            Err(err) if HttpException::status_of(&err).is_some_and(|status| status.is_client_error()) => Ok(None),
            Err(err) => Err(err),
        }
    }

    fn require(requirements: &mut Requirements<'_>) {
        T::require(requirements);
    }
}

/// With the error, if it cannot be taken: the view says what is answered.
impl<T: FromRequest> FromRequest for Result<T> {
    async fn from_request(request: &Request) -> Result<Self> {
        Ok(T::from_request(request).await)
    }

    fn require(requirements: &mut Requirements<'_>) {
        T::require(requirements);
    }
}
