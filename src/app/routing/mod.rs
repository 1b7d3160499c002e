//! Routing by Werkzeug's rules: which rule a request is for, and which URL a rule has.
//!
//! A [`Map`] is built once from [`Rule`]s, each with a value of the application's, and never changes. Then
//! [`Map::match_request`] finds the rule for a request, and [`Map::build`] the URL of an endpoint. Nothing here does
//! I/O, and what is wrong with a rule is said when the map is built, with a mark at the place.
//!
//! | converter | takes | value | weight |
//! | --- | --- | --- | --: |
//! | `string`, `default` (`minlength`, `maxlength`, `length`) | text of one segment | [`PathValue::Str`] | 100 |
//! | `any` (words) | one of the words | [`PathValue::Str`] | 100 |
//! | `uuid` | a UUID with hyphens | [`PathValue::Uuid`] | 100 |
//! | `int` (`fixed_digits`, `min`, `max`, `signed`) | digits | [`PathValue::Int`] | 50 |
//! | `float` (`min`, `max`, `signed`) | digits, a point, digits | [`PathValue::Float`] | 50 |
//! | `path` | text with slashes | [`PathValue::Str`] | 200 |
//! | [your own](Converter) | what it parses | [`PathValue::Custom`] | 100 |
//!
//! At each segment, text is tried before variables, then what has more text, then lighter converters, then rules in
//! their order; what does not lead to the end is taken back. Of the rules at the end, one that names the method is
//! taken before one that takes every method.
//!
//! What differs from Werkzeug, each with a test in `tests/routing`:
//!
//! - `%2F` is part of a value and separates nothing; a path that is not percent-encoded UTF-8 matches nothing.
//! - A converter that refuses a value, as `int(max=9)` does 10, lets the next rule try.
//! - Digits are ASCII, and integers beyond 64 bits are not taken.
//! - The rule that names a method is taken before one that takes all, whichever came first.
//! - Rules that cannot be told apart, names that are used twice and patterns nobody would look at are errors.
//! - Values are checked when a URL is built, and the URL is matched with the same values again.

mod arguments;
mod binding;
mod bound;
mod build_error;
mod build_options;
mod builder;
mod captures;
mod converter;
mod converters;
mod error;
mod found;
mod map;
mod matching;
mod methods;
mod mixed;
mod nearest;
mod no_match;
mod part;
mod path_text;
mod quote;
mod read_back;
mod redirect;
mod request;
mod rule;
mod state;
mod syntax;
mod url;
mod uuid;
mod value;
mod values;

pub use arguments::{Argument, ArgumentError, Arguments};
pub use bound::BoundRule;
pub use build_error::BuildError;
pub use build_options::BuildOptions;
pub use builder::MapBuilder;
pub use converter::{Converter, Parsed};
pub use error::{MapError, RuleError, RuleErrorKind};
pub use found::Match;
pub use map::Map;
pub use methods::Methods;
pub use no_match::NoMatch;
pub use request::MatchRequest;
pub use rule::Rule;
pub(in crate::app) use url::root_path;
pub use uuid::{BadUuid, Uuid};
pub use value::PathValue;
pub use values::PathValues;
