//! [`Converter`]: what a variable takes, and what it makes of it.

use std::any::Any;
use std::borrow::Cow;
use std::rc::Rc;

use super::uuid::Uuid;
use super::value::PathValue;

/// What stands behind the name `int` in `<int:id>`: Werkzeug's `BaseConverter`. An application's own goes into a map
/// with [`MapBuilder::converter`](super::MapBuilder::converter).
///
/// There is no regular expression, as it is in Werkzeug: [`parse`](Converter::parse) says what is taken. Text comes to
/// it percent-decoded, and leaves [`to_url`](Converter::to_url) before it is encoded.
///
/// ```
/// use std::rc::Rc;
///
/// use foster::app::routing::{Arguments, Converter, Map, MatchRequest, Parsed, PathValue, Rule};
/// use foster::http::Method;
///
/// /// `<list:names>`: names joined by plus signs, as in `/r/rust+python`.
/// struct List;
///
/// impl Converter for List {
///     fn parse(&self, text: &str) -> Option<Parsed> {
///         Some(Parsed::custom(text.split('+').map(str::to_owned).collect::<Vec<_>>()))
///     }
///
///     fn to_url(&self, value: &PathValue<'_>) -> Option<String> {
///         value.downcast_ref::<Vec<String>>().map(|names| names.join("+"))
///     }
/// }
///
/// let map = Map::builder()
///     .converter("list", |_: &Arguments| Ok(Rc::new(List)))
///     .rule(Rule::new("/r/<list:names>").endpoint("readers"), ())
///     .build()?;
/// let found = map.match_request(&MatchRequest::new(&Method::GET, "/r/rust+python")).expect("the rule takes it");
/// let names = found.values().get("names").expect("the rule has it");
/// assert_eq!(names.downcast_ref::<Vec<String>>().map(Vec::len), Some(2));
/// assert_eq!(map.build("readers", &[("names", names)], &Default::default())?, "/r/rust+python");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no converter of path values",
    label = "needs `impl Converter`, with `parse` and `to_url`",
    note = "the factory of a converter gives `Ok(Rc::new(converter))`"
)]
pub trait Converter {
    /// What the text stands for; `None` if it is not taken, and the next rule is tried. The text is empty where a
    /// segment of the path is.
    fn parse(&self, text: &str) -> Option<Parsed>;

    /// The text for a URL, not percent-encoded; `None` if the value is of another type. What
    /// [`parse`](Converter::parse) would not take back is refused without being asked for here.
    fn to_url(&self, value: &PathValue<'_>) -> Option<String>;

    /// The smaller, the sooner it is tried where several converters fit: 50 for numbers, 200 for paths.
    fn weight(&self) -> u32 {
        100
    }

    /// Whether it keeps to one segment of the path. One that does not takes slashes, too, and everything up to the end
    /// of its rule is matched with it as a whole.
    fn is_part_isolating(&self) -> bool {
        true
    }

    /// How many bytes at the start of `text` it takes at most, where more of the rule follows in the same segment.
    fn longest(&self, text: &str) -> usize {
        text.len()
    }

    /// What it takes, for messages: "an integer", "one of \"a\", \"b\"".
    fn expects(&self) -> Cow<'static, str> {
        Cow::Borrowed("a value that its converter takes")
    }
}

/// What a [`Converter`] makes of text.
#[derive(Clone)]
#[non_exhaustive]
pub enum Parsed {
    /// The text itself, which is not copied.
    Text,
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A UUID.
    Uuid(Uuid),
    /// Anything else.
    Custom(Rc<dyn Any>),
}

impl Parsed {
    /// A value of any type.
    pub fn custom<C: Any>(value: C) -> Self {
        Parsed::Custom(Rc::new(value))
    }
}
