//! [`Path`]: the values of the path as an argument.

use std::any::type_name;
use std::cell::Ref;
use std::future::{Future, ready};

use serde::de::DeserializeOwned;

use super::dispatch::of_routing;
use super::exception::HttpException;
use super::from_request::{FromRequest, Requirements};
use super::path_deserializer::{PathDeserializer, Samples};
use super::path_error::PathError;
use super::request::Request;
use super::view_args::ViewArgs;
use crate::http::StatusCode;
use crate::{Error, Result};

/// The values of the path: what Quart passes to a view as its arguments, read by serde.
///
/// | `T` | what it is read from |
/// | --- | --- |
/// | a number, text, [`Uuid`](super::routing::Uuid), an enum by the names of its variants | the only value |
/// | a tuple, `Vec` | all of them, in the order of the rule: the host's first, defaults that are no variables last |
/// | a struct, a map | all of them, by name; a struct may leave some out |
/// | `Option` | as field: `None` where the rule has no such value; as a whole: where it has none at all |
///
/// A value has the kind that its converter gives: `int` an integer, `float` a number, `uuid` text or a
/// [`Uuid`](super::routing::Uuid), any other text. Nothing is parsed again, so that `<id>` is no `i64`, and `<int:id>`
/// no `String`. The value of a converter of one's own type is taken from [`view_args`](Request::view_args).
///
/// What can be told before any request keeps the application from starting: how many values there are, the names of
/// fields, and of the built-in converters the kinds. Where a
/// [`url_value_preprocessor`](super::App::url_value_preprocessor) may change the values, nothing can.
///
/// # Errors
///
/// 404 for a value that its type does not take, as 300 for `u8`, -1 for `u32`, or a word that is no variant of an enum:
/// it is as if a converter had refused it, but no other rule is tried. The error of a `Deserialize` of one's own is
/// such a refusal. A type that cannot be read from the values of the rule is the application's fault, and answered with
/// 500.
///
/// ```
/// use foster::app::{App, Path};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Entry {
///     year: u16,
///     slug: String,
///     page: Option<u32>,
/// }
///
/// let mut app = App::new();
/// app.get("/users/<int:id>", async |Path(id): Path<i64>| format!("user {id}"));
/// app.get("/files/<kind>/<path:name>", async |Path((kind, name)): Path<(String, String)>| format!("{kind}: {name}"));
/// app.get("/<int:year>/<slug>", entry);
/// app.get("/<int:year>/<slug>/<int:page>", entry).endpoint("page_of_entry");
///
/// async fn entry(Path(entry): Path<Entry>) -> String {
///     format!("{}, {}, page {}", entry.year, entry.slug, entry.page.unwrap_or(1))
/// }
/// # assert!(app.into_handler().is_ok());
/// ```
///
/// ```
/// # use foster::app::{App, Path};
/// let mut app = App::new();
/// app.get("/users/<id>", async |Path(id): Path<i64>| format!("user {id}"));
///
/// let err = app.into_handler().err().expect("the variable is text");
/// assert!(err.to_string().ends_with(
///     "the view at \"/users/<id>\" takes Path<i64>, but \"id\" is text where i64 is expected: \
///      write <int:id>, or take a String"
/// ));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Path<T> {
    fn from_request(request: &Request) -> impl Future<Output = Result<Self>> {
        ready(read(request).map(Path))
    }

    fn require(requirements: &mut Requirements<'_>) {
        let Some(rule) = requirements.rule().filter(|_| requirements.are_values_final) else { return };
        let samples = Samples::of(rule);
        if let Err(PathError::Mismatch(mismatch)) = T::deserialize(PathDeserializer::new(&samples)) {
            requirements.missing(format!("takes Path<{}>, but {mismatch}", type_name::<T>()));
        }
    }
}

impl Request {
    /// One value of the path, as [`Path`] reads it: `view_args[name]`. A `T` that is an `Option` is `None` where there is
    /// no such value.
    ///
    /// # Errors
    ///
    /// As [`Path`].
    ///
    /// ```
    /// use foster::app::{App, request};
    ///
    /// let mut app = App::new();
    /// app.get("/users/<int:id>", async || {
    ///     let id: u32 = request().view_arg("id")?;
    ///     foster::Ok(format!("user {id}"))
    /// });
    /// ```
    pub fn view_arg<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let values = values(self)?;
        let read = PathDeserializer::named(&*values, name);
        T::deserialize(read).map_err(|err| error(self, err, type_name::<T>()))
    }
}

fn read<T: DeserializeOwned>(request: &Request) -> Result<T> {
    let values = values(request)?;
    T::deserialize(PathDeserializer::new(&*values)).map_err(|err| error(request, err, type_name::<Path<T>>()))
}

/// Only hooks that are over by now change the values: nothing that a `Deserialize` calls is in the way.
fn values(request: &Request) -> Result<Ref<'_, ViewArgs>> {
    match request.routing_exception() {
        // A hook comes also where there is no rule, and so no values.
        Some(no_match) => Err(of_routing(no_match).into()),
        None => Ok(request.state().routed.values.borrow()),
    }
}

fn error(request: &Request, err: PathError, wanted: &'static str) -> Error {
    match err {
        PathError::Refused => HttpException::new(StatusCode::NOT_FOUND).into(),
        PathError::Mismatch(mismatch) => {
            let rule = request.url_rule().map(|rule| rule.pattern()).unwrap_or_default();
            Error::msg(format!("{wanted} cannot be taken at the rule {rule:?}: {mismatch}"))
        }
    }
}
