//! Protocol factories.

use std::cell::Cell;
use std::rc::Rc;

use foster_compat::Result;

use crate::actor::Actor;
use crate::protocol_spec::{FactoryLine, ProtocolSpec};
use crate::session::Session;

/// Makes the protocols of one server or client.
pub(crate) struct Factory {
    session: Rc<Session>,
    name: String,
    spec: Rc<ProtocolSpec>,
    other_spec: Option<Rc<ProtocolSpec>>,
    n_calls: Cell<usize>,
}

impl Factory {
    pub(crate) fn new(
        session: &Rc<Session>,
        name: &str,
        spec: Rc<ProtocolSpec>,
        other_spec: Option<Rc<ProtocolSpec>>,
    ) -> Rc<Self> {
        Rc::new(Factory { session: session.clone(), name: name.to_owned(), spec, other_spec, n_calls: Cell::new(0) })
    }

    /// The factory of one of the program's protocols.
    pub(crate) fn named(session: &Rc<Session>, name: &str) -> Rc<Self> {
        Factory::new(session, name, session.protocol(name), None)
    }

    /// Makes the protocol, and the other one to which it may hand its transport.
    pub(crate) fn make(&self) -> Result<Rc<Actor>> {
        let session = &self.session;
        self.n_calls.set(self.n_calls.get() + 1);
        let n = self.n_calls.get();
        match self.spec.factory_line {
            FactoryLine::Plain => session.output().emit("factory"),
            FactoryLine::Numbered => session.output().emit(format!("factory {n}")),
            FactoryLine::Quiet => {}
        }
        if let Some(exception) = &self.spec.factory_raises {
            return Err(exception.to_error());
        }
        let name = match self.spec.factory_line {
            FactoryLine::Numbered => n.to_string(),
            _ => self.name.clone(),
        };
        let actor = Actor::new(session, &name, &self.spec);
        session.cast(&self.name, &actor);
        session.cast(&name, &actor);
        if let Some(spec) = &self.other_spec {
            let other = Actor::new(session, "B", spec);
            session.cast("B", &other);
            actor.pair_with(&other);
        }
        Ok(actor)
    }

    /// The same as the library calls it, with the object that it wants.
    pub(crate) fn call<P>(self: &Rc<Self>, object: fn(Rc<Actor>) -> P) -> impl Fn() -> Result<P> + use<P> {
        let factory = self.clone();
        move || factory.make().map(object)
    }
}

/// Stands where a builder wants a factory that cannot fail, until its `try_factory` gets the real one.
pub(crate) fn no_protocol<P>() -> P {
    unreachable!("the builder has another factory")
}
