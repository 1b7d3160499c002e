//! [`State`]: a value of the application as an argument.

use std::any::{Any, TypeId, type_name};
use std::future::{Future, ready};
use std::ops::Deref;
use std::rc::Rc;

use super::from_request::{FromRequest, Requirements};
use super::request::Request;
use crate::{Error, Result};

/// A value that the application was given with [`App::state`](super::App::state), shared by all requests of a worker.
///
/// A view that takes one that is not there keeps the application from starting.
///
/// ```
/// use std::cell::Cell;
///
/// use foster::app::{App, State};
///
/// #[derive(Default)]
/// struct Visits(Cell<u32>);
///
/// let mut app = App::new();
/// app.state(Visits::default());
/// app.get("/", async |visits: State<Visits>| {
///     visits.0.set(visits.0.get() + 1);
///     format!("visit {}", visits.0.get())
/// });
/// ```
pub struct State<T> {
    value: Rc<T>,
}

impl<T> State<T> {
    /// The value, for longer.
    pub fn into_rc(self) -> Rc<T> {
        self.value
    }
}

impl<T> Clone for State<T> {
    fn clone(&self) -> Self {
        State { value: self.value.clone() }
    }
}

impl<T> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Any> FromRequest for State<T> {
    fn from_request(request: &Request) -> impl Future<Output = Result<Self>> {
        let value = request.context().shared.states.get();
        let missing = || Error::msg(format!("the application has no state of the type {}", type_name::<T>()));
        ready(value.map(|value| State { value }).ok_or_else(missing))
    }

    fn require(requirements: &mut Requirements<'_>) {
        if !requirements.has_state(TypeId::of::<T>()) {
            let name = type_name::<T>();
            requirements.missing(format!("takes a State<{name}>, which nobody has given: app.state(value) does"));
        }
    }
}
