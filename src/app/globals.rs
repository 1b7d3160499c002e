//! [`Globals`]: what a request, or a background task, keeps for whoever works on it.

use std::any::Any;
use std::rc::Rc;

use super::context::AppContext;
use super::type_map::TypeMap;

/// A place for values that live as long as their request: Quart's `g`, by type instead of by name.
///
/// A value that has the [`Request`](super::Request) itself, or this place, keeps the request for good unless somebody
/// [removes](Globals::remove) it: ask [`request()`](super::request()) instead.
///
/// ```
/// use foster::app::{App, g};
///
/// struct User(String);
///
/// let mut app = App::new();
/// app.before_request(async || {
///     g().insert(User("ada".to_owned()));
/// });
/// app.get("/", async || g().get::<User>().map_or_else(String::new, |user| format!("Hello, {}", user.0)));
/// ```
pub struct Globals {
    context: Rc<AppContext>,
}

impl Globals {
    pub(super) fn of(context: Rc<AppContext>) -> Self {
        Globals { context }
    }

    fn values(&self) -> &TypeMap {
        &self.context.globals
    }

    /// Puts a value in the place of the one of its type, which is given back.
    pub fn insert<T: Any>(&self, value: T) -> Option<Rc<T>> {
        self.values().insert(value)
    }

    /// The value of that type.
    pub fn get<T: Any>(&self) -> Option<Rc<T>> {
        self.values().get()
    }

    /// The value of that type, which is there from now on: `setdefault`.
    pub fn get_or_insert_with<T: Any>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        if let Some(value) = self.values().get() {
            return value;
        }
        let value = make();
        self.values().insert(value);
        self.values().get().expect("put in in the line above")
    }

    /// Takes the value of that type out: `pop`.
    pub fn remove<T: Any>(&self) -> Option<Rc<T>> {
        self.values().remove()
    }
}
