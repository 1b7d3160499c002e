//! Protocol factories.

use std::cell::Cell;
use std::rc::Rc;

use foster_compat::{Protocol, Result};

use crate::actor::Actor;
use crate::protocol_spec::{FactoryLine, ProtocolSpec};
use crate::session::Session;

/// Makes the protocols of one server.
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
    ) -> Self {
        Factory { session: session.clone(), name: name.to_owned(), spec, other_spec, n_calls: Cell::new(0) }
    }

    /// The factory of one of the program's protocols.
    pub(crate) fn named(session: &Rc<Session>, name: &str) -> Self {
        Factory::new(session, name, session.protocol(name), None)
    }

    pub(crate) fn spec(&self) -> &ProtocolSpec {
        &self.spec
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.session.is_shared()
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
}

/// Gives a server the factory, with the kind of protocol that the scenario and the command line ask for.
macro_rules! with_factory {
    ($server:expr, $factory:expr) => {{
        use crate::protocol_object::{BufferedObject, ExclusiveObject, SharedObject};
        let (server, factory) = ($server, $factory);
        if factory.spec().is_buffered {
            server.try_factory(move || Ok(foster_compat::Buffered(BufferedObject::new(factory.make()?))))
        } else if factory.is_shared() {
            server.try_factory(move || Ok(foster_compat::Shared(SharedObject(factory.make()?))))
        } else {
            server.try_factory(move || Ok(ExclusiveObject(factory.make()?)))
        }
    }};
}
pub(crate) use with_factory;

/// Stands where a server wants a factory that cannot fail, until [`with_factory`] gives it the other.
#[derive(Default)]
pub(crate) struct NoProtocol;

impl Protocol for NoProtocol {}
