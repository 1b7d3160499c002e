//! [`Query`]: what stands behind the question mark as an argument.

use std::any::type_name;
use std::future::{Future, ready};

use serde::de::DeserializeOwned;

use super::exception::HttpException;
use super::from_request::{FromRequest, Requirements};
use super::pairs_deserializer::PairsDeserializer;
use super::pairs_error::PairsError;
use super::request::Request;
use crate::http::{MultiDict, StatusCode};
use crate::{Error, Result};

/// The arguments of the query, read by serde: [`Request::args`] with types.
///
/// A struct or a map takes them by name, a `Vec` of pairs takes all in their order. The first of several of one name is
/// that argument, as in Quart's `args.get`; a `Vec`, a tuple or a set takes all of them, as `args.getlist`.
///
/// - What is missing is `None` for an `Option`, the default for a field with `#[serde(default)]`, as a `Vec` mostly has,
///   and an error for any other.
/// - Numbers are read from their digits, and are finite. `true`, `on` and `1` are true, `false`, `off` and `0` are false:
///   a checkbox sends `on`. The names of an enum's variants are its values.
/// - An argument that is there, but empty, is empty text; it is no number, and not missing.
/// - What the type does not name is ignored, unless it says `#[serde(deny_unknown_fields)]`.
/// - Fields of a struct that is `#[serde(flatten)]`ed are text.
///
/// # Errors
///
/// 400, with a description that names the argument. A type that no query could be read as, as a number alone, keeps the
/// application from starting; a struct in a struct is answered with 500.
///
/// ```
/// use foster::app::{App, Query};
/// use foster::http::Json;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Search {
///     q: String,
///     page: Option<u32>,
///     #[serde(default)]
///     tag: Vec<String>,
/// }
///
/// let mut app = App::new();
/// app.get("/search", async |Query(search): Query<Search>| {
///     format!("{}, page {}, in {:?}", search.q, search.page.unwrap_or(1), search.tag)
/// });
/// # assert!(app.into_handler().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    fn from_request(request: &Request) -> impl Future<Output = Result<Self>> {
        let read = T::deserialize(PairsDeserializer::new(request.args()));
        ready(read.map(Query).map_err(|err| match err {
            PairsError::Refused(refused) => {
                HttpException::new(StatusCode::BAD_REQUEST).description(format!("In the query, {refused}.")).into()
            }
            PairsError::Mismatch(mismatch) => {
                Error::msg(format!("Query<{}> can be read from no query: {mismatch}", type_name::<T>()))
            }
        }))
    }

    fn require(requirements: &mut Requirements<'_>) {
        if let Err(PairsError::Mismatch(mismatch)) = T::deserialize(PairsDeserializer::new(&MultiDict::new())) {
            requirements
                .missing(format!("takes Query<{}>, which can be read from no query: {mismatch}", type_name::<T>()));
        }
    }
}
